"""The NUMA cells of a server, and those of its host in which they lie."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hosts.models import Allocation
from hosts.resource_classes import MEMORY_MB, OF_CELLS, pages
from instances.models import Instance
from scheduling import wishes
from scheduling.request import GuestCell

CLASS = re.compile(rf"{OF_CELLS}(\d+)_(.+)")


@dataclass(frozen=True, slots=True)
class Cell:
    """``processors``: numbers of the guest's; ``host_cell``: None while the server has no host."""

    processors: frozenset[int]
    ram_mb: int
    host_cell: int | None


def of(server: Instance) -> tuple[list[Cell], int | None]:
    """(its cells, the size of its huge pages in KB); none for a server that asks for none."""
    wanted = wishes.guest_cells(server.vcpus, server.ram_mb, server.extra_specs, server.image_properties)
    held = _held(server.id)
    cells = [Cell(processors, cell.ram_mb, _take(held, cell)) for processors, cell in wanted]
    return cells, next((cell.page_kb for _processors, cell in wanted if cell.page_kb), None)


def _held(server_id: str) -> dict[int, dict[str, int]]:
    """What the server's claim holds in each cell of its host, by kind."""
    found: dict[int, dict[str, int]] = {}
    rows = Allocation.objects.filter(consumer_id=server_id, resource_class__startswith=OF_CELLS)
    for name, amount in rows.order_by("resource_class").values_list("resource_class", "amount"):
        if match := CLASS.fullmatch(name):
            found.setdefault(int(match[1]), {})[match[2]] = amount
    return found


def _take(held: dict[int, dict[str, int]], cell: GuestCell) -> int | None:
    """The host's cell that this one is in: cells of equal amounts cannot be told apart, and need not be."""
    kind, amount = (pages(cell.page_kb), cell.pages) if cell.page_kb else (MEMORY_MB, cell.ram_mb)
    number = next((number for number, kinds in sorted(held.items()) if kinds.get(kind) == amount), None)
    if number is not None:
        del held[number]  # each of a guest's cells is in one of its own
    return number
