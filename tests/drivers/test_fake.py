"""The fake driver alone: failures on demand, simulated time, and files that outlive the worker."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hosts.drivers import registry
from hosts.drivers.errors import Fatal, Transient, Unsupported
from hosts.drivers.fake.driver import FakeDriver
from hosts.drivers.specs import GuestSpec, PowerState
from hosts.drivers.steps import OutsideStep, run, run_all
from tests.drivers import build
from tests.drivers.build import ref


def fake(folder: Path, **options: object) -> FakeDriver:
    made = registry.make("fake", options, None, folder)
    assert isinstance(made, FakeDriver)
    made.start()
    return made


def small() -> GuestSpec:
    return build.guest(disks=(build.root(None),), nics=(build.nic(),), config_drive=build.config_drive())


def test_guests_outlive_the_worker(tmp_path: Path) -> None:
    spec = small()
    run_all(fake(tmp_path).spawn(spec))

    reborn = fake(tmp_path)

    assert reborn.state(spec.id).power == PowerState.RUNNING


def test_several_hosts_in_one_process_do_not_see_each_other(tmp_path: Path) -> None:
    one, two = fake(tmp_path / "one"), fake(tmp_path / "two")
    run_all(one.spawn(small()))

    assert len(one.list()) == 1
    assert two.list() == []


def test_a_change_outside_a_step_is_a_mistake(tmp_path: Path) -> None:
    define = fake(tmp_path).spawn(small())[4]

    with pytest.raises(OutsideStep):
        define.ensure()


def test_a_fault_strikes_as_often_as_it_is_told(tmp_path: Path) -> None:
    host = fake(tmp_path)
    (tmp_path / "faults.json").write_text(json.dumps({"start": {"raise": "transient", "count": 2, "message": "busy"}}))
    steps = host.spawn(small())
    run_all(steps[:5])

    for _ in range(2):
        with pytest.raises(Transient, match="busy"):
            run(steps[5])
    run(steps[5])


def test_a_faults_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    host = fake(tmp_path)
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"*": {"raise": "fatal"}}))
    with pytest.raises(Fatal):
        run_all(host.spawn(small()))

    file.unlink()

    run_all(host.spawn(small()))


def test_a_fault_for_one_guest_spares_the_others(tmp_path: Path) -> None:
    unlucky, lucky = small(), small()
    host = fake(tmp_path, faults={"define": {"raise": "fatal", "guest": unlucky.id}})

    run_all(host.spawn(lucky))
    with pytest.raises(Fatal):
        run_all(host.spawn(unlucky))


def test_a_fault_after_the_change_leaves_it_done(tmp_path: Path) -> None:
    host = fake(tmp_path, faults={"start": {"raise": "transient", "when": "after", "count": 1}})
    spec = small()

    with pytest.raises(Transient):
        run_all(host.spawn(spec))

    assert host.state(spec.id).power == PowerState.RUNNING


def test_a_hang_ends_when_the_host_closes(tmp_path: Path) -> None:
    host = fake(tmp_path, faults={"make_disks": {"raise": "hang"}})
    step = host.spawn(small())[1]
    ended = threading.Event()

    def hang() -> None:
        with pytest.raises(Transient):
            run(step)
        ended.set()

    thread = threading.Thread(target=hang)
    thread.start()
    assert not ended.wait(0.05)
    host.close()
    thread.join(5)
    assert ended.is_set()


def test_kill_ends_the_worker_once_and_the_next_one_goes_on(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text(json.dumps({"plug_ports": {"raise": "kill", "count": 1, "when": "after"}}))
    program = (
        "import sys; from pathlib import Path; from hosts.drivers import registry, steps;"
        "from tests.drivers import build;"
        "d = registry.make('fake', {}, None, Path(sys.argv[1]));"
        "steps.run_all(d.spawn(build.guest(id='11111111-1111-1111-1111-111111111111', nics=(build.nic(),))))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]

    assert subprocess.run(command, check=False).returncode == -9
    assert fake(tmp_path).list() == []
    assert subprocess.run(command, check=False).returncode == 0
    assert len(fake(tmp_path).list()) == 1


def test_time_is_simulated(tmp_path: Path) -> None:
    host = fake(tmp_path, delays={"start": 0.05})
    began = time.monotonic()

    run_all(host.spawn(small()))

    assert time.monotonic() - began >= 0.05


def test_the_console_says_that_it_is_simulated(tmp_path: Path) -> None:
    host, spec = fake(tmp_path), small()
    run_all(host.spawn(spec))

    log = host.console_log(spec.id).decode()

    assert "SIMULATED" in log
    assert "10.0.0.11" in log
    assert "gull login:" in log
    assert len(host.console_log(spec.id, max_bytes=10)) == 10


def test_the_world_may_change_a_guest_and_listeners_hear_of_it(tmp_path: Path) -> None:
    host, spec = fake(tmp_path), small()
    heard: list[str] = []
    host.on_change(heard.append)
    run_all(host.spawn(spec))

    host.occur(spec.id, PowerState.CRASHED)

    assert heard == [spec.id]
    assert host.state(spec.id).power == PowerState.CRASHED


def test_a_reboot_delivered_twice_boots_once(tmp_path: Path) -> None:
    host, spec = fake(tmp_path), small()
    run_all(host.spawn(spec))
    again = build.guest(**{name: getattr(spec, name) for name in ("id", "disks", "nics", "config_drive")})

    run_all(host.reboot(again, hard=True))
    run_all(host.reboot(again, hard=True))

    assert host.console_log(spec.id).decode().count("(boot ") == 2
    assert "(boot 2 of" in host.console_log(spec.id).decode()


def test_disks_are_files_when_asked(tmp_path: Path) -> None:
    host, spec = fake(tmp_path, inspect=True, durable=True), small()
    run_all(host.spawn(spec))
    assert (tmp_path / "disks" / spec.id / "disk-vda").exists()

    run_all(host.destroy(ref(spec)))
    assert not (tmp_path / "disks" / spec.id).exists()


def test_the_inventory_comes_from_the_options(tmp_path: Path) -> None:
    totals = fake(tmp_path, vcpus=8, ram_mb=1024, disk_gb=10, traits=["CUSTOM_X"]).inventory()

    assert (totals.vcpus, totals.ram_mb, totals.disk_gb, totals.traits) == (8, 1024, 10, ("CUSTOM_X",))


def test_unknown_drivers_are_refused_clearly(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="'xen' is not written yet; there are: fake, libvirt"):
        registry.make("xen", {}, None, tmp_path)
    with pytest.raises(Unsupported, match="'nosuch' does not exist"):
        registry.make("nosuch", {}, None, tmp_path)


def test_the_fake_needs_no_libvirt(tmp_path: Path) -> None:
    program = (
        "import sys; import hosts.drivers.fake.driver;"
        "sys.exit(any('libvirt' in m or m == 'django' for m in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_spawn_costs_less_than_a_millisecond(tmp_path: Path) -> None:
    host = fake(tmp_path)
    specs = [small() for _ in range(50)]
    began = time.process_time()
    for spec in specs:
        run_all(host.spawn(spec))

    assert (time.process_time() - began) / len(specs) < 0.002  # 0.3 ms on a quiet machine
