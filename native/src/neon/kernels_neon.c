/* SPDX-License-Identifier: MIT */
#define CP_ISA neon
#define CP_TILE 6
#define CP_TILE_PANELS 1
#include "simd/vec_neon.h"
#include "tmpl/kernels_tmpl.h"
