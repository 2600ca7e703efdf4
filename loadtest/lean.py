"""Typists that cost the client little, over HTTP or a WebSocket, in place of locust's.

Locust takes a whole core at 350 keys a second. Where clients and service share a machine, this
client leaves more of it to the service. A key's delay is counted from the moment at which it was
due, so that a client that is late itself hides nothing.
"""

import asyncio
import time
import uuid
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from loadtest.connections import HttpConnection, TypistConnection, WebSocketConnection
from loadtest.plan import LoadPlan
from loadtest.recording import Outcome, Recorder, Sample
from loadtest.rhythm import intervals
from loadtest.texts import choose_passage, load_texts
from loadtest.typist import Request, Typist

# How long answers are waited for when the time is over.
LAST_ANSWERS_SECONDS = 5


class Protocol(StrEnum):
    """How the typists ask."""

    HTTP = "http"
    WEBSOCKET = "websocket"


class Room:
    """All typists of a test, the texts that they type, and what was seen."""

    def __init__(self, plan: LoadPlan, url: str, protocol: Protocol) -> None:
        self._plan = plan
        self._url = url
        self._protocol = protocol
        self._texts = load_texts(plan.text)
        self._asking: set[asyncio.Task[None]] = set()
        self.recorder = Recorder()

    async def run(self) -> None:
        """Lets typists join step by step, and returns when the last step is over."""
        self._begin = time.perf_counter()
        typing: list[asyncio.Task[None]] = []
        while (step := self._plan.step_at(self.now)) is not None:
            joining = self._plan.steps[step] - len(typing)
            # Those of a step join over its first tenth, not all at once.
            pause = self._plan.step_seconds / 10 / max(1, joining)
            for _ in range(joining):
                typing.append(
                    asyncio.create_task(self._type(Random(f"{self._plan.seed}-{len(typing)}")))
                )
                await asyncio.sleep(pause)
            await asyncio.sleep(max(0, self._plan.step_seconds * (step + 1) - self.now) + 1e-3)
        for task in typing:
            task.cancel()
        failed = await asyncio.gather(*typing, return_exceptions=True)
        if self._asking:
            await asyncio.wait(self._asking, timeout=LAST_ANSWERS_SECONDS)
        for error in failed:
            if not isinstance(error, asyncio.CancelledError) and error is not None:
                raise error

    @property
    def now(self) -> float:
        """Seconds since the test began."""
        return time.perf_counter() - self._begin

    async def _type(self, random: Random) -> None:
        connection: TypistConnection = (
            HttpConnection(self._url)
            if self._protocol is Protocol.HTTP
            else await WebSocketConnection.open(self._url)
        )
        pauses = intervals(random, self._plan.keys_per_second)
        while True:
            typist = Typist(f"loadtest-{uuid.uuid4().hex}", choose_passage(self._texts, random))
            await self._ask(connection, typist, self.now)
            due = self.now
            while not typist.finished:
                due += next(pauses)
                await asyncio.sleep(due - self.now)
                self.recorder.add_key(typist.press().characters)
                if not typist.finished:
                    task = asyncio.create_task(self._ask(connection, typist, due))
                    self._asking.add(task)
                    task.add_done_callback(self._asking.discard)

    async def _ask(self, connection: TypistConnection, typist: Typist, due: float) -> None:
        request = typist.request()
        outcome = await self._send(connection, typist, request, due)
        if outcome == "resync" and typist.is_newest(request):
            typist.forget_held()
            await self._send(connection, typist, typist.request(), due)

    async def _send(
        self, connection: TypistConnection, typist: Typist, request: Request, due: float
    ) -> Outcome:
        outcome: Outcome = "error"
        error = None
        try:
            status, body = await connection.ask(request.body)
        except OSError as failure:
            error = f"no answer ({type(failure).__name__})"
        else:
            code = body["error"]["code"] if "error" in body else ""
            if status == 200:
                outcome = "answered"
                typist.take_answer(request, body)
            elif code == "superseded":
                outcome = "superseded"
            elif code == "resync":
                outcome = "resync"
            else:
                error = f"{status} {code}"
        now = self.now
        took = 1000 * (now - due)
        opening = request.kind == "open"
        sample = Sample.model_construct(at=now, milliseconds=took, opening=opening, outcome=outcome)
        self.recorder.add_request(sample, error)
        return outcome


def main(
    plan: Annotated[Path, typer.Option(help="A LoadPlan, as a file of JSON.")],
    recording: Annotated[Path, typer.Option(help="Where to write what was seen.")],
    url: Annotated[str, typer.Option(help="The service's address.")],
    protocol: Annotated[Protocol, typer.Option(help="How the typists ask.")] = Protocol.HTTP,
) -> None:
    """Lets typists type by a plan."""
    room = Room(LoadPlan.model_validate_json(plan.read_text("utf-8")), url, protocol)
    asyncio.run(room.run())
    room.recorder.write(recording)


if __name__ == "__main__":
    typer.run(main)
