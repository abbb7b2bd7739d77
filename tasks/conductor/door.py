"""The door of the conductor: which agent speaks, and at which protocol version. No person's token opens it."""

from __future__ import annotations

import hmac
import time
from typing import Any, ClassVar

import msgspec
from django.http import HttpResponse
from rest_framework.viewsets import ViewSet

from computecloud.conf import conf
from computecloud.core.errors import Conflict, Forbidden, Invalid, TooLarge, Unauthorized
from hosts.models import Agent
from tasks.conductor import wire

LARGEST = 8 * 1024 * 1024
CERTIFIED = "X-Agent-Certificate"  # set by our gate alone: with TLS the conductor listens to nobody else
_FRESH_S = 10.0
_known: dict[str, tuple[float, str, str, frozenset[str]]] = {}


class IdentityInUse(Conflict):
    message = "A process with this agent's identity was heard a moment ago, and it is not of this agent's state folder."


class StaleAgent(Conflict):
    message = "Another process registered with this agent's identity; this one must end."


def answer(value: Any) -> HttpResponse:
    return HttpResponse(wire.encode(value), content_type="application/json")


def check_protocol(spoken: int) -> None:
    if spoken != wire.PROTOCOL:
        raise Invalid(f"protocol {spoken} is not spoken here, only {wire.PROTOCOL}")


def credential_of(request: Any) -> tuple[str, str]:
    """Host id and secret as the request gives them. Raises Unauthorized when it gives none."""
    kind, _, credential = request._request.headers.get("Authorization", "").partition(" ")
    host_id, _, secret = credential.partition(":")
    if kind != "Bearer" or not secret:
        raise Unauthorized
    return host_id, secret


def agent_of(host_id: str, secret: str) -> tuple[str, frozenset[str]]:
    """The agent that stands for a host, and all its hosts. Read at most every ten seconds."""
    known = _known.get(host_id)
    if known and hmac.compare_digest(known[1].encode(), secret.encode()) and time.monotonic() - known[0] < _FRESH_S:
        return known[2], known[3]
    agent = Agent.objects.filter(hosts__id=host_id, hosts__deleted_at__isnull=True).first()
    if agent is None or not agent.knows(secret):
        raise Unauthorized
    hosts = frozenset(agent.hosts.alive().values_list("id", flat=True))
    _known[host_id] = (time.monotonic(), secret, agent.id, hosts)
    return agent.id, hosts


def check_certificate(request: Any, agent_id: str) -> None:
    """With TLS, our gate says whose certificate it verified: it must be this agent's. Raises Unauthorized."""
    if conf().tls and request._request.headers.get(CERTIFIED, "") != f"CN={agent_id}":
        raise Unauthorized("The client certificate is not this agent's.")


class OpenViewSet(ViewSet):
    """A call to the conductor; nobody's yet."""

    service: ClassVar[str] = "conductor"
    authentication_classes = ()
    permission_classes = ()

    def read(self, request: Any, kind: type[Any]) -> Any:
        """The typed body. Raises Invalid."""
        data = request._request.body
        if len(data) > LARGEST:
            raise TooLarge
        try:
            return wire.decode(data, kind)
        except msgspec.DecodeError as problem:
            raise Invalid(f"the conductor does not understand this: {problem}") from problem


class ConductorViewSet(OpenViewSet):
    """An agent's call. ``self.agent_id`` and ``self.hosts`` (ids) are set before a method runs."""

    agent_id: str
    hosts: frozenset[str]
    credential: tuple[str, str]

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        self.credential = credential_of(request)
        self.agent_id, self.hosts = agent_of(*self.credential)
        check_certificate(request, self.agent_id)

    def own(self, host_id: str) -> str:
        """The host's id, if it is this agent's. Raises Forbidden: a credential reaches its own servers only."""
        if host_id not in self.hosts:  # it may have been enrolled in the seconds that an agent's hosts are remembered
            forget()
            self.agent_id, self.hosts = agent_of(*self.credential)
        if host_id not in self.hosts:
            raise Forbidden
        return host_id


def forget() -> None:
    """Read agents and their hosts anew."""
    _known.clear()
