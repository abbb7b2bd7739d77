"""``python -m deploy.hosts up|down|status|run``: the local compute hosts by hand."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from computecloud.core.command import CommandFailed, ProgramMissing, absolute
from deploy import hosts


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.hosts", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, text in (
        ("up", "make hosts and start their libvirtd"),
        ("down", "end them and all their guests"),
        ("status", "tell what is there"),
        ("run", "prepare a host, then become a program that runs on it"),
    ):
        one = verbs.add_parser(verb, help=text)
        one.add_argument("--state", type=Path, required=True, metavar="DIR")
        if verb == "up":
            one.add_argument("--network", help="underlay, a /24 such as 172.30.7.0/24 (default: a free one)")
            one.add_argument("--no-start", action="store_true", help="leave the daemons to a supervisor")
            one.add_argument("names", nargs="*", default=["compute1", "compute2"])
        if verb == "down":
            one.add_argument("--purge", action="store_true", help="remove disks, logs and records as well")
        if verb == "run":
            one.add_argument("name")
            one.add_argument("command", nargs="+", help="libvirtd, virtlogd, or any program with its arguments")
    return parser.parse_args()


def _show(state_dir: Path) -> None:
    for one in hosts.status(state_dir):
        ready = "prepared" if one.is_prepared else "absent"
        answering = "libvirtd answers" if one.libvirtd_answers else "libvirtd does not answer"
        print(f"{one.name:12} {one.address:15} {one.uuid} {ready}, {answering}, {one.processes} processes")


def _become(state_dir: Path, name: str, command: list[str]) -> None:
    """Replace this process, so that a supervisor watches the program itself; prepare heals what a restart took."""
    one = hosts.prepare(state_dir, name)
    known = {"libvirtd": one.libvirtd, "virtlogd": one.virtlogd}
    argv = absolute(known[command[0]] if len(command) == 1 and command[0] in known else [*one.enter, *command])
    os.execv(argv[0], argv)  # noqa: S606 - no shell wanted


def main() -> int:
    asked = _arguments()
    try:
        if asked.verb == "up":
            hosts.up(asked.state, asked.names, network=asked.network, start=not asked.no_start)
        elif asked.verb == "down":
            hosts.down(asked.state, purge=asked.purge)
        elif asked.verb == "run":
            _become(asked.state, asked.name, asked.command)
        if asked.verb != "down":
            _show(asked.state)
    except (hosts.BadHosts, CommandFailed, ProgramMissing) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
