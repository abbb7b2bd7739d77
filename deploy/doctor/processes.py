"""The cloud's processes: everything that should run does, stays up, and is not stopped in its tracks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from computecloud.core.finding import Finding
from deploy import pids, supervisor
from deploy.cloud import Cloud
from deploy.readiness import tail
from deploy.supervisor import Status

YOUNG_S = 10
STOPPED = "Tt"  # states of /proc/PID/stat: by a signal, by a debugger


def running(cloud: Cloud) -> Iterator[Finding]:
    """What the supervisor says, and what the kernel says of those it believes to run."""
    statuses = supervisor.Supervisor(cloud).statuses()
    if not statuses:
        left = supervisor.orphans(cloud, {})
        text = "the supervisor does not run" + (f"; it left {len(left)} processes behind" if left else "")
        yield Finding("process.supervisor", "wrong", "processes", text, "./cloud up starts it again and takes over")
        return
    sick = [status for status in statuses.values() if status.state not in ("RUNNING", "STARTING")]
    yield from (_sick(cloud, status) for status in sick)
    frozen = [status for status in statuses.values() if status.state == "RUNNING" and _is_frozen(status.pid)]
    yield from (_frozen(status) for status in frozen)
    young = [status.name for status in statuses.values() if status.state == "RUNNING" and status.since_s < YOUNG_S]
    if young:
        text = f"started less than {YOUNG_S} s ago: {', '.join(young)}"
        yield Finding("process.young", "note", "processes", text, "If this stays so, they crash: ./cloud logs")
    if not sick and not frozen:
        yield Finding("process", "well", "processes", f"{len(statuses)} run")


def _sick(cloud: Cloud, status: Status) -> Finding:
    text = f"{status.state} {status.message}\n{tail(cloud, status.name, 3)}"
    return Finding(
        "process.dead", "wrong", f"process {status.name}", text, f"./cloud logs {status.name}; ./cloud up starts it"
    )


def _is_frozen(pid: int) -> bool:
    try:
        states = [Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()[0] for one in pids.tree(pid)]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(state in STOPPED for state in states)


def _frozen(status: Status) -> Finding:
    text = f"process id {status.pid} is stopped by a signal or a debugger: it lives and does nothing"
    remedy = f"kill -CONT {status.pid}; or ./cloud restart {status.name}"
    return Finding("process.frozen", "wrong", f"process {status.name}", text, remedy)
