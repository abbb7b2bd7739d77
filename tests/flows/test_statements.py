"""Several statements in one trip: each says what it touched, and a refusal is the database's own."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from instances.models import Instance
from operations import sql
from operations.models import Event, Operation, QuotaGate

pytestmark = pytest.mark.django_db(transaction=True)
USED = "UPDATE operations_quotagate SET used = used + %s WHERE project_id = 'p' AND resource = %s"


@pytest.fixture
def gates() -> None:
    for resource in ("cores", "instances"):
        QuotaGate.objects.create(project_id="p", resource=resource)


def used() -> dict[str, int]:
    return dict(QuotaGate.objects.values_list("resource", "used"))


def test_each_says_how_many_rows_it_touched(gates: None) -> None:
    told = Event.noting("quota.tried", "project", "p")
    assert sql.each([(USED, (2, "cores")), (USED, (1, "nothing")), told, (USED, (3, "instances"))]) == [1, 0, 1, 1]
    assert used() == {"cores": 2, "instances": 3}
    assert Event.objects.get().kind == "quota.tried"
    assert sql.each([]) == []


def test_one_that_the_database_refuses_takes_the_others_along(gates: None) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        sql.each([(USED, (2, "cores")), (USED, (-1, "instances")), (USED, (5, "cores"))])
    assert used() == {"cores": 0, "instances": 0}
    assert sql.each([(USED, (4, "cores"))]) == [1], "the connection goes on"


def test_a_row_comes_with_the_one_that_it_names(server: Instance) -> None:
    create = Operation.objects.get()
    assert sql.find_both(Operation, create.id, Instance, "subject_id") == (create, server)
    assert sql.find_both(Operation, "none", Instance, "subject_id") == (None, None)
    server.delete()
    assert sql.find_both(Operation, create.id, Instance, "subject_id") == (create, None)
