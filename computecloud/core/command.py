"""The one door to other programs: an argument list, an absolute binary, never a shell (security row S28)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LONGEST_OUTPUT = 2000
# A parent-death signal: who waits for a program may be killed, and his successor must not meet it still at work (F16).
# The kernel sends it when the *thread* that started the program ends; that one waits for it. What the program leaves
# behind (a daemon's second fork) does not inherit it. Not by ``preexec_fn``, which is not safe beside other threads.
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


class CommandFailed(Exception):
    """A program ended with another status than 0, or not in time. ``output`` is the end of what it wrote."""

    def __init__(self, argv: Sequence[str], status: int | None, output: str) -> None:
        self.argv, self.status, self.output = list(argv), status, output[-LONGEST_OUTPUT:]
        ending = "did not end in time" if status is None else f"ended with status {status}"
        super().__init__(f"{' '.join(self.argv)} {ending}: {self.output.strip()}")


class ProgramMissing(Exception):
    """A program that we need is not installed."""

    def __init__(self, program: str) -> None:
        self.program = program
        super().__init__(f"the program {program} is not installed on this machine")


@cache
def binary(program: str) -> str:
    """The absolute path of ``program``. Raises ProgramMissing."""
    found = shutil.which(program, path=SYSTEM_PATH)
    if found is None:
        raise ProgramMissing(program)
    return found


def absolute(argv: Sequence[str]) -> list[str]:
    """``argv`` with its program as an absolute path."""
    return [argv[0] if Path(argv[0]).is_absolute() else binary(argv[0]), *argv[1:]]


def run(
    argv: Sequence[str],
    *,
    data: bytes | None = None,
    timeout_s: float = 60.0,
    cwd: Path | None = None,
    accept: frozenset[int] = frozenset({0}),
    environment: dict[str, str] | None = None,
) -> bytes:
    """Run ``argv`` to its end and return its standard output. ``data`` goes to its standard input.

    The program sees a plain environment (PATH, C locale and ``environment``), so that a user's settings cannot
    change what it does. It ends when we end, however that comes. Raises CommandFailed for a status outside ``accept``
    or after ``timeout_s`` seconds.
    """
    full = absolute(argv)
    surroundings = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", **(environment or {})}
    try:
        done = subprocess.run(
            [*absolute(ENDS_WITH_US), *full],
            input=data or b"", capture_output=True, timeout=timeout_s, cwd=cwd, env=surroundings, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise CommandFailed(full, None, _text(late.stderr) + _text(late.stdout)) from late
    if done.returncode not in accept:
        raise CommandFailed(full, done.returncode, _text(done.stdout) + _text(done.stderr))
    return done.stdout


def start_detached(
    argv: Sequence[str], *, log: Path, environment: dict[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Start ``argv`` in a session of its own, a child of init, its output appended to ``log``.

    The program writes its own pid file; we do not learn its process id here.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    surroundings = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", **(environment or {})}
    with log.open("ab") as out:
        subprocess.run(
            absolute(["setsid", "--fork", *absolute(argv)]),
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=surroundings, cwd=cwd, check=True, timeout=10,
        )  # fmt: skip


def _text(output: bytes | None) -> str:
    return (output or b"").decode("utf-8", "replace")
