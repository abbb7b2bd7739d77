"""NUMA cells of hosts as inventories: one resource class per cell and kind, so that a claim is the same arithmetic.

``CUSTOM_NUMA<cell>_VCPU`` processors that float within the cell, ``_PCPU`` processors given to one guest each,
``_MEMORY_MB``, and ``_PAGES_<size>KB`` huge pages. Servers without cells float over the host and claim none of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np

from hosts.resource_classes import MEMORY_MB, OF_CELLS, PCPU, VCPU, cell_class, pages
from scheduling.request import GuestCell, PlacementRequest
from scheduling.table import Bools, HostTable

CLASS = re.compile(rf"{OF_CELLS}(\d+)_(.+)")


def wants(cell: GuestCell) -> dict[str, int]:
    """What a guest's cell takes of a host's, by kind."""
    found = {VCPU: cell.cpus, PCPU: cell.pinned}
    if cell.page_kb:
        found[pages(cell.page_kb)] = cell.pages
    else:
        found[MEMORY_MB] = cell.ram_mb
    return {kind: amount for kind, amount in found.items() if amount}


def cell_numbers(table: HostTable) -> list[int]:
    """The numbers of the cells that any host has."""
    found = {int(match[1]) for name in table.capacity if (match := CLASS.fullmatch(name))}
    return sorted(found)


def fits(table: HostTable, cells: Sequence[GuestCell]) -> Bools:
    """Guest cells x host cells x hosts: whether the one has room for the other."""
    numbers = cell_numbers(table)
    found = np.ones((len(cells), len(numbers), len(table)), dtype=bool)
    for guest, cell in enumerate(cells):
        for position, number in enumerate(numbers):
            for kind, amount in wants(cell).items():
                found[guest, position] &= table.free(cell_class(number, kind)) >= amount
    return found


def assign(table: HostTable, row: int, cells: Sequence[GuestCell]) -> list[int] | None:
    """Which cell of the host each of the guest's gets, the first that fits; None when they do not."""
    numbers = cell_numbers(table)
    room = fits(table, cells)[:, :, row]
    for chosen in permutations(range(len(numbers)), len(cells)):
        if all(room[guest, position] for guest, position in enumerate(chosen)):
            return [numbers[position] for position in chosen]
    return None


def resources_on(table: HostTable, row: int, request: PlacementRequest) -> Mapping[str, int]:
    """What to claim on this host: the request's amounts and, for a guest with cells, those of the cells it gets.

    When the cells do not fit any more the amounts of the first ones are claimed, and the claim is lost.
    """
    if not request.cells:
        return request.resources
    chosen = assign(table, row, request.cells) or cell_numbers(table)[: len(request.cells)]
    found = dict(request.resources)
    for number, cell in zip(chosen, request.cells, strict=False):
        found |= {cell_class(number, kind): amount for kind, amount in wants(cell).items()}
    return found


def spoken(table: HostTable, cell: GuestCell, row: int) -> str:
    """Wanted against the most that one cell of the host has free, kind by kind."""
    numbers = cell_numbers(table)
    parts = []
    for kind, amount in wants(cell).items():
        most = max((int(table.free(cell_class(number, kind))[row]) for number in numbers), default=0)
        parts.append(f"{amount} {kind}, {max(most, 0)} free")
    return "; ".join(parts)
