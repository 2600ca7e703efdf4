"""One request from end to end: read the session, plan, compute, and write what was made of it."""

import logging
import secrets
from dataclasses import dataclass

from model.completing import next_characters
from model.errors import TextError
from model.runtime import Runtime
from service.copies import Copies, Copy
from service.errors import InvalidRequest, StoreUnavailable, TooLarge
from service.models import Models
from service.record import decode, encode
from service.rows import Computed, Job
from service.scheduler import Scheduler
from service.schema import Character, CompleteRequest, CompleteResponse, NextCharacter, Usage
from service.sealing import Seal
from service.sessions import Change, Edit, Plan, Prefix, Record, plan, settle
from service.stores import BatchedStore, Read, StoreError, Write, session_key, token
from service.turns import Turns

log = logging.getLogger(__name__)

# How often a request makes its record anew because another writer of the session was first.
ATTEMPTS = 4


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
        copies: Copies,
        seal: Seal,
        scheduler: Scheduler,
        max_prefix_characters: int,
    ) -> None:
        """`copies` spares reading what did not change; without the store a prefix goes on from it.

        `seal` is how records are kept in the store.
        """
        self._models = models
        self._store = store
        self._copies = copies
        self._seal = seal
        self._scheduler = scheduler
        self._max_prefix_characters = max_prefix_characters
        self._turns = Turns()
        self.unreadable = 0

    async def complete(self, tenant: str, request: CompleteRequest) -> CompleteResponse:
        """The answer to one keystroke; raises a ServiceError for what cannot be answered."""
        runtime = self._models.choose(request.model)
        change = self._change(request)
        session = request.session or secrets.token_urlsafe(16)
        key = session_key(tenant, session)
        answer = self._answer(key, session, runtime, change, request)
        return await self._turns.take(key, answer)

    async def delete(self, tenant: str, session: str) -> None:
        """Leaves nothing of a session, the running request and its prediction included."""
        key = session_key(tenant, session)
        self._turns.end(key)
        await self._scheduler.forget(key)
        self._copies.forget(key)
        try:
            await self._store.delete(key)
        except StoreError as error:
            raise StoreUnavailable(
                "the sessions' store does not answer, so the session may still be in it"
            ) from error

    async def _answer(
        self,
        key: str,
        session: str,
        runtime: Runtime,
        change: Change,
        request: CompleteRequest,
    ) -> CompleteResponse:
        held = await self._read(key, change)
        for _ in range(ATTEMPTS):
            planned = plan(held.record, change, runtime.fingerprint, runtime.state_size)
            self._check_length(planned, change)
            computed = await self._compute(key, runtime, planned, change, request)
            made = settle(planned, computed.states)
            lost, stored = await self._write(key, held, made)
            if lost is None:
                break
            held = lost
        return _response(session, runtime, planned, computed, request.top, degraded=not stored)

    async def _read(self, key: str, change: Change) -> _Held:
        copy = self._copies.get(key)
        try:
            found = await self._store.read(Read(key, copy.token if copy else b""))
        except StoreError as error:
            if isinstance(change, Edit):
                raise StoreUnavailable(
                    "the sessions' store does not answer, and an edit needs the text in it; "
                    "send the whole text as prefix, or try again",
                    "edit",
                ) from error
            return _Held(copy.record if copy else None, b"", stored=False)
        if found.current and copy:
            return _Held(copy.record, copy.token, stored=True)
        self._copies.forget(key)
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
        self,
        key: str,
        runtime: Runtime,
        planned: Plan,
        change: Change,
        request: CompleteRequest,
    ) -> Computed:
        job = Job(
            runtime=runtime,
            session=key,
            start=planned.start.state if planned.start else None,
            origin=planned.origin,
            end=planned.end,
            pieces=planned.pieces,
            options=request.options,
            top=request.top,
        )
        try:
            return await self._scheduler.compute(job)
        except TextError as error:
            raise InvalidRequest(str(error), _text_field(change)) from error

    async def _write(self, key: str, held: _Held, made: Record) -> tuple[_Held | None, bool]:
        """Keeps the record. What another writer put there first, or None; and whether it is stored.

        What was read without the store is not written to it either: whoever holds the session by
        now is not known.
        """
        value = self._seal.close(key, encode(made))
        self._copies.put(key, Copy(token(value), made))
        if not held.stored:
            return None, False
        try:
            outcome = await self._store.write(Write(key, held.token, value))
        except StoreError:
            return None, False
        return (None if outcome.written else self._stored(key, outcome.held)), outcome.written

    def _change(self, request: CompleteRequest) -> Change:
        if request.edit is not None:
            edit = request.edit
            self._check(len(edit.append), "edit.append")
            change: Change = Edit(edit.version, edit.keep, edit.append)
        else:
            prefix = request.prefix or ""
            self._check(len(prefix), "prefix")
            change = Prefix(prefix)
        self._check(len(request.suffix), "suffix")
        return change

    def _check_length(self, planned: Plan, change: Change) -> None:
        self._check(planned.length, _text_field(change))

    def _check(self, characters: int, field: str) -> None:
        if characters > self._max_prefix_characters:
            raise TooLarge(
                f"{field} makes a text of {characters} characters; "
                f"at most {self._max_prefix_characters} are taken",
                field,
            )


def _text_field(change: Change) -> str:
    return "prefix" if isinstance(change, Prefix) else "edit.append"


def _response(
    session: str,
    runtime: Runtime,
    planned: Plan,
    computed: Computed,
    top: int,
    degraded: bool,
) -> CompleteResponse:
    completion = computed.completion
    following = (
        next_characters(runtime.vocabulary, computed.next, top) if computed.next is not None else ()
    )
    return CompleteResponse(
        session=session,
        version=planned.version,
        length=planned.length,
        completion=completion.text,
        confidence=completion.confidence,
        chars=tuple(Character(text=c.text, probability=c.probability) for c in completion.chars),
        next=tuple(NextCharacter(character=c, probability=p) for c, p in following),
        finish_reason=completion.finish_reason,
        model=runtime.checkpoint.name,
        usage=Usage(
            characters_absorbed=len(planned.absorb),
            steps_computed=computed.steps_computed,
            steps_reused=computed.steps_reused,
        ),
        degraded=degraded,
    )
