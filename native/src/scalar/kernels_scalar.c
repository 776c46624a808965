/* SPDX-License-Identifier: MIT */
#define CP_ISA scalar
#include "simd/vec_scalar.h"
#include "tmpl/kernels_tmpl.h"
