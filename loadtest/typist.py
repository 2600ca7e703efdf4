"""A simulated typist's side of a session: which key to press and what to send."""

from dataclasses import dataclass, field
from typing import Any, Literal

from loadtest.texts import Passage
from model.typist import Key, press


@dataclass(frozen=True)
class Request:
    """The body of one `POST /complete`, numbered so that a late answer can be recognised."""

    number: int
    kind: Literal["open", "prefix", "edit"]
    body: dict[str, Any]


@dataclass(frozen=True)
class Held:
    """The text that the service holds, by its last answer: `length` characters, at `version`."""

    version: int
    length: int


@dataclass
class Typist:
    """Types a passage; sends only what is new, and the whole text when the service asks for it."""

    session: str
    passage: Passage
    position: int = field(init=False)
    suggestion: str = ""
    held: Held | None = None
    _newest: int = 0

    def __post_init__(self) -> None:
        self.position = self.passage.opened

    @property
    def finished(self) -> bool:
        """Whether all of the passage is typed."""
        return self.position >= len(self.passage.text)

    def press(self) -> Key:
        """Presses the key that model.typist chooses for the suggestion that is shown now."""
        key = press(self.suggestion, self.passage.text, self.position)
        self.position += key.characters
        self.suggestion = ""
        return key

    def request(self) -> Request:
        """A request for a suggestion at the position; from then on, earlier requests are stale."""
        self._newest += 1
        body: dict[str, Any] = {"session": self.session}
        if self.held is None:
            body["prefix"] = self.passage.text[: self.position]
            return Request(self._newest, "open" if self._newest == 1 else "prefix", body)
        body["edit"] = {
            "version": self.held.version,
            "keep": self.held.length,
            "append": self.passage.text[self.held.length : self.position],
        }
        return Request(self._newest, "edit", body)

    def take_answer(self, request: Request, answer: dict[str, Any]) -> None:
        """Notes what the service holds now, and shows the suggestion unless it is stale."""
        if self.held is None or answer["length"] >= self.held.length:
            self.held = Held(answer["version"], answer["length"])
        if request.number == self._newest:
            self.suggestion = answer["completion"]

    def forget_held(self) -> None:
        """Makes the next request send the whole text; for use after 409 `resync`."""
        self.held = None

    def is_newest(self, request: Request) -> bool:
        """Whether this is the newest request."""
        return request.number == self._newest
