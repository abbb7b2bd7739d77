"""Catalogue entries that an administrator adds to the built-in ones (see ``integrations.identity.catalog``)."""

from __future__ import annotations

from django.db import models

from computecloud.core.ids import new_hex


class Region(models.Model):
    """A further region. Clients choose its id."""

    id = models.CharField(primary_key=True, max_length=255, default=new_hex)
    description = models.TextField(blank=True, default="")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")

    def __str__(self) -> str:
        return self.id


class Service(models.Model):
    """A service that is not built in, such as an object store beside this cloud."""

    id = models.CharField(primary_key=True, max_length=64, default=new_hex)
    type = models.CharField(max_length=255)
    name = models.CharField(max_length=255, blank=True, default="")
    description = models.TextField(blank=True, default="")
    enabled = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name or self.type


class Endpoint(models.Model):
    """Where such a service answers. ``region_id`` names a built-in or an added region."""

    id = models.CharField(primary_key=True, max_length=64, default=new_hex)
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="endpoints")
    interface = models.CharField(max_length=8, choices=[(name, name) for name in ("public", "internal", "admin")])
    region_id = models.CharField(max_length=255, null=True, blank=True)
    url = models.TextField()
    enabled = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.url
