"""A helper program ends with the process that waits for it, however that ends (F16)."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy import pids

PATIENCE_S = 20.0


@contextmanager
def a_process_that_runs(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """Its thread waits for that program, as an agent's thread waits for ``qemu-img``."""
    code = "import sys, threading\nfrom computecloud.core.command import run\n"
    code += "threading.Thread(target=run, args=(sys.argv[1:],), kwargs={'timeout_s': 300}).start()"
    with subprocess.Popen([sys.executable, "-c", code, *argv]) as parent:
        try:
            yield parent
        finally:
            parent.kill()


def comes(look: Callable[[], object]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not look() and time.monotonic() < until:
        time.sleep(0.01)
    return bool(look())


def is_program(pid: int, name: str) -> bool:
    return pids.start_time(pid) is not None and Path(f"/proc/{pid}/comm").read_text().strip() == name


LIMITED = ("prlimit", "--core=0", "nice", "-n", "10")  # as qemu-img is started


@pytest.mark.row("F16")
@pytest.mark.parametrize("prefix", [(), LIMITED], ids=["alone", "through others"])
def test_a_helper_ends_with_its_killed_parent(prefix: tuple[str, ...]) -> None:
    with a_process_that_runs(*prefix, "sleep", "300") as parent:
        assert comes(lambda: [one for one in pids.children(parent.pid) if is_program(one, "sleep")])
        [helper] = pids.children(parent.pid)
        parent.send_signal(signal.SIGKILL)
    assert comes(lambda: pids.start_time(helper) is None)


def test_a_daemon_that_a_helper_left_behind_stays(tmp_path: Path) -> None:
    """Such as dnsmasq: its guests need it whoever watches over it."""
    file = tmp_path / "pid"
    start = ["start-stop-daemon", "--start", "--background", "--make-pidfile", "--pidfile", str(file)]
    with a_process_that_runs(*start, "--exec", "/bin/sleep", "--", "300") as parent:
        assert comes(lambda: file.exists() and file.read_text().strip() and not pids.children(parent.pid))
        parent.send_signal(signal.SIGKILL)
    daemon = int(file.read_text())
    time.sleep(0.3)
    assert is_program(daemon, "sleep")
    pids.end([daemon], grace_s=5)


def test_processes_are_ended_by_one_that_has_many_files_open() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    files = [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _number in range(1100)]
    try:
        with subprocess.Popen(["/bin/sleep", "300"]) as one:
            assert pids.end([one.pid], grace_s=PATIENCE_S) == []
            assert one.wait() == -signal.SIGTERM
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
