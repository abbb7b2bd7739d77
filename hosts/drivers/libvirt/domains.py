"""What we do with libvirt domains: look, define, start, stop. Every change looks first, so that it may be repeated."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import libvirt
import structlog

from hosts.drivers import names
from hosts.drivers.errors import DriverError, Fatal, GuestNotFound, Transient
from hosts.drivers.libvirt import domain_xml
from hosts.drivers.libvirt.connection import Connection
from hosts.drivers.libvirt.domain_xml import NAMESPACE, Mark
from hosts.drivers.libvirt.options import Options
from hosts.drivers.specs import GuestState, PowerState

T = TypeVar("T")
log = structlog.get_logger(__name__)
_POWER = {
    libvirt.VIR_DOMAIN_NOSTATE: PowerState.NOSTATE,
    libvirt.VIR_DOMAIN_RUNNING: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: PowerState.SHUTDOWN,
    libvirt.VIR_DOMAIN_SHUTOFF: PowerState.SHUTDOWN,
    libvirt.VIR_DOMAIN_CRASHED: PowerState.CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: PowerState.SUSPENDED,
}
_UNDEFINE = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)
LOOK_S = 0.1
ASK_AGAIN_S = 10.0  # a guest that is still booting overhears the first press of its button


class Domains:
    """The domains of one host."""

    def __init__(self, connection: Connection, options: Options) -> None:
        self._connection = connection
        self._options = options

    def states(self) -> Sequence[GuestState]:
        """Every domain with our marker."""

        def look(connection: libvirt.virConnect) -> list[GuestState]:
            found = (_state(domain) for domain in connection.listAllDomains())
            return [state for state in found if state is not None and state.epoch >= 0]

        return self._connection.ask("listing guests", look)

    def ask(self, doing: str, guest_id: str, question: Callable[[libvirt.virDomain], T]) -> T:
        """What ``question`` reads of a guest's domain. Raises GuestNotFound, and what ``errors.translate`` says."""
        known = names.guest_id(guest_id)
        return self._connection.ask(doing, lambda connection: question(connection.lookupByUUIDString(known)))

    def act(self, doing: str, guest_id: str, act: Callable[[libvirt.virDomain], T]) -> T:
        """As ``ask``, for what changes something: only inside a step."""
        known = names.guest_id(guest_id)
        return self._connection.change(doing, lambda connection: act(connection.lookupByUUIDString(known)))

    def running(self) -> int:
        """How many domains run, ours or not."""
        return self._connection.ask("counting guests", lambda connection: int(connection.numOfDomains()))

    def state(self, guest_id: str) -> GuestState:
        """One domain; ``epoch`` is -1 without our marker. Raises GuestNotFound."""

        def look(connection: libvirt.virConnect) -> GuestState | None:
            return _state(connection.lookupByUUIDString(names.guest_id(guest_id)))

        state = self._connection.ask(f"looking at {guest_id}", look)
        if state is None:
            raise GuestNotFound(f"no guest {guest_id} on this host")
        return state

    def exists(self, guest_id: str) -> bool:
        return self._connection.ask(
            f"looking for {guest_id}", lambda connection: _find(connection, guest_id) is not None
        )

    def is_running(self, guest_id: str) -> bool:
        def look(connection: libvirt.virConnect) -> bool:
            domain = _find(connection, guest_id)
            return domain is not None and bool(domain.isActive())

        return self._connection.ask(f"looking at {guest_id}", look)

    def started_by(self, guest_id: str) -> str:
        """The operation that made the running guest's definition; "" when it does not run."""

        def look(connection: libvirt.virConnect) -> str:
            domain = _find(connection, guest_id)
            mark = _mark(domain) if domain is not None and domain.isActive() else None
            return mark.operation_id if mark else ""

        return self._connection.ask(f"looking at {guest_id}", look)

    def define(self, guest_id: str, xml: str, epoch: int) -> None:
        """The persistent definition is ``xml``; a running guest keeps its devices and learns its ``epoch``."""

        def act(connection: libvirt.virConnect) -> None:
            domain = connection.defineXML(xml)
            if not domain.isActive():
                return
            mark = _mark(domain)
            if mark is not None and mark.epoch != epoch:
                text = domain_xml.mark_xml(replace(mark, epoch=epoch))
                _set_mark(domain, text)

        self._connection.change(f"defining {guest_id}", act)

    def definition(self, guest_id: str) -> str:
        """The persistent definition as XML, with all that it takes to define it again. Raises GuestNotFound."""
        wanted = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE

        def look(connection: libvirt.virConnect) -> str:
            return str(connection.lookupByUUIDString(names.guest_id(guest_id)).XMLDesc(wanted))

        return self._connection.ask(f"reading the definition of {guest_id}", look)

    def start(self, guest_id: str) -> None:
        """The guest runs. Raises GuestNotFound, Fatal (QEMU would not start), Transient."""

        def act(connection: libvirt.virConnect) -> None:
            domain = connection.lookupByUUIDString(guest_id)
            if not domain.isActive():
                domain.create()

        self._connection.change(f"starting {guest_id}", act, deadline_s=self._options.start_deadline_s)

    def pause(self, guest_id: str) -> None:
        """The guest's CPUs stand still. Raises GuestNotFound, Fatal (it does not run)."""

        def act(connection: libvirt.virConnect) -> None:
            domain = connection.lookupByUUIDString(guest_id)
            if domain.state()[0] != libvirt.VIR_DOMAIN_PAUSED:
                domain.suspend()

        self._connection.change(f"pausing {guest_id}", act)

    def unpause(self, guest_id: str) -> None:
        """They go on. Raises GuestNotFound, Fatal (it does not run)."""

        def act(connection: libvirt.virConnect) -> None:
            domain = connection.lookupByUUIDString(guest_id)
            if domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED:
                domain.resume()
            elif not domain.isActive():
                raise Fatal(f"guest {guest_id} does not run")

        self._connection.change(f"unpausing {guest_id}", act)

    def interrupt(self, guest_id: str) -> None:
        """The guest gets a non-maskable interrupt. Raises GuestNotFound, Fatal (it does not run)."""

        def act(domain: libvirt.virDomain) -> None:
            if not domain.isActive():
                raise Fatal(f"guest {guest_id} does not run")
            domain.injectNMI(0)

        self.act(f"interrupting {guest_id}", guest_id, act)

    def attach(self, guest_id: str, xml: str, alias: str) -> None:
        """A guest that runs has the device; one that is off has none to get. Raises GuestNotFound, Fatal."""

        def act(domain: libvirt.virDomain) -> None:
            if domain.isActive() and not _has_device(domain, alias):
                domain.attachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)

        self.act(f"attaching {alias} to {guest_id}", guest_id, act)

    def detach(self, guest_id: str, alias: str) -> None:
        """A running guest has let go of the device, as it is asked again and again. Raises Fatal when it does not."""
        left, is_gone = self._options.detach_deadline_s, partial(self._is_without, guest_id, alias)
        while left > 0:
            self.act(f"detaching {alias} from {guest_id}", guest_id, partial(_ask_to_let_go, alias))
            if self._connection.wait_until(is_gone, timeout_s=min(left, ASK_AGAIN_S)):
                return
            left -= ASK_AGAIN_S
        raise Fatal(f"guest {guest_id} does not let go of {alias}")

    def _is_without(self, guest_id: str, alias: str) -> bool:
        return self.ask(f"looking at {guest_id}", guest_id, lambda domain: not _has_device(domain, alias))

    def save(self, guest_id: str) -> None:
        """The guest's memory is in a file of libvirt's, for its next start; a guest that is off stays so."""

        def act(connection: libvirt.virConnect) -> None:
            domain = connection.lookupByUUIDString(guest_id)
            if domain.isActive():
                domain.managedSave(libvirt.VIR_DOMAIN_SAVE_RUNNING)

        self._connection.change(f"saving {guest_id}", act, deadline_s=self._options.save_deadline_s)

    def back_up(self, guest_id: str, disk: str, target: Path) -> None:
        """Copy one disk of a running guest, as it is now, whole and flat into a qcow2 at ``target``.

        The guest goes on. libvirt works on when this process dies, so what an earlier one began is called off first.
        Raises GuestNotFound, Fatal (QEMU could not write it), Transient (the guest went off, or we are to stop).
        """
        self._call_off(guest_id)
        target.unlink(missing_ok=True)

        def begin(connection: libvirt.virConnect) -> None:
            connection.lookupByUUIDString(guest_id).backupBegin(domain_xml.backup(disk, target), None, 0)

        self._connection.change(f"copying {disk} of {guest_id}", begin)
        limit_s = self._options.copy_deadline_s
        try:
            done = self._connection.wait_until(lambda: not self._has_job(guest_id), timeout_s=limit_s)
        except DriverError:
            self._call_off(guest_id)
            raise
        if not done:
            self._call_off(guest_id)
            raise Fatal(f"copying {disk} of {guest_id} took longer than {limit_s:g} s")
        self._check_copied(guest_id, disk)

    def _has_job(self, guest_id: str) -> bool:
        return self._connection.ask(
            f"looking at {guest_id}", lambda connection: _busy(_find(connection, guest_id))
        )

    def _call_off(self, guest_id: str) -> None:
        """No job runs on the guest any more."""

        def act(connection: libvirt.virConnect) -> bool:
            domain = _find(connection, guest_id)
            if domain is None or not _busy(domain):
                return False
            domain.abortJob()
            return True

        if self._connection.change(f"ending the job of {guest_id}", act):
            end = time.monotonic() + self._options.stop_deadline_s
            while self._has_job(guest_id) and time.monotonic() < end:
                time.sleep(LOOK_S)  # asked to stop or not: what libvirt writes must not outlive our claim to it

    def _check_copied(self, guest_id: str, disk: str) -> None:
        """Raises when the guest's last job did not end well."""

        def look(connection: libvirt.virConnect) -> dict[str, Any]:
            domain = connection.lookupByUUIDString(guest_id)
            if not domain.isActive():
                raise Transient(f"guest {guest_id} went off while its disk was copied")
            return dict(domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED))

        said = self._connection.ask(f"looking at {guest_id}", look)
        if not said.get("success"):
            raise Fatal(f"copying {disk} of {guest_id} failed: {said.get('errmsg', 'no reason was given')}")

    def stop(self, guest_id: str) -> None:
        """The guest does not run: libvirt asks its process to end, and after 10 s forces it. No saved memory stays."""

        def act(connection: libvirt.virConnect) -> None:
            domain = _find(connection, guest_id)
            if domain is not None and domain.isActive():
                domain.destroy()
            elif domain is not None and domain.hasManagedSaveImage():
                domain.managedSaveRemove()

        self._connection.change(f"stopping {guest_id}", act, deadline_s=self._options.stop_deadline_s)

    def shut_down(self, guest_id: str, *, timeout_s: float) -> bool:
        """Press the guest's power button, again every 10 s, until the time is over; True when it is off."""
        left = timeout_s
        while left > 0 and self.is_running(guest_id):
            self._press_power_button(guest_id)
            if self._connection.wait_until(lambda: not self.is_running(guest_id), timeout_s=min(left, ASK_AGAIN_S)):
                return True
            left -= ASK_AGAIN_S
        return not self.is_running(guest_id)

    def undefine(self, guest_id: str) -> None:
        """libvirt does not know the guest any more."""

        def act(connection: libvirt.virConnect) -> None:
            domain = _find(connection, guest_id)
            if domain is not None and domain.isPersistent():
                _undefine(domain)

        self._connection.change(f"undefining {guest_id}", act)

    def _press_power_button(self, guest_id: str) -> None:
        def act(connection: libvirt.virConnect) -> None:
            domain = _find(connection, guest_id)
            if domain is None or not domain.isActive():
                return
            try:
                domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
            except libvirt.libvirtError as error:  # invalid: it is paused, or about to be off
                if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:
                    raise

        try:
            self._connection.change(f"asking {guest_id} to shut down", act)
        except Transient:
            raise
        except DriverError as problem:  # it cannot be asked: it will be forced
            log.info("guest could not be asked to shut down", guest_id=guest_id, problem=str(problem))


def _busy(domain: libvirt.virDomain | None) -> bool:
    return domain is not None and bool(domain.isActive()) and domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE


def live_definition(domain: libvirt.virDomain) -> ElementTree.Element:
    """The domain as it is at this moment."""
    return ElementTree.fromstring(domain.XMLDesc())  # noqa: S314 -- from libvirt, which made it


def _has_device(domain: libvirt.virDomain, alias: str) -> bool:
    """Whether the running domain has a device of that name."""
    if not domain.isActive():
        return False
    return live_definition(domain).find(f"devices/*/alias[@name='{alias}']") is not None


def _ask_to_let_go(alias: str, domain: libvirt.virDomain) -> None:
    """The guest answers when it likes; asked while it thinks, QEMU refuses."""
    if not _has_device(domain, alias):
        return
    try:
        domain.detachDeviceAlias(alias, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    except libvirt.libvirtError as error:
        if error.get_error_code() not in (libvirt.VIR_ERR_DEVICE_MISSING, libvirt.VIR_ERR_OPERATION_FAILED):
            raise


def _find(connection: libvirt.virConnect, guest_id: str) -> libvirt.virDomain | None:
    try:
        return connection.lookupByUUIDString(names.guest_id(guest_id))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _state(domain: libvirt.virDomain) -> GuestState | None:
    """None when the domain went away while we looked."""
    try:
        power = _POWER.get(domain.state()[0], PowerState.NOSTATE)
        mark = _mark(domain)
        if mark is None:
            return GuestState(domain.UUIDString(), power, name=domain.name())
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise
    return GuestState(mark.id, power, mark.epoch, mark.name, mark.host_id)


def _mark(domain: libvirt.virDomain) -> Mark | None:
    try:
        text = domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE, libvirt.VIR_DOMAIN_AFFECT_CURRENT)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            return None
        raise
    return domain_xml.read_mark(text)


def _set_mark(domain: libvirt.virDomain, text: str) -> None:
    kind, live = libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_AFFECT_LIVE
    domain.setMetadata(kind, text, "cloud", NAMESPACE, live)


def _undefine(domain: libvirt.virDomain) -> None:
    try:
        domain.undefineFlags(_UNDEFINE)
    except libvirt.libvirtError as error:
        if error.get_error_code() not in (libvirt.VIR_ERR_INVALID_ARG, libvirt.VIR_ERR_NO_SUPPORT):
            raise
        domain.undefine()  # libvirt's test driver, and daemons older than a flag
