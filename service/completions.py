"""One request from end to end: read the session, plan, compute, settle, write the session."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from model.decoding.options import CharProbability, Options
from model.errors import TextError
from model.served import Runtime
from model.text_form import AnswerForm, Place
from service.batching.scheduler import Scheduler
from service.batching.sequence import Computed, Job
from service.errors import InvalidRequest, Resync, StoreUnavailable, TooLarge
from service.models import Models
from service.sessions.rules import Change, Plan, TextEdit, WholeText, plan, settle
from service.sessions.storage import HeldSession, SessionStorage
from service.sessions.superseding import Superseding
from service.stores import TimeBudget, session_key

Chars = tuple[CharProbability, ...]
# Takes the number of a completion and further characters of it; called on any thread.
OnChars = Callable[[int, Chars], None]

# How many times a request is computed at most. It is computed again when another writer has written
# the session in the meantime.
MOST_ATTEMPTS = 4


@dataclass(frozen=True)
class Question:
    """What a request asks: a text, whole or as a change, and how to complete it.

    Each of `options` asks for one completion. `model` is the name of a loaded model, or None for
    the default. `top` is above 0 if the probabilities of the next character are wanted. `on_chars`
    is called with the characters of a completion as soon as they are certain. Once
    `predict_seconds` have passed since the first character was chosen, decoding ends as soon as
    the completion has a line end. `text_field` and `suffix_field` are the client's names for its
    text and its suffix; errors use them. `form` is that of the answer, None if the text before the
    cursor decides it.
    """

    change: Change
    options: tuple[Options, ...]
    model: str | None = None
    top: int = 0
    on_chars: OnChars | None = None
    predict_seconds: float | None = None
    text_field: str = "prefix"
    suffix_field: str = "suffix"
    form: AnswerForm | None = None


@dataclass(frozen=True)
class Answer:
    """What was computed for each of the options, after a text of `length` characters.

    `absorbed` counts the characters of the text that were new. The completions are written in
    `form`. `stored` says whether the store took the session.
    """

    runtime: Runtime
    version: int
    length: int
    absorbed: int
    computed: tuple[Computed, ...]
    form: AnswerForm
    stored: bool


class Completions:
    """Answers completion requests and deletes sessions, for any number of models."""

    def __init__(
        self,
        models: Models,
        storage: SessionStorage,
        scheduler: Scheduler,
        max_prefix_characters: int,
    ) -> None:
        self._models = models
        self._storage = storage
        self._scheduler = scheduler
        self._max_prefix_characters = max_prefix_characters
        self._superseding = Superseding()

    async def answer(
        self, tenant: str, session: str, question: Question, source: str | None = None
    ) -> Answer:
        """The answer to a request; raises a ServiceError if it cannot be answered.

        A new session may start from the record of another session, `source`, which does not change.
        """
        runtime = self._models.choose(question.model)
        self._check_question(question)
        key = session_key(tenant, session)
        source_key = key if source is None else session_key(tenant, source)
        work = self._answer(key, source_key, runtime, question)
        return await self._superseding.run(key, work)

    async def delete(self, tenant: str, session: str) -> None:
        """Leaves nothing of a session, and ends its running request; raises StoreUnavailable."""
        key = session_key(tenant, session)
        self._superseding.end(key)
        await self._scheduler.forget(key)
        await self._storage.delete(key)

    async def _answer(
        self, key: str, source_key: str, runtime: Runtime, question: Question
    ) -> Answer:
        change, budget = question.change, self._storage.time_budget()
        held = await self._read(source_key, change, budget)
        if source_key != key:
            # The session is new, so the write must expect no value under its key.
            held = replace(held, token=b"")
        for _ in range(MOST_ATTEMPTS):
            try:
                planned = plan(held.record, change, runtime.fingerprint, runtime.state_size)
            except Resync:
                if not held.assumed:
                    raise
                # The store may hold a text that the edit fits.
                held = await self._read(key, change, budget, assume=False)
                continue
            self._check_length(planned.length, question.text_field)
            form = question.form or planned.cursor.answers(question.options[0])
            asked = _as_read(question, planned.cursor, form)
            computed = await self._compute(key, runtime, planned, asked)
            record = settle(planned, computed[0].states)
            outcome = await self._storage.write(key, held, record, budget)
            if outcome.conflict is None:
                break
            held = outcome.conflict
        if held.assumed and not outcome.stored:
            _check_is_whole(change)
        return Answer(
            runtime=runtime,
            version=planned.version,
            length=planned.length,
            absorbed=len(planned.absorb),
            computed=tuple(_written(each, form) for each in computed),
            form=form,
            stored=outcome.stored,
        )

    async def _read(
        self, key: str, change: Change, budget: TimeBudget, assume: bool = True
    ) -> HeldSession:
        """The session; raises StoreUnavailable where the store is away and the change needs it."""
        held = await self._storage.read(key, budget, assume)
        if not held.stored:
            _check_is_whole(change)
        return held

    async def _compute(
        self, key: str, runtime: Runtime, planned: Plan, question: Question
    ) -> tuple[Computed, ...]:
        """One result for each of the options; the first result has the states at the marks."""
        job = Job(
            runtime=runtime,
            session=key,
            start=planned.start.state if planned.start else None,
            origin=planned.origin,
            end=planned.end,
            pieces=planned.pieces,
            options=question.options[0],
            top=question.top,
            length=planned.cursor.read,
            window=planned.window,
            on_chars=_listener(question, 0),
            predict_seconds=question.predict_seconds,
        )
        try:
            if len(question.options) == 1:
                return (await self._scheduler.compute(job),)
            return await self._compute_several(job, question)
        except TextError as error:
            raise InvalidRequest(str(error), question.text_field) from error

    async def _compute_several(self, job: Job, question: Question) -> tuple[Computed, ...]:
        """Absorbs the text once, then decodes all completions from its end at the same time."""
        absorbing = replace(job, options=Options(max_chars=0), on_chars=None)
        absorbed = await self._scheduler.compute(absorbing)
        end = absorbed.states[-1] if absorbed.states else job.start
        decoding = [
            replace(
                job,
                start=end,
                origin=job.end,
                pieces=(),
                options=options,
                top=0,
                on_chars=_listener(question, number),
            )
            for number, options in enumerate(question.options)
        ]
        tasks = [asyncio.create_task(self._scheduler.compute(each)) for each in decoding]
        try:
            first, *others = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        whole = replace(
            first,
            states=absorbed.states,
            next=absorbed.next,
            steps_computed=absorbed.steps_computed + first.steps_computed,
            seconds_absorbing=absorbed.seconds_absorbing,
        )
        return (whole, *others)

    def _check_question(self, question: Question) -> None:
        change = question.change
        given = change.text if isinstance(change, WholeText) else change.append
        self._check_length(len(given), question.text_field)
        self._check_length(len(question.options[0].suffix), question.suffix_field)

    def _check_length(self, characters: int, field: str) -> None:
        if characters > self._max_prefix_characters:
            raise TooLarge(
                f"{field} makes a text of {characters} characters; "
                f"at most {self._max_prefix_characters} are taken",
                field,
            )


def _check_is_whole(change: Change) -> None:
    if isinstance(change, TextEdit):
        raise StoreUnavailable(
            "the sessions' store does not answer, and an edit needs the text in it; "
            "send the whole text as prefix, or try again",
            "edit",
        )


def _as_read(question: Question, cursor: Place, form: AnswerForm) -> Question:
    """The question with options for the text that is read, and a listener that gets the `form`."""
    options, tell = tuple(map(cursor.read_options, question.options)), question.on_chars
    if form.as_read and options == question.options:
        return question
    if tell is None:
        return replace(question, options=options)
    return replace(
        question,
        options=options,
        on_chars=lambda number, chars: tell(number, form.chars(chars)),
    )


def _written(computed: Computed, form: AnswerForm) -> Computed:
    """What was computed, with the completions written in a form."""
    if form.as_read:
        return computed
    return replace(
        computed,
        completion=form.completion(computed.completion),
        alternatives=form.completions(computed.alternatives),
    )


def _listener(question: Question, number: int) -> Callable[[Chars], None] | None:
    """The job's `on_chars` for the completion with this number, or None if nobody listens."""
    return partial(question.on_chars, number) if question.on_chars else None
