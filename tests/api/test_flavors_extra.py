"""Extra specs of flavors, and who may use private ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.auth import PROJECT_A, PROJECT_B
from tests.support.client import Cloud

FLAVORS = "/compute/v2.1/flavors"
SPECS = f"{FLAVORS}/1/os-extra_specs"


@pytest.fixture
def flavor(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.identity.facade.project_exists", {PROJECT_A, PROJECT_B}.__contains__)
    body = {"name": "m1.tiny", "id": "1", "ram": 512, "vcpus": 1, "disk": 1, "os-flavor-access:is_public": False}
    assert cloud.as_admin.post(FLAVORS, {"flavor": body}).status_code == 200
    grant(cloud, PROJECT_A)


def grant(cloud: Cloud, project_id: str) -> Any:
    return cloud.as_admin.post(f"{FLAVORS}/1/action", {"addTenantAccess": {"tenant": project_id}})


@pytest.mark.usefixtures("flavor")
class TestExtraSpecs:
    def test_they_are_added_shown_changed_and_removed(self, cloud: Cloud) -> None:
        body = {"extra_specs": {"key1": "value1", "hw:numa_nodes": 1}}
        added = cloud.as_admin.post(SPECS, body)
        assert (added.status_code, added.json()) == (200, body)
        assert cloud.as_member.get(SPECS).json() == {"extra_specs": {"key1": "value1", "hw:numa_nodes": "1"}}
        assert cloud.as_reader.get(f"{SPECS}/key1").json() == {"key1": "value1"}
        changed = cloud.as_admin.put(f"{SPECS}/key1", {"key1": "new"})
        assert (changed.status_code, changed.json()) == (200, {"key1": "new"})
        gone = cloud.as_admin.delete(f"{SPECS}/key1")
        assert (gone.status_code, gone.content) == (200, b"")
        assert cloud.as_admin.get(SPECS).json() == {"extra_specs": {"hw:numa_nodes": "1"}}
        shown = cloud.as_member.at("2.61").get(f"{FLAVORS}/1").json()["flavor"]["extra_specs"]
        assert shown == {"hw:numa_nodes": "1"}

    def test_only_administrators_write(self, cloud: Cloud) -> None:
        cloud.as_admin.post(SPECS, {"extra_specs": {"key1": "value1"}})
        assert cloud.as_member.post(SPECS, {"extra_specs": {"a": "b"}}).status_code == 403
        assert cloud.as_member.put(f"{SPECS}/key1", {"key1": "x"}).status_code == 403
        assert cloud.as_member.delete(f"{SPECS}/key1").status_code == 403

    def test_what_is_not_there_is_not_found(self, cloud: Cloud) -> None:
        assert cloud.as_member.get(f"{SPECS}/nothing").status_code == 404
        assert cloud.as_admin.delete(f"{SPECS}/nothing").status_code == 404
        assert cloud.as_admin.get(f"{FLAVORS}/x/os-extra_specs").status_code == 404
        assert cloud.as_admin.post(f"{FLAVORS}/x/os-extra_specs", {"extra_specs": {}}).status_code == 404
        assert cloud.as_admin.put(f"{FLAVORS}/x/os-extra_specs/a", {"a": "b"}).status_code == 404
        assert cloud.as_admin.delete(f"{FLAVORS}/x/os-extra_specs/a").status_code == 404
        assert cloud.as_other.get(SPECS).status_code == 404

    @pytest.mark.parametrize(
        "specs", [{"a" * 256: "x"}, {"": "x"}, {"key": "x" * 256}, {"key": None}, {"key": {}}, {"key/": "x"}, [], "x"]
    )
    def test_wrong_specs_are_refused(self, cloud: Cloud, specs: Any) -> None:
        assert cloud.as_admin.post(SPECS, {"extra_specs": specs}).status_code == 400

    @pytest.mark.parametrize("body", [{}, {"key1": "a", "key2": "b"}, {"key2": "b"}, {"key1": None}])
    def test_an_update_names_the_one_key_of_its_path(self, cloud: Cloud, body: Any) -> None:
        assert cloud.as_admin.put(f"{SPECS}/key1", body).status_code == 400

    def test_known_keys_are_checked_from_2_86(self, cloud: Cloud) -> None:
        wrong = {"extra_specs": {"hw:cpu_policy": "sometimes"}}
        assert cloud.as_admin.at("2.85").post(SPECS, wrong).status_code == 200
        refused = cloud.as_admin.at("2.86").post(SPECS, wrong)
        assert refused.status_code == 400
        assert "not one of" in refused.json()["badRequest"]["message"]
        assert cloud.as_admin.at("2.86").post(SPECS, {"extra_specs": {"hw:no_such": "1"}}).status_code == 400
        assert cloud.as_admin.at("2.86").put(f"{SPECS}/hw:numa_nodes", {"hw:numa_nodes": "0"}).status_code == 400
        assert cloud.as_admin.at("2.86").post(SPECS, {"extra_specs": {"own:key": "x", "plain": 3}}).status_code == 200


@pytest.mark.usefixtures("flavor")
class TestAccess:
    def test_projects_are_let_in_and_out(self, cloud: Cloud) -> None:
        listed = cloud.as_admin.get(f"{FLAVORS}/1/os-flavor-access")
        assert listed.json() == {"flavor_access": [{"flavor_id": "1", "tenant_id": PROJECT_A}]}
        assert grant(cloud, PROJECT_B).json()["flavor_access"][1] == {"flavor_id": "1", "tenant_id": PROJECT_B}
        assert grant(cloud, PROJECT_B).status_code == 409
        out = cloud.as_admin.post(f"{FLAVORS}/1/action", {"removeTenantAccess": {"tenant": PROJECT_A}})
        assert out.json() == {"flavor_access": [{"flavor_id": "1", "tenant_id": PROJECT_B}]}
        again = cloud.as_admin.post(f"{FLAVORS}/1/action", {"removeTenantAccess": {"tenant": PROJECT_A}})
        assert again.status_code == 404
        assert cloud.as_member.get(f"{FLAVORS}/1").status_code == 404

    def test_a_project_that_does_not_exist_cannot_be_let_in(self, cloud: Cloud) -> None:
        refused = grant(cloud, "f" * 32)
        assert refused.status_code == 400
        assert refused.json()["badRequest"]["message"] == f"Project ID {'f' * 32} is not a valid project."

    def test_a_public_flavor_has_no_list(self, cloud: Cloud) -> None:
        body = {"name": "open", "id": "2", "ram": 512, "vcpus": 1, "disk": 1}
        cloud.as_admin.post(FLAVORS, {"flavor": body})
        assert cloud.as_admin.get(f"{FLAVORS}/2/os-flavor-access").status_code == 404
        letting = {"addTenantAccess": {"tenant": PROJECT_A}}
        assert cloud.as_admin.at("2.7").post(f"{FLAVORS}/2/action", letting).status_code == 409
        assert cloud.as_admin.at("2.6").post(f"{FLAVORS}/2/action", letting).status_code == 200

    def test_it_is_for_administrators(self, cloud: Cloud) -> None:
        assert cloud.as_member.get(f"{FLAVORS}/1/os-flavor-access").status_code == 403
        for verb in ("addTenantAccess", "removeTenantAccess"):
            body = {verb: {"tenant": PROJECT_B}}
            assert cloud.as_member.post(f"{FLAVORS}/1/action", body).status_code == 403
            assert cloud.as_admin.post(f"{FLAVORS}/nothing/action", body).status_code == 404

    @pytest.mark.parametrize(
        "body",
        [{}, {"fly": {}}, {"addTenantAccess": {}}, {"addTenantAccess": {"tenant": ""}}, {"addTenantAccess": None}],
    )
    def test_wrong_actions_are_refused(self, cloud: Cloud, body: Any) -> None:
        assert cloud.as_admin.post(f"{FLAVORS}/1/action", body).status_code == 400
