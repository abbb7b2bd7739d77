"""Rows of the scheduler."""

from scheduling.models.decision import Decision
from scheduling.models.group_placement import GroupHome, GroupPlacement
from scheduling.models.rules import RuleSet
from scheduling.models.snapshot import Snapshot

__all__ = ["Decision", "GroupHome", "GroupPlacement", "RuleSet", "Snapshot"]
