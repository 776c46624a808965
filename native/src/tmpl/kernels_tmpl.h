/* SPDX-License-Identifier: MIT
 * Every template of an instruction set, and its table of kernels. Wants CP_ISA and the vector vocabulary. */
#include <math.h>

#include "kernels.h"

#define CP_NAME_OF(stem, isa) cp_f32_##stem##__##isa
#define CP_NAME_EXPANDED(stem, isa) CP_NAME_OF(stem, isa)
#define CP_NAME(stem) CP_NAME_EXPANDED(stem, CP_ISA)

#include "tmpl/activation_tmpl.h"
#include "tmpl/conv2d_channels_tmpl.h"
#include "tmpl/window_tmpl.h"
#include "tmpl/conv2d_width_tmpl.h"
#include "tmpl/pool2d_tmpl.h"
#include "tmpl/winograd_tmpl.h"

#define CP_TABLE_OF(isa) cp_kernels__##isa
#define CP_TABLE_EXPANDED(isa) CP_TABLE_OF(isa)

extern const cp_kernels CP_TABLE_EXPANDED(CP_ISA);
const cp_kernels CP_TABLE_EXPANDED(CP_ISA) = {
#define CP_KERNEL(stem, arguments) .stem = CP_NAME(stem),
#include "kernels.def"
#undef CP_KERNEL
};
