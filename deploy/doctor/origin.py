"""The one origin as a client meets it: does the port listen, is it ours, does the API answer?"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from computecloud.core.finding import Finding, judge
from deploy import credentials, front, pids
from deploy.client import ApiProblem, Client, WrongPassword
from deploy.cloud import EVERYWHERE, Cloud

PATIENCE_S = 10


def port(cloud: Cloud) -> Iterator[Finding]:
    """Somebody listens, and it is this cloud's front."""
    name = f"port {cloud.wish.port}"
    with socket.socket(socket.AF_INET6 if ":" in cloud.wish.listen else socket.AF_INET) as line:
        line.settimeout(3)
        address = "127.0.0.1" if cloud.wish.listen in EVERYWHERE else cloud.wish.listen
        refused = line.connect_ex((address, cloud.wish.port))
    if refused:
        text = f"nothing listens: {os.strerror(refused)}"
        yield Finding("origin.silent", "wrong", name, text, "./cloud up; ./cloud logs front")
        return
    try:
        client = Client(cloud.local_url, "", "", trust=cloud.trust, timeout_s=PATIENCE_S)
        ours = client.text(f"/static/{front.MARK}") == front.mark(cloud)
    except ApiProblem as problem:
        if "CERTIFICATE_VERIFY_FAILED" in str(problem):
            remedy = "./cloud up makes a new one and restarts what serves it"
            yield Finding("origin.certificate", "wrong", name, f"its certificate is refused: {problem}", remedy)
            return
        ours = False
    if not ours:
        who = listener(cloud.wish.port)
        text = f"is taken by another program{f': process {who}' if who else ''}"
        remedy = "End that program and ./cloud up; or ./cloud up --port another"
        yield Finding("origin.taken", "wrong", name, text, remedy)
        return
    yield Finding("origin", "well", name, "is our front")


def listener(number: int) -> str:
    """Process id and name of who listens on a TCP port; empty when the kernel does not tell us."""
    inodes = {row[9] for row in _listening() if int(row[1].rsplit(":", 1)[1], 16) == number}
    for process in Path("/proc").glob("[0-9]*"):
        if any(f"socket:[{inode}]" in pids.open_files(process) for inode in inodes):
            return f"{process.name} ({(process / 'comm').read_text().strip()})"
    return ""


def _listening() -> list[list[str]]:
    rows = [row.split() for table in ("tcp", "tcp6") for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return [row for row in rows if row[3] == "0A"]


def api(cloud: Cloud) -> Iterator[Finding]:
    """An administrator can log in and look."""
    secrets = credentials.load(cloud.state)
    if secrets is None:
        return
    client = Client(cloud.local_url, "admin", secrets.admin_password, trust=cloud.trust, timeout_s=PATIENCE_S)
    try:
        services = client.get("/compute/v2.1/os-services?binary=nova-compute")["services"]
    except WrongPassword as problem:
        remedy = f"Write it to {cloud.state}/secrets.toml as admin_password: doctor cannot look through the API."
        yield Finding("api", "wrong", "API", str(problem), remedy)
        return
    except ApiProblem as problem:
        yield Finding("api", "wrong", "API", str(problem), "./cloud logs api")
        return
    up = sum(row["state"] == "up" for row in services)
    text = f"answers at {cloud.local_url}; {up} of {len(services)} hosts are up"
    yield judge(True, "api", "API", text, "")
