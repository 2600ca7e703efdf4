"""Flicker: how often the shown text changes while one types what it says.

Every character of a text is typed, and nothing is accepted. Where the character is the one that was
shown, the suggestion should stay what it was, less that character, or be longer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Flicker:
    """At `typed_through` keys the shown character was typed; at `changed` of them it flickered."""

    typed_through: int
    changed: int

    @property
    def share(self) -> float | None:
        """The share of flickers, from 0 to 1; None where nothing was typed through."""
        return self.changed / self.typed_through if self.typed_through else None


def flicker(text: str, suggested: Callable[[int], str]) -> Flicker:
    """Types a text; `suggested` gives what is shown after a number of characters."""
    typed_through = changed = 0
    shown = suggested(0)
    for position, character in enumerate(text[:-1], 1):
        now = suggested(position)
        if shown[:1] == character:
            typed_through += 1
            changed += not now.startswith(shown[1:])
        shown = now
    return Flicker(typed_through, changed)


def flicker_in_all(flickers: Sequence[Flicker]) -> Flicker:
    """The counts of several texts added up."""
    return Flicker(sum(f.typed_through for f in flickers), sum(f.changed for f in flickers))
