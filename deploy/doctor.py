"""`./cloud doctor`: looks at this machine and this cloud, and says what is wrong and how to mend it."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal
from urllib.error import URLError
from urllib.request import urlopen

from deploy import cloud as clouds
from deploy import credentials, database, supervisor
from deploy import hosts as local_hosts
from deploy.client import ApiProblem, Client
from deploy.cloud import Cloud
from deploy.management import manage
from deploy.progress import Failure
from deploy.readiness import tail
from hosts.drivers.libvirt_kvm_probe import kvm_works

Level = Literal["well", "note", "wrong"]
SPACE_NOTE_GB, SPACE_WRONG_GB = 10.0, 2.0
CLOCK_NOTE_S = 5.0
MEMORY_WRONG_MB = 300


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``remedy`` says what to do when it is not well."""

    level: Level
    subject: str
    text: str
    remedy: str = ""


def machine(cloud: Cloud) -> Iterator[Finding]:
    """Root, devices, virtualization, space, memory."""
    real = not cloud.wish.fake
    if real:
        root = os.geteuid() == 0
        yield Finding(
            "well" if root else "wrong",
            "user",
            f"user id {os.geteuid()}",
            "" if root else "Run as root: sudo ./cloud ...",
        )
        tun = Path("/dev/net/tun").exists()
        yield Finding(
            "well" if tun else "wrong", "/dev/net/tun", "there" if tun else "missing, so guests can have no network",
            "" if tun else "mkdir -p /dev/net && mknod /dev/net/tun c 10 200; in a container, pass the device in",
        )  # fmt: skip
        works = kvm_works()
        there = Path("/dev/kvm").exists()
        text = (
            "works"
            if works
            else f"does not run guest code ({'/dev/kvm is there all the same' if there else 'no /dev/kvm'})"
        )
        yield Finding(
            "well" if works else "note", "KVM", text,
            "" if works else "Guests run in software (QEMU TCG), about ten times slower. Enable (nested) virtualization to change that.",
        )  # fmt: skip
    free_gb = shutil.disk_usage(cloud.state).free / 1e9
    level: Level = "well" if free_gb > SPACE_NOTE_GB else "note" if free_gb > SPACE_WRONG_GB else "wrong"
    yield Finding(
        level, "free space", f"{free_gb:.1f} GB at {cloud.state}",
        "" if level == "well" else "Guests' disks are thin and grow: delete servers or images, or move --state to a larger disk.",
    )  # fmt: skip
    available_mb = _available_mb()
    yield Finding(
        "well" if available_mb > MEMORY_WRONG_MB else "wrong", "free memory", f"{available_mb} MB",
        "" if available_mb > MEMORY_WRONG_MB else "Stop servers, or give the machine more memory.",
    )  # fmt: skip


def _available_mb() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def permissions(cloud: Cloud) -> Iterator[Finding]:
    """Nobody but the owner may read secrets."""
    private = [
        cloud.state, cloud.state / credentials.FILE, cloud.state / "clouds.yaml", cloud.config_file, cloud.etc / "redis.conf",
        *cloud.data.glob("identities/*/identity.toml"),
    ]  # fmt: skip
    open_ones = [path for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    missing = [path for path in private[:4] if not path.exists()]
    yield Finding(
        "wrong" if open_ones else "well", "permissions",
        f"readable by others: {', '.join(map(str, open_ones))}" if open_ones else "secrets are readable by their owner only",
        f"chmod go-rwx {' '.join(map(str, open_ones))}" if open_ones else "",
    )  # fmt: skip
    if missing:
        yield Finding("wrong", "files", f"missing: {', '.join(map(str, missing))}", "./cloud up makes them again")


def processes(cloud: Cloud) -> Iterator[Finding]:
    """Everything that should run does, and stays up."""
    keeper = supervisor.Supervisor(cloud)
    statuses = keeper.statuses()
    if not statuses:
        left = supervisor.orphans(cloud, {})
        text = "the supervisor does not run" + (f"; it left {len(left)} processes behind" if left else "")
        yield Finding("wrong", "processes", text, "./cloud up starts it again and takes over")
        return
    sick = [status for status in statuses.values() if status.state not in ("RUNNING", "STARTING")]
    for status in sick:
        log = tail(cloud, status.name, 3)
        yield Finding(
            "wrong",
            f"process {status.name}",
            f"{status.state} {status.message}\n{log}",
            f"./cloud logs {status.name}; ./cloud up",
        )
    young = [status.name for status in statuses.values() if status.state == "RUNNING" and status.since_s < 10]
    if young:
        yield Finding(
            "note",
            "processes",
            f"started less than 10 s ago: {', '.join(young)}",
            "If this stays so, they crash: ./cloud logs",
        )
    if not sick:
        yield Finding("well", "processes", f"{len(statuses)} run")


def broker(cloud: Cloud) -> Iterator[Finding]:
    """Redis answers to our password."""
    secrets = credentials.load(cloud.state)
    path = cloud.run / "redis.sock"
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(3)
            line.connect(str(path))
            password = secrets.broker_password if secrets else ""
            line.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = line.recv(200)
            if b"PONG" not in answer:
                answer += line.recv(200)
    except OSError as problem:
        yield Finding(
            "wrong", "redis", f"{path}: {problem}", "./cloud up starts it; nothing is lost: the database has all work"
        )
        return
    well = b"PONG" in answer
    yield Finding(
        "well" if well else "wrong", "redis", "answers" if well else f"says {answer!r}", "" if well else "./cloud up"
    )


def stored(cloud: Cloud) -> Iterator[Finding]:
    """The database can be read and has every migration."""
    try:
        plan = manage(cloud, "migrate", "--check", "--plan", timeout_s=60)
    except Failure as problem:
        text = str(problem)
        if "Planned operations" in text:
            yield Finding("wrong", "database", "migrations are pending", "./cloud up applies them")
        else:
            yield Finding(
                "wrong", "database", text[-500:], "See ./cloud logs api; restore a backup if the file is damaged"
            )
        return
    del plan
    current = database.is_prepared(cloud)
    yield Finding(
        "well" if current else "note", "database", "migrated" if current else "migrated, but the code changed since the last up",
        "" if current else "./cloud up restarts services with the new code",
    )  # fmt: skip


def answers(cloud: Cloud) -> Iterator[Finding]:
    """The origin listens, the API answers, hosts report."""
    with socket.socket(socket.AF_INET6 if ":" in cloud.wish.listen else socket.AF_INET) as line:
        line.settimeout(3)
        address = "127.0.0.1" if cloud.wish.listen == "0.0.0.0" else cloud.wish.listen  # noqa: S104
        refused = line.connect_ex((address, cloud.wish.port))
    if refused:
        yield Finding(
            "wrong",
            f"port {cloud.wish.port}",
            f"nothing listens: {os.strerror(refused)}",
            "./cloud up; ./cloud logs front",
        )
        return
    secrets = credentials.load(cloud.state)
    if secrets is None:
        return
    client = Client(cloud.local_url, "admin", secrets.admin_password, timeout_s=10)
    try:
        services = client.get("/compute/v2.1/os-services?binary=nova-compute")["services"]
    except ApiProblem as problem:
        remedy = (
            "If the admin password was changed, doctor cannot look further."
            if problem.status == 401
            else "./cloud logs api"
        )
        yield Finding("wrong", "API", str(problem), remedy)
        return
    yield Finding("well", "API", f"answers at {cloud.local_url}")
    down = [row["host"] for row in services if row["state"] != "up"]
    disabled = [row["host"] for row in services if row["status"] == "disabled"]
    if down:
        yield Finding(
            "wrong",
            "hosts",
            f"no heartbeat: {', '.join(down)}",
            "./cloud logs " + " ".join(f"compute@{name}" for name in down[:3]),
        )
    else:
        yield Finding("well", "hosts", f"{len(services)} report")
    if disabled:
        yield Finding(
            "note",
            "hosts",
            f"disabled: {', '.join(disabled)}",
            "openstack compute service set --enable HOST nova-compute",
        )


def hypervisors(cloud: Cloud) -> Iterator[Finding]:
    """Namespaces, libvirtd and virtlogd of each real host."""
    if cloud.wish.fake:
        return
    for one in local_hosts.status(cloud.state):
        faults = [
            text
            for well, text in (
                (one.is_prepared, "its namespaces are gone"),
                (one.libvirtd_answers, "libvirtd does not answer"),
                (one.virtlogd_answers, "virtlogd does not answer"),
            )
            if not well
        ]
        yield Finding(
            "wrong" if faults else "well", f"host {one.name}", ", ".join(faults) or f"libvirtd answers, {one.address}",
            f"./cloud up; ./cloud logs libvirtd@{one.name}" if faults else "",
        )  # fmt: skip


def clock(cloud: Cloud) -> Iterator[Finding]:
    """Tokens expire by this clock; a clock that jumps ends them early. Needs no network: the front's own Date is compared."""
    year = time.gmtime().tm_year
    if not 2025 <= year <= 2100:
        yield Finding("wrong", "clock", f"says {time.ctime()}", "Set it: timedatectl set-time, or start chrony")
        return
    try:
        with urlopen(f"{cloud.local_url}/static/none", timeout=3) as reply:  # noqa: S310
            stamp = reply.headers["Date"]
    except URLError as problem:
        stamp = problem.headers.get("Date") if hasattr(problem, "headers") else None
    except OSError:
        stamp = None
    off_s = abs(parsedate_to_datetime(stamp).timestamp() - time.time()) if stamp else 0.0
    newest = max((path.stat().st_mtime for path in cloud.run.glob("*.pid")), default=0.0)
    if newest > time.time() + CLOCK_NOTE_S:
        yield Finding(
            "wrong",
            "clock",
            f"stands {newest - time.time():.0f} s before files written earlier: it was set back",
            "Run chrony or systemd-timesyncd",
        )
    else:
        level: Level = "well" if off_s < CLOCK_NOTE_S else "note"
        yield Finding(
            level, "clock", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "" if level == "well" else "Run chrony"
        )


LOOKS: tuple[Callable[[Cloud], Iterator[Finding]], ...] = (
    machine, permissions, processes, broker, stored, answers, hypervisors, clock,
)  # fmt: skip
SIGNS = {"well": "ok   ", "note": "note ", "wrong": "WRONG"}


def run(asked: argparse.Namespace) -> int:
    """Exit status 0 when nothing is wrong (notes are allowed), 4 otherwise."""
    cloud = clouds.load(Path(os.path.realpath(asked.state)))
    if not cloud.exists:
        print(f"There is no cloud in {cloud.state}: ./cloud up makes one.")
        return 4
    wrong = 0
    for look in LOOKS:
        for finding in look(cloud):
            wrong += finding.level == "wrong"
            print(f"{SIGNS[finding.level]}  {finding.subject}: {finding.text}")
            if finding.remedy:
                print(f"         -> {finding.remedy}")
    print(f"\n{wrong} thing(s) wrong" if wrong else "\nnothing is wrong")
    return 4 if wrong else 0
