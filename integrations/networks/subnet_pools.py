"""Subnet pools: what one may look like, and cutting blocks from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import collapse_addresses, ip_network
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from computecloud.core.clock import utcnow
from integrations.networks import addresses, quotas
from integrations.networks.addresses import Block
from integrations.networks.errors import (
    DefaultSubnetPoolExists,
    IllegalSubnetPoolPrefixBounds,
    IllegalSubnetPoolPrefixUpdate,
    InvalidInput,
    PrefixVersionMismatch,
    SubnetAllocationError,
    SubnetPoolDeleteError,
    SubnetPoolNotFound,
)
from integrations.networks.models import Subnet, SubnetPool, Tag

SMALLEST = {4: 8, 6: 64}
LARGEST = {4: 32, 6: 128}
LENGTHS = ("min_prefixlen", "max_prefixlen", "default_prefixlen")
MOST_PREFIXES = 64


def create(project_id: str, wanted: dict[str, Any]) -> SubnetPool:
    """A pool from a request body whose types are right. Raises OverQuota and the pool errors."""
    blocks = _merged(wanted["prefixes"])
    version = blocks[0].version
    least = wanted.get("min_prefixlen") or SMALLEST[version]
    pool = SubnetPool(
        project_id=project_id,
        name=wanted["name"],
        description=wanted.get("description") or "",
        ip_version=version,
        prefixes=[str(block) for block in blocks],
        min_prefixlen=least,
        max_prefixlen=wanted.get("max_prefixlen") or LARGEST[version],
        default_prefixlen=wanted.get("default_prefixlen") or least,
        shared=wanted.get("shared", False),
        is_default=wanted.get("is_default", False),
    )
    _check_bounds(pool)
    quotas.take(project_id, "subnetpool")
    try:
        with transaction.atomic():
            pool.save(force_insert=True)
    except IntegrityError:
        raise DefaultSubnetPoolExists from None
    return pool


def _merged(prefixes: Sequence[str]) -> list[Block]:
    """The blocks without overlaps, neighbours joined, all of one IP version."""
    blocks = [addresses.parse_block(text) for text in prefixes]
    if not blocks or len(blocks) > MOST_PREFIXES:
        raise InvalidInput(error_message=f"A subnet pool has 1 to {MOST_PREFIXES} prefixes")
    if len({block.version for block in blocks}) > 1:
        raise PrefixVersionMismatch
    return sorted(collapse_addresses(blocks))  # type: ignore[type-var]


def _check_bounds(pool: SubnetPool) -> None:
    for name in LENGTHS:
        if not 0 < getattr(pool, name) <= LARGEST[pool.ip_version]:
            raise IllegalSubnetPoolPrefixBounds(prefix_type=name, prefixlen=getattr(pool, name))
    if not pool.min_prefixlen <= pool.default_prefixlen <= pool.max_prefixlen:
        raise IllegalSubnetPoolPrefixBounds(prefix_type="default_prefixlen", prefixlen=pool.default_prefixlen)


def update(pool: SubnetPool, changes: dict[str, Any]) -> None:
    """Change what may change; prefixes can only grow."""
    if "prefixes" in changes:
        blocks = _merged(changes["prefixes"])
        if not all(_holds(blocks, ip_network(text)) for text in pool.prefixes):
            raise IllegalSubnetPoolPrefixUpdate
        pool.prefixes = [str(block) for block in blocks]
    for name in (*LENGTHS, "name", "description", "is_default"):
        if changes.get(name) is not None:
            setattr(pool, name, changes[name])
    _check_bounds(pool)
    pool.updated_at, pool.revision = utcnow(), pool.revision + 1
    try:
        with transaction.atomic():
            pool.save(force_update=True)
    except IntegrityError:
        raise DefaultSubnetPoolExists from None


def _holds(blocks: Iterable[Block], wanted: Block) -> bool:
    return any(wanted.version == block.version and wanted.subnet_of(block) for block in blocks)  # type: ignore[arg-type]


def delete(pool: SubnetPool) -> None:
    """Raises SubnetPoolDeleteError while a subnet comes from it."""
    if Subnet.objects.filter(subnet_pool_id=pool.id).exists():
        raise SubnetPoolDeleteError
    Tag.objects.filter(kind="subnetpools", resource_id=pool.id).delete()
    try:
        with transaction.atomic():
            SubnetPool.objects.filter(id=pool.id).delete()
    except IntegrityError:
        raise SubnetPoolDeleteError from None
    quotas.give_back(pool.project_id, "subnetpool")


def cut(pool: SubnetPool, cidr: str | None, prefixlen: int | None) -> Block:
    """A certain block of the pool, or the first free one of that length, in the caller's transaction.

    Raises SubnetAllocationError.
    """
    # takes the pool's row, so that two requests cannot be given the same block
    if not SubnetPool.objects.filter(id=pool.id).update(revision=F("revision") + 1):
        raise SubnetPoolNotFound(subnetpool_id=pool.id)
    blocks = [ip_network(text) for text in pool.prefixes]
    used = [ip_network(text) for text in Subnet.objects.filter(subnet_pool_id=pool.id).values_list("cidr", flat=True)]
    wanted = addresses.parse_block(cidr) if cidr else None
    length = wanted.prefixlen if wanted else prefixlen or pool.default_prefixlen
    if not pool.min_prefixlen <= length <= pool.max_prefixlen:
        raise SubnetAllocationError(
            reason=f"prefix length {length} is not between {pool.min_prefixlen} and {pool.max_prefixlen}"
        )
    if wanted is not None:
        if _holds(blocks, wanted) and not addresses.overlaps(wanted, [str(one) for one in used]):
            return wanted
        raise SubnetAllocationError(reason="Cannot allocate requested subnet from the available set of prefixes")
    for block in blocks:
        found = first_free_block(block, [one for one in used if _holds([block], one)], length)
        if found is not None:
            return found
    raise SubnetAllocationError(reason=f"Insufficient prefix space to allocate subnet size /{length}")


def first_free_block(block: Block, used: Sequence[Block], length: int) -> Block | None:
    """The first aligned block of that prefix length in ``block`` that touches none of ``used``."""
    if length < block.prefixlen:
        return None
    size = 1 << (block.max_prefixlen - length)
    start = int(block.network_address)
    for first, last in sorted((int(one.network_address), int(one.broadcast_address)) for one in used):
        if start + size <= first:
            break
        start = max(start, -(-(last + 1) // size) * size)
    if start + size - 1 > int(block.broadcast_address):
        return None
    return ip_network(f"{block.network_address + (start - int(block.network_address))}/{length}")
