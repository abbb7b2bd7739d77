"""Coming in: a token buys a certificate, a broker user and the right to speak for hosts; certificates are renewed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db.models.functions import Now
from django.http import HttpResponse

from computecloud.conf import conf
from computecloud.core import authority
from computecloud.core.errors import Invalid, TooManyRequests
from computecloud.http.clients import address_of
from computecloud.http.throttle import Failures
from hosts import brokers, enrolment
from hosts.models import Agent
from tasks.conductor import wire
from tasks.conductor.door import ConductorViewSet, OpenViewSet, agent_of, answer, check_protocol, credential_of

LARGEST_SKEW_S = 120.0
REFUSALS = Failures(per_minute=10)


class ClockDiffers(Invalid):
    message = (
        "The clock of this machine is {seconds} s {which} the cloud's; certificates need the same time. "
        "Set it (chrony, systemd-timesyncd, date), then try again."
    )


def cloud_authority() -> authority.Authority:
    return authority.Authority(Path(conf().state_dir) / "ca")


def certify(agent: Agent, request: str) -> wire.Certified:
    """A certificate for the agent's key, with its hosts' identities. Raises Invalid."""
    key, own = _key_of(request), cloud_authority()
    certificate = own.sign_agent(key, agent.id, _host_ids(agent))
    expires_at = Now() + timedelta(days=authority.AGENT_DAYS)
    Agent.objects.filter(pk=agent.id).update(
        key_hash=authority.key_fingerprint(key), certified_until=expires_at
    )
    return wire.Certified(certificate, own.pem)


def _key_of(request: str) -> Any:
    try:
        return authority.key_of_request(request)
    except authority.BadRequest as problem:
        raise Invalid(str(problem)) from problem


def _host_ids(agent: Agent) -> Iterable[str]:
    return agent.hosts.alive().values_list("id", flat=True)


def _check_clock(theirs: float) -> None:
    ahead = theirs - time.time()
    if abs(ahead) > LARGEST_SKEW_S:
        raise ClockDiffers(seconds=round(abs(ahead)), which="ahead of" if ahead > 0 else "behind")


class EnrolViewSet(OpenViewSet):
    """Opened by a one-time token instead of a credential; who fails too often has to wait."""

    def enrol(self, request: Any) -> HttpResponse:
        address = address_of(request)
        if REFUSALS.exhausted(address):
            raise TooManyRequests
        asked = self.read(request, wire.Enrol)
        check_protocol(asked.protocol)
        _check_clock(asked.clock)
        credential = enrolment.Credential(
            asked.secret_hash, authority.key_fingerprint(_key_of(asked.request)), asked.worker, asked.broker_verifiers
        )
        new = [enrolment.NewHost(one.name, one.driver, one.id) for one in asked.hosts]
        try:
            agent, hosts = enrolment.enrol(asked.token, new, credential, self._who(request))
        except (enrolment.TokenUnknown, enrolment.TokenUsed, enrolment.TokenExpired):
            REFUSALS.note(address)
            raise
        certified = certify(agent, asked.request)
        enrolled = wire.Enrolled(
            agent_id=agent.id,
            hosts=[wire.EnrolledHost(host.id, host.name) for host in hosts],
            certificate=certified.certificate,
            authority=certified.authority,
            broker_url=conf().broker_for_hosts,
            broker_user=brokers.user_name(agent.id),
        )
        return answer(enrolled)

    def _who(self, request: Any) -> Agent | None:
        """The agent that asks for further hosts; None for a new one."""
        if "Authorization" not in request._request.headers:
            return None
        agent_id, _hosts = agent_of(*credential_of(request))
        return Agent.objects.get(pk=agent_id)

    def authority(self, request: Any) -> HttpResponse:
        """Whom to trust here. A machine that joins compares it with the fingerprint it was told."""
        return HttpResponse(cloud_authority().pem, content_type="application/x-pem-file")


class CertificateViewSet(ConductorViewSet):
    """A certificate is renewed by the agent itself, before it expires."""

    def renew(self, request: Any) -> HttpResponse:
        asked = self.read(request, wire.Certify)
        return answer(certify(Agent.objects.get(pk=self.agent_id), asked.request))
