"""Services, zones and the older calls on hosts."""

from __future__ import annotations

from typing import Any

import pytest

from hosts.models import Aggregate, AggregateHost, Host
from tests.support.auth import PROJECT_A
from tests.support.client import Cloud
from tests.support.machines import make_host, make_server, use

SERVICES = "/compute/v2.1/os-services"
ZONES = "/compute/v2.1/os-availability-zone"
HOSTS = "/compute/v2.1/os-hosts"


def services(person: Any, query: str = "") -> list[dict[str, Any]]:
    response = person.get(f"{SERVICES}{query}")
    assert response.status_code == 200, response.content
    return response.json()["services"]


def in_zone(zone: str, *hosts: Host) -> Aggregate:
    aggregate = Aggregate.objects.create(name=zone, availability_zone=zone)
    for host in hosts:
        AggregateHost.objects.create(aggregate=aggregate, host=host)
    return aggregate


# --- services


def test_every_host_has_a_compute_service_beside_the_control_planes(cloud: Cloud) -> None:
    host = make_host()
    scheduler, conductor, compute = services(cloud.as_admin)
    assert (scheduler["binary"], conductor["binary"]) == ("nova-scheduler", "nova-conductor")
    assert (scheduler["zone"], scheduler["state"], conductor["state"]) == ("internal", "up", "up")
    assert compute.pop("updated_at")
    assert compute == {
        "id": host.number,
        "binary": "nova-compute",
        "host": "host-1",
        "zone": "nova",
        "status": "enabled",
        "state": "up",
        "disabled_reason": None,
    }


def test_what_each_version_shows(cloud: Cloud) -> None:
    host = make_host()
    at_2_11 = services(cloud.as_admin.at("2.11"), "?binary=nova-compute")[0]
    assert at_2_11["forced_down"] is False
    assert "forced_down" not in services(cloud.as_admin.at("2.10"))[0]
    assert services(cloud.as_admin.at("2.53"), "?host=host-1")[0]["id"] == host.pk
    assert len(services(cloud.as_admin.at("2.74"), "?colour=blue")) == 3
    assert cloud.as_admin.at("2.75").get(f"{SERVICES}?colour=blue").status_code == 400


def test_a_silent_or_forced_down_host_is_down(cloud: Cloud) -> None:
    make_host("silent", up=False)
    make_host("forced", is_forced_down=True)
    states = {row["host"]: row["state"] for row in services(cloud.as_admin, "?binary=nova-compute")}
    assert states == {"silent": "down", "forced": "down"}


def test_services_are_for_administrators(cloud: Cloud) -> None:
    make_host()
    for person in (cloud.as_member, cloud.as_manager, cloud.as_reader):
        assert person.get(SERVICES).status_code == 403
        assert person.put(f"{SERVICES}/disable", {"host": "host-1", "binary": "nova-compute"}).status_code == 403
        assert person.delete(f"{SERVICES}/1").status_code == 403
        assert person.get(f"{ZONES}/detail").status_code == 403
        assert person.get(HOSTS).status_code == 403
    assert cloud.anonymous.get(SERVICES).status_code == 401


def test_the_old_verbs_stand_in_the_path(cloud: Cloud) -> None:
    make_host()
    compute = {"host": "host-1", "binary": "nova-compute"}
    admin = cloud.as_admin.at("2.11")
    off = admin.put(f"{SERVICES}/disable-log-reason", compute | {"disabled_reason": "disk"})
    assert (off.status_code, off.json()["service"]) == (
        200, compute | {"status": "disabled", "disabled_reason": "disk"},
    )  # fmt: skip
    [row] = services(admin, "?binary=nova-compute")
    assert (row["status"], row["disabled_reason"]) == ("disabled", "disk")
    assert admin.put(f"{SERVICES}/enable", compute).json()["service"] == compute | {"status": "enabled"}
    assert admin.put(f"{SERVICES}/disable", compute).json()["service"] == compute | {"status": "disabled"}
    down = admin.put(f"{SERVICES}/force-down", compute | {"forced_down": "true"})
    assert down.json()["service"] == compute | {"forced_down": True}
    [row] = services(admin, "?binary=nova-compute")
    assert (row["state"], row["forced_down"], row["disabled_reason"]) == ("down", True, None)


def test_what_the_old_verbs_refuse(cloud: Cloud) -> None:
    make_host()
    compute = {"host": "host-1", "binary": "nova-compute"}
    admin = cloud.as_admin
    assert admin.put(f"{SERVICES}/fly", compute).status_code == 404
    assert admin.put(f"{SERVICES}/force-down", compute).status_code == 404
    assert admin.at("2.11").put(f"{SERVICES}/force-down", compute).status_code == 400
    assert admin.put(f"{SERVICES}/disable-log-reason", compute).status_code == 400
    assert admin.put(f"{SERVICES}/disable", {"host": "host-1"}).status_code == 400
    assert admin.put(f"{SERVICES}/disable", compute | {"forced_down": True}).status_code == 400
    assert admin.put(f"{SERVICES}/disable", compute | {"host": "nobody"}).status_code == 404
    assert admin.put(f"{SERVICES}/disable", {"host": "control", "binary": "nova-scheduler"}).status_code == 400


def test_from_2_53_a_service_is_changed_by_its_uuid(cloud: Cloud) -> None:
    host = make_host()
    admin = cloud.as_admin.at("2.53")
    changed = admin.put(f"{SERVICES}/{host.pk}", {"status": "disabled", "disabled_reason": "disk", "forced_down": True})
    assert changed.status_code == 200
    row = changed.json()["service"]
    assert (row["id"], row["status"], row["disabled_reason"], row["state"], row["forced_down"]) == (
        host.pk, "disabled", "disk", "down", True,
    )  # fmt: skip
    assert admin.put(f"{SERVICES}/{host.pk}", {"status": "enabled"}).json()["service"]["disabled_reason"] is None
    for wrong in (
        {},
        {"disabled_reason": "x"},
        {"status": "enabled", "disabled_reason": "x"},
        {"status": "x"},
        {"x": 1},
    ):
        assert admin.put(f"{SERVICES}/{host.pk}", wrong).status_code == 400
    assert admin.put(f"{SERVICES}/disable", {"status": "enabled"}).status_code == 400
    assert admin.put(f"{SERVICES}/{'0' * 32}", {"status": "enabled"}).status_code == 404
    scheduler = services(admin, "?binary=nova-scheduler")[0]["id"]
    assert admin.put(f"{SERVICES}/{scheduler}", {"status": "disabled"}).status_code == 400


def test_an_empty_host_can_be_taken_out_and_its_name_used_again(cloud: Cloud) -> None:
    host = make_host()
    aggregate = in_zone("z1", host)
    server = make_server(host)
    admin = cloud.as_admin.at("2.53")
    assert admin.delete(f"{SERVICES}/{host.pk}").status_code == 409
    server.delete()
    assert admin.delete(f"{SERVICES}/{host.pk}").status_code == 204
    assert services(admin, "?binary=nova-compute") == []
    assert admin.delete(f"{SERVICES}/{host.pk}").status_code == 404
    assert not aggregate.hosts.exists()
    make_host()
    assert len(services(admin, "?binary=nova-compute")) == 1


def test_deleting_needs_the_id_of_the_version(cloud: Cloud) -> None:
    host = make_host()
    assert cloud.as_admin.at("2.53").delete(f"{SERVICES}/{host.number}").status_code == 400
    assert cloud.as_admin.at("2.52").delete(f"{SERVICES}/{host.pk}").status_code == 400
    assert cloud.as_admin.at("2.52").delete(f"{SERVICES}/99999").status_code == 404
    scheduler = services(cloud.as_admin, "?binary=nova-scheduler")[0]["id"]
    assert cloud.as_admin.delete(f"{SERVICES}/{scheduler}").status_code == 400
    assert cloud.as_admin.at("2.52").delete(f"{SERVICES}/{host.number}").status_code == 204


def test_lists_cost_a_fixed_number_of_queries(cloud: Cloud, django_assert_max_num_queries: Any) -> None:
    for number in range(5):
        make_host(f"host-{number}")
    with django_assert_max_num_queries(3):
        services(cloud.as_admin)


# --- zones


def test_zones_are_the_aggregates_word_for_their_hosts(cloud: Cloud) -> None:
    in_zone("z1", make_host("a"))
    make_host("b")
    in_zone("empty")
    shown = cloud.as_reader.get(ZONES).json()["availabilityZoneInfo"]
    assert shown == [
        {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None},
        {"zoneName": "z1", "zoneState": {"available": True}, "hosts": None},
    ]


def test_a_zone_without_an_enabled_host_is_not_available(cloud: Cloud) -> None:
    in_zone("z1", make_host("a", is_disabled=True))
    make_host("b")
    states = {zone["zoneName"]: zone["zoneState"] for zone in cloud.as_member.get(ZONES).json()["availabilityZoneInfo"]}
    assert states == {"nova": {"available": True}, "z1": {"available": False}}


def test_a_cloud_without_hosts_has_its_default_zone(cloud: Cloud) -> None:
    assert [zone["zoneName"] for zone in cloud.as_member.get(ZONES).json()["availabilityZoneInfo"]] == ["nova"]


def test_administrators_see_the_hosts_of_zones(cloud: Cloud) -> None:
    make_host("a")
    make_host("b", up=False)
    zones = {zone["zoneName"]: zone for zone in cloud.as_admin.get(f"{ZONES}/detail").json()["availabilityZoneInfo"]}
    assert set(zones) == {"internal", "nova"}
    assert set(zones["nova"]["hosts"]) == {"a", "b"}
    compute = zones["nova"]["hosts"]["b"]["nova-compute"]
    assert (compute["available"], compute["active"]) == (False, True)
    assert set(zones["internal"]["hosts"]["control"]) == {"nova-scheduler", "nova-conductor"}
    assert cloud.as_member.at("2.102").get(f"{ZONES}?x=1").status_code == 400


# --- os-hosts, until 2.42


def test_hosts_are_listed_and_shown(cloud: Cloud) -> None:
    host = make_host()
    make_server(host)
    use(host, "VCPU", 2)
    use(host, "MEMORY_MB", 1024)
    listed = cloud.as_admin.get(HOSTS).json()["hosts"]
    assert {"host_name": "host-1", "service": "compute", "zone": "nova"} in listed
    assert [row["zone"] for row in cloud.as_admin.get(f"{HOSTS}?zone=nova").json()["hosts"]] == ["nova"]
    assert cloud.as_admin.get(f"{HOSTS}?zone=nothing").json() == {"hosts": []}
    shown = [row["resource"] for row in cloud.as_admin.get(f"{HOSTS}/host-1").json()["host"]]
    assert shown == [
        {"host": "host-1", "project": "(total)", "cpu": 8, "memory_mb": 16384, "disk_gb": 100},
        {"host": "host-1", "project": "(used_now)", "cpu": 2, "memory_mb": 1536, "disk_gb": 0},
        {"host": "host-1", "project": "(used_max)", "cpu": 2, "memory_mb": 1024, "disk_gb": 15},
        {"host": "host-1", "project": PROJECT_A, "cpu": 2, "memory_mb": 1024, "disk_gb": 15},
    ]
    assert cloud.as_admin.get(f"{HOSTS}/nobody").status_code == 404
    assert cloud.as_admin.at("2.43").get(HOSTS).status_code == 404


def test_hosts_are_enabled_and_disabled_but_not_powered(cloud: Cloud) -> None:
    make_host()
    admin = cloud.as_admin
    assert admin.put(f"{HOSTS}/host-1", {"status": "Disable"}).json() == {"host": "host-1", "status": "disabled"}
    assert admin.put(f"{HOSTS}/host-1", {"status": "enable"}).json() == {"host": "host-1", "status": "enabled"}
    assert admin.put(f"{HOSTS}/host-1", {"maintenance_mode": "enable"}).status_code == 501
    for wrong in ({}, {"status": "x"}, {"status": None}, {"param": "x"}, {"status": "enable", "param": "x"}):
        assert admin.put(f"{HOSTS}/host-1", wrong).status_code == 400
    assert admin.put(f"{HOSTS}/nobody", {"status": "enable"}).status_code == 404
    for verb in ("startup", "shutdown", "reboot"):
        assert admin.get(f"{HOSTS}/host-1/{verb}").status_code == 501
        assert admin.get(f"{HOSTS}/nobody/{verb}").status_code == 404
        assert cloud.as_member.get(f"{HOSTS}/host-1/{verb}").status_code == 403


@pytest.mark.parametrize("path", ["/x", "/x/reboot"])
def test_older_host_calls_are_closed_from_2_43(cloud: Cloud, path: str) -> None:
    assert cloud.as_admin.at("2.43").get(f"{HOSTS}{path}").status_code == 404
