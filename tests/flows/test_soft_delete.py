"""Soft delete: out of sight and out of quota, back as it was, or gone in the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.errors import Conflict, OverQuota
from instances.actions.delete import Delete
from instances.actions.pause import Pause
from instances.actions.power import Start, Stop
from instances.actions.rebuild import Rebuild
from instances.actions.rescue import Rescue
from instances.actions.shelve import Shelve
from instances.actions.soft_delete import Reclaim, Restore, remove
from instances.actions.suspend import Suspend
from instances.models import Instance
from integrations.images import facade as images
from operations.models import Operation, QuotaGate
from tasks import control
from tests.flows.conftest import Member
from tests.support.stage import Stage
from tests.support.verbs import fail_at, fresh, guest

pytestmark = pytest.mark.django_db(transaction=True)
INTERVAL_S = 3600


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Deleted servers may be restored for an hour, and shelved ones stay on their host."""
    monkeypatch.setenv("COMPUTECLOUD_RECLAIM_INSTANCE_INTERVAL_S", str(INTERVAL_S))
    monkeypatch.setenv("COMPUTECLOUD_SHELVED_OFFLOAD_S", "-1")
    conf.cache_clear()
    yield
    monkeypatch.undo()
    conf.cache_clear()


def used() -> int:
    return QuotaGate.objects.get(resource="instances").used


def soft_deleted(stage: Stage, member: Member, server: Instance) -> Instance:
    remove(member.actor, fresh(server))
    stage.settle()
    return fresh(server)


def an_interval_passes(server: Instance) -> None:
    Instance.objects.filter(id=server.id).update(soft_deleted_at=Now() - timedelta(seconds=INTERVAL_S + 1))


def test_a_server_goes_softly_and_comes_back(stage: Stage, member: Member, server: Instance) -> None:
    remove(member.actor, server)
    assert (fresh(server).status, fresh(server).task_state) == ("ACTIVE", "soft-deleting")
    stage.settle()

    gone = fresh(server)
    assert (gone.status, gone.vm_state, gone.power_state) == ("SOFT_DELETED", "soft-delete", 4)
    assert (guest(stage, server).is_running, guest(stage, server).disks) == (False, {"vda": 1024})
    assert used() == 0
    stage.assert_balanced()
    stage.reconciler.run()
    assert fresh(server).status == "SOFT_DELETED"

    Restore.request(member.actor, gone)
    assert (fresh(server).status, fresh(server).task_state, used()) == ("SOFT_DELETED", "restoring", 1)
    stage.settle()
    assert (fresh(server).status, fresh(server).power_on, guest(stage, server).boots) == ("ACTIVE", True, 2)
    stage.assert_balanced()


def test_it_waits_for_its_way_back_or_its_end_only(stage: Stage, member: Member, server: Instance) -> None:
    gone = soft_deleted(stage, member, server)
    for verb in (Start, Stop, Pause, Rescue):
        with pytest.raises(Conflict, match="while it is in vm_state soft-delete"):
            verb.request(member.actor, gone)
    with pytest.raises(Conflict, match=r"Cannot 'restore' instance .* while it is in vm_state active"):
        Restore.request(member.actor, member_has_another(stage, member))


def member_has_another(stage: Stage, member: Member) -> Instance:
    [other] = member.creates("other")
    stage.settle()
    return fresh(other)


def test_deleted_softly_twice_gives_its_quota_back_once(stage: Stage, member: Member, server: Instance) -> None:
    member_has_another(stage, member)
    soft_deleted(stage, member, server)
    since = fresh(server).soft_deleted_at
    again = soft_deleted(stage, member, server)
    assert (again.status, again.soft_deleted_at, used()) == ("SOFT_DELETED", since, 1)
    stage.assert_balanced()


@pytest.mark.parametrize("way", [Stop, Pause, Suspend, Rescue, Shelve])
def test_from_wherever_it_may_be_it_comes_back_running_from_its_own_disk(
    stage: Stage, member: Member, server: Instance, way: type[Stop]
) -> None:
    way.request(member.actor, server)
    stage.settle()
    soft_deleted(stage, member, server)
    Restore.request(member.actor, fresh(server))
    stage.settle()

    assert fresh(server).status == "ACTIVE"
    assert (guest(stage, server).boots_from, guest(stage, server).disks) == ("root", {"vda": 1024})
    assert images.query(member.actor) == []
    stage.assert_balanced()


def test_nobody_restores_beyond_the_quota(stage: Stage, member: Member, server: Instance) -> None:
    gone = soft_deleted(stage, member, server)
    member_has_another(stage, member)
    QuotaGate.objects.filter(resource="instances").update(limit=1)
    with pytest.raises(OverQuota):
        Restore.request(member.actor, gone)
    assert (fresh(server).status, fresh(server).task_state, used()) == ("SOFT_DELETED", None, 1)


def test_after_the_interval_it_is_gone_with_all_it_had(stage: Stage, member: Member, server: Instance) -> None:
    soft_deleted(stage, member, server)
    control.sweep()
    stage.settle()
    assert fresh(server).status == "SOFT_DELETED"

    an_interval_passes(server)
    control.sweep()
    stage.settle()
    assert (fresh(server).status, stage.guests(), used()) == ("DELETED", {}, 0)
    stage.assert_balanced()


def test_a_restore_comes_before_the_end(stage: Stage, member: Member, server: Instance) -> None:
    """What the sweeper has read is old by the time it acts."""
    read_before = soft_deleted(stage, member, server)
    Restore.request(member.actor, fresh(server))
    with pytest.raises(Conflict):
        Reclaim.accept(member.actor, read_before, "", {})
    stage.settle()
    with pytest.raises(Conflict):
        Reclaim.accept(member.actor, read_before, "", {})
    assert fresh(server).status == "ACTIVE"


def test_forced_it_is_gone_at_once(stage: Stage, member: Member, server: Instance) -> None:
    gone = soft_deleted(stage, member, server)
    Delete.request(member.actor, gone)
    stage.settle()
    assert (fresh(server).status, stage.guests(), used()) == ("DELETED", {}, 0)
    stage.assert_balanced()


@pytest.mark.parametrize("moment", ["soft-deleting", "restoring"])
def test_a_delete_wins_over_both(stage: Stage, member: Member, server: Instance, moment: str) -> None:
    if moment == "restoring":
        soft_deleted(stage, member, server)
        Restore.request(member.actor, fresh(server))
    else:
        remove(member.actor, server)
    assert fresh(server).task_state == moment
    Delete.request(member.actor, fresh(server))
    stage.settle()
    assert (fresh(server).status, used()) == ("DELETED", 0)
    stage.assert_balanced()


def test_it_wins_over_what_leaves_the_guest_whole_and_not_over_what_does_not(
    stage: Stage, member: Member, server: Instance
) -> None:
    Stop.request(member.actor, server)
    remove(member.actor, fresh(server))
    assert Operation.objects.get(verb="stop").state == "superseded"
    stage.settle()
    assert fresh(server).status == "SOFT_DELETED"

    other = member_has_another(stage, member)
    Rebuild.request(member.actor, other)
    with pytest.raises(Conflict, match=r"Cannot 'delete' instance .* while it is in task_state rebuilding"):
        remove(member.actor, fresh(other))
    stage.settle()
    assert fresh(other).status == "ACTIVE"


def test_what_has_never_run_and_what_has_no_host_is_gone_at_once(stage: Stage, member: Member) -> None:
    [waiting] = member.creates()
    remove(member.actor, fresh(waiting))
    assert fresh(waiting).status == "DELETED"
    [nowhere] = member.creates("nowhere", forced_host="nowhere")
    stage.settle()
    remove(member.actor, fresh(nowhere))
    assert (fresh(nowhere).status, used()) == ("DELETED", 0)


def test_without_an_interval_every_delete_is_the_end(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPUTECLOUD_RECLAIM_INSTANCE_INTERVAL_S", "0")
    conf.cache_clear()
    remove(member.actor, server)
    stage.settle()
    assert fresh(server).status == "DELETED"


def test_a_restore_that_fails_leaves_it_soft_deleted(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    soft_deleted(stage, member, server)
    an_interval_passes(server)
    fail_at(monkeypatch, "start")
    Restore.request(member.actor, fresh(server))
    stage.settle()

    assert (fresh(server).status, used(), bool(fresh(server).fault_message)) == ("SOFT_DELETED", 0, True)
    assert (guest(stage, server).is_running, guest(stage, server).kept) == (False, {})
    stage.assert_balanced()
    control.sweep()
    assert fresh(server).task_state is None, "its time begins anew"


def test_a_restore_of_which_nobody_heard_the_end_is_an_error_that_counts(
    stage: Stage, member: Member, server: Instance
) -> None:
    soft_deleted(stage, member, server)
    Restore.request(member.actor, fresh(server))
    Operation.objects.filter(verb="restore").update(state="running", attempt=3)
    stage.lose_leases()
    assert (fresh(server).status, used()) == ("ERROR", 1)


def test_a_host_that_is_away_does_it_when_it_returns(stage: Stage, member: Member, server: Instance) -> None:
    stage.silence(server.host)
    remove(member.actor, fresh(server))
    Operation.objects.filter(verb="softDelete").update(deadline_at=Now() - timedelta(seconds=1))
    control.end_hopeless()
    assert (fresh(server).deleted_at, fresh(server).task_state) == (None, "soft-deleting")
    stage.settle()
    assert fresh(server).status == "SOFT_DELETED"
