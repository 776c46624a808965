/* SPDX-License-Identifier: MIT */
#define CP_ISA avx2
#define CP_TILE 6
#define CP_TILE_PANELS 1
#include "simd/vec_avx2.h"
#include "tmpl/kernels_tmpl.h"
