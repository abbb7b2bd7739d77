"""Enrols the hosts of this machine with its own cloud: with a token, over the network, as any other machine does."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy import config
from deploy.cloud import Cloud
from deploy.management import manage
from deploy.progress import Failure, Progress
from tasks.agent import enrolment
from tasks.agent.enrolment import EnrolmentFailed, Room
from tasks.conductor.wire import NewHost

TOKEN_TTL_S = 600


@dataclass(frozen=True)
class Party:
    """The hosts that one agent stands for. ``ids``: identities they have already, by name."""

    agent: str
    driver: str
    names: Sequence[str]
    conductor_url: str
    broker_url: str  # as the conductor tells hosts
    options: Mapping[str, Any] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)

    @property
    def worker(self) -> str:
        return f"compute@{self.agent}"


def identity_file(cloud: Cloud, name: str) -> Path:
    return cloud.data / "identities" / name / "identity.toml"


def known(cloud: Cloud, party: Party) -> list[str]:
    """Those of its hosts that are enrolled."""
    if config.room_of(cloud, party.agent).admitted() is None:
        return []
    return [name for name in party.names if identity_file(cloud, name).exists()]


def uuid_in(path: Path) -> str:
    """The identity that a file tells; "" when there is none."""
    return str(tomllib.loads(path.read_text())["uuid"]) if path.exists() else ""


def ensure(cloud: Cloud, parties: Iterable[Party], progress: Progress, *, replaces: Sequence[str] = ()) -> list[str]:
    """Every host of the parties is enrolled; those that are stay who they are. Returns the names that are new.

    ``replaces``: hosts of this machine whose credential may have been lost. Raises Failure.
    """
    todo = [(party, sorted(set(party.names) - set(known(cloud, party)))) for party in parties]
    todo = [(party, names) for party, names in todo if names]
    if not todo:
        return []
    tokens = make_tokens(cloud, TOKEN_TTL_S, count=len(todo), replaces=replaces)
    for (party, names), token in zip(todo, tokens, strict=True):
        _enrol(cloud, party, names, token)
        write_identities(cloud, party)
    made = [name for _party, names in todo for name in names]
    progress.note(f"{len(made)} new" if len(made) > 3 else f"new: {', '.join(made)}")
    return made


def make_tokens(cloud: Cloud, ttl_s: float, *, count: int = 1, replaces: Sequence[str] = ()) -> list[str]:
    """One-time tokens of this cloud, made where its database is."""
    more = ["--replaces", *replaces] if replaces else []
    return manage(cloud, "enrolment_token", "--ttl", str(ttl_s), "--count", str(count), *more).split()


def _enrol(cloud: Cloud, party: Party, names: Sequence[str], token: str) -> None:
    room = config.room_of(cloud, party.agent)
    admitted = known(cloud, party)
    ids = {name: uuid_in(identity_file(cloud, name)) or party.ids.get(name, "") for name in names}
    new = [NewHost(name, party.driver, ids[name]) for name in names]
    speaks_for = uuid_in(identity_file(cloud, admitted[0])) if admitted else ""
    try:
        made = enrolment.enrol(
            room, party.conductor_url, token, new, party.worker, trust=cloud.trust, speaks_for=speaks_for
        )
    except EnrolmentFailed as problem:
        raise Failure(f"{', '.join(names[:3])} cannot be enrolled: {problem}") from problem
    for host in made:
        enrolment.write_toml(identity_file(cloud, host.name), {"uuid": host.id, "name": host.name})


def write_identities(cloud: Cloud, party: Party) -> None:
    """Identity files of the party's enrolled hosts say what they should now: the conductor may have moved."""
    room = config.room_of(cloud, party.agent)
    credential = room.admitted()
    if credential is None:
        return
    if (credential.conductor_url, credential.broker_url) != (party.conductor_url, party.broker_url):
        room.move(party.conductor_url, party.broker_url)
    for name in known(cloud, party):
        write_identity(identity_file(cloud, name), uuid_in(identity_file(cloud, name)), name, room, party)


def write_identity(path: Path, uuid: str, name: str, room: Room, party: Party) -> None:
    """identity.toml, as ``tasks.agent.identity`` reads it."""
    credential = room.admitted()
    values = {
        "uuid": uuid, "name": name, "secret": credential.secret if credential else "",
        "conductor_url": party.conductor_url, "driver": party.driver, "driver_options": dict(party.options),
    }  # fmt: skip
    enrolment.write_toml(path, values)


