/* The hashed contexts of ARITHMETIC.md: what a state keeps of the last ids, and which rows of the
   table they lead to. All of it is exact arithmetic on unsigned integers, modulo 2^32. */

enum { HISTORY = 16, WORD = 17, WORDS = 18 };

/* The end of a state: ids + 1, newest first, 0 where nothing was read; the hashes of the word so
   far and of the one before it. */
struct history {
    uint16_t ids[HISTORY];
    uint32_t word, before;
};

/* `kinds` are orders 1 to 16, WORD and WORDS. `kept` has one bit for each of 2^bits rows, lowest
   first; `ranks` how many rows are kept before each 64 of them; `rows` those that are kept, two
   codes of four bits in a byte. */
struct contexts {
    int64_t count, width, bits;
    const int64_t *kinds;
    const uint8_t *is_word; /* of each id that is read */
    const uint8_t *kept;
    const uint32_t *ranks;
    const uint8_t *rows;
    const int8_t *levels; /* what the 16 codes stand for */
    const uint8_t *nothing; /* a row whose numbers are all 0 */
};

static const uint32_t SPREAD = 0x9e3779b1u, ORDER = 0x27d4eb2fu, BEFORE = 0x165667b1u;

/* Reads an id: what a state keeps of it. The start symbol, `size`, begins anew. */
static inline void remember(struct history *history, const uint8_t *is_word, int64_t size,
                            int64_t id) {
    if (id == size)
        memset(history, 0, sizeof *history);
    const int inside = is_word[id];
    const int was_inside = history->ids[0] && is_word[history->ids[0] - 1];
    if (!inside && was_inside)
        history->before = history->word;
    history->word = ((inside ? history->word : 0) + (uint32_t)id + 1) * SPREAD;
    memmove(history->ids + 1, history->ids, (HISTORY - 1) * sizeof history->ids[0]);
    history->ids[0] = (uint16_t)(id + 1);
}

/* The avalanche of xxHash32. */
static inline uint32_t finish(uint32_t x) {
    x = (x ^ x >> 15) * 0x85ebca77u;
    x = (x ^ x >> 13) * 0xc2b2ae3du;
    return x ^ x >> 16;
}

/* The row of each context, and its bit and rank on their way from memory. */
static inline void find_rows(const struct contexts *contexts, const struct history *history,
                             uint32_t *rows) {
    uint32_t ending[HISTORY + 1] = {0};
    for (int k = 0; k < HISTORY; k++)
        ending[k + 1] = (ending[k] + history->ids[k]) * SPREAD;
    for (int64_t i = 0; i < contexts->count; i++) {
        const int64_t kind = contexts->kinds[i];
        uint32_t hash = (uint32_t)kind * ORDER;
        if (kind <= HISTORY)
            hash += ending[kind];
        else
            hash += history->word + (kind == WORDS ? history->before * BEFORE : 0);
        rows[i] = finish(hash) >> (32 - contexts->bits);
        __builtin_prefetch(contexts->kept + rows[i] / 64 * 8);
        __builtin_prefetch(contexts->ranks + rows[i] / 64);
    }
}

/* Whether a text leads to such a history, of a network that reads the ids 0 to `size`. */
static int possible(const struct history *history, int64_t size) {
    int begun = 0;
    for (int k = 0; k < HISTORY; k++) {
        if (history->ids[k] > size + 1 || (begun && history->ids[k]))
            return 0;
        begun = history->ids[k] == 0 || history->ids[k] == size + 1;
    }
    return history->ids[0] || !(history->word | history->before);
}
