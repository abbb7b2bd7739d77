"""Filters: one class, one file, one screen. Each says which hosts may take a request, and why another may not."""
