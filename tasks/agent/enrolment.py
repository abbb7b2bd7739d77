"""A machine's side of enrolment: it makes its own key and secrets, buys the right to use them, and keeps the answer.

Only digests and a certificate request are sent. They are written down first, so that the same token and key get the
same answer when the first one was lost. Needs no Django; raises EnrolmentFailed with what to do.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
import urllib3

from computecloud.core import authority
from tasks.conductor import wire

CREDENTIAL = "credential.toml"
TIMEOUT = urllib3.Timeout(connect=5.0, read=30.0)


class EnrolmentFailed(Exception):
    """This machine is not enrolled; the text says why and what to do."""


class Credential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``credential.toml``: an agent's secrets. Without ``agent_id`` they were made but not admitted yet."""

    secret: str
    broker_password: str
    agent_id: str = ""
    broker_user: str = ""
    broker_url: str = ""  # as the conductor told it
    conductor_url: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """An agent's private folder: key, certificate, the authority's certificate, credential."""

    folder: Path

    @property
    def key(self) -> Path:
        return self.folder / "agent.key"

    @property
    def certificate(self) -> Path:
        return self.folder / "agent.crt"

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    def credential(self) -> Credential | None:
        """Raises EnrolmentFailed when the file says something else."""
        path = self.folder / CREDENTIAL
        if not path.exists():
            return None
        try:
            return msgspec.convert(tomllib.loads(path.read_text()), Credential)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as problem:
            raise EnrolmentFailed(f"{path}: {problem}. Remove the file and enrol again.") from problem

    def admitted(self) -> Credential | None:
        """The credential, when the conductor knows it and every file is there."""
        found = self.credential()
        files = (self.key, self.certificate, self.authority)
        return found if found and found.agent_id and all(path.exists() for path in files) else None

    def move(self, conductor_url: str, broker_url: str) -> None:
        """The same conductor and broker, at other addresses."""
        found = self.credential()
        if found is not None:
            self.keep(msgspec.structs.replace(found, conductor_url=conductor_url, broker_url=broker_url))

    def keep(self, credential: Credential) -> None:
        write_toml(self.folder / CREDENTIAL, msgspec.to_builtins(credential))


def write_toml(path: Path, values: Mapping[str, Any]) -> None:
    """Strings, numbers, booleans and one level of tables; for the owner only, in one move, untouched if the same."""
    plain = [f"{key} = {json.dumps(value)}" for key, value in values.items() if not isinstance(value, Mapping)]
    for key, table in values.items():
        if isinstance(table, Mapping):
            plain += ["", f"[{key}]", *(f"{name} = {json.dumps(value)}" for name, value in table.items())]
    text = "\n".join(plain) + "\n"
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


def enrol(
    room: Room,
    url: str,
    token: str,
    hosts: Sequence[wire.NewHost],
    worker: str,
    *,
    trust: Path | None = None,
    speaks_for: str = "",
) -> list[wire.EnrolledHost]:
    """Redeem the token for these hosts and keep what it bought.

    ``trust``: the authority's certificate, for an https URL. ``speaks_for``: a host of an agent that is enrolled
    already and gets further ones. Raises EnrolmentFailed.
    """
    room.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    credential = room.credential() or Credential(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
    room.keep(credential)
    asked = wire.Enrol(
        token=token,
        hosts=list(hosts),
        request=authority.request(authority.ensure_key(room.key)),
        secret_hash=sha256(credential.secret.encode()).hexdigest(),
        worker=worker,
        clock=time.time(),
        broker_verifiers=_verifiers(credential.broker_password),
    )
    headers = {"Authorization": f"Bearer {speaks_for}:{credential.secret}"} if speaks_for else {}
    told: wire.Enrolled = _decoded(_ask("POST", url, "enrol", trust, wire.encode(asked), headers), url)
    authority.write_certificate(room.authority, told.authority)
    authority.write_certificate(room.certificate, told.certificate)
    room.keep(
        Credential(
            credential.secret, credential.broker_password, told.agent_id, told.broker_user, told.broker_url, url
        )
    )
    return told.hosts


def _verifiers(password: str) -> dict[str, str]:
    """What each kind of broker needs to know of a password."""
    salt = secrets.token_bytes(4)
    salted = base64.b64encode(salt + sha256(salt + password.encode()).digest()).decode()
    return {"redis": sha256(password.encode()).hexdigest(), "rabbitmq": salted}


def broker_url(credential: Credential) -> str:
    """The broker as this machine reaches it: with its own user, at the conductor's name where none is said."""
    parts = urlsplit(credential.broker_url)
    host = parts.netloc.rpartition("@")[2]
    if host == "*" or host.startswith("*:"):
        conductor = urlsplit(credential.conductor_url).hostname or ""
        host = (f"[{conductor}]" if ":" in conductor else conductor) + host[1:]
    if parts.username is not None:
        host = f"{parts.netloc.rpartition('@')[0]}@{host}"
    else:
        host = f"{quote(credential.broker_user)}:{quote(credential.broker_password)}@{host}"
    return urlunsplit(parts._replace(netloc=host))


def fetch_authority(url: str, fingerprint: str) -> str:
    """The certificate that the conductor says is its authority's, when it has this fingerprint. Raises EnrolmentFailed.

    Nothing is believed of the connection itself: the fingerprint, which came with the token, decides.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        pem = _ask("GET", url, "authority", None, b"", {}, verify=False).decode("ascii", "replace")
    try:
        found = authority.fingerprint(pem)
    except ValueError as problem:
        raise EnrolmentFailed(_no_conductor(url)) from problem
    wanted = fingerprint.replace(":", "").strip().lower()
    if found != wanted:
        raise EnrolmentFailed(
            f"The authority at {url} has the fingerprint\n  {found}\nand not the one that was given,\n  {wanted}\n"
            "Either the line is of another cloud, or somebody is in between. Nothing was sent."
        )
    return pem


def _ask(
    method: str,
    url: str,
    call: str,
    trust: Path | None,
    body: bytes,
    headers: Mapping[str, str],
    *,
    verify: bool = True,
) -> bytes:
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise EnrolmentFailed(f"{url!r} is no address of a conductor: it looks like https://cloud.example.org:8776")
    checks = {"cert_reqs": "CERT_REQUIRED", "ca_certs": str(trust) if trust else None}
    unchecked = {"cert_reqs": "CERT_NONE", "assert_hostname": False}
    kind = {"Content-Type": "application/json"} if body else {}
    with urllib3.PoolManager(retries=False, timeout=TIMEOUT, **(checks if verify else unchecked)) as pool:
        try:
            answer = pool.request(
                method, f"{url.rstrip('/')}/conductor/v1/{call}", body=body or None, headers={**kind, **headers}
            )
        except urllib3.exceptions.SSLError as problem:
            raise EnrolmentFailed(f"{url} does not prove to be this cloud's conductor: {problem}") from problem
        except urllib3.exceptions.HTTPError as problem:
            raise EnrolmentFailed(f"No conductor answers at {url}: {problem}") from problem
    if answer.status != 200:
        raise EnrolmentFailed(_refusal(url, answer.status, answer.data))
    return bytes(answer.data)


def _refusal(url: str, status: int, data: bytes) -> str:
    try:
        return str(json.loads(data)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"{_no_conductor(url)} (HTTP {status})"


def _no_conductor(url: str) -> str:
    return f"What answers at {url} is no conductor: use the address that `./cloud host token` prints."


def _decoded(data: bytes, url: str) -> wire.Enrolled:
    try:
        found: wire.Enrolled = wire.decode(data, wire.Enrolled)
    except msgspec.DecodeError as problem:
        raise EnrolmentFailed(_no_conductor(url)) from problem
    return found
