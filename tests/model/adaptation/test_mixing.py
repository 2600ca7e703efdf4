"""The mixed distribution: its sum, its most probable id, and how the text changes it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.adaptation import Adaptation
from model.adaptation.parameters import OWN, SHARED, Parameters
from model.runtime.arithmetic import Floats
from model.runtime.network_output import NetworkOutput
from tests.model.adaptation.primed import UNITS, network_output, primed, random_parameters
from tests.model.runtime.networks import random_checkpoint

TEXT = "def value(self):\n    return self.value\n\ndef other(self):\n    return self."


def mixed(parameters: Parameters, text: str, p: Floats) -> Floats:
    adaptation = Adaptation(primed(random_checkpoint(), parameters))
    page = adaptation.page()
    page.follow(text)
    return adaptation.distribution([page.cursor()] * len(p), network_output(p))


def flat(rows: int = 1) -> Floats:
    size = random_checkpoint().vocabulary.size
    return np.full((rows, size), 1 / size, np.float32)


def trusting(column: int) -> Parameters:
    """Parameters whose scores are one feature of a candidate."""
    arrays = vars(Parameters.neutral(UNITS)) | {
        "first_own": np.zeros((16, OWN), np.int16),
        "second_own": np.zeros((16, 16), np.int16),
        "output": np.zeros(16, np.int16),
    }
    arrays["first_own"][0, column] = 1
    arrays["second_own"][0, 0] = arrays["output"][0] = 1
    return Parameters(**arrays)


@given(seed=st.integers(0, 200), sharpness=st.floats(0.01, 2))
def test_distributions_sum_up_to_one_and_the_best_is_the_largest(
    seed: int, sharpness: float
) -> None:
    adaptation = Adaptation(primed(random_checkpoint(), random_parameters(seed)))
    page = adaptation.page()
    page.follow(TEXT)
    p = np.random.default_rng(seed).gamma(sharpness, size=flat(3).shape)
    p = (p / np.maximum(p.sum(axis=1, keepdims=True), 1e-300)).astype(np.float32)
    cursors = [page.cursor() for _ in p]
    distribution = adaptation.distribution(cursors, network_output(p))
    assert distribution.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (distribution >= 0).all()
    ids, probabilities = adaptation.best(cursors, network_output(p))
    assert (ids == distribution.argmax(axis=1)).all()
    assert (probabilities == distribution.max(axis=1)).all()


def test_ties_go_to_the_lowest_id() -> None:
    adaptation = Adaptation(primed(random_checkpoint(), Parameters.neutral(UNITS)))
    ids, _ = adaptation.best([adaptation.page().cursor()], network_output(flat()))
    assert ids[0] == 0


def test_neutral_parameters_leave_the_networks_distribution() -> None:
    p = np.random.default_rng(0).dirichlet(np.full(flat().shape[1], 0.2), 4).astype(np.float32)
    p = np.maximum(p, np.float32(2e-6))
    assert mixed(Parameters.neutral(UNITS), TEXT, p) == pytest.approx(p / p.sum(1, keepdims=True))


def test_ids_that_are_no_candidates_keep_their_shares() -> None:
    p = flat()
    rows = mixed(random_parameters(), TEXT, p)
    # Candidates are few: what followed the same contexts.
    shares, counts = np.unique(rows[0], return_counts=True)
    assert counts.max() > 0.8 * rows.shape[1]
    assert len(shares) > 1


def test_what_the_match_says_is_raised() -> None:
    vocabulary = random_checkpoint().vocabulary
    # Feature 21 of a candidate: whether it followed the longest match.
    rows = mixed(trusting(19), TEXT, flat())
    assert vocabulary.symbol(int(rows[0].argmax())) == "v"


def test_what_is_seen_in_the_hidden_state_counts() -> None:
    adaptation = Adaptation(primed(random_checkpoint(), random_parameters(2)))
    page = adaptation.page()
    page.follow(TEXT)
    p = flat(2)
    hidden = np.zeros((2, UNITS), np.int8)
    hidden[1, ::2] = 127
    one, other = adaptation.distribution([page.cursor()] * 2, NetworkOutput(p, hidden))
    assert (one != other).any()
    # Without candidates there is nothing to mix in.
    empty = [adaptation.page().cursor()] * 2
    one, other = adaptation.distribution(empty, NetworkOutput(p, hidden))
    assert (one == other).all()


def test_a_candidate_that_the_network_rules_out_can_still_come() -> None:
    vocabulary = random_checkpoint().vocabulary
    p = flat()
    p[0, vocabulary.encode("v")[0]] = 0
    rows = mixed(random_parameters(3), TEXT, p)
    assert rows[0, vocabulary.encode("v")[0]] > 0


def test_many_pages_in_one_call_give_what_each_gives_alone() -> None:
    adaptation = Adaptation(primed(random_checkpoint()))
    p = np.random.default_rng(1).dirichlet(np.full(flat().shape[1], 0.3), 5).astype(np.float32)
    cursors = []
    for number in range(5):
        page = adaptation.page()
        page.follow(TEXT[: 10 * number])
        cursors.append(page.cursor())
    adaptation.engine.push(cursors, [0, 1, 2, 3, 4])
    said = network_output(p)
    together = adaptation.distribution(cursors, said)
    alone = [adaptation.distribution([c], said.at(n))[0] for n, c in enumerate(cursors)]
    assert together.tobytes() == np.array(alone).tobytes()


def test_features_fit_where_parameters_are_checked_for() -> None:
    adaptation = Adaptation(primed(random_checkpoint()))
    ids = adaptation.vocabulary.encode((TEXT + "\n") * 30)
    p = np.random.default_rng(2).gamma(0.01, size=(len(ids), flat().shape[1]))
    p = (p / np.maximum(p.sum(axis=1, keepdims=True), 1e-300)).astype(np.float32)
    found = adaptation.engine.collect(adaptation.engine.index(), ids, p)
    assert found.shared.shape[1:] == (SHARED,)
    assert max(np.abs(found.shared).max(), np.abs(found.own).max()) <= 512
