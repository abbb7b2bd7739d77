"""The project package: settings, URL map, and the two lowest floors of the house (``core`` and ``http``)."""
