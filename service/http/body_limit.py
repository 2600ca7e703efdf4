"""The limit on the size of a request's body; a larger body is neither kept nor parsed.

A body in gzip is decoded here, so that the limit holds for what it becomes.
"""

import re
import zlib
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import InvalidJson, ServiceError, TooLarge, UnsupportedMediaType
from service.http.error_format import LONGEST_REPEATED, ErrorFormats

# How many bytes of a refused body are read before it is answered; they are dropped.
MOST_DROPPED_BYTES = 128 * 2**20
# RFC 9110, sections 8.4.1.3 and 12.5.3.
GZIP = ("gzip", "x-gzip")
ACCEPTED = {"Accept-Encoding": "gzip"}


class BodyLimit:
    """Middleware that answers a body over `limit` bytes with an error that names the long text.

    It decodes other bodies and passes them to the application.
    """

    def __init__(self, app: ASGIApp, limit: int, formats: ErrorFormats) -> None:
        self._app = app
        self._limit = limit
        self._formats = formats
        self._fields = {name.encode(): field for name, field in formats.long_texts.items()}
        # Finds where a long text begins. The body was not kept to its end, so it cannot be parsed
        # as JSON. Inside a JSON string a quote has a backslash before it, so a name after a bare
        # quote is a field. Its value is a text, or an array that begins with one.
        self._long_text = re.compile(rb'(?<!\\)"(%s)"\s*:\s*\[?\s*"' % b"|".join(self._fields))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        chunks: list[bytes] = []
        received = size = 0
        more = True
        try:
            gzip = _gzip(scope["headers"])
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    return
                chunk = message.get("body", b"")
                more = message.get("more_body", False)
                received += len(chunk)
                if gzip and received:
                    chunk = gzip.decode(chunk, self._limit + 1 - size, more)
                size += len(chunk)
                chunks.append(chunk)
                if max(received, size) > self._limit:
                    raise self._too_large(b"".join(chunks))
        except ServiceError as error:
            # Some clients send everything before they read. Their body must be read to the end: if
            # the answer came earlier, the connection would be reset before they saw it.
            while more and received <= MOST_DROPPED_BYTES:
                message = await receive()
                if message["type"] != "http.request":
                    return
                received += len(message.get("body", b""))
                more = message.get("more_body", False)
            refusal = self._formats.of(scope["path"]).respond_to(error.problem, ACCEPTED)
            await refusal(scope, receive, send)
            return
        body: Message = {"type": "http.request", "body": b"".join(chunks), "more_body": False}

        async def replay() -> Message:
            nonlocal body
            if body:
                read, body = body, {}
                return read
            return await receive()

        await self._app(scope, replay, send)

    def _too_large(self, body: bytes) -> TooLarge:
        begun = self._long_text.findall(body)
        field = self._fields[begun[-1]] if begun else "body"
        return TooLarge(f"{field}: the body is over the limit of {self._limit} bytes", field)


class _Gzip:
    """Decodes one body; never more of it than is asked for, whatever it would become."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def decode(self, chunk: bytes, most: int, more: bool) -> bytes:
        """What a chunk becomes, or its first `most` bytes; `more` says whether others follow.

        Raises InvalidJson if the chunks are not one gzip member from its beginning to its end.
        """
        try:
            decoded = self._decoder.decompress(chunk, most)
        except zlib.error:
            raise InvalidJson("the body is not gzip, as its encoding says", "body") from None
        if self._decoder.unused_data:
            raise InvalidJson("the body goes on after the end of its gzip", "body")
        if len(decoded) < most and not more and not self._decoder.eof:
            raise InvalidJson("the body ends before its gzip does", "body")
        return decoded


def _gzip(headers: Iterable[tuple[bytes, bytes]]) -> _Gzip | None:
    """A decoder for a body in gzip; None if the body is not encoded.

    Raises UnsupportedMediaType for all other encodings.
    """
    named = [value.decode("latin-1") for name, value in headers if name == b"content-encoding"]
    if not named:
        return None
    codings = [coding.strip().lower() for coding in ",".join(named).split(",")]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in GZIP:
        said = ", ".join(codings)[:LONGEST_REPEATED]
        raise UnsupportedMediaType(f"the body is in {said}; send it in gzip, or as it is", "body")
    return _Gzip()
