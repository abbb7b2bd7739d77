"""One thing of each kind that belongs to project A (or to its member), and what stands for each path parameter."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from computecloud.core.ids import new_uuid
from computecloud.http.services import Version
from hosts.models import Aggregate, AggregateHost, Host
from instances.models import Flavor, FlavorAccess, Instance
from integrations.identity import bootstrap
from integrations.identity.models import (
    ApplicationCredential,
    Assignment,
    Domain,
    Endpoint,
    Group,
    Project,
    Region,
    Role,
    RoleImplication,
    Service,
    User,
)
from operations.models import Operation
from scheduling import records, service
from scheduling.models import Decision
from scheduling.request import PlacementRequest
from tests.support.auth import PROJECT_A, PROJECT_ADMIN, PROJECT_B, user_id
from tests.support.client import Cloud
from tests.support.machines import make_host
from tests.support.servers import make_server_with_port

MARKER = "belongs-to-a"
"""In the name or a value of everything that A owns: nobody else may ever read it."""

V2 = "/network/v2.0"


class Things:
    """``values``: what to put in a path for (segment before, parameter). ``owned``: those that are A's."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.values: dict[tuple[str, str], str] = {}
        self.owned: set[tuple[str, str]] = set()
        self.by_version: dict[tuple[tuple[str, str], Version], str] = {}

    def at(self, version: Version | None) -> dict[tuple[str, str], str]:
        """The values at a version: hypervisors were numbers before they were uuids."""
        later = {place: value for (place, since), value in self.by_version.items() if version and version >= since}
        return self.values | later


class Tenant(Things):
    """Makes them all, by the API where it can and as rows where only other processes would."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._identity()
        self._network()
        self._image()
        self._server()
        self._compute()
        self._operators_things()
        self._words()

    def _own(self, value: str, *places: tuple[str, str]) -> str:
        self.values |= dict.fromkeys(places, value)
        self.owned |= set(places)
        return value

    def _put(self, value: str, *places: tuple[str, str]) -> str:
        self.values |= dict.fromkeys(places, value)
        return value

    def _made(self, path: str, body: dict[str, Any], person: Any = None) -> dict[str, Any]:
        answer = (person or self.cloud.as_member).post(path, body)
        assert answer.status_code in (200, 201), answer.content
        [inner] = answer.json().values() if len(answer.json()) == 1 else [answer.json()]
        return dict(inner)

    def _identity(self) -> None:
        roles = bootstrap.ensure_roles()
        domain = Domain.objects.create(name=f"{MARKER}-domain")
        default = Domain.objects.get(id="default")
        for id, name in ((PROJECT_A, "a"), (PROJECT_B, "b"), (PROJECT_ADMIN, "the-admins")):
            Project.objects.create(id=id, name=name, domain=default, description=MARKER if name == "a" else "")
        for name in ("admin", "member-a", "reader-a", "manager-a", "member-b", "reader-b"):
            columns = {"id": user_id(name), "email": MARKER if name[-1] == "a" else ""}
            User.objects.get_or_create(name=name, domain=default, defaults=columns)  # a running cloud has its admin
        self.project = Project.objects.get(id=PROJECT_A)
        self.project.tags.create(name="red")
        user = User.objects.get(id=user_id("member-a"))
        group = Group.objects.create(name=f"{MARKER}-group", domain=default)
        group.members.create(user=user)
        role = Role.objects.create(name="gardener")
        RoleImplication.objects.create(prior=role, implied=roles["reader"])
        for target in ({"project": self.project}, {"domain": domain}):
            for holder in ({"user": user}, {"group": group}):
                for inherited in (False, True):
                    Assignment.objects.create(role=role, inherited=inherited, **target, **holder)
        Assignment.objects.create(role=role, user=user, system=True)
        Assignment.objects.create(role=role, group=group, system=True)
        secret = ApplicationCredential.objects.create(
            name=MARKER, user=user, project=self.project, secret_hash="x", description=MARKER
        )
        blob = {"credential": {"type": "cert", "blob": MARKER, "user_id": user.id, "project_id": PROJECT_A}}
        kept = self._made("/identity/v3/credentials", blob, self.cloud.as_admin)
        region = Region.objects.create(id="far", description="")
        service = Service.objects.create(type="object-store", name="beside")
        endpoint = Endpoint.objects.create(service=service, interface="public", region_id=region.id, url="http://x/")
        self._own(PROJECT_A, ("projects", "project_id"))
        self._own(domain.id, ("domains", "domain_id"))
        self._own(user.id, ("users", "user_id"))
        self._own(group.id, ("groups", "group_id"))
        self._own(secret.id, ("application_credentials", "credential_id"))
        self._own(kept["id"], ("credentials", "credential_id"))
        self._put(role.id, ("roles", "role_id"), ("roles", "prior_id"))
        self._put(roles["reader"].id, ("implies", "implied_id"))
        self._put(region.id, ("regions", "region_id"))
        self._put(service.id, ("services", "service_id"))
        self._put(endpoint.id, ("endpoints", "endpoint_id"))

    def _network(self) -> None:
        network = self._made(f"{V2}/networks", {"network": {"name": MARKER}})["id"]
        wanted = {"name": MARKER, "network_id": network, "cidr": "10.1.0.0/28", "ip_version": 4}
        subnet = self._made(f"{V2}/subnets", {"subnet": wanted})["id"]
        pool = {"name": MARKER, "prefixes": ["10.0.0.0/8"]}
        group = self._made(f"{V2}/security-groups", {"security_group": {"name": MARKER}})["id"]
        rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp", "description": MARKER}
        things = {
            "networks": network,
            "subnets": subnet,
            "ports": self._made(f"{V2}/ports", {"port": {"name": MARKER, "network_id": network}})["id"],
            "subnetpools": self._made(f"{V2}/subnetpools", {"subnetpool": pool})["id"],
            "routers": self._made(f"{V2}/routers", {"router": {"name": MARKER}})["id"],
            "security-groups": group,
        }
        for kind, id in things.items():
            assert self.cloud.as_member.put(f"{V2}/{kind}/{id}/tags/red", {}).status_code < 300
            self._own(id, (kind, "pk"))
        found = self._made(f"{V2}/security-group-rules", {"security_group_rule": rule})["id"]
        self._own(found, ("security-group-rules", "pk"), ("os-security-group-rules", "rule_id"))
        self._own(network, ("os-networks", "network_id"), ("os-tenant-networks", "network_id"), ("os-networks", "id"))
        self._own(group, ("os-security-groups", "group_id"))
        self._own(PROJECT_A, ("quotas", "pk"))
        self._put(new_uuid(), ("floatingips", "pk"), ("agents", "pk"))

    def _image(self) -> None:
        wanted = {"name": MARKER, "disk_format": "raw", "container_format": "bare", "tags": ["red"], "key": MARKER}
        image = self.cloud.as_member.post("/image/v2/images", wanted).json()
        self._own(image["id"], ("images", "image_id"))
        person, path = self.cloud.as_member, f"/image/v2/images/{image['id']}"
        assert person.put(f"{path}/file", data=bytes(512)).status_code == 204
        self._own("c" * 32, ("members", "member_id"))
        assert person.post(f"{path}/members", {"member": "c" * 32}).status_code == 200

    def _server(self) -> None:
        flavor = Flavor.objects.create(
            id="private", name=f"{MARKER}-flavor", vcpus=1, ram_mb=64, is_public=False, extra_specs={"key": MARKER}
        )
        FlavorAccess.objects.create(flavor=flavor, project_id=PROJECT_A)
        self.server = make_server_with_port(
            name=MARKER,
            description=MARKER,
            hostname=MARKER,
            metadata={"key": MARKER},
            user_data="QUFB",
            key_name=MARKER,
        )
        self.host = self.server.host
        request_id = f"req-{new_uuid()}"
        done = Operation.objects.create(
            subject_kind="server", subject_id=self.server.id, verb="create", project_id=PROJECT_A, exclusive=False,
            user_id=user_id("member-a"), request_id=request_id, state="succeeded",
            deadline_at=timezone.now() + timedelta(hours=1),
        )  # fmt: skip
        path = f"/compute/v2.1/servers/{self.server.id}"
        assert self.cloud.as_member.at("2.26").put(f"{path}/tags/red").status_code == 201
        port = Instance.objects.get(id=self.server.id).network_info[0]
        self._own(flavor.id, ("flavors", "flavor_id"))
        self._own(self.server.id, ("servers", "server_id"), ("os-volumes_boot", "server_id"))
        self._own(self.server.id, ("allocations", "consumer"))
        self._own(request_id, ("os-instance-actions", "request_id"))
        self._own(done.id, ("operations", "id"))
        self._own(self._decision(), ("decisions", "id"))
        self._own(port["port_id"], ("os-interface", "port_id"))
        self._own(port["network_name"], ("ips", "network"))

    def _decision(self) -> str:
        """About a server of A's, as the scheduler's process would have stored it."""
        service.forget()
        wish = PlacementRequest(
            self.server.id, PROJECT_A, user_id("member-a"), {"VCPU": 1}, hints={"note": MARKER}, trigger="resize"
        )
        verdict = service.ask(wish)
        seen = records.see(verdict, service.TABLE.table, service.SNAPSHOTS)
        records.store(seen, None, 0, f"No valid host was found. {MARKER}")
        return Decision.objects.get(consumer_id=self.server.id).id

    def _compute(self) -> None:
        self._own(
            self._made("/compute/v2.1/os-keypairs", {"keypair": {"name": "the-key"}})["name"], ("os-keypairs", "name")
        )
        wanted = {"server_group": {"name": MARKER, "policies": ["affinity"]}}
        self._own(self._made("/compute/v2.1/os-server-groups", wanted)["id"], ("os-server-groups", "group_id"))
        self._own(PROJECT_A, ("os-quota-sets", "project_id"), ("os-simple-tenant-usage", "project_id"))

    def _operators_things(self) -> None:
        """Hosts and their groups: an administrator's, never a project's."""
        host: Host = make_host(f"{MARKER}-host")
        rack = Aggregate.objects.create(name=f"{MARKER}-rack", availability_zone="east")
        AggregateHost.objects.create(aggregate=rack, host=host)
        self._own(host.id, ("hosts", "id"), ("resource_providers", "uuid"))
        self._own(str(host.number), ("os-hypervisors", "hypervisor_id"))
        self.by_version[("os-hypervisors", "hypervisor_id"), (2, 53)] = host.id
        self._own(host.name, ("os-hosts", "name"))
        self._own(host.id, ("os-services", "service_id"))
        self._own(str(rack.id), ("os-aggregates", "aggregate_id"))

    def _words(self) -> None:
        """Parameters that name no one's thing."""
        self._put("red", ("tags", "tag"))
        self._put("key", ("metadata", "key"), ("os-extra_specs", "key"))
        self._put("VCPU", ("inventories", "resource_class"), ("resource_classes", "name"))
        self._put("HW_CPU_X86_VMX", ("traits", "name"))
        self._put("images", ("schemas", "name"))
        self._put("default", ("os-quota-class-sets", "name"))
        self._put("servers", ("extensions", "alias"))
        self._put("quotas", ("extensions", "pk"))
        self._put("v2.1", ("versions", "version_id"))
        self._put("2026-01-01 00:00:00", ("os-instance_usage_audit_log", "before"))
        for segment in (
            "os-agents", "os-baremetal-nodes", "os-cells", "os-certificates", "os-cloudpipe", "os-fixed-ips",
            "os-floating-ip-dns", "os-floating-ips", "os-floating-ips-bulk", "os-fping", "os-snapshots", "os-volumes",
            "os-security-group-default-rules", "consoles", "entries",
        ):  # fmt: skip
            self._put("1", (segment, "id"))
        self._put("1", ("os-floating-ip-dns", "domain_id"))
        self._put(new_uuid(), ("os-volume_attachments", "volume_id"), ("shares", "share_id"))
        self._put("1", ("migrations", "migration_id"), ("os-assisted-volume-snapshots", "snapshot_id"))
        self._put("1", ("os-console-auth-tokens", "token"))
