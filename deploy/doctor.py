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
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from deploy import cloud as clouds
from deploy import credentials, database, supervisor
from deploy import hosts as local_hosts
from deploy.client import ApiProblem, Client
from deploy.cloud import Cloud
from deploy.management import manage
from deploy.progress import Failure
from deploy.readiness import tail
from deploy.up import TUN_REMEDY
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


def judge(well: bool, subject: str, text: str, remedy: str, otherwise: Level = "wrong") -> Finding:
    """A finding whose remedy is told only when it is needed."""
    return Finding("well", subject, text) if well else Finding(otherwise, subject, text, remedy)


def machine(cloud: Cloud) -> Iterator[Finding]:
    """Root, devices, virtualization, space, memory."""
    if not cloud.wish.fake:
        yield judge(os.geteuid() == 0, "user", f"user id {os.geteuid()}", "Run as root: sudo ./cloud ...")
        tun = Path("/dev/net/tun").exists()
        yield judge(tun, "/dev/net/tun", "there" if tun else "missing, so guests can have no network", TUN_REMEDY)
        yield _virtualization()
    free_gb = shutil.disk_usage(cloud.state).free / 1e9
    yield judge(
        free_gb > SPACE_NOTE_GB,
        "free space",
        f"{free_gb:.1f} GB at {cloud.state}",
        "Guests' disks are thin and grow: delete servers or images, or use --state on a larger disk.",
        "note" if free_gb > SPACE_WRONG_GB else "wrong",
    )
    memory_mb = _available_mb()
    remedy = "Stop servers, or give the machine more memory."
    yield judge(memory_mb > MEMORY_WRONG_MB, "free memory", f"{memory_mb} MB", remedy)


def _virtualization() -> Finding:
    """Asked by running guest code: the device alone says nothing on a nested machine."""
    there = "/dev/kvm is there all the same" if Path("/dev/kvm").exists() else "no /dev/kvm"
    works = kvm_works()
    return judge(
        works,
        "KVM",
        "works" if works else f"does not run guest code ({there})",
        "Guests run in software, some ten times slower. Enable (nested) virtualization to change that.",
        "note",
    )


def _available_mb() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def permissions(cloud: Cloud) -> Iterator[Finding]:
    """Nobody but the owner may read secrets."""
    needed = [cloud.state, cloud.state / credentials.FILE, cloud.state / "clouds.yaml", cloud.config_file]
    private = [*needed, cloud.etc / "redis.conf", *cloud.data.glob("identities/*/identity.toml")]
    readable = [str(path) for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    text = f"others may read {', '.join(readable)}" if readable else "secrets are readable by their owner only"
    yield judge(not readable, "permissions", text, f"chmod go-rwx {' '.join(readable)}")
    missing = [str(path) for path in needed if not path.exists()]
    if missing:
        yield Finding("wrong", "files", f"missing: {', '.join(missing)}", "./cloud up makes them again")


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
    """The broker takes connections; our own Redis answers to our password."""
    if cloud.wish.broker_url:
        yield _given_broker(cloud.wish.broker_url)
        return
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


def _given_broker(url: str) -> Finding:
    parts = urlsplit(url)
    port = parts.port or {"amqp": 5672, "amqps": 5671}.get(parts.scheme, 6379)
    where = f"{parts.hostname}:{port}"
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", port), timeout=3).close()
    except OSError as problem:
        remedy = f"Start the broker at {where}; nothing is lost meanwhile: the database has all work"
        return Finding("wrong", "broker", f"{where}: {problem}", remedy)
    return Finding("well", "broker", f"{where} takes connections")


def stored(cloud: Cloud) -> Iterator[Finding]:
    """The database can be read and has every migration."""
    try:
        manage(cloud, "migrate", "--check", timeout_s=60)
    except Failure as problem:
        text = str(problem)
        if 'File "' not in text:  # no traceback
            yield Finding("wrong", "database", "migrations are pending", "./cloud up applies them")
        else:
            yield Finding(
                "wrong", "database", text[-500:], "See ./cloud logs api; restore a backup if the file is damaged"
            )
        return
    current = database.is_prepared(cloud)
    text = "migrated" if current else "migrated, but migrations or static files changed since the last up"
    yield judge(current, "database", text, "./cloud up", "note")


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
    client = Client(cloud.local_url, "admin", secrets.admin_password, trust=cloud.trust, timeout_s=10)
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
    """Tokens expire by this clock: one that jumps ends them early."""
    year = time.gmtime().tm_year
    if not 2025 <= year <= 2100:
        yield Finding("wrong", "clock", f"says {time.ctime()}", "Set it: timedatectl set-time, or start chrony")
        return
    newest = max((path.stat().st_mtime for path in cloud.run.glob("*.pid")), default=0.0)
    behind_s = newest - time.time()
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if behind_s > CLOCK_NOTE_S:
        text += f", {behind_s:.0f} s before files that were written earlier: it was set back"
    yield judge(behind_s <= CLOCK_NOTE_S, "clock", text, "Run chrony or systemd-timesyncd")


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
