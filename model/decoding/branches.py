"""What the branches of a decoder are computed with: slots of a pool, and cursors on a page."""

from collections.abc import Sequence

from model.adaptation import Cursor
from model.decoding.next_step import Query
from model.runtime import Pool


class Branches:
    """The branches of one decoder by their numbers; branch 0 begins where the text ends.

    `slots` has the slot of each branch.
    """

    def __init__(self) -> None:
        self.slots: list[int] = []
        self._cursors: dict[int, Cursor] = {}

    def begin(self, cursor: Cursor) -> None:
        """Takes over the cursor at the end of the text on its page."""
        self._cursors = {0: cursor}

    def move(self, pool: Pool, query: Query) -> list[tuple[int, int]]:
        """Puts branches and cursors where a query's steps begin, and moves the cursors by its ids.

        Returns what the pool still has to step: slots with ids.
        """
        for branch, next_step in query.restores:
            assert next_step.state is not None
            pool.write(self.slots[branch], next_step.state)
            if next_step.cursor is not None:
                self._cursors[branch] = next_step.cursor.copy()
        for branch, index in query.steps:
            self.push(branch, index)
        return [(self.slots[branch], index) for branch, index in query.steps]

    def push(self, branch: int, index: int) -> None:
        """Moves the cursor of a branch by an id, where there is a page."""
        if self._cursors:
            self._cursors[branch].push(index)

    def cursors(self, branches: Sequence[int], copied: bool) -> list[Cursor]:
        """The cursors of some branches, none without a page; only `copied` ones may be kept."""
        found = [self._cursors[branch] for branch in branches] if self._cursors else []
        return [cursor.copy() for cursor in found] if copied else found
