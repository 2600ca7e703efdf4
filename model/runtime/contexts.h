/* The hashed contexts of ARITHMETIC.md: what a state remembers of the last ids, and which rows of
   the table they lead to. All arithmetic is exact, on unsigned integers modulo 2^32. */

#include "hashing.h"

/* How many ids a state remembers, and the numbers of the contexts that are not orders. */
enum { HISTORY = 16, WORD = 17, WORDS = 18 };

/* The last bytes of a state: the last ids + 1, newest first, 0 where nothing was read; the hashes
   of the word so far and of the word before it. */
struct history {
    uint16_t ids[HISTORY];
    uint32_t word, before;
};

/* `kinds` are orders, WORD and WORDS. `kept` has a bit for each of 2^bits rows, the lowest first.
   `ranks` says how many rows are kept before each group of 64. `rows` holds the kept rows, two
   codes of four bits to a byte. */
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

/* Reads one id into what a state remembers. The start symbol, `size`, first clears all of it. */
static inline void remember(struct history *history, const uint8_t *is_word, int64_t size,
                            int64_t id) {
    if (id == size)
        memset(history, 0, sizeof *history);
    const int inside = is_word[id];
    const int was_inside = history->ids[0] && is_word[history->ids[0] - 1];
    if (!inside && was_inside)
        history->before = history->word;
    history->word = ((inside ? history->word : 0) + (uint32_t)id + 1) * MULTIPLIER;
    memmove(history->ids + 1, history->ids, (HISTORY - 1) * sizeof history->ids[0]);
    history->ids[0] = (uint16_t)(id + 1);
}

/* The row number of each context. The row's bit and rank are prefetched, so that memory delivers
   them while the rows of the other sessions are found. */
static inline void find_rows(const struct contexts *contexts, const struct history *history,
                             uint32_t *rows) {
    uint32_t ending[HISTORY + 1] = {0};
    for (int k = 0; k < HISTORY; k++)
        ending[k + 1] = (ending[k] + history->ids[k]) * MULTIPLIER;
    for (int64_t i = 0; i < contexts->count; i++) {
        const int64_t kind = contexts->kinds[i];
        uint32_t hash = (uint32_t)kind * KIND_FACTOR;
        if (kind <= HISTORY)
            hash += ending[kind];
        else
            hash += history->word + (kind == WORDS ? history->before * EARLIER_WORD_FACTOR : 0);
        rows[i] = avalanche(hash) >> (32 - contexts->bits);
        __builtin_prefetch(contexts->kept + rows[i] / 64 * 8);
        __builtin_prefetch(contexts->ranks + rows[i] / 64);
    }
}

/* Whether a text can lead to such a history, in a network that reads the ids 0 to `size`. */
static int possible(const struct history *history, int64_t size) {
    int begun = 0;
    for (int k = 0; k < HISTORY; k++) {
        if (history->ids[k] > size + 1 || (begun && history->ids[k]))
            return 0;
        begun = history->ids[k] == 0 || history->ids[k] == size + 1;
    }
    return history->ids[0] || !(history->word | history->before);
}
