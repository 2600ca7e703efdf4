"""The constants with which texts are hashed: the primes of xxHash32 (Collet), and its avalanche.

Every hash is exact arithmetic on unsigned integers modulo 2³². hashing.h has the same numbers for
C. `runtime/reference.py` and the tests repeat them on purpose, because they check the results.
"""

# A hash of ids is multiplied by this after each id that is added. The factor is odd, so that it has
# an inverse modulo 2³².
MULTIPLIER = 0x9E3779B1
MULTIPLIER_INVERSE = pow(MULTIPLIER, -1, 1 << 32)
# The kind's number times this is added to a hash, so that kinds of context have different hashes.
KIND_FACTOR = 0x27D4EB2F
# Where a hash is of two words, the hash of the earlier word is multiplied by this.
EARLIER_WORD_FACTOR = 0x165667B1

# The avalanche makes each bit of a hash depend on all others. For each (shift, factor) in turn,
# x = (x ^ x >> shift) · factor.
AVALANCHE = ((15, 0x85EBCA77), (13, 0xC2B2AE3D), (16, 1))
