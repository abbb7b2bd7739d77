"""Running one ensure-step. The only place where a driver may change the world.

A driver calls ``require`` where it changes something, so that a change outside a step (and so outside the
operation's lease and journal) is an error in tests and on the demo, not a habit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from hosts.drivers.specs import Step

_current: ContextVar[str | None] = ContextVar("step", default=None)


class OutsideStep(RuntimeError):  # noqa: N818 -- already a fact
    """A driver was asked to change something while no step was running: a mistake in the program."""


def run(step: Step) -> None:
    """Run ``step.ensure``. Raises what it raises (``hosts.drivers.errors``)."""
    with _inside(step.name):
        step.ensure()


def undo(step: Step) -> None:
    """Run ``step.undo`` when it has one."""
    if step.undo is not None:
        with _inside(step.name):
            step.undo()


def run_all(steps: Iterable[Step]) -> None:
    """Run steps in order, without journal or lease: for tests, tools and warm-up."""
    for step in steps:
        run(step)


def current() -> str | None:
    """Name of the step that this thread runs, None outside."""
    return _current.get()


def require(change: str) -> str:
    """The running step's name; raises OutsideStep when there is none. ``change`` says what was attempted."""
    name = _current.get()
    if name is None:
        raise OutsideStep(f"{change} outside a step")
    return name


@contextmanager
def _inside(name: str) -> Iterator[None]:
    token = _current.set(name)
    try:
        yield
    finally:
        _current.reset(token)
