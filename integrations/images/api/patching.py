"""The JSON patch that PATCH /v2/images/{id} speaks: media types 2.0 and 2.1, one level deep, to changed columns.

Source: https://docs.openstack.org/api-ref/image/v2/ ("Update image").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from computecloud.core.errors import Conflict, Forbidden, Invalid, UnsupportedMedia
from computecloud.http.bodies import check, read_json
from computecloud.http.microversions import HashableSchema
from integrations.images.api.schemas import NEVER, PROPERTY_VALUE, READ_ONLY, WRITABLE
from integrations.images.api.shape import COLUMNS
from integrations.images.models import Image, ImageStatus

PATCH_2_0 = "application/openstack-images-v2.0-json-patch"
PATCH_2_1 = "application/openstack-images-v2.1-json-patch"
OPERATIONS = ("add", "replace", "remove")
OPTIONAL = {"kernel_id", "ramdisk_id"}  # in the schema, but kept with the custom properties
FIXED = {"id"}
BEFORE_BYTES = {"disk_format", "container_format"}
_OWNER = WRITABLE["owner"] | {"type": "string"}  # an image always belongs to somebody, who is charged for it
_SCHEMAS = {name: HashableSchema(schema) for name, schema in (WRITABLE | {"owner": _OWNER}).items()}
_PROPERTY = HashableSchema(PROPERTY_VALUE)


@dataclass(frozen=True, slots=True)
class Op:
    """One change of one attribute."""

    kind: str
    name: str
    value: Any
    strict_add: bool  # 2.0: adding what is there is a conflict


@dataclass
class Change:
    """What a patch makes of an image: new column values, and new tags where they were named."""

    values: dict[str, Any] = field(default_factory=dict)
    tags: list[str] | None = None


def read(request: Any) -> list[Op]:
    """The operations of a request's body. Raises UnsupportedMedia, Invalid, Forbidden."""
    raw = getattr(request, "_request", request)
    media = raw.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media not in (PATCH_2_0, PATCH_2_1):
        raise UnsupportedMedia(f"Unsupported content type; use {PATCH_2_1}.")
    body = read_json(request, media=(PATCH_2_0, PATCH_2_1))
    if not isinstance(body, list):
        raise Invalid("Request body must be a JSON array of operation objects.")
    return [_operation(item, old=media == PATCH_2_0) for item in body]


def apply(image: Image, operations: list[Op]) -> Change:
    """What the operations, one after the other, make of the image. Raises Conflict, Forbidden."""
    change, properties = Change(), dict(image.properties)
    for operation in operations:
        if operation.name in COLUMNS:
            change.values[COLUMNS[operation.name]] = _attribute(image, operation)
        elif operation.name == "tags":
            if operation.kind == "remove":
                raise Forbidden("Property tags may not be removed.")
            change.tags = operation.value
        else:
            _custom(properties, operation)
    if properties != image.properties:
        change.values["properties"] = properties
    return change


def _operation(item: Any, *, old: bool) -> Op:
    if not isinstance(item, dict):
        raise Invalid("Operations must be JSON objects.")
    kind, pointer = _kind_and_pointer(item, old=old)
    name = _name(pointer)
    if name in READ_ONLY or name in FIXED:
        raise Forbidden(f"Attribute '{name}' is read-only.")
    if name in NEVER or name.startswith("os_glance"):
        raise Forbidden(f"Attribute '{name}' is reserved.")
    if kind == "remove":
        return Op(kind, name, None, old)
    if "value" not in item:
        raise Invalid(f"Operation '{kind}' requires a member named 'value'.")
    check(_SCHEMAS.get(name, _PROPERTY), item["value"])
    return Op(kind, name, item["value"], old)


def _kind_and_pointer(item: dict[str, Any], *, old: bool) -> tuple[str, Any]:
    if old:
        kinds = [kind for kind in OPERATIONS if kind in item]
        if len(kinds) != 1:
            raise Invalid(f"Operation objects must contain only one member named {', '.join(OPERATIONS)}.")
        return kinds[0], item[kinds[0]]
    if item.get("op") not in OPERATIONS:
        raise Invalid(f"Operations must be one of {', '.join(OPERATIONS)}.")
    return item["op"], item.get("path")


def _name(pointer: Any) -> str:
    """The one name in a JSON pointer (RFC 6901)."""
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise Invalid("A path must be a string that starts with a slash.")
    first, *deeper = pointer[1:].split("/")
    name = first.replace("~1", "/").replace("~0", "~")
    if deeper and name in NEVER:
        raise Forbidden(f"Attribute '{name}' is reserved.")
    if deeper or not 0 < len(name) <= 255:
        raise Invalid(f"Invalid JSON pointer for this resource: '{pointer[:100]}'")
    return name


def _attribute(image: Image, operation: Op) -> Any:
    if operation.kind == "remove":
        raise Forbidden(f"Property {operation.name} may not be removed.")
    if operation.strict_add and operation.kind == "add":
        raise Conflict(f"Property {operation.name} already present.")
    if operation.name in BEFORE_BYTES and image.status != ImageStatus.QUEUED:
        raise Forbidden(f"Attribute {operation.name} can be only replaced for a queued image.")
    return operation.value


def _custom(properties: dict[str, Any], operation: Op) -> None:
    present = operation.name in properties
    if operation.kind == "add" and present and operation.strict_add:
        raise Conflict(f"Property {operation.name} already present.")
    if operation.kind in ("replace", "remove") and not present:
        raise Conflict(f"Property {operation.name} does not exist.")
    if operation.kind == "remove":
        del properties[operation.name]
    else:
        properties[operation.name] = operation.value
