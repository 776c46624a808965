/* SPDX-License-Identifier: MIT
 * Pooling of small windows on planes: 2x2 and 3x3, stride 1 and 2, maxima and averages, lanes along the width.
 *
 * Order:     rows of outputs from the top. Each line of src is loaded once and reduced along the row; the reductions of the lines
 *            that the next row of outputs reads too are kept, of up to 8 vectors in registers, of wider rows in L1.
 * Bound:     3x3: adds, maxima and comparisons, of which two a cycle, 3 to 5 cycles for a vector; 2x2: the cache src comes from.
 * Borders:   what lies outside are cells that change nothing, -infinity or 0: in masked loads of the last vector of a row, in the
 *            neighbours of a row's first and last cell, and as whole lines. */

enum {
    POOL2D_KERNEL = 3,
    POOL2D_HELD = 8,     /* vectors of a row whose reductions stay in registers */
    POOL2D_CHUNK = 4,    /* vectors of a wider row that are worked on together */
    POOL2D_STRIP = 1024, /* columns of dst whose reductions stay in L1 */
    POOL2D_AHEAD = 512   /* floats ahead of what is loaded, to be prefetched */
};

/* Some columns of dst, all rows of the task: as many as are held, or the whole row up to POOL2D_STRIP. */
typedef struct pool2d_strip {
    int64_t j, x;      /* first column of dst; of src that is loaded, which is the second tap of 3 or the first of 2 */
    int64_t vectors;   /* of dst */
    int64_t n;         /* columns of the last vector */
    vw_mask near, far; /* the cells within the image of what it loads, all others load nothing else */
    bool left;         /* the cell before what is loaded is in the image, */
    int64_t cells;     /* and so many from there on */
} pool2d_strip;

/* The strip from column j on. If that begins in the padding it is a single vector, so that only last vectors meet a border. */
static pool2d_strip pool2d_strip_of(const convpool_pool2d_desc *d, int64_t j) {
    const int64_t step = d->stride_w, x = j * step + (d->kw == 3) - d->pad_left;
    const int64_t vectors = x < 0 ? 1 : CP_MIN(cp_ceil_div(d->ow - j, CP_WIDE), POOL2D_STRIP / CP_WIDE);
    const int64_t last = x + (vectors - 1) * CP_WIDE * step;
    return (pool2d_strip){
        .j = j,
        .x = x,
        .vectors = vectors,
        .n = CP_MIN(CP_WIDE, d->ow - j - (vectors - 1) * CP_WIDE),
        .near = vw_range(-last, d->iw - last),
        .far = vw_range(-last - CP_WIDE, d->iw - last - CP_WIDE),
        .left = x > 0 && x <= d->iw,
        .cells = d->iw - x,
    };
}

/* Of each window of a strip, the cells of a row that count in an average's divisor. */
static void pool2d_strip_cells(const pool2d_strip *s, const convpool_pool2d_desc *d, float *cells) {
    const int64_t x = s->j * d->stride_w - d->pad_left, room = d->iw - x + (d->count_include_pad ? d->pad_right : 0);
    const int missing = d->count_include_pad ? 0 : (int)CP_MAX(0, -x), end = (int)CP_MIN(room, 4 * POOL2D_STRIP);
    for (int p = 0; p < (int)s->vectors * CP_WIDE; p++) {
        cells[p] = (float)(CP_MIN((int)d->kw, end - p * (int)d->stride_w) - CP_MAX(0, missing - p * (int)d->stride_w));
    }
}

/* 2 or 3 taps, or rows, in order. */
static CP_INLINE vw pool2d_reduce(const vw *x, const int n, const pool2d_op op) {
    if (op == POOL2D_MAX) return n == 2 ? vw_max_first(x[0], x[1]) : vw_max3_first(x[0], x[1], x[2]);
    return n == 2 ? vw_add(x[0], x[1]) : vw_add(vw_add(x[0], x[1]), x[2]);
}

static CP_INLINE float pool2d_none(const pool2d_op op) { return op == POOL2D_MAX ? -INFINITY : 0.0f; }

static CP_INLINE vw pool2d_load(const float *p, vw_mask mask, const bool all, const pool2d_op op) {
    if (all) return vw_load(p);
    return op == POOL2D_MAX ? vw_load_or(p, mask, vw_set1(pool2d_none(op))) : vw_load_masked(p, mask);
}

/* The reductions along a line of some vectors of windows, of which the first load is at p; for stride 2 in the order of
 * vw_pick_even. `last` are those at the end of the strip. */
static CP_INLINE void pool2d_line(const pool2d_strip s, const float *p, vw *row, const int vectors, const bool last,
                                  const int kernel, const int step, const pool2d_op op) {
    const float none = pool2d_none(op);
    vw near[POOL2D_HELD + 1], far[POOL2D_HELD];
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        const float *at = p + v * CP_WIDE * step;
        near[v] = pool2d_load(at, s.near, !last || v + 1 < vectors, op);
        if (step == 2) far[v] = pool2d_load(at + CP_WIDE, s.far, !last || v + 1 < vectors, op);
    }
    CP_UNROLL
    for (int line = 0; line < vectors * CP_WIDE * step; line += 16) CP_PREFETCH_L1(p + line + POOL2D_AHEAD);
    vw before = vw_set1(*(s.left ? p - 1 : &none));
    near[vectors] = vw_set1(*(vectors * CP_WIDE * step < s.cells ? p + vectors * CP_WIDE * step : &none));
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        vw taps[POOL2D_KERNEL];
        vw *const own = taps + (kernel == 3); /* the taps that begin with a load's first cell */
        own[0] = step == 1 ? near[v] : vw_pick_even(near[v], far[v]);
        own[1] = step == 1 ? vw_after(near[v], near[v + 1]) : vw_pick_odd(near[v], far[v]);
        if (kernel == 3) {
            const vw left = step == 1 ? own[0] : own[1];
            taps[0] = step == 1 ? vw_before(before, left) : vw_picked_before(before, left);
            before = left;
        }
        row[v] = pool2d_reduce(taps, kernel, op);
    }
}

/* What a row of dst is made from. */
typedef struct pool2d_row {
    const float *lines[2]; /* those of src that no row before has read, NULL for one outside the image */
    float *kept[2];        /* reductions of those before, from the top; of wide rows */
    const float *divisors; /* of averages; their reciprocals if `exact`, which powers of two have */
    bool exact;
    bool wanted; /* whether there is a result, and where it goes */
    float *dst;
} pool2d_row;

/* Some vectors of a row of dst, from column `at` of the strip on. `rows` are the reductions of lines before, and then of those that
 * the next row reads. */
static CP_INLINE void pool2d_outputs(const pool2d_strip s, const pool2d_row r, int64_t at, vw (*rows)[POOL2D_HELD],
                                     const int vectors, const bool last, const int kernel, const int step, const pool2d_op op,
                                     const bool stream) {
    const int keep = kernel - step;
    CP_UNROLL
    for (int k = 0; k < step; k++) {
        if (r.lines[k] != NULL) {
            pool2d_line(s, r.lines[k] + at * step, rows[keep + k], vectors, last, kernel, step, op);
        } else {
            CP_UNROLL
            for (int v = 0; v < vectors; v++) rows[keep + k][v] = vw_set1(pool2d_none(op));
        }
    }
    vw out[POOL2D_HELD];
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        vw taps[POOL2D_KERNEL];
        CP_UNROLL
        for (int k = 0; k < kernel; k++) taps[k] = rows[k][v];
        CP_UNROLL
        for (int k = 0; k < keep; k++) rows[k][v] = taps[k + step];
        out[v] = pool2d_reduce(taps, kernel, op);
        if (step == 2) out[v] = vw_in_order(out[v]);
    }
    if (!r.wanted) return;
    if (op == POOL2D_SUM && kernel == 2 && r.exact) { /* A sum may be -0 where +0 is documented. */
        CP_UNROLL
        for (int v = 0; v < vectors; v++) out[v] = vw_fma(out[v], vw_load(r.divisors + at + v * CP_WIDE), vw_zero());
    } else if (op == POOL2D_SUM) {
        CP_UNROLL
        for (int v = 0; v < vectors; v++) {
            out[v] = vw_div(vw_add(out[v], vw_zero()), vw_load(r.divisors + at + v * CP_WIDE));
        }
    }
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        float *dst = r.dst + at + v * CP_WIDE;
        if (stream) {
            vw_stream(dst, out[v]);
        } else if (!last || v + 1 < vectors) {
            vw_store(dst, out[v]);
        } else {
            vw_storen(dst, out[v], s.n);
        }
    }
}

/* The same for the next vectors of a wide row. */
static CP_INLINE void pool2d_outputs_kept(pool2d_strip s, const pool2d_row r, int64_t at, const int vectors, const bool last,
                                          const int kernel, const int step, const pool2d_op op, const bool stream) {
    vw rows[POOL2D_KERNEL][POOL2D_HELD];
    const int keep = kernel - step;
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        CP_UNROLL
        for (int k = 0; k < keep; k++) rows[k][v] = vw_load(r.kept[k] + at + v * CP_WIDE);
    }
    s.left = s.left || at > 0;
    s.cells -= at * step;
    pool2d_outputs(s, r, at, rows, vectors, last, kernel, step, op, stream);
    CP_UNROLL
    for (int v = 0; v < vectors && keep > 0; v++) vw_store(r.kept[0] + at + v * CP_WIDE, rows[CP_MAX(keep, 1) - 1][v]);
}

/* All rows of the task of one strip of a plane, `vectors` of them held or, if that is 0, kept in L1. */
static CP_INLINE void pool2d_strip_rows(const cp_pool2d_band *a, const pool2d_strip *given, const float *cells, const float *src,
                                        float *dst, const int vectors, const int kernel, const int step, const pool2d_op op,
                                        const bool stream) {
    const convpool_pool2d_desc *d = a->desc;
    const pool2d_strip s = *given; /* Stores could change what is not a copy. */
    const int64_t src_pitch = a->src_strides.row, dst_pitch = a->dst_strides.row, ih = d->ih, end = a->row + a->rows;
    const int before = (kernel - 1) / step; /* rows whose results are not wanted, but the lines they read */
    vw rows[POOL2D_KERNEL][POOL2D_HELD];
    float divisors[POOL2D_STRIP], kept[2][POOL2D_STRIP];
    pool2d_row r = {.kept = {kept[0], kept[1]}, .divisors = divisors, .exact = d->divisor_override == 0};
    int64_t divided = 0;
    for (int k = 0; k < kernel - step; k++) {
        for (int v = 0; v < CP_MAX(vectors, 1); v++) rows[k][v] = vw_set1(pool2d_none(op));
        for (int64_t p = 0; p < s.vectors * CP_WIDE && vectors == 0; p++) kept[k][p] = pool2d_none(op);
    }
    for (int64_t i = a->row - before; i < end; i++) {
        const int64_t top = i * step - d->pad_top;
        for (int k = 0; k < step; k++) {
            const int64_t y = top + kernel - step + k;
            r.lines[k] = y >= 0 && y < ih ? src + s.x + y * src_pitch : NULL;
        }
        r.wanted = i >= a->row;
        r.dst = dst + i * dst_pitch + s.j;
        if (op == POOL2D_SUM && r.wanted) {
            const int64_t lines = top >= 0 && top + kernel <= ih ? kernel : pool2d_rows(d, i).cells;
            for (int64_t p = 0; p < s.vectors * CP_WIDE && lines != divided; p++) {
                const float divisor = d->divisor_override > 0 ? (float)d->divisor_override : CP_MAX(1.0f, (float)lines * cells[p]);
                divisors[p] = kernel == 2 && r.exact ? 1.0f / divisor : divisor;
            }
            divided = lines;
        }
        if (vectors > 0) {
            pool2d_outputs(s, r, 0, rows, vectors, true, kernel, step, op, stream);
            continue;
        }
        int64_t v = 0;
        for (; v + POOL2D_CHUNK < s.vectors; v += POOL2D_CHUNK) {
            pool2d_outputs_kept(s, r, v * CP_WIDE, POOL2D_CHUNK, false, kernel, step, op, stream);
        }
        for (; v + 1 < s.vectors; v++) pool2d_outputs_kept(s, r, v * CP_WIDE, 1, false, kernel, step, op, stream);
        pool2d_outputs_kept(s, r, v * CP_WIDE, 1, true, kernel, step, op, stream);
        float *const oldest = r.kept[0];
        r.kept[0] = r.kept[kernel - step == 2];
        r.kept[kernel - step == 2] = oldest;
    }
}

static CP_INLINE void pool2d_strips(const cp_pool2d_band *a, const int kernel, const int step, const pool2d_op op) {
    const convpool_pool2d_desc *d = a->desc;
    pool2d_strip s = {.j = -1};
    float cells[POOL2D_STRIP];
    for (int64_t c = a->channel; c < a->channel + a->channels; c++) {
        const float *src = (const float *)a->src + c * a->src_strides.channel;
        float *dst = (float *)a->dst + c * a->dst_strides.channel;
        for (int64_t j = 0; j < d->ow; j += s.vectors * CP_WIDE) {
            if (j != s.j) {
                s = pool2d_strip_of(d, j);
                if (op == POOL2D_SUM) pool2d_strip_cells(&s, d, cells);
            }
#define POOL2D_CASE(n)                                                                                                             \
    case n:                                                                                                                        \
        pool2d_strip_rows(a, &s, cells, src, dst, n, kernel, step, op, false);                                                     \
        break;
            switch (s.vectors) {
                POOL2D_CASE(1)
                POOL2D_CASE(2)
                POOL2D_CASE(3)
                POOL2D_CASE(4)
                POOL2D_CASE(5)
                POOL2D_CASE(6)
                POOL2D_CASE(7)
                POOL2D_CASE(8)
            default:
                if (a->stream && s.x >= 0) {
                    pool2d_strip_rows(a, &s, cells, src, dst, 0, kernel, step, op, true);
                } else {
                    pool2d_strip_rows(a, &s, cells, src, dst, 0, kernel, step, op, false);
                }
                break;
            }
        }
    }
    if (a->stream) vw_stream_end();
}
#undef POOL2D_CASE

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

static CP_INLINE v16 pool2d_load16(const float *p, v16_mask mask, const pool2d_op op) {
    return op == POOL2D_MAX ? v16_load_or(p, mask, v16_set1(-INFINITY)) : v16_load_masked(p, mask);
}

/* The taps of one row of 16 windows, the first of which begins at p; for stride 2 in the order of v16_pick_even. */
static CP_INLINE void pool2d_block_taps(const float *p, const int kernel, const int step, const pool2d_op op,
                                        const pool2d_edge *edge, v16 *taps) {
    if (edge != NULL) {
        CP_UNROLL
        for (int tap = 0; tap < kernel; tap += step) {
            const v16 near = pool2d_load16(p + tap, edge->near[tap], op);
            taps[tap] = near;
            if (step == 1) continue;
            const v16 far = pool2d_load16(p + tap + pool2d_far(tap, kernel), edge->far[tap], op);
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

static CP_NOINLINE void pool2d_max_2x2s1(const cp_pool2d_band *a) { pool2d_strips(a, 2, 1, POOL2D_MAX); }
static CP_NOINLINE void pool2d_max_2x2s2(const cp_pool2d_band *a) { pool2d_strips(a, 2, 2, POOL2D_MAX); }
static CP_NOINLINE void pool2d_max_3x3s1(const cp_pool2d_band *a) { pool2d_strips(a, 3, 1, POOL2D_MAX); }
static CP_NOINLINE void pool2d_max_3x3s2(const cp_pool2d_band *a) { pool2d_strips(a, 3, 2, POOL2D_MAX); }
static CP_NOINLINE void pool2d_sum_2x2s1(const cp_pool2d_band *a) { pool2d_strips(a, 2, 1, POOL2D_SUM); }
static CP_NOINLINE void pool2d_sum_2x2s2(const cp_pool2d_band *a) { pool2d_strips(a, 2, 2, POOL2D_SUM); }
static CP_NOINLINE void pool2d_sum_3x3s1(const cp_pool2d_band *a) { pool2d_strips(a, 3, 1, POOL2D_SUM); }
static CP_NOINLINE void pool2d_sum_3x3s2(const cp_pool2d_band *a) { pool2d_strips(a, 3, 2, POOL2D_SUM); }

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
    if (!square || !small) return NULL;
    return kernels[a->indices != NULL ? 2 : d->kind][d->kh - 2][d->stride_h - 1];
}
