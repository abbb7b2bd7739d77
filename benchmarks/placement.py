"""What a placement costs, at 10 to 100,000 hosts: the decision with its explanation, with claim and stored decision, in
batches by two schedulers; memory and refresh of the table. Prints one table.

    .venv/bin/python benchmarks/placement.py                       # all sizes, SQLite; batches on PostgreSQL
    .venv/bin/python benchmarks/placement.py --hosts 10 1000       # some
    .venv/bin/python benchmarks/placement.py --database postgresql --hosts 1000

Everything is the product's own code on real rows; only the servers' own tables are left out: an owner's commit is one
guarded UPDATE of a row, as small as an owner's commit can be. PostgreSQL is a private server in a temporary folder that
keeps its promises (synchronous_commit on, fsync on). The explanation's share is one of whole placements of servers.
"""

# ruff: noqa: PLC0415 -- Django is set up on a database of our own before its models are imported
from __future__ import annotations

import argparse
import contextlib
import gc
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SIZES = (10, 100, 1_000, 10_000, 100_000)
PAIRS = 1000  # of servers, placed with and without storing why
WANTED = {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}


def set_up(url: str) -> None:
    """Django on a database of our own, with its tables."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "computecloud.settings")
    os.environ["COMPUTECLOUD_DATABASE_URL"] = url
    os.environ.setdefault("COMPUTECLOUD_SECRET_KEY", "a key for benchmarks only, never for a cloud: 0123456789")
    os.environ.setdefault("COMPUTECLOUD_LOG_LEVEL", "ERROR")
    import django

    django.setup()


def migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)


def make_hosts(count: int) -> None:
    """Hosts like those of a simulated cloud, some of them partly used, in three zones."""
    from datetime import timedelta

    from django.db import connection
    from django.utils import timezone

    from hosts.models import Agent, Aggregate, AggregateHost, Host, Inventory

    with connection.cursor() as cursor:
        for table in ("scheduling_decision", "scheduling_snapshot", "hosts_allocation", "hosts_inventory",
                      "hosts_aggregatehost", "hosts_aggregate", "hosts_host", "hosts_agent"):  # fmt: skip
            cursor.execute(f"DELETE FROM {table}")
    agent, _secret = Agent.enrol()
    until = timezone.now() + timedelta(days=1)
    hosts = [
        Host(name=f"host{number:06d}", number=number, agent=agent, driver="fake", lease_expires_at=until,
             hypervisor_type="fake", hypervisor_version=1_000_000, machine_types=["pc", "q35"],
             traits=["COMPUTE_NODE", "HW_CPU_X86_AVX2"], cpu_info={"model": "simulated"})
        for number in range(count)
    ]  # fmt: skip
    Host.objects.bulk_create(hosts, batch_size=2000)
    sizes = {"VCPU": (1024, 16.0), "MEMORY_MB": (8_388_608, 1.0), "DISK_GB": (65_536, 1.0)}  # ten do not fill up
    rows = [
        Inventory(host=host, resource_class=name, total=total, ratio=ratio, capacity=int(total * ratio), change=1)
        for host in hosts
        for name, (total, ratio) in sizes.items()
    ]
    Inventory.objects.bulk_create(rows, batch_size=2000)
    zones = [Aggregate.objects.create(name=f"zone{n}", availability_zone=f"zone{n}") for n in range(3)]
    members = [AggregateHost(aggregate=zones[number % 3], host=host) for number, host in enumerate(hosts)]
    AggregateHost.objects.bulk_create(members, batch_size=2000)


def owner() -> Callable[[Any], bool]:
    """An owner's commit at its smallest: one guarded UPDATE."""
    from operations import sql
    from operations.models import QuotaGate

    gate, _made = QuotaGate.objects.get_or_create(project_id=f"bench-{os.getpid()}", resource="instances")
    statement = "UPDATE operations_quotagate SET used = used + 1 WHERE id = %s AND used >= 0"
    return lambda _host: sql.update(statement, (gate.pk,)) == 1


def request(zone: str | None = None) -> Any:
    from scheduling.request import PlacementRequest

    return PlacementRequest(str(uuid.uuid4()), "p" * 32, "u" * 32, WANTED, availability_zone=zone)


def quantiles(samples_ms: list[tuple[float, float]]) -> tuple[float, float, float]:
    """p50 and p95 of the time, p50 of the CPU time."""
    took = sorted(took for took, _cpu in samples_ms)
    return statistics.median(took), took[int(len(took) * 0.95)], statistics.median(cpu for _took, cpu in samples_ms)


def once(work: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds that a call takes, and of CPU time: what a shared machine's other work does not add to."""
    start, cpu = time.perf_counter_ns(), time.thread_time_ns()
    work()
    return (time.perf_counter_ns() - start) / 1e6, (time.thread_time_ns() - cpu) / 1e6


def timed(work: Callable[[], Any], seconds: float, least: int = 30) -> list[tuple[float, float]]:
    """``once`` for each call."""
    for _warm in range(5):
        work()
    found: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(found) < least:
        found.append(once(work))
    return found


def measure(count: int, seconds: float) -> dict[str, float]:
    """One size: everything that one scheduler does."""
    from hosts.models import Host
    from scheduling import claims, configuration, records, service
    from scheduling.decisions import decide
    from scheduling.models import Decision

    make_hosts(count)
    service.forget()
    gc.collect()
    start = time.perf_counter()
    service.TABLE.refresh()
    load_ms = (time.perf_counter() - start) * 1e3
    table, rules, commit = service.TABLE.table, configuration.in_force(), owner()
    assert len(table) == count and table.up.all()
    found: dict[str, float] = {"hosts": count, "load_ms": load_ms, "memory_mb": memory_of_table()}
    number = iter(range(10**9))
    decided = timed(lambda: decide(table, request(), rules, next(number)), seconds)
    found["decide_p50"], found["decide_p95"], found["decide_cpu"] = quantiles(decided)
    in_zone = timed(lambda: decide(table, request("zone1"), rules, next(number)), seconds / 2)
    found["zone_p50"] = quantiles(in_zone)[0]
    placed = timed(lambda: service.place(request(), commit), seconds)
    found["place_p50"], found["place_p95"], found["place_cpu"] = quantiles(placed)
    stored = Decision.objects.first()
    assert stored is not None
    found["row_bytes"] = len(bytes(stored.body))
    again = records.replay(stored, rules)
    assert records.table_of(stored).ids[again.candidates[0]] == stored.chosen_host_id, "a replay has the same winner"
    found["explain_pct"], found["explain_cpu_pct"], found["server_p50"] = explanation_share(PAIRS)

    ids = list(Host.objects.values_list("id", flat=True)[:200])

    def others() -> None:
        for host_id in ids:
            claims.claim(str(uuid.uuid4()), host_id, WANTED)

    refresh = []
    for _round in range(5):
        others()
        start = time.perf_counter()
        service.TABLE.refresh()
        refresh.append((time.perf_counter() - start) * 1e3)
    found["refresh_changed_ms"] = statistics.median(refresh)
    found["refresh_idle_ms"] = statistics.median([took for took, _ in timed(service.TABLE.refresh, 0.3, 5)])
    return found


def new_servers() -> Iterator[str]:
    """Operations of servers that were asked for this very moment, as the API leaves them."""
    from computecloud.core.actor import Actor
    from instances.actions.create import Create, CreateRequest, FlavorSnapshot
    from operations.models import QuotaGate

    member = Actor(user_id="u" * 32, user_name="member", project_id="p" * 32)
    for name in ("instances", "cores", "ram_mb"):
        QuotaGate.objects.update_or_create(project_id=member.project_id, resource=name, defaults={"limit": -1})
    flavor = FlavorSnapshot("1", "bench.tiny", WANTED["VCPU"], WANTED["MEMORY_MB"], WANTED["DISK_GB"])
    while True:
        [row] = Create.submit(member, CreateRequest("bench", flavor, None))
        yield row.open_operation or ""


def explanation_share(pairs: int) -> tuple[float, float, float]:
    """What taking down and storing a decision costs, in % of the time and of the CPU time that the scheduler's process
    has for a server (bells apart: nobody hears them here), and that time in ms: measured by leaving it out in turn."""
    from scheduling import records
    from tasks import placing

    servers = new_servers()
    store, see = records.store, records.see
    whole: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    for _pair in range(pairs):
        for found, how in ((whole, (store, see)), (bare, (_store_nothing, _see_nothing))):
            records.store, records.see = how  # type: ignore[assignment]
            found.append(once(partial(placing.place, next(servers), 0)))
    records.store, records.see = store, see
    (took, _, cpu), (bare_took, _, bare_cpu) = quantiles(whole), quantiles(bare)
    return (took - bare_took) / took * 100, (cpu - bare_cpu) / cpu * 100, took


def _store_nothing(*_given: Any) -> None:
    return None


def _see_nothing(verdict: Any, table: Any, _kept: Any) -> Any:
    from scheduling.records import Seen

    return Seen(verdict, "", b"", [], [table.ids[row] for row in verdict.candidates])


def memory_of_table() -> float:
    """MB that a second table with the same rows takes."""
    from scheduling.fresh import FreshTable

    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    second = FreshTable()
    second.refresh()
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del second
    return used / 2**20


# --- two schedulers


def scheduler(url: str, seconds: float, size: int, ready: Any, go: Any, answers: Any) -> None:
    """A process that places batches until its time is over."""
    set_up(url)
    from scheduling import service
    from scheduling.claims import Chosen
    from scheduling.service import Job

    commit = owner()
    service.freshen()
    service.place_each([Job(request(), commit) for _ in range(size)])
    ready.release()
    go.wait()
    done = failed = 0
    refreshed = time.perf_counter()
    end = refreshed + seconds
    cpu = time.process_time()
    while time.perf_counter() < end:
        if time.perf_counter() - refreshed > 0.4:  # as the worker's background thread does
            service.freshen()
            refreshed = time.perf_counter()
        found = service.place_each([Job(request(), commit) for _ in range(size)])
        done += sum(isinstance(one, Chosen) for one in found)
        failed += sum(not isinstance(one, Chosen) for one in found)
    answers.put((done, failed, time.process_time() - cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def two_schedulers(url: str, seconds: float, size: int) -> dict[str, float]:
    """Placements a second by two processes on one database."""
    from django.db import connection

    from scheduling.audit import unbalanced_inventories

    connection.close()
    context = multiprocessing.get_context("spawn")
    ready, go, answers = context.Semaphore(0), context.Event(), context.Queue()
    both = [context.Process(target=scheduler, args=(url, seconds, size, ready, go, answers)) for _ in range(2)]
    for one in both:
        one.start()
    for _one in both:
        ready.acquire()
    start = time.perf_counter()
    go.set()
    found = [answers.get() for _one in both]
    took = time.perf_counter() - start
    for one in both:
        one.join()
    assert unbalanced_inventories() == []
    done = sum(row[0] for row in found)
    cpu_ms = sum(row[2] for row in found) / done * 1e3
    return {"per_s": done / took, "failed": sum(row[1] for row in found), "cpu_ms": cpu_ms}


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/bench.sqlite3"
        return
    from deploy import postgres

    with postgres.server(fast=False) as url:
        yield url


def one_size(kind: str, count: int, seconds: float) -> None:
    """In a process of its own, so that sizes do not warm each other."""
    with database(kind) as url:
        set_up(url)
        migrate()
        row = measure(count, seconds)
        print(
            f"| {kind} | {count:,} | {row['decide_p50']:.3f} | {row['decide_p95']:.3f} | {row['decide_cpu']:.3f} "
            f"| {row['zone_p50']:.3f} | {row['place_p50']:.2f} | {row['place_p95']:.2f} | {row['place_cpu']:.2f} "
            f"| {row['server_p50']:.2f} | {row['explain_pct']:.1f} | {row['explain_cpu_pct']:.1f} "
            f"| {row['row_bytes']:.0f} "
            f"| {row['memory_mb']:.1f} | {row['load_ms']:.0f} | {row['refresh_changed_ms']:.1f} "
            f"| {row['refresh_idle_ms']:.1f} |",
            flush=True,
        )


def batches(count: int, seconds: float, size: int) -> None:
    with database("postgresql") as url:
        set_up(url)
        migrate()
        make_hosts(count)
        row = two_schedulers(url, seconds, size)
        print(
            f"\ntwo schedulers, batches of {size}, {count:,} hosts, PostgreSQL: {row['per_s']:.0f} placements/s, "
            f"{row['failed']:.0f} failed, {row['cpu_ms']:.2f} ms of a scheduler's CPU each",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--no-batches", action="store_true")
    asked = parser.parse_args()
    print(
        "| database | hosts | decide p50 ms | p95 | of CPU | in a zone p50 | with claim and stored p50 | p95 | of CPU "
        "| a server's whole placement p50 | explanation % of it | of CPU "
        "| bytes a decision | table MB | load ms | refresh, 200 hosts changed, ms "
        "| nothing changed |\n|" + "---|" * 17,
        flush=True,
    )
    context = multiprocessing.get_context("spawn")
    for count in asked.hosts:
        _run(context, one_size, asked.database, count, asked.seconds)
    if not asked.no_batches:
        _run(context, batches, 1000, max(asked.seconds, 5.0), asked.batch)


def _run(context: Any, work: Callable[..., None], *given: Any) -> None:
    process = context.Process(target=work, args=given)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(process.exitcode)


if __name__ == "__main__":
    main()
