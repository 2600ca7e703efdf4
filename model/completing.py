"""One completion in one process: the whole text absorbed from its start, then decoded.

This is the reference for the project's invariant: however a service saves work, its answers equal
the ones computed here, bit for bit.
"""

from dataclasses import dataclass

from model.adaptation import Adaptation, Page, page_text, window_start
from model.decoding.next_step import next_characters
from model.decoding.options import CHARACTERS_BEFORE, Completion, Options
from model.decoding.running import Decoding, Phase
from model.decoding.stepping import step_and_predict
from model.runtime import Pool
from model.served import Runtime
from model.text_form import START


@dataclass(frozen=True)
class CompletedText:
    """A completion, the other candidates, and the most probable next characters."""

    completion: Completion
    alternatives: tuple[Completion, ...]
    next: tuple[tuple[str, float], ...]


def complete(
    runtime: Runtime, prefix: str, options: Options | None = None, top: int = 0
) -> CompletedText:
    """The completion of a prefix, and its `top` most probable next characters.

    The prefix and the options are in the form of a document, and so is the result. Raises TextError
    where the vocabulary cannot spell the prefix.
    """
    page = runtime.adaptation.page() if runtime.adaptation else None
    options = options or Options()
    cursor = START.after(prefix)
    answers = cursor.answers(options)
    decoding = decoding_at(
        runtime,
        cursor.read_options(options),
        START.form(prefix),
        cursor.read,
        page,
        top=top > 0,
    )
    decode(runtime.pool(decoding.width), runtime.adaptation, decoding)
    decoder = decoding.decoder
    following: tuple[tuple[str, float], ...] = ()
    if decoder.next is not None:
        following = answers.following(next_characters(runtime.vocabulary, decoder.next, top))
    return CompletedText(
        answers.completion(decoder.completion),
        answers.completions(decoder.alternatives),
        following,
    )


def decoding_at(
    runtime: Runtime,
    options: Options,
    text: str,
    position: int,
    page: Page | None,
    state: bytes | None = None,
    absorbed: int = 0,
    *,
    top: bool = False,
    kept_steps: int = 0,
) -> Decoding:
    """The decoding at a position of a text, from the `state` after its first `absorbed` characters.

    The text and the options are in the form that training reads (model.text_form).
    Where the runtime adapts, a `page` is needed, and is brought to that position. For `top` and
    `kept_steps` see Decoding.
    """
    decoding = Decoding(
        runtime,
        options,
        (text[absorbed:position],) if absorbed < position else (),
        start=state,
        before=text[max(0, position - CHARACTERS_BEFORE) : position],
        length=position,
        top=top,
        kept_steps=kept_steps,
    )
    if page is not None:
        window = text[window_start(position) : position]
        page.follow(page_text(window, position, options.suffix))
        decoding.begin_at(page.cursor())
    return decoding


def decode(pool: Pool, adaptation: Adaptation | None, decoding: Decoding) -> None:
    """Computes one decoding to its end, without any other in the batch."""
    decoding.enter(pool)
    while decoding.phase is not Phase.FINISHED:
        step_and_predict(pool, adaptation, [decoding])
    decoding.leave(pool)
