"""End a guest and remove everything it had on this host."""

from __future__ import annotations

import shutil
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
        Step("remove_disks", partial(_remove, host, ref.id)),
    ]


def aside_steps(host: LibvirtHost, ref: GuestRef) -> Sequence[Step]:
    """The guest ends, and its folder goes to quarantine as it is."""
    folders = [host.disks.folder(ref.id), *host.disks.kept_places(ref.id)]
    return [*steps(host, ref)[:-1], Step("set_aside", partial(host.quarantine.take, ref.id, folders))]


def leftovers(host: LibvirtHost, known: frozenset[str]) -> Sequence[str]:
    """Guests not in ``known`` that have a domain with our marker or a folder. (Every tap stands in some folder.)"""
    here = {state.id for state in host.domains.states()} | set(host.disks.guests())
    kept = {place.name.partition("~")[0] for place in host.disks.kept_places()}
    return sorted((here | kept) - known)


def _remove(host: LibvirtHost, guest_id: str) -> None:
    """Also what it left here on its way to another host."""
    for place in host.disks.kept_places(guest_id):
        shutil.rmtree(place)
    host.disks.remove(guest_id)
