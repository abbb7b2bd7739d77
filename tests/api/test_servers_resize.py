"""resize, confirmResize, revertResize, migrate and the list of migrations: who may ask, how, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models.functions import Now

from hosts.models import Host
from instances.actions.resize import Migrate, Resize
from instances.models import Instance, Move
from instances.states import VmState
from operations.models import Operation, QuotaGate
from operations.models.operation import later
from tests.api.test_servers_actions import act
from tests.support import auth
from tests.support.client import Cloud
from tests.support.servers import forget_everything, make_flavor, make_host, make_image, make_server


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()


def up(name: str = "compute-1") -> Host:
    host = make_host(name)
    Host.objects.filter(id=host.id).update(lease_expires_at=later(60))
    return host


@pytest.fixture
def server(db: None) -> Instance:
    make_flavor("larger", id="2", vcpus=2, ram_mb=1024, disk_gb=2)
    return make_server(host=up())


def words(answer: Any) -> str:
    [said] = answer.json().values()
    return str(said["message"])


def test_a_server_is_resized(cloud: Cloud, server: Instance) -> None:
    make_image()
    wish = {"flavorRef": "2", "OS-DCF:diskConfig": "AUTO"}
    assert act(cloud.as_member, server, "resize", wish).status_code == 202
    shown = cloud.as_member.get(f"/compute/v2.1/servers/{server.id}").json()["server"]
    assert (shown["status"], shown["OS-EXT-STS:task_state"]) == ("RESIZE", "resize_prep")
    assert (shown["flavor"]["id"], shown["OS-DCF:diskConfig"]) == ("1", "AUTO")
    assert Operation.objects.get().queue == "control"
    assert act(cloud.as_member, server, "resize", wish).status_code == 409


@pytest.mark.parametrize(
    "wrong", [None, {}, {"flavorRef": None}, {"flavorRef": ""}, {"flavorRef": "2", "colour": 1}, {"flavorRef": "nine"}]
)
def test_a_flavor_is_needed(cloud: Cloud, server: Instance, wrong: Any) -> None:
    assert act(cloud.as_member, server, "resize", wrong).status_code == 400


@pytest.mark.parametrize(
    ("flavor", "said"),
    [
        ({"id": "1"}, "When resizing, instances must change flavor!"),
        (
            {"disk_gb": 0},
            "Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.",
        ),
        ({"disk_gb": 1}, "Server disk was unable to be resized because: Unable to resize disk down."),
        (
            {"disk_gb": 4, "ephemeral_gb": 1},
            "Server disk was unable to be resized because: Unable to resize disk down.",
        ),
        ({"disk_gb": 4, "ram_mb": 64}, "Flavor's memory is too small for requested image."),
        ({"disk_gb": 4, "disabled": True}, "Flavor 3 could not be found."),
    ],
)
def test_what_a_flavor_must_be(cloud: Cloud, flavor: dict[str, Any], said: str) -> None:
    make_image(min_ram_mb=128)
    make_flavor("odd", **({"id": "3", "disk_gb": 3, "ephemeral_gb": 2, "vcpus": 1, "ram_mb": 512} | flavor))
    columns = {"disk_gb": 3, "ephemeral_gb": 2} if flavor.get("id") != "1" else {"disk_gb": 1}
    server = make_server(host=up(), **columns)
    answer = act(cloud.as_member, server, "resize", {"flavorRef": flavor.get("id", "3")})
    assert (answer.status_code, words(answer)) == (400, said)
    assert not Move.objects.exists()


def test_over_quota(cloud: Cloud, server: Instance) -> None:
    QuotaGate.objects.create(project_id=server.project_id, resource="cores", limit=1, used=1)
    answer = act(cloud.as_member, server, "resize", {"flavorRef": "2"})
    assert answer.status_code == 403
    assert words(answer).startswith("Quota exceeded for cores")


@pytest.mark.parametrize("key", ["resize", "migrate", "confirmResize", "revertResize"])
def test_not_from_every_state(cloud: Cloud, server: Instance, key: str) -> None:
    Instance.objects.filter(id=server.id).update(**server.cache(settled=VmState.PAUSED.value))
    answer = act(cloud.as_admin, server, key, {"flavorRef": "2"} if key == "resize" else None)
    assert (answer.status_code, words(answer)) == (
        409, f"Cannot '{key}' instance {server.id} while it is in vm_state paused",
    )  # fmt: skip


def test_a_locked_server_stays(cloud: Cloud, server: Instance) -> None:
    Instance.objects.filter(id=server.id).update(locked_by="owner")
    answer = act(cloud.as_member, server, "resize", {"flavorRef": "2"})
    assert (answer.status_code, words(answer)) == (409, f"Instance {server.id} is locked")


def test_a_host_that_is_down_is_asked_nothing(cloud: Cloud, server: Instance) -> None:
    Host.objects.update(lease_expires_at=Now())
    for key, wish in (("resize", {"flavorRef": "2"}), ("migrate", None)):
        answer = act(cloud.as_admin, server, key, wish)
        assert (answer.status_code, words(answer)) == (
            409, "Compute service of compute-1 is unavailable at this time.",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("version", "wish", "status"),
    [
        ("2.1", None, 202), ("2.55", {"anything": "goes"}, 202), ("2.56", None, 202), ("2.56", {}, 202),
        ("2.56", {"host": None}, 202), ("2.56", {"host": "compute-2"}, 202), ("2.56", {"host": "nowhere"}, 400),
        ("2.56", {"host": "compute-1"}, 400), ("2.56", {"host": "a b"}, 400), ("2.56", {"colour": 1}, 400),
    ],
)  # fmt: skip
def test_a_migration_by_version(cloud: Cloud, server: Instance, version: str, wish: Any, status: int) -> None:
    up("compute-2")
    assert act(cloud.as_member, server, "migrate", wish, version).status_code in (400, 403)
    answer = act(cloud.as_admin, server, "migrate", wish, version)
    assert answer.status_code == status
    if wish == {"host": "compute-1"}:
        assert words(answer) == "Cannot migrate to the host where the server exists."
    if status == 202:
        asked = Operation.objects.get().args
        assert asked.get("forced_host") == (wish or {}).get("host" if version >= "2.56" else "")


def test_what_was_resized_is_confirmed_or_reverted(cloud: Cloud, server: Instance) -> None:
    for key, status in (("confirmResize", 204), ("revertResize", 202)):
        waits = make_server(VmState.RESIZED, host=server.host)
        assert act(cloud.as_member, waits, key).status_code == 400
        move = {"source_id": server.host_id, "source_name": "compute-1", "dest_id": server.host_id}
        Move.objects.create(instance=waits, kind="resize", status="finished", was="active", **move)
        assert act(cloud.as_other, waits, key).status_code == 404
        assert act(cloud.as_member, waits, key).status_code == status


# --- the list


def test_migrations_are_told(cloud: Cloud, server: Instance) -> None:
    other = make_server(host=up("compute-2"))
    member, admin = auth.actor("member-a"), auth.actor("admin")
    flavor = {**server.flavor(), "flavor_id": "2", "disk_gb": 2}
    Resize.request(member, server, flavor=flavor)
    Migrate.request(admin, other, forced_host="compute-1")
    place = "/compute/v2.1/os-migrations"

    newest, first = cloud.as_admin.at("2.80").get(place).json()["migrations"]
    assert (first["instance_uuid"], first["migration_type"], first["status"]) == (server.id, "resize", "pre-migrating")
    assert (first["source_compute"], first["dest_compute"], first["user_id"]) == ("compute-1", None, member.user_id)
    assert (first["old_instance_type_id"], first["new_instance_type_id"]) == (1, 2)
    assert (newest["instance_uuid"], newest["migration_type"]) == (other.id, "migration")
    for version, missing in (("2.1", {"migration_type", "uuid", "user_id"}), ("2.23", {"uuid"}), ("2.59", {"user_id"})):
        assert missing & set(cloud.as_admin.at(version).get(place).json()["migrations"][0]) == set()
    for wish, found in (
        ("host=compute-2", [other.id]), ("source_compute=compute-1", [server.id]), ("status=error", []),
        ("migration_type=resize", [server.id]), (f"instance_uuid={other.id}", [other.id]), ("user_id=nobody", []),
        ("changes-since=2000-01-01T00:00:00", [other.id, server.id]), ("changes-before=2000-01-01T00:00:00", []),
    ):  # fmt: skip
        rows = cloud.as_admin.at("2.80").get(f"{place}?{wish}").json()["migrations"]
        assert [row["instance_uuid"] for row in rows] == found, wish

    page = cloud.as_admin.at("2.59").get(f"{place}?limit=1").json()
    assert [row["id"] for row in page["migrations"]] == [newest["id"]]
    assert "marker=" in page["migrations_links"][0]["href"]
    rest = cloud.as_admin.at("2.59").get(f"{place}?marker={newest['uuid']}").json()["migrations"]
    assert [row["id"] for row in rest] == [first["id"]]
    assert cloud.as_admin.at("2.59").get(f"{place}?marker=x").status_code == 400


def test_a_cold_migration_is_no_live_one(cloud: Cloud, server: Instance) -> None:
    Resize.request(auth.actor("member-a"), server, flavor={**server.flavor(), "flavor_id": "2"})
    place = f"/compute/v2.1/servers/{server.id}/migrations"
    assert cloud.as_admin.at("2.23").get(place).json() == {"migrations": []}
    for number, said in ((Move.objects.get().id, "is not live-migration."), (99, "could not be found.")):
        answer = cloud.as_admin.at("2.23").get(f"{place}/{number}")
        assert (answer.status_code, words(answer)) == (404, f"Migration {number} for server {server.id} {said}")


def test_a_projects_manager_migrates_its_servers_and_is_told_no_host(cloud: Cloud, server: Instance) -> None:
    up("compute-2")
    wish = {"host": "compute-2"}
    assert act(cloud.as_manager, server, "migrate", wish, "2.56").status_code == 403
    assert act(cloud.as_manager, server, "migrate", None, "2.56").status_code == 202
    others = make_server(host=server.host, project_id="b" * 32)
    Migrate.request(auth.actor("admin"), others, forced_host="compute-2")

    place = "/compute/v2.1/os-migrations"
    manager = cloud.as_manager.at("2.80")
    [told] = manager.get(place).json()["migrations"]
    assert (told["instance_uuid"], told["source_compute"], told["source_node"]) == (server.id, None, None)
    assert len(cloud.as_admin.get(place).json()["migrations"]) == 2
    assert manager.get(f"{place}?host=compute-1").status_code == 403
    theirs = Move.objects.get(instance=others)
    assert manager.get(f"{place}?marker={theirs.uuid}").status_code == 400
    assert manager.get(f"{place}?project_id={theirs.project_id}").json() == {"migrations": []}
    assert cloud.as_member.get(place).status_code == 403
