"""The supervisor of one cloud: its configuration, and a small client to start, stop and ask it."""

from __future__ import annotations

import http.client
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from supervisor.xmlrpc import SupervisorTransport

from computecloud.core.command import SYSTEM_PATH, start_detached
from deploy import pids
from deploy.cloud import CHECKOUT, Cloud
from deploy.files import write_private
from deploy.processes import Process
from deploy.progress import Failure

NAME, FRONT = "supervisor", "front"
GONE = (OSError, http.client.HTTPException)
LONGEST_STOP_S = 60
NOT_RUNNING = {"STOPPED", "EXITED", "FATAL", "BACKOFF", "UNKNOWN"}


@dataclass(frozen=True)
class Status:
    """What the supervisor says of one process: RUNNING, STARTING, BACKOFF, FATAL, STOPPED, EXITED."""

    name: str
    state: str
    pid: int
    since_s: int  # seconds in this state
    message: str


def config_file(cloud: Cloud) -> Path:
    return cloud.etc / "supervisord.conf"


def socket_file(cloud: Cloud) -> Path:
    return cloud.run / "supervisor.sock"


def write_config(cloud: Cloud, processes: Sequence[Process]) -> None:
    """supervisord.conf: restart always, patiently; logs rotated; stop the whole process group."""
    head = f"""\
[supervisord]
nodaemon=false
directory={CHECKOUT}
logfile={cloud.log}/supervisor.log
logfile_maxbytes=10MB
logfile_backups=2
loglevel=info
pidfile={cloud.run}/.supervisord.pid
childlogdir={cloud.log}
umask=077
minfds=8192
strip_ansi=true

[unix_http_server]
file={socket_file(cloud)}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    programs = [_program(cloud, process) for process in processes]
    write_private(config_file(cloud), "\n".join([head, *programs]))


def _program(cloud: Cloud, process: Process) -> str:
    words = ["/bin/sh", str(CHECKOUT / "deploy" / "launch.sh"), str(cloud.run), process.name, *process.command]
    # The supervisor expands %(name)s in commands and environments, and splits commands as a shell would.
    command = " ".join(quoted(word) for word in words).replace("%", "%%")
    values = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"} | process.environment
    environment = ",".join(f'{name}="{value}"'.replace("%", "%%") for name, value in values.items())
    return f"""\
[program:{process.name}]
command={command}
directory={CHECKOUT}
environment={environment}
priority={process.order}
autostart=true
autorestart=true
startsecs=1
startretries=1000000
stopsignal={process.stop_signal}
stopwaitsecs={process.stop_wait_s}
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile={cloud.log}/{process.name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


def quoted(word: str) -> str:
    return (
        word
        if all(letter.isalnum() or letter in "-_./=:@,+%" for letter in word)
        else "'" + word.replace("'", "'\\''") + "'"
    )


class Supervisor:
    """Speaks to one cloud's supervisord over its unix socket."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(None, None, serverurl=f"unix://{socket_file(self.cloud)}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def answers(self) -> bool:
        """Whether our supervisord runs and listens."""
        if pids.find(self.cloud.run, NAME) is None:
            return False
        try:
            self._call("getState")
        except (*GONE, xmlrpc.client.Error):
            return False
        return True

    def statuses(self) -> dict[str, Status]:
        """All processes by name; empty when supervisord does not run."""
        if not self.answers():
            return {}
        rows = cast("list[dict[str, Any]]", self._call("getAllProcessInfo"))
        return {
            row["name"]: Status(
                row["name"],
                row["statename"],
                row["pid"],
                max(0, row["now"] - row["start"]),
                row["spawnerr"] or row["description"],
            )
            for row in rows
        }

    def launch(self) -> None:
        """Start supervisord, which starts every process. Raises Failure when it does not come up."""
        script = Path(sys.executable).parent / "supervisord"
        command = [
            "/bin/sh", str(CHECKOUT / "deploy" / "launch.sh"), str(self.cloud.run), NAME,
            sys.executable, str(script), "--nodaemon", "-c", str(config_file(self.cloud)),
        ]  # fmt: skip
        start_detached(command, log=self.cloud.log / "supervisor.out")
        wait_until(
            self.answers, 15, f"The supervisor does not start. See {self.cloud.log}/supervisor.log and supervisor.out."
        )

    def reload(self) -> tuple[list[str], list[str], list[str]]:
        """Read the configuration again. Returns the names of processes added, changed and removed."""
        (added, changed, removed), *_ = self._call("reloadConfig")
        self.stop([*changed, *removed])
        for name in (*changed, *removed):
            self._call("removeProcessGroup", name)
        for name in (*added, *changed):
            self._call("addProcessGroup", name)
        return added, changed, removed

    def start_dead(self) -> list[str]:
        """Start at once whatever waits or gave up. Returns the names."""
        sick = {status.name: status.state for status in self.statuses().values() if status.state in NOT_RUNNING}
        dead = list(sick)
        self.stop(name for name in dead if sick[name] == "BACKOFF")  # it would wait longer after each failure
        for name in dead:
            with suppress(xmlrpc.client.Fault):  # it came back by itself in between
                self._call("startProcess", name, False)
        return dead

    def stop(self, names: Iterable[str]) -> None:
        """Stop processes side by side; returns when all have ended, killed if need be after their own time."""
        wanted = set(names)
        for name in wanted:
            with suppress(xmlrpc.client.Fault):  # it does not run
                self._call("stopProcess", name, False)

        def done() -> bool:
            statuses = self.statuses()
            return all(statuses[name].state in NOT_RUNNING for name in wanted if name in statuses)

        wait_until(done, LONGEST_STOP_S, f"These did not stop: {', '.join(sorted(wanted))}")

    def restart(self, names: Sequence[str]) -> None:
        self.stop(names)
        for name in names:
            self._call("startProcess", name, False)

    def signal(self, name: str, number: str) -> None:
        """Send a signal, such as HUP, to one process."""
        self._call("signalProcess", name, number)

    def lend(self, name: str, spare: str) -> None:
        """Start a second process of a program under the name ``spare``; it is not restarted when it ends."""
        path = config_file(self.cloud)
        self._forget(spare)
        section = path.read_text().split(f"[program:{name}]\n")[1].split("\n[program:")[0]
        section = section.replace(f"{self.cloud.run} {name} ", f"{self.cloud.run} {spare} ", 1)
        section = section.replace(f"{self.cloud.log}/{name}.log", f"{self.cloud.log}/{spare}.log")
        section = section.replace("autorestart=true", "autorestart=false")
        write_private(path, f"{path.read_text()}\n[program:{spare}]\n{section}")
        self._call("reloadConfig")
        self._call("addProcessGroup", spare)

    def take_back(self, spare: str) -> None:
        """End a spare, and forget it."""
        self.stop([spare])
        with suppress(xmlrpc.client.Fault):  # it was never added
            self._call("removeProcessGroup", spare)
        self._forget(spare)
        self._call("reloadConfig")
        for kind in ("pid", "stat"):
            (self.cloud.run / f"{spare}.{kind}").unlink(missing_ok=True)

    def _forget(self, spare: str) -> None:
        path = config_file(self.cloud)
        write_private(path, path.read_text().split(f"\n[program:{spare}]\n")[0])

    def shut_down(self, last: frozenset[str]) -> None:
        """Stop every process, those in ``last`` after the others, then supervisord itself; returns when it is gone."""
        running = pids.find(self.cloud.run, NAME)
        if running is None:
            return
        names = set(self.statuses())
        self.stop(names - last)
        self.stop(names & last)
        pids.end([running.pid], grace_s=30)


def orphans(cloud: Cloud, statuses: Mapping[str, Status]) -> list[pids.Running]:
    """Processes of ours that run without a supervisor, because it was killed."""
    known = {status.pid for status in statuses.values()}
    found = [pids.find(cloud.run, name) for name in pids.names(cloud.run)]
    return [one for one in found if one is not None and one.pid not in known and one.name != NAME]


def front_strays(cloud: Cloud) -> list[int]:
    """Workers of an nginx master that was killed: they keep the port."""
    running = pids.find(cloud.run, FRONT)
    known = set(pids.tree(running.pid)) if running else set()
    return [pid for pid in pids.holders(cloud.log / "front-access.log") if pid not in known]


def end_orphans(cloud: Cloud) -> list[str]:
    """End what a killed supervisor or front left behind. Returns the names."""
    left = orphans(cloud, Supervisor(cloud).statuses())
    stray = front_strays(cloud)
    pids.end([*stray, *(pid for one in left for pid in pids.tree(one.pid))])
    return [*(one.name for one in left), *([f"a worker of {FRONT}"] if stray else [])]


def forget_pids(cloud: Cloud, names: Iterable[str]) -> None:
    """These processes are no more; nobody looks for them again."""
    for name in names:
        for kind in ("pid", "stat"):
            (cloud.run / f"{name}.{kind}").unlink(missing_ok=True)


def wait_until(ready: Any, seconds: float, explain: str, every_s: float = 0.05) -> None:
    """Ask ``ready()`` until it is true. Raises Failure(explain) after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise Failure(explain)
        time.sleep(every_s)
