"""Superseding: which request of a session ends, and what its caller is told."""

import asyncio

import pytest

from service.errors import Superseded
from service.sessions.superseding import Superseding


async def forever() -> None:
    await asyncio.Event().wait()


async def answered(text: str) -> str:
    return text


async def test_a_newer_request_ends_the_older_one_of_its_session_alone() -> None:
    superseding = Superseding()
    older, other = (asyncio.create_task(superseding.run(s, forever())) for s in ("s", "other"))
    await asyncio.sleep(0)
    assert await superseding.run("s", answered("new")) == "new"
    with pytest.raises(Superseded):
        await older
    assert not other.done()
    superseding.end("other")
    with pytest.raises(Superseded):
        await other


async def test_ending_a_session_without_a_request_is_no_error() -> None:
    superseding = Superseding()
    superseding.end("s")
    assert await superseding.run("s", answered("text")) == "text"
    superseding.end("s")


async def test_a_request_that_is_cancelled_from_outside_is_cancelled_within() -> None:
    superseding = Superseding()
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    running = asyncio.create_task(superseding.run("s", work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()
