"""``/os-keypairs``: a user's own key pairs; another user's for administrators (from 2.10)."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.actor import Actor
from computecloud.core.clock import iso_naive
from computecloud.core.errors import Invalid
from computecloud.http.answers import answer, empty
from computecloud.http.microversions import Field, VersionedShape
from computecloud.http.pagination import keyset, limit_of
from computecloud.http.policy import authorize
from computecloud.http.views import ServiceViewSet, accepts, query
from instances import keypairs, keys
from instances.api.links import next_links
from instances.api.queries import Params, last, only_since
from instances.api.schemas.keypairs import CREATE, LIST_QUERY, SHOW_QUERY
from instances.models.keypair import KeyPair

OTHER_USERS = "os_compute_api:os-keypairs:other_users"


class ListShape(VersionedShape):
    """A key pair in the list."""

    fields = {
        "name": Field("name"),
        "public_key": Field("public_key"),
        "fingerprint": Field("fingerprint"),
        "type": Field("type", since="2.2"),
    }


class CreateShape(VersionedShape):
    """A key pair just made; ``private_key`` is added when it was made here."""

    fields = {**ListShape.fields, "user_id": Field("user_id")}


class ShowShape(VersionedShape):
    """One key pair. ``deleted`` and its kin are there because Nova shows them."""

    fields = {
        **CreateShape.fields,
        "id": Field("pk"),
        "created_at": Field(lambda row, _: iso_naive(row.created_at)),
        "updated_at": Field(lambda row, _: None),
        "deleted": Field(lambda row, _: False),
        "deleted_at": Field(lambda row, _: None),
    }


def whose(actor: Actor, asked: str | None) -> str:
    """The user to act for: oneself, or the one asked for if the policy lets it. Raises Forbidden."""
    if asked and asked != actor.user_id:
        authorize(actor, OTHER_USERS)
        return asked
    return actor.user_id


class KeyPairViewSet(ServiceViewSet):
    """Key pairs."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-keypairs:index",
        "retrieve": "os_compute_api:os-keypairs:show",
        "create": "os_compute_api:os-keypairs:create",
        "destroy": "os_compute_api:os-keypairs:delete",
    }

    @query(LIST_QUERY, strict_since="2.75")
    def list(self, request: Any, params: Params) -> HttpResponse:
        only_since("2.10", request, params, "user_id")
        only_since("2.35", request, params, "limit", "marker")
        rows = KeyPair.objects.filter(user_id=whose(self.actor, last(params, "user_id")))
        marker = None
        if (name := last(params, "marker")) is not None:
            marker = rows.filter(name=name).first()
            if marker is None:
                raise Invalid(f"Marker {name[:255]} could not be found.")
        limit = limit_of(params)
        page = keyset(rows, [("name", "asc")], marker, limit).values_list(
            "name", "public_key", "fingerprint", "type", named=True
        )
        found = [*page]
        body: dict[str, Any] = {"keypairs": [{"keypair": ListShape.render(row, request.api_version)} for row in found]}
        links = next_links(request, [row.name for row in found], limit, "limit" in params)
        if links and request.api_version >= (2, 35):
            body["keypairs_links"] = links
        return answer(body)

    @query(SHOW_QUERY, strict_since="2.75")
    def retrieve(self, request: Any, name: str, params: Params) -> HttpResponse:
        only_since("2.10", request, params, "user_id")
        keypair = keypairs.get(whose(self.actor, last(params, "user_id")), name)
        return answer({"keypair": ShowShape.render(keypair, request.api_version)})

    @accepts(CREATE)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        wanted = body["keypair"]
        user_id = whose(self.actor, wanted.get("user_id"))
        kind = wanted.get("type", "ssh")
        made = None if "public_key" in wanted else keys.make(kind, user_id)
        public_key = made.public_key if made else wanted["public_key"]
        row = keypairs.add(user_id, self.actor.project_id or "", wanted["name"], kind, public_key)
        shown = CreateShape.render(row, request.api_version)
        if made:
            shown["private_key"] = made.private_key
        return answer({"keypair": shown}, 201 if request.api_version >= (2, 2) else 200)

    @query(SHOW_QUERY, strict_since="2.75")
    def destroy(self, request: Any, name: str, params: Params) -> HttpResponse:
        only_since("2.10", request, params, "user_id")
        keypairs.delete(whose(self.actor, last(params, "user_id")), name)
        return empty(204 if request.api_version >= (2, 2) else 202)
