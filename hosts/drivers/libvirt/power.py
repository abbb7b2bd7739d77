"""Power off, power on, reboot; pause and suspend."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hosts.drivers.libvirt import spawn
from hosts.drivers.libvirt.host import LibvirtHost
from hosts.drivers.specs import GuestRef, GuestSpec, Step


def off(host: LibvirtHost, ref: GuestRef, timeout_s: int) -> Sequence[Step]:
    """Ask for ``timeout_s`` seconds (0: do not ask), then force."""
    stop = Step("stop", partial(host.domains.stop, ref.id))
    if timeout_s <= 0:
        return [stop]
    return [Step("shut_down", partial(_shut_down, host, ref.id, "", timeout_s)), stop]


def on(host: LibvirtHost, spec: GuestSpec) -> Sequence[Step]:
    """Start an existing guest, its definition made anew."""
    return spawn.restart_steps(host, spec)


def reboot(host: LibvirtHost, spec: GuestSpec, *, hard: bool, timeout_s: int) -> Sequence[Step]:
    """Off and on again; soft asks the guest first. Delivered twice, the guest boots once."""
    stop = Step("stop", partial(_stop, host, spec.id, spec.operation_id))
    if hard:
        return [stop, *spawn.restart_steps(host, spec)]
    ask = Step("shut_down", partial(_shut_down, host, spec.id, spec.operation_id, timeout_s))
    return [ask, stop, *spawn.restart_steps(host, spec)]


def off_for_change(host: LibvirtHost, spec: GuestSpec, *, was_on: bool, timeout_s: int) -> list[Step]:
    """Off, asked first, unless this operation has started it anew already. Undone, it is on again if it ``was_on``."""
    back = partial(host.domains.start, spec.id) if was_on else None
    return [
        Step("shut_down", partial(_shut_down, host, spec.id, spec.operation_id, timeout_s), back),
        Step("stop", partial(_stop, host, spec.id, spec.operation_id)),
    ]


def pause(host: LibvirtHost, ref: GuestRef) -> Sequence[Step]:
    return [Step("pause", partial(host.domains.pause, ref.id), partial(host.domains.unpause, ref.id))]


def unpause(host: LibvirtHost, ref: GuestRef) -> Sequence[Step]:
    return [Step("unpause", partial(host.domains.unpause, ref.id))]


def suspend(host: LibvirtHost, ref: GuestRef) -> Sequence[Step]:
    """The memory goes to libvirt's managed save, which its next start takes up."""
    return [Step("save", partial(host.domains.save, ref.id))]


def resume(host: LibvirtHost, spec: GuestSpec) -> Sequence[Step]:
    """The definition stays the one that the saved memory belongs to."""
    return [
        Step("check_disks", partial(spawn.check_disks, host, spec)),
        Step("plug_ports", partial(host.ports.plug, spec)),
        Step("start", partial(host.domains.start, spec.id)),
    ]


def _shut_down(host: LibvirtHost, guest_id: str, operation_id: str, timeout_s: int) -> None:
    if not _is_restarted(host, guest_id, operation_id):
        host.domains.shut_down(guest_id, timeout_s=timeout_s)


def _stop(host: LibvirtHost, guest_id: str, operation_id: str) -> None:
    if not _is_restarted(host, guest_id, operation_id):
        host.domains.stop(guest_id)


def _is_restarted(host: LibvirtHost, guest_id: str, operation_id: str) -> bool:
    """True when this very operation has started the guest already."""
    return operation_id != "" and host.domains.started_by(guest_id) == operation_id
