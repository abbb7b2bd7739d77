"""Waiting for the cloud to answer, with limits that explain what did not come."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy import front
from deploy.client import ApiProblem, Client
from deploy.cloud import Cloud
from deploy.credentials import Secrets
from deploy.progress import Failure
from deploy.supervisor import Supervisor

API_S = 60
CRASHING_S = 15
HOSTS_S = 90


def tail(cloud: Cloud, name: str, lines: int = 12) -> str:
    """The last lines of a process's log, indented."""
    path = cloud.log / f"{name}.log"
    if not path.exists():
        return "    (no log)"
    return (
        "\n".join(f"    {line[:300]}" for line in path.read_text(errors="replace").splitlines()[-lines:])
        or "    (empty log)"
    )


def wait_for(look: Callable[[], str | None], seconds: float, every_s: float = 0.1) -> str | None:
    """Call ``look`` until it returns None (ready); the last thing it missed when time is up."""
    deadline = time.monotonic() + seconds
    while (missing := look()) is not None:
        if time.monotonic() > deadline:
            return missing
        time.sleep(every_s)
    return None


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as line:
        return line.connect_ex(str(path)) == 0


def wait_for_api(cloud: Cloud) -> None:
    """The front, the API and the conductor answer. Raises Failure with the log of what does not."""

    began = time.monotonic()

    def look() -> str | None:
        if time.monotonic() - began > CRASHING_S and _crashing(cloud):
            raise Failure(_explain(cloud, f"Processes crash again and again: {', '.join(_crashing(cloud))}."))
        if not _listens(cloud.run / "api.sock"):  # asking the front this early would only fill its log
            return "the API does not listen yet"
        try:
            client = Client(cloud.local_url, "", "", trust=cloud.trust, timeout_s=5)
            client.version_document()
            if client.text(f"/static/{front.MARK}") != front.mark(cloud):
                return f"port {cloud.wish.port} is answered by something else than this cloud's front"
        except ApiProblem as problem:
            return str(problem)
        return None

    missing = wait_for(look, API_S)
    if missing is not None:
        raise Failure(_explain(cloud, f"The API did not answer within {API_S} s: {missing}"))


def wait_for_conductor(cloud: Cloud, url: str) -> None:
    """It answers, at the address that hosts use. Raises Failure with its log."""
    client = Client(url, "", "", timeout_s=5, trust=cloud.trust)

    def look() -> str | None:
        try:
            return None if client.text("/conductor/v1/authority") else "what answers there is no conductor"
        except ApiProblem as problem:
            return str(problem)

    missing = wait_for(look, API_S)
    if missing is not None:
        raise Failure(_explain(cloud, f"The conductor did not answer within {API_S} s: {missing}"))


def _crashing(cloud: Cloud) -> list[str]:
    return [status.name for status in Supervisor(cloud).statuses().values() if status.state in ("BACKOFF", "FATAL")]


def _explain(cloud: Cloud, text: str) -> str:
    """The text, and the last words of those that do not run."""
    sick = [status.name for status in Supervisor(cloud).statuses().values() if status.state != "RUNNING"]
    names = sick or ["api", "front"]
    return "\n".join([text, *(f"  last lines of {name}:\n{tail(cloud, name)}" for name in names[:3])])


def wait_for_hosts(cloud: Cloud, secrets: Secrets, names: Sequence[str]) -> None:
    """Every host reports and can take work. Raises Failure naming those that do not."""
    client = Client(cloud.local_url, "admin", secrets.admin_password, trust=cloud.trust)
    wanted = set(names)

    def look() -> str | None:
        try:
            services = client.get("/compute/v2.1/os-services?binary=nova-compute")["services"]
        except ApiProblem as problem:
            return str(problem)
        missing = wanted - {row["host"] for row in services if row["state"] == "up"}
        return f"not heard of: {', '.join(sorted(missing)[:5])} ({len(missing)} of {len(wanted)})" if missing else None

    missing = wait_for(look, HOSTS_S, every_s=0.3)
    if missing is not None:
        agents = [name for name in Supervisor(cloud).statuses() if name.startswith("compute@")]
        logs = "\n".join(f"  last lines of {name}:\n{tail(cloud, name)}" for name in [*agents[:2], "conductor"])
        raise Failure(f"Compute hosts did not report within {HOSTS_S} s: {missing}\n{logs}")
