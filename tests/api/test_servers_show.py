"""GET /servers/{id}: what is shown, from which version on, and to whom."""

from __future__ import annotations

from typing import Any

import pytest

from computecloud.core.clock import utcnow
from instances.models import Instance, InstanceTag, ServerGroup
from instances.states import VmState
from tests.support.auth import PROJECT_A, PROJECT_B, user_id
from tests.support.client import Cloud
from tests.support.servers import IMAGE, forget_everything, make_host, make_server

PATH = "/compute/v2.1/servers"
BASE = {
    "id", "name", "status", "tenant_id", "user_id", "metadata", "hostId", "image", "flavor", "created", "updated",
    "addresses", "accessIPv4", "accessIPv6", "links", "OS-DCF:diskConfig", "progress", "OS-EXT-AZ:availability_zone",
    "config_drive", "key_name", "OS-SRV-USG:launched_at", "OS-SRV-USG:terminated_at", "OS-EXT-STS:task_state",
    "OS-EXT-STS:vm_state", "OS-EXT-STS:power_state", "os-extended-volumes:volumes_attached",
}  # fmt: skip
ARRIVALS = [
    ("2.9", "locked"), ("2.19", "description"), ("2.26", "tags"), ("2.63", "trusted_image_certificates"),
    ("2.71", "server_groups"), ("2.73", "locked_reason"), ("2.90", "OS-EXT-SRV-ATTR:hostname"),
    ("2.96", "pinned_availability_zone"), ("2.100", "scheduler_hints"),
]  # fmt: skip
FOR_OPERATORS = {"OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:hypervisor_hostname", "OS-EXT-SRV-ATTR:instance_name"}
FOR_OPERATORS_SINCE_2_3 = {
    f"OS-EXT-SRV-ATTR:{name}"
    for name in (
        "hostname", "reservation_id", "launch_index", "kernel_id", "ramdisk_id", "root_device_name", "user_data",
    )
}  # fmt: skip


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()


def show(person: Any, server: Instance, version: str = "2.1") -> dict[str, Any]:
    answer = person.at(version).get(f"{PATH}/{server.id}")
    assert answer.status_code == 200, answer.content
    shown: dict[str, Any] = answer.json()["server"]
    return shown


@pytest.mark.parametrize("minor", [1, 8, 9, 18, 26, 47, 62, 72, 89, 99, 104])
def test_a_member_sees_the_fields_of_the_version_and_no_others(cloud: Cloud, minor: int) -> None:
    server = make_server(host=make_host())
    expected = BASE | {name for since, name in ARRIVALS if minor >= int(since[2:])}

    assert set(show(cloud.as_member, server, f"2.{minor}")) == expected


@pytest.mark.parametrize(("version", "more"), [("2.1", set()), ("2.3", FOR_OPERATORS_SINCE_2_3)])
def test_an_administrator_also_sees_where_it_runs(cloud: Cloud, version: str, more: set[str]) -> None:
    server = make_server(host=make_host("compute-7"), user_data="IyEvYmluL3No")

    shown = show(cloud.as_admin, server, version)

    assert set(shown) == BASE | FOR_OPERATORS | more
    assert shown["OS-EXT-SRV-ATTR:host"] == shown["OS-EXT-SRV-ATTR:hypervisor_hostname"] == "compute-7"


def test_times_states_and_places_are_written_as_nova_writes_them(cloud: Cloud) -> None:
    moment = utcnow().replace(year=2026, month=11, day=22, hour=11, minute=0, second=7, microsecond=120)
    server = make_server(host=make_host(), created_at=moment, updated_at=moment, launched_at=moment)

    shown = show(cloud.as_member, server, "2.96")

    assert shown["created"] == shown["updated"] == "2026-11-22T11:00:07Z"
    assert shown["OS-SRV-USG:launched_at"] == "2026-11-22T11:00:07.000120"
    assert shown["OS-SRV-USG:terminated_at"] is None
    assert (shown["status"], shown["OS-EXT-STS:vm_state"], shown["OS-EXT-STS:power_state"]) == ("ACTIVE", "active", 1)
    assert shown["OS-EXT-AZ:availability_zone"] == "nova"
    assert shown["pinned_availability_zone"] is None
    assert shown["config_drive"] == ""
    assert shown["links"][0]["href"].endswith(f"/compute/v2.1/servers/{server.id}")


def test_a_time_without_a_fraction_is_whole(cloud: Cloud) -> None:
    server = make_server(launched_at=utcnow().replace(microsecond=0))

    assert show(cloud.as_member, server)["OS-SRV-USG:launched_at"].endswith(".000000")


def test_the_host_is_hidden_behind_a_digest_that_differs_between_projects(cloud: Cloud) -> None:
    host = make_host()
    first, second = make_server(host=host), make_server(host=host)
    foreign = make_server(host=host, project_id=PROJECT_B)

    digests = [show(cloud.as_member, server)["hostId"] for server in (first, second)]

    assert digests[0] == digests[1] != show(cloud.as_other, foreign)["hostId"]
    assert len(digests[0]) == 56


def test_addresses_appear_once_it_is_built(cloud: Cloud) -> None:
    building, built = make_server(VmState.BUILDING), make_server()
    nic = {"OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01"}

    assert show(cloud.as_member, building)["addresses"] == {}
    assert show(cloud.as_member, built)["addresses"] == {
        "private-net": [
            {"version": 4, "addr": "10.0.0.5"} | nic,
            {"version": 6, "addr": "fd00::5"} | nic,
        ]
    }


def test_the_flavor_is_a_link_until_2_46_and_figures_after(cloud: Cloud) -> None:
    server = make_server(swap_mb=64)

    assert set(show(cloud.as_member, server, "2.46")["flavor"]) == {"id", "links"}
    assert show(cloud.as_member, server, "2.47")["flavor"] == {
        "vcpus": 1, "ram": 512, "disk": 1, "ephemeral": 0, "swap": 64, "original_name": "m1.tiny",
        "extra_specs": {"hw:cpu_policy": "shared"},
    }  # fmt: skip


def test_the_image_shows_what_means_something_to_compute_from_2_98(cloud: Cloud) -> None:
    server, volume_backed = make_server(), make_server(image_id="")

    assert set(show(cloud.as_member, server, "2.97")["image"]) == {"id", "links"}
    assert show(cloud.as_member, server, "2.98")["image"]["properties"] == {"hw_disk_bus": "virtio"}
    assert show(cloud.as_member, server, "2.98")["image"]["id"] == IMAGE
    assert show(cloud.as_member, volume_backed, "2.98")["image"] == ""


def test_the_details_of_a_fault_are_for_administrators(cloud: Cloud) -> None:
    fault = {"fault_code": 500, "fault_message": "No valid host", "fault_details": "RamFilter", "fault_at": utcnow()}
    server, told = make_server(VmState.ERROR, **fault), make_server(VmState.ERROR, **(fault | {"fault_code": 400}))
    mended = make_server(**fault)

    assert set(show(cloud.as_member, server)["fault"]) == {"code", "created", "message"}
    assert show(cloud.as_admin, server)["fault"]["details"] == "RamFilter"
    assert show(cloud.as_member, told)["fault"]["details"] == "RamFilter"
    assert "fault" not in show(cloud.as_member, mended)
    assert "progress" not in show(cloud.as_member, server)


def test_tags_groups_and_locks(cloud: Cloud) -> None:
    group = ServerGroup.objects.create(project_id=PROJECT_A, user_id="u", name="g", policy="affinity")
    columns = {"locked_by": "owner", "locked_reason": "backup", "scheduler_hints": {"a": "b"}}
    server = make_server(server_group_id=group.id, **columns)
    InstanceTag.objects.bulk_create([InstanceTag(instance=server, tag=tag) for tag in ("web", "blue")])

    shown = show(cloud.as_member, server, "2.100")

    assert shown["tags"] == ["blue", "web"]
    assert shown["server_groups"] == [group.id]
    assert (shown["locked"], shown["locked_reason"]) == (True, "backup")
    assert shown["scheduler_hints"] == {"a": "b"}
    group.delete()
    assert show(cloud.as_member, server, "2.71")["server_groups"] == []


@pytest.mark.parametrize(
    ("columns", "expected"),
    [({}, "UNKNOWN"), ({"is_disabled": True}, "MAINTENANCE"), ({"is_forced_down": True}, "DOWN")],
)
def test_the_state_of_the_host_is_for_administrators(cloud: Cloud, columns: dict[str, Any], expected: str) -> None:
    server = make_server(host=make_host(**columns))

    assert show(cloud.as_admin, server, "2.16")["host_status"] == expected
    assert "host_status" not in show(cloud.as_member, server, "2.16")
    assert "host_status" not in show(cloud.as_admin, server, "2.15")


def test_a_server_without_a_host_has_an_empty_host_status(cloud: Cloud) -> None:
    shown = show(cloud.as_admin, make_server(VmState.BUILDING), "2.16")

    assert (shown["host_status"], shown["OS-EXT-SRV-ATTR:host"], shown["hostId"]) == ("", None, "")


def test_strangers_find_nothing_and_nobody_finds_what_is_deleted(cloud: Cloud) -> None:
    server, deleted = make_server(), make_server(VmState.DELETED, deleted_at=utcnow())

    assert cloud.as_other.get(f"{PATH}/{server.id}").status_code == 404
    assert cloud.as_reader.get(f"{PATH}/{server.id}").status_code == 200
    assert cloud.as_admin.get(f"{PATH}/{server.id}").status_code == 200
    assert cloud.as_admin.get(f"{PATH}/{deleted.id}").status_code == 404
    assert cloud.anonymous.get(f"{PATH}/{server.id}").status_code == 401
    assert cloud.as_member.get(f"{PATH}/web").json() == {
        "itemNotFound": {"code": 404, "message": "Instance web could not be found."}
    }


def test_unknown_query_fields_are_refused_from_2_102(cloud: Cloud) -> None:
    server = make_server()

    assert cloud.as_member.at("2.101").get(f"{PATH}/{server.id}?colour=blue").status_code == 200
    assert cloud.as_member.at("2.102").get(f"{PATH}/{server.id}?colour=blue").status_code == 400


def test_the_old_path_ends_with_2_102(cloud: Cloud) -> None:
    server = make_server()

    assert cloud.as_member.at("2.102").get(f"/compute/v2.1/os-volumes_boot/{server.id}").status_code == 200
    assert cloud.as_member.at("2.103").get(f"/compute/v2.1/os-volumes_boot/{server.id}").status_code == 404
    assert cloud.as_member.get(f"/compute/v2.1/{PROJECT_A}/servers/{server.id}").status_code == 200


def test_one_server_costs_two_queries(cloud: Cloud, django_assert_num_queries: Any) -> None:
    server = make_server(host=make_host(), user_id=user_id("member-a"))
    show(cloud.as_member, server, "2.100")

    with django_assert_num_queries(2):
        show(cloud.as_member, server, "2.100")
