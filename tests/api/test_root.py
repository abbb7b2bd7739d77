"""Version documents, extensions, and what is no longer there."""

from __future__ import annotations

import pytest

from tests.support.client import Cloud

BASE = "http://127.0.0.1:8774/compute"


def test_the_root_lists_versions_without_a_token(cloud: Cloud) -> None:
    listed = cloud.anonymous.get("/compute/")
    assert listed.status_code == 200
    old, new = listed.json()["versions"]
    assert (old["id"], old["status"], old["version"]) == ("v2.0", "DEPRECATED", "")
    assert new == {
        "id": "v2.1",
        "status": "CURRENT",
        "version": "2.104",
        "min_version": "2.1",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{BASE}/v2.1/"}],
    }
    assert cloud.anonymous.get("/compute").status_code == 200


def test_each_version_has_a_document_whose_link_leads_to_it(cloud: Cloud) -> None:
    for version in cloud.anonymous.get("/compute/").json()["versions"]:
        [link] = version["links"]
        document = cloud.with_bad_token.get(link["href"].removeprefix("http://127.0.0.1:8774"))
        assert document.status_code == 200
        assert document.json()["version"]["links"][0] == link
        assert document.json()["version"].keys() == version.keys() | {"media-types"}
    assert cloud.anonymous.get("/compute/v2.1/versions/v2.1").json()["version"]["version"] == "2.104"
    assert cloud.anonymous.get("/compute/v2.1/versions/v9").status_code == 404


def test_extensions_are_a_fixed_list(cloud: Cloud) -> None:
    listed = cloud.as_member.get("/compute/v2.1/extensions").json()["extensions"]
    assert len(listed) == 99
    assert {"os-create-server-ext", "os-keypairs", "NMN", "OS-EXT-STS"} <= {entry["alias"] for entry in listed}
    one = cloud.as_member.get("/compute/v2.1/extensions/os-keypairs").json()["extension"]
    assert one == next(entry for entry in listed if entry["alias"] == "os-keypairs")
    assert set(one) == {"alias", "name", "description", "links", "namespace", "updated"}
    assert cloud.as_member.get("/compute/v2.1/extensions/nothing").status_code == 404
    assert cloud.anonymous.get("/compute/v2.1/extensions").status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "os-cells"),
        ("POST", "os-cells/sync_instances"),
        ("PUT", "os-agents/1"),
        ("GET", "os-fping"),
        ("POST", "os-fixed-ips/10.0.0.1/action"),
        ("PUT", "os-floating-ip-dns/d/entries/e"),
        ("GET", "servers/x/consoles"),
        ("DELETE", "servers/x/consoles/1"),
        ("GET", "servers/x/os-virtual-interfaces"),
        ("POST", "os-networks/x/action"),
        ("GET", "os-security-group-default-rules"),
    ],
)
def test_removed_calls_are_gone_at_every_version(cloud: Cloud, method: str, path: str) -> None:
    for version in ("2.1", "2.104"):
        gone = cloud.as_member.at(version).request(method, f"/compute/v2.1/{path}", {})
        assert gone.status_code == 410, gone.content
    assert cloud.anonymous.request(method, f"/compute/v2.1/{path}", {}).status_code == 401


@pytest.mark.parametrize("path", ["os-volumes", "os-snapshots/detail", "os-floating-ips", "os-baremetal-nodes/x"])
def test_other_services_are_not_forwarded(cloud: Cloud, path: str) -> None:
    for version in ("2.1", "2.36"):
        assert cloud.as_member.at(version).get(f"/compute/v2.1/{path}").status_code == 404


def test_a_method_that_a_path_does_not_know_is_not_found(cloud: Cloud) -> None:
    """Nova answers 404 here, never 405: Tempest deletes a security group without an id."""
    for method, path in (("DELETE", "os-security-groups/"), ("PATCH", "flavors"), ("POST", "limits")):
        refused = cloud.as_member.request(method, f"/compute/v2.1/{path}", {})
        assert (refused.status_code, list(refused.json())) == (404, ["itemNotFound"])
