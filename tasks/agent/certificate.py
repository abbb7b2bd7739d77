"""The agent's own certificate: renewed well before it expires, with the same key."""

from __future__ import annotations

from pathlib import Path

import structlog

from computecloud.conf import conf
from computecloud.core import authority
from tasks.agent.client import Conductor
from tasks.conductor import wire

log = structlog.get_logger(__name__)


def renew(conductor: Conductor) -> bool:
    """Whether it was renewed. New connections use it at once; those that stand are not asked again."""
    if not conf().certificate_file:
        return False
    path = Path(conf().certificate_file)
    if authority.days_left(path) > authority.RENEW_AGENT_DAYS:
        return False
    key = authority.load_key(Path(conf().key_file))
    told = conductor.certify(wire.Certify(authority.request(key)))
    authority.write_certificate(path, told.certificate)
    log.info("certificate renewed", days=round(authority.days_left(path)))
    return True
