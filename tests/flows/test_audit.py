"""The audit sees what a careless hand in SQL would leave, and sets it right by the code that claims and releases."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from hosts.models import Allocation, Host, Inventory
from instances.audit import drifts, findings
from instances.models import Instance
from operations.models import Event, QuotaGate
from scheduling import claims
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)


def too_much_used(_server: Instance) -> None:
    Inventory.objects.filter(resource_class="VCPU", used__gt=0).update(used=F("used") + 2)


def quota_off(_server: Instance) -> None:
    QuotaGate.objects.filter(resource="cores").update(used=7)


def waits_for_nothing(server: Instance) -> None:
    Instance.objects.filter(id=server.id).update(open_operation="nothing")


def claim_lost(server: Instance) -> None:
    Allocation.objects.filter(consumer_id=server.id, resource_class="VCPU").delete()
    Inventory.objects.filter(resource_class="VCPU", used=1).update(used=0, consumers=0)


def claim_of_nobody(_server: Instance) -> None:
    claims.claim("nobody", Host.objects.earliest("number").id, {"VCPU": 3})


def claim_of_wrong_size(server: Instance) -> None:
    Allocation.objects.filter(consumer_id=server.id, resource_class="VCPU").update(amount=5)
    Inventory.objects.filter(resource_class="VCPU", used=1).update(used=5)


def shows_what_is_not(server: Instance) -> None:
    Instance.objects.filter(id=server.id).update(status="SHUTOFF", vm_state="stopped")


DRIFTS: list[tuple[Callable[[Instance], None], str]] = [
    (too_much_used, "VCPU: used 3, held 1"),
    (quota_off, "used 7, counted 1"),
    (waits_for_nothing, "an operation that is over"),
    (claim_lost, "does not hold its 1 VCPU"),
    (claim_of_nobody, "nobody holds 3 VCPU without a right"),
    (claim_of_wrong_size, "holds 5 VCPU without a right"),
    (shows_what_is_not, "shows SHUTOFF (stopped), its facts say ACTIVE"),
]


@pytest.mark.parametrize(("careless", "named"), DRIFTS, ids=lambda value: getattr(value, "__name__", ""))
def test_each_kind_of_drift_is_named_and_mended(
    stage: Stage, member: Member, careless: Callable[[Instance], None], named: str
) -> None:
    [server] = member.creates()
    stage.settle()
    assert findings() == []

    careless(server)
    assert any(named in line for line in findings())
    with pytest.raises(CommandError):
        call_command("audit", stdout=StringIO())

    told = StringIO()
    call_command("audit", "--fix", stdout=told)
    assert "mended: " in told.getvalue()
    stage.assert_balanced()
    assert any(named in event.data["found"] for event in Event.objects.filter(kind="audit.mended"))


def test_what_has_changed_since_it_was_found_is_left_alone(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    stage.settle()
    too_much_used(server)
    quota_off(server)
    found = drifts()
    member.creates(name="meanwhile", count=4)  # some on either host
    stage.settle()
    assert [drift.set_right() for drift in found] == [False, False]
    assert not Event.objects.filter(kind="audit.mended").exists()


def test_a_full_host_does_not_let_a_claim_be_made_up(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    stage.settle()
    claim_lost(server)
    Inventory.objects.filter(resource_class="VCPU").update(capacity=0)
    [drift] = drifts()
    assert not drift.set_right()
    assert findings() == [drift.text]
