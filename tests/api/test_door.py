"""The door: paths in their several forms, headers every answer carries, bodies that are too large or not JSON."""

from __future__ import annotations

import pytest

from tests.support.auth import PROJECT_A
from tests.support.client import Cloud


@pytest.mark.parametrize("path", ["/compute", "/compute/", "/compute/v2.1", "/compute/v2.1/"])
def test_roots_with_and_without_a_slash(cloud: Cloud, path: str) -> None:
    assert cloud.anonymous.get(path).status_code in (200, 300)


def test_nova_knows_no_trailing_slash_below_its_root(cloud: Cloud) -> None:
    assert cloud.as_admin.get("/compute/v2.1/os-simple-tenant-usage").status_code == 200  # all projects
    refused = cloud.as_admin.get("/compute/v2.1/os-simple-tenant-usage/")
    assert refused.status_code == 404
    assert refused.json()["itemNotFound"]["code"] == 404


def test_the_older_form_of_paths_with_the_project(cloud: Cloud) -> None:
    assert cloud.as_member.get(f"/compute/v2.1/{PROJECT_A}/flavors").status_code == 200


def test_every_answer_says_which_request_and_version_it_was(cloud: Cloud) -> None:
    answer = cloud.as_member.at("2.90").get("/compute/v2.1/flavors")
    assert answer["x-openstack-request-id"].startswith("req-")
    assert answer["x-compute-request-id"] == answer["x-openstack-request-id"]
    assert answer["OpenStack-API-Version"] == "compute 2.90"
    assert answer["X-OpenStack-Nova-API-Version"] == "2.90"
    assert "OpenStack-API-Version" in answer["Vary"]


@pytest.mark.parametrize(("version", "status"), [("2.105", 406), ("1.0", 406), ("two", 400), ("2.01", 400)])
def test_versions_that_are_not_spoken(cloud: Cloud, version: str, status: int) -> None:
    headers = {"OpenStack-API-Version": f"compute {version}"}
    assert cloud.as_member.get("/compute/v2.1/flavors", headers=headers).status_code == status


def test_latest_is_the_highest(cloud: Cloud) -> None:
    answer = cloud.as_member.get("/compute/v2.1/flavors", headers={"OpenStack-API-Version": "compute latest"})
    assert answer["OpenStack-API-Version"] == "compute 2.104"


def test_no_token_and_a_bad_one(cloud: Cloud) -> None:
    for person in (cloud.anonymous, cloud.with_bad_token):
        refused = person.get("/compute/v2.1/flavors")
        assert refused.status_code == 401
        assert refused.json()["unauthorized"]["code"] == 401


@pytest.mark.parametrize("body", [b"", b"[" * 100_000, b"{", b"\xff\xfe", b'{"a": "\\u0000"}', b"null", b"[]"])
def test_bodies_that_are_no_json_object(cloud: Cloud, body: bytes) -> None:
    refused = cloud.as_member.request("POST", "/compute/v2.1/servers", data=body, content_type="application/json")
    assert refused.status_code == 400
    assert refused.json()["badRequest"]["code"] == 400


def test_a_body_that_is_too_large(cloud: Cloud) -> None:
    huge = b'{"a": "' + b"x" * 300_000 + b'"}'
    refused = cloud.as_member.request("POST", "/compute/v2.1/servers", data=huge, content_type="application/json")
    assert refused.status_code == 413


def test_a_body_of_another_type(cloud: Cloud) -> None:
    refused = cloud.as_member.request("POST", "/compute/v2.1/servers", data=b"<x/>", content_type="application/xml")
    assert refused.status_code == 415


def test_a_transaction_that_lost_to_another_is_tried_once_more(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    from instances.api.keypairs import KeyPairViewSet

    lost: list[int] = []
    real = KeyPairViewSet.list

    def overtaken(self: object, *args: object, **kwargs: object) -> object:
        lost.append(1)
        if len(lost) <= losses:
            raise OperationalError("deadlock detected")
        return real(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(KeyPairViewSet, "list", overtaken)
    losses = 1
    assert cloud.as_member.get("/compute/v2.1/os-keypairs").status_code == 200
    losses = 9
    refused = cloud.as_member.get("/compute/v2.1/os-keypairs")
    assert refused.status_code == 503
    assert refused["Retry-After"] == "1"
