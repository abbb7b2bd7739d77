"""Our own API: operations for their projects, hosts for administrators, and the document that describes both."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hosts.models import Aggregate, AggregateHost, Host
from operations.models import Operation, Step
from tests.support.auth import PROJECT_A, PROJECT_B
from tests.support.client import Cloud, Person
from tests.support.machines import make_host

OPERATIONS = "/api/v1/operations"
HOSTS = "/api/v1/hosts"
COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "reference" / "openapi-native.yaml"


def operation(verb: str = "create", project_id: str = PROJECT_A, **facts: Any) -> Operation:
    known: dict[str, Any] = {"subject_kind": "server", "subject_id": f"s-{verb}-{project_id[0]}", "exclusive": False}
    known |= {"deadline_at": timezone.now() + timedelta(hours=1)}
    return Operation.objects.create(verb=verb, project_id=project_id, **(known | facts))


def items(person: Person, path: str) -> list[dict[str, Any]]:
    answer = person.get(path)
    assert answer.status_code == 200, answer.content
    return list(answer.json()["items"])


def verbs(person: Person, query: str = "") -> set[str]:
    return {item["verb"] for item in items(person, f"{OPERATIONS}?{query}")}


def test_operations_are_seen_by_their_project_and_by_administrators(cloud: Cloud) -> None:
    mine = operation(
        host_name="host-1", details="libvirt said no", fault="it failed", args={"secret": "x"}, sealed=b"x"
    )
    Step.objects.create(operation=mine, attempt=1, seq=2, name="define", state="done", message="on host-1")
    Step.objects.create(operation=mine, attempt=1, seq=1, name="disk", state="done")
    operation("delete", PROJECT_B)

    shown = cloud.as_reader.get(f"{OPERATIONS}/{mine.id}").json()
    assert (shown["verb"], shown["state"], shown["fault"]) == ("create", "pending", "it failed")
    assert shown["host_name"] is None and shown["details"] is None
    assert [step["name"] for step in shown["steps"]] == ["disk", "define"]
    assert not {"args", "sealed", "result", "queue"} & set(shown) and "message" not in shown["steps"][0]
    assert cloud.as_admin.get(f"{OPERATIONS}/{mine.id}").json()["host_name"] == "host-1"

    assert verbs(cloud.as_member) == {"create"} and verbs(cloud.as_other) == {"delete"}
    assert verbs(cloud.as_admin) == {"create", "delete"}
    assert verbs(cloud.as_admin, f"project_id={PROJECT_B}") == {"delete"}
    assert verbs(cloud.as_member, f"project_id={PROJECT_B}") == set()
    assert cloud.as_other.get(f"{OPERATIONS}/{mine.id}").status_code == 404
    assert cloud.as_other.get(f"{OPERATIONS}?marker={mine.id}").status_code == 400
    assert cloud.anonymous.get(OPERATIONS).status_code == 401
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert cloud.as_admin.request(method, f"{OPERATIONS}/{mine.id}", {}).status_code == 405


def test_each_filter_finds_its_operations(cloud: Cloud) -> None:
    start = operation("start", state="succeeded", request_id="req-1")
    operation("stop", state="failed", parent=start)
    operation("pause", subject_kind="volume")
    Operation.objects.filter(pk=start.pk).update(created_at=timezone.now() - timedelta(days=2))
    yesterday = quote((timezone.now() - timedelta(days=1)).isoformat())
    expected = {
        "verb=start": {"start"},
        "state=failed": {"stop"},
        "state=failed&state=pending": {"stop", "pause"},
        "is_open=true": {"pause"},
        "is_open=false": {"start", "stop"},
        "subject_kind=volume": {"pause"},
        f"subject_id={start.subject_id}": {"start"},
        "request_id=req-1": {"start"},
        f"parent_id={start.id}": {"stop"},
        f"created_before={yesterday}": {"start"},
        f"created_after={yesterday}": {"stop", "pause"},
        "updated_after=2000-01-01T00:00:00Z": {"start", "stop", "pause"},
        "updated_before=2000-01-01T00:00:00Z": set(),
    }
    for query, found in expected.items():
        assert verbs(cloud.as_member, query) == found, query
    for query in (
        "colour=red",
        "state=asleep",
        "created_after=yesterday",
        "limit=x",
        "limit=-1",
        "marker=none",
        "args__x=1",
    ):
        answer = cloud.as_member.get(f"{OPERATIONS}?{query}")
        assert answer.status_code == 400 and answer.json()["error"]["request_id"].startswith("req-"), query


def test_pages_hold_each_operation_once_and_cost_the_same(cloud: Cloud) -> None:
    for number in range(7):
        row = operation(f"verb{number}")
        Step.objects.create(operation=row, attempt=1, seq=1, name="x", state="done")
    path: str | None = f"{OPERATIONS}?limit=3"
    seen: list[str] = []
    counts = []
    while path:
        with CaptureQueriesContext(connection) as queries:
            page = cloud.as_member.get(path).json()
        counts.append(len(queries))
        seen += [item["verb"] for item in page["items"]]
        link = urlsplit(page["next"]) if page["next"] else None
        path = f"{link.path}?{link.query}" if link else None
    assert len(seen) == 7 and set(seen) == {f"verb{number}" for number in range(7)}
    assert counts[0] == 2 and max(counts) <= 4


@pytest.fixture
def hosts(db: None) -> list[Host]:
    one, two = make_host("one", arch="x86_64"), make_host("two", up=False, arch="aarch64", is_disabled=True)
    zone = Aggregate.objects.create(name="rack", availability_zone="east")
    AggregateHost.objects.create(aggregate=zone, host=two)
    return [one, two]


def names(person: Person, query: str = "") -> list[str]:
    return [item["name"] for item in items(person, f"{HOSTS}?{query}")]


def test_hosts_are_for_administrators(cloud: Cloud, hosts: list[Host]) -> None:
    for person in (cloud.as_member, cloud.as_manager, cloud.as_reader):
        assert person.get(HOSTS).status_code == 403
        assert person.get(f"{HOSTS}/{hosts[0].id}").status_code == 403
    assert cloud.anonymous.get(HOSTS).status_code == 401
    one = cloud.as_admin.get(f"{HOSTS}/{hosts[0].id}").json()
    assert one["is_up"] is True and one["availability_zone"] == "nova" and one["aggregates"] == []
    memory = next(row for row in one["inventories"] if row["resource_class"] == "MEMORY_MB")
    assert memory == {
        "resource_class": "MEMORY_MB", "total": 16384, "reserved": 512, "ratio": 1.0, "capacity": 15872, "used": 0,
        "free": 15872,
    }  # fmt: skip
    assert cloud.as_admin.get(f"{HOSTS}/nobody").status_code == 404


def test_each_filter_finds_its_hosts(cloud: Cloud, hosts: list[Host]) -> None:
    expected = {
        "": ["one", "two"],
        "name=two": ["two"],
        "name_contains=W": ["two"],
        "is_up=true": ["one"],
        "is_up=false": ["two"],
        "is_disabled=true": ["two"],
        "arch=aarch64": ["two"],
        "driver=fake": ["one", "two"],
        "aggregate=rack": ["two"],
        "hypervisor_type=KVM": [],
        "limit=1": ["one"],
        f"limit=1&marker={hosts[0].id}": ["two"],
    }
    for query, found in expected.items():
        assert names(cloud.as_admin, query) == found, query
    with CaptureQueriesContext(connection) as queries:
        names(cloud.as_admin)
    assert len(queries) == 3
    assert items(cloud.as_admin, HOSTS)[1]["availability_zone"] == "east"
    assert cloud.as_admin.get(f"{HOSTS}?agent=1").status_code == 400


def test_the_document_is_valid_complete_and_the_committed_one(cloud: Cloud, tmp_path: Path) -> None:
    command = {"urlconf": "computecloud.urls_native", "custom_settings": "computecloud.http.openapi.SETTINGS"}
    call_command("spectacular", **command, file=str(tmp_path / "made"), validate=True, fail_on_warn=True)
    made = (tmp_path / "made").read_bytes()
    assert made == COMMITTED.read_bytes(), "the command in docs/reference/native.md writes it anew"
    for path in ("operations", "operations/{id}", "hosts", "hosts/{id}"):
        assert f"\n  /api/v1/{path}:\n".encode() in made

    served = cloud.anonymous.get("/api/v1/schema")
    assert served.status_code == 200 and served.content == COMMITTED.read_bytes()
    assert cloud.anonymous.get("/api/v1/schema?format=json").json()["info"]["title"] == "computecloud"
    assert cloud.anonymous.get("/api/v1/schema?format=xml").status_code == 404


@pytest.mark.parametrize("text", ["1075", "null", "", "yes", "True ", "1"])
def test_what_is_neither_true_nor_false_is_refused(cloud: Cloud, text: str) -> None:
    for name in ("is_up", "is_disabled", "is_draining"):
        assert cloud.as_admin.get(f"/api/v1/hosts?{name}={text}").status_code == 400
        assert cloud.as_admin.get(f"/api/v1/hosts?{name}=True").status_code == 200
    assert cloud.as_member.get(f"/api/v1/operations?is_open={text}").status_code == 400
    assert cloud.as_member.get("/api/v1/operations?is_open=false").status_code == 200
