"""A private PostgreSQL in a temporary folder: on a unix socket or a loopback port, gone when its user is done."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from computecloud.core.command import CommandFailed, run
from deploy import pids
from deploy.progress import Failure

# A test database may be lost with the machine, so nothing waits for the disk.
FAST = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
START_S = 60


def programs() -> Path:
    """Folder of the newest installed server. Raises Failure."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise Failure("PostgreSQL is not installed: apt-get install -y --no-install-recommends postgresql")
    return found[-1].parent


def account() -> str | None:
    """Who runs it: PostgreSQL refuses root. None: the present user."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@dataclass
class Server:
    """One server. ``port``: a TCP port on the loopback besides its socket; 0: the socket only."""

    folder: Path
    port: int = 0
    options: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Of its database `postgres`, whose owner may create others."""
        where = f"127.0.0.1:{self.port}" if self.port else quote(str(self.folder), safe="")
        return f"postgresql://cloud@{where}/postgres"

    @property
    def pid(self) -> int | None:
        try:
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return None
        return pid if pids.start_time(pid) else None

    def make(self) -> None:
        """An empty cluster. Raises CommandFailed."""
        who = account()
        if who:
            shutil.chown(self.folder, who)
        self._run("initdb", "-U", "cloud", "--auth=trust", "-E", "UTF8", "--no-sync", timeout_s=120)

    def start(self) -> None:
        """Start it and wait until it answers, after a crash too. Raises Failure."""
        listen = ["-c", f"listen_addresses={'127.0.0.1' if self.port else ''}", "-c", f"port={self.port or 5432}"]
        words = [*listen, "-c", f"unix_socket_directories={self.folder}", "-c", "max_connections=60",
                 "-c", "shared_buffers=64MB", *self.options]  # fmt: skip
        until = time.monotonic() + START_S
        while True:
            try:
                self._run("pg_ctl", "-l", str(self.folder / "log"), "-w", "-o", " ".join(words), "start")
                return
            except CommandFailed as problem:  # processes of a killed server may still hold its shared memory
                if time.monotonic() > until:
                    log = self.folder / "log"
                    raise Failure(f"{problem}\n{log.read_text()[-2000:] if log.exists() else ''}") from problem
                time.sleep(0.2)

    def stop(self, mode: str = "immediate") -> None:
        """``mode``: smart, fast or immediate, as `pg_ctl stop` has them."""
        self._run("pg_ctl", "-m", mode, "stop", accept=frozenset({0, 1}))

    def kill(self) -> None:
        """As a crash would end it: its other processes notice and follow."""
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGKILL)
            pids.end([pid], grace_s=5)

    def _run(
        self, program: str, *words: str, timeout_s: float = START_S, accept: frozenset[int] = frozenset({0})
    ) -> None:
        who = account()
        prefix = ["runuser", "-u", who, "--"] if who else []
        command = [*prefix, str(programs() / program), "-D", str(self.folder / "data"), *words]
        run(command, timeout_s=timeout_s, accept=accept, cwd=self.folder)


@contextmanager
def running(*, fast: bool = True, port: int = 0, options: tuple[str, ...] = ()) -> Iterator[Server]:
    """A running server of its own; raises Failure when it is not installed or does not start."""
    folder = Path(tempfile.mkdtemp(prefix="cc-pg-"))
    one = Server(folder, port, (*(FAST if fast else ()), *options))
    try:
        one.make()
        one.start()
        yield one
    except CommandFailed as problem:
        raise Failure(str(problem)) from problem
    finally:
        if one.pid is not None:
            one.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server(*, fast: bool = True, options: tuple[str, ...] = ()) -> Iterator[str]:
    """The same; gives the URL only."""
    with running(fast=fast, options=options) as one:
        yield one.url


def main() -> None:
    """`python -m deploy.postgres`: a server for trying things; prints its URL and goes away with Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with server(fast=False) as url:
        print(url, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
