/* SPDX-License-Identifier: MIT
 * The kernels: what each is given and what it promises. Every kernel is `void f(const its_arguments *)`, written once in
 * tmpl/ over the vector vocabulary and built once for each instruction set, where it is called cp_f32_<stem>__<isa>. */
#ifndef CP_KERNELS_H
#define CP_KERNELS_H

#include "common.h"

enum {
    CP_PANEL = 16,          /* output channels a register tile works on: two vectors */
    CP_PATCHES_PIXELS = 32, /* a multiple of the pixels of a tile of conv2d_patches */
    CP_PATCHES_SLACK = 16,  /* floats before and behind its arrays that vectors may touch */
    CP_WINOGRAD_FEW = 4,    /* channels whose pixels and tiles Winograd of 7x7 lays side by side, if that is all */
    CP_POOL2D_LANES = 16,   /* channels that pool2d_lanes works on at once: two vectors */
    CP_POOL2D_TAPS = 256,   /* columns, and rows from the first to the last, that windows of pool2d_width may have */
    CP_BLOCK = 8            /* input channels of a block: the unit of the documented order of arithmetic */
};

/* conv2d_pack: copies a band of an image into [block of channels][row][column][channel], with the border applied.
 * A block is 8 channels or, for kernels of a single tap, all of them; the last one is as narrow as what is left. */
typedef struct cp_conv2d_pack {
    const float *src; /* pixel (0, 0), channel 0 of the image */
    convpool_layout layout;
    convpool_strides strides;
    convpool_border border;
    int64_t ih, iw;
    int64_t channel, channels; /* first and number */
    int64_t row, column;       /* of the image, where the band begins; may be negative */
    int64_t row_step;          /* rows of the image from one row of the band to the next */
    int64_t rows, columns;     /* of the band */
    int64_t block;             /* channels of a block: 8, or at least all */
    int64_t pitch;             /* floats from one packed pixel to the next, or 0: as many as its block has channels */
    float *dst;
} cp_conv2d_pack;

/* An activation as kernels see it: none and ReLU are clips to (-inf, inf) and (0, inf), which change no other value. */
typedef struct cp_activation {
    convpool_activation kind;
    float lo, hi; /* of a clip; lo is the slope of a leaky ReLU */
} cp_activation;

/* conv2d_finish: dst = activation(acc + residual) for a rectangle of pixels. */
typedef struct cp_conv2d_finish {
    const float *acc; /* [panel][rows][columns][16] */
    int64_t rows, columns;
    int64_t channel, channels; /* of dst */
    int64_t spare;             /* NCHW8C: channels after these to write as zero */
    float *dst;                /* pixel (0, 0) of the rectangle, channel 0 */
    const float *residual;     /* likewise, or NULL */
    convpool_layout layout;
    convpool_strides dst_strides, residual_strides;
    cp_activation activation;
} cp_conv2d_finish;

/* What the kernels that follow a layer from src to dst have in common. */
typedef struct cp_conv2d_call {
    const float *src;            /* pixel (0, 0), channel 0 of the image */
    const float *weights, *bias; /* of the whole layer, in the kernel's order */
    float *dst;                  /* pixel (0, 0), channel 0 */
    const float *residual;       /* likewise, or NULL */
    convpool_strides src_strides, dst_strides, residual_strides;
    const convpool_conv2d_desc *desc;
    cp_activation activation;
    bool clip_taps; /* padding must not be multiplied */
} cp_conv2d_call;

/* Rows of planes to bring into L2 while something else is worked on; or none. */
typedef struct cp_fetch {
    const float *first;           /* row 0 of plane 0 */
    int64_t planes, rows, floats; /* of a row */
    int64_t plane, row;           /* floats from one to the next */
} cp_fetch;

/* Pixels that follow each other in a list, and the taps of their windows that are to be multiplied. */
typedef struct cp_conv2d_span {
    int64_t first, pixels;
    int64_t columns; /* so many lie side by side in dst and, pixel_step apart, in x */
    int64_t y_begin, y_end, x_begin, x_end;
} cp_conv2d_span;

/* conv2d_tiles: for some panels of 16 output channels and every pixel p of a list, acc[panel][p][0..15] += the products of some
 * blocks of input channels with taps, in the documented order.
 * conv2d_groups: the same for a lone panel whose lanes belong to several groups of 4 or 8 channels, all of them and their finish at
 * once; of x, each pixel has the 16 channels of the panel. */
typedef struct cp_conv2d_tiles {
    const float *x;        /* from conv2d_pack */
    int64_t block, pitch;  /* as packed */
    int64_t packed_pixels; /* of a block */
    int64_t panels;
    const float *weights;      /* [panel][block][kh][kw][channel][16], the blocks of x; conv2d_groups: the channels of a group */
    int64_t weights_panel;     /* floats from one panel to the next */
    const float *next_weights; /* used after these, to be fetched meanwhile; or NULL */
    const float *bias;         /* [panel][16] that acc starts from, or NULL: acc is read */
    float *acc;                /* [panel][acc_pixels][16] */
    int64_t acc_pixels;
    const cp_conv2d_span *spans; /* of the list, which has acc_pixels altogether */
    int64_t span_count;
    const int32_t *position;        /* of each pixel's first tap in x, in packed pixels */
    const int32_t *place;           /* of each pixel in acc */
    int64_t channels;               /* of x; conv2d_groups: of a group */
    int64_t kh, kw;                 /* of the weights */
    int64_t row_step, column_step;  /* packed pixels from one tap to the next */
    int64_t pixel_step;             /* packed pixels from one pixel of a row of dst to the next */
    const cp_conv2d_finish *finish; /* of these panels and pixels, to be done once their sums are complete; or NULL */
    cp_fetch fetch[2];              /* what is packed after this call; what these panels are finished to */
} cp_conv2d_tiles;

/* conv2d_pointwise: for kernels of one tap without strides, from planes: some panels of 16 output channels and a rectangle of
 * pixels, finished. */
typedef struct cp_conv2d_pointwise {
    const float *x;     /* the rectangle's first pixel of the first channel in src */
    int64_t plane, row; /* floats from one channel to the next, from one row to the next */
    int64_t columns;    /* of the rectangle */
    int64_t channels;   /* of src */
    int64_t panels;
    const float *weights;      /* [panel][channel][16] */
    int64_t weights_panel;     /* floats from one panel to the next */
    const float *next_weights; /* used after these, to be fetched meanwhile; or NULL */
    const float *bias;         /* [panel][16] */
    float *acc;                /* room for [panel][acc_pixels][16] */
    int64_t acc_pixels;        /* of the rectangle */
    const cp_conv2d_finish *finish;
} cp_conv2d_pointwise;

/* winograd_weights: the transform of the weights of up to 16 output channels, in double; what is left of the 16 becomes zero. */
typedef struct cp_winograd_weights {
    int64_t taps;         /* a side: 3, 5 or 7 */
    int64_t side, sums;   /* points and sums a side */
    const int64_t *begin; /* sum i of a line is that of products [begin[i], begin[i + 1]) */
    const float *weights; /* [output][channel][taps][taps] */
    int64_t outputs, channels;
    float *u; /* [sum][its points][channel][16] */
} cp_winograd_weights;

/* winograd_input: the transform of one block of up to 16 channels of a rectangle of tiles, each side x side pixels and overlapping
 * its neighbours by side - step. Pixels beyond the packed ones count as zero. */
typedef struct cp_winograd_input {
    int64_t step;     /* pixels a side from a tile to the next: 2, 4 or 8 */
    int64_t side;     /* pixels and points a side: 4 or 6; 5 or 9 for stride 2 */
    int64_t sums;     /* a side */
    int64_t pitch;    /* floats from one pixel of x to the next, and from one tile of v: 16, or 4 if that is all channels */
    int64_t dilation; /* columns from one pixel of a tile to the next; so many tiles interleave */
    const float *x;   /* [rows][columns][pitch], from conv2d_pack */
    int64_t channels; /* 1..16 */
    int64_t rows, columns;
    int64_t tile_rows, tile_columns;
    float *v; /* [side x side points][tile][pitch], neighbouring points `v_point` floats apart */
    int64_t v_point;
} cp_winograd_input;

/* winograd_multiply: for some panels of 16 output channels and every tile, m = sum over channels of v u: one sum for each point, or
 * for stride 2 for the points that share one. */
typedef struct cp_winograd_multiply {
    const float *v; /* [point][block of 16 channels][tile][pitch], neighbouring points `v_point` floats apart */
    int64_t v_point;
    const float *u; /* [panel][sum][its points][channel][16] */
    float *m;       /* [panel][sum][tile][16], neighbouring sums `m_point` floats apart */
    int64_t m_point;
    int64_t panels, side, sums, tiles, channels; /* points and sums a side */
    const int64_t *begin;                        /* as in cp_winograd_weights */
    int64_t pitch;                               /* as in cp_winograd_input */
    bool far;                                    /* the weights may come from beyond L2 */
    const float *next_u;                         /* of the next call, to be fetched meanwhile; or NULL */
    cp_fetch fetch[2];                           /* read or written next */
} cp_winograd_multiply;

/* winograd_output: from the products of one panel back to pixels; the bias is added and what follows from it finished. */
typedef struct cp_winograd_output {
    int64_t tile, sums; /* outputs and sums a side */
    int64_t dilation;   /* columns from one output of a tile to the next; so many tiles interleave */
    const float *m;     /* from winograd_multiply */
    int64_t m_point;
    int64_t tile_rows, tile_columns;
    const float *bias;       /* 16 floats */
    cp_conv2d_finish finish; /* of the pixels of the tiles; what the last ones have beyond is left out */
    float *acc;              /* room for a row of tiles, [tile][columns][16] */
} cp_winograd_output;

/* Where conv2d_patches keeps what the pixels of a task read: [channel][phase of the rows][phase of the columns][row][column], the
 * border applied. Zeros between two rows may be in the border of both. Neighbours of dst read neighbours for each tap, and what is
 * below them in dst reads `pitch` floats further on. */
typedef struct cp_patches_band {
    int64_t row, column;        /* of dst: of the first pixel, or column 0 where there are several rows */
    int64_t reach, columns;     /* rows and columns of src, padding included, that the pixels read */
    bool sparse;                /* a phase for each row of taps, since many rows between them are not read */
    int64_t row_phases, phases; /* stride_h, or the rows of taps; stride_w, or 1 of a kernel of one column */
    int64_t rows, pitch;        /* rows of a phase; floats from one to the next */
    int64_t phase, plane;       /* floats from one phase to the next, from one channel to the next */
} cp_patches_band;

/* Two vectors of pixels that conv2d_patches works on at once. */
typedef struct cp_patches_tile {
    int64_t copied;              /* x holds what the pixels read side by side, or else the vectors of a product lie in the band */
    int32_t pixel[2], pixels[2]; /* the first of either vector, counted from the task's first, and how many it has */
    int32_t x[2];                /* floats from `band` to the first product of either vector */
    int32_t lanes[2][2 * CP_PANEL]; /* of its pixels in order, where rows lie in a vector with gaps between them */
} cp_patches_tile;

/* conv2d_patches: some pixels of some output channels of a group, planes on both sides, lanes along the pixels. */
typedef struct cp_conv2d_patches {
    cp_conv2d_call call;           /* src of the group, the rest of its `channels`; weights are [part of them][product in the
                                                documented order][channel of the part] */
    int64_t in_channels, products; /* of the group; taps x in_channels */
    int64_t channels;              /* of dst */
    int64_t columns;               /* of dst */
    int64_t first, pixels;         /* of dst, numbered row by row */
    bool flat;                     /* a kernel of one tap, no strides, no padding */
    bool packed; /* band, x, offset and tiles are filled in already: the call before had the same pixels of the same channels */
    cp_patches_band layout;
    float *band;
    float *x;               /* room for `products` of the pixels of tiles that have to be copied, behind the band */
    int32_t *offset;        /* room for where the products lie in the band */
    cp_patches_tile *tiles; /* room for all tiles */
} cp_conv2d_patches;

/* conv2d_width: whole output rows of one output channel, lanes along the width. */
typedef struct cp_conv2d_width {
    cp_conv2d_call call; /* weights are OIHW, dst and residual those of the output channel */
    int64_t ow;
    int64_t out_channel;
    int64_t row, rows; /* of dst */
} cp_conv2d_width;

/* conv2d_depthwise: a rectangle of pixels of up to 16 output channels, each of which reads one input channel, lanes along the
 * channels. conv2d_depthwise_width: whole rows of any number of channels, lanes along the width; planes, a square kernel of 3 or 5,
 * stride 1 or 2 both ways, a border of zeros and weights that may multiply it. conv2d_depthwise_pixels: the same for a rectangle of
 * as many outputs as inputs, lanes along channels that lie side by side, in eights at least. */
typedef struct cp_conv2d_depthwise {
    cp_conv2d_call call;                /* weights [panel][kh][kw][16] and bias are those of the channels; width: OIHW */
    int64_t channel, channels;          /* of dst */
    int64_t row, rows, column, columns; /* of dst */
    int64_t rows_at_once;               /* that acc has room for; this and what follows for conv2d_depthwise alone */
    float *x;                           /* room for what the rectangle reads, [row][column][16] */
    float *acc;                         /* [rows_at_once][columns][16] */
} cp_conv2d_depthwise;

/* Rows that conv2d_depthwise_width walks down at a time where a row is several vectors. */
enum { CP_PLANES_BAND = 16 };

/* How many planes conv2d_depthwise_width lays side by side in a vector of `wide` lanes, at least 4 each: those of windows around
 * their pixels. */
static inline int64_t cp_planes_side_by_side(const convpool_conv2d_desc *d, int64_t ow, int64_t wide) {
    const int64_t lanes = CP_MAX(ow, cp_ceil_div(d->iw, d->stride_w));
    if (d->pad_left != d->kw / 2 || lanes > wide / 2 || (d->stride_w == 1 && ow != d->iw)) return 1;
    return lanes <= 4 ? wide / 4 : 2;
}

/* conv2d_image: whole output rows of a few output channels of one group, stride 1, lanes along the width. The columns of src lie
 * side by side; padding may be multiplied; kh is at most CP_IMAGE_KERNEL, a window CP_IMAGE_REACH columns wide. Or of one channel
 * that reads one, along the rows first, then along the columns. */
enum { CP_IMAGE_CHANNELS = 4, CP_IMAGE_KERNEL = 61, CP_IMAGE_REACH = 64 };
typedef struct cp_conv2d_image {
    cp_conv2d_call call; /* weights are [channel of dst][block of 8 channels of src][kh][kw][channel] */
    bool stream;         /* dst is too large to stay in the caches */
    int64_t ow;
    int64_t channel, channels; /* of dst, at most CP_IMAGE_CHANNELS */
    int64_t row, rows;         /* of dst */
    int64_t end_lines;         /* a power of two, at least the lines that CP_IMAGE_CHANNELS rows of dst read */
    int64_t end_columns;       /* that a block of dst across the border reads */
    float *ends;               /* room for [end_lines][channels of a group][2][end_columns] */
    bool separable;            /* weights are [channel of dst][kw, those of a row, then kh, those of a column] */
    float *sums; /* then room for those along the rows, [kh + CP_IMAGE_CHANNELS - 1][ow or up to 15 more], and for a row of src */
} cp_conv2d_image;

/* How pool2d_lanes cuts its work, and where in the workspace its arrays of [row][column][CP_POOL2D_LANES] begin, in floats. */
typedef struct cp_pool2d_lanes {
    int64_t rows, columns; /* of dst that are reduced together */
    int64_t lines;         /* rows of src that are loaded together */
    int64_t suffix, cells, column_at, line, row, row_at, out, out_at;
    int64_t bytes; /* of workspace */
} cp_pool2d_lanes;

/* How pool2d_width cuts what is not small, and where in the workspace its arrays begin, in floats. */
typedef struct cp_pool2d_width {
    int64_t columns;       /* of dst that are worked on together */
    int64_t phases, phase; /* parts of a line by columns modulo the stride, and floats of each */
    int64_t rows, pitch;   /* of src that are held, and floats of each, as of all arrays from `row` on */
    int64_t line;          /* floats of a line of src, which the workspace begins with */
    int64_t split, row, row_at, out, out_at, cells, first_at, column_at;
    int64_t bytes; /* of workspace */
} cp_pool2d_width;

/* Output rows of some channels of one image. pool2d_elements takes every option of the descriptor, and so does pool2d_lanes but for
 * sums over the whole image, and within its workspace; its channels begin at a multiple of 8. pool2d_width takes sliding windows on
 * planes, or on all channels of NHWC, in one layout, within its workspace. The others take f32 in one layout, without indices:
 * pool2d_channels sliding and adaptive windows on channels that lie side by side, and pool2d_global sums of the whole image as one
 * window: of planes without gaps, or of channels side by side. */
typedef struct cp_pool2d_band {
    const void *src; /* pixel (0, 0), channel 0 of the image */
    void *dst;
    int64_t *indices;
    int64_t index_base;  /* index of pixel (0, 0), channel 0 */
    int64_t index_plane; /* from one channel's indices to the next's */
    convpool_strides src_strides, dst_strides, indices_strides;
    const convpool_pool2d_desc *desc; /* with oh and ow filled in */
    int64_t channel, channels;        /* first and number */
    int64_t row, rows;                /* of dst */
    bool stream; /* dst and indices are too large to stay in the caches, and their rows are whole cache lines */
    const cp_pool2d_lanes *lanes;
    const cp_pool2d_width *width;
    float *workspace;
} cp_pool2d_band;

/* Windows that pool2d_width has kernels of their own for: of f32 on planes, 2x2 and 3x3 whose strides are at most their size. */
static inline bool cp_pool2d_is_small(const convpool_pool2d_desc *d) {
    return d->kh == d->kw && (d->kh == 2 || d->kh == 3) && d->stride_h == d->stride_w && d->stride_h <= d->kh &&
           d->dilation_h == 1 && d->dilation_w == 1 && d->kind != CONVPOOL_POOL_KIND_LP &&
           d->window == CONVPOOL_POOL_WINDOW_SLIDING && d->src_type == CONVPOOL_DATA_TYPE_F32 &&
           d->src_layout == CONVPOOL_LAYOUT_NCHW && d->dst_layout == CONVPOOL_LAYOUT_NCHW;
}

typedef struct cp_kernels {
    int64_t patches_channels; /* conv2d_patches: the most of a part; parts are as few as that allows, and part i of n ends before
                                 channel (i + 1) * channels / n */
#define CP_KERNEL(stem, arguments) void (*stem)(const arguments *);
#include "kernels.def"
#undef CP_KERNEL
} cp_kernels;

/* The kernels of an instruction set that is available; CONVPOOL_ISA_BEST is replaced by what it stands for. NULL if there is none.
 */
const cp_kernels *cp_kernels_of(convpool_isa *isa);

#endif
