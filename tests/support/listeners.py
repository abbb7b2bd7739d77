"""Which addresses the processes of a cloud listen on."""

from __future__ import annotations

import re

from computecloud.core.command import run
from deploy import pids
from deploy.cloud import Cloud

LINE = re.compile(r"^(?P<kind>tcp|udp)\s+\S+\s+\d+\s+\d+\s+(?P<place>\S+)\s+\S+\s*(?P<who>.*)$")


def of(cloud: Cloud) -> set[str]:
    """``tcp 127.0.0.1:8774`` and the like, of the supervisor and everything below it in this network namespace."""
    keeper = pids.find(cloud.run, "supervisor")
    ours = set(pids.tree(keeper.pid)) if keeper else set()
    found = set()
    for line in run(["ss", "-Hltunp"]).decode().splitlines():
        seen = LINE.match(line)
        assert seen, line
        if ours & {int(pid) for pid in re.findall(r"pid=(\d+)", seen["who"])}:
            found.add(f"{seen['kind']} {seen['place']}")
    return found
