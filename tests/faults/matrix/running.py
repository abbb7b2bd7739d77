"""All cells: first every verb undisturbed, which says which points there are; then one fault after the other."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

from django.core.management import call_command
from django.db import connection

from computecloud.core.failpoints import DECLARED
from instances.audit import findings
from tasks import control
from tasks.agent import runtime
from tasks.conductor import views
from tests.faults.matrix.cells import OF_ALL, Cell, Variant, cells_of_situations, faults_along, variants
from tests.faults.matrix.rig import Rig, Slot, wait_for
from tests.faults.matrix.story import Outcome, Story, Wave, walk

AWAY_S = 2.0
HOLDERS = (control, runtime, views)  # importing them declares every point
T = TypeVar("T")


def make_database() -> None:
    call_command("migrate", verbosity=0)
    connection.close()


class Matrix:
    """On one rig. ``only`` chooses cells by name."""

    def __init__(self, rig: Rig, only: re.Pattern[str], *, tells_each: bool = False) -> None:
        self.rig, self.tells_each = rig, tells_each
        self.only = only
        self.boots: dict[str, int] = {}

    def run(self) -> tuple[list[Outcome], list[str]]:
        """Every cell's outcome, and what the books say at the end."""
        cells = [cell for cell in self.cells() if self.only.search(cell.name)]
        if self.tells_each:
            print(f"{len(cells)} cells", flush=True)
        outcomes = self._each(cells)
        for fault in OF_ALL:
            outcomes += self._together(fault, [cell for cell in cells if cell.fault == fault])
        found: list[str] = []

        def agree() -> bool:
            found[:] = findings()
            return not found

        with suppress(AssertionError):
            wait_for("the books agree", agree, 30, 0.5)
        return outcomes, found

    def cells(self) -> list[Cell]:
        """Every variant at every point it passes with every fault of that point."""
        found: list[Cell] = []
        lock = threading.Lock()

        def look(slot: Slot, variant: Variant) -> None:
            points, boots = walk(self.rig, slot, variant)
            with lock:
                self.boots[variant.name] = boots
                found.extend(Cell(variant, point, fault) for point, fault in faults_along(points))

        share(self.rig.slots, [one for one in variants() if one.verb not in self.rig.cannot], look)
        found += cells_of_situations(sorted(DECLARED))
        return sorted(found, key=lambda cell: cell.name)

    def _each(self, cells: Iterable[Cell]) -> list[Outcome]:
        """Faults of one process: each cell by itself, as many at once as there are hosts."""
        outcomes: list[Outcome] = []
        mine = [cell for cell in cells if cell.fault not in OF_ALL]
        random.Random(len(mine)).shuffle(mine)
        share(self.rig.slots, mine, lambda slot, cell: self._tell(outcomes, Story(self.rig, slot, cell, self.boots)))
        return outcomes

    def _together(self, fault: str, cells: Sequence[Cell]) -> list[Outcome]:
        """Faults of what all share: as many cells as there are hosts wait at their points, then it strikes once."""
        outcomes: list[Outcome] = []
        size = len(self.rig.slots)
        for start in range(0, len(cells), size):
            wave = Wave(lambda: self._strike(fault))
            batch = cells[start : start + size]
            for cell in batch:
                wave.join(cell)
            share(
                self.rig.slots, batch,
                lambda slot, cell, wave=wave: self._tell(outcomes, Story(self.rig, slot, cell, self.boots, wave)),
            )  # fmt: skip
        return outcomes

    def _strike(self, fault: str) -> None:
        if fault == "flush":
            self.rig.flush_broker()
        elif fault == "cut":
            self.rig.cut_broker(AWAY_S)
        else:
            self.rig.hold("conductor")
            threading.Timer(AWAY_S, self.rig.release, ("conductor",)).start()

    def _tell(self, outcomes: list[Outcome], story: Story) -> None:
        outcome = story.tell()
        outcomes.append(outcome)
        if self.tells_each:
            word = "wrong" if outcome.wrong else "right"
            print(f"{word} after {outcome.recovery_s:5.1f} s: {outcome.cell.name}", flush=True)
        if outcome.wrong:
            print(f"WRONG {outcome.cell.name} on {story.slot.name}: {outcome.wrong}", flush=True)


def share(slots: Sequence[Slot], todo: Iterable[T], work: Callable[[Slot, T], None]) -> None:
    """Every slot takes the next thing until none is left. Raises what the first failure raised."""
    waiting: SimpleQueue[T] = SimpleQueue()
    for one in todo:
        waiting.put(one)
    failures: list[BaseException] = []

    def serve(slot: Slot) -> None:
        try:
            while not failures:
                work(slot, waiting.get_nowait())
        except Empty:
            pass
        except BaseException as problem:  # noqa: BLE001 -- raised below, in the caller's thread
            failures.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=serve, args=(slot,)) for slot in slots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def summary(outcomes: Sequence[Outcome], found: Sequence[str], ready_s: float, took_s: float) -> tuple[str, bool]:
    """The closing words, and whether all is right."""
    wrong = [one for one in outcomes if one.wrong]
    lines = [f"the books do not agree: {line}" for line in found]
    by_fault = Counter(one.cell.fault for one in outcomes)
    for fault, count in sorted(by_fault.items()):
        times = sorted(one.recovery_s for one in outcomes if one.cell.fault == fault)
        median = times[len(times) // 2]
        lines.append(f"{fault:10} {count:4} cells, recovery median {median:5.1f} s, longest {times[-1]:5.1f} s")
    longest = max(outcomes, key=lambda one: one.recovery_s, default=None)
    lines.append(
        f"{len(outcomes)} cells run, {len(outcomes) - len(wrong)} right; longest recovery "
        f"{longest.recovery_s if longest else 0:.1f} s ({longest.cell.name if longest else '-'}); "
        f"{took_s / 60:.1f} minutes, {ready_s:.0f} s of them until all processes ran"
    )
    return "\n".join(lines), bool(outcomes) and not wrong and not found

