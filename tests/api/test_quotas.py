"""Quota sets, quota classes and limits."""

from __future__ import annotations

from typing import Any

import pytest

from instances import quotas
from operations.models import QuotaGate
from operations.models.quota_gate import forget_defaults
from tests.support.auth import PROJECT_A, PROJECT_B, user_id
from tests.support.client import Cloud

SETS = "/compute/v2.1/os-quota-sets"
CLASSES = "/compute/v2.1/os-quota-class-sets"
MINE = f"{SETS}/{PROJECT_A}"
NETWORK = {"fixed_ips", "floating_ips", "security_groups", "security_group_rules"}
FILES = {"injected_files", "injected_file_content_bytes", "injected_file_path_bytes"}
GROUPS = {"server_groups", "server_group_members"}


@pytest.fixture(autouse=True)
def _projects_exist(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("integrations.identity.facade.project_exists", {PROJECT_A, PROJECT_B}.__contains__)
    forget_defaults()
    yield
    forget_defaults()


def shown(person: Any, path: str = MINE) -> dict[str, Any]:
    response = person.get(path)
    assert response.status_code == 200, response.content
    return response.json()["quota_set"]


def change(cloud: Cloud, path: str = MINE, **limits: Any) -> Any:
    return cloud.as_admin.put(path, {"quota_set": limits})


def test_a_new_project_has_the_defaults(cloud: Cloud) -> None:
    assert shown(cloud.as_reader) == {
        "id": PROJECT_A,
        "instances": 10,
        "cores": 20,
        "ram": 51200,
        "metadata_items": 128,
        "key_pairs": 100,
        "server_groups": 10,
        "server_group_members": 10,
        "injected_files": 5,
        "injected_file_content_bytes": 10240,
        "injected_file_path_bytes": 255,
        "fixed_ips": -1,
        "floating_ips": -1,
        "security_groups": -1,
        "security_group_rules": -1,
    }
    assert shown(cloud.as_reader, f"{MINE}/defaults") == shown(cloud.as_reader)


def test_what_each_version_shows(cloud: Cloud) -> None:
    def keys(version: str) -> set[str]:
        return set(shown(cloud.as_member.at(version)))

    assert keys("2.35") - keys("2.36") == NETWORK
    assert keys("2.56") - keys("2.57") == FILES
    assert set(shown(cloud.as_member.at("2.57"), f"{MINE}/defaults")) == keys("2.57")
    assert set(shown(cloud.as_member.at("2.57"), f"{MINE}/detail")) == keys("2.57")


def test_an_administrator_changes_limits_and_puts_them_back(cloud: Cloud) -> None:
    changed = change(cloud, instances=20, cores="5", ram=-1)
    assert changed.status_code == 200
    answered = changed.json()["quota_set"]
    assert (answered["instances"], answered["cores"], answered["ram"]) == (20, 5, -1)
    assert "id" not in answered
    assert shown(cloud.as_member)["cores"] == 5
    assert shown(cloud.as_other, f"{SETS}/{PROJECT_B}")["cores"] == 20
    assert cloud.as_admin.delete(MINE).status_code == 202
    assert shown(cloud.as_member)["cores"] == 20


def test_others_may_neither_change_nor_look(cloud: Cloud) -> None:
    assert cloud.as_member.put(MINE, {"quota_set": {"cores": 1}}).status_code == 403
    assert cloud.as_member.delete(MINE).status_code == 403
    assert cloud.as_other.get(MINE).status_code == 403
    assert cloud.as_other.get(f"{MINE}/detail").status_code == 403
    assert cloud.as_other.get(f"{MINE}/defaults").status_code == 200
    assert cloud.as_admin.get(MINE).status_code == 200
    assert cloud.anonymous.get(MINE).status_code == 401


def test_an_unknown_project_is_a_bad_request(cloud: Cloud) -> None:
    for path in ("", "/detail", "/defaults"):
        refused = cloud.as_admin.get(f"{SETS}/{'f' * 32}{path}")
        assert refused.status_code == 400
        assert refused.json()["badRequest"]["message"] == f"Project ID {'f' * 32} is not a valid project."
    assert change(cloud, f"{SETS}/nothing", cores=1).status_code == 400
    assert cloud.as_admin.delete(f"{SETS}/nothing").status_code == 202


@pytest.mark.parametrize(
    "limits", [{"cores": -2}, {"cores": "x"}, {"cores": 2**31}, {"cores": str(2**31)}, {"cores": None}, {"networks": 1},
               {"cores": 1.5}, {"force": "perhaps"}, {"cores": True}, {"id": PROJECT_A}]
)  # fmt: skip
def test_wrong_limits_are_refused(cloud: Cloud, limits: dict[str, Any]) -> None:
    assert change(cloud, **limits).status_code == 400


def test_network_and_file_limits_are_unknown_later(cloud: Cloud) -> None:
    body = {"quota_set": {"floating_ips": 1}}
    assert cloud.as_admin.at("2.35").put(MINE, body).status_code == 200
    assert cloud.as_admin.at("2.36").put(MINE, body).status_code == 400
    assert cloud.as_admin.at("2.57").put(MINE, {"quota_set": {"injected_files": 1}}).status_code == 400


def test_use_is_told_and_limits_do_not_fall_below_it(cloud: Cloud) -> None:
    QuotaGate.add(PROJECT_A, {"instances": 2, "cores": 4, "ram_mb": 1024})
    detail = shown(cloud.as_reader, f"{MINE}/detail")
    assert detail["cores"] == {"limit": 20, "in_use": 4, "reserved": 0}
    assert detail["ram"] == {"limit": 51200, "in_use": 1024, "reserved": 0}
    assert detail["key_pairs"] == {"limit": 100, "in_use": 0, "reserved": 0}
    refused = change(cloud, cores=3)
    assert refused.status_code == 400
    assert "must be greater than or equal to already used and reserved 4" in refused.json()["badRequest"]["message"]
    assert change(cloud, cores=3, force=True).status_code == 200
    assert shown(cloud.as_member)["cores"] == 3
    cloud.as_admin.delete(MINE)
    assert QuotaGate.objects.get(project_id=PROJECT_A, resource="cores").used == 4


def test_a_user_may_have_limits_of_his_own(cloud: Cloud) -> None:
    his = f"{MINE}?user_id={user_id('member-a')}"
    assert change(cloud, his, ram="2048").json()["quota_set"]["ram"] == 2048
    assert shown(cloud.as_admin, his)["ram"] == 2048
    assert shown(cloud.as_admin, f"{MINE}/detail?user_id={user_id('member-a')}")["ram"]["limit"] == 2048
    assert shown(cloud.as_admin)["ram"] == 51200
    assert change(cloud, his, ram=60000).status_code == 400
    assert change(cloud, ram=1024).status_code == 400
    with pytest.raises(quotas.OverQuota):
        quotas.check_user(PROJECT_A, user_id("member-a"), {"ram": 4096})
    quotas.check_user(PROJECT_A, user_id("reader-a"), {"ram": 4096})
    assert cloud.as_admin.delete(his).status_code == 202
    assert shown(cloud.as_admin, his)["ram"] == 51200


def test_unknown_questions_are_refused_from_2_75(cloud: Cloud) -> None:
    assert cloud.as_member.at("2.74").get(f"{MINE}?x=1").status_code == 200
    assert cloud.as_member.at("2.75").get(f"{MINE}?x=1").status_code == 400


# --- classes


def test_the_default_class_is_what_projects_get(cloud: Cloud) -> None:
    admin = cloud.as_admin
    first = admin.get(f"{CLASSES}/default").json()["quota_class_set"]
    assert first["id"] == "default" and first["cores"] == 20
    changed = admin.put(f"{CLASSES}/default", {"quota_class_set": {"cores": 7}})
    assert changed.status_code == 200
    assert changed.json()["quota_class_set"]["cores"] == 7
    assert "id" not in changed.json()["quota_class_set"]
    assert shown(cloud.as_member)["cores"] == 7
    with pytest.raises(quotas.OverQuota):
        QuotaGate.add(PROJECT_A, {"cores": 8})


def test_another_class_starts_with_the_defaults(cloud: Cloud) -> None:
    cloud.as_admin.put(f"{CLASSES}/gold", {"quota_class_set": {"cores": 70}})
    gold = cloud.as_admin.get(f"{CLASSES}/gold").json()["quota_class_set"]
    assert (gold["id"], gold["cores"], gold["instances"]) == ("gold", 70, 10)
    assert shown(cloud.as_member)["cores"] == 20
    assert cloud.as_admin.put(f"{CLASSES}/{'x' * 70}", {"quota_class_set": {"cores": 1}}).status_code == 400


def test_what_each_version_shows_of_a_class(cloud: Cloud) -> None:
    def keys(version: str) -> set[str]:
        return set(cloud.as_admin.at(version).get(f"{CLASSES}/default").json()["quota_class_set"])

    assert keys("2.49") - keys("2.50") == NETWORK
    assert keys("2.50") - keys("2.49") == GROUPS
    assert keys("2.56") - keys("2.57") == FILES
    assert cloud.as_admin.at("2.50").put(f"{CLASSES}/d", {"quota_class_set": {"fixed_ips": 1}}).status_code == 400
    assert cloud.as_admin.put(f"{CLASSES}/d", {"quota_class_set": {"colour": 1}}).status_code == 400


def test_classes_are_for_administrators(cloud: Cloud) -> None:
    assert cloud.as_member.get(f"{CLASSES}/default").status_code == 403
    assert cloud.as_member.put(f"{CLASSES}/default", {"quota_class_set": {"cores": 1}}).status_code == 403


# --- limits


def limits(person: Any, query: str = "") -> dict[str, Any]:
    response = person.get(f"/compute/v2.1/limits{query}")
    assert response.status_code == 200, response.content
    assert response.json()["limits"]["rate"] == []
    return response.json()["limits"]["absolute"]


def test_limits_tell_what_may_be_and_what_is(cloud: Cloud) -> None:
    QuotaGate.add(PROJECT_A, {"instances": 2, "cores": 4, "ram_mb": 1024})
    told = limits(cloud.as_reader, "?reserved=False")
    assert told["maxTotalCores"] == 20
    assert (told["totalInstancesUsed"], told["totalCoresUsed"], told["totalRAMUsed"]) == (2, 4, 1024)
    assert told["maxServerMeta"] == told["maxImageMeta"] == 128
    assert len(told) == 19


def test_what_each_version_shows_of_limits(cloud: Cloud) -> None:
    def keys(version: str) -> set[str]:
        return set(limits(cloud.as_member.at(version)))

    assert keys("2.35") - keys("2.36") == {
        "maxSecurityGroups", "maxSecurityGroupRules", "maxTotalFloatingIps", "totalFloatingIpsUsed",
        "totalSecurityGroupsUsed",
    }  # fmt: skip
    assert keys("2.38") - keys("2.39") == {"maxImageMeta"}
    assert keys("2.56") - keys("2.57") == {"maxPersonality", "maxPersonalitySize"}
    assert cloud.as_member.at("2.75").get("/compute/v2.1/limits?reserved=1").status_code == 400


def test_limits_of_another_project_are_for_administrators(cloud: Cloud) -> None:
    change(cloud, cores=5)
    assert limits(cloud.as_admin, f"?tenant_id={PROJECT_A}")["maxTotalCores"] == 5
    assert limits(cloud.as_admin)["maxTotalCores"] == 20
    assert cloud.as_other.get(f"/compute/v2.1/limits?tenant_id={PROJECT_A}").status_code == 403
