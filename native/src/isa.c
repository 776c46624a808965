/* SPDX-License-Identifier: MIT */
#include "isa.h"

#include <stdbool.h>

#if defined(CP_BUILT_AVX2)

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static void cp_cpuid(uint32_t leaf, uint32_t r[4]) { __cpuidex((int *)r, (int)leaf, 0); }
static uint64_t cp_xgetbv(void) { return _xgetbv(0); }
#else
#include <cpuid.h>
static void cp_cpuid(uint32_t leaf, uint32_t r[4]) { __cpuid_count(leaf, 0, r[0], r[1], r[2], r[3]); }
static uint64_t cp_xgetbv(void) {
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}
#endif

static bool cp_has_avx2(void) {
    enum { FMA = 1 << 12, OSXSAVE = 1 << 27, AVX = 1 << 28, AVX2 = 1 << 5, XMM_AND_YMM = 6 };
    uint32_t r[4];
    cp_cpuid(0, r);
    if (r[0] < 7) return false;
    cp_cpuid(1, r);
    if ((r[2] & (FMA | OSXSAVE | AVX)) != (FMA | OSXSAVE | AVX)) return false;
    if ((cp_xgetbv() & XMM_AND_YMM) != XMM_AND_YMM) return false;
    cp_cpuid(7, r);
    return (r[1] & AVX2) != 0;
}

#endif

uint32_t cp_isa_built(void) {
    uint32_t isa = 1u << CONVPOOL_ISA_SCALAR;
#if defined(CP_BUILT_AVX2)
    isa |= 1u << CONVPOOL_ISA_AVX2;
#elif defined(CP_BUILT_NEON)
    isa |= 1u << CONVPOOL_ISA_NEON;
#endif
    return isa;
}

uint32_t cp_isa_available(void) {
#if defined(CP_BUILT_AVX2)
    return cp_has_avx2() ? cp_isa_built() : cp_isa_built() & ~(1u << CONVPOOL_ISA_AVX2);
#else
    return cp_isa_built(); /* Advanced SIMD is part of every AArch64. */
#endif
}

convpool_isa cp_isa_best(void) {
    const uint32_t isa = cp_isa_available();
    if (isa >> CONVPOOL_ISA_AVX2 & 1) return CONVPOOL_ISA_AVX2;
    if (isa >> CONVPOOL_ISA_NEON & 1) return CONVPOOL_ISA_NEON;
    return CONVPOOL_ISA_SCALAR;
}
