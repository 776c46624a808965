/* SPDX-License-Identifier: MIT
 * Convolution from planes to planes, lanes along the pixels of all rows: for kernels of one tap, where input is only copied, and
 * for few input channels. Outputs are not transposed.
 *
 * Tile:   CP_TILE output channels x 2 vectors of pixels; 12 accumulators, 2 inputs and 1 broadcast of the 16 ymm registers
 *         (AVX-512: 16 accumulators of 32, NEON: 24 of 32 q registers).
 * Bound:  FMA. A step of one product is 12 FMAs on 8 loads, 6 of which are broadcasts (AVX-512: 16 on 10).
 * Layout: what the pixels of a tile read is copied side by side, [tile][product][pixel], products in the documented order, and
 * comes in one stream from L1 or L2. Weights are [output channel][product]: a line of them serves 16 steps. */

enum { PATCHES_PIXELS = 2 * CP_WIDE };

/* Every `step`-th of the floats from `from` on, n of them. */
static CP_INLINE void patches_take(const float *from, int64_t step, int64_t n, float *to) {
    int64_t p = 0;
    if (step == 1 && n >= CP_WIDE) {
        for (; p + CP_WIDE <= n; p += CP_WIDE) vw_store(to + p, vw_load(from + p));
        vw_store(to + n - CP_WIDE, vw_load(from + n - CP_WIDE));
        return;
    }
    if (step == 1 && n >= 8) {
        v8_store(to, v8_load(from));
        v8_store(to + n - 8, v8_load(from + n - 8));
        return;
    }
    if (step == 2) {
        for (; p + 8 <= n; p += 8) v8_store(to + p, v8_load_step(from + 2 * p, 2));
    }
    for (; p < n; p++) to[p] = from[p * step];
}

/* What n pixels of a row of the output read for one tap and channel: `row` of the image from column x on. */
static void patches_take_edge(const cp_conv2d_patches *a, const float *row, int64_t x, int64_t n, float *to) {
    const int64_t step = a->desc->stride_w;
    int64_t begin, end;
    cp_tap_range(x, step, n, a->desc->iw, &begin, &end);
    for (int64_t p = 0; p < n; p++) {
        if (p == begin && end > begin) {
            patches_take(row + x + p * step, step, end - begin, to + p);
            p = end - 1;
            continue;
        }
        const int64_t column = cp_border(a->desc->border, x + p * step, a->desc->iw);
        to[p] = column < 0 ? 0.0f : row[column];
    }
}

/* What n pixels read that follow `first` in its row. */
static CP_INLINE void patches_copy_run(const cp_conv2d_patches *a, int64_t first, const int64_t n, float *to) {
    const convpool_conv2d_desc *d = a->desc;
    const int64_t step = d->stride_w, row = first / a->columns;
    const int64_t y0 = row * d->stride_h - d->pad_top, x0 = (first - row * a->columns) * step - d->pad_left;
    const bool inside = x0 >= 0 && x0 + (n - 1) * step + (d->kw - 1) * d->dilation_w < d->iw;
    for (int64_t block = 0; block < a->in_channels; block += CP_BLOCK) {
        const int64_t channels = CP_MIN(CP_BLOCK, a->in_channels - block);
        const float *planes = a->src + block * a->src_strides.channel;
        for (int64_t ky = 0; ky < d->kh; ky++) {
            const int64_t y = cp_border(d->border, y0 + ky * d->dilation_h, d->ih);
            const float *rows = y < 0 ? NULL : planes + y * a->src_strides.row;
            for (int64_t x = x0; x < x0 + d->kw * d->dilation_w; x += d->dilation_w) {
                for (int64_t c = 0; c < channels; c++, to += PATCHES_PIXELS) {
                    if (rows == NULL) {
                        for (int64_t p = 0; p < n; p++) to[p] = 0.0f;
                    } else if (inside) {
                        patches_take(rows + c * a->src_strides.channel + x, step, n, to);
                    } else {
                        patches_take_edge(a, rows + c * a->src_strides.channel, x, n, to);
                    }
                }
            }
        }
    }
}

/* What n pixels from `first` on read; nothing for the rest of their tile. */
static void patches_copy(const cp_conv2d_patches *a, int64_t first, int64_t n, float *to) {
    for (int64_t p = 0, run; p < n; p += run) {
        run = CP_MIN(n - p, a->columns - (first + p) % a->columns);
        if (run == PATCHES_PIXELS && a->desc->stride_w == 1) {
            patches_copy_run(a, first, PATCHES_PIXELS, to);
        } else {
            patches_copy_run(a, first + p, run, to + p);
        }
    }
    if (n < PATCHES_PIXELS) {
        for (int64_t k = 0; k < a->products; k++) {
            for (int64_t p = n; p < PATCHES_PIXELS; p++) to[k * PATCHES_PIXELS + p] = 0.0f;
        }
    }
}

/* The same for kernels of one tap where rows follow each other without gaps: one run from each plane. */
static void patches_copy_planes(const cp_conv2d_patches *a) {
    for (int64_t c = 0; c < a->in_channels; c++) {
        const float *from = a->src + c * a->src_strides.channel + a->first;
        float *to = a->x + c * PATCHES_PIXELS;
        for (int64_t p = 0; p < a->pixels; p += PATCHES_PIXELS, to += a->in_channels * PATCHES_PIXELS) {
            for (int64_t q = 0; q < PATCHES_PIXELS; q += CP_WIDE) {
                const int64_t n = CP_MAX(0, CP_MIN(CP_WIDE, a->pixels - p - q));
                vw_store(to + q, n == CP_WIDE ? vw_load(from + p + q) : vw_loadn(from + p + q, n));
            }
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

static CP_INLINE void patches_tile(const cp_conv2d_patches *a, int64_t tile, int64_t channel, bool simple, const int vectors,
                                   const int channels) {
    vw acc[CP_TILE][2];
    const float *w[CP_TILE], *x = a->x + tile * a->products * PATCHES_PIXELS;
    CP_UNROLL
    for (int o = 0; o < channels; o++) {
        w[o] = a->weights + (channel + o) * a->products;
        acc[o][0] = acc[o][1] = vw_set1(a->bias[channel + o]);
    }
    for (int64_t k = 0; k < a->products; k++, x += PATCHES_PIXELS) {
        const vw x0 = vw_load(x), x1 = vw_load(x + CP_WIDE);
        CP_UNROLL
        for (int o = 0; o < channels; o++) {
            acc[o][0] = vw_fma1(x0, w[o][k], acc[o][0]);
            if (vectors > 1) acc[o][1] = vw_fma1(x1, w[o][k], acc[o][1]);
        }
    }
    const int64_t p = a->first + tile * PATCHES_PIXELS, n = CP_MIN(PATCHES_PIXELS, a->first + a->pixels - p);
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
    for (int64_t p = a->first; p < a->first + a->pixels; p++) {
        const int64_t y = p / a->columns * d->stride_h - d->pad_top, x = p % a->columns * d->stride_w - d->pad_left;
        int64_t y_begin, y_end, x_begin, x_end;
        cp_tap_range(y, d->dilation_h, d->kh, d->ih, &y_begin, &y_end);
        cp_tap_range(x, d->dilation_w, d->kw, d->iw, &x_begin, &x_end);
        for (int64_t o = 0; o < a->channels; o++) {
            float acc = a->bias[o];
            for (int64_t block = 0; block < a->in_channels; block += CP_BLOCK) {
                const int64_t width = CP_MIN(CP_BLOCK, a->in_channels - block);
                const float *weights = a->weights + o * a->products + block * d->kh * d->kw;
                for (int64_t ky = y_begin; ky < y_end; ky++) {
                    for (int64_t kx = x_begin; kx < x_end; kx++) {
                        const float *src = a->src + block * a->src_strides.channel + (y + ky * d->dilation_h) * a->src_strides.row +
                                           x + kx * d->dilation_w;
                        const float *w = weights + (ky * d->kw + kx) * width;
                        for (int64_t c = 0; c < width; c++) acc = cp_fma(src[c * a->src_strides.channel], w[c], acc);
                    }
                }
            }
            patches_finish(a, &acc, o, p, 1);
        }
    }
}

static void CP_NAME(conv2d_patches)(const cp_conv2d_patches *a) {
    const int64_t tiles = cp_ceil_div(a->pixels, PATCHES_PIXELS), parts = cp_ceil_div(a->channels, CP_TILE);
    const bool half_tile = tiles * PATCHES_PIXELS - a->pixels >= CP_WIDE;
    const bool simple = a->activation.kind == CONVPOOL_ACTIVATION_CLIP && patches_gapless(a);
    const convpool_conv2d_desc *d = a->desc;
    if (a->clip_taps) {
        patches_clipped(a);
        return;
    }
    const bool plain = d->kh * d->kw == 1 && (d->pad_top | d->pad_bottom | d->pad_left | d->pad_right) == 0;
    if (plain && d->stride_h == 1 && d->stride_w == 1 && a->src_strides.row == d->iw) {
        patches_copy_planes(a);
    } else {
        for (int64_t t = 0; t < tiles; t++) {
            const int64_t done = t * PATCHES_PIXELS;
            patches_copy(a, a->first + done, CP_MIN(PATCHES_PIXELS, a->pixels - done), a->x + done * a->products);
        }
    }
    for (int64_t part = 0; part < parts; part++) {
        const int64_t first = part * a->channels / parts, channels = (part + 1) * a->channels / parts - first;
        for (int64_t tile = 0; tile < tiles - half_tile; tile++) {
#define PATCHES_TILE(n) patches_tile(a, tile, first, simple, 2, n)
            CP_TILE_SWITCH(channels, PATCHES_TILE)
#undef PATCHES_TILE
        }
        if (half_tile) {
#define PATCHES_TILE(n) patches_tile(a, tiles - 1, first, simple, 1, n)
            CP_TILE_SWITCH(channels, PATCHES_TILE)
#undef PATCHES_TILE
        }
    }
}
