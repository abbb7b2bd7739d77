"""The way back: the definition a guest had before a verb changed it, in its folder, named after the operation."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hosts.drivers import names
from hosts.drivers.libvirt import files
from hosts.drivers.libvirt.host import LibvirtHost
from hosts.drivers.specs import GuestSpec, Step


def keep(host: LibvirtHost, spec: GuestSpec) -> Step:
    """It is kept until ``forget``."""
    return Step("keep_definition", partial(_keep, host, spec), partial(forget, host, spec))


def put_back(host: LibvirtHost, spec: GuestSpec) -> None:
    """The guest is defined as it was, if that was kept."""
    place = _place(host, spec)
    if place.exists():
        host.domains.define(spec.id, place.read_text(), spec.epoch)


def forget(host: LibvirtHost, spec: GuestSpec) -> None:
    """There is no way back any more."""
    _place(host, spec).unlink(missing_ok=True)


def _keep(host: LibvirtHost, spec: GuestSpec) -> None:
    """Before the first change only: a later attempt finds it. A guest without a definition has none to keep."""
    if host.domains.exists(spec.id) and not _place(host, spec).exists():
        files.write(_place(host, spec), host.domains.definition(spec.id).encode(), "definition")


def _place(host: LibvirtHost, spec: GuestSpec) -> Path:
    return host.disks.folder(spec.id) / f"definition-{names.guest_id(spec.operation_id or 'none')}.xml"
