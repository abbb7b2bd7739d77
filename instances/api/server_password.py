"""``/servers/{id}/os-server-password``: the password that was set last, encrypted by the server's own key."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.http.answers import answer, empty
from computecloud.http.views import ServiceViewSet, query
from instances import servers
from instances.api.queries import Params


class PasswordViewSet(ServiceViewSet):
    """Whoever has the private key can read it. Empty when none was set, or the key is none that can encrypt."""

    service = "compute"
    policy = {
        "retrieve": "os_compute_api:os-server-password:show",
        "destroy": "os_compute_api:os-server-password:clear",
    }

    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, server_id: str, params: Params) -> HttpResponse:
        return answer({"password": servers.get(self.actor, server_id).encrypted_password})

    def destroy(self, request: Any, server_id: str) -> HttpResponse:
        """Forgets it here; the guest's password stays what it is."""
        servers.update(self.actor, servers.get(self.actor, server_id), {"encrypted_password": ""})
        return empty(204)
