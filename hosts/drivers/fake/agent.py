"""The agent that a simulated guest has when its image says so."""

from __future__ import annotations

from hashlib import sha256

from hosts.drivers.errors import Fatal, GuestNotFound
from hosts.drivers.fake.guests import Guests
from hosts.drivers.specs import GuestSpec, PowerState


def set_password(guests: Guests, spec: GuestSpec) -> None:
    """The guest knows the password by its digest. Raises GuestNotFound, Fatal in the libvirt driver's words."""
    guest = guests.find(spec.id)
    if guest is None or not guest.defined:
        raise GuestNotFound(f"no guest {spec.id} on this host")
    if guest.power != PowerState.RUNNING:
        reason = f"instance {spec.id} is not running"
        raise Fatal(f"Failed to set admin password on {spec.id} because {reason}")
    if not guest.has_agent:
        raise Fatal("QEMU guest agent is not enabled")
    if spec.password is None:
        raise ValueError("no password was given")
    digest = sha256(spec.password.password.encode()).hexdigest()
    if guest.passwords.get(spec.password.user) != digest:
        guest.passwords[spec.password.user] = digest
        guests.save(guest)
