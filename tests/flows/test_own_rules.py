"""A site's own rules, as docs/how-to/write-a-filter.md tells: the very example from there, run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from computecloud.conf import conf
from hosts.models import Host
from instances.actions.create import FlavorSnapshot
from instances.models import Instance
from scheduling import configuration, records, service
from scheduling.models import Decision
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "write-a-filter.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
BROKEN = """
from scheduling.filters.base import HostFilter, PerHostFilter

class Raises(PerHostFilter):
    def accepts_host(self, host, request):
        return 1 / 0

class NoColumn(HostFilter):
    def accepts(self, table, request):
        return [7]
"""


class Site:
    """A cloud with the page's modules installed."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        for name, text in {"site_rules": EXAMPLES[0], "site_half": EXAMPLES[1], "site_broken": BROKEN}.items():
            (folder / f"{name}.py").write_text(text)
        patch.syspath_prepend(str(folder))

    def says(self, **settings: Any) -> None:
        for name, value in settings.items():
            self.patch.setenv(f"COMPUTECLOUD_{name.upper()}", json.dumps(value))
        conf.cache_clear()
        configuration.IN_FORCE.forget()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    yield Site(folder, monkeypatch)
    monkeypatch.undo()
    for name in ("site_rules", "site_half", "site_broken"):
        sys.modules.pop(name, None)
    conf.cache_clear()
    configuration._imported.cache_clear()
    configuration.IN_FORCE.forget()


def boot(stage: Stage, member: Member, **specs: str) -> Instance:
    wanted = {key.replace("__", ":"): text for key, text in specs.items()}
    [server] = member.creates(flavor=FlavorSnapshot("1", "m1", vcpus=1, ram_mb=512, disk_gb=1, extra_specs=wanted))
    stage.settle()
    server.refresh_from_db()
    return server


def test_the_example_is_short() -> None:
    assert len(EXAMPLES) == 2
    for rule in ("NewHallFilter", "CoolRackWeigher", "HalfForImportantFilter"):
        [body] = re.findall(rf"(class {rule}.*?)(?=\n\nclass|\Z)", "".join(EXAMPLES), re.DOTALL)
        assert len(body.strip().splitlines()) <= 20


def test_the_page_s_rules_decide(stage: Stage, member: Member, site: Site) -> None:
    member.has_no_limits()
    old, new = stage.hosts
    Host.objects.filter(id=new.id).update(name="new-1", metrics={"rack.temperature": 20.0})
    Host.objects.filter(id=old.id).update(name="old-1", metrics={"rack.temperature": 35.0})
    site.says(
        scheduler_filters=["ComputeFilter", "RamFilter", "site_rules.NewHallFilter"],
        scheduler_weighers={},
        scheduler_available=["site_rules.CoolRackWeigher", "site_half.HalfForImportantFilter"],
    )
    service.forget()
    assert {boot(stage, member, site__hall="new").host_id for _ in range(4)} == {new.id}
    [server] = member.creates(forced_host="old-1")
    stage.settle()
    server.refresh_from_db()
    assert server.host_id == old.id, "without the spec it has no say"

    configuration.change(None, {"site_rules.CoolRackWeigher": 1.0}, expected=None, reason="summer", user_id="admin")
    assert {boot(stage, member).host_id for _ in range(2)} == {new.id}
    configuration.change(["site_half.HalfForImportantFilter"], {}, expected=None, reason="", user_id="admin")
    while (server := boot(stage, member)).status == "ACTIVE":
        pass
    assert "HalfForImportantFilter: no host passes HalfForImportantFilter" in server.fault_message
    assert boot(stage, member, site__important="yes").status == "ACTIVE"


def test_one_that_raises_is_named_and_stops_nothing(stage: Stage, member: Member, site: Site) -> None:
    site.says(scheduler_filters=["site_broken.Raises", "site_broken.NoColumn", "ComputeFilter", "RamFilter"])
    server = boot(stage, member)
    assert server.status == "ACTIVE"
    notes = records.body_of(Decision.objects.get(consumer_id=server.id)).notes
    assert "Raises raised ZeroDivisionError and was passed over" in notes
    assert "NoColumn raised TypeError and was passed over" in notes


def test_a_module_that_is_not_there_is_named_and_stops_nothing(stage: Stage, member: Member, site: Site) -> None:
    site.says(scheduler_filters=["ComputeFilter", "site_gone.Filter", "RanFilter"])
    assert boot(stage, member).status == "ACTIVE"
    rules = configuration.in_force()
    assert [rule.name for rule in rules.filters] == ["ComputeFilter"]
    gone, mistyped = rules.problems
    assert gone.startswith("There is no filter site_gone.Filter.")
    assert mistyped.startswith("There is no filter RanFilter.")
