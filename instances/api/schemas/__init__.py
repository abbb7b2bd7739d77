"""JSON Schemas of what clients may send to the Compute API, one module per resource."""
