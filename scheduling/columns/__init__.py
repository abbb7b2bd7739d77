"""What the table of hosts knows beside inventories: aggregates, facts that hosts report, what goes on on them.

A filter or weigher names what it reads in ``needs``; only what an active one needs is read from the database.
"""

SERVERS, IO_OPS, IMAGE_PROPERTIES = "servers", "io_ops", "image_properties"
