"""Tasks of the centre: placement of new servers, the relay, the sweeper, the purge. One task per verb."""

from __future__ import annotations

import os

import structlog
from celery import shared_task
from celery.signals import task_prerun, worker_init, worker_shutdown
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Q
from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.failpoints import Point
from hosts import brokers, enrolment
from instances import transit
from instances.actions.base import Report
from instances.actions.delete import Delete
from instances.actions.registry import ACTIONS
from instances.actions.resize_end import ConfirmResize
from instances.actions.shelve import ShelveOffload
from instances.actions.soft_delete import Reclaim, SoftDelete
from instances.models import Instance
from integrations.images import facade as images
from operations import bell
from operations.committing import Committing
from operations.models import Consumer, Operation
from operations.models.operation import CONTROL, State, later
from scheduling import service
from tasks import news, placing, pulse
from tasks.canary import Canary

log = structlog.get_logger(__name__)
STALLED = 5  # exit status
PATIENT = frozenset({Delete.verb, SoftDelete.verb})  # wait for their host as long as it is away
ENDING = Committing("sweeper.end")
BEFORE_PUBLISH, AFTER_PUBLISH = Point("relay.before_publish"), Point("relay.after_publish")
AFTER_RETURN = Point("sweeper.after_return")


def drop_broken_connection() -> None:
    """Celery's fixup is told to keep connections; a broken one must go, or every later task fails."""
    connection.close()


@shared_task(name="control.create")
def create(operation_id: str, attempt: int) -> None:
    """Place a new server: claim, ownership and dispatch in one transaction, or a fault that names the rule."""
    try:
        placing.place(operation_id, attempt)
    except (OperationalError, InterfaceError):
        drop_broken_connection()
        raise


@shared_task(name="control.unshelve")
def unshelve(operation_id: str, attempt: int) -> None:
    """Place a server that was offloaded, as a new one."""
    create(operation_id, attempt)


@shared_task(name="control.resize")
def resize(operation_id: str, attempt: int) -> None:
    """Find another host for a server that is to have another flavor."""
    create(operation_id, attempt)


@shared_task(name="control.migrate")
def migrate(operation_id: str, attempt: int) -> None:
    """Find another host for a server."""
    create(operation_id, attempt)


@shared_task(name="control.relay")
def relay() -> int:
    """Ring again for operations nobody took. The row waits; the message was only a doorbell."""
    waiting = (
        Operation.objects.runnable()
        .filter(state=State.PENDING, updated_at__lt=later(-conf().relay_after_s))
        .filter(Q(rung_at__isnull=True) | Q(rung_at__lt=later(-5 * conf().relay_after_s)))
        .order_by("created_at")[:200]
    )
    rung = 0
    for operation in waiting:
        if Operation.objects.filter(id=operation.id, state=State.PENDING).update(rung_at=Now()):
            BEFORE_PUBLISH(operation.host_id)
            rung += bell.ring(operation.bell, operation.task_name, operation.id, operation.attempt)
            AFTER_PUBLISH(operation.host_id)
    return rung


@shared_task(name="control.sweep")
def sweep() -> None:
    """Leases that ran out, operations that crash their worker, deadlines that passed, news from below, dead uploads."""
    if not conf().restoring:
        return_expired_leases()
        end_hopeless()
        if conf().shelved_offload_s >= 0:
            ShelveOffload.follow_all(conf().shelved_offload_s)
        if conf().resize_confirm_window_s > 0:
            ConfirmResize.follow_all(conf().resize_confirm_window_s)
        if conf().reclaim_instance_interval_s > 0:
            Reclaim.all_older_than(conf().reclaim_instance_interval_s)
    news.deliver()
    images.sweep()


def return_expired_leases() -> int:
    """A worker that died or froze loses its operation to the next attempt."""
    returned = (
        Operation.objects.filter(state=State.RUNNING, lease_until__lt=Now())
        .may_try_again(conf().max_attempts)
        .exclude(queue=CONTROL)
        .update(state=State.PENDING, lease_until=None, runner="", updated_at=Now(), rung_at=None)
    )
    if returned:
        AFTER_RETURN()
    return returned


def end_hopeless() -> None:
    """Crashed too often, or out of time: the verb's own failure path decides what that means."""
    crashed = Q(state=State.RUNNING, lease_until__lt=Now(), attempt__gte=F("handovers") + conf().max_attempts)
    late = Q(state__in=(State.PENDING, State.RUNNING), deadline_at__lt=Now()) & ~Q(verb__in=PATIENT)
    for operation in Operation.objects.filter(crashed | late, subject_kind="server")[:100]:
        end(operation)


def end(operation: Operation) -> None:
    crashed = operation.crashes >= conf().max_attempts
    fault = (
        f"The operation crashed its worker {operation.crashes} times and was stopped."
        if crashed
        else "The operation did not finish before its deadline."
    )
    with ENDING(operation.host_id):
        instance = Instance.objects.select_related("host").filter(id=operation.subject_id).first()
        if instance is None:
            return
        report = Report("failed", fault=fault)
        if operation.verb in placing.PLACED:  # not to be tried on the next host: it may kill that one's worker too
            placing.PLACED[operation.verb].refuse(operation, instance, fault)
        else:
            ACTIONS[operation.verb].fail(operation, instance, report)
    log.warning("operation ended by the sweeper", operation=operation.id, verb=operation.verb, crashed=crashed)


@shared_task(name="control.purge")
def purge() -> None:
    """Old decisions, handled news, expired tokens, leftovers of questions to hosts."""
    if conf().restoring:
        return  # images that were stored after the backup have no row, and may be wanted
    news.purge()
    images.remove_strays()
    transit.remove_strays()


def poll() -> int:
    """Placements that no bell announced: the broker may be down or flushed."""
    return placing.place_waiting(since_s=1.0)


@shared_task(name="control.canary")
def canary(queue: str) -> None:
    """A control worker's own message came back: the queue is heard."""
    Consumer.heard(queue)


CANARY = Canary([CONTROL], "control.canary", can_judge=lambda: True)


@task_prerun.connect
def _heard(**_signal: object) -> None:
    """Any message shows that this worker hears; the canary may have been heard by another."""
    CANARY.hear(CONTROL)


def sing() -> None:
    """Ring the queue. Silence of a worker that can ring means that it no longer hears: it starts anew."""
    if CANARY.sing():
        log.error("the broker's messages do not reach this worker: starting anew")
        os._exit(STALLED)  # its transactions roll back; the rows wait for the next process


def tell_broker() -> None:
    """The broker has a user for each agent, whatever it forgot."""
    try:
        enrolment.ensure_broker_users()
    except brokers.BrokerProblem as problem:
        log.warning("the broker's users could not be checked", error=str(problem))


PULSES = (
    pulse.Pulse("canary", sing, every_s=conf().canary_s),
    pulse.Pulse("control poller", poll, every_s=2.0),
    pulse.Pulse("host table", service.freshen, every_s=0.4),
    pulse.Pulse("broker users", tell_broker, every_s=60.0),
)


@worker_init.connect
def _start_pulses(**_signal: object) -> None:
    for one in PULSES:
        one.start()
    PULSES[0].nudge()
    PULSES[-1].nudge()


@worker_shutdown.connect
def _stop_pulses(**_signal: object) -> None:
    for one in PULSES:
        one.stop()
