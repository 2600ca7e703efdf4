"""What typists do and what can break, in any order, as a Hypothesis state machine."""

import asyncio
import signal
from collections.abc import Coroutine, Iterable
from itertools import count
from typing import ClassVar, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from model.adaptation.page import WINDOW_BLOCK
from tests.invariant.stage import Stage
from tests.invariant.typist import RandomTypist, SoakTally, Wish

Result = TypeVar("Result")

SOURCE = (
    "def main():\n    for name in sorted(names):\n        print(name, end='é')\r\n"
    'class Café(Base):\n    """Ein Tag 😀."""\n    def __init__(self):\n        self.x = [1, 2]\n'
) * 40
SHORT = st.text(alphabet="abc _().\n\r\té😀\ufeff", max_size=6)
WHO = st.integers(0, 2)
TOLD = st.sampled_from([signal.SIGTERM, signal.SIGKILL])
BACK = st.one_of(st.integers(1, 40), st.integers(1, 3000))
WISHES = st.builds(
    Wish,
    top=st.sampled_from([0, 0, 3]),
    options=st.sampled_from(
        [
            (),
            (),
            (("max_chars", 60),),
            (("min_confidence", 0.2),),
            (("suffix", "a b"),),
            (("n", 3),),
            (("n", 2), ("temperature", 1.0), ("seed", 3)),
        ]
    ),
)


class Invariant(RuleBasedStateMachine):
    """Three typists. The first and the last share a session, the second has its own.

    The stage and the tally are set on the class before it runs. Restarting processes takes seconds,
    so the rules that do it do nothing for most values of `luck`.
    """

    stage: ClassVar[Stage]
    tally: ClassVar[SoakTally]
    numbers: ClassVar["count[int]"] = count()
    restarts_in: ClassVar[int] = 8

    def __init__(self) -> None:
        super().__init__()
        number = next(self.numbers)
        self.typists = [RandomTypist(self.stage, self.tally, f"{number}-{i % 2}") for i in range(3)]
        self.before = [""]

    def teardown(self) -> None:
        self._do(together(typist.close() for typist in self.typists))

    @rule(who=WHO, piece=SHORT, as_edit=st.booleans(), wish=WISHES)
    def type(self, who: int, piece: str, as_edit: bool, wish: Wish) -> None:
        self._replace(who, len(self.typists[who].text), piece, as_edit, wish)

    @rule(who=WHO, keys=st.integers(2, 12), as_edit=st.booleans())
    def accept_what_is_shown(self, who: int, keys: int, as_edit: bool) -> None:
        typist = self.typists[who]
        shown = self.stage.expected(typist.text, 0, ())["completion"]
        for character in shown[:keys]:
            self._replace(who, len(typist.text), character, as_edit, Wish())

    @rule(
        who=WHO,
        back=st.one_of(st.just(0), BACK),
        begin=st.integers(0, 2000),
        size=st.one_of(st.integers(0, 200), st.integers(0, 3000)),
        as_edit=st.booleans(),
    )
    def paste(self, who: int, back: int, begin: int, size: int, as_edit: bool) -> None:
        keep = max(0, len(self.typists[who].text) - back)
        self._replace(who, keep, SOURCE[begin : begin + size], as_edit, Wish())

    @rule(
        who=WHO,
        blocks=st.integers(0, 6),
        away=st.integers(-2, 2),
        piece=SHORT,
        as_edit=st.booleans(),
    )
    def go_to_a_blocks_edge(
        self, who: int, blocks: int, away: int, piece: str, as_edit: bool
    ) -> None:
        """Makes the text so long that it is cut, or its window begins elsewhere, about here."""
        own = self.typists[who].text
        length = max(0, WINDOW_BLOCK * blocks + away)
        append = (SOURCE * 2)[len(own) : length] + piece
        self._replace(who, min(length, len(own)), append, as_edit, Wish(top=2))

    @rule(who=WHO, back=BACK, as_edit=st.booleans(), wish=WISHES)
    def delete(self, who: int, back: int, as_edit: bool, wish: Wish) -> None:
        self._replace(who, max(0, len(self.typists[who].text) - back), "", as_edit, wish)

    @rule(who=WHO, past=st.integers(0, 10), as_edit=st.booleans())
    def undo(self, who: int, past: int, as_edit: bool) -> None:
        text = self.before[-1 - past % len(self.before)]
        self._become(who, text, as_edit)

    @rule(who=WHO, past=st.integers(0, 3), share=st.floats(0, 1), as_edit=st.booleans())
    def jump(self, who: int, past: int, share: float, as_edit: bool) -> None:
        text = self.before[-1 - past % len(self.before)]
        self._become(who, text[: int(share * len(text))], as_edit)

    @rule(who=WHO)
    def resend(self, who: int) -> None:
        self._step("")
        self._do(self.typists[who].send_again())

    @rule(pieces=st.tuples(SHORT, SHORT, SHORT), as_edit=st.booleans(), backs=st.integers(0, 30))
    def race(self, pieces: tuple[str, str, str], as_edit: bool, backs: int) -> None:
        """All type at once, the first and the last in one session."""
        self._step("races")
        self._do(
            together(
                typist.replace(
                    max(0, len(typist.text) - backs * i), piece, as_edit, Wish(), alone=False
                )
                for i, (typist, piece) in enumerate(zip(self.typists, pieces, strict=True))
            )
        )
        for who in range(3):
            self._check(who)

    @rule(
        who=WHO, size=st.integers(0, 3000), milliseconds=st.integers(0, 30), as_edit=st.booleans()
    )
    def cancel_in_mid_flight(self, who: int, size: int, milliseconds: int, as_edit: bool) -> None:
        self._step("cancelled requests")
        typist = self.typists[who]
        self._do(typist.leave_early(len(typist.text) // 2, SOURCE[:size], milliseconds / 1000))
        self._check(who, as_edit)

    @rule(who=WHO)
    def delete_session(self, who: int) -> None:
        self._step("sessions deleted")
        self._do(self.typists[who].forget())
        self._check(who)

    @rule()
    def expire(self) -> None:
        self._step("sessions expired")
        self.stage.expire_sessions()
        self._check_all()

    @rule()
    def flush_redis(self) -> None:
        self._step("Redis flushed")
        self.stage.flush_redis()
        self._check_all()

    @rule()
    def flush_scripts(self) -> None:
        self._step("scripts flushed")
        self.stage.flush_scripts()
        self._check_all()

    @rule(who=WHO)
    def reconnect(self, who: int) -> None:
        self._step("")
        self._do(self.typists[who].reconnect())
        self._check(who)

    @rule()
    def cut_connections_to_redis(self) -> None:
        self._step("connections to Redis cut")
        self.stage.cut_connections()
        self._check_all()

    @rule(luck=st.integers(0, 1))
    def restart_redis(self, luck: int) -> None:
        if luck:
            self._step("Redis killed and restarted")
            self.stage.restart_redis()
        self._check_all()

    @rule(luck=st.integers(0, 10**6), index=st.integers(0, 1), in_flight=st.booleans())
    def kill_worker(self, luck: int, index: int, in_flight: bool) -> None:
        if luck % self.restarts_in == 0:
            self._step("workers killed")
            if in_flight:
                typist = self.typists[index]
                self._do(typist.leave_early(0, SOURCE[:3000], 0.005))
            self.stage.kill_worker(index)
        self._check_all()

    @rule(luck=st.integers(0, 10**6), told=TOLD)
    def swap_checkpoint(self, luck: int, told: signal.Signals) -> None:
        if luck % self.restarts_in == 0:
            self._step("checkpoints swapped")
            self.stage.swap_checkpoint(told)
        self._check_all()

    def _become(self, who: int, text: str, as_edit: bool) -> None:
        """Changes the typist's text into another one, keeping the common beginning."""
        own = self.typists[who].text
        keep = next(
            (i for i, (a, b) in enumerate(zip(own, text, strict=False)) if a != b),
            min(len(own), len(text)),
        )
        self._replace(who, keep, text[keep:], as_edit, Wish())

    def _replace(self, who: int, keep: int, append: str, as_edit: bool, wish: Wish) -> None:
        self._step("")
        typist = self.typists[who]
        self.before = [*self.before[-10:], typist.text]
        self._do(typist.replace(keep, append, as_edit, wish))

    def _check(self, who: int, as_edit: bool = True) -> None:
        typist = self.typists[who]
        self._do(typist.replace(len(typist.text), "", as_edit, Wish(top=2)))

    def _check_all(self) -> None:
        for who in range(3):
            self._check(who)

    def _step(self, fault: str) -> None:
        self.tally.steps += 1
        if fault:
            self.tally.faults[fault] += 1

    def _do(self, work: Coroutine[None, None, Result]) -> Result:
        return self.stage.loop.run_until_complete(work)


async def together(works: Iterable[Coroutine[None, None, Result]]) -> None:
    """Returns when all are done; raises the exception of the first one that fails."""
    await asyncio.gather(*works)


def run_invariant(examples: int, steps: int) -> None:
    """Runs `examples` new machines for `steps` steps each; raises the first failure."""
    run_state_machine_as_test(
        Invariant,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
