"""What Identity tells clients, in Keystone's words."""

from __future__ import annotations

from computecloud.core.errors import Conflict, Forbidden, Invalid, NotFound, TooManyRequests


class ActionForbidden(Forbidden):
    message = "You are not authorized to perform the requested action: {action}."


class EntityNotFound(NotFound):
    """``kind`` is Keystone's word for the thing; ``id`` what was asked for."""

    message = "Could not find {kind}: {id}."


class TokenNotFound(NotFound):
    message = "Could not find token."


class Duplicate(Conflict):
    message = "Conflict occurred attempting to store {kind} - Duplicate entry found with {fact}."


class DomainStillEnabled(Forbidden):
    message = (
        "You are not authorized to perform the requested action: "
        "Cannot delete a domain that is enabled, please disable it first."
    )


class Immutable(Forbidden):
    message = "You are not authorized to perform the requested action: {what} cannot be changed or deleted."


class InvalidReference(Invalid):
    message = "Invalid input for field '{field}': {reason}"


class TooManyLogins(TooManyRequests):
    message = "Too many failed logins from this address; try again in a minute."

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "60"}
