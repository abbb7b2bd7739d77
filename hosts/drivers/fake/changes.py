"""Verbs that take a guest of the fake hypervisor down, define it otherwise and start it, each with its way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from hosts.drivers.fake.guests import Guest
from hosts.drivers.specs import GuestSpec, Step

if TYPE_CHECKING:
    from hosts.drivers.fake.driver import FakeDriver

Act = Callable[[], None]
DEFINITION = ("name", "project_id", "host_id", "epoch", "operation_id", "vcpus", "ram_mb", "boots_from", "has_agent")


class Changes:
    """Steps of verbs that take a guest down, define it otherwise and start it. One for each fake host."""

    def __init__(self, driver: FakeDriver) -> None:
        self._driver = driver
        self._guests = driver.guests

    def rescue(self, spec: GuestSpec, *, was_on: bool) -> Sequence[Step]:
        driver, step = self._driver, self._step
        return [
            step("check_disks", spec, partial(driver.check_disks, spec)),
            step("fetch_images", spec, partial(driver.fetch_images, _of_rescue(spec))),
            step("make_rescue_disk", spec, partial(self._make_disk, spec), partial(self._remove_disk, spec)),
            step("rescue_drive", spec, partial(self._look, spec)),
            self.keep(spec),
            *self.off(spec, was_on=was_on),
            step("plug_ports", spec, partial(driver.plug_ports, spec)),
            self.define(spec),
            self.start(spec),
            step("forget_definition", spec, partial(self.forget, spec), tidies=True),
        ]

    def unrescue(self, spec: GuestSpec, *, was_on: bool) -> Sequence[Step]:
        driver, step = self._driver, self._step
        own = replace(spec, rescue=None)
        return [
            step("check_disks", own, partial(driver.check_disks, own)),
            self.keep(own),
            *self.off(own, was_on=was_on),
            step("plug_ports", own, partial(driver.plug_ports, own)),
            self.define(own),
            self.start(own),
            step("remove_rescue_disk", own, partial(self._forget_rescue, own), tidies=True),
        ]

    def rebuild(self, spec: GuestSpec, *, was_on: bool, starts: bool, keeps_ephemeral: bool) -> Sequence[Step]:
        driver, step = self._driver, self._step
        stays = frozenset(disk.target for disk in spec.disks if disk.role == "ephemeral" and keeps_ephemeral)
        return [
            step("fetch_images", spec, partial(driver.fetch_images, spec)),
            self.keep(spec),
            *self.off(spec, was_on=was_on),
            step("keep_disks", spec, partial(self._keep_disks, spec, stays), partial(self._put_disks_back, spec)),
            step("make_disks", spec, partial(driver.make_disks, spec)),
            step("config_drive", spec, partial(driver.write_config_drive, spec)),
            step("plug_ports", spec, partial(driver.plug_ports, spec)),
            self.define(spec),
            *([self.start(spec)] if starts else []),
            step("forget_disks", spec, partial(self.forget, spec), tidies=True),
        ]

    # --- steps that several verbs have

    def keep(self, spec: GuestSpec) -> Step:
        return self._step("keep_definition", spec, partial(self._keep, spec), partial(self.forget, spec))

    def off(self, spec: GuestSpec, *, was_on: bool) -> list[Step]:
        """Off, unless this operation has started it anew already. Undone, it is on again if it ``was_on``."""
        driver = self._driver
        back = partial(driver.start_guest, spec) if was_on else None
        return [
            self._step("shut_down", spec, partial(driver.shut_down, spec.id, spec.operation_id), back),
            self._step("stop", spec, partial(driver.stop_for_reboot, spec.ref)),
        ]

    def define(self, spec: GuestSpec) -> Step:
        return self._step("define", spec, partial(self._driver.define, spec), partial(self._put_back, spec))

    def start(self, spec: GuestSpec) -> Step:
        driver = self._driver
        return self._step("start", spec, partial(driver.start_guest, spec), partial(driver.stop, spec.ref))

    def forget(self, spec: GuestSpec) -> None:
        guest = self._guests.find(spec.id)
        if guest is not None and spec.operation_id in guest.kept:
            del guest.kept[spec.operation_id]
            self._guests.save(guest)

    # --- what they do

    def _step(self, name: str, spec: GuestSpec, act: Act, undo: Act | None = None, *, tidies: bool = False) -> Step:
        return self._driver.step(name, spec.id, act, undo, tidies=tidies)

    def _keep(self, spec: GuestSpec) -> None:
        guest = self._guests.find(spec.id)
        if guest is not None and guest.defined and spec.operation_id not in guest.kept:
            guest.kept[spec.operation_id] = {name: getattr(guest, name) for name in DEFINITION}
            self._guests.save(guest)

    def _put_back(self, spec: GuestSpec) -> None:
        guest = self._guests.find(spec.id)
        before = guest.kept.get(spec.operation_id) if guest is not None else None
        if guest is not None and before:
            for name, value in before.items():
                setattr(guest, name, value)
            self._guests.save(guest)

    def _keep_disks(self, spec: GuestSpec, stays: frozenset[str]) -> None:
        guest = self._guests.find(spec.id) or Guest(spec.id)
        kept = guest.kept.setdefault(spec.operation_id, {})
        if "disks" not in kept:
            kept["disks"], kept["image"] = dict(guest.disks), guest.image
            guest.disks = {target: size for target, size in guest.disks.items() if target in stays}
            guest.image = ""
            self._guests.save(guest)

    def _put_disks_back(self, spec: GuestSpec) -> None:
        guest = self._guests.find(spec.id)
        kept = guest.kept.get(spec.operation_id, {}) if guest is not None else {}
        if guest is not None and "disks" in kept:
            guest.disks, guest.image = kept.pop("disks"), kept.pop("image")
            self._guests.save(guest)

    def _look(self, spec: GuestSpec) -> None:
        """A config drive of its own takes no room that this host would count."""

    def _make_disk(self, spec: GuestSpec) -> None:
        guest = self._guests.find(spec.id) or Guest(spec.id)
        if "rescue" not in guest.disks:
            self._driver.files.make(spec.id, ["rescue"])
            guest.disks["rescue"] = 0
            self._guests.save(guest)

    def _remove_disk(self, spec: GuestSpec) -> None:
        guest = self._guests.find(spec.id)
        if guest is not None and "rescue" in guest.disks:
            del guest.disks["rescue"]
            self._guests.save(guest)
        self._driver.files.remove(spec.id, "rescue")

    def _forget_rescue(self, spec: GuestSpec) -> None:
        self._remove_disk(spec)
        self.forget(spec)


def _of_rescue(spec: GuestSpec) -> GuestSpec:
    return replace(spec, disks=(spec.rescue.disk,) if spec.rescue else ())
