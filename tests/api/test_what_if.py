"""What-if, why-not and capacity: what the scheduler would do, by the code that does it, and nothing of it stays."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from hosts.models import Aggregate, AggregateHost, Host
from instances.models import Flavor, Instance, ServerGroup, UserQuota
from integrations.networks import facade as networks
from operations.models import Operation, QuotaGate
from operations.models.quota_gate import forget_defaults
from scheduling import service
from tests.support.auth import PROJECT_A, user_id
from tests.support.client import Cloud, Person
from tests.support.openapi import conforms
from tests.support.servers import IMAGE, forget_everything, make_image
from tests.support.stage import Stage

WHAT_IF = "/api/v1/placements/what-if"
WHY_NOT = "/api/v1/placements/why-not"
CAPACITY = "/api/v1/capacity"
SERVERS = "/compute/v2.1/servers"
VERSION = "2.90"
SIZES = {
    "small": (1, 512, 5), "wide": (6, 2048, 10), "tall": (2, 6000, 20), "deep": (1, 1024, 90), "huge": (64, 99999, 900),
}  # fmt: skip


@pytest.fixture
def stage(db: None, tmp_path: Path) -> Stage:
    """Six hosts in two zones: one is down, one is disabled, one is half full, one is kept for an aggregate's flavor."""
    forget_everything()
    forget_defaults()
    stage = Stage(tmp_path, hosts=6, cpu_ratio=2.0)
    make_image(min_disk_gb=0)
    for name, (vcpus, ram_mb, disk_gb) in SIZES.items():
        Flavor.objects.create(id=name, name=f"m1.{name}", vcpus=vcpus, ram_mb=ram_mb, disk_gb=disk_gb)
    specs = {"special": {"trait:CUSTOM_GOLD": "required"}, "boards": {"resources:CUSTOM_FPGA": "2"}}
    for name, spec in specs.items():
        Flavor.objects.create(id=name, name=f"m1.{name}", vcpus=1, ram_mb=512, disk_gb=1, extra_specs=spec)
    east = Aggregate.objects.create(name="east", availability_zone="east", metadata={})
    for host in stage.hosts[3:]:
        AggregateHost.objects.create(aggregate=east, host=host)
    stage.silence(stage.hosts[0])
    Host.objects.filter(id=stage.hosts[1].id).update(is_disabled=True)
    QuotaGate.objects.create(project_id=PROJECT_A, resource="cores", limit=40)
    QuotaGate.objects.create(project_id=PROJECT_A, resource="ram_mb", limit=-1)
    service.forget()
    return stage


def body(flavor: str = "small", hints: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    server = {"name": "web", "flavorRef": flavor, "imageRef": IMAGE, "networks": "none"} | fields
    return {"server": server} | ({"os:scheduler_hints": hints} if hints else {})


def asked(person: Person, wish: dict[str, Any], **suppose: Any) -> dict[str, Any]:
    sent = wish | ({"suppose": suppose} if suppose else {})
    answer = person.at(VERSION).post(WHAT_IF, sent)
    assert answer.status_code == 200, answer.content
    conforms("post", WHAT_IF, answer.json())
    return dict(answer.json())


def every_row() -> dict[str, list[Any]]:
    return {model._meta.label: sorted(map(str, model._base_manager.values_list())) for model in apps.get_models()}


# --- the plain story


def test_what_fits_is_told_with_its_place_and_how_many_more(cloud: Cloud, stage: Stage) -> None:
    told = asked(cloud.as_admin, body("tall", availability_zone="east"))
    assert told["would_fit"] and told["quota"] == {"fits": True, "admitted": 1, "problem": None, "changes": []}
    assert set(told["equals"]) == {"host4", "host5", "host6"} and told["landings"][0]["host"] in told["equals"]
    assert told["landings"][0]["zone"] == "east"
    assert (told["fitting"], told["most"], told["remedies"]) == (1, 3, [])
    mine = asked(cloud.as_member, body("tall", availability_zone="east"))
    assert mine["would_fit"] and mine["landings"][0]["host"].startswith("host-")
    assert not any(host.name in str(mine) for host in stage.hosts)


def test_what_does_not_fit_is_told_with_the_smallest_changes(cloud: Cloud, stage: Stage) -> None:
    told = asked(cloud.as_member, body("huge"))
    assert not told["would_fit"] and told["blocked_by"] == "RamFilter"
    [remedy] = told["remedies"]
    assert {(one["what"], one["needed"]) for one in remedy["changes"]} == {
        ("vcpus", "8"), ("ram_mb", "8192"), ("disk_gb", "100")
    }  # fmt: skip
    assert "quota:cores" in {one["what"] for one in told["quota"]["changes"]}

    filled = [body("tall", availability_zone="east") for _ in range(3)]
    for wish in filled:
        assert cloud.as_member.at(VERSION).post(SERVERS, wish).status_code == 202
        stage.settle()
    told = asked(cloud.as_member, body("tall", availability_zone="east"))
    assert told["blocked_by"] == "RamFilter" and "at most 2192" in told["fault"]
    ways = {tuple((one["what"], one["needed"], one["by"]) for one in remedy["changes"]) for remedy in told["remedies"]}
    assert (("ram_mb", "2192", 3808),) in ways
    assert (("availability_zone", "nova", None),) in ways
    supposed = asked(cloud.as_member, body("tall", availability_zone="east"), flavor={"ram_mb": 2192})
    assert supposed["would_fit"]
    assert not asked(cloud.as_member, body("tall", availability_zone="east"), flavor={"ram_mb": 2193})["would_fit"]
    assert asked(cloud.as_member, body("tall", availability_zone="nova"))["would_fit"]


def test_suppositions_about_hosts_are_for_administrators(cloud: Cloud, stage: Stage) -> None:
    wish = body("tall", availability_zone="nova")
    assert set(asked(cloud.as_admin, wish)["equals"]) == {"host3"}
    down = asked(cloud.as_admin, wish, hosts_down=["host3"])
    assert not down["would_fit"] and down["blocked_by"] == "AvailabilityZoneFilter"
    assert ("hosts",) in {tuple(one["what"] for one in remedy["changes"]) for remedy in down["remedies"]}
    up = asked(cloud.as_admin, wish, hosts_down=["host3"], hosts_up=["host1", stage.hosts[1].id])
    assert up["would_fit"] and set(up["equals"]) == {"host1", "host2"}
    ratio = [{"aggregate": "east", "resource_class": "MEMORY_MB", "ratio": 2.0}]
    assert asked(cloud.as_admin, body("tall", availability_zone="east"), ratios=ratio)["most"] == 6
    for suppose in ({"hosts_down": ["host3"]}, {"hosts_up": []}, {"ratios": ratio}):
        assert cloud.as_member.at(VERSION).post(WHAT_IF, wish | {"suppose": suppose}).status_code == 403
    for suppose in ({"hosts_down": ["nobody"]}, {"quota": {"x": 1}}, {"flavor": {"vcpus": 0}}, {"colour": 1}, []):
        assert cloud.as_admin.at(VERSION).post(WHAT_IF, wish | {"suppose": suppose}).status_code == 400


def test_quota_is_asked_at_its_gates(cloud: Cloud, stage: Stage) -> None:
    QuotaGate.objects.filter(project_id=PROJECT_A, resource="cores").update(limit=3)
    told = asked(cloud.as_member, body("wide"))
    assert not told["would_fit"] and told["fitting"] == 1 and told["quota"]["admitted"] == 0
    assert told["quota"]["problem"].startswith("Quota exceeded for cores")
    assert [(one["what"], one["by"]) for one in told["quota"]["changes"]] == [("quota:cores", 3)]
    assert asked(cloud.as_member, body("wide"), quota={"cores": 3})["would_fit"]
    assert not asked(cloud.as_member, body("wide"), quota={"cores": 2})["would_fit"]
    some = asked(cloud.as_member, body(max_count=5))
    assert some["would_fit"] and some["quota"]["admitted"] == 3 and len(some["landings"]) == 3
    UserQuota.objects.create(project_id=PROJECT_A, user_id=user_id("member-a"), resource="cores", limit=1)
    assert asked(cloud.as_member, body(max_count=5))["quota"]["admitted"] == 1
    assert asked(cloud.as_member, body(max_count=5), quota={"cores": 1})["quota"]["admitted"] == 2


def test_references_and_forms_are_refused_as_a_create_refuses_them(cloud: Cloud, stage: Stage) -> None:
    wrong = [
        body("unknown"), body(imageRef=PROJECT_A), body(availability_zone="mars"), body(key_name="none"), body(x=1),
        body(hints={"group": PROJECT_A}), body(availability_zone="nova:host3"), {"server": {}}, {"servers": []},
        body(networks=[{"uuid": PROJECT_A}]), body(hints={"query": "nonsense"}),
    ]  # fmt: skip
    for wish in wrong:
        told = cloud.as_member.at(VERSION).post(WHAT_IF, wish)
        made = cloud.as_member.at(VERSION).post(SERVERS, wish)
        assert told.status_code == made.status_code >= 400, wish
        assert told.json()["error"]["message"] == next(iter(made.json().values()))["message"]
    assert cloud.as_reader.at(VERSION).post(WHAT_IF, body()).status_code == 403
    assert cloud.anonymous.post(WHAT_IF, body()).status_code == 401
    for text in (b"[]", b"7", b"{", b'"x"'):
        assert cloud.as_admin.post(WHAT_IF, data=text, content_type="application/json").status_code == 400


def test_ports_that_cannot_be_had_are_told(cloud: Cloud, stage: Stage) -> None:
    network = networks.ensure_network(PROJECT_A, "private-net", "10.9.0.0/30")
    wish = body(networks=[{"uuid": network}], max_count=2, min_count=2)
    before = every_row()
    told = asked(cloud.as_member, wish)
    assert every_row() == before
    assert told["fitting"] == 2 and not told["would_fit"] and told["network_problem"]
    assert cloud.as_member.at(VERSION).post(SERVERS, wish).status_code == 202
    stage.settle()
    assert sorted(Instance.objects.values_list("status", flat=True)) != ["ACTIVE", "ACTIVE"]


# --- what is said is what happens


def random_wish(draw: random.Random, groups: list[str]) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    if draw.random() < 0.3:
        hints["group"] = draw.choice(groups)
    servers = list(Instance.objects.values_list("id", flat=True)[:20])
    if servers and draw.random() < 0.3:
        named = draw.sample(servers, min(len(servers), draw.randint(1, 3)))
        hints[draw.choice(["same_host", "different_host"])] = named
    if draw.random() < 0.1:
        hints["query"] = draw.choice(['[">=", "$free_ram_mb", 4000]', '["=", "$num_instances", 99]'])
    if draw.random() < 0.4:
        fields["availability_zone"] = draw.choice(["east", "nova", "mars"])
    if draw.random() < 0.3:
        fields |= {"min_count": draw.randint(1, 3), "max_count": draw.randint(1, 6)}
    return body(draw.choice([*SIZES, *SIZES, "special", "boards"]), hints, **fields)


def outcome_of(cloud: Cloud, stage: Stage, wish: dict[str, Any]) -> tuple[int, list[Instance]]:
    made = cloud.as_member.at(VERSION).post(SERVERS, wish)
    if made.status_code != 202:
        return made.status_code, []
    first = Instance.objects.get(id=made.json()["server"]["id"])
    stage.settle()
    rows = Instance.objects.filter(reservation_id=first.reservation_id).order_by("launch_index")
    return 202, list(rows.select_related("host"))


@pytest.mark.parametrize("seed", range(3))
def test_what_was_said_and_a_create_straight_after_agree(cloud: Cloud, stage: Stage, seed: int) -> None:
    """Whether it is accepted, how many, which find hosts, the first one's host, the fault; and nothing is written."""
    draw = random.Random(seed)
    policies = ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")
    groups = [
        ServerGroup.objects.create(project_id=PROJECT_A, user_id="u", name=name, policy=name, rules={}).id
        for name in policies
    ]
    kinds: dict[str, int] = {}
    for number in range(35):
        wish = random_wish(draw, groups)
        before = every_row() if number % 7 == 0 else {}
        answer = cloud.as_member.at(VERSION).post(WHAT_IF, wish)
        names = cloud.as_admin.at(VERSION).post(WHAT_IF, wish) if answer.status_code == 200 else answer
        assert not before or every_row() == before, "a question was written down"
        status, rows = outcome_of(cloud, stage, wish)
        if answer.status_code != 200:
            assert answer.status_code == status, (wish, answer.content)
            kinds["refused"] = kinds.get("refused", 0) + 1
            continue
        told = answer.json()
        if told["quota"]["problem"]:
            assert status == 403, wish
            kinds["over quota"] = kinds.get("over quota", 0) + 1
            continue
        assert status == 202 and len(rows) == told["quota"]["admitted"], (wish, told["quota"])
        homes = [row.host_id is not None for row in rows]
        assert homes == [told["would_fit"]] * len(rows), (wish, told)
        kind = "placed" if all(homes) else "nowhere"
        kinds[kind] = kinds.get(kind, 0) + 1
        if rows[0].host is not None and names.json().get("equals"):
            assert rows[0].host.name in names.json()["equals"], wish
        for row in rows:
            assert row.host_id or told["fault"][:120] in row.fault_message
    assert set(kinds) >= {"refused", "placed", "nowhere"}, kinds
    stage.assert_balanced()


def test_each_remedy_does_what_it_says(cloud: Cloud, stage: Stage) -> None:
    draw = random.Random(7)
    tried = 0
    for _ in range(15):
        flavor = {"vcpus": draw.randint(1, 12), "ram_mb": draw.randint(100, 12000), "disk_gb": draw.randint(1, 150)}
        wish = body(availability_zone=draw.choice(["east", "nova"]))
        for remedy in asked(cloud.as_admin, wish, flavor=flavor)["remedies"]:
            smaller = {one["what"]: int(one["needed"]) for one in remedy["changes"] if one["what"] in flavor}
            if len(smaller) == len(remedy["changes"]):
                tried += 1
                assert asked(cloud.as_admin, wish, flavor=flavor | smaller)["would_fit"], (flavor, remedy)
                for what, needed in smaller.items():
                    larger = flavor | smaller | {what: needed + 1}
                    assert not asked(cloud.as_admin, wish, flavor=larger)["would_fit"], (flavor, remedy)
    assert tried > 5


# --- why not, and how many


def test_why_not_for_a_server_and_for_one_to_be(cloud: Cloud, stage: Stage) -> None:
    made = cloud.as_member.at(VERSION).post(SERVERS, body("tall", availability_zone="east"))
    server_id = made.json()["server"]["id"]
    stage.settle()
    told = cloud.as_admin.post(WHY_NOT, {"server_id": server_id, "host": "host2"})
    assert told.status_code == 200, told.content
    conforms("post", WHY_NOT, told.json())
    refusing = {one["filter"] for one in told.json()["verdicts"] if one["accepts"] is False}
    assert refusing == {"ComputeFilter", "AvailabilityZoneFilter"}
    wish = body("huge") | {"host": "host3"}
    told = cloud.as_admin.at(VERSION).post(WHY_NOT, wish).json()
    reasons = {one["filter"]: one["reason"] for one in told["verdicts"] if one["accepts"] is False}
    assert set(reasons) == {"RamFilter", "CoreFilter", "DiskFilter"}
    assert reasons["RamFilter"] == "wants 99999 MB of RAM, 8192 free"
    fine = cloud.as_admin.at(VERSION).post(WHY_NOT, body() | {"host": stage.hosts[2].id}).json()
    assert (fine["host"], fine["outcome"], fine["rank"]) == ("host3", "accepted", 1)
    assert cloud.as_member.post(WHY_NOT, {"server_id": server_id, "host": "host2"}).status_code == 403
    for wrong in ({"host": "host2"}, {"server_id": "x"}, {"server_id": server_id, "host": "x"}, {"host": 7}):
        assert cloud.as_admin.post(WHY_NOT, wrong).status_code == 400, wrong
    assert cloud.as_admin.post(WHY_NOT, {"server_id": "nobody", "host": "host2"}).status_code == 404


def fits(person: Person, query: str = "") -> dict[str, dict[str, Any]]:
    answer = person.get(f"{CAPACITY}?{query}")
    assert answer.status_code == 200, answer.content
    conforms("get", CAPACITY, answer.json())
    return {item["flavor_id"]: item for item in answer.json()["items"]}


def test_capacity_is_how_many_can_really_be_made(cloud: Cloud, stage: Stage) -> None:
    QuotaGate.objects.filter(project_id=PROJECT_A).update(limit=-1)
    QuotaGate.objects.create(project_id=PROJECT_A, resource="instances", limit=-1)
    told = fits(cloud.as_admin)
    assert told["small"]["zones"] == [{"zone": "east", "fits": 48}, {"zone": "nova", "fits": 16}]
    assert {name: told[name]["fits"] for name in ("wide", "tall", "deep", "huge", "special", "boards")} == {
        "wide": 8, "tall": 4, "deep": 4, "huge": 0, "special": 0, "boards": 0
    }  # fmt: skip
    assert fits(cloud.as_admin, "flavor=tall&zone=east")["tall"]["fits"] == 3
    made = 0
    for count in (9, 8):
        assert cloud.as_member.at(VERSION).post(SERVERS, body("wide", min_count=count)).status_code == 202
        stage.settle()
        made += count if count == 8 else 0
    assert Instance.objects.filter(host__isnull=False).count() == made == 8
    assert fits(cloud.as_admin)["wide"]["fits"] == 0


def test_members_are_told_what_their_quota_leaves(cloud: Cloud, stage: Stage) -> None:
    assert fits(cloud.as_reader)["wide"] | {"zones": []} == fits(cloud.as_member)["wide"] | {"zones": []}
    told = fits(cloud.as_member)
    assert told["wide"]["within_quota"] == 6 and told["wide"]["fits"] == 6
    assert told["small"]["fits"] == told["small"]["within_quota"] == 10, "ten instances by default"
    assert fits(cloud.as_admin)["small"]["within_quota"] is None
    Flavor.objects.filter(id="wide").update(is_public=False)
    assert "wide" not in fits(cloud.as_member) and "wide" in fits(cloud.as_admin)
    assert list(fits(cloud.as_admin, "limit=2")) == ["boards", "deep"]
    assert list(fits(cloud.as_admin, "limit=2&marker=deep")) == ["huge", "small"]
    assert cloud.as_admin.get(f"{CAPACITY}?colour=red").status_code == 400
    assert cloud.anonymous.get(CAPACITY).status_code == 401


def test_nothing_asked_here_reaches_the_queue(cloud: Cloud, stage: Stage) -> None:
    asked(cloud.as_member, body(max_count=5))
    assert not Operation.objects.exists()
