"""Two scheduler processes on one real database race for the last slot, the last of a quota, the last place of a group.

Hypothesis makes the interleavings: how old the table is that each decides on, when each starts, how long it holds its
claims before it commits, who leaves meanwhile. The referee compares the books while they race.

CI runs a short form; ``COMPUTECLOUD_TEST_RACES=1000`` runs a thousand of each kind on each database.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy import postgres
from deploy.progress import Failure

RACES = int(os.environ.get("COMPUTECLOUD_TEST_RACES", "12"))
RACER = Path(__file__).with_name("racer.py")
KEY = "a key for tests only, never for a cloud: 0123456789"
race = settings(
    max_examples=RACES, deadline=None, derandomize=RACES < 1000, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


class Racer:
    """A process that carries out orders."""

    def __init__(self, url: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COMPUTECLOUD_")}
        own = {"DATABASE_URL": url, "SECRET_KEY": KEY, "LOG_LEVEL": "ERROR"}
        environment |= {f"COMPUTECLOUD_{name}": value for name, value in own.items()}
        self._process = subprocess.Popen(
            [sys.executable, str(RACER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def send(self, do: str, **given: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode({"do": do, **given}) + b"\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the racer ended: {self._process.wait()}"
        return msgspec.json.decode(line)

    def does(self, do: str, **given: Any) -> Any:
        self.send(do, **given)
        return self.answer()

    def close(self) -> None:
        self._process.communicate(timeout=30)


class Arena:
    """Two schedulers and a referee on one database."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.referee = Racer(url)
        stack.callback(self.referee.close)
        assert self.referee.does("make_tables") == "ready"
        self.schedulers = [Racer(url), Racer(url)]
        for one in self.schedulers:
            stack.callback(one.close)

    def set(self, slots: list[int], limit: int = 0) -> None:
        assert self.referee.does("reset", slots=slots, limit=limit) == "set"
        for one in self.schedulers:
            one.does("look")

    def race(self, *orders: dict[str, Any]) -> list[Any]:
        """Both at once, and the books compared meanwhile and after."""
        for one, order in zip(self.schedulers, orders, strict=True):
            one.send(**order)
        meanwhile = self.referee.does("check")
        found = [one.answer() for one, _order in zip(self.schedulers, orders, strict=True)]
        assert meanwhile == []
        assert self.referee.does("check") == []
        return found

    def count(self) -> Any:
        return self.referee.does("count")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def arena(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path_factory.mktemp('races')}/races.sqlite3"
        if request.param == "postgresql":
            try:
                url = stack.enter_context(postgres.server())
            except Failure as problem:
                pytest.skip(str(problem))  # a machine without PostgreSQL; `./cloud test` installs it
        yield Arena(url, stack)


MS = st.floats(0, 6, allow_nan=False)
TIMES = st.fixed_dictionaries({"start_ms": MS, "hold_ms": st.sampled_from([0.0, 0.0, 2.0])})
HOW = st.sampled_from(["each", "pass", "together"])


def jobs(who: str, count: int, **wishes: Any) -> list[dict[str, Any]]:
    return [{"id": f"{who}{number}", **wishes} for number in range(count)]


def order(who: str, count: int, how: str, times: dict[str, float], **wishes: Any) -> dict[str, Any]:
    return {"do": "run", "jobs": jobs(who, count, **wishes), "how": how, **times}


def won(found: list[list[str]]) -> list[int]:
    return [sum(one != "none" for one in answers) for answers in found]


@race
@given(
    slots=st.lists(st.integers(0, 2), min_size=1, max_size=3),
    wanted=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    how=st.tuples(HOW, HOW),
    times=st.tuples(TIMES, TIMES),
)
def test_the_last_slot(
    arena: Arena, slots: list[int], wanted: tuple[int, int], how: tuple[str, str], times: tuple[Any, Any]
) -> None:
    arena.set(slots)
    found = arena.race(*(order("ab"[n], wanted[n], how[n], times[n]) for n in (0, 1)))
    winners, room = won(found), sum(slots)
    held = arena.count()
    assert len(held["holders"]) == sum(winners) <= room
    assert held["rows"] == 2 * sum(winners), "nobody holds a part"
    for number in (0, 1):
        if how[number] == "together":
            assert winners[number] in (0, wanted[number]), "all or nobody"
    if "together" not in how:
        assert sum(winners) == min(sum(wanted), room), "no slot is left while somebody goes without"
    elif min(wanted) <= room:
        assert sum(winners) > 0, "they do not keep each other out"


@race
@given(
    hosts=st.integers(1, 3),
    policy=st.sampled_from(["anti-affinity", "affinity"]),
    most=st.integers(1, 2),
    wanted=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    how=st.tuples(HOW, HOW),
    times=st.tuples(TIMES, TIMES),
)
def test_the_last_place_of_a_group(
    arena: Arena, hosts: int, policy: str, most: int, wanted: tuple[int, int], how: tuple[str, str],
    times: tuple[Any, Any],
) -> None:  # fmt: skip
    arena.set([4] * hosts)
    wishes = {"policy": policy, "most": most}
    found = arena.race(*(order("ab"[n], wanted[n], how[n], times[n], **wishes) for n in (0, 1)))
    held = arena.count()
    assert len(held["holders"]) == sum(won(found)) == len(held["places"])
    per_host = Counter(host for _group, host in held["places"])
    if policy == "affinity":
        assert len(per_host) <= 1
    else:
        assert max(per_host.values(), default=0) <= most
    if "together" not in how:
        room = 4 if policy == "affinity" else hosts * most
        assert sum(won(found)) == min(sum(wanted), room)


@race
@given(
    limit=st.integers(0, 6),
    amounts=st.tuples(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.lists(st.integers(1, 3), min_size=1)),
    times=st.tuples(TIMES, TIMES),
)
def test_the_last_of_a_quota(
    arena: Arena, limit: int, amounts: tuple[list[int], list[int]], times: tuple[Any, Any]
) -> None:
    arena.set([], limit)
    found = arena.race(*({"do": "take_quota", "amounts": amounts[n], **times[n]} for n in (0, 1)))
    pairs = [pair for n in (0, 1) for pair in zip(found[n], amounts[n], strict=True)]
    taken = sum(amount for answer, amount in pairs if answer == "taken")
    assert arena.count()["quota"] == taken <= limit
    assert all(amount > limit - taken for answer, amount in pairs if answer == "none"), "nobody is refused what is left"


@race
@given(
    leaving=st.integers(1, 3), wanted=st.integers(1, 3), how=HOW, times=TIMES, start_ms=MS, grouped=st.booleans()
)
def test_some_leave_while_others_come(
    arena: Arena, leaving: int, wanted: int, how: str, times: Any, start_ms: float, grouped: bool
) -> None:
    arena.set([1, 1, 1])
    wishes = {"policy": "anti-affinity", "most": 1} if grouped else {}
    first = order("a", 3, "pass", {"start_ms": 0, "hold_ms": 0}, **wishes)
    assert won([arena.schedulers[0].does(**first)]) == [3]
    found = arena.race(
        {"do": "release", "ids": [f"a{number}" for number in range(leaving)], "grouped": grouped, "start_ms": start_ms},
        order("b", wanted, how, times, **wishes),
    )
    held = arena.count()
    assert len(held["holders"]) == 3 - leaving + won([found[1]])[0] <= 3
    assert held["rows"] == 2 * len(held["holders"])
    assert len(held["places"]) == (len(held["holders"]) if grouped else 0)
