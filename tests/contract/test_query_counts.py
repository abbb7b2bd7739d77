"""Lists ask as many questions for twenty rows as for two."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hosts.models import Aggregate, AggregateHost
from integrations.identity.models import Project, User
from integrations.images.models import ImageTag
from operations.models import Operation, Step
from tests.support.auth import PROJECT_A
from tests.support.client import Person
from tests.support.machines import make_host
from tests.support.servers import forget_everything, make_flavor, make_image, make_server
from tests.support.tenant import V2, Tenant

Maker = Callable[[Tenant, int], Any]


def _server(tenant: Tenant, number: int) -> Any:
    host = make_host(f"host-of-{number}")
    server = make_server(name=f"s{number}", host=host, metadata={"a": "b"}, flavor_id=f"f{number % 3}")
    for tag in ("x", "y"):
        tenant.cloud.as_member.at("2.26").put(f"/compute/v2.1/servers/{server.id}/tags/{tag}")


def _port(tenant: Tenant, number: int) -> Any:
    [subnet] = tenant.cloud.as_admin.get(f"{V2}/subnets?cidr=10.9.0.0/24").json()["subnets"]  # the server's, with room
    wanted = {"name": f"p{number}", "network_id": subnet["network_id"]}
    made = tenant.cloud.as_member.post(f"{V2}/ports", {"port": wanted}).json()["port"]
    tenant.cloud.as_member.put(f"{V2}/ports/{made['id']}/tags/t{number}", {})


def _network(tenant: Tenant, number: int) -> Any:
    made = tenant.cloud.as_member.post(f"{V2}/networks", {"network": {"name": f"n{number}"}}).json()["network"]
    wanted = {"network_id": made["id"], "cidr": f"10.{number + 20}.0.0/24", "ip_version": 4}
    assert tenant.cloud.as_member.post(f"{V2}/subnets", {"subnet": wanted}).status_code == 201


def _group(tenant: Tenant, number: int) -> Any:
    Person("admin").put(f"{V2}/quotas/{PROJECT_A}", {"quota": {"security_group": -1}})
    made = tenant.cloud.as_member.post(f"{V2}/security-groups", {"security_group": {"name": f"g{number}"}})
    assert made.status_code == 201


def _image(tenant: Tenant, number: int) -> Any:
    image = make_image(id=f"{number:08d}-1111-4111-8111-111111111111", name=f"i{number}")
    ImageTag.objects.create(image=image, tag="x")


def _project(tenant: Tenant, number: int) -> Any:
    Project.objects.create(name=f"project-{number}", domain_id="default").tags.create(name="x")


def _operation(tenant: Tenant, number: int) -> Any:
    made = Operation.objects.create(
        subject_kind="server", subject_id=f"s{number}", verb="create", project_id=PROJECT_A, exclusive=False,
        deadline_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    Step.objects.create(operation=made, attempt=1, seq=1, name="disk", state="done")


def _host(tenant: Tenant, number: int) -> Any:
    host = make_host(f"busy-{number}")
    make_server(name=f"on-{number}", host=host)
    rack = Aggregate.objects.create(name=f"rack-{number}", availability_zone=f"z{number}")
    AggregateHost.objects.create(aggregate=rack, host=host)


def _flavor(_tenant: Tenant, number: int) -> Any:
    make_flavor(f"flavor-{number}", id=f"f{number}", extra_specs={"hw:cpu_policy": "shared"})


def _key(tenant: Tenant, number: int) -> Any:
    assert (
        tenant.cloud.as_admin.post("/compute/v2.1/os-keypairs", {"keypair": {"name": f"k{number}"}}).status_code == 200
    )


def _server_group(tenant: Tenant, number: int) -> Any:
    wanted = {"server_group": {"name": f"g{number}", "policies": ["affinity"]}}
    Person("admin").put(f"/compute/v2.1/os-quota-sets/{PROJECT_A}", {"quota_set": {"server_groups": -1}})
    made = tenant.cloud.as_member.post("/compute/v2.1/os-server-groups", wanted).json()["server_group"]
    make_server(name=f"in-{number}", server_group_id=made["id"])


LISTS: dict[str, tuple[str, Maker]] = {
    "servers": ("/compute/v2.1/servers", _server),
    "servers detail": ("/compute/v2.1/servers/detail", _server),
    "servers detail of all": ("/compute/v2.1/servers/detail?all_tenants=1", _server),
    "flavors detail": ("/compute/v2.1/flavors/detail", _flavor),
    "key pairs": ("/compute/v2.1/os-keypairs", _key),
    "server groups": ("/compute/v2.1/os-server-groups?all_projects=1", _server_group),
    "aggregates": ("/compute/v2.1/os-aggregates", _host),
    "hypervisors": ("/compute/v2.1/os-hypervisors/detail", _host),
    "hypervisors with servers": ("/compute/v2.1/os-hypervisors?with_servers=true", _host),
    "services": ("/compute/v2.1/os-services", _host),
    "zones": ("/compute/v2.1/os-availability-zone/detail", _host),
    "providers": ("/placement/resource_providers", _host),
    "candidates": ("/placement/allocation_candidates?resources=VCPU:1,MEMORY_MB:64", _host),
    "usage": ("/compute/v2.1/os-simple-tenant-usage?detailed=1&start=2020-01-01T00:00:00", _server),
    "ports": (f"{V2}/ports", _port),
    "networks": (f"{V2}/networks", _network),
    "subnets": (f"{V2}/subnets", _network),
    "security groups": (f"{V2}/security-groups", _group),
    "images": ("/image/v2/images", _image),
    "images of compute": ("/compute/v2.1/images/detail", _image),
    "projects": ("/identity/v3/projects", _project),
    "users": (
        "/identity/v3/users",
        lambda _tenant, number: User.objects.create(name=f"user-{number}", domain_id="default"),
    ),
    "operations": ("/api/v1/operations", _operation),
    "hosts": ("/api/v1/hosts", _host),
}
OLD = {"images of compute": "2.35"}


def asked(person: Person, path: str, service_version: str) -> tuple[list[str], int]:
    """The statements of one list, and how much it answered."""
    forget_everything()
    with CaptureQueriesContext(connection) as captured:
        headers = {"OpenStack-API-Version": f"placement {service_version}"} if "placement" in path else {}
        answer = (person if "placement" in path else person.at(service_version)).get(path, headers=headers)
    assert answer.status_code == 200, answer.content
    return [one["sql"] for one in captured.captured_queries], len(answer.content)


@pytest.mark.parametrize("name", list(LISTS))
def test_a_list_asks_the_same_for_two_rows_and_for_twenty(tenant: Tenant, name: str) -> None:
    path, make = LISTS[name]
    admin = tenant.cloud.as_admin
    version = "1.39" if "placement" in path else OLD.get(name, "2.104")
    for number in range(2):
        make(tenant, number)
    if name in ("servers", "servers detail"):
        path += f"?all_tenants=1&project_id={PROJECT_A}"
    few, short = asked(admin, path, version)
    for number in range(2, 20):
        make(tenant, number)
    many, long = asked(admin, path, version)
    assert long > short * 1.5, "the rows are not in the list"
    more = [sql for sql in many if many.count(sql) > few.count(sql)][:3]
    assert len(many) <= len(few), f"{len(few)} statements became {len(many)}: {more}"
    assert len(many) <= 12, f"{len(many)} statements for one list"
