/* SPDX-License-Identifier: MIT
 * Pooling of small windows on planes: 2x2 and 3x3, stride 1 and 2, maxima and averages, lanes along the width.
 *
 * Tile:      4 rows x 16 outputs. Each row of the input is loaded and reduced along the row once, then these reductions by column;
 *            with indices, one row of outputs, each with a chain of its own for each row of its window.
 * Registers: a reduction for each of the lines that are still needed (3), taps (3), divisors of averages (4).
 * Bound:     3x3: shuffles and adds or maxima, about 25 cycles for 64 averages on AVX-512; 2x2: the cache that src comes from.
 * Borders:   left and right, masked loads; above and below, a maximum meets a row twice and an average leaves one out. */

enum { POOL2D_ROWS = 4, POOL2D_KERNEL = 3, POOL2D_LINES = (POOL2D_ROWS - 1) * 2 + POOL2D_KERNEL };

/* Divisors of 16 windows: they are below 2^24 cells each way, so the product is rounded once, as the integer would be. */
static CP_INLINE v16 pool2d_divisors16(const convpool_pool2d_desc *d, const pool2d_axis *y, v16 columns) {
    if (d->divisor_override > 0) return v16_set1((float)d->divisor_override);
    return v16_max_first(v16_set1(1.0f), v16_mul(v16_set1((float)y->cells), columns));
}

/* Which columns of a block exist, for each tap. */
typedef struct pool2d_edge {
    v16_mask near[POOL2D_KERNEL], far[POOL2D_KERNEL];
} pool2d_edge;

/* Two neighbouring taps of stride 2 share their loads, p[0..15] and p[16..31]; a last one reads p[0..15] and p[15..30]. */
static CP_INLINE int pool2d_far(int tap, int kernel) { return tap + 1 < kernel ? 16 : 15; }

/* Of the block whose first window begins at column x of `width`. */
static pool2d_edge pool2d_edge_of(int64_t x, int64_t width, int kernel) {
    pool2d_edge edge;
    for (int tap = 0; tap < POOL2D_KERNEL; tap++) {
        const int64_t near = x + tap, far = near + pool2d_far(tap, kernel);
        edge.near[tap] = v16_range(-near, width - near);
        edge.far[tap] = v16_range(-far, width - far);
    }
    return edge;
}

/* 2 or 3 taps, or rows, in order. */
static CP_INLINE v16 pool2d_reduce(const v16 *x, const int n, const pool2d_op op) {
    if (op == POOL2D_MAX) return n == 2 ? v16_max_first(x[0], x[1]) : v16_max3_first(x[0], x[1], x[2]);
    return n == 2 ? v16_add(x[0], x[1]) : v16_add(v16_add(x[0], x[1]), x[2]);
}

static CP_INLINE v16 pool2d_load(const float *p, v16_mask mask, const pool2d_op op) {
    return op == POOL2D_MAX ? v16_load_or(p, mask, v16_set1(-INFINITY)) : v16_load_masked(p, mask);
}

/* The taps of one row of 16 windows, the first of which begins at p; for stride 2 in the order of v16_pick_even. */
static CP_INLINE void pool2d_block_taps(const float *p, const int kernel, const int step, const pool2d_op op,
                                        const pool2d_edge *edge, v16 *taps) {
    if (edge != NULL) {
        CP_UNROLL
        for (int tap = 0; tap < kernel; tap += step) {
            const v16 near = pool2d_load(p + tap, edge->near[tap], op);
            taps[tap] = near;
            if (step == 1) continue;
            const v16 far = pool2d_load(p + tap + pool2d_far(tap, kernel), edge->far[tap], op);
            taps[tap] = tap + 1 < kernel ? v16_pick_even(near, far) : v16_pick_even15(near, far);
            if (tap + 1 < kernel) taps[tap + 1] = v16_pick_odd(near, far);
        }
    } else if (step == 1) {
        taps[0] = v16_load(p);
        taps[1] = v16_ahead1(taps[0], p);
        if (kernel == 3) taps[2] = v16_ahead2(taps[0], p);
    } else {
        const v16 near = v16_load(p), far = v16_load(p + 16);
        taps[0] = v16_pick_even(near, far);
        taps[1] = v16_pick_odd(near, far);
        if (kernel == 3) taps[2] = v16_even_ahead(taps[0], p);
    }
}

/* 4 x 16 outputs of a plane. `lines` are the rows of the input that they need, at the first column of the first window, each
 * reduced once for all outputs that need it. With `gaps`, one that is NULL counts as zeros. */
static CP_INLINE void pool2d_block(const float *const *lines, int64_t x, v16 *acc, const int kernel, const int step,
                                   const pool2d_op op, const pool2d_edge *edge, const bool gaps) {
    v16 rows[POOL2D_LINES];
    CP_UNROLL
    for (int line = 0; line < (POOL2D_ROWS - 1) * step + kernel; line++) {
        v16 taps[POOL2D_KERNEL];
        rows[line] = v16_zero();
        if (!gaps || lines[line] != NULL) {
            pool2d_block_taps(lines[line] + x, kernel, step, op, edge, taps);
            rows[line] = pool2d_reduce(taps, kernel, op); /* A sum may be -0 where +0 is documented. */
        }
        const int k = (line - kernel + 1) / step;
        if (line < kernel - 1 || (line - kernel + 1) % step != 0) continue;
        acc[k] = pool2d_reduce(rows + k * step, kernel, op);
        if (op == POOL2D_SUM) acc[k] = v16_add(acc[k], v16_zero());
        if (step == 2) acc[k] = v16_in_order(acc[k]);
    }
}

/* Columns of a plane in blocks of 16: those at the ends of a row, whose windows may cross its borders, and whole windows. */
typedef struct pool2d_columns16 {
    int ends;
    int64_t at[3];
    pool2d_edge edges[3];
    v16 cells[3]; /* that count in an average's divisor */
    int64_t n;    /* columns of a block at an end */
    int64_t inside, inside_end;
} pool2d_columns16;

static void pool2d_columns16_init(pool2d_columns16 *x, const convpool_pool2d_desc *d, int kernel, int step) {
    const int64_t last = d->iw - kernel + d->pad_left, begin = cp_ceil_div(d->pad_left, step);
    const int64_t end = last < 0 ? 0 : CP_MIN(d->ow, last / step + 1);
    *x = (pool2d_columns16){.n = CP_MIN(16, d->ow), .inside_end = d->ow};
    if (begin > 0 || x->n < 16) {
        x->at[x->ends++] = 0;
        x->inside = x->n;
    }
    if (end < d->ow && (x->ends == 0 || d->ow > x->n)) {
        x->at[x->ends++] = d->ow - x->n;
        x->inside_end = d->ow - x->n;
    }
    if (x->inside < x->inside_end && x->inside_end - 16 < begin) { /* too few for a block of whole windows */
        x->at[x->ends++] = CP_MIN(x->inside, d->ow - x->n);
        x->inside = x->inside_end;
    }
    for (int e = 0; e < x->ends; e++) {
        float cells[16] = {0};
        for (int64_t p = 0; p < x->n; p++) cells[p] = (float)pool2d_columns(d, x->at[e] + p).cells;
        x->cells[e] = v16_load(cells);
        x->edges[e] = pool2d_edge_of(x->at[e] * step - d->pad_left, d->iw, kernel);
    }
}

/* Divisors of 4 rows of outputs: at the ends and, last, of whole windows. If those of whole windows are all 4, sums are multiplied
 * by a quarter, which is the same and takes no longer for denormals. */
typedef struct pool2d_divisors4 {
    v16 of[4][POOL2D_ROWS];
    bool quarters;
} pool2d_divisors4;

static void pool2d_divisors4_init(pool2d_divisors4 *r, const convpool_pool2d_desc *d, const pool2d_columns16 *x,
                                  const pool2d_axis *rows) {
    const pool2d_axis whole = {.end = d->kw, .cells = d->kw};
    r->quarters = true;
    for (int k = 0; k < POOL2D_ROWS && d->kind == CONVPOOL_POOL_KIND_AVERAGE; k++) {
        for (int e = 0; e < x->ends; e++) r->of[e][k] = pool2d_divisors16(d, &rows[k], x->cells[e]);
        const float divisor = pool2d_divisor(d, &rows[k], &whole);
        r->of[3][k] = v16_set1(divisor);
        r->quarters = r->quarters && divisor == 4.0f;
    }
}

static CP_INLINE void pool2d_blocks_rows(const pool2d_columns16 *x, const pool2d_divisors4 *r, const float *const *given,
                                         float *dst, int64_t pitch, const int kernel, const int step, const pool2d_op op,
                                         const bool gaps) {
    v16 acc[POOL2D_ROWS], divisor[POOL2D_ROWS];
    const float *lines[POOL2D_LINES];
    CP_UNROLL
    for (int line = 0; line < (POOL2D_ROWS - 1) * step + kernel; line++) lines[line] = given[line];
    for (int e = 0; e < x->ends; e++) {
        pool2d_block(lines, x->at[e] * step, acc, kernel, step, op, &x->edges[e], gaps);
        CP_UNROLL
        for (int k = 0; k < POOL2D_ROWS; k++) {
            if (op == POOL2D_SUM) acc[k] = v16_div(acc[k], r->of[e][k]);
            if (x->n == 16) {
                v16_store(dst + k * pitch + x->at[e], acc[k]);
            } else {
                v16_storen(dst + k * pitch + x->at[e], acc[k], x->n);
            }
        }
    }
    CP_UNROLL
    for (int k = 0; k < POOL2D_ROWS && op == POOL2D_SUM; k++) divisor[k] = r->of[3][k];
    for (int64_t j = x->inside; j < x->inside_end; j += 16) {
        const int64_t at = CP_MIN(j, x->inside_end - 16);
        pool2d_block(lines, at * step, acc, kernel, step, op, NULL, gaps);
        CP_UNROLL
        for (int k = 0; k < POOL2D_ROWS; k++) {
            if (op == POOL2D_SUM) acc[k] = r->quarters ? v16_mul(acc[k], v16_set1(0.25f)) : v16_div(acc[k], divisor[k]);
            v16_store(dst + k * pitch + at, acc[k]);
        }
    }
}

/* Square windows with the same stride both ways; at least 4 rows, the last of which overlap the ones before. */
static CP_INLINE void pool2d_blocks(const cp_pool2d_band *a, const int kernel, const int step, const pool2d_op op) {
    const convpool_pool2d_desc *d = a->desc;
    const int lines_count = (POOL2D_ROWS - 1) * step + kernel;
    const int64_t last = a->row + a->rows - POOL2D_ROWS, pitch = a->dst_strides.row;
    const pool2d_axis whole = {.end = d->kh, .cells = d->kh};
    const pool2d_axis whole4[POOL2D_ROWS] = {whole, whole, whole, whole};
    pool2d_columns16 x;
    pool2d_divisors4 usual, borders[3]; /* of the first rows, the last, and any others */
    pool2d_columns16_init(&x, d, kernel, step);
    pool2d_divisors4_init(&usual, d, &x, whole4);
    for (int64_t c = a->channel; c < a->channel + a->channels; c++) {
        const float *plane = (const float *)a->src + c * a->src_strides.channel - d->pad_left, *lines[POOL2D_LINES];
        for (int64_t group = a->row; group < a->row + a->rows; group += POOL2D_ROWS) {
            const int64_t i = CP_MIN(group, last), y = i * step - d->pad_top;
            float *dst = (float *)a->dst + c * a->dst_strides.channel + i * pitch;
            if (y >= 0 && y + lines_count <= d->ih) {
                for (int line = 0; line < lines_count; line++) lines[line] = plane + (y + line) * a->src_strides.row;
                pool2d_blocks_rows(&x, &usual, lines, dst, pitch, kernel, step, op, false);
                continue;
            }
            const int border = i == last ? 1 : group == a->row ? 0 : 2;
            pool2d_divisors4 *r = &borders[border];
            for (int line = 0; line < lines_count; line++) {
                /* A maximum may meet the row next to the border again instead of one beyond: each window has it. */
                const int64_t near = CP_MAX(0, CP_MIN(y + line, d->ih - 1));
                lines[line] = op == POOL2D_SUM && y + line != near ? NULL : plane + near * a->src_strides.row;
            }
            if (c == a->channel || border == 2) {
                const pool2d_axis rows[POOL2D_ROWS] = {pool2d_rows(d, i), pool2d_rows(d, i + 1), pool2d_rows(d, i + 2),
                                                       pool2d_rows(d, i + 3)};
                pool2d_divisors4_init(r, d, &x, rows);
            }
            pool2d_blocks_rows(&x, r, lines, dst, pitch, kernel, step, op, op == POOL2D_SUM);
        }
    }
}

/* 16 columns of a plane with indices. `first` is the place of each window's first real tap within its row. */
static CP_INLINE void pool2d_block_at(const cp_pool2d_band *a, const float *row, const pool2d_axis *y, int64_t x, v16 first,
                                      v16 *max, v16 *at, const int kernel, const int step, const pool2d_edge *edge) {
    const int64_t width = a->desc->iw;
    *max = v16_set1(-INFINITY);
    *at = v16_add(first, v16_set1((float)(y->begin * width)));
    for (int64_t ty = y->begin; ty < y->end; ty++) {
        v16 taps[POOL2D_KERNEL];
        pool2d_block_taps(row + ty * a->src_strides.row + x, kernel, step, POOL2D_MAX, edge, taps);
        v16 row_at = v16_set1((float)(ty * width));
        CP_UNROLL
        for (int tap = 1; tap < kernel; tap++) v16_max_first_at(&taps[0], &row_at, taps[tap], v16_set1((float)(ty * width + tap)));
        v16_max_first_at(max, at, taps[0], row_at);
    }
    if (step == 2) {
        *max = v16_in_order(*max);
        *at = v16_in_order(*at);
    }
}

/* Maxima of square windows with their indices, row by row. Places are relative to where the windows of a block begin, and floats,
 * which planes of less than 2^24 cells allow. */
static CP_INLINE void pool2d_blocks_at(const cp_pool2d_band *a, const int kernel, const int step) {
    const convpool_pool2d_desc *d = a->desc;
    pool2d_columns16 x;
    v16 firsts[4], column;
    float steps[16], first[32] = {0};
    pool2d_columns16_init(&x, d, kernel, step);
    for (int k = 0; k < 16; k++) steps[k] = (float)(k * step);
    column = v16_load(steps);
    for (int e = 0; e < 4; e++) {
        for (int k = 0; k < 16; k++) {
            first[k * step] = e >= x.ends ? 0.0f : (float)CP_MAX(0, d->pad_left - (x.at[e] + k) * step);
        }
        firsts[e] = step == 1 ? v16_load(first) : v16_pick_even(v16_load(first), v16_load(first + 16));
    }
    for (int64_t c = a->channel; c < a->channel + a->channels; c++) {
        const float *plane = (const float *)a->src + c * a->src_strides.channel - d->pad_left;
        for (int64_t i = a->row; i < a->row + a->rows; i++) {
            const pool2d_axis y = pool2d_rows(d, i);
            const float *row = plane + y.origin * a->src_strides.row;
            float *dst = (float *)a->dst + c * a->dst_strides.channel + i * a->dst_strides.row;
            int64_t *indices = a->indices + c * a->indices_strides.channel + i * a->indices_strides.row;
            const int64_t base = a->index_base + c * a->index_plane + y.origin * d->iw - d->pad_left;
            v16 max, at;
            for (int e = 0; e < x.ends; e++) {
                const int64_t j = x.at[e];
                pool2d_block_at(a, row, &y, j * step, firsts[e], &max, &at, kernel, step, &x.edges[e]);
                at = v16_add(at, column);
                if (x.n == 16) {
                    v16_store(dst + j, max);
                    v16_store_places(indices + j, at, base + j * step);
                } else {
                    int64_t places[16];
                    v16_storen(dst + j, max, x.n);
                    v16_store_places(places, at, base + j * step);
                    memcpy(indices + j, places, (size_t)x.n * sizeof *places);
                }
            }
            for (int64_t block = x.inside; block < x.inside_end; block += 16) {
                const int64_t j = CP_MIN(block, x.inside_end - 16);
                pool2d_block_at(a, row, &y, j * step, firsts[3], &max, &at, kernel, step, NULL);
                v16_store(dst + j, max);
                v16_store_places(indices + j, v16_add(at, column), base + j * step);
            }
        }
    }
}

static CP_NOINLINE void pool2d_max_2x2s1(const cp_pool2d_band *a) { pool2d_blocks(a, 2, 1, POOL2D_MAX); }
static CP_NOINLINE void pool2d_max_2x2s2(const cp_pool2d_band *a) { pool2d_blocks(a, 2, 2, POOL2D_MAX); }
static CP_NOINLINE void pool2d_max_3x3s1(const cp_pool2d_band *a) { pool2d_blocks(a, 3, 1, POOL2D_MAX); }
static CP_NOINLINE void pool2d_max_3x3s2(const cp_pool2d_band *a) { pool2d_blocks(a, 3, 2, POOL2D_MAX); }
static CP_NOINLINE void pool2d_sum_2x2s1(const cp_pool2d_band *a) { pool2d_blocks(a, 2, 1, POOL2D_SUM); }
static CP_NOINLINE void pool2d_sum_2x2s2(const cp_pool2d_band *a) { pool2d_blocks(a, 2, 2, POOL2D_SUM); }
static CP_NOINLINE void pool2d_sum_3x3s1(const cp_pool2d_band *a) { pool2d_blocks(a, 3, 1, POOL2D_SUM); }
static CP_NOINLINE void pool2d_sum_3x3s2(const cp_pool2d_band *a) { pool2d_blocks(a, 3, 2, POOL2D_SUM); }

static CP_NOINLINE void pool2d_max_2x2s1_at(const cp_pool2d_band *a) { pool2d_blocks_at(a, 2, 1); }
static CP_NOINLINE void pool2d_max_2x2s2_at(const cp_pool2d_band *a) { pool2d_blocks_at(a, 2, 2); }
static CP_NOINLINE void pool2d_max_3x3s1_at(const cp_pool2d_band *a) { pool2d_blocks_at(a, 3, 1); }
static CP_NOINLINE void pool2d_max_3x3s2_at(const cp_pool2d_band *a) { pool2d_blocks_at(a, 3, 2); }

/* The kernel of a small window, or NULL. */
static void (*pool2d_small(const cp_pool2d_band *a))(const cp_pool2d_band *) {
    static void (*const kernels[3][2][2])(const cp_pool2d_band *) = {
        {{pool2d_max_2x2s1, pool2d_max_2x2s2}, {pool2d_max_3x3s1, pool2d_max_3x3s2}},
        {{pool2d_sum_2x2s1, pool2d_sum_2x2s2}, {pool2d_sum_3x3s1, pool2d_sum_3x3s2}},
        {{pool2d_max_2x2s1_at, pool2d_max_2x2s2_at}, {pool2d_max_3x3s1_at, pool2d_max_3x3s2_at}},
    };
    const convpool_pool2d_desc *d = a->desc;
    const bool square = d->kh == d->kw && d->stride_h == d->stride_w && d->dilation_h == 1 && d->dilation_w == 1;
    const bool small = (d->kh == 2 || d->kh == 3) && d->stride_h <= 2 && d->kind != CONVPOOL_POOL_KIND_LP;
    if (!square || !small || (a->indices == NULL && a->rows < POOL2D_ROWS)) return NULL;
    return kernels[a->indices != NULL ? 2 : d->kind][d->kh - 2][d->stride_h - 1];
}
