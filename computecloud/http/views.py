"""The base of every view: who asks, at which version, and whether the policy table lets them — before the view runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from computecloud.core.actor import Actor
from computecloud.core.errors import Forbidden, MethodNotAllowed, NotFound, Unauthorized
from computecloud.http import faults, microversions, policy
from computecloud.http.authentication import actor_of
from computecloud.http.bodies import accepts, query
from computecloud.http.services import BY_NAME

__all__ = ["ServiceMixin", "ServiceViewSet", "accepts", "query"]


class ServiceMixin:
    """Adds the door checks to a DRF view. ``policy`` maps each action method to a rule name."""

    service: ClassVar[str] = "native"
    policy: ClassVar[dict[str, str]] = {}
    authentication_classes: Sequence[Any] = ()
    permission_classes: Sequence[Any] = ()
    actor: Actor

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        service = BY_NAME[self.service]
        raw = request._request
        version = microversions.negotiate(service, raw.headers)
        raw.api_version = request.api_version = version
        action = getattr(self, "action", None)
        if not action:
            raise NotFound if self.service == "compute" else MethodNotAllowed  # Nova has no 405
        rule_name = self.policy.get(action)
        if rule_name is None:
            raise Forbidden
        actor = None
        if policy.rule(rule_name).allow is not policy.PUBLIC or "X-Auth-Token" in raw.headers:
            actor = self.who(raw, rule_name)
        request.actor = raw.actor = actor
        if actor is not None:
            self.actor = actor
        policy.authorize(actor, rule_name)

    def handle_exception(self, exc: Exception) -> Any:
        """A transaction that lost to another one is tried once more (F26); only where the body can be read again."""
        raw = self.request._request  # type: ignore[attr-defined]  # DRF's view has it
        once = not getattr(raw, "was_tried_again", False)
        if faults.was_overtaken(exc) and once and (raw.method in ("GET", "DELETE") or hasattr(raw, "_body")):
            raw.was_tried_again = True
            method = getattr(self, raw.method.lower())
            try:
                return method(self.request, *self.args, **self.kwargs)  # type: ignore[attr-defined]  # likewise
            except Exception as again:  # noqa: BLE001 -- told like any other
                exc = again
        return super().handle_exception(exc)  # type: ignore[misc]  # likewise

    def who(self, raw: Any, rule_name: str) -> Actor | None:
        """The caller. Public routes serve a bad token as no token."""
        if policy.rule(rule_name).allow is policy.PUBLIC:
            try:
                return actor_of(raw)
            except Unauthorized:
                return None
        actor = actor_of(raw)
        if actor is None:
            raise Unauthorized
        return actor


class ServiceViewSet(ServiceMixin, ViewSet):
    """A view set of one of the cloud's services; methods return ``answers.answer(...)``."""

    request: Request
