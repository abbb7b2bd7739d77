"""S43 to S48 against a running cloud: who one is, how one logs in, and when that ends."""

from __future__ import annotations

import http.cookiejar
import re
import secrets
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import pytest

from deploy.cloud import CHECKOUT
from tests.attack.conftest import PASSWORD, RunningTenant
from tests.attack.test_quotas import PASSWORD as NEWCOMERS
from tests.attack.test_quotas import Newcomer
from tests.contract.test_rows import FORGED
from tests.support.client import Person
from tests.support.running import TOKENS, RunningCloud, wait_for
from tests.support.tenant import V2

pytestmark = pytest.mark.faults
IDENTITY = "/identity/v3"
SERVERS = "/compute/v2.1/servers"
ADMINS = (
    "/compute/v2.1/os-hypervisors", "/placement/resource_providers", "/api/v1/hosts", f"{IDENTITY}/users",
)  # fmt: skip


def login(name: str, password: Any, **more: Any) -> dict[str, Any]:
    return with_password({"user": {"name": name, "domain": {"id": "default"}, "password": password} | more})


def with_password(wish: Any, methods: Sequence[str] = ("password",)) -> dict[str, Any]:
    return {"auth": {"identity": {"methods": list(methods), "password": wish}}}


# --- S43


@pytest.mark.row("S43")
def test_headers_but_the_token_are_not_believed(tenant: RunningTenant, running: RunningCloud) -> None:
    people = tenant.cloud
    more = {"x_roles": "admin", "X-Original-URL": "/admin/", "X-HTTP-Method-Override": "DELETE", "X-Real-IP": "::1"}
    for headers in (FORGED, FORGED | more, {name.lower(): value for name, value in FORGED.items()}):
        for path in ADMINS:
            assert people.as_member.get(path, headers=headers).status_code == 403
            assert people.anonymous.get(path, headers=headers).status_code == 401
    server = f"{SERVERS}/{tenant.values['servers', 'server_id']}"
    assert people.as_other.get(server, headers=FORGED | more).status_code == 404
    made = people.as_other.post(f"{V2}/networks", {"network": {"name": "forged"}}, headers=FORGED).json()["network"]
    assert made["project_id"] == "b" * 32
    assert people.as_other.delete(f"{V2}/networks/{made['id']}").status_code == 204


@pytest.mark.row("S43")
@pytest.mark.parametrize(
    "token", ["", " ", "admin", "null", "cc_", "cc_" + "A" * 43, "x" * 512, "x" * 9000, "\x00", "é", "a, b", "'--"]
)
def test_what_is_no_token_opens_nothing(running: RunningCloud, token: str) -> None:
    person = Person(None, client=running.wire)
    try:
        answer = person.get(ADMINS[0], headers={"X-Auth-Token": token.encode("utf-8").decode("latin-1")})
    except ValueError:
        return  # Python itself sends no such header
    assert answer.status_code in (400, 401), answer.content


@pytest.mark.row("S43")
def test_two_tokens_are_not_the_better_one(tenant: RunningTenant, running: RunningCloud) -> None:
    connection = running.wire._connection()
    for first, second in (("as_member", "as_admin"), ("as_admin", "as_member")):
        connection.putrequest("GET", ADMINS[0])
        connection.putheader("X-Auth-Token", getattr(tenant.cloud, first).token)
        connection.putheader("X-Auth-Token", getattr(tenant.cloud, second).token)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (400, 401, 403)


# --- S44


def role_of(newcomer: Newcomer) -> str:
    return str(newcomer.admin.get(f"{IDENTITY}/roles?name=member").json()["roles"][0]["id"])


ENDS: dict[str, Callable[[Newcomer], Any]] = {
    "role revoked": lambda one: one.admin.delete(
        f"{IDENTITY}/projects/{one.project}/users/{one.user}/roles/{role_of(one)}"),
    "user disabled": lambda one: one.admin.patch(f"{IDENTITY}/users/{one.user}", {"user": {"enabled": False}}),
    "project disabled": lambda one: one.admin.patch(
        f"{IDENTITY}/projects/{one.project}", {"project": {"enabled": False}}),
    "user deleted": lambda one: one.admin.delete(f"{IDENTITY}/users/{one.user}"),
    "project deleted": lambda one: one.admin.delete(f"{IDENTITY}/projects/{one.project}"),
    "password changed": lambda one: one.person.post(
        f"{IDENTITY}/users/{one.user}/password",
        {"user": {"original_password": NEWCOMERS, "password": NEWCOMERS + "!"}}),
    "password set by an administrator": lambda one: one.admin.patch(
        f"{IDENTITY}/users/{one.user}", {"user": {"password": NEWCOMERS + "!"}}),
    "logged out": lambda one: one.person.delete(TOKENS, headers={"X-Subject-Token": one.person.token or ""}),
}  # fmt: skip


@pytest.mark.row("S44")
@pytest.mark.parametrize("end", ENDS)
def test_a_token_ends_with_what_it_rests_on(running: RunningCloud, end: str) -> None:
    """In every process within the cache's five seconds; tokens made of it end as well."""
    newcomer = Newcomer(running)
    scope = {"project": {"id": newcomer.project}}
    again = newcomer.person.post(
        TOKENS, {"auth": {"identity": {"methods": ["token"], "token": {"id": newcomer.person.token}}, "scope": scope}}
    )
    assert again.status_code == 201, again.content
    made_of_it = Person(again.headers["X-Subject-Token"], client=running.wire)
    assert newcomer.person.get(SERVERS).status_code == 200 and made_of_it.get(SERVERS).status_code == 200
    assert again.json()["token"]["expires_at"] <= newcomer.admin.get(
        TOKENS, headers={"X-Subject-Token": newcomer.person.token or ""}
    ).json()["token"]["expires_at"]  # fmt: skip
    assert ENDS[end](newcomer).status_code < 300
    # a log-out ends the one token it names, as in Keystone
    for person in (newcomer.person, made_of_it)[: 1 if end == "logged out" else 2]:
        wait_for(end, lambda person=person: person.get(SERVERS).status_code in (401, 403), 8)


# --- S45


def attempts(running: RunningCloud, bodies: dict[str, dict[str, Any]], rounds: int) -> dict[str, list[Any]]:
    """Answers to logins, the kinds in turn, so that whatever else the machine does meets all alike."""
    found: dict[str, list[Any]] = {kind: [] for kind in bodies}
    for number in range(rounds):
        for kind, body in bodies.items():
            person = running.nobody(f"127.3.{secrets.randbelow(250)}.{number % 250 + 1}")
            found[kind].append(person.post(TOKENS, body))
    return found


@pytest.mark.row("S45")
def test_a_login_tells_nobody_which_accounts_exist(running: RunningCloud, tenant: RunningTenant) -> None:
    """Two hundred tries: an account that is there and one that is not take the same time, within a tenth."""
    admin = tenant.cloud.as_admin
    off = admin.post(f"{IDENTITY}/users", {"user": {"name": "switched-off", "password": PASSWORD, "enabled": False}})
    assert off.status_code == 201, off.content
    kinds = {
        "wrong password": login("member-a", "wrong"),
        "unknown": login("nobody-has-this-name", "wrong"),
        "disabled, right password": login("switched-off", PASSWORD),
        "disabled, wrong password": login("switched-off", "wrong"),
        "unknown domain": login("member-a", "wrong", domain={"name": "no-such"}),
        "unknown id": with_password({"user": {"id": "f" * 32, "password": "x"}}),
    }
    told = attempts(running, kinds, 12)  # more than an account may fail in a minute: some are locked by now
    plain = {re.sub(r"req-[0-9a-f-]+", "", one.text) for answers in told.values() for one in answers}
    assert len(plain) == 1 and {one.status_code for answers in told.values() for one in answers} == {401}
    pair = {kind: kinds[kind] for kind in ("wrong password", "unknown")}
    for _last in range(4):
        times = {kind: median(one.seconds for one in answers) for kind, answers in attempts(running, pair, 100).items()}
        known, unknown = times.values()
        if abs(known - unknown) < 0.1 * max(known, unknown):
            return
    pytest.fail(f"medians differ in every round, the last: {times}")


# --- S46


@pytest.mark.row("S46")
def test_long_passwords_and_many_methods_cost_nothing(running: RunningCloud) -> None:
    """Refused before any hash: the quickest of several tries is far quicker than one hash."""
    hashed = min(running.nobody("127.4.0.1").post(TOKENS, login("demo", "wrong")).seconds for _ in range(5))
    tries = {
        "a megabyte": login("demo", "x" * 1024**2),
        "as much as the door lets in": login("demo", "x" * 250_000),
        "more than 128": login("demo", "x" * 129),
        "many methods": with_password({"user": {"name": "demo", "password": "x"}}, ["password"] * 20_000),
        "many users": with_password({"user": [{"name": "demo", "password": "x"}] * 1000}),
    }
    for what, body in tries.items():
        answers = [running.nobody("127.4.0.2").post(TOKENS, body) for _ in range(5)]
        assert {one.status_code for one in answers} <= {400, 413}, (what, answers[0].content)
        assert min(one.seconds for one in answers) < max(0.1, hashed), what


@pytest.mark.row("S46")
def test_passwords_rest_as_argon2(running: RunningCloud, tenant: RunningTenant) -> None:
    with running.database() as connection:
        kept = [one for (one,) in connection.execute("SELECT password FROM identity_user")]
    assert kept and all(one.startswith(("argon2", "!")) or not one for one in kept), {one[:12] for one in kept}


# --- S47


ADMIN = {"name": "admin", "domain": {"id": "default"}}
HALF = [
    {"methods": [], "password": {"user": ADMIN}},
    {"methods": ["password"], "password": {"user": ADMIN}},
    {"methods": ["password"], "password": {"user": {**ADMIN, "password": None}}},
    {"methods": ["password"], "password": {"user": {**ADMIN, "password": ""}}},
    {"methods": ["password"], "password": {"user": {**ADMIN, "password": True}}},
    {"methods": ["password", "token"], "password": {"user": {**ADMIN, "password": "no"}}, "token": {"id": "x"}},
    {"methods": ["external"], "external": {}},
    {"methods": ["totp"], "totp": {"user": {**ADMIN, "passcode": "1"}}},
    {"methods": ["application_credential"], "application_credential": {"id": "x", "secret": ""}},
    {"methods": ["token"], "token": {"id": ""}},
    {"methods": ["token"], "token": {}},
    {},
    None,
]


@pytest.mark.row("S47")
@pytest.mark.parametrize("identity", HALF, ids=lambda one: str(one)[:50])
def test_no_step_of_a_login_can_be_left_out(running: RunningCloud, identity: Any) -> None:
    answer = running.nobody("127.4.0.3").post(TOKENS, {"auth": {"identity": identity}, "tfa-challenge": "x"})
    assert answer.status_code in (400, 401) and "X-Subject-Token" not in answer.headers
    answer = running.nobody("127.4.0.3").post(TOKENS, {"auth": {"identity": identity}})
    assert answer.status_code in (400, 401) and "X-Subject-Token" not in answer.headers


@pytest.mark.row("S47")
def test_an_unknown_word_is_refused_even_with_the_right_password(running: RunningCloud) -> None:
    person = {"name": "knows-the-password", "password": "rather a long one 1"}  # nobody else's failures throttle it
    assert running.admin().post("/identity/v3/users", {"user": person}).status_code == 201
    good = login(person["name"], person["password"])
    nobody = running.nobody("127.4.0.4")
    assert nobody.post(TOKENS, good).status_code == 201
    for extra in ("tfa-challenge", "is_admin", "roles", "user_id", "trust", "OS-TRUST:trust"):
        for place in (good, good["auth"], good["auth"]["identity"], good["auth"]["identity"]["password"]["user"]):
            place[extra] = "x"
            answer = nobody.post(TOKENS, good)
            assert answer.status_code == 400 and "X-Subject-Token" not in answer.headers
            del place[extra]


# --- S48


NAMES = ("admin", "demo", "root", "nova", "administrator")
WORDS = (
    "admin", "password", "secret", "demo", "nova", "root", "123456", "12345678", "changeme", "openstack", "stack",
    "devstack", "nomoresecret", "default", "cloud", "computecloud", "letmein", "admin123", "Passw0rd", "qwerty",
)  # fmt: skip


@pytest.mark.row("S48")
def test_no_known_default_opens_a_fresh_cloud(running: RunningCloud) -> None:
    """A hundred pairs at the API, from enough addresses that each is really tried; some of them at the admin pages."""
    for number, word in enumerate(WORDS):
        for name in NAMES:
            answer = running.nobody(f"127.5.0.{number + 1}").post(TOKENS, login(name, word))
            assert answer.status_code == 401, (name, word, answer.status_code)
    for word in WORDS[:6]:
        assert not enters(running, "admin", word), word


def enters(running: RunningCloud, name: str, password: str) -> bool:
    """Whether the admin pages let somebody in."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    base = f"http://127.0.0.1:{running.port}"
    form = opener.open(f"{base}/admin/login/", timeout=20).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert token
    fields = {"csrfmiddlewaretoken": token[1], "username": name, "password": password, "next": "/admin/"}
    request = urllib.request.Request(f"{base}/admin/login/", urllib.parse.urlencode(fields).encode())
    request.add_header("Referer", f"{base}/admin/login/")
    try:
        opener.open(request, timeout=20)
        return "Log out" in opener.open(f"{base}/admin/", timeout=20).read().decode()
    except urllib.error.HTTPError as refused:
        assert refused.code < 500
        return False


@pytest.mark.row("S48")
def test_the_secrets_are_this_clouds_own(running: RunningCloud) -> None:
    assert enters(running, "admin", running.secrets["admin_password"]), "else a refusal would prove nothing"
    assert (running.state / "secrets.toml").stat().st_mode & 0o077 == 0
    assert all(len(value) >= 20 for value in running.secrets.values())
    for value in running.secrets.values():
        found = subprocess.run(["git", "grep", "-qF", "-e", value], cwd=CHECKOUT)
        assert found.returncode == 1
