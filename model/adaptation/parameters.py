"""The scorer's weights: integers that priming trains and the checkpoint keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError

Int8s = NDArray[np.int8]
Int16s = NDArray[np.int16]
Int32s = NDArray[np.int32]

# How many features a place has, which all its candidates share, and how many each candidate has.
SHARED: Final = 32
OWN: Final = 32
# How many numbers the scorer computes from the recurrent network's hidden state.
VIEW: Final = 16
# No feature is larger in magnitude: one of the largest is the logarithm of 2⁻²⁰, which is −444. The
# numbers from the hidden state are clipped to this.
LARGEST_FEATURE: Final = 512
# The largest magnitude of a hidden state as int8.
LARGEST_HIDDEN: Final = 127
# A hidden layer has a multiple of 16 units, at most 128.
UNIT_STEP: Final = 16
UNITS_MOST: Final = 128
# The largest activation of a hidden unit.
ACTIVATION: Final = 2**13 - 1
LARGEST_SHIFT: Final = 30
# The largest values of these types.
INT16: Final = 2**15 - 1
INT32: Final = 2**31 - 1

PREFIX: Final = "adaptation."
HOW_TO_PRIME: Final = "nextchar prime CHECKPOINT TEXT… does it"


@dataclass(frozen=True)
class Parameters:
    """A network of two hidden layers, from features to each candidate's score.

    view = clip((view · hidden) >> shift, −512, 512), from the recurrent network's hidden state;
    first = clip((first_bias + first_shared · place + first_own · candidate + first_view · view)
    >> shift, 0, 2¹³ − 1);
    second = clip((second_bias + second_own · first + second_mean · mean) >> shift, 0, 2¹³ − 1),
    where `mean` is the mean of `first` over the candidates of the place, rounded down;
    score = (output_bias + output · second) >> shift, in 1/64 of a natural logarithm.

    Weights are int16, biases int32: `view` (VIEW, units of the recurrent network), `first_shared`
    (units, SHARED), `first_own` (units, OWN), `first_view` (units, VIEW), `first_bias` (units),
    `second_own` and `second_mean` (units, first units), `second_bias` (units), `output` (second
    units), `output_bias` (1), `shifts` (4), in the order above. No sum may leave int32. Raises
    ModelError, naming the array, for numbers of units, shifts or weights that break these rules.
    """

    view: Int16s
    first_shared: Int16s
    first_own: Int16s
    first_view: Int16s
    first_bias: Int32s
    second_own: Int16s
    second_mean: Int16s
    second_bias: Int32s
    output: Int16s
    output_bias: Int32s
    shifts: Int32s

    def __post_init__(self) -> None:
        first, second = len(self.first_bias), len(self.second_bias)
        for name, units in (("first_bias", first), ("second_bias", second)):
            if not 0 < units <= UNITS_MOST or units % UNIT_STEP:
                raise ModelError(
                    f"{PREFIX}{name}: {units} units are no multiple of {UNIT_STEP} up to "
                    f"{UNITS_MOST}"
                )
        if not ((self.shifts >= 0) & (self.shifts <= LARGEST_SHIFT)).all():
            raise ModelError(f"{PREFIX}shifts: {self.shifts.tolist()} are not all from 0 to 30")
        _check_sums("view", LARGEST_HIDDEN, np.zeros(VIEW, np.int32), self.view)
        inputs = self.first_shared, self.first_own, self.first_view
        _check_sums("first", LARGEST_FEATURE, self.first_bias, *inputs)
        _check_sums("second", ACTIVATION, self.second_bias, self.second_own, self.second_mean)
        _check_sums("output", ACTIVATION, self.output_bias, self.output[None])

    @property
    def units(self) -> int:
        """How many units the recurrent network's last layer has."""
        return int(self.view.shape[1])

    @classmethod
    def neutral(cls, units: int) -> "Parameters":
        """Parameters that score all candidates with 0, so that the distribution stays the same."""
        kinds = shapes(units, UNIT_STEP, UNIT_STEP)
        return cls(**{name: np.zeros(shape, kind) for name, (shape, kind) in kinds.items()})

    def to_arrays(self) -> dict[str, Int32s]:
        """The arrays of a checkpoint, by name."""
        return {PREFIX + name: array.astype(np.int32) for name, array in vars(self).items()}


def from_arrays(arrays: Mapping[str, NDArray[Any]], units: int) -> Parameters:
    """The parameters among a checkpoint's arrays; its recurrent network's last layer has `units`.

    Raises ModelError where they are missing or damaged.
    """
    if not any(name.startswith(PREFIX) for name in arrays):
        raise ModelError(f"the checkpoint is not primed for adaptation; {HOW_TO_PRIME}")
    first, second = (
        arrays[name].size if name in arrays else 0
        for name in (f"{PREFIX}first_bias", f"{PREFIX}second_bias")
    )
    expected = shapes(units, first, second)
    odd = {n for n in arrays if n.startswith(PREFIX)} ^ {PREFIX + name for name in expected}
    if odd:
        raise ModelError(
            f"arrays missing or not expected: {', '.join(sorted(odd))}; for a checkpoint that an "
            f"earlier version primed, {HOW_TO_PRIME}"
        )
    return Parameters(
        **{name: _checked(name, arrays[PREFIX + name], *kind) for name, kind in expected.items()}
    )


def shapes(units: int, first: int, second: int) -> dict[str, tuple[tuple[int, ...], type]]:
    """The shape of each array, and the type that its numbers must fit into.

    `units` is that of the recurrent network, `first` and `second` those of the scorer's layers.
    """
    return {
        "view": ((VIEW, units), np.int16),
        "first_shared": ((first, SHARED), np.int16),
        "first_own": ((first, OWN), np.int16),
        "first_view": ((first, VIEW), np.int16),
        "first_bias": ((first,), np.int32),
        "second_own": ((second, first), np.int16),
        "second_mean": ((second, first), np.int16),
        "second_bias": ((second,), np.int32),
        "output": ((second,), np.int16),
        "output_bias": ((1,), np.int32),
        "shifts": ((4,), np.int32),
    }


def _checked(name: str, array: NDArray[Any], shape: tuple[int, ...], kind: type) -> NDArray[Any]:
    if array.dtype != np.int32 or array.shape != shape:
        raise ModelError(
            f"{PREFIX}{name} is {array.dtype}{list(array.shape)}, not int32{list(shape)}"
        )
    largest = np.iinfo(kind).max
    if np.abs(array.astype(np.int64)).max(initial=0) > largest:
        raise ModelError(f"{PREFIX}{name} holds values beyond {largest}")
    return np.ascontiguousarray(array, kind)


def _check_sums(layer: str, largest: int, bias: Int32s, *weights: Int16s) -> None:
    sums = np.abs(bias.astype(np.int64))
    for matrix in weights:
        sums += np.abs(matrix.astype(np.int64)).sum(axis=1) * largest
    if sums.max() > INT32:
        raise ModelError(f"{PREFIX}{layer}: weights so large that a sum may leave 32 bits")
