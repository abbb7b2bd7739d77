"""The machine itself: root, devices, virtualization, space, memory, clock."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from computecloud.core.finding import Finding, Level, judge
from deploy.cloud import Cloud
from deploy.up import TUN_REMEDY
from hosts.drivers.libvirt_kvm_probe import kvm_works

SPACE_NOTE_GB, SPACE_WRONG_GB = 10.0, 2.0
CLOCK_NOTE_S = 5.0
MEMORY_WRONG_MB = 300


def resources(cloud: Cloud) -> Iterator[Finding]:
    """What guests and services are made of."""
    if not cloud.wish.fake:
        root, tun = os.geteuid() == 0, Path("/dev/net/tun").exists()
        yield judge(root, "machine.user", "user", f"user id {os.geteuid()}", "Run as root: sudo ./cloud ...")
        text = "there" if tun else "missing, so guests can have no network"
        yield judge(tun, "machine.tun", "/dev/net/tun", text, TUN_REMEDY)
        yield _virtualization()
    yield _space(cloud)
    memory_mb = _available_mb()
    remedy = "Stop servers, or give the machine more memory."
    yield judge(memory_mb > MEMORY_WRONG_MB, "machine.memory", "free memory", f"{memory_mb} MB", remedy)


def _virtualization() -> Finding:
    """Asked by running guest code: the device alone says nothing on a nested machine."""
    there = "/dev/kvm is there all the same" if Path("/dev/kvm").exists() else "no /dev/kvm"
    works = kvm_works()
    text = "works" if works else f"does not run guest code ({there})"
    remedy = "Guests run in software, some ten times slower. Enable (nested) virtualization to change that."
    return judge(works, "machine.kvm", "KVM", text, remedy, "note")


def _space(cloud: Cloud) -> Finding:
    free_gb = shutil.disk_usage(cloud.state).free / 1e9
    remedy = "Guests' disks are thin and grow: delete servers or images, or use --state on a larger disk."
    level: Level = "note" if free_gb > SPACE_WRONG_GB else "wrong"
    text = f"{free_gb:.1f} GB at {cloud.state}"
    return judge(free_gb > SPACE_NOTE_GB, "machine.space", "free space", text, remedy, level)


def _available_mb() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def clock(cloud: Cloud) -> Iterator[Finding]:
    """Tokens and certificates expire by this clock: one that jumps ends them early. (Hosts' clocks: product.py.)"""
    year = time.gmtime().tm_year
    if not 2025 <= year <= 2100:
        remedy = "Set it: timedatectl set-time, or start chrony"
        yield Finding("machine.clock", "wrong", "clock", f"says {time.ctime()}", remedy)
        return
    newest = max((path.stat().st_mtime for path in cloud.run.glob("*.pid")), default=0.0)
    behind_s = newest - time.time()
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if behind_s > CLOCK_NOTE_S:
        text += f", {behind_s:.0f} s before files that were written earlier: it was set back"
    yield judge(behind_s <= CLOCK_NOTE_S, "machine.clock", "clock", text, "Run chrony or systemd-timesyncd")
