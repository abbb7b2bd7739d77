"""One row per accepted action on anything: history, outbox, progress and the one-at-a-time lock in one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from computecloud.core.actor import Actor
from computecloud.core.ids import new_uuid
from operations import sql

CONTROL = "control"


def later(seconds: float) -> models.ExpressionWrapper[Any]:
    """So many seconds from now, by the database's clock."""
    return models.ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=models.DateTimeField())


def host_queue(host_id: str) -> str:
    """The Celery queue of one compute host."""
    return f"host.{host_id}"


def question_queue(queue: str) -> str:
    """Where questions to a host ring: a queue that long operations cannot hold back."""
    return f"{queue}.ctl"


TAKE = """UPDATE operations_operation SET state = 'running', attempt = attempt + 1, runner = %s, lease_until = {later},
            started_at = COALESCE(started_at, {now}), updated_at = {now}
          WHERE id = %s AND attempt = %s AND queue = %s AND (
            (state = 'pending' AND (not_before IS NULL OR not_before <= {now}))
            OR (state = 'running' AND lease_until < {now}))"""


class State(models.TextChoices):
    """pending → running → succeeded | failed; anything open → superseded (delete wins); running → pending (lease lost).

    ``pending`` waits for whoever owns ``queue``; ``running`` has a lease.
    """

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SUPERSEDED = "superseded"


OPEN = (State.PENDING, State.RUNNING)


class OperationQuerySet(models.QuerySet["Operation"]):
    def for_actor(self, actor: Actor) -> OperationQuerySet:
        """Own project's; everything for an administrator."""
        return self if actor.is_admin else self.filter(project_id=actor.project_id or "-")

    def open(self) -> OperationQuerySet:
        return self.filter(state__in=OPEN)

    def on(self, kind: str, subject_id: str) -> OperationQuerySet:
        return self.filter(subject_kind=kind, subject_id=subject_id)

    def runnable(self) -> OperationQuerySet:
        """Pending and due, or running under a lease that ran out."""
        due = Q(not_before__isnull=True) | Q(not_before__lte=Now())
        return self.filter((Q(state=State.PENDING) & due) | Q(state=State.RUNNING, lease_until__lt=Now()))

    def take(self, operation_id: str, *, attempt: int, queue: str, runner: str, lease_s: int) -> bool:
        """Win the right to work on it, or not. Two workers cannot both win: the row count decides."""
        return bool(sql.update(TAKE, (runner, sql.seconds(lease_s), operation_id, attempt, queue)))

    def may_try_again(self, most: int) -> OperationQuerySet:
        """Whose attempts, those given back in order not counted, are fewer than ``most``."""
        return self.filter(attempt__lt=F("handovers") + most)

    def mine(self, operation_id: str, *, attempt: int, runner: str) -> OperationQuerySet:
        """Fenced: only while this attempt of this runner still holds the operation."""
        return self.filter(id=operation_id, state=State.RUNNING, attempt=attempt, runner=runner)


class Operation(models.Model):
    """See ``State`` for its life. ``args`` never holds a secret; ``sealed`` holds them encrypted until the end."""

    id = models.CharField(primary_key=True, max_length=36, default=new_uuid, editable=False)
    subject_kind = models.CharField(max_length=32)
    subject_id = models.CharField(max_length=64)
    verb = models.CharField(max_length=64)
    project_id = models.CharField(max_length=64, blank=True)
    user_id = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    request_key = models.CharField(max_length=128, null=True, blank=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children")

    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    queue = models.CharField(max_length=64, default=CONTROL)
    host_id = models.CharField(max_length=36, null=True, blank=True)
    host_name = models.CharField(max_length=255, blank=True)
    epoch = models.IntegerField(default=0)  # the subject's owner epoch this operation may act under
    exclusive = models.BooleanField(default=True)
    listed = models.BooleanField(default=True)  # shown in os-instance-actions

    args = models.JSONField(default=dict, blank=True)
    sealed = models.BinaryField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)

    attempt = models.IntegerField(default=0)
    handovers = models.IntegerField(default=0)  # attempts that a leaving worker gave back in order: no crashes
    runner = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField()
    rung_at = models.DateTimeField(null=True, blank=True)  # last time the relay or the sweeper rang
    cursor = models.IntegerField(default=0)  # steps done in the current attempt's list
    progress = models.SmallIntegerField(default=0)  # percent, where it takes long
    schema_version = models.SmallIntegerField(default=1)

    fault_code = models.IntegerField(null=True, blank=True)
    fault = models.TextField(blank=True)  # what the owner may read
    details = models.TextField(blank=True)  # what an operator may read

    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["subject_kind", "subject_id"],
                condition=Q(exclusive=True, state__in=["pending", "running"]),
                name="one_open_operation_per_subject",
            ),
            models.UniqueConstraint(
                fields=["project_id", "request_key"], condition=Q(request_key__isnull=False), name="one_request_per_key"
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "created_at"], condition=Q(state__in=["pending", "running"]), name="operation_open"
            ),
            models.Index(fields=["subject_id", "created_at"], name="operation_subject"),
            models.Index(fields=["project_id", "created_at"], name="operation_project"),
        ]

    def __str__(self) -> str:
        return f"{self.subject_kind} {self.verb} {self.subject_id}"

    @property
    def crashes(self) -> int:
        """Attempts that were begun and not given back."""
        return self.attempt - self.handovers

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def task_name(self) -> str:
        """The Celery task that answers the bell: ``server.create`` on a host, ``control.create`` at the centre."""
        return f"{CONTROL if self.queue == CONTROL else self.subject_kind}.{self.verb}"

    @property
    def bell(self) -> str:
        """The queue to ring: the operation's own, or the one for questions."""
        return self.queue if self.exclusive else question_queue(self.queue)


class Step(models.Model):
    """One ensure-step of one attempt, as a host reported it."""

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="steps")
    attempt = models.IntegerField()
    seq = models.IntegerField()
    name = models.CharField(max_length=64)
    state = models.CharField(max_length=16)  # done | failed | undone
    message = models.TextField(blank=True)
    took_ms = models.FloatField(default=0.0)
    finished_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("operation_id", "attempt", "seq")
        constraints = [models.UniqueConstraint(fields=["operation", "attempt", "seq"], name="one_row_per_step")]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"
