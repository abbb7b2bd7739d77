"""GET /servers and /servers/detail: who sees what, filters, order, pages."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from computecloud.core.clock import utcnow
from instances.api.schemas.servers import FILTERS, TAG_FILTERS
from instances.api.server_filters import ELSEWHERE, FUNCTIONS, literal
from instances.models import Instance, InstanceTag
from instances.states import VmState
from tests.support.auth import PROJECT_B, user_id
from tests.support.client import Cloud
from tests.support.servers import NICS, build, forget_everything, make_host, make_server

PATH = "/compute/v2.1/servers"


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [server["name"] for server in answer.json()["servers"]]


def at_address(address: str) -> list[dict[str, Any]]:
    nics = copy.deepcopy(NICS)
    nics[0]["fixed_ips"][0]["address"] = address  # type: ignore[index]
    return nics


def test_everybody_sees_the_servers_of_the_own_project(cloud: Cloud) -> None:
    make_server(name="ours")
    make_server(name="theirs", project_id=PROJECT_B)

    assert names(cloud.as_member.get(PATH)) == names(cloud.as_reader.get(f"{PATH}/detail")) == ["ours"]
    assert names(cloud.as_other.get(PATH)) == ["theirs"]
    assert names(cloud.as_admin.get(PATH)) == []
    assert cloud.anonymous.get(PATH).status_code == 401


def test_all_projects_are_for_administrators(cloud: Cloud) -> None:
    make_server(name="ours")
    make_server(name="theirs", project_id=PROJECT_B)

    for text in ("1", "true", ""):
        assert set(names(cloud.as_admin.get(f"{PATH}/detail?all_tenants={text}"))) == {"ours", "theirs"}
    assert names(cloud.as_admin.get(f"{PATH}?all_tenants=1&project_id={PROJECT_B}")) == ["theirs"]
    assert names(cloud.as_admin.get(f"{PATH}?project_id={PROJECT_B}")) == []
    assert cloud.as_member.get(f"{PATH}?all_tenants=1").status_code == 403
    assert names(cloud.as_member.get(f"{PATH}?all_tenants=false")) == ["ours"]
    assert names(cloud.as_member.get(f"{PATH}?project_id={PROJECT_B}&tenant_id={PROJECT_B}")) == ["ours"]


def test_a_brief_list_has_three_fields(cloud: Cloud) -> None:
    make_server()

    (server,) = cloud.as_member.get(PATH).json()["servers"]

    assert set(server) == {"id", "name", "links"}


def test_the_newest_comes_first_and_pages_are_linked(cloud: Cloud) -> None:
    now = utcnow()
    rows = [make_server(name=f"s{number}", created_at=now + timedelta(seconds=number)) for number in range(5)]

    first = cloud.as_member.get(f"{PATH}?limit=2")
    assert names(first) == ["s4", "s3"]
    link = first.json()["servers_links"][0]
    assert link["rel"] == "next"
    assert f"marker={rows[3].id}" in link["href"]
    second = cloud.as_member.get(f"{PATH}/detail?limit=2&marker={rows[3].id}")
    assert names(second) == ["s2", "s1"]
    last = cloud.as_member.get(f"{PATH}?limit=2&marker={rows[1].id}")
    assert names(last) == ["s0"]
    assert "servers_links" not in last.json()


def test_pages_stay_right_among_rows_of_one_moment(cloud: Cloud) -> None:
    now = utcnow()
    for number in range(5):
        make_server(name=f"s{number}", created_at=now)
    seen: list[str] = []
    marker = ""
    while page := cloud.as_member.get(f"{PATH}?limit=2{marker}").json()["servers"]:
        seen += [server["name"] for server in page]
        marker = f"&marker={page[-1]['id']}"

    assert sorted(seen) == [f"s{number}" for number in range(5)]


def test_wrong_limits_and_markers(cloud: Cloud) -> None:
    theirs = make_server(project_id=PROJECT_B)

    for query in ("limit=-1", "limit=x", "limit=1.5", "marker=nothing", f"marker={theirs.id}"):
        assert cloud.as_member.get(f"{PATH}?{query}").status_code == 400, query
    assert names(cloud.as_other.get(f"{PATH}?limit=0")) == []
    assert len(names(cloud.as_other.get(f"{PATH}?limit=100000000"))) == 1


def test_sorting_knows_its_keys(cloud: Cloud) -> None:
    for name, flavor in (("b", "1"), ("a", "2"), ("c", "1")):
        make_server(name=name, flavor_id=flavor)

    assert names(cloud.as_member.get(f"{PATH}?sort_key=display_name&sort_dir=asc")) == ["a", "b", "c"]
    assert names(cloud.as_member.get(f"{PATH}?sort_key=display_name")) == ["c", "b", "a"]
    two = "sort_key=instance_type_id&sort_key=display_name&sort_dir=desc&sort_dir=asc"
    assert names(cloud.as_member.get(f"{PATH}?{two}")) == ["a", "b", "c"]
    assert cloud.as_member.get(f"{PATH}?sort_key=memory_mb").status_code == 200
    assert cloud.as_member.at("2.75").get(f"{PATH}?sort_key=memory_mb").status_code == 400
    assert cloud.as_member.get(f"{PATH}?sort_key=locked").status_code == 200
    assert cloud.as_member.at("2.73").get(f"{PATH}?sort_key=locked").status_code == 200
    assert cloud.as_member.get(f"{PATH}?sort_key=user__password").status_code == 400
    assert cloud.as_member.get(f"{PATH}?sort_dir=sideways").status_code == 400
    assert cloud.as_member.get(f"{PATH}?sort_key=host").status_code == 403
    assert len(names(cloud.as_admin.get(f"{PATH}?all_tenants=1&sort_key=host"))) == 3


def test_a_page_in_another_order_starts_after_its_marker(cloud: Cloud) -> None:
    rows = {name: make_server(name=name, key_name=None if name < "b" else "k") for name in ("a0", "a1", "b", "c")}

    page = cloud.as_member.get(f"{PATH}?sort_key=key_name&sort_key=display_name&sort_dir=asc&marker={rows['a1'].id}")

    assert names(page) == ["b", "c"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("web-1", ["web-1", "web-10"]),
        ("^web-1$", ["web-1"]),
        ("^eb", []),
        (r"\-10", ["web-10"]),
        ("10$", ["db.10", "web-10"]),
        (r"^.+\-1[0-9]*$", ["web-1", "web-10"]),
        ("web-1|db", ["db.10", "web-1", "web-10"]),
        ("", ["db.10", "web-1", "web-10"]),
        ("100%25", []),
        ("_", []),
    ],
)
def test_names_are_searched_like_expressions(cloud: Cloud, pattern: str, expected: list[str]) -> None:
    for name in ("web-1", "web-10", "db.10"):
        make_server(name=name)

    found = cloud.as_member.get(PATH, QUERY_STRING="name=" + pattern.replace("+", "%2B").replace("|", "%7C"))

    assert sorted(names(found)) == expected


@pytest.mark.parametrize("pattern", ["(", "[a", "(a%2B)%2B%24" * 30, "a{1000}{1000}{1000}"])
def test_evil_patterns_are_refused_quickly(cloud: Cloud, pattern: str) -> None:
    make_server(name="a" * 200)

    assert cloud.as_member.get(PATH, QUERY_STRING=f"name={pattern}").status_code in (200, 400)


def test_a_pattern_search_is_paged(cloud: Cloud) -> None:
    now = utcnow()
    rows = [make_server(name=f"w{number}", created_at=now + timedelta(seconds=number)) for number in range(5)]

    first = cloud.as_member.get(f"{PATH}?name=^w[0-9]&limit=2")

    assert names(first) == ["w4", "w3"]
    assert names(cloud.as_member.get(f"{PATH}?name=^w[0-9]&limit=2&marker={rows[3].id}")) == ["w2", "w1"]


def test_addresses_are_searched(cloud: Cloud) -> None:
    make_server(name="five", network_info=at_address("10.0.0.5"))
    make_server(name="fifty", network_info=at_address("10.0.0.50"))

    assert sorted(names(cloud.as_member.get(f"{PATH}?ip=10.0.0.5"))) == ["fifty", "five"]
    assert names(cloud.as_member.get(f"{PATH}?ip=^10.0.0.5$")) == ["five"]
    assert names(cloud.as_member.get(f"{PATH}?ip=0.0.0.5$")) == ["five"]
    assert names(cloud.as_member.get(f"{PATH}?ip=10.1")) == []
    assert sorted(names(cloud.as_member.at("2.5").get(f"{PATH}?ip6=fd00"))) == ["fifty", "five"]
    assert sorted(names(cloud.as_member.get(f"{PATH}?ip6=nowhere"))) == ["fifty", "five"]
    assert names(cloud.as_member.at("2.5").get(f"{PATH}?ip6=nowhere")) == []


def test_status_is_one_of_the_known_words(cloud: Cloud) -> None:
    make_server(name="on")
    make_server(VmState.STOPPED, name="off")

    assert names(cloud.as_member.get(f"{PATH}?status=SHUTOFF")) == ["off"]
    assert sorted(names(cloud.as_member.get(f"{PATH}?status=shutoff&status=ACTIVE"))) == ["off", "on"]
    assert names(cloud.as_member.get(f"{PATH}?status=FLYING")) == []
    assert cloud.as_member.at("2.38").get(f"{PATH}?status=FLYING").status_code == 400


def test_soft_deleted_servers_are_hidden_as_deleted_ones_are(cloud: Cloud) -> None:
    make_server(name="alive", created_at=utcnow() - timedelta(minutes=1))
    soft = make_server(VmState.SOFT_DELETED, name="soft", soft_deleted_at=utcnow())
    make_server(VmState.DELETED, name="dead", deleted_at=utcnow())

    for query in ("", "?deleted=True", "?soft_deleted=True", "?status=ACTIVE"):
        assert names(cloud.as_member.get(f"{PATH}{query}")) == ["alive"]
    assert names(cloud.as_member.get(f"{PATH}?status=SOFT_DELETED")) == []
    assert cloud.as_member.get(f"{PATH}/{soft.id}").json()["server"]["status"] == "SOFT_DELETED"
    for query, found in {
        "": {"alive"}, "&status=SOFT_DELETED": {"soft"}, "&soft_deleted=True": {"alive", "soft"},
        "&deleted=True": {"soft", "dead"}, "&deleted=True&soft_deleted=False": {"dead"}, "&status=DELETED": {"dead"},
        "&changes-since=2020-01-01T00:00:00Z": {"alive", "soft", "dead"},
    }.items():  # fmt: skip
        assert set(names(cloud.as_admin.get(f"{PATH}?all_tenants=1{query}"))) == found, query


def test_deleted_servers_are_for_administrators_or_for_those_who_ask_since_when(cloud: Cloud) -> None:
    before = (utcnow() - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    later = (utcnow() + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    make_server(name="alive")
    make_server(VmState.DELETED, name="dead", deleted_at=utcnow())

    assert names(cloud.as_member.get(f"{PATH}?deleted=True")) == ["alive"]
    assert names(cloud.as_member.get(f"{PATH}/detail?deleted=False")) == ["alive"]
    assert names(cloud.as_admin.get(f"{PATH}?all_tenants=1&deleted=True")) == ["dead"]
    assert cloud.as_member.get(f"{PATH}?status=DELETED").status_code == 403
    assert names(cloud.as_admin.get(f"{PATH}?all_tenants=1&status=DELETED")) == ["dead"]
    assert sorted(names(cloud.as_member.get(f"{PATH}?changes-since={before}"))) == ["alive", "dead"]
    assert names(cloud.as_member.get(f"{PATH}?changes-since={later}")) == []
    assert sorted(names(cloud.as_member.at("2.66").get(f"{PATH}?changes-before={later}"))) == ["alive", "dead"]
    assert names(cloud.as_member.at("2.65").get(f"{PATH}?changes-before={before}")) == ["alive"]
    wrong = cloud.as_member.at("2.66").get(f"{PATH}?changes-since={later}&changes-before={before}")
    assert wrong.status_code == 400
    assert cloud.as_member.get(f"{PATH}?changes-since=yesterday").status_code == 400
    assert cloud.as_member.get(f"{PATH}?changes-since=2026-11-22T10:00:00+01:00").status_code == 200


def test_tags_filter_four_ways_from_2_26(cloud: Cloud) -> None:
    for name, tags in (("both", ("a", "b")), ("one", ("a",)), ("none", ())):
        server = make_server(name=name)
        InstanceTag.objects.bulk_create([InstanceTag(instance=server, tag=tag) for tag in tags])
    person = cloud.as_member.at("2.26")

    assert names(person.get(f"{PATH}?tags=a,b")) == ["both"]
    assert sorted(names(person.get(f"{PATH}?tags-any=a,b"))) == ["both", "one"]
    assert sorted(names(person.get(f"{PATH}?not-tags=a,b"))) == ["none", "one"]
    assert names(person.get(f"{PATH}?not-tags-any=a,b")) == ["none"]
    assert len(names(cloud.as_member.get(f"{PATH}?tags=a,b"))) == 3


def test_most_filters_are_for_administrators_until_2_83(cloud: Cloud) -> None:
    make_server(name="mine", key_name="one", hostname="mine")
    make_server(name="other", key_name="two", hostname="other", user_id=user_id("reader-a"))

    assert len(names(cloud.as_member.at("2.82").get(f"{PATH}?key_name=one"))) == 2
    assert names(cloud.as_member.at("2.83").get(f"{PATH}?key_name=one")) == ["mine"]
    assert names(cloud.as_member.at("2.83").get(f"{PATH}?user_id={user_id('reader-a')}")) == ["other"]
    assert len(names(cloud.as_member.at("2.89").get(f"{PATH}?hostname=mine"))) == 2
    assert names(cloud.as_member.at("2.90").get(f"{PATH}?hostname=mine")) == ["mine"]
    assert names(cloud.as_admin.get(f"{PATH}?all_tenants=1&key_name=two")) == ["other"]


def test_administrators_filter_by_host(cloud: Cloud) -> None:
    make_server(name="here", host=make_host("one"))
    make_server(name="there", host=make_host("two"))

    assert names(cloud.as_admin.get(f"{PATH}?all_tenants=1&host=two")) == ["there"]
    assert names(cloud.as_admin.get(f"{PATH}?all_tenants=1&node=one")) == ["here"]
    assert names(cloud.as_admin.get(f"{PATH}?all_tenants=1&host=three")) == []
    assert len(names(cloud.as_member.get(f"{PATH}?host=two"))) == 2


def test_locked_filters_from_2_73(cloud: Cloud) -> None:
    make_server(name="locked", locked_by="owner")
    make_server(name="open")

    assert names(cloud.as_member.at("2.73").get(f"{PATH}?locked=True")) == ["locked"]
    assert names(cloud.as_member.at("2.73").get(f"{PATH}?locked=0")) == ["open"]
    assert cloud.as_member.at("2.73").get(f"{PATH}?locked=perhaps").status_code == 400
    assert len(names(cloud.as_member.at("2.72").get(f"{PATH}?locked=True"))) == 2


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("image=70a599e0-31e7-49b7-b260-868f441e862b", 1), ("image=nothing", 0), ("flavor=1", 1), ("flavor=nothing", 0),
        ("reservation_id=r-1", 1), ("uuid=nothing", 0), ("vm_state=active", 1), ("task_state=spawning", 0),
        ("power_state=1", 1), ("power_state=4", 0), ("launch_index=0", 1), ("config_drive=true", 0),
        ("availability_zone=nova", 1), ("description=we", 1), ("display_name=web", 1), ("kernel_id=x", 0),
        ("auto_disk_config=true", 0), ("launched_at=2020-01-01T00:00:00Z", 0),
        ("created_at=9999-12-31T23:59:59Z", 0), ("progress=0", 1), ("soft_deleted=1", 1),
        ("root_device_name=vda", 1), ("access_ip_v4=1.2.3.4", 0), ("locked_by=admin", 0), ("image_ref=x", 0),
    ],
)  # fmt: skip
def test_every_filter_works_for_administrators(cloud: Cloud, query: str, count: int) -> None:
    make_server()

    assert len(names(cloud.as_admin.get(f"{PATH}/detail?all_tenants=1&{query}"))) == count


def test_every_filter_of_the_schema_has_a_function() -> None:
    assert set(FUNCTIONS) | ELSEWHERE == {*FILTERS, *TAG_FILTERS, "locked", "changes-before"}


@pytest.mark.parametrize(
    "query", ["power_state=x", "created_at=x", "created_at=0001-01-01T00:00:00%2B14:00", "metadata=x", "info_cache=1"]
)
def test_wrong_values_are_told(cloud: Cloud, query: str) -> None:
    assert cloud.as_admin.get(f"{PATH}?{query}").status_code == 400


def test_unknown_filters_are_ignored_until_2_74(cloud: Cloud) -> None:
    make_server()
    plain = cloud.as_member.get(PATH).json()
    evil = f"{PATH}?project__user__password__startswith=p&project_id__in=1"

    assert cloud.as_member.get(evil).json() == plain
    assert cloud.as_member.at("2.75").get(evil).status_code == 400


def test_literals_are_told_from_expressions() -> None:
    assert literal("^a-b$") == ("a-b", True, True)
    assert literal(r"a\.b") == ("a.b", False, False)
    assert literal(r"a\$") == ("a$", False, False)
    assert literal("a.b") is None
    assert literal("10.0", dots=True) == ("10.0", False, False)
    assert literal(r"\d") is None
    assert literal("a\\") is None


@pytest.mark.parametrize("amount", [2, 40])
def test_a_list_costs_the_same_queries_however_long(cloud: Cloud, django_assert_num_queries: Any, amount: int) -> None:
    host = make_host()
    Instance.objects.bulk_create([build(name=f"s{number}", host=host) for number in range(amount)])
    cloud.as_member.at("2.100").get(f"{PATH}/detail")

    with django_assert_num_queries(2):
        assert len(names(cloud.as_member.at("2.100").get(f"{PATH}/detail"))) == amount
