"""What a look at a cloud says of one thing: `./cloud doctor` and the product's own examination speak in these."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["well", "note", "wrong"]


class Finding(msgspec.Struct, frozen=True):
    """``code`` is for programs and stays the same; ``remedy`` says what to do when it is not well."""

    code: str
    level: Level
    subject: str
    text: str
    remedy: str = ""


def judge(well: bool, code: str, subject: str, text: str, remedy: str, otherwise: Level = "wrong") -> Finding:
    """A finding whose remedy is told only when it is needed."""
    return Finding(code, "well", subject, text) if well else Finding(code, otherwise, subject, text, remedy)
