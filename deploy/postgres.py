"""A private PostgreSQL in a temporary folder: reached over a unix socket only, gone when its user is done with it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from computecloud.core.command import CommandFailed, run
from deploy.progress import Failure

# A test database may be lost with the machine, so nothing waits for the disk.
FAST = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


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


@contextmanager
def server(*, fast: bool = True, options: tuple[str, ...] = ()) -> Iterator[str]:
    """A running server; gives the URL of its database `postgres`, whose owner may create others."""
    folder = Path(tempfile.mkdtemp(prefix="cc-pg-"))
    who, binaries = account(), programs()
    prefix = ["runuser", "-u", who, "--"] if who else []
    if who:
        shutil.chown(folder, who)
    data = folder / "data"
    tuning = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "max_connections=60",
              "-c", "shared_buffers=64MB", *(FAST if fast else ()), *options]  # fmt: skip
    started = False
    try:
        run(
            [
                *prefix,
                str(binaries / "initdb"),
                "-D",
                str(data),
                "-U",
                "cloud",
                "--auth=trust",
                "-E",
                "UTF8",
                "--no-sync",
            ],
            timeout_s=120,
        )
        words = " ".join(tuning)
        run(
            [*prefix, str(binaries / "pg_ctl"), "-D", str(data), "-l", str(folder / "log"), "-w", "-o", words, "start"],
            timeout_s=60,
        )
        started = True
        yield f"postgresql://cloud@{quote(str(folder), safe='')}/postgres"
    except CommandFailed as problem:
        log = folder / "log"
        raise Failure(f"{problem}\n{log.read_text()[-2000:] if log.exists() else ''}") from problem
    finally:
        if started:
            run(
                [*prefix, str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop"],
                accept=frozenset({0, 1}),
            )
        shutil.rmtree(folder, ignore_errors=True)


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
