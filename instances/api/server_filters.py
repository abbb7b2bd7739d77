"""From the query of ``GET /servers`` to a page of rows: an allow-list of filters and sort keys, never a client's name.

Nova takes regular expressions in many filters. Here plain text and its anchors become LIKE; anything else is tried row
by row, by an engine whose time is linear in the text, over a bounded number of rows (S29, S31).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast

from computecloud.core import clock
from computecloud.core.actor import Actor
from computecloud.core.errors import Forbidden, Invalid
from computecloud.http.microversions import parse
from computecloud.http.pagination import keyset, limit_of
from computecloud.http.policy import allows, authorize
from computecloud.http.services import Version
from instances.api import server_hosts
from instances.api.patterns import literal, matcher
from instances.api.queries import Params, last, whole_number
from instances.api.schemas.servers import JOINED, TAG_FILTERS
from instances.api.server_shapes import nics_of
from instances.models import Instance, InstanceTag
from instances.states import Status, VmState

Rows = QuerySet[Instance]
Test = Callable[[Any], bool]
NICS_TEXT = Cast(F("network_info"), TextField())
LIKE = {
    (False, False): "icontains", (True, False): "istartswith", (False, True): "iendswith", (True, True): "iexact",
}  # fmt: skip
TRUE_WORDS = frozenset({"1", "t", "true", "on", "y", "yes"})
FALSE_WORDS = frozenset({"0", "f", "false", "off", "n", "no"})
MOST_SCANNED = 20_000
MOST_TAGS = 50
SOFTLY = Q(vm_state=VmState.SOFT_DELETED.value)
DEAD = Q(deleted_at__isnull=False) | SOFTLY
ALL_FILTERS = "os_compute_api:servers:allow_all_filters"

FOR_EVERYBODY = {
    "2.1": {"reservation_id", "name", "status", "image", "flavor", "ip", "changes-since", "all_tenants"},
    "2.5": {"ip6"},
    "2.26": set(TAG_FILTERS),
    "2.66": {"changes-before"},
    "2.73": {"locked"},
    "2.83": {
        "availability_zone", "config_drive", "key_name", "created_at", "launched_at", "terminated_at", "power_state",
        "task_state", "vm_state", "progress", "user_id",
    },
    "2.90": {"hostname"},
}  # fmt: skip
SINCE = {**dict.fromkeys(TAG_FILTERS, "2.26"), "changes-before": "2.66", "locked": "2.73"}
PAGING = ("limit", "marker", "sort_key", "sort_dir")

SORT_KEYS = {
    "access_ip_v4": "access_ip_v4", "access_ip_v6": "access_ip_v6", "auto_disk_config": "disk_config",
    "availability_zone": "availability_zone", "config_drive": "config_drive", "created_at": "created_at",
    "display_description": "description", "display_name": "name", "host": "host_id", "hostname": "hostname",
    "image_ref": "image_id", "instance_type_id": "flavor_id", "key_name": "key_name", "launch_index": "launch_index",
    "launched_at": "launched_at", "locked_by": "locked_by", "node": "host_id", "power_state": "power_state",
    "project_id": "project_id", "root_device_name": "root_device_name", "task_state": "task_state",
    "terminated_at": "terminated_at", "updated_at": "updated_at", "user_id": "user_id", "uuid": "id",
    "vm_state": "vm_state",
}  # fmt: skip
CONSTANT_KEYS = frozenset({"kernel_id", "ramdisk_id", "progress"})  # the same for every server here
FORGOTTEN_KEYS = frozenset({
    "architecture", "cell_name", "cleaned", "default_ephemeral_device", "default_swap_device", "deleted", "deleted_at",
    "disable_terminate", "ephemeral_gb", "ephemeral_key_uuid", "id", "key_data", "launched_on", "locked", "memory_mb",
    "os_type", "reservation_id", "root_gb", "shutdown_terminate", "user_data", "vcpus", "vm_mode",
})  # fmt: skip
"""Once columns of Nova's table: accepted and ignored until 2.74 (``locked`` sorts from 2.73 on)."""
OPERATORS_KEYS = frozenset({"host", "node"})


def _like(column: str, text: str, starts: bool, ends: bool) -> Q:
    if not text:
        return Q(**{column: ""}) if starts and ends else Q()
    lookup = LIKE[starts, ends]
    return Q(**{f"{column}__{lookup}": text})


class Search:
    """A list being narrowed: ``rows`` by the database, ``tests`` row by row on what it cannot decide."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.tests: list[Test] = []

    def narrow(self, *conditions: Any, **lookups: Any) -> None:
        self.rows = self.rows.filter(*conditions, **lookups)

    def textual(self, column: str, pattern: str) -> None:
        """A column that holds the pattern."""
        found = literal(pattern)
        if found is not None:
            self.narrow(_like(column, *found))
            return
        fits = matcher(f"(?i){pattern}")
        self.tests.append(lambda row: fits(getattr(row, column) or ""))

    def address(self, pattern: str, version: int) -> None:
        """An address of the server that holds the pattern."""
        found = literal(pattern, dots=True)
        if found is None:
            fits = matcher(pattern)
        else:
            text, starts, ends = found
            self.rows = self.rows.annotate(nics_text=NICS_TEXT).filter(nics_text__icontains=text)
            fits = _holds(text, starts, ends)
        self.tests.append(
            lambda row: any(
                (":" in address) is (version == 6) and fits(address)
                for address in nics_of(row.network_info_json).fixed_ips
            )
        )


def _holds(text: str, starts: bool, ends: bool) -> Callable[[str], bool]:
    def fits(address: str) -> bool:
        if starts and not address.startswith(text):
            return False
        return address.endswith(text) if ends else text in address

    return fits


def _moment(text: str, name: str) -> datetime:
    try:
        return clock.parse(text.replace(" ", "+") if text[-6:-5] == " " else text)
    except (ValueError, OverflowError):
        raise Invalid(
            f"Invalid input for query parameters {name}. Value: {text[:60]}. It is not a 'date-time'"
        ) from None


def _truth(text: str, *, default: bool) -> bool:
    word = text.strip().lower()
    return word in TRUE_WORDS or (word not in FALSE_WORDS and default)


# --- one function per filter: (search, value)


def _equal(column: str) -> Callable[[Search, str], None]:
    return lambda search, value: search.narrow(**{column: value})


def _matching(column: str) -> Callable[[Search, str], None]:
    return lambda search, value: search.textual(column, value)


def _second(column: str) -> Callable[[Search, str], None]:
    def narrow(search: Search, value: str) -> None:
        moment = _moment(value, column)
        start, end = moment.replace(microsecond=0), moment.replace(microsecond=999_999)
        search.narrow(**{f"{column}__gte": start, f"{column}__lte": end})

    return narrow


def _on_host(search: Search, value: str) -> None:
    search.narrow(host_id=server_hosts.id_of(value) or "nowhere")


def _locked(search: Search, value: str) -> None:
    if value.strip().lower() not in TRUE_WORDS | FALSE_WORDS:
        known = ", ".join(f"'{word}'" for word in sorted(TRUE_WORDS | FALSE_WORDS))
        raise Invalid(f"Unrecognized value '{value[:60]}', acceptable values are: {known}")
    unlocked = Q(locked_by="")
    search.narrow(~unlocked if _truth(value, default=False) else unlocked)


def _with_config_drive(search: Search, value: str) -> None:
    search.narrow(config_drive=_truth(value, default=False))


def _without_kernel(search: Search, value: str) -> None:
    if value:
        search.rows = search.rows.none()


def _tagged(value: str) -> list[Exists]:
    tags = list(dict.fromkeys(value.split(",")))[:MOST_TAGS]
    return [Exists(InstanceTag.objects.filter(instance_id=OuterRef("pk"), tag=tag)) for tag in tags]


def _any_tag(value: str) -> Exists:
    tags = value.split(",")[:MOST_TAGS]
    return Exists(InstanceTag.objects.filter(instance_id=OuterRef("pk"), tag__in=tags))


def _not_all_tags(search: Search, value: str) -> None:
    missing = Q()
    for tagged in _tagged(value):
        missing |= Q(~tagged)
    search.narrow(missing)


FUNCTIONS: dict[str, Callable[[Search, str], None]] = {
    "user_id": _equal("user_id"),
    "image": _equal("image_id"),
    "image_ref": _equal("image_id"),
    "flavor": _equal("flavor_id"),
    "uuid": _equal("id"),
    "vm_state": _equal("vm_state"),
    "task_state": _equal("task_state"),
    "auto_disk_config": lambda search, value: search.narrow(
        disk_config="AUTO" if _truth(value, default=False) else "MANUAL"
    ),
    "config_drive": _with_config_drive,
    "locked": _locked,
    "host": _on_host,
    "node": _on_host,
    "kernel_id": _without_kernel,
    "ramdisk_id": _without_kernel,
    "name": _matching("name"),
    "display_name": _matching("name"),
    "description": _matching("description"),
    "display_description": _matching("description"),
    "hostname": _matching("hostname"),
    "key_name": _matching("key_name"),
    "reservation_id": _matching("reservation_id"),
    "availability_zone": _matching("availability_zone"),
    "locked_by": _matching("locked_by"),
    "root_device_name": _matching("root_device_name"),
    "access_ip_v4": _matching("access_ip_v4"),
    "access_ip_v6": _matching("access_ip_v6"),
    "created_at": _second("created_at"),
    "launched_at": _second("launched_at"),
    "terminated_at": _second("terminated_at"),
    "ip": lambda search, value: search.address(value, 4),
    "ip6": lambda search, value: search.address(value, 6),
    "tags": lambda search, value: search.narrow(*_tagged(value)),
    "tags-any": lambda search, value: search.narrow(_any_tag(value)),
    "not-tags": _not_all_tags,
    "not-tags-any": lambda search, value: search.narrow(~_any_tag(value)),
}
ELSEWHERE = {
    "project_id", "tenant_id", "all_tenants", "deleted", "soft_deleted", "status", "changes-since", "changes-before",
    "power_state", "launch_index", "progress",
}  # fmt: skip
"""Filters that need more than their own value, or mean nothing here."""


def allowed(actor: Actor, version: Version, params: Params) -> Params:
    """The filters that count for this actor at this version. Raises Invalid for what is unknown from 2.75 on."""
    for name, since in SINCE.items():
        if name in params and version < parse(since):
            params.pop(name)
    if allows(actor, ALL_FILTERS):
        for name in JOINED:
            if name in params:
                raise Invalid(f"Invalid filter field: {name}.")
        return params
    known = {name for since, names in FOR_EVERYBODY.items() if version >= parse(since) for name in names}
    return {name: values for name, values in params.items() if name in known or name in PAGING}


def search(actor: Actor, version: Version, params: Params, *, detail: bool) -> Search:
    """Every filter applied. Raises Invalid, Forbidden."""
    statuses = _statuses(actor, version, params)
    found = Search(_of_whom(actor, params, detail))
    if statuses is not None:
        found.narrow(status__in=sorted(statuses))
    _by_time(found, params, statuses or set(), sees_soft=actor.is_admin)
    for name in ("power_state", "launch_index"):
        if (number := whole_number(params, name)) is not None:
            found.narrow(**{name: number})
    for name, function in FUNCTIONS.items():
        if (value := last(params, name)) is not None:
            function(found, value)
    return found


def _statuses(actor: Actor, version: Version, params: Params) -> set[str] | None:
    """The known ones of those asked for; None when nothing was asked."""
    if "status" not in params:
        return None
    known = {text.upper() for text in params["status"]} & {status.value for status in Status}
    if not known and version >= (2, 38):
        raise Invalid("Invalid status value")
    if known == {Status.DELETED} and not actor.is_admin:
        raise Forbidden("Only administrators may list deleted instances")
    return known


def _of_whom(actor: Actor, params: Params, detail: bool) -> Rows:
    asked = last(params, "all_tenants")
    if asked is None or not _truth(asked, default=True):
        return Instance.objects.filter(project_id=actor.project_id or "-")
    authorize(actor, f"os_compute_api:servers:{'detail' if detail else 'index'}:get_all_tenants")
    rows: Rows = Instance.objects.all()
    for name in ("project_id", "tenant_id"):
        if (project := last(params, name)) is not None:
            rows = rows.filter(project_id=project)
    return rows


def _by_time(found: Search, params: Params, statuses: set[str], *, sees_soft: bool) -> None:
    """When they changed, and whether deleted ones are meant: with a time, living and deleted ones are.

    Soft-deleted ones belong to the deleted; an administrator may ask for them by their status too.
    """
    since, before = last(params, "changes-since"), last(params, "changes-before")
    start = _moment(since, "changes-since") if since else None
    end = _moment(before, "changes-before") if before else None
    if start and end and end < start:
        raise Invalid("The value of changes-since must be less than or equal to changes-before.")
    if start:
        found.narrow(updated_at__gte=start)
    if end:
        found.narrow(updated_at__lte=end)
    deleted, soft = last(params, "deleted"), last(params, "soft_deleted")
    dead_only = statuses == {Status.DELETED}
    if dead_only or (deleted is not None and _truth(deleted, default=False)):
        found.narrow(DEAD if soft is None or _truth(soft, default=True) else Q(deleted_at__isnull=False))
    elif deleted is not None or not (start or end):
        found.narrow(deleted_at__isnull=True)
        if not ((soft and _truth(soft, default=False)) or (sees_soft and Status.SOFT_DELETED in statuses)):
            found.narrow(~SOFTLY)


def sort_of(actor: Actor, version: Version, params: Params) -> list[tuple[str, str]]:
    """What to order by, the last key unique. Raises Invalid, Forbidden."""
    keys = [key.strip() for key in params.get("sort_key", ["created_at"])]
    directions = [text.strip().lower() for text in params.get("sort_dir", [])]
    if any(direction not in ("asc", "desc") for direction in directions):
        raise Invalid("Unknown sort direction, must be 'desc' or 'asc'")
    found: dict[str, str] = {}
    for number, key in enumerate(keys):
        direction = directions[number] if number < len(directions) else (directions or ["desc"])[0]
        if key == "locked" and version >= (2, 73):
            key = "locked_by"
        if key in OPERATORS_KEYS and not actor.is_admin:
            raise Forbidden(f"Only administrators can sort servers by {key}")
        if key in SORT_KEYS:
            found.setdefault(SORT_KEYS[key], direction)
        elif key not in CONSTANT_KEYS and (key not in FORGOTTEN_KEYS or version >= (2, 75)):
            raise Invalid(f"Invalid input for query parameters sort_key. Value: {key[:60]}.")
    last_direction = next(reversed(found.values()), "desc")
    found.setdefault("created_at", last_direction)
    found.setdefault("id", last_direction)
    return list(found.items())


def page(actor: Actor, version: Version, params: Params, *, detail: bool) -> tuple[Rows, int]:
    """The rows of one page in their order, and the page's size. Raises Invalid, Forbidden."""
    params = allowed(actor, version, params)
    limit = limit_of(params)
    sort = sort_of(actor, version, params)
    found = search(actor, version, params, detail=detail)
    marker = _marker(actor, params)
    if last(params, "limit") in ("0", "00"):
        return found.rows.none(), limit
    if not found.tests:
        return keyset(found.rows, sort, marker, limit), limit
    ids = list(_scan(keyset(found.rows, sort, marker), found.tests, limit))
    return keyset(Instance.objects.filter(id__in=ids), sort), limit


def _marker(actor: Actor, params: Params) -> Instance | None:
    server_id = last(params, "marker")
    if server_id is None:
        return None
    row = Instance.objects.for_actor(actor).filter(id=server_id).first()
    if row is None:
        raise Invalid(f"marker [{server_id[:60]}] not found")
    return row


def _scan(rows: Rows, tests: list[Test], limit: int) -> Iterator[str]:
    columns = ("id", "name", "description", "hostname", "key_name", "reservation_id", "availability_zone", "locked_by")
    more = ("root_device_name", "access_ip_v4", "access_ip_v6", "network_info_json")
    candidates = rows.annotate(network_info_json=NICS_TEXT).values_list(*columns, *more, named=True)[:MOST_SCANNED]
    taken = 0
    for row in candidates.iterator(chunk_size=500):
        if all(test(row) for test in tests):
            yield row.id
            taken += 1
            if taken == limit:
                return

