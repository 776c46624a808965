/* SPDX-License-Identifier: MIT
 * Depthwise 3x3 and 5x5 convolution of planes with the widest vectors along the width, stride 1 and 2.
 *
 * Tile:       4 output rows x one vector, 8 rows with AVX-512 and stride 1: each input row is loaded once for all outputs that need
 *             it.
 * Registers:  4 accumulators, 9 weights and 3 inputs are all 16 of AVX2; the 25 weights of 5x5 stay in those of AVX-512 only.
 * Bound:      3x3: 36 FMAs on 18 loads across cache lines; for large planes the memory that src comes from.
 * Edges:      masked loads, where windows cross the left and right border. */

enum {
    PLANES_ROWS = CP_WIDE / 2,
    PLANES_ROWS_2 = 4,
    PLANES_KERNEL = 5,
    PLANES_LINES = PLANES_ROWS + PLANES_ROWS_2 + PLANES_KERNEL
};

/* Two neighbouring taps of stride 2 share their loads, p[0..] and the vector after it; a last one reads one float less. */
static CP_INLINE int planes_far(int tap, int kernel) { return tap + 1 < kernel ? CP_WIDE : CP_WIDE - 1; }

/* A block of columns from output j on whose windows may cross the borders of the row, and what of it exists. */
typedef struct planes_edge {
    int64_t j;
    vw_mask near[PLANES_KERNEL], far[PLANES_KERNEL];
} planes_edge;

static CP_INLINE void planes_edge_init(planes_edge *edge, int64_t j, const convpool_conv2d_desc *d, const int kernel,
                                       const int step) {
    edge->j = j;
    for (int tap = 0; tap < kernel; tap++) {
        const int64_t x = j * step - d->pad_left + tap, far = x + planes_far(tap, kernel);
        edge->near[tap] = vw_range(-x, d->iw - x);
        edge->far[tap] = vw_range(-far, d->iw - far);
    }
}

/* The taps of one row of windows, the first of which begins at p. */
static CP_INLINE void planes_taps(const float *p, const int kernel, const int step, const planes_edge *edge, vw *taps) {
    CP_UNROLL
    for (int tap = 0; tap < kernel; tap += step) {
        const vw near = edge == NULL ? vw_keep(vw_load(p + tap)) : vw_load_masked(p + tap, edge->near[tap]);
        taps[tap] = near;
        if (step == 1) continue;
        const float *q = p + tap + planes_far(tap, kernel);
        const vw far = edge == NULL ? vw_keep(vw_load(q)) : vw_load_masked(q, edge->far[tap]);
        taps[tap] = tap + 1 < kernel ? vw_pick_even(near, far) : vw_pick_even_last(near, far);
        if (tap + 1 < kernel) taps[tap + 1] = vw_pick_odd(near, far);
    }
}

/* `lines` are the rows of the input that `rows` rows of outputs need, at the first column of the first window; NULL for one
 * outside. */
static CP_INLINE void planes_block(const float *const *lines, int64_t x, const vw *w, vw bias, vw *acc, const int rows,
                                   const int kernel, const int step, const bool complete, const planes_edge *edge) {
    CP_UNROLL
    for (int k = 0; k < rows; k++) acc[k] = bias;
    CP_UNROLL
    for (int line = 0; line < (rows - 1) * step + kernel; line++) {
        vw taps[PLANES_KERNEL];
        if (!complete && lines[line] == NULL) continue;
        planes_taps(lines[line] + x, kernel, step, edge, taps);
        CP_UNROLL
        for (int tx = 0; tx < kernel; tx++) {
            CP_UNROLL
            for (int k = 0; k < rows; k++) {
                const int ty = line - k * step;
                if (ty >= 0 && ty < kernel) acc[k] = vw_fma(taps[tx], w[ty * kernel + tx], acc[k]);
            }
        }
    }
    CP_UNROLL
    for (int k = 0; k < rows; k++) acc[k] = step == 2 ? vw_in_order(acc[k]) : acc[k];
}

/* n outputs of each of `count` rows, at most `rows`; `residual` may be NULL. */
static CP_INLINE void planes_store(const cp_conv2d_depthwise *a, const vw *acc, const int rows, int64_t count, int64_t n,
                                   float *dst, const float *residual) {
    const bool clip = a->activation.kind == CONVPOOL_ACTIVATION_CLIP;
    const vw lo = vw_set1(a->activation.lo), hi = vw_set1(a->activation.hi);
    CP_UNROLL
    for (int k = 0; k < rows; k++) {
        if (k == count) break;
        float *to = dst + k * a->dst_strides.row;
        if (residual == NULL && clip) {
            if (n == CP_WIDE) {
                vw_store(to, vw_clip(acc[k], lo, hi));
            } else {
                vw_storen(to, vw_clip(acc[k], lo, hi), n);
            }
            continue;
        }
        float outputs[CP_WIDE];
        vw_store(outputs, acc[k]);
        for (int64_t p = 0; p < n; p += 8) {
            const int64_t part = CP_MIN(8, n - p);
            v8 y = v8_load(outputs + p);
            if (residual != NULL) y = v8_add(y, v8_loadn(residual + k * a->residual_strides.row + p, part));
            v8_storen(to + p, v8_activate(y, &a->activation), part);
        }
    }
}

static CP_INLINE void planes_task(const cp_conv2d_depthwise *a, const int rows, const int kernel, const int step) {
    const convpool_conv2d_desc *d = a->desc;
    const int64_t multiplier = d->out_channels / d->in_channels, n = CP_MIN(CP_WIDE, a->columns);
    const int64_t inside_end = CP_MIN(a->columns, (d->iw - kernel + d->pad_left) / step + 1);
    planes_edge edges[2];
    planes_edge_init(&edges[0], 0, d, kernel, step);
    planes_edge_init(&edges[1], a->columns - n, d, kernel, step);
    const int edge_count = a->columns > CP_WIDE ? 2 : 1;
    for (int64_t c = a->channel; c < a->channel + a->channels; c++) {
        const float *plane = a->src + c / multiplier * a->src_strides.channel, *weights = a->weights + c * kernel * kernel;
        const vw bias = vw_set1(a->bias[c]);
        vw w[PLANES_KERNEL * PLANES_KERNEL], acc[PLANES_ROWS];
        CP_UNROLL
        for (int t = 0; t < kernel * kernel; t++) w[t] = vw_set1(weights[t]);
        for (int64_t i = a->row; i < a->row + a->rows; i += rows) {
            const int64_t count = CP_MIN(rows, a->row + a->rows - i);
            const float *lines[PLANES_LINES];
            float *dst = a->dst + c * a->dst_strides.channel + i * a->dst_strides.row;
            const float *residual =
                a->residual == NULL ? NULL : a->residual + c * a->residual_strides.channel + i * a->residual_strides.row;
            bool complete = true;
            for (int line = 0; line < (rows - 1) * step + kernel; line++) {
                const int64_t y = i * step - d->pad_top + line;
                lines[line] = y < 0 || y >= d->ih ? NULL : plane + y * a->src_strides.row - d->pad_left;
                complete = complete && lines[line] != NULL;
            }
            for (int e = 0; e < edge_count; e++) {
                const int64_t j = edges[e].j;
                planes_block(lines, j * step, w, bias, acc, rows, kernel, step, false, &edges[e]);
                planes_store(a, acc, rows, count, n, dst + j, residual == NULL ? NULL : residual + j);
            }
            for (int64_t block = CP_WIDE; block < a->columns - CP_WIDE; block += CP_WIDE) {
                const int64_t j = CP_MIN(block, inside_end - CP_WIDE); /* The last vector overlaps the one before. */
                if (complete) {
                    planes_block(lines, j * step, w, bias, acc, rows, kernel, step, true, NULL);
                } else {
                    planes_block(lines, j * step, w, bias, acc, rows, kernel, step, false, NULL);
                }
                planes_store(a, acc, rows, count, CP_WIDE, dst + j, residual == NULL ? NULL : residual + j);
            }
        }
    }
}

static void CP_NAME(conv2d_depthwise_width)(const cp_conv2d_depthwise *a) {
    if (a->desc->kh == 3) {
        if (a->desc->stride_w == 1) {
            planes_task(a, PLANES_ROWS, 3, 1);
        } else {
            planes_task(a, PLANES_ROWS_2, 3, 2);
        }
    } else if (a->desc->stride_w == 1) {
        planes_task(a, PLANES_ROWS, 5, 1);
    } else {
        planes_task(a, PLANES_ROWS_2, 5, 2);
    }
}
