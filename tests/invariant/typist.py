"""A client that types as an editor does: it sends edits, and whole texts where it must."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.invariant.stage import Stage, tell
from tests.service.running import EAGER, comparable


class Mismatch(AssertionError):
    """An answer differs from what a fresh process computes from the whole text."""


@dataclass
class SoakTally:
    """Counts of what happened so far: answers compared, faults injected, replies by their kind."""

    steps: int = 0
    compared: int = 0
    mismatches: int = 0
    server_errors: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    replies: Counter[str] = field(default_factory=Counter)
    restarted_texts: int = 0


@dataclass(frozen=True)
class Wish:
    """The options of a request."""

    top: int = 0
    options: tuple[tuple[str, Any], ...] = ()


class RandomTypist:
    """Types one text into one session, by a connection of its own.

    It sends an edit where it knows the version. Where it does not, or where the service asks for
    it, it sends the whole text. Every answer is compared with a fresh computation.
    """

    def __init__(self, stage: Stage, tally: SoakTally, session: str) -> None:
        self._stage = stage
        self._tally = tally
        self._http = httpx.AsyncClient(base_url=stage.url, timeout=20, verify=False)
        self._last: tuple[dict[str, Any], Wish] | None = None
        self.session = session
        self.text = ""
        self.version: int | None = None

    async def close(self) -> None:
        await self._http.aclose()

    async def reconnect(self) -> None:
        """Opens a new connection, perhaps to another worker."""
        await self._http.aclose()
        self._http = httpx.AsyncClient(base_url=self._stage.url, timeout=20, verify=False)

    async def replace(
        self,
        keep: int,
        append: str,
        as_edit: bool,
        wish: Wish,
        *,
        alone: bool = True,
        compare: bool = True,
    ) -> bool:
        """Changes the text, and tells whether the request was answered.

        It may be superseded, but only where others use the session now (`alone` is false).
        """
        version, self._last = self.version, None
        self.text = self.text[:keep] + append
        body: dict[str, Any] = {"prefix": self.text}
        if as_edit and version is not None:
            body = {"edit": {"version": version, "keep": keep, "append": append}}
        return await self._send(body, wish, alone, compare)

    async def send_again(self) -> bool:
        """Sends the last request again, as a client does when the answer was lost."""
        if self._last is None:
            return False
        body, wish = self._last
        return await self._send(body, wish, alone=True, compare=True)

    async def leave_early(self, keep: int, append: str, seconds: float) -> None:
        """Sends a change and closes the connection before the answer is there."""
        text = self.text[:keep] + append
        request = self._http.post("/complete", json=self._body({"prefix": text}, Wish()))
        try:
            await asyncio.wait_for(request, seconds)
        except (TimeoutError, httpx.TransportError):
            await self.reconnect()
            self._tally.replies["left before the answer"] += 1

    async def forget(self) -> None:
        """Deletes the session."""
        deadline = asyncio.get_running_loop().time() + 30
        status = 503
        while status == 503 and asyncio.get_running_loop().time() < deadline:
            try:
                status = (await self._http.delete(f"/sessions/{self.session}")).status_code
            except httpx.TransportError:
                await asyncio.sleep(0.01)
        self._check(status == 204, f"DELETE answered {status}")

    def _body(self, change: dict[str, Any], wish: Wish) -> dict[str, Any]:
        return EAGER | {"session": self.session, "top": wish.top} | dict(wish.options) | change

    async def _send(self, change: dict[str, Any], wish: Wish, alone: bool, compare: bool) -> bool:
        response = await tell(self._http, self._body(change, wish))
        said = "answered"
        if response.status_code != 200:
            said = str(response.json()["error"]["code"])
        kind = "edit" if "edit" in change else "prefix"
        self._tally.replies[f"{kind}: {said}"] += 1
        if response.status_code == 200:
            answer = response.json()
            self.version = answer["version"]
            self._tally.replies["degraded"] += answer["degraded"]
            if compare:
                self._compare(answer, wish)
            self._last = (change, wish)
            return True
        if said == "superseded" and not alone:
            self.version = None
            return False
        if kind == "edit" and said in ("resync", "store_unavailable"):
            self.version = None
            self._tally.restarted_texts += 1
            return await self._send({"prefix": self.text}, wish, alone, compare)
        self._tally.server_errors += response.status_code >= 500
        self._check(False, f"{kind} answered {response.status_code}: {response.text}")
        return False

    def _compare(self, answer: dict[str, Any], wish: Wish) -> None:
        expected = self._stage.expected(self.text, wish.top, wish.options)
        self._tally.compared += 1
        self._check(
            comparable(answer) == expected,
            f"after {self.text!r} of {self.session}\n  got      {comparable(answer)}\n"
            f"  expected {expected}",
        )

    def _check(self, holds: bool, said: str) -> None:
        if not holds:
            self._tally.mismatches += 1
            raise Mismatch(said)
