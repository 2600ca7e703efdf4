"""The forms that errors have in the protocols of others; which one a path answers in."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.errors import Problem

LLAMA_CPP_PATHS = ("/infill", "/health")
OPENAI_PATHS = "/v1/"


class LlamaCppError(BaseModel):
    """What went wrong, as llama.cpp's server says it."""

    code: int = Field(description="The HTTP status.")
    message: str
    type: str = Field(examples=["invalid_request_error", "unavailable_error"])


class LlamaCppErrorBody(BaseModel):
    """The body of an error of llama.cpp's server."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": 400,
                        "message": "input_prefix: expected, but missing",
                        "type": "invalid_request_error",
                    }
                }
            ]
        }
    )

    error: LlamaCppError


class OpenAIError(BaseModel):
    """What went wrong, as OpenAI's API says it."""

    message: str
    type: str = Field(examples=["invalid_request_error", "server_error"])
    param: str | None = Field(description="The field at fault.")
    code: str | None = Field(examples=["model_not_found"])


class OpenAIErrorBody(BaseModel):
    """The body of an error of OpenAI's API."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "message": "max_tokens: Input should be a valid integer",
                        "type": "invalid_request_error",
                        "param": "max_tokens",
                        "code": None,
                    }
                }
            ]
        }
    )

    error: OpenAIError


_LLAMA_CPP_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    500: "server_error",
    503: "unavailable_error",
}
# What OpenAI's clients know under names of its own; the rest of the invalid requests has no code.
_OPENAI_CODES = {
    "invalid_json": None,
    "invalid_request": None,
    "not_supported": "unsupported_parameter",
    "too_large": "context_length_exceeded",
    "unsupported_media_type": None,
    "unknown_model": "model_not_found",
    "not_found": "unknown_url",
}


def llama_cpp(problem: Problem) -> tuple[int, dict[str, Any]]:
    """The status and body of an error of llama.cpp's server."""
    status = _status(problem)
    kind = _LLAMA_CPP_TYPES.get(status, "invalid_request_error")
    if problem.code == "too_large":
        kind = "exceed_context_size_error"
    return status, {"error": {"code": status, "message": problem.message, "type": kind}}


def openai(problem: Problem) -> tuple[int, dict[str, Any]]:
    """The status and body of an error of OpenAI's API."""
    status = _status(problem)
    return status, {
        "error": {
            "message": problem.message,
            "type": "invalid_request_error" if status < 500 else "server_error",
            "param": problem.field,
            "code": _OPENAI_CODES.get(problem.code, problem.code),
        }
    }


def _status(problem: Problem) -> int:
    """Both know one status for all that is wrong in a body."""
    return 400 if problem.status in (413, 415, 422) else problem.status
