/* The processor's rounding mode: every call that computes floats sets it and puts it back. */

/* How numbers are rounded and denormals are kept is part of the arithmetic, and the calling thread
   may have other modes set. The masks below are their bits in the control register. */
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
