"""Several at once: the last free place goes to one, and nobody's change is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import close_old_connections, connection, connections, transaction

from computecloud.core.errors import CloudError
from instances import aggregates, flavors, keypairs, server_groups
from instances.models import Flavor, KeyPair, ServerGroup
from operations.models import QuotaGate
from tests.support.auth import PROJECT_A, actor
from tests.support.machines import make_host, make_server

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILyYHBZTPoKnJsTDSfbZtxG4gIMlhzWBfuV8jIvKtYLz x"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor == "sqlite",
        reason="SQLite's test database lives in memory and knows one writer; these need PostgreSQL",
    ),
]


@pytest.fixture
def together() -> Iterator[Callable[..., list[Any]]]:
    """Runs a function with each number, eight at once; gives results and CloudErrors."""

    def work(what: Callable[[int], Any], number: int) -> Any:
        close_old_connections()
        try:
            return what(number)
        except CloudError as problem:
            return problem
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        yield lambda what, count: list(pool.map(lambda number: work(what, number), range(count)))


def refusals(results: list[Any]) -> list[type]:
    return [type(one) for one in results if isinstance(one, CloudError)]


def test_twenty_keys_at_once_where_five_may_be(together: Any) -> None:
    QuotaGate.objects.create(project_id=PROJECT_A, resource="key_pairs", limit=5)
    results = together(lambda number: keypairs.add("u1", PROJECT_A, f"k{number}", "ssh", KEY), 20)
    assert KeyPair.objects.count() == 5
    assert refusals(results) == [keypairs.TooManyKeyPairs] * 15


def test_the_same_key_name_at_once(together: Any) -> None:
    results = together(lambda _: keypairs.add("u1", PROJECT_A, "mine", "ssh", KEY), 10)
    assert KeyPair.objects.count() == 1
    assert refusals(results) == [keypairs.KeyPairNameTaken] * 9


def test_twenty_server_groups_at_once_where_three_may_be(together: Any) -> None:
    QuotaGate.objects.create(project_id=PROJECT_A, resource="server_groups", limit=3)
    results = together(lambda number: server_groups.create(actor("member-a"), f"g{number}", "affinity", {}), 20)
    assert ServerGroup.objects.count() == 3
    assert refusals(results) == [server_groups.TooManyServerGroups] * 17


def test_extra_specs_added_at_once_are_all_kept(together: Any) -> None:
    flavors.create(flavors.NewFlavor(id="1", name="a", vcpus=1, ram_mb=1, disk_gb=1))
    results = together(lambda number: flavors.change_extra_specs("1", lambda now: now | {f"k{number}": "v"}), 4)
    kept = len(results) - len(refusals(results))
    assert len(Flavor.objects.get().extra_specs) == kept
    assert set(refusals(results)) <= {flavors.ExtraSpecsBusy}


def test_a_host_does_not_join_two_zones_at_once(together: Any) -> None:
    make_host("a")
    numbers = [aggregates.create(f"rack-{zone}", f"z{zone}").pk for zone in range(8)]
    results = together(lambda number: aggregates.add_host(numbers[number], "a"), 8)
    assert refusals(results) == [aggregates.CannotMoveHost] * 7
    assert sum(len(hosts) for hosts in aggregates.hosts_of(numbers).values()) == 1


def test_a_group_is_not_filled_over_its_limit(together: Any) -> None:
    QuotaGate.objects.create(project_id=PROJECT_A, resource="server_group_members", limit=4)
    group = server_groups.create(actor("member-a"), "g", "anti-affinity", {})

    def join(_: int) -> None:
        with transaction.atomic():
            server_groups.admit(actor("member-a"), group.pk)
            make_server(server_group_id=group.pk)

    results = together(join, 12)
    assert refusals(results) == [server_groups.TooManyMembers] * 8
    assert len(server_groups.members_of([group.pk])[group.pk]) == 4
