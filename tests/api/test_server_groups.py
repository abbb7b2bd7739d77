"""Server groups: rows with a policy, seen by their project."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from instances import server_groups
from instances.models import Instance
from operations.models import QuotaGate
from tests.support.auth import PROJECT_A, actor, user_id
from tests.support.client import Cloud

GROUPS = "/compute/v2.1/os-server-groups"


def make(person: Any, name: str = "web", **more: Any) -> Any:
    return person.post(GROUPS, {"server_group": {"name": name} | (more or {"policies": ["affinity"]})})


def server_in(group_id: str, **more: Any) -> Instance:
    facts = {"flavor_id": "1", "flavor_name": "m1.tiny", "vcpus": 1, "ram_mb": 512, "disk_gb": 1, "hostname": "x"}
    owner = {"project_id": PROJECT_A, "user_id": user_id("member-a"), "name": "x"}
    return Instance.objects.create(server_group_id=group_id, **(facts | owner | more))


def test_a_group_is_made_shown_listed_and_deleted(cloud: Cloud) -> None:
    made = make(cloud.as_member)
    assert made.status_code == 200
    group = made.json()["server_group"]
    assert group.pop("id")
    assert group == {"name": "web", "policies": ["affinity"], "members": [], "metadata": {}}
    [listed] = cloud.as_reader.get(GROUPS).json()["server_groups"]
    assert cloud.as_reader.get(f"{GROUPS}/{listed['id']}").json() == {"server_group": listed}
    assert cloud.as_member.delete(f"{GROUPS}/{listed['id']}").status_code == 204
    assert cloud.as_member.get(f"{GROUPS}/{listed['id']}").status_code == 404
    assert cloud.as_member.delete(f"{GROUPS}/{listed['id']}").status_code == 404


def test_what_each_version_shows(cloud: Cloud) -> None:
    group_id = make(cloud.as_member).json()["server_group"]["id"]

    def group(version: str) -> dict[str, Any]:
        return cloud.as_member.at(version).get(f"{GROUPS}/{group_id}").json()["server_group"]

    assert set(group("2.13")) - set(group("2.12")) == {"project_id", "user_id"}
    assert (group("2.13")["project_id"], group("2.13")["user_id"]) == (PROJECT_A, user_id("member-a"))
    assert set(group("2.63")) - set(group("2.64")) == {"policies", "metadata"}
    assert (group("2.64")["policy"], group("2.64")["rules"]) == ("affinity", {})


def test_soft_policies_come_with_2_15_and_one_policy_with_2_64(cloud: Cloud) -> None:
    assert make(cloud.as_member.at("2.14"), policies=["soft-affinity"]).status_code == 400
    assert make(cloud.as_member.at("2.15"), policies=["soft-anti-affinity"]).status_code == 200
    assert make(cloud.as_member.at("2.64"), policies=["affinity"]).status_code == 400
    assert make(cloud.as_member.at("2.63"), policy="affinity").status_code == 400
    made = make(cloud.as_member.at("2.64"), policy="anti-affinity", rules={"max_server_per_host": "3"})
    assert made.json()["server_group"]["rules"] == {"max_server_per_host": 3}
    refused = make(cloud.as_member.at("2.64"), policy="affinity", rules={"max_server_per_host": 3})
    assert refused.json()["badRequest"]["message"] == "Only anti-affinity policy supports rules."


@pytest.mark.parametrize(
    "wrong",
    [
        {"policies": []},
        {"policies": ["affinity", "anti-affinity"]},
        {"policies": ["legacy"]},
        {"policies": "affinity"},
        {"policies": ["affinity"], "metadata": {}},
        {"policies": ["affinity"], "name": ""},
        {"policies": ["affinity"], "name": "x" * 256},
        {"policies": ["affinity"], "name": None},
    ],
)
def test_wrong_groups_are_refused(cloud: Cloud, wrong: dict[str, Any]) -> None:
    assert make(cloud.as_member, **wrong).status_code == 400
    assert cloud.as_member.post(GROUPS, {"server_group": wrong | {"rules": 1}}).status_code == 400


@pytest.mark.parametrize("rules", [{"max_server_per_host": 0}, {"max_server_per_host": "x"}, {"colour": 1}, [], None])
def test_wrong_rules_are_refused(cloud: Cloud, rules: Any) -> None:
    assert make(cloud.as_member.at("2.64"), policy="anti-affinity", rules=rules).status_code == 400


def test_another_project_does_not_see_it_and_readers_do_not_write(cloud: Cloud) -> None:
    group_id = make(cloud.as_member).json()["server_group"]["id"]
    assert cloud.as_other.get(f"{GROUPS}/{group_id}").status_code == 404
    assert cloud.as_other.delete(f"{GROUPS}/{group_id}").status_code == 404
    assert cloud.as_other.get(GROUPS).json() == {"server_groups": []}
    assert cloud.as_reader.delete(f"{GROUPS}/{group_id}").status_code == 403
    assert make(cloud.as_reader).status_code == 403
    assert cloud.as_admin.get(f"{GROUPS}/{group_id}").status_code == 200


def test_all_projects_are_for_administrators(cloud: Cloud) -> None:
    make(cloud.as_member)
    make(cloud.as_other, "theirs")
    assert cloud.as_admin.get(GROUPS).json() == {"server_groups": []}
    assert len(cloud.as_admin.get(f"{GROUPS}?all_projects=1").json()["server_groups"]) == 2
    assert len(cloud.as_member.get(f"{GROUPS}?all_projects=1").json()["server_groups"]) == 1


def test_lists_are_cut_by_limit_and_offset(cloud: Cloud) -> None:
    for name in "abc":
        make(cloud.as_member, name)
    found = cloud.as_member.get(f"{GROUPS}?limit=1&offset=1").json()["server_groups"]
    assert [group["name"] for group in found] == ["b"]
    assert cloud.as_member.get(f"{GROUPS}?limit=-1").status_code == 400
    assert cloud.as_member.at("2.75").get(f"{GROUPS}?marker=x").status_code == 400


def test_its_members_are_the_servers_that_live(cloud: Cloud, django_assert_num_queries: Any) -> None:
    group_id = make(cloud.as_member).json()["server_group"]["id"]
    alive = server_in(group_id)
    server_in(group_id, deleted_at=timezone.now())
    assert cloud.as_member.get(f"{GROUPS}/{group_id}").json()["server_group"]["members"] == [alive.pk]
    with django_assert_num_queries(2):
        assert cloud.as_member.get(GROUPS).json()["server_groups"][0]["members"] == [alive.pk]


def test_quotas_of_groups_and_members(cloud: Cloud) -> None:
    QuotaGate.objects.create(project_id=PROJECT_A, resource="server_groups", limit=1)
    QuotaGate.objects.create(project_id=PROJECT_A, resource="server_group_members", limit=2)
    group_id = make(cloud.as_member).json()["server_group"]["id"]
    refused = make(cloud.as_member, "second")
    assert refused.status_code == 403
    assert refused.json()["forbidden"]["message"] == "Quota exceeded, too many server groups."
    server_in(group_id)
    server_groups.admit(actor("member-a"), group_id)
    with pytest.raises(server_groups.TooManyMembers):
        server_groups.admit(actor("member-a"), group_id, 2)
    with pytest.raises(server_groups.ServerGroupNotFound):
        server_groups.admit(actor("member-b"), group_id)
    cloud.as_member.delete(f"{GROUPS}/{group_id}")
    assert make(cloud.as_member, "second").status_code == 200
