/* SPDX-License-Identifier: MIT */
#define CP_ISA neon
#define CP_TILE 4 /* The inputs of 8 channels stay in registers too: each multiplies from a lane, none is broadcast. */
#define CP_TILE_PANELS 1
#include "simd/vec_neon.h"
#include "tmpl/kernels_tmpl.h"
