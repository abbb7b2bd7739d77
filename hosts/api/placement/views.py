"""The routes of Placement that read. A write is answered 405: claims are the scheduler's, in its own transactions."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpResponse
from django.utils.http import http_date

from computecloud.core.clock import utcnow
from computecloud.core.errors import Invalid, NotFound
from computecloud.http import policy as rules
from computecloud.http.answers import answer, empty
from computecloud.http.microversions import available, write
from computecloud.http.services import BY_NAME
from computecloud.http.views import ServiceViewSet, query
from hosts.api.placement import allocations, providers, shapes, wishes

TEXT: dict[str, Any] = {"type": "string", "maxLength": 4096}
UUID: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$"}
WHOLE: dict[str, Any] = {"type": "string", "pattern": "^[1-9][0-9]{0,9}$"}
OF_PROVIDERS = {"name": TEXT, "uuid": UUID, "member_of": TEXT, "resources": TEXT, "in_tree": UUID, "required": TEXT}
OF_PROVIDERS_SINCE = {"member_of": (1, 3), "resources": (1, 4), "in_tree": (1, 14), "required": (1, 18)}
OF_CANDIDATES_SINCE = {"required": (1, 17), "member_of": (1, 21), "in_tree": (1, 31), "limit": (1, 16)}
_CANDIDATE_NAME = re.compile(r"^(resources|required|member_of|in_tree)([a-zA-Z0-9_-]{0,64})$|^(limit|group_policy)$")


class PlacementViewSet(ServiceViewSet):
    """Answers carry no-cache headers from 1.15 on."""

    service = "placement"

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if getattr(request, "api_version", (1, 0)) >= (1, 15) and response.status_code < 300:
            response["Last-Modified"] = http_date(utcnow().timestamp())
            response["Cache-Control"] = "no-cache"
        return response


class RootViewSet(PlacementViewSet):
    """The version document."""

    policy = {"show": "placement:version"}

    def show(self, request: Any) -> HttpResponse:
        service = BY_NAME["placement"]
        if service.minimum is None or service.maximum is None:
            raise NotFound
        version = {
            "id": "v1.0",
            "max_version": write(service.maximum),
            "min_version": write(service.minimum),
            "status": "CURRENT",
            "links": [{"rel": "self", "href": ""}],
        }
        return answer({"versions": [version]})


class ResourceProviderViewSet(PlacementViewSet):
    """/resource_providers and what hangs below one."""

    policy = {
        "list": "placement:resource_providers:list",
        "retrieve": "placement:resource_providers:show",
        "inventories": "placement:resource_providers:inventories:list",
        "inventory": "placement:resource_providers:inventories:show",
        "usages": "placement:resource_providers:usages",
        "aggregates": "placement:resource_providers:aggregates:list",
        "traits": "placement:resource_providers:traits:list",
        "allocations": "placement:resource_providers:allocations:list",
    }

    @query(OF_PROVIDERS, strict_since="always")
    def list(self, request: Any, params: dict[str, list[str]]) -> HttpResponse:
        _refuse_newer(params, OF_PROVIDERS_SINCE, request.api_version)
        wish = wishes.of_providers(params, request.api_version)
        found = [shapes.provider(one, request.api_version) for one in providers.load() if wish.matches(one)]
        return answer({"resource_providers": found})

    def retrieve(self, request: Any, uuid: str) -> HttpResponse:
        return answer(shapes.provider(providers.one(uuid), request.api_version))

    def inventories(self, request: Any, uuid: str) -> HttpResponse:
        found = providers.one(uuid)
        shown = {name: shapes.inventory(stock) for name, stock in found.stock.items()}
        return answer({"inventories": shown, "resource_provider_generation": found.generation})

    def inventory(self, request: Any, uuid: str, resource_class: str) -> HttpResponse:
        found = providers.one(uuid)
        if resource_class not in found.stock:
            raise NotFound(f"No inventory of class {resource_class} for {uuid}")
        shown = shapes.inventory(found.stock[resource_class])
        return answer(shown | {"resource_provider_generation": found.generation})

    def usages(self, request: Any, uuid: str) -> HttpResponse:
        found = providers.one(uuid)
        usages = {name: stock.used for name, stock in found.stock.items()}
        return answer({"usages": usages, "resource_provider_generation": found.generation})

    @available(since="1.1")
    def aggregates(self, request: Any, uuid: str) -> HttpResponse:
        found = providers.one(uuid)
        shown: dict[str, Any] = {"aggregates": sorted(found.aggregates)}
        if request.api_version >= (1, 19):
            shown["resource_provider_generation"] = found.generation
        return answer(shown)

    @available(since="1.6")
    def traits(self, request: Any, uuid: str) -> HttpResponse:
        found = providers.one(uuid)
        return answer({"traits": sorted(found.traits), "resource_provider_generation": found.generation})

    def allocations(self, request: Any, uuid: str) -> HttpResponse:
        return answer(allocations.of_provider(providers.one(uuid), request.api_version))


class AllocationViewSet(PlacementViewSet):
    """/allocations, /allocation_candidates and /usages."""

    policy = {
        "retrieve": "placement:allocations:list",
        "candidates": "placement:allocation_candidates:list",
        "usages": "placement:usages",
    }

    def retrieve(self, request: Any, consumer: str) -> HttpResponse:
        return answer(allocations.of_consumer(consumer, request.api_version))

    @available(since="1.10")
    def candidates(self, request: Any) -> HttpResponse:
        version, params = request.api_version, dict(request._request.GET.lists())
        for name in params:
            if not _CANDIDATE_NAME.match(name):
                raise Invalid(f"Invalid query string parameters: Additional properties are not allowed: {name[:60]}")
        _refuse_newer(params, OF_CANDIDATES_SINCE, version)
        wish, groups = wishes.of_candidates(params, version)
        limit = _limit(params)
        split = len(groups) > 1 and params.get("group_policy") == ["isolate"]  # a host cannot be taken apart
        found = [] if split else [one for one in providers.load() if wish.matches(one)][:limit]
        wanted = set(wish.resources)
        return answer(
            {
                "allocation_requests": [shapes.candidate(one, groups, wish.resources, version) for one in found],
                "provider_summaries": {one.uuid: shapes.summary(one, wanted, version) for one in found},
            }
        )

    @available(since="1.9")
    @query({"project_id": TEXT, "user_id": TEXT, "consumer_type": TEXT}, strict_since="always")
    def usages(self, request: Any, params: dict[str, list[str]]) -> HttpResponse:
        if "project_id" not in params:
            raise Invalid("Invalid query string parameters: 'project_id' is a required property")
        project_id = params["project_id"][-1]
        rules.authorize(self.actor, "placement:usages", project_id)
        _refuse_newer(params, {"consumer_type": (1, 38)}, request.api_version)
        user_id, kind = params.get("user_id", [None])[-1], params.get("consumer_type", [None])[-1]
        return answer(allocations.of_project(project_id, user_id, kind, request.api_version))


class ResourceClassViewSet(PlacementViewSet):
    """/resource_classes."""

    policy = {"list": "placement:resource_classes:list", "retrieve": "placement:resource_classes:show"}

    @available(since="1.2")
    def list(self, request: Any) -> HttpResponse:
        return answer({"resource_classes": [shapes.resource_class(name) for name in providers.resource_classes()]})

    @available(since="1.2")
    def retrieve(self, request: Any, name: str) -> HttpResponse:
        if name not in providers.resource_classes():
            raise NotFound(f"No such resource class {name[:255]}.")
        return answer(shapes.resource_class(name))


class TraitViewSet(PlacementViewSet):
    """/traits: the standard names, and those that hosts have besides."""

    policy = {"list": "placement:traits:list", "retrieve": "placement:traits:show"}

    @available(since="1.6")
    @query({"name": TEXT, "associated": {"type": "string"}}, strict_since="always")
    def list(self, request: Any, params: dict[str, list[str]]) -> HttpResponse:
        associated = providers.traits()
        found = associated | providers.STANDARD_TRAITS
        if "associated" in params:
            found = associated if _truth(params["associated"][-1]) else found - associated
        return answer({"traits": sorted(name for name in found if _named(name, params.get("name", [""])[-1]))})

    @available(since="1.6")
    def retrieve(self, request: Any, name: str) -> HttpResponse:
        if name not in providers.STANDARD_TRAITS and name not in providers.traits():
            raise NotFound(f"No such trait(s): {name[:255]}.")
        return empty(204)


def _truth(text: str) -> bool:
    word = text.lower()
    if word not in ("true", "false"):
        raise Invalid(f"The query parameter 'associated' only accepts 'true' or 'false', got: {text[:60]}")
    return word == "true"


def _named(name: str, wanted: str) -> bool:
    """``in:A,B`` or ``startswith:A``; nothing wanted is everything."""
    kind, _, rest = wanted.partition(":")
    if kind not in ("", "in", "startswith"):
        raise Invalid("Badly formatted name parameter. Expected ?name=[in|startswith]:[name1,name2|prefix]")
    return not wanted or (name in rest.split(",") if kind == "in" else name.startswith(rest))


def _refuse_newer(params: Any, since: dict[str, tuple[int, int]], version: tuple[int, int]) -> None:
    for name in params:
        for known, first in since.items():
            if name.startswith(known) and version < first:
                raise Invalid(f"Invalid query string parameters: {name} needs microversion {write(first)}.")


def _limit(params: dict[str, list[str]]) -> int | None:
    text = params.get("limit", [""])[-1]
    if not text:
        return None
    if not re.match(WHOLE["pattern"], text):
        raise Invalid("Invalid query string parameters: limit must be a positive integer.")
    return int(text)
