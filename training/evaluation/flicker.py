"""Flicker: how often the shown text changes although the user types exactly what it says.

Every character of a text is typed, and nothing is accepted. Where the typed character is the first
one shown, the rest of the suggestion should stay as it was, or become longer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Flicker:
    """Counts of keys: those that typed the first shown character, and those that changed the rest.

    `changed` counts only keys that `typed_through` counts, too.
    """

    typed_through: int
    changed: int

    @property
    def share(self) -> float | None:
        """`changed` as a share of `typed_through`, from 0 to 1; None where that is 0."""
        return self.changed / self.typed_through if self.typed_through else None


def flicker(text: str, suggested: Callable[[int], str]) -> Flicker:
    """Types a text; `suggested` gives the text that is shown after a number of characters."""
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
