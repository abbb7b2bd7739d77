"""Makes real processes cheaply: one that has imported everything forks the others, each of which is killed for real.

Speaks JSON lines: it reads what to fork, and says what it forked and what ended, with its status. Its children die
with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import django


def agent(asked: dict[str, Any]) -> int:
    from deploy import task_process

    return task_process.worker(asked["name"], asked["queues"], asked["threads"])


def beat(_asked: dict[str, Any]) -> int:
    from deploy import task_process

    return task_process.beat()


def conductor(asked: dict[str, Any]) -> int:
    from deploy import serve

    address = ["--address", asked["address"], "--port", str(asked["port"])]
    serve.main(["computecloud.wsgi_conductor:application", "--interface", "wsgi", "--threads", "4", *address])
    return 0


def request(asked: dict[str, Any]) -> int:
    """A process of the API: accepts one verb, as a view would, with a crash point armed."""
    from computecloud.core import failpoints
    from tests.faults.matrix import requests

    failpoints.ARMS = failpoints.Arms(asked["arms"])
    requests.submit(asked["verb"], asked["server"], asked["host"], asked["arguments"])
    return 0


OF_ALL = (
    "celery.apps.beat", "celery.apps.worker", "celery.concurrency.thread", "kombu.transport.redis",
    "kombu.transport.pyamqp", "deploy.task_process",
)  # fmt: skip
OF_ROLE = {
    "agent": ("hosts.drivers.fake.driver", "tasks.host"),
    "conductor": (
        "computecloud.wsgi_conductor", "deploy.serve", "tasks.control", "tests.faults.matrix.requests",
    ),
}  # fmt: skip
KINDS = {"agent": agent, "control": agent, "beat": beat, "conductor": conductor, "request": request}


def preload(role: str) -> None:
    """Everything that a child would import."""
    django.setup()
    for module in (*OF_ALL, *OF_ROLE[role]):
        import_module(module)


def enter(namespaces: Sequence[str]) -> None:
    """Become a process of a compute host that is a set of namespaces. Only before this process has threads."""
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns comes with Python 3.12
    held = [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in namespaces]
    for one in held:
        if libc.setns(one, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot enter a namespace of the host")
        os.close(one)


def child(asked: dict[str, Any]) -> int:
    from computecloud.conf import conf

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(asked.get("environment", {}))
    conf.cache_clear()
    try:
        enter(asked.get("namespaces", ()))
        return KINDS[asked["kind"]](asked)
    except BaseException:  # noqa: BLE001 -- its log says why, its status that
        traceback.print_exc()
        return 1


def say(**what: Any) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def main(role: str) -> None:
    preload(role)
    awake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    children: set[int] = set()
    say(ready=role)
    text = b""
    while True:
        ready, _, _ = select.select([0, awake], [], [])
        if awake in ready:
            os.read(awake, 4096)
            reap(children)
        if 0 in ready:
            got = os.read(0, 65536)
            if not got:
                break
            *lines, text = (text + got).split(b"\n")
            for line in lines:
                bear(json.loads(line), children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def bear(asked: dict[str, Any], children: set[int]) -> None:
    pid = os.fork()
    if pid == 0:
        status = child(asked)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    children.add(pid)
    say(forked=asked["id"], pid=pid)


def reap(children: set[int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        children.discard(pid)
        say(ended=pid, status=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1])
