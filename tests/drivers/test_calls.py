"""Calls that may hang: the caller goes on at its deadline, threads stay bounded, and what was not begun never runs."""

from __future__ import annotations

import threading
import time

import pytest

from hosts.drivers import steps
from hosts.drivers.errors import Transient
from hosts.drivers.libvirt.calls import Calls
from hosts.drivers.specs import Step


def test_a_call_gives_what_its_function_gives() -> None:
    calls = Calls(2, "t")

    assert calls.call("adding", lambda: 1 + 1, deadline_s=1) == 2
    with pytest.raises(ZeroDivisionError):
        calls.call("dividing", lambda: 1 // 0, deadline_s=1)
    calls.close()


def test_a_hanging_call_is_unknown_at_its_deadline() -> None:
    calls, end = Calls(1, "t"), threading.Event()
    began = time.monotonic()

    with pytest.raises(Transient, match=r"hanging: no answer within 0\.05 s, the outcome is unknown"):
        calls.call("hanging", end.wait, deadline_s=0.05)

    assert time.monotonic() - began < 1
    end.set()
    calls.close()


def test_threads_stay_bounded_and_what_was_given_up_in_the_queue_never_runs() -> None:
    calls, end, ran = Calls(2, "bounded"), threading.Event(), []
    for _ in range(2):
        with pytest.raises(Transient):
            calls.call("hanging", end.wait, deadline_s=0.02)

    with pytest.raises(Transient):
        calls.call("late", lambda: ran.append("late"), deadline_s=0.02)
    assert sum(thread.name.startswith("bounded") for thread in threading.enumerate()) == 2
    end.set()

    assert calls.call("next", lambda: "served", deadline_s=2) == "served"
    assert ran == []
    calls.close()


def test_a_timeout_of_the_function_itself_is_its_own() -> None:
    def fail() -> None:
        raise TimeoutError("mine")

    calls = Calls(1, "t")
    with pytest.raises(TimeoutError, match="mine"):
        calls.call("failing", fail, deadline_s=1)
    calls.close()


def test_the_step_is_known_inside_the_call() -> None:
    calls, seen = Calls(1, "t"), []

    steps.run(Step("start", lambda: seen.append(calls.call("asking", steps.current, deadline_s=1))))

    assert seen == ["start"]
    assert steps.current() is None
    calls.close()


def test_a_step_that_is_told_to_stop_ends_its_wait() -> None:
    def wait() -> None:
        for _ in range(3):
            steps.check()
            answers.append("still waiting")

    answers: list[str] = []
    with pytest.raises(Transient, match="shut_down was told to stop"):
        steps.run(Step("shut_down", wait), should_stop=lambda: len(answers) == 2)
    assert len(answers) == 2
