/* SPDX-License-Identifier: MIT */
#define CP_ISA neon
#include "simd/vec_neon.h"
#include "tmpl/kernels_tmpl.h"
