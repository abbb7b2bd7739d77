"""S33 to S40 against a running cloud: other projects' things, roles, attributes, quotas."""

from __future__ import annotations

from typing import Any

import pytest

from tests.attack.conftest import RunningTenant
from tests.contract.isolation import (
    SCOPES,
    asked_for_a_project,
    everything_of,
    nobody_is_given,
    obeyed_references,
    owner_misses,
    reader_does,
    stranger_reaches,
)

pytestmark = pytest.mark.faults


def assert_same(before: dict[Any, Any], after: dict[Any, Any]) -> None:
    """What A and the administrator read is what they read before."""
    changed = {path: (before[path], after[path]) for path in before if before[path] != after[path]}
    assert not changed, changed


def test_the_owner_reaches_everything(tenant: RunningTenant) -> None:
    """Else a 404 for a stranger would prove nothing."""
    missed = [one for one in owner_misses(tenant) if "/uptime" not in one]  # A's host is a row that nobody speaks for
    assert not missed, "\n".join(missed)


@pytest.mark.row("S33", "S34")
@pytest.mark.parametrize("stranger", ["as_other", "as_other_reader"])
def test_a_stranger_reaches_nothing_of_a_project(tenant: RunningTenant, stranger: str) -> None:
    before = everything_of(tenant)
    wrong = list(stranger_reaches(tenant, getattr(tenant.cloud, stranger)))
    assert not wrong, "\n".join(wrong)
    assert_same(before, everything_of(tenant))


@pytest.mark.row("S36")
def test_a_reader_changes_nothing(tenant: RunningTenant) -> None:
    before = everything_of(tenant)
    wrong = list(reader_does(tenant, tenant.cloud.as_reader))
    assert not wrong, "\n".join(wrong)
    assert_same(before, everything_of(tenant))


@pytest.mark.row("S33")
@pytest.mark.parametrize("nobody", ["anonymous", "with_bad_token"])
def test_without_a_token_there_is_nothing(tenant: RunningTenant, nobody: str) -> None:
    wrong = list(nobody_is_given(tenant, getattr(tenant.cloud, nobody)))
    assert not wrong, "\n".join(wrong)


@pytest.mark.row("S34")
@pytest.mark.parametrize("name", SCOPES)
def test_a_stranger_cannot_ask_for_a_project(tenant: RunningTenant, name: str) -> None:
    wrong = list(asked_for_a_project(tenant.cloud.as_other, name))
    assert not wrong, "\n".join(wrong)


@pytest.mark.row("S33", "S35")
def test_references_in_bodies_are_looked_up_in_the_callers_project(tenant: RunningTenant) -> None:
    image = tenant.cloud.as_other.get("/image/v2/images?name=bench-image").json()["images"][0]["id"]
    flavors = tenant.cloud.as_other.get("/compute/v2.1/flavors").json()["flavors"]
    flavor = next(one["id"] for one in flavors if one["name"] == "bench.tiny")
    before = everything_of(tenant)
    public = {"name": "x", "flavorRef": flavor, "imageRef": image, "networks": "none"}
    obeyed = list(obeyed_references(tenant, tenant.cloud.as_other, public))
    assert not obeyed, "\n".join(obeyed)
    assert_same(before, everything_of(tenant))
