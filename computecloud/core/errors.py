"""The tree of errors that a client may see. Each carries an HTTP status; ``http.faults`` writes the envelope."""

from __future__ import annotations

from typing import ClassVar


class CloudError(Exception):
    """Base of everything a client is told. ``message`` is a template filled from keywords."""

    status: ClassVar[int] = 500
    message: ClassVar[str] = "The server has either erred or is incapable of performing the requested operation."

    def __init__(self, text: str | None = None, /, **facts: object) -> None:
        self.facts = facts
        super().__init__(text if text is not None else self.message.format(**facts))

    @property
    def headers(self) -> dict[str, str]:
        """Extra answer headers."""
        return {}


class Invalid(CloudError):
    status = 400
    message = "The request is invalid."


class Unauthorized(CloudError):
    status = 401
    message = "The request you have made requires authentication."


class Forbidden(CloudError):
    status = 403
    message = "You are not authorized to perform the requested action."


class OverQuota(Forbidden):
    message = "Quota exceeded for {resource}: Requested {requested}, but already used {used} of {limit} {resource}"


class NotFound(CloudError):
    status = 404
    message = "The resource could not be found."


class MethodNotAllowed(CloudError):
    status = 405
    message = "The method is not allowed for this resource."


class NotAcceptable(CloudError):
    status = 406
    message = "Not acceptable."


class Conflict(CloudError):
    status = 409
    message = "The request conflicts with the state of the resource."


class Gone(CloudError):
    status = 410
    message = "This resource is no longer available. No forwarding address is given."


class TooLarge(CloudError):
    status = 413
    message = "The request is too large."


class UnsupportedMedia(CloudError):
    status = 415
    message = "Unsupported Content-Type"


class TooManyRequests(CloudError):
    status = 429
    message = "Too many requests; try again later."


class Unsupported(CloudError):
    status = 501
    message = "Not implemented."


class Unavailable(CloudError):
    status = 503
    message = "The service is temporarily unavailable; try again."

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}
