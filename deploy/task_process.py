"""Runs one Celery process (worker, beat or Flower) without Celery's command line.

The command line imports every installed command, Flower and an interactive shell among them: 30 MB in each process that
needs none of it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType

from celery.exceptions import SecurityWarning

from computecloud.celery import app
from computecloud.core.process import settle


def worker(name: str, queues: Sequence[str], threads: int) -> int:
    """A worker with a pool of threads, on exactly these queues. Returns its exit status."""
    # Celery warns of root because pickled messages would run as root; ours are JSON only, and hosts need root.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    from celery.apps.worker import Worker  # noqa: PLC0415 (each kind of process loads only its own part)

    from computecloud.hearing import harden  # noqa: PLC0415 (likewise)

    harden()
    node = Worker(
        app=app,
        hostname=name,
        queues=list(queues),
        pool_cls="threads",
        concurrency=threads,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    settle()
    node.start()
    return int(node.exitcode or 0)


def agent(name: str) -> int:
    """The worker of a compute host, on the queues of the identities that its settings name."""
    from computecloud.conf import conf  # noqa: PLC0415
    from operations.models.operation import host_queue  # noqa: PLC0415
    from tasks.agent import identity  # noqa: PLC0415

    return worker(name, [host_queue(one.uuid) for one in identity.load(conf().identities)], conf().host_threads)


def beat() -> int:
    """Sends the periodic tasks by name; it needs neither their code nor a database, nor a memory of its own."""
    from celery.apps.beat import Beat  # noqa: PLC0415

    Beat(app=app, scheduler_cls="celery.beat:Scheduler", loglevel="WARNING", quiet=True).run()
    return 0


def flower(arguments: Sequence[str]) -> int:
    """Flower's web server, with its own options."""
    from flower import command  # noqa: PLC0415
    from flower.app import Flower  # noqa: PLC0415

    command.apply_options("flower", list(arguments))
    command.extract_settings()
    command.setup_logging()
    server = Flower(capp=app, options=command.options, **command.settings)

    def stop(_number: int, _frame: FrameType | None) -> None:
        os._exit(0)  # it holds nothing; its threads would keep it for ever

    signal.signal(signal.SIGTERM, stop)
    server.start_http_server()
    server.start()
    return 0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="deploy.task_process")
    kinds = parser.add_subparsers(dest="kind", required=True)
    one = kinds.add_parser("worker")
    one.add_argument("--name", required=True)
    one.add_argument("--queues", required=True, help="separated by commas")
    one.add_argument("--threads", type=int, default=4)
    one = kinds.add_parser("agent")
    one.add_argument("--name", required=True)
    kinds.add_parser("beat")
    kinds.add_parser("flower")
    wish, rest = parser.parse_known_args(arguments)
    if wish.kind == "flower":
        return flower(rest)
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    if wish.kind == "beat":
        return beat()
    if wish.kind == "agent":
        return agent(wish.name)
    return worker(wish.name, wish.queues.split(","), wish.threads)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
