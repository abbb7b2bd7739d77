"""What is asked of the agent inside a guest (``qemu-guest-agent``), through its channel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import libvirt

from hosts.drivers.errors import DriverError, Fatal
from hosts.drivers.libvirt.errors import is_lost_connection, translate
from hosts.drivers.libvirt.host import LibvirtHost
from hosts.drivers.specs import GuestSpec, PasswordSpec, Step

ANSWER_S = 10  # an agent that does not answer must not hold the guest's other verbs


def password_steps(host: LibvirtHost, spec: GuestSpec) -> Sequence[Step]:
    return [Step("set_password", partial(_set_password, host, spec))]


def _set_password(host: LibvirtHost, spec: GuestSpec) -> None:
    """Raises GuestNotFound, Fatal in Nova's words: a caller waits, so that nothing is tried again."""
    if spec.password is None:
        raise ValueError("no password was given")
    host.domains.act(f"setting a password in {spec.id}", spec.id, partial(_ask, spec.id, spec.password))


def _ask(guest_id: str, wanted: PasswordSpec, domain: libvirt.virDomain) -> None:
    if not domain.isActive():
        raise _failed(guest_id, f"instance {guest_id} is not running")
    try:
        domain.agentSetResponseTimeout(ANSWER_S, 0)
        domain.setUserPassword(wanted.user, wanted.password, 0)
    except libvirt.libvirtError as error:
        raise _reason(guest_id, error) from None  # its text may hold what was sent


def _reason(guest_id: str, error: libvirt.libvirtError) -> DriverError:
    code = error.get_error_code()
    if code == libvirt.VIR_ERR_AGENT_UNRESPONSIVE:
        return _failed(guest_id, "the QEMU guest agent in it does not answer")
    if code in (libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, libvirt.VIR_ERR_NO_SUPPORT):
        return Fatal("QEMU guest agent is not enabled")
    if is_lost_connection(error) or code == libvirt.VIR_ERR_NO_DOMAIN:
        return translate(error, f"setting a password in {guest_id}")
    return _failed(guest_id, "error setting admin password")


def _failed(guest_id: str, reason: str) -> Fatal:
    return Fatal(f"Failed to set admin password on {guest_id} because {reason}")
