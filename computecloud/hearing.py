"""What a worker obeys from the broker: doorbells, and nothing else (S52).

A stolen broker password can then ring bells and read ids; Celery's workers obey whoever can publish.
"""

from __future__ import annotations

from celery.worker.control import Panel

TELLING = {"enable_events", "disable_events", "heartbeat"}
"""Commands that change a worker's voice only; Flower gives them."""


def harden() -> None:
    """For a worker, before it connects: no commands that stop, deafen or resize it."""
    for name, command in list(Panel.meta.items()):
        if command.type != "inspect" and name not in TELLING:
            for known in (name, *(word for word, made in Panel.data.items() if made is Panel.data[name])):
                Panel.data.pop(known, None)
