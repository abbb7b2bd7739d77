"""POST and DELETE /servers/{id}/os-interface: bodies by version, people, what the answer says."""

from __future__ import annotations

from typing import Any

import pytest

from instances.actions.interfaces import AttachInterface
from instances.models import Instance
from integrations.networks import facade as networks
from integrations.networks.facade import NetworkWish
from operations.models import Operation
from tests.support.client import Cloud
from tests.support.servers import forget_everything, make_server_with_port

PATH = "/compute/v2.1/servers"
NET = "9a1c0a52-53a6-4b54-8a9e-8e6b6c6f0001"
PORT = "0d2d7d5a-8ed1-4f0c-a8c4-1f7fcb1ea001"


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[NetworkWish | None]:
    """What the host's side is asked for; it has tests of its own (tests/flows/test_interfaces.py)."""
    found: list[NetworkWish | None] = []

    def attach(_actor: Any, server: Instance, wish: NetworkWish | None, _request_id: str) -> networks.PortInfo:
        found.append(wish)
        return networks.nics(server.id)[0]

    monkeypatch.setattr(AttachInterface, "attach", attach)
    return found


@pytest.mark.parametrize(
    ("version", "body", "wish"),
    [
        ("2.1", {}, NetworkWish()),
        ("2.1", {"net_id": NET}, NetworkWish(network_id=NET)),
        ("2.1", {"port_id": PORT}, NetworkWish(port_id=PORT)),
        ("2.1", {"net_id": NET, "fixed_ips": [{"ip_address": "10.9.0.7"}]},
         NetworkWish(network_id=NET, fixed_ip="10.9.0.7")),
        ("2.49", {"net_id": NET, "tag": "second"}, NetworkWish(network_id=NET, tag="second")),
    ],
)  # fmt: skip
def test_what_may_be_asked_for(
    cloud: Cloud, asked: list[NetworkWish | None], version: str, body: dict[str, Any], wish: NetworkWish
) -> None:
    place = f"{PATH}/{make_server_with_port().id}/os-interface"

    answer = cloud.as_member.at(version).post(place, {"interfaceAttachment": body})

    assert (answer.status_code, asked) == (200, [wish])
    (shown,) = cloud.as_reader.get(place).json()["interfaceAttachments"]
    assert answer.json() == {"interfaceAttachment": shown}
    tagged = cloud.as_member.at("2.70").post(place, {"interfaceAttachment": body}).json()["interfaceAttachment"]
    assert tagged == shown | {"tag": None}


@pytest.mark.parametrize(
    ("version", "body"),
    [
        ("2.48", {"tag": "early"}), ("2.49", {"tag": "a,b"}), ("2.49", {"tag": ""}), ("2.1", {"net_id": "x"}),
        ("2.1", {"port_id": 1}), ("2.1", {"net_id": NET, "port_id": PORT}), ("2.1", {"colour": "blue"}),
        ("2.1", {"fixed_ips": [{"ip_address": "10.9.0.7"}]}), ("2.1", {"net_id": NET, "fixed_ips": []}),
        ("2.1", {"net_id": NET, "fixed_ips": [{"ip_address": "here"}]}), ("2.1", None),
    ],
)  # fmt: skip
def test_what_may_not(cloud: Cloud, asked: list[NetworkWish | None], version: str, body: Any) -> None:
    place = f"{PATH}/{make_server_with_port().id}/os-interface"

    assert cloud.as_member.at(version).post(place, {"interfaceAttachment": body}).status_code == 400
    assert asked == []


def test_a_port_is_let_go_of_later(cloud: Cloud) -> None:
    server = make_server_with_port()
    place = f"{PATH}/{server.id}/os-interface"
    (shown,) = cloud.as_reader.get(place).json()["interfaceAttachments"]

    for person, status in ((cloud.as_reader, 403), (cloud.as_other, 404), (cloud.anonymous, 401)):
        assert person.delete(f"{place}/{shown['port_id']}").status_code == status
        assert person.post(place, {"interfaceAttachment": {}}).status_code == status
    assert cloud.as_member.delete(f"{place}/{PORT}").status_code == 404
    answer = cloud.as_member.delete(f"{place}/{shown['port_id']}")
    assert (answer.status_code, answer.content) == (202, b"")
    assert Operation.objects.get().args == {"port_id": shown["port_id"]}
    again = cloud.as_member.delete(f"{place}/{shown['port_id']}")
    assert again.json()["conflictingRequest"]["message"] == (
        f"Cannot 'detach_interface' instance {server.id} while it is in task_state detach_interface"
    )
