"""Drivers by name. A driver's module and its libraries are imported only when its name is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from hosts.drivers.base import Driver, ImageSource
from hosts.drivers.errors import Unsupported

MODULES = {
    "fake": "hosts.drivers.fake.driver",
    "libvirt": "hosts.drivers.libvirt.driver",
}
LATER = ("xen", "vmware", "hyperv", "baremetal", "containers")


class _Module(Protocol):
    def make(
        self,
        options: Mapping[str, object],
        images: ImageSource | None,
        state_dir: Path,
        underlay_address: str,
    ) -> Driver: ...


def make(
    name: str,
    options: Mapping[str, object] | None = None,
    images: ImageSource | None = None,
    state_dir: Path = Path(),
    underlay_address: str = "",
) -> Driver:
    """A driver that is not yet started: call ``start`` after the worker forked.

    ``options`` are the identity file's ``driver_options``; each driver says which it knows, and refuses others
    with ``msgspec.ValidationError``. Raises Unsupported for a name without a driver.
    """
    module = MODULES.get(name)
    if module is None:
        known = ", ".join(sorted(MODULES))
        reason = "is not written yet" if name in LATER else "does not exist"
        raise Unsupported(f"driver {name!r} {reason}; there are: {known}")
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return cast(_Module, import_module(module)).make(options or {}, images, state_dir, underlay_address)
