"""The real Identity service for tests: its own rows, real logins and tokens."""

from __future__ import annotations

from typing import Any

from integrations.identity import bootstrap
from integrations.identity.models import Domain, Project, Role, User
from tests.support.client import Person

TOKENS = "/identity/v3/auth/tokens"
PASSWORD = "correct horse battery"


def password_login(name: str, password: str = PASSWORD, **more: Any) -> dict[str, Any]:
    """The body of a password login; ``scope=...`` as a keyword, ``domain=`` for another domain's user."""
    user = {"name": name, "password": password, "domain": {"id": more.pop("domain", "default")}}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, **more}}


def project_scope(name: str) -> dict[str, Any]:
    return {"project": {"name": name, "domain": {"id": "default"}}}


class World:
    """A bootstrapped cloud: admin, ann (member of red), bob (member of blue), eve (nothing)."""

    def __init__(self) -> None:
        self.anonymous = Person(None)
        bootstrap.ensure({"admin": PASSWORD, "demo": PASSWORD})
        self.red = bootstrap.ensure_project("red")
        self.blue = bootstrap.ensure_project("blue")
        self.ann = self.user("ann")
        self.bob = self.user("bob")
        self.eve = self.user("eve")
        bootstrap.grant(self.ann, self.role("member"), self.red)
        bootstrap.grant(self.bob, self.role("member"), self.blue)

    def role(self, name: str) -> Role:
        return Role.objects.get(name=name, domain=None)

    def user(self, name: str) -> User:
        return bootstrap.ensure_user(name, PASSWORD)[0]

    def log_in(self, name: str, scope: Any = None, password: str = PASSWORD, **more: Any) -> Any:
        """The answer to a login."""
        body = password_login(name, password, **({"scope": scope} if scope else {}), **more)
        return self.anonymous.post(TOKENS, body)

    def person(self, name: str, project: str | None = None, **more: Any) -> Person:
        """Somebody logged in, with a token for a project or for ``scope=...``."""
        scope = project_scope(project) if project else more.pop("scope", None)
        answer = self.log_in(name, scope, **more)
        assert answer.status_code == 201, answer.content
        return Person(answer.headers["X-Subject-Token"])

    @property
    def admin(self) -> Person:
        return self.person("admin", "admin")

    def second_domain(self) -> tuple[Domain, User, Project]:
        """A domain with a manager of its own (``dora``) and one project (``green``)."""
        domain = Domain.objects.create(name="Second")
        project = Project.objects.create(name="green", domain=domain)
        dora = User.objects.create_user("dora", PASSWORD, domain_id=domain.id)
        dora.assignments.create(role=self.role("manager"), domain=domain)
        return domain, dora, project
