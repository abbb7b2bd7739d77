"""The crash points and the matrix grow with the verbs: a verb that is registered is tried, or a test fails here."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from instances.actions.base import Action
from instances.actions.registry import ACTIONS
from instances.states import VmState
from tests.faults.matrix import cells


def points() -> list[str]:
    told = StringIO()
    call_command("crashpoints", stdout=told)
    return told.getvalue().split()


def test_every_step_of_every_verb_has_a_point_on_either_side() -> None:
    found = points()
    steps = {point.rpartition(".")[0] for point in found if point.startswith("server.")}
    assert {f"server.create.{step}" for step in ("fetch_images", "make_disks", "start")} <= steps
    assert {verb for verb in ACTIONS if any(step.startswith(f"server.{verb}.") for step in steps)} >= {
        verb for verb, action in ACTIONS.items() if cells.end_of(action) is not None
    }
    assert all(f"{step}.{when}" in found for step in steps for when in ("before", "after"))


def test_every_transaction_of_the_road_has_a_point_on_either_side() -> None:
    found = points()
    for part in ("api", "control", "control.refuse", "conductor.finish", "conductor.register", "sweeper.end"):
        assert f"{part}.before_commit" in found
        assert f"{part}.after_commit" in found


def test_every_verb_is_in_the_matrix() -> None:
    assert {variant.verb for variant in cells.variants()} == set(ACTIONS)


def test_a_verb_that_begins_where_no_verb_leads_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreachable(Action):
        verb = "unreachable"
        allowed_from = frozenset({VmState.BUILDING})

    monkeypatch.setitem(ACTIONS, "unreachable", Unreachable)
    with pytest.raises(cells.NoWay):
        cells.variants()


def test_points_that_no_verb_passes_have_their_situation() -> None:
    """Whatever is declared is reached by a verb (the matrix walks them all) or by a situation that is brought about."""
    outside = [point for point in points() if not point.startswith(("server.", "agent.", "api.", "conductor."))]
    usual = {"control.after_claim", "control.before_commit", "control.after_commit"}
    assert {point for point in outside if not cells.situation_of(point)} == usual
