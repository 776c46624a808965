/* SPDX-License-Identifier: MIT
 * Depthwise 3x3 and 5x5 convolution of planes with the widest vectors along the width, stride 1 and 2.
 *
 * Tile:       a block of columns, one vector wide, is walked from top to bottom: a row of the input is loaded once and added to
 *             each of the 3 (5; stride 2: 2, 3) output rows that read it, the upper one of which is then complete.
 * Registers:  3x3: 9 weights, 3 accumulators and a tap, which leaves 3 of 16 for the bias and the clip. The 25 weights of 5x5 stay
 *             in registers with AVX-512 only.
 * Bound:      9 (25) FMAs; they form one chain for each output, which the CPU overlaps with those of the next rows. For large
 *             planes the memory that src comes from: the next walk's rows are fetched ahead.
 * Edges:      masked loads, where windows cross the left and right border.
 * Narrow:     planes of half or a quarter of a vector lie side by side, taps beside the pixel are lanes moved. */

enum { PLANES_KERNEL = 5, PLANES_TAPS = PLANES_KERNEL * PLANES_KERNEL, PLANES_PARTS = 4, PLANES_MOVES = 2 };
enum { PLANES_PIXELS = 0 }; /* instead of a number of parts: lanes along the channels */

/* What exists of the columns that a block at the end of a row reads: of the vector of each tap; with stride 2 of the first two
 * vectors, and of the column behind them that each tap from the third on wants. */
typedef struct planes_edge {
    vw_mask near[PLANES_KERNEL];
    bool next[PLANES_KERNEL];
} planes_edge;

static CP_INLINE int planes_next(int tap) { return 2 * CP_WIDE + tap - 2; }

static void planes_edge_init(planes_edge *edge, int64_t j, const convpool_conv2d_desc *d) {
    for (int tap = 0; tap < PLANES_KERNEL; tap++) {
        const int64_t first = j * d->stride_w - d->pad_left, next = first + planes_next(tap);
        const int64_t x = first + (d->stride_w == 1 ? tap : tap * CP_WIDE);
        edge->near[tap] = vw_range(-x, d->iw - x);
        edge->next[tap] = next >= 0 && next < d->iw;
    }
}

/* Narrow planes lie side by side in a vector, each in its own part of the lanes. */
typedef struct planes_parts {
    int64_t src_at[PLANES_PARTS], dst_at[PLANES_PARTS]; /* from the first plane to lane 0, if lanes of the part lie in the plane */
    vw_mask part[PLANES_PARTS];                         /* its lanes */
    vw_mask out[PLANES_PARTS];                          /* those with columns of dst, and of src where the stride is 1 */
    vw_mask in[PLANES_PARTS];                           /* stride 2: those of two vectors for the columns of src */
    vw_mask moved[2 * PLANES_MOVES + 1];                /* lanes that find one of their part -2 to 2 lanes after them */
} planes_parts;

/* A walk down one block of columns: `rows` output rows, the first of which reads rows of src from `top` on. */
typedef struct planes_walk {
    const float *src; /* row 0, the first column of the first window; of parts, column 0 */
    int64_t src_row, ih, top;
    int64_t column; /* pixels: floats from one to the next */
    int64_t ahead;  /* floats from a row to the one to fetch meanwhile */
    const float *weights[PLANES_PARTS];
    const float *bias[PLANES_PARTS];
    float lo, hi;
    float *dst;
    int64_t dst_row, rows, n; /* n columns */
    const planes_edge *edge;  /* of a block at the end of a row */
    const planes_parts *parts;
} planes_walk;

/* The taps of one row of windows, the first of which begins at p, each `column` floats after the one before. */
static CP_INLINE void planes_taps_at(const float *p, int64_t column, const int kernel, const planes_edge *edge, vw *taps) {
    CP_UNROLL
    for (int tap = 0; tap < kernel; tap++) {
        taps[tap] = edge == NULL ? vw_keep(vw_load(p + tap * column)) : vw_load_masked(p + tap * column, edge->near[tap]);
    }
}

/* The same of neighbours in a row, stride 2. */
static CP_INLINE void planes_taps_of_pairs(const float *p, const int kernel, const planes_edge *edge, vw *taps) {
    const vw near = edge == NULL ? vw_keep(vw_load(p)) : vw_load_masked(p, edge->near[0]);
    const vw far = edge == NULL ? vw_keep(vw_load(p + CP_WIDE)) : vw_load_masked(p + CP_WIDE, edge->near[1]);
    taps[0] = vw_pick_even(near, far);
    taps[1] = vw_pick_odd(near, far);
    CP_UNROLL
    for (int tap = 2; tap < kernel; tap++) {
        taps[tap] = vw_pick_ahead(taps[tap - 2], edge == NULL || edge->next[tap] ? p[planes_next(tap)] : 0.0f);
    }
}

/* The same of planes side by side, the first of which has the row at p. */
static CP_INLINE void planes_taps_of_parts(const float *p, const int kernel, const int step, const int parts,
                                           const planes_parts *lanes, vw *taps) {
    const vw_mask *in = step == 1 ? lanes->out : lanes->in;
    vw row[2]; /* stride 2: half of the parts each */
    CP_UNROLL
    for (int q = 0; q < parts; q++) {
        const int half = step == 2 && q >= parts / 2;
        const bool first = q == 0 || (step == 2 && q == parts / 2);
        row[half] = first ? vw_load_masked(p + lanes->src_at[q], in[q]) : vw_load_or(p + lanes->src_at[q], in[q], row[half]);
    }
    const vw even = step == 1 ? row[0] : vw_in_order(vw_pick_even(row[0], row[1]));
    const vw odd = step == 1 ? row[0] : vw_in_order(vw_pick_odd(row[0], row[1]));
    CP_UNROLL
    for (int tap = 0; tap < kernel; tap++) {
        const int x = tap - kernel / 2, by = step == 1 ? x : (x + 4) / 2 - 2;
        const vw column = x & 1 ? odd : even;
        taps[tap] = by == 0 ? column : vw_moved(column, by, lanes->moved[PLANES_MOVES + by]);
    }
}

/* The row of src at p, added to `outputs` rows of dst; it is row `ty` of the first one's windows. */
static CP_INLINE void planes_row(const float *p, int64_t column, const vw *w, vw *acc, const int outputs, const int ty,
                                 const int kernel, const int step, const int parts, const planes_edge *edge,
                                 const planes_parts *lanes) {
    vw taps[PLANES_KERNEL];
    if (parts == PLANES_PIXELS || (parts == 1 && step == 1)) {
        planes_taps_at(p, column, kernel, edge, taps);
    } else if (parts == 1) {
        planes_taps_of_pairs(p, kernel, edge, taps);
    } else {
        planes_taps_of_parts(p, kernel, step, parts, lanes, taps);
    }
    CP_UNROLL
    for (int tx = 0; tx < kernel; tx++) {
        CP_UNROLL
        for (int k = 0; k < outputs; k++) {
            const int y = ty - k * step;
            if (y >= 0 && y < kernel) acc[k] = vw_fma(taps[tx], w[y * kernel + tx], acc[k]);
        }
    }
}

static CP_INLINE void planes_store(float *to, vw acc, vw lo, vw hi, int64_t n, const int step, const int parts,
                                   const planes_parts *lanes) {
    const vw y = vw_clip(step == 2 && parts == 1 ? vw_in_order(acc) : acc, lo, hi);
    if (parts > 1) {
        CP_UNROLL
        for (int q = 0; q < parts; q++) vw_store_masked(to + lanes->dst_at[q], y, lanes->out[q]);
    } else if (n == CP_WIDE) {
        vw_store(to, y);
    } else {
        vw_storen(to, y, n);
    }
}

/* x[k] of each part, in its lanes. */
static CP_INLINE vw planes_set(const float *const *x, int k, const int parts, const planes_parts *lanes) {
    vw y = vw_set1(x[0][k]);
    CP_UNROLL
    for (int q = 1; q < parts; q++) y = vw_if_masked(lanes->part[q], vw_set1(x[q][k]), y);
    return y;
}

/* What stays in registers for a channel or, with lanes along the channels, for several. */
typedef struct planes_constants {
    vw w[PLANES_TAPS], bias, lo, hi;
} planes_constants;

static CP_INLINE void planes_down(const planes_walk *a, const planes_constants *all, const planes_parts *lanes, const int kernel,
                                  const int step, const int parts, const bool inside) {
    const int live = (kernel + step - 1) / step; /* rows of dst that a row of src belongs to, or will */
    const int64_t rows = CP_MAX(a->rows, live - 1), n = inside ? CP_WIDE : a->n;
    const int64_t src_row = a->src_row, dst_row = a->dst_row, ahead = a->ahead;
    const int64_t column = parts == PLANES_PIXELS ? a->column : 1;
    const vw bias = all->bias, lo = all->lo, hi = all->hi, *w = all->w;
    planes_edge here;
    const planes_edge *edge = inside ? NULL : &here;
    if (!inside && parts <= 1) {
        CP_UNROLL
        for (int tap = 0; tap < kernel; tap++) {
            here.near[tap] = a->edge->near[tap];
            here.next[tap] = a->edge->next[tap];
        }
    }
    vw acc[PLANES_KERNEL];
    CP_UNROLL
    for (int k = 0; k < live; k++) acc[k] = bias;
    const float *p = a->src + a->top * src_row;
    float *dst = a->dst;
    CP_UNROLL
    for (int ty = 0; ty < kernel - step; ty++, p += src_row) {
        const int64_t y = a->top + ty;
        if (y >= 0 && y < a->ih) planes_row(p, column, w, acc, ty / step + 1, ty, kernel, step, parts, edge, lanes);
    }
    for (int64_t left = rows - live + 1; left > 0; left--) {
        CP_UNROLL
        for (int t = 0; t < step; t++, p += src_row) {
            if (parts != PLANES_PIXELS) CP_PREFETCH(p + ahead);
            planes_row(p, column, w, acc, live, kernel - step + t, kernel, step, parts, edge, lanes);
        }
        planes_store(dst, acc[0], lo, hi, n, step, parts, lanes);
        dst += dst_row;
        acc[0] = acc[1]; /* No loop: clang would make a copy in memory of it. */
        if (live > 2) acc[1] = acc[2];
        if (live > 3) acc[2] = acc[3];
        if (live > 4) acc[3] = acc[4];
        acc[live - 1] = bias;
    }
    int64_t below = a->ih - a->top - (rows - live + 1) * step - kernel + step; /* rows of src from p on */
    CP_UNROLL
    for (int k = 0; k < live - 1; k++, dst += dst_row) {
        CP_UNROLL
        for (int t = 0; t < step; t++, p += src_row, below--) {
            if (below > 0) planes_row(p, column, w, acc + k, live - 1 - k, kernel - step + t, kernel, step, parts, edge, lanes);
        }
        if (rows - live + 1 + k < a->rows) planes_store(dst, acc[k], lo, hi, n, step, parts, lanes);
    }
}

/* A walk down columns of planes. */
static CP_INLINE void planes_walk_down(const planes_walk *a, const int kernel, const int step, const int parts, const bool inside) {
    planes_parts lanes;
    if (parts > 1) lanes = *a->parts;
    planes_constants all = {.bias = planes_set(a->bias, 0, parts, &lanes), .lo = vw_set1(a->lo), .hi = vw_set1(a->hi)};
    CP_UNROLL
    for (int ty = 0; ty < kernel; ty++) {
        CP_UNROLL
        for (int tx = 0; tx < kernel; tx++) all.w[ty * kernel + tx] = planes_set(a->weights, ty * kernel + tx, parts, &lanes);
    }
    planes_down(a, &all, &lanes, kernel, step, parts, inside);
}

typedef void (*planes_walker)(const planes_walk *);
#define PLANES_WALKERS(kernel, step)                                                                                               \
    static CP_NOINLINE void planes_inside_##kernel##_##step(const planes_walk *a) { planes_walk_down(a, kernel, step, 1, true); }  \
    static CP_NOINLINE void planes_edge_##kernel##_##step(const planes_walk *a) { planes_walk_down(a, kernel, step, 1, false); }   \
    static CP_NOINLINE void planes_pair_##kernel##_##step(const planes_walk *a) { planes_walk_down(a, kernel, step, 2, false); }   \
    static CP_NOINLINE void planes_four_##kernel##_##step(const planes_walk *a) { planes_walk_down(a, kernel, step, 4, false); }
PLANES_WALKERS(3, 1)
PLANES_WALKERS(3, 2)
PLANES_WALKERS(5, 1)
PLANES_WALKERS(5, 2)
#undef PLANES_WALKERS

/* What is left to do of n results side by side, whose sums dst holds. */
static CP_INLINE void planes_finish_run(float *dst, const float *residual, int64_t n, const cp_activation *activation) {
    for (int64_t j = 0; j < n; j += 8) {
        const int64_t m = CP_MIN(8, n - j);
        v8 y = v8_loadn(dst + j, m);
        if (residual != NULL) y = v8_add(y, v8_loadn(residual + j, m));
        v8_storen(dst + j, v8_activate(y, activation), m);
    }
}

/* The same of all rows of channel c. */
static void planes_finish(const cp_conv2d_depthwise *a, int64_t c) {
    const cp_conv2d_call *call = &a->call;
    for (int64_t i = a->row; i < a->row + a->rows; i++) {
        float *dst = call->dst + c * call->dst_strides.channel + i * call->dst_strides.row;
        const float *residual =
            call->residual == NULL ? NULL : call->residual + c * call->residual_strides.channel + i * call->residual_strides.row;
        planes_finish_run(dst, residual, a->columns, &call->activation);
    }
}

/* All rows of the channels, some side by side. */
static void planes_narrow(const cp_conv2d_depthwise *a, planes_walk *walk, int64_t parts, planes_walker walker) {
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const int64_t multiplier = d->out_channels / d->in_channels, taps = d->kh * d->kw, lanes = CP_WIDE / parts;
    planes_parts p = {0};
    for (int by = -PLANES_MOVES; by <= PLANES_MOVES; by++) {
        vw_mask *moved = &p.moved[PLANES_MOVES + by];
        for (int64_t q = 0; q < parts; q++) {
            const vw_mask stay = vw_range(q * lanes + CP_MAX(0, -by), (q + 1) * lanes - CP_MAX(0, by));
            *moved = q == 0 ? stay : vw_either(*moved, stay);
        }
    }
    for (int64_t q = 0; q < parts; q++) {
        const int64_t in = q * lanes * d->stride_w % CP_WIDE;
        p.part[q] = vw_range(q * lanes, (q + 1) * lanes);
        p.in[q] = vw_range(in, in + d->iw);
        p.out[q] = vw_range(q * lanes, q * lanes + a->columns);
    }
    walk->parts = &p;
    walk->rows = a->rows;
    walk->top = a->row * d->stride_h - d->pad_top;
    for (int64_t c = a->channel, end = c + a->channels; c < end; c += parts) {
        for (int64_t q = 0; q < parts; q++) {
            const int64_t channel = CP_MIN(c + q, end - 1); /* The last ones may compute one plane more than once. */
            walk->weights[q] = call->weights + channel * taps;
            walk->bias[q] = call->bias + channel;
            p.src_at[q] = (channel / multiplier - c / multiplier) * call->src_strides.channel - q * lanes * d->stride_w % CP_WIDE;
            p.dst_at[q] = (channel - c) * call->dst_strides.channel - q * lanes;
        }
        walk->src = call->src + c / multiplier * call->src_strides.channel;
        walk->dst = call->dst + c * call->dst_strides.channel + a->row * call->dst_strides.row;
        walker(walk);
    }
}

/* Whether a walk leaves nothing to do: then it clips. */
static bool planes_complete(const cp_conv2d_call *call) {
    return call->residual == NULL && call->activation.kind == CONVPOOL_ACTIVATION_CLIP;
}

/* What all walks of a layer have in common. */
static planes_walk planes_walk_of(const cp_conv2d_call *call) {
    const bool complete = planes_complete(call);
    return (planes_walk){
        .src_row = call->src_strides.row,
        .ih = call->desc->ih,
        .column = call->src_strides.column,
        .lo = complete ? call->activation.lo : -INFINITY,
        .hi = complete ? call->activation.hi : INFINITY,
        .dst_row = call->dst_strides.row,
    };
}

static void CP_NAME(conv2d_depthwise_width)(const cp_conv2d_depthwise *a) {
    const cp_conv2d_call *call = &a->call;
    static const planes_walker walkers[2][2][4] = {
        {{planes_edge_3_1, planes_inside_3_1, planes_pair_3_1, planes_four_3_1},
         {planes_edge_3_2, planes_inside_3_2, planes_pair_3_2, planes_four_3_2}},
        {{planes_edge_5_1, planes_inside_5_1, planes_pair_5_1, planes_four_5_1},
         {planes_edge_5_2, planes_inside_5_2, planes_pair_5_2, planes_four_5_2}},
    };
    const convpool_conv2d_desc *d = call->desc;
    const planes_walker *walker = walkers[d->kh == 5][d->stride_w == 2];
    const int64_t multiplier = d->out_channels / d->in_channels, n = CP_MIN(CP_WIDE, a->columns);
    const int64_t inside_end = CP_MIN(a->columns, (d->iw - d->kw + d->pad_left) / d->stride_w + 1);
    const int64_t band = a->columns <= CP_WIDE ? a->rows : cp_share(a->rows, CP_PLANES_BAND);
    const bool complete = planes_complete(call);
    planes_edge left, right;
    planes_edge_init(&left, 0, d);
    planes_edge_init(&right, a->columns - n, d);
    planes_walk walk = planes_walk_of(call);
    walk.n = n;
    const int64_t parts = cp_planes_side_by_side(d, a->columns, CP_WIDE);
    if (parts > 1) {
        planes_narrow(a, &walk, parts, walker[parts == 2 ? 2 : 3]);
        for (int64_t c = a->channel; c < a->channel + a->channels && !complete; c++) planes_finish(a, c);
        return;
    }
    for (int64_t c = a->channel; c < a->channel + a->channels; c++) {
        const float *plane = call->src + c / multiplier * call->src_strides.channel - d->pad_left;
        walk.weights[0] = call->weights + c * d->kh * d->kw;
        walk.bias[0] = call->bias + c;
        for (int64_t i = a->row; i < a->row + a->rows; i += band) {
            float *dst = call->dst + c * call->dst_strides.channel + i * call->dst_strides.row;
            walk.rows = CP_MIN(band, a->row + a->rows - i);
            walk.top = i * d->stride_h - d->pad_top;
            walk.ahead = walk.rows * d->stride_h * walk.src_row;
            for (int64_t block = 0; block < a->columns; block += CP_WIDE) {
                const bool first = block == 0, last = block + CP_WIDE >= a->columns;
                /* The last vectors overlap those before. */
                const int64_t j = last ? a->columns - n : first ? 0 : CP_MIN(block, inside_end - CP_WIDE);
                walk.src = plane + j * d->stride_w;
                walk.dst = dst + j;
                walk.edge = last ? &right : &left;
                walker[!first && !last](&walk);
            }
        }
        if (!complete) planes_finish(a, c);
    }
}
