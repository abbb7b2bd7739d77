"""Compute hosts: what they have, what is claimed of it, aggregates and zones, and the drivers that run on them."""
