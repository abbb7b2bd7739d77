"""The one clock of the product, and how times are written. Leases never use it: they use the database's clock."""

from __future__ import annotations

from datetime import UTC, datetime


def utcnow() -> datetime:
    """Now, aware, UTC."""
    return datetime.now(UTC)


def iso(moment: datetime | None) -> str | None:
    """``2026-11-22T11:00:00Z``: Nova's and Neutron's form."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def iso_micro(moment: datetime | None) -> str | None:
    """``2026-11-22T11:00:00.000000Z``: Keystone's form."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None


def iso_naive(moment: datetime | None) -> str | None:
    """``2026-11-22T11:00:00.000000``: the form of Nova's launched_at and its operator resources."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") if moment else None


def parse(text: str) -> datetime:
    """ISO 8601 to an aware UTC time. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
