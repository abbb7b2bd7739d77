"""``/v2.0/security-groups`` and ``/v2.0/security-group-rules``."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpResponse

from computecloud.core.errors import NotFound
from computecloud.http.answers import empty
from integrations.networks import groups
from integrations.networks.api import schemas, shapes
from integrations.networks.api.bodies import accepts
from integrations.networks.api.lists import OWNED_SORT, Listing, constant, number, owned, text
from integrations.networks.api.resource import CollectionViewSet, owner
from integrations.networks.errors import SecurityGroupNotFound, SecurityGroupRuleNotFound
from integrations.networks.models import SecurityGroup, SecurityGroupRule
from integrations.networks.models.security_group import RuleQuerySet, SecurityGroupQuerySet


class SecurityGroupsViewSet(CollectionViewSet):
    """Security groups. Listing them makes the project's default group when it is missing."""

    policy = {
        "list": "get_security_group",
        "retrieve": "get_security_group",
        "create": "create_security_group",
        "update": "update_security_group",
        "destroy": "delete_security_group",
    }
    one, many, views = "security_group", "security_groups", staticmethod(shapes.security_groups)
    listing = Listing(owned("security-groups") | {"stateful": constant("True")})

    def rows(self) -> SecurityGroupQuerySet:
        return SecurityGroup.objects.for_actor(self.actor)

    def missing(self, pk: str) -> NotFound:
        return SecurityGroupNotFound(id=pk[:64])

    def list(self, request: Any) -> HttpResponse:
        if self.actor.project_id:
            groups.ensure_default(self.actor.project_id)
        return super().list(request)

    @accepts(schemas.GROUP_CREATE)
    @transaction.atomic
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        made = [
            groups.create(owner(self.actor, wanted), wanted.get("name", ""), wanted.get("description", "")).id
            for wanted in self.wanted(body)
        ]
        return self.answer_made(body, made)

    @accepts(schemas.GROUP_UPDATE)
    @transaction.atomic
    def update(self, request: Any, pk: str, body: dict[str, Any]) -> HttpResponse:
        group = self.find_own(pk)
        groups.update(group, body["security_group"])
        return self.answer_one(request, group.id)

    @transaction.atomic
    def destroy(self, request: Any, pk: str) -> HttpResponse:
        groups.delete(self.actor, self.find_own(pk))
        return empty()


_RULE_COLUMNS = ("direction", "ethertype", "protocol", "remote_ip_prefix", "remote_group_id")


class SecurityGroupRulesViewSet(CollectionViewSet):
    """Rules. They cannot be changed, only made and deleted."""

    policy = {
        "list": "get_security_group_rule",
        "retrieve": "get_security_group_rule",
        "create": "create_security_group_rule",
        "destroy": "delete_security_group_rule",
    }
    one, many, views = "security_group_rule", "security_group_rules", staticmethod(shapes.rules)
    listing = Listing(
        {name: what for name, what in owned().items() if name != "name"}
        | {name: text(name) for name in _RULE_COLUMNS}
        | {
            "security_group_id": text("group_id"),
            "port_range_min": number("port_range_min"),
            "port_range_max": number("port_range_max"),
        },
        {name: column for name, column in OWNED_SORT.items() if name != "name"}
        | {name: name for name in ("direction", "ethertype", "protocol", "port_range_min", "port_range_max")}
        | {"security_group_id": "group_id"},
    )

    def rows(self) -> RuleQuerySet:
        return SecurityGroupRule.objects.for_actor(self.actor)

    def missing(self, pk: str) -> NotFound:
        return SecurityGroupRuleNotFound(id=pk[:64])

    @accepts(schemas.RULE_CREATE)
    @transaction.atomic
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        for wanted in self.wanted(body):
            owner(self.actor, wanted)
        return self.answer_made(body, [groups.add_rule(self.actor, wanted).id for wanted in self.wanted(body)])

    @transaction.atomic
    def destroy(self, request: Any, pk: str) -> HttpResponse:
        groups.delete_rule(self.find_own(pk))
        return empty()
