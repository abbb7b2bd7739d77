"""The lowest floor: errors, actor, clock, ids. No Django models."""
