"""What the scheduler knows of hosts beside their offers: failed builds, and images of their servers."""

from __future__ import annotations

from typing import Any

import pytest

from hosts.models import Host
from instances.models import Instance
from integrations.images.facade import Image
from scheduling import configuration, service
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)


def boot(stage: Stage, member: Member, **wishes: Any) -> Instance:
    [server] = member.creates(**wishes)
    stage.settle()
    server.refresh_from_db()
    return server


def test_a_host_that_failed_to_build_is_the_last_choice_until_it_builds(stage: Stage, member: Member) -> None:
    broken, sound = stage.hosts
    faults = stage.folder / broken.name / "faults.json"
    faults.write_text('{"start": {"raise": "fatal"}}')
    boot(stage, member, forced_host=broken.name)
    assert Host.objects.get(id=broken.id).failed_builds == 1
    service.forget()
    assert {boot(stage, member).host_id for _ in range(3)} == {sound.id}
    faults.unlink()
    assert boot(stage, member, forced_host=broken.name).status == "ACTIVE"
    assert Host.objects.get(id=broken.id).failed_builds == 0


def test_servers_of_like_images_come_together_when_that_is_weighed(stage: Stage, member: Member) -> None:
    def image(system: str) -> Image:
        properties = {"os_distro": system}
        return Image(system, system, "active", "p", "public", "raw", "bare", 1, 1, "", "0" * 128, 0, 0, properties)

    first, second = stage.hosts
    boot(stage, member, image=image("debian"), forced_host=first.name)
    boot(stage, member, image=image("arch"), forced_host=second.name)
    configuration.change(None, {"ImagePropertiesWeigher": 1.0}, expected=None, reason="", user_id="admin")
    service.forget()
    assert boot(stage, member, image=image("debian")).host_id == first.id
    assert boot(stage, member, image=image("arch")).host_id == second.id
    configuration.change(None, {"ImagePropertiesWeigher": -1.0}, expected=None, reason="", user_id="admin")
    assert boot(stage, member, image=image("debian")).host_id == second.id
