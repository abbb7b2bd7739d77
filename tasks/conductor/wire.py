"""What travels between a host and the conductor: typed, converted by msgspec on both sides."""

from __future__ import annotations

from typing import Any

import msgspec

from hosts.drivers.specs import GuestSpec, HostInventory

PROTOCOL = 1


class NewHost(msgspec.Struct, frozen=True):
    """A host that wants to come in; ``id`` is the identity it has already, if any."""

    name: str
    driver: str
    id: str = ""


class Enrol(msgspec.Struct, frozen=True):
    """``request``: a certificate request. Of its secrets an agent sends digests only. ``clock``: its Unix time."""

    token: str
    hosts: list[NewHost]
    request: str
    secret_hash: str
    worker: str
    clock: float
    broker_verifiers: dict[str, str] = {}
    protocol: int = PROTOCOL


class EnrolledHost(msgspec.Struct, frozen=True):
    id: str
    name: str


class Enrolled(msgspec.Struct, frozen=True):
    """``broker_url`` may hold ``*`` for the name at which the conductor was reached; one with a user is for all."""

    agent_id: str
    hosts: list[EnrolledHost]
    certificate: str
    authority: str
    broker_url: str
    broker_user: str


class Certify(msgspec.Struct, frozen=True):
    request: str


class Certified(msgspec.Struct, frozen=True):
    certificate: str
    authority: str


class HostReport(msgspec.Struct, frozen=True):
    """A host at registration."""

    id: str
    inventory: HostInventory
    underlay_address: str | None = None


class Register(msgspec.Struct, frozen=True):
    """``known``: nonces under which this agent's own state folder remembers to have registered.

    ``reads``: forms of operations (``schema_version``) that it can do.
    """

    nonce: str
    version: str
    hosts: list[HostReport]
    protocol: int = PROTOCOL
    known: list[str] = []
    reads: tuple[int, ...] = (1,)


class HostBeat(msgspec.Struct, frozen=True):
    id: str
    disk_free_gb: int = 0
    running_vms: int = 0
    is_sound: bool = True  # the hypervisor answers


class Beat(msgspec.Struct, frozen=True):
    """``heard``: hosts whose queues were heard since the last beat. ``is_leaving``: the process ends, polls no more."""

    nonce: str
    hosts: list[HostBeat]
    heard: list[str] = []
    is_leaving: bool = False
    clock: float | None = None  # the host's time of day, for the doctor; nothing is decided by it


class Bell(msgspec.Struct, frozen=True):
    """An operation that waits for a host."""

    id: str
    attempt: int
    task: str = ""


class BeatAnswer(msgspec.Struct, frozen=True):
    operations: list[Bell] = []


class Take(msgspec.Struct, frozen=True):
    operations: list[Bell]
    runner: str
    reads: tuple[int, ...] = (1,)


class OrderWire(msgspec.Struct, frozen=True):
    """``attempt`` is the one now running. ``deadline_s`` is a duration: clocks are never compared."""

    operation_id: str
    verb: str
    attempt: int
    subject_id: str
    host_id: str
    epoch: int
    exclusive: bool
    last_attempt: bool
    deadline_s: float
    args: dict[str, Any] = {}
    spec: GuestSpec | None = None


class TakeAnswer(msgspec.Struct, frozen=True):
    """``unreadable``: operations of a form that the agent does not read. They wait for one that does."""

    orders: list[OrderWire]
    unreadable: list[str] = []


class StepReport(msgspec.Struct, frozen=True):
    name: str
    state: str  # done | failed | undone
    took_ms: float
    message: str = ""


class Holding(msgspec.Struct, frozen=True):
    """An operation a runner believes to hold."""

    id: str
    attempt: int
    cursor: int = 0


class Renew(msgspec.Struct, frozen=True):
    runner: str
    operations: list[Holding]


class RenewAnswer(msgspec.Struct, frozen=True):
    lost: list[str]


class Finished(msgspec.Struct, frozen=True):
    id: str
    attempt: int
    outcome: str  # done | failed | retry | given_back (the worker leaves)
    steps: list[StepReport] = []
    power: int | None = None
    code: int = 500
    fault: str = ""
    details: str = ""
    result: dict[str, Any] | None = None
    cursor: int = 0


class Finish(msgspec.Struct, frozen=True):
    runner: str
    reports: list[Finished]


class FinishAnswer(msgspec.Struct, frozen=True):
    accepted: list[str]


class GuestSeen(msgspec.Struct, frozen=True):
    id: str
    power: int
    epoch: int


class Removal(msgspec.Struct, frozen=True):
    """What the reconciler did with a leftover: ``set_aside`` or ``reaped``."""

    guest_id: str
    what: str


class Observe(msgspec.Struct, frozen=True):
    """All guests that a host sees. ``leftovers``: ids of which it holds something though they are not its guests.

    ``lost_disks``: guest → names of its disks whose files are not there any more.
    """

    host_id: str
    guests: list[GuestSeen]
    leftovers: list[str] = []
    is_first: bool = False  # the first look after the agent's start
    age_s: float = 0.0  # the look began at most so long ago: rows that changed since know better
    removals: list[Removal] = []  # since the last report that was answered
    lost_disks: dict[str, str] = {}


class ObserveAnswer(msgspec.Struct, frozen=True):
    """``gone``: leftovers whose rows say deleted or owned elsewhere; the host watches them a while, then acts.
    ``condemned``: guests that an administrator has seen and wants removed; the host acts at once.

    ``look_again``: rows had just changed. ``may_reap``: rows are to be trusted, they are not those of a backup.
    ``peers``: network id → underlay addresses of the hosts that its frames are flooded to.
    """

    gone: list[Bell] = []
    condemned: list[Bell] = []
    unknown: list[str] = []
    peers: dict[str, list[str]] = {}
    look_again: bool = False
    may_reap: bool = False


# Made here, once: msgspec 0.22 crashes the process when two threads learn of a type at the same time.
_DECODERS: dict[type[Any], Any] = {
    kind: msgspec.json.Decoder(kind)
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not msgspec.Struct
}


def decode(data: bytes, kind: type[Any]) -> Any:
    """One of this module's messages. Raises ``msgspec.DecodeError``."""
    return _DECODERS[kind].decode(data)


def encode(value: Any) -> bytes:
    return msgspec.json.encode(value)
