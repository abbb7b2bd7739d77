"""Boot a guest from another disk, its own beside it; and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from hosts.drivers.libvirt import kept, power, spawn
from hosts.drivers.libvirt.host import LibvirtHost
from hosts.drivers.specs import GuestSpec, Step


def steps(host: LibvirtHost, spec: GuestSpec, *, was_on: bool, timeout_s: int) -> Sequence[Step]:
    """The rescue disk and its config drive are made while the guest still runs."""
    return [
        Step("check_disks", partial(_check, host, spec)),
        Step("fetch_images", partial(_fetch_image, host, spec)),
        Step("make_rescue_disk", partial(host.disks.make_rescue, spec, host.cache), partial(_remove_disk, host, spec)),
        Step("rescue_drive", partial(_make_drive, host, spec), partial(_remove_drive, host, spec)),
        kept.keep(host, spec),
        *power.off_for_change(host, spec, was_on=was_on, timeout_s=timeout_s),
        Step("plug_ports", partial(host.ports.plug, spec)),
        Step("define", partial(spawn.define, host, spec), partial(kept.put_back, host, spec)),
        Step("start", partial(host.domains.start, spec.id), partial(host.domains.stop, spec.id)),
        Step("forget_definition", partial(kept.forget, host, spec), tidies=True),
    ]


def back_steps(host: LibvirtHost, spec: GuestSpec, *, was_on: bool, timeout_s: int) -> Sequence[Step]:
    """The rescue disk goes last: until the guest runs from its own, it may be rescued again."""
    own = replace(spec, rescue=None)
    return [
        Step("check_disks", partial(spawn.check_disks, host, own)),
        kept.keep(host, own),
        *power.off_for_change(host, own, was_on=was_on, timeout_s=timeout_s),
        Step("plug_ports", partial(host.ports.plug, own)),
        Step("define", partial(spawn.define, host, own), partial(kept.put_back, host, own)),
        Step("start", partial(host.domains.start, own.id), partial(host.domains.stop, own.id)),
        Step("remove_rescue_disk", partial(_forget_rescue, host, own), tidies=True),
    ]


def _check(host: LibvirtHost, spec: GuestSpec) -> None:
    host.disks.require(spec)


def _fetch_image(host: LibvirtHost, spec: GuestSpec) -> None:
    if spec.rescue is not None:
        spawn.fetch_images(host, replace(spec, disks=(spec.rescue.disk,)))


def _make_drive(host: LibvirtHost, spec: GuestSpec) -> None:
    """Anew each time: one that an earlier rescue left holds its password."""
    _remove_drive(host, spec)
    spawn.make_config_drive(host, spec, host.rescue_drive(spec.id))


def _remove_drive(host: LibvirtHost, spec: GuestSpec) -> None:
    host.rescue_drive(spec.id).unlink(missing_ok=True)


def _remove_disk(host: LibvirtHost, spec: GuestSpec) -> None:
    host.disks.remove_rescue(spec.id)


def _forget_rescue(host: LibvirtHost, spec: GuestSpec) -> None:
    _remove_disk(host, spec)
    _remove_drive(host, spec)
    kept.forget(host, spec)
