"""Judges the content of an image before anything else may read it (rows S01-S03, S09, S10 of the security table).

All parsers look at once. More than one match, a match that is not the declared format, or a header that refers to
anything outside the file is refused. Nothing here starts a program or reads more than a few blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

from integrations.images.inspect import microsoft, others, qcow2, vmware
from integrations.images.inspect.window import HEAD_BYTES, Finding, Head, WholeFile, Window

__all__ = ["HEAD_BYTES", "ContentRefused", "Finding", "Head", "Rules", "WholeFile", "Window", "judge", "look"]

PARSERS = (
    qcow2.parse,
    qcow2.parse_qed,
    vmware.parse,
    microsoft.parse_vhd,
    microsoft.parse_vhdx,
    others.parse_vdi,
    others.parse_iso,
    others.parse_gpt,
    others.parse_foreign,
)
PLAIN = {"raw", "ami", "ari", "aki"}
"""Declared formats whose content is bytes without a header; a partition table inside is normal."""
SEEN_AT_THE_END = {"vhd"}


class ContentRefused(Exception):
    """The bytes may not become an image. The text is for the owner."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a site allows. ``max_virtual_bytes`` bounds the disk a guest would see."""

    max_virtual_bytes: int
    allow_vmdk: bool = False
    require_match: bool = True


def look(window: Window) -> list[Finding]:
    """Everything that any parser recognises."""
    return [finding for parser in PARSERS if (finding := parser(window)) is not None]


def judge(window: Window, declared: str, rules: Rules) -> int | None:
    """The virtual size in bytes (None when unknown), or ContentRefused.

    May be called on the head of a file to refuse early; only the answer for the complete file counts.
    """
    findings = look(window)
    for finding in findings:
        if finding.refusal is not None:
            raise ContentRefused(f"The content is {finding.format} and cannot be used: {finding.refusal}")
    one = _the_one(findings, declared, window, rules)
    if one is not None and one.format == "vmdk" and not rules.allow_vmdk:
        raise ContentRefused("VMDK images are not allowed on this cloud")
    size = one.virtual_size if one is not None else None
    if size is None and declared in PLAIN and window.complete:
        size = window.size
    if size is not None and size > rules.max_virtual_bytes:
        raise ContentRefused(f"The virtual size of {size} bytes is above the limit of {rules.max_virtual_bytes} bytes")
    return size


def _the_one(findings: list[Finding], declared: str, window: Window, rules: Rules) -> Finding | None:
    """The finding that agrees with the declared format; None for plain bytes."""
    names = {finding.format for finding in findings}
    if names == {"iso", "gpt"}:
        findings = [finding for finding in findings if finding.format == "iso"]
    elif len(names) > 1:
        raise ContentRefused(f"The content is more than one format at once: {', '.join(sorted(names))}")
    if not findings:
        return _nothing_recognised(declared, window, rules)
    found = findings[0]
    if found.format == "gpt" and declared in PLAIN:
        return found
    if found.format != declared:
        raise ContentRefused(f"The content is {found.format}, but the image was declared as {declared}")
    return found


def _nothing_recognised(declared: str, window: Window, rules: Rules) -> Finding | None:
    undecided = declared in SEEN_AT_THE_END and not window.complete
    if declared in PLAIN or undecided or not rules.require_match:
        return None
    raise ContentRefused(f"The content is not {declared}, as the image was declared")
