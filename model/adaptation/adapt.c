/* The compiled backend of adaptation: an index of the page's ids, and the mixing of what it finds
   into the network's distribution. ADAPTATION.md specifies every operation; plain.py computes the
   same in Python. Everything is integers, but for one product of float32 a candidate and the
   normalisation, whose order is fixed. Compile with -ffp-contract=off and never -ffast-math. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "../runtime/float_mode.h"

#define EXPORT __attribute__((visibility("default")))

/* Python refuses a library whose number is not its own: what follows is known to both. */
enum { LAYOUT = 1 };

enum chain { LONG, SHORT, WORD, WORDS, SKIP, ABOVE, CHAINS };
enum { HEADS = 2048, PAIRS = 4096, RECENT = 32, MOST = 32 };
enum { LEVELS = 9, REPEATS = 4, CHECKS = 3, COLUMNS = 12, SPAN = 256, LANES = 16 };
enum { SHARED = 32, OWN = 32, FLAG = 64 };
enum { SHORT_ORDER = 2, LONG_ORDER = 4, UNITS_MOST = 128, ACTIVATION = 8191, TRIES = 64 };
enum fault { NONE, STALE, ID_OUT_OF_RANGE };

/* Probabilities are not taken for smaller than FLOOR; sums of them are counted in 1/UNIT. */
static const float FLOOR = 9.5367431640625e-07f, UNIT = 16777216.0f;
enum { LEAST = 16 };

/* Occurrences are counted by the order of context that they share: 2, 3, 4, 5, 6, 8, 11, 16, 24.
   The level of each length of match. */
static const uint8_t LEVEL[RECENT + 1] = {0, 0, 0, 1, 2, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6, 7,
                                          7, 7, 7, 7, 7, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8};
/* The groups of lengths of match whose success is told apart; 0 is no match. */
static const uint8_t GROUP[RECENT + 1] = {0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4,
                                          4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5};
enum { GROUPS = 6, NEWEST = 6, TALLIES = 7 };
/* How many occurrences each chain gives at most; TRIES places are looked at for them, since some
   share a hash by chance. */
static const int64_t VISITS[CHAINS] = {24, 16, 16, 16, 16, 16};

static const uint32_t MULTIPLIER = 0x9E3779B1u;

/* What has been read at some place: the last ids and the words they make. */
struct context {
    uint16_t recent[RECENT]; /* id + 1, the newest first; 0 before the beginning */
    uint32_t word, before, older; /* hashes of the word so far and of the two before it */
    int32_t letters;         /* how many ids the word so far has, with what stands before it */
    int32_t inside;          /* whether the newest id belongs to a word */
    int32_t place;           /* how many ids have been read */
    int32_t line, over;      /* where this line begins, and the one before it; or -1 */
};

struct model {
    int64_t size, first, second;  /* ids, and units of the scorer's layers */
    const uint8_t *letters;       /* (size): whether an id belongs to words */
    const int16_t *logarithm;     /* (256 + 128): of a float's exponent and of its mantissa */
    const float *exponential;     /* (highest - lowest + 1) */
    int32_t lowest, highest;      /* the range of scores */
    const int16_t *first_shared, *first_own;   /* (first, SHARED), (first, OWN) */
    const int32_t *first_bias;                 /* (first) */
    const int16_t *second_own, *second_mean;   /* (second, first) */
    const int32_t *second_bias;                /* (second) */
    const int16_t *output;                     /* (second) */
    const int32_t *output_bias, *shifts;       /* (1), (3) */
    int64_t newline;              /* the id of a line end, or -1 */
    int64_t space;
};

struct page {
    const struct model *model;
    int64_t capacity, length, changes;
    uint16_t *ids;       /* (capacity) */
    uint16_t *links;     /* (capacity, CHAINS): the place before with this context, + 1 */
    uint8_t *checks;     /* (capacity, CHECKS): a byte of the hashes that the text cannot check */
    uint8_t *outcomes;   /* (capacity): what the index would have said, and whether rightly */
    uint16_t *heads;     /* (CHAINS, HEADS): the last place with a context, + 1 */
    uint16_t *singles;   /* (size): how often an id occurs */
    uint16_t *pairs;     /* (PAIRS): how often a pair does */
    int64_t tried[TALLIES], right[TALLIES]; /* the last SPAN outcomes */
    struct context end;
};

/* A place after the page's end. */
struct cursor {
    const struct page *page;
    int64_t changes; /* the page's, when the cursor was made */
    struct context context;
};

/* The candidates at a place, and what is known of them. */
struct findings {
    int32_t count;
    uint16_t id[MOST];
    int32_t seen[MOST][LEVELS], all_seen[LEVELS];    /* occurrences at a level or above */
    int32_t repeats[MOST][REPEATS], all_repeats[REPEATS]; /* after the word, two words, a word skipped */
    int32_t longest[MOST], longest_age[MOST], age[MOST];
    int32_t newest[4];   /* the candidate that came last after an order of 2, 3, 4 and 6, or -1 */
    int32_t best, match; /* the candidate after the longest match, or -1, and that length */
};

static uint32_t finish(uint32_t x) {
    x ^= x >> 15;
    x *= 0x85EBCA77u;
    x ^= x >> 13;
    x *= 0xC2B2AE3Du;
    return x ^ x >> 16;
}

static void push(const struct model *model, struct context *context, uint16_t id) {
    const int32_t inside = model->letters[id];
    memmove(context->recent + 1, context->recent, sizeof context->recent - sizeof(uint16_t));
    context->recent[0] = (uint16_t)(id + 1);
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

static uint32_t hash_of(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return finish((((a * MULTIPLIER + b) * MULTIPLIER + c) * MULTIPLIER + d) * MULTIPLIER);
}

static uint32_t words_hash(uint32_t word, uint32_t other, uint32_t chain) {
    return finish(word + other * 0x165667B1u + chain);
}

/* The id + 1 that stands above the place, in the line before; a line end where that is shorter. */
static uint32_t above(const struct page *page, const struct context *context) {
    const int64_t place = (int64_t)context->over + context->place - context->line;
    if (context->over < 0 || place >= context->line)
        return (uint32_t)(page->model->newline + 1);
    return place < page->length ? page->ids[place] + 1u : 0;
}

/* Where the heads of the chains lie, and what tells contexts apart that share one. */
static void locate(const struct page *page, const struct context *context, int64_t heads[CHAINS],
                   uint8_t checks[CHECKS]) {
    const uint16_t *x = context->recent;
    const int32_t column = context->place - context->line;
    const uint32_t words = words_hash(context->word, context->before, WORDS);
    const uint32_t skip = words_hash(context->word, context->older, SKIP);
    const uint32_t over = hash_of(ABOVE, above(page, context), x[0], column < COLUMNS ? column : COLUMNS);
    heads[LONG] = LONG * HEADS + hash_of(x[3], x[2], x[1], x[0]) % HEADS;
    heads[SHORT] = SHORT * HEADS + hash_of(0, 0, x[1], x[0]) % HEADS;
    heads[WORD] = WORD * HEADS + finish(context->word) % HEADS;
    heads[WORDS] = WORDS * HEADS + words % HEADS;
    heads[SKIP] = SKIP * HEADS + skip % HEADS;
    heads[ABOVE] = ABOVE * HEADS + over % HEADS;
    checks[0] = (uint8_t)(words >> 24);
    checks[1] = (uint8_t)(skip >> 24);
    checks[2] = (uint8_t)(over >> 24);
}

static int64_t pair_of(uint32_t first, uint32_t second) {
    return finish(first * MULTIPLIER + second) % PAIRS;
}

/* How many of the context's newest ids, up to `most`, stand before a place. */
static int32_t match(const struct page *page, const struct context *context, int64_t place,
                     int64_t most) {
    const uint16_t *before = page->ids + place - 1;
    int64_t length = 0;
    if (most > place)
        most = place;
    while (length < most && before[-length] + 1 == context->recent[length])
        length++;
    return (int32_t)length;
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
    if (c < 0 && found->count < MOST) {
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

/* Goes along the places that share a hash with a context, the newest first. */
#define EACH(chain, place)                                                                         \
    for (int64_t place = page->heads[heads[chain]] - 1, visits = 0, tries = 0;                     \
         place >= 0 && visits < VISITS[chain] && tries < TRIES;                                           \
         place = page->links[place * CHAINS + chain] - 1, tries++)

static void find(const struct page *page, const struct context *context, struct findings *found) {
    int64_t heads[CHAINS];
    uint8_t checks[CHECKS];
    locate(page, context, heads, checks);
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
        visits++;
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
        visits++;
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
            visits++;
            found->all_repeats[0]++;
            if (c >= 0)
                found->repeats[c][0]++;
        }
    EACH(WORDS, place) {
        if (page->checks[place * CHECKS] != checks[0])
            continue;
        const int32_t c = admit(found, page->ids[place]);
        visits++;
        found->all_repeats[1]++;
        if (c >= 0)
            found->repeats[c][1]++;
    }
    EACH(SKIP, place) {
        if (page->checks[place * CHECKS + 1] != checks[1])
            continue;
        const int32_t c = candidate(found, page->ids[place]);
        visits++;
        found->all_repeats[2]++;
        if (c >= 0)
            found->repeats[c][2]++;
    }
    EACH(ABOVE, place) {
        if (page->checks[place * CHECKS + 2] != checks[2])
            continue;
        const int32_t c = candidate(found, page->ids[place]);
        visits++;
        found->all_repeats[3]++;
        if (c >= 0)
            found->repeats[c][3]++;
    }
    /* From counts at a level to counts at a level or above; the short chain has levels 0 and 1. */
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

/* The logarithm of how often something came of how often it might have. */
static int16_t share(const struct model *model, int64_t count, int64_t total) {
    return (int16_t)(total ? ln(model, (float)(5 * count + 1)) - ln(model, (float)(5 * total + 2))
                           : 0);
}

static int16_t amount(const struct model *model, int64_t count) {
    return (int16_t)ln(model, (float)(1 + count));
}

static float at_least(float x, float least) { return x > least ? x : least; }

/* The place of the largest number, the first of equals. */
static int32_t top_of(const float *row, int64_t size) {
    int32_t top = 0;
    for (int32_t i = 1; i < size; i++)
        if (row[i] > row[top])
            top = i;
    return top;
}

/* What the scores are computed from: of the place, and of each candidate. */
static void describe(const struct page *page, const struct context *context,
                     const struct findings *found, const float *p, int16_t shared[SHARED],
                     int16_t own[MOST][OWN]) {
    const struct model *model = page->model;
    const int32_t last = context->recent[0] - 1;
    const int64_t followed = last < 0 ? 0 : page->singles[last] - (page->length > 0 && page->ids[page->length - 1] == last);
    int64_t distinct[3] = {0, 0, 0}, covered = 0, top = top_of(p, model->size);
    for (int c = 0; c < found->count; c++) {
        distinct[0] += found->seen[c][0] > 0;
        distinct[1] += found->seen[c][2] > 0;
        distinct[2] += found->seen[c][4] > 0;
        covered += (int64_t)(p[found->id[c]] * UNIT);
    }
    if (covered > UNIT)
        covered = UNIT;
    const int64_t group = GROUP[found->match], outcomes = page->length < SPAN ? page->length : SPAN;
    const int32_t unit = ln(model, UNIT);
    int16_t *to = shared;
    memset(shared, 0, SHARED * sizeof(int16_t));
    for (int level = 0; level < LEVELS; level++)
        *to++ = amount(model, found->all_seen[level]);
    for (int i = 0; i < REPEATS; i++)
        *to++ = amount(model, found->all_repeats[i]);
    *to++ = amount(model, followed);
    *to++ = (int16_t)(8 * found->match);
    *to++ = amount(model, found->count);
    *to++ = (int16_t)ln(model, at_least(p[top], FLOOR));
    *to++ = amount(model, page->length);
    for (int i = 0; i < 3; i++)
        *to++ = amount(model, distinct[i]);
    *to++ = share(model, page->right[group], page->tried[group]);
    *to++ = share(model, page->right[NEWEST], page->tried[NEWEST]);
    *to++ = share(model, outcomes - page->tried[0], outcomes);
    *to++ = context->inside ? FLAG : 0;
    *to++ = (int16_t)(ln(model, (float)(covered > LEAST ? covered : LEAST)) - unit);
    *to++ = (int16_t)(ln(model, (float)(UNIT - covered > LEAST ? UNIT - covered : LEAST)) - unit);
    *to++ = amount(model, context->letters);
    *to++ = last == model->newline ? FLAG : 0;
    *to++ = last == model->space ? FLAG : 0;
    for (int c = 0; c < found->count; c++) {
        const int64_t id = found->id[c];
        to = own[c];
        memset(own[c], 0, OWN * sizeof(int16_t));
        for (int level = 0; level < LEVELS; level++)
            *to++ = share(model, found->seen[c][level], found->all_seen[level]);
        for (int i = 0; i < REPEATS; i++)
            *to++ = share(model, found->repeats[c][i], found->all_repeats[i]);
        *to++ = share(model, last < 0 ? 0 : page->pairs[pair_of((uint32_t)last, (uint32_t)id)], followed);
        *to++ = share(model, page->singles[id], page->length);
        for (int i = 0; i < 4; i++)
            *to++ = found->newest[i] == c ? FLAG : 0;
        *to++ = found->best == c ? FLAG : 0;
        *to++ = (int16_t)(found->best == c ? 8 * found->match : 0);
        *to++ = (int16_t)(8 * found->longest[c]);
        *to++ = amount(model, found->longest_age[c]);
        *to++ = amount(model, found->age[c]);
        *to++ = (int16_t)ln(model, at_least(p[id], FLOOR));
        *to++ = (int16_t)ln(model, at_least(1.0f - p[id], FLOOR));
        *to++ = model->letters[id] ? FLAG : 0;
        *to++ = id == model->newline ? FLAG : 0;
        *to++ = id == model->space ? FLAG : 0;
        *to++ = id == top ? FLAG : 0;
        *to++ = id == last ? FLAG : 0;
    }
}

static int32_t product(const int16_t *a, const int16_t *b, int64_t count) {
    int32_t sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (int32_t)a[i] * b[i];
    return sum;
}

static int16_t activation(int32_t sum, int32_t shift) {
    sum >>= shift;
    return (int16_t)(sum < 0 ? 0 : sum > ACTIVATION ? ACTIVATION : sum);
}

/* The score of each candidate: a network of two hidden layers, in integers; its second layer sees
   the mean of the first over all candidates, too. */
static void score(const struct model *model, const int16_t shared[SHARED],
                  int16_t own[MOST][OWN], int32_t count, int32_t scores[MOST]) {
    int32_t base[UNITS_MOST];
    int16_t first[MOST][UNITS_MOST], second[UNITS_MOST], mean[UNITS_MOST];
    for (int64_t j = 0; j < model->first; j++)
        base[j] = model->first_bias[j] + product(model->first_shared + j * SHARED, shared, SHARED);
    for (int32_t c = 0; c < count; c++)
        for (int64_t j = 0; j < model->first; j++)
            first[c][j] = activation(base[j] + product(model->first_own + j * OWN, own[c], OWN), model->shifts[0]);
    for (int64_t j = 0; j < model->first; j++) {
        int32_t sum = 0;
        for (int32_t c = 0; c < count; c++)
            sum += first[c][j];
        mean[j] = (int16_t)(count ? sum / count : 0);
    }
    for (int64_t k = 0; k < model->second; k++)
        base[k] = model->second_bias[k] + product(model->second_mean + k * model->first, mean, model->first);
    for (int32_t c = 0; c < count; c++) {
        for (int64_t k = 0; k < model->second; k++)
            second[k] = activation(base[k] + product(model->second_own + k * model->first, first[c], model->first), model->shifts[1]);
        const int32_t sum = (model->output_bias[0] + product(model->output, second, model->second)) >> model->shifts[2];
        scores[c] = sum < model->lowest ? model->lowest : sum > model->highest ? model->highest : sum;
    }
}

/* The mixed distribution at a cursor, from the network's there. */
static void mix(const struct cursor *cursor, const float *p, float *mixed) {
    const struct page *page = cursor->page;
    const struct model *model = page->model;
    const int64_t size = model->size, whole = size / LANES * LANES;
    struct findings found;
    int32_t scores[MOST];
    int16_t shared[SHARED], own[MOST][OWN];
    float lanes[LANES] = {0};
    find(page, &cursor->context, &found);
    describe(page, &cursor->context, &found, p, shared, own);
    score(model, shared, own, found.count, scores);
    memcpy(mixed, p, (size_t)size * sizeof(float));
    for (int c = 0; c < found.count; c++) {
        const int64_t id = found.id[c];
        mixed[id] = at_least(p[id], FLOOR) * model->exponential[scores[c] - model->lowest];
    }
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
    const uint8_t outcome = page->outcomes[place];
    page->tried[outcome & 7] += by;
    page->right[outcome & 7] += (outcome >> 3 & 1) * by;
    page->tried[NEWEST] += (outcome >> 4 & 1) * by;
    page->right[NEWEST] += (outcome >> 5 & 1) * by;
}

/* What the index would have said of an id that comes next, as `find` sees it: the group of its
   longest match, whether that was right, whether there was a newest after order 2, and it right. */
static uint8_t outcome_of(const struct page *page, const struct context *context,
                          const int64_t heads[CHAINS], uint16_t id) {
    int32_t longest = 0, right = 0, newest = 0;
    EACH(LONG, place) {
        const int32_t length = match(page, context, place, RECENT);
        if (length < LONG_ORDER)
            continue;
        visits++;
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
    locate(page, context, heads, page->checks + place * CHECKS);
    page->outcomes[place] = outcome_of(page, context, heads, id);
    count_outcome(page, place, 1);
    if (place >= SPAN)
        count_outcome(page, place - SPAN, -1);
    for (int chain = 0; chain < CHAINS; chain++) {
        page->links[place * CHAINS + chain] = page->heads[heads[chain]];
        page->heads[heads[chain]] = (uint16_t)(place + 1);
    }
    page->singles[id]++;
    if (context->recent[0])
        page->pairs[pair_of(context->recent[0] - 1u, id)]++;
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
    context->over = -1;
}

/* The context after the first `length` ids: read from before the two words before the last. */
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

/* Appends ids, for which there is room. */
EXPORT int32_t page_absorb(struct page *page, const int64_t *ids, int64_t count) {
    const int32_t fault = check_ids(page->model, ids, count);
    if (fault)
        return fault;
    page->changes++;
    for (int64_t i = 0; i < count; i++)
        absorb_one(page, (uint16_t)ids[i]);
    return NONE;
}

/* Takes back all ids after the first `length`, as if they had never been absorbed. */
EXPORT void page_truncate(struct page *page, int64_t length) {
    struct context context;
    int64_t heads[CHAINS];
    uint8_t checks[CHECKS];
    reread(page, length, &context);
    page->changes++;
    for (int64_t place = length; place < page->length; place++) {
        const uint16_t id = page->ids[place];
        locate(page, &context, heads, checks);
        /* The first place taken back of each chain knows the last one that stays. */
        for (int chain = 0; chain < CHAINS; chain++)
            if (page->links[place * CHAINS + chain] <= length)
                page->heads[heads[chain]] = page->links[place * CHAINS + chain];
        page->singles[id]--;
        if (context.recent[0])
            page->pairs[pair_of(context.recent[0] - 1u, id)]--;
        push(page->model, &context, id);
    }
    page->length = length;
    reread(page, length, &page->end);
    memset(page->tried, 0, sizeof page->tried);
    memset(page->right, 0, sizeof page->right);
    for (int64_t place = length > SPAN ? length - SPAN : 0; place < length; place++)
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

/* Moves a cursor on by one id. */
EXPORT int32_t cursor_push(struct cursor *cursor, int64_t id) {
    const struct model *model = cursor->page->model;
    const int32_t fault = check_cursors(&cursor, 1);
    if (fault || check_ids(model, &id, 1))
        return fault ? fault : ID_OUT_OF_RANGE;
    push(model, &cursor->context, (uint16_t)id);
    return NONE;
}

/* The mixed distributions at some cursors, (count, size), from the network's. */
EXPORT int32_t cursors_mix(struct cursor *const *cursors, int64_t count, const float *p,
                           float *mixed) {
    const int32_t fault = check_cursors(cursors, count);
    if (fault || !count)
        return fault;
    const int64_t size = cursors[0]->page->model->size;
    float_mode before = enter();
    for (int64_t i = 0; i < count; i++)
        mix(cursors[i], p + i * size, mixed + i * size);
    leave(before);
    return NONE;
}

/* The most probable id at each cursor, the lowest of equals, and its probability; `room` is for
   one distribution. */
EXPORT int32_t cursors_best(struct cursor *const *cursors, int64_t count, const float *p,
                            float *room, int32_t *best, float *probability) {
    const int32_t fault = check_cursors(cursors, count);
    if (fault || !count)
        return fault;
    const int64_t size = cursors[0]->page->model->size;
    float_mode before = enter();
    for (int64_t i = 0; i < count; i++) {
        mix(cursors[i], p + i * size, room);
        best[i] = top_of(room, size);
        probability[i] = room[best[i]];
    }
    leave(before);
    return NONE;
}

/* What the candidates' scores are computed from, at each of some ids before it is absorbed: returns
   how many candidates there are in all, and for each its id and features. */
EXPORT int64_t page_collect(struct page *page, const int64_t *ids, int64_t count, const float *p,
                            int32_t *candidates, uint16_t *id, int16_t *shared, int16_t *own) {
    int64_t total = 0;
    struct findings found;
    int16_t each[MOST][OWN];
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
