"""A decoding that a drive computes; Python only spells the text, and ends the suggestion."""

from collections.abc import Sequence

from model.adaptation.page import Page
from model.decoding.candidate import Candidate, Rules
from model.decoding.options import Options
from model.driving.drive import Lane
from model.driving.job import NOTHING_KEPT, DriveJob, KeptSteps, PagePlace

# C knows where a suggestion of one line ends at the latest. Other suggestions may end long before
# their `max_chars`, and only Python knows where, so that it looks after so many ids.
IDS_AT_ONCE = 32
# A character that has no id of its own is spelt in at most this many.
MOST_IDS_PER_CHARACTER = 4


def is_driven(options: Options) -> bool:
    """Whether a drive decodes with these options: a single suggestion, its most probable ids."""
    return (
        options.n == 1
        and options.temperature == 0
        and options.trigger == "automatic"
        and not options.top_each
    )


class DrivenDecoding:
    """Does what Decoding does, for options that are driven, with the same bits.

    `job` is what the drive is to compute next, None once decoding has ended. After the drive has
    computed it, `take` is called.
    """

    def __init__(
        self,
        lane: Lane,
        options: Options,
        pieces: Sequence[str],
        *,
        start: bytes | None,
        before: str,
        page: Page | None = None,
        page_text: str = "",
        replay: KeptSteps = NOTHING_KEPT,
        kept_steps: int = 0,
    ) -> None:
        """`pieces`, `start`, `before` and `kept_steps` are those of Decoding.

        `page` is brought to `page_text`, where the runtime adapts. `replay` are the steps that were
        kept after the text before the pieces. Raises TextError for a character that the vocabulary
        cannot spell.
        """
        runtime = lane.runtime
        ids: list[int] = []
        cuts: list[int] = []
        for piece in pieces:
            ids += runtime.vocabulary.encode(piece).tolist()
            cuts.append(len(ids))
        self._lane = lane
        self._options = options
        self._place = PagePlace(page, page_text) if page is not None else None
        self._kept_steps = kept_steps
        self.candidate = Candidate(Rules(runtime.vocabulary, options, runtime.calibration, before))
        self.states: list[bytes] = []
        self.kept = NOTHING_KEPT
        self.steps_computed = self.steps_reused = self.steps_predicted = 0
        # When it joined, chose its first id, and ended, in seconds of the monotonic clock.
        self.joined = self.first_choice = self.ended = 0.0
        self._first = self._job(start or lane.start, ids, cuts, replay)
        self.job: DriveJob | None = self._first

    @property
    def page_read(self) -> bool:
        """Whether the page holds its whole text."""
        return self._place is not None and self._place.read

    def take(self) -> None:
        """Takes what the drive has computed of `job`; raises ModelError if it failed."""
        job = self.job
        assert job is not None
        self.job = None
        job.check()
        structure = job.structure
        self.ended = structure.ended * 1e-9
        if job is self._first:
            self.states = job.states
            self.joined = structure.joined * 1e-9
            self.first_choice = structure.decoding_since * 1e-9 or self.ended
        self.steps_computed += structure.steps_computed
        self.steps_reused += structure.steps_reused
        records, number = job.kept
        self.kept = KeptSteps(self.kept.records + records, self.kept.number + number)
        last = -1
        goes_on = self.candidate.finish_reason is None
        for last, probability in job.chosen:
            self.steps_predicted += 1
            goes_on = self.candidate.push(last, probability)
            if not goes_on:
                break
        if goes_on:
            self.job = self._job(job.last_state, [last], (), NOTHING_KEPT)

    def end(self) -> None:
        """Ends the suggestion where it is, because the time for decoding is over."""
        self.candidate.end()
        self.job = None

    def _job(
        self, start: bytes, ids: Sequence[int], cuts: Sequence[int], replay: KeptSteps
    ) -> DriveJob:
        options = self._options
        characters = options.max_chars - len(self.candidate.text)
        most = MOST_IDS_PER_CHARACTER * characters
        if options.stop or options.suffix or options.max_lines > 1:
            most = min(most, IDS_AT_ONCE)
        return DriveJob(
            self._lane,
            start,
            ids,
            cuts,
            self._place,
            self._lane.latest_end(options, most, characters),
            replay,
            min(most, self._kept_steps - self.kept.number),
            self.candidate.probability,
        )
