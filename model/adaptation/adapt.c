/* The compiled backend of adaptation: an index of the page's ids, and the mixing of what it finds
   into the network's distribution. ADAPTATION.md specifies every operation; plain_index.py and
   plain.py compute the same in Python. All arithmetic is on integers, except for one product of
   float32 for each candidate, and the sum and the quotients that normalise. Their order is fixed,
   so compile with -ffp-contract=off and never with -ffast-math. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "../runtime/float_mode.h"
#include "../runtime/hashing.h"

#define EXPORT __attribute__((visibility("default")))

/* The version of the structures below, which native.py states too. Python refuses a library that
   has another number. */
enum { LAYOUT = 3 };

/* index.py, candidates.py, parameters.py, plain_index.py and plain.py explain these constants,
   under the same names. */
enum chain { LONG, SHORT, WORD, WORDS, SKIP, ABOVE, CHAINS };
enum { HEADS = 2048, PAIRS = 4096, CHECKS = 3, COLUMN_MOST = 12, VISITS_MOST = 20 };
enum { RECENT = 32, SHORT_ORDER = 2, LONG_ORDER = 4, LEVELS = 9, REPEATS = 4 };
enum { CANDIDATES_MOST = 32, OUTCOMES_COUNTED = 256 };
enum { SHARED = 32, OWN = 32, VIEW = 16, FLAG_SET = 64, LARGEST_FEATURE = 512 };
enum { UNITS_MOST = 128, ACTIVATION = 8191, LANES = 16 };
enum fault { NONE, STALE, ID_OUT_OF_RANGE };

/* How many units are summed at once, and how many numbers of a hidden state are widened at once (an
   even number). */
enum { PANEL = 16, HIDDEN_AT_ONCE = 256 };

/* A probability below 2^-20 counts as 2^-20. Sums of probabilities are in units of 2^-24. */
static const float PROBABILITY_LEAST = 9.5367431640625e-07f;
enum { PROBABILITY_UNITS = 1 << 24, PROBABILITY_UNITS_LEAST = 1 << 4 };

/* The highest level that each length of match reaches. The levels are those of the orders 2, 3, 4,
   5, 6, 8, 11, 16, 24. */
static const uint8_t LEVEL[RECENT + 1] = {0, 0, 0, 1, 2, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6, 7,
                                          7, 7, 7, 7, 7, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8};
/* The group of each length of match; 0 is no match. */
static const uint8_t GROUP[RECENT + 1] = {0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4,
                                          4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5};
enum { GROUPS = 6, NEWEST = 6, TALLIES = 7 };
enum { NO_ID = UINT16_MAX };

/* What has been read up to some place: the last ids, and the words and lines that they make. */
struct context {
    uint16_t recent[RECENT];      /* the newest last; NO_ID before the beginning */
    uint32_t word, before, older; /* hashes of the word so far and of the two before it */
    int32_t letters;              /* ids of the word so far and the id before it, up to RECENT */
    int32_t inside;               /* whether the newest id belongs to a word */
    int32_t place;                /* how many ids have been read */
    int32_t line, over;           /* where this line begins, and the one before it, or -1 */
};

/* The scorer, its tables, and what is known of ids. In a matrix, the weights of two inputs lie side
   by side for each unit, and all units of a pair of inputs together: `view` (units / 2, VIEW, 2),
   with an input of zeros added where `units` is odd; the others (SHARED / 2, first, 2),
   (OWN / 2, first, 2), (VIEW / 2, first, 2), (first / 2, second, 2). */
struct model {
    int64_t size, units, first, second; /* ids; units of the network's last layer, of our layers */
    const uint8_t *letters;      /* (size): whether an id belongs to words */
    const int16_t *logarithm;    /* (256 + 128): of a float's exponent and of its mantissa */
    const float *exponential;    /* (highest - lowest + 1) */
    int32_t lowest, highest;     /* the range of scores */
    const int16_t *view, *first_shared, *first_own, *first_view;
    const int32_t *first_bias;
    const int16_t *second_own, *second_mean;
    const int32_t *second_bias;
    const int16_t *output;
    const int32_t *output_bias, *shifts; /* (1), (4) */
    int64_t newline, space;              /* ids, or -1 */
};

/* What a page keeps of one place; a quarter of a cache line. */
struct entry {
    uint16_t links[CHAINS];  /* the place before with the same context, + 1 */
    uint8_t checks[CHECKS];  /* the highest byte of the hashes of the last three contexts */
    uint8_t outcome;         /* what the index would have predicted, and whether that was right */
};

struct page {
    const struct model *model;
    int64_t capacity, length, changes;
    uint16_t *ids;       /* (capacity) */
    struct entry *entries; /* (capacity) */
    uint16_t *heads;     /* (CHAINS, HEADS): the last place of each chain, + 1 */
    uint16_t *singles;   /* (size): how often an id occurs */
    uint16_t *pairs;     /* (PAIRS): how often a pair of ids occurs */
    int64_t tried[TALLIES], right[TALLIES]; /* of the last OUTCOMES_COUNTED places */
    struct context end;
};

/* A place at or beyond the page's end. */
struct cursor {
    const struct page *page;
    int64_t changes; /* the page's `changes` when the cursor was made */
    struct context context;
};

/* The candidates at a place, and what is known of each of them and of all together. */
struct findings {
    int32_t count;
    uint16_t id[CANDIDATES_MOST];
    int32_t seen[CANDIDATES_MOST][LEVELS], all_seen[LEVELS]; /* at a level or above */
    int32_t repeats[CANDIDATES_MOST][REPEATS], all_repeats[REPEATS]; /* after WORD to ABOVE */
    int32_t longest[CANDIDATES_MOST], longest_age[CANDIDATES_MOST], age[CANDIDATES_MOST];
    int32_t newest[4];   /* the candidate that came last after an order of 2, 3, 4 and 6, or -1 */
    int32_t best, match; /* the candidate after the longest match, or -1, and the match's length */
};

static void push(const struct model *model, struct context *context, uint16_t id) {
    const int32_t inside = model->letters[id];
    memmove(context->recent, context->recent + 1, sizeof context->recent - sizeof(uint16_t));
    context->recent[RECENT - 1] = id;
    if (!inside && context->inside) {
        context->older = context->before;
        context->before = context->word;
    }
    context->word = ((inside ? context->word : 0) + id + 1) * MULTIPLIER;
    context->letters = inside ? context->letters + (context->letters < RECENT) : 1;
    context->inside = inside;
    context->place++;
    if (id == model->newline) {
        context->over = context->line;
        context->line = context->place;
    }
}

/* The id + 1 that was read `ids` ids before the newest one, 0 before the beginning. */
static uint32_t back(const struct context *context, int64_t ids) {
    return (uint16_t)(context->recent[RECENT - 1 - ids] + 1);
}

static uint32_t hash_of(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return avalanche((((a * MULTIPLIER + b) * MULTIPLIER + c) * MULTIPLIER + d) * MULTIPLIER);
}

static uint32_t words_hash(uint32_t word, uint32_t earlier, uint32_t chain) {
    return avalanche(word + earlier * EARLIER_WORD_FACTOR + chain);
}

/* The id + 1 above the place, in the line before; a line end where that line is shorter. */
static uint32_t above(const struct page *page, const struct context *context) {
    const int64_t place = (int64_t)context->over + context->place - context->line;
    if (context->over < 0 || place >= context->line)
        return (uint32_t)(page->model->newline + 1);
    return place < page->length ? page->ids[place] + 1u : 0;
}

/* Where the heads of the chains lie, and the bytes that tell contexts of one chain apart. */
static void locate(const struct page *page, const struct context *context, int64_t heads[CHAINS],
                   uint8_t checks[CHECKS]) {
    const uint32_t x[] = {back(context, 0), back(context, 1), back(context, 2), back(context, 3)};
    const int32_t column = context->place - context->line;
    const uint32_t words = words_hash(context->word, context->before, WORDS);
    const uint32_t skip = words_hash(context->word, context->older, SKIP);
    const uint32_t at = (uint32_t)(column < COLUMN_MOST ? column : COLUMN_MOST);
    const uint32_t over = hash_of(ABOVE, above(page, context), x[0], at);
    heads[LONG] = LONG * HEADS + hash_of(x[3], x[2], x[1], x[0]) % HEADS;
    heads[SHORT] = SHORT * HEADS + hash_of(0, 0, x[1], x[0]) % HEADS;
    heads[WORD] = WORD * HEADS + avalanche(context->word) % HEADS;
    heads[WORDS] = WORDS * HEADS + words % HEADS;
    heads[SKIP] = SKIP * HEADS + skip % HEADS;
    heads[ABOVE] = ABOVE * HEADS + over % HEADS;
    checks[0] = (uint8_t)(words >> 24);
    checks[1] = (uint8_t)(skip >> 24);
    checks[2] = (uint8_t)(over >> 24);
}

static int64_t pair_of(uint32_t first, uint32_t second) {
    return avalanche(first * MULTIPLIER + second) % PAIRS;
}

/* How many of the context's newest ids, up to `most`, stand before a place. */
static int32_t match(const struct page *page, const struct context *context, int64_t place,
                     int64_t most) {
    const uint16_t *before = page->ids + place, *newest = context->recent + RECENT;
    int64_t length = 0;
    if (most > place)
        most = place;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* Four ids are compared at a time, from the newest back. The newest id is in the highest bits.
       So the number of leading zero bits of a ^ b says how many of the four are the same. */
    for (; length + 4 <= place && length < most; length += 4) {
        uint64_t a, b;
        memcpy(&a, before - length - 4, 8);
        memcpy(&b, newest - length - 4, 8);
        if (a != b) {
            length += __builtin_clzll(a ^ b) / 16;
            return (int32_t)(length < most ? length : most);
        }
    }
#endif
    while (length < most && before[-1 - length] == newest[-1 - length])
        length++;
    return (int32_t)(length < most ? length : most);
}

static int32_t candidate(const struct findings *found, uint16_t id) {
    for (int32_t c = 0; c < found->count; c++)
        if (found->id[c] == id)
            return c;
    return -1;
}

/* The candidate of an id, a new one where there is room; else -1. */
static int32_t admit(struct findings *found, uint16_t id) {
    int32_t c = candidate(found, id);
    if (c < 0 && found->count < CANDIDATES_MOST) {
        c = found->count++;
        found->id[c] = id;
        memset(found->seen[c], 0, sizeof found->seen[c]);
        memset(found->repeats[c], 0, sizeof found->repeats[c]);
        found->longest[c] = found->longest_age[c] = found->age[c] = 0;
    }
    return c;
}

static void notice(struct findings *found, int32_t c, int32_t length, int32_t age) {
    if (!found->age[c])
        found->age[c] = age;
    if (length > found->longest[c]) {
        found->longest[c] = length;
        found->longest_age[c] = age;
    }
}

/* The places of each chain, the newest first, at most VISITS_MOST. Each step along a chain waits
   for memory. Following all chains side by side lets these waits overlap. */
static void gather(const struct page *page, const int64_t heads[CHAINS],
                   int32_t places[CHAINS][VISITS_MOST], int32_t counts[CHAINS]) {
    int32_t next[CHAINS];
    for (int chain = 0; chain < CHAINS; chain++) {
        next[chain] = page->heads[heads[chain]] - 1;
        counts[chain] = 0;
    }
    for (int visit = 0; visit < VISITS_MOST; visit++)
        for (int chain = 0; chain < CHAINS; chain++)
            if (next[chain] >= 0) {
                const int64_t place = next[chain];
                places[chain][counts[chain]++] = (int32_t)place;
                next[chain] = page->entries[place].links[chain] - 1;
                __builtin_prefetch(page->ids + place);
                __builtin_prefetch(page->ids + (place < 8 ? 0 : place - 8));
            }
}

#define EACH(chain, place)                                                                         \
    for (int64_t visit = 0, place; visit < counts[chain] && (place = places[chain][visit], 1);     \
         visit++)

static void find(const struct page *page, const struct context *context, struct findings *found) {
    int64_t heads[CHAINS];
    uint8_t checks[CHECKS];
    int32_t places[CHAINS][VISITS_MOST], counts[CHAINS];
    locate(page, context, heads, checks);
    gather(page, heads, places, counts);
    found->count = found->match = 0;
    found->best = -1;
    memset(found->all_seen, 0, sizeof found->all_seen);
    memset(found->all_repeats, 0, sizeof found->all_repeats);
    for (int i = 0; i < 4; i++)
        found->newest[i] = -1;
    EACH(LONG, place) {
        const int32_t length = match(page, context, place, RECENT);
        if (length < LONG_ORDER)
            continue;
        found->all_seen[LEVEL[length]]++;
        const int32_t c = admit(found, page->ids[place]);
        if (c < 0)
            continue;
        found->seen[c][LEVEL[length]]++;
        notice(found, c, length, (int32_t)(page->length - place));
        if (length > found->match) {
            found->match = length;
            found->best = c;
        }
        if (found->newest[2] < 0)
            found->newest[2] = c;
        if (found->newest[3] < 0 && length >= 6)
            found->newest[3] = c;
    }
    EACH(SHORT, place) {
        const int32_t length = match(page, context, place, LONG_ORDER);
        if (length < SHORT_ORDER)
            continue;
        found->all_seen[length > SHORT_ORDER]++;
        const int32_t c = admit(found, page->ids[place]);
        if (c < 0)
            continue;
        found->seen[c][length > SHORT_ORDER]++;
        notice(found, c, length, (int32_t)(page->length - place));
        if (found->newest[0] < 0)
            found->newest[0] = c;
        if (found->newest[1] < 0 && length > SHORT_ORDER)
            found->newest[1] = c;
    }
    if (context->letters)
        EACH(WORD, place) {
            if (match(page, context, place, context->letters) < context->letters)
                continue;
            const int32_t c = admit(found, page->ids[place]);
            found->all_repeats[0]++;
            if (c >= 0)
                found->repeats[c][0]++;
        }
    for (int check = 0; check < CHECKS; check++)
        EACH(WORDS + check, place) {
            if (page->entries[place].checks[check] != checks[check])
                continue;
            const uint16_t id = page->ids[place];
            /* Skip and above are counted for ids that are candidates already; they add none. */
            const int32_t c = check ? candidate(found, id) : admit(found, id);
            found->all_repeats[1 + check]++;
            if (c >= 0)
                found->repeats[c][1 + check]++;
        }
    /* So far each occurrence is counted only at its highest level. Here it is added to all lower
       levels of its chain. The short chain has the levels 0 and 1. */
    for (int c = -1; c < found->count; c++) {
        int32_t *seen = c < 0 ? found->all_seen : found->seen[c];
        seen[0] += seen[1];
        for (int level = LEVELS - 2; level >= 2; level--)
            seen[level] += seen[level + 1];
    }
}

/* The natural logarithm of a positive number, in units of 1/32. */
static int32_t ln(const struct model *model, float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return model->logarithm[bits >> 23] + model->logarithm[256 + (bits >> 16 & 127)];
}

/* The logarithm of the share that `count` is of `total`, smoothed; 0 where `total` is 0. */
static int16_t share(const struct model *model, int64_t count, int64_t total) {
    return (int16_t)(total ? ln(model, (float)(5 * count + 1)) - ln(model, (float)(5 * total + 2))
                           : 0);
}

static int16_t amount(const struct model *model, int64_t count) {
    return (int16_t)ln(model, (float)(1 + count));
}

/* The logarithm of a sum of probabilities, which is counted in units of 2^-24. */
static int16_t sum_of_probabilities(const struct model *model, int64_t units) {
    const int64_t counted = units > PROBABILITY_UNITS_LEAST ? units : PROBABILITY_UNITS_LEAST;
    return (int16_t)(ln(model, (float)counted) - ln(model, (float)PROBABILITY_UNITS));
}

static float at_least(float x, float least) { return x > least ? x : least; }

/* The place of the largest number, the first of equals. The compiler turns the loop over lanes into
   vector instructions. In a loop with one maximum, each comparison would wait for the one before. */
static int32_t top_of(const float *row, int64_t size) {
    const int64_t whole = size / LANES * LANES;
    float most[LANES];
    int32_t top = 0;
    for (int lane = 0; lane < LANES; lane++)
        most[lane] = row[0];
    for (int64_t i = 0; i < whole; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            most[lane] = row[i + lane] > most[lane] ? row[i + lane] : most[lane];
    for (int64_t i = whole; i < size; i++)
        most[0] = row[i] > most[0] ? row[i] : most[0];
    for (int lane = 1; lane < LANES; lane++)
        most[0] = most[lane] > most[0] ? most[lane] : most[0];
    while (top < size - 1 && row[top] != most[0])
        top++;
    return top;
}

/* The features that scores are computed from: of the place, and of each candidate. */
static void describe(const struct page *page, const struct context *context,
                     const struct findings *found, const float *p, int16_t shared[SHARED],
                     int16_t own[CANDIDATES_MOST][OWN]) {
    const struct model *model = page->model;
    const int32_t last = (int32_t)back(context, 0) - 1;
    /* How often an id followed the last one. At the page's end, the last id has none after it. */
    const int64_t open = page->length > 0 && page->ids[page->length - 1] == last;
    const int64_t followed = last < 0 ? 0 : page->singles[last] - open;
    int64_t distinct[3] = {0, 0, 0}, covered = 0, top = top_of(p, model->size);
    for (int c = 0; c < found->count; c++) {
        distinct[0] += found->seen[c][0] > 0;
        distinct[1] += found->seen[c][2] > 0;
        distinct[2] += found->seen[c][4] > 0;
        covered += (int64_t)(p[found->id[c]] * PROBABILITY_UNITS);
    }
    if (covered > PROBABILITY_UNITS)
        covered = PROBABILITY_UNITS;
    const int64_t group = GROUP[found->match];
    const int64_t outcomes = page->length < OUTCOMES_COUNTED ? page->length : OUTCOMES_COUNTED;
    int16_t *to = shared;
    memset(shared, 0, SHARED * sizeof(int16_t));
    for (int level = 0; level < LEVELS; level++)
        *to++ = amount(model, found->all_seen[level]);
    for (int i = 0; i < REPEATS; i++)
        *to++ = amount(model, found->all_repeats[i]);
    *to++ = amount(model, followed);
    *to++ = (int16_t)(8 * found->match);
    *to++ = amount(model, found->count);
    *to++ = (int16_t)ln(model, at_least(p[top], PROBABILITY_LEAST));
    *to++ = amount(model, page->length);
    for (int i = 0; i < 3; i++)
        *to++ = amount(model, distinct[i]);
    *to++ = share(model, page->right[group], page->tried[group]);
    *to++ = share(model, page->right[NEWEST], page->tried[NEWEST]);
    *to++ = share(model, outcomes - page->tried[0], outcomes);
    *to++ = context->inside ? FLAG_SET : 0;
    *to++ = sum_of_probabilities(model, covered);
    *to++ = sum_of_probabilities(model, PROBABILITY_UNITS - covered);
    *to++ = amount(model, context->letters);
    *to++ = last == model->newline ? FLAG_SET : 0;
    *to++ = last == model->space ? FLAG_SET : 0;
    for (int c = 0; c < found->count; c++) {
        const int64_t id = found->id[c];
        to = own[c];
        memset(own[c], 0, OWN * sizeof(int16_t));
        for (int level = 0; level < LEVELS; level++)
            *to++ = share(model, found->seen[c][level], found->all_seen[level]);
        for (int i = 0; i < REPEATS; i++)
            *to++ = share(model, found->repeats[c][i], found->all_repeats[i]);
        const int64_t pair = last < 0 ? 0 : page->pairs[pair_of((uint32_t)last, (uint32_t)id)];
        *to++ = share(model, pair, followed);
        *to++ = share(model, page->singles[id], page->length);
        for (int i = 0; i < 4; i++)
            *to++ = found->newest[i] == c ? FLAG_SET : 0;
        *to++ = found->best == c ? FLAG_SET : 0;
        *to++ = (int16_t)(found->best == c ? 8 * found->match : 0);
        *to++ = (int16_t)(8 * found->longest[c]);
        *to++ = amount(model, found->longest_age[c]);
        *to++ = amount(model, found->age[c]);
        *to++ = (int16_t)ln(model, at_least(p[id], PROBABILITY_LEAST));
        *to++ = (int16_t)ln(model, at_least(1.0f - p[id], PROBABILITY_LEAST));
        *to++ = model->letters[id] ? FLAG_SET : 0;
        *to++ = id == model->newline ? FLAG_SET : 0;
        *to++ = id == model->space ? FLAG_SET : 0;
        *to++ = id == top ? FLAG_SET : 0;
        *to++ = id == last ? FLAG_SET : 0;
    }
}

/* Adds the products of weights and inputs to the sums of `units` units. `units` is a multiple of
   PANEL, and the number of inputs is even. One instruction multiplies a pair of int16 by another
   and adds the two products, so the weights of two inputs lie side by side for each unit. The sums
   of 16 units fill four registers and stay there over all inputs. They are named one by one,
   because gcc would keep an array of them in memory. Every x86-64 has SSE2, so nothing has to be
   chosen at run time. parameters.py checks that no sum leaves int32. So all sums are exact, and
   their order does not matter. */
static void add_products(const int16_t *weights, const int16_t *x, int64_t inputs, int64_t units,
                         int32_t *sums) {
    for (int64_t unit = 0; unit < units; unit += PANEL) {
        const int16_t *w = weights + 2 * unit;
#if defined(__SSE2__)
        __m128i *to = (__m128i *)(sums + unit);
        __m128i a = _mm_loadu_si128(to), b = _mm_loadu_si128(to + 1);
        __m128i c = _mm_loadu_si128(to + 2), d = _mm_loadu_si128(to + 3);
        for (int64_t i = 0; i < inputs; i += 2, w += 2 * units) {
            int32_t pair;
            memcpy(&pair, x + i, 4);
            const __m128i both = _mm_set1_epi32(pair), *from = (const __m128i *)w;
            a = _mm_add_epi32(a, _mm_madd_epi16(both, _mm_loadu_si128(from)));
            b = _mm_add_epi32(b, _mm_madd_epi16(both, _mm_loadu_si128(from + 1)));
            c = _mm_add_epi32(c, _mm_madd_epi16(both, _mm_loadu_si128(from + 2)));
            d = _mm_add_epi32(d, _mm_madd_epi16(both, _mm_loadu_si128(from + 3)));
        }
        _mm_storeu_si128(to, a);
        _mm_storeu_si128(to + 1, b);
        _mm_storeu_si128(to + 2, c);
        _mm_storeu_si128(to + 3, d);
#else
        for (int64_t i = 0; i < inputs; i += 2, w += 2 * units)
            for (int j = 0; j < PANEL; j++)
                sums[unit + j] += x[i] * w[2 * j] + x[i + 1] * w[2 * j + 1];
#endif
    }
}

static void activate(const int32_t *sums, int64_t units, int32_t shift, int16_t *activations) {
    for (int64_t j = 0; j < units; j++) {
        const int32_t sum = sums[j] >> shift;
        activations[j] = (int16_t)(sum < 0 ? 0 : sum > ACTIVATION ? ACTIVATION : sum);
    }
}

/* The VIEW numbers that the scorer gets from the network's hidden state, which tell what kind of
   place this is. */
static void look(const struct model *model, const int8_t *hidden, int16_t view[VIEW]) {
    int32_t sums[VIEW] = {0};
    int16_t x[HIDDEN_AT_ONCE];
    for (int64_t begin = 0; begin < model->units; begin += HIDDEN_AT_ONCE) {
        const int64_t left = model->units - begin;
        const int64_t count = left < HIDDEN_AT_ONCE ? left : HIDDEN_AT_ONCE;
        for (int64_t i = 0; i < count; i++)
            x[i] = hidden[begin + i];
        if (count & 1)
            x[count] = 0;
        add_products(model->view + begin * VIEW, x, count, VIEW, sums);
    }
    for (int j = 0; j < VIEW; j++) {
        const int32_t sum = sums[j] >> model->shifts[0];
        view[j] = (int16_t)(sum < -LARGEST_FEATURE  ? -LARGEST_FEATURE
                            : sum > LARGEST_FEATURE ? LARGEST_FEATURE
                                                    : sum);
    }
}

/* The score of each candidate, by a network of two hidden layers in integers. The part of a sum
   that is the same for all candidates is computed once, as `base`. The second layer also reads the
   mean of the first layer over all candidates. */
static void score(const struct model *model, const int16_t shared[SHARED],
                  const int16_t view[VIEW], int16_t own[CANDIDATES_MOST][OWN], int32_t count,
                  int32_t scores[CANDIDATES_MOST]) {
    int32_t base[UNITS_MOST], sums[UNITS_MOST], totals[UNITS_MOST] = {0};
    int16_t first[CANDIDATES_MOST][UNITS_MOST], second[UNITS_MOST], mean[UNITS_MOST] = {0};
    const size_t first_bytes = (size_t)model->first * sizeof(int32_t);
    const size_t second_bytes = (size_t)model->second * sizeof(int32_t);
    memcpy(base, model->first_bias, first_bytes);
    add_products(model->first_shared, shared, SHARED, model->first, base);
    add_products(model->first_view, view, VIEW, model->first, base);
    for (int32_t c = 0; c < count; c++) {
        memcpy(sums, base, first_bytes);
        add_products(model->first_own, own[c], OWN, model->first, sums);
        activate(sums, model->first, model->shifts[1], first[c]);
        for (int64_t j = 0; j < model->first; j++)
            totals[j] += first[c][j];
    }
    for (int64_t j = 0; j < model->first; j++)
        mean[j] = (int16_t)(totals[j] / count);
    memcpy(base, model->second_bias, second_bytes);
    add_products(model->second_mean, mean, model->first, model->second, base);
    for (int32_t c = 0; c < count; c++) {
        memcpy(sums, base, second_bytes);
        add_products(model->second_own, first[c], model->first, model->second, sums);
        activate(sums, model->second, model->shifts[2], second);
        int32_t sum = model->output_bias[0];
        for (int64_t k = 0; k < model->second; k++)
            sum += model->output[k] * second[k];
        sum >>= model->shifts[3];
        scores[c] = sum < model->lowest    ? model->lowest
                    : sum > model->highest ? model->highest
                                           : sum;
    }
}

/* The mixed distribution at a cursor, from the network's distribution `p` and its hidden state. */
static void mix(const struct cursor *cursor, const float *p, const int8_t *hidden, float *mixed) {
    const struct page *page = cursor->page;
    const struct model *model = page->model;
    const int64_t size = model->size, whole = size / LANES * LANES;
    struct findings found;
    int32_t scores[CANDIDATES_MOST];
    int16_t shared[SHARED], view[VIEW], own[CANDIDATES_MOST][OWN];
    float lanes[LANES] = {0};
    find(page, &cursor->context, &found);
    if (found.count) {
        describe(page, &cursor->context, &found, p, shared, own);
        look(model, hidden, view);
        score(model, shared, view, own, found.count, scores);
    }
    memcpy(mixed, p, (size_t)size * sizeof(float));
    for (int c = 0; c < found.count; c++) {
        const int64_t id = found.id[c];
        const float raised = model->exponential[scores[c] - model->lowest];
        mixed[id] = at_least(p[id], PROBABILITY_LEAST) * raised;
    }
    /* A float sum depends on its order, so the order is fixed: 16 lanes, then a tree over them.
       Vector instructions of any width up to 16 can add in this order. */
    for (int64_t i = 0; i < whole; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            lanes[lane] = lanes[lane] + mixed[i + lane];
    for (int64_t i = whole; i < size; i++)
        lanes[i - whole] = lanes[i - whole] + mixed[i];
    for (int distance = LANES / 2; distance; distance /= 2)
        for (int lane = 0; lane < distance; lane++)
            lanes[lane] = lanes[lane] + lanes[lane + distance];
    for (int64_t i = 0; i < size; i++)
        mixed[i] = mixed[i] / lanes[0];
}

static void count_outcome(struct page *page, int64_t place, int64_t by) {
    const uint8_t outcome = page->entries[place].outcome;
    page->tried[outcome & 7] += by;
    page->right[outcome & 7] += (outcome >> 3 & 1) * by;
    page->tried[NEWEST] += (outcome >> 4 & 1) * by;
    page->right[NEWEST] += (outcome >> 5 & 1) * by;
}

/* What the index predicts before an id is read, and whether that is right, in bits. Bits 0 to 2:
   the group of the longest match; 3: whether the id after it was right. Bit 4: whether there is a
   place after the same two ids; 5: whether the newest such id was right. */
static uint8_t outcome_of(const struct page *page, const struct context *context,
                          const int64_t heads[CHAINS], uint16_t id) {
    int32_t places[CHAINS][VISITS_MOST], counts[CHAINS], longest = 0, right = 0, newest = 0;
    gather(page, heads, places, counts);
    EACH(LONG, place) {
        const int32_t length = match(page, context, place, RECENT);
        if (length < LONG_ORDER)
            continue;
        if (length > longest) {
            longest = length;
            right = page->ids[place] == id;
        }
    }
    EACH(SHORT, place) {
        if (match(page, context, place, SHORT_ORDER) < SHORT_ORDER)
            continue;
        newest = 1 | (page->ids[place] == id) << 1;
        break;
    }
    return (uint8_t)(GROUP[longest] | right << 3 | newest << 4);
}

static void absorb_one(struct page *page, uint16_t id) {
    struct context *context = &page->end;
    const int64_t place = page->length;
    int64_t heads[CHAINS];
    locate(page, context, heads, page->entries[place].checks);
    page->entries[place].outcome = outcome_of(page, context, heads, id);
    count_outcome(page, place, 1);
    if (place >= OUTCOMES_COUNTED)
        count_outcome(page, place - OUTCOMES_COUNTED, -1);
    for (int chain = 0; chain < CHAINS; chain++) {
        page->entries[place].links[chain] = page->heads[heads[chain]];
        page->heads[heads[chain]] = (uint16_t)(place + 1);
    }
    page->singles[id]++;
    if (back(context, 0))
        page->pairs[pair_of(context->recent[RECENT - 1], id)]++;
    page->ids[place] = id;
    page->length++;
    push(page->model, context, id);
}

/* Where the line of a place begins. */
static int32_t line_before(const struct page *page, int64_t place) {
    while (place > 0 && page->ids[place - 1] != page->model->newline)
        place--;
    return (int32_t)place;
}

/* The context before anything is read. */
static void restart(struct context *context) {
    memset(context, 0, sizeof *context);
    memset(context->recent, UINT8_MAX, sizeof context->recent);
    context->over = -1;
}

/* The context after the first `length` ids. Only some of them are read again: the hashes need the
   word so far and the two words before it, and `recent` needs the last RECENT ids. The beginnings of
   the lines are found by a search. */
static void reread(const struct page *page, int64_t length, struct context *context) {
    const uint8_t *letters = page->model->letters;
    int64_t at = length;
    while (at > 0 && letters[page->ids[at - 1]])
        at--;
    for (int words = 0; words < 2; words++) {
        while (at > 0 && !letters[page->ids[at - 1]])
            at--;
        while (at > 0 && letters[page->ids[at - 1]])
            at--;
    }
    if (at > 0)
        at--;
    if (at > length - RECENT)
        at = length > RECENT ? length - RECENT : 0;
    restart(context);
    for (int64_t i = at; i < length; i++)
        push(page->model, context, page->ids[i]);
    context->place = (int32_t)length;
    context->line = line_before(page, length);
    context->over = context->line ? line_before(page, context->line - 1) : -1;
}

static int32_t check_ids(const struct model *model, const int64_t *ids, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= model->size)
            return ID_OUT_OF_RANGE;
    return NONE;
}

EXPORT void page_start(struct page *page) { restart(&page->end); }

EXPORT int32_t adaptation_layout(void) { return LAYOUT; }

/* Appends ids; there must be room for them. */
EXPORT int32_t page_absorb(struct page *page, const int64_t *ids, int64_t count) {
    const int32_t fault = check_ids(page->model, ids, count);
    if (fault)
        return fault;
    page->changes++;
    for (int64_t i = 0; i < count; i++)
        absorb_one(page, (uint16_t)ids[i]);
    return NONE;
}

/* Takes back all ids after the first `length`, so that the page is as if it had never had them. */
EXPORT void page_truncate(struct page *page, int64_t length) {
    struct context context;
    int64_t heads[CHAINS];
    uint8_t checks[CHECKS];
    reread(page, length, &context);
    page->changes++;
    for (int64_t place = length; place < page->length; place++) {
        const uint16_t id = page->ids[place];
        locate(page, &context, heads, checks);
        /* The first place of a chain that is taken back links to the last one that stays. Further
           places of the chain link to places that are taken back, beyond `length`. */
        for (int chain = 0; chain < CHAINS; chain++)
            if (page->entries[place].links[chain] <= length)
                page->heads[heads[chain]] = page->entries[place].links[chain];
        page->singles[id]--;
        if (back(&context, 0))
            page->pairs[pair_of(context.recent[RECENT - 1], id)]--;
        push(page->model, &context, id);
    }
    page->length = length;
    reread(page, length, &page->end);
    memset(page->tried, 0, sizeof page->tried);
    memset(page->right, 0, sizeof page->right);
    const int64_t first = length > OUTCOMES_COUNTED ? length - OUTCOMES_COUNTED : 0;
    for (int64_t place = first; place < length; place++)
        count_outcome(page, place, 1);
}

/* A place at the page's end. */
EXPORT void cursor_start(struct cursor *cursor, const struct page *page) {
    cursor->page = page;
    cursor->changes = page->changes;
    cursor->context = page->end;
}

static int32_t check_cursors(struct cursor *const *cursors, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (cursors[i]->changes != cursors[i]->page->changes)
            return STALE;
    return NONE;
}

/* Moves each cursor on by an id. */
EXPORT int32_t cursors_push(struct cursor *const *cursors, int64_t count, const int64_t *ids) {
    int32_t fault = check_cursors(cursors, count);
    for (int64_t i = 0; !fault && i < count; i++)
        fault = check_ids(cursors[i]->page->model, ids + i, 1);
    for (int64_t i = 0; !fault && i < count; i++)
        push(cursors[i]->page->model, &cursors[i]->context, (uint16_t)ids[i]);
    return fault;
}

/* The mixed distributions at some cursors, (count, size), given the network's distributions `p` at
   the same places and its hidden states, (count, units). */
EXPORT int32_t cursors_mix(struct cursor *const *cursors, int64_t count, const float *p,
                           const int8_t *hidden, float *mixed) {
    const int32_t fault = check_cursors(cursors, count);
    if (fault || !count)
        return fault;
    const int64_t size = cursors[0]->page->model->size, units = cursors[0]->page->model->units;
    float_mode before = enter();
    for (int64_t i = 0; i < count; i++)
        mix(cursors[i], p + i * size, hidden + i * units, mixed + i * size);
    leave(before);
    return NONE;
}

/* The most probable id at each cursor, the lowest of equals, and its probability. `room` holds one
   distribution. */
EXPORT int32_t cursors_best(struct cursor *const *cursors, int64_t count, const float *p,
                            const int8_t *hidden, float *room, int32_t *best, float *probability) {
    const int32_t fault = check_cursors(cursors, count);
    if (fault || !count)
        return fault;
    const int64_t size = cursors[0]->page->model->size, units = cursors[0]->page->model->units;
    float_mode before = enter();
    for (int64_t i = 0; i < count; i++) {
        mix(cursors[i], p + i * size, hidden + i * units, room);
        best[i] = top_of(room, size);
        probability[i] = room[best[i]];
    }
    leave(before);
    return NONE;
}

/* Absorbs ids, and writes what the page knew before each of them: the number of candidates, the
   features of the place, and each candidate's id and features. Returns how many candidates there
   are in all, or -1 for an id that is not in the vocabulary. */
EXPORT int64_t page_collect(struct page *page, const int64_t *ids, int64_t count, const float *p,
                            int32_t *candidates, uint16_t *id, int16_t *shared, int16_t *own) {
    int64_t total = 0;
    struct findings found;
    int16_t each[CANDIDATES_MOST][OWN];
    if (check_ids(page->model, ids, count))
        return -1;
    page->changes++;
    for (int64_t i = 0; i < count; i++) {
        find(page, &page->end, &found);
        describe(page, &page->end, &found, p + i * page->model->size, shared + i * SHARED, each);
        candidates[i] = found.count;
        memcpy(id + total, found.id, (size_t)found.count * sizeof *id);
        memcpy(own + total * OWN, each, (size_t)found.count * sizeof each[0]);
        total += found.count;
        absorb_one(page, (uint16_t)ids[i]);
    }
    return total;
}
