"""Length by value: the cut of a suggestion at which the typist saves the most keys.

Showing the first L characters of a candidate saves L − 1 keys if all of them are right. If not, it
saves what accepting word by word saves up to the first wrong word. In both cases the typist then
goes on along the same candidate. With P(L) the probability that the first L characters are right,
the expected saving from position i on, times P(i), is

    G(i) = max over L of  P(L) (L − i − 1) + G(L) + Σ (P(w) − P(L)) (|w| − 1).

The sum is over the words w that end before L, and P(w) is P at the end of w. The simpler
P(L) (L − 1), which leaves out G and the words, saves 1.6 % of all keys less.

The L of the maximum never decreases as i grows. So a suggestion is not shortened while it is typed:
its rest stays on the screen.
"""

from collections.abc import Sequence

from model.typist import word_ends


def best_length(text: str, right: Sequence[float], shortest: int = 1) -> int:
    """The length from `shortest` to `len(text)` at which cutting `text` saves the most keys.

    `right[L]` is P(L), for L from 0 to `len(text)`. Of equally good lengths the shortest is taken.
    """
    # G is computed from the end of the text backwards. For a length L beyond e, the end of the word
    # at i, the formula becomes
    #
    #     P(e) (e − i − 1)  +  [P(L) (L − e) + G(L) + the sum over the words after e].
    #
    # The bracket does not depend on i. So `_beyond` computes its maximum once for each word, not
    # once for each character.
    size = len(text)
    ends = word_ends(text)
    gain = [0.0] * (size + 1)
    beyond: dict[int, tuple[float, int]] = {}
    best = size
    for at in range(size - 1, -1, -1):
        # `shortest` restricts what is shown, which begins at 0, and nothing that is shown later.
        least = max(at + 1, shortest) if at == 0 else at + 1
        end = ends[at]
        most = -1.0
        for length in range(least, end + 1):
            value = right[length] * (length - at - 1) + gain[length]
            if value > most:
                most, best = value, length
        if end < size:
            if end not in beyond or least > end + 1:
                beyond[end] = _beyond(end, max(end + 1, least), right, gain, ends)
            value, length = beyond[end]
            value += right[end] * (end - at - 1)
            if value > most:
                most, best = value, length
        gain[at] = most
    return best


def _beyond(
    end: int, least: int, right: Sequence[float], gain: Sequence[float], ends: Sequence[int]
) -> tuple[float, int]:
    """The largest bracket of `best_length` for a word that ends at `end`, and its length L.

    Only lengths of at least `least` are considered.
    """
    # Sums over the words between `end` and the length: Σ (|w| − 1), and Σ P(w) (|w| − 1).
    saved, expected = 0, 0.0
    word = end
    most, best = -1.0, least
    for length in range(end + 1, len(gain)):
        value = right[length] * (length - end - saved) + gain[length] + expected
        if length >= least and value > most:
            most, best = value, length
        if ends[length - 1] == length:
            saved += length - word - 1
            expected += right[length] * (length - word - 1)
            word = length
    return most, best
