/* SPDX-License-Identifier: MIT
 * What the files of the direct family share: direct.c chooses, the others know their kernels. */
#ifndef CP_DIRECT_FAMILY_H
#define CP_DIRECT_FAMILY_H

#include "direct.h"

/* What a task computes: rows of an image, `row_phases` apart, from `row` on, part of each, and a share of a group's channels. */
typedef struct cp_direct_task {
    int64_t image, group, share;
    int64_t row, rows, column, columns;
    bool packed; /* the task before, of the same thread, read the same */
    const float *src, *residual;
    float *dst; /* these three of the image */
} cp_direct_task;

/* What kernels are given alike, with the weights of all groups. */
static inline cp_conv2d_call cp_direct_call(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t) {
    return (cp_conv2d_call){
        .src = t->src,
        .weights = p->weights,
        .bias = p->bias,
        .dst = t->dst,
        .residual = t->residual,
        .src_strides = r->src.strides,
        .dst_strides = r->dst.strides,
        .residual_strides = r->residual.strides,
        .desc = p->desc,
        .activation = r->activation,
        .clip_taps = p->clip_taps,
    };
}

/* The part of an axis of the input, padding included, that `outputs` neighbouring outputs read. */
static inline int64_t cp_reach(int64_t outputs, int64_t stride, int64_t kernel, int64_t dilation) {
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1;
}

static inline bool cp_direct_is_depthwise(const cp_direct *p) {
    return p->group_in == 1 && p->desc->groups > 1 && p->group_out <= CP_PANEL / 2;
}

/* Whether depthwise kernels can walk down its columns: square 3x3 and 5x5; the first row of dst reads one of the last rows of its
 * windows, and the last begins within the image. */
static inline bool cp_direct_walks(const cp_direct *p) {
    const convpool_conv2d_desc *d = p->desc;
    return d->border == CONVPOOL_BORDER_ZERO && (d->kh == 3 || d->kh == 5) && d->kw == d->kh && d->dilation_h == 1 &&
           d->dilation_w == 1 && d->stride_h <= 2 && d->stride_w == d->stride_h && d->pad_top <= d->kh - d->stride_h &&
           (p->oh - 1) * d->stride_h - d->pad_top < d->ih;
}

/* Output rows of task `task` of the row_tasks: every row_phases-th from `row` on. */
static inline int64_t cp_direct_rows(const cp_direct *p, int64_t task, int64_t *row) {
    const int64_t chunks = p->row_tasks / p->row_phases, phase = task / chunks, first = task % chunks * p->rows_a_task;
    *row = phase + first * p->row_phases;
    return CP_MIN(p->rows_a_task, cp_ceil_div(p->oh - phase, p->row_phases) - first);
}

/* Each file: how a plan is cut into tasks and what workspace one needs; the cost of an output pixel of a group, in pairs of FMAs of
 * 8 lanes, measured on Zen 5 with AVX2 and AVX-512, by the lanes of the widest vector; packed weights; a task. */

/* direct_channels.c: the kernel follows from the shape. */
void cp_channels_block(cp_direct *p);
bool cp_channels_workspace(cp_direct *p); /* false if what a single row of outputs reads is too large to pack */
double cp_channels_cost(const cp_direct *p, int64_t wide);
void cp_channels_pack(const cp_direct *p, const float *weights, const float *bias, float *packed, float *packed_bias);
/* `next` is the task after this one in the same call, or NULL. */
void cp_channels_run(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t, const cp_direct_task *next);

/* direct_patches.c */
bool cp_patches_suit(const cp_direct *p);
void cp_patches_block(cp_direct *p);
double cp_patches_cost(const cp_direct *p, int64_t wide);
void cp_patches_pack(const cp_direct *p, const cp_kernels *kernels, const float *weights, float *packed);
void cp_patches_run(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t);

/* direct_width.c: the other kernels with lanes along the width. */
cp_direct_kernel cp_width_kernel(const cp_direct *p, int64_t wide); /* the cheapest */
void cp_width_block(cp_direct *p);
double cp_width_cost(const cp_direct *p, cp_direct_kernel kernel, int64_t wide);
void cp_width_pack(const cp_direct *p, const float *weights, float *packed);
void cp_width_run(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t);

/* direct.c. From [output channel][channel][tap] to [channel of a part][block][tap][channel], or with the channels of a part
 * innermost. */
void cp_direct_pack_in_order(const cp_direct *p, const float *weights, int64_t part, bool innermost, float *packed);

#endif
