"""The bodies of HTTP requests and responses, with the examples that OpenAPI shows."""

from dataclasses import fields
from math import inf
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from model.decoding.options import BOUNDS, FinishReason, Options

SESSION_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"
# The largest integer that every JSON reader keeps exactly (RFC 8259, section 6).
LARGEST_EXACT_INTEGER = 2**53 - 1
MAX_CHARS = 1000
MAX_TOP = 256
MAX_STOPS = 64
MAX_STOP_CHARACTERS = 64


def option(name: str, description: str, le: int | None = None) -> Any:
    """A field for the decoding option of this name, with the option's default and bounds.

    `le` is an upper bound for HTTP, in place of the option's own.
    """
    bounds = BOUNDS[name]
    most = bounds.most if le is None else le
    return Field(
        getattr(Options, name),
        ge=None if bounds.above else bounds.least,
        gt=bounds.least if bounds.above else None,
        le=None if most == inf else most,
        description=description,
    )


def utf8(value: str) -> str:
    """Refuses lone surrogates, which JSON can write as escapes but UTF-8 cannot encode."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise PydanticCustomError(
                "lone_surrogate",
                "expected Unicode text, but character {position} is a lone surrogate",
                {"position": error.start},
            ) from None
    return value


Text = Annotated[str, AfterValidator(utf8)]
Session = Annotated[
    str,
    Field(
        pattern=SESSION_PATTERN,
        description="Names the session: 1 to 128 of A-Z a-z 0-9 . _ : -",
        examples=["editor-1"],
    ),
]
Stop = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS), AfterValidator(utf8)]


class Strict(BaseModel):
    """A body that refuses unknown fields and does not convert types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class WholeNumbers(BaseModel):
    """Takes 1.0 as an integer, too, as JSON does (JSON Schema, section 6.1.1)."""

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, sent: Any) -> Any:
        if not isinstance(sent, dict):
            return sent
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in sent.items()
        }


class Edit(WholeNumbers, Strict):
    """A change of the text that the service holds at `version`."""

    version: int = Field(ge=0, le=LARGEST_EXACT_INTEGER, description="The last answer's version.")
    keep: int = Field(
        ge=0, le=LARGEST_EXACT_INTEGER, description="How many characters (code points) stay."
    )
    append: Text = Field(description="What then follows them, up to the cursor.")


class CompleteRequest(WholeNumbers, Strict):
    """One keystroke: the text before the cursor, whole or as a change, and what is wanted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"prefix": "import nu"},
                {"session": "editor-1", "prefix": "def main():\n    ", "top": 3},
                {
                    "session": "editor-1",
                    "edit": {"version": 2702159776422298, "keep": 11, "append": " # the st"},
                },
                {"prefix": "for name in ", "n": 3, "trigger": "manual"},
                {"prefix": "def main():\n", "max_lines": 8, "max_chars": 200, "stream": True},
            ],
            "oneOf": [
                {
                    "properties": {"prefix": {"type": "string"}, "edit": {"type": "null"}},
                    "required": ["prefix"],
                },
                {
                    "properties": {"edit": {"type": "object"}, "prefix": {"type": "null"}},
                    "required": ["edit"],
                },
            ],
        }
    )

    session: Session | None = None
    prefix: Text | None = Field(None, description="The whole text before the cursor.")
    edit: Edit | None = Field(None, description="A change, in place of `prefix`.")
    suffix: Text = Field("", description="The text after the cursor, which is never repeated.")
    max_chars: int = option("max_chars", "The longest suggestion.", le=MAX_CHARS)
    min_confidence: float = option(
        "min_confidence",
        "The suggestion ends before the probability that all of it is right falls below this.",
    )
    stop: list[Stop] = Field(
        default_factory=list, max_length=MAX_STOPS, description="Strings that end the suggestion."
    )
    top: int = Field(
        0, ge=0, le=MAX_TOP, description="How many of the most probable next characters to return."
    )
    model: str | None = Field(None, description="A name of GET /models; the first when absent.")
    n: int = option("n", "How many suggestions to look for.")
    temperature: float = option(
        "temperature", "0 takes the most probable; above it suggestions are drawn."
    )
    top_k: int = option("top_k", "Draws from so many characters; 0 is all.")
    top_p: float = option(
        "top_p", "Draws from the fewest characters that together are so probable."
    )
    min_p: float = option(
        "min_p",
        "Draws from characters that are at least so many times as probable as the most probable "
        "one.",
    )
    seed: int = option("seed", "The same seed draws the same.", le=LARGEST_EXACT_INTEGER)
    max_lines: int = option(
        "max_lines",
        "The most lines of a suggestion; above 1 it ends where the indentation falls back.",
    )
    trigger: Literal["automatic", "manual"] = Field(
        Options.trigger,
        description="`manual` shows the best there is, whatever the confidence.",
    )
    stream: bool = Field(
        False, description="Whether to answer with server-sent events as the answer is made."
    )

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if (self.prefix is None) == (self.edit is None):
            raise PydanticCustomError(
                "prefix_or_edit",
                "expected exactly one of prefix and edit, got {got}",
                {"field": "prefix", "got": "none" if self.prefix is None else "both"},
            )
        return self

    @property
    def options(self) -> Options:
        """The options of decoding: the fields that are named like an option."""
        values = {name: getattr(self, name) for name in OPTION_FIELDS}
        return Options(**values | {"stop": tuple(self.stop)})


# The fields that are named like a decoding option; each one sets that option.
OPTION_FIELDS = tuple(
    each.name for each in fields(Options) if each.name in CompleteRequest.model_fields
)


class Character(Strict):
    """A predicted character and its probability, given all before it."""

    text: str
    probability: float


class NextCharacter(Strict):
    """A character that may come next."""

    character: str
    probability: float


class Alternative(Strict):
    """Another completion, less probable."""

    completion: str
    confidence: float


class Usage(Strict):
    """What the answer cost."""

    characters_absorbed: int = Field(description="Characters of the text that were new.")
    steps_computed: int = Field(description="Steps of the network that this request computed.")
    steps_reused: int = Field(description="Steps kept from the prediction that was running.")


class CompleteResponse(Strict):
    """The answer to one keystroke."""

    session: str
    version: int = Field(description="Names the text as the service holds it now; for `edit`.")
    length: int = Field(description="Characters (code points) of the text before the cursor.")
    completion: str
    confidence: float = Field(description="The probability that all of `completion` is right.")
    chars: tuple[Character, ...]
    alternatives: tuple[Alternative, ...] = ()
    next: tuple[NextCharacter, ...]
    finish_reason: FinishReason
    model: str
    usage: Usage
    degraded: bool = Field(
        description="True when the sessions' store was away: the answer is right, but the session "
        "was not kept."
    )


class ModelEntry(Strict):
    """One loaded model; one that `adapts` takes up what the text at hand repeats."""

    name: str
    fingerprint: str
    default: bool
    adapts: bool


class ModelList(Strict):
    """All loaded models, the default first."""

    models: tuple[ModelEntry, ...]


class Status(Strict):
    """Whether the process lives, or is ready."""

    status: str
