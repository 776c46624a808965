/* SPDX-License-Identifier: MIT
 * Direct convolution with vector lanes along the width: depthwise layers, few output channels, single-channel images.
 *
 * Tile:       4 output rows x 8 pixels of one output channel. Depthwise 3x3 and 5x5: each input row is loaded once for all outputs
 *             that need it, 36 FMAs on 18 loads. Any other kernel: one load per FMA.
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
    return cp_channel_offset(o->a->desc->src_layout, o->a->src_strides.channel, o->first + c);
}

/* Taps of output row i: within the image, or all of them where the border is not zero. */
static CP_INLINE void conv2d_row_taps(const convpool_conv2d_desc *d, int64_t i, int64_t *begin, int64_t *end) {
    *begin = 0;
    *end = d->kh;
    if (d->border == CONVPOOL_BORDER_ZERO) cp_tap_range(i * d->stride_h - d->pad_top, d->dilation_h, d->kh, d->ih, begin, end);
}

/* Row that tap ty of output row i reads, as floats from the plane's beginning. */
static CP_INLINE int64_t conv2d_row_offset(const cp_conv2d_width *a, int64_t i, int64_t ty) {
    const convpool_conv2d_desc *d = a->desc;
    return cp_border(d->border, i * d->stride_h - d->pad_top + ty * d->dilation_h, d->ih) * a->src_strides.row;
}

/* One pixel, wherever its window lies. */
static float conv2d_pixel(const conv2d_channel *o, int64_t i, int64_t j) {
    const cp_conv2d_width *a = o->a;
    const convpool_conv2d_desc *d = a->desc;
    int64_t y_begin, y_end;
    conv2d_row_taps(d, i, &y_begin, &y_end);
    float acc = o->bias;
    for (int64_t cb = 0; cb < o->count; cb += CP_BLOCK) {
        const int64_t c_end = CP_MIN(cb + CP_BLOCK, o->count);
        for (int64_t ty = y_begin; ty < y_end; ty++) {
            const float *row = a->src + conv2d_row_offset(a, i, ty);
            for (int64_t tx = 0; tx < d->kw; tx++) {
                const int64_t x = cp_border(d->border, j * d->stride_w - d->pad_left + tx * d->dilation_w, d->iw);
                if (x < 0) continue;
                for (int64_t c = cb; c < c_end; c++) {
                    const float w = o->weights[(c * d->kh + ty) * d->kw + tx];
                    acc = cp_fma(row[conv2d_channel_offset(o, c) + x * a->src_strides.column], w, acc);
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
    const convpool_conv2d_desc *d = a->desc;
    const int64_t column = a->src_strides.column, taps = d->kh * d->kw, left = j * d->stride_w - d->pad_left;
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
            for (int k = 0; k < rows; k++) row[k] = a->src + conv2d_row_offset(a, i + k, ty) + left * column;
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

/* 4 x 8 outputs of a depthwise channel with a square kernel. `lines` are the rows of the input that they need, at the first column
 * of the first window; NULL for one outside. */
static CP_INLINE void conv2d_depthwise_block(const float *const *lines, int64_t x, const v8 *w, v8 bias, v8 *acc, const int kernel,
                                             const int step, const window_edge *edge) {
    CP_UNROLL
    for (int k = 0; k < WINDOW_ROWS; k++) acc[k] = bias;
    CP_UNROLL
    for (int line = 0; line < (WINDOW_ROWS - 1) * step + kernel; line++) {
        v8 taps[WINDOW_KERNEL];
        if (lines[line] == NULL) continue;
        window_taps(lines[line] + x, kernel, step, edge, NULL, taps);
        CP_UNROLL
        for (int tx = 0; tx < kernel; tx++) {
            CP_UNROLL
            for (int k = 0; k < WINDOW_ROWS; k++) {
                const int ty = line - k * step;
                if (ty >= 0 && ty < kernel) acc[k] = v8_fma(taps[tx], w[ty * kernel + tx], acc[k]);
            }
        }
    }
    CP_UNROLL
    for (int k = 0; k < WINDOW_ROWS; k++) acc[k] = step == 2 ? v8_in_order(acc[k]) : acc[k];
}

/* How the vectors of a row lie: whole windows within [begin, end), masks where they may serve beyond. */
typedef struct conv2d_columns {
    int64_t begin, end, n;
    bool masks;
} conv2d_columns;

/* Residual, activation and store of `rows` x n outputs from (i, j) on. */
static CP_INLINE void conv2d_width_store(const cp_conv2d_width *a, const v8 *acc, const int rows, int64_t n, int64_t i, int64_t j) {
    const cp_activation activation = a->activation;
    float *dst = a->dst + i * a->dst_strides.row + j * a->dst_strides.column;
    const float *residual = a->residual;
    if (residual != NULL) residual += i * a->residual_strides.row + j * a->residual_strides.column;
    CP_UNROLL
    for (int k = 0; k < rows; k++, dst += a->dst_strides.row) {
        v8 y = acc[k];
        if (residual != NULL) {
            float t[8] = {0};
            for (int64_t p = 0; p < n; p++) t[p] = residual[p * a->residual_strides.column];
            y = v8_add(y, v8_load(t));
            residual += a->residual_strides.row;
        }
        y = v8_activate(y, &activation);
        if (n == 8 && a->dst_strides.column == 1) {
            v8_store(dst, y);
        } else {
            float t[8];
            v8_store(t, y);
            for (int64_t p = 0; p < n; p++) dst[p * a->dst_strides.column] = t[p];
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
    const convpool_conv2d_desc *d = a->desc;
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

/* Blocks of whole windows from column j to `end`, the last one overlapping the one before. A loop of its own, so that 3x3 weights
 * stay in registers: 9 weights, 4 accumulators and 3 inputs are all 16. Writes clipped results without residual. */
static CP_INLINE void conv2d_depthwise_inside(const conv2d_channel *o, const float *const *lines, int64_t i, int64_t j, int64_t end,
                                              const int kernel, const int step) {
    const cp_conv2d_width *a = o->a;
    const v8 bias = v8_set1(o->bias), lo = v8_set1(a->activation.lo), hi = v8_set1(a->activation.hi);
    const int64_t pitch = a->dst_strides.row;
    float *dst = a->dst + i * pitch;
    v8 w[WINDOW_KERNEL * WINDOW_KERNEL], acc[WINDOW_ROWS];
    CP_UNROLL
    for (int t = 0; t < kernel * kernel; t++) w[t] = v8_set1(o->weights[t]);
    for (; j < end; j += 8) {
        const int64_t at = CP_MIN(j, end - 8);
        conv2d_depthwise_block(lines, at * step, w, bias, acc, kernel, step, NULL);
        CP_UNROLL
        for (int k = 0; k < WINDOW_ROWS; k++) v8_store(dst + k * pitch + at, v8_clip(acc[k], lo, hi));
    }
}

/* A depthwise channel of at least 4 rows, the last of which overlap the ones before: a block at each end of a row, and whole
 * windows between them. */
static CP_INLINE void conv2d_depthwise_task(const conv2d_channel *o, const conv2d_columns *columns, const int kernel,
                                            const int step) {
    const cp_conv2d_width *a = o->a;
    const convpool_conv2d_desc *d = a->desc;
    const float *plane = a->src + conv2d_channel_offset(o, 0), *lines[WINDOW_LINES];
    const int64_t n = columns->n, pitch = a->dst_strides.row;
    const bool plain = a->residual == NULL && a->activation.kind == CONVPOOL_ACTIVATION_CLIP && n == 8;
    const bool inside = plain && a->ow > 16;
    const v8 bias = v8_set1(o->bias), lo = v8_set1(a->activation.lo), hi = v8_set1(a->activation.hi);
    v8 w[WINDOW_KERNEL * WINDOW_KERNEL], acc[WINDOW_ROWS];
    for (int t = 0; t < kernel * kernel; t++) w[t] = v8_set1(o->weights[t]);
    window_edge edges[2];
    int edge_count = 0;
    if (!inside || columns->begin > 0) window_edge_init(&edges[edge_count++], 0, d->pad_left, d->iw, kernel, step);
    if ((!inside && a->ow > 8) || (inside && columns->end < a->ow)) {
        window_edge_init(&edges[edge_count++], a->ow - n, d->pad_left, d->iw, kernel, step);
    }
    for (int64_t group = a->row; group < a->row + a->rows; group += WINDOW_ROWS) {
        const int64_t i = CP_MIN(group, a->row + a->rows - WINDOW_ROWS);
        for (int line = 0; line < (WINDOW_ROWS - 1) * step + kernel; line++) {
            const int64_t y = cp_border(d->border, i * step - d->pad_top + line, d->ih);
            lines[line] = y < 0 ? NULL : plane + y * a->src_strides.row - d->pad_left;
        }
        for (int e = 0; e < edge_count; e++) {
            const int64_t j = edges[e].j;
            conv2d_depthwise_block(lines, j * step, w, bias, acc, kernel, step, &edges[e]);
            if (plain) {
                CP_UNROLL
                for (int k = 0; k < WINDOW_ROWS; k++) v8_store(a->dst + (i + k) * pitch + j, v8_clip(acc[k], lo, hi));
            } else {
                conv2d_width_store(a, acc, WINDOW_ROWS, n, i, j);
            }
        }
        if (inside) conv2d_depthwise_inside(o, lines, i, columns->begin, CP_MIN(columns->end, a->ow), kernel, step);
    }
}

static void CP_NAME(conv2d_width)(const cp_conv2d_width *a) {
    const convpool_conv2d_desc *d = a->desc;
    const int64_t in_channels = d->in_channels / d->groups, channel = a->out_channel;
    const int64_t step = a->ow == 1 ? 1 : d->stride_w * a->src_strides.column; /* A lone column has no next one to step to. */
    const conv2d_channel o = {.a = a,
                              .weights = a->weights + channel * in_channels * d->kh * d->kw,
                              .bias = a->bias[channel],
                              .first = channel / (d->out_channels / d->groups) * in_channels,
                              .count = in_channels};
    const int64_t last = d->iw - 1 - (d->kw - 1) * d->dilation_w + d->pad_left;
    const conv2d_columns columns = {
        .begin = cp_ceil_div(d->pad_left, d->stride_w),
        .end = last < 0 ? 0 : last / d->stride_w + 1,
        .n = CP_MIN(8, a->ow),
        .masks = d->border == CONVPOOL_BORDER_ZERO && !a->clip_taps && a->src_strides.column == 1 && step <= 2,
    };
    const bool plain = a->residual == NULL && a->activation.kind == CONVPOOL_ACTIVATION_CLIP;
    const bool depthwise =
        in_channels == 1 && d->kh == d->kw && d->dilation_h == 1 && d->dilation_w == 1 && d->stride_h == step &&
        a->rows >= WINDOW_ROWS && a->dst_strides.column == 1 && columns.masks &&
        (a->ow <= 16 || (plain && columns.begin <= 8 && columns.end + 8 >= a->ow && columns.end - columns.begin >= 8));
    if (depthwise && d->kh == 3 && step == 1) {
        conv2d_depthwise_task(&o, &columns, 3, 1);
    } else if (depthwise && d->kh == 3 && step == 2) {
        conv2d_depthwise_task(&o, &columns, 3, 2);
    } else if (depthwise && d->kh == 5 && step == 1) {
        conv2d_depthwise_task(&o, &columns, 5, 1);
    } else if (depthwise && d->kh == 5 && step == 2) {
        conv2d_depthwise_task(&o, &columns, 5, 2);
    } else if (step == 1) {
        conv2d_width_task(&o, &columns, 1);
    } else if (step == 2 && a->src_strides.column == 1) {
        conv2d_width_task(&o, &columns, 2);
    } else {
        conv2d_width_task(&o, &columns, step);
    }
}
