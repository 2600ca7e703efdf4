"""Decoding: one request's candidates, from the state after its text to what is suggested.

A decoder computes nothing of the network's. It says what it wants to know next, and whoever holds
the states, a process for itself or a batch of many requests, tells it.
"""

from collections.abc import Sequence

from model.calibration import Calibration
from model.decoding.beam import Path, alternatives, apart
from model.decoding.candidate import Candidate, Rules
from model.decoding.fitting import best_fit, joins
from model.decoding.next_step import NextStep, Queries, Query
from model.decoding.options import CharProbability, Completion, Options
from model.decoding.sampling import Sampler, Sampling
from model.runtime.arithmetic import Floats
from model.vocabulary import Vocabulary

NOTHING = ("line_end", "suffix", "indentation", "invalid_bytes")
"""Ends of a candidate without a character, in whose place a manual trigger shows the next best."""


class Decoder:
    """The candidates of one request on their way; `query` is what it wants now, None at the end.

    It takes `width` branches. `shares` says that outlooks must come with their states. `chain` is
    the steps of branch 0 along the first candidate: what was predicted, and the id chosen.
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
        self._rules = Rules(vocabulary, options, calibration, before)
        self._paths = [Path(Candidate(self._rules)) for _ in range(self.width)]
        self._root: NextStep | None = None
        self._shown: list[Path] = []
        self.chain: list[tuple[NextStep, int]] = []
        self._run = self._decode()
        self.query: Query | None = next(self._run, None)

    @property
    def width(self) -> int:
        return self._options.n

    @property
    def shares(self) -> bool:
        return self._options.n > 1

    def take(self, next_steps: Sequence[NextStep]) -> None:
        """Goes on with the outlooks that the turn asked for, in its order."""
        try:
            self.query = self._run.send(next_steps)
        except StopIteration:
            self.query = None

    def end(self) -> None:
        """Ends all candidates as they are, for want of time."""
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
        if self._options.n > 1:
            return ()
        candidate = self._paths[0].candidate
        return tuple(candidate.chars[: candidate.certain])

    @property
    def text(self) -> str:
        """The first candidate as far as it has come."""
        return self._paths[0].candidate.text

    @property
    def completion(self) -> Completion:
        """What is suggested, once there are no more turns."""
        path = self._shown[0] if self._shown else self._paths[0]
        return path.candidate.completion(path.length)

    @property
    def alternatives(self) -> tuple[Completion, ...]:
        """The other candidates, the most probable first."""
        return tuple(path.candidate.completion(path.length) for path in self._shown[1:])

    def _decode(self) -> Queries[None]:
        if self._options.max_chars == 0:
            if self._top:
                (self._root,) = yield Query((), (), (0,), whole=True)
            return
        if self._options.temperature > 0:
            yield from self._draw()
        else:
            yield from self._greedy(self._paths[0])
            others = []
            if self._options.n > 1:
                others = yield from alternatives(self._paths[0], self._options.n - 1)
            # What is spelt in bytes may say what another says.
            self._show([self._paths[0], *others])
        if self._options.suffix and len(self._shown) > 1:
            first = yield from self._fit()
            self._shown = [first, *(path for path in self._shown if path is not first)]

    def _fit(self) -> Queries[Path]:
        """The path that goes best with the suffix, of those that have come to where it follows.

        The greedy one leads. Where it has not come there, it is not compared: others may be more
        probable only because less of them is shown.
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
        whole = self.shares or self._options.top_each > 0
        (next_step,) = yield Query((), (), (0,), whole or manual or self._top)
        self._root = next_step
        index = self._first(path.candidate, next_step) if manual else next_step.id
        choose = path.push if self.shares else path.candidate.choose
        self.chain.append((next_step, index))
        while choose(next_step, index):
            (next_step,) = yield Query((), ((0, index),), (0,), whole)
            index = next_step.id
            self.chain.append((next_step, index))
        path.cut()

    def _first(self, candidate: Candidate, next_step: NextStep) -> int:
        """The most probable id with which a candidate has a character, or may have one."""
        assert next_step.distribution is not None
        for index in (-next_step.distribution).argsort(kind="stable").tolist():
            tried = candidate.fork()
            tried.choose(next_step, index)
            if tried.chars or tried.finish_reason not in NOTHING:
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
        (root,) = yield Query((), (), (0,), whole=True)
        self._root = root
        next_steps: Sequence[NextStep] = [root] * options.n
        asks = list(range(options.n))
        begun = False
        while asks:
            moves = []
            for branch, next_step in zip(asks, next_steps, strict=True):
                assert next_step.distribution is not None
                index, _ = samplers[branch].draw(next_step.distribution)
                if branch == 0:
                    self.chain.append((next_step, index))
                candidate = self._paths[branch].candidate
                going = candidate.choose(next_step, index)
                if not begun:
                    candidate.from_here = candidate.probability
                if going:
                    moves.append((branch, index))
            asks = [branch for branch, _ in moves]
            writes = [] if begun else [(branch, root) for branch in asks if branch]
            begun = True
            if asks:
                next_steps = yield Query(writes, moves, asks, whole=True)
        for path in self._paths:
            path.cut()
        self._show(sorted(self._paths, key=lambda path: -path.length))

    def _show(self, paths: Sequence[Path]) -> None:
        """The paths that are apart from those before them, the most probable first."""
        self._shown = sorted(apart(paths), key=lambda path: -path.right)
