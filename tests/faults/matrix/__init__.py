"""The crash matrix: every kind of operation, at every crash point, every kind of fault. ``__main__`` runs it."""
