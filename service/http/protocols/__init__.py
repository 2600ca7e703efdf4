"""Other protocols as thin adapters over the same core."""

from service.errors import Problem

# The codes with which a completion request in another protocol may be refused.
COMPLETION_ERRORS = (
    "invalid_json",
    "unknown_model",
    "too_large",
    "unsupported_media_type",
    "invalid_request",
    "not_supported",
    "overloaded",
)


def status_of(problem: Problem) -> int:
    """The HTTP status of a problem, for protocols with one status for all errors in a body."""
    return 400 if problem.status in (413, 415, 422) else problem.status
