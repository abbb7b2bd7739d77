"""What the scheduler counts for Prometheus: decisions, what each filter refused, time per stage, lost races.

Several processes place and another one answers the scrape: they share memory-mapped files in the folder that the
variable ``PROMETHEUS_MULTIPROC_DIR`` names, and counts outlive a process. Without it a process counts for itself.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from scheduling.decisions import Verdict

FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
if FOLDER:
    Path(FOLDER).mkdir(parents=True, exist_ok=True)

BUCKETS = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 1.0)
DECISIONS = Counter("computecloud_placements", "Decisions of the scheduler.", ["trigger", "outcome"])
BLOCKED = Counter("computecloud_placements_blocked", "Decisions without a host, by the last filter.", ["filter"])
ASKED = Counter("computecloud_filter_hosts_asked", "Hosts that a filter was asked about.", ["filter"])
REFUSED = Counter("computecloud_filter_hosts_refused", "Hosts that a filter refused.", ["filter"])
LOST = Counter("computecloud_placement_lost_races", "Claims that another scheduler was quicker with.")
SECONDS = Histogram("computecloud_placement_seconds", "Time per stage.", ["stage"], buckets=BUCKETS)
M = TypeVar("M", Counter, Histogram)
PLACED, NO_HOST = "placed", "no_host"


def count(verdict: Verdict, *, is_placed: bool, lost_races: int, claim_us: int) -> None:
    """One stored decision, once its transaction stands."""
    _of(DECISIONS, verdict.request.trigger, PLACED if is_placed else NO_HOST).inc()
    if verdict.blocked_by:
        _of(BLOCKED, verdict.blocked_by).inc()
    if lost_races:
        LOST.inc(lost_races)
    refused = {one.filter: one.refused for one in verdict.refusals}
    left = verdict.hosts
    for rule in verdict.rules.filters:
        if not left:
            break
        _of(ASKED, rule.name).inc(left)
        if rule.name in refused:
            _of(REFUSED, rule.name).inc(refused[rule.name])
            left -= refused[rule.name]
    _of(SECONDS, "filters").observe(verdict.filtered_us / 1e6)
    if verdict.scores.rows:
        _of(SECONDS, "weighers").observe(verdict.weighed_us / 1e6)
    if is_placed:
        _of(SECONDS, "claim").observe(claim_us / 1e6)


@lru_cache(maxsize=256)
def _of(metric: M, *labels: str) -> M:
    """The counter of these labels, found once: a decision counts at a score of them."""
    return metric.labels(*labels)


def exposition() -> bytes:
    """All that the processes of this machine counted, in Prometheus' text format."""
    if not FOLDER:
        return bytes(generate_latest(REGISTRY))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=FOLDER)  # type: ignore[no-untyped-call]
    return bytes(generate_latest(registry))
