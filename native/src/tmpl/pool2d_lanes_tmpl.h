/* SPDX-License-Identifier: MIT
 * Pooling of 16 channels at once, one a lane, whatever the window, the layouts and the element types: rows of the input are brought
 * into the workspace with their channels side by side, windows are reduced along the rows, then along the columns, and the results
 * go back into the layout of dst.
 *
 * Steps:     load (8x8 transposes for planes), reduce rows, reduce columns, store. A window costs kw + kh steps an output, not
 *            kw * kh; the maximum of a long window 3 (van Herk, Gil and Werman), however long.
 * Order:     row by row and from left to right within a row, so sums and ties come out as documented.
 * Bound:     shuffles of the transposes, then loads from L1. */

enum { POOL2D_LANES = CP_POOL2D_LANES, POOL2D_TAPS = 8 };
/* The place of the maximum of nothing: less than any row's number of cells above 0. */
#define POOL2D_NOWHERE (-1073741824.0f)

/* rows x columns of outputs, each a reduction of `taps` vectors; distances are in floats. With `more`, dst holds what taps before
 * gave. Maxima with indices say in dst_at where they were found: tap t of row r at src_at + at_first + r * at_row + t * at_tap. */
typedef struct pool2d_walk {
    const float *src, *src_at;
    float *dst, *dst_at;
    int64_t src_row, src_at_row, src_column, tap_step; /* from one row, output, tap to the next */
    int64_t dst_row, dst_column;
    int64_t rows, columns, taps;
    float at_first, at_row, at_tap;
    bool more;
} pool2d_walk;

static CP_INLINE v16 pool2d_lanes_step(pool2d_op op, v16 acc, v16 x) {
    switch (op) {
    case POOL2D_MAX:
        return v16_max_first(acc, x);
    case POOL2D_SUM:
        return v16_add(acc, x);
    case POOL2D_SUM_ABS:
        return v16_add(acc, v16_abs(x));
    default:
        return v16_fma(x, x, acc);
    }
}

static CP_INLINE void pool2d_walk_taps(const pool2d_walk *w, const int taps, const pool2d_op op) {
    for (int64_t r = 0; r < w->rows; r++) {
        const float *src = w->src + r * w->src_row;
        float *dst = w->dst + r * w->dst_row;
        for (int64_t j = 0; j < w->columns; j++, src += w->src_column, dst += w->dst_column) {
            v16 acc = w->more ? v16_load(dst) : v16_set1(op == POOL2D_MAX ? -INFINITY : 0.0f);
            CP_UNROLL
            for (int t = 0; t < taps; t++) acc = pool2d_lanes_step(op, acc, v16_load(src + t * w->tap_step));
            v16_store(dst, acc);
        }
    }
}

static CP_INLINE void pool2d_walk_op(const pool2d_walk *walk, const pool2d_op op) {
    pool2d_walk w = *walk;
    if (w.rows > w.columns) { /* the longer loop within */
        w.rows = walk->columns;
        w.columns = walk->rows;
        w.src_row = walk->src_column;
        w.src_column = walk->src_row;
        w.dst_row = walk->dst_column;
        w.dst_column = walk->dst_row;
    }
    for (int64_t left = w.taps; left > 0 || !w.more; left -= POOL2D_TAPS) {
        switch (CP_MIN(left, POOL2D_TAPS)) {
        case 0:
            pool2d_walk_taps(&w, 0, op);
            break;
        case 1:
            pool2d_walk_taps(&w, 1, op);
            break;
        case 2:
            pool2d_walk_taps(&w, 2, op);
            break;
        case 3:
            pool2d_walk_taps(&w, 3, op);
            break;
        case 4:
            pool2d_walk_taps(&w, 4, op);
            break;
        case 5:
            pool2d_walk_taps(&w, 5, op);
            break;
        case 6:
            pool2d_walk_taps(&w, 6, op);
            break;
        case 7:
            pool2d_walk_taps(&w, 7, op);
            break;
        default:
            pool2d_walk_taps(&w, POOL2D_TAPS, op);
            break;
        }
        w.src += POOL2D_TAPS * w.tap_step;
        w.more = true;
    }
}

static CP_NOINLINE void pool2d_walk_max(const pool2d_walk *w) { pool2d_walk_op(w, POOL2D_MAX); }
static CP_NOINLINE void pool2d_walk_sum(const pool2d_walk *w) { pool2d_walk_op(w, POOL2D_SUM); }
static CP_NOINLINE void pool2d_walk_sum_abs(const pool2d_walk *w) { pool2d_walk_op(w, POOL2D_SUM_ABS); }
static CP_NOINLINE void pool2d_walk_sum_squares(const pool2d_walk *w) { pool2d_walk_op(w, POOL2D_SUM_SQUARES); }

/* One vector of a walk: a maximum and, where indices are wanted, its place. */
typedef struct pool2d_found {
    v16 max, at;
} pool2d_found;

/* Tap t of an output of row r whose taps begin at `offset`. */
static CP_INLINE pool2d_found pool2d_tap(const pool2d_walk *w, int64_t r, int64_t offset, int64_t t, const bool indexed) {
    const int64_t at = offset + t * w->tap_step;
    pool2d_found x = {v16_load(w->src + r * w->src_row + at), v16_zero()};
    if (indexed) {
        x.at = v16_add(v16_load(w->src_at + r * w->src_at_row + at),
                       v16_set1(w->at_first + (float)r * w->at_row + (float)t * w->at_tap));
    }
    return x;
}

static CP_INLINE pool2d_found pool2d_first(pool2d_found a, pool2d_found b, const bool indexed) {
    if (indexed) {
        v16_max_first_at(&a.max, &a.at, b.max, b.at);
    } else {
        a.max = v16_max_first(a.max, b.max);
    }
    return a;
}

static CP_NOINLINE void pool2d_walk_max_at(const pool2d_walk *w) {
    for (int64_t r = 0; r < w->rows; r++) {
        for (int64_t j = 0; j < w->columns; j++) {
            const int64_t dst = r * w->dst_row + j * w->dst_column;
            pool2d_found max = {v16_set1(-INFINITY), v16_set1(POOL2D_NOWHERE)};
            for (int64_t t = 0; t < w->taps; t++) {
                const pool2d_found x = pool2d_tap(w, r, j * w->src_column, t, true);
                max = t == 0 ? x : pool2d_first(max, x, true);
            }
            v16_store(w->dst + dst, max.max);
            v16_store(w->dst_at + dst, max.at);
        }
    }
}

/* Maxima of long windows, in about 3 steps whatever their length: the window of an output is the end of one run of `taps` cells and
 * the beginning of the next; `suffix` holds the maxima of all ends of a run. Outputs whose windows begin a multiple of the dilation
 * apart share their cells; cells of such a class are numbered from its first. */
static CP_INLINE void pool2d_slide_op(const pool2d_walk *walk, int64_t stride, int64_t dilation, float *suffix,
                                      const bool indexed) {
    pool2d_walk class = *walk;
    const pool2d_walk *w = &class;
    int64_t common = stride, rest = dilation;
    while (rest != 0) {
        const int64_t t = common % rest;
        common = rest;
        rest = t;
    }
    const int64_t classes = CP_MIN(dilation / common, w->columns), step = stride / common, taps = w->taps;
    for (int64_t r = 0; r < w->rows; r++) {
        for (int64_t first = 0; first < classes; first++) {
            const int64_t offset = first * w->src_column;
            class.at_first = walk->at_first + (float)(first * stride) * (walk->at_tap / (float)dilation);
            int64_t j = first, cell = 0;
            while (j < w->columns) {
                const int64_t begin = cell;
                pool2d_found end = pool2d_tap(w, r, offset, begin + taps - 1, indexed), head = end;
                for (int64_t t = taps - 1;; t--) {
                    v16_store(suffix + t * 2 * POOL2D_LANES, end.max);
                    if (indexed) v16_store(suffix + t * 2 * POOL2D_LANES + POOL2D_LANES, end.at);
                    if (t == 0) break;
                    end = pool2d_first(pool2d_tap(w, r, offset, begin + t - 1, indexed), end, indexed);
                }
                int64_t reached = begin + taps;
                for (; j < w->columns && cell < begin + taps; j += dilation / common, cell += step) {
                    const float *s = suffix + (cell - begin) * 2 * POOL2D_LANES;
                    pool2d_found x = {v16_load(s), indexed ? v16_load(s + POOL2D_LANES) : v16_zero()};
                    for (; reached < cell + taps; reached++) {
                        const pool2d_found next = pool2d_tap(w, r, offset, reached, indexed);
                        head = reached == begin + taps ? next : pool2d_first(head, next, indexed);
                    }
                    if (cell > begin) x = pool2d_first(x, head, indexed);
                    v16_store(w->dst + r * w->dst_row + j * w->dst_column, x.max);
                    if (indexed) v16_store(w->dst_at + r * w->dst_row + j * w->dst_column, x.at);
                }
            }
        }
    }
}

static CP_NOINLINE void pool2d_slide(const pool2d_walk *w, int64_t stride, int64_t dilation, float *suffix) {
    pool2d_slide_op(w, stride, dilation, suffix, false);
}
static CP_NOINLINE void pool2d_slide_at(const pool2d_walk *w, int64_t stride, int64_t dilation, float *suffix) {
    pool2d_slide_op(w, stride, dilation, suffix, true);
}

/* The cells of an axis of n that the windows from `first` to `last` may read. */
static void pool2d_span(pool2d_axis first, pool2d_axis last, int64_t taps, int64_t n, int64_t *begin, int64_t *end) {
    *begin = CP_MAX(0, CP_MIN(first.origin, n));
    *end = CP_MAX(*begin, CP_MIN(last.origin + (CP_MAX(taps, last.end) - 1) * last.dilation + 1, n));
}

/* Of windows [first, first + count) of an axis of n cells, those without a tap outside. */
static void pool2d_whole(int64_t first, int64_t count, int64_t n, int64_t taps, int64_t stride, int64_t dilation, int64_t before,
                         int64_t *begin, int64_t *end) {
    const int64_t last = n - 1 - (taps - 1) * dilation + before;
    *begin = CP_MIN(CP_MAX(first, cp_ceil_div(before, stride)), first + count);
    *end = last < 0 ? *begin : CP_MAX(*begin, CP_MIN(first + count, last / stride + 1));
}

/* 16 channels of a task, and some columns of dst. */
typedef struct pool2d_job {
    const cp_pool2d_band *a;
    pool2d_op op;
    bool indexed;
    int64_t channel, lanes; /* first and number */
    int64_t j, columns;     /* of dst */
    int64_t x, width;       /* columns of src that they need */
    int64_t j_whole, j_end; /* columns whose windows lie within the image */
    float *cells;           /* [columns] of a window's row that count in an average's divisor */
    float *column_at;       /* [width][16] numbers of the columns of src */
    float *suffix;
    float *lines, *rows, *rows_at, *out, *out_at; /* [row][column][16] */
    const float *line; /* what is reduced next: lines, or src itself where 16 channels lie side by side */
    int64_t line_row, line_column;
} pool2d_job;

static void pool2d_job_reduce(const pool2d_job *job, const pool2d_walk *w, bool along_rows) {
    if (job->indexed) {
        pool2d_walk_max_at(w);
    } else if (job->op == POOL2D_MAX) {
        pool2d_walk_max(w);
    } else if (job->op == POOL2D_SUM || !along_rows) {
        pool2d_walk_sum(w);
    } else if (job->op == POOL2D_SUM_ABS) {
        pool2d_walk_sum_abs(w);
    } else {
        pool2d_walk_sum_squares(w);
    }
}

/* Whether windows of a walk are better taken from runs: 2 steps for each cell and one for each output, against one for each tap. */
static bool pool2d_is_long(const convpool_pool2d_desc *d, int64_t taps, int64_t stride) {
    return d->kind == CONVPOOL_POOL_KIND_MAX && d->window == CONVPOOL_POOL_WINDOW_SLIDING && taps > 2 * stride + 4;
}

static void pool2d_job_slide(const pool2d_job *job, const pool2d_walk *w, int64_t stride, int64_t dilation) {
    if (job->indexed) {
        pool2d_slide_at(w, stride, dilation, job->suffix);
    } else {
        pool2d_slide(w, stride, dilation, job->suffix);
    }
}

/* `n` cells from `at` on of each of 8 planes, transposed to [cell][16]. */
static CP_INLINE void pool2d_transpose_in(const float *const plane[8], int64_t at, int64_t n, float *dst) {
    for (int64_t block = 0; block < n; block += 8) {
        const int64_t x = n < 8 ? 0 : CP_MIN(block, n - 8), cells = CP_MIN(n, 8);
        v8 r[8];
        CP_UNROLL
        for (int k = 0; k < 8; k++) r[k] = n < 8 ? v8_loadn(plane[k] + at + x, n) : v8_load(plane[k] + at + x);
        v8_transpose(r);
        for (int k = 0; k < cells; k++) v8_store(dst + (x + k) * POOL2D_LANES, r[k]);
    }
}

/* Rows [y, y + n) of src as [row][column][16]. Lanes without a channel repeat another or are left as they are. */
static void pool2d_job_load(pool2d_job *job, int64_t y, int64_t n) {
    const cp_pool2d_band *a = job->a;
    const convpool_pool2d_desc *d = a->desc;
    const int64_t at = y * a->src_strides.row + job->x * a->src_strides.column;
    if (d->src_layout == CONVPOOL_LAYOUT_NHWC && d->src_type == CONVPOOL_DATA_TYPE_F32 && job->lanes == POOL2D_LANES &&
        !job->indexed) {
        job->line = (const float *)a->src + job->channel + at;
        job->line_row = a->src_strides.row;
        job->line_column = a->src_strides.column;
        return;
    }
    job->line = job->lines;
    job->line_row = job->width * POOL2D_LANES;
    job->line_column = POOL2D_LANES;
    if (d->src_layout == CONVPOOL_LAYOUT_NCHW && d->src_type == CONVPOOL_DATA_TYPE_F32) {
        const bool gapless = a->src_strides.row == job->width;
        const int64_t rows = gapless ? 1 : n, cells = gapless ? n * job->width : job->width;
        for (int64_t half = 0; half < job->lanes; half += 8) {
            const float *plane[8];
            for (int64_t k = 0; k < 8; k++) {
                const int64_t c = job->channel + CP_MIN(half + k, job->lanes - 1);
                plane[k] = (const float *)a->src + c * a->src_strides.channel;
            }
            for (int64_t r = 0; r < rows; r++) {
                pool2d_transpose_in(plane, at + r * a->src_strides.row, cells, job->lines + r * job->width * POOL2D_LANES + half);
            }
        }
        return;
    }
    for (int64_t r = 0; r < n; r++) {
        for (int64_t x = 0; x < job->width; x++) {
            const int64_t pixel = at + r * a->src_strides.row + x * a->src_strides.column;
            float *dst = job->lines + (r * job->width + x) * POOL2D_LANES;
            for (int64_t k = 0; k < job->lanes; k += 8) {
                const int64_t lanes = CP_MIN(8, job->lanes - k), c = job->channel + k;
                const int64_t first = pixel + cp_channel_offset(d->src_layout, a->src_strides.channel, c);
                if (d->src_layout == CONVPOOL_LAYOUT_NCHW || d->src_type == CONVPOOL_DATA_TYPE_U8) {
                    const int64_t step = d->src_layout == CONVPOOL_LAYOUT_NCHW ? a->src_strides.channel : 1;
                    for (int64_t l = 0; l < lanes; l++) dst[k + l] = pool2d_read(a, first + l * step);
                } else {
                    const float *p = (const float *)a->src + first;
                    v8_store(dst + k, lanes == 8 ? v8_load(p) : v8_loadn(p, lanes));
                }
            }
        }
    }
}

/* Reduces n loaded rows of src along the row. Strides and dilations beyond the image, of whatever size, reach nothing. */
static void pool2d_job_rows(const pool2d_job *job, int64_t n, float *rows, float *rows_at) {
    const cp_pool2d_band *a = job->a;
    const convpool_pool2d_desc *d = a->desc;
    pool2d_walk w = {
        .tap_step = CP_MIN(d->dilation_w, d->iw) * job->line_column,
        .src_row = job->line_row,
        .dst_row = job->columns * POOL2D_LANES,
        .dst_column = POOL2D_LANES,
        .rows = n,
    };
    for (int64_t j = job->j; j < job->j + job->columns; j += w.columns) {
        const pool2d_axis x = pool2d_columns(d, j);
        const int64_t first = pool2d_axis_first(&x, d->iw) - job->x, out = (j - job->j) * POOL2D_LANES;
        w.columns = j == job->j_whole && job->j_end > j ? job->j_end - j : 1;
        w.src_column = CP_MIN(d->stride_w, d->iw) * job->line_column;
        w.taps = x.end - x.begin;
        w.src = job->line + first * job->line_column;
        w.src_at = job->column_at + first * POOL2D_LANES;
        w.dst = rows + out;
        w.dst_at = rows_at + out;
        if (w.columns > 1 && pool2d_is_long(d, d->kw, d->stride_w)) {
            pool2d_job_slide(job, &w, d->stride_w, d->dilation_w);
        } else {
            pool2d_job_reduce(job, &w, true);
        }
    }
}

/* Reduces the columns of n rows of dst, from row i on; `rows` begins with row y of src. */
static void pool2d_job_columns(const pool2d_job *job, int64_t i, int64_t n, int64_t y) {
    const convpool_pool2d_desc *d = job->a->desc;
    const int64_t pitch = job->columns * POOL2D_LANES;
    int64_t whole = i, end = i; /* rows whose windows lie within the image */
    if (d->window == CONVPOOL_POOL_WINDOW_SLIDING) {
        pool2d_whole(i, n, d->ih, d->kh, d->stride_h, d->dilation_h, d->pad_top, &whole, &end);
    }
    for (int64_t k = i; k < i + n;) {
        const pool2d_axis rows = pool2d_rows(d, k);
        const int64_t first = pool2d_axis_first(&rows, d->ih), step = CP_MIN(d->stride_h, d->ih);
        pool2d_walk w = {
            .src = job->rows + (first - y) * pitch,
            .src_at = job->rows_at + (first - y) * pitch,
            .dst = job->out + (k - i) * pitch,
            .dst_at = job->out_at + (k - i) * pitch,
            .src_row = step * pitch,
            .src_at_row = step * pitch,
            .src_column = POOL2D_LANES,
            .dst_row = pitch,
            .dst_column = POOL2D_LANES,
            .tap_step = CP_MIN(rows.dilation, d->ih) * pitch,
            .rows = k == whole && end > whole ? end - whole : 1,
            .columns = job->columns,
            .taps = rows.end - rows.begin,
            .at_first = (float)(first * d->iw),
            .at_row = (float)(step * d->iw),
            .at_tap = (float)(CP_MIN(rows.dilation, d->ih) * d->iw),
        };
        k += w.rows;
        if (w.rows > 1 && pool2d_is_long(d, d->kh, d->stride_h)) {
            w.src_column = w.src_row;
            w.dst_column = w.dst_row;
            w.src_row = w.src_at_row = w.dst_row = POOL2D_LANES;
            w.columns = w.rows;
            w.rows = job->columns;
            w.at_row = 0.0f;
            pool2d_job_slide(job, &w, d->stride_h, d->dilation_h);
        } else {
            pool2d_job_reduce(job, &w, false);
        }
    }
}

/* From reductions to results, n rows of dst from row i on. */
static void pool2d_job_finish(const pool2d_job *job, int64_t i, int64_t n) {
    const convpool_pool2d_desc *d = job->a->desc;
    const int64_t pitch = job->columns * POOL2D_LANES;
    for (int64_t k = 0; k < n && job->op == POOL2D_SUM; k++) {
        const float cells = (float)pool2d_rows(d, i + k).cells, fixed = (float)d->divisor_override;
        for (int64_t j = 0; j < job->columns; j++) {
            /* Windows of this kernel have less than 2^24 cells each way, so the product is rounded once. */
            const float divisor = fixed > 0.0f ? fixed : CP_MAX(1.0f, cells * job->cells[j]);
            float *out = job->out + k * pitch + j * POOL2D_LANES;
            v16_store(out, v16_div(v16_load(out), v16_set1(divisor)));
        }
    }
    for (int64_t j = 0; j < n * pitch && job->op == POOL2D_SUM_SQUARES; j += POOL2D_LANES) {
        v16_store(job->out + j, v16_sqrt(v16_load(job->out + j)));
    }
}

/* 8 lanes of `n` cells, transposed back to planes: cells [at, at + n) of plane k go to dst + k * plane, for k < lanes. */
static CP_INLINE void pool2d_transpose_out(const float *src, int64_t n, float *dst, int64_t plane, int64_t lanes) {
    for (int64_t block = 0; block < n; block += 8) {
        const int64_t x = n < 8 ? 0 : CP_MIN(block, n - 8);
        v8 r[8];
        CP_UNROLL
        for (int k = 0; k < 8; k++) r[k] = v8_load(src + (x + CP_MIN(k, n - 1)) * POOL2D_LANES);
        v8_transpose(r);
        for (int64_t k = 0; k < lanes; k++) {
            if (n < 8) {
                v8_storen(dst + k * plane + x, r[k], n);
            } else {
                v8_store(dst + k * plane + x, r[k]);
            }
        }
    }
}

static void pool2d_job_store_indices(const pool2d_job *job, int64_t i, int64_t n) {
    const cp_pool2d_band *a = job->a;
    for (int64_t l = 0; l < job->lanes; l++) {
        const int64_t c = job->channel + l, base = a->index_base + c * a->index_plane;
        int64_t *dst = a->indices + cp_channel_offset(a->desc->dst_layout, a->indices_strides.channel, c);
        for (int64_t k = 0; k < n; k++) {
            const float *at = job->out_at + k * job->columns * POOL2D_LANES + l;
            int64_t *row = dst + (i + k) * a->indices_strides.row + job->j * a->indices_strides.column;
            for (int64_t j = 0; j < job->columns; j++) {
                const int64_t index = (int64_t)at[j * POOL2D_LANES];
                row[j * a->indices_strides.column] = index < 0 ? -1 : base + index;
            }
        }
    }
}

/* n rows of dst from row i on, back in their layout. */
static void pool2d_job_store(const pool2d_job *job, int64_t i, int64_t n) {
    const cp_pool2d_band *a = job->a;
    const convpool_pool2d_desc *d = a->desc;
    const bool planes = d->dst_layout == CONVPOOL_LAYOUT_NCHW, floats = d->dst_type == CONVPOOL_DATA_TYPE_F32;
    const int64_t at = i * a->dst_strides.row + job->j * a->dst_strides.column;
    if (job->indexed) pool2d_job_store_indices(job, i, n);
    if (planes && floats) {
        const bool gapless = a->dst_strides.row == job->columns;
        const int64_t rows = gapless ? 1 : n, cells = gapless ? n * job->columns : job->columns;
        for (int64_t half = 0; half < job->lanes; half += 8) {
            float *dst = (float *)a->dst + (job->channel + half) * a->dst_strides.channel + at;
            for (int64_t k = 0; k < rows; k++) {
                pool2d_transpose_out(job->out + k * job->columns * POOL2D_LANES + half, cells, dst + k * a->dst_strides.row,
                                     a->dst_strides.channel, CP_MIN(8, job->lanes - half));
            }
        }
        return;
    }
    for (int64_t k = 0; k < n; k++) {
        for (int64_t j = 0; j < job->columns; j++) {
            const float *out = job->out + (k * job->columns + j) * POOL2D_LANES;
            const int64_t pixel = at + k * a->dst_strides.row + j * a->dst_strides.column;
            for (int64_t l = 0; l < job->lanes; l += 8) {
                const int64_t lanes = CP_MIN(8, job->lanes - l);
                const int64_t first = pixel + cp_channel_offset(d->dst_layout, a->dst_strides.channel, job->channel + l);
                const int64_t step = planes ? a->dst_strides.channel : 1;
                if (floats && lanes == 8) {
                    v8_store((float *)a->dst + first, v8_load(out + l));
                } else {
                    for (int64_t c = 0; c < lanes; c++) pool2d_write(a, first + c * step, out[l + c]);
                }
            }
        }
    }
}

/* 16 channels of some columns, all rows of the task. */
static void pool2d_job_run(pool2d_job *job) {
    const cp_pool2d_band *a = job->a;
    const convpool_pool2d_desc *d = a->desc;
    const int64_t pitch = job->columns * POOL2D_LANES, end = a->row + a->rows;
    int64_t held = 0, held_end = 0; /* rows of src that `rows` has */
    for (int64_t i = a->row; i < end; i += a->lanes->rows) {
        const int64_t n = CP_MIN(a->lanes->rows, end - i);
        int64_t y, y_end;
        pool2d_span(pool2d_rows(d, i), pool2d_rows(d, i + n - 1), d->kh, d->ih, &y, &y_end);
        if (y < held_end) {
            memmove(job->rows, job->rows + (y - held) * pitch, (size_t)((held_end - y) * pitch) * sizeof(float));
            if (job->indexed) {
                memmove(job->rows_at, job->rows_at + (y - held) * pitch, (size_t)((held_end - y) * pitch) * sizeof(float));
            }
        }
        held = y;
        for (int64_t from = CP_MAX(y, held_end); from < y_end; from += a->lanes->lines) {
            const int64_t lines = CP_MIN(a->lanes->lines, y_end - from);
            pool2d_job_load(job, from, lines);
            pool2d_job_rows(job, lines, job->rows + (from - y) * pitch, job->rows_at + (from - y) * pitch);
        }
        held_end = y_end;
        pool2d_job_columns(job, i, n, y);
        pool2d_job_finish(job, i, n);
        pool2d_job_store(job, i, n);
    }
}

static void CP_NAME(pool2d_lanes)(const cp_pool2d_band *a) {
    const convpool_pool2d_desc *d = a->desc;
    const cp_pool2d_lanes *lanes = a->lanes;
    pool2d_job job = {
        .a = a,
        .op = pool2d_op_of(d),
        .indexed = a->indices != NULL,
        .suffix = a->workspace,
        .cells = a->workspace + lanes->cells,
        .column_at = a->workspace + lanes->column_at,
        .lines = a->workspace + lanes->line,
        .rows = a->workspace + lanes->row,
        .rows_at = a->workspace + lanes->row_at,
        .out = a->workspace + lanes->out,
        .out_at = a->workspace + lanes->out_at,
    };
    for (job.j = 0; job.j < d->ow; job.j += lanes->columns) {
        int64_t x_end;
        job.columns = CP_MIN(lanes->columns, d->ow - job.j);
        pool2d_span(pool2d_columns(d, job.j), pool2d_columns(d, job.j + job.columns - 1), d->kw, d->iw, &job.x, &x_end);
        job.width = x_end - job.x;
        job.j_whole = job.j_end = job.j;
        if (d->window == CONVPOOL_POOL_WINDOW_SLIDING) {
            pool2d_whole(job.j, job.columns, d->iw, d->kw, d->stride_w, d->dilation_w, d->pad_left, &job.j_whole, &job.j_end);
        }
        for (int64_t j = 0; j < job.columns && job.op == POOL2D_SUM; j++) {
            job.cells[j] = (float)pool2d_columns(d, job.j + j).cells;
        }
        for (int64_t x = 0; x < job.width && job.indexed; x++) {
            v16_store(job.column_at + x * POOL2D_LANES, v16_set1((float)(job.x + x)));
        }
        for (job.channel = a->channel; job.channel < a->channel + a->channels; job.channel += POOL2D_LANES) {
            job.lanes = CP_MIN(POOL2D_LANES, a->channel + a->channels - job.channel);
            pool2d_job_run(&job);
        }
    }
}
