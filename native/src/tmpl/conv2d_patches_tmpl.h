/* SPDX-License-Identifier: MIT
 * Convolution from planes to planes, lanes along the pixels: outputs are not transposed, and few input channels waste nothing.
 *
 * Tile:   CP_TILE output channels x 2 vectors of pixels; 12 accumulators, 2 inputs and 1 broadcast of the 16 ymm registers
 *         (AVX-512: 16 accumulators of 32, NEON: 16 of 32 q registers).
 * Bound:  FMA. A step of one product is 12 FMAs on 8 loads, 6 of which are broadcasts (AVX-512: 16 on 10).
 * Layout: a band holds the rows that a task reads, border applied, columns of different phases of the stride apart, so that the
 *         vectors of a tile are neighbours for every tap. Loads across lines of the cache cost nothing that could be measured.
 *         Only tiles with a vector across the end of a row are copied product by product, and those of kernels of a single tap,
 *         whose planes would meet in few sets of L1. Weights are [tile of channels][product][channel], one stream. */

enum { PATCHES_PIXELS = 2 * CP_WIDE };

/* A row of the band from column x of src on, for a stride of 1, 2 or 4; columns in the border are zeros. */
static CP_INLINE void patches_split(const cp_conv2d_patches *a, const float *row, int64_t x, const int64_t step, float *to) {
    const cp_patches_band *band = &a->layout;
    const int64_t iw = a->call.desc->iw, end = x + band->columns;
    for (; x < end; x += step * CP_WIDE, to += CP_WIDE) {
        vw in[4], even[2], odd[2];
        const bool inside = x >= 0 && x + step * CP_WIDE <= iw;
        CP_UNROLL
        for (int h = 0; h < step; h++) {
            const int64_t at = x + h * CP_WIDE;
            in[h] = inside ? vw_load(row + at) : vw_load_masked(row + at, vw_range(-at, iw - at));
        }
        if (step == 1) {
            vw_store(to, in[0]);
            continue;
        }
        CP_UNROLL
        for (int h = 0; 2 * h < step; h++) {
            even[h] = vw_in_order(vw_pick_even(in[2 * h], in[2 * h + 1]));
            odd[h] = vw_in_order(vw_pick_odd(in[2 * h], in[2 * h + 1]));
        }
        vw_store(to, step == 2 ? even[0] : vw_in_order(vw_pick_even(even[0], even[1])));
        if (band->phases == 1) continue;
        vw_store(to + band->phase, step == 2 ? odd[0] : vw_in_order(vw_pick_even(odd[0], odd[1])));
        if (step == 2) continue;
        vw_store(to + 2 * band->phase, vw_in_order(vw_pick_odd(even[0], even[1])));
        vw_store(to + 3 * band->phase, vw_in_order(vw_pick_odd(odd[0], odd[1])));
    }
}

/* A row of the band of one channel; zeros where there is no row. */
static void patches_band_row(const cp_conv2d_patches *a, const float *row, float *to) {
    const convpool_conv2d_desc *d = a->call.desc;
    const cp_patches_band *band = &a->layout;
    const int64_t step = d->stride_w, x = band->column * step - d->pad_left;
    const bool vectors = step == 1 || step == 2 || step == 4;
    if (row == NULL) {
        memset(to, 0, (size_t)(band->phases * band->phase) * sizeof(float));
        return;
    }
    if (step == 1) {
        patches_split(a, row, x, 1, to);
    } else if (step == 2) {
        patches_split(a, row, x, 2, to);
    } else if (step == 4) {
        patches_split(a, row, x, 4, to);
    }
    if (vectors && d->border == CONVPOOL_BORDER_ZERO) return;
    for (int64_t f = 0; f < band->phases; f++, to += band->phase) {
        for (int64_t i = 0; f + i * step < band->columns; i++) {
            const int64_t at = x + f + i * step, column = cp_border(d->border, at, d->iw);
            if (!vectors || column != at) to[i] = column < 0 ? 0.0f : row[column];
        }
    }
}

static void patches_band(const cp_conv2d_patches *a) {
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const cp_patches_band *band = &a->layout;
    const int64_t first = band->row * d->stride_h - d->pad_top;
    for (int64_t c = 0; c < a->in_channels; c++) {
        const float *src = call->src + c * call->src_strides.channel;
        float *to = a->band + c * band->plane;
        const int64_t runs = band->sparse ? d->kh : 1, rows = band->rows / runs;
        for (int64_t run = 0; run < runs; run++) {
            for (int64_t i = 0; i < rows; i++, to += band->phases * band->phase) {
                const int64_t at = run * d->dilation_h + i * (band->sparse ? d->stride_h : 1);
                const int64_t y = cp_border(d->border, first + at, d->ih);
                patches_band_row(a, y < 0 ? NULL : src + y * call->src_strides.row, to);
            }
        }
    }
    int32_t *offset = a->offset;
    for (int64_t block = 0; block < a->in_channels; block += CP_BLOCK) {
        for (int64_t ky = 0; ky < d->kh; ky++) {
            const int64_t row = block * band->plane + ky * band->tap_step * band->phases * band->phase;
            for (int64_t kx = 0; kx < d->kw; kx++) {
                const int64_t x = kx * d->dilation_w, at = row + x % d->stride_w * band->phase + x / d->stride_w;
                for (int64_t c = 0; c < CP_MIN(CP_BLOCK, a->in_channels - block); c++) *offset++ = (int32_t)(at + c * band->plane);
            }
        }
    }
}

/* Where the first product of a pixel lies in the band. */
static CP_INLINE int64_t patches_position(const cp_conv2d_patches *a, int64_t pixel) {
    const cp_patches_band *band = &a->layout;
    const int64_t row = (a->first + pixel) / a->columns, column = a->first + pixel - row * a->columns;
    return (row - band->row) * band->row_step * band->phases * band->phase + column - band->column;
}

/* Each vector is put together from `parts` rows of dst. */
static CP_INLINE void patches_copy_parts(const cp_conv2d_patches *a, const int64_t *from, const vw_mask *mask, const int64_t parts,
                                         float *to) {
    for (int64_t k = 0; k < a->products; k++) {
        const float *x = a->band + a->offset[k];
        vw y = vw_load_masked(x + from[0], mask[0]);
        for (int64_t i = 1; i < parts; i++) y = vw_load_or(x + from[i], mask[i], y);
        vw_store(to + k * PATCHES_PIXELS, y);
    }
}

/* What n pixels from `first` on read, side by side, and zeros for the rest of a vector. */
static CP_NOINLINE void patches_copy(const cp_conv2d_patches *a, int64_t first, int64_t n, float *to) {
    int64_t from[CP_WIDE], parts = 0;
    vw_mask mask[CP_WIDE];
    for (int64_t p = 0, run; p < n; p += run, parts++) {
        run = CP_MIN(n - p, a->columns - (a->first + first + p) % a->columns);
        from[parts] = patches_position(a, first + p) - p;
        mask[parts] = vw_range(p, p + run);
    }
    if (parts == 1) {
        patches_copy_parts(a, from, mask, 1, to);
    } else if (parts == 2) {
        patches_copy_parts(a, from, mask, 2, to);
    } else {
        patches_copy_parts(a, from, mask, parts, to);
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

/* How the pixels of a task make vectors: all as one row, or row by row where the lanes that are computed twice cost less than
 * copying would. A vector that does not fit overlaps the one before it, and computes the same again. */
typedef struct patches_vectors {
    int64_t row;   /* pixels of a row */
    int64_t a_row; /* vectors of a row */
    int64_t n;     /* of all */
    int64_t lanes; /* that are pixels */
} patches_vectors;

static patches_vectors patches_vectors_of(const cp_conv2d_patches *a) {
    const cp_conv2d_call *call = &a->call;
    const int64_t outputs = call->desc->out_channels / call->desc->groups; /* not of a call: others use what it has copied */
    const int64_t lanes = cp_ceil_div(a->columns, CP_WIDE) * CP_WIDE, copy = CP_WIDE * 3 / 4; /* as many channels' products */
    const bool rows = call->desc->kh * call->desc->kw > 1 && !a->layout.gapless && a->columns >= CP_WIDE &&
                      (lanes - a->columns) * outputs < copy * CP_MIN(a->columns, PATCHES_PIXELS);
    patches_vectors v = {.row = rows ? a->columns : a->pixels};
    v.a_row = cp_ceil_div(v.row, CP_WIDE);
    v.n = a->pixels / v.row * v.a_row;
    v.lanes = CP_MIN(CP_WIDE, v.row);
    return v;
}

/* Finds out where tiles read, and copies what has to be. */
static void patches_tiles(const cp_conv2d_patches *a, bool flat, const patches_vectors *vectors) {
    const cp_conv2d_call *call = &a->call;
    const cp_patches_band *band = &a->layout;
    const bool pointwise = call->desc->kh * call->desc->kw == 1, rows = vectors->row < a->pixels;
    const int64_t pitch = band->row_step * band->phases * band->phase;
    const int64_t origin = a->first - band->row * a->columns - band->column;
    float *x = a->x;
    int64_t row = 0, j = 0, pixel = 0, position = 0; /* of a vector; a lone last one counts twice */
    for (int64_t i = 0; i < vectors->n; i += 2) {
        cp_patches_tile *tile = &a->tiles[i / 2];
        tile->copied = pointwise;
        for (int64_t q = 0; q < 2; q++) {
            if (i + q < vectors->n) {
                const int64_t column = CP_MIN(j, vectors->row - vectors->lanes);
                pixel = row * vectors->row + column;
                position = band->gapless ? origin + pixel : rows ? row * pitch + column : patches_position(a, pixel);
                tile->copied |= !band->gapless && !rows && pixel % a->columns > a->columns - CP_WIDE;
                j += CP_WIDE;
                if (j >= vectors->row) {
                    j = 0;
                    row++;
                }
            }
            tile->pixel[q] = (int32_t)pixel;
            tile->x[q] = (int32_t)position;
        }
        if (tile->copied == 0) continue;
        for (int64_t q = 0; q < 2; q++) {
            tile->x[q] = (int32_t)(x + q * CP_WIDE - a->band);
            if (!flat) patches_copy(a, tile->pixel[q], vectors->lanes, x + q * CP_WIDE);
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

/* `fresh`: the tile is read from planes, copied for the channels that follow, and the next one's lines fetched meanwhile. */
static CP_INLINE void patches_tile(const cp_conv2d_patches *a, const cp_patches_tile *tile, int64_t channel, int64_t lanes,
                                   bool simple, const bool fresh, const int vectors, const int channels) {
    const cp_conv2d_call *call = &a->call;
    vw acc[CP_TILE][2];
    const float *w = call->weights + channel * a->products, *x[2] = {a->band + tile->x[0], a->band + tile->x[1]};
    CP_UNROLL
    for (int o = 0; o < channels; o++) {
        acc[o][0] = acc[o][1] = vw_set1(call->bias[channel + o]);
    }
    if (fresh) {
        const float *plane = call->src + a->first + tile->pixel[0];
        const int64_t second = tile->pixel[1] - tile->pixel[0];
        float *copy = a->band + tile->x[0];
        for (int64_t k = 0; k < a->products; k++, w += channels, plane += call->src_strides.channel, copy += PATCHES_PIXELS) {
            const vw in0 = vw_load(plane), in1 = vw_load(plane + second);
            CP_PREFETCH(plane + PATCHES_PIXELS);
            CP_PREFETCH(plane + PATCHES_PIXELS + CP_WIDE);
            vw_store(copy, in0);
            vw_store(copy + CP_WIDE, in1);
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
            vw_store(t[o], acc[o][0]);
            vw_store(t[o] + CP_WIDE, acc[o][1]);
        }
        for (int o = 0; o < channels; o++) {
            for (int q = 0; q < vectors; q++) {
                patches_finish(a, t[o] + q * CP_WIDE, channel + o, a->first + tile->pixel[q], lanes);
            }
        }
        return;
    }
    const vw lo = vw_set1(call->activation.lo), hi = vw_set1(call->activation.hi);
    CP_UNROLL
    for (int q = 0; q < vectors; q++) {
        const int64_t p = a->first + tile->pixel[q];
        float *dst = call->dst + channel * call->dst_strides.channel + p;
        const float *residual = call->residual == NULL ? NULL : call->residual + channel * call->residual_strides.channel + p;
        CP_UNROLL
        for (int o = 0; o < channels; o++) {
            vw y = acc[o][q];
            if (residual != NULL) y = vw_add(y, vw_load(residual + o * call->residual_strides.channel));
            vw_store(dst + o * call->dst_strides.channel, vw_clip(y, lo, hi));
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

static void CP_NAME(conv2d_patches)(const cp_conv2d_patches *a) {
    const cp_conv2d_call *call = &a->call;
    const patches_vectors vectors = patches_vectors_of(a);
    const int64_t tiles = cp_ceil_div(vectors.n, 2), parts = cp_ceil_div(a->channels, CP_TILE);
    const bool simple = call->activation.kind == CONVPOOL_ACTIVATION_CLIP && patches_gapless(a) && vectors.lanes == CP_WIDE;
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
    for (int64_t part = 0; part < parts; part++) {
        const int64_t first = part * a->channels / parts, channels = (part + 1) * a->channels / parts - first;
        const cp_patches_tile *tile = a->tiles, *end = tile + vectors.n / 2;
        if (flat && part == 0 && !a->packed) {
            for (; tile < end; tile++) {
#define PATCHES_TILE(n) patches_tile(a, tile, first, vectors.lanes, simple, true, 2, n)
                CP_TILE_SWITCH(channels, PATCHES_TILE)
#undef PATCHES_TILE
            }
        }
        for (; tile < end; tile++) {
#define PATCHES_TILE(n) patches_tile(a, tile, first, vectors.lanes, simple, false, 2, n)
            CP_TILE_SWITCH(channels, PATCHES_TILE)
#undef PATCHES_TILE
        }
        if (vectors.n % 2 != 0) {
#define PATCHES_TILE(n) patches_tile(a, tile, first, vectors.lanes, simple, false, 1, n)
            CP_TILE_SWITCH(channels, PATCHES_TILE)
#undef PATCHES_TILE
        }
    }
}
