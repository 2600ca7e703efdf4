/* The most that one core can do: int8 multiply-adds in registers, and reads from the L3 cache. Each
   function returns how much it did; the caller measures the time. */

#include <immintrin.h>
#include <stdint.h>

/* 24 independent sums of 64 products each, `turns` times; returns the multiply-adds. */
__attribute__((target("avx512f,avx512vnni"))) int64_t multiply_add_vnni(int64_t turns) {
#define ALL(DO)                                                                                    \
    DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13)        \
    DO(14) DO(15) DO(16) DO(17) DO(18) DO(19) DO(20) DO(21) DO(22) DO(23)
/* The compiler must not know the sums' first values: it would compute equal sums only once. */
#define BEGIN(n)                                                                                   \
    __m512i a##n = _mm512_setzero_si512();                                                         \
    __asm__ volatile("" : "+v"(a##n));
#define STEP(n) a##n = _mm512_dpbusd_epi32(a##n, x, w);
/* The compiler must not find that a sum is never used. */
#define KEEP(n) __asm__ volatile("" : : "v"(a##n));
    ALL(BEGIN)
    __m512i x = _mm512_set1_epi8(1), w = _mm512_set1_epi8(2);
    for (int64_t turn = 0; turn < turns; turn++) {
        ALL(STEP)
        __asm__ volatile("" : "+v"(x), "+v"(w));
    }
    ALL(KEEP)
    return turns * 24 * 64;
}

/* The same without VNNI, with 8 sums of 32 products. Products are added in pairs, pairs of these
   are added, and the results are added to the sums. */
__attribute__((target("avx2"))) int64_t multiply_add_avx2(int64_t turns) {
#define EIGHT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define BEGIN2(n)                                                                                  \
    __m256i a##n = _mm256_setzero_si256();                                                         \
    __asm__ volatile("" : "+x"(a##n));
#define STEP2(n)                                                                                   \
    a##n = _mm256_add_epi32(a##n, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), ones));
#define KEEP2(n) __asm__ volatile("" : : "x"(a##n));
    EIGHT(BEGIN2)
    __m256i x = _mm256_set1_epi8(1), w = _mm256_set1_epi8(2), ones = _mm256_set1_epi16(1);
    for (int64_t turn = 0; turn < turns; turn++) {
        EIGHT(STEP2)
        __asm__ volatile("" : "+x"(x), "+x"(w));
    }
    EIGHT(KEEP2)
    return turns * 8 * 32;
}

/* Reads `bytes` bytes (a multiple of 256) in order; returns their number. */
__attribute__((target("avx2"))) int64_t read_in_order(const char *from, int64_t bytes) {
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    for (const char *at = from; at < from + bytes; at += 256) {
        a = _mm256_or_si256(a, _mm256_loadu_si256((const __m256i *)at));
        b = _mm256_or_si256(b, _mm256_loadu_si256((const __m256i *)(at + 32)));
        c = _mm256_or_si256(c, _mm256_loadu_si256((const __m256i *)(at + 64)));
        d = _mm256_or_si256(d, _mm256_loadu_si256((const __m256i *)(at + 96)));
        a = _mm256_or_si256(a, _mm256_loadu_si256((const __m256i *)(at + 128)));
        b = _mm256_or_si256(b, _mm256_loadu_si256((const __m256i *)(at + 160)));
        c = _mm256_or_si256(c, _mm256_loadu_si256((const __m256i *)(at + 192)));
        d = _mm256_or_si256(d, _mm256_loadu_si256((const __m256i *)(at + 224)));
    }
    __asm__ volatile("" : : "x"(a), "x"(b), "x"(c), "x"(d));
    return bytes;
}
