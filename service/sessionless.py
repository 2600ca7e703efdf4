"""Answers clients that name no session, and still computes only what is new in their texts."""

import asyncio

from service.completions import Answer, Completions, Question
from service.errors import StoreUnavailable
from service.models import Models
from service.sessions.nearest import TextIndex
from service.sessions.rules import WholeText


class Sessionless:
    """Answers each request from the nearest text, and keeps at most `most` texts."""

    def __init__(self, completions: Completions, models: Models, most: int) -> None:
        self._completions = completions
        self._models = models
        self._texts = TextIndex(most, self._forget)
        self._forgetting: set[asyncio.Task[None]] = set()

    async def answer(self, tenant: str, question: Question) -> Answer:
        """The answer for a whole text; raises a ServiceError if it cannot be answered."""
        assert isinstance(question.change, WholeText)
        fingerprint = self._models.choose(question.model).fingerprint
        with self._texts.place((tenant, fingerprint), question.change.text) as place:
            return await self._completions.answer(tenant, place.session, question, place.source)

    def _forget(self, tenant: str, session: str) -> None:
        task = asyncio.create_task(self._delete(tenant, session))
        # The event loop holds tasks weakly, so they are held here until they end.
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def _delete(self, tenant: str, session: str) -> None:
        try:
            await self._completions.delete(tenant, session)
        except StoreUnavailable:
            # Nobody waits for this deletion, and the session expires in the store anyway.
            return
