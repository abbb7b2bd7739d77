"""`./cloud audit`: whether the cloud's books agree with each other, and mending what needs no person to decide."""

from __future__ import annotations

import argparse

from deploy import cloud as clouds
from deploy.management import manage


def run(asked: argparse.Namespace) -> int:
    """Raises Failure with what still does not agree."""
    print(manage(clouds.existing(asked.state), "audit", *(["--fix"] if asked.fix else [])), end="")
    return 0
