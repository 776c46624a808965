/* SPDX-License-Identifier: MIT
 * Direct convolution with vector lanes along the width: depthwise layers, few output channels, single-channel images.
 *
 * Tile:    1 output channel x 32 pixels of a row: 4 accumulators, a broadcast weight, sources as memory operands.
 * Bound:   loads; one load per FMA.
 * Edges:   pixels whose windows cross the left or right border are computed one by one, with taps skipped or mapped. */

enum { CONV2D_WIDTH_VECTORS = 4, CONV2D_WIDTH_ROWS = 4, CONV2D_WIDTH_KERNEL = 5 };

/* 8 floats, `step` apart. */
static CP_INLINE v8 v8_load_step(const float *p, int64_t step) {
    if (step == 1) return v8_load(p);
    if (step == 2) return v8_in_order(v8_pick_even7(v8_load(p), v8_load(p + 7)));
    float t[8];
    for (int i = 0; i < 8; i++) t[i] = p[i * step];
    return v8_load(t);
}

/* What all pixels of one output row share. */
typedef struct conv2d_row {
    const cp_conv2d_width *a;
    const float *weights; /* of the output channel */
    float bias;
    int64_t channel, channels; /* of src: the group's first, and how many it has */
    int64_t origin_y, y_begin, y_end;
} conv2d_row;

/* Moves on to output row i. */
static CP_INLINE void conv2d_row_at(conv2d_row *r, int64_t i) {
    const convpool_conv2d_desc *d = r->a->desc;
    r->origin_y = i * d->stride_h - d->pad_top;
    if (d->border == CONVPOOL_BORDER_ZERO) cp_tap_range(r->origin_y, d->dilation_h, d->kh, d->ih, &r->y_begin, &r->y_end);
}

/* Row that tap ty reads, as floats from the plane's beginning. */
static CP_INLINE int64_t conv2d_row_offset(const conv2d_row *r, int64_t ty) {
    const convpool_conv2d_desc *d = r->a->desc;
    return cp_border(d->border, r->origin_y + ty * d->dilation_h, d->ih) * r->a->src_strides.row;
}

static CP_INLINE int64_t conv2d_row_channel(const conv2d_row *r, int64_t c) {
    return cp_channel_offset(r->a->desc->src_layout, r->a->src_strides.channel, r->channel + c);
}

/* `vectors` x 8 pixels from column j on, whose windows lie within the image's columns. `step` is the distance of neighbouring
 * windows, a constant where it matters. */
static CP_INLINE void conv2d_width_vectors(const conv2d_row *r, int64_t j, const int vectors, const int64_t step, float *row) {
    const convpool_conv2d_desc *d = r->a->desc;
    const int64_t column = r->a->src_strides.column;
    v8 acc[CONV2D_WIDTH_VECTORS];
    CP_UNROLL
    for (int v = 0; v < vectors; v++) acc[v] = v8_set1(r->bias);
    const float *origin = r->a->src + (j * d->stride_w - d->pad_left) * column;
    for (int64_t cb = 0; cb < r->channels; cb += CP_BLOCK) {
        const int64_t c_end = CP_MIN(cb + CP_BLOCK, r->channels);
        for (int64_t ty = r->y_begin; ty < r->y_end; ty++) {
            const float *line = origin + conv2d_row_offset(r, ty);
            for (int64_t tx = 0; tx < d->kw; tx++) {
                for (int64_t c = cb; c < c_end; c++) {
                    const float *x = line + conv2d_row_channel(r, c) + tx * d->dilation_w * column;
                    const float w = r->weights[(c * d->kh + ty) * d->kw + tx];
                    CP_UNROLL
                    for (int v = 0; v < vectors; v++) acc[v] = v8_fma1(v8_load_step(x + v * 8 * step, step), w, acc[v]);
                }
            }
        }
    }
    CP_UNROLL
    for (int v = 0; v < vectors; v++) v8_store(row + v * 8, acc[v]);
}

/* One pixel, wherever its window lies. */
static float conv2d_width_pixel(const conv2d_row *r, int64_t j) {
    const convpool_conv2d_desc *d = r->a->desc;
    const int64_t origin = j * d->stride_w - d->pad_left;
    float acc = r->bias;
    for (int64_t cb = 0; cb < r->channels; cb += CP_BLOCK) {
        const int64_t c_end = CP_MIN(cb + CP_BLOCK, r->channels);
        for (int64_t ty = r->y_begin; ty < r->y_end; ty++) {
            const float *line = r->a->src + conv2d_row_offset(r, ty);
            for (int64_t tx = 0; tx < d->kw; tx++) {
                const int64_t x = cp_border(d->border, origin + tx * d->dilation_w, d->iw);
                if (x < 0) continue;
                for (int64_t c = cb; c < c_end; c++) {
                    acc = cp_fma(line[conv2d_row_channel(r, c) + x * r->a->src_strides.column],
                                 r->weights[(c * d->kh + ty) * d->kw + tx], acc);
                }
            }
        }
    }
    return acc;
}

/* Residual and activation for n results, and where they go. */
static CP_INLINE void conv2d_width_finish(const cp_conv2d_width *a, const float *acc, int64_t n, float *dst,
                                          const float *residual) {
    const cp_activation activation = {a->desc->activation, a->desc->activation_alpha, a->desc->activation_beta};
    const int64_t d_step = a->dst_strides.column, r_step = a->residual_strides.column;
    for (int64_t j = 0; j < n; j += 8) {
        const int64_t m = CP_MIN(8, n - j);
        float t[8];
        v8 y = m == 8 ? v8_load(acc + j) : v8_loadn(acc + j, m);
        if (residual != NULL) {
            if (r_step != 1) {
                for (int64_t k = 0; k < 8; k++) t[k] = k < m ? residual[(j + k) * r_step] : 0.0f;
            }
            y = v8_add(y, r_step == 1 ? v8_loadn(residual + j, m) : v8_load(t));
        }
        y = v8_activate(y, &activation);
        if (m == 8 && d_step == 1) {
            v8_store(dst + j, y);
        } else {
            v8_store(t, y);
            for (int64_t k = 0; k < m; k++) dst[(j + k) * d_step] = t[k];
        }
    }
}

static CP_INLINE void conv2d_width_row(const conv2d_row *r, float *dst, const float *residual, const int64_t step) {
    const cp_conv2d_width *a = r->a;
    const convpool_conv2d_desc *d = a->desc;
    const int64_t span = (d->kw - 1) * d->dilation_w;
    const int64_t inside_begin = CP_MIN(cp_ceil_div(d->pad_left, d->stride_w), a->ow);
    const int64_t last = d->iw - 1 - span + d->pad_left; /* the last column at which a window may begin, from the padding's edge */
    const int64_t inside_end = last < 0 ? inside_begin : CP_MAX(inside_begin, CP_MIN(a->ow, last / d->stride_w + 1));
    float acc[8 * CONV2D_WIDTH_VECTORS];
    int64_t j = 0;
    while (j < a->ow) {
        int64_t n = 1, begin = j;
        if (j < inside_begin || j >= inside_end || inside_end - inside_begin < 8) {
            acc[0] = conv2d_width_pixel(r, j);
        } else if (inside_end - j >= 8 * CONV2D_WIDTH_VECTORS) {
            n = 8 * CONV2D_WIDTH_VECTORS;
            conv2d_width_vectors(r, j, CONV2D_WIDTH_VECTORS, step, acc);
        } else {
            n = 8; /* The last vector overlaps the one before and computes the same again. */
            begin = CP_MIN(j, inside_end - 8);
            conv2d_width_vectors(r, begin, 1, step, acc);
        }
        conv2d_width_finish(a, acc, n, dst + begin * a->dst_strides.column,
                            residual == NULL ? NULL : residual + begin * a->residual_strides.column);
        j = begin + n;
    }
}

/* Residual, activation and store of n outputs that lie side by side. */
static CP_NOINLINE void conv2d_width_store(const cp_conv2d_width *a, const v8 *acc, int rows, int64_t n, float *dst,
                                           const float *residual) {
    const cp_activation activation = {a->desc->activation, a->desc->activation_alpha, a->desc->activation_beta};
    for (int k = 0; k < rows; k++, dst += a->dst_strides.row) {
        v8 y = acc[k];
        if (residual != NULL) {
            y = v8_add(y, n == 8 ? v8_load(residual) : v8_loadn(residual, n));
            residual += a->residual_strides.row;
        }
        y = v8_activate(y, &activation);
        if (n == 8) {
            v8_store(dst, y);
        } else {
            v8_storen(dst, y, n);
        }
    }
}

/* 4 x 8 outputs of a depthwise channel from (i, j) on. Each row of the input is loaded once for all outputs that need it. With
 * `edge`, windows may cross the left and right border. */
static CP_INLINE void conv2d_depthwise_block(const conv2d_row *r, int64_t i, int64_t j, v8 acc[CONV2D_WIDTH_ROWS], const int kernel,
                                             const int step, const bool edge) {
    const cp_conv2d_width *a = r->a;
    const convpool_conv2d_desc *d = a->desc;
    const float *plane = a->src + conv2d_row_channel(r, 0);
    const int64_t x = j * step - d->pad_left, y = i * step - d->pad_top;
    v8_mask lo[CONV2D_WIDTH_KERNEL], hi[CONV2D_WIDTH_KERNEL];
    CP_UNROLL
    for (int tx = 0; edge && tx < kernel; tx++) {
        lo[tx] = v8_range(-(x + tx), d->iw - (x + tx));
        hi[tx] = v8_range(-(x + tx) - 7, d->iw - (x + tx) - 7);
    }
    CP_UNROLL
    for (int k = 0; k < CONV2D_WIDTH_ROWS; k++) acc[k] = v8_set1(r->bias);
    CP_UNROLL
    for (int line = 0; line < (CONV2D_WIDTH_ROWS - 1) * step + kernel; line++) {
        const int64_t source = cp_border(d->border, y + line, d->ih);
        if (source < 0) continue;
        const float *row = plane + source * a->src_strides.row + x;
        CP_UNROLL
        for (int tx = 0; tx < kernel; tx++) {
            v8 v = edge ? v8_load_masked(row + tx, lo[tx]) : v8_load(row + tx);
            if (step == 2) v = v8_pick_even7(v, edge ? v8_load_masked(row + tx + 7, hi[tx]) : v8_load(row + tx + 7));
            CP_UNROLL
            for (int k = 0; k < CONV2D_WIDTH_ROWS; k++) {
                const int ty = line - k * step;
                if (ty >= 0 && ty < kernel) acc[k] = v8_fma1(v, r->weights[ty * kernel + tx], acc[k]);
            }
        }
    }
    CP_UNROLL
    for (int k = 0; k < CONV2D_WIDTH_ROWS; k++) acc[k] = step == 2 ? v8_in_order(acc[k]) : acc[k];
}

/* The rows of one channel of a depthwise layer with a square kernel; at least 4. The last block in each direction overlaps the one
 * before and computes the same again. */
static CP_INLINE void conv2d_depthwise(conv2d_row *r, float *dst, const float *residual, const int kernel, const int step) {
    const cp_conv2d_width *a = r->a;
    const convpool_conv2d_desc *d = a->desc;
    const int64_t inside_begin = cp_ceil_div(d->pad_left, step), last = d->iw - kernel + d->pad_left;
    const int64_t inside_end = last < 0 ? 0 : last / step + 1, n = CP_MIN(8, a->ow), rows_end = a->row + a->rows;
    const bool masks = d->border == CONVPOOL_BORDER_ZERO && !a->clip_taps;
    v8 acc[CONV2D_WIDTH_ROWS];
    for (int64_t group = a->row; group < rows_end; group += CONV2D_WIDTH_ROWS) {
        const int64_t i = CP_MIN(group, rows_end - CONV2D_WIDTH_ROWS);
        for (int64_t block = 0; block < a->ow; block += 8) {
            const int64_t j = CP_MIN(block, a->ow - n);
            if (j >= inside_begin && j + 8 <= inside_end) {
                conv2d_depthwise_block(r, i, j, acc, kernel, step, false);
            } else if (masks) {
                conv2d_depthwise_block(r, i, j, acc, kernel, step, true);
            } else {
                for (int k = 0; k < CONV2D_WIDTH_ROWS; k++) {
                    float pixels[8] = {0};
                    conv2d_row_at(r, i + k);
                    for (int64_t p = 0; p < n; p++) pixels[p] = conv2d_width_pixel(r, j + p);
                    acc[k] = v8_load(pixels);
                }
            }
            conv2d_width_store(a, acc, CONV2D_WIDTH_ROWS, n, dst + i * a->dst_strides.row + j,
                               residual == NULL ? NULL : residual + i * a->residual_strides.row + j);
        }
    }
}

static void CP_NAME(conv2d_width)(const cp_conv2d_width *a) {
    const convpool_conv2d_desc *d = a->desc;
    const int64_t in_channels = d->in_channels / d->groups, step = d->stride_w * a->src_strides.column;
    const int64_t o = a->out_channel;
    conv2d_row r = {.a = a,
                    .weights = a->weights + o * in_channels * d->kh * d->kw,
                    .bias = a->bias[o],
                    .channel = o / (d->out_channels / d->groups) * in_channels,
                    .channels = in_channels,
                    .y_end = d->kh};
    float *dst = a->dst + cp_channel_offset(d->dst_layout, a->dst_strides.channel, o);
    const float *residual = a->residual;
    if (residual != NULL) residual += cp_channel_offset(d->dst_layout, a->residual_strides.channel, o);
    const bool depthwise = in_channels == 1 && d->dilation_h == 1 && d->dilation_w == 1 && d->stride_h == step &&
                           a->src_strides.column == 1 && a->dst_strides.column == 1 &&
                           (residual == NULL || a->residual_strides.column == 1) && d->kh == d->kw && step <= 2 &&
                           a->rows >= CONV2D_WIDTH_ROWS;
    if (depthwise && d->kh == 3 && step == 1) {
        conv2d_depthwise(&r, dst, residual, 3, 1);
    } else if (depthwise && d->kh == 3) {
        conv2d_depthwise(&r, dst, residual, 3, 2);
    } else if (depthwise && d->kh == 5 && step == 1) {
        conv2d_depthwise(&r, dst, residual, 5, 1);
    } else if (depthwise && d->kh == 5) {
        conv2d_depthwise(&r, dst, residual, 5, 2);
    } else {
        for (int64_t i = a->row; i < a->row + a->rows; i++) {
            float *dst_row = dst + i * a->dst_strides.row;
            const float *residual_row = residual == NULL ? NULL : residual + i * a->residual_strides.row;
            conv2d_row_at(&r, i);
            if (step == 1) {
                conv2d_width_row(&r, dst_row, residual_row, 1);
            } else if (step == 2) {
                conv2d_width_row(&r, dst_row, residual_row, 2);
            } else {
                conv2d_width_row(&r, dst_row, residual_row, step);
            }
        }
    }
}
