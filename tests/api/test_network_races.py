"""Several workers at once: nobody gets another's address, and counts stay right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import close_old_connections, connection, connections, transaction

from computecloud.core.errors import CloudError
from computecloud.http.faults import was_overtaken
from integrations.networks import errors, facade, networks, subnets
from integrations.networks.facade import PortPlan, ServerRef
from integrations.networks.groups import default_group_id
from integrations.networks.models import FixedAddress, Network, Port, QuotaGate, SecurityGroup, Subnet
from tests.support.client import Cloud

A = "a" * 32
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        "memory" in str(connection.settings_dict["NAME"]) or connection.vendor == "sqlite",
        reason="SQLite's test database lives in memory and knows one writer; these need PostgreSQL",
    ),
]


@pytest.fixture
def workers() -> Iterator[Callable[..., list[Any]]]:
    """Runs a function with each argument, eight at once; gives results and CloudErrors."""

    def work(what: Callable[[int], Any], argument: int) -> Any:
        close_old_connections()
        try:
            with transaction.atomic():
                return what(argument)
        except CloudError as problem:
            return problem
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        yield lambda what, count: list(pool.map(lambda number: work(what, number), range(count)))


def boot(network_id: str, number: int) -> str:
    server = ServerRef(f"server-{number}", A, f"vm-{number}", "nova")
    [nic] = facade.allocate(server, [PortPlan(network_id)], [], "host", "host")
    return nic.fixed_ips[0].address


def test_forty_servers_at_once_on_a_network_for_thirty(workers: Any) -> None:
    network_id = facade.ensure_network(A, "private-net", "10.1.0.0/27")
    results = workers(lambda number: boot(network_id, number), 40)
    addresses = [one for one in results if isinstance(one, str)]
    assert len(addresses) == len(set(addresses)) == 29  # 30, less the DHCP port's
    assert {type(one) for one in results if not isinstance(one, str)} == {errors.NoMoreFixedIps}
    assert FixedAddress.objects.count() == 30
    assert QuotaGate.objects.get(project_id=A, resource="port").used == Port.objects.exclude(server_id="").count() == 29


def test_a_quota_of_ten_lets_ten_through(workers: Any) -> None:
    network_id = facade.ensure_network(A, "private-net", "10.1.0.0/24")
    facade.set_quotas(A, {"port": 10})
    results = workers(lambda number: boot(network_id, number), 30)
    assert len([one for one in results if isinstance(one, str)]) == 10
    assert Port.objects.exclude(server_id="").count() == 10


def test_one_default_group_however_many_ask_first(workers: Any) -> None:
    ids = workers(lambda _: default_group_id(A), 16)
    assert len(set(ids)) == 1
    assert SecurityGroup.objects.count() == 1
    assert QuotaGate.objects.get(project_id=A, resource="security_group_rule").used == 4


def test_segments_are_unique(workers: Any) -> None:
    made = workers(lambda _: networks.create(A, {"name": "n"}).segment, 24)
    assert len(set(made)) == 24


def test_overlapping_subnets_do_not_slip_in_together(workers: Any) -> None:
    network = networks.create(A, {"name": "n"})
    cidrs = ["10.0.0.0/24", "10.0.0.0/25", "10.0.0.128/25", "10.0.0.0/16"] * 3
    workers(lambda n: subnets.create(network, A, {"cidr": cidrs[n], "ip_version": 4}), len(cidrs))
    kept = sorted(Subnet.objects.values_list("cidr", flat=True))
    assert kept in (["10.0.0.0/16"], ["10.0.0.0/24"], ["10.0.0.0/25", "10.0.0.128/25"])
    assert Port.objects.filter(device_owner="network:dhcp").count() == 1


def test_a_port_is_given_to_one_server(workers: Any, cloud: Cloud) -> None:
    network_id = facade.ensure_network(A, "private-net", "10.1.0.0/24")
    body = {"port": {"network_id": network_id}}
    port_id = cloud.as_member.post("/network/v2.0/ports", body).json()["port"]["id"]

    def bind(number: int) -> Any:
        server = ServerRef(f"server-{number}", A, f"vm-{number}", "nova")
        return facade.allocate(server, [PortPlan(network_id, port_id=port_id)], [], "host", "host")

    results = workers(bind, 12)
    assert len([one for one in results if isinstance(one, list)]) == 1
    assert {type(one) for one in results if not isinstance(one, list)} == {errors.RequestedPortInUse}


def test_a_network_is_deleted_or_gets_a_port_but_not_both(workers: Any) -> None:
    network_id = facade.ensure_network(A, "private-net", "10.1.0.0/24")
    network = Network.objects.get(id=network_id)

    def either(number: int) -> Any:
        return networks.delete(network) if number % 2 else boot(network_id, number)

    try:
        workers(either, 12)
    except Exception as problem:  # noqa: BLE001  the foreign key said no at commit
        assert "foreign key" in str(problem) or was_overtaken(problem)
    assert Port.objects.count() == 0 or Network.objects.filter(id=network_id).exists()
