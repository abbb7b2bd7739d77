"""Resize and cold migrate: two hosts, one guest, claims on both until somebody confirms or reverts."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from computecloud.conf import conf
from computecloud.core import failpoints
from computecloud.core.errors import Conflict, Invalid, OverQuota
from hosts.drivers.errors import Unsupported
from hosts.models import Allocation, Host
from instances.actions.create import FlavorSnapshot
from instances.actions.delete import Delete
from instances.actions.power import Stop
from instances.actions.resize import BIGGER, Migrate, Resize
from instances.actions.resize_end import ConfirmResize, RevertResize
from instances.audit import drifts, findings
from instances.models import Instance, Move, ServerGroup
from operations.models import Operation, QuotaGate
from scheduling import claims, service
from tasks import control, crashpoints
from tests.flows.conftest import Member
from tests.support import auth
from tests.support.stage import Stage
from tests.support.verbs import fail_at, fresh, guest

pytestmark = pytest.mark.django_db(transaction=True)
ADMIN = auth.actor("admin")
LARGER = {**BIGGER, "ram_mb": 1024}


@pytest.fixture(autouse=True)
def own_settings() -> object:
    yield
    conf.cache_clear()


def holdings() -> dict[tuple[str, str], dict[str, int]]:
    """(kind of consumer, host) → what it holds."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in Allocation.objects.all():
        found.setdefault((row.consumer_kind, row.host_id), {})[row.resource_class] = row.amount
    return found


def used(member: Member) -> dict[str, int]:
    gates = QuotaGate.objects.filter(project_id=member.actor.project_id)
    return dict(gates.values_list("resource", "used"))


OLD = {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}
NEW = {"VCPU": 2, "MEMORY_MB": 1024, "DISK_GB": 2}


def test_a_server_is_resized_on_another_host_and_confirmed(stage: Stage, member: Member, server: Instance) -> None:
    before = server.host_id or ""
    Resize.request(member.actor, server, flavor=LARGER)
    assert (fresh(server).status, fresh(server).task_state) == ("RESIZE", "resize_prep")
    assert (fresh(server).flavor_id, used(member)["cores"]) == ("1", 2)
    stage.settle()

    now = fresh(server)
    assert (now.status, now.vm_state, now.task_state, now.power_state) == ("VERIFY_RESIZE", "resized", None, 1)
    assert (now.flavor_id, now.vcpus, now.ram_mb, now.disk_gb) == ("2", 2, 1024, 2)
    assert now.host_id != before
    assert guest(stage, now).disks == {"vda": 2048}
    assert holdings() == {("move", before): OLD, ("instance", now.host_id): NEW}
    stage.reconciler.run()
    stage.reconciler.run()
    assert (fresh(server).status, fresh(server).host_id) == ("VERIFY_RESIZE", now.host_id)
    assert stage.drivers[before].leftovers(frozenset()) == [server.id]
    stage.assert_balanced()

    ConfirmResize.request(member.actor, now)
    assert (fresh(server).status, fresh(server).task_state) == ("VERIFY_RESIZE", "resize_confirming")
    stage.settle()
    assert (fresh(server).status, fresh(server).task_state) == ("ACTIVE", None)
    assert holdings() == {("instance", now.host_id): NEW}
    assert stage.drivers[before].leftovers(frozenset()) == []
    assert Move.objects.get().status == "confirmed"
    assert guest(stage, now).boots == 1
    stage.assert_balanced()


def test_reverted_it_is_what_and_where_it_was(stage: Stage, member: Member, server: Instance) -> None:
    before = fresh(server)
    Resize.request(member.actor, server, flavor=LARGER)
    stage.settle()
    there = fresh(server).host_id or ""
    RevertResize.request(member.actor, fresh(server))
    assert (fresh(server).status, fresh(server).task_state) == ("REVERT_RESIZE", "resize_reverting")
    stage.settle()

    now = fresh(server)
    assert (now.status, now.host_id, now.flavor()) == ("ACTIVE", before.host_id, before.flavor())
    assert guest(stage, now).disks == {"vda": 1024}
    assert (guest(stage, now).boots, guest(stage, now).power) == (1, 1)
    assert holdings() == {("instance", now.host_id): OLD}
    assert used(member) == {"instances": 1, "cores": 1, "ram_mb": 512}
    assert Move.objects.get().status == "reverted"
    assert stage.drivers[there].leftovers(frozenset()) == []
    stage.assert_balanced()


def test_one_that_is_off_stays_off(stage: Stage, member: Member, server: Instance) -> None:
    Stop.request(member.actor, server)
    stage.settle()
    Resize.request(member.actor, fresh(server), flavor=LARGER)
    stage.settle()
    assert (fresh(server).status, fresh(server).power_state) == ("VERIFY_RESIZE", 4)
    ConfirmResize.request(member.actor, fresh(server))
    stage.settle()
    assert (fresh(server).status, fresh(server).power_on) == ("SHUTOFF", False)

    Migrate.request(ADMIN, fresh(server))
    stage.settle()
    RevertResize.request(member.actor, fresh(server))
    stage.settle()
    assert fresh(server).status == "SHUTOFF"
    stage.assert_balanced()


def test_the_quota_holds_the_larger_flavor_until_the_end(stage: Stage, member: Member) -> None:
    [server] = member.creates(flavor=FlavorSnapshot("2", "large", vcpus=2, ram_mb=1024, disk_gb=1))
    stage.settle()
    smaller = {**fresh(server).flavor(), "flavor_id": "1", "vcpus": 1, "ram_mb": 512}
    Resize.request(member.actor, fresh(server), flavor=smaller)
    stage.settle()
    assert (fresh(server).vcpus, used(member)["cores"]) == (1, 2)
    assert findings() == []
    ConfirmResize.request(member.actor, fresh(server))
    stage.settle()
    assert used(member) == {"instances": 1, "cores": 1, "ram_mb": 512}
    stage.assert_balanced()


def test_a_larger_flavor_must_be_within_quota(stage: Stage, member: Member, server: Instance) -> None:
    QuotaGate.objects.filter(project_id=member.actor.project_id, resource="cores").update(limit=1)
    with pytest.raises(OverQuota):
        Resize.request(member.actor, server, flavor=LARGER)
    assert (fresh(server).status, used(member)["cores"], Move.objects.count()) == ("ACTIVE", 1, 0)
    stage.assert_balanced()


def test_without_another_host_it_stays_as_it_was(stage: Stage, member: Member, server: Instance) -> None:
    Host.objects.exclude(id=server.host_id).update(is_disabled=True)
    service.forget()
    Resize.request(member.actor, server, flavor=LARGER)
    stage.settle()
    now = fresh(server)
    assert (now.status, now.task_state, now.flavor_id, now.host_id) == ("ACTIVE", None, "1", server.host_id)
    assert now.fault_message.startswith("No valid host was found.")
    assert Operation.objects.get(verb="resize").state == "failed"
    assert Move.objects.get().status == "error"
    assert holdings() == {("instance", now.host_id): OLD}
    stage.assert_balanced()


def test_its_own_host_does_where_that_is_allowed(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPUTECLOUD_ALLOW_RESIZE_TO_SAME_HOST", "true")
    conf.cache_clear()
    Host.objects.exclude(id=server.host_id).update(is_disabled=True)
    service.forget()
    for end, cores in ((RevertResize, 1), (ConfirmResize, 2)):
        Resize.request(member.actor, fresh(server), flavor=LARGER)
        stage.settle()
        assert (fresh(server).status, fresh(server).host_id) == ("VERIFY_RESIZE", server.host_id)
        assert guest(stage, fresh(server)).disks == {"vda": 2048}
        stage.reconciler.run()
        stage.assert_balanced()
        end.request(member.actor, fresh(server))
        stage.settle()
        assert (fresh(server).status, fresh(server).vcpus) == ("ACTIVE", cores)
        assert guest(stage, fresh(server)).disks == {"vda": cores * 1024}
        stage.assert_balanced()


@pytest.mark.parametrize("end", [ConfirmResize, RevertResize])
def test_only_what_was_resized_can_be_confirmed_or_reverted(
    stage: Stage, member: Member, server: Instance, end: type[ConfirmResize]
) -> None:
    with pytest.raises(Conflict):
        end.request(member.actor, server)
    Instance.objects.filter(id=server.id).update(**server.cache(settled="resized"))
    with pytest.raises(Invalid, match="has not been resized"):
        end.request(member.actor, fresh(server))


@pytest.mark.row("R18")
def test_nothing_is_asked_of_a_host_that_is_down(stage: Stage, member: Member, server: Instance) -> None:
    stage.silence(Host.objects.get(id=server.host_id))
    with pytest.raises(Conflict, match="unavailable"):
        Migrate.request(ADMIN, server)
    assert Move.objects.count() == 0


@pytest.mark.row("R26")
def test_a_host_that_is_named_and_full_is_not_replaced_by_another(stage: Stage, member: Member) -> None:
    [server] = member.creates(forced_host="host1")
    stage.settle()
    member.has_no_limits()
    member.creates("large", forced_host="host2", flavor=FlavorSnapshot("9", "whole", vcpus=1, ram_mb=8192, disk_gb=1))
    stage.settle()
    Migrate.request(ADMIN, fresh(server), forced_host="host2")
    stage.settle()
    now = fresh(server)
    assert (now.status, now.host and now.host.name) == ("ACTIVE", "host1")
    assert now.fault_message.startswith("No valid host was found.")
    stage.assert_balanced()


@pytest.mark.row("R25")
def test_a_host_that_was_named_once_binds_no_later_move(stage: Stage, member: Member) -> None:
    [server] = member.creates(forced_host="host1")
    stage.settle()
    Migrate.request(ADMIN, fresh(server), forced_host="host2")
    stage.settle()
    ConfirmResize.request(member.actor, fresh(server))
    stage.settle()
    Migrate.request(ADMIN, fresh(server))
    stage.settle()
    now = fresh(server)
    assert (now.status, now.host and now.host.name) == ("VERIFY_RESIZE", "host1")


@pytest.mark.parametrize("name", ["host1", "host2"])
def test_a_migration_goes_to_the_host_that_is_named(stage: Stage, member: Member, name: str) -> None:
    [server] = member.creates(forced_host="host1" if name == "host2" else "host2")
    stage.settle()
    Migrate.request(ADMIN, fresh(server), forced_host=name)
    stage.settle()
    now = fresh(server)
    assert now.host is not None
    assert (now.status, now.host.name, now.flavor_id) == ("VERIFY_RESIZE", name, "1")
    move = Move.objects.get()
    assert (move.kind, move.status, move.dest_name) == ("migration", "finished", name)


def test_it_is_confirmed_by_itself_after_a_while(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPUTECLOUD_RESIZE_CONFIRM_WINDOW_S", "60")
    conf.cache_clear()
    Resize.request(member.actor, server, flavor=LARGER)
    stage.settle()
    control.sweep()
    stage.settle()
    assert fresh(server).status == "VERIFY_RESIZE"
    Move.objects.update(updated_at="2020-01-01T00:00:00Z")
    control.sweep()
    stage.settle()
    assert fresh(server).status == "ACTIVE"
    assert Move.objects.get().status == "confirmed"
    stage.assert_balanced()


# --- what goes wrong

WAY_THERE = (
    "shut_down", "stop", "pack_disks", "send_disks", "undefine", "unplug_ports", "keep_disks", "receive_disks",
    "make_disks", "config_drive", "define", "start",
)  # fmt: skip


@pytest.mark.row("R10")
@pytest.mark.parametrize("step", WAY_THERE)
def test_what_fails_on_the_way_goes_back(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    Resize.request(member.actor, server, flavor=LARGER)
    fail_at(monkeypatch, step)
    stage.settle()
    now = fresh(server)
    assert (now.status, now.task_state, now.host_id, now.flavor_id) == ("ACTIVE", None, server.host_id, "1")
    assert "InjectedFailure" in now.fault_message
    assert Operation.objects.get(verb="resize").state == "failed"
    assert guest(stage, now).power == 1
    assert guest(stage, now).disks == {"vda": 1024}
    assert holdings() == {("instance", now.host_id): OLD}
    assert used(member) == {"instances": 1, "cores": 1, "ram_mb": 512}
    assert not list(stage.folder.glob("*/moves/*~*"))
    stage.assert_balanced()


@pytest.mark.parametrize(("times", "status"), [(2, "ACTIVE"), (9, "ERROR")])
def test_the_way_back_is_tried_a_few_times(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch, times: int, status: str
) -> None:
    Resize.request(member.actor, server, flavor=LARGER)
    stage.settle()
    RevertResize.request(member.actor, fresh(server))
    fail_at(monkeypatch, "put_disks_back", times)
    stage.settle()
    assert (fresh(server).status, fresh(server).host_id) == (status, server.host_id)
    assert findings() == []
    Delete.request(member.actor, fresh(server))
    stage.settle()
    assert (stage.guests(), holdings()) == ({}, {})
    stage.assert_balanced()


class Died(BaseException):
    """The process is gone."""


POINTS = [point for verb in ("resize", "confirmResize", "revertResize") for point in crashpoints.of_steps(verb)]


def _verbs() -> list[tuple[Any, dict[str, Any]]]:
    return [(Resize, {"flavor": LARGER}), (ConfirmResize, {}), (RevertResize, {})]


def lead(stage: Stage, member: Member, server: Instance, verb: str) -> None:
    """Ask for the verb; what must come before it has happened."""
    if verb != "resize":
        Resize.request(member.actor, fresh(server), flavor=LARGER)
        stage.settle()
    [(action, words)] = [one for one in _verbs() if one[0].verb == verb]
    action.request(member.actor, fresh(server), **words)


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_dies_anywhere_and_the_verb_ends_as_if_it_had_not(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    verb = point.split(".")[1]
    lead(stage, member, server, verb)
    reached = die_once_at(monkeypatch, point)
    for _ in range(2):
        try:
            stage.settle()
        except Died:
            stage.start_agent()
            stage.lose_leases()
    assert not [one for one in guests_that_run(stage) if one != fresh(server).host_id]
    wanted = {"resize": "VERIFY_RESIZE"}.get(verb, "ACTIVE")
    assert (fresh(server).status, bool(reached)) == (wanted, on_the_way(verb, point))
    stage.assert_balanced()


@pytest.mark.row("R11")
@pytest.mark.parametrize("point", POINTS)
def test_delete_wins_anywhere(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Whatever host it is on, nothing of the server is left on either."""
    verb = point.split(".")[1]
    lead(stage, member, server, verb)

    def remove(reached: str, *_scope: str) -> None:
        if reached == point:
            Delete.request(member.actor, fresh(server))
            stage.runner.renew()

    monkeypatch.setattr(failpoints, "point", remove)
    stage.settle()
    monkeypatch.undo()
    if fresh(server).deleted_at is None:  # not on this way
        Delete.request(member.actor, fresh(server))
        stage.settle()
    assert (stage.guests(), holdings()) == ({}, {})
    assert not list(stage.folder.glob("*/moves/*~*"))
    assert used(member) == {"instances": 0, "cores": 0, "ram_mb": 0}
    stage.assert_balanced()


def die_once_at(monkeypatch: pytest.MonkeyPatch, point: str) -> list[str]:
    reached: list[str] = []

    def die(name: str, *_scope: str) -> None:
        if name == point and not reached:
            reached.append(name)
            raise Died(name)

    monkeypatch.setattr(failpoints, "point", die)
    return reached


def on_the_way(verb: str, point: str) -> bool:
    """A resize that goes well never passes the steps of the way back."""
    of_the_way_back = ("remove_disks", "put_disks_back", "check_disks", "remove_remains")
    return verb != "resize" or not any(step in point for step in of_the_way_back)


def guests_that_run(stage: Stage) -> list[str]:
    """Hosts on which a guest runs."""
    return [
        host_id for host_id, driver in stage.drivers.items() for one in driver.guests if one.is_running
    ]


def test_a_host_that_cannot_do_it_says_so_and_has_done_nothing(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_words: object, **_more: object) -> None:
        raise Unsupported("this driver cannot move a guest")

    monkeypatch.setattr(stage.drivers[server.host_id or ""], "leave", refuse)
    Resize.request(member.actor, server, flavor=LARGER)
    stage.settle()
    assert (fresh(server).status, Operation.objects.get(verb="resize").fault_code) == ("ACTIVE", 501)
    stage.assert_balanced()


@pytest.mark.row("R24")
def test_a_group_that_stays_apart_counts_both_hosts_until_the_end(stage: Stage, member: Member) -> None:
    group = ServerGroup.objects.create(
        name="apart", policy="anti-affinity", project_id=member.actor.project_id or "", user_id=member.actor.user_id
    )
    [server] = member.creates(server_group_id=group.id)
    stage.settle()
    Resize.request(member.actor, fresh(server), flavor=LARGER)
    stage.settle()
    [second] = member.creates("two", server_group_id=group.id)
    stage.settle()
    assert fresh(second).status == "ERROR", "both hosts may be the first one's"
    Delete.request(member.actor, fresh(second))
    RevertResize.request(member.actor, fresh(server))
    stage.settle()
    [third] = member.creates("three", server_group_id=group.id)
    stage.settle()
    assert fresh(third).host_id not in (None, fresh(server).host_id)
    stage.assert_balanced()


def test_who_is_alone_in_a_group_that_stays_together_may_move(stage: Stage, member: Member) -> None:
    group = ServerGroup.objects.create(
        name="together", policy="affinity", project_id=member.actor.project_id or "", user_id=member.actor.user_id
    )
    [server] = member.creates(server_group_id=group.id)
    stage.settle()
    before = fresh(server).host_id
    for end, same in ((RevertResize, True), (ConfirmResize, False)):
        Resize.request(member.actor, fresh(server), flavor=LARGER)
        stage.settle()
        end.request(member.actor, fresh(server))
        stage.settle()
        assert (fresh(server).host_id == before) is same
        stage.assert_balanced()


def test_what_a_move_that_is_over_still_holds_is_found_and_given_back(
    stage: Stage, member: Member, server: Instance
) -> None:
    Resize.request(member.actor, server, flavor=LARGER)
    stage.settle()
    move = Move.objects.get()
    assert findings() == []
    claims.claim(str(uuid4()), move.source_id, {"VCPU": 1})
    claims.rename((Allocation.objects.latest("id").consumer_id, "instance"), (str(uuid4()), "move"))
    assert len(findings()) == 1
    for drift in drifts():
        assert drift.mend is not None
        assert drift.mend()
    assert findings() == []
    assert ("move", move.source_id) in holdings(), "what is under way keeps its own"
