"""A broker that does not answer must not cost every request its patience."""

from __future__ import annotations

import pytest

from operations import bell


class Broker:
    """Takes ``takes_s`` for each message, by its own clock, and fails as told."""

    def __init__(self) -> None:
        self.now, self.takes_s, self.tries = 1000.0, 0.0, 0
        self.problem: Exception | None = None

    def send_task(self, *_args: object, **_options: object) -> None:
        self.tries += 1
        self.now += self.takes_s
        if self.problem is not None:
            raise self.problem


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    one = Broker()
    monkeypatch.setattr(bell, "_breaker", bell.Breaker())
    monkeypatch.setattr(bell.time, "monotonic", lambda: one.now)
    monkeypatch.setattr(bell.current_app, "send_task", one.send_task)
    return one


def ring() -> bool:
    return bell.ring("host.1", "server.create", "id", 0)


def test_a_dead_broker_is_tried_once_a_second(broker: Broker) -> None:
    broker.problem = ConnectionRefusedError()
    assert [ring() for _ in range(5)] == [False] * 5
    assert broker.tries == 1
    broker.now += bell.QUIET_S
    ring()
    assert broker.tries == 2


def test_after_a_broker_that_hung_quiet_lasts_ten_times_as_long(broker: Broker) -> None:
    broker.problem, broker.takes_s = TimeoutError(), 2.0
    ring()
    broker.now += 2.0 * bell.SHARE - 0.1
    ring()
    assert broker.tries == 1
    broker.now += 0.2
    ring()
    assert broker.tries == 2


def test_a_broker_that_is_back_rings_at_once(broker: Broker) -> None:
    broker.problem = ConnectionRefusedError()
    ring()
    broker.problem = None
    broker.now += bell.QUIET_S
    assert [ring(), ring(), ring()] == [True] * 3


def test_while_one_tries_the_others_do_not_wait(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    broker.problem = ConnectionRefusedError()
    ring()
    broker.now += bell.QUIET_S
    others: list[bool] = []

    def send(*_args: object, **_options: object) -> None:
        others.append(bell._breaker.lets_try())

    monkeypatch.setattr(bell.current_app, "send_task", send)
    assert ring()
    assert others == [False]
