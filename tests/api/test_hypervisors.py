"""Hypervisors: hosts with their figures."""

from __future__ import annotations

from typing import Any

import pytest

from hosts.models import DISK_GB, MEMORY_MB, VCPU
from tests.support.client import Cloud
from tests.support.machines import make_host, make_server, use

HYPERVISORS = "/compute/v2.1/os-hypervisors"
FIGURES = {
    "vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb", "local_gb", "local_gb_used", "free_disk_gb",
    "disk_available_least", "current_workload", "running_vms", "cpu_info",
}  # fmt: skip


def listed(person: Any, path: str = "") -> list[dict[str, Any]]:
    response = person.get(f"{HYPERVISORS}{path}")
    assert response.status_code == 200, response.content
    return response.json()["hypervisors"]


def test_they_are_listed_in_brief_and_in_detail(cloud: Cloud) -> None:
    host = make_host(underlay_address="10.0.0.5", disk_free_gb=60, running_vms=1)
    for kind, amount in ((VCPU, 2), (MEMORY_MB, 1024), (DISK_GB, 15)):
        use(host, kind, amount)
    brief = {"id": host.number, "hypervisor_hostname": "host-1", "state": "up", "status": "enabled"}
    assert listed(cloud.as_admin) == [brief]
    [detail] = listed(cloud.as_admin, "/detail")
    assert detail == brief | {
        "hypervisor_type": "fake",
        "hypervisor_version": 1000,
        "host_ip": "10.0.0.5",
        "service": {"id": host.number, "host": "host-1", "disabled_reason": None},
        "vcpus": 8,
        "vcpus_used": 2,
        "memory_mb": 16384,
        "memory_mb_used": 1536,
        "free_ram_mb": 14848,
        "local_gb": 100,
        "local_gb_used": 15,
        "free_disk_gb": 85,
        "disk_available_least": 60,
        "current_workload": 0,
        "running_vms": 1,
        "cpu_info": '{"arch":"x86_64"}',
    }
    assert cloud.as_admin.get(f"{HYPERVISORS}/{host.number}").json()["hypervisor"] == detail


def test_what_each_version_shows(cloud: Cloud) -> None:
    host = make_host()

    def detail(version: str) -> dict[str, Any]:
        return listed(cloud.as_admin.at(version), "/detail")[0]

    assert detail("2.27")["cpu_info"] == '{"arch":"x86_64"}'
    assert detail("2.28")["cpu_info"] == {"arch": "x86_64"}
    assert (detail("2.52")["id"], detail("2.53")["id"]) == (host.number, host.pk)
    assert detail("2.53")["service"]["id"] == host.pk
    assert set(detail("2.87")) - set(detail("2.88")) == FIGURES
    assert set(detail("2.88")) - set(detail("2.87")) == {"uptime"}
    assert " up 1 days,  2:05" in detail("2.88")["uptime"]


def test_one_is_shown_by_the_id_of_the_version(cloud: Cloud) -> None:
    host = make_host()
    assert cloud.as_admin.at("2.53").get(f"{HYPERVISORS}/{host.pk}").status_code == 200
    assert cloud.as_admin.at("2.53").get(f"{HYPERVISORS}/{host.number}").status_code == 400
    assert cloud.as_admin.at("2.53").get(f"{HYPERVISORS}/{'0' * 32}").status_code == 404
    assert cloud.as_admin.get(f"{HYPERVISORS}/{host.pk}").status_code == 404
    missing = cloud.as_admin.get(f"{HYPERVISORS}/999")
    assert missing.json()["itemNotFound"]["message"] == "Hypervisor with ID '999' could not be found."


def test_search_and_servers_are_paths_until_2_52(cloud: Cloud) -> None:
    host = make_host("compute-one")
    make_host("other")
    server = make_server(host)
    assert [row["hypervisor_hostname"] for row in listed(cloud.as_admin, "/one/search")] == ["compute-one"]
    [row] = listed(cloud.as_admin, "/compute/servers")
    assert row["servers"] == [{"name": "web", "uuid": server.pk}]
    assert "servers" not in listed(cloud.as_admin, "/other/servers")[0]
    for verb in ("search", "servers"):
        assert cloud.as_admin.get(f"{HYPERVISORS}/nothing/{verb}").status_code == 404
        assert cloud.as_admin.at("2.53").get(f"{HYPERVISORS}/compute/{verb}").status_code == 404


def test_search_and_servers_are_questions_from_2_53(cloud: Cloud) -> None:
    host = make_host("compute-one")
    make_host("other")
    server = make_server(host)
    admin = cloud.as_admin.at("2.53")
    [row] = listed(admin, "?hypervisor_hostname_pattern=one&with_servers=True")
    assert row["servers"] == [{"name": "web", "uuid": server.pk}]
    assert "servers" not in listed(admin, "?hypervisor_hostname_pattern=other&with_servers=1")[0]
    assert listed(admin.at("2.75"), "?hypervisor_hostname_pattern=other&with_servers=1")[0]["servers"] == []
    assert "servers" not in listed(admin.at("2.75"))[0]
    shown = admin.get(f"{HYPERVISORS}/{host.pk}?with_servers=true").json()["hypervisor"]
    assert len(shown["servers"]) == 1
    assert admin.get(f"{HYPERVISORS}?hypervisor_hostname_pattern=nothing").status_code == 404
    for wrong in (
        "hypervisor_hostname_pattern=one&limit=1", "with_servers=perhaps", "x=1", "with_servers=1&with_servers=1",
        "hypervisor_hostname_pattern=a/b",
    ):  # fmt: skip
        assert admin.get(f"{HYPERVISORS}?{wrong}").status_code == 400, wrong
    assert len(listed(cloud.as_admin.at("2.52"), "?hypervisor_hostname_pattern=one&x=1")) == 2


def test_lists_are_paged_from_2_33(cloud: Cloud) -> None:
    one, two = make_host("one"), make_host("two")
    answered = cloud.as_admin.at("2.33").get(f"{HYPERVISORS}?limit=1").json()
    assert [row["id"] for row in answered["hypervisors"]] == [one.number]
    assert answered["hypervisors_links"][0]["href"].endswith(f"/os-hypervisors?limit=1&marker={one.number}")
    rest = listed(cloud.as_admin.at("2.33"), f"/detail?limit=1&marker={one.number}")
    assert [row["id"] for row in rest] == [two.number]
    assert [row["id"] for row in listed(cloud.as_admin.at("2.53"), f"?marker={one.pk}")] == [two.pk]
    assert cloud.as_admin.at("2.33").get(f"{HYPERVISORS}?marker=99").status_code == 400
    assert cloud.as_admin.at("2.53").get(f"{HYPERVISORS}?marker={one.number}").status_code == 400
    assert cloud.as_admin.at("2.53").get(f"{HYPERVISORS}?limit=-1").status_code == 400
    assert len(listed(cloud.as_admin.at("2.32"), "?limit=1")) == 2


def test_uptime_until_2_87(cloud: Cloud) -> None:
    host, silent = make_host(), make_host("silent", up=False)
    told = cloud.as_admin.get(f"{HYPERVISORS}/{host.number}/uptime")
    assert set(told.json()["hypervisor"]) == {"id", "hypervisor_hostname", "state", "status", "uptime"}
    assert cloud.as_admin.get(f"{HYPERVISORS}/{silent.number}/uptime").status_code == 400
    assert cloud.as_admin.get(f"{HYPERVISORS}/999/uptime").status_code == 404
    assert cloud.as_admin.at("2.87").get(f"{HYPERVISORS}/{host.pk}/uptime").status_code == 200
    assert cloud.as_admin.at("2.88").get(f"{HYPERVISORS}/{host.pk}/uptime").status_code == 404


def test_statistics_sum_the_enabled_hosts_until_2_87(cloud: Cloud) -> None:
    make_host("a")
    make_host("b")
    make_host("c", is_disabled=True)
    sums = cloud.as_admin.get(f"{HYPERVISORS}/statistics").json()["hypervisor_statistics"]
    assert (sums["count"], sums["vcpus"], sums["memory_mb"], sums["free_disk_gb"]) == (2, 16, 32768, 200)
    assert set(sums) == FIGURES - {"cpu_info"} | {"count"}
    assert cloud.as_admin.at("2.88").get(f"{HYPERVISORS}/statistics").status_code in (400, 404)


@pytest.mark.parametrize("path", ["", "/detail", "/1", "/statistics", "/1/uptime", "/x/search", "/x/servers"])
def test_they_are_for_administrators(cloud: Cloud, path: str) -> None:
    make_host()
    assert cloud.as_manager.get(f"{HYPERVISORS}{path}").status_code == 403


def test_lists_cost_a_fixed_number_of_queries(cloud: Cloud, django_assert_max_num_queries: Any) -> None:
    for number in range(5):
        make_server(make_host(f"host-{number}"))
    with django_assert_max_num_queries(3):
        listed(cloud.as_admin.at("2.75"), "/detail?with_servers=1")
