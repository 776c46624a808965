/* SPDX-License-Identifier: MIT
 * Pooling.
 *
 * Blocks:    4 rows x 8 outputs of a plane, lanes along the width, for 2x2 and 3x3 windows: each input row is reduced once.
 * Width:     the same for any other window, without constant sizes; strides above 2 go element by element at the edges.
 * Channels:  1 output x 32 channels, lanes along the channels: every tap is a plain load.
 * Bound:     loads, one (stride 2: two) for each tap and vector; in the end the memory that src comes from. */

enum { POOL2D_VECTORS = 4 };

/* The four reductions; a window's row is reduced first, then the rows. */
typedef enum pool2d_op { POOL2D_MAX, POOL2D_SUM, POOL2D_SUM_ABS, POOL2D_SUM_SQUARES } pool2d_op;

static CP_INLINE pool2d_op pool2d_op_of(const convpool_pool2d_desc *d) {
    if (d->kind == CONVPOOL_POOL_KIND_MAX) return POOL2D_MAX;
    if (d->kind == CONVPOOL_POOL_KIND_AVERAGE) return POOL2D_SUM;
    return d->p == 1 ? POOL2D_SUM_ABS : POOL2D_SUM_SQUARES;
}

static CP_INLINE v8 pool2d_start(pool2d_op op) { return v8_set1(op == POOL2D_MAX ? -INFINITY : 0.0f); }

static CP_INLINE v8 pool2d_step(pool2d_op op, v8 acc, v8 x) {
    switch (op) {
    case POOL2D_MAX:
        return v8_max_first(acc, x);
    case POOL2D_SUM:
        return v8_add(acc, x);
    case POOL2D_SUM_ABS:
        return v8_add(acc, v8_abs(x));
    default:
        return v8_fma(x, x, acc);
    }
}

/* Result of a window from its reduction; `divisor` serves averages only. */
static CP_INLINE v8 pool2d_result(pool2d_op op, v8 acc, v8 divisor) {
    if (op == POOL2D_SUM) return v8_div(acc, divisor);
    return op == POOL2D_SUM_SQUARES ? v8_sqrt(acc) : acc;
}

/* One axis of a window. */
typedef struct pool2d_axis {
    int64_t origin, dilation; /* tap t reads cell origin + t * dilation */
    int64_t begin, end;       /* taps within the image */
    int64_t cells;            /* taps that count in an average's divisor */
} pool2d_axis;

static pool2d_axis pool2d_axis_adaptive(int64_t i, int64_t input, int64_t output) {
    const int64_t begin = i * input / output, taps = cp_ceil_div((i + 1) * input, output) - begin;
    return (pool2d_axis){begin, 1, 0, taps, taps};
}

static pool2d_axis pool2d_axis_sliding(int64_t i, int64_t input, int64_t kernel, int64_t stride, int64_t dilation, int64_t before,
                                       int64_t after, bool include_pad) {
    pool2d_axis axis = {.origin = i * stride - before, .dilation = dilation};
    cp_tap_range(axis.origin, dilation, kernel, input, &axis.begin, &axis.end);
    axis.cells = axis.end - axis.begin;
    if (include_pad) {
        int64_t none;
        cp_tap_range(axis.origin, dilation, kernel, input + after, &none, &axis.cells);
    }
    return axis;
}

static pool2d_axis pool2d_rows(const convpool_pool2d_desc *d, int64_t i) {
    if (d->window == CONVPOOL_POOL_WINDOW_ADAPTIVE) return pool2d_axis_adaptive(i, d->ih, d->oh);
    return pool2d_axis_sliding(i, d->ih, d->kh, d->stride_h, d->dilation_h, d->pad_top, d->pad_bottom, d->count_include_pad == 1);
}

static pool2d_axis pool2d_columns(const convpool_pool2d_desc *d, int64_t j) {
    if (d->window == CONVPOOL_POOL_WINDOW_ADAPTIVE) return pool2d_axis_adaptive(j, d->iw, d->ow);
    return pool2d_axis_sliding(j, d->iw, d->kw, d->stride_w, d->dilation_w, d->pad_left, d->pad_right, d->count_include_pad == 1);
}

/* What an average divides by; 1 for a window without a cell, whose sum is 0. */
static float pool2d_divisor(const convpool_pool2d_desc *d, const pool2d_axis *y, const pool2d_axis *x) {
    const int64_t cells = d->divisor_override > 0 ? d->divisor_override : y->cells * x->cells;
    return (float)CP_MAX(1, cells);
}

/* For n columns from j on, the cells of each window's row that count in an average's divisor. */
static v8 pool2d_cells(const convpool_pool2d_desc *d, int64_t j, int64_t n) {
    float cells[8] = {0};
    for (int64_t p = 0; p < n; p++) cells[p] = (float)pool2d_columns(d, j + p).cells;
    return v8_load(cells);
}

/* pool2d_divisor for 8 columns: windows are below 2^24 cells each way, so the product is rounded once, as the integer would be. */
static CP_INLINE v8 pool2d_divisors(const convpool_pool2d_desc *d, const pool2d_axis *y, v8 columns) {
    const v8 one = v8_set1(1.0f), cells = v8_mul(v8_set1((float)y->cells), columns);
    return d->divisor_override > 0 ? v8_set1((float)d->divisor_override) : v8_if_less(cells, one, one, cells);
}

/* Sum of 8 partial sums in the documented order. */
static CP_INLINE float pool2d_sum8(const float p[8]) { return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7])); }

static CP_INLINE float pool2d_read(const cp_pool2d_band *a, int64_t at) {
    return a->desc->src_type == CONVPOOL_DATA_TYPE_U8 ? (float)((const uint8_t *)a->src)[at] : ((const float *)a->src)[at];
}

static CP_INLINE void pool2d_write(const cp_pool2d_band *a, int64_t at, float value) {
    if (a->desc->dst_type == CONVPOOL_DATA_TYPE_U8) {
        const float clipped = value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value;
        ((uint8_t *)a->dst)[at] = (uint8_t)(int)((clipped + 8388608.0f) - 8388608.0f); /* to nearest even */
    } else {
        ((float *)a->dst)[at] = value;
    }
}

static CP_INLINE float pool2d_step1(pool2d_op op, float acc, float x) {
    if (op == POOL2D_SUM) return acc + x;
    if (op == POOL2D_SUM_ABS) return acc + (x < 0.0f ? -x : x);
    return cp_fma(x, x, acc);
}

/* One output element, whatever the options; rows and columns of its window are given. */
static void pool2d_element(const cp_pool2d_band *a, int64_t c, int64_t i, int64_t j, const pool2d_axis *y, const pool2d_axis *x) {
    const convpool_pool2d_desc *d = a->desc;
    const pool2d_op op = pool2d_op_of(d);
    const int64_t plane = cp_channel_offset(d->src_layout, a->src_strides.channel, c);
    const int64_t out =
        cp_channel_offset(d->dst_layout, a->dst_strides.channel, c) + i * a->dst_strides.row + j * a->dst_strides.column;
    float max = -INFINITY, sum = 0.0f, partial[8] = {0};
    int64_t index = -1;
    for (int64_t ty = y->begin; ty < y->end; ty++) {
        const int64_t row = y->origin + ty * y->dilation;
        float row_sum = 0.0f;
        for (int64_t tx = x->begin; tx < x->end; tx++) {
            const int64_t column = x->origin + tx * x->dilation;
            const float v = pool2d_read(a, plane + row * a->src_strides.row + column * a->src_strides.column);
            if (op == POOL2D_MAX) {
                if (index < 0 || v > max || (v != v && max == max)) {
                    max = v;
                    index = row * d->iw + column;
                }
            } else if (d->window == CONVPOOL_POOL_WINDOW_GLOBAL) {
                float *p = &partial[(row * d->iw + column) & 7];
                *p = pool2d_step1(op, *p, v);
            } else {
                row_sum = pool2d_step1(op, row_sum, v);
            }
        }
        sum += row_sum;
    }
    if (d->window == CONVPOOL_POOL_WINDOW_GLOBAL) sum = pool2d_sum8(partial);
    pool2d_write(a, out,
                 op == POOL2D_MAX           ? max
                 : op == POOL2D_SUM         ? sum / pool2d_divisor(d, y, x)
                 : op == POOL2D_SUM_SQUARES ? cp_sqrt(sum)
                                            : sum);
    if (a->indices != NULL) {
        const int64_t at = cp_channel_offset(d->dst_layout, a->indices_strides.channel, c) + i * a->indices_strides.row +
                           j * a->indices_strides.column;
        a->indices[at] = index < 0 ? -1 : a->index_base + c * a->index_plane + index;
    }
}

static void CP_NAME(pool2d_elements)(const cp_pool2d_band *a) {
    for (int64_t c = a->channel; c < a->channel + a->channels; c++) {
        for (int64_t i = a->row; i < a->row + a->rows; i++) {
            const pool2d_axis y = pool2d_rows(a->desc, i);
            for (int64_t j = 0; j < a->desc->ow; j++) {
                const pool2d_axis x = pool2d_columns(a->desc, j);
                pool2d_element(a, c, i, j, &y, &x);
            }
        }
    }
}

/* `rows` x 8 outputs of a plane from (i, j) on, for any window. Each input row is reduced once for all outputs that need it, which
 * for several rows wants a dilation of 1. With `edge`, windows may cross the left and right border. */
static CP_INLINE void pool2d_width_block(const cp_pool2d_band *a, const float *plane, int64_t i, int64_t j, v8 *acc, const int rows,
                                         const int64_t step, const pool2d_op op, const bool edge) {
    const convpool_pool2d_desc *d = a->desc;
    const int64_t left = j * step - d->pad_left, top = i * d->stride_h - d->pad_top, reach = (d->kh - 1) * d->dilation_h + 1;
    const v8 none = pool2d_start(op);
    CP_UNROLL
    for (int k = 0; k < rows; k++) acc[k] = none;
    for (int64_t line = 0; line < (rows - 1) * d->stride_h + reach; line += d->dilation_h) {
        if (top + line < 0 || top + line >= d->ih) continue;
        const float *p = plane + (top + line) * a->src_strides.row + left;
        v8 row = none;
        for (int64_t tx = 0, x = left; tx < d->kw; tx++, x += d->dilation_w, p += d->dilation_w) {
            const v8 v = edge ? window_load_edge(p, x, d->iw, step, op == POOL2D_MAX ? &none : NULL) : v8_load_step(p, step);
            row = pool2d_step(op, row, v);
        }
        CP_UNROLL
        for (int k = 0; k < rows; k++) {
            const int64_t ty = line - k * d->stride_h;
            if (ty >= 0 && ty < reach) acc[k] = op == POOL2D_MAX ? v8_max_first(acc[k], row) : v8_add(acc[k], row);
        }
    }
}

/* Rows i .. i + rows - 1 of a plane. The last vector overlaps the one before and computes the same again. */
static CP_INLINE void pool2d_width_rows(const cp_pool2d_band *a, int64_t c, int64_t i, const int rows, const pool2d_op op,
                                        const int64_t step) {
    const convpool_pool2d_desc *d = a->desc;
    const int64_t last = d->iw - 1 - (d->kw - 1) * d->dilation_w + d->pad_left, n = CP_MIN(8, d->ow);
    const int64_t begin = cp_ceil_div(d->pad_left, step), end = last < 0 ? 0 : last / step + 1;
    const float *plane = (const float *)a->src + c * a->src_strides.channel;
    float *dst = (float *)a->dst + c * a->dst_strides.channel + i * a->dst_strides.row;
    pool2d_axis y[WINDOW_ROWS];
    for (int k = 0; k < rows; k++) y[k] = pool2d_rows(d, i + k);
    for (int64_t block = 0; block < d->ow; block += 8) {
        const int64_t j = CP_MIN(block, d->ow - n);
        const bool inside = j >= begin && j + 8 <= end;
        v8 acc[WINDOW_ROWS];
        if (inside) {
            pool2d_width_block(a, plane, i, j, acc, rows, step, op, false);
        } else if (step <= 2) {
            pool2d_width_block(a, plane, i, j, acc, rows, step, op, true);
        } else {
            for (int64_t p = j; p < j + n; p++) {
                const pool2d_axis x = pool2d_columns(d, p);
                for (int k = 0; k < rows; k++) pool2d_element(a, c, i + k, p, &y[k], &x);
            }
            continue;
        }
        const v8 columns = op != POOL2D_SUM ? v8_zero() : inside ? v8_set1((float)d->kw) : pool2d_cells(d, j, n);
        for (int k = 0; k < rows; k++) {
            const v8 result = pool2d_result(op, acc[k], pool2d_divisors(d, &y[k], columns));
            if (n == 8) {
                v8_store(dst + k * a->dst_strides.row + j, result);
            } else {
                v8_storen(dst + k * a->dst_strides.row + j, result, n);
            }
        }
    }
}

static CP_INLINE void pool2d_width_any(const cp_pool2d_band *a, const pool2d_op op, const int64_t step) {
    for (int64_t c = a->channel; c < a->channel + a->channels; c++) {
        int64_t i = a->row;
        if (a->desc->dilation_h == 1 && a->desc->stride_h <= a->desc->kh) { /* No row lies between windows. */
            for (; i + WINDOW_ROWS <= a->row + a->rows; i += WINDOW_ROWS) pool2d_width_rows(a, c, i, WINDOW_ROWS, op, step);
        }
        for (; i < a->row + a->rows; i++) pool2d_width_rows(a, c, i, 1, op, step);
    }
}

/* 4 x 8 outputs of a plane. `lines` are the rows of the input that they need, at the first column of the first window; NULL for one
 * outside. Each is reduced once for all outputs that need it. */
static CP_INLINE void pool2d_block(const float *const *lines, int64_t x, v8 *acc, const int kernel, const int step,
                                   const pool2d_op op, const window_edge *edge) {
    const v8 none = pool2d_start(op);
    CP_UNROLL
    for (int k = 0; k < WINDOW_ROWS; k++) acc[k] = none;
    CP_UNROLL
    for (int line = 0; line < (WINDOW_ROWS - 1) * step + kernel; line++) {
        v8 taps[WINDOW_KERNEL], row = none;
        if (lines[line] == NULL) continue;
        window_taps(lines[line] + x, kernel, step, edge, op == POOL2D_MAX ? &none : NULL, taps);
        CP_UNROLL
        for (int tx = 0; tx < kernel; tx++) row = pool2d_step(op, row, taps[tx]);
        CP_UNROLL
        for (int k = 0; k < WINDOW_ROWS; k++) {
            const int ty = line - k * step;
            if (ty < 0 || ty >= kernel) continue;
            acc[k] = op == POOL2D_MAX ? v8_max_first(acc[k], row) : v8_add(acc[k], row);
        }
    }
    CP_UNROLL
    for (int k = 0; k < WINDOW_ROWS; k++) acc[k] = step == 2 ? v8_in_order(acc[k]) : acc[k];
}

/* Blocks of whole windows from column j to `end`, the last one overlapping the one before. */
static CP_INLINE void pool2d_blocks_inside(const float *const *lines, int64_t j, int64_t end, float *dst, int64_t pitch,
                                           const float *divisor, const int kernel, const int step, const pool2d_op op) {
    v8 acc[WINDOW_ROWS];
    for (; j < end; j += 8) {
        const int64_t at = CP_MIN(j, end - 8);
        pool2d_block(lines, at * step, acc, kernel, step, op, NULL);
        CP_UNROLL
        for (int k = 0; k < WINDOW_ROWS; k++) v8_store(dst + k * pitch + at, pool2d_result(op, acc[k], v8_set1(divisor[k])));
    }
}

/* Square windows with the same stride both ways; at least 4 rows, the last of which overlap the ones before: a block at each end of
 * a row, and whole windows between them. */
static CP_INLINE void pool2d_blocks(const cp_pool2d_band *a, const int kernel, const int step, const pool2d_op op) {
    const convpool_pool2d_desc *d = a->desc;
    const int64_t last = d->iw - kernel + d->pad_left, n = CP_MIN(8, d->ow), rows_end = a->row + a->rows,
                  pitch = a->dst_strides.row;
    const int64_t begin = cp_ceil_div(d->pad_left, step), end = last < 0 ? 0 : CP_MIN(d->ow, last / step + 1);
    const bool inside = d->ow > 16;
    const pool2d_axis whole = {.end = d->kw, .cells = d->kw};
    window_edge edges[2];
    v8 edge_cells[2];
    int edge_count = 0;
    if (!inside || begin > 0) window_edge_init(&edges[edge_count++], 0, d->pad_left, d->iw, kernel, step);
    if ((!inside && d->ow > 8) || (inside && end < d->ow)) {
        window_edge_init(&edges[edge_count++], d->ow - n, d->pad_left, d->iw, kernel, step);
    }
    for (int e = 0; e < edge_count; e++) edge_cells[e] = pool2d_cells(d, edges[e].j, n);
    for (int64_t c = a->channel; c < a->channel + a->channels; c++) {
        const float *plane = (const float *)a->src + c * a->src_strides.channel, *lines[WINDOW_LINES];
        for (int64_t group = a->row; group < rows_end; group += WINDOW_ROWS) {
            const int64_t i = CP_MIN(group, rows_end - WINDOW_ROWS);
            float *dst = (float *)a->dst + c * a->dst_strides.channel + i * pitch, divisor[WINDOW_ROWS];
            pool2d_axis rows[WINDOW_ROWS];
            for (int k = 0; k < WINDOW_ROWS; k++) {
                rows[k] = pool2d_rows(d, i + k);
                divisor[k] = pool2d_divisor(d, &rows[k], &whole);
            }
            for (int line = 0; line < (WINDOW_ROWS - 1) * step + kernel; line++) {
                const int64_t y = i * step - d->pad_top + line;
                lines[line] = y < 0 || y >= d->ih ? NULL : plane + y * a->src_strides.row - d->pad_left;
            }
            for (int e = 0; e < edge_count; e++) {
                v8 acc[WINDOW_ROWS];
                pool2d_block(lines, edges[e].j * step, acc, kernel, step, op, &edges[e]);
                for (int k = 0; k < WINDOW_ROWS; k++) {
                    const v8 y = pool2d_result(op, acc[k], pool2d_divisors(d, &rows[k], edge_cells[e]));
                    if (n == 8) {
                        v8_store(dst + k * pitch + edges[e].j, y);
                    } else {
                        v8_storen(dst + k * pitch + edges[e].j, y, n);
                    }
                }
            }
            if (inside) pool2d_blocks_inside(lines, begin, end, dst, pitch, divisor, kernel, step, op);
        }
    }
}

static CP_INLINE void pool2d_width_op(const cp_pool2d_band *a, const pool2d_op op) {
    const convpool_pool2d_desc *d = a->desc;
    const bool square = d->kh == d->kw && d->stride_h == d->stride_w && d->dilation_h == 1 && d->dilation_w == 1 &&
                        a->rows >= WINDOW_ROWS && (op == POOL2D_MAX || op == POOL2D_SUM);
    if (square && d->kh == 2 && d->stride_w == 2) {
        pool2d_blocks(a, 2, 2, op);
    } else if (square && d->kh == 2 && d->stride_w == 1) {
        pool2d_blocks(a, 2, 1, op);
    } else if (square && d->kh == 3 && d->stride_w == 2) {
        pool2d_blocks(a, 3, 2, op);
    } else if (square && d->kh == 3 && d->stride_w == 1) {
        pool2d_blocks(a, 3, 1, op);
    } else if (d->stride_w == 1) {
        pool2d_width_any(a, op, 1);
    } else if (d->stride_w == 2) {
        pool2d_width_any(a, op, 2);
    } else {
        pool2d_width_any(a, op, d->stride_w);
    }
}

static void CP_NAME(pool2d_width)(const cp_pool2d_band *a) {
    switch (pool2d_op_of(a->desc)) {
    case POOL2D_MAX:
        pool2d_width_op(a, POOL2D_MAX);
        break;
    case POOL2D_SUM:
        pool2d_width_op(a, POOL2D_SUM);
        break;
    case POOL2D_SUM_ABS:
        pool2d_width_op(a, POOL2D_SUM_ABS);
        break;
    default:
        pool2d_width_op(a, POOL2D_SUM_SQUARES);
        break;
    }
}

/* `vectors` x 8 neighbouring channels of one output; `lanes` of the last vector are real. */
static CP_INLINE void pool2d_channels_vectors(const cp_pool2d_band *a, const float *src, float *dst, const pool2d_axis *y,
                                              const pool2d_axis *x, float divisor, const int vectors, int64_t lanes,
                                              const pool2d_op op) {
    v8 acc[POOL2D_VECTORS];
    CP_UNROLL
    for (int v = 0; v < vectors; v++) acc[v] = pool2d_start(op);
    for (int64_t ty = y->begin; ty < y->end; ty++) {
        const float *line = src + (y->origin + ty * y->dilation) * a->src_strides.row;
        v8 row[POOL2D_VECTORS];
        CP_UNROLL
        for (int v = 0; v < vectors; v++) row[v] = op == POOL2D_MAX ? acc[v] : v8_zero();
        for (int64_t tx = x->begin; tx < x->end; tx++) {
            const float *pixel = line + (x->origin + tx * x->dilation) * a->src_strides.column;
            CP_UNROLL
            for (int v = 0; v < vectors; v++) {
                row[v] = pool2d_step(op, row[v], lanes == 8 ? v8_load(pixel + v * 8) : v8_loadn(pixel + v * 8, lanes));
            }
        }
        CP_UNROLL
        for (int v = 0; v < vectors; v++) acc[v] = op == POOL2D_MAX ? row[v] : v8_add(acc[v], row[v]);
    }
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        const v8 y8 = pool2d_result(op, acc[v], v8_set1(divisor));
        if (lanes == 8) {
            v8_store(dst + v * 8, y8);
        } else {
            v8_storen(dst + v * 8, y8, lanes);
        }
    }
}

static CP_INLINE void pool2d_channels_op(const cp_pool2d_band *a, const pool2d_op op) {
    const convpool_pool2d_desc *d = a->desc;
    const int64_t run = d->src_layout == CONVPOOL_LAYOUT_NHWC ? a->channels : 8, end = a->channel + a->channels;
    for (int64_t i = a->row; i < a->row + a->rows; i++) {
        const pool2d_axis y = pool2d_rows(d, i);
        for (int64_t j = 0; j < d->ow; j++) {
            const pool2d_axis x = pool2d_columns(d, j);
            const float divisor = pool2d_divisor(d, &y, &x);
            for (int64_t first = a->channel; first < end; first += run) {
                const float *src = (const float *)a->src + cp_channel_offset(d->src_layout, a->src_strides.channel, first);
                float *dst = (float *)a->dst + cp_channel_offset(d->dst_layout, a->dst_strides.channel, first) +
                             i * a->dst_strides.row + j * a->dst_strides.column;
                const int64_t n = CP_MIN(run, end - first);
                int64_t c = 0;
                for (; c + 8 * POOL2D_VECTORS <= n; c += 8 * POOL2D_VECTORS) {
                    pool2d_channels_vectors(a, src + c, dst + c, &y, &x, divisor, POOL2D_VECTORS, 8, op);
                }
                for (; c + 8 <= n; c += 8) pool2d_channels_vectors(a, src + c, dst + c, &y, &x, divisor, 1, 8, op);
                if (c < n) pool2d_channels_vectors(a, src + c, dst + c, &y, &x, divisor, 1, n - c, op);
            }
        }
    }
}

static void CP_NAME(pool2d_channels)(const cp_pool2d_band *a) {
    switch (pool2d_op_of(a->desc)) {
    case POOL2D_MAX:
        pool2d_channels_op(a, POOL2D_MAX);
        break;
    case POOL2D_SUM:
        pool2d_channels_op(a, POOL2D_SUM);
        break;
    case POOL2D_SUM_ABS:
        pool2d_channels_op(a, POOL2D_SUM_ABS);
        break;
    default:
        pool2d_channels_op(a, POOL2D_SUM_SQUARES);
        break;
    }
}

/* `planes` whole planes, each without gaps, side by side so that their additions overlap; then, in the documented order, the 8
 * partial sums of all of them at once. */
static CP_INLINE v8 pool2d_global_sums(const float *src, int64_t plane_stride, int64_t n, const int planes, const pool2d_op op) {
    v8 p[8];
    CP_UNROLL
    for (int k = 0; k < 8; k++) p[k] = v8_zero();
    int64_t at = 0;
    for (; at + 8 <= n; at += 8) {
        CP_UNROLL
        for (int k = 0; k < planes; k++) p[k] = pool2d_step(op, p[k], v8_load(src + k * plane_stride + at));
    }
    if (at < n) {
        CP_UNROLL
        for (int k = 0; k < planes; k++) p[k] = pool2d_step(op, p[k], v8_loadn(src + k * plane_stride + at, n - at));
    }
    v8_transpose(p);
    return v8_add(v8_add(v8_add(p[0], p[4]), v8_add(p[2], p[6])), v8_add(v8_add(p[1], p[5]), v8_add(p[3], p[7])));
}

static CP_INLINE void pool2d_global_op(const cp_pool2d_band *a, const pool2d_op op) {
    const convpool_pool2d_desc *d = a->desc;
    const int64_t n = d->ih * d->iw, end = a->channel + a->channels;
    const pool2d_axis y = pool2d_rows(d, 0), x = pool2d_columns(d, 0);
    const v8 divisor = v8_set1(pool2d_divisor(d, &y, &x));
    int64_t planes;
    for (int64_t c = a->channel; c < end; c += planes) {
        const float *src = (const float *)a->src + c * a->src_strides.channel;
        float *dst = (float *)a->dst + c * a->dst_strides.channel, result[8];
        planes = end - c >= 8 ? 8 : 1;
        const v8 sums =
            planes == 8 ? pool2d_global_sums(src, a->src_strides.channel, n, 8, op) : pool2d_global_sums(src, 0, n, 1, op);
        v8_store(result, pool2d_result(op, sums, divisor));
        for (int64_t k = 0; k < planes; k++) dst[k * a->dst_strides.channel] = result[k];
    }
}

/* The same where up to 8 channels lie side by side: a lane is a channel, so the partial sums are vectors. */
static CP_INLINE void pool2d_global_channels(const cp_pool2d_band *a, const pool2d_op op) {
    const convpool_pool2d_desc *d = a->desc;
    const pool2d_axis y = pool2d_rows(d, 0), x = pool2d_columns(d, 0);
    const v8 divisor = v8_set1(pool2d_divisor(d, &y, &x));
    for (int64_t c = a->channel; c < a->channel + a->channels; c += 8) {
        const int64_t lanes = CP_MIN(8, a->channel + a->channels - c);
        const float *src = (const float *)a->src + cp_channel_offset(d->src_layout, a->src_strides.channel, c);
        v8 p[8];
        int64_t k = 0;
        for (int i = 0; i < 8; i++) p[i] = v8_zero();
        for (int64_t i = 0; i < d->ih; i++) {
            const float *pixel = src + i * a->src_strides.row;
            for (int64_t j = 0; j < d->iw; j++, k = (k + 1) & 7, pixel += a->src_strides.column) {
                p[k] = pool2d_step(op, p[k], lanes == 8 ? v8_load(pixel) : v8_loadn(pixel, lanes));
            }
        }
        const v8 sum = v8_add(v8_add(v8_add(p[0], p[4]), v8_add(p[2], p[6])), v8_add(v8_add(p[1], p[5]), v8_add(p[3], p[7])));
        v8_storen((float *)a->dst + cp_channel_offset(d->dst_layout, a->dst_strides.channel, c), pool2d_result(op, sum, divisor),
                  lanes);
    }
}

static CP_INLINE void pool2d_global_of(const cp_pool2d_band *a, const pool2d_op op) {
    if (a->desc->src_layout == CONVPOOL_LAYOUT_NCHW) {
        pool2d_global_op(a, op);
    } else {
        pool2d_global_channels(a, op);
    }
}

static void CP_NAME(pool2d_global)(const cp_pool2d_band *a) {
    switch (pool2d_op_of(a->desc)) {
    case POOL2D_SUM:
        pool2d_global_of(a, POOL2D_SUM);
        break;
    case POOL2D_SUM_ABS:
        pool2d_global_of(a, POOL2D_SUM_ABS);
        break;
    default:
        pool2d_global_of(a, POOL2D_SUM_SQUARES);
        break;
    }
}
