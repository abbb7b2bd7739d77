"""Placement's API for reading, from the rows that the scheduler claims. Writes belong to the scheduler alone.

Shapes and microversions after https://docs.openstack.org/placement/latest/placement-api-microversion-history.html
"""
