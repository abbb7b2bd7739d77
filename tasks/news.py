"""News from the services below (the outbox) turned into work for the apps above. At least once, in order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from django.db.models import F
from django.db.models.functions import Now
from django.db.utils import DatabaseError

from computecloud.conf import conf
from instances.models import Instance
from integrations.identity import facade as identity
from integrations.networks import facade as networks
from operations.models import Operation, Outbox
from scheduling import retention

log = structlog.get_logger(__name__)
MOST_TRIES = 20


def refresh_server_ports(body: dict[str, Any]) -> None:
    """A port of a server changed or went away: its cached addresses follow."""
    server_id = body.get("device_id") or ""
    if server_id:
        ports = msgspec.to_builtins(networks.nics(server_id))
        Instance.objects.alive().filter(id=server_id).update(network_info=ports, updated_at=Now())


HANDLERS: dict[str, Callable[[dict[str, Any]], None]] = {
    "port.deleted": refresh_server_ports,
    "port.updated": refresh_server_ports,
}


def deliver() -> int:
    """Handle what waits. A topic nobody listens to is simply done."""
    done = 0
    for item in Outbox.objects.filter(handled_at__isnull=True, tries__lt=MOST_TRIES)[:100]:
        handler = HANDLERS.get(item.topic)
        try:
            if handler is not None:
                handler(item.body)
        except (DatabaseError, LookupError, ValueError) as problem:
            log.warning("news not delivered", topic=item.topic, id=item.id, error=str(problem))
            Outbox.objects.filter(id=item.id).update(tries=F("tries") + 1, last_error=str(problem)[:500])
            continue
        Outbox.objects.filter(id=item.id, handled_at__isnull=True).update(handled_at=Now())
        done += 1
    return done


def purge() -> None:
    """Remove what has had its time."""
    identity.purge_expired()
    retention.purge(conf().decision_retention_s)
    Outbox.objects.filter(handled_at__lt=Now() - timedelta(days=1)).delete()
    Operation.objects.filter(listed=False, created_at__lt=Now() - timedelta(hours=1)).delete()
