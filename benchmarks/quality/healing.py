"""Token healing: how a model of tokens continues a text that ends in the middle of a token.

The last tokens of the text are taken away, and what comes next must begin with their characters.
All tokens that begin with these, or with which a spelling of them may begin, are weighed, the most
probable first. They are the covering of a text by tokens (Vieira et al., "From Language Models over
Tokens to Language Models over Characters", 2024).
"""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The next token's distribution, shape (tokens,).
Probabilities = NDArray[np.float32]

MOST_TOKENS_TAKEN_AWAY = 8
# How many spellings of the characters that were taken away are followed.
MOST_SPELLINGS = 8


class Pieces:
    """The bytes of each token, sorted, so that tokens with the same beginning are neighbours.

    A token without bytes controls the model and is no text.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = tuple(pieces)
        order = sorted(range(len(pieces)), key=self._pieces.__getitem__)
        self._order = np.array(order)
        self._sorted = [self._pieces[token] for token in order]
        # More than one token may have the same bytes: a character, and the byte that spells it.
        self._tokens: dict[bytes, list[int]] = {}
        for token, piece in enumerate(pieces):
            if piece:
                self._tokens.setdefault(piece, []).append(token)

    def __getitem__(self, token: int) -> bytes:
        return self._pieces[token]

    def beginning(self, start: bytes) -> NDArray[np.int64]:
        """The tokens whose bytes begin with `start`."""
        low = bisect_left(self._sorted, start)
        # No UTF-8 text has a byte 255, so this sorts behind all tokens that begin with `start`.
        high = bisect_left(self._sorted, start + b"\xff" * 4, low)
        return self._order[low:high]

    def leading(self, text: bytes) -> list[int]:
        """The tokens whose bytes are a beginning of `text`, but not all of it."""
        return [
            token for length in range(1, len(text)) for token in self._tokens.get(text[:length], ())
        ]


@dataclass(frozen=True)
class TokenChoice:
    """The most probable spelling, and what it adds to the characters that were taken away.

    `right` has for each byte of `added` the probability that it and all bytes before it are right.
    `probability` is that of the spelling itself.
    """

    tokens: tuple[int, ...]
    added: bytes
    right: tuple[float, ...]
    probability: float


@dataclass(frozen=True)
class _Spelling:
    """Tokens that leave `rest` to be spelt, their probability, and what may follow them."""

    tokens: tuple[int, ...]
    probability: float
    rest: bytes
    following: Probabilities


def choose(
    pieces: Pieces, start: bytes, after: Callable[[tuple[int, ...]], Probabilities]
) -> TokenChoice | None:
    """The most probable tokens that begin with `start`, or the most probable token if it is empty.

    `after` gives the distribution of the token that follows some others. The result is None where
    the model cannot spell `start`, or ends the text there.
    """
    waiting: list[tuple[float, tuple[int, ...], bytes]] = [(-1.0, (), start)]
    expanded: list[_Spelling] = []
    best = 0.0
    tokens: tuple[int, ...] = ()
    last = -1
    while waiting and -waiting[0][0] > best and len(expanded) < MOST_SPELLINGS:
        negative, path, rest = heapq.heappop(waiting)
        following = after(path)
        expanded.append(_Spelling(path, -negative, rest, following))
        begun = pieces.beginning(rest)
        if len(begun):
            token = int(begun[following[begun].argmax()])
            if -negative * float(following[token]) > best:
                best, tokens, last = -negative * float(following[token]), path, token
        for token in pieces.leading(rest):
            probable = negative * float(following[token])
            heapq.heappush(waiting, (probable, (*path, token), rest[len(pieces[token]) :]))
    if last < 0 or not pieces[last]:
        return None
    spelled = b"".join(pieces[token] for token in (*tokens, last))
    total = _mass(pieces, expanded, b"")
    right = tuple(
        _mass(pieces, expanded, spelled[len(start) : length]) / total
        for length in range(len(start) + 1, len(spelled) + 1)
    )
    return TokenChoice((*tokens, last), spelled[len(start) :], right, best / total)


def taken_away(last: Sequence[bytes]) -> int:
    """How many of a text's last tokens are taken away: those of its last word and its space.

    `last` has the bytes of the last tokens, in the order of the text.
    """
    for count, piece in enumerate(reversed(last[-MOST_TOKENS_TAKEN_AWAY:]), 1):
        if piece[:1].isspace():
            return count
    return min(len(last), MOST_TOKENS_TAKEN_AWAY)


def _mass(pieces: Pieces, expanded: Sequence[_Spelling], added: bytes) -> float:
    """The probability that `added` follows the characters that were taken away."""
    return sum(
        spelling.probability
        * float(spelling.following[pieces.beginning(spelling.rest + added)].sum())
        for spelling in expanded
    )
