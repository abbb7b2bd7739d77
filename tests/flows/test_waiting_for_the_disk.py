"""Which commits wait for the disk: all but the placement's, which the host's ``take`` saves too (decision 0153)."""

from __future__ import annotations

import pytest
from django.db import connection

from instances.actions.base import ACCEPTING
from operations.committing import Committing
from scheduling.service import PLACING
from tasks.conductor.work import FINISHING

pytestmark = pytest.mark.django_db(transaction=True)
ASK = {"sqlite": "PRAGMA synchronous", "postgresql": "SHOW synchronous_commit"}
WAITS = {"sqlite": 2, "postgresql": "on"}
GOES_ON = {"sqlite": 1, "postgresql": "off"}
AS_IN_A_CLOUD = {"sqlite": "PRAGMA synchronous=FULL", "postgresql": "SET synchronous_commit TO ON"}


@pytest.fixture(autouse=True)
def _as_in_a_cloud() -> None:
    """PostgreSQL for tests does not flush at all."""
    with connection.cursor() as cursor:
        cursor.execute(AS_IN_A_CLOUD[connection.vendor])


def told() -> object:
    with connection.cursor() as cursor:
        cursor.execute(ASK[connection.vendor])
        return cursor.fetchone()[0]


@pytest.mark.parametrize("committing", [ACCEPTING, FINISHING])
def test_what_others_act_upon_waits(committing: Committing) -> None:
    with committing():
        assert told() == WAITS[connection.vendor]


def test_a_placement_goes_on_and_nothing_else_after_it() -> None:
    with PLACING():
        assert told() == GOES_ON[connection.vendor]
    assert told() == WAITS[connection.vendor]
    with pytest.raises(ZeroDivisionError), PLACING():
        raise ZeroDivisionError
    assert told() == WAITS[connection.vendor]


def test_inside_a_transaction_that_waits_it_waits_too() -> None:
    with ACCEPTING(), PLACING():
        assert told() == WAITS[connection.vendor]
