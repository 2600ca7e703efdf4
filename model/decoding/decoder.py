"""Decoding: one request's candidates, from the state after its text to what is suggested.

A decoder never runs the network. It asks for the next steps of its branches, and its caller, which
holds their states, answers. So the same decoder serves a single text and a text in a batch.
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

# A candidate that ends for one of these reasons before it has a character shows nothing. With a
# manual trigger, the next most probable id is then tried as its first.
EMPTY_ENDS = ("line_end", "suffix", "indentation", "invalid_bytes")


class Decoder:
    """Decodes the candidates of one request.

    `query` is the question that the caller must answer next, None once decoding has ended. A
    decoder has `width` branches. Where `branches_off` is true, branches may start again at earlier
    next steps, so each next step must come with its state and cursor. `chain` holds each step of
    the first candidate, the one that branch 0 decodes.
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

        With `top` the decoder also has the distribution after the text, as `next`.
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
        """Continues with the next steps that the query asked for, in its order."""
        try:
            self.query = self._run.send(next_steps)
        except StopIteration:
            self.query = None

    def end(self) -> None:
        """Ends all candidates where they are, because the time for decoding is over."""
        self._run.close()
        self.query = None
        for path in self._paths:
            path.candidate.end()
            path.cut()
        self._show(self._paths)

    @property
    def next(self) -> Floats | None:
        """The distribution after the text, shape (ids,), or None where it was not wanted."""
        return self._root.distribution if self._root is not None and self._top else None

    @property
    def certain(self) -> tuple[CharProbability, ...]:
        """The characters that are sure to be suggested; none are where there are alternatives."""
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
        """What is suggested. It is final once `query` is None."""
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
            # Two paths of different ids may show the same text, because a character that has an id
            # can be spelt in bytes as well.
            self._show([self._paths[0], *others])
        if self._options.suffix and len(self._shown) > 1:
            first = yield from self._fit()
            self._shown = [first, *(path for path in self._shown if path is not first)]

    def _fit(self) -> Queries[Path]:
        """The path to show first: of those after which the suffix may follow, the best fit.

        The greedy path leads, or, where there is none or it shows nothing, the most probable path.
        If the suffix may not follow the leading path, that path stays first and no others are
        compared: they may be more probable only because less of them is shown.
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
        """The most probable id that gives the candidate a character, or may still lead to one."""
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
                    # The first id was drawn at random and may be improbable. So whether following
                    # the candidate still pays is measured from here.
                    candidate.from_here = candidate.probability
                if goes_on:
                    steps.append((branch, index))
            wanted = [branch for branch, _ in steps]
            # Branch 0 is at the end of the text already. The other branches are put there first.
            restores = [(branch, root) for branch in wanted if branch] if first else []
            first = False
            if wanted:
                next_steps = yield Query(restores, steps, wanted, distributions=True)
        for path in self._paths:
            path.cut()
        # Where one text begins with another, `apart` keeps the one that comes first: the longer.
        self._show(sorted(self._paths, key=lambda path: -path.length))

    def _show(self, paths: Sequence[Path]) -> None:
        """Orders the paths that are `apart` as they are shown, the most probable first."""
        self._shown = sorted(apart(paths), key=lambda path: -path.right)
