"""libvirt's errors in our words: the one place that knows its codes."""

from __future__ import annotations

import libvirt

from hosts.drivers.errors import DriverError, Fatal, GuestNotFound, Transient, Unsupported

_LOST = (libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_RPC)
_BUSY = (
    libvirt.VIR_ERR_OPERATION_TIMEOUT,  # "cannot acquire state change lock": another job holds the domain
    libvirt.VIR_ERR_OPERATION_INVALID,  # the state changed between our look and our act: look again
    libvirt.VIR_ERR_OPERATION_ABORTED,
    libvirt.VIR_ERR_AGENT_UNRESPONSIVE,
    libvirt.VIR_ERR_RESOURCE_BUSY,
    libvirt.VIR_ERR_NO_MEMORY,
)
_CANNOT = (
    libvirt.VIR_ERR_NO_SUPPORT,
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
    libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
)
# Some lost connections arrive as internal errors; these are libvirt's own English texts.
_LOST_TEXTS = ("client socket is closed", "end of file while reading", "connection closed", "keepalive")


def is_lost_connection(error: libvirt.libvirtError) -> bool:
    """True when the daemon, not the guest, is what failed."""
    if error.get_error_domain() == libvirt.VIR_FROM_RPC or error.get_error_code() in _LOST:
        return True
    text = (error.get_error_message() or "").lower()
    return any(part in text for part in _LOST_TEXTS)


def translate(error: libvirt.libvirtError, doing: str) -> DriverError:
    """The driver error that says what ``doing`` met; its text is for operators."""
    code = error.get_error_code()
    text = f"{doing}: {error.get_error_message() or error}"
    if code == libvirt.VIR_ERR_NO_DOMAIN:
        return GuestNotFound(text)
    if code in _BUSY or code == libvirt.VIR_ERR_SYSTEM_ERROR or is_lost_connection(error):
        return Transient(text)
    if code in _CANNOT:
        return Unsupported(text)
    return Fatal(text)
