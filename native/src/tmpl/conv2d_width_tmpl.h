/* SPDX-License-Identifier: MIT
 * Direct convolution with vector lanes along the width: few output channels, single-channel images.
 *
 * Tile:       4 output rows x 8 pixels of one output channel, one load for each FMA.
 * Bound:      loads; for large planes the memory that src comes from.
 * Edges:      masked loads, where windows cross the left and right border of zeros; other borders go pixel by pixel. */

/* One output channel, and what it reads. */
typedef struct conv2d_channel {
    const cp_conv2d_width *a;
    const float *weights;
    float bias;
    int64_t first, count; /* channels of src */
} conv2d_channel;

static CP_INLINE int64_t conv2d_channel_offset(const conv2d_channel *o, int64_t c) {
    return cp_channel_offset(o->a->call.desc->src_layout, o->a->call.src_strides.channel, o->first + c);
}

/* Taps of output row i: within the image, or all of them where the border is not zero. */
static CP_INLINE void conv2d_row_taps(const convpool_conv2d_desc *d, int64_t i, int64_t *begin, int64_t *end) {
    *begin = 0;
    *end = d->kh;
    if (d->border == CONVPOOL_BORDER_ZERO) cp_tap_range(i * d->stride_h - d->pad_top, d->dilation_h, d->kh, d->ih, begin, end);
}

/* Row that tap ty of output row i reads, as floats from the plane's beginning. */
static CP_INLINE int64_t conv2d_row_offset(const cp_conv2d_width *a, int64_t i, int64_t ty) {
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    return cp_border(d->border, i * d->stride_h - d->pad_top + ty * d->dilation_h, d->ih) * call->src_strides.row;
}

/* One pixel, wherever its window lies. */
static float conv2d_pixel(const conv2d_channel *o, int64_t i, int64_t j) {
    const cp_conv2d_width *a = o->a;
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    int64_t y_begin, y_end;
    conv2d_row_taps(d, i, &y_begin, &y_end);
    float acc = o->bias;
    for (int64_t cb = 0; cb < o->count; cb += CP_BLOCK) {
        const int64_t c_end = CP_MIN(cb + CP_BLOCK, o->count);
        for (int64_t ty = y_begin; ty < y_end; ty++) {
            const float *row = call->src + conv2d_row_offset(a, i, ty);
            for (int64_t tx = 0; tx < d->kw; tx++) {
                const int64_t x = cp_border(d->border, j * d->stride_w - d->pad_left + tx * d->dilation_w, d->iw);
                if (x < 0) continue;
                for (int64_t c = cb; c < c_end; c++) {
                    const float w = o->weights[(c * d->kh + ty) * d->kw + tx];
                    acc = cp_fma(row[conv2d_channel_offset(o, c) + x * call->src_strides.column], w, acc);
                }
            }
        }
    }
    return acc;
}

/* `rows` x 8 outputs from (i, j) on, whose taps [y_begin, y_end) read existing rows. With `edge`, windows may cross the left and
 * right border. */
static CP_INLINE void conv2d_width_block(const conv2d_channel *o, int64_t i, int64_t j, int64_t y_begin, int64_t y_end, v8 *acc,
                                         const int rows, const int64_t step, const bool edge) {
    const cp_conv2d_width *a = o->a;
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const int64_t column = call->src_strides.column, taps = d->kh * d->kw, left = j * d->stride_w - d->pad_left;
    CP_UNROLL
    for (int k = 0; k < rows; k++) acc[k] = v8_set1(o->bias);
    for (int64_t cb = 0; cb < o->count; cb += CP_BLOCK) {
        const int64_t channels = CP_MIN(CP_BLOCK, o->count - cb);
        int64_t channel[CP_BLOCK];
        for (int64_t c = 0; c < channels; c++) channel[c] = conv2d_channel_offset(o, cb + c);
        for (int64_t ty = y_begin; ty < y_end; ty++) {
            const float *weights = o->weights + (cb * d->kh + ty) * d->kw;
            const float *row[WINDOW_ROWS];
            CP_UNROLL
            for (int k = 0; k < rows; k++) row[k] = call->src + conv2d_row_offset(a, i + k, ty) + left * column;
            for (int64_t tx = 0; tx < d->kw; tx++, weights++) {
                const int64_t x = tx * d->dilation_w;
                for (int64_t c = 0; c < channels; c++) {
                    const float w = weights[c * taps];
                    const int64_t at = channel[c] + x * column;
                    CP_UNROLL
                    for (int k = 0; k < rows; k++) {
                        const float *p = row[k] + at;
                        acc[k] =
                            v8_fma1(edge ? window_load_edge(p, left + x, d->iw, step, NULL) : v8_load_step(p, step), w, acc[k]);
                    }
                }
            }
        }
    }
}

/* How the vectors of a row lie: whole windows within [begin, end), masks where they may serve beyond. */
typedef struct conv2d_columns {
    int64_t begin, end, n;
    bool masks;
} conv2d_columns;

/* Residual, activation and store of `rows` x n outputs from (i, j) on. */
static CP_INLINE void conv2d_width_store(const cp_conv2d_width *a, const v8 *acc, const int rows, int64_t n, int64_t i, int64_t j) {
    const cp_conv2d_call *call = &a->call;
    const cp_activation activation = call->activation;
    float *dst = call->dst + i * call->dst_strides.row + j * call->dst_strides.column;
    const float *residual = call->residual;
    if (residual != NULL) residual += i * call->residual_strides.row + j * call->residual_strides.column;
    CP_UNROLL
    for (int k = 0; k < rows; k++, dst += call->dst_strides.row) {
        v8 y = acc[k];
        if (residual != NULL) {
            float t[8] = {0};
            for (int64_t p = 0; p < n; p++) t[p] = residual[p * call->residual_strides.column];
            y = v8_add(y, v8_load(t));
            residual += call->residual_strides.row;
        }
        y = v8_activate(y, &activation);
        if (n == 8 && call->dst_strides.column == 1) {
            v8_store(dst, y);
        } else {
            float t[8];
            v8_store(t, y);
            for (int64_t p = 0; p < n; p++) dst[p * call->dst_strides.column] = t[p];
        }
    }
}

/* n outputs from (i, j) on, pixel by pixel. */
static CP_NOINLINE v8 conv2d_width_pixels(const conv2d_channel *o, int64_t i, int64_t j, int64_t n) {
    float pixels[8] = {0};
    for (int64_t p = 0; p < n; p++) pixels[p] = conv2d_pixel(o, i, j + p);
    return v8_load(pixels);
}

/* Rows i .. i + rows - 1. The last vector overlaps the one before and computes the same again. */
static CP_INLINE void conv2d_width_rows(const conv2d_channel *o, const conv2d_columns *columns, int64_t i, int64_t y_begin,
                                        int64_t y_end, const int rows, const int64_t step) {
    const cp_conv2d_width *a = o->a;
    v8 acc[WINDOW_ROWS];
    for (int64_t block = 0; block < a->ow; block += 8) {
        const int64_t n = columns->n, j = CP_MIN(block, a->ow - n);
        if (j >= columns->begin && j + 8 <= columns->end) {
            conv2d_width_block(o, i, j, y_begin, y_end, acc, rows, step, false);
        } else if (columns->masks) {
            conv2d_width_block(o, i, j, y_begin, y_end, acc, rows, step, true);
        } else {
            for (int k = 0; k < rows; k++) acc[k] = conv2d_width_pixels(o, i + k, j, n);
        }
        conv2d_width_store(a, acc, rows, n, i, j);
    }
}

/* All rows of the task: four at a time where their taps read existing rows, else one by one. */
static CP_INLINE void conv2d_width_task(const conv2d_channel *o, const conv2d_columns *columns, const int64_t step) {
    const cp_conv2d_width *a = o->a;
    const convpool_conv2d_desc *d = a->call.desc;
    const int64_t rows_end = a->row + a->rows;
    for (int64_t i = a->row; i < rows_end;) {
        int64_t y_begin, y_end, last_begin, last_end;
        conv2d_row_taps(d, i, &y_begin, &y_end);
        bool four = i + WINDOW_ROWS <= rows_end && y_end - y_begin == d->kh;
        if (four) {
            conv2d_row_taps(d, i + WINDOW_ROWS - 1, &last_begin, &last_end);
            four = last_end - last_begin == d->kh;
        }
        if (four) {
            conv2d_width_rows(o, columns, i, y_begin, y_end, WINDOW_ROWS, step);
            i += WINDOW_ROWS;
        } else {
            conv2d_width_rows(o, columns, i, y_begin, y_end, 1, step);
            i++;
        }
    }
}

static void CP_NAME(conv2d_width)(const cp_conv2d_width *a) {
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const int64_t in_channels = d->in_channels / d->groups, channel = a->out_channel;
    const int64_t step = a->ow == 1 ? 1 : d->stride_w * call->src_strides.column; /* A lone column has no next one to step to. */
    const conv2d_channel o = {.a = a,
                              .weights = call->weights + channel * in_channels * d->kh * d->kw,
                              .bias = call->bias[channel],
                              .first = channel / (d->out_channels / d->groups) * in_channels,
                              .count = in_channels};
    const int64_t last = d->iw - 1 - (d->kw - 1) * d->dilation_w + d->pad_left;
    const conv2d_columns columns = {
        .begin = cp_ceil_div(d->pad_left, d->stride_w),
        .end = last < 0 ? 0 : last / d->stride_w + 1,
        .n = CP_MIN(8, a->ow),
        .masks = d->border == CONVPOOL_BORDER_ZERO && !call->clip_taps && call->src_strides.column == 1 && step <= 2,
    };
    if (step == 1) {
        conv2d_width_task(&o, &columns, 1);
    } else if (step == 2 && call->src_strides.column == 1) {
        conv2d_width_task(&o, &columns, 2);
    } else {
        conv2d_width_task(&o, &columns, step);
    }
}
