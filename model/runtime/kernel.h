/* One backend: the arithmetic of ARITHMETIC.md for one instruction set. step.c includes this file
   once for each set. Before that it defines NAME, TARGET, LANES and TILE, and VNNI, AVX2 or NEON
   for the set of that name.

   All floating-point work is written once, on vectors of LANES floats. Every lane goes through the
   same +, -, x and /, so its bits do not depend on LANES. Only the sums of products are written
   for each instruction set: they are exact integers, so any order gives the same.

   A tile is up to TILE sessions by the vectors of one panel. Each vector of weights that is loaded
   serves all sessions of a tile, so larger tiles load less, but the sums of a tile must stay in
   registers. TILE is as large as the registers allow: for VNNI 6 sessions by 4 vectors are 24
   sums, which leaves 8 of 32 registers for 4 vectors of weights and the states. */

#define INLINE static inline __attribute__((always_inline)) TARGET
#define vf NAME(vf)
#define vi NAME(vi)
#define loose NAME(loose)
#define loose_int NAME(loose_int)

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef float loose __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t loose_int __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define LOAD(at) ((vf) * (const loose *)(at))
#define STORE(at, value) (*(loose *)(at) = (value))
#define SPLAT(value) ((vf){0} + (value))

INLINE vf NAME(smaller)(vf a, vf b) {
#if VNNI
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif AVX2
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
    vi less = a < b;
    return (vf)((less & (vi)a) | (~less & (vi)b));
#endif
}

INLINE vf NAME(larger)(vf a, vf b) {
#if VNNI
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif AVX2
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
    vi more = a > b;
    return (vf)((more & (vi)a) | (~more & (vi)b));
#endif
}

/* (p x / q) · half. `half` is multiplied into the coefficients of p, where it costs nothing. As it
   is a power of two, this changes no rounding. */
INLINE vf NAME(rational)(vf x, const float half) {
    x = NAME(smaller)(NAME(larger)(x, SPLAT(-8.0f)), SPLAT(8.0f));
    vf u = x * x;
    vf p = half * 1.1310223e-05f * u;
    p = (p + half * 0.0029388277f) * u;
    p = (p + half * 0.12913641f) * u;
    p = p + half * 0.99999934f;
    vf q = 2.423841e-07f * u;
    q = (q + 0.00023702846f) * u;
    q = (q + 0.023763826f) * u;
    q = (q + 0.4624674f) * u;
    q = q + 1.0f;
    return (p * x) / q;
}

INLINE vf NAME(tanh)(vf x) { return NAME(rational)(x, 1.0f); }

INLINE vf NAME(sigmoid)(vf x) { return NAME(rational)(x * 0.5f, 0.5f) + 0.5f; }

INLINE vf NAME(exp)(vf x) {
    x = NAME(larger)(x, SPLAT(-87.0f));
    vf n = x * 1.442695f;
    n = n + 12582912.0f;
    n = n - 12582912.0f;
    vf r = x - n * 0.693359375f;
    r = r - n * -0.00021219444f;
    vf e = 0.008333847f * r;
    e = (e + 0.04189862f) * r;
    e = (e + 0.16666886f) * r;
    e = e + 0.49999142f;
    e = e * (r * r);
    e = e + r;
    e = e + 1.0f;
    vi power = (__builtin_convertvector(n, vi) + 127) << 23;
    return e * (vf)power;
}

/* Stores LANES hidden states as int8, in units of 1/127. */
INLINE void NAME(store_quantized)(uint8_t *at, vf h) {
    vf n = h * 127.0f;
    n = n + 12582912.0f;
    n = n - 12582912.0f;
    n = NAME(smaller)(NAME(larger)(n, SPLAT(-127.0f)), SPLAT(127.0f));
    vi whole = __builtin_convertvector(n, vi);
#if VNNI
    _mm_storeu_si128((__m128i *)at, _mm512_cvtepi32_epi8((__m512i)whole));
#elif AVX2
    __m128i narrow = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)whole),
                                     _mm256_extracti128_si256((__m256i)whole, 1));
    _mm_storel_epi64((__m128i *)at, _mm_packs_epi16(narrow, narrow));
#else
    for (int i = 0; i < LANES; i++)
        at[i] = (uint8_t)whole[i];
#endif
}

/* The exact sums of a tile: `sessions` rows of h by `vectors` vectors of 16 rows of the matrix, to
   sums[session][vector][16]. The callers below pass constants for `sessions` and `vectors`, so the
   compiler drops all conditions on them. A group here is four columns.

   Accumulators are named one by one, by macros: gcc keeps an array of them in memory, which makes
   a step take two to three times as long. */
#if VNNI
/* The instruction multiplies unsigned by signed bytes. So `gather` gives h + 128, and each sum
   starts at -128 times the sum of its row's weights, which cancels the 128. */
#define ROWS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#define BEGIN(s) __m512i a##s##0 = start0, a##s##1 = start1, a##s##2 = start2, a##s##3 = start3;
#define ADD(s, h, group)                                                                           \
    if (sessions > s) {                                                                            \
        int32_t four;                                                                              \
        memcpy(&four, h + 4 * (group), 4);                                                         \
        __m512i x = _mm512_set1_epi32(four);                                                       \
        a##s##0 = _mm512_dpbusd_epi32(a##s##0, x, w0);                                             \
        a##s##1 = _mm512_dpbusd_epi32(a##s##1, x, w1);                                             \
        a##s##2 = _mm512_dpbusd_epi32(a##s##2, x, w2);                                             \
        if (vectors > 3)                                                                           \
            a##s##3 = _mm512_dpbusd_epi32(a##s##3, x, w3);                                         \
    }
#define ADD_ROW(s) ADD(s, (h + s * stride), group)
#define END(s)                                                                                     \
    if (sessions > s) {                                                                            \
        _mm512_storeu_si512(sums[s][0], a##s##0);                                                  \
        _mm512_storeu_si512(sums[s][1], a##s##1);                                                  \
        _mm512_storeu_si512(sums[s][2], a##s##2);                                                  \
        if (vectors > 3)                                                                           \
            _mm512_storeu_si512(sums[s][3], a##s##3);                                              \
    }
#define WEIGHTS(at)                                                                                \
    __m512i w0 = _mm512_load_si512(at), w1 = _mm512_load_si512((at) + 64);                         \
    __m512i w2 = _mm512_load_si512((at) + 128);                                                    \
    __m512i w3 = vectors > 3 ? _mm512_load_si512((at) + 192) : w2;

INLINE void NAME(tile)(const int sessions, const int vectors, const int8_t *w, const uint8_t *h,
                       int64_t stride, int64_t groups, const int32_t *start,
                       int32_t (*sums)[VECTORS_MAX][PANEL]) {
    const __m512i start0 = _mm512_loadu_si512(start), start1 = _mm512_loadu_si512(start + 16);
    const __m512i start2 = _mm512_loadu_si512(start + 32);
    const __m512i start3 = vectors > 3 ? _mm512_loadu_si512(start + 48) : start2;
    ROWS(BEGIN)
    if (sessions == 1) {
        /* With four sums, each multiply-add would wait for the one before it on the same sum. So
           even and odd groups have their own sums, which makes eight. */
        __m512i b0 = _mm512_setzero_si512(), b1 = b0, b2 = b0, b3 = b0;
        for (int64_t group = 0; group < groups; group += 2, w += 128 * vectors) {
            {
                WEIGHTS(w)
                ADD(0, h, group)
            }
            WEIGHTS(w + 64 * vectors)
            int32_t four;
            memcpy(&four, h + 4 * (group + 1), 4);
            __m512i x = _mm512_set1_epi32(four);
            b0 = _mm512_dpbusd_epi32(b0, x, w0);
            b1 = _mm512_dpbusd_epi32(b1, x, w1);
            b2 = _mm512_dpbusd_epi32(b2, x, w2);
            if (vectors > 3)
                b3 = _mm512_dpbusd_epi32(b3, x, w3);
        }
        a00 = _mm512_add_epi32(a00, b0);
        a01 = _mm512_add_epi32(a01, b1);
        a02 = _mm512_add_epi32(a02, b2);
        a03 = _mm512_add_epi32(a03, b3);
    } else {
        for (int64_t group = 0; group < groups; group++, w += 64 * vectors) {
            WEIGHTS(w)
            ROWS(ADD_ROW)
        }
    }
    ROWS(END)
}

#elif AVX2
/* AVX2 adds products of int8 in pairs, which may saturate, so int8 are widened to int16: pairs of
   their products are added exactly. Half a vector, 8 rows, is summed at a time. Then 4 sessions by
   2 sums, the weights and the states fit into the 16 registers. */
INLINE void NAME(tile)(const int sessions, const int vectors, const int8_t *w, const uint8_t *h,
                       int64_t stride, int64_t groups, const int32_t *start,
                       int32_t (*sums)[VECTORS_MAX][PANEL]) {
    (void)start;
    const __m256i zero = _mm256_setzero_si256();
    for (int half = 0; half < 2 * vectors; half++) {
        const int8_t *v = w + 64 * groups * (half / 2) + 32 * (half % 2);
        __m256i a00 = zero, a01 = zero, a10 = zero, a11 = zero;
        __m256i a20 = zero, a21 = zero, a30 = zero, a31 = zero;
        for (int64_t group = 0; group < groups; group++, v += 64) {
            const __m256i w0 = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)v));
            const __m256i w1 = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)v + 1));
#define ROW(s)                                                                                     \
    if (sessions > s) {                                                                            \
        int64_t four;                                                                              \
        memcpy(&four, h + s * stride + 8 * group, 8);                                              \
        const __m256i x = _mm256_set1_epi64x(four);                                                \
        a##s##0 = _mm256_add_epi32(a##s##0, _mm256_madd_epi16(x, w0));                             \
        a##s##1 = _mm256_add_epi32(a##s##1, _mm256_madd_epi16(x, w1));                             \
    }
            ROW(0) ROW(1) ROW(2) ROW(3)
#undef ROW
        }
#define ROW(s)                                                                                     \
    if (sessions > s)                                                                              \
        _mm256_storeu_si256((__m256i *)sums[s][half / 2] + half % 2,                               \
                            _mm256_permute4x64_epi64(_mm256_hadd_epi32(a##s##0, a##s##1), 0xd8));
        ROW(0) ROW(1) ROW(2) ROW(3)
#undef ROW
    }
}

#elif NEON
/* The products of two groups are added in int16, which holds them (2 · 127^2 < 2^15). Then pairs
   of these are added to sums in int32. */
INLINE void NAME(tile)(const int sessions, const int vectors, const int8_t *w, const uint8_t *h,
                       int64_t stride, int64_t groups, const int32_t *start,
                       int32_t (*sums)[VECTORS_MAX][PANEL]) {
    (void)start;
    for (int vector = 0; vector < vectors; vector++, w += 64 * groups)
        for (int s = 0; s < sessions; s++) {
            int32x4_t a[8];
            for (int i = 0; i < 8; i++)
                a[i] = vdupq_n_s32(0);
            for (int64_t group = 0; group < groups; group += 2) {
                const int8_t *v = w + 64 * group;
                int32_t four[2];
                memcpy(four, h + s * stride + 4 * group, 8);
                const int8x8_t x0 = vreinterpret_s8_s32(vdup_n_s32(four[0]));
                const int8x8_t x1 = vreinterpret_s8_s32(vdup_n_s32(four[1]));
                for (int i = 0; i < 8; i++) {
                    int16x8_t pair = vmull_s8(vld1_s8(v + 8 * i), x0);
                    pair = vmlal_s8(pair, vld1_s8(v + 64 + 8 * i), x1);
                    a[i] = vpadalq_s16(a[i], pair);
                }
            }
            for (int i = 0; i < 4; i++)
                vst1q_s32(sums[s][vector] + 4 * i, vpaddq_s32(a[2 * i], a[2 * i + 1]));
        }
}

#else
/* Eight products of int16 at a time, in vectors that gcc and clang have for every processor. The
   products of two groups are added in int16, which holds them (2 · 127^2 < 2^15). Then pairs of
   these are added to sums in int32. */
typedef int8_t bytes8 __attribute__((vector_size(8)));
typedef int16_t shorts8 __attribute__((vector_size(16)));
typedef uint32_t vu __attribute__((vector_size(16)));

static inline shorts8 widened(const void *at) {
    bytes8 eight;
    memcpy(&eight, at, 8);
    return __builtin_convertvector(eight, shorts8);
}

static inline shorts8 twice(const uint8_t *four) {
    uint8_t eight[8];
    memcpy(eight, four, 4);
    memcpy(eight + 4, four, 4);
    return widened(eight);
}

INLINE void NAME(tile)(const int sessions, const int vectors, const int8_t *w, const uint8_t *h,
                       int64_t stride, int64_t groups, const int32_t *start,
                       int32_t (*sums)[VECTORS_MAX][PANEL]) {
    (void)start;
    for (int s = 0; s < sessions; s++)
        for (int vector = 0; vector < vectors; vector++) {
            const int8_t *v = w + 64 * groups * vector;
            vi a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, a4 = {0}, a5 = {0}, a6 = {0}, a7 = {0};
            for (int64_t group = 0; group < groups; group += 2, v += 128) {
                const shorts8 x0 = twice(h + s * stride + 4 * group);
                const shorts8 x1 = twice(h + s * stride + 4 * group + 4);
#define ADD(i)                                                                                     \
    {                                                                                              \
        vi pairs = (vi)(widened(v + 8 * i) * x0 + widened(v + 64 + 8 * i) * x1);                   \
        a##i += (pairs >> 16) + ((vi)((vu)pairs << 16) >> 16);                                     \
    }
                ADD(0) ADD(1) ADD(2) ADD(3) ADD(4) ADD(5) ADD(6) ADD(7)
#undef ADD
            }
            const vi all[8] = {a0, a1, a2, a3, a4, a5, a6, a7};
            for (int i = 0; i < PANEL; i++)
                sums[s][vector][i] = all[i / 2][i % 2 * 2] + all[i / 2][i % 2 * 2 + 1];
        }
}
#endif

/* A function for each number of sessions and vectors of a tile. They are not inlined, so that each
   is compiled only once. */
#define SUMS(name, size, vectors)                                                                  \
    static __attribute__((noinline)) TARGET void NAME(name)(                                       \
        const int8_t *w, const uint8_t *h, int64_t stride, int64_t groups, const int32_t *start,   \
        int32_t (*sums)[VECTORS_MAX][PANEL]) {                                                     \
        NAME(tile)(size, vectors, w, h, stride, groups, start, sums);                              \
    }
SUMS(sums13, 1, 3)
SUMS(sums14, 1, 4)
#if TILE > 1
SUMS(sums23, 2, 3)
SUMS(sums24, 2, 4)
#endif
#if TILE > 2
SUMS(sums33, 3, 3)
SUMS(sums34, 3, 4)
SUMS(sums43, 4, 3)
SUMS(sums44, 4, 4)
#endif
#if TILE > 4
SUMS(sums53, 5, 3)
SUMS(sums54, 5, 4)
SUMS(sums63, 6, 3)
SUMS(sums64, 6, 4)
#endif
#undef SUMS

/* The sums of one panel of a matrix for `sessions` rows of h, from row `first` on. */
INLINE void NAME(sum_panel)(const int vectors, const struct product *matrix, int64_t panel,
                            int64_t columns, const uint8_t *h, int64_t first, int64_t sessions,
                            int32_t (*sums)[VECTORS_MAX][PANEL]) {
    typedef void function(const int8_t *, const uint8_t *, int64_t, int64_t, const int32_t *,
                          int32_t(*)[VECTORS_MAX][PANEL]);
    static function *const sizes[][2] = {
        {NAME(sums13), NAME(sums14)},
#if TILE > 1
        {NAME(sums23), NAME(sums24)},
#endif
#if TILE > 2
        {NAME(sums33), NAME(sums34)},
        {NAME(sums43), NAME(sums44)},
#endif
#if TILE > 4
        {NAME(sums53), NAME(sums54)},
        {NAME(sums63), NAME(sums64)},
#endif
    };
    const int64_t stride = row_bytes(columns);
    sizes[sessions - 1][vectors - 3](matrix->weights + panel * vectors * PANEL * columns,
                                     h + first * stride, stride, columns / 4,
                                     matrix->start + panel * vectors * PANEL, sums);
}

/* Copies the hidden states of a layer side by side, in the form that tiles read: int8, for VNNI
   with 128 added, for AVX2 widened to int16. */
static TARGET void NAME(gather)(const struct pool *pool, const int64_t *slots, int64_t count,
                                int64_t layer, uint8_t *to, int64_t stride) {
    const int64_t hidden = pool->network->hidden;
    for (int64_t i = 0; i < count; i++, to += stride) {
        const uint8_t *state = state_of(pool, slots[i], layer);
        if (KINDS[pool->network->cell].integers)
            memcpy(to, state, (size_t)hidden);
        else
            for (int64_t k = 0; k < hidden; k += LANES)
                NAME(store_quantized)(to + k, LOAD(state + 4 * k));
#if VNNI
        for (int64_t k = 0; k < hidden; k++)
            to[k] ^= 0x80;
#elif AVX2
        /* From the end, because it is widened in place. */
        for (int64_t k = hidden - 16; k >= 0; k -= 16)
            _mm256_storeu_si256((__m256i *)(to + 2 * k),
                                _mm256_cvtepi8_epi16(_mm_loadu_si128((__m128i *)(to + k))));
#endif
    }
}

/* Where the rows of all sessions' contexts lie. The rows are prefetched, so that they are in the
   cache when `append` reads them. */
static TARGET void NAME(look_up)(const struct pool *pool, int64_t count) {
    const struct contexts *contexts = pool->network->contexts;
    const int64_t bytes = contexts->width / 2;
    for (int64_t i = 0; i < count; i++)
        find_rows(contexts, history_of(pool, pool->slots[i]), pool->numbers + i * contexts->count);
    for (int64_t i = 0; i < count * contexts->count; i++) {
        const uint32_t number = pool->numbers[i];
        uint64_t kept;
        memcpy(&kept, contexts->kept + number / 64 * 8, 8);
        const uint64_t below = ((uint64_t)1 << number % 64) - 1;
        const int64_t rank = contexts->ranks[number / 64] + __builtin_popcountll(kept & below);
        const uint8_t *row = kept & (below + 1) ? contexts->rows + rank * bytes : contexts->nothing;
        __builtin_prefetch(row);
        __builtin_prefetch(row + bytes - 1);
        pool->rows[i] = row;
    }
}

/* Puts a number of a context's row in the form that `gather` gives hidden states. */
INLINE void NAME(put)(uint8_t *to, int64_t at, int16_t number) {
#if VNNI
    to[at] = (uint8_t)number ^ 0x80;
#elif AVX2
    memcpy(to + 2 * at, &number, 2);
#else
    to[at] = (uint8_t)number;
#endif
}

/* Puts each session's contexts after its hidden state. */
static TARGET void NAME(append)(const struct pool *pool, int64_t count, uint8_t *to,
                                int64_t stride) {
    const struct contexts *contexts = pool->network->contexts;
    const uint8_t *const *row = pool->rows;
    const int64_t half = contexts->width / 2;
    int8_t levels[16];
    memcpy(levels, contexts->levels, 16);
    for (int64_t i = 0; i < count; i++, to += stride)
        for (int64_t c = 0, at = pool->network->hidden; c < contexts->count; c++, row++, at += half)
            for (int64_t k = 0; k < half; k++, at++) {
                const uint8_t packed = (*row)[k];
                NAME(put)(to, at, levels[packed & 15]);
                NAME(put)(to, at + half, levels[packed >> 4]);
            }
}

/* LANES of the sums as floats, times the scale of their rows. */
#define SCALED(sums, scale, at)                                                                    \
    (__builtin_convertvector((vi) * (const loose_int *)((sums) + (at)), vf) * LOAD((scale) + (at)))

INLINE void NAME(elman)(const int32_t *sums, const float *scale, const float *x, uint8_t *h) {
    for (int i = 0; i < PANEL; i += LANES)
        NAME(store_quantized)(h + i, NAME(tanh)(LOAD(x + i) + SCALED(sums, scale, i)));
}

INLINE void NAME(gru)(const int32_t *sums, const float *scale, const float *x, const float *reset,
                      uint8_t *state) {
    for (int i = 0; i < PANEL; i += LANES) {
        vf r = NAME(sigmoid)(LOAD(x + i) + SCALED(sums, scale, i));
        vf z = NAME(sigmoid)(LOAD(x + PANEL + i) + SCALED(sums, scale, PANEL + i));
        vf y = (SCALED(sums, scale, 2 * PANEL + i) + LOAD(reset + i)) * r;
        vf n = NAME(tanh)(LOAD(x + 2 * PANEL + i) + y);
        STORE(state + 4 * i, (LOAD(state + 4 * i) - n) * z + n);
    }
}

INLINE void NAME(lstm)(const int32_t *sums, const float *scale, const float *x, uint8_t *h,
                       uint8_t *cells) {
    for (int at = 0; at < PANEL; at += LANES) {
        vf i = NAME(sigmoid)(LOAD(x + at) + SCALED(sums, scale, at));
        vf f = NAME(sigmoid)(LOAD(x + PANEL + at) + SCALED(sums, scale, PANEL + at));
        vf g = NAME(tanh)(LOAD(x + 2 * PANEL + at) + SCALED(sums, scale, 2 * PANEL + at));
        vf o = NAME(sigmoid)(LOAD(x + 3 * PANEL + at) + SCALED(sums, scale, 3 * PANEL + at));
        vf c = LOAD(cells + 4 * at) * f + i * g;
        STORE(cells + 4 * at, c);
        NAME(store_quantized)(h + at, o * NAME(tanh)(c));
    }
}

/* The gates of PANEL units from `unit` on, for one session. The caller passes a constant `cell`, so
   that the compiler keeps one case and drops the others. */
INLINE void NAME(gates)(const int cell, const int32_t *sums, const float *scale, const float *x,
                        const struct layer *layer, int64_t unit, int64_t hidden, uint8_t *state) {
    switch ((enum cell)cell) {
    case ELMAN:
        NAME(elman)(sums, scale, x, state + unit);
        break;
    case GRU:
        NAME(gru)(sums, scale, x, layer->reset_bias + unit, state + 4 * unit);
        break;
    case LSTM:
        NAME(lstm)(sums, scale, x, state + unit, state + hidden + 4 * unit);
        break;
    }
}

/* One layer for all sessions: each panel's weights are read once, then used by all tiles. */
INLINE void NAME(layer)(const int cell, const struct pool *pool, int64_t count, int64_t index) {
    const struct kind kind = KINDS[cell];
    const int groups = groups_of(cell), vectors = groups * kind.gates;
    const struct network *network = pool->network;
    const struct layer *layer = &network->layer[index];
    const int64_t *slots = pool->slots, *ids = pool->ids;
    const int64_t hidden = network->hidden, tiles = (count + TILE - 1) / TILE;
    const int64_t units = groups * PANEL, wide = vectors * PANEL;
    const int64_t panels = (hidden + units - 1) / units;
    uint8_t *const states = state_of(pool, 0, index);
    int32_t sums[TILE][VECTORS_MAX][PANEL];
    float inputs[TILE][VECTORS_MAX][PANEL];
    NAME(gather)(pool, slots, count, index, pool->recurrent, row_bytes(hidden));
    for (int64_t panel = 0; panel < panels; panel++) {
        const float *scale = layer->recurrent.scale + panel * wide;
        for (int64_t tile = 0; tile < tiles; tile++) {
            const int64_t first = tile * count / tiles;
            const int64_t sessions = (tile + 1) * count / tiles - first;
            /* The gates of a batch read states and rows of the table that are scattered over the
               memory. They are prefetched here and arrive while the sums are computed. */
            for (int64_t s = first; count > 1 && s < first + sessions; s++) {
                const uint8_t *floats = states + slots[s] * pool->stride + kind.integers * hidden;
                for (int64_t k = 0; kind.floats && k < units; k += PANEL)
                    __builtin_prefetch(floats + 4 * (panel * units + k), 1);
                if (layer->table)
                    for (int64_t i = 0; i < wide; i += 16)
                        __builtin_prefetch(layer->table + (ids[s] * panels + panel) * wide + i);
            }
            if (!layer->table) {
                const float *input_scale = layer->input.scale + panel * wide;
                const float *bias = layer->bias + panel * wide;
                NAME(sum_panel)(vectors, &layer->input, panel, hidden, pool->below, first, sessions,
                                sums);
                for (int64_t s = 0; s < sessions; s++)
                    for (int i = 0; i < wide; i += LANES)
                        STORE(&inputs[s][0][0] + i,
                              SCALED(&sums[s][0][0], input_scale, i) + LOAD(bias + i));
            }
            NAME(sum_panel)(vectors, &layer->recurrent, panel, hidden, pool->recurrent, first,
                            sessions, sums);
            for (int64_t s = 0; s < sessions; s++) {
                const int32_t *y = &sums[s][0][0];
                const float *x = layer->table
                                     ? layer->table + (ids[first + s] * panels + panel) * wide
                                     : &inputs[s][0][0];
                uint8_t *state = states + slots[first + s] * pool->stride;
                for (int64_t k = 0; k < units; k += PANEL) {
                    const int64_t unit = panel * units + k, at = k * kind.gates;
                    /* The last panel may have fewer groups of units than fit into it. */
                    if (groups > 1 && unit >= hidden)
                        break;
                    NAME(gates)(cell, y + at, scale + at, x + at, layer, unit, hidden, state);
                }
            }
        }
    }
}

/* Advances the states in pool->slots by pool->ids. */
static TARGET void NAME(advance)(const struct pool *pool, int64_t count) {
    remember_all(pool, count);
    for (int64_t index = 0; index < pool->network->layers; index++) {
        if (index)
            NAME(gather)(pool, pool->slots, count, index - 1, pool->below,
                         row_bytes(pool->network->hidden));
        /* Each kind has its own compiled copy of `layer`. There is no default, so that the compiler
           warns of a kind that is missing here. */
        switch ((enum cell)pool->network->cell) {
        case ELMAN:
            NAME(layer)(ELMAN, pool, count, index);
            break;
        case GRU:
            NAME(layer)(GRU, pool, count, index);
            break;
        case LSTM:
            NAME(layer)(LSTM, pool, count, index);
            break;
        }
    }
}

/* The logits of all sessions to pool->logits, (count, padded size). */
static TARGET void NAME(project)(const struct pool *pool, int64_t count) {
    const struct network *network = pool->network;
    const int64_t padded = padded_size(network), tiles = (count + TILE - 1) / TILE;
    const int64_t stride = row_bytes(network->columns);
    int32_t sums[TILE][VECTORS_MAX][PANEL];
    if (network->contexts)
        NAME(look_up)(pool, count);
    NAME(gather)(pool, pool->slots, count, network->layers - 1, pool->recurrent, stride);
    if (network->contexts)
        NAME(append)(pool, count, pool->recurrent, stride);
    for (int64_t begin = 0; begin < padded; begin += 4 * PANEL)
        for (int64_t tile = 0; tile < tiles; tile++) {
            const int64_t first = tile * count / tiles;
            const int64_t sessions = (tile + 1) * count / tiles - first;
            NAME(sum_panel)(4, &network->output, begin / (4 * PANEL), network->columns,
                            pool->recurrent, first, sessions, sums);
            for (int64_t s = 0; s < sessions; s++)
                for (int i = 0; i < 4 * PANEL; i += LANES)
                    STORE(pool->logits + (first + s) * padded + begin + i,
                          SCALED(&sums[s][0][0], network->output.scale + begin, i) +
                              LOAD(network->output_bias + begin + i));
        }
}

/* The place of the first element that equals `wanted`; there must be one. */
INLINE int32_t NAME(place_of)(const float *row, float wanted) {
    int32_t place = 0;
#if VNNI
    for (;; place += LANES) {
        __mmask16 found = _mm512_cmpeq_ps_mask(_mm512_loadu_ps(row + place), _mm512_set1_ps(wanted));
        if (found)
            return place + __builtin_ctz(found);
    }
#elif AVX2
    for (;; place += LANES) {
        __m256 equal = _mm256_cmp_ps(_mm256_loadu_ps(row + place), _mm256_set1_ps(wanted), _CMP_EQ_OQ);
        int found = _mm256_movemask_ps(equal);
        if (found)
            return place + __builtin_ctz((unsigned)found);
    }
#else
    while (row[place] != wanted)
        place++;
    return place;
#endif
}

/* Replaces a row of `size` logits by their exponentials and returns the sum; `best` is the first
   place of the largest logit. The row is padded with -inf to a multiple of PANEL; the padding
   becomes 0.

   A float sum depends on its order, so the order is fixed: 16 lanes, then a tree over them. Vectors
   of 4, 8 or 16 floats can all add in this order. */
static TARGET float NAME(exponentials)(float *row, int64_t size, int32_t *best) {
    const int64_t end = (size + PANEL - 1) / PANEL * PANEL;
    float lanes[PANEL];
    vf most = LOAD(row);
    for (int64_t i = LANES; i < end; i += LANES)
        most = NAME(larger)(most, LOAD(row + i));
    STORE(lanes, most);
    for (int distance = LANES / 2; distance; distance /= 2)
        for (int i = 0; i < distance; i++)
            lanes[i] = lanes[i] > lanes[i + distance] ? lanes[i] : lanes[i + distance];
    const float largest = lanes[0];
    *best = NAME(place_of)(row, largest);
    for (int64_t i = 0; i < end; i += LANES)
        STORE(row + i, NAME(exp)(LOAD(row + i) - largest));
    for (int64_t i = size; i < end; i++)
        row[i] = 0.0f;
    for (int lane = 0; lane < PANEL; lane += LANES) {
        vf sum = SPLAT(0.0f);
        for (int64_t i = lane; i < end; i += PANEL)
            sum = sum + LOAD(row + i);
        STORE(lanes + lane, sum);
    }
    for (int distance = PANEL / 2; distance; distance /= 2)
        for (int i = 0; i < distance; i++)
            lanes[i] = lanes[i] + lanes[i + distance];
    return lanes[0];
}

/* For the states in pool->slots writes logits or probabilities to pool->logits, or the most
   probable ids to pool->best and pool->probability. */
static TARGET void NAME(answer)(const struct pool *pool, int64_t count, int32_t wanted) {
    const int64_t size = pool->network->size, padded = padded_size(pool->network);
    NAME(project)(pool, count);
    for (int64_t i = 0; wanted != LOGITS && i < count; i++) {
        float *row = pool->logits + i * padded;
        float sum = NAME(exponentials)(row, size, &pool->best[i]);
        if (wanted == BEST)
            /* The largest exponential is 1 exactly. */
            pool->probability[i] = 1.0f / sum;
        else
            for (int64_t k = 0; k < size; k += LANES)
                STORE(row + k, LOAD(row + k) / sum);
    }
}

/* Checks the slots, and the ids if the call steps. Then steps the states in pool->slots if it does,
   and computes what is wanted of them. */
static int32_t NAME(call)(struct pool *pool, int64_t count, int steps, int32_t wanted) {
    enum fault fault = check_slots(pool, count);
    if (fault == NONE && steps)
        fault = check_ids(pool, pool->ids, count);
    if (fault != NONE)
        return fault;
    float_mode before = enter();
    if (steps)
        NAME(advance)(pool, count);
    if (wanted != NOTHING)
        NAME(answer)(pool, count, wanted);
    leave(before);
    return NONE;
}

/* Advances the states in pool->slots by pool->ids. */
EXPORT int32_t NAME(step)(struct pool *pool, int64_t count) {
    return NAME(call)(pool, count, 1, NOTHING);
}

/* Advances the states in pool->slots by whole texts, the longest first: the ids of text i are
   ids[begins[i]] to ids[begins[i + 1] - 1]. */
EXPORT int32_t NAME(absorb)(struct pool *pool, int64_t count, const int64_t *begins,
                            const int64_t *ids) {
    enum fault fault = check_slots(pool, count);
    if (fault == NONE)
        fault = check_ids(pool, ids, begins[count]);
    if (fault != NONE)
        return fault;
    float_mode before = enter();
    for (int64_t at = 0; count; at++) {
        while (count && begins[count] - begins[count - 1] <= at)
            count--;
        for (int64_t i = 0; i < count; i++)
            pool->ids[i] = ids[begins[i] + at];
        NAME(advance)(pool, count);
    }
    leave(before);
    return NONE;
}

/* The output layer of the states in pool->slots. */
EXPORT int32_t NAME(predict)(struct pool *pool, int64_t count, int32_t wanted) {
    return NAME(call)(pool, count, 0, wanted);
}

/* A step, and the output layer after it. */
EXPORT int32_t NAME(follow)(struct pool *pool, int64_t count, int32_t wanted) {
    return NAME(call)(pool, count, 1, wanted);
}

#undef NAME
#undef TARGET
#undef LANES
#undef TILE
#undef VNNI
#undef AVX2
#undef NEON
#undef INLINE
#undef vf
#undef vi
#undef loose
#undef loose_int
#undef LOAD
#undef STORE
#undef SPLAT
#undef SCALED
#undef ROWS
#undef BEGIN
#undef ADD
#undef ADD_ROW
#undef END
#undef WEIGHTS
