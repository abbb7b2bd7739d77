"""Flavors, as administrators and users talk about them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.auth import PROJECT_A, PROJECT_B
from tests.support.client import Cloud

FLAVORS = "/compute/v2.1/flavors"
TINY = {"name": "m1.tiny", "id": "1", "ram": 512, "vcpus": 1, "disk": 1}


@pytest.fixture(autouse=True)
def _projects_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {PROJECT_A, PROJECT_B}
    monkeypatch.setattr("integrations.identity.facade.project_exists", known.__contains__)


def make(cloud: Cloud, **changes: Any) -> dict[str, Any]:
    response = cloud.as_admin.at("2.75").post(FLAVORS, {"flavor": TINY | changes})
    assert response.status_code == 200, response.content
    return response.json()["flavor"]


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [flavor["name"] for flavor in response.json()["flavors"]]


# --- making


def test_an_administrator_makes_a_flavor_and_everybody_sees_it(cloud: Cloud) -> None:
    answered = cloud.as_admin.post(FLAVORS, {"flavor": TINY})
    assert answered.status_code == 200
    flavor = answered.json()["flavor"]
    assert flavor == {
        "id": "1",
        "name": "m1.tiny",
        "ram": 512,
        "vcpus": 1,
        "disk": 1,
        "swap": "",
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "rxtx_factor": 1.0,
        "links": [
            {"rel": "self", "href": "http://127.0.0.1:8774/compute/v2.1/flavors/1"},
            {"rel": "bookmark", "href": "http://127.0.0.1:8774/compute/flavors/1"},
        ],
    }
    assert cloud.as_reader.get(f"{FLAVORS}/1").json() == {"flavor": flavor}


def test_members_do_not_make_change_or_delete_flavors(cloud: Cloud) -> None:
    make(cloud)
    for person in (cloud.as_member, cloud.as_manager, cloud.as_reader):
        assert person.post(FLAVORS, {"flavor": TINY | {"id": "2", "name": "x"}}).status_code == 403
        assert person.at("2.55").put(f"{FLAVORS}/1", {"flavor": {"description": "x"}}).status_code == 403
        assert person.delete(f"{FLAVORS}/1").status_code == 403
    assert cloud.anonymous.get(FLAVORS).status_code == 401


def test_an_id_is_made_up_when_none_is_given(cloud: Cloud) -> None:
    assert len(make(cloud, id=None)["id"]) == 36
    assert make(cloud, id=7, name="seven")["id"] == "7"


def test_names_and_ids_are_unique(cloud: Cloud) -> None:
    make(cloud)
    again = cloud.as_admin.post(FLAVORS, {"flavor": TINY | {"id": "2"}})
    assert again.status_code == 409
    assert again.json()["conflictingRequest"]["message"] == "Flavor with name m1.tiny already exists."
    again = cloud.as_admin.post(FLAVORS, {"flavor": TINY | {"name": "other"}})
    assert again.json()["conflictingRequest"]["message"] == "Flavor with ID 1 already exists."


@pytest.mark.parametrize(
    "wrong",
    [
        {"ram": 0},
        {"ram": "0"},
        {"ram": 2**31},
        {"ram": str(2**31)},
        {"ram": None},
        {"ram": 1.5},
        {"ram": True},
        {"vcpus": 0},
        {"vcpus": "x"},
        {"disk": -1},
        {"swap": -1},
        {"OS-FLV-EXT-DATA:ephemeral": "-1"},
        {"rxtx_factor": 0},
        {"rxtx_factor": "0.0"},
        {"rxtx_factor": 1e39},
        {"name": ""},
        {"name": " m1"},
        {"name": "x" * 256},
        {"name": 5},
        {"id": "a/b"},
        {"id": " a"},
        {"id": ""},
        {"id": "x" * 256},
        {"os-flavor-access:is_public": "perhaps"},
        {"colour": "blue"},
        {"description": "not at 2.1"},
    ],
)
def test_wrong_flavors_are_refused(cloud: Cloud, wrong: dict[str, Any]) -> None:
    refused = cloud.as_admin.post(FLAVORS, {"flavor": TINY | wrong})
    assert refused.status_code == 400, refused.content
    assert refused.json()["badRequest"]["code"] == 400


@pytest.mark.parametrize("body", [{}, {"flavor": {}}, {"flavor": None}, {"flavor": TINY, "more": 1}, [], "x", None])
def test_what_is_no_flavor_is_refused(cloud: Cloud, body: Any) -> None:
    assert cloud.as_admin.post(FLAVORS, body).status_code == 400


def test_numbers_may_come_as_text(cloud: Cloud) -> None:
    flavor = make(cloud, ram="512", vcpus="2", disk="0", swap="64", rxtx_factor="2.5")
    assert (flavor["ram"], flavor["vcpus"], flavor["disk"], flavor["swap"], flavor["rxtx_factor"]) == (
        512,
        2,
        0,
        64,
        2.5,
    )


# --- microversions


def test_what_each_version_shows(cloud: Cloud) -> None:
    make(cloud)

    def keys(version: str) -> set[str]:
        return set(cloud.as_member.at(version).get(f"{FLAVORS}/1").json()["flavor"])

    assert keys("2.55") - keys("2.54") == {"description"}
    assert keys("2.61") - keys("2.60") == {"extra_specs"}
    assert keys("2.101") - keys("2.102") == {"rxtx_factor", "OS-FLV-DISABLED:disabled"}
    assert keys("2.102") - keys("2.101") == set()
    detail = cloud.as_member.at("2.61").get(f"{FLAVORS}/detail").json()["flavors"][0]
    assert set(detail) == keys("2.61")
    brief = cloud.as_member.at("2.1").get(FLAVORS).json()["flavors"][0]
    assert set(brief) == {"id", "name", "links"}
    assert set(cloud.as_member.at("2.55").get(FLAVORS).json()["flavors"][0]) == {"id", "name", "links", "description"}


def test_no_swap_is_an_empty_text_until_2_74(cloud: Cloud) -> None:
    make(cloud)
    assert cloud.as_member.at("2.74").get(f"{FLAVORS}/1").json()["flavor"]["swap"] == ""
    assert cloud.as_member.at("2.75").get(f"{FLAVORS}/1").json()["flavor"]["swap"] == 0


def test_the_description_can_be_given_and_changed_from_2_55(cloud: Cloud) -> None:
    admin = cloud.as_admin.at("2.55")
    made = admin.post(FLAVORS, {"flavor": TINY | {"description": "small"}}).json()["flavor"]
    assert made["description"] == "small"
    changed = admin.put(f"{FLAVORS}/1", {"flavor": {"description": None}})
    assert changed.status_code == 200
    assert changed.json()["flavor"]["description"] is None
    assert admin.put(f"{FLAVORS}/1", {"flavor": {"description": "x\n"}}).status_code == 400
    assert admin.put(f"{FLAVORS}/1", {"flavor": {"name": "other"}}).status_code == 400
    assert admin.put(f"{FLAVORS}/1", {"flavor": {}}).status_code == 400
    assert admin.put(f"{FLAVORS}/nothing", {"flavor": {"description": None}}).status_code == 404
    assert cloud.as_admin.at("2.54").put(f"{FLAVORS}/1", {"flavor": {"description": None}}).status_code == 404


def test_rxtx_factor_cannot_be_asked_for_from_2_102(cloud: Cloud) -> None:
    body = {"flavor": TINY | {"rxtx_factor": 1.0}}
    assert cloud.as_admin.at("2.102").post(FLAVORS, body).status_code == 400
    assert cloud.as_admin.at("2.101").post(FLAVORS, body).status_code == 200


# --- showing and listing


def test_an_unknown_flavor_is_not_found(cloud: Cloud) -> None:
    missing = cloud.as_member.get(f"{FLAVORS}/nothing")
    assert missing.status_code == 404
    assert missing.json() == {"itemNotFound": {"code": 404, "message": "Flavor nothing could not be found."}}


def test_a_deleted_flavor_is_gone(cloud: Cloud) -> None:
    make(cloud)
    assert cloud.as_admin.delete(f"{FLAVORS}/1").status_code == 202
    assert cloud.as_admin.get(f"{FLAVORS}/1").status_code == 404
    assert cloud.as_admin.delete(f"{FLAVORS}/1").status_code == 404
    assert make(cloud)["name"] == "m1.tiny"


def test_private_flavors_are_seen_by_those_who_were_let_in(cloud: Cloud) -> None:
    make(cloud)
    make(cloud, id="p", name="private", **{"os-flavor-access:is_public": False})
    assert names(cloud.as_member.get(FLAVORS)) == ["m1.tiny"]
    assert cloud.as_member.get(f"{FLAVORS}/p").status_code == 404
    assert cloud.as_member.get(f"{FLAVORS}/p/os-extra_specs").status_code == 404
    cloud.as_admin.post(f"{FLAVORS}/p/action", {"addTenantAccess": {"tenant": PROJECT_A}})
    assert names(cloud.as_member.get(FLAVORS)) == ["m1.tiny", "private"]
    assert cloud.as_member.get(f"{FLAVORS}/p").status_code == 200
    assert cloud.as_other.get(f"{FLAVORS}/p").status_code == 404


def test_is_public_is_for_administrators(cloud: Cloud) -> None:
    make(cloud)
    make(cloud, id="p", name="private", **{"os-flavor-access:is_public": "false"})
    assert names(cloud.as_admin.get(FLAVORS)) == ["m1.tiny"]
    assert names(cloud.as_admin.get(f"{FLAVORS}?is_public=None")) == ["m1.tiny", "private"]
    assert names(cloud.as_admin.get(f"{FLAVORS}/detail?is_public=False")) == ["private"]
    assert names(cloud.as_admin.get(f"{FLAVORS}?is_public=true")) == ["m1.tiny"]
    assert names(cloud.as_member.get(f"{FLAVORS}?is_public=None")) == ["m1.tiny"]
    assert cloud.as_admin.get(f"{FLAVORS}?is_public=perhaps").status_code == 400


def test_the_list_is_filtered_sorted_and_paged(cloud: Cloud) -> None:
    for number, (name, ram, disk) in enumerate((("a", 512, 20), ("b", 2048, 0), ("c", 1024, 40)), 1):
        make(cloud, id=str(number), name=name, ram=ram, disk=disk)
    member = cloud.as_member
    assert names(member.get(f"{FLAVORS}?minRam=1024")) == ["b", "c"]
    assert names(member.get(f"{FLAVORS}/detail?minDisk=1&minRam=600")) == ["c"]
    assert names(member.get(f"{FLAVORS}?sort_key=memory_mb&sort_dir=desc")) == ["b", "c", "a"]
    first = member.get(f"{FLAVORS}?limit=2")
    assert names(first) == ["a", "b"]
    [link] = first.json()["flavors_links"]
    assert link == {"rel": "next", "href": f"http://127.0.0.1:8774{FLAVORS}?limit=2&marker=2"}
    assert names(member.get(link["href"].removeprefix("http://127.0.0.1:8774"))) == ["c"]
    assert "flavors_links" not in member.get(f"{FLAVORS}?marker=2").json()
    assert names(member.get(f"{FLAVORS}?limit=0")) == ["a", "b", "c"]
    assert names(member.get(f"{FLAVORS}?sort_key=root_gb&marker=1")) == ["c"]


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=x", "marker=nothing", "sort_key=colour", "sort_dir=up", "minRam=x", "minDisk=x"]
)
def test_wrong_questions_are_refused(cloud: Cloud, query: str) -> None:
    assert cloud.as_member.get(f"{FLAVORS}?{query}").status_code == 400
    assert cloud.as_member.get(f"{FLAVORS}/detail?{query}").status_code == 400


def test_unknown_questions_are_refused_from_2_75(cloud: Cloud) -> None:
    assert cloud.as_member.at("2.74").get(f"{FLAVORS}?colour=blue").status_code == 200
    assert cloud.as_member.at("2.75").get(f"{FLAVORS}?colour=blue").status_code == 400
    make(cloud)
    assert cloud.as_member.at("2.101").get(f"{FLAVORS}/1?colour=blue").status_code == 200
    assert cloud.as_member.at("2.102").get(f"{FLAVORS}/1?colour=blue").status_code == 400


def test_the_name_filter_is_a_pattern_from_2_102(cloud: Cloud) -> None:
    make(cloud)
    make(cloud, id="2", name="c5.large")
    assert names(cloud.as_member.at("2.74").get(f"{FLAVORS}?name=c5")) == ["m1.tiny", "c5.large"]
    assert cloud.as_member.at("2.101").get(f"{FLAVORS}?name=c5").status_code == 400
    assert names(cloud.as_member.at("2.102").get(f"{FLAVORS}?name=^c5")) == ["c5.large"]
    assert cloud.as_member.at("2.102").get(f"{FLAVORS}?name=(").status_code == 400
    assert cloud.as_member.at("2.102").get(f"{FLAVORS}?sort_key=rxtx_factor").status_code == 400


def test_lists_cost_a_fixed_number_of_queries(cloud: Cloud, django_assert_num_queries: Any) -> None:
    for number in range(20):
        make(cloud, id=str(number), name=f"f{number}")
    with django_assert_num_queries(1):
        cloud.as_member.at("2.61").get(f"{FLAVORS}/detail")


def test_the_older_form_of_the_path_works(cloud: Cloud) -> None:
    make(cloud)
    assert names(cloud.as_member.get(f"/compute/v2.1/{PROJECT_A}/flavors")) == ["m1.tiny"]
