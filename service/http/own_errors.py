"""The service's own error format, for every path that belongs to no other protocol."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.errors import CODES, Problem
from service.http.error_format import ErrorFormat


class ErrorDetail(BaseModel):
    """What was wrong, what was expected, what to do."""

    code: str = Field(description="One of the codes in this description's list.")
    message: str
    field: str | None = Field(None, description="The dotted name of the field at fault.")
    version: int | None = Field(None, description="With `resync`: the version held, or null.")


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "invalid_request",
                        "message": "edit.keep: Input should be greater than or equal to 0",
                        "field": "edit.keep",
                    }
                }
            ]
        }
    )

    error: ErrorDetail


def _render(problem: Problem) -> tuple[int, dict[str, Any]]:
    detail: dict[str, Any] = {"code": problem.code, "message": problem.message}
    if problem.field:
        detail["field"] = problem.field
    return problem.status, {"error": detail | dict(problem.more)}


OWN_ERRORS = ErrorFormat(
    render=_render,
    model=ErrorBody,
    long_texts={"prefix": "prefix", "append": "edit.append", "suffix": "suffix"},
)


def table() -> str:
    """All codes as a table in Markdown, for the description of the API."""
    rows = [f"| `{name}` | {code.status} | {code.meaning} |" for name, code in CODES.items()]
    return "\n".join(["| code | status | meaning |", "| --- | --- | --- |", *rows])
