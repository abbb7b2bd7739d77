"""What a driver may raise. A hypervisor's own errors become these at its border, in one file per driver."""

from __future__ import annotations


class DriverError(Exception):
    """Base: something on the host went wrong."""


class Transient(DriverError):
    """May work when tried again: a busy monitor, a lock, a lost connection."""


class Fatal(DriverError):
    """Will not work when tried again on this host: bad image, no space, refused definition."""


class GuestNotFound(DriverError):
    """The hypervisor does not know this guest."""


class Unsupported(DriverError):
    """This driver, or this version of its hypervisor, cannot do it."""
