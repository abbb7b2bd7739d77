"""Logging in to the pages: by the Identity service, for cloud administrators, asked anew on every request."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest
from unfold.forms import AuthenticationForm

from computecloud.core.errors import TooManyRequests, Unauthorized, Unavailable
from integrations.identity import facade
from integrations.identity.models import User

TOO_MANY = "Too many failed logins from this address. Try again in a minute."


class IdentityBackend(BaseBackend):
    """Users of the default domain who hold the admin role; taking the role away ends their session's rights at once."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **more: Any
    ) -> User | None:
        """The administrator, or None: a wrong password and a lack of rights look the same."""
        if username is None or password is None:
            return None
        try:
            user = facade.login(username, password, request)
        except Unauthorized:
            return None
        return facade.cloud_admin(user.id)

    def get_user(self, user_id: Any) -> User | None:
        """The session's user as of now, or None when no longer an administrator."""
        return facade.cloud_admin(str(user_id))


class LoginForm(AuthenticationForm):  # type: ignore[misc]  # the theme is untyped
    """Name and password. Nothing typed is ever shown again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name = self.fields["username"]
        name.label = "User name"
        name.max_length = 255
        name.widget.attrs |= {"maxlength": "255", "autocomplete": "username"}
        self.fields["password"].max_length = 128

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
        except (TooManyRequests, Unavailable):
            raise forms.ValidationError(TOO_MANY, code="throttled") from None
        return cleaned
