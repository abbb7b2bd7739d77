"""Flavors as new servers copy them: read at most every two seconds per process."""

from __future__ import annotations

import time

from computecloud.core.actor import Actor
from instances.actions.create import FlavorSnapshot
from instances.errors import BadReference
from instances.models.flavor import Flavor

FRESH_S = 2.0
MOST = 4096
COLUMNS = ("id", "name", "vcpus", "ram_mb", "disk_gb", "ephemeral_gb", "swap_mb", "extra_specs")
_public: dict[str, tuple[float, FlavorSnapshot]] = {}


def get(actor: Actor, flavor_id: str) -> FlavorSnapshot:
    """A flavor that the actor may use for a new server. Raises BadReference.

    Only public ones are kept: who may use a private one is asked every time.
    """
    kept = _public.get(flavor_id)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    row = (
        Flavor.objects.for_actor(actor)
        .filter(pk=flavor_id, disabled=False)
        .values_list("is_public", *COLUMNS)
        .first()
    )
    if row is None:
        raise BadReference(f"Flavor {flavor_id} could not be found.")
    snapshot = FlavorSnapshot(*row[1:])
    if row[0]:
        if len(_public) >= MOST:
            _public.clear()
        _public[flavor_id] = (time.monotonic() + FRESH_S, snapshot)
    return snapshot


def forget() -> None:
    """Read them anew at the next question."""
    _public.clear()
