/* SPDX-License-Identifier: MIT */
#include "common.h"
#include "isa.h"

#if defined(__clang__)
#define CP_COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define CP_COMPILER "gcc " __VERSION__
#elif defined(_MSC_VER)
#define CP_STRING_OF(x) #x
#define CP_STRING(x) CP_STRING_OF(x)
#define CP_COMPILER "msvc " CP_STRING(_MSC_FULL_VER)
#else
#define CP_COMPILER "unknown"
#endif

convpool_status convpool_get_build_info(convpool_build_info *info) {
    const convpool_build_info ours = {
        .struct_size = sizeof ours,
        .abi_version = CONVPOOL_ABI_VERSION,
        .isa_built = cp_isa_built(),
        .isa_available = cp_isa_available(),
        .isa_best = cp_isa_best(),
        .version = CP_VERSION,
        .compiler = CP_COMPILER,
    };
    return cp_write_struct(info, &ours, sizeof ours);
}

const char *convpool_isa_name(convpool_isa isa) {
    switch (isa) {
    case CONVPOOL_ISA_BEST:
        return "best";
    case CONVPOOL_ISA_SCALAR:
        return "scalar";
    case CONVPOOL_ISA_AVX2:
        return "avx2";
    case CONVPOOL_ISA_NEON:
        return "neon";
    case CONVPOOL_ISA_AVX512:
        return "avx512";
    }
    return "unknown";
}

const char *convpool_algorithm_name(convpool_algorithm algorithm) {
    switch (algorithm) {
    case CONVPOOL_ALGORITHM_AUTO:
        return "auto";
    case CONVPOOL_ALGORITHM_DIRECT_CHANNELS:
        return "direct-channels";
    case CONVPOOL_ALGORITHM_DIRECT_WIDTH:
        return "direct-width";
    case CONVPOOL_ALGORITHM_WINOGRAD_2X2:
        return "winograd-2x2";
    case CONVPOOL_ALGORITHM_WINOGRAD_4X4:
        return "winograd-4x4";
    case CONVPOOL_ALGORITHM_POOL_WIDTH:
        return "pool-width";
    case CONVPOOL_ALGORITHM_POOL_CHANNELS:
        return "pool-channels";
    case CONVPOOL_ALGORITHM_SEPARABLE:
        return "separable";
    }
    return "unknown";
}
