"""Key pairs: a user's own, by name."""

from __future__ import annotations

from typing import Any

import pytest

from instances.models import KeyPair
from operations.models import QuotaGate
from tests.support.auth import PROJECT_A, user_id
from tests.support.client import Cloud

KEYS = "/compute/v2.1/os-keypairs"
PUBLIC = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDx8nkQv/zgGgB4rMYmIf+6A4l6Rr+o/6lHBQdW5aYd44bd8JttDCE/F/pNRr0lRE+PiqSPO8nD"
    "PHw0010JeMH9gYgnnFlyY3/OcJ02RhIPyyxYpv9FhY+2YiUkpwFOcLImyrxEsYXpD/0d3ac30bNH6Sw9JD9UZHYcpSxsIbECHw=="
    " Generated-by-Nova"
)
PRINT = "1e:2c:9b:56:79:4b:45:77:f9:ca:7a:98:2c:b0:d5:3c"


def add(person: Any, name: str = "mine", **more: Any) -> Any:
    return person.post(KEYS, {"keypair": {"name": name, "public_key": PUBLIC} | more})


def test_a_key_is_imported_shown_listed_and_forgotten(cloud: Cloud) -> None:
    member = cloud.as_member
    added = add(member)
    told = {"name": "mine", "public_key": PUBLIC, "fingerprint": PRINT, "user_id": user_id("member-a")}
    assert (added.status_code, added.json()) == (200, {"keypair": told})
    shown = member.get(f"{KEYS}/mine").json()["keypair"]
    assert shown.items() >= told.items()
    assert set(shown) - set(told) == {"id", "created_at", "updated_at", "deleted", "deleted_at"}
    assert isinstance(shown["id"], int)
    listed = member.get(KEYS).json()
    assert listed == {"keypairs": [{"keypair": {"name": "mine", "public_key": PUBLIC, "fingerprint": PRINT}}]}
    assert member.delete(f"{KEYS}/mine").status_code == 202
    assert member.get(f"{KEYS}/mine").status_code == 404
    assert member.delete(f"{KEYS}/mine").status_code == 404


def test_a_key_is_made_when_none_is_sent_until_2_91(cloud: Cloud) -> None:
    made = cloud.as_member.at("2.91").post(KEYS, {"keypair": {"name": "made"}})
    assert made.status_code == 201
    pair = made.json()["keypair"]
    assert pair["private_key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert pair["public_key"].startswith("ssh-rsa ")
    assert pair["type"] == "ssh"
    assert "private_key" not in cloud.as_member.at("2.91").get(f"{KEYS}/made").json()["keypair"]
    assert "PRIVATE" not in str(KeyPair.objects.values().get())
    assert cloud.as_member.at("2.92").post(KEYS, {"keypair": {"name": "other"}}).status_code == 400


def test_certificates_are_a_type_from_2_2(cloud: Cloud) -> None:
    made = cloud.as_member.at("2.2").post(KEYS, {"keypair": {"name": "win", "type": "x509"}})
    assert made.status_code == 201
    pair = made.json()["keypair"]
    assert (pair["type"], pair["public_key"][:27]) == ("x509", "-----BEGIN CERTIFICATE-----")
    assert cloud.as_member.at("2.2").get(KEYS).json()["keypairs"][0]["keypair"]["type"] == "x509"
    assert cloud.as_member.at("2.2").delete(f"{KEYS}/win").status_code == 204
    assert cloud.as_member.at("2.1").post(KEYS, {"keypair": {"name": "win", "type": "x509"}}).status_code == 400
    assert add(cloud.as_member.at("2.2"), "win", type="x509").status_code == 400
    assert add(cloud.as_member.at("2.2"), "win", type="dsa").status_code == 400


def test_names_are_unique_for_each_user(cloud: Cloud) -> None:
    add(cloud.as_member)
    again = add(cloud.as_member)
    assert again.status_code == 409
    assert again.json()["conflictingRequest"]["message"] == "Key pair 'mine' already exists."
    assert add(cloud.as_reader).status_code == 200


@pytest.mark.parametrize("name", ["", " ", "a/b", "key@host", "a.b", "x" * 256, " a", "é", None, 5])
def test_wrong_names_are_refused(cloud: Cloud, name: Any) -> None:
    assert add(cloud.as_member, name).status_code == 400


def test_more_names_are_allowed_from_2_92(cloud: Cloud) -> None:
    assert add(cloud.as_member.at("2.91"), "me@host.example").status_code == 400
    assert add(cloud.as_member.at("2.92"), "me@host.example").status_code == 201


@pytest.mark.parametrize("key", ["", "nonsense", "ssh-rsa " + "A" * 2048 + " x", PUBLIC + "\n" + PUBLIC, None, 5])
def test_wrong_keys_are_refused(cloud: Cloud, key: Any) -> None:
    assert add(cloud.as_member, public_key=key).status_code == 400


@pytest.mark.parametrize("body", [{}, {"keypair": {}}, {"keypair": None}, {"keypair": {"name": "a", "x": 1}}, []])
def test_wrong_bodies_are_refused(cloud: Cloud, body: Any) -> None:
    assert cloud.as_member.post(KEYS, body).status_code == 400


def test_a_user_sees_only_his_own(cloud: Cloud) -> None:
    add(cloud.as_member)
    for person in (cloud.as_reader, cloud.as_other, cloud.as_admin):
        assert person.get(KEYS).json() == {"keypairs": []}
        assert person.get(f"{KEYS}/mine").status_code == 404
        assert person.delete(f"{KEYS}/mine").status_code == 404
    assert cloud.anonymous.get(KEYS).status_code == 401


def test_administrators_act_for_others_from_2_10(cloud: Cloud) -> None:
    owner = user_id("member-a")
    admin = cloud.as_admin.at("2.10")
    added = add(admin, user_id=owner)
    assert (added.status_code, added.json()["keypair"]["user_id"]) == (201, owner)
    assert admin.get(KEYS).json() == {"keypairs": []}
    assert admin.get(f"{KEYS}?user_id={owner}").json()["keypairs"][0]["keypair"]["name"] == "mine"
    assert admin.get(f"{KEYS}/mine?user_id={owner}").status_code == 200
    assert cloud.as_admin.at("2.9").get(f"{KEYS}/mine?user_id={owner}").status_code == 404
    assert add(cloud.as_admin.at("2.9"), user_id=owner).status_code == 400
    other = cloud.as_other.at("2.10")
    assert other.get(f"{KEYS}?user_id={owner}").status_code == 403
    assert other.get(f"{KEYS}/mine?user_id={owner}").status_code == 403
    assert other.delete(f"{KEYS}/mine?user_id={owner}").status_code == 403
    assert add(other, "theirs", user_id=owner).status_code == 403
    assert admin.delete(f"{KEYS}/mine?user_id={owner}").status_code == 204


def test_lists_are_paged_by_name_from_2_35(cloud: Cloud) -> None:
    for name in ("c", "a", "b"):
        add(cloud.as_member, name)
    member = cloud.as_member.at("2.35")

    def page(query: str) -> list[str]:
        return [pair["keypair"]["name"] for pair in member.get(f"{KEYS}{query}").json()["keypairs"]]

    assert page("") == ["a", "b", "c"]
    assert page("?limit=2") == ["a", "b"]
    assert page("?limit=2&marker=b") == ["c"]
    [link] = member.get(f"{KEYS}?limit=1").json()["keypairs_links"]
    assert link["href"].endswith("/os-keypairs?limit=1&marker=a")
    assert member.get(f"{KEYS}?marker=nothing").status_code == 400
    assert member.get(f"{KEYS}?limit=-1").status_code == 400
    assert len(cloud.as_member.at("2.34").get(f"{KEYS}?limit=1").json()["keypairs"]) == 3
    assert cloud.as_member.at("2.75").get(f"{KEYS}?colour=blue").status_code == 400


def test_the_quota_counts_each_users_keys(cloud: Cloud) -> None:
    QuotaGate.objects.create(project_id=PROJECT_A, resource="key_pairs", limit=2)
    assert [add(cloud.as_member, name).status_code for name in "abc"] == [200, 200, 403]
    refused = add(cloud.as_member, "c")
    assert refused.json() == {"forbidden": {"code": 403, "message": "Quota exceeded, too many key pairs."}}
    assert add(cloud.as_reader, "a").status_code == 200
    cloud.as_member.delete(f"{KEYS}/a")
    assert add(cloud.as_member, "c").status_code == 200
