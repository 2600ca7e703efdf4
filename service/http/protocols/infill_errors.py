"""The error format of llama.cpp's server."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.errors import Problem
from service.http.error_format import ErrorFormat
from service.http.protocols import status_of


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


_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    500: "server_error",
    503: "unavailable_error",
}


def _render(problem: Problem) -> tuple[int, dict[str, Any]]:
    status = status_of(problem)
    kind = _TYPES.get(status, "invalid_request_error")
    if problem.code == "too_large":
        kind = "exceed_context_size_error"
    return status, {"error": {"code": status, "message": problem.message, "type": kind}}


LLAMA_CPP_ERRORS = ErrorFormat(
    render=_render,
    model=LlamaCppErrorBody,
    long_texts={
        "input_prefix": "input_prefix",
        "input_suffix": "input_suffix",
        "prompt": "prompt",
        "text": "input_extra",
    },
    paths=("/infill", "/health"),
)
