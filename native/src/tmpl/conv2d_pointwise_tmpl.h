/* SPDX-License-Identifier: MIT
 * Plain 1x1 convolution of planes with vector lanes along the output channels, nothing packed: neighbouring pixels of a channel
 * are neighbours in src, so that all of a tile's lie at fixed offsets from one pointer.
 *
 * Tile:       6 pixels x 16 output channels, registers as conv2d_tiles; with AVX-512 14 x 32 (28 accumulators, 2 weights and
 *             1 broadcast), 8 x 48 for the last of an odd number of panels.
 * Bound:      FMA. A step of one channel is 12 FMAs on 8 loads (28 on 16).
 * Cache:      CP_POINTWISE_PASS channels at a time. Where several tiles share a line of each channel these are so few that their
 *             lines stay in L1 for the next tile. */

/* What one call of pointwise_tile does beside its products: fetches what the next tiles read, `x` floats further on and weights
 * from `weights` on, `step` bytes for each channel. */
typedef struct pointwise_ahead {
    int64_t x, step;
    const char *weights;
} pointwise_ahead;

/* Channels [begin, end) of some pixels of a row and some panels. */
static CP_INLINE void pointwise_tile(const cp_conv2d_pointwise *a, const float *x, int64_t pixel, int64_t panel, int64_t begin,
                                     int64_t end, pointwise_ahead ahead, const int pixels, const int panels) {
    v16 acc[CP_TILE_PANELS * CP_ROW_TILE];
    const float *w = a->weights + panel * a->weights_panel + begin * CP_PANEL;
    float *out = a->acc + (panel * a->acc_pixels + pixel) * CP_PANEL;
    const int64_t out_panel = a->acc_pixels * CP_PANEL;
    conv2d_row_begin(begin == 0 ? a->bias + panel * CP_PANEL : NULL, out, out_panel, pixels, panels, acc);
    x += begin * a->plane;
    for (int64_t c = begin; c < end; c++, x += a->plane, w += CP_PANEL, ahead.weights += ahead.step) {
        CP_PREFETCH(x + ahead.x);
        CP_UNROLL
        for (int q = 0; q < panels; q++) CP_PREFETCH(ahead.weights + q * a->weights_panel * (int64_t)sizeof(float));
        conv2d_row_step(x, 1, w, a->weights_panel, pixels, panels, acc);
    }
    conv2d_row_end(out, out_panel, pixels, panels, acc);
}

/* Channels [begin, end) of all pixels and some panels; `next` are the weights after these, or NULL. */
static CP_INLINE void pointwise_panels(const cp_conv2d_pointwise *a, int64_t panel, int64_t begin, int64_t end, const float *next,
                                       const int panels) {
    enum { FETCHING = 4 };                                                 /* tiles that share the lines of the next weights */
    const int64_t row = a->row == a->columns ? a->acc_pixels : a->columns; /* Rows without gaps are one row. */
    const int64_t parts = cp_ceil_div(row, panels > CP_TILE_PANELS ? CP_TILE : CP_ROW_TILE);
    const int64_t step = CP_PANEL * (int64_t)sizeof(float) / CP_MIN(FETCHING, parts);
    for (int64_t from = 0; from < a->acc_pixels; from += row) {
        const float *x = a->x + from / a->columns * a->row;
        for (int64_t part = 0; part < parts; part++) {
            const int64_t first = part * row / parts, pixels = (part + 1) * row / parts - first;
            pointwise_ahead ahead = {.x = part + 1 < parts ? pixels + CP_ROW_TILE - 1 : -first,
                                     .weights = (const char *)a->weights};
            if (next != NULL && from == 0 && part < FETCHING) {
                ahead.step = step;
                ahead.weights = (const char *)next + part * (end - begin) * step;
            }
#define POINTWISE_TILE(n) pointwise_tile(a, x + first, from + first, panel, begin, end, ahead, n, panels)
            if (panels > CP_TILE_PANELS) {
                CP_TILE_SWITCH(pixels, POINTWISE_TILE)
            } else {
                CP_ROW_SWITCH(pixels, POINTWISE_TILE)
            }
#undef POINTWISE_TILE
        }
    }
    for (int64_t q = 0; end == a->channels && q < panels; q++) conv2d_finish_pixels(a->finish, panel + q, 0, a->acc_pixels);
}

static void CP_NAME(conv2d_pointwise)(const cp_conv2d_pointwise *a) {
    for (int64_t begin = 0; begin < a->channels; begin += CP_POINTWISE_PASS) {
        const int64_t end = CP_MIN(a->channels, begin + CP_POINTWISE_PASS);
        for (int64_t panel = 0, n; panel < a->panels; panel += n) {
            n = conv2d_panels_of(a->panels - panel);
            const float *next = panel + n < a->panels ? a->weights + (panel + n) * a->weights_panel + begin * CP_PANEL
                                : end < a->channels   ? a->weights + end * CP_PANEL
                                                      : a->next_weights;
#define POINTWISE_PANELS(panels) pointwise_panels(a, panel, begin, end, next, panels)
            CONV2D_PANELS_SWITCH(n, POINTWISE_PANELS)
#undef POINTWISE_PANELS
        }
    }
}
