"""One home for placement: decide on the table, claim in the database, let the owner commit with the claim."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from django.db import transaction

from scheduling import claims, configuration, decisions
from scheduling.claims import Chosen
from scheduling.columns import numa
from scheduling.request import PlacementRequest
from scheduling.table import FreshTable

TABLE = FreshTable()


class NoValidHost(Exception):
    """No host can take it; the text names the rule that stopped it and what was missing, and no host's name."""


class NoLongerWanted(Exception):
    """The owner's commit found that somebody else moved or ended the operation. Everything was rolled back."""


def place(request: PlacementRequest, commit: Callable[[Chosen], bool]) -> Chosen:
    """Claim a host for the request; ``commit(host)`` runs in the claim's transaction and says whether it stands.

    A lost race tries the next candidate. Where none is left, or none was found, it decides once more on rows read anew:
    a host may have come up since the table was read. Raises NoValidHost, NoLongerWanted.
    """
    lost = 0
    for _round in range(2):
        table, now = TABLE.get(), configuration.in_force()
        seed = zlib.crc32(request.consumer_id.encode())
        verdict = decisions.decide(table, request, now.filters, now.weighers, seed=seed)
        for row in verdict.candidates:
            host = Chosen(table.ids[row], table.names[row], table.zones[row])
            resources = numa.resources_on(table, row, request)
            try:
                with transaction.atomic():
                    claims.claim(request.consumer_id, host.id, resources, request.project_id, request.user_id)
                    if not commit(host):
                        raise NoLongerWanted(request.consumer_id)
                    decisions.record(verdict, table, row, lost, "")
            except claims.ClaimLost:
                lost += 1
                continue
            table.add_claim(host.id, resources)
            return host
        TABLE.forget()
    fault = f"No valid host was found. {verdict.fault or 'Every candidate was taken by others meanwhile.'}"
    decisions.record(verdict, table, None, lost, fault)
    raise NoValidHost(fault)
