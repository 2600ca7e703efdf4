"""The shares of two networks in their mean."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AverageShares:
    """Shares from 0 to 1; training/experiments.md compares other ones.

    The second network's dense weights have the share `share`, the first one's have the rest. The
    rows of the first and the second table are multiplied by `tables` before they are added.

    Raises ValueError for a number that is not from 0 to 1.
    """

    share: float = 0.75
    tables: tuple[float, float] = (0.40, 0.45)

    def __post_init__(self) -> None:
        for name, share in (("share", self.share), *(("tables", each) for each in self.tables)):
            # A value that is not a number is refused, too.
            if not 0 <= share <= 1:
                raise ValueError(f"{name}: {share} is not between 0 and 1")
