"""``/flavors/{id}/os-extra_specs``, ``/flavors/{id}/os-flavor-access`` and the access actions."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import Conflict, Invalid, NotFound
from computecloud.http.answers import answer, empty
from computecloud.http.policy import authorize
from computecloud.http.views import ServiceViewSet, accepts, query
from instances import extra_specs, flavors
from instances.api.queries import Params
from instances.api.schemas.flavors import ACTION, CREATE_EXTRA_SPECS, UPDATE_EXTRA_SPEC
from instances.models.flavor import Flavor
from integrations.identity import facade as identity

LONGEST_VALUE = 255


def as_text(specs: dict[str, Any], version: tuple[int, int]) -> dict[str, str]:
    """Extra specs as they are kept: numbers become text. Known keys are checked from 2.86. Raises Invalid."""
    texts = {key: str(value) for key, value in specs.items()}
    for key, value in texts.items():
        if len(value) > LONGEST_VALUE:
            raise Invalid(f"extra_specs value has {len(value)} characters, more than {LONGEST_VALUE}.")
        if version >= (2, 86):
            extra_specs.validate(key, value)
    return texts


class ExtraSpecViewSet(ServiceViewSet):
    """Extra specs of one flavor."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-flavor-extra-specs:index",
        "create": "os_compute_api:os-flavor-extra-specs:create",
        "retrieve": "os_compute_api:os-flavor-extra-specs:show",
        "update": "os_compute_api:os-flavor-extra-specs:update",
        "destroy": "os_compute_api:os-flavor-extra-specs:delete",
    }

    @query({}, strict_since="2.102")
    def list(self, request: Any, flavor_id: str, params: Params) -> HttpResponse:
        return answer({"extra_specs": flavors.get(self.actor, flavor_id).extra_specs})

    @accepts(CREATE_EXTRA_SPECS)
    def create(self, request: Any, flavor_id: str, body: dict[str, Any]) -> HttpResponse:
        added = as_text(body["extra_specs"], request.api_version)
        flavors.change_extra_specs(flavor_id, lambda now: now | added)
        return answer(body)

    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, flavor_id: str, key: str, params: Params) -> HttpResponse:
        specs = flavors.get(self.actor, flavor_id).extra_specs
        if key not in specs:
            raise flavors.ExtraSpecNotFound(flavor_id=flavor_id, key=key)
        return answer({key: specs[key]})

    @accepts(UPDATE_EXTRA_SPEC)
    def update(self, request: Any, flavor_id: str, key: str, body: dict[str, Any]) -> HttpResponse:
        added = as_text(body, request.api_version)
        if key not in body:
            raise Invalid("Request body and URI mismatch")
        flavors.change_extra_specs(flavor_id, lambda now: now | added)
        return answer(body)

    def destroy(self, request: Any, flavor_id: str, key: str) -> HttpResponse:
        def without(now: dict[str, str]) -> dict[str, str]:
            if key not in now:
                raise flavors.ExtraSpecNotFound(flavor_id=flavor_id, key=key)
            return {name: value for name, value in now.items() if name != key}

        flavors.change_extra_specs(flavor_id, without)
        return empty(200)


def access_list(flavor: Flavor) -> HttpResponse:
    projects = flavors.projects_of(flavor)
    return answer({"flavor_access": [{"flavor_id": flavor.id, "tenant_id": project} for project in projects]})


class FlavorAccessViewSet(ServiceViewSet):
    """Which projects may use a private flavor."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-flavor-access",
        "act": "os_compute_api:os-flavor-access:add_tenant_access",
    }

    @query({}, strict_since="2.102")
    def list(self, request: Any, flavor_id: str, params: Params) -> HttpResponse:
        flavor = flavors.get(self.actor, flavor_id)
        if flavor.is_public:
            raise NotFound("Access list not available for public flavors.")
        return access_list(flavor)

    @accepts(ACTION)
    def act(self, request: Any, flavor_id: str, body: dict[str, Any]) -> HttpResponse:
        """addTenantAccess and removeTenantAccess. A project that is gone can be removed, not added."""
        [(verb, detail)] = body.items()
        project_id = detail["tenant"]
        flavor = flavors.get(self.actor, flavor_id)
        if verb == "removeTenantAccess":
            authorize(self.actor, "os_compute_api:os-flavor-access:remove_tenant_access")
            flavors.withdraw(flavor, project_id)
            return access_list(flavor)
        if not identity.project_exists(project_id):
            raise Invalid(f"Project ID {project_id} is not a valid project.")
        if request.api_version >= (2, 7) and flavor.is_public:
            raise Conflict("Can not add access to a public flavor.")
        flavors.grant(flavor, project_id)
        return access_list(flavor)
