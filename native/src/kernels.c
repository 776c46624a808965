/* SPDX-License-Identifier: MIT */
#include "kernels.h"

#include "isa.h"

extern const cp_kernels cp_kernels__scalar;
#if defined(CP_BUILT_X64)
extern const cp_kernels cp_kernels__avx2, cp_kernels__avx512;
#elif defined(CP_BUILT_NEON)
extern const cp_kernels cp_kernels__neon;
#endif

const cp_kernels *cp_kernels_of(convpool_isa *isa) {
    if (*isa == CONVPOOL_ISA_BEST) *isa = cp_isa_best();
    switch (*isa) {
    case CONVPOOL_ISA_SCALAR:
        return &cp_kernels__scalar;
#if defined(CP_BUILT_X64)
    case CONVPOOL_ISA_AVX2:
        return cp_isa_available() >> CONVPOOL_ISA_AVX2 & 1 ? &cp_kernels__avx2 : NULL;
    case CONVPOOL_ISA_AVX512:
        return cp_isa_available() >> CONVPOOL_ISA_AVX512 & 1 ? &cp_kernels__avx512 : NULL;
#elif defined(CP_BUILT_NEON)
    case CONVPOOL_ISA_NEON:
        return &cp_kernels__neon;
#endif
    default:
        return NULL;
    }
}
