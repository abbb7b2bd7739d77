"""`./cloud logs`: the last lines of what processes wrote, and what comes after."""

from __future__ import annotations

import argparse
import os
import subprocess

from deploy import cloud as clouds
from deploy.progress import Failure


def run(asked: argparse.Namespace) -> int:
    """Hands over to tail, which follows files across rotation."""
    cloud = clouds.existing(asked.state)
    known = {path.stem: path for path in sorted(cloud.log.glob("*.log"))}
    wanted = asked.names or list(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise Failure(f"No log of {', '.join(unknown)}. There are: {', '.join(known) or 'none'}.")
    command = ["/usr/bin/tail", "-n", str(asked.lines), *(["-F"] if asked.follow else []), "--"]
    files = [str(known[name]) for name in wanted]
    if not files:
        raise Failure(f"Nothing was written to {cloud.log} yet.")
    return subprocess.run([*command, *files], check=False, env={**os.environ, "LC_ALL": "C.UTF-8"}).returncode
