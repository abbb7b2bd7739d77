"""Identifiers that tell when they were made."""

from __future__ import annotations

import uuid

from computecloud.core.ids import first_ordered_uuid, is_uuid, new_ordered_uuid


def test_an_ordered_one_is_a_uuid_of_version_7() -> None:
    """The example of RFC 9562, appendix A.6: 2022-02-22 19:22:22 UTC, which is 017F22E279B0 in milliseconds."""
    made = new_ordered_uuid(1645557742.0)
    assert made.startswith("017f22e2-79b0-7")
    assert (uuid.UUID(made).version, uuid.UUID(made).variant) == (7, uuid.RFC_4122)
    assert is_uuid(made) and made == str(uuid.UUID(made))


def test_they_sort_by_their_moment() -> None:
    moments = [0.0, 1.0, 1645557742.0, 1645557742.001, 253402300799.0]
    made = [new_ordered_uuid(at) for at in moments]
    assert made == sorted(made)
    assert new_ordered_uuid() != new_ordered_uuid()
    for before, one, at in zip(["", *made], made, moments, strict=False):
        assert before < first_ordered_uuid(at) <= one
    assert first_ordered_uuid(-62135596800.0) == first_ordered_uuid(0.0)
