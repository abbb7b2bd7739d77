"""Rows of the scheduler."""

from scheduling.models.decision import Decision
from scheduling.models.group_placement import GroupPlacement
from scheduling.models.rules import RuleSet

__all__ = ["Decision", "GroupPlacement", "RuleSet"]
