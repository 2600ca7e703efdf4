"""The form of an answer in JSON, as POST /complete and `nextchar complete` write it.

The command line imports this module without a web framework, so it is separate from schema.py.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from model.decoding.options import CharProbability, Completion


def answer_form(
    length: int,
    completion: Completion,
    alternatives: Iterable[Completion],
    following: Iterable[tuple[str, float]],
    model: str,
) -> dict[str, Any]:
    """The answer for a text of `length` characters, without the fields that depend on a session.

    `following` holds the most probable next characters and their probabilities.
    """
    return {
        "length": length,
        "completion": completion.text,
        "confidence": completion.confidence,
        "chars": characters(completion.chars),
        "alternatives": tuple(
            {"completion": other.text, "confidence": other.confidence} for other in alternatives
        ),
        "next": tuple(
            {"character": character, "probability": probability}
            for character, probability in following
        ),
        "finish_reason": completion.finish_reason,
        "model": model,
    }


def characters(chars: Sequence[CharProbability]) -> tuple[dict[str, Any], ...]:
    """Predicted characters in the form of answers and streams."""
    return tuple({"text": char.text, "probability": char.probability} for char in chars)
