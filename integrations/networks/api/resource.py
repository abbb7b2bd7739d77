"""What all collections of this service share: list, show, ownership, and the wording of refused rights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.http import HttpResponse

from computecloud.core.actor import Actor
from computecloud.core.errors import NotFound
from computecloud.http import policy
from computecloud.http.answers import answer
from computecloud.http.views import ServiceViewSet
from integrations.networks.api.lists import Listing, chosen, page
from integrations.networks.errors import HTTPBadRequest, PolicyNotAuthorized


class NetworkViewSet(ServiceViewSet):
    """The base of every view of this service."""

    service = "network"


class CollectionViewSet(NetworkViewSet):
    """One collection of rows: ``networks`` of ``network``, and so on."""

    one: ClassVar[str]
    many: ClassVar[str]
    listing: ClassVar[Listing]
    views: ClassVar[Any]  # (actor, ids) -> views; typed as a Callable it would be taken for a method

    def rows(self) -> QuerySet[Any]:
        """The rows that the caller may see."""
        raise NotImplementedError

    def missing(self, pk: str) -> NotFound:
        """The error for a row that is not there, or not for the caller."""
        raise NotImplementedError

    def list(self, request: Any) -> HttpResponse:
        found = page(request, self.rows(), self.listing)
        views = [chosen(request, view) for view in type(self).views(self.actor, found.ids)]
        return answer({self.many: views} | ({f"{self.many}_links": found.links} if found.links else {}))

    def retrieve(self, request: Any, pk: str) -> HttpResponse:
        return self.answer_one(request, self.find(pk).pk)

    def answer_one(self, request: Any, pk: str, status: int = 200) -> HttpResponse:
        """One row, as it is now."""
        view = type(self).views(self.actor, [pk])[0]
        return answer({self.one: chosen(request, view)}, status)

    def answer_made(self, body: dict[str, Any], ids: Sequence[str]) -> HttpResponse:
        """What was made: one, or many when many were asked for."""
        views = type(self).views(self.actor, ids)
        return answer({self.one: views[0]} if self.one in body else {self.many: views}, 201)

    def find(self, pk: str) -> Any:
        """A row that the caller may see. Raises the collection's not-found error."""
        row: Model | None = self.rows().filter(pk=pk).first()
        if row is None:
            raise self.missing(pk)
        return row

    def find_own(self, pk: str) -> Any:
        """A row that the caller may change: seen but another project's is 403."""
        row = self.find(pk)
        if not self.actor.is_admin and row.project_id != self.actor.project_id:
            raise PolicyNotAuthorized(action=f"update_{self.one}")
        return row

    def wanted(self, body: dict[str, Any]) -> Sequence[dict[str, Any]]:
        """The bodies of what is to be made: of one, or of many."""
        found: Sequence[dict[str, Any]] = [body[self.one]] if self.one in body else body[self.many]
        return found


def owner(actor: Actor, wanted: dict[str, Any]) -> str:
    """The project that a new row will belong to. Only an administrator may name another than his own."""
    named = wanted.get("project_id", wanted.get("tenant_id"))
    if "project_id" in wanted and "tenant_id" in wanted and wanted["project_id"] != wanted["tenant_id"]:
        raise HTTPBadRequest("'project_id' and 'tenant_id' do not match")
    if named and named != actor.project_id and not actor.is_admin:
        raise HTTPBadRequest(
            "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin "
            "privileges"
        )
    project_id = named or actor.project_id
    if not project_id:
        raise HTTPBadRequest("Running without a project requires that tenant_id is specified")
    return str(project_id)


def require(actor: Actor, rule: str) -> None:
    """Raises PolicyNotAuthorized unless the rule lets the actor through."""
    if not policy.allows(actor, rule):
        raise PolicyNotAuthorized(action=rule)
