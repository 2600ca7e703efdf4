/* The constants with which texts are hashed: the primes of xxHash32, and its avalanche. hashing.py
   says what each is for. All arithmetic is unsigned, modulo 2^32. */

static const uint32_t MULTIPLIER = 0x9e3779b1u, KIND_FACTOR = 0x27d4eb2fu;
static const uint32_t EARLIER_WORD_FACTOR = 0x165667b1u;

static inline uint32_t avalanche(uint32_t x) {
    x = (x ^ x >> 15) * 0x85ebca77u;
    x = (x ^ x >> 13) * 0xc2b2ae3du;
    return x ^ x >> 16;
}
