"""``/flavors``: list, show, create, describe, delete."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse

from computecloud.core.actor import Actor
from computecloud.core.errors import Invalid
from computecloud.http.answers import answer, empty
from computecloud.http.microversions import Field, VersionedShape, available
from computecloud.http.pagination import keyset, limit_of
from computecloud.http.policy import allows
from computecloud.http.views import ServiceViewSet, accepts, query
from instances import flavors
from instances.api.links import next_links, thing_links
from instances.api.patterns import matcher
from instances.api.queries import Params, last, only_since, whole_number
from instances.api.schemas.flavors import CREATE, LIST_QUERY, SORT_KEYS, UPDATE
from instances.api.schemas.types import STRING, number, truth
from instances.models.flavor import Flavor, FlavorAccess

COLUMNS = (
    "id", "name", "ram_mb", "disk_gb", "swap_mb", "ephemeral_gb", "disabled", "vcpus", "is_public", "rxtx_factor",
    "description", "extra_specs",
)  # fmt: skip
MAY_SEE_EXTRA_SPECS = "os_compute_api:os-flavor-extra-specs:index"


class BriefShape(VersionedShape):
    """A flavor in ``GET /flavors``."""

    fields = {
        "id": Field("id"),
        "name": Field("name"),
        "description": Field("description", since="2.55"),
        "links": Field(lambda flavor, _: thing_links("flavors", flavor.id)),
    }


class FullShape(VersionedShape):
    """A flavor in every other answer. Swap is "" when there is none, until 2.74."""

    fields = {
        "id": Field("id"),
        "name": Field("name"),
        "ram": Field("ram_mb"),
        "disk": Field("disk_gb"),
        "swap": (
            Field(lambda flavor, _: flavor.swap_mb or "", until="2.74"),
            Field("swap_mb", since="2.75"),
        ),
        "OS-FLV-EXT-DATA:ephemeral": Field("ephemeral_gb"),
        "OS-FLV-DISABLED:disabled": Field("disabled", until="2.101"),
        "vcpus": Field("vcpus"),
        "os-flavor-access:is_public": Field("is_public"),
        "rxtx_factor": Field("rxtx_factor", until="2.101"),
        "description": Field("description", since="2.55"),
        "extra_specs": Field("extra_specs", since="2.61"),
        "links": Field(lambda flavor, _: thing_links("flavors", flavor.id)),
    }


def full(flavor: Any, request: Any) -> dict[str, Any]:
    """A flavor as the actor may see it at the request's version."""
    shown = FullShape.render(flavor, request.api_version)
    if not allows(request.actor, MAY_SEE_EXTRA_SPECS):
        shown.pop("extra_specs", None)
    return shown


def to_new_flavor(body: dict[str, Any]) -> flavors.NewFlavor:
    """A valid create body of any version, as today's dataclass. Raises Invalid."""
    wanted = body["flavor"]
    rxtx = float(wanted.get("rxtx_factor", 1.0))
    if rxtx <= 0:
        raise Invalid("'rxtx_factor' argument must be a float between 0 and 3.40282e+38")
    return flavors.NewFlavor(
        id=None if wanted.get("id") is None else str(wanted["id"]),
        name=wanted["name"],
        vcpus=number(wanted["vcpus"], "vcpus"),
        ram_mb=number(wanted["ram"], "ram"),
        disk_gb=number(wanted["disk"], "disk"),
        ephemeral_gb=number(wanted.get("OS-FLV-EXT-DATA:ephemeral", 0), "OS-FLV-EXT-DATA:ephemeral"),
        swap_mb=number(wanted.get("swap", 0), "swap"),
        rxtx_factor=rxtx,
        is_public=truth(wanted.get("os-flavor-access:is_public", True)),
        description=wanted.get("description"),
    )


def asked_publicity(text: str | None) -> bool | None:
    """``is_public`` of an administrator's list: absent means public only, "None" means all. Raises Invalid."""
    if text is None:
        return True
    if text.strip().lower() == "none":
        return None
    if text.strip().lower() not in ("t", "true", "on", "y", "yes", "1", "f", "false", "off", "n", "no", "0"):
        raise Invalid(f"Invalid is_public filter [{text[:100]}]")
    return text.strip().lower() in ("t", "true", "on", "y", "yes", "1")


def visible(actor: Actor, params: Params) -> QuerySet[Flavor]:
    """What the list shows: public flavors and those granted to the project; more to an administrator who asks."""
    mine = Q(id__in=FlavorAccess.objects.filter(project_id=actor.project_id or "").values("flavor_id"))
    if not actor.is_admin:
        return Flavor.objects.filter(Q(is_public=True) | mine, disabled=False)
    public = asked_publicity(last(params, "is_public"))
    if public is None:
        return Flavor.objects.all()
    return Flavor.objects.filter(Q(is_public=True) | mine if public else Q(is_public=False))


def wanted_rows(actor: Actor, params: Params) -> QuerySet[Flavor]:
    """The list after its filters."""
    rows = visible(actor, params)
    if (ram := whole_number(params, "minRam")) is not None:
        rows = rows.filter(ram_mb__gte=ram)
    if (disk := whole_number(params, "minDisk")) is not None:
        rows = rows.filter(disk_gb__gte=disk)
    if (pattern := last(params, "name")) is not None:
        fits = matcher(pattern)
        rows = rows.filter(id__in=[key for key, name in rows.values_list("id", "name") if fits(name)])
    return rows


def page(actor: Actor, params: Params) -> tuple[list[Any], int]:
    """One page of rows and the page's size. Raises Invalid for a marker that is not there."""
    direction = last(params, "sort_dir") or "asc"
    key = SORT_KEYS[last(params, "sort_key") or "flavorid"]
    marker = None
    if (name := last(params, "marker")) is not None:
        marker = Flavor.objects.for_actor(actor).filter(pk=name).first()
        if marker is None:
            raise Invalid(f"marker [{name[:255]}] not found")
    limit = limit_of(params)
    sort = [(key, direction)] if key == "id" else [(key, direction), ("id", direction)]
    rows = keyset(wanted_rows(actor, params), sort, marker, limit)
    return list(rows.values_list(*COLUMNS, named=True)), limit


class FlavorViewSet(ServiceViewSet):
    """Flavors. Everybody reads, administrators write."""

    service = "compute"
    policy = {
        "list": "os_compute_api:flavors",
        "list_detail": "os_compute_api:flavors",
        "retrieve": "os_compute_api:flavors",
        "create": "os_compute_api:os-flavor-manage:create",
        "update": "os_compute_api:os-flavor-manage:update",
        "destroy": "os_compute_api:os-flavor-manage:delete",
    }

    @query({**LIST_QUERY, "name": STRING}, strict_since="2.75")
    def list(self, request: Any, params: Params) -> HttpResponse:
        return self._page(request, params, lambda row: BriefShape.render(row, request.api_version))

    @query({**LIST_QUERY, "name": STRING}, strict_since="2.75")
    def list_detail(self, request: Any, params: Params) -> HttpResponse:
        return self._page(request, params, lambda row: full(row, request))

    def _page(self, request: Any, params: Params, shape: Any) -> HttpResponse:
        only_since("2.102", request, params, "name", strict_since="2.75")
        if request.api_version >= (2, 102) and last(params, "sort_key") == "rxtx_factor":
            raise Invalid("Invalid input for query parameters sort_key. Value: rxtx_factor.")
        rows, limit = page(self.actor, params)
        body: dict[str, Any] = {"flavors": [shape(row) for row in rows]}
        if links := next_links(request, [row.id for row in rows], limit, "limit" in params):
            body["flavors_links"] = links
        return answer(body)

    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, flavor_id: str, params: Params) -> HttpResponse:
        return answer({"flavor": full(flavors.get(self.actor, flavor_id), request)})

    @accepts(CREATE)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        return answer({"flavor": full(flavors.create(to_new_flavor(body)), request)})

    @available("2.55")
    @accepts(UPDATE)
    def update(self, request: Any, flavor_id: str, body: dict[str, Any]) -> HttpResponse:
        flavors.describe(flavor_id, body["flavor"]["description"])
        return answer({"flavor": full(flavors.get(self.actor, flavor_id), request)})

    def destroy(self, request: Any, flavor_id: str) -> HttpResponse:
        flavors.delete(flavor_id)
        return empty(202)
