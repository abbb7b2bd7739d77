"""A small HTTP client: ``cloud.as_member.post("/compute/v2.1/servers", {...})``.

It speaks to Django's test client, or to a running cloud (``running.Wire``): tests read the same either way.
"""

from __future__ import annotations

from typing import Any

import orjson
from django.test import Client


class Person:
    """Somebody with a token (or without one) who talks to the API."""

    def __init__(self, token: str | None, version: str | None = None, client: Any = None) -> None:
        self.token = token
        self.version = version
        self.client = client or Client(raise_request_exception=False)

    def at(self, version: str) -> Person:
        """The same person, speaking a compute microversion."""
        return Person(self.token, version, self.client)

    def request(
        self, method: str, path: str, json: Any = None, headers: dict[str, str] | None = None, **kw: Any
    ) -> Any:
        sent = dict(headers or {})
        if self.token:
            sent.setdefault("X-Auth-Token", self.token)
        if self.version:
            sent.setdefault("OpenStack-API-Version", f"compute {self.version}")
            sent.setdefault("X-OpenStack-Nova-API-Version", self.version)
        if json is not None:
            kw |= {"data": orjson.dumps(json), "content_type": kw.pop("content_type", "application/json")}
        elif "data" in kw:
            kw.setdefault("content_type", "application/octet-stream")
        return self.client.generic(method, path, headers=sent, **kw)

    def get(self, path: str, **kw: Any) -> Any:
        return self.request("GET", path, **kw)

    def head(self, path: str, **kw: Any) -> Any:
        return self.request("HEAD", path, **kw)

    def post(self, path: str, json: Any = None, **kw: Any) -> Any:
        return self.request("POST", path, json, **kw)

    def put(self, path: str, json: Any = None, **kw: Any) -> Any:
        return self.request("PUT", path, json, **kw)

    def patch(self, path: str, json: Any = None, **kw: Any) -> Any:
        return self.request("PATCH", path, json, **kw)

    def delete(self, path: str, json: Any = None, **kw: Any) -> Any:
        return self.request("DELETE", path, json, **kw)


class Cloud:
    """Everybody a test may want to be."""

    def __init__(self) -> None:
        self.as_admin = Person("admin")
        self.as_member = Person("member-a")
        self.as_reader = Person("reader-a")
        self.as_manager = Person("manager-a")
        self.as_other = Person("member-b")
        self.as_other_reader = Person("reader-b")
        self.anonymous = Person(None)
        self.with_bad_token = Person("no-such-token")
