"""Rows of the engine."""

from operations.models.consumer import Consumer
from operations.models.event import Event
from operations.models.operation import Operation, Step
from operations.models.outbox import Outbox
from operations.models.quota_gate import QuotaGate

__all__ = ["Consumer", "Event", "Operation", "Outbox", "QuotaGate", "Step"]
