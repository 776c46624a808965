/* SPDX-License-Identifier: MIT */
#include "isa.h"

#include <stdbool.h>

#if defined(CP_BUILT_X64)

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static void cp_cpuid(uint32_t leaf, uint32_t r[4]) { __cpuidex((int *)r, (int)leaf, 0); }
static uint64_t cp_xgetbv(void) { return _xgetbv(0); }
static uint32_t cp_load(const volatile uint32_t *p) { return *p; }
static void cp_store(volatile uint32_t *p, uint32_t x) { *p = x; }
#else
#include <cpuid.h>
static void cp_cpuid(uint32_t leaf, uint32_t r[4]) { __cpuid_count(leaf, 0, r[0], r[1], r[2], r[3]); }
static uint64_t cp_xgetbv(void) {
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}
static uint32_t cp_load(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static void cp_store(uint32_t *p, uint32_t x) { __atomic_store_n(p, x, __ATOMIC_RELAXED); }
#endif

/* What of AVX2 and AVX-512 the CPU has and the operating system saves the registers of. */
static uint32_t cp_isa_x64(void) {
    const uint32_t fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, avx2 = 1u << 5; /* leaf 1 ecx; leaf 7 ebx */
    const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;                 /* leaf 7 ebx: F, DQ, BW, VL */
    const uint64_t ymm = 0x06, zmm = 0xE6;                                             /* of XCR0 */
    uint32_t r[4], isa = 0;
    cp_cpuid(0, r);
    if (r[0] < 7) return 0;
    cp_cpuid(1, r);
    if ((r[2] & (fma | osxsave | avx)) != (fma | osxsave | avx)) return 0;
    cp_cpuid(7, r);
    if ((r[1] & avx2) != 0 && (cp_xgetbv() & ymm) == ymm) isa |= 1u << CONVPOOL_ISA_AVX2;
    if (isa != 0 && (r[1] & avx512) == avx512 && (cp_xgetbv() & zmm) == zmm) isa |= 1u << CONVPOOL_ISA_AVX512;
    return isa;
}

#endif

uint32_t cp_isa_built(void) {
    uint32_t isa = 1u << CONVPOOL_ISA_SCALAR;
#if defined(CP_BUILT_X64)
    isa |= 1u << CONVPOOL_ISA_AVX2 | 1u << CONVPOOL_ISA_AVX512;
#elif defined(CP_BUILT_NEON)
    isa |= 1u << CONVPOOL_ISA_NEON;
#endif
    return isa;
}

uint32_t cp_isa_available(void) {
#if defined(CP_BUILT_X64)
    /* Asked once, because CPUID takes up to 10 us in a virtual machine. Whoever asks first finds what all others would. */
    static uint32_t found;
    uint32_t isa = cp_load(&found);
    if (isa == 0) cp_store(&found, isa = 1u << CONVPOOL_ISA_SCALAR | cp_isa_x64());
    return isa;
#else
    return cp_isa_built(); /* Advanced SIMD is part of every AArch64. */
#endif
}

convpool_isa cp_isa_best(void) {
    const uint32_t isa = cp_isa_available();
    if (isa >> CONVPOOL_ISA_AVX512 & 1) return CONVPOOL_ISA_AVX512;
    if (isa >> CONVPOOL_ISA_AVX2 & 1) return CONVPOOL_ISA_AVX2;
    if (isa >> CONVPOOL_ISA_NEON & 1) return CONVPOOL_ISA_NEON;
    return CONVPOOL_ISA_SCALAR;
}
