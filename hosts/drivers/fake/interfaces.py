"""A port attached to a simulated guest or detached from it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from hosts.drivers.specs import GuestSpec, Step

if TYPE_CHECKING:
    from hosts.drivers.fake.driver import FakeDriver


class Interfaces:
    """``guest.ports``: what the host made for it; ``guest.nics``: what the running guest has. One for each host."""

    def __init__(self, driver: FakeDriver) -> None:
        self._driver = driver

    def attach(self, spec: GuestSpec, port_id: str) -> Sequence[Step]:
        driver, step, less = self._driver, partial(self._driver.step, guest_id=spec.id), spec.without(port_id)
        on, off = partial(self._attach, spec.id, port_id), partial(self._detach, spec.id, port_id)
        return [
            step("plug_ports", act=partial(driver.plug_ports, spec), undo=partial(driver.plug_ports, less)),
            step("attach_port", act=on, undo=off),
            step("define", act=partial(driver.define, spec), undo=partial(driver.define, less)),
        ]

    def detach(self, spec: GuestSpec, port_id: str) -> Sequence[Step]:
        driver, step, less = self._driver, partial(self._driver.step, guest_id=spec.id), spec.without(port_id)
        on, off = partial(self._attach, spec.id, port_id), partial(self._detach, spec.id, port_id)
        return [
            step("detach_port", act=off, undo=on),
            step("define", act=partial(driver.define, less), undo=partial(driver.define, spec)),
            step("unplug_port", act=partial(driver.plug_ports, less), undo=partial(driver.plug_ports, spec)),
        ]

    def _attach(self, guest_id: str, port_id: str) -> None:
        guest = self._driver.known(guest_id)
        if guest.is_running and port_id not in guest.nics:
            guest.nics.append(port_id)
            self._driver.guests.save(guest)

    def _detach(self, guest_id: str, port_id: str) -> None:
        guest = self._driver.known(guest_id)
        if port_id in guest.nics:
            guest.nics.remove(port_id)
            self._driver.guests.save(guest)
