"""One process stands for a host: a twin, a lost identity and a frozen predecessor are told apart (F33, F15)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts.drivers import registry, steps
from hosts.drivers.specs import GuestSpec
from hosts.models import Agent
from tasks.agent.identity import HostIdentity, IdentityUnusable, load
from tasks.agent.runtime import ForeignGuests, Runtime
from tasks.agent.seat import Seat, SeatTaken
from tasks.conductor import door, presence, wire
from tests.support.stage import Stage

# --- the conductor knows who was heard last


@pytest.mark.row("F33")
@pytest.mark.django_db(transaction=True)
def test_a_twin_with_a_copied_identity_is_refused(stage: Stage) -> None:
    with pytest.raises(door.IdentityInUse):
        presence.register(stage.agent.id, wire.Register("twin", "test", []))
    assert Agent.objects.get().nonce == stage.nonce
    beat = presence.beat(stage.agent.id, wire.Beat(stage.nonce, [wire.HostBeat(stage.hosts[0].id)]))
    assert beat.operations == []


@pytest.mark.row("F33")
@pytest.mark.django_db(transaction=True)
def test_its_own_successor_and_one_that_comes_after_its_lease_are_let_in(stage: Stage) -> None:
    first = stage.nonce
    presence.register(stage.agent.id, wire.Register("second", "test", [], known=["older", first]))
    with pytest.raises(door.StaleAgent):
        presence.beat(stage.agent.id, wire.Beat(first, []))
    for host in stage.hosts:
        stage.silence(host)
    presence.register(stage.agent.id, wire.Register("on a new disk", "test", []))
    assert Agent.objects.get().nonce == "on a new disk"


# --- the host knows whose guests it carries


@pytest.mark.row("F33")
def test_an_agent_does_not_start_where_anothers_guests_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "hosts" / "one"
    driver = registry.make("fake", {}, None, state)
    spec = GuestSpec("guest", "g", "p", epoch=1, operation_id="o", vcpus=1, ram_mb=64, host_id="the-other")
    steps.run_all(driver.spawn(spec))
    monkeypatch.setattr("tasks.agent.runtime.conf", lambda: _conf(tmp_path))
    runtime = Runtime([HostIdentity("this-one", "one", "secret", "http://127.0.0.1:1")])
    with pytest.raises(ForeignGuests, match="guests of host the-other are here, and this is host this-one"):
        runtime.start()


def _conf(folder: Path) -> object:
    from computecloud.conf import Conf

    return Conf(role="agent", state_dir=str(folder))


@pytest.mark.row("F33")
def test_a_lost_or_damaged_identity_file_is_no_identity(tmp_path: Path) -> None:
    with pytest.raises(IdentityUnusable):
        load([str(tmp_path / "identity.toml")])
    (tmp_path / "identity.toml").write_text('uuid = "a"\n')
    with pytest.raises(IdentityUnusable):
        load([str(tmp_path / "identity.toml")])


# --- the state folder knows who sits there

HOLD = """
import sys, time
from pathlib import Path
from tasks.agent.seat import Seat
seat = Seat(Path(sys.argv[1]), 60)
seat.take()
print("seated", flush=True)
while True:
    seat.keep()
    time.sleep(0.02)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"seated\n"
        yield process
        process.kill()


def test_a_second_process_finds_the_seat_taken(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    with pytest.raises(SeatTaken, match=f"process {holder.pid}"):
        Seat(tmp_path, frozen_after_s=30).take()
    assert holder.poll() is None


@pytest.mark.row("F15")
def test_a_frozen_process_is_killed_before_another_acts(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    os.kill(holder.pid, signal.SIGSTOP)
    time.sleep(0.3)
    Seat(tmp_path, frozen_after_s=0.2).take()
    assert holder.wait(5) == -signal.SIGKILL


def test_a_killed_process_leaves_the_seat_at_once(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.wait()
    Seat(tmp_path, frozen_after_s=60).take()


def test_registrations_are_remembered(tmp_path: Path) -> None:
    seat = Seat(tmp_path, 60)
    assert seat.nonces() == []
    seat.remember("a", "b")
    assert Seat(tmp_path, 60).nonces() == ["a", "b"]
