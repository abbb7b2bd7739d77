"""Interfaces of a server that is there: attached, detached, and what fails on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from computecloud.core.clock import utcnow
from computecloud.core.errors import Conflict, Forbidden, Invalid, NotFound
from hosts.drivers.specs import PowerState
from instances.actions.delete import Delete
from instances.actions.interfaces import PATIENCE_S, AttachInterface, DetachInterface
from instances.actions.pause import Pause
from instances.actions.power import Start, Stop
from instances.actions.shelve import Shelve, Unshelve
from instances.errors import InterfaceAttachFailed
from instances.models import Instance
from integrations.networks import facade as networks
from integrations.networks.facade import NetworkWish, PortPlan
from integrations.networks.models import Port
from operations.models import Operation
from tasks import control
from tests.flows.conftest import Member
from tests.support.answers import hosts_answer
from tests.support.stage import Stage
from tests.support.verbs import fail_at, fresh, guest

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def answered(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts_answer(stage, monkeypatch)


@pytest.fixture
def network(stage: Stage, member: Member) -> str:
    return networks.ensure_network(member.actor.project_id or "", "private-net", "10.9.0.0/24")


@pytest.fixture
def plugged(stage: Stage, member: Member, network: str) -> Instance:
    """A running server with one port."""
    [made] = member.creates(networks=(PortPlan(network),))
    stage.settle()
    return fresh(made)


def free_port(member: Member, network: str) -> str:
    """One of the member's own, in nobody's hands."""
    reference = networks.ServerRef("nobody", member.actor.project_id or "", "", "")
    [made] = networks.allocate(reference, [PortPlan(network)], ["default"], "", "")
    Port.objects.filter(id=made.port_id).update(
        server_id="", device_id="", device_owner="", host_id="", host_name="", made_for_server=False
    )
    return made.port_id


def ports(server: Instance) -> list[str]:
    return [port["port_id"] for port in fresh(server).network_info]


def assert_wired(stage: Stage, server: Instance, count: int) -> None:
    """Rows, host and guest agree on its ports."""
    assert len(ports(server)) == count
    assert sorted(Port.objects.filter(server_id=server.id).values_list("id", flat=True)) == sorted(ports(server))
    there = guest(stage, fresh(server))
    assert sorted(there.ports) == sorted(ports(server))
    if there.is_running:
        assert sorted(there.nics) == sorted(ports(server))
    stage.assert_balanced()


@pytest.mark.parametrize("way", [None, Pause, Stop])
def test_a_server_gets_an_interface_and_loses_it(
    stage: Stage, member: Member, plugged: Instance, network: str, way: type[Stop] | None
) -> None:
    if way is not None:
        way.request(member.actor, plugged)
        stage.settle()
    before = fresh(plugged).status

    made = AttachInterface.attach(member.actor, fresh(plugged), NetworkWish(network_id=network, tag="second"))
    assert (ports(plugged)[-1], made.tag, fresh(plugged).status) == (made.port_id, "second", before)
    assert_wired(stage, plugged, 2)
    assert Port.objects.get(id=made.port_id).status == ("DOWN" if way is Stop else "ACTIVE")

    DetachInterface.request(member.actor, fresh(plugged), port_id=made.port_id)
    stage.settle()
    assert_wired(stage, plugged, 1)
    assert not Port.objects.filter(id=made.port_id).exists(), "it was made for the server"
    assert fresh(plugged).status == before


def test_it_is_there_after_the_next_start(stage: Stage, member: Member, plugged: Instance, network: str) -> None:
    AttachInterface.attach(member.actor, plugged, NetworkWish(network_id=network))
    for verb in (Stop, Start):
        verb.request(member.actor, fresh(plugged))
        stage.settle()
    assert_wired(stage, plugged, 2)


def test_a_port_that_its_owner_made_comes_back_to_him(
    stage: Stage, member: Member, plugged: Instance, network: str
) -> None:
    port_id = free_port(member, network)
    made = AttachInterface.attach(member.actor, plugged, NetworkWish(port_id=port_id))
    assert made.port_id == port_id
    with pytest.raises(Conflict, match="still in use"):
        AttachInterface.attach(member.actor, fresh(plugged), NetworkWish(port_id=port_id))

    DetachInterface.request(member.actor, fresh(plugged), port_id=port_id)
    assert Port.objects.get(id=port_id).server_id == plugged.id, "until its host has let go of it"
    stage.settle()
    assert Port.objects.get(id=port_id).server_id == ""
    assert_wired(stage, plugged, 1)


def test_an_address_of_ones_choice(stage: Stage, member: Member, plugged: Instance, network: str) -> None:
    made = AttachInterface.attach(member.actor, plugged, NetworkWish(network_id=network, fixed_ip="10.9.0.77"))
    assert [one.address for one in made.fixed_ips] == ["10.9.0.77"]
    with pytest.raises(Conflict, match=r"Fixed IP address 10\.9\.0\.77 is already in use"):
        AttachInterface.attach(member.actor, fresh(plugged), NetworkWish(network_id=network, fixed_ip="10.9.0.77"))
    assert_wired(stage, plugged, 2)


def test_with_nothing_named_it_is_the_projects_one_network(
    stage: Stage, member: Member, plugged: Instance, network: str
) -> None:
    assert AttachInterface.attach(member.actor, plugged, None).network_id == network
    networks.ensure_network(member.actor.project_id or "", "second-net", "10.8.0.0/24")
    with pytest.raises(Invalid, match=r"More than one possible network found"):
        AttachInterface.attach(member.actor, fresh(plugged), NetworkWish())


def test_a_project_without_a_network(stage: Stage, member: Member, server: Instance) -> None:
    with pytest.raises(Invalid, match=r"No specific network was requested and none are available for project"):
        AttachInterface.attach(member.actor, server, None)


def test_what_is_not_there_is_not_found(stage: Stage, member: Member, plugged: Instance) -> None:
    nothing = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(NotFound, match=r"Network .* could not be found"):
        AttachInterface.attach(member.actor, plugged, NetworkWish(network_id=nothing))
    with pytest.raises(NotFound, match=r"Port id .* could not be found"):
        AttachInterface.attach(member.actor, plugged, NetworkWish(port_id=nothing))
    with pytest.raises(NotFound, match="is not attached"):
        DetachInterface.request(member.actor, plugged, port_id=nothing)
    assert_wired(stage, plugged, 1)


def test_beyond_the_quota_of_ports_nothing_happens(
    stage: Stage, member: Member, plugged: Instance, network: str
) -> None:
    networks.set_quotas(member.actor.project_id or "", {"port": 1})
    with pytest.raises(Forbidden, match="Maximum number of ports exceeded"):
        AttachInterface.attach(member.actor, plugged, NetworkWish(network_id=network))
    assert_wired(stage, plugged, 1)


@pytest.mark.parametrize("step", ["plug_ports", "attach_port", "define"])
@pytest.mark.parametrize("whose", ["made", "given"])
def test_an_attachment_that_fails_anywhere_leaves_nothing(
    stage: Stage,
    member: Member,
    plugged: Instance,
    network: str,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    whose: str,
) -> None:
    wish = NetworkWish(port_id=free_port(member, network)) if whose == "given" else NetworkWish(network_id=network)
    fail_at(monkeypatch, step)
    with pytest.raises(InterfaceAttachFailed, match=r"Failed to attach network adapter device to"):
        AttachInterface.attach(member.actor, plugged, wish)
    assert_wired(stage, plugged, 1)
    assert Port.objects.filter(device_owner="").count() == (whose == "given")
    assert (fresh(plugged).status, bool(fresh(plugged).fault_message)) == ("ACTIVE", True)
    assert fresh(plugged).network_wishes == plugged.network_wishes


@pytest.mark.parametrize("step", ["detach_port", "define", "unplug_port"])
def test_a_detachment_that_fails_anywhere_leaves_it_attached(
    stage: Stage, member: Member, plugged: Instance, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    fail_at(monkeypatch, step)
    DetachInterface.request(member.actor, plugged, port_id=ports(plugged)[0])
    stage.settle()
    assert_wired(stage, plugged, 1)
    assert fresh(plugged).fault_message


def test_of_what_nobody_heard_the_end_stays_and_can_be_detached(
    stage: Stage, member: Member, plugged: Instance, network: str
) -> None:
    AttachInterface.request(member.actor, plugged, wish=NetworkWish(network_id=network))
    Operation.objects.filter(verb="attach_interface").update(state="running", attempt=3)
    stage.lose_leases()
    assert (fresh(plugged).status, len(ports(plugged))) == ("ACTIVE", 2)

    DetachInterface.request(member.actor, fresh(plugged), port_id=ports(plugged)[-1])
    stage.settle()
    assert_wired(stage, plugged, 1)


def test_what_no_host_has_heard_of_in_time_is_over_and_its_port_is_gone(
    stage: Stage, member: Member, plugged: Instance, network: str
) -> None:
    AttachInterface.request(member.actor, plugged, wish=NetworkWish(network_id=network))
    waiting = Operation.objects.get(verb="attach_interface")
    assert waiting.deadline_at < utcnow() + timedelta(seconds=PATIENCE_S + 1)
    Operation.objects.filter(id=waiting.id).update(deadline_at=Now() - timedelta(seconds=1))
    control.end_hopeless()
    stage.settle()
    assert_wired(stage, plugged, 1)
    assert "deadline" in fresh(plugged).fault_message


@pytest.mark.parametrize("verb", ["attach", "detach"])
def test_a_delete_meanwhile_wins(stage: Stage, member: Member, plugged: Instance, network: str, verb: str) -> None:
    begin: dict[str, Callable[[], object]] = {
        "attach": lambda: AttachInterface.request(member.actor, plugged, wish=NetworkWish(network_id=network)),
        "detach": lambda: DetachInterface.request(member.actor, plugged, port_id=ports(plugged)[0]),
    }
    begin[verb]()
    Delete.request(member.actor, fresh(plugged))
    stage.settle()
    assert (fresh(plugged).status, Port.objects.exclude(server_id="").count(), stage.guests()) == ("DELETED", 0, {})
    stage.assert_balanced()


def test_a_server_that_lost_its_last_port_has_none_wherever_it_is_made_again(
    stage: Stage, member: Member, plugged: Instance, network: str
) -> None:
    DetachInterface.request(member.actor, plugged, port_id=ports(plugged)[0])
    stage.settle()
    for verb in (Shelve, Unshelve):
        verb.request(member.actor, fresh(plugged))
        stage.settle()
    assert fresh(plugged).status == "ACTIVE"
    assert_wired(stage, plugged, 0)


def test_a_server_that_got_its_first_port_keeps_it_wherever_it_is_made_again(
    stage: Stage, member: Member, server: Instance, network: str
) -> None:
    made = AttachInterface.attach(member.actor, server, None)
    for verb in (Shelve, Unshelve):
        verb.request(member.actor, fresh(server))
        stage.settle()
    assert ports(server) == [made.port_id]
    assert_wired(stage, server, 1)


def test_states_that_have_no_interfaces_to_change(stage: Stage, member: Member, plugged: Instance) -> None:
    Shelve.request(member.actor, plugged)
    stage.settle()
    with pytest.raises(Conflict, match=r"Cannot 'attach_interface' .* in vm_state shelved_offloaded"):
        AttachInterface.attach(member.actor, fresh(plugged), None)
    with pytest.raises(Conflict, match=r"Cannot 'detach_interface' .* in vm_state shelved_offloaded"):
        DetachInterface.request(member.actor, fresh(plugged), port_id=ports(plugged)[0])
    assert fresh(plugged).observed_power == PowerState.NOSTATE
