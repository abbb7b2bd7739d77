"""Usage of projects over a period."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.auth import PROJECT_A, PROJECT_B
from tests.support.client import Cloud
from tests.support.machines import make_host, make_server

USAGE = "/compute/v2.1/os-simple-tenant-usage"
AUDIT = "/compute/v2.1/os-instance_usage_audit_log"
PERIOD = "start=2026-01-01T00:00:00&end=2026-01-02T00:00:00.000000"


def at(hour: int, day: int = 1) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=UTC)


def told(person: Any, query: str = PERIOD, project: str = PROJECT_A) -> dict[str, Any]:
    response = person.get(f"{USAGE}/{project}?{query}")
    assert response.status_code == 200, response.content
    return response.json()["tenant_usage"]


def test_a_project_reads_its_own_usage(cloud: Cloud) -> None:
    running = make_server(launched_at=at(12))
    ended = make_server(launched_at=at(2), terminated_at=at(6), deleted_at=at(6), vm_state="deleted")
    make_server()  # never started
    make_server(launched_at=at(1, 3))  # later
    make_server(launched_at=at(1), project_id=PROJECT_B)
    usage = told(cloud.as_reader)
    assert usage["total_hours"] == 16.0
    assert usage["total_vcpus_usage"] == 32.0
    assert usage["total_memory_mb_usage"] == 16384.0
    assert usage["total_local_gb_usage"] == 240.0
    assert (usage["start"], usage["stop"]) == ("2026-01-01T00:00:00.000000", "2026-01-02T00:00:00.000000")
    rows = {row["instance_id"]: row for row in usage["server_usages"]}
    assert set(rows) == {running.pk, ended.pk}
    assert (rows[ended.pk]["hours"], rows[ended.pk]["state"], rows[ended.pk]["uptime"]) == (4.0, "terminated", 14400)
    assert (rows[running.pk]["state"], rows[running.pk]["ended_at"], rows[running.pk]["local_gb"]) == (
        "active",
        None,
        15,
    )


def test_a_project_without_servers_has_a_usage_of_zero(cloud: Cloud) -> None:
    """Nova answers an empty object, on which `openstack usage show` stumbles."""
    usage = told(cloud.as_member)
    assert (usage["tenant_id"], usage["total_hours"], usage["server_usages"]) == (PROJECT_A, 0.0, [])


def test_others_usage_is_for_administrators(cloud: Cloud) -> None:
    make_server(launched_at=at(1))
    make_server(launched_at=at(1), project_id=PROJECT_B)
    assert cloud.as_other.get(f"{USAGE}/{PROJECT_A}?{PERIOD}").status_code == 403
    assert cloud.as_manager.get(f"{USAGE}?{PERIOD}").status_code == 403
    assert told(cloud.as_admin)["total_hours"] == 23.0
    listed = cloud.as_admin.get(f"{USAGE}?{PERIOD}").json()["tenant_usages"]
    assert [row["tenant_id"] for row in listed] == [PROJECT_A, PROJECT_B]
    assert "server_usages" not in listed[0]
    detailed = cloud.as_admin.get(f"{USAGE}?{PERIOD}&detailed=1").json()["tenant_usages"]
    assert len(detailed[0]["server_usages"]) == 1


@pytest.mark.parametrize(
    "query", ["start=x", "start=2026-01-02T00:00:00&end=2026-01-01T00:00:00", "start=2999-01-01T00:00:00"]
)
def test_wrong_periods_are_refused(cloud: Cloud, query: str) -> None:
    assert cloud.as_member.get(f"{USAGE}/{PROJECT_A}?{query}").status_code == 400
    assert cloud.as_admin.get(f"{USAGE}?{query}").status_code == 400


def test_reports_are_paged_by_server_from_2_40(cloud: Cloud) -> None:
    ids = sorted(make_server(launched_at=at(1)).pk for _ in range(3))
    member = cloud.as_member.at("2.40")
    first = member.get(f"{USAGE}/{PROJECT_A}?{PERIOD}&limit=2").json()
    assert [row["instance_id"] for row in first["tenant_usage"]["server_usages"]] == ids[:2]
    assert first["tenant_usage_links"][0]["href"].endswith(f"limit=2&marker={ids[1]}")
    rest = member.get(f"{USAGE}/{PROJECT_A}?{PERIOD}&limit=2&marker={ids[1]}").json()
    assert [row["instance_id"] for row in rest["tenant_usage"]["server_usages"]] == ids[2:]
    assert "tenant_usage_links" not in rest
    assert member.get(f"{USAGE}/{PROJECT_A}?{PERIOD}&marker=nothing").status_code == 400
    assert len(told(cloud.as_member.at("2.39"), f"{PERIOD}&limit=1")["server_usages"]) == 3
    assert "tenant_usages_links" in cloud.as_admin.at("2.40").get(f"{USAGE}?{PERIOD}&limit=1").json()
    assert member.at("2.75").get(f"{USAGE}/{PROJECT_A}?{PERIOD}&x=1").status_code == 400


def test_the_audit_log_says_that_nothing_was_audited(cloud: Cloud) -> None:
    make_host()
    log = cloud.as_admin.get(AUDIT).json()["instance_usage_audit_logs"]
    assert (log["num_hosts"], log["hosts_not_run"], log["log"]) == (1, ["host-1"], {})
    before = cloud.as_admin.get(f"{AUDIT}/2026-03-05%2012:00:00").json()["instance_usage_audit_log"]
    assert (before["period_beginning"], before["period_ending"]) == ("2026-02-01 00:00:00", "2026-03-01 00:00:00")
    assert cloud.as_admin.get(f"{AUDIT}/yesterday").status_code == 400
    assert cloud.as_member.get(AUDIT).status_code == 403
    assert cloud.as_member.get(f"{AUDIT}/2026-03-05").status_code == 403
