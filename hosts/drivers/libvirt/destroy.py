"""End a guest and remove everything it had on this host."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hosts.drivers.libvirt.host import LibvirtHost
from hosts.drivers.specs import GuestRef, Step


def steps(host: LibvirtHost, ref: GuestRef) -> Sequence[Step]:
    """The folder goes last: while it is there, a leftover is found by it."""
    return [
        Step("stop", partial(host.domains.stop, ref.id)),
        Step("undefine", partial(host.domains.undefine, ref.id)),
        Step("unplug_ports", partial(host.ports.unplug, ref.id)),
        Step("remove_disks", partial(host.disks.remove, ref.id)),
    ]


def aside_steps(host: LibvirtHost, ref: GuestRef) -> Sequence[Step]:
    """The guest ends, and its folder goes to quarantine as it is."""
    folder = host.disks.folder(ref.id)
    return [*steps(host, ref)[:-1], Step("set_aside", partial(host.quarantine.take, ref.id, [folder]))]


def leftovers(host: LibvirtHost, known: frozenset[str]) -> Sequence[str]:
    """Guests not in ``known`` that have a domain with our marker or a folder. (Every tap stands in some folder.)"""
    here = {state.id for state in host.domains.states()} | set(host.disks.guests())
    return sorted(here - known)
