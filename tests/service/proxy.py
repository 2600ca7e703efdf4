"""A TCP proxy for tests: it delays, drops, cuts off and slows down replies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

CHUNK = 1024


@dataclass
class Proxy:
    """The faults of a proxy; they can be changed while connections are open.

    `delay` is the time in seconds before each chunk of a reply. With `dropping`, replies are not
    passed on. With `refusing`, new connections are closed at once. After `cut_after` bytes of a
    larger chunk, the connection is closed. `bytes_per_second` limits the speed of replies. `opened`
    counts all connections so far, and `open_now` those that are still open.
    """

    port: int = 0
    delay: float = 0
    dropping: bool = False
    refusing: bool = False
    cut_after: int | None = None
    bytes_per_second: float = float("inf")
    opened: int = 0
    open_now: int = 0

    def heal(self) -> None:
        """Removes all faults."""
        self.delay, self.dropping, self.refusing, self.cut_after = 0, False, False, None
        self.bytes_per_second = float("inf")


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    """A proxy in front of a server on this machine; in the end no connection may be left open."""
    proxy = Proxy()
    tasks: set[asyncio.Task[None]] = set()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        proxy.opened += 1
        proxy.open_now += 1
        try:
            if not proxy.refusing:
                await _pass(proxy, port, reader, writer)
        finally:
            proxy.open_now -= 1
            await _close(writer)
            tasks.discard(task)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    yield proxy
    server.close()
    if tasks:
        # The clients have closed their connections, so each task ends by itself.
        _, endless = await asyncio.wait(tasks, timeout=20)
        assert not endless, "a client has left a connection open"
    await server.wait_closed()


async def _pass(
    proxy: Proxy, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    answering, asking = await asyncio.open_connection("127.0.0.1", port)
    ways = {
        asyncio.create_task(_there(reader, asking)),
        asyncio.create_task(_back(proxy, answering, writer)),
    }
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        await _close(asking)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _there(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()


async def _back(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            await asyncio.sleep(proxy.delay + len(data) / proxy.bytes_per_second)
            if proxy.dropping:
                continue
            if proxy.cut_after is not None and len(data) > proxy.cut_after:
                writer.write(data[: proxy.cut_after])
                await writer.drain()
                return
            writer.write(data)
            await writer.drain()
