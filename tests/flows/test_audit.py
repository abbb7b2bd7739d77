"""The audit sees what a careless hand in SQL would leave."""

from __future__ import annotations

import pytest
from django.db.models import F

from hosts.models import Allocation, Inventory
from instances.audit import findings
from instances.models import Instance
from operations.models import QuotaGate
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_kind_of_drift_is_named(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    stage.settle()
    assert findings() == []

    Inventory.objects.filter(resource_class="VCPU", used__gt=0).update(used=F("used") + 2)
    assert any("VCPU: used 3, held 1" in line for line in findings())
    Inventory.objects.filter(resource_class="VCPU", used=3).update(used=1)

    QuotaGate.objects.filter(resource="cores").update(used=7)
    assert any("quota cores" in line and "used 7, counted 1" in line for line in findings())
    QuotaGate.objects.filter(resource="cores").update(used=1)

    Instance.objects.filter(id=server.id).update(open_operation="nothing")
    assert any("an operation that is over" in line for line in findings())
    Instance.objects.filter(id=server.id).update(open_operation=None)

    Allocation.objects.filter(consumer_id=server.id, resource_class="VCPU").delete()
    assert any("does not hold its 1 VCPU" in line for line in findings())
