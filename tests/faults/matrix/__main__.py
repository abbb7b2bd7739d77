"""``python -m tests.faults.matrix``: all cells of the crash matrix, with real processes that really die.

On simulated hosts, or with ``--real`` on two libvirt hosts in namespaces of their own, naming each cell as it ends.
Prints the cells that did not end right, and at the end: cells run, cells right, longest recovery, minutes.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.matrix import rig as rigs
from tests.faults.matrix.stores import Stores, opened
from tests.support.stores import POSTGRESQL, SQLITE

SLOTS, REAL_SLOTS = 28, 2


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.faults.matrix", description=__doc__)
    parser.add_argument("--only", default="", help="a regular expression over cells: 'VERB POINT FAULT'")
    parser.add_argument("--slots", type=int, help="hosts, and so cells at once")
    parser.add_argument("--real", action="store_true", help="real libvirt hosts with real guests; needs root")
    parser.add_argument("--stores", choices=[SQLITE, POSTGRESQL], default=SQLITE, help="database and broker")
    parser.add_argument("--keep", action="store_true", help="keep the state folder: logs of every process")
    asked = parser.parse_args(arguments)
    if asked.real and os.geteuid() != 0:
        parser.error("real hosts need root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # hosts and processes are taken down then, too
    began = time.monotonic()
    state = Path(tempfile.mkdtemp(prefix="cc-matrix-", dir="/tmp"))
    (state / "log").mkdir()
    with opened(asked.stores, state) as stores:
        right = run(state, stores, asked, began)
    if asked.keep or not right:
        print(f"logs: {state}")
    else:
        rigs.remove(state)
    return 0 if right else 1


def run(state: Path, stores: Stores, asked: argparse.Namespace, began: float) -> bool:
    """Make the rig, run the cells, print how they ended; whether all is right."""
    os.environ.update(rigs.environment(state, stores))
    import django

    django.setup()
    from tests.faults.matrix import running

    running.make_database()
    kind, slots = rigs.Rig, SLOTS
    if asked.real:
        from tests.faults.matrix.real import RealRig

        kind, slots = RealRig, REAL_SLOTS
    with rigs.rig(state, stores, asked.slots or slots, kind) as rig:
        ready_s = time.monotonic() - began
        outcomes, findings = running.Matrix(rig, re.compile(asked.only), tells_each=asked.real).run()
    text, right = running.summary(outcomes, findings, ready_s, time.monotonic() - began)
    print(text, flush=True)
    return right


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
