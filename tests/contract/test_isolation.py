"""S33, S34, S36: every route of the URL map, asked by strangers, readers and people without a token.

A path parameter that ``tests/support/tenant.py`` does not know fails here, and so does a schema without a body that
fits it. ``tests/attack/test_tenancy.py`` walks the same ways through a running cloud.
"""

from __future__ import annotations

import pytest

from computecloud.core.errors import Invalid
from computecloud.http.bodies import check
from computecloud.http.policy import PUBLIC, TABLE
from tests.contract.isolation import (
    NOTHING_TO_SEE,
    OPEN_TO_READERS,
    OPEN_TO_STRANGERS,
    ROUTES,
    SCOPES,
    asked_for_a_project,
    everything_of,
    nobody_is_given,
    obeyed_references,
    owner_misses,
    reader_does,
    stranger_reaches,
)
from tests.contract.walk import bodies, versions
from tests.support.routes import Route
from tests.support.servers import IMAGE, make_flavor, make_image
from tests.support.tenant import Tenant


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_the_walk_knows_what_to_send(route: Route) -> None:
    for verb in route.actions:
        for version in versions(route, verb):
            schema = getattr(route.method(verb), "accepts", None)
            for body in bodies(route, verb, version) if schema else []:
                try:
                    check(schema.at(version or (0, 0)), body)
                except Invalid as problem:
                    pytest.fail(f"{verb.upper()} {route.path} at {version}: {body} does not fit: {problem}")


def test_the_owner_reaches_everything(tenant: Tenant) -> None:
    """Else a 404 for a stranger would prove nothing."""
    missed = list(owner_misses(tenant))
    assert not missed, "\n".join(missed)


@pytest.mark.row("S33", "S34")
@pytest.mark.parametrize("stranger", ["as_other", "as_other_reader"])
def test_s33_a_stranger_reaches_nothing_of_a_project(tenant: Tenant, stranger: str) -> None:
    before = everything_of(tenant)
    wrong = list(stranger_reaches(tenant, getattr(tenant.cloud, stranger)))
    assert not wrong, "\n".join(wrong)
    after = everything_of(tenant)
    assert {path for path in before if before[path] != after[path]} == set()


@pytest.mark.row("S36")
def test_s36_a_reader_changes_nothing(tenant: Tenant) -> None:
    before = everything_of(tenant)
    wrong = list(reader_does(tenant, tenant.cloud.as_reader))
    assert not wrong, "\n".join(wrong)
    after = everything_of(tenant)
    assert {path for path in before if before[path] != after[path]} == set()


@pytest.mark.parametrize("nobody", ["anonymous", "with_bad_token"])
def test_without_a_token_there_is_nothing_but_public_documents(tenant: Tenant, nobody: str) -> None:
    wrong = list(nobody_is_given(tenant, getattr(tenant.cloud, nobody)))
    assert not wrong, "\n".join(wrong)


def test_public_documents_are_few() -> None:
    """Each one more is a decision."""
    public = {
        (verb, route.path)
        for route in ROUTES
        for verb, name in route.actions.items()
        if TABLE[route.view.policy[name]].allow is PUBLIC
    }
    assert public == {
        ("get", "/identity/"), ("get", "/identity/v3"), ("post", "/identity/v3/auth/tokens"),
        ("get", "/image/"), ("get", "/image/versions"), ("get", "/image/v2"),
        ("get", "/image/v2/upload-check"),  # asked by the front with a client's headers: 204, or why not
        ("get", "/network/"), ("get", "/network/v2.0"),
        ("get", "/compute/"), ("get", "/compute/v2"), ("get", "/compute/v2.1"),
        ("get", "/compute/v2.1/versions/<str:version_id>"),
        ("get", "/placement/"), ("get", "/api/v1/schema"),
    }  # fmt: skip


@pytest.mark.row("S34")
@pytest.mark.parametrize("name", SCOPES)
def test_s34_a_stranger_cannot_ask_for_a_project(tenant: Tenant, name: str) -> None:
    """Scope parameters of non-admins are overwritten or refused, never obeyed."""
    wrong = list(asked_for_a_project(tenant.cloud.as_other, name))
    assert not wrong, "\n".join(wrong)


def test_nothing_is_excused_that_does_not_exist() -> None:
    known = {(verb, route.path) for route in ROUTES for verb in route.actions}
    assert set(OPEN_TO_STRANGERS) | set(OPEN_TO_READERS) <= known
    assert set(NOTHING_TO_SEE) <= {route.path for route in ROUTES}


@pytest.mark.row("S33", "S35")
def test_s33_references_in_bodies_are_looked_up_in_the_callers_project(tenant: Tenant) -> None:
    make_image(name="public")
    make_flavor("public", id="public")
    before = everything_of(tenant)
    public = {"name": "x", "flavorRef": "public", "imageRef": IMAGE, "networks": "none"}
    obeyed = list(obeyed_references(tenant, tenant.cloud.as_other, public))
    assert not obeyed, "\n".join(obeyed)
    assert everything_of(tenant).items() >= {k: v for k, v in before.items() if "limits" not in k[1]}.items()
