/* SPDX-License-Identifier: MIT */
#define CP_ISA avx512
#define CP_TILE 8
#define CP_TILE_PANELS 2
#define CP_ROW_TILE 14
#define CP_POINTWISE_PASS 1024
#include "simd/vec_avx512.h"
#include "tmpl/kernels_tmpl.h"
