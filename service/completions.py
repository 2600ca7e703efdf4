"""One request from end to end: read the session, plan, compute, and write what was made of it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from model.decoding.options import CharProbability, Options
from model.errors import TextError
from model.served import Runtime
from service.batching.scheduler import Scheduler
from service.batching.sequence import Computed, Job
from service.errors import InvalidRequest, StoreUnavailable, TooLarge
from service.models import Models
from service.sessions.record import decode, encode
from service.sessions.record_cache import CachedRecord, RecordCache
from service.sessions.rules import (
    Change,
    Plan,
    Record,
    TextEdit,
    WholeText,
    as_stored,
    plan,
    settle,
)
from service.sessions.sealing import Seal
from service.sessions.superseding import Superseding
from service.stores import BatchedStore, Patience, Read, StoreError, Write, session_key, token

log = logging.getLogger(__name__)

Chars = tuple[CharProbability, ...]
OnChars = Callable[[int, Chars], None]
"""Takes further characters of the answer's text of this number; may be called on any thread."""

# How often a request makes its record anew because another writer of the session was first.
ATTEMPTS = 4


@dataclass(frozen=True)
class Question:
    """What is asked: a text, whole or as a change, and the ways in which to go on from it.

    `model` is a loaded model's name, None for the default. `on_chars` hears of characters as soon
    as they are certain, with the number of their way. `predict_seconds` after its first choice
    decoding ends, once there is a line end. `text_field` and `suffix_field` are what the client
    calls its text and its suffix.
    """

    change: Change
    options: tuple[Options, ...]
    model: str | None = None
    top: int = 0
    on_chars: OnChars | None = None
    predict_seconds: float | None = None
    text_field: str = "prefix"
    suffix_field: str = "suffix"


@dataclass(frozen=True)
class Answer:
    """What came out in each of the ways, for a text of `length` characters, `absorbed` of them new.

    `stored` tells whether the session was kept.
    """

    runtime: Runtime
    version: int
    length: int
    absorbed: int
    computed: tuple[Computed, ...]
    stored: bool


@dataclass(frozen=True)
class _Held:
    """What was read of a session, and the token that its successor takes the place of.

    `stored` tells what the store holds from what only this worker remembers.
    """

    record: Record | None
    token: bytes
    stored: bool


class Completions:
    """Answers completion requests and deletes sessions, for any number of models."""

    def __init__(
        self,
        models: Models,
        store: BatchedStore,
        record_cache: RecordCache,
        seal: Seal,
        scheduler: Scheduler,
        max_prefix_characters: int,
    ) -> None:
        """`record_cache` spares reading what did not change.

        Without the store a prefix goes on from it.

        `seal` is how records are kept in the store.
        """
        self._models = models
        self._store = store
        self._record_cache = record_cache
        self._seal = seal
        self._scheduler = scheduler
        self._max_prefix_characters = max_prefix_characters
        self._superseding = Superseding()
        self.unreadable = 0

    async def answer(
        self, tenant: str, session: str, question: Question, source: str | None = None
    ) -> Answer:
        """What is asked, computed in the session; raises a ServiceError where it cannot be.

        `source` is another session, whose record a new one goes on from and leaves as it is.
        """
        runtime = self._models.choose(question.model)
        self._check_question(question)
        key = session_key(tenant, session)
        origin = key if source is None else session_key(tenant, source)
        return await self._superseding.take(key, self._answer(key, origin, runtime, question))

    async def delete(self, tenant: str, session: str) -> None:
        """Leaves nothing of a session, the running request and its prediction included."""
        key = session_key(tenant, session)
        self._superseding.end(key)
        await self._scheduler.forget(key)
        self._record_cache.forget(key)
        try:
            await self._store.delete(key)
        except StoreError as error:
            raise StoreUnavailable(
                "the sessions' store does not answer, so the session may still be in it"
            ) from error

    async def _answer(self, key: str, origin: str, runtime: Runtime, question: Question) -> Answer:
        patience = self._store.patience()
        held = await self._read(origin, question.change, patience)
        if origin != key:
            held = replace(held, token=b"")
        for _ in range(ATTEMPTS):
            planned = plan(held.record, question.change, runtime.fingerprint, runtime.state_size)
            self._check(planned.length, question.text_field)
            computed = await self._compute(key, runtime, planned, question)
            made = settle(planned, computed[0].states)
            lost, stored = await self._write(key, held, made, patience)
            if lost is None:
                break
            held = lost
        return Answer(
            runtime=runtime,
            version=planned.version,
            length=planned.length,
            absorbed=len(planned.absorb),
            computed=computed,
            stored=stored,
        )

    async def _read(self, key: str, change: Change, patience: Patience) -> _Held:
        copy = self._record_cache.get(key)
        try:
            found = await self._store.read(Read(key, copy.token if copy else b""), patience)
        except StoreError as error:
            if isinstance(change, TextEdit):
                raise StoreUnavailable(
                    "the sessions' store does not answer, and an edit needs the text in it; "
                    "send the whole text as prefix, or try again",
                    "edit",
                ) from error
            return _Held(copy.record if copy else None, b"", stored=False)
        if found.current and copy:
            return _Held(copy.record, copy.token, stored=True)
        self._record_cache.forget(key)
        return self._stored(key, found.value)

    def _stored(self, key: str, value: bytes | None) -> _Held:
        """What the store holds; a damaged or foreign value, or a stranger's, counts as nothing."""
        opened = self._seal.open(key, value) if value else None
        record = decode(opened) if opened else None
        if value and record is None:
            self.unreadable += 1
            log.warning(
                "a session in the store cannot be read and counts as absent; so far: %d",
                self.unreadable,
            )
        return _Held(record, token(value), stored=True)

    async def _compute(
        self, key: str, runtime: Runtime, planned: Plan, question: Question
    ) -> tuple[Computed, ...]:
        """What comes out; the states are the first one's."""
        job = Job(
            runtime=runtime,
            session=key,
            start=planned.start.state if planned.start else None,
            origin=planned.origin,
            end=planned.end,
            pieces=planned.pieces,
            options=question.options[0],
            top=question.top,
            length=planned.length,
            window=planned.window,
            on_chars=_hearing(question, 0),
            predict_seconds=question.predict_seconds,
        )
        try:
            if len(question.options) == 1:
                return (await self._scheduler.compute(job),)
            return await self._branch(job, question)
        except TextError as error:
            raise InvalidRequest(str(error), question.text_field) from error

    async def _branch(self, job: Job, question: Question) -> tuple[Computed, ...]:
        """The text is absorbed once, and all ways go on from its end together."""
        absorbing = replace(job, options=Options(max_chars=0), on_chars=None)
        absorbed = await self._scheduler.compute(absorbing)
        end = absorbed.states[-1] if absorbed.states else job.start
        branches = [
            replace(
                job,
                start=end,
                origin=job.end,
                pieces=(),
                options=options,
                top=0,
                on_chars=_hearing(question, number),
            )
            for number, options in enumerate(question.options)
        ]
        tasks = [asyncio.create_task(self._scheduler.compute(branch)) for branch in branches]
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

    async def _write(
        self, key: str, held: _Held, made: Record, patience: Patience
    ) -> tuple[_Held | None, bool]:
        """Keeps the record. What another writer put there first, or None; and whether it is stored.

        What was read without the store is not written to it either: whoever holds the session by
        now is not known.
        """
        value = self._seal.close(key, encode(as_stored(made)))
        self._record_cache.put(key, CachedRecord(token(value), made))
        if not held.stored:
            return None, False
        try:
            outcome = await self._store.write(Write(key, held.token, value), patience)
        except StoreError:
            return None, False
        return (None if outcome.written else self._stored(key, outcome.held)), outcome.written

    def _check_question(self, question: Question) -> None:
        change = question.change
        given = change.text if isinstance(change, WholeText) else change.append
        self._check(len(given), question.text_field)
        self._check(len(question.options[0].suffix), question.suffix_field)

    def _check(self, characters: int, field: str) -> None:
        if characters > self._max_prefix_characters:
            raise TooLarge(
                f"{field} makes a text of {characters} characters; "
                f"at most {self._max_prefix_characters} are taken",
                field,
            )


def _hearing(question: Question, number: int) -> Callable[[Chars], None] | None:
    return partial(question.on_chars, number) if question.on_chars else None
