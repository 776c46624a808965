/* SPDX-License-Identifier: MIT
 * What a run of a convolution is given, whichever algorithm executes it. */
#ifndef CP_CONV2D_H
#define CP_CONV2D_H

#include "kernels.h"

typedef struct cp_conv2d_run {
    const cp_kernels *kernels;
    const convpool_conv2d_desc *desc;
    cp_activation activation;
    cp_tensor src, dst, residual; /* residual.data is NULL if there is none */
    char *workspace;
    bool stream; /* dst is too large to stay in the caches */
} cp_conv2d_run;

enum { CP_L2_BYTES = 1 << 20 };

/* Rows [row, row_end) of columns [column, column_end) of some channels of an image, if it lies in planes and beyond L2. */
static inline cp_fetch cp_fetch_of(const cp_tensor *t, int64_t image, int64_t channel, int64_t channels, int64_t row,
                                   int64_t row_end, int64_t column, int64_t column_end) {
    const double floats = (double)t->channels * (double)t->height * (double)t->width;
    if (t->layout != CONVPOOL_LAYOUT_NCHW || floats * sizeof(float) <= (double)CP_L2_BYTES) return (cp_fetch){0};
    return (cp_fetch){
        .first = (const float *)t->data + image * t->strides.batch + cp_tensor_offset(t, channel, row, column),
        .planes = channels,
        .rows = row_end - row,
        .floats = column_end - column,
        .plane = t->strides.channel,
        .row = t->strides.row,
    };
}

#endif
