"""The bodies of HTTP requests and responses, with the examples that OpenAPI shows."""

from typing import Annotated, Any, NoReturn, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from model.decoding import FinishReason, Options

SESSION_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"
# The largest integer that every JSON reader keeps exactly (RFC 8259, section 6).
LARGEST_EXACT_INTEGER = 2**53 - 1
MAX_CHARS = 1000
MAX_TOP = 256
MAX_STOPS = 16
MAX_STOP_CHARACTERS = 64

_DEFAULTS = Options()


def _not_yet(value: Any) -> NoReturn:
    raise PydanticCustomError("not_supported", "this version does not have this field yet")


def _utf8(value: str) -> str:
    """Refuses lone surrogates, which JSON can escape and no UTF-8 text can hold."""
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


Text = Annotated[str, AfterValidator(_utf8)]
NotYet = SkipJsonSchema[Annotated[None, BeforeValidator(_not_yet)]]
Session = Annotated[
    str,
    Field(
        pattern=SESSION_PATTERN,
        description="Names the session: 1 to 128 of A-Z a-z 0-9 . _ : -",
        examples=["editor-1"],
    ),
]
Stop = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS), AfterValidator(_utf8)]


class Strict(BaseModel):
    """A body that takes no unknown field and converts no type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Edit(Strict):
    """A change of the text that the service holds at `version`."""

    version: int = Field(ge=0, le=LARGEST_EXACT_INTEGER, description="The last answer's version.")
    keep: int = Field(
        ge=0, le=LARGEST_EXACT_INTEGER, description="How many characters (code points) stay."
    )
    append: Text = Field(description="What then follows them, up to the cursor.")


class CompleteRequest(Strict):
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
            ]
        }
    )

    session: Session | None = None
    prefix: Text | None = Field(None, description="The whole text before the cursor.")
    edit: Edit | None = Field(None, description="A change, in place of `prefix`.")
    suffix: Text = Field("", description="The text after the cursor, which is never repeated.")
    max_chars: int = Field(
        _DEFAULTS.max_chars, ge=0, le=MAX_CHARS, description="The longest suggestion."
    )
    min_confidence: float = Field(
        _DEFAULTS.min_confidence,
        ge=0,
        le=1,
        description="The suggestion ends before the probability that all of it is right falls "
        "below this.",
    )
    stop: list[Stop] = Field(
        [], max_length=MAX_STOPS, description="Strings that end the suggestion."
    )
    top: int = Field(
        0, ge=0, le=MAX_TOP, description="How many of the most probable next characters to return."
    )
    model: str | None = Field(None, description="A name of GET /models; the first when absent.")
    n: NotYet = None
    temperature: NotYet = None
    top_k: NotYet = None
    top_p: NotYet = None
    seed: NotYet = None
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
        """What decoding needs to know."""
        return Options(
            max_chars=self.max_chars,
            min_confidence=self.min_confidence,
            stop=tuple(self.stop),
            suffix=self.suffix,
        )


class Character(Strict):
    """A predicted character and its probability, given all before it."""

    text: str
    probability: float


class Characters(Strict):
    """Further characters of an answer that is still being made; none is taken back."""

    chars: tuple[Character, ...]


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
    """One loaded model."""

    name: str
    fingerprint: str
    default: bool


class ModelList(Strict):
    """All loaded models, the default first."""

    models: tuple[ModelEntry, ...]


class Status(Strict):
    """Whether the process lives, or is ready."""

    status: str
