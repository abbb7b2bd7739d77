"""Changing the administrator's password in a guest: with an agent in it, without one, and what is kept of it."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from computecloud.core.errors import Conflict
from instances import keys
from instances.actions.password import ChangePassword
from instances.actions.pause import Pause
from instances.models import Instance
from operations import sealed
from operations.models import Event, Operation, Step
from tests.flows.conftest import Member
from tests.support.answers import hosts_answer
from tests.support.stage import Stage
from tests.support.verbs import fresh, guest

pytestmark = pytest.mark.django_db(transaction=True)
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGw3n1+Y0gKJ0kqXk9lS8v0M3Xz7cK0qUPtP1m2m3n4o me"
WITH_AGENT = {"hw_qemu_guest_agent": "yes"}


@pytest.fixture(autouse=True)
def answered(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts_answer(stage, monkeypatch)


def has(member: Member, stage: Stage, **columns: object) -> Instance:
    """A running server with these columns."""
    [made] = member.creates()
    Instance.objects.filter(id=made.id).update(**columns)
    stage.settle()
    return fresh(made)


def digest(password: str) -> str:
    return sha256(password.encode()).hexdigest()


def test_the_agent_in_a_guest_sets_it_and_nobody_is_told(stage: Stage, member: Member) -> None:
    server = has(member, stage, image_properties=WITH_AGENT)
    ChangePassword.change(member.actor, server, "Secret-12345")

    assert guest(stage, server).passwords == {"root": digest("Secret-12345")}
    assert (fresh(server).status, fresh(server).task_state) == ("ACTIVE", None)
    told = [*Operation.objects.values(), *Event.objects.values(), *Step.objects.values(), *Instance.objects.values()]
    assert "Secret-12345" not in str(told)
    assert Operation.objects.get(verb="changePassword").sealed is None


def test_until_it_is_set_it_is_sealed_and_the_server_says_password(stage: Stage, member: Member) -> None:
    server = has(member, stage, image_properties=WITH_AGENT)
    waiting = ChangePassword.request(member.actor, server, admin_password="Secret-12345")

    assert (fresh(server).status, fresh(server).task_state) == ("PASSWORD", "updating_password")
    assert waiting.args == {}
    assert sealed.unseal(Operation.objects.get(id=waiting.id).sealed) == {"admin_password": "Secret-12345"}
    stage.settle()
    assert fresh(server).status == "ACTIVE"


@pytest.mark.parametrize(
    ("properties", "user"),
    [
        ({"os_admin_user": "debian"}, "debian"),
        ({"os_type": "windows"}, "Administrator"),
        ({"os_type": "linux"}, "root"),
    ],
)
def test_it_is_the_administrators_as_the_image_calls_him(
    stage: Stage, member: Member, properties: dict[str, str], user: str
) -> None:
    server = has(member, stage, image_properties=WITH_AGENT | properties)
    ChangePassword.change(member.actor, server, "Secret-12345")
    assert list(guest(stage, server).passwords) == [user]


def test_without_an_agent_it_is_refused_and_the_server_stays(stage: Stage, member: Member, server: Instance) -> None:
    with pytest.raises(Conflict, match=r"^QEMU guest agent is not enabled$"):
        ChangePassword.change(member.actor, server, "Secret-12345")
    assert (fresh(server).status, fresh(server).task_state, guest(stage, server).passwords) == ("ACTIVE", None, {})
    stage.assert_balanced()


def test_a_guest_that_does_not_run_has_nobody_to_set_it(stage: Stage, member: Member) -> None:
    server = has(member, stage, image_properties=WITH_AGENT)
    Pause.request(member.actor, server)
    stage.settle()
    with pytest.raises(Conflict, match=r"Cannot 'changePassword' instance .* while it is in vm_state paused"):
        ChangePassword.change(member.actor, fresh(server), "Secret-12345")


def test_the_owner_of_an_rsa_key_can_read_it(stage: Stage, member: Member) -> None:
    made = keys.make("ssh", "me")
    server = has(member, stage, image_properties=WITH_AGENT, public_key=made.public_key)
    ChangePassword.change(member.actor, server, "Secret-12345")

    private = load_pem_private_key(made.private_key.encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    kept = base64.b64decode(fresh(server).encrypted_password)
    assert private.decrypt(kept, padding.PKCS1v15()) == b"Secret-12345"


@pytest.mark.parametrize("key", ["", ED25519])
def test_without_such_a_key_nothing_is_kept(stage: Stage, member: Member, key: str) -> None:
    server = has(member, stage, image_properties=WITH_AGENT, public_key=key)
    ChangePassword.change(member.actor, server, "Secret-12345")
    assert fresh(server).encrypted_password == ""


def test_a_secret_too_long_for_a_key_is_not_kept() -> None:
    assert keys.encrypt(keys.make("ssh", "me").public_key, "x" * 246) == ""
