/* SPDX-License-Identifier: MIT
 * Every template of an instruction set, and its table of kernels. Wants CP_ISA, CP_TILE (output pixels of a
 * register tile), CP_TILE_PANELS (panels of 16 output channels of a tile) and the vector vocabulary; where they are not
 * CP_TILE and 128, CP_ROW_TILE (the same of pixels side by side) and CP_POINTWISE_PASS (channels of conv2d_pointwise at a time). */
#include <math.h>
#include <string.h>

#include "kernels.h"

#define CP_NAME_OF(stem, isa) cp_f32_##stem##__##isa
#define CP_NAME_EXPANDED(stem, isa) CP_NAME_OF(stem, isa)
#define CP_NAME(stem) CP_NAME_EXPANDED(stem, CP_ISA)

/* Calls F(n) with the constant n = 1 .. CP_TILE that `count` is. */
#define CP_TILE_CASE(F, n)                                                                                                         \
    case n:                                                                                                                        \
        F(n);                                                                                                                      \
        break;
#if CP_TILE > 6
#define CP_TILE_MORE(F) CP_TILE_CASE(F, 4) CP_TILE_CASE(F, 5) CP_TILE_CASE(F, 6) CP_TILE_CASE(F, 7)
#elif CP_TILE > 4
#define CP_TILE_MORE(F) CP_TILE_CASE(F, 4) CP_TILE_CASE(F, 5)
#else
#define CP_TILE_MORE(F)
#endif
#define CP_TILE_SWITCH(count, F)                                                                                                   \
    switch (count) {                                                                                                               \
        CP_TILE_CASE(F, 1)                                                                                                         \
        CP_TILE_CASE(F, 2)                                                                                                         \
        CP_TILE_CASE(F, 3)                                                                                                         \
        CP_TILE_MORE(F)                                                                                                            \
    default:                                                                                                                       \
        F(CP_TILE);                                                                                                                \
        break;                                                                                                                     \
    }

/* The same for 1 .. CP_ROW_TILE, pixels side by side in a row. */
#ifdef CP_ROW_TILE
#define CP_ROW_SWITCH(count, F)                                                                                                    \
    switch (count) {                                                                                                               \
        CP_TILE_CASE(F, 1)                                                                                                         \
        CP_TILE_CASE(F, 2)                                                                                                         \
        CP_TILE_CASE(F, 3)                                                                                                         \
        CP_TILE_MORE(F)                                                                                                            \
        CP_TILE_CASE(F, 8)                                                                                                         \
        CP_TILE_CASE(F, 9)                                                                                                         \
        CP_TILE_CASE(F, 10)                                                                                                        \
        CP_TILE_CASE(F, 11)                                                                                                        \
        CP_TILE_CASE(F, 12)                                                                                                        \
        CP_TILE_CASE(F, 13)                                                                                                        \
    default:                                                                                                                       \
        F(CP_ROW_TILE);                                                                                                            \
        break;                                                                                                                     \
    }
#else
#define CP_ROW_TILE CP_TILE
#define CP_POINTWISE_PASS 128
#define CP_ROW_SWITCH CP_TILE_SWITCH
#endif

#include "tmpl/activation_tmpl.h"
#include "tmpl/conv2d_channels_tmpl.h"
#include "tmpl/conv2d_groups_tmpl.h"
#include "tmpl/conv2d_pointwise_tmpl.h"
#include "tmpl/conv2d_depthwise_tmpl.h"
#include "tmpl/conv2d_depthwise_width_tmpl.h"
#include "tmpl/conv2d_depthwise_pixels_tmpl.h"
#include "tmpl/window_tmpl.h"
#include "tmpl/conv2d_patches_tmpl.h"
#include "tmpl/conv2d_width_tmpl.h"
#include "tmpl/conv2d_image_tmpl.h"
#include "tmpl/pool2d_tmpl.h"
#include "tmpl/pool2d_blocks_tmpl.h"
#include "tmpl/pool2d_channels_tmpl.h"
#include "tmpl/pool2d_width_tmpl.h"
#include "tmpl/pool2d_lanes_tmpl.h"
#include "tmpl/winograd_tmpl.h"

#define CP_TABLE_OF(isa) cp_kernels__##isa
#define CP_TABLE_EXPANDED(isa) CP_TABLE_OF(isa)

extern const cp_kernels CP_TABLE_EXPANDED(CP_ISA);
const cp_kernels CP_TABLE_EXPANDED(CP_ISA) = {
    .patches_channels = CP_TILE,
#define CP_KERNEL(stem, arguments) .stem = CP_NAME(stem),
#include "kernels.def"
#undef CP_KERNEL
};
