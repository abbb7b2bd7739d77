"""Django's SQLite back-end, with writers queueing at a file lock instead of in SQLite's sleeping busy handler."""
