"""Which of our processes run, told by pid file and start time, and how much memory they hold."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

START_TIME = 19  # field 22 of /proc/PID/stat, counted from the one after the closing bracket of the name


@dataclass(frozen=True)
class Running:
    """A live process that we started."""

    name: str
    pid: int


def _start_time(stat: str) -> str:
    return stat.rsplit(")", 1)[1].split()[START_TIME]


def start_time(pid: int) -> str | None:
    """When the process started, in clock ticks since boot; None when there is no such process, or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if stat.rsplit(")", 1)[1].split()[0] in "ZX" else _start_time(stat)


def age_s(pid: int) -> int:
    """Whole seconds since the process started; 0 when it is gone."""
    ticks = start_time(pid)
    if ticks is None:
        return 0
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK"))


def find(run: Path, name: str) -> Running | None:
    """The process that ``run``/NAME.pid stands for, if it is still that one."""
    try:
        pid = int((run / f"{name}.pid").read_text().split()[0])
        noted = _start_time((run / f"{name}.stat").read_text())
    except (FileNotFoundError, ValueError, IndexError):
        return None
    return Running(name, pid) if start_time(pid) == noted else None


def holders(path: Path) -> list[int]:
    """Processes that have a file open: how a worker is found whose parent was killed and whose name says nothing."""
    return [
        int(process.name) for process in Path("/proc").iterdir() if process.name.isdigit() and _holds(process, path)
    ]


def open_files(process: Path) -> list[str]:
    """What the process of a folder in /proc has open; empty when it is gone or not ours to see."""
    found: list[str] = []
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for handle in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile, such as the one that reads this folder
                found.append(str(handle.readlink()))
    return found


def _holds(process: Path, path: Path) -> bool:
    return str(path) in open_files(process)


def forget_before_boot(run: Path) -> None:
    """After a restart of the machine all pid files are about processes of another life."""
    current = Path("/proc/sys/kernel/random/boot_id").read_text()
    noted = run / ".boot"
    if noted.exists() and noted.read_text() != current:
        for path in (*run.glob("*.pid"), *run.glob("*.stat")):
            path.unlink(missing_ok=True)
    noted.write_text(current)


def names(run: Path) -> list[str]:
    """Names of all pid files, running or not."""
    return sorted(path.stem for path in run.glob("[!.]*.pid"))


def children(pid: int) -> list[int]:
    """Direct children of all threads of a process."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in path.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        if one not in found:
            found.append(one)
            todo += children(one)
    return found


def pss_kib(pid: int) -> int:
    """Memory that a process accounts for: its own pages plus its part of the shared ones; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


def end(pids: Iterable[int], grace_s: float = 10.0) -> list[int]:
    """Ask processes to stop, kill those that have not after ``grace_s`` seconds. Returns those killed."""
    handles: dict[int, int] = {}
    for pid in pids:
        try:
            handles[os.pidfd_open(pid)] = pid
        except ProcessLookupError:
            continue
    try:
        _signal(handles, signal.SIGTERM)
        left = _wait(handles, grace_s)
        _signal(left, signal.SIGKILL)
        _wait(left, 5.0)
        return list(left.values())
    finally:
        for handle in handles:
            os.close(handle)


def _signal(handles: Iterable[int], number: signal.Signals) -> None:
    for handle in handles:
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            continue


def _wait(handles: dict[int, int], seconds: float) -> dict[int, int]:
    """Those of ``handles`` (pidfd -> pid) that still run after at most ``seconds``. Children of ours are reaped."""
    left = dict(handles)
    poller = select.poll()  # select() knows no file above the 1,024th
    for handle in handles:
        poller.register(handle, select.POLLIN)
    deadline = time.monotonic() + seconds
    while left and (rest := deadline - time.monotonic()) > 0:
        for handle, _what in poller.poll(rest * 1000):
            poller.unregister(handle)
            left.pop(handle)
    return left
