"""The door of the conductor: which agent speaks, and at which protocol version. No person's token opens it."""

from __future__ import annotations

import hmac
import time
from typing import Any, ClassVar

import msgspec
from rest_framework.viewsets import ViewSet

from computecloud.core.errors import Conflict, Forbidden, Invalid, TooLarge, Unauthorized
from hosts.models import Agent
from tasks.conductor import wire

LARGEST = 8 * 1024 * 1024
_FRESH_S = 10.0
_known: dict[str, tuple[float, str, str, frozenset[str]]] = {}


class IdentityInUse(Conflict):
    message = "A process with this agent's identity was heard a moment ago, and it is not of this agent's state folder."


class StaleAgent(Conflict):
    message = "Another process registered with this agent's identity; this one must end."


def _agent_of(host_id: str, secret: str) -> tuple[str, frozenset[str]]:
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


class ConductorViewSet(ViewSet):
    """``self.agent_id`` and ``self.hosts`` (ids) are set before a method runs."""

    service: ClassVar[str] = "conductor"
    authentication_classes = ()
    permission_classes = ()
    agent_id: str
    hosts: frozenset[str]
    credential: tuple[str, str]

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        kind, _, credential = request._request.headers.get("Authorization", "").partition(" ")
        host_id, _, secret = credential.partition(":")
        if kind != "Bearer" or not secret:
            raise Unauthorized
        self.credential = host_id, secret
        self.agent_id, self.hosts = _agent_of(host_id, secret)

    def read(self, request: Any, kind: type[Any]) -> Any:
        """The typed body. Raises Invalid."""
        data = request._request.body
        if len(data) > LARGEST:
            raise TooLarge
        try:
            return wire.decode(data, kind)
        except msgspec.DecodeError as problem:
            raise Invalid(f"the conductor does not understand this: {problem}") from problem

    def own(self, host_id: str) -> str:
        """The host's id, if it is this agent's. Raises Forbidden: a credential reaches its own servers only."""
        if host_id not in self.hosts:  # it may have been enrolled in the seconds that an agent's hosts are remembered
            forget()
            self.agent_id, self.hosts = _agent_of(*self.credential)
        if host_id not in self.hosts:
            raise Forbidden
        return host_id


def forget() -> None:
    """Read agents and their hosts anew."""
    _known.clear()
