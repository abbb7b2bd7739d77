"""Placement for reading: the same rows that the scheduler claims, in Placement's shapes."""

from __future__ import annotations

from typing import Any

import pytest

from hosts.models import Aggregate, AggregateHost, Allocation, Host, Inventory
from tests.support.auth import PROJECT_A, PROJECT_B, user_id
from tests.support.client import Cloud, Person
from tests.support.machines import make_host

ROOT = "/placement"
SERVER = "6f0c0a4e-2c4b-4d1e-9d6a-0f1a4d7c1b11"


def ask(person: Person, path: str, version: str = "1.39") -> Any:
    return person.get(f"{ROOT}{path}", headers={"OpenStack-API-Version": f"placement {version}"})


def shown(person: Person, path: str, version: str = "1.39") -> Any:
    answer = ask(person, path, version)
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def hosts(db: None) -> list[Host]:
    one = make_host("one", traits=["HW_CPU_X86_VMX", "COMPUTE_NODE"])
    two = make_host("two", traits=["COMPUTE_NODE"])
    zone = Aggregate.objects.create(name="zone", availability_zone="z")
    AggregateHost.objects.create(aggregate=zone, host=two)
    facts = {"consumer_id": SERVER, "host": one, "project_id": PROJECT_A, "user_id": user_id("member-a")}
    for resource_class, amount in (("VCPU", 2), ("MEMORY_MB", 1024)):
        Allocation.objects.create(resource_class=resource_class, amount=amount, **facts)
        Inventory.objects.filter(host=one, resource_class=resource_class).update(used=amount, generation=3)
    return [one, two]


def test_the_version_document_and_the_versions_spoken(cloud: Cloud) -> None:
    version = cloud.anonymous.get("/placement/").json()["versions"][0]
    assert (version["min_version"], version["max_version"]) == ("1.0", "1.39")
    answer = ask(cloud.as_admin, "/resource_providers", "latest")
    assert answer["OpenStack-API-Version"] == "placement 1.39" and "Last-Modified" in answer
    assert cloud.as_admin.get("/placement/resource_providers")["OpenStack-API-Version"] == "placement 1.0"
    refused = ask(cloud.as_admin, "/resource_providers", "1.40")
    assert refused.status_code == 406 and refused.json()["errors"][0]["status"] == 406
    assert ask(cloud.as_admin, "/resource_providers", "x").status_code == 400


def test_only_admins_read_what_hosts_have(cloud: Cloud, hosts: list[Host]) -> None:
    one = f"/resource_providers/{hosts[0].id}"
    parts = ("inventories", "inventories/VCPU", "usages", "aggregates", "traits", "allocations")
    paths = [
        "/resource_providers", one, *(f"{one}/{part}" for part in parts), f"/allocations/{SERVER}", "/traits",
        "/allocation_candidates?resources=VCPU:1", "/resource_classes", "/resource_classes/VCPU",
        "/traits/COMPUTE_NODE",
    ]  # fmt: skip
    for path in paths:
        assert ask(cloud.as_admin, path).status_code in (200, 204), path
        assert ask(cloud.as_member, path).status_code == 403, path
        assert ask(cloud.as_manager, path).status_code == 403, path
        assert ask(cloud.anonymous, path).status_code == 401, path


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_writes_are_refused(cloud: Cloud, hosts: list[Host], method: str) -> None:
    one = f"/placement/resource_providers/{hosts[0].id}"
    for path in (one, f"{one}/inventories", f"{one}/traits", f"{one}/aggregates", f"/placement/allocations/{SERVER}"):
        answer = cloud.as_admin.request(method, path, {})
        assert answer.status_code == 405 and answer.json()["errors"][0]["status"] == 405, path
    assert Host.objects.count() == 2 and Allocation.objects.count() == 2


def test_a_provider_grows_links_and_relations_with_the_version(cloud: Cloud, hosts: list[Host]) -> None:
    path = f"/resource_providers/{hosts[0].id}"
    old = shown(cloud.as_admin, path, "1.0")
    assert [link["rel"] for link in old["links"]] == ["self", "inventories", "usages"]
    assert old["name"] == "one" and "root_provider_uuid" not in old
    new = shown(cloud.as_admin, path)
    assert [link["rel"] for link in new["links"]][3:] == ["aggregates", "traits", "allocations"]
    assert new["root_provider_uuid"] == hosts[0].id and new["parent_provider_uuid"] is None and new["generation"] == 6
    assert ask(cloud.as_admin, "/resource_providers/nobody").status_code == 404


def test_inventories_usages_traits_aggregates_and_allocations_of_a_provider(cloud: Cloud, hosts: list[Host]) -> None:
    one, two = (f"/resource_providers/{host.id}" for host in hosts)
    inventories = shown(cloud.as_admin, f"{one}/inventories")
    assert inventories["inventories"]["VCPU"] == {
        "total": 8, "reserved": 0, "min_unit": 1, "max_unit": 8, "step_size": 1, "allocation_ratio": 16.0,
    }  # fmt: skip
    assert inventories["resource_provider_generation"] == 6
    assert shown(cloud.as_admin, f"{one}/inventories/MEMORY_MB")["reserved"] == 512
    assert ask(cloud.as_admin, f"{one}/inventories/VGPU").status_code == 404
    assert shown(cloud.as_admin, f"{one}/usages")["usages"] == {"VCPU": 2, "MEMORY_MB": 1024, "DISK_GB": 0}
    assert shown(cloud.as_admin, f"{one}/traits")["traits"] == ["COMPUTE_NODE", "HW_CPU_X86_VMX"]
    assert ask(cloud.as_admin, f"{one}/traits", "1.5").status_code == 404
    assert len(shown(cloud.as_admin, f"{two}/aggregates")["aggregates"]) == 1
    assert "resource_provider_generation" not in shown(cloud.as_admin, f"{two}/aggregates", "1.1")
    held = shown(cloud.as_admin, f"{one}/allocations")["allocations"][SERVER]
    assert held == {"resources": {"VCPU": 2, "MEMORY_MB": 1024}, "consumer_generation": 1}


def test_providers_are_found_by_name_amount_trait_and_aggregate(cloud: Cloud, hosts: list[Host]) -> None:
    zone = Aggregate.objects.get().uuid
    expected = {
        "": ["one", "two"],
        "name=two": ["two"],
        f"uuid={hosts[0].id}": ["one"],
        f"in_tree={hosts[1].id}": ["two"],
        "resources=VCPU:4,MEMORY_MB:1024": ["one", "two"],
        "resources=MEMORY_MB:15000": ["two"],
        "resources=VCPU:9": [],
        "required=HW_CPU_X86_VMX": ["one"],
        "required=!HW_CPU_X86_VMX": ["two"],
        "required=in:HW_CPU_X86_VMX,COMPUTE_NODE": ["one", "two"],
        f"member_of={zone}": ["two"],
        f"member_of=in:{zone}": ["two"],
        f"member_of=!{zone}": ["one"],
    }
    for query, names in expected.items():
        found = shown(cloud.as_admin, f"/resource_providers?{query}")["resource_providers"]
        assert [provider["name"] for provider in found] == names, query
    for query in (
        "x=y",
        "uuid=1",
        "resources=VCPU",
        "resources=VCPU:0",
        "resources=VCPU:1,VCPU:1",
        "required=a",
        "member_of=",
    ):
        assert ask(cloud.as_admin, f"/resource_providers?{query}").status_code == 400, query
    assert ask(cloud.as_admin, "/resource_providers?required=HW_CPU_X86_VMX", "1.17").status_code == 400
    assert ask(cloud.as_admin, "/resource_providers?required=!HW_CPU_X86_VMX", "1.18").status_code == 400


def test_candidates_say_where_a_request_fits(cloud: Cloud, hosts: list[Host]) -> None:
    one, two = (host.id for host in hosts)
    found = shown(cloud.as_admin, "/allocation_candidates?resources=VCPU:1,MEMORY_MB:512")
    assert [list(request["allocations"]) for request in found["allocation_requests"]] == [[one], [two]]
    first = found["allocation_requests"][0]
    assert first["allocations"][one] == {"resources": {"VCPU": 1, "MEMORY_MB": 512}} and first["mappings"] == {
        "": [one]
    }
    summary = found["provider_summaries"][one]
    assert summary["resources"]["VCPU"] == {"capacity": 128, "used": 2} and "DISK_GB" in summary["resources"]
    assert summary["traits"] == ["COMPUTE_NODE", "HW_CPU_X86_VMX"] and summary["root_provider_uuid"] == one

    old = shown(cloud.as_admin, "/allocation_candidates?resources=VCPU:1", "1.10")
    assert old["allocation_requests"][0]["allocations"][0]["resource_provider"] == {"uuid": one}
    assert list(old["provider_summaries"][one]["resources"]) == ["VCPU"]

    limited = shown(cloud.as_admin, "/allocation_candidates?resources=VCPU:1&limit=1")
    assert len(limited["allocation_requests"]) == 1
    grouped = "/allocation_candidates?resources=VCPU:1&resources1=VCPU:8&required1=COMPUTE_NODE"
    assert shown(cloud.as_admin, f"{grouped}&group_policy=none")["allocation_requests"] == []
    assert shown(cloud.as_admin, grouped.replace("VCPU:8", "VCPU:7"))["allocation_requests"][0]["mappings"] == {
        "": [one], "1": [one],
    }  # fmt: skip
    for query in ("", "required=COMPUTE_NODE", "resources=VCPU:1&limit=0", "resources=VCPU:1&x=y", "resources=VCPU:x"):
        assert ask(cloud.as_admin, f"/allocation_candidates?{query}").status_code == 400, query
    assert ask(cloud.as_admin, "/allocation_candidates?resources=VCPU:1", "1.9").status_code == 404


def test_a_consumer_shows_what_it_holds(cloud: Cloud, hosts: list[Host]) -> None:
    new = shown(cloud.as_admin, f"/allocations/{SERVER}")
    assert new["allocations"] == {hosts[0].id: {"resources": {"VCPU": 2, "MEMORY_MB": 1024}, "generation": 6}}
    assert (new["project_id"], new["consumer_generation"], new["consumer_type"]) == (PROJECT_A, 1, "INSTANCE")
    assert "project_id" not in shown(cloud.as_admin, f"/allocations/{SERVER}", "1.11")
    assert shown(cloud.as_admin, "/allocations/nobody") == {"allocations": {}}


def test_a_project_reads_its_own_usage_and_no_other(cloud: Cloud, hosts: list[Host]) -> None:
    path = f"/usages?project_id={PROJECT_A}"
    assert shown(cloud.as_reader, path, "1.9")["usages"] == {"VCPU": 2, "MEMORY_MB": 1024}
    assert shown(cloud.as_member, path)["usages"]["INSTANCE"] == {"consumer_count": 1, "VCPU": 2, "MEMORY_MB": 1024}
    assert shown(cloud.as_admin, f"{path}&consumer_type=MIGRATION")["usages"] == {}
    assert shown(cloud.as_admin, f"{path}&consumer_type=all")["usages"]["all"]["consumer_count"] == 1
    assert shown(cloud.as_admin, f"{path}&user_id=somebody", "1.9")["usages"] == {}
    assert ask(cloud.as_other, path).status_code == 403
    assert shown(cloud.as_other, f"/usages?project_id={PROJECT_B}")["usages"] == {}
    assert ask(cloud.as_admin, "/usages").status_code == 400


def test_classes_and_traits(cloud: Cloud, hosts: list[Host]) -> None:
    classes = shown(cloud.as_admin, "/resource_classes")["resource_classes"]
    assert {"VCPU", "MEMORY_MB", "DISK_GB"} <= {one["name"] for one in classes}
    assert shown(cloud.as_admin, "/resource_classes/VCPU")["name"] == "VCPU"
    assert ask(cloud.as_admin, "/resource_classes/CUSTOM_X").status_code == 404
    own = Host.objects.get(name="one")
    own.traits = [*own.traits, "CUSTOM_GOLD"]
    own.save()
    every = shown(cloud.as_admin, "/traits")["traits"]
    assert {"COMPUTE_NODE", "CUSTOM_GOLD", "HW_CPU_X86_AVX512F"} <= set(every) and every == sorted(every)
    associated = shown(cloud.as_admin, "/traits?associated=true")["traits"]
    assert associated == ["COMPUTE_NODE", "CUSTOM_GOLD", "HW_CPU_X86_VMX"]
    assert "COMPUTE_NODE" not in shown(cloud.as_admin, "/traits?associated=false")["traits"]
    assert shown(cloud.as_admin, "/traits?name=startswith:CUSTOM")["traits"] == ["CUSTOM_GOLD"]
    assert shown(cloud.as_admin, "/traits?name=in:CUSTOM_GOLD,X")["traits"] == ["CUSTOM_GOLD"]
    for query in ("name=CUSTOM_GOLD", "associated=x", "x=y"):
        assert ask(cloud.as_admin, f"/traits?{query}").status_code == 400
    assert ask(cloud.as_admin, "/traits/COMPUTE_NODE").status_code == 204
    assert ask(cloud.as_admin, "/traits/CUSTOM_X").status_code == 404
