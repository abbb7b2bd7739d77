"""All looks in their order, shown to people or to programs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from computecloud.core.finding import Finding
from deploy import cloud as clouds
from deploy.cloud import Cloud
from deploy.doctor import certificates, files, hypervisors, machine, origin, processes, product, stores

LOOKS: tuple[Callable[[Cloud], Iterator[Finding]], ...] = (
    machine.resources, machine.clock, files.permissions, files.settings, files.identities, certificates.lasting,
    processes.running, stores.broker, stores.database, origin.port, origin.api, hypervisors.local, product.own_view,
)  # fmt: skip
SIGNS = {"well": "ok   ", "note": "note ", "wrong": "WRONG"}
WRONG = 4


def examine(cloud: Cloud) -> Iterator[Finding]:
    """Every finding, as it is found."""
    for look in LOOKS:
        yield from look(cloud)


def run(asked: argparse.Namespace) -> int:
    """Exit status 0 when nothing is wrong (notes are allowed), 4 otherwise."""
    cloud = clouds.load(Path(os.path.realpath(asked.state)))
    if not cloud.exists:
        print(f"There is no cloud in {cloud.state}: ./cloud up makes one.")
        return WRONG
    wrong = _as_json(cloud) if asked.json else _as_text(cloud)
    return WRONG if wrong else 0


def _as_json(cloud: Cloud) -> int:
    found = list(examine(cloud))
    print(msgspec.json.encode(found).decode())
    return sum(finding.level == "wrong" for finding in found)


def _as_text(cloud: Cloud) -> int:
    wrong = 0
    for finding in examine(cloud):
        wrong += finding.level == "wrong"
        print(f"{SIGNS[finding.level]}  {finding.subject}: {finding.text}")
        if finding.remedy:
            print(f"         -> {finding.remedy}")
    print(f"\n{wrong} thing(s) wrong" if wrong else "\nnothing is wrong")
    return wrong
