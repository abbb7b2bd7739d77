"""``/v2.0/{collection}/{id}/tags``, for every collection whose rows carry tags."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from django.db.models import F
from django.http import HttpResponse

from computecloud.core.clock import utcnow
from computecloud.core.errors import NotFound
from computecloud.http.answers import answer, empty
from integrations.networks import tags
from integrations.networks.api import schemas
from integrations.networks.api.bodies import accepts
from integrations.networks.api.resource import NetworkViewSet
from integrations.networks.errors import (
    HTTPBadRequest,
    NetworkNotFound,
    PolicyNotAuthorized,
    PortNotFound,
    RouterNotFound,
    SecurityGroupNotFound,
    SubnetNotFound,
    SubnetPoolNotFound,
    TagNotFound,
)
from integrations.networks.models import Network, Port, Router, SecurityGroup, Subnet, SubnetPool, Tag

KINDS: dict[str, tuple[Any, type[NotFound], str]] = {
    "networks": (Network, NetworkNotFound, "net_id"),
    "subnets": (Subnet, SubnetNotFound, "subnet_id"),
    "subnetpools": (SubnetPool, SubnetPoolNotFound, "subnetpool_id"),
    "ports": (Port, PortNotFound, "port_id"),
    "routers": (Router, RouterNotFound, "router_id"),
    "security-groups": (SecurityGroup, SecurityGroupNotFound, "id"),
}


class TagsViewSet(NetworkViewSet):
    """Tags of one row. Subclasses name the collection."""

    kind: ClassVar[str]

    def _row(self, pk: str, *, own: bool = True) -> Any:
        model, missing, name = KINDS[self.kind]
        row = model.objects.for_actor(self.actor).filter(pk=pk).first()
        if row is None:
            raise missing(**{name: pk[:64]})
        if own and not self.actor.is_admin and row.project_id != self.actor.project_id:
            raise PolicyNotAuthorized(action=f"update_{self.kind}_tags")
        return row

    def _changed(self, row: Any) -> None:
        type(row).objects.filter(pk=row.pk).update(revision=F("revision") + 1, updated_at=utcnow())

    def list(self, request: Any, pk: str) -> HttpResponse:
        row = self._row(pk, own=False)
        return answer({"tags": tags.of(self.kind, [row.pk])[row.pk]})

    @accepts(schemas.TAGS)
    @transaction.atomic
    def replace(self, request: Any, pk: str, body: dict[str, Any]) -> HttpResponse:
        row = self._row(pk)
        tags.replace(self.kind, row.pk, body["tags"])
        self._changed(row)
        return answer({"tags": tags.of(self.kind, [row.pk])[row.pk]})

    @transaction.atomic
    def clear(self, request: Any, pk: str) -> HttpResponse:
        row = self._row(pk)
        tags.replace(self.kind, row.pk, [])
        self._changed(row)
        return empty()

    def check(self, request: Any, pk: str, tag: str) -> HttpResponse:
        row = self._row(pk, own=False)
        if not Tag.objects.filter(kind=self.kind, resource_id=row.pk, tag=tag).exists():
            raise TagNotFound(tag=tag[:64])
        return empty()

    @transaction.atomic
    def add(self, request: Any, pk: str, tag: str) -> HttpResponse:
        if not tag or len(tag) > 255 or "," in tag:
            raise HTTPBadRequest("Invalid input for tag. Reason: a tag has 1 to 255 characters and no comma.")
        row = self._row(pk)
        tags.add(self.kind, row.pk, [tag])
        self._changed(row)
        return empty(201)

    @transaction.atomic
    def remove(self, request: Any, pk: str, tag: str) -> HttpResponse:
        row = self._row(pk)
        if not Tag.objects.filter(kind=self.kind, resource_id=row.pk, tag=tag).delete()[0]:
            raise TagNotFound(tag=tag[:64])
        self._changed(row)
        return empty()


def _of(kind: str, rule: str) -> type[TagsViewSet]:
    rules = {
        "list": f"get_{rule}:tags",
        "check": f"get_{rule}:tags",
        "replace": f"update_{rule}:tags",
        "add": f"update_{rule}:tags",
        "clear": f"delete_{rule}:tags",
        "remove": f"delete_{rule}:tags",
    }
    return type(f"{rule.title().replace('_', '')}TagsViewSet", (TagsViewSet,), {"kind": kind, "policy": rules})


VIEWS = {kind: _of(kind, kind.replace("-", "_")) for kind in KINDS}
