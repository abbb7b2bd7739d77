"""Crash points: what arms say, how often they fire, and that they are inert without arms."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from computecloud.core import failpoints
from computecloud.core.failpoints import Arm, Arms, InjectedFailure, WrongArm, parse, point


@pytest.fixture(autouse=True)
def reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COMPUTECLOUD_FAILPOINTS_DIR", str(tmp_path / "reached"))
    return tmp_path / "reached"


def arm(monkeypatch: pytest.MonkeyPatch, text: str = "", file: str = "") -> None:
    monkeypatch.setattr(failpoints, "ARMS", Arms(text, file))


def test_arms_read_as_they_are_written() -> None:
    found = parse("a.b=kill9@1; c=hang:30@2\nd/host-1=raise@0.1;e=enospc")
    assert found == {
        "a.b": Arm("a.b", "kill9"),
        "c": Arm("c", "hang", 30.0, 2),
        "d/host-1": Arm("d/host-1", "raise", 0.0, 1, 0.1),
        "e": Arm("e", "enospc"),
    }


@pytest.mark.parametrize("text", ["a", "=raise", "a=explode", "a=hang:soon", "a=raise@often"])
def test_arms_that_nobody_can_read_stop_the_process(text: str) -> None:
    with pytest.raises(WrongArm):
        parse(text)


def test_without_arms_a_point_does_nothing_and_writes_nothing(reached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arm(monkeypatch)
    point("a")
    assert not reached.exists()


def test_an_arm_fires_so_often_over_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    arm(monkeypatch, "a=raise@2")
    for _ in range(2):
        with pytest.raises(InjectedFailure):
            point("a")
    arm(monkeypatch, "a=raise@2")  # as another process would read it
    point("a")


def test_a_scope_is_one_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    arm(monkeypatch, "a/one=raise")
    point("a", "two")
    point("a")
    with pytest.raises(InjectedFailure):
        point("a", "one")


def test_a_probability_counts_nothing(reached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arm(monkeypatch, "a=raise@0.5")
    monkeypatch.setattr(failpoints.random, "random", lambda: 0.4)
    for _ in range(3):
        with pytest.raises(InjectedFailure):
            point("a")
    monkeypatch.setattr(failpoints.random, "random", lambda: 0.6)
    point("a")
    assert not reached.exists()


def test_a_full_disk_looks_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    arm(monkeypatch, "a=enospc")
    with pytest.raises(OSError) as told:
        point("a")
    assert told.value.errno == errno.ENOSPC


def test_what_hangs_goes_on_when_its_arm_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "arms"
    file.write_text("a=hang:60\n")
    arm(monkeypatch, file=str(file))
    waiting = threading.Thread(target=point, args=("a",))
    waiting.start()
    time.sleep(0.2)
    assert waiting.is_alive()
    fresh = tmp_path / "arms.new"
    fresh.write_text("")
    fresh.replace(file)
    waiting.join(5)
    assert not waiting.is_alive()


def test_points_that_are_passed_can_be_written_down(reached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arm(monkeypatch, "*/one=note")
    point("a", "one")
    point("b", "one")
    point("c", "two")
    assert (reached / "*~one").read_text().split() == ["a", "b"]


DIE = """
import os, sys
from computecloud.core import failpoints
where = failpoints.Point("there")
descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
failpoints.write(where, descriptor, b"0123456789")
print("alive")
"""


@pytest.mark.parametrize(("action", "left"), [("kill9", b""), ("partial", b"01234"), ("", b"0123456789")])
def test_a_process_may_die_before_or_in_the_middle_of_a_write(tmp_path: Path, action: str, left: bytes) -> None:
    arms = {"COMPUTECLOUD_FAILPOINTS": f"there={action}" if action else ""}
    done = subprocess.run(
        [sys.executable, "-c", DIE, str(tmp_path / "file")], env={**os.environ, **arms}, capture_output=True
    )
    assert (tmp_path / "file").read_bytes() == left
    assert done.returncode == (-signal.SIGKILL if action else 0)


def test_a_torn_last_line_of_the_journal_is_no_record(tmp_path: Path) -> None:
    from tasks.agent.journal import Journal

    (tmp_path / "journal").write_bytes(b"guest 3\nguest 1")
    assert Journal(tmp_path / "journal").highest("guest") == 3
    (tmp_path / "torn").write_bytes(b"guest 3\nguest")
    journal = Journal(tmp_path / "torn")
    journal.admit("other", 7)
    assert Journal(tmp_path / "torn").highest("other") == 7
