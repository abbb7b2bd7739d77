"""Real compute hosts on one machine: each a set of namespaces with a libvirtd of its own, joined by an underlay.

Everything is found again from ``state_dir``; all calls may be repeated. Needs root.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.hosts import libvirt, namespaces, underlay
from deploy.hosts.layout import BadHosts, Host, short_hash
from deploy.hosts.records import Records, load

__all__ = [
    "BadHosts",
    "Host",
    "HostStatus",
    "down",
    "enter",
    "gateway",
    "host",
    "hosts",
    "missing_devices",
    "prepare",
    "remove",
    "status",
    "up",
    "up_machine",
    "warm",
]


@dataclass(frozen=True, slots=True)
class HostStatus:
    """What is there of one host now."""

    name: str
    uuid: str
    address: str
    is_prepared: bool
    libvirtd_answers: bool
    virtlogd_answers: bool
    processes: int


def up(state_dir: Path, names: Sequence[str], *, network: str | None = None, start: bool = False) -> list[Host]:
    """Make the hosts ``names`` ready and return them; hosts that are known already stay.

    ``network`` is the underlay as a /24 (default: the first free one of 172.30.0.0/16, then kept). With ``start``
    their daemons are started as well and QEMU's probe is warmed; without it a supervisor runs ``Host.virtlogd``
    and ``Host.libvirtd``. Raises BadHosts, CommandFailed, ProgramMissing.
    """
    with underlay.alone():
        records = load(state_dir)
        if records.cidr is None or not underlay.is_ours(records.underlay):
            # The first time, or while these hosts were down somebody else took their network.
            records.cidr = underlay.choose(network, start=int(short_hash(state_dir), 16))
        elif network not in (None, records.cidr):
            raise BadHosts(f"the hosts below {state_dir} use {records.cidr} already, not {network}")
        records.add(names)
        records.save()
        for one in records.hosts():
            _prepare(records, one)
    if start:
        for one in records.hosts():
            libvirt.start(one)
        for one in records.hosts():
            libvirt.warm(one)
    return records.hosts()


def up_machine(state_dir: Path, name: str, address: str, uuid: str) -> Host:
    """This machine as a whole is the host ``name``, reached by others at ``address``; its network stays as it is.

    libvirtd has folders of its own all the same, so that a libvirt of the machine's own is left alone.
    """
    with underlay.alone():
        records = load(state_dir)
        records.machine_address = address
        records.add([name])
        records.uuids[name] = uuid
        records.save()
        one = records.host(name)
        _prepare(records, one)
    return one


def prepare(state_dir: Path, name: str) -> Host:
    """Make one known host ready: after a restart of the machine, or when anything of it was lost."""
    with underlay.alone():
        records = load(state_dir)
        one = records.host(name)
        _prepare(records, one)
    return one


def _prepare(records: Records, one: Host) -> None:
    one.folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    libvirt.write_configuration(one, {other.name: other.address for other in records.hosts()})
    if namespaces.ensure(one):
        libvirt.forget_run_files(one)
    namespaces.ensure_mounts(one)
    if records.machine_address:
        return
    underlay.ensure_bridge(records.underlay)
    underlay.ensure_leg(records.underlay, one)


def host(state_dir: Path, name: str) -> Host:
    """The known host ``name``; changes nothing."""
    return load(state_dir).host(name)


def hosts(state_dir: Path) -> list[Host]:
    """Every known host; changes nothing."""
    return load(state_dir).hosts()


def enter(state_dir: Path, name: str) -> list[str]:
    """The command prefix that runs a program on a host."""
    return host(state_dir, name).enter


def gateway(state_dir: Path) -> str:
    """The address at which all hosts reach this machine (broker, conductor)."""
    return load(state_dir).underlay.gateway


def warm(state_dir: Path, name: str) -> None:
    """Wait for the host's libvirtd and let it probe QEMU."""
    one = host(state_dir, name)
    libvirt.wait_until_ready(one)
    libvirt.warm(one)


def status(state_dir: Path) -> list[HostStatus]:
    """What is there of each known host; changes nothing."""
    return [
        HostStatus(
            name=one.name,
            uuid=one.uuid,
            address=one.address,
            is_prepared=namespaces.alive(one),
            libvirtd_answers=libvirt.answers(one.socket),
            virtlogd_answers=libvirt.answers(one.folder / "run" / "virtlogd-sock"),
            processes=len(namespaces.processes(one)),
        )
        for one in load(state_dir).hosts()
    ]


def missing_devices(state_dir: Path) -> list[str]:
    """What is not there of the hosts' own network; changes nothing."""
    records = load(state_dir)
    return underlay.missing(records.underlay, records.hosts()) if records.cidr else []


def remove(state_dir: Path, name: str) -> None:
    """End one host for good: guests, daemons, namespaces, devices, its folder and what was remembered of it."""
    with underlay.alone():
        records = load(state_dir)
        if name not in records.uuids:
            return
        one = records.host(name)
        _end(one)
        shutil.rmtree(one.folder, ignore_errors=True)
        records.forget(name)
        records.save()
        for other in records.hosts():
            libvirt.write_configuration(other, {each.name: each.address for each in records.hosts()})


def _end(one: Host) -> None:
    if namespaces.alive(one):
        libvirt.destroy_guests(one)
    namespaces.end_processes(one)
    namespaces.release(one)
    if one.leg:
        underlay.remove_leg(one)


def down(state_dir: Path, *, purge: bool = False) -> None:
    """End the guests, daemons, namespaces and devices of all hosts below ``state_dir``, and nothing else.

    With ``purge`` their folders go too: disks, logs and the record of their names, uuids and underlay.
    """
    with underlay.alone():
        records = load(state_dir)
        for one in records.hosts() if records.cidr or records.machine_address else []:
            _end(one)
        if records.cidr:
            underlay.remove_bridge(records.underlay)
        namespaces.release_folder(records.folder / "ns")
        if purge:
            shutil.rmtree(records.folder, ignore_errors=True)
