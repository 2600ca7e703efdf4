"""The bodies of OpenAI's completions and models, as its documentation describes them.

https://platform.openai.com/docs/api-reference/completions, read in November 2026. Tokens are
characters here. Every documented field is known, and those that other servers add
(openai_foreign.py). A field that would change the text in a way that this service lacks (penalties,
`logit_bias`) is refused unless its value is neutral. Prompts of token numbers are refused.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from service.http.protocols.neutral import Neutral
from service.http.protocols.openai_foreign import ForeignFields
from service.http.schema import MAX_STOP_CHARACTERS, MAX_STOPS, Text, WholeNumbers, utf8

MOST_PROMPTS = 128
# So many prompts of a request are computed at once. The others wait until one of them is done, so
# that a long list leaves room for other clients.
MOST_PROMPTS_AT_ONCE = 16
MOST_CHOICES = 16
# How many characters all candidates that are computed at once may have together; each has an equal
# share.
MOST_CHARACTERS = 4_096
MOST_LOGPROBS = 5
# Of so many characters of prompts an answer has the probabilities, counted once for each choice
# that shows them. Writing them takes the event loop 30 ms, in which it answers nobody else.
MOST_SCORED_CHARACTERS = 16_384
DEFAULT_MAX_TOKENS = 16

_TEXT: dict[str, Any] = {"type": "string"}
_STOP: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_STOP_CHARACTERS}


def _one_or_many(schema: dict[str, Any], most: int) -> WithJsonSchema:
    array = {"type": "array", "items": schema, "maxItems": most}
    return WithJsonSchema({"anyOf": [schema, array, {"type": "null"}]})


def _texts(value: Any, most: int) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise PydanticCustomError("texts", "expected a text, or an array of texts")
    if len(given) > most:
        raise PydanticCustomError("texts", "expected at most {most} texts", {"most": most})
    return tuple(utf8(text) for text in given)


def _prompts(value: Any) -> tuple[str, ...]:
    return _texts(value, MOST_PROMPTS) or ("",)


def _stops(value: Any) -> tuple[str, ...]:
    texts = _texts(value, MAX_STOPS)
    if not all(1 <= len(text) <= MAX_STOP_CHARACTERS for text in texts):
        raise PydanticCustomError(
            "stops", "expected texts of 1 to {most} characters", {"most": MAX_STOP_CHARACTERS}
        )
    return texts


Prompts = Annotated[tuple[str, ...], PlainValidator(_prompts), _one_or_many(_TEXT, MOST_PROMPTS)]
Stops = Annotated[tuple[str, ...], PlainValidator(_stops), _one_or_many(_STOP, MAX_STOPS)]
Count = Annotated[int, Field(ge=0)]
Choices = Annotated[int, Field(ge=1, le=MOST_CHOICES)]
Penalty = Annotated[Any, Neutral((0, None))]


class _Body(WholeNumbers):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class StreamOptions(_Body):
    """What a stream has beside the text."""

    include_usage: bool | None = Field(
        None, description="Whether an event before the end gives the usage."
    )
    include_obfuscation: bool | None = Field(
        None, description="Nothing is hidden by the length of events here; it changes nothing."
    )


class CompletionRequest(_Body, ForeignFields):
    """What follows a prompt."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "python", "prompt": "import nu", "max_tokens": 16, "temperature": 0}
            ],
        }
    )

    model: Text | None = Field(None, description="A name of GET /v1/models; else the first one.")
    prompt: Prompts = Field(("",), description="A text to go on from, or up to 128 of them.")
    suffix: Text | None = Field(None, description="The text that follows; it is never repeated.")
    max_tokens: Count | None = Field(
        None,
        description="The most characters that follow, 16 by default; over 1,000 are 1,000, and all "
        "choices that are computed at once have 4,096 together, in equal shares.",
    )
    max_completion_tokens: Count | None = Field(
        None, description="Another name of `max_tokens`; the smaller of the two counts."
    )
    temperature: float | None = Field(1, ge=0, le=2, description="0 takes the most probable.")
    top_p: float | None = Field(1, ge=0, le=1)
    top_k: Annotated[int, Field(ge=-1)] | None = Field(
        0, description="Not of OpenAI; 0 and -1 keep every character."
    )
    min_p: float | None = Field(0, ge=0, le=1, description="Not of OpenAI.")
    n: Choices | None = Field(1, description="Choices for each prompt.")
    best_of: Choices | None = Field(
        None, description="Of so many the n most probable are returned."
    )
    stop: Stops = Field((), description="A text that ends a choice, or up to 64 of them.")
    seed: int | None = Field(
        None,
        description="With the same one, modulo 2⁶⁴, the same text; without one another each time.",
    )
    echo: bool | None = Field(False, description="Whether choices begin with the prompt.")
    logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] | None = Field(
        None,
        description="So many of the most probable characters in each place; with `echo` also in "
        "the prompt, all choices together at most 16,384 characters of it.",
    )
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    presence_penalty: Penalty = 0
    frequency_penalty: Penalty = 0
    logit_bias: Annotated[Any, Neutral(({}, [], None))] = None
    user: str | None = Field(None, description="It changes nothing.")

    @property
    def limit(self) -> int:
        """The most characters that follow, by whichever name."""
        asked = (self.max_tokens, self.max_completion_tokens)
        return min((each for each in asked if each is not None), default=DEFAULT_MAX_TOKENS)

    @property
    def scores_prompts(self) -> bool:
        """Whether the answer has the probabilities of the prompts' characters."""
        return bool(self.echo) and self.logprobs is not None


class Logprobs(BaseModel):
    """The probabilities of a choice's characters, as logarithms; offsets count from the prompt.

    The first character of a prompt has none, as in OpenAI's API.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class Choice(BaseModel):
    """One text that may follow."""

    text: str
    index: int
    logprobs: Logprobs | None
    finish_reason: Literal["stop", "length"]


class PromptTokensDetails(BaseModel):
    """What the prompt cost: `cached_tokens` of it were known already."""

    cached_tokens: int


class CompletionUsage(BaseModel):
    """How many characters went in and came out."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


class CompletionResponse(BaseModel):
    """The choices for all prompts."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: CompletionUsage


class ModelObject(BaseModel):
    """One loaded model."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="When this process loaded it, in seconds of Unix time.")
    owned_by: str = "nextchar"


class ModelObjects(BaseModel):
    """All loaded models, the default first."""

    object: Literal["list"] = "list"
    data: list[ModelObject]
