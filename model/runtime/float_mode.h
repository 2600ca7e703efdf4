/* The processor's way of rounding, set for a call and put back: what every backend in C does. */

/* Rounding and denormals are part of the arithmetic, and a thread may come with others set. */
#if defined(__x86_64__)
typedef unsigned float_mode;
static float_mode enter(void) {
    float_mode before = _mm_getcsr();
    if (before & 0xe040u)
        _mm_setcsr(before & ~0xe040u);
    return before;
}
static void leave(float_mode before) {
    if (before & 0xe040u)
        _mm_setcsr(before);
}
#elif defined(__aarch64__)
typedef uint64_t float_mode;
static float_mode enter(void) {
    float_mode before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    if (before & 0x1c80000u)
        __asm__ volatile("msr fpcr, %0" : : "r"(before & ~(float_mode)0x1c80000u));
    return before;
}
static void leave(float_mode before) {
    if (before & 0x1c80000u)
        __asm__ volatile("msr fpcr, %0" : : "r"(before));
}
#else
typedef int float_mode;
static float_mode enter(void) { return 0; }
static void leave(float_mode before) { (void)before; }
#endif
