"""`./cloud COMMAND`: parses the command line and calls the one function that does it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from computecloud.core.command import CommandFailed, ProgramMissing
from deploy import (
    audit,
    backup,
    cloud,
    doctor,
    down,
    environment,
    host,
    join,
    logs,
    oddities,
    quality,
    restart,
    restore,
    status,
    up,
)
from deploy.hosts import BadHosts
from deploy.progress import Failure

EXAMPLES = """\
examples:
  ./cloud up                                two real compute hosts, a demo project, a first guest
  eval "$(./cloud env demo)"                the openstack command line, as the demo user
  ./cloud up --fake 10 --state /tmp/ten --port 8800    ten simulated hosts beside it
  ./cloud down --purge                      end it all and forget it
"""


def _within(least: int, most: int) -> Callable[[str], int]:
    """A whole number of the command line, within limits."""

    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text} is no number from {least} to {most}")
        return int(text)

    return number


def _state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state", type=Path, default=cloud.DEFAULT_STATE, metavar="DIR", help="the cloud's folder (.state)"
    )


def _help(main: argparse.ArgumentParser, _asked: argparse.Namespace) -> int:
    main.print_help()
    return 0


def _host(parent: argparse.ArgumentParser) -> None:
    """The verbs of `./cloud host`."""
    verbs = parent.add_subparsers(dest="host_verb", required=True, metavar="VERB")
    for name, text, do in (
        ("list", "every compute host, wherever it runs", host.show),
        ("add", "another host on this machine", host.add),
        ("remove", "take a host out of the cloud; refused while it holds servers", host.remove),
        ("token", "print the line with which another machine joins", host.token),
    ):
        one = verbs.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
        one.set_defaults(do=do)
        _state(one)
        if name in ("add", "remove"):
            one.add_argument("name", metavar="NAME")
        if name == "token":
            one.add_argument("--ttl", type=float, default=3600, metavar="S", help="seconds until it expires (3600)")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    main = argparse.ArgumentParser(
        prog="./cloud", description="A compute cloud on this machine.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    verbs = main.add_subparsers(dest="verb", required=True, metavar="COMMAND")

    def verb(name: str, text: str, do: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
        one.set_defaults(do=do)
        return one

    one = verb("up", "bring the cloud up; a second time it changes nothing and heals what died", up.run)
    _state(one)
    one.add_argument("--fake", type=_within(1, 100_000), metavar="N", help="N simulated hosts, no libvirt")
    port = f"port of the one origin ({cloud.DEFAULT_PORT})"
    one.add_argument("--port", type=_within(1, 65535), metavar="P", help=port)
    one.add_argument("--listen", metavar="ADDRESS", help="address the origin listens on (127.0.0.1)")
    one.add_argument("--public-url", metavar="URL", help="what clients call this cloud; every link is made from it")
    one.add_argument(
        "--admin-from", action="append", metavar="CIDR", help="network that may open /admin/ (loopback); repeatable"
    )
    one.add_argument(
        "--tls", action=argparse.BooleanOptionalAction, default=None,
        help="https, conductor and broker with the cloud's own certificates",
    )  # fmt: skip
    one.add_argument("--hosts-listen", metavar="ADDRESS", help="where other machines find this one (with --tls)")
    one.add_argument("--database", metavar="URL", help="postgresql://... instead of SQLite in the state folder")
    one.add_argument("--broker-management", metavar="URL", help="RabbitMQ's HTTP API, to make a user for each host")
    one.add_argument("--broker", metavar="URL", help="amqp://... (RabbitMQ) instead of a Redis of the cloud's own")
    one.add_argument("--no-guest", action="store_true", help="do not boot the first guest")

    one = verb("down", "end everything that up started, guests included", down.run)
    _state(one)
    one.add_argument(
        "--purge", action="store_true", help="remove the state folder too: database, images, disks, secrets"
    )

    _host(verb("host", "list, add and remove compute hosts; tokens for other machines", partial(_help, main)))

    one = verb("join", "make this machine a compute host of a cloud on another one", join.run)
    _state(one)
    one.add_argument("url", metavar="URL", help="its conductor, as ./cloud host token prints it")
    one.add_argument("--token", metavar="T", help="the one-time token (not needed again afterwards)")
    one.add_argument("--name", metavar="N", help="what the host is called (this machine's name)")
    one.add_argument("--ca-fingerprint", metavar="F", help="of the cloud's authority, as printed with the token")
    one.add_argument("--address", metavar="A", help="of this machine, for the other hosts (the one that leads to URL)")
    one.add_argument("--fake", action="store_true", help="a simulated host, no libvirt")

    one = verb("status", "processes, memory, hosts and servers", status.run)
    _state(one)
    one.add_argument("--json", action="store_true", help="for programs")

    one = verb("logs", "show what processes wrote", logs.run)
    _state(one)
    one.add_argument("names", nargs="*", metavar="NAME", help="such as api, control, compute@host-1 (default: all)")
    one.add_argument("-f", "--follow", action="store_true", help="go on as more is written")
    one.add_argument("-n", "--lines", type=int, default=20, help="how many last lines of each (20)")

    one = verb("env", "print export OS_... for the openstack command", environment.run)
    _state(one)
    one.add_argument("who", choices=["demo", "admin"])

    one = verb("doctor", "say what is wrong on this machine and how to mend it", doctor.run)
    _state(one)
    one.add_argument("--json", action="store_true", help="for programs: a list of code, level, subject, text, remedy")

    one = verb("restart", "start processes anew, one after the other", restart.run)
    _state(one)
    one.add_argument("names", nargs="*", metavar="NAME", help="such as api, control, compute@compute1 (default: all)")

    one = verb("backup", "write database, secrets, identities and images into one private file", backup.run)
    _state(one)
    one.add_argument("file", metavar="FILE")

    one = verb("restore", "bring a backup back into an empty cloud, in restore mode", restore.run)
    _state(one)
    one.add_argument("file", metavar="FILE")
    one.add_argument("--database", metavar="URL", help="another, empty PostgreSQL database than the backup's")

    one = verb("restored", "end restore mode: the work goes on", restore.end)
    _state(one)
    one.add_argument("--force", action="store_true", help="although a host has not reported or a guest is unexplained")

    one = verb("oddities", "guests and disks that hosts report and no server explains", oddities.run)
    _state(one)
    one.add_argument("--remove", metavar="GUEST", help="have its host remove an unknown guest, for good")

    one = verb("audit", "compare the books: servers, claims, quotas, operations, ports", audit.run)
    _state(one)
    one.add_argument("--fix", action="store_true", help="set right what needs no person to decide; each is an event")

    one = verb("test", "run all tests: SQLite, PostgreSQL, and those with real guests", quality.test)
    one.add_argument("--quick", action="store_true", help="SQLite only, no real guests")
    one.add_argument("arguments", nargs="*", help="for pytest, after --")

    verb("check", "linters, types, import directions, migrations", quality.check)
    verb("help", "this text", partial(_help, main))
    return main


def main(arguments: Sequence[str]) -> int:
    """Exit status of one command: 0 well, 1 failed, 2 asked wrongly."""
    asked = parser().parse_args(arguments)
    try:
        return int(asked.do(asked))
    except (Failure, BadHosts, CommandFailed, ProgramMissing) as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
