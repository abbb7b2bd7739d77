"""Security groups and their rules. What hosts do with them is not decided here."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from integrations.networks.models.base import Owned, OwnedQuerySet

DEFAULT = "default"


class SecurityGroupQuerySet(OwnedQuerySet["SecurityGroup"]):
    """Questions about security groups."""


class SecurityGroup(Owned):
    """A named set of rules. Every project has one called ``default``, made when it is first needed."""

    objects: ClassVar[SecurityGroupQuerySet] = SecurityGroupQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="one_default_group_per_project", fields=["project_id"], condition=Q(name=DEFAULT)
            ),
        ]


class RuleQuerySet(OwnedQuerySet["SecurityGroupRule"]):
    """Questions about rules."""


class SecurityGroupRule(Owned):
    """One permission. Columns left null match everything.

    ``fingerprint`` is the rule in one normal form; unique per group, so that the database refuses duplicates.
    """

    name = None  # type: ignore[assignment]  # rules have no name
    group = models.ForeignKey(SecurityGroup, on_delete=models.DO_NOTHING, related_name="rules", editable=False)
    direction = models.CharField(max_length=8, editable=False)
    ethertype = models.CharField(max_length=4, editable=False)
    protocol = models.CharField(max_length=40, null=True, editable=False)
    port_range_min = models.IntegerField(null=True, editable=False)
    port_range_max = models.IntegerField(null=True, editable=False)
    remote_ip_prefix = models.CharField(max_length=64, null=True, editable=False)
    remote_group = models.ForeignKey(
        SecurityGroup, null=True, on_delete=models.DO_NOTHING, related_name="trusted_by", editable=False
    )
    fingerprint = models.CharField(max_length=255, editable=False)

    objects: ClassVar[RuleQuerySet] = RuleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="rule_once_per_group", fields=["group", "fingerprint"]),
            models.CheckConstraint(name="rule_direction", condition=Q(direction__in=["ingress", "egress"])),
            models.CheckConstraint(name="rule_ethertype", condition=Q(ethertype__in=["IPv4", "IPv6"])),
        ]

    def __str__(self) -> str:
        return self.fingerprint
