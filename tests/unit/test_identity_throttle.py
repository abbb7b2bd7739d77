"""Counting failed logins: what fills up drains, what is forgotten is forgotten, and memory stays bounded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from computecloud.http import throttle as failures
from computecloud.http.clients import address_of, comes_from
from computecloud.http.throttle import Failures
from integrations.identity import throttle
from integrations.identity.throttle import LoginThrottle


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_failures_drain_with_time() -> None:
    clock = Clock()
    bucket = Failures(per_minute=6, clock=clock)
    for _ in range(6):
        assert not bucket.exhausted("ann")
        bucket.note("ann")
    assert bucket.exhausted("ann") and not bucket.exhausted("bob")
    clock.now += 11
    assert not bucket.exhausted("ann")


def test_hammering_does_not_lengthen_the_wait() -> None:
    clock = Clock()
    bucket = Failures(per_minute=6, clock=clock)
    for _ in range(1000):
        bucket.note("ann")
    clock.now += 11
    assert not bucket.exhausted("ann")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (throttle, failures):
        monkeypatch.setattr(module, "MOST_KEYS", 10)
    guard = LoginThrottle(5, 5)
    for number in range(100):
        guard.failed(f"user{number}", f"address{number}")
        guard.succeeded(f"user{number}", f"address{number}")
    assert len(guard.accounts._levels) <= 10 and len(guard.addresses._levels) <= 10 and len(guard._homes) <= 10


def test_success_clears_the_accounts_count() -> None:
    guard = LoginThrottle(3, 100)
    for _ in range(2):
        guard.failed("ann", "home")
    guard.succeeded("ann", "home")
    for _ in range(2):
        guard.failed("ann", "home")
        assert not guard.account_blocked("ann", "home")


def request(peer: str, forwarded: str | None = None) -> SimpleNamespace:
    meta = {"REMOTE_ADDR": peer} | ({"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {})
    return SimpleNamespace(META=meta)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "127.0.0.1", "192.0.2.1"),
        ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "127.0.0.1, 192.0.2.1", "192.0.2.1"),
        ("", "2001:db8::1", "2001:db8::1"),
        ("", None, ""),
    ],
)
def test_only_our_own_front_may_name_the_client(peer: str, forwarded: str | None, expected: str) -> None:
    assert address_of(request(peer, forwarded)) == expected


def test_networks_are_compared_as_networks() -> None:
    inside = ["127.0.0.0/8", "::1/128", "192.0.2.0/24"]
    assert comes_from(request("192.0.2.77"), inside) and comes_from(request("::1"), inside)
    assert not comes_from(request("198.51.100.1"), inside)
    assert not comes_from(request("127.0.0.1", "not an address"), inside)
