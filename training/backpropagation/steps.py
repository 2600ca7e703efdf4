"""One step of training: the gradients of a window, and the optimisers' step along them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from training.backpropagation.unrolled import forward
from training.loop.run import Run
from training.loop.streams import IGNORED, Window

# The number of ordinary steps before a graph is captured. In them libraries choose their kernels.
STEPS_BEFORE_CAPTURE = 3


class TrainingStep:
    """Takes the steps of a run, one window at a time."""

    def __init__(self, run: Run, precision: torch.dtype) -> None:
        self._run = run
        self._precision = precision

    def __call__(self, window: Window, rate: float) -> tuple[float, float]:
        """Takes one step; returns its loss in bits and its gradient's norm before clipping."""
        bits, norm = self._update(window.ids, window.targets, rate, self._run.table_rate)
        return float(bits), float(norm)

    def _update(
        self, ids: Tensor, targets: Tensor, rate: float | Tensor, table_rate: float | Tensor
    ) -> tuple[Tensor, Tensor]:
        """Takes one step as __call__ does, but returns tensors and never waits for the device."""
        run = self._run
        learn_tables = run.tables_learn
        logits, state = forward(run.network, ids, run.state, self._precision, learn_tables)
        loss = functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED
        )
        run.optimizers.adam.zero_grad(set_to_none=True)
        loss.backward()
        norm = run.optimizers.update(rate, table_rate if learn_tables else None)
        run.carry(state)
        return loss.detach() / math.log(2), norm


class GraphedStep(TrainingStep):
    """The same on a GPU, where a step is captured once as a CUDA graph and then replayed.

    A replay is a single launch. A call returns the loss and norm of the step before it: to read its
    own, it would have to wait for the GPU.
    """

    def __init__(self, run: Run, precision: torch.dtype) -> None:
        super().__init__(run, precision)
        # One graph without the tables and one with them: they take part in some epochs only.
        self._graphs: dict[bool, torch.cuda.CUDAGraph] = {}
        self._steps_taken: dict[bool, int] = {}
        device = run.device
        shape = (run.preset.window, run.reading.streams)
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
            # The last window of an epoch may be shorter than the graph's.
            self._take(window.ids.to(self._run.device), window.targets.to(self._run.device))
        now = self._figures.clone()
        bits, norm = (now if self._before is None else self._before).tolist()
        self._before = now
        return bits, norm

    def _replay(self, tables: bool) -> None:
        """Takes a step on the ids and targets in the graph's memory.

        The first steps are taken without a graph, on a stream of their own, as capturing needs.
        """
        if self._steps_taken.get(tables, 0) < STEPS_BEFORE_CAPTURE:
            self._steps_taken[tables] = self._steps_taken.get(tables, 0) + 1
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
        """Takes a step at the rates in the graph's memory, and leaves its loss and norm there."""
        figures = self._update(ids, targets, self._rate, self._rates[1])
        self._figures.copy_(torch.stack(figures))


def step_of(run: Run, precision: torch.dtype) -> TrainingStep:
    """The training step for the device of the run's network."""
    return (GraphedStep if run.device.type == "cuda" else TrainingStep)(run, precision)
