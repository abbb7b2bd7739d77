"""The real hosts of this machine: their namespaces, legs, bridge, libvirtd and virtlogd."""

from __future__ import annotations

from collections.abc import Iterator

from computecloud.core.finding import Finding
from deploy import hosts
from deploy.cloud import Cloud
from deploy.hosts import HostStatus


def local(cloud: Cloud) -> Iterator[Finding]:
    """Nothing for simulated hosts."""
    if cloud.wish.fake:
        return
    missing = hosts.missing_devices(cloud.state)
    if missing:
        text = f"missing: {', '.join(missing)}: hosts reach neither the conductor nor each other"
        yield Finding("host.network", "wrong", "hosts' own network", text, "./cloud up makes it again; guests go on")
    for one in hosts.status(cloud.state):
        yield _host(one)


def _host(one: HostStatus) -> Finding:
    faults = [
        text
        for well, text in (
            (one.is_prepared, "its namespaces are gone"),
            (one.libvirtd_answers, "libvirtd does not answer"),
            (one.virtlogd_answers, "virtlogd does not answer"),
        )
        if not well
    ]
    if not faults:
        return Finding("host.local", "well", f"host {one.name}", f"libvirtd answers, {one.address}")
    code = "host.libvirtd" if one.is_prepared else "host.namespaces"
    remedy = f"./cloud up brings it back; ./cloud logs libvirtd@{one.name} says why. Guests go on without it"
    return Finding(code, "wrong", f"host {one.name}", ", ".join(faults), remedy)
