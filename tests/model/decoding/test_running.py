"""running and stepping: a decoding's phases, its replay of kept steps, and failing alone."""

from dataclasses import replace

import pytest

from model.checkpoint import load
from model.completing import complete, decode, decoding_at
from model.decoding.next_step import NextStep
from model.decoding.options import Options
from model.decoding.running import Decoding, Phase
from model.decoding.stepping import LEAST_IDS_ABSORBED, step_and_predict
from model.served import Runtime
from tests.tiny import save_primed_checkpoint, save_tiny_checkpoint

TEXT = "def main(ab):\n    for x in names.items():\n        print(x, 'é😀')\n" * 3
LONG = Options(max_chars=30, min_confidence=0, by_value=False)
ALL = 1000


@pytest.fixture(scope="module", params=["plain", "adapting"])
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    save = save_tiny_checkpoint if request.param == "plain" else save_primed_checkpoint
    return Runtime(load(save(tmp_path_factory.mktemp("checkpoints") / "tiny")))


def at(
    runtime: Runtime, text: str, options: Options = LONG, before: Decoding | None = None
) -> Decoding:
    """The decoding after a text; where there was one a character before, it replays that one."""
    page = runtime.adaptation.page() if runtime.adaptation else None
    state, absorbed = (before.states[-1], len(text) - 1) if before is not None else (None, 0)
    return decoding_at(runtime, options, text, len(text), page, state, absorbed, kept_steps=ALL)


def finished(runtime: Runtime, decoding: Decoding) -> Decoding:
    if decoding.phase is not Phase.FINISHED:
        decode(runtime.pool(decoding.width), runtime.adaptation, decoding)
    return decoding


def test_a_decoding_absorbs_waits_for_its_page_and_decodes(runtime: Runtime) -> None:
    decoding = Decoding(runtime, LONG, ("ab", "c"), start=None, before="abc", length=3)
    pool = runtime.pool(1)
    decoding.enter(pool)
    phases = [decoding.phase]
    while decoding.phase is not Phase.FINISHED:
        if decoding.phase is Phase.AWAITING_PAGE:
            step_and_predict(pool, runtime.adaptation, [decoding])
            assert decoding.phase is Phase.AWAITING_PAGE
            assert runtime.adaptation is not None
            page = runtime.adaptation.page()
            page.follow("abc")
            decoding.begin_at(page.cursor())
        step_and_predict(pool, runtime.adaptation, [decoding])
        if decoding.phase is not phases[-1]:
            phases.append(decoding.phase)
    waits = [Phase.AWAITING_PAGE] if runtime.adaptation else []
    assert phases == [Phase.ABSORBING, *waits, Phase.DECODING, Phase.FINISHED]
    assert decoding.decoder.completion == complete(runtime, "abc", LONG).completion
    assert len(decoding.states) == 2


def test_a_replay_spares_steps_and_changes_nothing(runtime: Runtime) -> None:
    reused = computed = 0
    for other in (LONG, replace(LONG, n=3), replace(LONG, temperature=0.7, seed=2)):
        text = TEXT[:40]
        before = finished(runtime, at(runtime, text, other))
        for _ in range(25):
            text += before.decoder.completion.text[:1] or "a"
            decoding = at(runtime, text, other, before)
            decoding.replay(before.decoder.chain)
            decoder = finished(runtime, decoding).decoder
            expected = complete(runtime, text, other)
            assert (decoder.completion, decoder.alternatives) == (
                expected.completion,
                expected.alternatives,
            )
            reused += decoding.steps_reused
            computed += decoding.steps_computed
            before = decoding
    assert reused > 100
    assert computed > 100


def test_a_replay_of_all_there_is_computes_nothing(runtime: Runtime) -> None:
    first = finished(runtime, at(runtime, TEXT[:40]))
    text = TEXT[:40] + first.decoder.completion.text[0]
    shorter = at(runtime, text, replace(LONG, max_chars=1), first)
    shorter.replay(first.decoder.chain)
    assert shorter.phase is Phase.FINISHED
    assert shorter.steps_computed == 0
    expected = complete(runtime, text, replace(LONG, max_chars=1)).completion
    assert shorter.decoder.completion == expected


def test_a_replay_ends_where_no_state_was_kept(runtime: Runtime) -> None:
    first = finished(runtime, at(runtime, TEXT[:40]))
    kept = [
        step if number < 4 else step._replace(next_step=step.next_step._replace(state=None))
        for number, step in enumerate(first.decoder.chain)
    ]
    text = TEXT[:40] + first.decoder.completion.text[0]
    decoding = at(runtime, text, LONG, first)
    decoding.replay(kept)
    assert decoding.steps_reused <= 3
    expected = complete(runtime, text, LONG).completion
    assert finished(runtime, decoding).decoder.completion == expected


def test_a_text_that_is_not_what_was_chosen_is_absorbed(runtime: Runtime) -> None:
    first = finished(runtime, at(runtime, TEXT[:40]))
    other = next(c for c in "ab" if c != first.decoder.completion.text[0])
    decoding = at(runtime, TEXT[:40] + other, LONG, first)
    decoding.replay(first.decoder.chain)
    assert decoding.steps_reused == 0
    assert decoding.phase is Phase.ABSORBING
    expected = complete(runtime, TEXT[:40] + other, LONG).completion
    assert finished(runtime, decoding).decoder.completion == expected


def test_a_kept_step_holds_no_array_of_its_batch(runtime: Runtime) -> None:
    chain = finished(runtime, at(runtime, TEXT[:40], replace(LONG, n=2))).decoder.chain
    for step in chain:
        kept = step.kept()
        assert kept.id == step.id
        assert kept.next_step.state == step.next_step.state
        assert kept.next_step.cursor is None
        network, distribution = kept.next_step.network, kept.next_step.distribution
        assert (network is None) == (runtime.adaptation is None)
        assert (distribution is None) == (runtime.adaptation is not None)
        if network is not None:
            assert network.probabilities.base is network.hidden.base is None
        else:
            assert distribution is not None
            assert distribution.base is None


def test_texts_are_absorbed_together_as_far_as_the_bound_allows(runtime: Runtime) -> None:
    decodings = [at(runtime, "abc " * 20), at(runtime, "xyz " * 30)]
    pool = runtime.pool(2)
    for decoding in decodings:
        decoding.enter(pool)
    step_and_predict(pool, runtime.adaptation, decodings, most_steps=2 * 11)
    assert [decoding.steps_computed for decoding in decodings] == [11, 11]
    step_and_predict(pool, runtime.adaptation, decodings, most_steps=2 * LEAST_IDS_ABSORBED - 1)
    assert [decoding.steps_computed for decoding in decodings] == [12, 12]
    for decoding in decodings:
        decoding.leave(pool)


class Refusing(Decoding):
    """A decoding that fails at every answer."""

    def answer(self, next_steps: list[NextStep]) -> None:
        raise ArithmeticError("refused")


def test_one_that_fails_does_so_alone_or_for_all_as_the_caller_wants(runtime: Runtime) -> None:
    good = at(runtime, "abc")
    bad = Refusing(runtime, LONG, ("abc",), start=None, before="abc", length=3)
    if runtime.adaptation is not None:
        page = runtime.adaptation.page()
        page.follow("abc")
        bad.begin_at(page.cursor())
    pool = runtime.pool(2)
    going = [good, bad]
    for decoding in going:
        decoding.enter(pool)
    failures: list[Exception] = []

    def leave(decoding: Decoding, error: Exception) -> None:
        going.remove(decoding)
        failures.append(error)

    while going and good.phase is not Phase.FINISHED:
        step_and_predict(pool, runtime.adaptation, list(going), failed=leave)
    assert [str(error) for error in failures] == ["refused"]
    assert good.decoder.completion == complete(runtime, "abc", LONG).completion
    with pytest.raises(ArithmeticError):
        step_and_predict(pool, runtime.adaptation, [bad])
