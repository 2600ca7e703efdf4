"""A decoder's branches where they are computed: the slots of a pool, and cursors on a page."""

from collections.abc import Sequence

from model.adaptation import Cursor
from model.decoding.next_step import Query
from model.runtime import Pool


class Branches:
    """One decoder's lines of steps, by number; the first begins where its text ends.

    `slots` has one for each.
    """

    def __init__(self) -> None:
        self.slots: list[int] = []
        self._cursors: dict[int, Cursor] = {}

    def begin(self, cursor: Cursor) -> None:
        """The place at the text's end on its page, which is the branches' own from now on."""
        self._cursors = {0: cursor}

    def move(self, pool: Pool, query: Query) -> list[tuple[int, int]]:
        """Puts branches back as the turn says, and their cursors on by its ids.

        Returns the slots whose states are then to be stepped, with the ids.
        """
        for branch, place in query.writes:
            assert place.state is not None
            pool.write(self.slots[branch], place.state)
            if place.cursor is not None:
                self._cursors[branch] = place.cursor.copy()
        if self._cursors:
            for branch, index in query.moves:
                self._cursors[branch].push(index)
        return [(self.slots[branch], index) for branch, index in query.moves]

    def cursors(self, branches: Sequence[int], shared: bool) -> list[Cursor]:
        """Where branches are on the page, if there is one; `shared` ones may be kept."""
        found = [self._cursors[branch] for branch in branches] if self._cursors else []
        return [cursor.copy() for cursor in found] if shared else found
