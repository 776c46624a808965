/* SPDX-License-Identifier: MIT
 * Pooling on planes, lanes along the width: small windows by their own kernels, and any other window, 4 rows x 8 outputs at a time
 * without constant sizes. */

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

/* Adds to `row` the taps of 8 windows of a row of src, the first of which begins with column `left`. Up to 8 columns of each window
 * are loaded and transposed. With `edge`, windows may cross the borders, and `n` are real. */
static CP_INLINE v8 pool2d_width_strided(const convpool_pool2d_desc *d, const float *src, int64_t left, v8 row, int64_t n,
                                         bool edge, const pool2d_op op) {
    const v8 none = pool2d_start(op);
    for (int64_t tap = 0; tap < d->kw;) {
        const int64_t x = tap * d->dilation_w;
        v8 columns[8];
        CP_UNROLL
        for (int k = 0; k < 8; k++) {
            const int64_t at = edge && k >= n ? d->iw : left + x + k * d->stride_w;
            columns[k] = none;
            if (!edge) {
                columns[k] = v8_load(src + at);
            } else if (at > -8 && at < d->iw) {
                columns[k] = window_load(src + at, v8_range(-at, d->iw - at), op == POOL2D_MAX ? &none : NULL);
            }
        }
        v8_transpose(columns);
        CP_UNROLL
        for (int k = 0; k < 8; k++) {
            if (tap == d->kw || tap * d->dilation_w - x != k) continue;
            row = pool2d_step(op, row, columns[k]);
            tap++;
        }
    }
    return row;
}
static CP_NOINLINE v8 pool2d_strided_max(const convpool_pool2d_desc *d, const float *src, int64_t left, v8 row, int64_t n,
                                         bool edge) {
    return pool2d_width_strided(d, src, left, row, n, edge, POOL2D_MAX);
}
static CP_NOINLINE v8 pool2d_strided_sum(const convpool_pool2d_desc *d, const float *src, int64_t left, v8 row, int64_t n,
                                         bool edge) {
    return pool2d_width_strided(d, src, left, row, n, edge, POOL2D_SUM);
}
static CP_NOINLINE v8 pool2d_strided_sum_abs(const convpool_pool2d_desc *d, const float *src, int64_t left, v8 row, int64_t n,
                                             bool edge) {
    return pool2d_width_strided(d, src, left, row, n, edge, POOL2D_SUM_ABS);
}
static CP_NOINLINE v8 pool2d_strided_sum_squares(const convpool_pool2d_desc *d, const float *src, int64_t left, v8 row, int64_t n,
                                                 bool edge) {
    return pool2d_width_strided(d, src, left, row, n, edge, POOL2D_SUM_SQUARES);
}

/* `rows` x 8 outputs of a plane from (i, j) on, for any window. Each input row is reduced once for all outputs that need it, which
 * for several rows wants a dilation of 1. With `edge`, windows may cross the left and right border. */
static CP_INLINE void pool2d_width_block(const cp_pool2d_band *a, const float *plane, int64_t i, int64_t j, v8 *acc, const int rows,
                                         const int64_t step, const pool2d_op op, const bool edge) {
    const convpool_pool2d_desc *d = a->desc;
    const int64_t left = j * step - d->pad_left, top = i * d->stride_h - d->pad_top, reach = (d->kh - 1) * d->dilation_h + 1;
    const bool transposed = step > 2 && (edge || d->kw > 4);
    const v8 none = pool2d_start(op);
    CP_UNROLL
    for (int k = 0; k < rows; k++) acc[k] = none;
    for (int64_t line = 0; line < (rows - 1) * d->stride_h + reach; line += d->dilation_h) {
        if (top + line < 0 || top + line >= d->ih) continue;
        const float *src = plane + (top + line) * a->src_strides.row, *p = transposed ? src : src + left;
        v8 row = none;
        if (transposed) {
            const int64_t n = CP_MIN(8, d->ow - j);
            row = op == POOL2D_MAX       ? pool2d_strided_max(d, src, left, row, n, edge)
                  : op == POOL2D_SUM     ? pool2d_strided_sum(d, src, left, row, n, edge)
                  : op == POOL2D_SUM_ABS ? pool2d_strided_sum_abs(d, src, left, row, n, edge)
                                         : pool2d_strided_sum_squares(d, src, left, row, n, edge);
        }
        for (int64_t tx = 0, x = left; !transposed && tx < d->kw; tx++, x += d->dilation_w, p += d->dilation_w) {
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
    const int64_t spare = d->dilation_w == 1 ? -d->kw & 7 : 7; /* columns behind a window that are loaded, for strides above 2 */
    const int64_t begin = cp_ceil_div(d->pad_left, step), end = last < 0 ? 0 : last / step + 1;
    const float *plane = (const float *)a->src + c * a->src_strides.channel;
    float *dst = (float *)a->dst + c * a->dst_strides.channel + i * a->dst_strides.row;
    pool2d_axis y[WINDOW_ROWS];
    for (int k = 0; k < rows; k++) y[k] = pool2d_rows(d, i + k);
    for (int64_t block = 0; block < d->ow; block += 8) {
        const int64_t j = CP_MIN(block, d->ow - n);
        const bool inside = j >= begin && j + 8 <= end &&
                            (step <= 2 || d->kw <= 4 || (j + 7) * step - d->pad_left + (d->kw - 1) * d->dilation_w + spare < d->iw);
        v8 acc[WINDOW_ROWS];
        if (inside) {
            pool2d_width_block(a, plane, i, j, acc, rows, step, op, false);
        } else {
            pool2d_width_block(a, plane, i, j, acc, rows, step, op, true);
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

static CP_INLINE void pool2d_width_op(const cp_pool2d_band *a, const pool2d_op op) {
    const convpool_pool2d_desc *d = a->desc;
    if (d->stride_w == 1) {
        pool2d_width_any(a, op, 1);
    } else if (d->stride_w == 2) {
        pool2d_width_any(a, op, 2);
    } else {
        pool2d_width_any(a, op, d->stride_w);
    }
}

static void CP_NAME(pool2d_width)(const cp_pool2d_band *a) {
    void (*const small)(const cp_pool2d_band *) = pool2d_small(a);
    if (small != NULL) {
        small(a);
        return;
    }
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
