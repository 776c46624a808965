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
    const int64_t iw = a->desc->iw, end = x + band->columns;
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
    const convpool_conv2d_desc *d = a->desc;
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
    const convpool_conv2d_desc *d = a->desc;
    const cp_patches_band *band = &a->layout;
    const int64_t first = band->row * d->stride_h - d->pad_top;
    for (int64_t c = 0; c < a->in_channels; c++) {
        const float *src = a->src + c * a->src_strides.channel;
        float *to = a->band + c * band->plane;
        const int64_t runs = band->sparse ? d->kh : 1, rows = band->rows / runs;
        for (int64_t run = 0; run < runs; run++) {
            for (int64_t i = 0; i < rows; i++, to += band->phases * band->phase) {
                const int64_t at = run * d->dilation_h + i * (band->sparse ? d->stride_h : 1);
                const int64_t y = cp_border(d->border, first + at, d->ih);
                patches_band_row(a, y < 0 ? NULL : src + y * a->src_strides.row, to);
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

/* The same of all tiles for kernels of one tap where rows follow each other without gaps: one run from each plane. */
static void patches_copy_planes(const cp_conv2d_patches *a, int64_t tiles) {
    for (int64_t c = 0; c < a->in_channels; c++) {
        const float *from = a->src + c * a->src_strides.channel + a->first;
        float *to = a->x + c * PATCHES_PIXELS;
        for (int64_t t = 0; t < tiles; t++, to += a->in_channels * PATCHES_PIXELS) {
            const int64_t p = t < tiles - 1 ? t * PATCHES_PIXELS : a->tiles[t].pixel, n = a->pixels - p;
            if (n >= PATCHES_PIXELS) {
                vw_store(to, vw_load(from + p));
                vw_store(to + CP_WIDE, vw_load(from + p + CP_WIDE));
            } else {
                vw_store(to, vw_loadn(from + p, CP_MIN(CP_WIDE, n)));
                vw_store(to + CP_WIDE, vw_loadn(from + p + CP_WIDE, CP_MAX(0, n - CP_WIDE)));
            }
        }
    }
}

/* Cuts the pixels into tiles and copies what has to be. The last tile overlaps the one before and computes the same again; it may
 * be a single vector. */
static void patches_tiles(const cp_conv2d_patches *a, bool flat, int64_t tiles, bool half) {
    const bool pointwise = a->desc->kh * a->desc->kw == 1;
    float *x = a->x;
    for (int64_t t = 0; t < tiles; t++) {
        const int64_t size = t == tiles - 1 && half ? CP_WIDE : PATCHES_PIXELS;
        const int64_t pixel = t == tiles - 1 ? CP_MAX(0, a->pixels - size) : t * PATCHES_PIXELS;
        cp_patches_tile *tile = &a->tiles[t];
        tile->pixel = (int32_t)pixel;
        tile->copied = pointwise || pixel + size > a->pixels;
        for (int64_t v = 0; v < size && tile->copied == 0; v += CP_WIDE) {
            tile->copied = !a->layout.gapless && (a->first + pixel + v) % a->columns > a->columns - CP_WIDE;
            tile->x[v / CP_WIDE] = (int32_t)patches_position(a, pixel + v);
        }
        if (tile->copied != 0) {
            tile->x[0] = (int32_t)(x - a->band);
            tile->x[1] = tile->x[0] + CP_WIDE;
            for (int64_t v = 0; v < size && !flat; v += CP_WIDE) {
                patches_copy(a, pixel + v, CP_MIN(CP_WIDE, a->pixels - pixel - v), x + v);
            }
            x += a->products * PATCHES_PIXELS;
        }
    }
}

/* Whether rows of outputs follow each other without gaps, and so are one row. */
static CP_INLINE bool patches_gapless(const cp_conv2d_patches *a) {
    return a->dst_strides.row == a->columns && (a->residual == NULL || a->residual_strides.row == a->columns);
}

/* Outputs [p, p + n) of one channel, from memory: any activation, rows with gaps. */
static CP_NOINLINE void patches_finish(const cp_conv2d_patches *a, const float *acc, int64_t channel, int64_t p, int64_t n) {
    const bool gapless = patches_gapless(a);
    while (n > 0) {
        const int64_t row = gapless ? 0 : p / a->columns, column = p - row * a->columns;
        const int64_t pixels = gapless ? n : CP_MIN(n, a->columns - column);
        float *dst = a->dst + channel * a->dst_strides.channel + row * a->dst_strides.row + column;
        const float *residual = a->residual == NULL
                                    ? NULL
                                    : a->residual + channel * a->residual_strides.channel + row * a->residual_strides.row + column;
        for (int64_t j = 0; j < pixels; j += 8) {
            const int64_t m = CP_MIN(8, pixels - j);
            v8 y = v8_loadn(acc + j, m);
            if (residual != NULL) y = v8_add(y, v8_loadn(residual + j, m));
            v8_storen(dst + j, v8_activate(y, &a->activation), m);
        }
        acc += pixels;
        p += pixels;
        n -= pixels;
    }
}

/* One product. */
static CP_INLINE void patches_step(const float *x0, const float *x1, const float *w, const int vectors, const int channels,
                                   vw (*acc)[2]) {
    const vw in0 = vw_load(x0), in1 = vw_load(x1);
    CP_UNROLL
    for (int o = 0; o < channels; o++) {
        acc[o][0] = vw_fma1(in0, w[o], acc[o][0]);
        if (vectors > 1) acc[o][1] = vw_fma1(in1, w[o], acc[o][1]);
    }
}

static CP_INLINE void patches_tile(const cp_conv2d_patches *a, const cp_patches_tile *tile, int64_t channel, bool simple,
                                   const int vectors, const int channels) {
    vw acc[CP_TILE][2];
    const float *w = a->weights + channel * a->products, *x[2] = {a->band + tile->x[0], a->band + tile->x[1]};
    CP_UNROLL
    for (int o = 0; o < channels; o++) {
        acc[o][0] = acc[o][1] = vw_set1(a->bias[channel + o]);
    }
    if (tile->copied != 0) {
        for (int64_t k = 0; k < a->products; k++, w += channels) {
            patches_step(x[0] + k * PATCHES_PIXELS, x[vectors - 1] + k * PATCHES_PIXELS, w, vectors, channels, acc);
        }
    } else {
        for (int64_t k = 0; k < a->products; k++, w += channels) {
            patches_step(x[0] + a->offset[k], x[vectors - 1] + a->offset[k], w, vectors, channels, acc);
        }
    }
    const int64_t p = a->first + tile->pixel, n = CP_MIN(vectors * CP_WIDE, a->pixels - tile->pixel);
    if (!simple || n < vectors * CP_WIDE) {
        float t[CP_TILE][PATCHES_PIXELS];
        CP_UNROLL
        for (int o = 0; o < channels; o++) {
            vw_store(t[o], acc[o][0]);
            vw_store(t[o] + CP_WIDE, acc[o][1]);
        }
        for (int o = 0; o < channels; o++) patches_finish(a, t[o], channel + o, p, n);
        return;
    }
    const vw lo = vw_set1(a->activation.lo), hi = vw_set1(a->activation.hi);
    CP_UNROLL
    for (int o = 0; o < channels; o++) {
        float *dst = a->dst + (channel + o) * a->dst_strides.channel + p;
        CP_UNROLL
        for (int q = 0; q < vectors; q++) {
            vw y = acc[o][q];
            if (a->residual != NULL)
                y = vw_add(y, vw_load(a->residual + (channel + o) * a->residual_strides.channel + p + q * CP_WIDE));
            vw_store(dst + q * CP_WIDE, vw_clip(y, lo, hi));
        }
    }
}

/* One output at a time with the taps in the padding left out, for weights that are not finite. */
static void patches_clipped(const cp_conv2d_patches *a) {
    const convpool_conv2d_desc *d = a->desc;
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
            float acc = a->bias[o];
            for (int64_t block = 0; block < a->in_channels; block += CP_BLOCK) {
                const int64_t width = CP_MIN(CP_BLOCK, a->in_channels - block);
                const float *weights = a->weights + begin * a->products + block * d->kh * d->kw * (end - begin) + o - begin;
                for (int64_t ky = y_begin; ky < y_end; ky++) {
                    for (int64_t kx = x_begin; kx < x_end; kx++) {
                        const float *src = a->src + block * a->src_strides.channel + (y + ky * d->dilation_h) * a->src_strides.row +
                                           x + kx * d->dilation_w;
                        const float *w = weights + (ky * d->kw + kx) * width * (end - begin);
                        for (int64_t c = 0; c < width; c++) {
                            acc = cp_fma(src[c * a->src_strides.channel], w[c * (end - begin)], acc);
                        }
                    }
                }
            }
            patches_finish(a, &acc, o, p, 1);
        }
    }
}

static void CP_NAME(conv2d_patches)(const cp_conv2d_patches *a) {
    const int64_t tiles = cp_ceil_div(a->pixels, PATCHES_PIXELS), parts = cp_ceil_div(a->channels, CP_TILE);
    const bool simple = a->activation.kind == CONVPOOL_ACTIVATION_CLIP && patches_gapless(a);
    const bool flat = a->flat && a->src_strides.row == a->desc->iw;
    if (a->clip_taps) {
        patches_clipped(a);
        return;
    }
    const bool half = a->pixels - (tiles - 1) * PATCHES_PIXELS <= CP_WIDE; /* of the last tile */
    if (!a->packed) {
        if (!flat) patches_band(a);
        patches_tiles(a, flat, tiles, half);
        if (flat) patches_copy_planes(a, tiles);
    }
    for (int64_t part = 0; part < parts; part++) {
        const int64_t first = part * a->channels / parts, channels = (part + 1) * a->channels / parts - first;
        for (int64_t t = 0; t < tiles - half; t++) {
#define PATCHES_TILE(n) patches_tile(a, &a->tiles[t], first, simple, 2, n)
            CP_TILE_SWITCH(channels, PATCHES_TILE)
#undef PATCHES_TILE
        }
        if (half) {
#define PATCHES_TILE(n) patches_tile(a, &a->tiles[tiles - 1], first, simple, 1, n)
            CP_TILE_SWITCH(channels, PATCHES_TILE)
#undef PATCHES_TILE
        }
    }
}
