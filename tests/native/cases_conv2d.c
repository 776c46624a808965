/* SPDX-License-Identifier: MIT */
#include "cases.h"
#include "oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------------------- making */

static void set_channels(conv2d_case *c, int64_t in, int64_t out, int64_t groups) {
    c->in_channels = in * groups;
    c->out_channels = out * groups;
    c->groups = groups;
}

/* Draws one number a statement, here and below: C does not say in which order arguments are evaluated. */
static void draw_channels(rng *r, conv2d_case *c, int64_t most_in, int64_t most_out, int64_t groups) {
    const int64_t in = rng_range(r, 1, most_in), out = rng_range(r, 1, most_out);
    set_channels(c, in, out, groups);
}

static void draw_size(rng *r, conv2d_case *c, int64_t most_h, int64_t most_w, int64_t most_kernel) {
    c->ih = rng_range(r, 1, most_h);
    c->iw = rng_range(r, 1, most_w);
    c->kh = rng_range(r, 1, most_kernel);
    c->kw = rng_range(r, 1, most_kernel);
}

static void random_shape(rng *r, conv2d_case *c) {
    switch (rng_range(r, 0, 7)) {
    case 0: /* few of everything */
        draw_channels(r, c, 20, 20, 1);
        draw_size(r, c, 14, 14, 5);
        break;
    case 1: /* deep */
        draw_channels(r, c, 300, 80, 1);
        draw_size(r, c, 6, 6, 3);
        break;
    case 2: /* wide */
        draw_channels(r, c, 4, 8, 1);
        draw_size(r, c, 6, 200, 7);
        break;
    case 3: /* depthwise */
        c->groups = rng_range(r, 1, 40);
        set_channels(c, 1, PICK(r, 1, 1, 1, 2, 3), c->groups);
        draw_size(r, c, 24, 24, 5);
        break;
    case 4: /* grouped */
        draw_channels(r, c, 12, 20, rng_range(r, 2, 6));
        draw_size(r, c, 8, 8, 3);
        break;
    case 5: /* pointwise */
        draw_channels(r, c, 100, 60, 1);
        draw_size(r, c, 12, 12, 1);
        break;
    case 6: /* one line */
        draw_channels(r, c, 12, 12, 1);
        draw_size(r, c, 1, 100, 11);
        c->kh = 1;
        break;
    default: /* large kernels */
        draw_channels(r, c, 3, 9, 1);
        draw_size(r, c, 16, 16, 13);
        break;
    }
}

/* Depthwise layers, most of them on narrow maps. */
static void depthwise_shape(rng *r, conv2d_case *c) {
    const int64_t most = rng_chance(r, 70) ? 16 : 40;
    c->groups = PICK(r, 2, 7, 8, 9, 15, 16, 17, 24, 33, 64);
    set_channels(c, 1, PICK(r, 1, 1, 1, 1, 1, 2, 3, 8, 9), c->groups);
    draw_size(r, c, most, most, 7);
    if (rng_chance(r, 70)) c->kw = c->kh = PICK(r, 3, 3, 5, 5, 7);
}

/* Windows such as layers have: square steps, no dilation, zeros around. */
static void plain_windows(rng *r, conv2d_case *c) {
    c->stride_h = c->stride_w = rng_range(r, 1, 2);
    c->dilation_h = c->dilation_w = 1;
    c->border = CONVPOOL_BORDER_ZERO;
    int64_t *const pads[] = {&c->pad_top, &c->pad_bottom, &c->pad_left, &c->pad_right};
    for (int i = 0; i < 4; i++) *pads[i] = rng_chance(r, 60) ? c->kh / 2 : rng_range(r, 0, c->kh + 1);
    if (c->ih + c->pad_top + c->pad_bottom < c->kh) c->ih = c->kh;
    if (c->iw + c->pad_left + c->pad_right < c->kw) c->iw = c->kw;
}

/* Many groups of as many channels on both sides. */
static void groups_shape(rng *r, conv2d_case *c) {
    const int64_t channels = PICK(r, 4, 4, 8, 8, 5, 16);
    set_channels(c, channels, channels, rng_range(r, 2, 9));
    draw_size(r, c, 14, 14, 3);
}

/* Wide rows of one or a few channels. */
enum { IMAGE_WIDTH = 250 };
static void image_shape(rng *r, conv2d_case *c) {
    const int64_t in = PICK(r, 1, 1, 1, 1, 2, 3, 9), out = PICK(r, 1, 1, 1, 2, 3, 4, 5);
    set_channels(c, in, out, PICK(r, 1, 1, 1, 2));
    c->ih = rng_range(r, 1, 14);
    c->iw = rng_range(r, IMAGE_WIDTH, 400);
    c->kh = PICK(r, 1, 2, 3, 3, 4, 5, 5, 7, 9);
    c->kw = rng_chance(r, 70) ? c->kh : rng_range(r, 1, 13);
}

/* Products enough for several tasks more often than not, with channels around whole vectors or few. */
static void tasks_shape(rng *r, conv2d_case *c) {
    const int64_t few = rng_range(r, 1, 4), in = 8 * rng_range(r, 1, 5), out = 8 * rng_range(r, 1, 12);
    const int64_t in_off = rng_range(r, -1, 1), out_off = rng_range(r, -1, 1), lanes = PICK(r, 4, 8);
    int64_t least = 1 << 18, most = 1 << PICK(r, 19, 20, 21);
    c->kh = c->kw = PICK(r, 1, 1, 1, 3, 3, 3, 5, 7);
    c->iw = rng_range(r, 1, PICK(r, 12, 24, 60, 600, 3000));
    switch (rng_range(r, 0, 7)) {
    case 0: /* depthwise */
        set_channels(c, 1, PICK(r, 1, 1, 1, 2), out + out_off);
        break;
    case 1: /* small groups */
        set_channels(c, lanes, lanes, rng_range(r, 2, 12));
        break;
    case 2: /* images */
        set_channels(c, few, PICK(r, 1, 2, 3, 4, 5, 9), 1);
        break;
    case 3: /* rows of tasks */
        set_channels(c, 8 + in_off, 16 + out_off, 1);
        break;
    default: /* tasks that share the output channels */
        set_channels(c, in + in_off, 32 + out + out_off, 1);
        least = 1 << 20, most = 3 << 20;
        break;
    }
    const int64_t pixel = c->kh * c->kw * c->in_channels / c->groups * c->out_channels;
    c->ih = 1 + rng_range(r, least, most) / pixel / c->iw;
}

/* What other shapes are too small for: more channels than 1x1 kernels multiply at a time, kernels of one column or row, and windows
 * so far dilated that whole tiles lack some of their taps. */
typedef enum reach { REACH_DEEP, REACH_COLUMN, REACH_ROW, REACH_FAR, REACHES } reach;

static void reach_shape(rng *r, conv2d_case *c, reach which) {
    const bool deep = which == REACH_DEEP, far = which == REACH_FAR;
    const int64_t passes = PICK(r, 128, 256, 1024), off = PICK(r, -1, 0, 1, 8), kernel = PICK(r, 2, 3, 3, 5, 7, 11);
    const int64_t in = deep ? passes + off : 8 * rng_range(r, 1, 4);
    set_channels(c, in, rng_range(r, 17, 60), 1);
    c->ih = rng_range(r, 1, deep ? 4 : 32);
    c->iw = rng_range(r, 1, deep ? 17 : 32);
    c->kh = far ? 3 : which == REACH_COLUMN ? kernel : 1;
    c->kw = far ? 3 : which == REACH_ROW ? kernel : 1;
}

/* Zeros around, as many as keep the size of the map. */
static void reach_windows(rng *r, conv2d_case *c, reach which) {
    c->stride_h = c->stride_w = PICK(r, 1, 1, 1, 1, 1, 1, 2, 3);
    c->dilation_h = c->dilation_w = which == REACH_FAR ? rng_range(r, 5, 14) : 1;
    c->border = CONVPOOL_BORDER_ZERO;
    c->pad_top = c->pad_bottom = c->kh / 2 * c->dilation_h;
    c->pad_left = c->pad_right = c->kw / 2 * c->dilation_w;
}

/* 1..33 of each of four dimensions that vectors run along, in each layout. */
static void tail_shape(rng *r, conv2d_case *c, uint64_t number) {
    const int64_t tail = 1 + (int64_t)(number % 33);
    const int64_t kernel = PICK(r, 1, 3, 3, 5);
    c->kh = c->kw = kernel;
    c->ih = rng_range(r, 1, 6);
    c->iw = rng_range(r, 1, 12);
    c->src_layout = c->dst_layout = (int64_t)(number / 33 % 3);
    switch (number / 99) {
    case 0:
        set_channels(c, rng_range(r, 1, 9), tail, 1);
        break;
    case 1:
        set_channels(c, tail, rng_range(r, 1, 17), 1);
        break;
    case 2:
        set_channels(c, 1, 1, tail);
        break;
    default:
        draw_channels(r, c, 5, 9, 1);
        c->iw = tail;
        break;
    }
}

static int64_t dilated(int64_t kernel, int64_t dilation) { return (kernel - 1) * dilation + 1; }

static void random_pads(rng *r, conv2d_case *c) {
    const int64_t dh = dilated(c->kh, c->dilation_h), dw = dilated(c->kw, c->dilation_w);
    const int64_t way = rng_range(r, 0, 9);
    if (way < 4) {
        c->pad_top = dh / 2, c->pad_bottom = (dh - 1) / 2;
        c->pad_left = dw / 2, c->pad_right = (dw - 1) / 2;
    } else if (way < 7) {
        c->pad_top = rng_range(r, 0, dh + 1), c->pad_bottom = rng_range(r, 0, dh + 1);
        c->pad_left = rng_range(r, 0, dw + 1), c->pad_right = rng_range(r, 0, dw + 1);
    }
    if (dh > c->ih + c->pad_top + c->pad_bottom) c->ih = dh - c->pad_top - c->pad_bottom;
    if (dw > c->iw + c->pad_left + c->pad_right) c->iw = dw - c->pad_left - c->pad_right;

    c->border = rng_chance(r, 60) ? CONVPOOL_BORDER_ZERO : rng_range(r, 1, 3);
    const int64_t slack = c->border == CONVPOOL_BORDER_REFLECT ? 1 : 0;
    const int64_t most_h = c->pad_top > c->pad_bottom ? c->pad_top : c->pad_bottom;
    const int64_t most_w = c->pad_left > c->pad_right ? c->pad_left : c->pad_right;
    if (c->border == CONVPOOL_BORDER_REFLECT || c->border == CONVPOOL_BORDER_CIRCULAR) {
        if (c->ih < most_h + slack) c->ih = most_h + slack;
        if (c->iw < most_w + slack) c->iw = most_w + slack;
    }
}

static void random_activation(rng *r, conv2d_case *c) {
    c->activation = rng_chance(r, 30) ? CONVPOOL_ACTIVATION_NONE : rng_range(r, 1, 8);
    if (c->activation == CONVPOOL_ACTIVATION_LEAKY_RELU) c->alpha = rng_range(r, -32, 32);
    if (c->activation != CONVPOOL_ACTIVATION_CLIP) return;
    const int64_t low = rng_range(r, -64, 0), high = rng_range(r, 1, 64);
    c->alpha = PICK(r, -BOUND_INFINITY, 0, BOUND_MINUS_ZERO, -16, low, low);
    c->beta = PICK(r, BOUND_INFINITY, 96, BOUND_MINUS_ZERO, 0, high, high);
}

static void random_rest(rng *r, conv2d_case *c) {
    c->stride_h = PICK(r, 1, 1, 1, 2, 2, 3, 5);
    c->stride_w = PICK(r, 1, 1, 1, 2, 2, 3, 5);
    c->dilation_h = PICK(r, 1, 1, 1, 2, 3);
    c->dilation_w = PICK(r, 1, 1, 1, 2, 3);
    random_pads(r, c);
    random_activation(r, c);
    c->batch = PICK(r, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 0);
    c->bias = rng_range(r, 0, 1);
    c->residual = rng_chance(r, 30);
    c->values = rng_values(r);
    const bool skips = c->border == CONVPOOL_BORDER_ZERO && c->pad_top + c->pad_bottom + c->pad_left + c->pad_right > 0;
    c->weight_values = skips && rng_chance(r, 25) ? VALUES_SPRINKLED : rng_values(r);
    c->src_gaps = rng_gaps(r, GAP_COUNT - 1);
    c->dst_gaps = rng_gaps(r, GAP_BROADCAST - 1);
    c->residual_gaps = c->residual ? rng_gaps(r, GAP_COUNT - 1) : 0;
    c->algorithm = rng_chance(r, 80) ? CONVPOOL_ALGORITHM_AUTO : rng_range(r, 1, 2);
    c->numerics = c->algorithm != CONVPOOL_ALGORITHM_AUTO && rng_chance(r, 50) ? CONVPOOL_NUMERICS_FAST : CONVPOOL_NUMERICS_STRICT;
    c->shift = rng_range(r, 0, 7);
    c->side = rng_range(r, 0, 1);
    c->split = rng_chance(r, 30) ? 0 : rng_range(r, 1, 1000000);
    c->data = rng_range(r, 0, 1000000);
}

static void describe(const conv2d_case *c, convpool_conv2d_desc *d);

/* Multiply-adds. */
static int64_t cost(const conv2d_case *c) {
    convpool_conv2d_desc desc;
    int64_t oh, ow;
    describe(c, &desc);
    oracle_conv2d_output_size(&desc, &oh, &ow);
    return c->batch * c->out_channels * oh * ow * (c->in_channels / c->groups) * c->kh * c->kw;
}

/* Every fourth case is a depthwise layer, another an image, every eighth has small groups, every sixteenth several tasks, another
 * a shape that reaches far, after those whose hashes are listed. */
enum { FIRST_DEPTHWISE = TAIL_CASES + 200 };

conv2d_case conv2d_case_make(uint64_t seed, uint64_t number) {
    rng r = rng_make(seed, number);
    const bool tasks = number >= FIRST_DEPTHWISE && number % 16 == 5;
    const bool reaches = number >= FIRST_DEPTHWISE && number % 16 == 13;
    const reach which = (reach)(number / 16 % REACHES);
    const int64_t usual = rng_chance(&r, 5) ? 2000000 : 150000, most = tasks || reaches ? 4000000 : usual;
    conv2d_case c;
    do {
        memset(&c, 0, sizeof c);
        if (number < TAIL_CASES) {
            tail_shape(&r, &c, number);
        } else {
            if (number >= FIRST_DEPTHWISE && number % 4 == 0) {
                depthwise_shape(&r, &c);
            } else if (number >= FIRST_DEPTHWISE && number % 4 == 2) {
                image_shape(&r, &c);
            } else if (number >= FIRST_DEPTHWISE && number % 8 == 1) {
                groups_shape(&r, &c);
            } else if (tasks) {
                tasks_shape(&r, &c);
            } else if (reaches) {
                reach_shape(&r, &c, which);
            } else {
                random_shape(&r, &c);
            }
            c.src_layout = rng_chance(&r, 50) ? CONVPOOL_LAYOUT_NCHW : rng_range(&r, 0, 2);
            c.dst_layout = rng_chance(&r, 70) ? c.src_layout : rng_range(&r, 0, 2);
        }
        random_rest(&r, &c);
        if ((tasks || c.iw >= IMAGE_WIDTH) && rng_chance(&r, 80)) c.stride_h = c.stride_w = 1;
        if (number >= FIRST_DEPTHWISE && (number % 4 == 0 || tasks) && rng_chance(&r, 50)) plain_windows(&r, &c);
        if (number >= FIRST_DEPTHWISE && rng_chance(&r, 5)) c.stride_w = 4;
        if (tasks && c.kh == 1) c.pad_top = c.pad_bottom = c.pad_left = c.pad_right = 0;
        if (reaches) reach_windows(&r, &c, which);
        if (tasks || reaches) {
            c.batch = PICK(&r, 1, 1, 1, 1, 2);
            c.algorithm = rng_range(&r, CONVPOOL_ALGORITHM_AUTO, CONVPOOL_ALGORITHM_DIRECT_WIDTH);
            c.numerics = CONVPOOL_NUMERICS_STRICT;
        }
    } while (cost(&c) > most);
    return c;
}

/* From here on every sixth case is wide, another has many output channels, and many have stride 2 or are dilated. */
enum { FIRST_LATER = 500 };

conv2d_case winograd_case_make(uint64_t seed, uint64_t number) {
    rng r = rng_make(seed, number);
    const bool tasks = number >= FIRST_LATER && number % 3 == 0;
    const int64_t usual = rng_chance(&r, 5) ? 2000000 : 150000, most = tasks ? 1000000 : usual;
    conv2d_case c;
    do {
        memset(&c, 0, sizeof c);
        const int64_t groups = PICK(&r, 1, 1, 1, 2, 3);
        const int64_t most_in = PICK(&r, 9, 33, 300);
        draw_channels(&r, &c, most_in, 33, groups);
        draw_size(&r, &c, 33, 33, 1);
        if (tasks) {
            const int64_t shared = rng_range(&r, 40, 140), wide = rng_range(&r, 60, 300);
            if (number % 2 == 0) set_channels(&c, rng_range(&r, 2, 9), shared, 1);
            if (number % 2 != 0) c.iw = wide, c.ih = rng_range(&r, 1, 24);
        }
        if (number < 33)
            set_channels(&c, 1 + (int64_t)number, rng_range(&r, 1, 17), 1);
        else if (number < 66)
            set_channels(&c, rng_range(&r, 2, 9), (int64_t)number - 32, 1);
        else if (number < 99)
            c.iw = (int64_t)number - 65;
        const bool seven = number >= FIRST_LATER && number % 8 == 3;
        c.kh = c.kw = seven ? 7 : number % 5 == 3 ? 5 : 3;
        c.src_layout = rng_range(&r, 0, 2);
        c.dst_layout = rng_range(&r, 0, 2);
        random_rest(&r, &c);
        c.stride_h = c.stride_w = seven || (c.kh == 3 && number >= FIRST_LATER && number % 4 == 1) ? 2 : 1;
        if (number < FIRST_LATER || number % 4 != 2) c.dilation_h = c.dilation_w = 1;
        if (c.weight_values == VALUES_SPRINKLED) c.weight_values = VALUES_NORMAL;
        c.numerics = CONVPOOL_NUMERICS_FAST;
        c.algorithm = c.kh >= 5 || c.in_channels == c.groups || rng_chance(&r, 40) ? CONVPOOL_ALGORITHM_WINOGRAD_2X2
                                                                                   : CONVPOOL_ALGORITHM_WINOGRAD_4X4;
    } while (cost(&c) > most);
    return c;
}

conv2d_case separable_case_make(uint64_t seed, uint64_t number) {
    rng r = rng_make(seed, number);
    const bool tasks = number % 4 == 3;
    const int64_t usual = rng_chance(&r, 5) ? 2000000 : 150000, most = tasks ? 2000000 : usual;
    conv2d_case c;
    do {
        memset(&c, 0, sizeof c);
        set_channels(&c, 1, 1, PICK(&r, 1, 1, 1, 2, 3, 9));
        c.ih = tasks ? rng_range(&r, 40, 200) : rng_range(&r, 1, 40);
        c.iw = rng_range(&r, 1, 300);
        c.kh = rng_range(&r, 2, 9);
        c.kw = rng_range(&r, 2, 13);
        if (rng_chance(&r, 60)) c.kh = c.kw = PICK(&r, 3, 5, 5, 7, 7, 9);
        c.dst_layout = rng_range(&r, 0, 2);
        random_rest(&r, &c);
        c.iw = c.iw < 48 + dilated(c.kw, c.dilation_w) ? 48 + dilated(c.kw, c.dilation_w) : c.iw;
        c.stride_h = c.stride_w = 1;
        c.weight_values = rng_chance(&r, 70) ? VALUES_NORMAL : VALUES_INTEGER;
        c.numerics = CONVPOOL_NUMERICS_FAST;
        c.algorithm = CONVPOOL_ALGORITHM_SEPARABLE;
    } while (cost(&c) > most);
    return c;
}

/* ------------------------------------------------------------------------------------------------------------------ problem */

static float bound(int64_t sixteenths) {
    if (sixteenths == BOUND_MINUS_ZERO) return -0.0f;
    if (sixteenths == BOUND_INFINITY) return INFINITY;
    if (sixteenths == -BOUND_INFINITY) return -INFINITY;
    return (float)sixteenths / 16.0f;
}

static void describe(const conv2d_case *c, convpool_conv2d_desc *d) {
    *d = (convpool_conv2d_desc){
        .struct_size = sizeof *d,
        .isa = (convpool_isa)c->isa,
        .algorithm = (convpool_algorithm)c->algorithm,
        .numerics = (convpool_numerics)c->numerics,
        .src_layout = (convpool_layout)c->src_layout,
        .dst_layout = (convpool_layout)c->dst_layout,
        .border = (convpool_border)c->border,
        .activation = (convpool_activation)c->activation,
        .in_channels = c->in_channels,
        .out_channels = c->out_channels,
        .groups = c->groups,
        .ih = c->ih,
        .iw = c->iw,
        .kh = c->kh,
        .kw = c->kw,
        .stride_h = c->stride_h,
        .stride_w = c->stride_w,
        .dilation_h = c->dilation_h,
        .dilation_w = c->dilation_w,
        .pad_top = c->pad_top,
        .pad_bottom = c->pad_bottom,
        .pad_left = c->pad_left,
        .pad_right = c->pad_right,
        .activation_alpha = bound(c->alpha),
        .activation_beta = bound(c->beta),
    };
}

static float *fill(guarded *g, const conv2d_case *c, rng *r, values kind, int64_t count) {
    float *data =
        guarded_place(g, (size_t)count * sizeof(float), sizeof(float), (size_t)c->shift * sizeof(float), (guard_side)c->side);
    for (int64_t i = 0; i < count; i++) data[i] = rng_f32(r, kind, 8 + count / 3);
    return data;
}

/* Each kernel becomes its first column times its first row. */
static void multiply_edges(float *weights, const conv2d_case *c) {
    for (int64_t o = 0; o < c->out_channels; o++, weights += c->kh * c->kw) {
        if (weights[0] == 0.0f) weights[0] = 1.0f;
        for (int64_t y = c->kh - 1; y >= 0; y--)
            for (int64_t x = c->kw - 1; x >= 0; x--) weights[y * c->kw + x] = weights[y * c->kw] * weights[x];
    }
}

void conv2d_problem_make(conv2d_problem *p, const conv2d_case *c) {
    rng r = rng_make((uint64_t)c->data, 0);
    p->options = *c;
    describe(c, &p->desc);
    int64_t oh, ow;
    oracle_conv2d_output_size(&p->desc, &oh, &ow);
    const int64_t src_dims[4] = {c->batch, c->in_channels, c->ih, c->iw};
    const int64_t dst_dims[4] = {c->batch, c->out_channels, oh, ow};
    const size_t shift = (size_t)c->shift;
    const guard_side side = (guard_side)c->side;
    const values kind = (values)c->values;

    tensor_place(&p->src, p->desc.src_layout, src_dims, sizeof(float), c->src_gaps, shift, side);
    tensor_fill_f32(&p->src, &r, kind, 8 + c->batch * c->in_channels * c->ih * c->iw / 3);
    tensor_place(&p->dst, p->desc.dst_layout, dst_dims, sizeof(float), c->dst_gaps, shift, side);
    if (c->residual) {
        tensor_place(&p->residual, p->desc.dst_layout, dst_dims, sizeof(float), c->residual_gaps, shift, side);
        tensor_fill_f32(&p->residual, &r, kind, 30);
    }
    float *weights =
        fill(&p->weights, c, &r, (values)c->weight_values, c->out_channels * (c->in_channels / c->groups) * c->kh * c->kw);
    if (c->algorithm == CONVPOOL_ALGORITHM_SEPARABLE) multiply_edges(weights, c);
    const float *bias = c->bias ? fill(&p->bias, c, &r, kind, c->out_channels) : NULL;

    p->args = (convpool_conv2d_args){
        .struct_size = sizeof p->args,
        .batch = c->batch,
        .src = p->src.memory.data,
        .residual = c->residual ? p->residual.memory.data : NULL,
        .src_strides = p->src.given,
        .dst_strides = p->dst.given,
        .residual_strides = c->residual ? p->residual.given : NULL,
    };
    p->ignore_sign_of_zero = p->desc.border == CONVPOOL_BORDER_ZERO && c->pad_top + c->pad_bottom + c->pad_left + c->pad_right > 0;
    free(p->expected);
    p->expected = tensor_twin(&p->dst);
    p->args.dst = p->expected;
    oracle_conv2d(&p->desc, weights, bias, &p->args);
    p->args.dst = p->dst.memory.data;
    guarded_access(&p->src.memory, GUARD_READ);
    if (c->residual) guarded_access(&p->residual.memory, GUARD_READ);
}

/* ------------------------------------------------------------------------------------------------------------------ running */

static convpool_status init(void *problem, const void *desc, void *memory, int64_t memory_bytes, void **plan) {
    conv2d_problem *p = problem;
    convpool_conv2d *built = NULL;
    const bool bias = p->options.bias != 0;
    guarded_access(&p->weights, GUARD_READ);
    if (bias) guarded_access(&p->bias, GUARD_READ);
    const convpool_status status =
        convpool_conv2d_init(desc, p->weights.data, bias ? p->bias.data : NULL, memory, memory_bytes, &built);
    guarded_access(&p->weights, GUARD_NONE);
    if (bias) guarded_access(&p->bias, GUARD_NONE);
    *plan = built;
    return status;
}

#define OPERATION conv2d
#define CASE_FIELDS CONV2D_CASE_FIELDS
#include "cases_tmpl.h"

static void check_info(const conv2d_problem *p, const convpool_plan_info *info, char *text, size_t text_size) {
    const convpool_conv2d_desc *d = &p->desc;
    const int64_t taps = d->in_channels / d->groups * d->kh * d->kw;
    const int64_t flops = 2 * taps * d->out_channels * p->dst.h * p->dst.w;
    const bool winograd = d->algorithm == CONVPOOL_ALGORITHM_WINOGRAD_2X2 || d->algorithm == CONVPOOL_ALGORITHM_WINOGRAD_4X4;
    const bool small = d->algorithm == CONVPOOL_ALGORITHM_WINOGRAD_2X2, halved = d->stride_h == 2, wide = !small || d->kh >= 5;
    const double channels = (double)(d->in_channels / d->groups), u = 0x1p-24;
    const double before = wide ? 4.0 : 2.0, after = halved ? 4.0 * channels + (wide ? 8.0 : 4.0) : channels + (wide ? 8.0 : 6.0);
    const double of_halved = wide ? 88.0 * before + 80.0 * after : 9.0 * (before + after);
    const double sums = halved ? of_halved : wide ? 157.0 * before + 116.0 * after : 16.0 * before + 12.0 * after;
    const double terms = d->algorithm == CONVPOOL_ALGORITHM_SEPARABLE ? (double)(d->kh + d->kw) + 17.0 : (double)taps + 1.0;
    const double error_bound = winograd ? sums * u / (1.0 - (before + after) * u) : terms * u / (1.0 - terms * u);
    const bool direct = info->algorithm == CONVPOOL_ALGORITHM_DIRECT_CHANNELS || info->algorithm == CONVPOOL_ALGORITHM_DIRECT_WIDTH;
    const bool as_forced = d->algorithm == CONVPOOL_ALGORITHM_AUTO ? direct : d->algorithm == info->algorithm;
    if (info->isa != d->isa || !as_forced || info->oh != p->dst.h || info->ow != p->dst.w || info->flops != flops ||
        fabs(info->error_bound - error_bound) > 1e-6 * error_bound)
        snprintf(text, text_size,
                 "query: isa %d, algorithm %d, %lld x %lld (not %lld x %lld), flops %lld (not %lld), bound %g (not %g)",
                 (int)info->isa, (int)info->algorithm, (long long)info->oh, (long long)info->ow, (long long)p->dst.h,
                 (long long)p->dst.w, (long long)info->flops, (long long)flops, info->error_bound, error_bound);
}

convpool_status conv2d_problem_run(conv2d_problem *p, convpool_isa isa, char *text, size_t text_size) {
    p->desc.isa = isa;
    tensor_poison(&p->dst);
    convpool_plan_info info;
    const convpool_status status = engine_run(&p->engine, &conv2d_operation, p, &p->desc, &p->args, p->options.batch,
                                              p->options.split, &info, text, text_size);
    if (status != CONVPOOL_STATUS_OK || *text) return status;
    check_info(p, &info, text, text_size);
    if (*text || !tensor_equals(&p->dst, p->expected, p->ignore_sign_of_zero, text, text_size)) return status;
    if (!guarded_intact(&p->dst.memory)) snprintf(text, text_size, "run: wrote outside dst");
    return status;
}

uint64_t conv2d_problem_hash(const conv2d_problem *p, bool of_oracle) {
    return tensor_hash(&p->dst, of_oracle ? p->expected : p->dst.memory.data, p->ignore_sign_of_zero, TENSOR_HASH_SEED);
}

void conv2d_case_test(conv2d_problem *p, const conv2d_case *c, bool (*also)(const conv2d_problem *p, char *text, size_t text_size),
                      tally *t, const options *o) {
    char text[CASE_TEXT_SIZE], message[512];
    conv2d_problem_make(p, c);
    for (int isa = 1; isa < 32; isa++) {
        if (!(available_isas() >> isa & 1) || (c->isa && c->isa != isa)) continue;
        conv2d_case named = *c;
        named.isa = isa;
        conv2d_case_text(&named, text);
        case_begin(text);
        const convpool_status status = conv2d_problem_run(p, (convpool_isa)isa, message, sizeof message);
        if (status != CONVPOOL_STATUS_OK && !*message) snprintf(message, sizeof message, "%s", convpool_status_string(status));
        guarded_access(&p->weights, GUARD_READ);
        if (c->bias) guarded_access(&p->bias, GUARD_READ);
        if (*message || (also != NULL && !also(p, message, sizeof message)))
            tally_fail(t, o, "%s: %s", convpool_isa_name((convpool_isa)isa), message);
        else
            tally_pass(t, p->engine.tasks);
    }
}
