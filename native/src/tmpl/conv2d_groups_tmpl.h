/* SPDX-License-Identifier: MIT
 * Direct convolution of many small groups, 4 or 8 channels each, with vector lanes along the output channels of several groups.
 *
 * Tile:       6 pixels x 16 channels (8 with AVX-512); each lane multiplies what its own group reads: a pixel's 16 channels,
 *             one of each group spread over the lanes of the group.
 * Registers:  12 accumulators, 2 weights and a spread input (AVX-512: 8, 1 and 1).
 * Bound:      FMA and loads: a step is 12 FMAs on 14 loads (8 on 9), and as many shuffles. */

static CP_INLINE void conv2d_groups_tile(const cp_conv2d_tiles *a, const cp_conv2d_span *s, int64_t first, const int pixels,
                                         const int width) {
    v16 acc[CP_TILE];
    const float *x[CP_TILE];
    CP_UNROLL
    for (int p = 0; p < pixels; p++) {
        acc[p] = v16_load(a->bias);
        x[p] = a->x + (int64_t)a->position[first + p] * CP_PANEL;
    }
    for (int64_t ty = s->y_begin; ty < s->y_end; ty++) {
        const float *w = a->weights + (ty * a->kw + s->x_begin) * width * CP_PANEL;
        int64_t at = (ty * a->row_step + s->x_begin * a->column_step) * CP_PANEL;
        for (int64_t tx = s->x_begin; tx < s->x_end; tx++, at += a->column_step * CP_PANEL, w += width * CP_PANEL) {
            CP_UNROLL
            for (int c = 0; c < width; c++) {
                const v16 weights = v16_load(w + c * CP_PANEL);
                CP_UNROLL
                for (int p = 0; p < pixels; p++) acc[p] = v16_fma(weights, v16_spread(x[p] + at, width, c), acc[p]);
            }
        }
    }
    CP_UNROLL
    for (int p = 0; p < pixels; p++) v16_store(a->acc + (int64_t)a->place[first + p] * CP_PANEL, acc[p]);
}

static CP_INLINE void conv2d_groups_spans(const cp_conv2d_tiles *a, const int width) {
    for (int64_t k = 0; k < a->span_count; k++) {
        const cp_conv2d_span span = a->spans[k], *s = &span;
        const int64_t parts = cp_ceil_div(s->pixels, CP_TILE);
        for (int64_t part = 0; part < parts; part++) {
            const int64_t first = part * s->pixels / parts, pixels = (part + 1) * s->pixels / parts - first;
#define CONV2D_TILE(n) conv2d_groups_tile(a, s, s->first + first, n, width)
            CP_TILE_SWITCH(pixels, CONV2D_TILE)
#undef CONV2D_TILE
        }
    }
    conv2d_finish_pixels(a->finish, 0, 0, a->acc_pixels);
}

static void CP_NAME(conv2d_groups)(const cp_conv2d_tiles *a) {
    if (a->channels == 4) {
        conv2d_groups_spans(a, 4);
    } else {
        conv2d_groups_spans(a, 8);
    }
}
