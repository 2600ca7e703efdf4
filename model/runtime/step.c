/* The compiled backends of the served arithmetic: one source, the same bits on every processor.

   kernel.h holds the arithmetic and is compiled once for each instruction set. contexts.h holds
   what a state remembers of the last ids. This file holds the rest: the structures that Python
   fills in, the checks of what callers give, and the test which instruction sets this processor
   has. ARITHMETIC.md specifies every operation. Compile with -ffp-contract=off and never with
   -ffast-math: fused or reordered sums have other bits. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "contexts.h"
#include "float_mode.h"

#define EXPORT __attribute__((visibility("default")))

/* The version of the structures below, which native_library.py states too. Python refuses a library
   that has another number. */
enum { LAYOUT = 8 };

enum { VECTORS_MAX = 4, PANEL = 16, ROW_PADDING = 64 };
enum fault {
    NONE,
    TOO_MANY,
    SLOT_OUT_OF_RANGE,
    SLOT_TWICE,
    ID_OUT_OF_RANGE,
    STATE_IMPOSSIBLE,
    CELL_UNKNOWN
};
enum wanted { LOGITS, PROBABILITIES, BEST, NOTHING };

/* The kinds of cell, in the order of CELL_KINDS in config.py. For each: how many gates it has, how
   many int8 a state holds for each unit (h), and how many float32 (c, or a GRU's h). */
enum cell { ELMAN, GRU, LSTM };
struct kind {
    int gates, integers, floats;
};
static const struct kind KINDS[] = {
    [ELMAN] = {.gates = 1, .integers = 1, .floats = 0},
    [GRU] = {.gates = 3, .integers = 0, .floats = 1},
    [LSTM] = {.gates = 4, .integers = 1, .floats = 1},
};
enum { KINDS_KNOWN = sizeof KINDS / sizeof *KINDS };

/* No cell state gets larger: a step adds less than 1.001, which float32 rounds away above 2^24. */
static const float LARGEST_STATE = 33554432.0f;

/* A matrix in panels. A group is 16 units with the rows of all their gates: one vector for each
   gate. A panel holds one group, or four or two where a group has only one or two vectors, so that
   it always has three or four vectors to sum at once. A vector of weights is 16 rows by 4 columns,
   64 bytes. Within a panel the vectors of the same columns lie together for VNNI, those of the same
   rows otherwise. `start` and `scale` are in the order of the rows. */
struct product {
    const int8_t *weights;
    const int32_t *start; /* -128 times the sum of each row, for states with 128 added */
    const float *scale;
};

struct layer {
    const float *table; /* the first layer's input; else null */
    struct product input;
    const float *bias;
    struct product recurrent;
    const float *reset_bias;
};

struct network {
    int64_t cell, layers, hidden, size;
    int64_t columns; /* of the output layer: hidden states, then contexts, then zeros */
    const struct layer *layer;
    struct product output;
    const float *output_bias;        /* padded with -inf */
    const struct contexts *contexts; /* null where a network has none */
};

struct pool {
    const struct network *network;
    int64_t capacity, stride;
    uint8_t *states;              /* (capacity, stride) */
    int64_t *slots, *ids;         /* (capacity): those of the next call */
    int64_t *seen;                /* (capacity): the number of the last call that named each slot */
    int64_t calls, fault;         /* `fault` is the position of the slot or id that was refused */
    uint8_t *recurrent, *below;   /* (capacity, row_bytes): hidden states side by side */
    uint32_t *numbers;            /* (capacity, contexts): rows of the whole table */
    const uint8_t **rows;         /* (capacity, contexts): where they lie */
    float *logits;                /* (capacity, size in whole panels) */
    int32_t *best;                /* (capacity) */
    float *probability;           /* (capacity) */
};

static int64_t unit_bytes(int64_t cell) { return KINDS[cell].integers + 4 * KINDS[cell].floats; }

/* How many groups of PANEL units a panel holds. */
static inline int groups_of(int64_t cell) { return VECTORS_MAX / KINDS[cell].gates; }

/* Columns are int8, or int16 for AVX2. Without the padding, all rows could fall into the same sets
   of the cache. */
static int64_t row_bytes(int64_t columns) { return 2 * columns + ROW_PADDING; }

static int64_t padded_size(const struct network *network) {
    return (network->size + 4 * PANEL - 1) / (4 * PANEL) * (4 * PANEL);
}

static uint8_t *state_of(const struct pool *pool, int64_t slot, int64_t layer) {
    const struct network *network = pool->network;
    return pool->states + slot * pool->stride + layer * network->hidden * unit_bytes(network->cell);
}

static int known_cell(const struct network *network) {
    return network->cell >= 0 && network->cell < KINDS_KNOWN;
}

static struct history *history_of(const struct pool *pool, int64_t slot) {
    return (struct history *)state_of(pool, slot, pool->network->layers);
}

/* Every call from Python goes through here or through `put` before it touches a state. */
static enum fault check_slots(struct pool *pool, int64_t count) {
    if (!known_cell(pool->network))
        return CELL_UNKNOWN;
    pool->calls++;
    if (count < 0 || count > pool->capacity)
        return TOO_MANY;
    for (int64_t i = 0; i < count; i++) {
        int64_t slot = pool->slots[i];
        pool->fault = i;
        if (slot < 0 || slot >= pool->capacity)
            return SLOT_OUT_OF_RANGE;
        if (pool->seen[slot] == pool->calls)
            return SLOT_TWICE;
        pool->seen[slot] = pool->calls;
    }
    return NONE;
}

static enum fault check_ids(struct pool *pool, const int64_t *ids, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        pool->fault = i;
        if (ids[i] < 0 || ids[i] > pool->network->size)
            return ID_OUT_OF_RANGE;
    }
    return NONE;
}

/* Reads pool->ids into what the contexts of the states in pool->slots remember. */
static void remember_all(const struct pool *pool, int64_t count) {
    const struct network *network = pool->network;
    for (int64_t i = 0; network->contexts && i < count; i++)
        remember(history_of(pool, pool->slots[i]), network->contexts->is_word, network->size,
                 pool->ids[i]);
}

#if defined(__x86_64__)
#define NAME(name) name##_vnni
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,fma,popcnt")))
#define LANES 16
#define TILE 6
#define VNNI 1
#include "kernel.h"

#define NAME(name) name##_avx2
#define TARGET __attribute__((target("avx2,popcnt")))
#define LANES 8
#define TILE 4
#define AVX2 1
#include "kernel.h"
#endif

#if defined(__aarch64__)
#define NAME(name) name##_neon
#define TARGET
#define LANES 4
#define TILE 2
#define NEON 1
#include "kernel.h"
#endif

#define NAME(name) name##_portable
#define TARGET
#define LANES 4
#define TILE 1
#include "kernel.h"

EXPORT int32_t layout(void) { return LAYOUT; }

/* One bit for each backend that this processor runs: portable 1, avx2 2, vnni 4, neon 8. */
EXPORT int32_t backends(void) {
    int32_t found = 1;
#if defined(__x86_64__)
    unsigned a, b, c, d, low, high;
    const unsigned needed = bit_OSXSAVE | bit_POPCNT;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & needed) != needed)
        return found;
    /* The system must save these registers: bits 1 and 2 are AVX, bits 5 to 7 AVX-512. */
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return found;
    if (b & bit_AVX2)
        found |= 2;
    const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512VL;
    if ((low & 0xe6) == 0xe6 && (b & avx512) == avx512 && (c & bit_AVX512VNNI))
        found |= 4;
#elif defined(__aarch64__)
    found |= 8;
#endif
    return found;
}

/* Puts a state into a slot. A state that no text leads to is refused; the slot then stays as it
   was. */
EXPORT int32_t put(struct pool *pool, int64_t slot, const uint8_t *state) {
    const struct network *network = pool->network;
    if (!known_cell(network))
        return CELL_UNKNOWN;
    if (slot < 0 || slot >= pool->capacity)
        return SLOT_OUT_OF_RANGE;
    const int64_t integers = network->hidden * KINDS[network->cell].integers;
    const int64_t floats = network->hidden * KINDS[network->cell].floats;
    const uint8_t *from = state;
    for (int64_t layer = 0; layer < network->layers; layer++) {
        int bad = 0;
        for (int64_t i = 0; i < integers; i++)
            bad |= from[i] == 0x80;
        from += integers;
        for (int64_t i = 0; i < floats; i++) {
            float c;
            memcpy(&c, from + 4 * i, 4);
            /* Any comparison with a NaN is false, so NaNs are refused too. */
            bad |= !(c <= LARGEST_STATE && c >= -LARGEST_STATE);
        }
        from += 4 * floats;
        if (bad)
            return STATE_IMPOSSIBLE;
    }
    if (network->contexts) {
        struct history history;
        memcpy(&history, from, sizeof history);
        if (!possible(&history, network->size))
            return STATE_IMPOSSIBLE;
        from += sizeof history;
    }
    memcpy(pool->states + slot * pool->stride, state, (size_t)(from - state));
    return NONE;
}

/* The last layer's hidden state in a slot, as int8 in units of 1/127: where the state has it in this
   form, the place itself, else `room`, into which it is written. */
EXPORT const int8_t *hidden_of(const struct pool *pool, int64_t slot, int8_t *room) {
    const struct network *network = pool->network;
    const uint8_t *state = state_of(pool, slot, network->layers - 1);
    if (KINDS[network->cell].integers)
        return (const int8_t *)state;
    float_mode before = enter();
    for (int64_t i = 0; i < network->hidden; i++) {
        float h;
        memcpy(&h, state + 4 * i, 4);
        /* To the nearest integer, ties to even: floats of this size have no fraction. */
        volatile float n = h * 127.0f;
        n = n + 12582912.0f;
        n = n - 12582912.0f;
        room[i] = (int8_t)(n < -127.0f ? -127.0f : n > 127.0f ? 127.0f : n);
    }
    leave(before);
    return room;
}
