"""A proxy between the editor and the real service: records requests, and can hold answers back."""

import asyncio
import json
import threading
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit


class RecordingProxy:
    """Forwards each request to `service` at once, and each answer when `gate` is open.

    One thread forwards, so that requests reach the service in the order in which they were sent.
    """

    def __init__(self, service: str) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.statuses: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self._service = urlsplit(service)
        # The event loop holds tasks weakly, so they are held here.
        self._running: list[asyncio.Task[None]] = []
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._begin, "127.0.0.1", 0)
        )
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def _begin(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._running.append(self._loop.create_task(self._forward(reader, writer)))

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        # An editor that cancels a request closes its connection.
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(size)
            self._record(head.decode("ascii"), body)
            answer = await self._ask(head + body)
            self.statuses.append(int(answer.split(maxsplit=2)[1]))
            await asyncio.to_thread(self.gate.wait)
            writer.write(answer)
            await writer.drain()
        writer.close()

    def _record(self, head: str, body: bytes) -> None:
        method, path, _ = head.split(maxsplit=2)
        if method == "DELETE":
            self.deleted.append(path)
        else:
            self.bodies.append(json.loads(body))

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._service.hostname, self._service.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer

    def close(self) -> None:
        """Forwards the answers that are held back, and stops."""
        self.gate.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        await asyncio.wait_for(asyncio.gather(*self._running), 20)
        await self._loop.shutdown_default_executor()
