"""A user: AUTH_USER_MODEL of the whole product."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models

from computecloud.core.ids import new_hex
from integrations.identity.models.domain import DEFAULT_DOMAIN_ID, Domain


class UserManager(BaseUserManager["User"]):
    """Makes users whose password is stored hashed."""

    def create_user(self, name: str, password: str | None = None, **columns: object) -> User:
        """A new user, in the default domain unless ``domain_id`` says otherwise."""
        user = self.model(name=name, **{"domain_id": DEFAULT_DOMAIN_ID, **columns})
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person or program that can log in. Names are unique per domain, so Django's "username" is the id.

    ``grants_version`` grows whenever the user's roles may have changed, ``password_version`` with each new password:
    tokens carry both numbers and are looked at again, or ended, when they differ.
    """

    id = models.CharField(primary_key=True, max_length=64, default=new_hex)
    name = models.CharField(max_length=255)
    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="users")
    email = models.CharField(max_length=255, blank=True, default="")
    description = models.TextField(blank=True, default="")
    enabled = models.BooleanField(default=True)
    default_project_id = models.CharField(max_length=64, null=True, blank=True)
    options = models.JSONField(default=dict, blank=True)
    extra = models.JSONField(default=dict, blank=True)  # a client's own properties; nothing here reads them
    grants_version = models.PositiveIntegerField(default=0, editable=False)
    password_version = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "id"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("domain", "name"), name="user_name_in_domain"),)

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """Django's word for enabled."""
        return self.enabled

    @property
    def is_staff(self) -> bool:
        """Whether the model admin is open: cloud administrators only (see ``dashboard.backends``)."""
        return self.enabled and self.is_superuser

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name
