"""JSON schemas: those that clients may read under /v2/schemas, and those that requests are checked against.

Names and types after https://docs.openstack.org/api-ref/image/v2/ (section "Schemas").
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")
DISK_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso")
UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
LONGEST_PROPERTY = 65535

WRITABLE: dict[str, Schema] = {
    "id": {"type": "string", "pattern": UUID, "description": "An identifier for the image"},
    "name": {"type": ["null", "string"], "maxLength": 255, "description": "Descriptive name for the image"},
    "visibility": {
        "type": "string",
        "enum": ["community", "public", "private", "shared"],
        "description": "Scope of image accessibility",
    },
    "protected": {"type": "boolean", "description": "If true, image will not be deletable."},
    "os_hidden": {"type": "boolean", "description": "If true, image will not appear in default image list response."},
    "owner": {"type": ["null", "string"], "minLength": 1, "maxLength": 64, "description": "Owner of the image"},
    "container_format": {
        "type": ["null", "string"],
        "enum": [None, *CONTAINER_FORMATS],
        "description": "Format of the container",
    },
    "disk_format": {"type": ["null", "string"], "enum": [None, *DISK_FORMATS], "description": "Format of the disk"},
    "min_disk": {
        "type": "integer",
        "minimum": 0,
        "maximum": 2**31 - 1,
        "description": "Amount of disk space (in GB) required to boot image.",
    },
    "min_ram": {
        "type": "integer",
        "minimum": 0,
        "maximum": 2**31 - 1,
        "description": "Amount of ram (in MB) required to boot image.",
    },
    "tags": {
        "type": "array",
        "items": {"type": "string", "maxLength": 255},
        "description": "List of strings related to the image",
    },
    "kernel_id": {
        "type": ["null", "string"],
        "pattern": UUID,
        "is_base": False,
        "description": "ID of the image that is used as the kernel when booting an AMI-style image.",
    },
    "ramdisk_id": {
        "type": ["null", "string"],
        "pattern": UUID,
        "is_base": False,
        "description": "ID of the image that is used as the ramdisk when booting an AMI-style image.",
    },
}
_TEXTS = {
    "architecture": "Operating system architecture",
    "os_distro": "Common name of operating system distribution",
    "os_version": "Operating system version as specified by the distributor.",
    "instance_uuid": "Metadata which can be used to record which instance this image is associated with.",
}
READ_ONLY: dict[str, Schema] = {
    "status": {
        "type": "string",
        "enum": ["queued", "saving", "active", "killed", "deleted", "pending_delete", "deactivated"],
        "description": "Status of the image",
    },
    "checksum": {"type": ["null", "string"], "maxLength": 32, "description": "md5 hash of image contents."},
    "os_hash_algo": {"type": ["null", "string"], "maxLength": 64, "description": "Algorithm of os_hash_value"},
    "os_hash_value": {"type": ["null", "string"], "maxLength": 128, "description": "Hexdigest of the image contents"},
    "size": {"type": ["null", "integer"], "description": "Size of image file in bytes"},
    "virtual_size": {"type": ["null", "integer"], "description": "Virtual size of image in bytes"},
    "created_at": {"type": "string", "description": "Date and time of image registration"},
    "updated_at": {"type": "string", "description": "Date and time of the last image modification"},
    "self": {"type": "string", "description": "An image self url"},
    "file": {"type": "string", "description": "An image file url"},
    "schema": {"type": "string", "description": "An image schema url"},
}
NEVER = {"direct_url", "locations", "location", "stores", "deleted", "deleted_at"}
"""Names that no client may write: bytes come by upload only, and nobody names a place (S08)."""
PROPERTY_VALUE: Schema = {"type": "string", "maxLength": LONGEST_PROPERTY}

CREATE: Schema = {
    "type": "object",
    "properties": WRITABLE,
    "propertyNames": {"minLength": 1, "maxLength": 255},
    "additionalProperties": PROPERTY_VALUE,
}
MEMBER_CREATE: Schema = {
    "type": "object",
    "properties": {"member": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[^\\s/]+$"}},
    "required": ["member"],
    "additionalProperties": False,
}
MEMBER_UPDATE: Schema = {
    "type": "object",
    "properties": {"status": {"type": "string", "enum": ["pending", "accepted", "rejected"]}},
    "required": ["status"],
    "additionalProperties": False,
}
IMPORT: Schema = {
    "type": "object",
    "properties": {"method": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
    "required": ["method"],
}

_IMAGE: Schema = {
    "name": "image",
    "properties": {
        **WRITABLE,
        **{name: {"type": "string", "is_base": False, "description": text} for name, text in _TEXTS.items()},
        **{name: {**schema, "readOnly": True} for name, schema in READ_ONLY.items()},
    },
    "additionalProperties": {"type": "string"},
    "links": [
        {"rel": "self", "href": "{self}"},
        {"rel": "enclosure", "href": "{file}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
}
_MEMBER: Schema = {
    "name": "member",
    "properties": {
        "member_id": {"type": "string", "description": "An identifier for the image member (tenantId)"},
        "image_id": {"type": "string", "pattern": UUID, "description": "An identifier for the image"},
        "status": {"type": "string", "enum": ["pending", "accepted", "rejected"]},
        "created_at": {"type": "string", "description": "Date and time of image member creation"},
        "updated_at": {"type": "string", "description": "Date and time of last modification of image member"},
        "schema": {"type": "string", "readOnly": True},
    },
}


def _collection(name: str, of: Schema) -> Schema:
    return {
        "name": name,
        "properties": {
            name: {"type": "array", "items": of},
            "first": {"type": "string"},
            "next": {"type": "string"},
            "schema": {"type": "string"},
        },
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }


DOCUMENTS: dict[str, Schema] = {
    "image": _IMAGE,
    "images": _collection("images", _IMAGE),
    "member": _MEMBER,
    "members": {
        "name": "members",
        "properties": {"members": {"type": "array", "items": _MEMBER}, "schema": {"type": "string"}},
        "links": [{"rel": "describedby", "href": "{schema}"}],
    },
}
