"""The gates of a suggestion that a peer decoded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality.chains import GATES, Chain, ChainStep, Gate, milliseconds
from model.decoding.expected_saving import best_length

# "return self": two tokens, the second of which is doubtful from its second character on.
CHAIN = Chain(
    "return self",
    (0.95, 0.9, 0.9, 0.9, 0.9, 0.9, 0.7, 0.35, 0.32, 0.31, 0.3),
    (ChainStep(6, 0.88, 0.01), ChainStep(11, 0.25, 0.02)),
    24,
)


@pytest.mark.parametrize(
    ("gate", "text", "confidence", "seconds"),
    [
        (Gate(), "return self", 0.3, 0.02),
        (Gate(inside=False), "return self", 0.3, 0.02),
        (Gate(0.3), "return self", 0.3, 0.02),
        (Gate(0.31), "return sel", 0.31, 0.02),
        (Gate(0.31, inside=False), "return", 0.9, 0.02),
        (Gate(0.89), "return", 0.9, 0.01),
        (Gate(0.93), "r", 0.95, 0.01),
        (Gate(0.93, inside=False), "", 1.0, 0.01),
        (Gate(0.96), "", 1.0, 0.01),
        (Gate(by_value=True), "return ", 0.7, 0.02),
        (Gate(0.96, by_value=True), "", 1.0, 0.01),
    ],
)
def test_a_gate_shows_what_it_says(
    gate: Gate, text: str, confidence: float, seconds: float
) -> None:
    cut = gate.cut(CHAIN)
    assert (cut.text, cut.confidence, cut.seconds) == (text, confidence, seconds)


def test_an_empty_chain_shows_nothing_but_took_its_time() -> None:
    cut = Gate(0.3).cut(Chain("", (), (ChainStep(0, 0.4, 0.5),), 24))
    assert (cut.text, cut.confidence, cut.seconds) == ("", 1.0, 0.5)


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Chains of one to five tokens with probabilities that only fall."""
    right: list[float] = []
    steps: list[ChainStep] = []
    now = 1.0
    for seconds in range(draw(st.integers(1, 5))):
        for _ in range(draw(st.integers(1, 4))):
            now *= draw(st.floats(0.3, 1))
            right.append(now)
        now *= draw(st.floats(0.3, 1))
        steps.append(ChainStep(len(right), now, seconds + 1.0))
    return Chain("x" * len(right), tuple(right), tuple(steps), 24)


@given(chain=chains(), bound=st.sampled_from([0.0, 0.1, 0.3, 0.6]))
def test_ending_early_changes_nothing_of_what_is_shown(chain: Chain, bound: float) -> None:
    allowed = [n for n, p in enumerate(chain.right, 1) if p >= bound]
    longest = max(allowed, default=0)
    assert len(Gate(bound).cut(chain).text) == longest
    ends = [step.length for step in chain.steps if step.length in allowed]
    assert len(Gate(bound, inside=False).cut(chain).text) == max(ends, default=0)
    by_value = best_length(chain.text[:longest], (1.0, *chain.right)) if longest else 0
    assert len(Gate(bound, by_value=True).cut(chain).text) == by_value


def test_no_gate_is_tried_twice_and_the_first_shows_all() -> None:
    assert len(set(map(str, GATES))) == len(GATES)
    assert GATES[0].cut(CHAIN).text == CHAIN.text


def test_times_are_in_milliseconds() -> None:
    times = milliseconds([Gate(0.96).cut(CHAIN), Gate(0.3).cut(CHAIN), Gate().cut(CHAIN)])
    assert times.median == pytest.approx(20)
    assert 19 < times.p95 <= 20
