"""The scheduler's engine on real rows: decisions that can be made again, groups, passes, a table kept fresh."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.db.models.functions import Now

from computecloud.core.clock import utcnow
from computecloud.core.ids import new_ordered_uuid
from hosts.models import Aggregate, AggregateHost, Allocation, Host, Inventory
from instances.actions.create import FlavorSnapshot
from instances.actions.delete import Delete
from instances.models import Instance
from instances.models.server_group import ServerGroup
from integrations.networks import facade as networks
from integrations.networks.facade import PortPlan
from integrations.networks.models import FixedAddress
from operations.models import Operation
from scheduling import claims, configuration, records, retention, service
from scheduling.claims import Chosen
from scheduling.models import Decision, GroupHome, GroupPlacement, Snapshot
from scheduling.request import Group, PlacementRequest
from scheduling.service import Job, NoValidHost
from tasks import placing
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)
SMALL = {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}


def wish(name: str, group: Group | None = None, **resources: int) -> PlacementRequest:
    return PlacementRequest(name, "p", "u", SMALL | resources, group=group)


def agreed(_host: Chosen) -> bool:
    return True


def test_a_decision_made_again_has_the_same_winner_and_reasons(stage: Stage, member: Member) -> None:
    for number in range(8):
        member.creates(f"s{number}")
        stage.settle()
    with pytest.raises(NoValidHost):
        service.place(wish("too-large", MEMORY_MB=7000), agreed)
    for decision in Decision.objects.all():
        verdict = records.replay(decision, configuration.in_force())
        table, body = records.table_of(decision), records.body_of(decision)
        assert [table.ids[row] for row in verdict.scores.rows] == body.finalists
        assert verdict.first_refusal.tolist() == body.first_refusals().tolist()
        assert verdict.scores.weighted == body.scores.weighted
        won = [table.ids[row] for row in verdict.candidates[:1]]
        assert won == [decision.chosen_host_id] if won else verdict.fault in decision.fault
    assert Snapshot.objects.filter(kind="stock").count() == 1, "the hosts did not change"
    assert Snapshot.objects.filter(kind="rules").count() == 1


def test_a_restored_table_is_the_table(stage: Stage, member: Member) -> None:
    member.creates(count=3)
    stage.settle()
    service.TABLE.refresh()
    service.place(wish("one"), agreed)
    decision = Decision.objects.get(consumer_id="one")
    then = records.table_of(decision)
    service.place(wish("two"), agreed)
    assert [int(used) for used in then.used["VCPU"]] != [int(used) for used in service.TABLE.table.used["VCPU"]]
    assert then.ids == service.TABLE.table.ids
    assert int(then.used["VCPU"].sum()) == 3
    assert then.facts[0] == service.TABLE.table.facts[0]
    assert list(then.zones) == list(service.TABLE.table.zones)
    assert then.up.tolist() == [True, True]


def test_hosts_that_refused_can_be_asked_why_with_the_two_numbers(stage: Stage) -> None:
    with pytest.raises(NoValidHost, match="RamFilter: 9000 MB of RAM wanted, at most 8192 free on one host"):
        service.place(wish("large", MEMORY_MB=9000), agreed)
    decision = Decision.objects.get()
    assert decision.blocked_by == "RamFilter"
    body, table = records.body_of(decision), records.table_of(decision)
    names = records.filters_of(decision)
    assert {names[number] for number in body.first_refusals()} == {"RamFilter"}
    [ram] = [rule for rule in configuration.in_force().filters if rule.name == "RamFilter"]
    assert ram.reason(table, body.request, 0) == "wants 9000 MB of RAM, 8192 free"


def test_members_of_a_hard_group_stay_apart_or_together(stage: Stage) -> None:
    apart, together = Group("g1", "anti-affinity"), Group("g2", "affinity")
    there = {service.place(wish(f"a{number}", apart), agreed).id for number in range(2)}
    assert len(there) == 2
    with pytest.raises(NoValidHost):
        service.place(wish("a2", apart), agreed)
    home = {service.place(wish(f"t{number}", together), agreed).id for number in range(3)}
    assert len(home) == 1
    assert GroupHome.objects.get().members == 3


def test_a_place_in_a_group_is_free_again_when_its_server_is_gone(stage: Stage, member: Member) -> None:
    group = ServerGroup.objects.create(
        project_id=member.actor.project_id, user_id="u", name="g", policy="affinity", rules={}
    )
    servers = [member.creates(f"s{number}", server_group_id=group.id)[0] for number in range(2)]
    stage.settle()
    hosts = set(Instance.objects.filter(id__in=[one.id for one in servers]).values_list("host_id", flat=True))
    assert len(hosts) == 1
    for server in servers:
        Delete.request(member.actor, Instance.objects.get(id=server.id))
    stage.settle()
    assert not GroupPlacement.objects.exists()
    assert not GroupHome.objects.exists()
    stage.assert_balanced()


def test_a_pass_places_each_on_what_the_others_left(stage: Stage) -> None:
    jobs = [Job(wish(f"s{number}", MEMORY_MB=2500), agreed) for number in range(8)]
    answers = service.place_each(jobs)
    found = Counter(type(answer).__name__ for answer in answers)
    assert found == {"Chosen": 6, "NoValidHost": 2}, "8192 MB on each of two hosts"
    assert Decision.objects.exclude(chosen_host_id="").count() == 6
    for row in Inventory.objects.filter(resource_class="MEMORY_MB"):
        assert row.used == 7500
        assert row.consumers == 3


def test_together_means_all_or_nobody(stage: Stage) -> None:
    apart = Group("g1", "anti-affinity")
    with pytest.raises(NoValidHost, match="All 3 servers of the request or none: 2 would fit"):
        service.place_together([Job(wish(f"s{number}", apart), agreed) for number in range(3)])
    assert not Allocation.objects.exists()
    assert not GroupPlacement.objects.exists()
    hosts = service.place_together([Job(wish(f"t{number}", apart), agreed) for number in range(2)])
    assert len({host.id for host in hosts}) == 2
    assert [int(used) for used in service.TABLE.table.used["VCPU"]] == [1, 1]


def test_the_table_follows_what_others_do(stage: Stage) -> None:
    service.TABLE.refresh()
    first = Host.objects.order_by("id").first()
    assert first is not None
    row = service.TABLE.table.row_of[first.id]
    claims.claim("somebody-else", first.id, SMALL)
    service.TABLE.refresh()
    assert int(service.TABLE.table.used["VCPU"][row]) == 1
    assert int(service.TABLE.table.servers[row]) == 1
    claims.release("somebody-else")
    service.TABLE.refresh()
    assert int(service.TABLE.table.used["VCPU"][row]) == 0
    assert int(service.TABLE.table.servers[row]) == 0

    zone = Aggregate.objects.create(name="a", availability_zone="east", metadata={"ssd": "yes"})
    AggregateHost.objects.create(aggregate=zone, host=first)
    service.TABLE.refresh()
    assert service.TABLE.table.zones[row] == "east"
    [east] = service.TABLE.table.aggregates.sets
    assert service.TABLE.table.aggregates.rows(east).tolist() == [row]

    Host.objects.filter(id=first.id).update(deleted_at="2026-01-01T00:00:00Z", changed_at="2099-01-01T00:00:00Z")
    service.TABLE.refresh()
    assert len(service.TABLE.table) == 1
    assert np.all(service.TABLE.table.capacity["VCPU"] == 128)


def test_a_failed_build_goes_to_the_stored_alternates_first(tmp_path: Path, db: None) -> None:
    """The second best is kept; the next try takes it although it is the worst by then."""
    Stage(tmp_path, hosts=5)
    first = service.place(wish("one"), agreed)
    kept = records.last_alternates("one")
    assert first.id not in kept
    assert len(kept) == 4
    request = PlacementRequest("one", "p", "u", {"VCPU": 1}, excluded_host_ids=frozenset([first.id]), alternates=kept)
    claims.release("one")
    claims.claim("weight", kept[0], {"VCPU": 5, "MEMORY_MB": 5000})
    service.TABLE.refresh()
    assert service.place(request, agreed).id == kept[0]


def test_a_server_without_a_host_has_its_decision_too(stage: Stage, member: Member) -> None:
    huge = FlavorSnapshot("9", "huge", vcpus=1, ram_mb=9000, disk_gb=1)
    [server] = member.creates(flavor=huge)
    stage.settle()
    decision = Decision.objects.get(consumer_id=server.id)
    assert records.body_of(decision).request.resources == {"VCPU": 1, "MEMORY_MB": 9000, "DISK_GB": 1}
    assert decision.fault
    assert records.replay(decision, configuration.in_force()).fault in decision.fault


def test_servers_of_one_request_come_together_or_not_at_all(stage: Stage, member: Member) -> None:
    large = FlavorSnapshot("5", "large", vcpus=1, ram_mb=5000, disk_gb=1)
    servers = member.creates(count=3, flavor=large)  # two hosts hold one each
    stage.settle()
    rows = Instance.objects.filter(id__in=[one.id for one in servers])
    assert {row.status for row in rows} == {"ERROR"}
    assert {row.host_id for row in rows} == {None}
    assert len({row.fault_message for row in rows}) == 1
    assert "All 3 servers of the request or none: 2 would fit" in rows[0].fault_message
    assert not Allocation.objects.exists()
    for row in rows:
        Delete.request(member.actor, row)

    servers = member.creates("two", count=2, flavor=large)
    first, second = (Operation.objects.get(subject_id=one.id) for one in servers)
    assert second.parent_id == first.id
    assert placing.place(first.id, 0), "one bell is heard for both"
    assert not placing.place(second.id, 0)
    stage.settle()
    assert {one.status for one in Instance.objects.filter(id__in=[one.id for one in servers])} == {"ACTIVE"}
    stage.assert_balanced()


def test_a_member_that_was_deleted_meanwhile_does_not_hold_the_others(stage: Stage, member: Member) -> None:
    servers = member.creates(count=3)
    Delete.request(member.actor, servers[0])
    stage.settle()
    assert sorted(Instance.objects.values_list("status", flat=True)) == ["ACTIVE", "ACTIVE", "DELETED"]
    stage.assert_balanced()


def test_what_piles_up_is_placed_in_one_pass(stage: Stage, member: Member) -> None:
    for number in range(6):
        member.creates(f"s{number}")
    member.creates("twins", count=2)
    assert placing.place_waiting() == 8
    assert not Operation.objects.filter(queue="control").exists()
    assert placing.place_waiting() == 0
    stage.settle()
    assert Instance.objects.filter(status="ACTIVE").count() == 8
    stage.assert_balanced()


def test_one_that_finds_no_address_keeps_nobody_of_its_pass_waiting(stage: Stage, member: Member) -> None:
    """The transaction of the pass is rolled back for one of them: the others' operations are as they were read."""
    small = networks.ensure_network(member.actor.project_id or "", "small", "10.9.0.0/30")
    before = FixedAddress.objects.count()
    for number in range(4):
        member.creates(f"s{number}", networks=(PortPlan(small),))
    assert placing.place_waiting() == 4
    assert not Operation.objects.filter(queue="control", state="pending").exists()
    stage.settle()
    placed = FixedAddress.objects.count() - before
    assert Counter(Instance.objects.values_list("status", flat=True)) == {"ACTIVE": placed, "ERROR": 4 - placed}
    assert 0 < placed < 4
    stage.assert_balanced()


def test_old_decisions_go_and_their_snapshots_some_hours_later(stage: Stage) -> None:
    service.place(wish("one"), agreed)
    day = 24 * 3600.0
    retention.purge(day)
    assert Decision.objects.count() == 1
    yesterday = utcnow() - timedelta(days=1, minutes=6)
    Decision.objects.update(id=new_ordered_uuid(yesterday.timestamp()), created_at=yesterday)
    Snapshot.objects.update(created_at=yesterday)
    retention.purge(day)
    assert (Decision.objects.count(), Snapshot.objects.count()) == (0, 3), "a scheduler may refer to them yet"
    Snapshot.objects.update(created_at=Now() - timedelta(days=1, hours=3))
    retention.purge(day)
    assert Snapshot.objects.count() == 0


def test_a_host_that_was_disabled_a_moment_ago_takes_nothing(stage: Stage) -> None:
    """The table is younger than a second and does not know; the claim does."""
    service.TABLE.refresh()
    first, second = (host.id for host in stage.hosts)
    Host.objects.filter(id=first).update(is_disabled=True, changed_at=Now())
    assert {service.place(wish(f"s{number}"), agreed).id for number in range(3)} == {second}
    Host.objects.filter(id=second).update(is_disabled=True, changed_at=Now())
    with pytest.raises(NoValidHost, match="ComputeFilter"):
        service.place(wish("last"), agreed)
