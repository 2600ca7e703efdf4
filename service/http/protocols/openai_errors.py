"""The error format of OpenAI's API."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.errors import Problem
from service.http.error_format import ErrorFormat
from service.http.protocols import status_of


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


# OpenAI's names for our codes, where they differ; None where OpenAI gives no code.
_CODES = {
    "invalid_json": None,
    "invalid_request": None,
    "not_supported": "unsupported_parameter",
    "too_large": "context_length_exceeded",
    "unsupported_media_type": None,
    "unknown_model": "model_not_found",
    "not_found": "unknown_url",
}


def _render(problem: Problem) -> tuple[int, dict[str, Any]]:
    status = status_of(problem)
    return status, {
        "error": {
            "message": problem.message,
            "type": "invalid_request_error" if status < 500 else "server_error",
            "param": problem.field,
            "code": _CODES.get(problem.code, problem.code),
        }
    }


OPENAI_ERRORS = ErrorFormat(
    render=_render,
    model=OpenAIErrorBody,
    long_texts={"prompt": "prompt", "suffix": "suffix"},
    paths=("/v1/", "/tokenize", "/detokenize", "/tokenizer_info"),
)
