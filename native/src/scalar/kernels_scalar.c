/* SPDX-License-Identifier: MIT */
#define CP_ISA scalar
#define CP_TILE 6
#define CP_TILE_PANELS 1
#include "simd/vec_scalar.h"
#include "tmpl/kernels_tmpl.h"
