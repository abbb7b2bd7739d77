"""The cloud looked at from its own database: hosts, queues, books, oddities, images. Reads only; `doctor` shows it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.timezone import now

from computecloud.conf import conf
from computecloud.core.finding import Finding, Level, judge
from hosts.models import Agent, Host, Oddity
from instances.audit import drifts
from integrations.images import facade as images
from operations.drift import Drift
from operations.models import Consumer, Operation, Outbox
from operations.models.operation import CONTROL, later
from tasks import restoring
from tasks.agent.runtime import VERSION

SHOWN = 5  # names in one text
SILENT_BEATS = 4  # heartbeats that may be missed before a host is called silent
WAITS_S = 20.0  # an operation that nobody took by then has gone unheard by the relay and the pollers too
NEWS_S = 60.0
CLOCK_S = 5.0
LARGEST_READ = 64 * 2**20  # bytes of an image that are checked against its checksum; larger ones by their size
SETTLES_S = 1.0  # what two looks so far apart both see is no passing difference


def examine() -> Iterator[Finding]:
    """Everything; only what is said of migrations when the database is of another version than the code."""
    pending = list(_migrations())
    yield from pending
    if all(finding.level == "well" for finding in pending):
        for look in LOOKS:
            yield from look()


def _few(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    pending = [f"{migration.app_label} {migration.name}" for migration, _backwards in plan]
    known = set(executor.loader.disk_migrations)
    foreign = [f"{app} {name}" for app, name in executor.loader.applied_migrations if (app, name) not in known]
    ours = {label for label, _name in known}
    newer = [name for name in foreign if name.split()[0] in ours]
    if newer:
        remedy = "The database was made by newer code: run that code, or ./cloud restore a backup of this version"
        yield Finding("database.newer", "wrong", "migrations", f"unknown to this code: {_few(newer)}", remedy)
    text = f"pending: {_few(pending)}" if pending else "all applied"
    yield judge(not pending, "database.migrations", "migrations", text, "./cloud up applies them")


# --- hosts


def _hosts() -> Iterator[Finding]:
    """Heard of, heard on their queue, of our version, of our time of day; and those that take no servers."""
    rows = list(Host.objects.alive().select_related("agent").order_by("name"))
    moment = _database_now()
    silent = [row for row in rows if _is_silent(row, moment)]
    heard = [row for row in rows if row not in silent]
    yield from _silent(silent, moment)
    yield from _named(
        [row.name for row in rows if _has_twin(row, moment)], "agent.twin", "wrong",
        "another process with its identity asked to speak for it and was refused",
        "Find the machine with a copy of its identity.toml, end the agent there and remove the copy",
    )  # fmt: skip
    yield from _named(
        [row.name for row in heard if _is_deaf(row, moment)], "host.consumer", "wrong",
        "heartbeats come, but its queue is not heard: the consumer has stalled",
        "./cloud restart the compute@… process of that host; pollers keep work flowing meanwhile",
    )  # fmt: skip
    yield from _named(
        [f"{row.name} ({row.agent_version or '?'})" for row in heard if row.agent_version != VERSION], "host.version",
        "wrong", f"its agent is not of this version ({VERSION})",
        "Install this version there and restart its agent: ./cloud up, or ./cloud restart compute@…",
    )  # fmt: skip
    yield from _named(
        [f"{row.name} ({row.clock_skew_s:+.0f} s)" for row in heard if abs(row.clock_skew_s) > CLOCK_S], "host.clock",
        "wrong", "its clock differs from the conductor's; certificates and its guests' clocks go wrong",
        "Set it there: start chrony or systemd-timesyncd",
    )  # fmt: skip
    yield from _named(
        [f"{row.name} ({row.disabled_reason or 'no reason given'})" for row in rows if row.is_disabled],
        "host.disabled", "note", "it takes no new servers", "openstack compute service set --enable HOST nova-compute",
    )  # fmt: skip
    yield from _named(
        [row.name for row in rows if row.is_forced_down], "host.forced_down", "note", "it is declared down by hand",
        "openstack compute service set --up HOST nova-compute",
    )  # fmt: skip
    if rows and not silent:
        yield Finding("host", "well", "hosts", f"{len(rows)} report")


def _named(names: list[str], code: str, level: Level, text: str, remedy: str) -> Iterator[Finding]:
    if names:
        subject = "host" if len(names) == 1 else "hosts"
        yield Finding(code, level, f"{subject} {_few(names)}", text, remedy)


def _database_now() -> float:
    with connection.cursor() as cursor:
        sql = "SELECT STRFTIME('%s', 'NOW')" if connection.vendor == "sqlite" else "SELECT EXTRACT(EPOCH FROM now())"
        cursor.execute(sql)
        return float(cursor.fetchone()[0])


def _is_silent(row: Host, moment: float) -> bool:
    return row.last_seen_at is None or moment - row.last_seen_at.timestamp() > SILENT_BEATS * conf().heartbeat_s


def _has_twin(row: Host, moment: float) -> bool:
    """Lately: a twin that still runs asks again and again."""
    seen = row.agent.twin_seen_at
    return seen is not None and moment - seen.timestamp() < conf().host_down_after_s


def _is_deaf(row: Host, moment: float) -> bool:
    """Three canaries unheard, and its process is old enough to have heard them."""
    patience = 3 * conf().canary_s
    began = row.agent.registered_at
    if began is None or moment - began.timestamp() < patience:
        return False
    return row.consumer_seen_at is None or moment - row.consumer_seen_at.timestamp() > patience


def _silent(rows: list[Host], moment: float) -> Iterator[Finding]:
    never = [row.name for row in rows if row.last_seen_at is None]
    remedy = (
        "Is the machine up and does it reach the conductor? There: ./cloud status, ./cloud logs compute@…, ./cloud up"
    )
    yield from _named(never, "host.unheard", "wrong", "has never reported", remedy)
    since = [f"{row.name} ({moment - row.last_seen_at.timestamp():.0f} s)" for row in rows if row.last_seen_at]
    yield from _named(since, "host.silent", "wrong", "no heartbeat", remedy)


# --- work


def _work() -> Iterator[Finding]:
    """Nothing waits that somebody alive should have taken; every queue of the centre is heard."""
    up = Host.objects.alive().filter(lease_expires_at__gt=Now()).values_list("id", flat=True)
    waiting = Operation.objects.runnable().filter(updated_at__lt=later(-WAITS_S))
    waiting = waiting.filter(Q(queue=CONTROL) | Q(host_id__in=list(up)))
    if conf().restoring:
        waiting = waiting.none()
    concerned = Host.objects.filter(id__in=waiting.values("host_id")).select_related("agent")
    programs: dict[str | None, Agent] = {host.id: host.agent for host in concerned}
    queues: Counter[tuple[str, Agent | None]] = Counter()
    for name, host_id, form in waiting.values_list("host_name", "host_id", "schema_version"):
        program = programs.get(host_id)
        queues[name, program if program and form not in program.reads else None] += 1
    yield from (_waiting(name, number, program) for (name, program), number in queues.items())
    news = Outbox.objects.filter(handled_at__isnull=True, created_at__lt=later(-NEWS_S)).count()
    if news:
        text = f"{news} messages between services were not handled"
        yield Finding(
            "work.news", "wrong", "outbox", text, "./cloud logs control tells why; ./cloud restart control beat"
        )
    silent = Consumer.objects.filter(seen_at__lt=later(-3 * conf().canary_s)).values_list("queue", flat=True)
    for queue in silent:
        text = "the worker's consumer has stalled: messages are not heard, its poller goes on"
        yield Finding("work.consumer", "wrong", f"queue {queue}", text, "./cloud restart control")
    if not queues and not news:
        yield Finding("work", "well", "operations", f"{Operation.objects.open().count()} open, none unheard")


def _waiting(host_name: str, number: int, cannot_read: Agent | None) -> Finding:
    """Nobody takes them; ``cannot_read``: the program that leaves them alone because their form is foreign to it."""
    what = "operation waits" if number == 1 else "operations wait"
    if cannot_read:
        text = f"{number} {what} for host {host_name}, whose agent ({cannot_read.version}) does not read their form"
        remedy = "Install the version that the API has there and restart its agent; they are not lost"
        return Finding("work.unreadable", "wrong", "operations", text, remedy)
    process = "compute@…" if host_name else "control"
    text = f"{number} {what} for {f'host {host_name}' if host_name else 'the scheduler'}, and nobody takes them"
    remedy = f"./cloud logs {process}; ./cloud restart {process}. They are not lost: whoever comes takes them"
    return Finding("work.waiting", "wrong", "operations", text, remedy)


# --- books, oddities, images


def _books() -> Iterator[Finding]:
    """Differences that open operations make pass; those that stay are named."""
    found = {drift.text: drift for drift in drifts()}
    if found:
        time.sleep(SETTLES_S)  # the second look tells drift from work in progress
        again = {drift.text for drift in drifts()}
        found = {text: drift for text, drift in found.items() if text in again}
    yield from (_drift(drift) for drift in found.values())
    if not found:
        yield Finding("books", "well", "books", "servers, claims, quotas, operations, states and ports agree")


def _drift(drift: Drift) -> Finding:
    remedy = "./cloud audit --fix sets it right" if drift.mend else "Delete servers there, or give it more capacity"
    return Finding("books.drift", "wrong", f"{drift.subject_kind} {drift.subject_id}", drift.text, remedy)


def _oddities() -> Iterator[Finding]:
    for row in Oddity.objects.select_related("host")[:100]:
        if row.kind == Oddity.Kind.LOST_DISK:
            text = f"the file of disk {row.detail} of server {row.guest_id} is not there any more"
            remedy = f"Put the file back from a backup, or openstack server delete {row.guest_id}"
            yield Finding("guest.lost_disk", "wrong", f"host {row.host.name}", text, remedy)
        elif row.condemned_at is None:
            text = f"guest {row.guest_id} ({row.detail}) bears our mark, and no server is of that id"
            remedy = f"Find out whose it is; ./cloud oddities --remove {row.guest_id} has the host remove it"
            yield Finding("guest.unknown", "wrong", f"host {row.host.name}", text, remedy)


def _images() -> Iterator[Finding]:
    sound = True
    for damage in images.damaged(LARGEST_READ):
        sound = False
        remedy = f"Put images/{damage.image_id} back from a backup; or delete the image and upload it again"
        code = "image.missing" if damage.is_missing else "image.damaged"
        yield Finding(code, "wrong", f"image {damage.name or damage.image_id}", damage.what, remedy)
    if sound:
        yield Finding("image", "well", "images", "their bytes are there")


def _mode() -> Iterator[Finding]:
    if conf().restoring:
        undecided = restoring.undecided()
        text = f"servers follow their guests, no work is done; undecided: {_few(undecided) or 'nothing'}"
        yield Finding("restoring", "note", "restore mode", text, "./cloud restored ends it")


def _clock() -> Iterator[Finding]:
    """This process against the database: they may be on two machines."""
    apart = abs(_database_now() - now().timestamp())
    text = f"{apart:.0f} s apart"
    yield judge(apart <= CLOCK_S, "database.clock", "database's clock", text, "Start chrony on both machines")


LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (_mode, _clock, _hosts, _work, _books, _oddities, _images)
