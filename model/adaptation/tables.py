"""Logarithm and exponential as tables, which are the same on every machine.

C libraries may differ in the last bit of their `log` and `exp`. The decimal module always rounds
correctly, so the tables are computed with it.
"""

from decimal import Decimal, localcontext
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Entries are computed with this many decimal digits before they are rounded.
DIGITS: Final = 30
# The logarithm has an entry for each exponent of a float32, and for the first 7 bits of a mantissa.
EXPONENTS: Final = 256
MANTISSAS: Final = 128

# Logarithms are natural logarithms in units of 1/32.
LOGARITHM_UNITS: Final = 32
# Scores are natural logarithms in units of 1/64, from LOWEST to HIGHEST.
SCORE_UNITS: Final = 64
LOWEST: Final = -9 * SCORE_UNITS
HIGHEST: Final = 14 * SCORE_UNITS


@cache
def logarithm() -> NDArray[np.int16]:
    """ln 2^(e − 127) for each exponent e of a float32, then ln(1 + m / 128) for each mantissa m."""
    with localcontext(prec=DIGITS):
        doubling = Decimal(2).ln()
        values = [doubling * (e - 127) for e in range(EXPONENTS)]
        values += [(1 + Decimal(m) / MANTISSAS).ln() for m in range(MANTISSAS)]
        return np.array([int((LOGARITHM_UNITS * x).to_integral_value()) for x in values], np.int16)


@cache
def exponential() -> NDArray[np.float32]:
    """e^(s / 64) for each score s from LOWEST to HIGHEST."""
    with localcontext(prec=DIGITS):
        powers = [float((Decimal(s) / SCORE_UNITS).exp()) for s in range(LOWEST, HIGHEST + 1)]
    return np.array(powers, np.float32)
