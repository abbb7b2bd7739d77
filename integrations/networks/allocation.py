"""Taking addresses and segments. Who wins a race is decided by unique constraints; the loser picks again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from django.db import IntegrityError, transaction
from django.db.models import F

from integrations.networks import addresses
from integrations.networks.errors import IpAddressAlreadyAllocated, IpAddressGenerationFailure, NoNetworkAvailable
from integrations.networks.models import FixedAddress, Network, SegmentCounter, Subnet
from integrations.networks.models.network import LAST_SEGMENT

ATTEMPTS = 16
WINDOW = 4096


@dataclass(frozen=True, slots=True)
class Want:
    """One address for one port: a certain one of ``subnets[0]``, or (None) the next free one of the first with room."""

    port_id: str
    subnets: tuple[Subnet, ...]
    address: str | None = None


def take(wants: Sequence[Want]) -> list[FixedAddress]:
    """Take all of them, in the caller's transaction.

    Raises IpAddressAlreadyAllocated for a certain address that is taken, IpAddressGenerationFailure for a full subnet.
    """
    if not wants:
        return []
    for attempt in range(ATTEMPTS):
        rows = _choose(wants, attempt)
        try:
            with transaction.atomic():
                return FixedAddress.objects.bulk_create(rows)
        except IntegrityError:
            _refuse_taken(wants)
    raise IpAddressGenerationFailure(net_id=wants[0].subnets[0].network_id)


def _choose(wants: Sequence[Want], attempt: int) -> list[FixedAddress]:
    chosen: dict[str, set[str]] = {}
    rows = []
    for want in wants:
        if want.address is not None:
            subnet, key = want.subnets[0], addresses.order_key(ip_address(want.address))
        else:
            subnet, key = _somewhere(want.subnets, chosen, attempt)
        chosen.setdefault(subnet.id, set()).add(key)
        text = str(addresses.from_order_key(key))
        rows.append(FixedAddress(port_id=want.port_id, subnet=subnet, address=text, order_key=key))
    return rows


def _refuse_taken(wants: Sequence[Want]) -> None:
    certain = [(want.subnets[0].id, want.address) for want in wants if want.address is not None]
    for subnet_id, address in certain:
        twice = certain.count((subnet_id, address)) > 1
        if twice or FixedAddress.objects.filter(subnet_id=subnet_id, address=address).exists():
            raise IpAddressAlreadyAllocated(ip=address, subnet_id=subnet_id)


def _somewhere(subnets: Sequence[Subnet], chosen: dict[str, set[str]], attempt: int) -> tuple[Subnet, str]:
    for subnet in subnets:
        key = _next_free(subnet, chosen.get(subnet.id, set()), attempt)
        if key:
            return subnet, key
    raise IpAddressGenerationFailure(net_id=subnets[0].network_id)


def _next_free(subnet: Subnet, avoid: set[str], attempt: int) -> str | None:
    """A key above the highest one taken, so that a freed address rests; only then the first gap.

    After a lost race it jumps a few keys, so that the losers do not meet again.
    """
    ranges = list(addresses.key_ranges(subnet.allocation_pools))
    jump = random.SystemRandom().randrange(4 * attempt) if attempt else 0
    for start, end in ranges:
        inside = FixedAddress.objects.filter(subnet_id=subnet.id, order_key__gte=start, order_key__lte=end)
        top = inside.order_by("-order_key").values_list("order_key", flat=True).first()
        highest = max([top or "", *(key for key in avoid if start <= key <= end)])
        number = int(highest, 16) + 1 + jump if highest else int(start, 16) + jump
        key = format(number, f"0{len(start)}x")
        if len(key) == len(end) and key <= end:
            return key
    for start, end in ranges:
        gap = _first_gap(subnet, start, end, avoid)
        if gap:
            return gap
    return None


def _first_gap(subnet: Subnet, start: str, end: str, avoid: set[str]) -> str | None:
    width = len(start)
    while True:
        inside = FixedAddress.objects.filter(subnet_id=subnet.id, order_key__gte=start, order_key__lte=end)
        taken = list(inside.order_by("order_key").values_list("order_key", flat=True)[:WINDOW])
        full = len(taken) == WINDOW
        last = taken[-1] if full else end
        gap = addresses.first_free(start, last, sorted({*taken, *(key for key in avoid if start <= key <= last)}))
        if gap or not full:
            return gap
        start = format(int(last, 16) + 1, f"0{width}x")


def is_inside(subnet: Subnet, address: str) -> bool:
    """Whether a port may have the address in the subnet."""
    return addresses.is_usable(ip_address(address), ip_network(subnet.cidr))


def next_segment() -> int:
    """A VXLAN segment nobody has, in the caller's transaction. Raises NoNetworkAvailable."""
    SegmentCounter.objects.bulk_create([SegmentCounter(id=1)], ignore_conflicts=True)
    for _ in range(ATTEMPTS * 64):
        segment = SegmentCounter.objects.values_list("next_segment", flat=True).get(id=1)
        if segment > LAST_SEGMENT:
            return _unused_segment()
        moved = SegmentCounter.objects.filter(id=1, next_segment=segment).update(next_segment=F("next_segment") + 1)
        # an administrator may have given a network a segment ahead of the counter
        if moved and not Network.objects.filter(segment=segment).exists():
            return segment
    raise NoNetworkAvailable


def _unused_segment() -> int:
    """After sixteen million networks: the lowest one that is free again."""
    expected = 1000
    taken = Network.objects.filter(segment__gte=expected).order_by("segment").values_list("segment", flat=True)
    for segment in taken.iterator():
        if segment != expected:
            break
        expected += 1
    if expected > LAST_SEGMENT:
        raise NoNetworkAvailable
    return expected
