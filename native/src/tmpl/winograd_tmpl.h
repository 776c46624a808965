/* SPDX-License-Identifier: MIT
 * Winograd convolution F(2x2, 3x3) and F(4x4, 3x3): transforms of tiles, and the products between them.
 *
 * Points:     0, +-1, infinity; and 0, +-45/64, +-91/64, infinity: near 1/sqrt(2) and sqrt(2), where rounding errors are smallest,
 *             and such that every constant is exact.
 * Tile:       6 tiles x 16 output channels; 12 accumulators, 2 weight vectors and 1 broadcast of the 16 ymm registers.
 * Bound:      FMA in the products, 3/4 to 9/10 of the time; loads, stores and adds in the transforms, whose lanes are channels.
 * Layout:     the points of a tile lie an odd number of cache lines apart, so that the 36 streams of a transform fall into
 *             different sets of the cache. The 6 tiles of a step are neighbours: all its loads are at fixed offsets from 2
 * pointers. */

enum { WINOGRAD_POINTS = 6 }; /* most points a side */

/* The points +-a and +-b, their powers, (ab)^2 and a^2 + b^2: all exact. */
static const float winograd_a = 45.0f / 64, winograd_a2 = 2025.0f / 4096, winograd_a3 = 91125.0f / 262144;
static const float winograd_b = 91.0f / 64, winograd_b2 = 8281.0f / 4096, winograd_b3 = 753571.0f / 262144;
static const float winograd_ab2 = 16769025.0f / 16777216, winograd_sum2 = 10306.0f / 4096;

/* One column or row of the input transform. */
static CP_INLINE void winograd_input_line(const v8 *d, v8 *t, const int tile) {
    if (tile == 2) {
        t[0] = v8_sub(d[0], d[2]);
        t[1] = v8_add(d[2], d[1]);
        t[2] = v8_sub(d[2], d[1]);
        t[3] = v8_sub(d[3], d[1]);
        return;
    }
    const v8 even_a = v8_fma1(d[2], -winograd_b2, d[4]), odd_a = v8_fma1(d[1], -winograd_b2, d[3]);
    const v8 even_b = v8_fma1(d[2], -winograd_a2, d[4]), odd_b = v8_fma1(d[1], -winograd_a2, d[3]);
    t[0] = v8_fma1(d[2], -winograd_sum2, v8_fma1(d[0], winograd_ab2, d[4]));
    t[1] = v8_fma1(odd_a, winograd_a, even_a);
    t[2] = v8_fma1(odd_a, -winograd_a, even_a);
    t[3] = v8_fma1(odd_b, winograd_b, even_b);
    t[4] = v8_fma1(odd_b, -winograd_b, even_b);
    t[5] = v8_fma1(d[3], -winograd_sum2, v8_fma1(d[1], winograd_ab2, d[5]));
}

/* One column or row of the output transform. */
static CP_INLINE void winograd_output_line(const v8 *m, v8 *y, const int tile) {
    const v8 sum_a = v8_add(m[1], m[2]), difference_a = v8_sub(m[1], m[2]);
    if (tile == 2) {
        y[0] = v8_add(m[0], sum_a);
        y[1] = v8_add(m[3], difference_a);
        return;
    }
    const v8 sum_b = v8_add(m[3], m[4]), difference_b = v8_sub(m[3], m[4]);
    y[0] = v8_add(v8_add(m[0], sum_a), sum_b);
    y[1] = v8_fma1(difference_b, winograd_b, v8_mul(difference_a, v8_set1(winograd_a)));
    y[2] = v8_fma1(sum_b, winograd_b2, v8_mul(sum_a, v8_set1(winograd_a2)));
    y[3] = v8_fma1(difference_b, winograd_b3, v8_fma1(difference_a, winograd_a3, m[5]));
}

/* One tile whose first pixel is x. `rows` and `columns` of it exist; with `whole` all of them do, and all 8 channels. */
static CP_INLINE void winograd_input_tile(const cp_winograd_input *a, const float *x, int64_t rows, int64_t columns, float *v,
                                          const int tile, const bool whole) {
    const int n = tile + 2;
    v8 half[WINOGRAD_POINTS][WINOGRAD_POINTS];
    for (int j = 0; j < n; j++) {
        v8 d[WINOGRAD_POINTS], t[WINOGRAD_POINTS];
        CP_UNROLL
        for (int i = 0; i < n; i++) {
            const float *pixel = x + (i * a->columns + j) * (whole ? 8 : a->channels);
            d[i] = whole ? v8_load(pixel) : i < rows && j < columns ? v8_loadn(pixel, a->channels) : v8_zero();
        }
        winograd_input_line(d, t, tile);
        CP_UNROLL
        for (int i = 0; i < n; i++) half[i][j] = t[i];
    }
    for (int i = 0; i < n; i++) {
        v8 t[WINOGRAD_POINTS];
        winograd_input_line(half[i], t, tile);
        CP_UNROLL
        for (int j = 0; j < n; j++) v8_store(v + (i * n + j) * a->v_point, t[j]);
    }
}

static CP_INLINE void winograd_input_tiles(const cp_winograd_input *a, const int tile) {
    float *v = a->v;
    for (int64_t ti = 0; ti < a->tile_rows; ti++) {
        const int64_t rows = a->rows - ti * tile;
        for (int64_t tj = 0; tj < a->tile_columns; tj++, v += CP_BLOCK) {
            const int64_t columns = a->columns - tj * tile;
            const float *x = a->x + (ti * tile * a->columns + tj * tile) * a->channels;
            if (a->channels == CP_BLOCK && rows >= tile + 2 && columns >= tile + 2) {
                winograd_input_tile(a, x, rows, columns, v, tile, true);
            } else {
                winograd_input_tile(a, x, rows, columns, v, tile, false);
            }
        }
    }
}

static void CP_NAME(winograd_input)(const cp_winograd_input *a) {
    if (a->tile == 2) {
        winograd_input_tiles(a, 2);
    } else {
        winograd_input_tiles(a, 4);
    }
}

/* The products of one channel with `tiles` neighbouring tiles. */
static CP_INLINE void winograd_step(const float *v, const float *u, const int tiles, v16 *acc) {
    const v16 w = v16_load(u);
    CP_UNROLL
    for (int p = 0; p < tiles; p++) acc[p] = v16_fma1(w, v[p * CP_BLOCK], acc[p]);
}

/* One point of `tiles` neighbouring tiles; meanwhile fetches `lines` cache lines of `ahead` for each block of channels. */
static CP_INLINE void winograd_product(const cp_winograd_multiply *a, const float *v, const float *u, float *m, const float *ahead,
                                       int64_t lines, const int tiles) {
    v16 acc[CP_TILE];
    CP_UNROLL
    for (int p = 0; p < tiles; p++) acc[p] = v16_zero();
    int64_t c = 0;
    for (; c + CP_BLOCK <= a->channels; c += CP_BLOCK) {
        for (int64_t k = 0; k < lines; k++, ahead += CP_PANEL) CP_PREFETCH(ahead);
        CP_UNROLL
        for (int k = 0; k < CP_BLOCK; k++) winograd_step(v + k, u + k * CP_PANEL, tiles, acc);
        v += a->tiles * CP_BLOCK;
        u += CP_BLOCK * CP_PANEL;
    }
    for (; c < a->channels; c++, v++, u += CP_PANEL) winograd_step(v, u, tiles, acc);
    CP_UNROLL
    for (int p = 0; p < tiles; p++) v16_store(m + p * CP_PANEL, acc[p]);
}

static void CP_NAME(winograd_multiply)(const cp_winograd_multiply *a) {
    const int64_t u_point = a->channels * CP_PANEL, parts = cp_ceil_div(a->tiles, CP_TILE);
    const int64_t lines = cp_ceil_div(CP_BLOCK, parts);
    for (int64_t point = 0; point < a->points; point++) {
        const float *u = a->u + point * u_point, *ahead = point + 1 < a->points ? u + u_point : a->next;
        for (int64_t part = 0; part < parts; part++) {
            const int64_t first = part * a->tiles / parts, tiles = (part + 1) * a->tiles / parts - first;
            const float *v = a->v + point * a->v_point + first * CP_BLOCK, *fetched = ahead + part * (u_point / parts);
            float *m = a->m + point * a->m_point + first * CP_PANEL;
#define WINOGRAD_PRODUCT(n) winograd_product(a, v, u, m, fetched, lines, n)
            CP_TILE_SWITCH(tiles, WINOGRAD_PRODUCT)
#undef WINOGRAD_PRODUCT
        }
    }
}

/* 8 output channels of one tile; `rows` and `columns` of it are wanted. */
static CP_INLINE void winograd_output_tile(const cp_winograd_output *a, const float *m, v8 bias, int64_t rows, int64_t columns,
                                           float *acc, const int tile) {
    const int n = tile + 2;
    v8 half[WINOGRAD_POINTS][WINOGRAD_POINTS];
    for (int j = 0; j < n; j++) {
        v8 d[WINOGRAD_POINTS], y[WINOGRAD_POINTS];
        CP_UNROLL
        for (int i = 0; i < n; i++) d[i] = v8_load(m + (i * n + j) * a->m_point);
        winograd_output_line(d, y, tile);
        CP_UNROLL
        for (int i = 0; i < tile; i++) half[i][j] = y[i];
    }
    for (int i = 0; i < rows; i++) {
        v8 y[WINOGRAD_POINTS];
        winograd_output_line(half[i], y, tile);
        CP_UNROLL
        for (int j = 0; j < tile; j++) {
            if (j < columns) v8_store(acc + (i * a->columns + j) * CP_PANEL, v8_add(y[j], bias));
        }
    }
}

static CP_INLINE void winograd_output_tiles(const cp_winograd_output *a, const int tile) {
    const v8 bias[2] = {v8_load(a->bias), v8_load(a->bias + 8)};
    for (int64_t ti = 0; ti < a->tile_rows; ti++) {
        const int64_t rows = CP_MIN(tile, a->rows - ti * tile);
        for (int64_t tj = 0; tj < a->tile_columns; tj++) {
            const int64_t columns = CP_MIN(tile, a->columns - tj * tile);
            const float *m = a->m + (ti * a->tile_columns + tj) * CP_PANEL;
            float *acc = a->acc + (ti * tile * a->columns + tj * tile) * CP_PANEL;
            for (int half = 0; half < 2; half++) {
                winograd_output_tile(a, m + half * 8, bias[half], rows, columns, acc + half * 8, tile);
            }
        }
    }
}

static void CP_NAME(winograd_output)(const cp_winograd_output *a) {
    if (a->tile == 2) {
        winograd_output_tiles(a, 2);
    } else {
        winograd_output_tiles(a, 4);
    }
}
