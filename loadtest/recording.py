"""What the locust process measured, and the file that hands it to the process that reports."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal["answered", "superseded", "resync", "error"]


class Sample(BaseModel):
    """One request: when it ended, in seconds of the test, how long it took, how it ended."""

    model_config = ConfigDict(frozen=True)

    at: float
    milliseconds: float
    opening: bool
    outcome: Outcome


class Recording(BaseModel):
    """All samples, what the typists pressed, and how often each error occurred."""

    model_config = ConfigDict(frozen=True)

    samples: tuple[Sample, ...]
    keys: int
    characters: int
    errors: dict[str, int]


class Recorder:
    """Collects a Recording; only the one thread of the locust process uses it."""

    def __init__(self) -> None:
        self._samples: list[Sample] = []
        self._errors: dict[str, int] = {}
        self._keys = 0
        self._characters = 0

    def add_key(self, characters: int) -> None:
        """One key, and how many characters of the text it made."""
        self._keys += 1
        self._characters += characters

    def add_request(self, sample: Sample, error: str | None = None) -> None:
        """One request; `error` says what went wrong, if anything did."""
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
