"""`./cloud oddities`: guests and disks that hosts report and no server explains; removing such a guest."""

from __future__ import annotations

import argparse

from deploy import cloud as clouds
from deploy.management import manage


def run(asked: argparse.Namespace) -> int:
    """Lists them; with --remove the guest's host removes it at its next look."""
    wanted = ["--remove", asked.remove] if asked.remove else []
    told = manage(clouds.existing(asked.state), "oddities", *wanted)
    print(told or "nothing odd", end="" if told else "\n")
    return 0
