"""The lowest floor: errors, actor, clock, ids, revert. No Django models."""
