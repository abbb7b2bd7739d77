"""Rows of the scheduler."""

from scheduling.models.decision import Decision
from scheduling.models.group_placement import GroupPlacement

__all__ = ["Decision", "GroupPlacement"]
