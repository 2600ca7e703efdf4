"""Fields that other servers add to OpenAI's completions, and that their clients send here too.

They are those of vLLM, of llama.cpp's server, and of OpenAI's other calls, read in November 2026. A
field that only controls how a server works inside changes nothing here, and so does one that is
about special tokens, which characters lack. A field that would change the answer is refused unless
its value is neutral.
"""

from typing import Annotated, Any

from pydantic import Field

from service.http.protocols.neutral import Neutral
from service.http.schema import WholeNumbers

Anything = Annotated[Any, Field(description="It changes nothing.")]
Zero = Annotated[Any, Neutral((0, None))]
One = Annotated[Any, Neutral((1, None))]
No = Annotated[Any, Neutral((False, None))]
Nothing = Annotated[Any, Neutral((None,))]
Empty = Annotated[Any, Neutral(([], None))]


class ForeignFields(WholeNumbers):
    """The fields of other servers."""

    # vLLM: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
    repetition_penalty: One = None
    length_penalty: One = None
    min_tokens: Zero = None
    use_beam_search: No = None
    include_stop_str_in_output: No = None
    return_token_ids: No = None
    return_tokens_as_token_ids: No = None
    stop_token_ids: Empty = None
    bad_words: Empty = None
    allowed_token_ids: Nothing = None
    prompt_logprobs: Nothing = None
    prompt_embeds: Nothing = None
    truncate_prompt_tokens: Nothing = None
    logits_processors: Nothing = None
    structured_outputs: Nothing = None
    guided_json: Nothing = None
    guided_regex: Nothing = None
    guided_choice: Nothing = None
    guided_grammar: Nothing = None
    ignore_eos: Anything = None
    add_special_tokens: Anything = None
    skip_special_tokens: Anything = None
    spaces_between_special_tokens: Anything = None
    priority: Anything = None
    request_id: Anything = None
    cache_salt: Anything = None

    # llama.cpp: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
    repeat_penalty: One = None
    typical_p: One = None
    dynatemp_range: Zero = None
    dry_multiplier: Zero = None
    xtc_probability: Zero = None
    mirostat: Zero = None
    n_probs: Zero = None
    t_max_predict_ms: Zero = None
    top_n_sigma: Annotated[Any, Neutral((-1, None))] = None
    grammar: Annotated[Any, Neutral(("", None))] = None
    json_schema: Nothing = None
    repeat_last_n: Anything = None
    cache_prompt: Anything = None
    id_slot: Anything = None
    samplers: Anything = None
    t_max_prompt_ms: Anything = None
    lora: Anything = None
    return_tokens: Anything = None
    timings_per_token: Anything = None

    # OpenAI's other calls: https://platform.openai.com/docs/api-reference
    response_format: Annotated[Any, Neutral(({"type": "text"}, None))] = None
    metadata: Anything = None
    store: Anything = None
    service_tier: Anything = None
    prompt_cache_key: Anything = None
    safety_identifier: Anything = None
