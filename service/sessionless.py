"""Answers for clients that know no sessions, who all the same pay for what is new alone."""

import asyncio

from service.completions import Answer, Completions, Question
from service.errors import StoreUnavailable
from service.models import Models
from service.sessions.nearest import Nearest
from service.sessions.rules import WholeText


class Sessionless:
    """Finds for each text the nearest kept one, and keeps `most` of them."""

    def __init__(self, completions: Completions, models: Models, most: int) -> None:
        self._completions = completions
        self._models = models
        self._nearest = Nearest(most, self._forget)
        self._forgetting: set[asyncio.Task[None]] = set()

    async def answer(self, tenant: str, question: Question) -> Answer:
        """What is asked of a whole text; raises a ServiceError where it cannot be answered."""
        assert isinstance(question.change, WholeText)
        fingerprint = self._models.choose(question.model).fingerprint
        with self._nearest.place((tenant, fingerprint), question.change.text) as place:
            return await self._completions.answer(tenant, place.session, question, place.source)

    def _forget(self, tenant: str, session: str) -> None:
        task = asyncio.create_task(self._delete(tenant, session))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def _delete(self, tenant: str, session: str) -> None:
        try:
            await self._completions.delete(tenant, session)
        except StoreUnavailable:
            # The store lets go of it by itself, when its time is over.
            return
