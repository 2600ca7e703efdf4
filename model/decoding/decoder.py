"""Decoding: one request's candidates, from the state after its text to what is suggested.

A decoder computes nothing of the network's. It asks for the next steps of its branches, and whoever
holds their states, for one text or for a batch of many, answers.
"""

from collections.abc import Sequence

from model.calibration import Calibration
from model.decoding.beam import Path, alternatives, apart
from model.decoding.candidate import Candidate, Rules
from model.decoding.continuation import ChosenStep
from model.decoding.fitting import best_fit, joins
from model.decoding.next_step import NextStep, Queries, Query
from model.decoding.options import CharProbability, Completion, Options
from model.decoding.sampling import Sampler, Sampling
from model.runtime.arithmetic import Floats
from model.vocabulary import Vocabulary

# Where a candidate ends for one of these reasons without having a character, there is nothing to
# show, and a manual trigger tries the next most probable id in its place.
EMPTY_ENDS = ("line_end", "suffix", "indentation", "invalid_bytes")


class Decoder:
    """The candidates of one request; `query` is what is to be answered next, None at the end.

    It has `width` branches. `branches_off` tells whether these start at earlier next steps, which
    then must come with their states and cursors. `chain` holds the steps along the first candidate,
    which is that of branch 0.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        options: Options,
        calibration: Calibration,
        before: str,
        length: int,
        top: bool = False,
    ) -> None:
        """`before` is the last CHARACTERS_BEFORE of a text's `length` characters, or all of them.

        With `top` the `next` distribution is wanted, too.
        """
        self._top = top
        self._options = options
        self._vocabulary = vocabulary
        self._length = length
        self.width = options.n
        self.branches_off = options.n > 1
        self._rules = Rules(vocabulary, options, calibration, before)
        self._paths = [Path(Candidate(self._rules)) for _ in range(self.width)]
        self._root: NextStep | None = None
        self._shown: list[Path] = []
        self.chain: list[ChosenStep] = []
        self._run = self._decode()
        self.query: Query | None = next(self._run, None)

    def answer(self, next_steps: Sequence[NextStep]) -> None:
        """Goes on with the next steps that the query asked for, in its order."""
        try:
            self.query = self._run.send(next_steps)
        except StopIteration:
            self.query = None

    def end(self) -> None:
        """Ends all candidates as they are, because there is no time to go on."""
        self._run.close()
        self.query = None
        for path in self._paths:
            path.candidate.end()
            path.cut()
        self._show(self._paths)

    @property
    def next(self) -> Floats | None:
        """The distribution after the text, shape (ids,), where it was wanted."""
        return self._root.distribution if self._root is not None and self._top else None

    @property
    def certain(self) -> tuple[CharProbability, ...]:
        """The characters that are sure to be suggested, where there is one candidate."""
        if self.branches_off:
            return ()
        candidate = self._paths[0].candidate
        return tuple(candidate.chars[: candidate.certain])

    @property
    def text(self) -> str:
        """The first candidate's text so far."""
        return self._paths[0].candidate.text

    @property
    def completion(self) -> Completion:
        """What is suggested, once there are no more queries."""
        path = self._shown[0] if self._shown else self._paths[0]
        return path.candidate.completion(path.length)

    @property
    def alternatives(self) -> tuple[Completion, ...]:
        """The other candidates, the most probable first."""
        return tuple(path.candidate.completion(path.length) for path in self._shown[1:])

    def _decode(self) -> Queries[None]:
        if self._options.max_chars == 0:
            if self._top:
                (self._root,) = yield Query((), (), (0,), distributions=True)
            return
        if self._options.temperature > 0:
            yield from self._draw()
        else:
            yield from self._greedy(self._paths[0])
            others = []
            if self.branches_off:
                others = yield from alternatives(self._paths[0], self.width - 1)
            # Two paths of different ids may still show one text: a character that the vocabulary
            # has can be spelt in bytes as well.
            self._show([self._paths[0], *others])
        if self._options.suffix and len(self._shown) > 1:
            first = yield from self._fit()
            self._shown = [first, *(path for path in self._shown if path is not first)]

    def _fit(self) -> Queries[Path]:
        """The path that fits the suffix best, of those that have come to where the suffix follows.

        The greedy path leads. Where it has not come to the suffix, the others are not compared:
        they may be more probable only because less of them is shown.
        """
        assert self._root is not None
        suffix = self._options.suffix
        lead = self._shown[0]
        if self._options.temperature == 0 and self._paths[0].length:
            lead = self._paths[0]
        if not joins(lead.candidate, suffix):
            return lead
        others = [path for path in self._shown if path is not lead]
        paths = [lead, *(path for path in others if joins(path.candidate, suffix))]
        candidates = [path.candidate for path in paths]
        return paths[(yield from best_fit(self._vocabulary, candidates, suffix, self._root))]

    def _greedy(self, path: Path) -> Queries[None]:
        manual = self._options.trigger == "manual"
        distributions = self.branches_off or self._options.top_each > 0
        (next_step,) = yield Query((), (), (0,), distributions or manual or self._top)
        self._root = next_step
        index = self._first(path.candidate, next_step) if manual else next_step.id
        # A path remembers its next steps, so that alternatives can branch off there.
        choose = path.push if self.branches_off else path.candidate.choose
        self.chain.append(ChosenStep(next_step, index))
        while choose(next_step, index):
            (next_step,) = yield Query((), ((0, index),), (0,), distributions)
            index = next_step.id
            self.chain.append(ChosenStep(next_step, index))
        path.cut()

    def _first(self, candidate: Candidate, next_step: NextStep) -> int:
        """The most probable id with which a candidate has a character, or may come to have one."""
        assert next_step.distribution is not None
        for index in (-next_step.distribution).argsort(kind="stable").tolist():
            tried = candidate.fork()
            tried.choose(next_step, index)
            if tried.chars or tried.finish_reason not in EMPTY_ENDS:
                candidate.from_here = tried.probability
                return int(index)
        return next_step.id

    def _draw(self) -> Queries[None]:
        options = self._options
        sampling = Sampling.of(options)
        samplers = [
            Sampler(self._vocabulary, sampling, options.seed, self._length, stream)
            for stream in range(options.n)
        ]
        (root,) = yield Query((), (), (0,), distributions=True)
        self._root = root
        # All candidates draw their first id from the one next step after the text.
        next_steps: Sequence[NextStep] = [root] * options.n
        wanted = list(range(options.n))
        first = True
        while wanted:
            steps = []
            for branch, next_step in zip(wanted, next_steps, strict=True):
                assert next_step.distribution is not None
                index, _ = samplers[branch].draw(next_step.distribution)
                if branch == 0:
                    self.chain.append(ChosenStep(next_step, index))
                candidate = self._paths[branch].candidate
                goes_on = candidate.choose(next_step, index)
                if first:
                    # An improbable first id was drawn on purpose. How far the candidate is worth
                    # following is measured from there.
                    candidate.from_here = candidate.probability
                if goes_on:
                    steps.append((branch, index))
            wanted = [branch for branch, _ in steps]
            # Only branch 0 is after the text already; the others start there with their first id.
            restores = [(branch, root) for branch in wanted if branch] if first else []
            first = False
            if wanted:
                next_steps = yield Query(restores, steps, wanted, distributions=True)
        for path in self._paths:
            path.cut()
        # Where one text begins with another, `apart` keeps the one that comes first: the longer.
        self._show(sorted(self._paths, key=lambda path: -path.length))

    def _show(self, paths: Sequence[Path]) -> None:
        """Shows the paths that are apart from those before them, the most probable first."""
        self._shown = sorted(apart(paths), key=lambda path: -path.right)
