/* SPDX-License-Identifier: MIT
 * Pooling of small windows on planes: 2x2 and 3x3, stride 1 and 2, and 3x3, stride 3; maxima, also with indices, and averages;
 * lanes along the width.
 *
 * Order:     rows of outputs from the top. Each line of src is loaded once and reduced along the row; the reductions of the lines
 *            that the next row of outputs reads too are kept, of up to 8 vectors in registers, of wider rows in L1.
 * Bound:     3x3: adds, maxima and comparisons, of which two a cycle: 3 to 5 cycles a vector; 2x2: the cache that src comes from.
 * Borders:   what lies outside are cells that change nothing, -infinity or 0: in masked loads of the first or last vector of a row,
 *            in the neighbours of a row's first and last cell, and as whole lines.
 * Places:    whole numbers, in the plane but for the columns before a vector's first window. Maxima with places are found as if
 *            there were no NaN, in three instructions a step instead of four to six; strips that have one are done again. */

enum {
    POOL2D_KERNEL = 3,
    POOL2D_HELD = 8,     /* vectors of a row whose reductions stay in registers; with indices, or where none do, 4 */
    POOL2D_CHUNK = 4,    /* vectors of a wider row that are worked on together, */
    POOL2D_CHUNK_AT = 3, /* and with indices */
    POOL2D_STRIP = 1024, /* columns of dst whose reductions stay in L1 */
    POOL2D_AHEAD = 512,  /* floats ahead of what is loaded, to be prefetched, */
    POOL2D_FAR = 1792    /* and for 2x2 with stride 2 */
};

/* Some columns of dst, all rows of the task: as many as are held, or the whole row up to POOL2D_STRIP. */
typedef struct pool2d_strip {
    int64_t j, x;         /* first column of dst; of src that is loaded: the second tap of 3, or the first if none is shared */
    int64_t vectors;      /* of dst */
    int64_t n;            /* columns of the last vector */
    vw_mask first;        /* of windows that begin with a load, the cells within the image of what the first one loads, */
    vw_mask ends[3];      /* and of what the last vector does, in a load for each column of its stride; all others are within */
    bool left;            /* the cell before what is loaded is in the image, */
    int64_t cells;        /* and so many from there on */
    vw at[POOL2D_KERNEL]; /* places of the taps of a vector of windows, as they are picked for strides above 1 */
    vw first_at[POOL2D_KERNEL]; /* the same of the strip's first vector; taps before the image have that of the first one in it */
} pool2d_strip;

static CP_INLINE vw pool2d_places_of(const int32_t *at, int64_t step) {
    const vw places = vw_load_places(at);
    if (step == 1) return places;
    const vw next = vw_load_places(at + CP_WIDE);
    return step == 2 ? vw_pick_even(places, next) : vw_pick_third(places, next, vw_load_places(at + 2 * CP_WIDE), 0);
}

/* Whether what a vector of windows loads begins with their second taps, so that a shift gives the first ones. */
static CP_INLINE bool pool2d_is_centred(int64_t kernel, int64_t step) { return kernel == 3 && step < 3; }

/* The strip from column j on. Windows loaded from their second taps on that begin with more padding than a cell are a single
 * vector, which is the last one. */
static pool2d_strip pool2d_strip_of(const convpool_pool2d_desc *d, int64_t j) {
    const bool centred = pool2d_is_centred(d->kw, d->stride_w);
    const int64_t step = d->stride_w, x = j * step + centred - d->pad_left;
    const int64_t vectors = x < 0 && centred ? 1 : CP_MIN(cp_ceil_div(d->ow - j, CP_WIDE), POOL2D_STRIP / CP_WIDE);
    const int64_t last = x + (vectors - 1) * CP_WIDE * step;
    pool2d_strip s = {0};
    s.j = j;
    s.x = x;
    s.vectors = vectors;
    s.n = CP_MIN(CP_WIDE, d->ow - j - (vectors - 1) * CP_WIDE);
    s.first = vw_range(-x, d->iw - x);
    for (int k = 0; k < 3; k++) s.ends[k] = vw_range(-last - k * CP_WIDE, d->iw - last - k * CP_WIDE);
    s.left = x > 0 && x <= d->iw;
    s.cells = d->iw - x;
    for (int tap = 0; tap < (int)d->kw && d->indices != CONVPOOL_INDICES_NONE; tap++) {
        const int missing = (int)CP_MAX(0, d->pad_left - j * step);
        int32_t at[3 * CP_WIDE], first_at[3 * CP_WIDE]; /* each window `step` times */
        for (int p = 0; p < 3 * CP_WIDE; p++) {
            const int begin = p - p % (int)step;
            at[p] = begin + tap;
            first_at[p] = begin + CP_MAX(tap, missing - begin);
        }
        s.at[tap] = pool2d_places_of(at, step);
        s.first_at[tap] = pool2d_places_of(first_at, step);
    }
    return s;
}

/* Whether all divisors are powers of two, so that their reciprocals do. */
static CP_INLINE bool pool2d_is_exact(const convpool_pool2d_desc *d) { return d->kw == 2 && d->divisor_override == 0; }

/* What the sums of a strip's windows are divided by, or multiplied by where that is exact, for each number of lines that count. */
static void pool2d_strip_divisors(const pool2d_strip *s, const convpool_pool2d_desc *d, float (*divisors)[POOL2D_STRIP]) {
    const bool exact = pool2d_is_exact(d);
    const int64_t x = s->j * d->stride_w - d->pad_left, room = d->iw - x + (d->count_include_pad ? d->pad_right : 0);
    const int missing = d->count_include_pad ? 0 : (int)CP_MAX(0, -x), end = (int)CP_MIN(room, 4 * POOL2D_STRIP);
    const int kernel = (int)d->kw, step = (int)d->stride_w;
    for (int lines = 0; lines <= kernel; lines++) {
        for (int p = 0; p < (int)s->vectors * CP_WIDE; p++) {
            const int cells = lines * (CP_MIN(kernel, end - p * step) - CP_MAX(0, missing - p * step));
            const float divisor = d->divisor_override > 0 ? (float)d->divisor_override : (float)CP_MAX(1, cells);
            divisors[lines][p] = exact ? 1.0f / divisor : divisor;
        }
    }
}

/* Whether indices are wanted, and may be of NaN. */
typedef enum pool2d_places { POOL2D_NO_PLACES, POOL2D_PLACES, POOL2D_PLACES_OF_NAN } pool2d_places;

/* 2 or 3 taps, or rows, in order; of maxima, the place too. The scan begins with the first: if that is padding, it has the place of
 * the first real one, which is taken in any case. */
static CP_INLINE vw pool2d_reduce(const vw *x, const vw *x_at, vw *at, const int n, const pool2d_op op,
                                  const pool2d_places places) {
    *at = places == POOL2D_NO_PLACES ? vw_zero() : x_at[0];
    if (places == POOL2D_NO_PLACES && op == POOL2D_MAX) return n == 2 ? vw_max_first(x[0], x[1]) : vw_max3_first(x[0], x[1], x[2]);
    if (places == POOL2D_NO_PLACES) return n == 2 ? vw_add(x[0], x[1]) : vw_add(vw_add(x[0], x[1]), x[2]);
    vw max = x[0];
    CP_UNROLL
    for (int k = 1; k < n; k++) {
        if (places == POOL2D_PLACES) {
            vw_max_at(&max, at, x[k], x_at[k]);
        } else {
            vw_max_first_at(&max, at, x[k], x_at[k]);
        }
    }
    return max;
}

static CP_INLINE float pool2d_none(const pool2d_op op) { return op == POOL2D_MAX ? -INFINITY : 0.0f; }

static CP_INLINE vw pool2d_load(const float *p, vw_mask mask, const bool all, const pool2d_op op) {
    if (all) return vw_load(p);
    return op == POOL2D_MAX ? vw_load_or(p, mask, vw_set1(pool2d_none(op))) : vw_load_masked(p, mask);
}

/* The reductions along a line, which is at `place`, of some vectors of windows, of which the first load is at p; in the
 * order of the picks. `last` are those at the end of the strip. NaN are noted where places do not allow for them. */
static CP_INLINE void pool2d_line(const pool2d_strip s, const float *p, int32_t place, vw *row, vw *row_at, vw_mask *nan,
                                  const int vectors, const bool last, const int kernel, const int step, const pool2d_op op,
                                  const pool2d_places places) {
    const float none = pool2d_none(op);
    const int ahead = kernel == 2 && step == 2 ? POOL2D_FAR : POOL2D_AHEAD;
    const bool centred = pool2d_is_centred(kernel, step);
    vw cells[3][POOL2D_HELD + 1], at[POOL2D_KERNEL], first_at[POOL2D_KERNEL];
    vw *const near = cells[0], *const far = cells[1], *const last_third = cells[2];
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        const bool end = last && v + 1 == vectors;
        CP_UNROLL
        for (int k = 0; k < step; k++) {
            const bool all = !end && (v > 0 || k > 0 || centred);
            cells[k][v] = pool2d_load(p + (v * step + k) * CP_WIDE, end ? s.ends[k] : s.first, all, op);
        }
    }
    CP_UNROLL
    for (int line = 0; line < vectors * CP_WIDE * step; line += 16) CP_PREFETCH_L1(p + line + ahead);
    vw before = vw_set1(*(s.left ? p - 1 : &none));
    near[vectors] = vw_set1(*(vectors * CP_WIDE * step < s.cells ? p + vectors * CP_WIDE * step : &none));
    CP_UNROLL
    for (int t = 0; t < kernel && places != POOL2D_NO_PLACES; t++) {
        at[t] = vw_add_places(s.at[t], place);
        first_at[t] = vw_add_places(s.first_at[t], place);
    }
    CP_UNROLL
    for (int v = 0; v < vectors && places == POOL2D_PLACES; v += step == 1 ? 2 : 1) {
        *nan = vw_either(*nan, vw_unordered(near[v], *(step == 1 ? near + v + 1 : far + v)));
        if (step == 3) *nan = vw_either(*nan, vw_unordered(last_third[v], last_third[v]));
    }
    if (places == POOL2D_PLACES && kernel != step) *nan = vw_either(*nan, vw_unordered(before, near[vectors]));
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        vw taps[POOL2D_KERNEL];
        vw *const own = taps + centred; /* the taps that begin with a load's first cell */
        if (step == 1) {
            own[0] = near[v];
            own[1] = vw_after(near[v], near[v + 1]);
        } else if (step == 2) {
            own[0] = vw_pick_even(near[v], far[v]);
            own[1] = vw_pick_odd(near[v], far[v]);
        } else {
            CP_UNROLL
            for (int k = 0; k < 3; k++) own[k] = vw_pick_third(near[v], far[v], last_third[v], k);
        }
        if (centred) {
            const vw left = step == 1 ? own[0] : own[1];
            taps[0] = step == 1 ? vw_before(before, left) : vw_picked_before(before, left);
            before = left;
        }
        row[v] = pool2d_reduce(taps, v == 0 ? first_at : at, &row_at[v], kernel, op, places);
    }
}

/* What a row of dst is made from. */
typedef struct pool2d_row {
    const float *lines[3]; /* those of src that no row before has read, NULL for one outside the image */
    float *kept[2];        /* reductions of those before, from the top, and their places; of wide rows */
    float *kept_at[2];
    int32_t places[3];     /* of the lines */
    int64_t base;          /* index of place 0 for column 0 of the strip */
    const float *divisors; /* of averages; their reciprocals if `exact`, which powers of two have */
    bool exact;
    bool wanted; /* whether there is a result, and where it goes */
    float *dst;
    int64_t *indices;
} pool2d_row;

/* Reductions of the lines of a window and, with indices, the places of their maxima. */
typedef struct pool2d_lines {
    vw x[POOL2D_KERNEL][POOL2D_HELD], at[POOL2D_KERNEL][POOL2D_HELD];
} pool2d_lines;

static CP_INLINE vw pool2d_in_order(vw x, const int step) { return step == 2 ? vw_in_order(x) : vw_thirds_in_order(x); }

/* Some vectors of a row of dst, from column `at` of the strip on. `rows` are the reductions of lines before, and then of those that
 * the next row reads. */
static CP_INLINE void pool2d_outputs(const pool2d_strip s, const pool2d_row r, int64_t at, pool2d_lines *rows, vw_mask *nan,
                                     const int vectors, const bool last, const int kernel, const int step, const pool2d_op op,
                                     const pool2d_places places, const bool stream) {
    const int keep = kernel - step;
    CP_UNROLL
    for (int k = 0; k < step; k++) {
        vw *const row = rows->x[keep + k], *const row_at = rows->at[keep + k];
        if (r.lines[k] != NULL) {
            pool2d_line(s, r.lines[k] + at * step, r.places[k], row, row_at, nan, vectors, last, kernel, step, op, places);
        } else { /* Above the image a place is that of the first line; below none is taken. */
            CP_UNROLL
            for (int v = 0; v < vectors; v++) {
                row[v] = vw_set1(pool2d_none(op));
                row_at[v] = v == 0 ? s.first_at[0] : s.at[0];
            }
        }
    }
    vw out[POOL2D_HELD], out_at[POOL2D_HELD];
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        vw taps[POOL2D_KERNEL], taps_at[POOL2D_KERNEL];
        CP_UNROLL
        for (int k = 0; k < kernel; k++) {
            taps[k] = rows->x[k][v];
            if (places != POOL2D_NO_PLACES) taps_at[k] = rows->at[k][v];
        }
        CP_UNROLL
        for (int k = 0; k < keep; k++) {
            rows->x[k][v] = rows->x[k + step][v];
            if (places != POOL2D_NO_PLACES) rows->at[k][v] = rows->at[k + step][v];
        }
        out[v] = pool2d_reduce(taps, taps_at, &out_at[v], kernel, op, places);
        if (step > 1) out[v] = pool2d_in_order(out[v], step);
    }
    if (!r.wanted) return;
    if (op == POOL2D_SUM && kernel == 2 && r.exact) { /* A sum may be -0 where +0 is documented. */
        CP_UNROLL
        for (int v = 0; v < vectors; v++) out[v] = vw_fma(out[v], vw_load(r.divisors + at + v * CP_WIDE), vw_zero());
    } else if (op == POOL2D_SUM_DENORMAL) {
        CP_UNROLL
        for (int v = 0; v < vectors; v++)
            out[v] = pool2d_quotient(vw_add(out[v], vw_zero()), vw_load(r.divisors + at + v * CP_WIDE));
    } else if (op == POOL2D_SUM) {
        CP_UNROLL
        for (int v = 0; v < vectors; v++) {
            out[v] = vw_div(vw_add(out[v], vw_zero()), vw_load(r.divisors + at + v * CP_WIDE));
        }
    }
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        const int64_t j = at + v * CP_WIDE;
        const bool whole = !last || v + 1 < vectors || s.n == CP_WIDE;
        if (stream) {
            vw_stream(r.dst + j, out[v]);
        } else if (whole) {
            vw_store(r.dst + j, out[v]);
        } else {
            vw_storen(r.dst + j, out[v], s.n);
        }
        if (places == POOL2D_NO_PLACES) continue;
        if (step == 3) out_at[v] = vw_thirds_in_order(out_at[v]);
        if (whole && step != 2) {
            vw_store_places(r.indices + j, out_at[v], r.base + j * step, stream);
        } else if (whole) {
            vw_store_picked_places(r.indices + j, out_at[v], r.base + j * step, stream);
        } else {
            if (step == 2) out_at[v] = vw_in_order(out_at[v]);
            vw_storen_places(r.indices + j, out_at[v], r.base + j * step, s.n);
        }
    }
}

/* The same for the next vectors of a wide row. */
static CP_INLINE void pool2d_outputs_kept(pool2d_strip s, const pool2d_row r, int64_t at, vw_mask *nan, const int vectors,
                                          const bool last, const int kernel, const int step, const pool2d_op op,
                                          const pool2d_places places, const bool stream) {
    pool2d_lines rows;
    const int keep = kernel - step, newest = CP_MAX(keep, 1) - 1;
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        CP_UNROLL
        for (int k = 0; k < keep; k++) {
            rows.x[k][v] = vw_load(r.kept[k] + at + v * CP_WIDE);
            if (places != POOL2D_NO_PLACES) rows.at[k][v] = vw_load(r.kept_at[k] + at + v * CP_WIDE);
        }
    }
    s.left = s.left || at > 0;
    s.cells -= at * step;
    if (at > 0) {
        s.first = vw_range(0, CP_WIDE);
        for (int tap = 0; tap < POOL2D_KERNEL; tap++) s.first_at[tap] = s.at[tap];
    }
    pool2d_outputs(s, r, at, &rows, nan, vectors, last, kernel, step, op, places, stream);
    CP_UNROLL
    for (int v = 0; v < vectors && keep > 0; v++) {
        vw_store(r.kept[0] + at + v * CP_WIDE, rows.x[newest][v]);
        if (places != POOL2D_NO_PLACES) vw_store(r.kept_at[0] + at + v * CP_WIDE, rows.at[newest][v]);
    }
}

/* All rows of the task of one strip of channel c, `vectors` of them held or, if that is 0, kept in L1. Tells whether there was a
 * NaN that the places do not allow for. */
static CP_INLINE bool pool2d_strip_rows(const cp_pool2d_band *a, const pool2d_strip *given, int64_t c,
                                        float (*divisors)[POOL2D_STRIP], const int vectors, const int kernel, const int step,
                                        const pool2d_op op, const pool2d_places places, const bool stream) {
    const convpool_pool2d_desc *d = a->desc;
    const bool indexed = places != POOL2D_NO_PLACES;
    const int chunk = indexed ? POOL2D_CHUNK_AT : POOL2D_CHUNK;
    const pool2d_strip s = *given; /* Stores could change what is not a copy. */
    vw_mask nan = vw_range(0, 0);
    const float *src = (const float *)a->src + c * a->src_strides.channel + s.x;
    float *dst = (float *)a->dst + c * a->dst_strides.channel + s.j;
    int64_t *indices = indexed ? a->indices + c * a->indices_strides.channel + s.j : NULL;
    const int64_t src_pitch = a->src_strides.row, dst_pitch = a->dst_strides.row, indices_pitch = a->indices_strides.row;
    const int64_t ih = d->ih, iw = d->iw, end = a->row + a->rows;
    const int64_t below = d->count_include_pad ? d->pad_bottom : 0;
    const int before = (kernel - 1) / step; /* rows whose results are not wanted, but the lines they read */
    pool2d_lines rows;
    float kept[2][POOL2D_STRIP], kept_at[2][POOL2D_STRIP];
    pool2d_row r = {.kept = {kept[0], kept[1]},
                    .kept_at = {kept_at[0], kept_at[1]},
                    .exact = pool2d_is_exact(d),
                    .base = a->index_base + c * a->index_plane + s.j * step - d->pad_left};
    for (int k = 0; k < kernel - step; k++) { /* lines above those that are read first */
        for (int v = 0; v < CP_MAX(vectors, 1); v++) {
            rows.x[k][v] = vw_set1(pool2d_none(op));
            rows.at[k][v] = v == 0 ? s.first_at[0] : s.at[0];
        }
        for (int64_t v = 0; v < s.vectors && vectors == 0; v++) {
            vw_store(kept[k] + v * CP_WIDE, rows.x[k][0]);
            vw_store(kept_at[k] + v * CP_WIDE, v == 0 ? s.first_at[0] : s.at[0]);
        }
    }
    const int64_t first_row = (d->pad_top - kernel + 1) / step; /* that reads a line of the image */
    for (int64_t i = CP_MAX(a->row - before, first_row), next; i < end; i = next) {
        const int64_t top = i * step - d->pad_top;
        const bool inside = i >= a->row && top >= 0 && top + kernel <= ih; /* as all rows are up to the border below */
        next = inside ? CP_MIN(end, (ih - kernel + d->pad_top) / step + 1) : i + 1;
        r.wanted = i >= a->row;
        if (op != POOL2D_MAX) {
            const int64_t first = d->count_include_pad ? top : CP_MAX(top, 0);
            const int64_t lines = inside ? kernel : CP_MIN(top + kernel, ih + below) - first;
            r.divisors = divisors[CP_MAX(0, CP_MIN(lines, kernel))];
        }
        for (int k = 0; k < step; k++) {
            const int64_t y = top + kernel - step + k;
            r.lines[k] = y >= 0 && y < ih ? src + y * src_pitch : NULL;
            if (indexed) r.places[k] = (int32_t)(y * iw);
        }
        r.dst = dst + i * dst_pitch;
        r.indices = indexed ? indices + i * indices_pitch : NULL;
        for (int64_t row = i;; row++) {
            if (vectors > 0) {
                pool2d_outputs(s, r, 0, &rows, &nan, vectors, true, kernel, step, op, places, stream);
            } else {
                int64_t v = 0;
                for (; v + chunk < s.vectors; v += chunk) {
                    pool2d_outputs_kept(s, r, v * CP_WIDE, &nan, chunk, false, kernel, step, op, places, stream);
                }
                for (; v + 1 < s.vectors; v++) {
                    pool2d_outputs_kept(s, r, v * CP_WIDE, &nan, 1, false, kernel, step, op, places, stream);
                }
                pool2d_outputs_kept(s, r, v * CP_WIDE, &nan, 1, true, kernel, step, op, places, stream);
                float *const oldest = r.kept[0], *const oldest_at = r.kept_at[0];
                r.kept[0] = r.kept[kernel - step == 2];
                r.kept[kernel - step == 2] = oldest;
                r.kept_at[0] = r.kept_at[kernel - step == 2];
                r.kept_at[kernel - step == 2] = oldest_at;
            }
            if (row + 1 == next) break;
            for (int k = 0; k < step; k++) {
                r.lines[k] += step * src_pitch;
                if (indexed) r.places[k] += (int32_t)iw * step;
            }
            r.dst += dst_pitch;
            if (indexed) r.indices += indices_pitch;
        }
    }
    return vw_any(nan);
}

static CP_INLINE void pool2d_strips(const cp_pool2d_band *a, const int kernel, const int step, const pool2d_op op,
                                    const bool indexed) {
    const convpool_pool2d_desc *d = a->desc;
    const pool2d_places places = indexed ? POOL2D_PLACES : POOL2D_NO_PLACES;
    const bool stream = a->stream;
    const int held = indexed || kernel == step ? POOL2D_HELD / 2 : POOL2D_HELD;
    pool2d_strip s = {.j = -1};
    float divisors[POOL2D_KERNEL + 1][POOL2D_STRIP];
    for (int64_t c = a->channel; c < a->channel + a->channels; c++) {
        for (int64_t j = 0; j < d->ow; j += s.vectors * CP_WIDE) {
            bool nan = false;
            if (j != s.j) {
                s = pool2d_strip_of(d, j);
                if (op != POOL2D_MAX) pool2d_strip_divisors(&s, d, divisors);
            }
#define POOL2D_HOLD(n)                                                                                                             \
    case n:                                                                                                                        \
        if (n <= held) nan = pool2d_strip_rows(a, &s, c, divisors, n, kernel, step, op, places, false);                            \
        break;
            switch (held < POOL2D_HELD && s.vectors > held ? 0 : s.vectors) {
                POOL2D_HOLD(1)
                POOL2D_HOLD(2)
                POOL2D_HOLD(3)
                POOL2D_HOLD(4)
                POOL2D_HOLD(5)
                POOL2D_HOLD(6)
                POOL2D_HOLD(7)
                POOL2D_HOLD(8)
            default:
                if (stream) {
                    nan = pool2d_strip_rows(a, &s, c, divisors, 0, kernel, step, op, places, true);
                } else {
                    nan = pool2d_strip_rows(a, &s, c, divisors, 0, kernel, step, op, places, false);
                }
                break;
            }
            if (indexed && nan) pool2d_strip_rows(a, &s, c, divisors, 0, kernel, step, op, POOL2D_PLACES_OF_NAN, false);
        }
    }
    if (stream) vw_stream_end();
}
#undef POOL2D_HOLD

static CP_NOINLINE void pool2d_max_2x2s1(const cp_pool2d_band *a) { pool2d_strips(a, 2, 1, POOL2D_MAX, false); }
static CP_NOINLINE void pool2d_max_2x2s2(const cp_pool2d_band *a) { pool2d_strips(a, 2, 2, POOL2D_MAX, false); }
static CP_NOINLINE void pool2d_max_3x3s1(const cp_pool2d_band *a) { pool2d_strips(a, 3, 1, POOL2D_MAX, false); }
static CP_NOINLINE void pool2d_max_3x3s2(const cp_pool2d_band *a) { pool2d_strips(a, 3, 2, POOL2D_MAX, false); }
static CP_NOINLINE void pool2d_max_3x3s3(const cp_pool2d_band *a) { pool2d_strips(a, 3, 3, POOL2D_MAX, false); }
static CP_NOINLINE void pool2d_sum_2x2s1(const cp_pool2d_band *a) { pool2d_strips(a, 2, 1, POOL2D_SUM, false); }
static CP_NOINLINE void pool2d_sum_2x2s2(const cp_pool2d_band *a) { pool2d_strips(a, 2, 2, POOL2D_SUM, false); }
static CP_NOINLINE void pool2d_sum_3x3s1(const cp_pool2d_band *a) { pool2d_strips(a, 3, 1, POOL2D_SUM, false); }
static CP_NOINLINE void pool2d_sum_3x3s2(const cp_pool2d_band *a) { pool2d_strips(a, 3, 2, POOL2D_SUM, false); }
static CP_NOINLINE void pool2d_sum_3x3s3(const cp_pool2d_band *a) { pool2d_strips(a, 3, 3, POOL2D_SUM, false); }

static CP_NOINLINE void pool2d_max_2x2s1_at(const cp_pool2d_band *a) { pool2d_strips(a, 2, 1, POOL2D_MAX, true); }
static CP_NOINLINE void pool2d_max_2x2s2_at(const cp_pool2d_band *a) { pool2d_strips(a, 2, 2, POOL2D_MAX, true); }
static CP_NOINLINE void pool2d_max_3x3s1_at(const cp_pool2d_band *a) { pool2d_strips(a, 3, 1, POOL2D_MAX, true); }
static CP_NOINLINE void pool2d_max_3x3s2_at(const cp_pool2d_band *a) { pool2d_strips(a, 3, 2, POOL2D_MAX, true); }
static CP_NOINLINE void pool2d_max_3x3s3_at(const cp_pool2d_band *a) { pool2d_strips(a, 3, 3, POOL2D_MAX, true); }

static CP_NOINLINE void pool2d_denormal_3x3s1(const cp_pool2d_band *a) { pool2d_strips(a, 3, 1, POOL2D_SUM_DENORMAL, false); }
static CP_NOINLINE void pool2d_denormal_3x3s2(const cp_pool2d_band *a) { pool2d_strips(a, 3, 2, POOL2D_SUM_DENORMAL, false); }
static CP_NOINLINE void pool2d_denormal_3x3s3(const cp_pool2d_band *a) { pool2d_strips(a, 3, 3, POOL2D_SUM_DENORMAL, false); }

/* Whether averages of 3x3 cells are worth the care that denormals want: by what lies in the middle of what a task reads. */
static bool pool2d_is_denormal(const cp_pool2d_band *a) {
    const convpool_pool2d_desc *d = a->desc;
    const int64_t y = CP_MIN((a->row + a->rows / 2) * d->stride_h, d->ih - 1), x = d->iw / 2;
    const float *plane = (const float *)a->src + (a->channel + a->channels / 2) * a->src_strides.channel;
    return d->kind == CONVPOOL_POOL_KIND_AVERAGE && d->kw == 3 && pool2d_has_quotient((float)d->divisor_override) &&
           vw_any(vw_denormal(vw_loadn(plane + y * a->src_strides.row + x, CP_MIN(CP_WIDE, d->iw - x))));
}

/* The kernel of a small window, or NULL. */
static void (*pool2d_small(const cp_pool2d_band *a))(const cp_pool2d_band *) {
    static void (*const kernels[4][2][3])(const cp_pool2d_band *) = {
        {{pool2d_max_2x2s1, pool2d_max_2x2s2, NULL}, {pool2d_max_3x3s1, pool2d_max_3x3s2, pool2d_max_3x3s3}},
        {{pool2d_sum_2x2s1, pool2d_sum_2x2s2, NULL}, {pool2d_sum_3x3s1, pool2d_sum_3x3s2, pool2d_sum_3x3s3}},
        {{pool2d_max_2x2s1_at, pool2d_max_2x2s2_at, NULL}, {pool2d_max_3x3s1_at, pool2d_max_3x3s2_at, pool2d_max_3x3s3_at}},
        {{NULL, NULL, NULL}, {pool2d_denormal_3x3s1, pool2d_denormal_3x3s2, pool2d_denormal_3x3s3}},
    };
    const convpool_pool2d_desc *d = a->desc;
    if (!cp_pool2d_is_small(d)) return NULL;
    return kernels[a->indices != NULL ? 2 : pool2d_is_denormal(a) ? 3 : d->kind][d->kh - 2][d->stride_h - 1];
}
