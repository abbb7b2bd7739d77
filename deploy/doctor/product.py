"""What the product says of its rows, hosts, queues and images: `manage.py examine`, asked in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from computecloud.core.finding import Finding
from deploy.cloud import Cloud
from deploy.management import manage
from deploy.progress import Failure

LONGEST_S = 120


def own_view(cloud: Cloud) -> Iterator[Finding]:
    """Its findings, or why it cannot look."""
    try:
        yield from msgspec.json.decode(manage(cloud, "examine", timeout_s=LONGEST_S), type=list[Finding])
    except Failure as problem:
        text = str(problem).strip().splitlines()[-1][-500:]
        remedy = "Mend what is wrong above first; then ./cloud logs api"
        yield Finding("product", "wrong", "examination", f"the product cannot look at itself: {text}", remedy)
