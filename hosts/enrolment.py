"""How hosts come into the cloud and leave it: a one-time token buys an agent's credential; leaving ends all of it.

Works on rows and tells the broker. Whether a host may leave (it holds no servers) is ``instances.fleet``'s question.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog
from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Now

from computecloud.core.errors import Conflict, Forbidden, Invalid, Unauthorized
from computecloud.core.ids import is_uuid, new_uuid
from hosts import brokers
from hosts.models import Agent, EnrolmentToken, Host
from hosts.models.agent import digest
from operations.models import Event

log = structlog.get_logger(__name__)
TOKEN_BYTES = 24
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?\Z")
WORKER = re.compile(r"compute@[A-Za-z0-9.-]{1,63}\Z")
HASH = re.compile(r"[0-9a-f]{64}\Z")
MOST_HOSTS = 10_000


class TokenUnknown(Unauthorized):
    message = "This enrolment token is not known: copy the whole line that `./cloud host token` prints."


class TokenExpired(Forbidden):
    message = "This enrolment token has expired: make another with `./cloud host token`."


class TokenUsed(Conflict):
    message = "This enrolment token was used before, by another machine: make another with `./cloud host token`."


class HostNameTaken(Conflict):
    message = "There is a compute host {name} already: choose another name, or remove that one first."


class HostIdTaken(Conflict):
    message = "The identity {host_id} is in use by the compute host {name}: remove that one first."


@dataclass(frozen=True, slots=True)
class NewHost:
    """A host that wants to come in. ``id``: the identity it has already; "" asks for a fresh one."""

    name: str
    driver: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Credential:
    """What an agent will prove itself with. Only digests of its secrets come here."""

    secret_hash: str
    key_hash: str
    worker: str
    broker_verifiers: dict[str, str] = field(default_factory=dict)


def issue(ttl_s: float, replaces: Sequence[str] = ()) -> str:
    """A new token, shown this once. ``replaces``: living hosts whose credential was lost and may be made anew."""
    token = secrets.token_hex(TOKEN_BYTES)  # never begins with a dash, which a command line would take for an option
    expires_at = Now() + timedelta(seconds=ttl_s)
    EnrolmentToken.objects.create(token_hash=digest(token), expires_at=expires_at, replaces=list(replaces))
    return token


def forget_old_tokens() -> None:
    EnrolmentToken.objects.filter(expires_at__lt=Now() - timedelta(days=30)).delete()


def enrol(token: str, new: Sequence[NewHost], credential: Credential, agent: Agent | None) -> tuple[Agent, list[Host]]:
    """Redeem the token for an agent with these hosts: all or nothing, so that a refusal leaves the token unused.

    ``agent`` has proved itself and gets further hosts. Asked again with the same token and the same key, the answer is
    the same: the first may have been lost. Raises TokenUnknown, TokenExpired, TokenUsed, HostNameTaken, HostIdTaken,
    Invalid.
    """
    _check(new, credential)
    with transaction.atomic():
        row = _redeem(token)
        if row.agent is not None:
            return row.agent, _again(row.agent, credential, new)
        if agent is None:
            agent = Agent.objects.create(
                secret_hash=credential.secret_hash, key_hash=credential.key_hash, worker=credential.worker,
                broker_verifiers=credential.broker_verifiers,
            )  # fmt: skip
        hosts = [_enter(one, agent, row.replaces) for one in new]
        EnrolmentToken.objects.filter(pk=row.pk).update(agent=agent)
        for host in hosts:
            Event.note("host.enrolled", "host", host.id, name=host.name, agent=agent.id)
        transaction.on_commit(partial(admit_to_broker, agent.id))
    return agent, hosts


def _check(new: Sequence[NewHost], credential: Credential) -> None:
    if not new or len(new) > MOST_HOSTS:
        raise Invalid(f"1 to {MOST_HOSTS} hosts are enrolled at once.")
    if len({one.name for one in new}) < len(new):
        raise Invalid("Two of these hosts have the same name.")
    for one in new:
        if not NAME.match(one.name):
            raise Invalid(f"{one.name[:80]!r} cannot be a host's name: letters, digits, dashes and dots, at most 63.")
        if one.id and not is_uuid(one.id):
            raise Invalid(f"{one.id[:80]!r} is no UUID, and cannot be a host's identity.")
    if not HASH.match(credential.secret_hash) or not WORKER.match(credential.worker):
        raise Invalid("The agent's credential is malformed.")


def _redeem(token: str) -> EnrolmentToken:
    """Use the token, once. It is looked for by its digest, so that the time taken tells nothing about any token."""
    rows = EnrolmentToken.objects.filter(token_hash=digest(token))
    if rows.filter(used_at__isnull=True, expires_at__gt=Now()).update(used_at=Now()):
        return rows.get()
    row = rows.select_related("agent").first()
    if row is None:
        raise TokenUnknown
    if row.used_at is None or not rows.filter(expires_at__gt=Now()).exists():
        raise TokenExpired
    if row.agent is None:
        raise TokenUsed
    return row


def _again(agent: Agent, credential: Credential, new: Sequence[NewHost]) -> list[Host]:
    """The hosts of an answer that was lost. Raises TokenUsed for anybody but the one who got it."""
    same = hmac.compare_digest(agent.key_hash, credential.key_hash)
    if not same or not hmac.compare_digest(agent.secret_hash, credential.secret_hash):
        raise TokenUsed
    by_name = {host.name: host for host in agent.hosts.alive().filter(name__in=[one.name for one in new])}
    if len(by_name) < len(new):
        raise TokenUsed
    return [by_name[one.name] for one in new]


def _enter(new: NewHost, agent: Agent, replaces: Sequence[str]) -> Host:
    """A new row; or the one with the same identity, which was removed, belongs to this agent, or may be replaced."""
    same_name = Host.objects.alive().filter(name=new.name).first()
    known = Host.objects.filter(id=new.id).first() if new.id else None
    if known is None and same_name is not None and same_name.name in replaces:
        known = same_name
    if same_name is not None and (known is None or known.pk != same_name.pk):
        raise HostNameTaken(name=new.name)
    if known is None:
        number = (Host.objects.aggregate(last=Max("number"))["last"] or 0) + 1
        host_id = new.id or new_uuid()
        return Host.objects.create(id=host_id, name=new.name, number=number, agent=agent, driver=new.driver)
    if known.deleted_at is None and known.agent_id != agent.id and known.name not in replaces:
        raise HostIdTaken(host_id=known.id, name=known.name)
    return _return(known, new, agent)


def _return(known: Host, new: NewHost, agent: Agent) -> Host:
    """A known identity comes again: one row, one provider (R19). A former agent that is left without hosts retires."""
    former = known.agent_id
    was_removed = known.deleted_at is not None
    facts = {"is_disabled": False, "disabled_reason": "", "is_forced_down": False, "is_draining": False}
    Host.objects.filter(Q(deleted_at__isnull=not was_removed), pk=known.pk).update(
        deleted_at=None, name=new.name, driver=new.driver, agent=agent, lease_expires_at=None, updated_at=Now(),
        changed_at=Now(), **(facts if was_removed else {}),
    )  # fmt: skip
    if former != agent.id:
        retire_if_alone(former)
    return Host.objects.get(pk=known.pk)


# --- leaving


def retire_if_alone(agent_id: str, host_ids: Sequence[str] = ()) -> None:
    """``host_ids`` left their agent: their queues go. An agent without a living host is nobody any more: no secret
    fits, and its user at the broker goes too."""
    if not Host.objects.alive().filter(agent_id=agent_id).exists():
        Agent.objects.filter(pk=agent_id).update(
            secret_hash="", key_hash="", certified_until=None, broker_verifiers={}, nonce=""
        )
    transaction.on_commit(partial(_tell_broker, agent_id, list(host_ids)))


def admit_to_broker(agent_id: str) -> None:
    """Tell the broker of an agent now; one that is away is told by ``ensure_broker_users``."""
    _tell_broker(agent_id, [])


def _tell_broker(agent_id: str, left: Sequence[str]) -> None:
    users, agent = brokers.users(), Agent.objects.get(pk=agent_id)
    if users is None:
        return
    try:
        if agent.broker_verifiers.get(users.kind):
            _put(users, agent)
        else:
            users.drop(agent_id)
        users.remove_queues(left)
        users.keep()
    except brokers.BrokerProblem as problem:
        log.warning("the broker was not told of an agent", agent=agent_id, error=str(problem))


def _put(users: brokers.Users, agent: Agent) -> None:
    ids = list(agent.hosts.alive().order_by("id").values_list("id", flat=True))
    users.put(agent.id, agent.broker_verifiers[users.kind], ids, agent.worker)


def ensure_broker_users() -> None:
    """The broker has exactly the users of living agents. Raises what the broker raises."""
    users = brokers.users()
    if users is None:
        return
    living = {
        brokers.user_name(agent.id): agent
        for agent in Agent.objects.filter(hosts__deleted_at__isnull=True, hosts__isnull=False).distinct()
        if agent.broker_verifiers.get(users.kind)
    }
    there = {name for name in users.names() if name.startswith(brokers.user_name(""))}
    for agent in living.values():
        _put(users, agent)
    for name in there - set(living):
        users.drop(name.removeprefix(brokers.user_name("")))
    users.keep()
