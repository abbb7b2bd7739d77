"""Glance's Image API v2, under /image/."""
