"""What `up` writes: private, valid, and left alone when nothing changed."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from deploy import broker, cloud, config, credentials, environment, front, processes, supervisor
from deploy.cloud import Cloud, Wish
from deploy.files import toml_text, write_private
from deploy.progress import Failure


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
    broker.write_config(one, secrets, None)
    front.write_config(one, has_console=True)
    before = {process.name: process for process in processes.all_of(one, [], [], None)}
    broker.write_config(one, secrets, "172.30.9.1")
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
    agent = config.Agent("fake", [identity])
    config.write_agent(one, secrets, agent)
    text = config.agent_file(one, agent).read_text()
    assert secrets.secret_key not in text
    assert "sqlite" not in text
    assert tomllib.loads(text)["role"] == "agent"


def test_no_secret_is_on_a_command_line(one: Cloud) -> None:
    secrets = credentials.ensure(one.state)
    broker.write_config(one, secrets, None)
    config.write_cloud(one, secrets, None)
    front.write_config(one, has_console=True)
    supervisor.write_config(one, processes.all_of(one, [], [], None))
    text = supervisor.config_file(one).read_text()
    assert not [value for value in vars(secrets).values() if value in text]


def test_redis_listens_to_the_network_only_for_real_hosts(one: Cloud) -> None:
    secrets = credentials.ensure(one.state)
    broker.write_config(one, secrets, None)
    assert "port 0\n" in (one.etc / "redis.conf").read_text()
    broker.write_config(one, secrets, "172.30.9.1")
    text = (one.etc / "redis.conf").read_text()
    assert "bind 172.30.9.1\n" in text
    assert "maxmemory-policy noeviction\n" in text


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
