"""`./cloud up`: everything from a checkout to a guest's login prompt; again and again without harm."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from deploy import (
    broker,
    certificates,
    cloud,
    config,
    credentials,
    database,
    enrolment,
    environment,
    front,
    gate,
    guests,
    join,
    machines,
    management,
    pids,
    processes,
    readiness,
    summary,
    supervisor,
)
from deploy.cloud import Cloud, Wish
from deploy.credentials import Secrets
from deploy.files import write_private
from deploy.machines import Machines
from deploy.progress import Failure, Progress

LEAST_FREE_GB = 4
BROKERS = ("amqp", "amqps", "redis", "rediss")
TUN_REMEDY = "mkdir -p /dev/net && mknod /dev/net/tun c 10 200; into a container, pass the device"


def settle(asked: argparse.Namespace) -> Cloud:
    """The cloud that is asked for: what its folder remembers, changed by the options given now. Raises Failure."""
    state = Path(os.path.realpath(asked.state))
    cloud.check_path(state)
    known = cloud.load(state)
    wish = known.wish
    if known.exists and asked.fake is not None and not wish.fake:
        raise Failure(f"{state} holds a cloud of real hosts. Use another --state, or ./cloud down --purge first.")
    if asked.fake is not None:
        if asked.fake < wish.fake:
            raise Failure(
                f"This cloud has {wish.fake} simulated hosts; hosts are added by a larger --fake, not taken away."
            )
        wish = replace(wish, fake=asked.fake)
    if asked.tls is not None:
        wish = replace(wish, tls=asked.tls)
    given = {
        "port": asked.port, "listen": asked.listen, "public_url": asked.public_url, "database_url": asked.database,
        "broker_url": asked.broker, "broker_management_url": asked.broker_management,
        "hosts_listen": asked.hosts_listen,
    }  # fmt: skip
    wish = replace(wish, **{name: value for name, value in given.items() if value is not None})
    if asked.admin_from:
        wish = replace(wish, admin_networks=["127.0.0.0/8", "::1/128", *asked.admin_from])
    if wish.public_url and urlsplit(wish.public_url).scheme not in ("http", "https"):
        raise Failure("--public-url is an address such as http://cloud.example.org:8774")
    if wish.broker_url and urlsplit(wish.broker_url).scheme not in BROKERS:
        raise Failure(f"--broker is an address such as amqp://user:password@mq.example.org:5672//; known: {BROKERS}")
    _check_hosts_listen(wish)
    if not wish.conductor_port:
        wish = replace(wish, conductor_port=cloud.free_port())
    if not wish.broker_port:
        wish = replace(wish, broker_port=cloud.free_port())
    return Cloud(state=state, wish=wish)


def _check_hosts_listen(wish: Wish) -> None:
    """Hosts on other machines are let in by TLS only, at an address that the certificate can name. Raises Failure."""
    if not wish.hosts_listen:
        return
    if not wish.tls:
        raise Failure("--hosts-listen lets other machines in: it needs --tls, so that both sides prove who they are.")
    if wish.hosts_listen in cloud.EVERYWHERE:
        raise Failure("--hosts-listen is the one address at which other machines reach this one, not a wildcard.")
    try:
        ip_address(wish.hosts_listen)
    except ValueError as problem:
        raise Failure(f"--hosts-listen {wish.hosts_listen} is no IP address.") from problem


def check_machine(one: Cloud) -> None:
    """What no step below could mend. Raises Failure with the remedy."""
    if not one.wish.fake:
        if os.geteuid() != 0:
            raise Failure(
                "Real compute hosts need root: run sudo ./cloud up, or ./cloud up --fake 3 for simulated ones."
            )
        if not Path("/dev/net/tun").exists():
            raise Failure(f"There is no /dev/net/tun, so guests can have no network. {TUN_REMEDY}")
    parent = next(folder for folder in (one.state, *one.state.parents) if folder.exists())
    free_gb = shutil.disk_usage(parent).free / 1e9
    if free_gb < LEAST_FREE_GB and not one.wish.fake:
        raise Failure(
            f"{parent} has {free_gb:.1f} GB left; a cloud with guests needs {LEAST_FREE_GB} GB. Use --state elsewhere."
        )
    ours = supervisor.Supervisor(one).answers() or supervisor.orphans(one, {}) or supervisor.front_strays(one)
    if not ours and not _can_listen(one.wish.listen, one.wish.port):
        raise Failure(f"Port {one.wish.port} on {one.wish.listen} is taken by another program. Choose one with --port.")


def _can_listen(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def write_settings(one: Cloud, secrets: Secrets, local: Machines) -> None:
    """All configuration of services; agents' files come with their enrolment."""
    certificates.ensure(one, local.network_address)
    if not one.wish.broker_url:
        broker.write_config(one, secrets, config.broker_addresses(one, local.network_address))
    config.write_cloud(one, secrets, local.network_address)
    gate.write_config(one, config.conductor_addresses(one, local.network_address), config.conductor_port(one))
    front.write_config(one, has_console=processes.has_console())
    environment.write_clouds_yaml(one, secrets)


def _compile_changed_code(one: Cloud) -> None:
    stamp, found = one.data / ".compiled", management.code_fingerprint()
    if not stamp.exists() or stamp.read_text() != found:
        management.compile_code()
        write_private(stamp, found)


def start_services(one: Cloud, local: Machines, progress: Progress) -> None:
    """The supervisor runs exactly the wanted processes, each with its present configuration."""
    keeper = supervisor.Supervisor(one)
    _compile_changed_code(one)
    supervisor.write_config(one, processes.all_of(one, local.agents, machines.daemons(local), local.network_address))
    runs = keeper.answers()
    for name in supervisor.end_orphans(one):
        progress.note(f"ended {name}, left by a parent that was killed")
    if not runs:
        keeper.launch()
        return
    added, changed, removed = keeper.reload()
    for verb, names in (("added", added), ("restarted with new settings or code", changed), ("removed", removed)):
        if names:
            progress.note(f"{verb}: {', '.join(names)}")
    dead = [name for name in keeper.start_dead() if name not in added]
    if dead:
        progress.note(f"started again: {', '.join(dead)}")


def enrol(one: Cloud, local: Machines, progress: Progress, *, replaces: Sequence[str]) -> None:
    """Hosts that are not enrolled yet come in through the conductor's door; then their agents start.

    ``replaces``: hosts of ours whose credential may have been lost.
    """
    parties = machines.parties(one, local)
    if all(set(party.names) == set(enrolment.known(one, party)) for party in parties):
        return
    readiness.wait_for_conductor(one, parties[0].conductor_url)
    enrolment.ensure(one, parties, progress, replaces=replaces)
    start_services(one, machines.with_agents(one, local), progress)


def run(asked: argparse.Namespace) -> int:
    """Every step looks first, so that a second `up` changes nothing."""
    os.umask(0o077)  # whatever is made below is the owner's alone, the database too
    here = cloud.load(asked.state)
    if here.wish.joined:
        return join.heal(here)
    one = settle(asked)
    one.state.parent.mkdir(parents=True, exist_ok=True)
    with cloud.alone(one):
        return bring_up(one, asked.no_guest)


def bring_up(one: Cloud, no_guest: bool) -> int:
    progress = Progress()
    kind = f"{one.wish.fake} simulated hosts" if one.wish.fake else f"{len(machines.names(one))} real hosts"
    progress.say(f"Cloud in {one.state}, {kind}, {one.public_url}")
    with progress.step("This machine"):
        check_machine(one)
    with progress.step("Folders and secrets"):
        one.make_folders()
        one.save()
        pids.forget_before_boot(one.run)
        secrets = credentials.ensure(one.state)
    local = machines.of(one)
    if not one.wish.fake:
        with progress.step("Compute hosts: namespaces and their network"):
            local = machines.prepare(one, progress)
    with progress.step("Settings"):
        write_settings(one, secrets, local)
    with progress.step("Database and static files"):
        database.prepare(one, secrets, progress)
    with progress.step("Services"):
        start_services(one, machines.with_agents(one, local), progress)
        readiness.wait_for_api(one)
    with progress.step("Enrolling hosts"):
        enrol(one, local, progress, replaces=local.names)
    if not one.wish.restoring:  # then everything is there, and nothing may be made
        _furnish(one, secrets, progress)
    with progress.step("Compute hosts report"):
        readiness.wait_for_hosts(one, secrets, local.names)
    if not one.wish.fake and not no_guest and not one.wish.restoring:
        with progress.step("First guest"):
            guests.boot_first(one, secrets, progress)
        with progress.step("Its login prompt"):
            guests.wait_for_prompt(one, secrets)
    summary.show(one, secrets, progress)
    return 0


def _furnish(one: Cloud, secrets: Secrets, progress: Progress) -> None:
    """Image and network for the demo's first guest."""
    if one.wish.fake:
        image = guests.ensure_blank_image_file(one)
    else:
        with progress.step("Guest image"):
            image = guests.ensure_image_file(one, progress)
    with progress.step("Image and network of the demo"):
        guests.seed(one, secrets, image, progress)
