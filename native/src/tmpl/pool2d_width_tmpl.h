/* SPDX-License-Identifier: MIT
 * Pooling with lanes along the width: small windows by their own kernels; any other window, and u8, on planes or on a few channels
 * side by side, a strip of columns at a time in the workspace.
 *
 * Steps:     of each row of src: load (to floats, padding on both sides), split by columns modulo a stride of 2, so that a tap of
 *            neighbouring windows is neighbouring cells, reduce along the row, once; of each row of dst: reduce the rows, store.
 *            Taps of strides above 2 are transposed from the line; of channels side by side pixels are split one by one.
 * Order:     row by row and from left to right within a row, so sums and ties come out as documented.
 * Bound:     loads and steps from L1 and L2: kw + kh of each a vector.
 */

enum { POOL2D_SIDE = 4 }; /* vectors side by side */

/* What a row of reductions is made from: cell i of tap t is x[t][i] or, if there is a line, line[i * step + t]. Of maxima with
 * indices, it is found at at[t][i] + place[t]. */
typedef struct pool2d_taps {
    int64_t n, step;
    const float *line;
    const float *x[CP_POOL2D_TAPS], *at[CP_POOL2D_TAPS];
    int32_t place[CP_POOL2D_TAPS];
} pool2d_taps;

static CP_INLINE vw pool2d_tap_step(const pool2d_op op, vw acc, vw x) {
    if (op == POOL2D_MAX) return vw_max_first(acc, x);
    if (op == POOL2D_SUM) return vw_add(acc, x);
    return op == POOL2D_SUM_ABS ? vw_add(acc, vw_abs(x)) : vw_fma(x, x, acc);
}

/* Some vectors of taps [first, first + n) from column i on; after the first ones, dst holds what taps before gave. */
static CP_INLINE void pool2d_taps_vectors(const pool2d_taps *taps, int64_t first, const int n, int64_t i, float *dst, float *dst_at,
                                          const int vectors, const pool2d_op op, const bool indexed) {
    vw acc[POOL2D_SIDE], at[POOL2D_SIDE];
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        const int64_t k = i + v * CP_WIDE;
        acc[v] = at[v] = vw_zero();
        if (first > 0) {
            acc[v] = vw_load(dst + k);
            if (indexed) at[v] = vw_load(dst_at + k);
        } else if (op == POOL2D_MAX) {
            acc[v] = n > 0 ? vw_load(taps->x[0] + k) : vw_set1(-INFINITY);
            if (indexed && n > 0) at[v] = vw_add_places(vw_load(taps->at[0] + k), taps->place[0]);
        }
    }
    const int begin = op == POOL2D_MAX && first == 0 ? 1 : 0;
    const int pairs = op == POOL2D_MAX && !indexed && n > begin ? (n - begin) / 2 : 0;
    CP_UNROLL
    for (int pair = 0; pair < pairs; pair++) {
        const float *const *x = &taps->x[first + begin + 2 * pair];
        CP_UNROLL
        for (int v = 0; v < vectors; v++) {
            const int64_t k = i + v * CP_WIDE;
            acc[v] = vw_max3_first(acc[v], vw_load(x[0] + k), vw_load(x[1] + k));
        }
    }
    CP_UNROLL
    for (int t = begin + 2 * pairs; t < n; t++) {
        CP_UNROLL
        for (int v = 0; v < vectors; v++) {
            const int64_t k = i + v * CP_WIDE;
            const vw x = vw_load(taps->x[first + t] + k);
            if (indexed) {
                vw_max_first_at(&acc[v], &at[v], x, vw_add_places(vw_load(taps->at[first + t] + k), taps->place[first + t]));
            } else {
                acc[v] = pool2d_tap_step(op, acc[v], x);
            }
        }
    }
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        vw_store(dst + i + v * CP_WIDE, acc[v]);
        if (indexed) vw_store(dst_at + i + v * CP_WIDE, at[v]);
    }
}

static CP_INLINE void pool2d_taps_some(const pool2d_taps *taps, int64_t first, const int n, int64_t cells, float *dst,
                                       float *dst_at, const pool2d_op op, const bool indexed) {
    int64_t i = 0;
    for (; i + POOL2D_SIDE * CP_WIDE <= cells; i += POOL2D_SIDE * CP_WIDE) {
        pool2d_taps_vectors(taps, first, n, i, dst, dst_at, POOL2D_SIDE, op, indexed);
    }
    for (; i < cells; i += CP_WIDE) pool2d_taps_vectors(taps, first, n, i, dst, dst_at, 1, op, indexed);
}

/* The taps of a line, up to 8 loaded and transposed together. */
static CP_INLINE void pool2d_taps_apart(const pool2d_taps *taps, int64_t cells, float *dst, float *dst_at, const pool2d_op op,
                                        const bool indexed) {
    for (int64_t i = 0; i < cells; i += CP_WIDE) {
        vw acc = vw_set1(op == POOL2D_MAX ? -INFINITY : 0.0f), at = indexed ? vw_load(taps->at[0] + i) : vw_zero();
        for (int64_t t = 0; t < taps->n; t += 8) {
            vw columns[8];
            vw_load_transposed(taps->line + i * taps->step + t, taps->step, columns);
            CP_UNROLL
            for (int k = 0; k < 8; k++) {
                if (t + k >= taps->n) continue;
                if (indexed) {
                    vw_max_first_at(&acc, &at, columns[k], vw_add_places(vw_load(taps->at[t + k] + i), taps->place[t + k]));
                } else {
                    acc = pool2d_tap_step(op, acc, columns[k]);
                }
            }
        }
        vw_store(dst + i, acc);
        if (indexed) vw_store(dst_at + i, at);
    }
}

/* All taps: up to 7 in registers, then 4 at a time. */
static CP_INLINE void pool2d_taps_op(const pool2d_taps *taps, int64_t cells, float *dst, float *dst_at, const pool2d_op op,
                                     const bool indexed) {
    if (taps->line != NULL) {
        pool2d_taps_apart(taps, cells, dst, dst_at, op, indexed);
        return;
    }
#define POOL2D_SOME(n)                                                                                                             \
    case n:                                                                                                                        \
        pool2d_taps_some(taps, 0, n, cells, dst, dst_at, op, indexed);                                                             \
        break;
    switch (CP_MIN(taps->n, 7)) {
        POOL2D_SOME(0)
        POOL2D_SOME(1)
        POOL2D_SOME(2)
        POOL2D_SOME(3)
        POOL2D_SOME(4)
        POOL2D_SOME(5)
        POOL2D_SOME(6)
        POOL2D_SOME(7)
    }
#undef POOL2D_SOME
    int64_t first = 7;
    for (; first + 4 <= taps->n; first += 4) pool2d_taps_some(taps, first, 4, cells, dst, dst_at, op, indexed);
    for (; first < taps->n; first++) pool2d_taps_some(taps, first, 1, cells, dst, dst_at, op, indexed);
}

static CP_NOINLINE void pool2d_taps_max(const pool2d_taps *t, int64_t n, float *dst) {
    pool2d_taps_op(t, n, dst, NULL, POOL2D_MAX, false);
}
static CP_NOINLINE void pool2d_taps_max_at(const pool2d_taps *t, int64_t n, float *dst, float *dst_at) {
    pool2d_taps_op(t, n, dst, dst_at, POOL2D_MAX, true);
}
static CP_NOINLINE void pool2d_taps_sum(const pool2d_taps *t, int64_t n, float *dst) {
    pool2d_taps_op(t, n, dst, NULL, POOL2D_SUM, false);
}
static CP_NOINLINE void pool2d_taps_sum_abs(const pool2d_taps *t, int64_t n, float *dst) {
    pool2d_taps_op(t, n, dst, NULL, POOL2D_SUM_ABS, false);
}
static CP_NOINLINE void pool2d_taps_sum_squares(const pool2d_taps *t, int64_t n, float *dst) {
    pool2d_taps_op(t, n, dst, NULL, POOL2D_SUM_SQUARES, false);
}

/* Reduces n cells; `along_rows` are those of src, whose magnitudes count. */
static void pool2d_taps_reduce(const pool2d_taps *t, int64_t n, float *dst, float *dst_at, pool2d_op op, bool along_rows) {
    if (dst_at != NULL) {
        pool2d_taps_max_at(t, n, dst, dst_at);
    } else if (op == POOL2D_MAX) {
        pool2d_taps_max(t, n, dst);
    } else if (op == POOL2D_SUM || !along_rows) {
        pool2d_taps_sum(t, n, dst);
    } else if (op == POOL2D_SUM_ABS) {
        pool2d_taps_sum_abs(t, n, dst);
    } else {
        pool2d_taps_sum_squares(t, n, dst);
    }
}

/* A strip of columns of dst, all channels that lie side by side: `side` floats a pixel. */
typedef struct pool2d_part {
    const cp_pool2d_band *a;
    pool2d_op op;
    int64_t side;
    int64_t j, columns;     /* of dst */
    int64_t n;              /* floats of a row of them */
    int64_t x;              /* column of src that the first window begins with, which may lie outside */
    int64_t x_begin, x_end; /* columns of src that are loaded */
    bool within;            /* no window has a tap left or right of the image */
    bool missing;           /* some windows have no tap in a row of the image */
    float *line, *phases, *out, *out_at, *cells, *first_at, *column_at;
    pool2d_taps rows; /* taps of a row of src, split */
} pool2d_part;

/* Places and divisors of the columns, and padding on both sides of a line. */
static void pool2d_part_begin(pool2d_part *s) {
    const cp_pool2d_band *a = s->a;
    const convpool_pool2d_desc *d = a->desc;
    const cp_pool2d_width *w = a->width;
    const float none = s->op == POOL2D_MAX ? -INFINITY : 0.0f;
    s->n = s->columns * s->side;
    s->x = s->j * d->stride_w - d->pad_left;
    const int64_t end = s->x + (s->columns - 1) * d->stride_w + (d->kw - 1) * d->dilation_w + 1;
    s->x_end = CP_MAX(s->x, CP_MIN(end, d->iw));
    s->x_begin = CP_MIN(CP_MAX(s->x, 0), s->x_end);
    s->within = s->x_begin == s->x && s->x_end == end;
    for (int64_t i = 0; i < (s->x_begin - s->x) * s->side; i++) s->line[i] = none;
    for (int64_t i = (s->x_end - s->x) * s->side; i < w->line; i++) s->line[i] = none;
    s->missing = false;
    for (int64_t j = 0; j < s->columns && (s->op == POOL2D_SUM || a->indices != NULL); j++) {
        const pool2d_axis x = pool2d_columns(d, s->j + j);
        for (int64_t c = 0; c < s->side; c++) {
            s->cells[j * s->side + c] = (float)x.cells;
            if (a->indices == NULL) continue;
            const int32_t at = (int32_t)(j * d->stride_w + c * a->index_plane), first = at + (int32_t)(x.begin * d->dilation_w);
            memcpy(s->column_at + j * s->side + c, &at, sizeof at);
            memcpy(s->first_at + j * s->side + c, &first, sizeof first);
        }
        s->missing = s->missing || x.begin >= x.end;
    }
    s->rows.n = d->kw;
    s->rows.step = d->stride_w > 2 && d->dilation_w == 1 && s->side == 1 ? d->stride_w : 0;
    s->rows.line = NULL;
    for (int64_t t = 0; t < d->kw; t++) {
        s->rows.x[t] = s->phases + t % w->phases * w->phase + t * d->dilation_w / d->stride_w * s->side;
        s->rows.at[t] = t == 0 ? s->first_at : s->column_at; /* The scan begins with the first real tap. */
        s->rows.place[t] = t == 0 ? 0 : (int32_t)(t * d->dilation_w);
    }
}

/* Row y of the planes from channel c on, as floats: a copy with padding, or the row itself if what may be loaded is all within. */
static const float *pool2d_part_load(const pool2d_part *s, int64_t c, int64_t y) {
    const cp_pool2d_band *a = s->a;
    const convpool_pool2d_desc *d = a->desc;
    const int64_t n = (s->x_end - s->x_begin) * s->side, row = a->src_strides.row;
    const int64_t at = c * a->src_strides.channel + y * row + s->x_begin * a->src_strides.column;
    const bool floats = d->src_type == CONVPOOL_DATA_TYPE_F32, gapless = a->src_strides.column == s->side;
    float *to = s->line + (s->x_begin - s->x) * s->side;
    if (floats && gapless && d->stride_w > 1 && s->within && row == d->iw * s->side &&
        a->width->line <= ((d->ih - y) * d->iw - s->x) * s->side) {
        return (const float *)a->src + at;
    }
    if (!gapless) {
        for (int64_t i = 0; i < n; i++) to[i] = pool2d_read(a, at + i / s->side * a->src_strides.column + i % s->side);
    } else if (floats) {
        memcpy(to, (const float *)a->src + at, (size_t)n * sizeof(float));
    } else {
        int64_t i = 0;
        for (; i + CP_WIDE <= n; i += CP_WIDE) vw_store(to + i, vw_load_u8((const uint8_t *)a->src + at + i));
        for (; i < n; i++) to[i] = pool2d_read(a, at + i);
    }
    return s->line;
}

/* Sorts a line by columns modulo the stride: those that a tap reads are neighbours then. */
static void pool2d_part_split(const pool2d_part *s, const float *line) {
    const convpool_pool2d_desc *d = s->a->desc;
    const cp_pool2d_width *w = s->a->width;
    const int64_t step = d->stride_w, side = s->side, cells = s->columns + (d->kw - 1) * d->dilation_w / step;
    if (step == 2 && side == 1 && w->phases == 2) {
        for (int64_t i = 0; i < cells; i += CP_WIDE) {
            const vw lo = vw_load(line + 2 * i), hi = vw_load(line + 2 * i + CP_WIDE);
            vw_store(s->phases + i, vw_in_order(vw_pick_even(lo, hi)));
            vw_store(s->phases + w->phase + i, vw_in_order(vw_pick_odd(lo, hi)));
        }
    } else {
        for (int64_t phase = 0; phase < w->phases; phase++) {
            const float *from = line + phase * d->dilation_w % step * side;
            float *to = s->phases + phase * w->phase;
            for (int64_t i = 0; i < cells; i++, from += step * side, to += side) {
                memcpy(to, from, 4 * sizeof(float)); /* of a pixel; what is beyond, the next one mends */
                for (int64_t c = 4; c < side; c += 4) memcpy(to + c, from + c, 4 * sizeof(float));
            }
        }
    }
}

/* Results of row i of dst from their reductions. */
static void pool2d_part_store(const pool2d_part *s, int64_t c, int64_t i, float cells) {
    const cp_pool2d_band *a = s->a;
    const convpool_pool2d_desc *d = a->desc;
    const int64_t at = c * a->dst_strides.channel + i * a->dst_strides.row + s->j * a->dst_strides.column;
    const bool floats = d->dst_type == CONVPOOL_DATA_TYPE_F32, gapless = a->dst_strides.column == s->side;
    for (int64_t k = 0; k < s->n; k += CP_WIDE) {
        vw x = vw_load(s->out + k);
        if (s->op == POOL2D_SUM) { /* Windows have less than 2^24 cells each way, so the product is rounded once. */
            const vw counted = vw_clip(vw_mul1(vw_load(s->cells + k), cells), vw_set1(1.0f), vw_set1(INFINITY));
            x = vw_div(x, d->divisor_override > 0 ? vw_set1((float)d->divisor_override) : counted);
        } else if (s->op == POOL2D_SUM_SQUARES) {
            x = vw_sqrt(x);
        }
        const int64_t left = CP_MIN(s->n - k, CP_WIDE);
        if (!gapless) {
            vw_store(s->out + k, x);
        } else if (!floats) {
            vw_storen_u8((uint8_t *)a->dst + at + k, x, left);
        } else if (a->stream) {
            vw_stream((float *)a->dst + at + k, x);
        } else {
            vw_storen((float *)a->dst + at + k, x, left);
        }
    }
    for (int64_t k = 0; k < s->n && !gapless; k++) {
        pool2d_write(a, at + k / s->side * a->dst_strides.column + k % s->side, s->out[k]);
    }
}

/* Its indices; the first of its taps within the image is in row y of src, or there is none. */
static void pool2d_part_store_indices(const pool2d_part *s, int64_t c, int64_t i, int64_t y, bool none) {
    const cp_pool2d_band *a = s->a;
    const convpool_pool2d_desc *d = a->desc;
    const int64_t column = a->indices_strides.column, base = a->index_base + c * a->index_plane + y * d->iw + s->x;
    int64_t *dst = a->indices + c * a->indices_strides.channel + i * a->indices_strides.row + s->j * column;
    if (column == s->side && !none) {
        for (int64_t k = 0; k < s->n; k += CP_WIDE) {
            if (k + CP_WIDE > s->n) {
                vw_storen_places(dst + k, vw_load(s->out_at + k), base, s->n - k);
            } else if (a->stream) {
                vw_store_places(dst + k, vw_load(s->out_at + k), base, true);
            } else {
                vw_store_places(dst + k, vw_load(s->out_at + k), base, false);
            }
        }
    }
    for (int64_t j = 0; j < s->columns && (column != s->side || none || s->missing); j++) {
        const pool2d_axis x = pool2d_columns(d, s->j + j);
        for (int64_t k = 0; k < s->side; k++) {
            int32_t at;
            memcpy(&at, s->out_at + j * s->side + k, sizeof at);
            dst[j * column + k] = none || x.begin >= x.end ? -1 : base + at;
        }
    }
}

/* All rows of the task of the planes from channel c on. Rows of src stay reduced until their place is needed again. */
static void pool2d_part_rows(pool2d_part *s, int64_t c) {
    const cp_pool2d_band *a = s->a;
    const convpool_pool2d_desc *d = a->desc;
    const cp_pool2d_width *w = a->width;
    const int64_t pitch = w->pitch;
    int64_t held[CP_POOL2D_TAPS];
    for (int64_t k = 0; k < w->rows; k++) held[k] = -1;
    for (int64_t i = a->row; i < a->row + a->rows; i++) {
        const pool2d_axis rows = pool2d_rows(d, i);
        const int64_t first = rows.origin + rows.begin * rows.dilation;
        pool2d_taps taps;
        taps.line = NULL;
        taps.n = CP_MAX(0, rows.end - rows.begin);
        for (int64_t t = 0; t < taps.n; t++) {
            const int64_t y = first + t * rows.dilation, slot = y % w->rows;
            float *row = a->workspace + w->row + slot * pitch, *row_at = a->workspace + w->row_at + slot * pitch;
            if (held[slot] != y) {
                held[slot] = y;
                const float *line = pool2d_part_load(s, c, y);
                if (s->rows.step > 0) {
                    s->rows.line = line;
                } else if (d->stride_w > 1) {
                    pool2d_part_split(s, line);
                }
                pool2d_taps_reduce(&s->rows, s->n, row, a->indices != NULL ? row_at : NULL, s->op, true);
            }
            taps.x[t] = row;
            taps.at[t] = row_at;
            taps.place[t] = (int32_t)(t * rows.dilation * d->iw);
        }
        pool2d_taps_reduce(&taps, s->n, s->out, a->indices != NULL ? s->out_at : NULL, s->op, false);
        if (a->indices != NULL) pool2d_part_store_indices(s, c, i, first, taps.n == 0);
        pool2d_part_store(s, c, i, (float)rows.cells);
    }
}

static void pool2d_any(const cp_pool2d_band *a) {
    const convpool_pool2d_desc *d = a->desc;
    const cp_pool2d_width *w = a->width;
    pool2d_part s = {
        .a = a,
        .op = pool2d_op_of(d),
        .side = d->dst_layout == CONVPOOL_LAYOUT_NCHW ? 1 : d->channels,
        .line = a->workspace,
        .phases = a->workspace + w->split,
        .out = a->workspace + w->out,
        .out_at = a->workspace + w->out_at,
        .cells = a->workspace + w->cells,
        .first_at = a->workspace + w->first_at,
        .column_at = a->workspace + w->column_at,
    };
    for (s.j = 0; s.j < d->ow; s.j += w->columns) {
        s.columns = CP_MIN(w->columns, d->ow - s.j);
        pool2d_part_begin(&s);
        for (int64_t c = a->channel; c < a->channel + a->channels; c += s.side) pool2d_part_rows(&s, c);
    }
    if (a->stream) vw_stream_end();
}

static void CP_NAME(pool2d_width)(const cp_pool2d_band *a) {
    void (*const small)(const cp_pool2d_band *) = pool2d_small(a);
    if (small != NULL) {
        small(a);
    } else {
        pool2d_any(a);
    }
}
