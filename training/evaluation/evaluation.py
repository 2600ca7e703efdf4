"""The evaluation of a checkpoint on texts: bits a character and the simulated typist's figures."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from model.decoding.options import Options
from model.served import Runtime
from training.evaluation.figures import Session, TypistFigures, figures, type_with
from training.evaluation.flicker import Flicker, flicker, flicker_in_all
from training.evaluation.scoring import Progress, ignore, mean_bits, read
from training.evaluation.suggestions import Suggestions, suggest
from training.evaluation.timing import Milliseconds, time_suggestions

# `evaluate` goes over a text this often: once to read it, once to decode suggestions.
PASSES = 2
# A state is kept every so often along a text: this is the distance in characters. In a stretch
# between two states, positions are decoded one after another; all stretches are decoded side by
# side.
STRETCH = 512


@dataclass(frozen=True)
class DocumentFigures:
    """The figures of one document."""

    name: str
    bits_per_character: float
    typist: TypistFigures

    def to_json(self) -> dict[str, Any]:
        """One flat object."""
        row = {"name": self.name, "bits_per_character": self.bits_per_character}
        return row | asdict(self.typist)


@dataclass(frozen=True)
class Evaluation:
    """The figures over all documents, and each document's own.

    `flicker` is a share of the keys that typed the first character of the shown text: those after
    which its rest was not kept or continued. None where there was no such key.
    """

    model: str
    fingerprint: str
    adapted: bool
    options: Options
    bits_per_character: float
    typist: TypistFigures
    flicker: float | None
    milliseconds_per_suggestion: Milliseconds
    documents: tuple[DocumentFigures, ...]

    def to_json(self) -> dict[str, Any]:
        """One object: the figures, the options, and a list of the documents' figures."""
        return {
            "model": self.model,
            "fingerprint": self.fingerprint,
            "adapted": self.adapted,
            "max_chars": self.options.max_chars,
            "min_confidence": self.options.min_confidence,
            **asdict(self.typist),
            "bits_per_character": self.bits_per_character,
            "flicker": self.flicker,
            "milliseconds_per_suggestion": asdict(self.milliseconds_per_suggestion),
            "documents": [document.to_json() for document in self.documents],
        }


def evaluate(
    runtime: Runtime,
    texts: Sequence[tuple[str, str]],
    options: Options,
    progress: Progress = ignore,
) -> Evaluation:
    """Evaluates the runtime's checkpoint on named texts, each of which is one document.

    `texts` are pairs of a name and a text. `progress` is called with numbers of characters that are
    done; each character counts `PASSES` times. Raises ValueError where there is no text, or an
    empty one.
    """
    names, bodies = [name for name, _ in texts], [body for _, body in texts]
    if not all(bodies) or not bodies:
        raise ValueError("texts to evaluate on: at least one, and none of them empty")
    readings = read(runtime, bodies, STRETCH, progress)
    suggestions = suggest(runtime, bodies, readings, options, progress)
    sessions = [
        type_out(text, source, options) for text, source in zip(bodies, suggestions, strict=True)
    ]
    return Evaluation(
        model=runtime.checkpoint.name,
        fingerprint=runtime.fingerprint,
        adapted=runtime.adaptation is not None,
        options=options,
        bits_per_character=mean_bits(readings),
        typist=figures(sessions),
        flicker=flicker_in_all(
            [
                flicker_of(text, source, options)
                for text, source in zip(bodies, suggestions, strict=True)
            ]
        ).share,
        milliseconds_per_suggestion=time_suggestions(runtime, bodies, readings, options),
        documents=tuple(
            DocumentFigures(name, float(reading.bits.mean()), figures([session]))
            for name, reading, session in zip(names, readings, sessions, strict=True)
        ),
    )


def sweep(
    runtime: Runtime,
    texts: Sequence[str],
    choices: Sequence[Options],
    progress: Progress = ignore,
) -> list[TypistFigures]:
    """The typist's figures under each of several options, with only one decoding.

    The choices may differ only in `max_chars` and `min_confidence`.
    """
    loosest = replace(
        choices[0],
        max_chars=max(choice.max_chars for choice in choices),
        min_confidence=min(choice.min_confidence for choice in choices),
    )
    readings = read(runtime, texts, STRETCH, progress)
    suggestions = suggest(runtime, texts, readings, loosest, progress)
    return [
        figures(
            [type_out(text, source, c) for text, source in zip(texts, suggestions, strict=True)]
        )
        for c in choices
    ]


def type_out(text: str, suggestions: Suggestions, options: Options) -> Session:
    """Types a whole text with the suggestions that `options` show at its positions."""
    return type_with(text, lambda position: suggestions.shown(position, options))


def flicker_of(text: str, suggestions: Suggestions, options: Options) -> Flicker:
    """The flicker of the suggestions that `options` show along a text."""
    return flicker(text, lambda position: suggestions.shown(position, options).text)
