"""What `up` writes: private, valid, and left alone when nothing changed."""

from __future__ import annotations

import dataclasses
import re
import stat
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from deploy import (
    broker,
    certificates,
    cloud,
    config,
    credentials,
    environment,
    front,
    gate,
    processes,
    supervisor,
)
from deploy.cloud import Cloud, Wish
from deploy.files import toml_text, write_private
from deploy.progress import Failure
from tasks.agent.enrolment import Credential


@pytest.fixture
def one(tmp_path: Path) -> Cloud:
    made = Cloud(tmp_path / "state", Wish(fake=3, port=18099, conductor_port=18098))
    made.make_folders()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("text", ['quote " and \\ slash', "tab\tand\nline", "täglich", "%(x)s"])
def test_strings_survive_toml(text: str) -> None:
    values = {"text": text, "list": [text, "b"], "yes": True, "number": 3, "table": {"odd key": text}}
    assert tomllib.loads(toml_text(values)) == values


def test_a_file_is_private_and_written_once(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert write_private(path, "a")
    assert mode(path) == 0o600
    before = path.stat().st_mtime_ns
    assert not write_private(path, "a")
    assert path.stat().st_mtime_ns == before


def test_secrets_are_random_private_and_kept(one: Cloud) -> None:
    first = credentials.ensure(one.state)
    assert credentials.ensure(one.state) == first
    assert mode(one.state / credentials.FILE) == 0o600
    assert mode(one.state) == 0o700
    assert len({first.secret_key, first.broker_password, first.admin_password, first.demo_password}) == 4
    assert min(map(len, (first.secret_key, first.broker_password, first.admin_password, first.demo_password))) >= 20


def test_a_process_is_restarted_when_what_it_read_changed(one: Cloud) -> None:
    secrets = credentials.ensure(one.state)
    config.write_cloud(one, secrets, None)
    broker.write_config(one, secrets, [])
    front.write_config(one, has_console=True)
    before = {process.name: process for process in processes.all_of(one, [], [], None)}
    broker.write_config(one, secrets, ["172.30.9.1"])
    after = {process.name: process for process in processes.all_of(one, [], [], None)}
    assert [name for name in before if before[name] != after[name]] == ["redis"]


def test_one_command_at_a_time_changes_a_cloud(one: Cloud) -> None:
    with cloud.alone(one), pytest.raises(Failure, match="Another"), cloud.alone(one):
        pass
    with cloud.alone(one):
        pass


def test_wishes_are_remembered(one: Cloud) -> None:
    one.save()
    assert cloud.load(one.state).wish == one.wish


@pytest.mark.parametrize("path", ["/tmp/with space", '/tmp/quo"te', "/tmp/" + "long" * 30])
def test_folders_that_cannot_hold_a_cloud_are_refused(path: str) -> None:
    with pytest.raises(Failure, match="--state"):
        cloud.check_path(Path(path))


def test_an_agents_settings_hold_no_database_and_no_key(one: Cloud) -> None:
    secrets = credentials.ensure(one.state)
    identity = one.data / "identity.toml"
    identity.write_text('uuid = "u"\n')
    agent, room = config.Agent("fake", [identity]), config.room_of(one, "fake")
    with pytest.raises(ValueError, match="not enrolled"):
        config.write_agent(one, agent)
    room.folder.mkdir()
    room.keep(Credential("its secret", "its password", "an id", "its user"))
    for path in (room.key, room.certificate, room.authority):
        path.write_text("there")
    config.write_agent(one, agent)
    text = config.agent_file(one, agent).read_text()
    assert secrets.secret_key not in text and secrets.broker_password not in text
    assert "its%20user:its%20password@" in text
    assert "sqlite" not in text
    assert tomllib.loads(text)["role"] == "agent"


def test_no_secret_is_on_a_command_line(one: Cloud) -> None:
    secrets = credentials.ensure(one.state)
    broker.write_config(one, secrets, [])
    config.write_cloud(one, secrets, None)
    front.write_config(one, has_console=True)
    supervisor.write_config(one, processes.all_of(one, [], [], None))
    text = supervisor.config_file(one).read_text()
    assert not [value for value in vars(secrets).values() if value in text]


def test_redis_listens_to_the_network_only_for_real_hosts(one: Cloud) -> None:
    secrets = credentials.ensure(one.state)
    broker.write_config(one, secrets, [])
    assert "port 0\n" in (one.etc / "redis.conf").read_text()
    broker.write_config(one, secrets, ["172.30.9.1"])
    text = (one.etc / "redis.conf").read_text()
    assert "bind 172.30.9.1\n" in text
    assert "maxmemory-policy noeviction\n" in text


def test_the_brokers_list_of_users_keeps_those_of_agents(one: Cloud) -> None:
    secrets = credentials.ensure(one.state)
    broker.write_config(one, secrets, [])
    path = one.data / "redis.acl"
    assert mode(path) == 0o600 and secrets.broker_password not in path.read_text()
    path.write_text(path.read_text() + "user agent-x on #00 ~host.x*\n")
    broker.write_config(one, dataclasses.replace(secrets, broker_password="changed"), [])
    lines = path.read_text().splitlines()
    assert [line.split()[1] for line in lines] == ["default", "agent-x"]
    assert sha256(b"changed").hexdigest() in lines[0]


def test_with_tls_hosts_reach_the_conductor_through_the_gate_only(one: Cloud) -> None:
    secure = Cloud(one.state, dataclasses.replace(one.wish, tls=True))
    secrets = credentials.ensure(secure.state)
    certificates.ensure(secure, None)
    broker.write_config(secure, secrets, ["192.0.2.7"])
    config.write_cloud(secure, secrets, None)
    gate.write_config(secure, ["127.0.0.1", "192.0.2.7"], 18098)
    front.write_config(secure, has_console=True)
    listening = [line for line in (secure.etc / "redis.conf").read_text().splitlines() if line.startswith("port")]
    assert listening == ["port 0"]
    text = (secure.etc / "gate.conf").read_text()
    assert re.findall(r"listen (\S+) ssl", text) == ["127.0.0.1:18098", "192.0.2.7:18098"]
    commands = {process.name: process.command for process in processes.all_of(secure, [], [], None)}
    assert "--socket" in commands["conductor"] and "--port" not in commands["conductor"]
    assert environment.variables(secure, secrets, "demo")["OS_CACERT"] == str(secure.ca / "ca.crt")


def test_the_front_knows_no_way_to_the_conductor(one: Cloud) -> None:
    front.write_config(one, has_console=True)
    text = (one.etc / "nginx.conf").read_text()
    assert str(one.wish.conductor_port) not in text
    assert "location /conductor { return 404; }" in text


def test_variables_for_the_command_line_client(one: Cloud) -> None:
    secrets = credentials.ensure(one.state)
    found = environment.variables(one, secrets, "demo")
    assert found["OS_AUTH_URL"] == "http://127.0.0.1:18099/identity/v3"
    assert found["OS_PASSWORD"] == secrets.demo_password
    environment.write_clouds_yaml(one, secrets)
    assert mode(one.state / "clouds.yaml") == 0o600


@pytest.mark.parametrize("word", ["plain/path.py", "two words", "it's", 'a"b', "100%", "a;b", "#x"])
def test_words_survive_the_supervisors_command_line(word: str) -> None:
    import shlex

    assert shlex.split(supervisor.quoted(word)) == [word]
