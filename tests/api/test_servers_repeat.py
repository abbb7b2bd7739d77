"""POST /servers with a key of the client's choice: sent again, it makes nothing new (F01, F02)."""

from __future__ import annotations

from typing import Any

import pytest

from computecloud.core import failpoints
from instances import repeats
from instances.models import Instance
from integrations.images import facade as images
from operations.models import Operation, QuotaGate
from tests.support.client import Cloud
from tests.support.servers import IMAGE, forget_everything, make_flavor, make_image

PATH = "/compute/v2.1/servers"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cloud(transactional_db: None) -> Cloud:
    forget_everything()
    images.forget(IMAGE)
    make_flavor()
    make_image()
    return Cloud()


def body(**fields: Any) -> dict[str, Any]:
    return {"server": {"name": "web", "flavorRef": "1", "imageRef": IMAGE, "networks": "none"} | fields}


def ask(person: Any, key: str | None = "k-1", **fields: Any) -> Any:
    headers = {repeats.HEADER: key} if key is not None else {}
    return person.at("2.90").post(PATH, body(**fields), headers=headers)


@pytest.mark.row("F01")
def test_the_same_request_again_is_the_same_server(cloud: Cloud) -> None:
    first, again = ask(cloud.as_member), ask(cloud.as_member)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json(), "the same body, its password too"
    assert again["Location"] == first["Location"]
    assert Instance.objects.count() == Operation.objects.count() == 1
    assert QuotaGate.objects.get(resource="instances").used == 1


def test_the_password_is_forgotten_when_the_server_is_built(cloud: Cloud) -> None:
    first = ask(cloud.as_member).json()["server"]
    Operation.objects.update(sealed=None, state="succeeded")
    again = ask(cloud.as_member).json()["server"]
    assert (again["id"], "adminPass" in again) == (first["id"], False)


def test_a_key_names_one_request_of_one_project(cloud: Cloud) -> None:
    ids = {
        ask(cloud.as_member, "a").json()["server"]["id"],
        ask(cloud.as_member, "b").json()["server"]["id"],
        ask(cloud.as_other, "a").json()["server"]["id"],
        ask(cloud.as_member, None).json()["server"]["id"],
        ask(cloud.as_member, None).json()["server"]["id"],
    }
    assert len(ids) == 5


def test_a_key_with_another_body_is_refused(cloud: Cloud) -> None:
    ask(cloud.as_member)
    other = ask(cloud.as_member, name="another")
    assert other.status_code == 409
    assert "was used for another request" in other.json()["conflictingRequest"]["message"]
    assert Instance.objects.count() == 1


@pytest.mark.parametrize("key", ["", "x" * 129, "smörgås"])
def test_a_key_that_is_none_is_refused(cloud: Cloud, key: str) -> None:
    assert ask(cloud.as_member, key).status_code == 400
    assert Instance.objects.count() == 0


def test_many_servers_are_one_request(cloud: Cloud) -> None:
    first, again = (ask(cloud.as_member, min_count=3, max_count=3) for _ in range(2))
    assert first.json()["server"]["id"] == again.json()["server"]["id"]
    assert Instance.objects.count() == 3


def test_two_at_the_same_moment_make_one(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second looked before the first one's commit: the unique column decides."""
    first = ask(cloud.as_member)
    look, looked = repeats.earlier, []

    def blind_once(*asked: Any) -> Any:
        looked.append(asked)
        return None if len(looked) == 1 else look(*asked)

    monkeypatch.setattr(repeats, "earlier", blind_once)
    second = ask(cloud.as_member)
    assert second.status_code == 202
    assert second.json()["server"]["id"] == first.json()["server"]["id"]
    assert Instance.objects.count() == 1
    assert QuotaGate.objects.get(resource="instances").used == 1


@pytest.mark.row("F01")
def test_an_answer_that_was_lost_after_the_commit(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """tests/faults/matrix kills the process here; the client sees no more than this 500."""
    monkeypatch.setattr(failpoints, "ARMS", failpoints.Arms("api.after_commit=raise@0.999999"))
    monkeypatch.setattr(failpoints.random, "random", lambda: 0.0)
    assert ask(cloud.as_member).status_code == 500
    monkeypatch.undo()
    again = ask(cloud.as_member)
    assert again.status_code == 202
    assert Instance.objects.get().id == again.json()["server"]["id"]
    assert Operation.objects.get().state == "pending", "nobody rang for it: the relay and the pollers will"


@pytest.mark.row("F02")
def test_a_request_that_died_before_its_commit_was_never_made(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failpoints, "ARMS", failpoints.Arms("api.before_commit=raise@0.999999"))
    monkeypatch.setattr(failpoints.random, "random", lambda: 0.0)
    assert ask(cloud.as_member).status_code == 500
    assert Instance.objects.count() == Operation.objects.count() == 0
    assert sum(QuotaGate.objects.values_list("used", flat=True)) == 0
