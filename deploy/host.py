"""`./cloud host`: the compute hosts of a running cloud: listed, added, removed, and tokens for other machines."""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import replace
from typing import Any

from deploy import certificates, config, credentials, enrolment, hosts, machines, readiness, supervisor, up
from deploy import cloud as clouds
from deploy.client import ApiProblem, Client
from deploy.cloud import Cloud
from deploy.credentials import Secrets
from deploy.hosts.layout import check_name
from deploy.progress import Failure, Progress

SERVICES = "/compute/v2.1/os-services"


def _secrets(cloud: Cloud) -> Secrets:
    found = credentials.load(cloud.state)
    if found is None:
        raise Failure(f"{cloud.state} has no secrets yet: run ./cloud up first.")
    return found


def _admin(cloud: Cloud) -> Client:
    return Client(cloud.local_url, "admin", _secrets(cloud).admin_password, trust=cloud.trust)


def _cloud(asked: argparse.Namespace) -> Cloud:
    found = clouds.existing(asked.state)
    if found.wish.joined:
        raise Failure(f"This machine is a host of the cloud at {found.wish.joined}: hosts are managed there.")
    return found


def _service(admin: Client, name: str) -> dict[str, Any] | None:
    rows = admin.get(f"{SERVICES}?binary=nova-compute")["services"]
    return next((row for row in rows if row["host"] == name), None)


# --- list


def show(asked: argparse.Namespace) -> int:
    """Every host, wherever it runs."""
    cloud = _cloud(asked)
    rows = _admin(cloud).get("/api/v1/hosts?limit=1000")["items"]
    local = set(machines.names(cloud))
    print(f"{'name':24} {'id':36} {'state':9} {'driver':8} {'guests':>6}  {'address':15} where")
    for row in rows:
        state = ("up" if row["is_up"] else "down") + (", off" if row["is_disabled"] else "")
        where = "this machine" if row["name"] in local else "another machine"
        address = row["underlay_address"] or "-"
        print(
            f"{row['name']:24} {row['id']:36} {state:9} {row['driver']:8} {row['running_vms']:>6}  {address:15} {where}"
        )
    return 0


# --- add


def add(asked: argparse.Namespace) -> int:
    """Another host on this machine, enrolled and reporting; one that is there already stays as it is."""
    cloud, name = _cloud(asked), check_name(asked.name)
    with clouds.alone(cloud):
        progress = Progress()
        if name not in machines.names(cloud):
            _check_is_free(cloud, name)
        cloud = _with(cloud, name)
        _bring_up(cloud, name, progress)
        cloud.save()
        progress.say(f"{name} takes servers, after {progress.elapsed_s():.1f} s.")
    return 0


def _check_is_free(cloud: Cloud, name: str) -> None:
    if _service(_admin(cloud), name) is not None:
        raise Failure(f"There is a compute host {name} already, on another machine: choose another name.")


def _with(cloud: Cloud, name: str) -> Cloud:
    """The cloud with one host more."""
    wish = replace(cloud.wish, removed=[one for one in cloud.wish.removed if one != name])
    changed = replace(cloud, wish=wish)
    if name in machines.names(changed):
        return changed
    return replace(cloud, wish=replace(wish, added=[*wish.added, name]))


def _bring_up(cloud: Cloud, name: str, progress: Progress) -> None:
    local = machines.of(cloud)
    if not cloud.wish.fake:
        with progress.step(f"{name}: namespaces and network"):
            local = machines.prepare(cloud, progress)
    with progress.step("Its daemons"):
        up.start_services(cloud, machines.with_agents(cloud, local), progress)
        readiness.wait_for_api(cloud)
    with progress.step("Enrolling it"):
        up.enrol(cloud, local, progress, replaces=[])
    with progress.step("It reports"):
        readiness.wait_for_hosts(cloud, _secrets(cloud), [name])


# --- remove


def remove(asked: argparse.Namespace) -> int:
    """Take a host out of the cloud, when it holds no servers; one of this machine is ended with all it had."""
    cloud, name = _cloud(asked), asked.name
    is_local = name in machines.names(cloud)
    with clouds.alone(cloud):
        progress = Progress()
        with progress.step(f"{name}: out of the cloud"):
            was_known = _retire(_admin(cloud), name)
        if not was_known and not is_local:
            raise Failure(f"There is no compute host {name}. ./cloud host list shows them.")
        if is_local:
            with progress.step("Its agent, daemons and devices"):
                _end(cloud, name, progress)
        else:
            progress.say(f"On {name} itself: ./cloud down --purge ends what ./cloud join started there.")
    return 0


def _retire(admin: Client, name: str) -> bool:
    """Whether the cloud knew it. Raises Failure while it holds servers."""
    found = _service(admin, name)
    if found is None:
        return False
    try:
        admin.delete(f"{SERVICES}/{found['id']}")
    except ApiProblem as problem:
        if problem.status != 409:
            raise
        rows = admin.get(f"/compute/v2.1/servers?all_tenants=1&host={name}&limit=20")["servers"]
        held = ", ".join(f"{row['name']} ({row['id']})" for row in rows) or "an operation that is under way"
        raise Failure(f"{name} is not removed: it holds {held}. Delete or move these first.") from problem
    return True


def _end(cloud: Cloud, name: str, progress: Progress) -> None:
    """All of a local host goes: processes, namespaces, folders, settings. Its logs stay."""
    wish = replace(cloud.wish, added=[one for one in cloud.wish.added if one != name])
    smaller = replace(cloud, wish=wish)
    if name in machines.names(smaller):
        smaller = replace(cloud, wish=replace(wish, removed=[*wish.removed, name]))
    smaller.save()
    shutil.rmtree(enrolment.identity_file(cloud, name).parent, ignore_errors=True)
    left = machines.of(smaller)
    left = replace(left, hosts=[one for one in left.hosts if one.name != name])
    up.start_services(smaller, machines.with_agents(smaller, left), progress)
    agent = machines.FAKE_AGENT if cloud.wish.fake else name
    room = config.room_of(cloud, agent).folder
    shutil.rmtree(room / "hosts" / name, ignore_errors=True)
    if not cloud.wish.fake:
        hosts.remove(cloud.state, name)
    if not left.names or not cloud.wish.fake:
        shutil.rmtree(room, ignore_errors=True)
        (cloud.etc / f"agent-{agent}.conf").unlink(missing_ok=True)
    readiness.wait_for_api(smaller)
    supervisor.forget_pids(cloud, [f"{kind}@{name}" for kind in ("compute", "libvirtd", "virtlogd")])


# --- token


def token(asked: argparse.Namespace) -> int:
    """Print what another machine is to be told, once."""
    cloud = _cloud(asked)
    address = cloud.wish.hosts_listen or machines.of(cloud).network_address
    if not cloud.wish.hosts_listen:
        print(
            "Note: this cloud lets no other machine in yet. ./cloud up --tls --hosts-listen ADDRESS opens conductor "
            "and broker at an address of this machine, with TLS.",
            file=sys.stderr,
        )
    made = enrolment.make_tokens(cloud, asked.ttl)[0]
    prove = f" --ca-fingerprint {certificates.authority(cloud).fingerprint}" if cloud.wish.tls else ""
    print(f"./cloud join {config.conductor_url(cloud, address)} --token {made}{prove}")
    print(f"It works once, within {asked.ttl / 60:.0f} minutes.", file=sys.stderr)
    return 0
