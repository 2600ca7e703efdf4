"""One step of training: the gradients of a window, and the optimisers' move along them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from training.backpropagation.unrolled import forward
from training.loop.run import Run
from training.loop.streams import IGNORED, Window

WARM = 3
"""Steps before a graph is captured, in which libraries choose their kernels."""


class TrainingStep:
    """Takes one step of a run at a time; what it returns is the loss in bits, and the gradient."""

    def __init__(self, run: Run, precision: torch.dtype) -> None:
        self._run = run
        self._precision = precision

    def __call__(self, window: Window, rate: float) -> tuple[float, float]:
        """Bits a character of the window, and the norm of its gradient before clipping."""
        bits, norm = self._update(window.ids, window.targets, rate, self._run.table_rate)
        return float(bits), float(norm)

    def _update(
        self, ids: Tensor, targets: Tensor, rate: float | Tensor, table_rate: float | Tensor
    ) -> tuple[Tensor, Tensor]:
        run = self._run
        tables = run.tables_learn
        logits, state = forward(run.network, ids, run.state, self._precision, tables)
        loss = functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED
        )
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = run.update(rate, table_rate)
        run.carry(state)
        return loss.detach() / math.log(2), norm


class GraphedStep(TrainingStep):
    """The same on a GPU: captured once as a graph, then replayed, with no launches to wait for.

    It returns the figures of the step before, so that nobody waits for the step that runs.
    """

    def __init__(self, run: Run, precision: torch.dtype) -> None:
        super().__init__(run, precision)
        self._graphs: dict[bool, torch.cuda.CUDAGraph] = {}
        self._warm: dict[bool, int] = {}
        device = run.device
        shape = (run.preset.window, run.streams)
        self._ids = torch.zeros(shape, dtype=torch.int64, device=device)
        self._targets = torch.zeros_like(self._ids)
        self._rates = torch.zeros(2, device=device)
        self._rate = self._rates[0]
        self._figures = torch.zeros(2, device=device)
        self._before: Tensor | None = None

    def __call__(self, window: Window, rate: float) -> tuple[float, float]:
        rates = torch.tensor((rate, self._run.table_rate)).pin_memory()
        self._rates.copy_(rates, non_blocking=True)
        if window.ids.shape == self._ids.shape:
            self._ids.copy_(window.ids.pin_memory(), non_blocking=True)
            self._targets.copy_(window.targets.pin_memory(), non_blocking=True)
            self._replay(self._run.tables_learn)
        else:
            self._take(window.ids.to(self._run.device), window.targets.to(self._run.device))
        now = self._figures.clone()
        bits, norm = (now if self._before is None else self._before).tolist()
        self._before = now
        return bits, norm

    def _replay(self, tables: bool) -> None:
        if self._warm.get(tables, 0) < WARM:
            self._warm[tables] = self._warm.get(tables, 0) + 1
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self._take(self._ids, self._targets)
            torch.cuda.current_stream().wait_stream(side)
            return
        if tables not in self._graphs:
            self._graphs[tables] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graphs[tables]):
                self._take(self._ids, self._targets)
        self._graphs[tables].replay()

    def _take(self, ids: Tensor, targets: Tensor) -> None:
        figures = self._update(ids, targets, self._rate, self._rates[1])
        self._figures.copy_(torch.stack(figures))


def step_of(run: Run, precision: torch.dtype) -> TrainingStep:
    """The step for where a run's network is."""
    return (GraphedStep if run.device.type == "cuda" else TrainingStep)(run, precision)
