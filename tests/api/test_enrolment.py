"""Hosts coming in by a token and going again: both sides are real, the network between them is Django's test client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from django.db.models.functions import Now
from django.test import Client

from computecloud.conf import conf
from computecloud.core import authority
from hosts import brokers, enrolment
from hosts.models import Agent, EnrolmentToken, Host, Inventory
from instances import fleet
from tasks.agent import enrolment as machine
from tasks.agent.enrolment import EnrolmentFailed, Room
from tasks.conductor import door, wire
from tasks.conductor import enrolment as reception
from tests.support.machines import make_host, make_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("computecloud.urls_conductor")]
URL = "http://cloud.test:8776"


class Broker:
    """Remembers what it was told."""

    kind = "redis"

    def __init__(self) -> None:
        self.known: dict[str, tuple[str, list[str]]] = {}
        self.removed: list[str] = []
        self.is_away = False

    def put(self, agent_id: str, verifier: str, host_ids: Any, worker: str) -> None:
        if self.is_away:
            raise OSError("away")
        self.known[brokers.user_name(agent_id)] = (verifier, list(host_ids))

    def drop(self, agent_id: str) -> None:
        self.known.pop(brokers.user_name(agent_id), None)

    def remove_queues(self, host_ids: Any) -> None:
        self.removed += host_ids

    def names(self) -> set[str]:
        return {"default", *self.known}

    def keep(self) -> None:
        pass


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()
    monkeypatch.setattr(brokers, "users", lambda: made)
    return made


@pytest.fixture(autouse=True)
def conductor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Client]:
    """What a machine sends arrives at the conductor's views; the authority lies in a folder of the test's."""
    own = authority.Authority(tmp_path / "ca")
    own.ensure()
    monkeypatch.setattr(reception, "cloud_authority", lambda: own)
    client = Client(raise_request_exception=False)

    def ask(method: str, url: str, call: str, trust: Any, body: bytes, headers: dict[str, str], **more: Any) -> bytes:
        kind = {"content_type": "application/json"} if body else {}
        answer = client.generic(method, f"/conductor/v1/{call}", body, headers=headers, **kind)
        if answer.status_code != 200:
            raise EnrolmentFailed(machine._refusal(url, answer.status_code, answer.content))
        return bytes(answer.content)

    monkeypatch.setattr(machine, "_ask", ask)
    reception.REFUSALS._levels.clear()
    door.forget()
    yield client
    door.forget()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "machine")


def join(room: Room, token: str, name: str = "box", **more: Any) -> wire.EnrolledHost:
    worker = more.pop("worker", "compute@box")
    made = machine.enrol(room, URL, token, [wire.NewHost(name, "fake", more.pop("id", ""))], worker, **more)
    return made[0]


def call(client: Client, path: str, body: Any, host_id: str, secret: str, **headers: str) -> Any:
    who = {"Authorization": f"Bearer {host_id}:{secret}", **headers}
    return client.post(f"/conductor/v1/{path}", wire.encode(body), "application/json", headers=who)


def test_a_token_buys_identity_certificate_and_broker_user(room: Room, broker: Broker, conductor: Client) -> None:
    host = join(room, enrolment.issue(60))
    row = Host.objects.get(id=host.id)
    credential = room.admitted()
    assert (row.name, row.driver) == ("box", "fake") and credential is not None
    certificate = x509.load_pem_x509_certificate(room.certificate.read_bytes())
    assert certificate.subject.rfc4514_string() == f"CN={row.agent_id}"
    assert 80 < authority.days_left(room.certificate) < 91
    assert broker.known == {f"agent-{row.agent_id}": (row.agent.broker_verifiers["redis"], [host.id])}
    assert [path.stat().st_mode & 0o077 for path in (room.key, room.folder / machine.CREDENTIAL)] == [0, 0]
    beat = call(conductor, "beat", wire.Beat("", [wire.HostBeat(host.id)]), host.id, credential.secret)
    assert beat.status_code == 200


def test_no_secret_is_sent_or_stored(room: Room, broker: Broker) -> None:
    join(room, token := enrolment.issue(60))
    credential = room.admitted()
    assert credential is not None
    stored = json.dumps([list(Agent.objects.values()), list(EnrolmentToken.objects.values())], default=str)
    for secret in (credential.secret, credential.broker_password, token, room.key.read_text().splitlines()[1]):
        assert secret not in stored


def test_a_token_is_never_taken_for_an_option() -> None:
    assert all(enrolment.issue(60).isalnum() for _number in range(200))


def test_a_token_is_used_once(room: Room, tmp_path: Path, broker: Broker) -> None:
    token = enrolment.issue(60)
    join(room, token)
    with pytest.raises(EnrolmentFailed, match="used before"):
        join(Room(tmp_path / "thief"), token, "other")
    assert Host.objects.count() == 1


def test_an_answer_that_was_lost_is_given_again_to_the_same_key_only(room: Room, broker: Broker) -> None:
    token = enrolment.issue(60)
    first = join(room, token)
    (room.folder / machine.CREDENTIAL).write_text(
        (room.folder / machine.CREDENTIAL).read_text().replace("agent_id", "# agent_id")
    )
    assert room.admitted() is None
    assert join(room, token) == first
    assert room.admitted() is not None and Host.objects.count() == 1
    with pytest.raises(EnrolmentFailed, match="used before"):
        join(room, token, "another-name")


def test_tokens_expire(room: Room) -> None:
    token = enrolment.issue(60)
    EnrolmentToken.objects.update(expires_at=Now() - timedelta(seconds=1))
    with pytest.raises(EnrolmentFailed, match="expired"):
        join(room, token)
    assert not Host.objects.exists() and EnrolmentToken.objects.get().used_at is None


def test_a_refusal_leaves_the_token_unused(room: Room, broker: Broker) -> None:
    make_host("box")
    token = enrolment.issue(60)
    with pytest.raises(EnrolmentFailed, match="There is a compute host box already"):
        join(room, token)
    assert join(room, token, "box-two").name == "box-two"


def test_guessing_is_slowed_down_and_told_nothing(room: Room, tmp_path: Path) -> None:
    for number in range(10):
        with pytest.raises(EnrolmentFailed, match="not known"):
            join(Room(tmp_path / f"guess{number}"), f"guess{number}")
    with pytest.raises(EnrolmentFailed, match="Too many requests"):
        join(room, enrolment.issue(60))
    assert not Agent.objects.exists()


def body(tmp_path: Path, **change: Any) -> dict[str, Any]:
    """A request to enrol as a machine sends it, changed."""
    good: dict[str, Any] = {
        "token": enrolment.issue(60), "hosts": [{"name": "box", "driver": "fake"}], "clock": machine.time.time(),
        "request": authority.request(authority.ensure_key(tmp_path / "key")), "secret_hash": "a" * 64,
        "worker": "compute@box",
    }  # fmt: skip
    return good | change


@pytest.mark.parametrize(("ahead", "words"), [(3600, "ahead of"), (-3600, "behind")])
def test_a_clock_that_differs_is_named(conductor: Client, tmp_path: Path, ahead: int, words: str) -> None:
    asked = body(tmp_path, clock=machine.time.time() + ahead)
    answer = conductor.post("/conductor/v1/enrol", json.dumps(asked), "application/json")
    assert answer.status_code == 400 and f"s {words} the cloud's" in answer.json()["error"]["message"]
    assert EnrolmentToken.objects.get().used_at is None


@pytest.mark.parametrize("name", ["", "-x", "a b", "x" * 64, "a/b", "ü", "a\n"])
def test_names_that_are_none_are_refused(room: Room, name: str) -> None:
    with pytest.raises(EnrolmentFailed, match="cannot be a host's name"):
        join(room, enrolment.issue(60), name)


@pytest.mark.parametrize(
    "change",
    [
        {"request": "no request"}, {"secret_hash": "short"}, {"worker": "control@cloud"}, {"hosts": []},
        {"hosts": [{"name": "a", "driver": "fake"}] * 2}, {"protocol": 99}, {"clock": "now"}, {"hosts": 5},
        {"hosts": [{"name": "a", "driver": "fake", "id": "no-uuid"}]},
    ],
)  # fmt: skip
def test_odd_bodies_are_refused_and_leave_nothing(conductor: Client, tmp_path: Path, change: dict[str, Any]) -> None:
    good = body(tmp_path)
    answer = conductor.post("/conductor/v1/enrol", json.dumps(good | change), "application/json")
    assert answer.status_code == 400, answer.content
    assert not Agent.objects.exists() and EnrolmentToken.objects.get().used_at is None
    assert conductor.post("/conductor/v1/enrol", json.dumps(good), "application/json").status_code == 200


def test_an_agent_gets_further_hosts_by_a_token_and_its_own_secret(room: Room, tmp_path: Path, broker: Broker) -> None:
    first = join(room, enrolment.issue(60), "one")
    second = join(room, enrolment.issue(60), "two", speaks_for=first.id)
    agent = Agent.objects.get()
    assert {host.name for host in agent.hosts.all()} == {"one", "two"}
    assert sorted(broker.known[f"agent-{agent.id}"][1]) == sorted([first.id, second.id])
    with pytest.raises(EnrolmentFailed, match="requires authentication"):
        join(Room(tmp_path / "stranger"), enrolment.issue(60), "three", speaks_for=first.id)


def test_r19_a_removed_host_comes_back_as_itself_with_one_row(room: Room, tmp_path: Path, broker: Broker) -> None:
    host = join(room, enrolment.issue(60))
    Inventory.objects.create(host_id=host.id, resource_class="VCPU", total=4, capacity=4)
    number = Host.objects.get(id=host.id).number
    fleet.remove_compute(fleet.service(host.id, by_uuid=True))
    again = join(Room(tmp_path / "again"), enrolment.issue(60), "box", id=host.id)
    row = Host.objects.get()
    assert again.id == host.id == row.id and (row.name, row.number) == ("box", number)
    assert row.deleted_at is None and not row.is_disabled and not row.inventories.exists()
    assert broker.known.keys() == {f"agent-{row.agent_id}"}


def test_a_name_can_be_used_again_by_another_machine(room: Room, tmp_path: Path, broker: Broker) -> None:
    first = join(room, enrolment.issue(60))
    fleet.remove_compute(fleet.service(first.id, by_uuid=True))
    second = join(Room(tmp_path / "other"), enrolment.issue(60))
    assert second.id != first.id
    assert Host.objects.alive().get().id == second.id


def test_a_living_identity_is_not_taken_over(room: Room, tmp_path: Path, broker: Broker) -> None:
    host = join(room, enrolment.issue(60))
    with pytest.raises(EnrolmentFailed, match="in use by the compute host box"):
        join(Room(tmp_path / "thief"), enrolment.issue(60), "other", id=host.id)


def test_a_lost_credential_is_replaced_by_a_token_that_says_so(room: Room, tmp_path: Path, broker: Broker) -> None:
    host = join(room, enrolment.issue(60))
    former = Host.objects.get().agent_id
    again = join(Room(tmp_path / "fresh"), enrolment.issue(60, replaces=["box"]))
    assert again.id == host.id
    assert Agent.objects.get(id=former).secret_hash == ""
    assert broker.known.keys() == {f"agent-{Host.objects.get().agent_id}"}


def test_a_host_that_left_is_nobody(room: Room, broker: Broker, conductor: Client) -> None:
    host = join(room, enrolment.issue(60))
    credential = room.admitted()
    assert credential is not None
    fleet.remove_compute(fleet.service(host.id, by_uuid=True))
    door.forget()
    beat = call(conductor, "beat", wire.Beat("", [wire.HostBeat(host.id)]), host.id, credential.secret)
    assert beat.status_code == 401
    assert broker.known == {} and broker.removed == [host.id]


def test_a_host_with_servers_does_not_leave(room: Room, broker: Broker) -> None:
    host = join(room, enrolment.issue(60))
    make_server(Host.objects.get(id=host.id))
    with pytest.raises(fleet.ServiceHasServers):
        fleet.remove_compute(fleet.service(host.id, by_uuid=True))
    row = Host.objects.get(id=host.id)
    assert row.deleted_at is None and not row.is_disabled and broker.known and not broker.removed


def test_a_broker_that_was_away_is_told_later(room: Room, broker: Broker) -> None:
    broker.is_away = True
    host = join(room, enrolment.issue(60))
    assert broker.known == {}
    broker.is_away = False
    broker.known["agent-of-yesterday"] = ("x", [])
    enrolment.ensure_broker_users()
    assert broker.known.keys() == {f"agent-{Host.objects.get(id=host.id).agent_id}"}


def test_a_certificate_is_renewed_by_the_agent_and_for_itself_only(
    room: Room, tmp_path: Path, broker: Broker, conductor: Client
) -> None:
    host = join(room, enrolment.issue(60))
    credential = room.admitted()
    assert credential is not None
    before = x509.load_pem_x509_certificate(room.certificate.read_bytes())
    asked = wire.Certify(authority.request(authority.load_key(room.key)))
    told = call(conductor, "certificate", asked, host.id, credential.secret)
    fresh = x509.load_pem_x509_certificate(wire.decode(told.content, wire.Certified).certificate.encode())
    assert fresh.subject == before.subject and fresh.serial_number != before.serial_number
    assert call(conductor, "certificate", asked, host.id, "guess").status_code == 401


def test_with_tls_a_secret_is_nothing_without_its_own_certificate(
    room: Room, tmp_path: Path, broker: Broker, conductor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = join(room, enrolment.issue(60), "one"), join(Room(tmp_path / "two"), enrolment.issue(60), "two")
    agents = {host.id: Host.objects.get(id=host.id).agent_id for host in (one, two)}
    credential = room.admitted()
    assert credential is not None
    secure = type(conf())(tls=True, secret_key="x" * 32)
    monkeypatch.setattr(door, "conf", lambda: secure)

    def beat(certificate: str) -> int:
        body = wire.Beat("", [wire.HostBeat(one.id)])
        headers = {door.CERTIFIED: certificate} if certificate else {}
        return int(call(conductor, "beat", body, one.id, credential.secret, **headers).status_code)

    assert beat(f"CN={agents[one.id]}") == 200
    assert [beat(text) for text in ("", f"CN={agents[two.id]}", f"CN={agents[one.id]},CN=x")] == [401, 401, 401]


@pytest.fixture
def told(room: Room) -> Callable[..., str]:
    def url(told_url: str, user: str = "agent-x", conductor: str = "https://10.0.0.1:8776") -> str:
        return machine.broker_url(machine.Credential("s", "p w", "id", user, told_url, conductor))

    return url


def test_the_broker_is_where_the_conductor_is_unless_it_is_said(told: Callable[..., str]) -> None:
    assert told("rediss://*:6379/0") == "rediss://agent-x:p%20w@10.0.0.1:6379/0"
    assert told("rediss://*:6379/0", conductor="https://[fd00::1]:8776") == "rediss://agent-x:p%20w@[fd00::1]:6379/0"
    assert told("amqps://mq.example.org:5671//") == "amqps://agent-x:p%20w@mq.example.org:5671//"
    assert told("amqp://shared:pw@mq.example.org//") == "amqp://shared:pw@mq.example.org//"
