"""A small OpenStack client on the standard library: what `up`, `status` and `doctor` ask the public API."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, cast

from deploy.progress import Failure

MICROVERSION = "2.90"
Json = dict[str, Any]


class ApiProblem(Failure):
    """The API did not answer as asked. ``status`` is 0 when nothing answered."""

    def __init__(self, method: str, url: str, status: int, text: str) -> None:
        self.status = status
        super().__init__(f"{method} {url}: {f'HTTP {status}' if status else 'no answer'}: {text[:600]}")


class WrongPassword(Failure):
    """Somebody has changed the user's password. No ApiProblem, as asking again would lock the account for a while."""

    def __init__(self, user: str) -> None:
        super().__init__(
            f"The password of user {user} is not the one in secrets.toml: it was changed. Write the new one there, "
            f"as {user}_password, then run ./cloud up."
        )


class Client:
    """One login. Paths are those of the one origin, such as /compute/v2.1/servers."""

    def __init__(
        self, base_url: str, user: str, password: str, *, timeout_s: float = 30, trust: Path | None = None
    ) -> None:
        """``trust``: the certificate of the authority that vouches for an https address; None: the system's."""
        self.base_url, self.user, self.password, self.timeout_s = base_url, user, password, timeout_s
        self._tls = ssl.create_default_context(cafile=trust) if base_url.startswith("https:") else None
        self._token: str | None = None

    def log_in(self) -> str:
        """A token of the user in the project of the same name. Raises WrongPassword."""
        who = {"name": self.user, "domain": {"id": "default"}, "password": self.password}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": who}},
                "scope": {"project": {"name": self.user, "domain": {"id": "default"}}},
            }
        }
        try:
            _, headers, _ = self._send("POST", "/identity/v3/auth/tokens", json.dumps(body).encode(), {})
        except ApiProblem as problem:
            if problem.status == 401:
                raise WrongPassword(self.user) from problem
            raise
        self._token = headers["X-Subject-Token"]
        return self._token

    def version_document(self) -> None:
        """Asks for something that needs no login."""
        self._send("GET", "/identity/v3", None, {})

    def text(self, path: str) -> str:
        """What a static file says; empty when it is not there."""
        try:
            return bytes(self._send("GET", path, None, {})[2]).decode("utf-8", "replace")
        except ApiProblem as problem:
            if problem.status == 404:
                return ""
            raise

    def get(self, path: str) -> Json:
        return self._json("GET", path, None)

    def post(self, path: str, body: Json) -> Json:
        return self._json("POST", path, body)

    def put(self, path: str, body: Json) -> Json:
        return self._json("PUT", path, body)

    def delete(self, path: str) -> None:
        self._json("DELETE", path, None)

    def upload(self, path: str, file: Path) -> None:
        """PUT the bytes of ``file``."""
        with file.open("rb") as source:
            headers = {
                "Content-Type": "application/octet-stream", "X-Auth-Token": self._token or self.log_in(),
                "Content-Length": str(file.stat().st_size),
            }  # fmt: skip
            self._send("PUT", path, source, headers)

    def _json(self, method: str, path: str, body: Json | None) -> Json:
        headers = {"X-Auth-Token": self._token or self.log_in(), "OpenStack-API-Version": f"compute {MICROVERSION}"}
        data = None if body is None else json.dumps(body).encode()
        _, _, text = self._send(method, path, data, headers)
        return cast("Json", json.loads(text)) if text else {}

    def _send(self, method: str, path: str, data: Any, headers: dict[str, str]) -> tuple[int, Any, bytes]:
        url = self.base_url + path
        kind = {"Content-Type": "application/json"} if isinstance(data, bytes) else {}
        request = urllib.request.Request(  # noqa: S310 (the address of our own front)
            url, data=data, method=method, headers=kind | {"Accept": "application/json"} | headers
        )
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]  # never by the user's web proxy
        if self._tls is not None:
            handlers.append(urllib.request.HTTPSHandler(context=self._tls))
        opener = urllib.request.build_opener(*handlers)
        try:
            with opener.open(request, timeout=self.timeout_s) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as problem:
            raise ApiProblem(method, url, problem.code, problem.read().decode("utf-8", "replace")) from problem
        except (OSError, urllib.error.URLError) as problem:
            raise ApiProblem(method, url, 0, str(problem)) from problem
