"""A port attached to a guest or detached from it, running or off."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hosts.drivers.libvirt import domain_xml, spawn
from hosts.drivers.libvirt.host import LibvirtHost
from hosts.drivers.specs import GuestSpec, Step


def attach_steps(host: LibvirtHost, spec: GuestSpec, port_id: str) -> Sequence[Step]:
    """``spec`` has the port. The definition is made anew, as for the next start."""
    return [
        Step("plug_ports", partial(host.ports.plug, spec), partial(host.ports.unplug_one, spec.id, port_id)),
        Step("attach_port", partial(_attach, host, spec, port_id), partial(_detach, host, spec, port_id)),
        Step("define", partial(spawn.define, host, spec), partial(spawn.define, host, spec.without(port_id))),
    ]


def detach_steps(host: LibvirtHost, spec: GuestSpec, port_id: str) -> Sequence[Step]:
    """``spec`` still has the port. Its device goes last: until the guest has let go of it, it is in use."""
    return [
        Step("detach_port", partial(_detach, host, spec, port_id), partial(_attach, host, spec, port_id)),
        Step("define", partial(spawn.define, host, spec.without(port_id)), partial(spawn.define, host, spec)),
        Step("unplug_port", partial(host.ports.unplug_one, spec.id, port_id), partial(host.ports.plug, spec)),
    ]


def _attach(host: LibvirtHost, spec: GuestSpec, port_id: str) -> None:
    """A guest that runs has the nic; one that is off gets it by its definition."""
    xml = domain_xml.interface(spec, port_id, host.ports.taps(spec.id))
    host.domains.attach(spec.id, xml, domain_xml.port_alias(port_id))


def _detach(host: LibvirtHost, spec: GuestSpec, port_id: str) -> None:
    """A guest that runs has let go of the nic. Raises Fatal when it does not."""
    host.domains.detach(spec.id, domain_xml.port_alias(port_id))
