"""What the matrix is made of: variants of verbs, crash points, faults, and ways to where a verb may begin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from instances.actions.base import Action
from instances.actions.registry import ACTIONS
from instances.states import ENDS, VmState

CREATE, DELETE = "create", "delete"


@dataclass(frozen=True)
class Variant:
    """A verb with one of its examples, and the verbs that lead a new server to where it may begin."""

    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    way: tuple[str, ...] = ()
    word: str = ""  # what tells the examples of a verb apart

    @property
    def name(self) -> str:
        return f"{self.verb}:{self.word}" if self.word else self.verb


@dataclass(frozen=True)
class Cell:
    """One thing that may go wrong: ``fault`` at ``point`` of ``variant``."""

    variant: Variant
    point: str
    fault: str

    @property
    def name(self) -> str:
        return f"{self.variant.name} {self.point} {self.fault}"


class NoWay(Exception):
    """Nobody knows how to lead a server to where this verb may begin: it cannot be in the matrix."""


def end_of(action: type[Action]) -> VmState | None:
    """What a server is when the verb succeeded; None when the verb does not change that."""
    return action.ends_in or ENDS.get(action.verb)


def way_to(wanted: Iterable[VmState]) -> tuple[str, ...]:
    """The shortest chain of verbs from a new server to one of these states. Raises NoWay."""
    goals = set(wanted)
    ways: dict[VmState, tuple[str, ...]] = {VmState.ACTIVE: (CREATE,)}
    todo = [VmState.ACTIVE]
    while todo:
        state = todo.pop(0)
        if not goals or state in goals:
            return ways[state]
        for verb, action in ACTIONS.items():
            end = end_of(action)
            if verb not in (CREATE, DELETE) and end is not None and end not in ways and state in action.allowed_from:
                ways[end] = (*ways[state], verb)
                todo.append(end)
    raise NoWay(", ".join(sorted(goals)))


def beginnings(action: type[Action]) -> Sequence[tuple[str, Iterable[VmState]]]:
    """Where a verb is tried from: wherever it may begin, or each state that it names."""
    return [(state.value, {state}) for state in action.tried_from] or [("", action.allowed_from)]


def variants() -> list[Variant]:
    """Every verb that is registered, with each of its examples. Raises NoWay."""
    found = []
    for verb, action in ACTIONS.items():
        ways = [("", ())] if verb == CREATE else [(word, way_to(states)) for word, states in beginnings(action)]
        for arguments, (word, way) in product(action.examples, ways):
            words = [str(value).lower() for value in arguments.values()] if len(action.examples) > 1 else []
            found.append(Variant(verb, dict(arguments), way, "-".join([*words, *filter(None, [word])])))
    return found


# --- faults, by the process in which a point lies

OF_ONE_WORKER = ("kill9", "drain", "frozen", "takeover", "raise")
OF_ALL = ("cut", "flush", "conductor")
OF_THE_CENTRE = ("kill9", "raise")
OF_A_BEGINNING = ("kill9", "drain", "raise")
WORDS = {
    "kill9": "kill -9 of the process that is there",
    "drain": "SIGTERM to the worker",
    "frozen": "SIGSTOP of the worker past its lease, then SIGCONT",
    "takeover": "SIGSTOP of the worker, another process takes over, then SIGCONT",
    "raise": "an exception",
    "cut": "the broker is killed and comes back later",
    "flush": "the broker forgets everything",
    "conductor": "the conductor is killed and comes back later",
}


# Points that no verb passes when all is well, and what must be the case for them to be reached.
SITUATIONS = {
    "relay": "the worker is away, so that the relay rings",
    "conductor.register": "the worker was killed, so that its successor registers",
    "sweeper.after_return": "the worker died and stays away past its lease",
    "sweeper.end": "the operation kills every worker",
    "control.refuse": "no host fits",
}


def situation_of(point: str) -> str:
    """The key of its situation, or nothing for a point on a verb's usual way."""
    return next((name for name in SITUATIONS if point.startswith(name)), "")


def cells_of_situations(points: Iterable[str]) -> list[Cell]:
    """One verb is enough for these: what they do is the same for all."""
    found = []
    for point in points:
        name = situation_of(point)
        verb = CREATE if name == "control.refuse" else "stop"
        variant = Variant(verb, {}, () if verb == CREATE else way_to(ACTIONS[verb].allowed_from))
        found += [Cell(variant, point, fault) for fault in OF_THE_CENTRE if name]
    return found


def faults_along(points: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every point of a walk with its faults.

    A step begins where the one before it ended, and nothing lies between: what takes long is tried at the end of one,
    and not at the beginning of the next again.
    """
    for before, point in zip(("", *points), points, strict=False):
        is_same_place = before.startswith("server.") and before.endswith(".after") and point.endswith(".before")
        for fault in OF_A_BEGINNING if is_same_place else faults_at(point):
            yield point, fault


def faults_at(point: str) -> Sequence[str]:
    """Which faults are tried at a point."""
    return (*OF_ONE_WORKER, *OF_ALL) if is_of_worker(point) else OF_THE_CENTRE


def is_of_worker(point: str) -> bool:
    return point.startswith(("server.", "agent."))


def must_succeed(cell: Cell) -> bool:
    """Whether the verb has to reach its end.

    An exception is answered by undoing what was done; a question has seconds to live, and may be asked again.
    """
    if situation_of(cell.point) in ("sweeper.end", "control.refuse"):
        return False  # they are about operations that end badly
    return cell.fault != "raise" and ACTIONS[cell.variant.verb].listed
