"""The factors of the hashes of text: the primes of xxHash32 (Collet), and its avalanche.

Every hash is exact arithmetic on unsigned integers modulo 2³². hashing.h has the same numbers for
C. `runtime/reference.py` and the tests state them on their own, for they check what is built here.
"""

# What was read so far is multiplied with this before the next id is added. The factor is odd, so
# that it has an inverse modulo 2³².
MULTIPLIER = 0x9E3779B1
MULTIPLIER_INVERSE = pow(MULTIPLIER, -1, 1 << 32)
# Tells contexts of different kinds apart: the kind's number times this is added to its hash.
KIND_FACTOR = 0x27D4EB2F
# Of two words in one hash, the hash of the earlier one is multiplied with this.
EARLIER_WORD_FACTOR = 0x165667B1

# The avalanche lets each bit of a hash change all the others: for each shift and factor,
# x = (x ^ x >> shift) · factor.
AVALANCHE = ((15, 0x85EBCA77), (13, 0xC2B2AE3D), (16, 1))
