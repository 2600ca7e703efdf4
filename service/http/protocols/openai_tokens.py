"""Characters as tokens, over vLLM's calls: `POST /tokenize`, `POST /detokenize`, `/tokenizer_info`.

lm-evaluation-harness looks for these calls, and counts the characters of a context with them. The
number of a character is its Unicode code point.
"""

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, PlainValidator
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from service.http.protocols.openai_errors import OPENAI_ERRORS
from service.http.schema import Text, WholeNumbers

# What stands before a text whose beginning is scored, too: most texts begin with a new line.
BEFORE_A_TEXT = "\n"
ERRORS = OPENAI_ERRORS.responses(
    "invalid_json", "too_large", "unsupported_media_type", "invalid_request"
)

# The code points of characters, which leave out the surrogates.
CODE_POINTS = (range(0xD800), range(0xE000, 0x110000))


def _code_point(number: Any) -> int:
    # JSON has one kind of number: 97.0 is an integer there.
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    # A bool is an int in Python.
    if type(number) is not int or not any(number in each for each in CODE_POINTS):
        raise PydanticCustomError("code_point", "expected the code point of a character")
    return number


CodePoint = Annotated[
    int,
    PlainValidator(_code_point),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": each[0], "maximum": each[-1]} for each in CODE_POINTS
            ]
        }
    ),
]


class TokenizeRequest(WholeNumbers):
    """A text. Fields that vLLM has beside it change nothing."""

    model_config = ConfigDict(frozen=True, strict=True)

    prompt: Text


class TokenizeResponse(BaseModel):
    """The numbers of a text's characters."""

    tokens: list[int]
    count: int


class DetokenizeRequest(WholeNumbers):
    """The numbers of a text's characters."""

    model_config = ConfigDict(frozen=True, strict=True)

    tokens: list[CodePoint]


class DetokenizeResponse(BaseModel):
    """The text."""

    prompt: str


class TokenizerInfo(BaseModel):
    """What stands before a text, and that nothing stands behind it."""

    tokenizer_class: str = "characters"
    bos_token: str = BEFORE_A_TEXT
    eos_token: None = None


def add_routes(app: FastAPI) -> None:
    """Adds the routes."""

    @app.post("/tokenize", tags=["OpenAI"], summary="vLLM: a text as numbers", responses=ERRORS)
    def tokenize(body: TokenizeRequest) -> TokenizeResponse:
        """A character's number is its code point. Prompts of numbers are refused all the same."""
        return TokenizeResponse(tokens=[ord(c) for c in body.prompt], count=len(body.prompt))

    @app.post("/detokenize", tags=["OpenAI"], summary="vLLM: numbers as a text", responses=ERRORS)
    def detokenize(body: DetokenizeRequest) -> DetokenizeResponse:
        """The text whose characters have these numbers."""
        return DetokenizeResponse(prompt="".join(map(chr, body.tokens)))

    @app.get("/tokenizer_info", tags=["OpenAI"], summary="vLLM: what the tokens are")
    def tokenizer_info() -> TokenizerInfo:
        """Tokens are characters; a line end stands before a text."""
        return TokenizerInfo()
