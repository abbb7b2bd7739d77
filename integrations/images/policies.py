"""Who may do what with images. Ownership and sharing are decided by the rows; these are the roles on top."""

from __future__ import annotations

from computecloud.http.policy import ADMIN, MEMBER, PUBLIC, READER, Rule

RULES: list[Rule] = [
    Rule(
        "image:versions",
        PUBLIC,
        "Read the version documents.",
        (
            ("GET", "/image/"),
            ("GET", "/image/versions"),
        ),
    ),
    Rule("image:schemas", READER, "Read the JSON schemas.", (("GET", "/v2/schemas/{name}"),)),
    Rule(
        "image:discovery",
        READER,
        "Read import methods and stores.",
        (
            ("GET", "/v2/info/import"),
            ("GET", "/v2/info/stores"),
        ),
    ),
    Rule("image:list", READER, "List visible images.", (("GET", "/v2/images"),)),
    Rule("image:show", READER, "Show a visible image.", (("GET", "/v2/images/{image_id}"),)),
    Rule("image:create", MEMBER, "Make an image.", (("POST", "/v2/images"),)),
    Rule("image:update", MEMBER, "Change an own image.", (("PATCH", "/v2/images/{image_id}"),)),
    Rule("image:delete", MEMBER, "Delete an own image.", (("DELETE", "/v2/images/{image_id}"),)),
    Rule(
        "image:publicize",
        ADMIN,
        "Make an image public.",
        (
            ("POST", "/v2/images"),
            ("PATCH", "/v2/images/{image_id}"),
        ),
    ),
    Rule("image:upload", MEMBER, "Upload an own image's bytes.", (("PUT", "/v2/images/{image_id}/file"),)),
    Rule("image:upload_check", PUBLIC, "The front asks before it takes a body.", (("GET", "/v2/upload-check"),)),
    Rule("image:download", MEMBER, "Download a visible image's bytes.", (("GET", "/v2/images/{image_id}/file"),)),
    Rule(
        "image:import",
        MEMBER,
        "Ask for an import; every method is refused.",
        (("POST", "/v2/images/{image_id}/import"),),
    ),
    Rule(
        "image:tag",
        MEMBER,
        "Put a tag on an own image or take it off.",
        (
            ("PUT", "/v2/images/{image_id}/tags/{tag}"),
            ("DELETE", "/v2/images/{image_id}/tags/{tag}"),
        ),
    ),
    Rule(
        "image:deactivate",
        MEMBER,
        "Deactivate or reactivate an own image.",
        (("POST", "/v2/images/{image_id}/actions/deactivate"),),
    ),
    Rule(
        "image:members_read", READER, "List and show an image's members.", (("GET", "/v2/images/{image_id}/members"),)
    ),
    Rule(
        "image:members_write",
        MEMBER,
        "Share an own image.",
        (
            ("POST", "/v2/images/{image_id}/members"),
            ("DELETE", "/v2/images/{image_id}/members"),
        ),
    ),
    Rule(
        "image:members_answer",
        MEMBER,
        "Accept or reject an offered image.",
        (("PUT", "/v2/images/{image_id}/members/{member}"),),
    ),
]
