"""The elementwise functions of the served arithmetic, in numpy; ARITHMETIC.md specifies them.

Every operation is one IEEE 754 single-precision +, −, × or ÷, in the order written, so that every
backend that follows this order gives the same bits. numpy does: each of its operations rounds once
and never fuses a product with a sum. All arrays here are float32.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

f32 = np.float32

# tanh x ≈ x P(x²) / Q(x²) on [−8, 8], a rational minimax fit. The coefficients begin with that of
# the lowest power.
TANH_LIMIT: Final = f32(8)
TANH_P: Final = (f32(0.99999934), f32(0.12913641), f32(0.0029388277), f32(1.1310223e-05))
TANH_Q: Final = (f32(1), f32(0.4624674), f32(0.023763826), f32(0.00023702846), f32(2.423841e-07))

# eˣ = 2ⁿ (1 + r + r² E(r)) with x = n ln 2 + r. ln 2 is the sum of two parts. The first has so few
# bits that its product with n is exact.
EXP_LIMIT: Final = f32(-87)
LOG2_E: Final = f32(1.442695)
LN2_HIGH: Final = f32(0.693359375)
LN2_LOW: Final = f32(-0.00021219444)
EXP_E: Final = (f32(0.49999142), f32(0.16666886), f32(0.04189862), f32(0.008333847))

# Adding 1.5 · 2²³ and then subtracting it rounds to the nearest integer, ties to even.
ROUND: Final = f32(12582912)
# A hidden state of 1 as an integer.
ACTIVATION: Final = f32(127)
# The sum of a softmax runs in this many lanes.
LANES: Final = 16


def tanh(x: Floats) -> Floats:
    """x clamped to [−8, 8], then x P(u) / Q(u) with u = x², by Horner; error below 4.5e−7."""
    x = np.minimum(np.maximum(x, -TANH_LIMIT), TANH_LIMIT)
    u = x * x
    p = TANH_P[3] * u
    for coefficient in TANH_P[2:0:-1]:
        p += coefficient
        p *= u
    p += TANH_P[0]
    q = TANH_Q[4] * u
    for coefficient in TANH_Q[3:0:-1]:
        q += coefficient
        q *= u
    q += TANH_Q[0]
    p *= x
    p /= q
    return p


def sigmoid(x: Floats) -> Floats:
    """½ + ½ tanh(½ x), by the tanh above."""
    y = tanh(x * f32(0.5))
    y *= f32(0.5)
    y += f32(0.5)
    return y


def exp(x: Floats) -> Floats:
    """eˣ for x ≤ 0, clamped below at −87; relative error below 3e−7."""
    x = np.maximum(x, EXP_LIMIT)
    n = x * LOG2_E
    n += ROUND
    n -= ROUND
    r = x - n * LN2_HIGH
    r -= n * LN2_LOW
    e = EXP_E[3] * r
    for coefficient in EXP_E[2:0:-1]:
        e += coefficient
        e *= r
    e += EXP_E[0]
    e *= r * r
    e += r
    e += f32(1)
    power = ((n.astype(np.int32) + 127) << 23).view(np.float32)
    e *= power
    return e


def quantize(h: Floats) -> Floats:
    """A hidden state as integers in units of 1/127, ties to even, held in float32."""
    h = h * ACTIVATION
    h += ROUND
    h -= ROUND
    return np.minimum(np.maximum(h, -ACTIVATION), ACTIVATION)


def exponentials(logits: Floats) -> tuple[Floats, Floats]:
    """e^(l − max l) of each row of (rows, size), and the rows' sums, (rows, 1).

    Each sum runs in 16 lanes: lane i adds the elements i, i + 16, i + 32, … in this order. Then
    lanes 8 apart are added, then lanes 4, 2 and 1 apart.
    """
    rows, size = logits.shape
    shifted = logits - logits.max(axis=1, keepdims=True)
    e = exp(shifted)
    width = -(-size // LANES) * LANES
    padded = e if width == size else np.zeros((rows, width), np.float32)
    if width != size:
        padded[:, :size] = e
    lanes = padded[:, :LANES].copy()
    for begin in range(LANES, width, LANES):
        lanes += padded[:, begin : begin + LANES]
    distance = LANES // 2
    while distance:
        lanes = lanes[:, :distance] + lanes[:, distance : 2 * distance]
        distance //= 2
    return e, lanes
