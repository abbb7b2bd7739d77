"""Placement as arithmetic on a table of hosts. Works with a PlacementRequest, never with a server."""
