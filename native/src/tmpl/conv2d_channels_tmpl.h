/* SPDX-License-Identifier: MIT
 * Direct convolution with vector lanes along the output channels.
 *
 * Tile:       6 pixels x 16 output channels; 12 accumulators, 2 weight vectors and 1 broadcast of the 16 ymm registers
 *             (on NEON 24 + 4 + 1 of 32 q registers). With AVX-512 14 pixels of a row x 32: 28 accumulators, 2 weights and
 *             1 broadcast; 8 x 32 where rows are short, 8 x 48 for the last of an odd number of panels, 8 x 16 for a lone one.
 * Bound:      FMA. A step of one tap and channel is 12 FMAs on 8 loads, 6 of which are broadcasts (28 on 16).
 * Layout:     pixels are packed with their 8 channels side by side, so all loads of a tap lie at fixed offsets from 6 pointers,
 *             or from one for pixels of a row, whatever the source layout, border and stride were. */

static CP_INLINE const float *conv2d_pack_source(const cp_conv2d_pack *a, int64_t channel, int64_t y, int64_t x) {
    return a->src + (channel + y * a->strides.row + x * a->strides.column);
}

/* Columns [begin, end) of a band row, cell by cell. */
static void conv2d_pack_cells(const cp_conv2d_pack *a, const int64_t *channel, int64_t width, int64_t pitch, int64_t y,
                              int64_t begin, int64_t end, float *dst) {
    for (int64_t j = begin; j < end; j++) {
        const int64_t x = cp_border(a->border, a->column + j, a->iw);
        if ((y < 0 || x < 0) && width == CP_BLOCK) {
            v8_store(dst + j * pitch, v8_zero());
        } else if (y < 0 || x < 0) {
            for (int64_t c = 0; c < width; c++) dst[j * pitch + c] = 0.0f;
        } else {
            for (int64_t c = 0; c < width; c++) dst[j * pitch + c] = *conv2d_pack_source(a, channel[c], y, x);
        }
    }
}

/* n columns of up to 8 planes. */
static CP_INLINE void conv2d_pack_block(const float *src, int64_t plane, const int64_t width, const int64_t n, const int64_t pitch,
                                        float *dst) {
    v8 t[8];
    if (width == 8 && n == 8) {
        v8_load_transposed(src, plane, t);
    } else {
        CP_UNROLL
        for (int k = 0; k < 8; k++) t[k] = k < width ? v8_loadn(src + k * plane, n) : v8_zero();
        v8_transpose(t);
    }
    CP_UNROLL
    for (int k = 0; k < 8; k++) {
        if (k < n) v8_store(dst + k * pitch, t[k]);
    }
}

/* Columns [j, end) of a row of up to 8 planes, as many of them as 8 at a time allow; returns where it stopped. */
static CP_INLINE int64_t conv2d_pack_planes(const float *src, int64_t plane, const int64_t width, const int64_t pitch, int64_t j,
                                            int64_t end, int64_t columns, float *dst) {
    /* A vector of fewer channels must not reach beyond the row. */
    const int64_t whole = width < 8 ? CP_MIN(end, columns + 1 - cp_ceil_div(8, pitch)) : end;
    for (; j + 8 <= whole; j += 8) conv2d_pack_block(src + j, plane, width, 8, pitch, dst + j * pitch);
    if (width < 8 || j == end) return j;
    conv2d_pack_block(src + j, plane, width, end - j, pitch, dst + j * pitch);
    return end;
}

static void CP_NAME(conv2d_pack)(const cp_conv2d_pack *given) {
    cp_conv2d_pack band = *given;
    const cp_conv2d_pack *a = &band;
    const bool planes = band.layout == CONVPOOL_LAYOUT_NCHW;
    const bool gapless = planes && a->column == 0 && a->columns == a->iw && a->strides.row == a->iw && a->row_step == 1;
    for (int64_t c = 0; c < a->channels; c += CP_BLOCK) {
        const int64_t width = CP_MIN(CP_BLOCK, a->channels - c), first = c - c % a->block;
        const int64_t pitch = a->pitch != 0 ? a->pitch : CP_MIN(a->block, a->channels - first);
        float *dst = a->dst + first * a->rows * a->columns + (c - first);
        int64_t channel[CP_BLOCK] = {0};
        bool side_by_side = width == CP_BLOCK;
        for (int64_t k = 0; k < width; k++) {
            channel[k] = cp_channel_offset(a->layout, a->strides.channel, a->channel + c + k);
            side_by_side = side_by_side && channel[k] == channel[0] + k;
        }
        /* A vector of fewer channels spills into what is written later. */
        const bool spills = c == first || pitch >= c - first + CP_BLOCK;
        const bool in_vectors = planes && (width == CP_BLOCK || spills);
        for (int64_t i = 0, n = 1; i < a->rows; i += n) {
            const int64_t y = cp_border(a->border, a->row + i * a->row_step, a->ih);
            if (gapless) n = y >= 0 && y == a->row + i ? CP_MIN(a->rows - i, a->ih - y) : 1; /* Whole rows are one row. */
            const int64_t columns = n * a->columns;
            band.iw = n * given->iw;
            int64_t j = CP_MIN(columns, CP_MAX(0, -a->column));
            const int64_t end = y < 0 ? j : CP_MAX(j, CP_MIN(columns, a->iw - a->column));
            conv2d_pack_cells(a, channel, width, pitch, y, 0, j, dst);
            if (in_vectors && j < end) {
                const float *src = conv2d_pack_source(a, channel[0], y, a->column);
                const int64_t plane = a->strides.channel;
                if (width == CP_BLOCK && pitch == CP_BLOCK) {
                    j = conv2d_pack_planes(src, plane, CP_BLOCK, CP_BLOCK, j, end, columns, dst);
                } else if (width == CP_BLOCK) {
                    j = conv2d_pack_planes(src, plane, CP_BLOCK, pitch, j, end, columns, dst);
                } else {
                    j = conv2d_pack_planes(src, plane, width, pitch, j, end, columns, dst);
                }
            } else if (side_by_side) {
                for (; j < end; j++) v8_store(dst + j * pitch, v8_load(conv2d_pack_source(a, channel[0], y, a->column + j)));
            }
            conv2d_pack_cells(a, channel, width, pitch, y, j, columns, dst);
            dst += columns * pitch;
        }
    }
}

/* Up to 8 pixels x 8 channels, from lanes along the channels to lanes along the width and into planes. */
static CP_INLINE void conv2d_finish_block(const cp_conv2d_finish *a, const float *acc, float *dst, const float *residual,
                                          const int64_t pixels, const int64_t channels, const bool clip) {
    v8 t[8];
    CP_UNROLL
    for (int k = 0; k < 8; k++) t[k] = k < pixels ? v8_load(acc + k * CP_PANEL) : v8_zero();
    v8_transpose(t);
    CP_UNROLL
    for (int k = 0; k < 8; k++) {
        if (k >= channels) break;
        if (residual != NULL) {
            const float *r = residual + k * a->residual_strides.channel;
            t[k] = v8_add(t[k], pixels == 8 ? v8_load(r) : v8_loadn(r, pixels));
        }
        t[k] = clip ? v8_clip(t[k], v8_set1(a->activation.lo), v8_set1(a->activation.hi)) : v8_activate(t[k], &a->activation);
        if (pixels == 8) {
            v8_store(dst + k * a->dst_strides.channel, t[k]);
        } else {
            v8_storen(dst + k * a->dst_strides.channel, t[k], pixels);
        }
    }
}

/* Pixels of a row of 8 planes, clipped, CP_WIDE at a time, where there are as many; the last vector overlaps the one before.
 * Returns how many. */
static CP_INLINE int64_t conv2d_finish_clipped(const float *acc, float *dst, int64_t plane, const float *residual,
                                               int64_t residual_plane, int64_t pixels, vw lo, vw hi) {
    if (pixels < CP_WIDE) return 0;
    for (int64_t end = 0; end < pixels; end += CP_WIDE) {
        const int64_t j = CP_MIN(end, pixels - CP_WIDE);
        vw t[8];
        vw_load_transposed(acc + j * CP_PANEL, CP_PANEL, t);
        CP_UNROLL
        for (int k = 0; k < 8; k++) {
            if (residual != NULL) t[k] = vw_add(t[k], vw_load(residual + k * residual_plane + j));
            vw_store(dst + k * plane + j, vw_clip(t[k], lo, hi));
        }
    }
    return pixels;
}

/* `pixels` of a row of NCHW, 8 planes at a time, so that the lines of the cache that are being filled are few: planes that lie a
 * power of two apart all meet in one set. */
static CP_INLINE void conv2d_finish_planes(const cp_conv2d_finish *a, const float *acc, int64_t channel, int64_t channels,
                                           int64_t row, int64_t column, int64_t pixels, const bool clip) {
    for (int64_t k = 0; k < channels; k += 8) {
        float *dst = a->dst + (channel + k) * a->dst_strides.channel + row * a->dst_strides.row + column;
        const float *residual = a->residual;
        if (residual != NULL) residual += (channel + k) * a->residual_strides.channel + row * a->residual_strides.row + column;
        int64_t j = 0;
        if (clip && channels - k >= 8) {
            const vw lo = vw_set1(a->activation.lo), hi = vw_set1(a->activation.hi);
            const int64_t plane = a->dst_strides.channel, residual_plane = a->residual_strides.channel;
            j = residual == NULL ? conv2d_finish_clipped(acc + k, dst, plane, NULL, 0, pixels, lo, hi)
                                 : conv2d_finish_clipped(acc + k, dst, plane, residual, residual_plane, pixels, lo, hi);
        }
        for (; j < pixels; j += 8) {
            const float *from = acc + j * CP_PANEL + k;
            if (channels - k >= 8 && pixels - j >= 8 && residual == NULL) {
                conv2d_finish_block(a, from, dst + j, NULL, 8, 8, clip);
            } else {
                conv2d_finish_block(a, from, dst + j, residual == NULL ? NULL : residual + j, CP_MIN(8, pixels - j),
                                    CP_MIN(8, channels - k), clip);
            }
        }
    }
}

/* `pixels` of a row of NHWC or NCHW8C. */
static void conv2d_finish_channels(const cp_conv2d_finish *a, const float *acc, int64_t channel, int64_t channels, int64_t row,
                                   int64_t column, int64_t pixels) {
    float *dst = a->dst + row * a->dst_strides.row + column * a->dst_strides.column;
    const float *residual = a->residual;
    if (residual != NULL) residual += row * a->residual_strides.row + column * a->residual_strides.column;
    for (int64_t k = 0; k < channels; k += 8) {
        const int64_t n = CP_MIN(8, channels - k);
        int64_t to[8], from[8] = {0};
        for (int64_t c = 0; c < 8; c++) {
            to[c] = cp_channel_offset(a->layout, a->dst_strides.channel, channel + k + c);
            if (residual != NULL) from[c] = cp_channel_offset(a->layout, a->residual_strides.channel, channel + k + c);
        }
        const bool side_by_side = n == 8 && to[7] == to[0] + 7 && (residual == NULL || from[7] == from[0] + 7);
        for (int64_t j = 0; j < pixels; j++) {
            float *d = dst + j * a->dst_strides.column;
            const float *r = residual == NULL ? NULL : residual + j * a->residual_strides.column;
            v8 y = v8_load(acc + j * CP_PANEL + k);
            float lanes[8] = {0};
            if (side_by_side) {
                if (r != NULL) y = v8_add(y, v8_load(r + from[0]));
                v8_store(d + to[0], v8_activate(y, &a->activation));
                continue;
            }
            if (r != NULL) {
                for (int64_t c = 0; c < n; c++) lanes[c] = r[from[c]];
                y = v8_add(y, v8_load(lanes));
            }
            v8_store(lanes, v8_activate(y, &a->activation));
            for (int64_t c = 0; c < n; c++) d[to[c]] = lanes[c];
        }
    }
}

/* The channels that fill up the last block of NCHW8C. */
static void conv2d_finish_spare(const cp_conv2d_finish *a, int64_t row, int64_t column, int64_t pixels) {
    float *dst = a->dst + row * a->dst_strides.row + column * a->dst_strides.column;
    for (int64_t s = 0; s < a->spare; s++) {
        const int64_t channel = cp_channel_offset(a->layout, a->dst_strides.channel, a->channel + a->channels + s);
        for (int64_t j = 0; j < pixels; j++) dst[channel + j * a->dst_strides.column] = 0.0f;
    }
}

/* Pixels [first, end) of a panel. */
static void conv2d_finish_pixels(const cp_conv2d_finish *a, int64_t panel, int64_t first, int64_t end) {
    const bool planes = a->layout == CONVPOOL_LAYOUT_NCHW;
    /* Rows without gaps are one row. */
    const bool gapless =
        planes && a->dst_strides.row == a->columns && (a->residual == NULL || a->residual_strides.row == a->columns);
    const int64_t channel = a->channel + panel * CP_PANEL, channels = CP_MIN(CP_PANEL, a->channels - panel * CP_PANEL);
    while (first < end) {
        const int64_t row = gapless ? 0 : first / a->columns, column = first - row * a->columns;
        const int64_t pixels = gapless ? end - first : CP_MIN(end - first, a->columns - column);
        const float *acc = a->acc + (panel * a->rows * a->columns + first) * CP_PANEL;
        if (!planes) {
            conv2d_finish_channels(a, acc, channel, channels, row, column, pixels);
            if (channel + channels == a->channel + a->channels) conv2d_finish_spare(a, row, column, pixels);
        } else if (a->activation.kind == CONVPOOL_ACTIVATION_CLIP) {
            conv2d_finish_planes(a, acc, channel, channels, row, column, pixels, true);
        } else {
            conv2d_finish_planes(a, acc, channel, channels, row, column, pixels, false);
        }
        first += pixels;
    }
}

static void conv2d_finish(const cp_conv2d_finish *a) {
    for (int64_t panel = 0; panel * CP_PANEL < a->channels; panel++) conv2d_finish_pixels(a, panel, 0, a->rows * a->columns);
}

enum { CONV2D_PANELS = CP_TILE_PANELS > 1 ? CP_TILE_PANELS + 1 : 1 }; /* of a tile at most, so that no panel is left alone */

/* Panels of the next tiles while `left` have none. */
static CP_INLINE int64_t conv2d_panels_of(int64_t left) {
    return left == CONV2D_PANELS ? CONV2D_PANELS : left >= CP_TILE_PANELS ? CP_TILE_PANELS : 1;
}

/* Calls F(n) with the constant n that `count` from conv2d_panels_of is. */
#define CONV2D_PANELS_SWITCH(count, F)                                                                                             \
    if ((count) > CP_TILE_PANELS) {                                                                                                \
        F(CONV2D_PANELS);                                                                                                          \
    } else if ((count) == CP_TILE_PANELS) {                                                                                        \
        F(CP_TILE_PANELS);                                                                                                         \
    } else {                                                                                                                       \
        F(1);                                                                                                                      \
    }

/* The products of one tap and one channel. */
static CP_INLINE void conv2d_tile_step(const float *const *x, int64_t at, const float *const *weights, int64_t w, const int pixels,
                                       const int panels, v16 *acc) {
    v16 wide[CONV2D_PANELS];
    CP_UNROLL
    for (int q = 0; q < panels; q++) wide[q] = v16_load(weights[q] + w);
    CP_UNROLL
    for (int p = 0; p < pixels; p++) {
        CP_UNROLL
        for (int q = 0; q < panels; q++) acc[q * CP_TILE + p] = v16_fma1(wide[q], x[p][at], acc[q * CP_TILE + p]);
    }
}

/* Weights to fetch while others are used: of each 8 lines those `distance` ahead of the current ones, `lines` of them. */
typedef struct conv2d_ahead {
    int64_t distance, lines;
} conv2d_ahead;

/* The span's taps of one block of `width` channels, in steps of 8 products. Where taps of a row lie side by side, so do their
 * channels: one run. */
static CP_INLINE void conv2d_tile_block(const cp_conv2d_tiles *a, const cp_conv2d_span *s, const float *const *x,
                                        const float *weights, conv2d_ahead ahead, const int pixels, const int panels,
                                        const int64_t width, v16 *acc) {
    const int64_t taps = s->x_end - s->x_begin;
    const bool side_by_side = a->column_step == 1, blocks = width == CP_BLOCK;
    const int64_t runs = side_by_side || blocks ? 1 : taps, run = side_by_side || blocks ? taps * width : width;
    const int64_t step = blocks ? a->column_step * CP_BLOCK : CP_BLOCK;
    for (int64_t ty = s->y_begin; ty < s->y_end; ty++) {
        const float *w[CONV2D_PANELS];
        CP_UNROLL
        for (int q = 0; q < panels; q++) w[q] = weights + q * a->weights_panel + (ty * a->kw + s->x_begin) * width * CP_PANEL;
        for (int64_t r = 0; r < runs; r++) {
            int64_t at = (ty * a->row_step + (s->x_begin + r) * a->column_step) * width, k = 0;
            for (; k + CP_BLOCK <= run; k += CP_BLOCK, at += step) {
                for (int64_t l = 0; l < ahead.lines; l++) {
                    CP_UNROLL
                    for (int q = 0; q < panels; q++) CP_PREFETCH(w[q] + ahead.distance + l * CP_PANEL);
                }
                CP_UNROLL
                for (int c = 0; c < CP_BLOCK; c++) conv2d_tile_step(x, at + c, w, c * CP_PANEL, pixels, panels, acc);
                CP_UNROLL
                for (int q = 0; q < panels; q++) w[q] += CP_BLOCK * CP_PANEL;
            }
            for (; k < run; k++, at++) {
                conv2d_tile_step(x, at, w, 0, pixels, panels, acc);
                CP_UNROLL
                for (int q = 0; q < panels; q++) w[q] += CP_PANEL;
            }
        }
    }
}

static CP_INLINE void conv2d_tile(const cp_conv2d_tiles *a, const cp_conv2d_span *s, int64_t panel, int64_t first,
                                  conv2d_ahead ahead, const int pixels, const int panels) {
    v16 acc[CONV2D_PANELS * CP_TILE];
    const float *x[CP_TILE];
    const float *block = a->x, *weights = a->weights + panel * a->weights_panel;
    CP_UNROLL
    for (int q = 0; q < panels; q++) {
        const float *bias = a->bias == NULL ? NULL : a->bias + (panel + q) * CP_PANEL;
        const float *out = a->acc + (panel + q) * a->acc_pixels * CP_PANEL;
        CP_UNROLL
        for (int p = 0; p < pixels; p++) {
            acc[q * CP_TILE + p] = v16_load(bias != NULL ? bias : out + (int64_t)a->place[first + p] * CP_PANEL);
        }
    }
    for (int64_t c = 0; c < a->channels; c += a->block) {
        const int64_t width = CP_MIN(a->block, a->channels - c);
        CP_UNROLL
        for (int p = 0; p < pixels; p++) x[p] = block + a->position[first + p] * (a->pitch != 0 ? a->pitch : width);
        conv2d_tile_block(a, s, x, weights, ahead, pixels, panels, width, acc);
        block += a->packed_pixels * width;
        weights += a->kh * a->kw * width * CP_PANEL;
    }
    CP_UNROLL
    for (int q = 0; q < panels; q++) {
        float *out = a->acc + (panel + q) * a->acc_pixels * CP_PANEL;
        CP_UNROLL
        for (int p = 0; p < pixels; p++) v16_store(out + (int64_t)a->place[first + p] * CP_PANEL, acc[q * CP_TILE + p]);
    }
}

/* What register tiles of pixels side by side do: from one pointer all of them lie at fixed offsets. `out` has their sums,
 * [panel][pixel][16], panels `out_panel` floats apart; they start from a bias, or from `out` if that is NULL. */
static CP_INLINE void conv2d_row_begin(const float *bias, const float *out, int64_t out_panel, const int pixels, const int panels,
                                       v16 *acc) {
    CP_UNROLL
    for (int q = 0; q < panels; q++) {
        CP_UNROLL
        for (int p = 0; p < pixels; p++) {
            acc[q * pixels + p] = v16_load(bias != NULL ? bias + q * CP_PANEL : out + q * out_panel + p * CP_PANEL);
        }
    }
}

/* The products of one channel, `x_step` floats from one pixel to the next. */
static CP_INLINE void conv2d_row_step(const float *x, const int x_step, const float *w, int64_t w_panel, const int pixels,
                                      const int panels, v16 *acc) {
    v16 wide[CONV2D_PANELS];
    CP_UNROLL
    for (int q = 0; q < panels; q++) wide[q] = v16_load(w + q * w_panel);
    CP_UNROLL
    for (int p = 0; p < pixels; p++) {
        CP_UNROLL
        for (int q = 0; q < panels; q++) acc[q * pixels + p] = v16_fma1(wide[q], x[p * x_step], acc[q * pixels + p]);
    }
}

static CP_INLINE void conv2d_row_end(float *out, int64_t out_panel, const int pixels, const int panels, const v16 *acc) {
    CP_UNROLL
    for (int q = 0; q < panels; q++) {
        CP_UNROLL
        for (int p = 0; p < pixels; p++) v16_store(out + q * out_panel + p * CP_PANEL, acc[q * pixels + p]);
    }
}

/* What a tile of pixels side by side fetches before each 8 steps, CONV2D_FETCHED lines from each of as many places as it has
 * panels: from `first` on and `apart` floats from one place to the next, then `step` floats further on. */
enum { CONV2D_FETCHED = 2 };
typedef struct conv2d_lines {
    const float *first;
    int64_t apart, step;
} conv2d_lines;

/* What is left to fetch, by parts that a tile does: weights that are used next, a fourth of them; then rows that these panels are
 * finished to, then rows that are packed next, each of as many planes as a tile has panels. */
typedef struct conv2d_fetching {
    const float *weights; /* or NULL */
    int64_t eights;       /* in the steps of a tile */
    cp_fetch dst, src;
    int64_t weights_part, dst_part, src_part;
} conv2d_fetching;

/* Rows without gaps are one row. */
static CP_INLINE void conv2d_join_rows(cp_fetch *f) {
    if (f->row != f->floats) return;
    f->floats *= f->rows;
    f->rows = 1;
}

static CP_INLINE conv2d_fetching conv2d_fetching_of(const cp_conv2d_tiles *a) {
    conv2d_fetching f = {.eights = a->channels / CP_BLOCK * a->kh * a->kw, .src = a->fetch[0]};
    conv2d_join_rows(&f.src);
    return f;
}

static CP_INLINE void conv2d_fetching_panels(conv2d_fetching *f, const cp_conv2d_tiles *a, int64_t panel, const float *weights) {
    f->dst = a->fetch[1];
    if (f->dst.planes != 0) f->dst.first += panel * CP_PANEL * f->dst.plane;
    f->dst.planes = CP_MIN(CP_TILE_PANELS * CP_PANEL, f->dst.planes - panel * CP_PANEL);
    conv2d_join_rows(&f->dst);
    f->weights = weights;
    f->dst_part = f->weights_part = 0;
}

static CP_INLINE bool conv2d_lines_of(const cp_fetch *f, int64_t *part, int64_t eights, conv2d_lines *lines) {
    if (*part >= f->planes / CP_TILE_PANELS * f->rows) return false;
    lines->first = f->first + *part / f->rows * CP_TILE_PANELS * f->plane + *part % f->rows * f->row;
    lines->apart = f->plane;
    lines->step = CP_MIN(CONV2D_FETCHED * CP_PANEL, cp_ceil_div(f->floats, eights));
    ++*part;
    return true;
}

static CP_INLINE conv2d_lines conv2d_next_lines(conv2d_fetching *f, const cp_conv2d_tiles *a) {
    conv2d_lines lines = {.first = a->weights};
    if (f->weights != NULL && f->weights_part < CP_BLOCK / CONV2D_FETCHED) {
        lines.step = CONV2D_FETCHED * CP_PANEL;
        lines.first = f->weights + f->weights_part++ * f->eights * lines.step;
        lines.apart = a->weights_panel;
    } else if (!conv2d_lines_of(&f->dst, &f->dst_part, f->eights, &lines)) {
        conv2d_lines_of(&f->src, &f->src_part, f->eights, &lines);
    }
    return lines;
}

#if CP_ROW_TILE > CP_TILE
/* Up to CP_ROW_TILE pixels of a row, `step` packed pixels apart. Blocks of 8 channels. Lines are fetched before the 8 steps, since
 * between them clang 19 spills an accumulator. */
static CP_INLINE void conv2d_row_tile(const cp_conv2d_tiles *a, const cp_conv2d_span *s, int64_t panel, int64_t first,
                                      conv2d_lines lines, const int step, const int pixels) {
    v16 acc[CP_TILE_PANELS * CP_ROW_TILE];
    const float *block = a->x + a->position[first] * CP_BLOCK, *weights = a->weights + panel * a->weights_panel;
    float *out = a->acc + (panel * a->acc_pixels + a->place[first]) * CP_PANEL;
    const int64_t out_panel = a->acc_pixels * CP_PANEL, run = (s->x_end - s->x_begin) * CP_BLOCK * CP_PANEL;
    const int64_t x_step = a->column_step * CP_BLOCK;
    conv2d_row_begin(a->bias != NULL ? a->bias + panel * CP_PANEL : NULL, out, out_panel, pixels, CP_TILE_PANELS, acc);
    for (int64_t c = 0; c < a->channels; c += CP_BLOCK) {
        for (int64_t ty = s->y_begin; ty < s->y_end; ty++) {
            const float *w = weights + (ty * a->kw + s->x_begin) * CP_BLOCK * CP_PANEL;
            const float *x = block + (ty * a->row_step + s->x_begin * a->column_step) * CP_BLOCK;
            for (const float *end = w + run; w < end; x += x_step, w += CP_BLOCK * CP_PANEL, lines.first += lines.step) {
                CP_UNROLL
                for (int k = 0; k < CONV2D_FETCHED; k++) {
                    CP_UNROLL
                    for (int q = 0; q < CP_TILE_PANELS; q++) CP_PREFETCH(lines.first + q * lines.apart + k * CP_PANEL);
                }
                CP_UNROLL
                for (int k = 0; k < CP_BLOCK; k++) {
                    conv2d_row_step(x + k, step * CP_BLOCK, w + k * CP_PANEL, a->weights_panel, pixels, CP_TILE_PANELS, acc);
                }
            }
        }
        block += a->packed_pixels * CP_BLOCK;
        weights += a->kh * a->kw * CP_BLOCK * CP_PANEL;
    }
    conv2d_row_end(out, out_panel, pixels, CP_TILE_PANELS, acc);
}

/* A span in tiles that each lie within a row, of 7 pixels or more. */
static CP_INLINE void conv2d_row_tiles(const cp_conv2d_tiles *a, const cp_conv2d_span *s, int64_t panel, conv2d_fetching *fetching,
                                       const int step) {
    const int64_t parts = cp_ceil_div(s->columns, CP_ROW_TILE);
    for (int64_t from = s->first; from < s->first + s->pixels; from += s->columns) {
        for (int64_t part = 0; part < parts; part++) {
            const int64_t first = part * s->columns / parts, pixels = (part + 1) * s->columns / parts - first;
            const conv2d_lines lines = conv2d_next_lines(fetching, a);
#define CONV2D_TILE(n) conv2d_row_tile(a, s, panel, from + first, lines, step, n)
            switch (pixels) {
                CP_TILE_CASE(CONV2D_TILE, 7)
                CP_TILE_CASE(CONV2D_TILE, 8)
                CP_TILE_CASE(CONV2D_TILE, 9)
                CP_TILE_CASE(CONV2D_TILE, 10)
                CP_TILE_CASE(CONV2D_TILE, 11)
                CP_TILE_CASE(CONV2D_TILE, 12)
                CP_TILE_CASE(CONV2D_TILE, 13)
            default:
                CONV2D_TILE(CP_ROW_TILE);
                break;
            }
#undef CONV2D_TILE
        }
    }
}

/* Whether it did a span row by row. */
static CP_NOINLINE bool conv2d_in_rows(const cp_conv2d_tiles *a, const cp_conv2d_span *s, int64_t panel,
                                       conv2d_fetching *fetching) {
    const bool blocks = a->block == CP_BLOCK && a->pitch == 0 && a->channels % CP_BLOCK == 0;
    if (!blocks || s->columns < CP_ROW_TILE / 2 || a->pixel_step > 2) return false;
    if (a->pixel_step == 1) {
        conv2d_row_tiles(a, s, panel, fetching, 1);
    } else {
        conv2d_row_tiles(a, s, panel, fetching, 2);
    }
    return true;
}
#endif

static CP_INLINE void conv2d_tiles_panels(const cp_conv2d_tiles *a, int64_t panel, conv2d_fetching *fetching, const int panels) {
    const float *next = panel + panels < a->panels ? a->weights + (panel + panels) * a->weights_panel : a->next_weights;
    conv2d_fetching_panels(fetching, a, panel, next);
    for (int64_t k = 0; k < a->span_count; k++) {
        const cp_conv2d_span span = a->spans[k], *s = &span;
        const int64_t parts = cp_ceil_div(s->pixels, CP_TILE), lines = cp_ceil_div(CP_BLOCK, parts);
#if CP_ROW_TILE > CP_TILE
        if (panels == CP_TILE_PANELS && conv2d_in_rows(a, s, panel, fetching)) continue;
#endif
        for (int64_t part = 0; part < parts; part++) {
            const int64_t first = part * s->pixels / parts, pixels = (part + 1) * s->pixels / parts - first;
            conv2d_ahead ahead = {0};
            if (next != NULL && k == 0 && part * lines < CP_BLOCK) {
                ahead.distance = next - (a->weights + panel * a->weights_panel) + part * lines * CP_PANEL;
                ahead.lines = lines;
            }
#define CONV2D_TILE(n) conv2d_tile(a, s, panel, s->first + first, ahead, n, panels)
            CP_TILE_SWITCH(pixels, CONV2D_TILE)
#undef CONV2D_TILE
        }
    }
    for (int64_t q = 0; a->finish != NULL && q < panels; q++) conv2d_finish_pixels(a->finish, panel + q, 0, a->acc_pixels);
}

static void CP_NAME(conv2d_tiles)(const cp_conv2d_tiles *a) {
    conv2d_fetching fetching = conv2d_fetching_of(a);
    for (int64_t panel = 0, n; panel < a->panels; panel += n) {
        n = conv2d_panels_of(a->panels - panel);
#define CONV2D_TILES(panels) conv2d_tiles_panels(a, panel, &fetching, panels)
        CONV2D_PANELS_SWITCH(n, CONV2D_TILES)
#undef CONV2D_TILES
    }
}
