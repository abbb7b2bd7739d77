"""Running one ensure-step. The only place where a driver may change the world.

A driver calls ``require`` where it changes something, so that a change outside a step (and so outside the
operation's lease and journal) is an error in tests and on the demo, not a habit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from hosts.drivers.errors import Transient
from hosts.drivers.specs import Step

_current: ContextVar[str | None] = ContextVar("step", default=None)
_should_stop: ContextVar[Callable[[], bool] | None] = ContextVar("should_stop", default=None)


class OutsideStep(RuntimeError):
    """A driver was asked to change something while no step was running: a mistake in the program."""


def run(step: Step, should_stop: Callable[[], bool] | None = None) -> None:
    """Run ``step.ensure``. Raises what it raises (``hosts.drivers.errors``).

    ``should_stop`` tells when the operation lost its lease or was superseded; long waits of a driver ask it and end.
    """
    with _inside(step.name, should_stop):
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


def check() -> None:
    """Raises Transient when the running operation is to stop. Drivers ask in their long waits."""
    should_stop = _should_stop.get()
    if should_stop is not None and should_stop():
        raise Transient(f"step {_current.get()} was told to stop")


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
def _inside(name: str, should_stop: Callable[[], bool] | None = None) -> Iterator[None]:
    token, stop = _current.set(name), _should_stop.set(should_stop)
    try:
        yield
    finally:
        _current.reset(token)
        _should_stop.reset(stop)
