/* SPDX-License-Identifier: MIT */
#define CP_ISA neon
#define CP_TILE 6
#include "simd/vec_neon.h"
#include "tmpl/kernels_tmpl.h"
