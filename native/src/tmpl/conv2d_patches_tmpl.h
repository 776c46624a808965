/* SPDX-License-Identifier: MIT
 * Convolution from planes to planes, lanes along the pixels: outputs are not transposed, and few input channels waste nothing.
 *
 * Tile:   CP_TILE output channels x 2 vectors of pixels; 12 accumulators, 2 inputs and 1 broadcast of the 16 ymm registers
 *         (AVX-512: 16 accumulators of 32, NEON: 16 of 32 q registers).
 * Bound:  FMA. A step of one product is 12 FMAs on 8 loads, 6 of which are broadcasts (AVX-512: 16 on 10).
 * Layout: a band holds the rows that a task reads, border applied, rows and columns of different phases of the strides apart, so
 *         that the vectors of a tile are neighbours for every tap. Rows that are no whole vectors follow each other, with gaps in
 *         the padding that are computed for nothing. Tiles of kernels of a single tap, whose planes would meet in few sets of L1,
 *         are copied product by product, unless there are few output channels to read them again.
 *         Weights are [tile of channels][product][channel], one stream. */

enum { PATCHES_PIXELS = 2 * CP_WIDE };

/* Rows of src that lie a stride apart, to a phase of the band of every channel; and their columns from x on. */
typedef struct patches_rows {
    const float *src; /* column x of the first row of the first channel */
    float *to;
    int64_t x, iw, n, row; /* `row` floats from one to the next */
} patches_rows;

/* Columns from src on to a vector of each phase of a stride of 1, 2 or 4; those not in `in` are zeros. */
static CP_INLINE void patches_split(const float *src, const vw_mask *in, int64_t phase, const int step, const bool lone,
                                    float *to) {
    vw x[4], even[2], odd[2];
    CP_UNROLL
    for (int h = 0; h < step; h++) x[h] = in == NULL ? vw_load(src + h * CP_WIDE) : vw_load_masked(src + h * CP_WIDE, in[h]);
    if (step == 1) {
        vw_store(to, x[0]);
        return;
    }
    CP_UNROLL
    for (int h = 0; 2 * h < step; h++) {
        even[h] = vw_in_order(vw_pick_even(x[2 * h], x[2 * h + 1]));
        odd[h] = vw_in_order(vw_pick_odd(x[2 * h], x[2 * h + 1]));
    }
    vw_store(to, step == 2 ? even[0] : vw_in_order(vw_pick_even(even[0], even[1])));
    if (lone) return;
    vw_store(to + phase, step == 2 ? odd[0] : vw_in_order(vw_pick_even(odd[0], odd[1])));
    if (step == 2) return;
    vw_store(to + 2 * phase, vw_in_order(vw_pick_odd(even[0], even[1])));
    vw_store(to + 3 * phase, vw_in_order(vw_pick_odd(odd[0], odd[1])));
}

/* The vectors that begin `at` columns behind the first one, of all rows of all channels, at an end of src. */
static CP_INLINE void patches_end(const cp_conv2d_patches *a, const patches_rows *rows, int64_t at, const int step,
                                  const bool lone) {
    const int64_t phase = a->layout.phase, pitch = a->layout.pitch, row = rows->row, n = rows->n, x = rows->x + at;
    const float *src = rows->src + at;
    float *to = rows->to + at / step;
    vw_mask in[4];
    CP_UNROLL
    for (int h = 0; h < step; h++) in[h] = vw_range(-x - h * CP_WIDE, rows->iw - x - h * CP_WIDE);
    for (int64_t c = 0; c < a->in_channels; c++, src += a->call.src_strides.channel, to += a->layout.plane) {
        for (int64_t i = 0; i < n; i++) patches_split(src + i * row, in, phase, step, lone, to + i * pitch);
    }
}

/* Rows of vectors of each phase. What the last vectors have beyond a row the first ones of the next row overwrite. */
static CP_INLINE void patches_split_rows(const cp_conv2d_patches *a, const patches_rows *rows, const int step, const bool lone) {
    const int64_t phase = a->layout.phase, pitch = a->layout.pitch, row = rows->row, n = rows->n, whole = step * CP_WIDE;
    const int64_t columns = cp_ceil_div(a->layout.columns, whole) * whole;
    const int64_t begin = CP_MIN(columns, rows->x < 0 ? cp_ceil_div(-rows->x, whole) * whole : 0);
    const int64_t end = CP_MAX(begin, CP_MIN(columns, (rows->iw - rows->x) / whole * whole));
    for (int64_t at = columns - whole; at >= end; at -= whole) patches_end(a, rows, at, step, lone);
    if (begin < end) {
        const float *src = rows->src + begin;
        float *to = rows->to + begin / step;
        for (int64_t c = 0; c < a->in_channels; c++, src += a->call.src_strides.channel, to += a->layout.plane) {
            for (int64_t i = 0; i < n; i++) {
                const float *from = src + i * row, *from_end = from + (end - begin);
                for (float *row_to = to + i * pitch; from < from_end; from += whole, row_to += CP_WIDE) {
                    patches_split(from, NULL, phase, step, lone, row_to);
                }
            }
        }
    }
    for (int64_t at = begin - whole; at >= 0; at -= whole) patches_end(a, rows, at, step, lone);
}

typedef void (*patches_splitter)(const cp_conv2d_patches *, const patches_rows *);
#define PATCHES_SPLITTERS(step)                                                                                                    \
    static CP_NOINLINE void patches_all_##step(const cp_conv2d_patches *a, const patches_rows *rows) {                             \
        patches_split_rows(a, rows, step, false);                                                                                  \
    }                                                                                                                              \
    static CP_NOINLINE void patches_lone_##step(const cp_conv2d_patches *a, const patches_rows *rows) {                            \
        patches_split_rows(a, rows, step, true);                                                                                   \
    }
PATCHES_SPLITTERS(1)
PATCHES_SPLITTERS(2)
PATCHES_SPLITTERS(4)
#undef PATCHES_SPLITTERS

/* Rows that are no vectors of neighbours: all columns or, of the others, those beyond the left and right end of src. */
static void patches_fill(const cp_conv2d_patches *a, const patches_rows *rows, bool ends) {
    const convpool_conv2d_desc *d = a->call.desc;
    const cp_patches_band *band = &a->layout;
    for (int64_t c = 0; c < a->in_channels; c++) {
        for (int64_t i = 0; i < rows->n; i++) {
            const float *row = rows->src - rows->x + c * a->call.src_strides.channel + i * rows->row;
            for (int64_t f = 0; f < band->phases; f++) {
                float *to = rows->to + c * band->plane + f * band->phase + i * band->pitch;
                for (int64_t j = f; j < band->columns; j += d->stride_w, to++) {
                    const int64_t column = cp_border(d->border, rows->x + j, d->iw);
                    if (!ends || column != rows->x + j) *to = column < 0 ? 0.0f : row[column];
                }
            }
        }
    }
}

/* A row of zeros. */
static void patches_blank(const cp_conv2d_patches *a, float *to) {
    const int64_t n = cp_ceil_div(a->layout.columns, a->call.desc->stride_w);
    for (int64_t c = 0; c < a->in_channels; c++, to += a->layout.plane) {
        for (int64_t f = 0; f < a->layout.phases; f++) {
            memset(to + f * a->layout.phase, 0, (size_t)n * sizeof(float));
        }
    }
}

static void patches_band(const cp_conv2d_patches *a) {
    static const patches_splitter splitters[3][2] = {
        {patches_all_1, patches_lone_1}, {patches_all_2, patches_lone_2}, {patches_all_4, patches_lone_4}};
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const cp_patches_band *band = &a->layout;
    const int64_t step = d->stride_w, top = band->row * d->stride_h - d->pad_top;
    const bool lone = band->phases < step;
    const bool vectors = step == 1 || step == 2 || step == 4;
    for (int64_t phase = 0; phase < band->row_phases; phase++) {
        const int64_t first = phase * (band->sparse ? d->dilation_h : 1);
        if (first >= band->reach) break;
        patches_rows rows = {.x = band->column * step - d->pad_left, .iw = d->iw, .row = d->stride_h * call->src_strides.row};
        const int64_t end = CP_MIN(band->rows, (band->reach - 1 - first) / d->stride_h + 1);
        for (int64_t i = 0; i < end; i += rows.n) {
            const int64_t at = top + first + i * d->stride_h, y = cp_border(d->border, at, d->ih);
            rows.to = a->band + phase * band->phases * band->phase + i * band->pitch;
            rows.n = y >= 0 && y == at ? CP_MIN(end - i, (d->ih - 1 - y) / d->stride_h + 1) : 1;
            if (y < 0) {
                patches_blank(a, rows.to);
                continue;
            }
            rows.src = call->src + y * call->src_strides.row + rows.x;
            if (vectors) splitters[step / 2][lone](a, &rows);
            if (!vectors || d->border != CONVPOOL_BORDER_ZERO) patches_fill(a, &rows, vectors);
        }
    }
    int32_t *offset = a->offset;
    for (int64_t block = 0; block < a->in_channels; block += CP_BLOCK) {
        for (int64_t ky = 0; ky < d->kh; ky++) {
            const int64_t y = ky * d->dilation_h, phase = band->sparse ? ky : y % d->stride_h;
            const int64_t row =
                block * band->plane + phase * band->phases * band->phase + (band->sparse ? 0 : y / d->stride_h * band->pitch);
            for (int64_t kx = 0; kx < d->kw; kx++) {
                const int64_t x = kx * d->dilation_w, at = row + x % d->stride_w * band->phase + x / d->stride_w;
                for (int64_t c = 0; c < CP_MIN(CP_BLOCK, a->in_channels - block); c++) *offset++ = (int32_t)(at + c * band->plane);
            }
        }
    }
}

/* Up to one vector of kernels of one tap where rows follow each other without gaps, from the planes, twice. */
static void patches_copy_lone(const cp_conv2d_patches *a, const cp_patches_tile *tile) {
    const cp_conv2d_call *call = &a->call;
    const float *from = call->src + a->first + tile->pixel[0];
    float *to = a->band + tile->x[0];
    for (int64_t c = 0; c < a->in_channels; c++, from += call->src_strides.channel, to += PATCHES_PIXELS) {
        const vw x = vw_loadn(from, CP_MIN(CP_WIDE, a->pixels));
        vw_store(to, x);
        vw_store(to + CP_WIDE, x);
    }
}

/* How the pixels of a task make vectors: row by row, or all rows as one where that takes fewer, with gaps between them that are
 * computed for nothing. A vector that does not fit overlaps the one before it, and computes the same again. */
typedef struct patches_vectors {
    int64_t run;   /* cells side by side */
    int64_t a_run; /* vectors of these */
    int64_t n;     /* of all */
    int64_t lanes; /* that are cells */
    bool gaps;     /* some cells are no pixels */
} patches_vectors;

static patches_vectors patches_vectors_of(const cp_conv2d_patches *a) {
    const int64_t pitch = a->layout.pitch, rows = cp_ceil_div(a->pixels, a->columns);
    const int64_t outputs = a->call.desc->out_channels / a->call.desc->groups; /* not of a call: others use its tiles */
    const int64_t vector = outputs * a->products, close_up = 2 * outputs + 40; /* time of a vector, and for what lies in gaps */
    const bool gapless = rows == 1 || pitch == a->columns;
    patches_vectors v = {.run = gapless ? a->pixels : (rows - 1) * pitch + a->columns, .gaps = !gapless};
    if (!gapless && rows * cp_ceil_div(a->columns, CP_WIDE) * vector <= cp_ceil_div(v.run, CP_WIDE) * (vector + close_up)) {
        v = (patches_vectors){.run = a->columns};
    }
    v.a_run = cp_ceil_div(v.run, CP_WIDE);
    v.n = v.run == a->columns ? rows * v.a_run : v.a_run;
    v.lanes = CP_MIN(CP_WIDE, v.run);
    return v;
}

/* The pixels of a vector of so many cells, `column` of a row and those that follow; returns how many there are. */
static CP_INLINE int64_t patches_lanes(const cp_conv2d_patches *a, int64_t column, int64_t cells, int32_t *lanes) {
    int64_t n = 0;
    for (int64_t cell = -column; cell < cells; cell += a->layout.pitch) {
        const int32_t begin = (int32_t)CP_MAX(0, cell);
        const int64_t end = CP_MIN(cells, cell + a->columns);
        for (int32_t k = 0; k < CP_WIDE; k++) lanes[n + k] = (begin + k) & (CP_WIDE - 1); /* overwritten, or not used, beyond end */
        n += CP_MAX(0, end - begin);
    }
    return n;
}

/* Finds out where tiles read, and copies what has to be. */
static void patches_tiles(const cp_conv2d_patches *a, bool flat, const patches_vectors *vectors) {
    const cp_conv2d_call *call = &a->call;
    const cp_patches_band *band = &a->layout;
    const bool pointwise = call->desc->kh * call->desc->kw == 1;
    const int64_t origin = a->first - band->row * a->columns - band->column;
    float *x = a->x;
    int64_t row = 0, j = 0, pixel = 0, cell = 0, pixels = 0; /* of a vector; a lone last one counts twice */
    for (int64_t i = 0; i < vectors->n; i += 2) {
        cp_patches_tile *tile = &a->tiles[i / 2];
        tile->copied = pointwise;
        for (int64_t q = 0; q < 2; q++) {
            if (i + q < vectors->n) {
                const int64_t first = CP_MIN(j, vectors->run - vectors->lanes);
                cell = row * band->pitch + first;
                pixel = row * a->columns + first;
                pixels = vectors->lanes;
                if (vectors->gaps) {
                    const int64_t column = cell % band->pitch;
                    pixel = cell / band->pitch * a->columns + CP_MIN(column, a->columns);
                    pixels = patches_lanes(a, column, vectors->lanes, tile->lanes[q]);
                }
                j += CP_WIDE;
                if (j >= vectors->run) {
                    j = 0;
                    row++;
                }
            }
            tile->pixel[q] = (int32_t)pixel;
            tile->pixels[q] = (int32_t)pixels;
            tile->x[q] = (int32_t)(origin + cell);
        }
        if (!pointwise) continue;
        for (int64_t q = 0; q < 2; q++) {
            const float *from = a->band + tile->x[q];
            tile->x[q] = (int32_t)(x + q * CP_WIDE - a->band);
            for (int64_t k = 0; k < a->products && !flat; k++) {
                vw_store(x + k * PATCHES_PIXELS + q * CP_WIDE, vw_load(from + a->offset[k]));
            }
        }
        x += a->products * PATCHES_PIXELS;
    }
}

/* Whether rows of outputs follow each other without gaps, and so are one row. */
static CP_INLINE bool patches_gapless(const cp_conv2d_patches *a) {
    const cp_conv2d_call *call = &a->call;
    return call->dst_strides.row == a->columns && (call->residual == NULL || call->residual_strides.row == a->columns);
}

/* Outputs [p, p + n) of one channel, from memory: any activation, rows with gaps. */
static CP_NOINLINE void patches_finish(const cp_conv2d_patches *a, const float *acc, int64_t channel, int64_t p, int64_t n) {
    const cp_conv2d_call *call = &a->call;
    const bool gapless = patches_gapless(a);
    while (n > 0) {
        const int64_t row = gapless ? 0 : p / a->columns, column = p - row * a->columns;
        const int64_t pixels = gapless ? n : CP_MIN(n, a->columns - column);
        float *dst = call->dst + channel * call->dst_strides.channel + row * call->dst_strides.row + column;
        const float *residual = call->residual == NULL ? NULL
                                                       : call->residual + channel * call->residual_strides.channel +
                                                             row * call->residual_strides.row + column;
        for (int64_t j = 0; j < pixels; j += 8) {
            const int64_t m = CP_MIN(8, pixels - j);
            v8 y = v8_loadn(acc + j, m);
            if (residual != NULL) y = v8_add(y, v8_loadn(residual + j, m));
            v8_storen(dst + j, v8_activate(y, &call->activation), m);
        }
        acc += pixels;
        p += pixels;
        n -= pixels;
    }
}

/* One product. */
static CP_INLINE void patches_step(vw in0, vw in1, const float *w, const int vectors, const int channels, vw (*acc)[2]) {
    CP_UNROLL
    for (int o = 0; o < channels; o++) {
        acc[o][0] = vw_fma1(in0, w[o], acc[o][0]);
        if (vectors > 1) acc[o][1] = vw_fma1(in1, w[o], acc[o][1]);
    }
}

/* The sums of n pixels from p on, finished; what vectors hold beyond these the ones that follow write again. */
static CP_INLINE void patches_store(const cp_conv2d_call *call, const vw *sums, int64_t channel, int64_t p, const int64_t n,
                                    const int channels) {
    const vw lo = vw_set1(call->activation.lo), hi = vw_set1(call->activation.hi);
    float *dst = call->dst + channel * call->dst_strides.channel + p;
    const float *residual = call->residual == NULL ? NULL : call->residual + channel * call->residual_strides.channel + p;
    CP_UNROLL
    for (int o = 0; o < channels; o++) {
        const float *r = residual + o * call->residual_strides.channel;
        float *to = dst + o * call->dst_strides.channel;
        vw y = sums[o];
        if (residual != NULL) y = vw_add(y, n == CP_WIDE ? vw_load(r) : vw_loadn(r, n));
        y = vw_clip(y, lo, hi);
        if (n == CP_WIDE) {
            vw_store(to, y);
        } else {
            vw_storen(to, y, n);
        }
    }
}

/* Where a tile is read: what was copied or the band; or planes, for the first time, so that the next tile's lines are fetched
 * meanwhile, copied for the channels that follow or not. */
typedef enum patches_source { PATCHES_BAND, PATCHES_COPIED, PATCHES_PLANES } patches_source;

static CP_INLINE void patches_tile(const cp_conv2d_patches *a, const cp_patches_tile *tile, int64_t channel, bool gaps, bool simple,
                                   const patches_source source, const int vectors, const int channels) {
    const cp_conv2d_call *call = &a->call;
    vw acc[CP_TILE][2];
    const float *w = call->weights + channel * a->products, *x[2] = {a->band + tile->x[0], a->band + tile->x[1]};
    CP_UNROLL
    for (int o = 0; o < channels; o++) {
        acc[o][0] = acc[o][1] = vw_set1(call->bias[channel + o]);
    }
    if (source != PATCHES_BAND) {
        const float *plane = call->src + a->first + tile->pixel[0];
        const int64_t second = tile->pixel[1] - tile->pixel[0];
        float *copy = a->band + tile->x[0];
        for (int64_t k = 0; k < a->products; k++, w += channels, plane += call->src_strides.channel, copy += PATCHES_PIXELS) {
            const vw in0 = vw_load(plane), in1 = vw_load(plane + second);
            CP_PREFETCH(plane + PATCHES_PIXELS);
            CP_PREFETCH(plane + PATCHES_PIXELS + CP_WIDE);
            if (source == PATCHES_COPIED) {
                vw_store(copy, in0);
                vw_store(copy + CP_WIDE, in1);
            }
            patches_step(in0, in1, w, vectors, channels, acc);
        }
    } else if (tile->copied != 0) {
        for (int64_t k = 0; k < a->products; k++, w += channels) {
            const int64_t at = k * PATCHES_PIXELS;
            patches_step(vw_load(x[0] + at), vw_load(x[vectors - 1] + at), w, vectors, channels, acc);
        }
    } else {
        for (int64_t k = 0; k < a->products; k++, w += channels) {
            const int64_t at = a->offset[k];
            patches_step(vw_load(x[0] + at), vw_load(x[vectors - 1] + at), w, vectors, channels, acc);
        }
    }
    if (!simple) {
        float t[CP_TILE][PATCHES_PIXELS];
        CP_UNROLL
        for (int o = 0; o < channels; o++) {
            vw_store(t[o], gaps ? vw_lanes(acc[o][0], tile->lanes[0]) : acc[o][0]);
            vw_store(t[o] + CP_WIDE, gaps && vectors > 1 ? vw_lanes(acc[o][1], tile->lanes[1]) : acc[o][1]);
        }
        for (int o = 0; o < channels; o++) {
            for (int q = 0; q < vectors; q++) {
                patches_finish(a, t[o] + q * CP_WIDE, channel + o, a->first + tile->pixel[q], tile->pixels[q]);
            }
        }
        return;
    }
    CP_UNROLL
    for (int q = 0; q < vectors; q++) {
        const int64_t n = CP_MIN(CP_WIDE, a->pixels - tile->pixel[q]);
        vw sums[CP_TILE];
        CP_UNROLL
        for (int o = 0; o < channels; o++) sums[o] = gaps ? vw_lanes(acc[o][q], tile->lanes[q]) : acc[o][q];
        if (n == CP_WIDE) {
            patches_store(call, sums, channel, a->first + tile->pixel[q], CP_WIDE, channels);
        } else {
            patches_store(call, sums, channel, a->first + tile->pixel[q], n, channels);
        }
    }
}

/* One output at a time with the taps in the padding left out, for weights that are not finite. */
static void patches_clipped(const cp_conv2d_patches *a) {
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const int64_t parts = cp_ceil_div(a->channels, CP_TILE);
    for (int64_t p = a->first; p < a->first + a->pixels; p++) {
        const int64_t y = p / a->columns * d->stride_h - d->pad_top, x = p % a->columns * d->stride_w - d->pad_left;
        int64_t y_begin, y_end, x_begin, x_end;
        cp_tap_range(y, d->dilation_h, d->kh, d->ih, &y_begin, &y_end);
        cp_tap_range(x, d->dilation_w, d->kw, d->iw, &x_begin, &x_end);
        for (int64_t o = 0, part = 0, begin = 0, end = 0; o < a->channels; o++) {
            if (o == end) {
                begin = end;
                end = ++part * a->channels / parts;
            }
            float acc = call->bias[o];
            for (int64_t block = 0; block < a->in_channels; block += CP_BLOCK) {
                const int64_t width = CP_MIN(CP_BLOCK, a->in_channels - block);
                const float *weights = call->weights + begin * a->products + block * d->kh * d->kw * (end - begin) + o - begin;
                for (int64_t ky = y_begin; ky < y_end; ky++) {
                    for (int64_t kx = x_begin; kx < x_end; kx++) {
                        const float *src = call->src + block * call->src_strides.channel +
                                           (y + ky * d->dilation_h) * call->src_strides.row + x + kx * d->dilation_w;
                        const float *w = weights + (ky * d->kw + kx) * width * (end - begin);
                        for (int64_t c = 0; c < width; c++) {
                            acc = cp_fma(src[c * call->src_strides.channel], w[c * (end - begin)], acc);
                        }
                    }
                }
            }
            patches_finish(a, &acc, o, p, 1);
        }
    }
}

/* Whether few output channels multiply each tile from the planes, one part after the other: they find its lines in L1 if planes,
 * a multiple of `apart` floats from each other, do not meet in too few sets of it. */
static bool patches_in_place(const cp_conv2d_patches *a, int64_t parts) {
    enum { PARTS = 4, WAYS = 12, WAY = 4096 / sizeof(float), LINES = 3 * CP_PANEL };
    const int64_t plane = a->call.src_strides.channel, apart = plane & -plane;
    return parts <= PARTS && a->products * CP_MAX(LINES, CP_MIN(apart, WAY)) <= WAYS * WAY;
}

static void CP_NAME(conv2d_patches)(const cp_conv2d_patches *a) {
    const cp_conv2d_call *call = &a->call;
    const patches_vectors vectors = patches_vectors_of(a);
    const int64_t tiles = cp_ceil_div(vectors.n, 2), parts = cp_ceil_div(a->channels, CP_TILE);
    const bool simple = call->activation.kind == CONVPOOL_ACTIVATION_CLIP && patches_gapless(a);
    const bool flat = a->flat && call->src_strides.row == call->desc->iw;
    if (call->clip_taps) {
        patches_clipped(a);
        return;
    }
    if (!a->packed) {
        if (!flat) patches_band(a);
        patches_tiles(a, flat, &vectors);
        if (flat && vectors.n % 2 != 0) patches_copy_lone(a, &a->tiles[tiles - 1]);
    }
    const bool in_place = flat && patches_in_place(a, parts);
    const cp_patches_tile *const end = a->tiles + vectors.n / 2;
    for (const cp_patches_tile *tile = a->tiles; in_place && tile < end; tile++) {
        for (int64_t part = 0; part < parts; part++) {
            const int64_t first = part * a->channels / parts, channels = (part + 1) * a->channels / parts - first;
#define PATCHES_TILE(n) patches_tile(a, tile, first, vectors.gaps, simple, PATCHES_PLANES, 2, n)
            CP_TILE_SWITCH(channels, PATCHES_TILE)
#undef PATCHES_TILE
        }
    }
    for (int64_t part = 0; part < parts; part++) {
        const int64_t first = part * a->channels / parts, channels = (part + 1) * a->channels / parts - first;
        const cp_patches_tile *tile = in_place ? end : a->tiles;
        if (flat && part == 0 && !a->packed) {
            for (; tile < end; tile++) {
#define PATCHES_TILE(n) patches_tile(a, tile, first, vectors.gaps, simple, PATCHES_COPIED, 2, n)
                CP_TILE_SWITCH(channels, PATCHES_TILE)
#undef PATCHES_TILE
            }
        }
        for (; tile < end; tile++) {
#define PATCHES_TILE(n) patches_tile(a, tile, first, vectors.gaps, simple, PATCHES_BAND, 2, n)
            CP_TILE_SWITCH(channels, PATCHES_TILE)
#undef PATCHES_TILE
        }
        if (vectors.n % 2 != 0) {
#define PATCHES_TILE(n) patches_tile(a, tile, first, vectors.gaps, simple, PATCHES_BAND, 1, n)
            CP_TILE_SWITCH(channels, PATCHES_TILE)
#undef PATCHES_TILE
        }
    }
}
