"""POST /servers: what may be asked at which version, what is refused and in which words, what is written."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hosts.models import Aggregate
from instances.models import Instance, InstanceTag, ServerGroup, UserQuota
from integrations.images import facade as images
from integrations.networks import facade as networks
from integrations.networks.models import SecurityGroup
from operations import sealed
from operations.models import Operation, QuotaGate
from tests.support.auth import PROJECT_A, PROJECT_B, user_id
from tests.support.client import Cloud
from tests.support.servers import IMAGE, forget_everything, make_flavor, make_host, make_image, make_key

PATH = "/compute/v2.1/servers"
UNKNOWN = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(autouse=True)
def stock(db: None) -> None:
    forget_everything()
    images.forget(UNKNOWN)
    make_flavor()
    make_image()


def body(**fields: Any) -> dict[str, Any]:
    return {"server": {"name": "web", "flavorRef": "1", "imageRef": IMAGE, "networks": "none"} | fields}


def old(**fields: Any) -> dict[str, Any]:
    """A body for versions before 2.37, which do not know the word "none"."""
    asked = body(**fields)
    if asked["server"]["networks"] == "none":
        del asked["server"]["networks"]
    return asked


def refused(answer: Any, status: int = 400) -> str:
    assert answer.status_code == status, answer.content
    assert not Instance.objects.exists()
    (fault,) = answer.json().values()
    assert fault["code"] == status
    return str(fault["message"])


def created(answer: Any) -> Instance:
    assert answer.status_code == 202, answer.content
    return Instance.objects.get(id=answer.json()["server"]["id"])


# --- the plain story


def test_the_answer_says_where_to_look_and_the_password(cloud: Cloud) -> None:
    answer = cloud.as_member.at("2.100").post(PATH, body())

    server = created(answer)
    shown = answer.json()["server"]
    assert set(shown) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}
    assert answer.headers["Location"] == f"http://127.0.0.1:8774/compute/v2.1/servers/{server.id}"
    assert shown["security_groups"] == [{"name": "default"}]
    assert shown["OS-DCF:diskConfig"] == "MANUAL"
    assert len(shown["adminPass"]) == 12
    assert (server.status, server.task_state, server.project_id) == ("BUILD", "scheduling", PROJECT_A)
    operation = Operation.objects.get(subject_id=server.id)
    assert (operation.verb, operation.request_id) == ("create", answer.headers["X-Compute-Request-Id"])
    assert sealed.unseal(operation.sealed) == {"admin_password": shown["adminPass"]}


def test_what_was_asked_is_what_is_shown(cloud: Cloud) -> None:
    make_key()
    asked = body(
        name="db", description="the database", metadata={"role": "db"}, tags=["b", "a", "b"], key_name="mine",
        hostname="db-1.example.org", accessIPv4="192.0.2.1", accessIPv6="2001:db8::1", config_drive=True,
        user_data=base64.b64encode(b"#!/bin/sh").decode(), adminPass="secret-word", **{"OS-DCF:diskConfig": "AUTO"},
    )  # fmt: skip
    asked["os:scheduler_hints"] = {"colour": "blue"}

    server = created(cloud.as_member.at("2.94").post(PATH, asked))
    shown = cloud.as_member.at("2.100").get(f"{PATH}/{server.id}").json()["server"]

    assert (shown["name"], shown["description"], shown["metadata"]) == ("db", "the database", {"role": "db"})
    assert (shown["key_name"], shown["tags"], shown["config_drive"]) == ("mine", ["a", "b"], "True")
    assert (shown["accessIPv4"], shown["accessIPv6"]) == ("192.0.2.1", "2001:db8::1")
    assert (shown["OS-EXT-SRV-ATTR:hostname"], shown["OS-DCF:diskConfig"]) == ("db-1.example.org", "AUTO")
    assert (shown["scheduler_hints"], shown["flavor"]["original_name"]) == ({"colour": "blue"}, "m1.tiny")
    assert server.public_key == "ssh-rsa AAAA"
    assert sealed.unseal(Operation.objects.get().sealed) == {"admin_password": "secret-word"}


def test_the_command_line_sends_the_image_twice(cloud: Cloud) -> None:
    device = {
        "uuid": IMAGE, "boot_index": 0, "source_type": "image", "destination_type": "local",
        "delete_on_termination": True,
    }  # fmt: skip

    created(cloud.as_member.at("2.100").post(PATH, body(min_count=1, max_count=1, block_device_mapping_v2=[device])))


def test_the_oldest_version_names_what_it_does_not_describe(cloud: Cloud) -> None:
    assert created(cloud.as_member.post(PATH, old())).description == "web"


def test_flavors_may_be_numbers_or_addresses(cloud: Cloud) -> None:
    for flavor in (1, "http://cloud/compute/flavors/1"):
        created(cloud.as_member.post(PATH, old(flavorRef=flavor)))


def test_the_old_path_creates_too(cloud: Cloud) -> None:
    created(cloud.as_member.at("2.100").post("/compute/v2.1/os-volumes_boot", body()))
    assert cloud.as_member.at("2.103").post("/compute/v2.1/os-volumes_boot", body()).status_code == 404


# --- who


@pytest.mark.parametrize("person", ["as_reader", "as_other_reader"])
def test_readers_create_nothing(cloud: Cloud, person: str) -> None:
    refused(getattr(cloud, person).at("2.100").post(PATH, body()), 403)


def test_without_a_token_nothing(cloud: Cloud) -> None:
    refused(cloud.anonymous.post(PATH, body()), 401)


# --- many


def test_several_servers_are_numbered(cloud: Cloud) -> None:
    answer = cloud.as_member.at("2.100").post(PATH, body(min_count="2", max_count=3, return_reservation_id=True))

    assert answer.status_code == 202
    rows = Instance.objects.order_by("launch_index")
    assert [row.name for row in rows] == ["web-1", "web-2", "web-3"]
    assert {row.reservation_id for row in rows} == {answer.json()["reservation_id"]}


def test_as_many_as_fit_are_made_if_that_is_enough(cloud: Cloud) -> None:
    QuotaGate.objects.create(project_id=PROJECT_A, resource="instances", limit=4)

    assert cloud.as_member.at("2.100").post(PATH, body(min_count=2, max_count=50)).status_code == 202
    assert Instance.objects.count() == 4
    answer = cloud.as_member.at("2.100").post(PATH, body(min_count=2, max_count=50))
    assert answer.status_code == 403
    assert Instance.objects.count() == 4


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({"min_count": 3, "max_count": 2}, 400), ({"min_count": 0}, 400), ({"min_count": "0"}, 400),
        ({"max_count": -1}, 400), ({"min_count": "x"}, 400), ({"min_count": 1.5}, 400), ({"min_count": 2000}, 403),
        ({"min_count": "1" + "0" * 30}, 400), ({"hostname": "one", "min_count": 2}, 400), ({"min_count": 11}, 403),
    ],
)  # fmt: skip
def test_counts_that_make_no_sense(cloud: Cloud, counts: dict[str, Any], status: int) -> None:
    refused(cloud.as_member.at("2.100").post(PATH, body(**counts)), status)


# --- quotas


@pytest.mark.parametrize(("resource", "limit"), [("instances", 0), ("cores", 0), ("ram_mb", 511)])
def test_quotas_hold(cloud: Cloud, resource: str, limit: int) -> None:
    QuotaGate.objects.create(project_id=PROJECT_A, resource=resource, limit=limit)

    message = refused(cloud.as_member.at("2.100").post(PATH, body()), 403)

    name = resource.removesuffix("_mb")
    assert message.startswith(f"Quota exceeded for {name}: Requested ")
    assert not QuotaGate.objects.filter(used__gt=0).exists()


def test_a_refusal_names_all_that_there_is_too_little_of(cloud: Cloud) -> None:
    for resource, limit in (("instances", 1), ("cores", 1), ("ram_mb", -1)):
        QuotaGate.objects.create(project_id=PROJECT_A, resource=resource, limit=limit)

    message = refused(cloud.as_member.at("2.100").post(PATH, body(min_count=3)), 403)

    assert message == (
        "Quota exceeded for cores, instances: Requested 3, 3, but already used 0, 0 of 1, 1 cores, instances"
    )


def test_a_user_may_have_less_than_the_project(cloud: Cloud) -> None:
    UserQuota.objects.create(project_id=PROJECT_A, user_id=user_id("member-a"), resource="instances", limit=0)

    refused(cloud.as_member.at("2.100").post(PATH, body()), 403)
    created(cloud.as_manager.at("2.100").post(PATH, body()))


def test_metadata_is_counted(cloud: Cloud) -> None:
    QuotaGate.objects.create(project_id=PROJECT_A, resource="metadata_items", limit=1)

    message = refused(cloud.as_member.at("2.100").post(PATH, body(metadata={"a": "1", "b": "2"})), 403)

    assert message == "Maximum number of metadata items exceeds 1"


# --- references


def test_an_unknown_flavor_is_a_bad_request(cloud: Cloud) -> None:
    message = refused(cloud.as_member.at("2.100").post(PATH, body(flavorRef="99")))

    assert message == "Flavor 99 could not be found."


def test_a_private_flavor_of_others_is_unknown(cloud: Cloud) -> None:
    flavor = make_flavor("secret", id="7", is_public=False)

    refused(cloud.as_member.at("2.100").post(PATH, body(flavorRef="7")))
    flavor.access.create(project_id=PROJECT_A)
    created(cloud.as_member.at("2.100").post(PATH, body(flavorRef="7")))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"visibility": "private", "owner": PROJECT_B}, "Can not find requested image"),
        ({"status": "deactivated"}, f"Image {UNKNOWN} is not active."),
        ({"min_ram_mb": 513}, "Flavor's memory is too small for requested image."),
        ({"min_disk_gb": 2}, "Flavor's disk is smaller than the minimum size specified in image metadata. "
            "Flavor disk is 1073741824 bytes, minimum size is 2147483648 bytes."),
        ({"size_bytes": 2**30 + 1}, "Flavor's disk is too small for requested image. "
            "Flavor disk is 1073741824 bytes, image is 1073741825 bytes."),
        ({"virtual_size_bytes": 2**31}, "Flavor's disk is too small for requested image. "
            "Flavor disk is 1073741824 bytes, image is 2147483648 bytes."),
    ],
)  # fmt: skip
def test_images_that_do_not_do(cloud: Cloud, columns: dict[str, Any], message: str) -> None:
    make_image(id=UNKNOWN, **columns)

    assert refused(cloud.as_member.at("2.100").post(PATH, body(imageRef=UNKNOWN))) == message


def test_an_unknown_image_or_none(cloud: Cloud) -> None:
    assert refused(cloud.as_member.at("2.100").post(PATH, body(imageRef=UNKNOWN))) == "Can not find requested image"
    assert refused(cloud.as_member.at("2.100").post(PATH, body(imageRef=""))) == "Missing imageRef attribute"
    asked = body()
    del asked["server"]["imageRef"]
    assert refused(cloud.as_member.at("2.100").post(PATH, asked)) == "Missing imageRef attribute"


def test_a_flavor_without_a_disk_is_for_administrators(cloud: Cloud) -> None:
    make_flavor("diskless", id="0", disk_gb=0)

    refused(cloud.as_member.at("2.100").post(PATH, body(flavorRef="0")), 403)
    created(cloud.as_admin.at("2.100").post(PATH, body(flavorRef="0")))


def test_keys_are_the_users_own(cloud: Cloud) -> None:
    make_key("manager-a", "his")

    assert refused(cloud.as_member.at("2.100").post(PATH, body(key_name="his"))) == "Invalid key_name provided."
    created(cloud.as_manager.at("2.100").post(PATH, body(key_name="his")))


def test_server_groups_are_the_projects_own(cloud: Cloud) -> None:
    ours = ServerGroup.objects.create(project_id=PROJECT_A, user_id="u", name="g", policy="affinity")
    theirs = ServerGroup.objects.create(project_id=PROJECT_B, user_id="u", name="g", policy="affinity")

    for group in (theirs.id, UNKNOWN):
        hints = {"OS-SCH-HNT:scheduler_hints": {"group": group}}
        message = refused(cloud.as_member.at("2.100").post(PATH, body() | hints))
        assert message == f"Instance group {group} could not be found."
    server = created(cloud.as_member.at("2.100").post(PATH, body() | {"os:scheduler_hints": {"group": [ours.id]}}))
    assert server.server_group_id == ours.id
    shown = cloud.as_member.at("2.100").get(f"{PATH}/{server.id}").json()["server"]
    assert (shown["server_groups"], shown["scheduler_hints"]) == ([ours.id], {"group": ours.id})


def test_a_full_server_group_takes_no_more(cloud: Cloud) -> None:
    group = ServerGroup.objects.create(project_id=PROJECT_A, user_id="u", name="g", policy="affinity")
    QuotaGate.objects.create(project_id=PROJECT_A, resource="server_group_members", limit=1)
    asked = body(min_count=2) | {"os:scheduler_hints": {"group": group.id}}

    assert refused(cloud.as_member.at("2.100").post(PATH, asked), 403) == "Quota exceeded, too many servers in group"


# --- networks


def test_networks_none_makes_no_ports(cloud: Cloud) -> None:
    assert created(cloud.as_member.at("2.37").post(PATH, body())).network_wishes == []


def test_networks_are_needed_from_2_37(cloud: Cloud) -> None:
    assert "networks" in refused(cloud.as_member.at("2.37").post(PATH, old()))
    refused(cloud.as_member.at("2.36").post(PATH, body()))
    refused(cloud.as_member.at("2.37").post(PATH, body(networks="some")))
    created(cloud.as_member.at("2.37").post(PATH, body(networks="auto")))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"uuid": "net"}, "Bad networks format: network uuid is not in proper format (net)"),
        ({}, "Bad network format: missing 'uuid'"),
        ({"fixed_ip": "10.0.0.1"}, "Bad network format: missing 'uuid'"),
        ({"port": UNKNOWN, "fixed_ip": "10.0.0.1"}, "Specified Fixed IP '10.0.0.1' cannot be used with port "
            f"'{UNKNOWN}': the two cannot be specified together."),
        ({"uuid": UNKNOWN}, f"Network {UNKNOWN} could not be found."),
        ({"port": UNKNOWN}, f"Port id {UNKNOWN} could not be found."),
    ],
)  # fmt: skip
def test_networks_that_do_not_do(cloud: Cloud, network: dict[str, str], message: str) -> None:
    assert refused(cloud.as_member.at("2.1").post(PATH, old(networks=[network]))) == message


def test_one_port_or_address_is_for_one_server(cloud: Cloud) -> None:
    for network in ({"port": UNKNOWN}, {"uuid": UNKNOWN, "fixed_ip": "10.0.0.1"}):
        message = refused(cloud.as_member.at("2.100").post(PATH, body(networks=[network], min_count=2)))
        assert message.startswith("Failed to launch instances: ")


def test_a_network_of_the_project_is_planned_and_another_projects_is_unknown(cloud: Cloud) -> None:
    ours = networks.ensure_network(PROJECT_A, "private-net", "10.9.0.0/24")
    theirs = networks.ensure_network(PROJECT_B, "private-net", "10.9.0.0/24")

    server = created(cloud.as_member.at("2.100").post(PATH, body(networks=[{"uuid": ours, "fixed_ip": "10.9.0.9"}])))
    automatic = created(cloud.as_member.post(PATH, old()))

    assert server.network_wishes[0] | {"network_id": ours, "fixed_ip": "10.9.0.9"} == server.network_wishes[0]
    assert automatic.network_wishes[0]["network_id"] == ours
    answer = cloud.as_member.at("2.100").post(PATH, body(networks=[{"uuid": theirs}]))
    assert answer.json()["badRequest"]["message"] == f"Network {theirs} could not be found."


def test_two_networks_need_a_choice(cloud: Cloud) -> None:
    for name in ("one", "two"):
        networks.ensure_network(PROJECT_A, name, "10.9.0.0/24")

    refused(cloud.as_member.at("2.100").post(PATH, body(networks="auto")), 409)
    created(cloud.as_member.at("2.100").post(PATH, body(networks="none")))


def test_security_groups_exist(cloud: Cloud) -> None:
    asked = body(security_groups=[{"name": "nobody"}])

    assert "nobody not found" in refused(cloud.as_member.at("2.100").post(PATH, asked))
    group = SecurityGroup.objects.create(project_id=PROJECT_A, name="web")
    for name in ("web", group.id):
        server = created(cloud.as_member.at("2.100").post(PATH, body(security_groups=[{"name": name}] * 2)))
        assert server.security_groups == [name]
    theirs = SecurityGroup.objects.create(project_id=PROJECT_B, name="theirs")
    answer = cloud.as_member.at("2.100").post(PATH, body(security_groups=[{"name": theirs.id}]))
    assert answer.status_code == 400


# --- where


def test_zones_and_hosts(cloud: Cloud) -> None:
    host = make_host("compute-1")
    aggregate = Aggregate.objects.create(name="east", availability_zone="east")
    member, admin = cloud.as_member.at("2.100"), cloud.as_admin.at("2.100")
    message = refused(member.post(PATH, body(availability_zone="east")))
    assert message == "The requested availability zone is not available"
    aggregate.hosts.add(host)
    assert created(member.post(PATH, body(availability_zone="east"))).pinned_zone == "east"
    assert created(member.post(PATH, body(availability_zone="nova"))).pinned_zone == "nova"
    assert member.post(PATH, body(availability_zone="east:compute-1")).status_code == 403
    assert member.post(PATH, body(host="compute-1")).status_code == 403
    for zone in ("east:compute-1", "east::compute-1", "east:compute-1:compute-1"):
        assert created(admin.post(PATH, body(availability_zone=zone))).pinned_zone == "east"
    assert created(admin.post(PATH, body(availability_zone="nova:compute-1"))).pinned_zone is None
    forced = created(admin.post(PATH, body(host="compute-1", hypervisor_hostname="compute-1")))
    assert Operation.objects.get(subject_id=forced.id).args == {"forced_host": "compute-1"}
    for wrong in (
        {"availability_zone": "a:b:c:d"}, {"availability_zone": "nova:nowhere"}, {"host": "nowhere"},
        {"availability_zone": "east:compute-1", "host": "compute-1"},
    ):  # fmt: skip
        assert admin.post(PATH, body(**wrong)).status_code == 400, wrong
    assert admin.at("2.73").post(PATH, body(host="compute-1")).status_code == 400


# --- devices


def device(**fields: Any) -> dict[str, Any]:
    return {"source_type": "blank", "destination_type": "local", "boot_index": -1} | fields


ROOT = {"source_type": "image", "destination_type": "local", "boot_index": "0", "uuid": IMAGE}


@pytest.mark.parametrize(
    "devices",
    [
        [ROOT],
        [ROOT, device(volume_size=1)],
        [ROOT, device(volume_size="1"), device(guest_format="swap", volume_size=64)],
        [device(guest_format="swap")],
        [{"no_device": True}],
    ],
)
def test_local_disks_that_fit(cloud: Cloud, devices: list[dict[str, Any]]) -> None:
    make_flavor("big", id="big", ephemeral_gb=1, swap_mb=64)

    created(cloud.as_member.at("2.100").post(PATH, body(flavorRef="big", block_device_mapping_v2=devices)))


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ([device(volume_size=2)], "Ephemeral disks requested are larger"),
        ([ROOT, device(guest_format="swap", volume_size=65)], "Swap drive requested is larger"),
        ([ROOT, device(guest_format="swap"), device(guest_format="swap")], "More than one swap"),
        ([ROOT, device(boot_index=0)], "Boot sequence"),
        ([device(boot_index=0)], "Boot sequence"),
        ([ROOT, device(boot_index=2)], "Boot sequence"),
        ([{**ROOT, "uuid": UNKNOWN}], "is not the server's image"),
        ([{**ROOT, "boot_index": None}], "Mapping image to local is not supported"),
        ([{"source_type": "image", "destination_type": "local", "boot_index": 0}], "Missing device UUID"),
        ([device(uuid=UNKNOWN)], "Invalid device UUID"),
        ([{"destination_type": "local"}], "Some required fields are missing"),
        ([{**ROOT, "destination_type": "volume", "volume_size": 1}], "no block storage yet"),
        ([{"source_type": "volume", "uuid": UNKNOWN, "boot_index": 0}], "no block storage yet"),
        ([{"source_type": "snapshot", "uuid": UNKNOWN, "boot_index": 0}], "no block storage yet"),
        ([{**ROOT, "disk_bus": "teapot"}], "teapot"),
        ([{**ROOT, "volume_type": "fast"}], "volume_type"),
    ],
)
def test_devices_that_do_not_do(cloud: Cloud, devices: list[dict[str, Any]], words: str) -> None:
    make_flavor("big", id="big", ephemeral_gb=1, swap_mb=64)
    asked = body(flavorRef="big", block_device_mapping_v2=devices)

    assert words in refused(cloud.as_member.at("2.100").post(PATH, asked))


def test_the_first_device_syntax_and_volumes_are_refused(cloud: Cloud) -> None:
    first = [{"volume_id": UNKNOWN, "device_name": "vda"}]

    assert "no block storage yet" in refused(cloud.as_member.post(PATH, old(block_device_mapping=first)))
    both = old(block_device_mapping=first, block_device_mapping_v2=[ROOT])
    assert "different block_device_mapping syntaxes" in refused(cloud.as_member.post(PATH, both))
    bootable = old(imageRef="", block_device_mapping_v2=[{"source_type": "volume", "uuid": UNKNOWN, "boot_index": 0}])
    assert "no block storage yet" in refused(cloud.as_member.post(PATH, bootable))


# --- files, user data


def test_files_are_not_injected(cloud: Cloud) -> None:
    files = [{"path": "../../../x", "contents": "eA=="}]

    assert "not injected" in refused(cloud.as_member.post(PATH, old(personality=files)))
    assert "personality" in refused(cloud.as_member.at("2.57").post(PATH, body(personality=[])))
    created(cloud.as_member.post(PATH, old(personality=[])))


@pytest.mark.parametrize("data", ["%%%", "YQ", "x" * 65536, 5, None])
def test_user_data_is_base64_of_at_most_64_kib(cloud: Cloud, data: Any) -> None:
    refused(cloud.as_member.at("2.100").post(PATH, body(user_data=data)))


# --- each field at its version


@pytest.mark.parametrize(
    ("since", "fields"),
    [
        ("2.19", {"description": "x"}),
        ("2.52", {"tags": ["a"]}),
        ("2.63", {"trusted_image_certificates": ["a"]}),
        ("2.90", {"hostname": "web-1"}),
        ("2.94", {"hostname": "web.example.org"}),
    ],
)
def test_fields_arrive_with_their_version(cloud: Cloud, since: str, fields: dict[str, Any]) -> None:
    before = f"2.{int(since[2:]) - 1}"
    make = body if int(before[2:]) >= 37 else old

    refused(cloud.as_member.at(before).post(PATH, make(**fields)))
    created(cloud.as_member.at(since).post(PATH, (body if int(since[2:]) >= 37 else old)(**fields)))


@pytest.mark.parametrize(
    ("version", "status"),
    [("2.31", 400), ("2.32", 202), ("2.33", 400), ("2.41", 400), ("2.42", 202)],
)
def test_device_tags_were_lost_and_found(cloud: Cloud, version: str, status: int) -> None:
    make = body if int(version[2:]) >= 37 else old

    answer = cloud.as_member.at(version).post(PATH, make(block_device_mapping_v2=[{**ROOT, "tag": "root"}]))

    assert answer.status_code == status, answer.content


# --- wrong bodies: never a 500


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""}, {"name": " web"}, {"name": "web "}, {"name": "x" * 256}, {"name": None}, {"name": 5},
        {"name": "a\u0007"},
        {"flavorRef": None}, {"flavorRef": []}, {"flavorRef": ""}, {"imageRef": "not-a-uuid"}, {"imageRef": 7},
        {"metadata": []}, {"metadata": {"a": 1}}, {"metadata": {"": "x"}}, {"metadata": {"k" * 256: "x"}},
        {"metadata": {"k": "v" * 256}}, {"networks": {}}, {"networks": 5}, {"networks": [5]},
        {"networks": [{"colour": 1}]},
        {"tags": ["a/b"]}, {"tags": [""]}, {"tags": ["x" * 61]}, {"tags": ["a"] * 51}, {"tags": "a"},
        {"accessIPv4": "x"}, {"accessIPv4": "::1"}, {"accessIPv6": "1.2.3.4"}, {"OS-DCF:diskConfig": "auto"},
        {"security_groups": [{}, 5]}, {"security_groups": ["default"]}, {"key_name": ""}, {"config_drive": "perhaps"},
        {"availability_zone": ""}, {"hostname": "a b"}, {"description": "x" * 256},
        {"description": 5}, {"adminPass": 5}, {"trusted_image_certificates": []}, {"colour": "blue"},
        {"block_device_mapping_v2": [{"boot_index": "x"}]}, {"block_device_mapping_v2": {}}, {"min_count": None},
    ],
)  # fmt: skip
def test_wrong_fields_are_told(cloud: Cloud, fields: dict[str, Any]) -> None:
    refused(cloud.as_member.at("2.100").post(PATH, body(**fields)))


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"{}", b'{"server": 5}', b'{"server": []}', b'{"server": {}}',
     b'{"server": {"name": "\\u0000"}}', b"[" * 100_000],
)  # fmt: skip
def test_wrong_bodies_are_told(cloud: Cloud, data: bytes) -> None:
    answer = cloud.as_member.at("2.100").post(PATH, data=data, content_type="application/json")

    refused(answer)


@pytest.mark.parametrize(
    "hints",
    [5, {"group": "x"}, {"group": [UNKNOWN, UNKNOWN]}, {"same_host": 5}, {f"k{number}": 1 for number in range(40)},
     {"a": "x" * 10_000}],
)  # fmt: skip
def test_wrong_hints_are_told(cloud: Cloud, hints: Any) -> None:
    refused(cloud.as_member.at("2.100").post(PATH, body() | {"os:scheduler_hints": hints}))


def test_a_plain_create_asks_little_of_the_database(cloud: Cloud, django_assert_max_num_queries: Any) -> None:
    created(cloud.as_member.at("2.100").post(PATH, body()))

    with django_assert_max_num_queries(12):
        created(cloud.as_member.at("2.100").post(PATH, body()))
    assert InstanceTag.objects.count() == 0
