"""Scores texts on a thread of its own, so that no suggestion waits until a text is scored."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from model.decoding.options import CharProbability
from model.decoding.scoring import TextScoring
from model.errors import TextError
from model.served import Runtime
from service.errors import InvalidRequest, Overloaded

# The texts take turns of this many characters, a few milliseconds each. So a short text does not
# wait for a long one, and the work for a client that has gone ends soon.
CHARACTERS_AT_ONCE = 64


class ScoringThread:
    """The thread, and the texts that wait for their turn."""

    def __init__(self, limit: int) -> None:
        """`limit` is how many texts may wait or be scored; more are refused."""
        self._thread = ThreadPoolExecutor(1, "scoring")
        self._limit = limit
        self._unfinished = 0
        self._stopping = False

    async def score(
        self, runtime: Runtime, text: str, top_each: int, field: str
    ) -> tuple[CharProbability, ...]:
        """The text's characters, each with its probability after all the text before it.

        Raises Overloaded if too many texts wait or the thread stops, and InvalidRequest for `field`
        if the model cannot spell the text.
        """
        if self._unfinished >= self._limit:
            raise Overloaded(f"{self._limit} texts are waiting already; try again later")
        try:
            scoring = TextScoring(runtime, text, top_each)
        except TextError as error:
            raise InvalidRequest(str(error), field) from error
        loop = asyncio.get_running_loop()
        self._unfinished += 1
        try:
            while not scoring.finished:
                if self._stopping:
                    raise Overloaded("the service is stopping; try again")
                await loop.run_in_executor(self._thread, scoring.advance, CHARACTERS_AT_ONCE)
        finally:
            self._unfinished -= 1
        return tuple(scoring.chars)

    async def stop(self) -> None:
        """Ends the thread after the turns that wait; texts that are not done are refused."""
        self._stopping = True
        await asyncio.to_thread(self._thread.shutdown)
