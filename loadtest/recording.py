"""What the locust process measured, and the file that passes it to the reporting process."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal["answered", "superseded", "resync", "error"]


class Sample(BaseModel):
    """One request.

    `at` is when it ended, in seconds since the test began; `milliseconds` is how long it took.
    `opening` is true for the first request of a text.
    """

    model_config = ConfigDict(frozen=True)

    at: float
    milliseconds: float
    opening: bool
    outcome: Outcome


class Recording(BaseModel):
    """All samples, how many keys were pressed and characters typed, and the count of each error."""

    model_config = ConfigDict(frozen=True)

    samples: tuple[Sample, ...]
    keys: int
    characters: int
    errors: dict[str, int]


class Recorder:
    """Collects a Recording. It needs no lock, because the locust process has one thread."""

    def __init__(self) -> None:
        self._samples: list[Sample] = []
        self._errors: dict[str, int] = {}
        self._keys = 0
        self._characters = 0

    def add_key(self, characters: int) -> None:
        """Counts one key and the characters that it typed."""
        self._keys += 1
        self._characters += characters

    def add_request(self, sample: Sample, error: str | None = None) -> None:
        """Adds one request; `error` says what went wrong, if anything did."""
        self._samples.append(sample)
        if error is not None:
            self._errors[error] = self._errors.get(error, 0) + 1

    def write(self, file: Path) -> None:
        """Writes the recording as JSON."""
        recording = Recording(
            samples=tuple(self._samples),
            keys=self._keys,
            characters=self._characters,
            errors=self._errors,
        )
        file.write_text(recording.model_dump_json(), encoding="utf-8")
