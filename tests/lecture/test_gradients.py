"""What happens if the state is transformed too much from step to step?

The tests measure vanishing and exploding gradients, saturated units and the norm of the state, and
the effect of clipping and of gated cells. The report compares the kinds of cell on the same data.
"""

import json
from pathlib import Path

import pytest
import torch

from model.network.cells import Elman
from model.network.config import NetworkConfig
from model.network.network import Network
from tests.cli.command import Command
from training.gradients import report
from training.gradients.experiment import Experiment, ExperimentSettings, GradientFigures
from training.gradients.measure import measure, set_spectral_radius, spectral_radius

SETTINGS = ExperimentSettings(
    hidden=32,
    distance=60,
    passages=8,
    radii=(0.5, 1.0, 2.0),
    steps=100,
    streams=8,
    window=48,
    clipping_steps=100,
    clipping_rate=1.0,
)
TEXT = "".join(
    f"def name_{n}(self, value={n * 7 % 90}):\n    return value + {n}\n" for n in range(80)
)


@pytest.fixture(scope="module")
def figures() -> GradientFigures:
    return Experiment(TEXT, SETTINGS).run("a text")


@pytest.fixture
def reported(root: Path) -> GradientFigures:
    return report.read(root / "docs/gradients.md")


def check_radii(figures: GradientFigures) -> None:
    flows = {at.radius: at.flow for at in figures.radii}
    # Below 1 the gradient vanishes, above it explodes, and at 1 it lies between.
    assert flows[0.5].relative[-1] < 1e-9
    assert flows[2.0].relative[-1] > 10
    assert flows[0.5].rate < flows[1.0].rate < flows[2.0].rate
    assert flows[0.5].rate < 0.6
    assert 0.8 < flows[1.0].rate < 1
    assert flows[2.0].rate > 1
    assert flows[0.5].reach < flows[1.0].reach < flows[2.0].reach == len(flows[2.0].gradient) - 1
    # The further W stretches, the more the state grows, and the more units are saturated.
    assert flows[0.5].state[-1] < flows[1.0].state[-1] < flows[2.0].state[-1] < 1
    assert flows[0.5].saturated <= flows[1.0].saturated < flows[2.0].saturated


def check_cells(figures: GradientFigures) -> None:
    cells = {trained.cell: trained for trained in figures.cells}
    assert list(cells) == ["elman", "gru", "lstm"]
    for gated in ("gru", "lstm"):
        assert cells[gated].before.reach > cells["elman"].before.reach
        assert cells[gated].after.reach > cells["elman"].after.reach
        assert cells[gated].after.relative[50] > 10 * cells["elman"].after.relative[50]
        assert cells[gated].before.saturated < cells["elman"].before.saturated


def check_clipping(figures: GradientFigures) -> None:
    free, clipped = figures.clipping
    assert (free.clip, clipped.clip) == (None, 1.0)
    assert free.diverged or free.final_bits > clipped.final_bits
    assert max(free.norms) > max(clipped.norms)
    assert not clipped.diverged


def test_gradients_vanish_below_a_spectral_radius_of_1_and_explode_above(
    figures: GradientFigures,
) -> None:
    check_radii(figures)


def test_gated_cells_reach_further_back_than_elman(figures: GradientFigures) -> None:
    cells = {trained.cell: trained for trained in figures.cells}
    assert cells["lstm"].before.reach > cells["gru"].before.reach > cells["elman"].before.reach
    assert cells["gru"].after.rate > cells["elman"].after.rate
    assert cells["lstm"].after.rate > cells["elman"].after.rate


def test_the_report_shows_vanishing_exploding_and_the_gated_cells_longer_reach(
    reported: GradientFigures,
) -> None:
    check_radii(reported)
    check_cells(reported)
    check_clipping(reported)
    assert reported.settings == ExperimentSettings()


def test_the_report_is_what_its_figures_say(root: Path, reported: GradientFigures) -> None:
    page = root / "docs/gradients.md"
    assert page.read_text("utf-8") == report.render(reported, "gradients")
    for picture in ("radius", "cells", "state", "clipping"):
        drawn = (root / f"docs/gradients/{picture}.png").read_bytes()
        assert drawn.startswith(b"\x89PNG")
        assert len(drawn) < 100_000


def test_clipping_bounds_the_step_and_keeps_its_direction() -> None:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(9))
    for length in (0.5, 40.0):
        gradient = torch.randn(9)
        gradient *= length / gradient.norm()
        weight.grad = gradient.clone()
        assert torch.nn.utils.clip_grad_norm_([weight], 1.0).item() == pytest.approx(length)
        assert weight.grad.norm().item() == pytest.approx(min(length, 1), rel=1e-4)
        cosine = torch.cosine_similarity(weight.grad, gradient, dim=0)
        assert cosine.item() == pytest.approx(1)


def test_a_gradient_that_explodes_without_clipping_does_harm_that_clipping_prevents(
    figures: GradientFigures,
) -> None:
    free, clipped = figures.clipping
    assert min(max(free.norms), max(clipped.norms)) > 3
    assert free.diverged or free.final_bits > clipped.final_bits


def network(radius: float, scale: float) -> Network:
    torch.manual_seed(0)
    made = Network(NetworkConfig("elman", 1, 32, "ab", byte_fallback=False))
    (cell,) = made.layers()
    assert isinstance(cell, Elman)
    set_spectral_radius(cell, radius)
    assert spectral_radius(cell) == pytest.approx(radius, rel=1e-5)
    with torch.no_grad():
        cell.U.mul_(scale)
    return made


def test_the_gradients_norm_is_that_of_the_product_of_jacobians() -> None:
    made = network(1.2, 0.5)
    ids = torch.tensor([[0, 1, 1, 0, 1, 0]])
    flow = measure(made, ids)
    twin = network(1.2, 0.5).double()
    (cell,) = twin.layers()
    state, jacobians = twin.initial(1), []
    for index in ids[0, :-1]:
        logits, state = twin.step(index[None], state)
        h = state[0][0][0].detach()
        jacobians.append(torch.diag(1 - h * h) @ cell.W.detach())
    error = torch.softmax(logits[0].detach(), dim=-1)
    error[ids[0, -1]] -= 1
    gradient = error @ twin.output.weight.detach()
    for distance in range(5):
        assert flow.gradient[distance] == pytest.approx(gradient.norm().item(), rel=1e-6)
        gradient = gradient @ jacobians[-1 - distance]


def test_saturated_units_are_counted() -> None:
    ids = torch.randint(0, 2, (4, 30), generator=torch.Generator().manual_seed(0))
    assert measure(network(0.5, 0.01), ids).saturated == 0
    assert measure(network(0.5, 100.0), ids).saturated > 0.9


def test_the_norm_of_the_state_is_measured_along_the_text() -> None:
    ids = torch.randint(0, 2, (4, 30), generator=torch.Generator().manual_seed(0))
    flow = measure(network(0.5, 100.0), ids)
    assert len(flow.state) == len(flow.gradient) == 29
    assert all(0.9 < norm <= 1 for norm in flow.state)


def test_the_command_writes_the_report_its_pictures_and_the_figures(
    command: Command, tmp_path: Path
) -> None:
    text, page, kept = tmp_path / "text.py", tmp_path / "new/page.md", tmp_path / "figures.json"
    text.write_text(TEXT)
    outcome = command("gradients", text, "--report", page, "--steps", 3, "--json", kept)
    assert (outcome.status, outcome.err) == (0, "")
    assert page.read_text("utf-8") == report.render(report.read(page), "page")
    assert json.loads(kept.read_text("utf-8"))["characters"] == len(TEXT)
    assert {file.suffix for file in (tmp_path / "new/page").iterdir()} == {".png", ".json"}


def test_a_text_too_short_to_measure_on_is_a_mistake(command: Command, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("too short")
    outcome = command("gradients", tmp_path / "short", "--report", tmp_path / "page.md")
    assert (outcome.status, len(outcome.err.splitlines())) == (2, 1)
    assert "9 characters" in outcome.err
    assert command("gradients", "--report", tmp_path).status == 2
