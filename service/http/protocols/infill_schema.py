"""The bodies of llama.cpp's `POST /infill`, as its server's documentation describes them.

https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md, read in November 2026.
Tokens are characters here. As in that server, unknown fields have no effect. Fields that only
control how that server works inside (slots, caches, the order of samplers, adapters, the time for
the prompt) have no effect either. A field that would change the text in a way that this service
lacks is refused unless its value is neutral.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from model.decoding.options import BOUNDS, MOST_ALTERNATIVES
from service.http.protocols.neutral import Neutral
from service.http.schema import MAX_STOP_CHARACTERS, MAX_STOPS, Text, WholeNumbers, utf8

MOST_PIECES = 256
MOST_FIELDS = 64
# With these values llama.cpp's clients ask for a random seed.
ANY_SEED = (-1, 2**32 - 1)

Stop = Annotated[str, Field(max_length=MAX_STOP_CHARACTERS), AfterValidator(utf8)]
Nothing = Annotated[Any, Neutral((0, None))]
One = Annotated[Any, Neutral((1, None))]


class Piece(BaseModel):
    """A piece of another file, or of this one further off."""

    model_config = ConfigDict(frozen=True, strict=True)

    text: Text
    filename: Text = Field("", description="It changes nothing.")


class InfillRequest(WholeNumbers):
    """What stands around the cursor."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {"input_prefix": "import os\n", "prompt": "import nu", "input_suffix": "\n"},
            ]
        },
    )

    input_prefix: Text = Field(description="The lines before the cursor's.")
    input_suffix: Text = Field(description="The text after the cursor, which is never repeated.")
    prompt: Text = Field("", description="The cursor's line, up to the cursor.")
    input_extra: list[Piece] = Field(
        [],
        max_length=MOST_PIECES,
        description="Pieces of other files, the latest one last: the last 4,096 characters of "
        "whole pieces are read while no more than that stands before the cursor.",
    )
    n_predict: int = Field(
        -1,
        ge=-1,
        description="The most characters that follow; 0 only reads, -1 and all over 1,000 are "
        "1,000.",
    )
    n_indent: int = Field(
        0,
        ge=0,
        description="The least indentation of further lines; 0 is that of the cursor's line.",
    )
    n_cmpl: Annotated[int, Field(ge=1, le=MOST_ALTERNATIVES)] | None = Field(
        None,
        description="So many alternatives, most probable first; above 1 the answer is an array.",
    )
    temperature: float | None = Field(
        None,
        le=BOUNDS["temperature"].most,
        description="Up to 0, and without one, the most probable text follows.",
    )
    top_k: int = Field(40, description="Where a temperature is given; up to 0 it keeps all.")
    top_p: float = Field(0.95, description="Where a temperature is given; from 1 on it keeps all.")
    min_p: float = Field(0.05, le=BOUNDS["min_p"].most, description="Where a temperature is given.")
    seed: int = Field(-1, ge=-1, lt=2**32, description="-1 draws one.")
    stop: list[Stop] = Field([], max_length=MAX_STOPS)
    stream: bool = False
    t_max_predict_ms: float = Field(
        0, description="Once a line is complete, no more is predicted after so long; 0 is no limit."
    )
    response_fields: list[str] = Field(
        [],
        max_length=MOST_FIELDS,
        description="What to answer, and no more; `timings/prompt_n` is a field of that name.",
    )
    model: Text = Field("", description="A name of GET /models; the first when empty.")

    id_slot: Any = Field(None, description="It changes nothing, as the next five.")
    cache_prompt: Any = None
    samplers: Any = None
    t_max_prompt_ms: Any = None
    lora: Any = None
    return_tokens: Any = None
    grammar: Annotated[Any, Neutral(("", None))] = None
    json_schema: Annotated[Any, Neutral((None,))] = None
    logit_bias: Annotated[Any, Neutral(([], {}, None))] = None
    n_probs: Nothing = 0
    mirostat: Nothing = 0
    presence_penalty: Nothing = 0
    frequency_penalty: Nothing = 0
    repeat_penalty: One = 1
    dry_multiplier: Nothing = 0
    xtc_probability: Nothing = 0
    typical_p: One = 1


class Timings(BaseModel):
    """How long it took: to read what was new, `prompt_n` characters, and to predict."""

    cache_n: int = Field(description="Characters of the text that were known already.")
    prompt_n: int
    prompt_ms: float
    prompt_per_token_ms: float
    prompt_per_second: float
    predicted_n: int
    predicted_ms: float
    predicted_per_token_ms: float
    predicted_per_second: float


class InfillResponse(BaseModel):
    """One text that may follow. With `response_fields` the answer has those alone."""

    index: int
    content: str
    tokens: list[int] = Field(description="Empty: characters have no numbers to tell.")
    id_slot: int
    stop: bool
    model: str
    tokens_predicted: int
    tokens_evaluated: int = Field(description="Characters of the text.")
    generation_settings: dict[str, Any]
    prompt: str = Field(description="The text before the cursor as it was read.")
    has_new_line: bool
    truncated: bool = Field(description="Whether less was read than was sent.")
    stop_type: Literal["none", "eos", "limit", "word"]
    stopping_word: str
    tokens_cached: int = Field(description="Characters of the text that were known already.")
    timings: Timings


class Health(BaseModel):
    """That the service can answer."""

    status: Literal["ok"] = "ok"
