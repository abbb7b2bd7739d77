"""Neutron's v2.0 API over the rows of this service."""
