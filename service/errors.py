"""Every error of the service: one exception tree, and one list of codes with their status."""

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as field_of
from types import MappingProxyType
from typing import Any, ClassVar


@dataclass(frozen=True)
class Code:
    """One code of the error format: its HTTP status, and what it means."""

    status: int
    meaning: str


CODES: Mapping[str, Code] = MappingProxyType(
    {
        "invalid_json": Code(400, "The body is not JSON in UTF-8."),
        "invalid_request": Code(422, "A field has a wrong type or value, or is unknown."),
        "not_supported": Code(
            422, "A field of another protocol asks for what does not exist here."
        ),
        "unsupported_media_type": Code(
            415,
            "The body is declared as something else than JSON, or in another encoding than gzip.",
        ),
        "too_large": Code(413, "The body, or one of its texts, is over the service's limit."),
        "forbidden_origin": Code(403, "A web page of another origin may not open a WebSocket."),
        "unknown_model": Code(404, "No model of that name is loaded; GET /models lists them."),
        "not_found": Code(404, "There is nothing at this path."),
        "method_not_allowed": Code(405, "The path knows other methods than this one."),
        "resync": Code(
            409,
            "The service does not hold the text that the edit starts from; `version` is what it "
            "holds, or null. Send the whole text as `prefix`.",
        ),
        "superseded": Code(409, "A newer request of the same session took this one's place."),
        "client_gone": Code(499, "The client left before its answer was ready."),
        "overloaded": Code(503, "Too many requests are waiting; try again after `Retry-After`."),
        "store_unavailable": Code(
            503, "The sessions' store does not answer; try after `Retry-After`, or send `prefix`."
        ),
        "not_ready": Code(503, "The service cannot answer completions now."),
        "internal": Code(500, "A fault of the service; its log says where."),
    }
)

# How long a client should wait before it tries again, if the queue is full or the store is away.
RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True)
class Problem:
    """What a client is told about an error: one of CODES, a message, and the field at fault.

    `field` is the dotted name of that field. `more` holds further fields, which only the service's
    own error format has.
    """

    code: str
    message: str
    field: str | None = None
    more: Mapping[str, Any] = field_of(default_factory=dict)

    @property
    def status(self) -> int:
        return CODES[self.code].status


class StartupError(Exception):
    """The service cannot start; the message is one line for the person who started it."""


class ServiceError(Exception):
    """The base of all errors that refuse a request.

    `field` is the dotted name of the field at fault. If `retry` is true, the answer has a
    Retry-After header.
    """

    code: ClassVar[str] = "internal"
    retry: ClassVar[bool] = False

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    @property
    def problem(self) -> Problem:
        """What the client is told."""
        return Problem(self.code, self.message, self.field)


class InvalidJson(ServiceError):
    """What was sent is not JSON."""

    code = "invalid_json"


class UnsupportedMediaType(ServiceError):
    """A body in an encoding that is not decoded here."""

    code = "unsupported_media_type"


class InvalidRequest(ServiceError):
    """A field with a wrong value."""

    code = "invalid_request"


class TooLarge(ServiceError):
    """A text, a body or a message over the limit."""

    code = "too_large"


class ForbiddenOrigin(ServiceError):
    """A web page of another origin asked for a WebSocket."""

    code = "forbidden_origin"


class UnknownModel(ServiceError):
    """A request named a model that is not loaded."""

    code = "unknown_model"


class Resync(ServiceError):
    """An edit of a text that the service does not hold; `version` is the held one, or None."""

    code = "resync"

    def __init__(self, message: str, version: int | None, field: str = "edit.version") -> None:
        super().__init__(message, field)
        self.version = version

    @property
    def problem(self) -> Problem:
        return Problem(self.code, self.message, self.field, {"version": self.version})


class Superseded(ServiceError):
    """A newer request of the same session arrived."""

    code = "superseded"


class ClientGone(ServiceError):
    """The client closed its connection."""

    code = "client_gone"


class Overloaded(ServiceError):
    """Too many requests are waiting."""

    code = "overloaded"
    retry = True


class StoreUnavailable(ServiceError):
    """The sessions' store does not answer, and the request cannot be served without it."""

    code = "store_unavailable"
    retry = True


class NotReady(ServiceError):
    """The service runs, but it cannot answer completions."""

    code = "not_ready"
    retry = True


class ComputationFailed(ServiceError):
    """The computation of one request failed, or a call that its whole batch shares."""


def log_fault(log: logging.Logger, error: BaseException) -> None:
    """Logs the type of an error and where it was raised, but not its message.

    A message may quote text that a person has typed, and such text must never be logged.
    """
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s.%s\n%s", type(error).__module__, type(error).__name__, frames)


def computation_failed(log: logging.Logger, error: Exception) -> ComputationFailed:
    """Logs an error that ended a computation, and returns what its caller is told."""
    log_fault(log, error)
    return ComputationFailed("the computing of this request failed; the service's log says where")
