"""Make a guest's disks anew where it is. The old ones lie beside them until the guest runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hosts.drivers import names
from hosts.drivers.libvirt import kept, power, spawn
from hosts.drivers.libvirt.host import LibvirtHost
from hosts.drivers.specs import GuestSpec, Step


def steps(
    host: LibvirtHost, spec: GuestSpec, *, was_on: bool, starts: bool, keeps_ephemeral: bool, timeout_s: int
) -> Sequence[Step]:
    """Ephemeral disks stay as they are when the guest ``keeps_ephemeral``."""
    stays = frozenset(disk.target for disk in spec.disks if disk.role == "ephemeral" and keeps_ephemeral)
    start = Step("start", partial(host.domains.start, spec.id), partial(host.domains.stop, spec.id))
    return [
        Step("fetch_images", partial(spawn.fetch_images, host, spec)),
        kept.keep(host, spec),
        *power.off_for_change(host, spec, was_on=was_on, timeout_s=timeout_s),
        Step("keep_disks", partial(_keep, host, spec, stays), partial(host.disks.put_back, spec.id, _mark(spec))),
        Step("make_disks", partial(spawn.make_disks, host, spec)),
        Step("config_drive", partial(spawn.make_config_drive, host, spec)),
        Step("plug_ports", partial(host.ports.plug, spec)),
        Step("define", partial(spawn.define, host, spec), partial(kept.put_back, host, spec)),
        *([start] if starts else []),
        Step("forget_disks", partial(_forget, host, spec), tidies=True),
    ]


def _keep(host: LibvirtHost, spec: GuestSpec, stays: frozenset[str]) -> None:
    host.disks.keep(spec.id, _mark(spec), stays)


def _forget(host: LibvirtHost, spec: GuestSpec) -> None:
    host.disks.forget(spec.id, _mark(spec))
    kept.forget(host, spec)


def _mark(spec: GuestSpec) -> str:
    return names.guest_id(spec.operation_id or "none")
