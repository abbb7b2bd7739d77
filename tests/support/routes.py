"""Every route of the URL map, as the resolver knows it: tests that walk them cover a new route the moment it exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from computecloud.http.views import ServiceMixin

PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")


@dataclass(frozen=True)
class Route:
    """One path pattern. ``actions`` maps HTTP methods (lower case) to names of the view set's methods."""

    path: str
    view: Any
    actions: dict[str, str]

    @property
    def service(self) -> str:
        return str(self.view.service)

    def method(self, verb: str) -> Any:
        return getattr(self.view, self.actions[verb])

    def fill(self, values: dict[tuple[str, str], str]) -> str:
        """The path with each parameter replaced by the value for (segment before it, its name).

        Raises KeyError for a parameter that the table does not know.
        """
        before = ""
        parts = []
        for part in self.path.split("/"):
            found = PARAMETER.fullmatch(part)
            parts.append(values[before, found[2]] if found else part)
            before = part if not found else before
        return "/".join(parts)

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """(segment before it, name) of each parameter."""
        found, before = [], ""
        for part in self.path.split("/"):
            match = PARAMETER.fullmatch(part)
            if match:
                found.append((before, match[2]))
            else:
                before = part
        return found


def _walk(patterns: list[Any], prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for one in patterns:
        path = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _walk(one.url_patterns, path)
        else:
            yield path, one


def every_pattern(urlconf: str | None = None) -> list[tuple[str, Any]]:
    """(path, callback) of every pattern, the admin's and the dashboard's too."""
    return [(path, one.callback) for path, one in _walk(get_resolver(urlconf).url_patterns, "/")]


def api_routes(urlconf: str | None = None) -> list[Route]:
    """The routes served by our own views."""
    found = []
    for path, callback in every_pattern(urlconf):
        view = getattr(callback, "cls", None)
        if view is not None and issubclass(view, ServiceMixin):
            actions = {verb: name for verb, name in callback.actions.items() if verb != "head"}
            found.append(Route(path, view, actions))
    return found
