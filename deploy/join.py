"""`./cloud join`: this machine becomes a compute host of a cloud elsewhere, with nothing of the cloud but the agent."""

from __future__ import annotations

import argparse
import os
import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from computecloud.core import authority
from computecloud.core.command import absolute
from deploy import cloud as clouds
from deploy import config, enrolment, hosts, pids, processes, readiness, supervisor
from deploy.cloud import Cloud, Wish
from deploy.config import Agent
from deploy.enrolment import Party
from deploy.hosts.layout import check_name
from deploy.processes import Process
from deploy.progress import Failure, Progress
from tasks.agent import enrolment as agents
from tasks.agent.enrolment import EnrolmentFailed, Room
from tasks.conductor.wire import NewHost

REPORTS_S = 60


def run(asked: argparse.Namespace) -> int:
    """A second time, without a token, it starts what died; with one, a host that was removed comes back."""
    os.umask(0o077)
    one = _settle(asked)
    one.state.parent.mkdir(parents=True, exist_ok=True)
    with clouds.alone(one):
        progress = Progress()
        progress.say(f"{_name(one)} joins {one.wish.joined}, in {one.state}")
        one.make_folders()
        pids.forget_before_boot(one.run)
        with progress.step("Enrolling"):
            _enrol(one, asked.token, asked.ca_fingerprint or "", progress)
            one.save()
        start(one, progress)
        progress.say(f"Up after {progress.elapsed_s():.1f} s. ./cloud host list, on the cloud's machine, shows it.")
    return 0


def heal(one: Cloud) -> int:
    """`./cloud up` on such a machine: everything runs again."""
    with clouds.alone(one):
        pids.forget_before_boot(one.run)
        start(one, Progress())
    return 0


def _settle(asked: argparse.Namespace) -> Cloud:
    """What this machine will be. Raises Failure when its state folder holds something else."""
    state = Path(os.path.realpath(asked.state))
    clouds.check_path(state)
    known = clouds.load(state)
    if known.exists and not known.wish.joined:
        raise Failure(f"{state} holds a cloud. Join with another --state, or ./cloud down --purge it first.")
    if not asked.fake and os.geteuid() != 0:
        raise Failure("A compute host needs root: sudo ./cloud join ...; --fake joins with a simulated one.")
    name = asked.name or (known.wish.added[0] if known.exists else _label(socket.gethostname()))
    if known.exists and known.wish.added != [name]:
        raise Failure(f"This machine joined as {known.wish.added[0]}. Purge that first: ./cloud down --purge.")
    address = asked.address or known.wish.hosts_listen or _own_address(asked.url)
    wish = Wish(fake=int(asked.fake), joined=asked.url.rstrip("/"), added=[check_name(name)], hosts_listen=address)
    return Cloud(state=state, wish=wish)


def _label(host_name: str) -> str:
    return host_name.partition(".")[0].lower()


def _own_address(url: str) -> str:
    """The address of this machine that leads to the cloud. Raises Failure."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_DGRAM)[0]
        with socket.socket(found[0], socket.SOCK_DGRAM) as probe:
            probe.connect(found[4])  # sends nothing: the kernel chooses a route
            return str(probe.getsockname()[0])
    except (OSError, IndexError, ValueError) as problem:
        raise Failure(f"There is no way to {url} from here: {problem}") from problem


def _name(one: Cloud) -> str:
    return one.wish.added[0]


def _party(one: Cloud, broker_url: str = "") -> Party:
    driver = "fake" if one.wish.fake else "libvirt"
    return Party(_name(one), driver, [_name(one)], one.wish.joined, broker_url)


def _enrol(one: Cloud, token: str | None, fingerprint: str, progress: Progress) -> None:
    """This machine has a credential of the cloud. Raises Failure."""
    room = config.room_of(one, _name(one))
    if not token:
        if room.admitted() is None:
            raise Failure("Joining needs --token: ./cloud host token, on the cloud's machine, prints the whole line.")
        progress.note("enrolled already")
        return
    uuid = _uuid(one)
    try:
        trust = _trust(one, room, fingerprint)
        new = NewHost(_name(one), _party(one).driver, uuid)
        made = agents.enrol(room, one.wish.joined, token, [new], _party(one).worker, trust=trust)
    except EnrolmentFailed as problem:
        raise Failure(str(problem)) from problem
    agents.write_toml(enrolment.identity_file(one, _name(one)), {"uuid": made[0].id, "name": made[0].name})
    progress.note(f"identity {made[0].id}")


def _trust(one: Cloud, room: Room, fingerprint: str) -> Path | None:
    """The authority's certificate, for an https address: compared with the fingerprint the first time."""
    if urlsplit(one.wish.joined).scheme != "https":
        return None
    if fingerprint:
        authority.write_certificate(room.authority, agents.fetch_authority(one.wish.joined, fingerprint))
    if not room.authority.exists():
        raise Failure("An https address needs --ca-fingerprint: ./cloud host token prints it with the token.")
    return room.authority


def _uuid(one: Cloud) -> str:
    """The identity this machine has already: a machine that comes back is the same host."""
    path = enrolment.identity_file(one, _name(one))
    return enrolment.uuid_in(path)


def start(one: Cloud, progress: Progress) -> None:
    """libvirtd (of its own) and the agent run under a supervisor, and the conductor hears it. Raises Failure."""
    daemons: list[Process] = []
    agent = Agent(_name(one), [enrolment.identity_file(one, _name(one))], uses_network=True)
    if not one.wish.fake:
        with progress.step("libvirt's folders"):
            host = hosts.up_machine(one.state, _name(one), one.wish.hosts_listen, _uuid(one))
        agent = replace(agent, enter=host.enter, underlay_address=host.address)
        daemons = [
            Process(f"virtlogd@{host.name}", absolute(host.virtlogd), order=12),
            Process(f"libvirtd@{host.name}", absolute(host.libvirtd), order=15),
        ]
    room = config.room_of(one, agent.name)
    credential = room.admitted()
    enrolment.write_identities(one, _party(one, credential.broker_url if credential else ""))
    config.write_agent(one, agent)
    with progress.step("Its processes"):
        supervisor.write_config(one, [*daemons, processes.agent(one, agent)])
        keeper = supervisor.Supervisor(one)
        runs = keeper.answers()
        supervisor.end_orphans(one)
        if runs:
            keeper.reload()
            keeper.start_dead()
        else:
            keeper.launch()
    with progress.step("It reports"):
        _wait_until_heard(one, agent.process_name)


def _wait_until_heard(one: Cloud, process: str) -> None:
    """The agent registered: it writes a mark when the conductor took it. Raises Failure with its last words."""
    mark = config.room_of(one, _name(one)).folder / "registered"

    def look() -> str | None:
        running = pids.find(one.run, process)
        if running is None:
            return "its agent does not run"
        fresh = mark.exists() and mark.read_text().strip() == str(running.pid)
        return None if fresh else "the conductor has not taken it yet"

    missing = readiness.wait_for(look, REPORTS_S, every_s=0.2)
    if missing is not None:
        raise Failure(f"{missing}; last lines of {process}:\n{readiness.tail(one, process)}")
