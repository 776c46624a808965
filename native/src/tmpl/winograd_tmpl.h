/* SPDX-License-Identifier: MIT
 * Winograd convolution F(2x2, 3x3), F(4x4, 3x3), F(2x2, 5x5) and F(2x2, 7x7): transforms of tiles, and the products between them.
 *
 * Points:     0, +-1, infinity; and, for tiles of 6 x 6 pixels, 0, +-45/64, +-91/64, infinity: near 1/sqrt(2) and sqrt(2), where
 *             rounding errors are smallest, and such that every constant is exact.
 * Stride 2:   the even pixels of a line and taps 0 and 2 make F(2, 2), at 0, 1 and infinity, or F(4, 2), at 0, +-3/4, 7/4 and
 *             infinity. Odd pixels times tap 1 are products as they are: those of the first and of the last output are added to
 *             the sums at 0 and at infinity, which only these outputs take; the others have sums of their own. Of 7 taps the even
 *             pixels make F(2, 4) at the points of F(4, 2) and the odd ones F(2, 3) at 0, +-3/4 and infinity, whose products are
 *             added to those of the same point.
 * Tile:       6 tiles x 16 output channels; 12 accumulators, 2 weight vectors and 1 broadcast of the 16 ymm registers. With
 *             AVX-512 8 tiles x 32 channels: 16 accumulators, 2 weight vectors and 1 broadcast.
 * Bound:      FMA in the products, 2/3 to 9/10 of the time; loads, stores and adds in the transforms, whose lanes are channels.
 * Layout:     the points of a tile lie an odd number of cache lines apart, so that the 9 to 81 streams of a transform fall into
 *             different sets of the cache. The tiles of a step are neighbours: all its loads are at fixed offsets from one pointer
 *             to v and one to the weights of each panel. */

enum {
    WINOGRAD_TAPS = 7,  /* most taps a side */
    WINOGRAD_SIDE = 9,  /* most points a side */
    WINOGRAD_ADDED = 4, /* most products of a sum */
    WINOGRAD_FEW = CP_WINOGRAD_FEW,
    WINOGRAD_CHANNELS = 128 /* whose weights and transformed input stay in L1 while several register tiles use them */
};

/* The points +-a and +-b, their powers, (ab)^2 and a^2 + b^2: all exact. */
static const float winograd_a = 45.0f / 64, winograd_a2 = 2025.0f / 4096, winograd_a3 = 91125.0f / 262144;
static const float winograd_b = 91.0f / 64, winograd_b2 = 8281.0f / 4096, winograd_b3 = 753571.0f / 262144;
static const float winograd_ab2 = 16769025.0f / 16777216, winograd_sum2 = 10306.0f / 4096;

/* For stride 2 the points +-r and s, and their powers: all exact. */
static const float winograd_r = 3.0f / 4, winograd_r2 = 9.0f / 16, winograd_r3 = 27.0f / 64;
static const float winograd_s = 7.0f / 4, winograd_s2 = 49.0f / 16, winograd_s3 = 343.0f / 64;

/* One column or row of the weight transform: points t from taps g, those beyond the kernel zero, of 16 output channels. Plain C,
 * for the compiler to make vectors of: it runs once for each weight. */
static CP_INLINE void winograd_weights_line(double (*t)[CP_PANEL], const double (*g)[CP_PANEL], const int side, const int taps) {
    const double a = 45.0 / 64, b = 91.0 / 64, a2 = a * a, b2 = b * b;
    const double at_a = 2 * a2 * (a2 - b2), at_b = 2 * b2 * (b2 - a2), r = 3.0 / 4, s = 7.0 / 4;
    for (int o = 0; o < CP_PANEL; o++) {
        const double g0 = g[0][o], g1 = g[1][o], g2 = g[2][o], g3 = g[3][o], g4 = g[4][o], g5 = g[5][o], g6 = g[6][o];
        if (taps == 7) {
            const double r2 = r * r, even = g0 + r2 * g4, uneven = r * (g2 + r2 * g6);
            t[0][o] = g0 * (1 / (r2 * s));
            t[1][o] = g1 * (-1 / r2);
            t[2][o] = (even + uneven) * (1 / (2 * r2 * (r - s)));
            t[3][o] = ((g1 + r2 * g5) + r * g3) * (1 / (2 * r2));
            t[4][o] = (even - uneven) * (-1 / (2 * r2 * (r + s)));
            t[5][o] = ((g1 + r2 * g5) - r * g3) * (1 / (2 * r2));
            t[6][o] = (g0 + s * (g2 + s * (g4 + s * g6))) * (1 / (s * (s * s - r2)));
            t[7][o] = g6;
            t[8][o] = g5;
        } else if (side == 9) {
            t[0][o] = g0 * (1 / (r * r * s));
            t[1][o] = t[5][o] = t[6][o] = t[7][o] = g1;
            t[2][o] = (g0 + r * g2) * (1 / (2 * r * r * (r - s)));
            t[3][o] = (g0 - r * g2) * (-1 / (2 * r * r * (r + s)));
            t[4][o] = (g0 + s * g2) * (1 / (s * (s * s - r * r)));
            t[8][o] = g2;
        } else if (side == 5) {
            t[0][o] = g0;
            t[1][o] = t[3][o] = g1;
            t[2][o] = g0 + g2;
            t[4][o] = g2;
        } else if (side == 4) {
            t[0][o] = g0;
            t[1][o] = 0.5 * ((g0 + g2) + g1);
            t[2][o] = 0.5 * ((g0 + g2) - g1);
            t[3][o] = g2;
        } else {
            const double even_a = (g0 + a2 * (g2 + a2 * g4)) * (1 / at_a), odd_a = (g1 + a2 * g3) * (a / at_a);
            const double even_b = (g0 + b2 * (g2 + b2 * g4)) * (1 / at_b), odd_b = (g1 + b2 * g3) * (b / at_b);
            t[0][o] = g0 * (1 / (a2 * b2));
            t[1][o] = even_a + odd_a;
            t[2][o] = even_a - odd_a;
            t[3][o] = even_b + odd_b;
            t[4][o] = even_b - odd_b;
            t[5][o] = taps == 5 ? g4 : g2;
        }
    }
}

static CP_INLINE void winograd_weights_panel(const cp_winograd_weights *a, const int side, const int taps) {
    double g[WINOGRAD_TAPS][WINOGRAD_TAPS][CP_PANEL] = {{{0}}}; /* [column][row] */
    double half[WINOGRAD_SIDE][WINOGRAD_TAPS][CP_PANEL] = {{{0}}}, t[WINOGRAD_SIDE][CP_PANEL];
    int64_t place[WINOGRAD_SIDE * WINOGRAD_SIDE], places = 0; /* of a product in u */
    for (int64_t sum = 0; sum < a->sums * a->sums; sum++) {
        const int64_t *y = a->begin + sum / a->sums, *x = a->begin + sum % a->sums;
        for (int64_t i = y[0]; i < y[1]; i++) {
            for (int64_t j = x[0]; j < x[1]; j++) place[i * side + j] = places++;
        }
    }
    for (int64_t c = 0; c < a->channels; c++) {
        for (int64_t o = 0; o < a->outputs; o++) {
            const float *kernel = a->weights + (o * a->channels + c) * taps * taps;
            for (int y = 0; y < taps; y++) {
                for (int x = 0; x < taps; x++) g[x][y][o] = (double)kernel[y * taps + x];
            }
        }
        for (int x = 0; x < taps; x++) {
            winograd_weights_line(t, (const double(*)[CP_PANEL])g[x], side, taps);
            for (int i = 0; i < side; i++) memcpy(half[i][x], t[i], sizeof t[i]);
        }
        for (int i = 0; i < side; i++) {
            winograd_weights_line(t, (const double(*)[CP_PANEL])half[i], side, taps);
            for (int j = 0; j < side; j++) {
                float *u = a->u + (place[i * side + j] * a->channels + c) * CP_PANEL;
                for (int o = 0; o < CP_PANEL; o++) u[o] = (float)t[j][o];
            }
        }
    }
}

static void CP_NAME(winograd_weights)(const cp_winograd_weights *a) {
    if (a->taps == 7) {
        winograd_weights_panel(a, 9, 7);
    } else if (a->side == 9) {
        winograd_weights_panel(a, 9, 3);
    } else if (a->side == 5) {
        winograd_weights_panel(a, 5, 3);
    } else if (a->side == 4) {
        winograd_weights_panel(a, 4, 3);
    } else if (a->taps == 3) {
        winograd_weights_panel(a, 6, 3);
    } else {
        winograd_weights_panel(a, 6, 5);
    }
}

/* One column or row of the input transform. */
static CP_INLINE void winograd_input_line(const vw *d, vw *t, const int side, const int sums) {
    if (side == 9) {
        const vw p = vw_fma1(d[2], -winograd_r2, d[6]), q = vw_fma1(d[0], -winograd_r2, d[4]);
        const vw e = vw_fma1(d[4], -winograd_s, d[6]), f = vw_fma1(d[2], -winograd_s, d[4]);
        t[0] = vw_fma1(q, -winograd_s, p);
        const vw at_r = vw_fma1(f, winograd_r, e), at_minus_r = vw_fma1(f, -winograd_r, e);
        const vw last = vw_fma1(p, -winograd_s, vw_fma1(d[4], -winograd_r2, d[8]));
        if (sums == 5) {
            t[1] = vw_fma1(d[1], -winograd_r2, d[5]);
            t[2] = at_r;
            t[3] = vw_fma1(d[3], winograd_r, d[5]);
            t[4] = at_minus_r;
            t[5] = vw_fma1(d[3], -winograd_r, d[5]);
            t[6] = p;
            t[7] = last;
            t[8] = vw_fma1(d[3], -winograd_r2, d[7]);
            return;
        }
        t[1] = d[1];
        t[2] = at_r;
        t[3] = at_minus_r;
        t[4] = p;
        t[5] = d[3];
        t[6] = d[5];
        t[7] = d[7];
        t[8] = last;
        return;
    }
    if (side == 5) {
        t[0] = vw_sub(d[0], d[2]);
        t[1] = d[1];
        t[2] = d[2];
        t[3] = d[3];
        t[4] = vw_sub(d[4], d[2]);
        return;
    }
    if (side == 4) {
        t[0] = vw_sub(d[0], d[2]);
        t[1] = vw_add(d[2], d[1]);
        t[2] = vw_sub(d[2], d[1]);
        t[3] = vw_sub(d[3], d[1]);
        return;
    }
    const vw even_a = vw_fma1(d[2], -winograd_b2, d[4]), odd_a = vw_fma1(d[1], -winograd_b2, d[3]);
    const vw even_b = vw_fma1(d[2], -winograd_a2, d[4]), odd_b = vw_fma1(d[1], -winograd_a2, d[3]);
    t[0] = vw_fma1(d[2], -winograd_sum2, vw_fma1(d[0], winograd_ab2, d[4]));
    t[1] = vw_fma1(odd_a, winograd_a, even_a);
    t[2] = vw_fma1(odd_a, -winograd_a, even_a);
    t[3] = vw_fma1(odd_b, winograd_b, even_b);
    t[4] = vw_fma1(odd_b, -winograd_b, even_b);
    t[5] = vw_fma1(d[3], -winograd_sum2, vw_fma1(d[1], winograd_ab2, d[5]));
}

/* One column or row of the output transform. */
static CP_INLINE void winograd_output_line(const vw *m, vw *y, const int tile, const int sums) {
    if (sums == 7) {
        const vw sum = vw_add(m[1], m[2]), difference = vw_sub(m[1], m[2]);
        y[0] = vw_add(vw_add(m[0], sum), m[3]);
        y[1] = vw_fma1(m[3], winograd_s, vw_fma1(difference, winograd_r, m[4]));
        y[2] = vw_fma1(m[3], winograd_s2, vw_fma1(sum, winograd_r2, m[5]));
        y[3] = vw_fma1(m[3], winograd_s3, vw_fma1(difference, winograd_r3, m[6]));
        return;
    }
    if (sums == 5) {
        y[0] = vw_add(vw_add(m[0], vw_add(m[1], m[2])), m[3]);
        y[1] = vw_fma1(m[3], winograd_s, vw_fma1(vw_sub(m[1], m[2]), winograd_r, m[4]));
        return;
    }
    if (sums == 3) {
        y[0] = vw_add(m[0], m[1]);
        y[1] = vw_add(m[1], m[2]);
        return;
    }
    const vw sum_a = vw_add(m[1], m[2]), difference_a = vw_sub(m[1], m[2]);
    if (sums == 4) {
        y[0] = vw_add(m[0], sum_a);
        y[1] = vw_add(m[3], difference_a);
        return;
    }
    const vw sum_b = vw_add(m[3], m[4]), difference_b = vw_sub(m[3], m[4]);
    y[0] = vw_add(vw_add(m[0], sum_a), sum_b);
    if (tile == 2) {
        y[1] = vw_fma1(difference_b, winograd_b, vw_fma1(difference_a, winograd_a, m[5]));
        return;
    }
    y[1] = vw_fma1(difference_b, winograd_b, vw_mul1(difference_a, winograd_a));
    y[2] = vw_fma1(sum_b, winograd_b2, vw_mul1(sum_a, winograd_a2));
    y[3] = vw_fma1(difference_b, winograd_b3, vw_fma1(difference_a, winograd_a3, m[5]));
}

/* CP_WIDE channels of one tile whose first pixel is x. `rows` from there on, `columns` and `channels` exist; with `whole` all of
 * the tile do. */
static CP_INLINE void winograd_input_tile(const cp_winograd_input *a, const float *x, int64_t rows, int64_t columns,
                                          int64_t channels, float *v, const int side, const int sums, const int64_t dilation,
                                          const bool whole) {
    vw half[WINOGRAD_SIDE][WINOGRAD_SIDE];
    for (int j = 0; j < side; j++) {
        vw d[WINOGRAD_SIDE], t[WINOGRAD_SIDE];
        CP_UNROLL
        for (int i = 0; i < side; i++) {
            const float *pixel = x + (i * a->columns + j * dilation) * CP_PANEL;
            d[i] = whole ? vw_load(pixel) : i < rows && j * dilation < columns ? vw_loadn(pixel, channels) : vw_zero();
        }
        winograd_input_line(d, t, side, sums);
        CP_UNROLL
        for (int i = 0; i < side; i++) half[i][j] = t[i];
    }
    for (int i = 0; i < side; i++) {
        vw t[WINOGRAD_SIDE];
        winograd_input_line(half[i], t, side, sums);
        CP_UNROLL
        for (int j = 0; j < side; j++) vw_store(v + (i * side + j) * a->v_point, t[j]);
    }
}

/* Up to four channels of CP_WIDE / 4 neighbouring tiles, or of one, whose first pixel is x. */
static CP_INLINE void winograd_input_fours(const cp_winograd_input *a, const float *x, int64_t rows, int64_t columns, float *v,
                                           const int side, const int sums, const bool single) {
    vw half[WINOGRAD_SIDE][WINOGRAD_SIDE];
    for (int j = 0; j < side; j++) {
        vw d[WINOGRAD_SIDE], t[WINOGRAD_SIDE];
        CP_UNROLL
        for (int i = 0; i < side; i++) {
            const float *pixel = x + (i * a->columns + j) * WINOGRAD_FEW;
            if (single) {
                d[i] = i < rows && j < columns ? vw_loadn(pixel, a->channels) : vw_zero();
            } else {
                d[i] = vw_load_fours(pixel, a->step * WINOGRAD_FEW);
            }
        }
        winograd_input_line(d, t, side, sums);
        CP_UNROLL
        for (int i = 0; i < side; i++) half[i][j] = t[i];
    }
    for (int i = 0; i < side; i++) {
        vw t[WINOGRAD_SIDE];
        winograd_input_line(half[i], t, side, sums);
        CP_UNROLL
        for (int j = 0; j < side; j++) {
            float *to = v + (i * side + j) * a->v_point;
            if (single) {
                vw_storen(to, t[j], WINOGRAD_FEW);
            } else {
                vw_store(to, t[j]);
            }
        }
    }
}

static CP_INLINE void winograd_input_few(const cp_winograd_input *a, const int side, const int sums) {
    const int64_t wide = CP_WIDE / WINOGRAD_FEW;
    float *v = a->v;
    for (int64_t ti = 0; ti < a->tile_rows; ti++) {
        const float *x = a->x + ti * a->step * a->columns * WINOGRAD_FEW;
        const int64_t rows = a->rows - ti * a->step;
        for (int64_t tj = 0, n; tj < a->tile_columns; tj += n, v += n * WINOGRAD_FEW, x += n * a->step * WINOGRAD_FEW) {
            const int64_t columns = a->columns - tj * a->step;
            n = rows >= side && columns >= (wide - 1) * a->step + side ? wide : 1;
            if (n == wide) {
                winograd_input_fours(a, x, rows, columns, v, side, sums, false);
            } else {
                winograd_input_fours(a, x, rows, columns, v, side, sums, true);
            }
        }
    }
}

static CP_INLINE void winograd_input_tiles(const cp_winograd_input *a, const int side, const int sums, const int64_t dilation) {
    float *v = a->v;
    for (int64_t ti = 0; ti < a->tile_rows; ti++) {
        const int64_t rows = a->rows - ti * a->step;
        for (int64_t tj = 0; tj < a->tile_columns; tj++, v += CP_PANEL) {
            const int64_t phase = tj % dilation, first = (tj - phase) * a->step + phase;
            const int64_t columns = a->columns - first;
            const float *x = a->x + (ti * a->step * a->columns + first) * CP_PANEL;
            if (a->channels == CP_PANEL && rows >= side && columns > (side - 1) * dilation) {
                for (int c = 0; c < CP_PANEL; c += CP_WIDE)
                    winograd_input_tile(a, x + c, rows, columns, CP_WIDE, v + c, side, sums, dilation, true);
                continue;
            }
            for (int64_t c = 0; c < a->channels; c += CP_WIDE) {
                winograd_input_tile(a, x + c, rows, columns, CP_MIN(CP_WIDE, a->channels - c), v + c, side, sums, dilation, false);
            }
        }
    }
}

static void CP_NAME(winograd_input)(const cp_winograd_input *a) {
    if (a->pitch == WINOGRAD_FEW) {
        winograd_input_few(a, 9, 5);
    } else if (a->sums == 5) {
        winograd_input_tiles(a, 9, 5, 1);
    } else if (a->side == 9) {
        winograd_input_tiles(a, 9, 7, 1);
    } else if (a->side == 5) {
        winograd_input_tiles(a, 5, 3, 1);
    } else if (a->side == 4 && a->dilation == 1) {
        winograd_input_tiles(a, 4, 4, 1);
    } else if (a->side == 4) {
        winograd_input_tiles(a, 4, 4, a->dilation);
    } else if (a->dilation == 1) {
        winograd_input_tiles(a, 6, 6, 1);
    } else {
        winograd_input_tiles(a, 6, 6, a->dilation);
    }
}

/* Where a fetch is: `next` is the row `row` of its plane, `left` are to come, `step` at a time. */
typedef struct winograd_cursor {
    const cp_fetch *fetch;
    const float *next;
    int64_t row, left, step;
} winograd_cursor;

static winograd_cursor winograd_cursor_of(const cp_fetch *fetch, int64_t steps) {
    const int64_t rows = fetch->planes * fetch->rows;
    return (winograd_cursor){.fetch = fetch, .next = fetch->first, .left = rows, .step = cp_ceil_div(rows, steps)};
}

static CP_INLINE void winograd_fetch(winograd_cursor *c) {
    const cp_fetch *f = c->fetch;
    for (int64_t n = CP_MIN(c->step, c->left); n > 0; n--, c->left--) {
        const int64_t line = CONVPOOL_ALIGNMENT / (int64_t)sizeof(float);
        const float *begin = c->next - (uintptr_t)c->next % CONVPOOL_ALIGNMENT / sizeof(float);
        for (const float *at = begin; at < c->next + f->floats; at += line) CP_PREFETCH(at);
        const bool ends = ++c->row == f->rows;
        c->next += ends ? f->plane - (f->rows - 1) * f->row : f->row;
        if (ends) c->row = 0;
    }
}

/* What the register tiles of one point and some channels share. */
typedef struct winograd_pass {
    const float *v, *u;
    float *m;
    int64_t v_block, u_panel, m_panel; /* floats from one block of channels or panel to the next */
    int64_t channels;
    bool first;          /* m starts from zero */
    const float *ahead;  /* weights to fetch meanwhile */
    int64_t ahead_lines; /* of each panel, for each block of channels */
    winograd_cursor *fetch;
} winograd_pass;

/* `tiles` neighbouring tiles and `panels` neighbouring panels. */
static CP_INLINE void winograd_product(const winograd_pass *a, const float *v, float *m, const float *ahead, const int tiles,
                                       const int panels) {
    const float *u = a->u;
    v16 acc[CP_TILE * CP_TILE_PANELS];
    CP_UNROLL
    for (int q = 0; q < panels; q++) {
        CP_UNROLL
        for (int p = 0; p < tiles; p++) {
            acc[q * tiles + p] = a->first ? v16_zero() : v16_load(m + q * a->m_panel + p * CP_PANEL);
        }
    }
    int64_t c = 0;
    for (; c + CP_PANEL <= a->channels; c += CP_PANEL, v += a->v_block, u += CP_PANEL * CP_PANEL) {
        for (int64_t k = 0; k < a->ahead_lines; k++, ahead += CP_PANEL) {
            CP_UNROLL
            for (int q = 0; q < panels; q++) CP_PREFETCH(ahead + q * a->u_panel);
        }
        CP_UNROLL
        for (int k = 0; k < CP_PANEL; k++) conv2d_row_step(v + k, CP_PANEL, u + k * CP_PANEL, a->u_panel, tiles, panels, acc);
    }
    for (; c < a->channels; c++, v++, u += CP_PANEL) conv2d_row_step(v, CP_PANEL, u, a->u_panel, tiles, panels, acc);
    CP_UNROLL
    for (int q = 0; q < panels; q++) {
        CP_UNROLL
        for (int p = 0; p < tiles; p++) v16_store(m + q * a->m_panel + p * CP_PANEL, acc[q * tiles + p]);
    }
}

static CP_INLINE void winograd_products(const winograd_pass *a, int64_t tiles, const int panels) {
    const int64_t parts = cp_ceil_div(tiles, CP_TILE);
    for (int64_t part = 0; part < parts; part++) {
        const int64_t first = part * tiles / parts, count = (part + 1) * tiles / parts - first;
        const float *ahead = a->ahead + part * a->channels / parts * CP_PANEL;
        winograd_fetch(&a->fetch[0]);
        winograd_fetch(&a->fetch[1]);
#define WINOGRAD_PRODUCT(n) winograd_product(a, a->v + first * CP_PANEL, a->m + first * CP_PANEL, ahead, n, panels)
        CP_TILE_SWITCH(count, WINOGRAD_PRODUCT)
#undef WINOGRAD_PRODUCT
    }
}

static void winograd_multiply_many(const cp_winograd_multiply *a) {
    const int64_t parts = cp_ceil_div(a->tiles, CP_TILE), share = cp_share(a->channels, WINOGRAD_CHANNELS);
    const int64_t most = parts == 1 ? a->channels : cp_ceil_div(share, CP_PANEL) * CP_PANEL;
    const int64_t lines = a->far ? cp_ceil_div(CP_PANEL, parts) : 0;
    const int64_t points = a->side * a->side, sums = a->sums * a->sums;
    const int64_t products = points * cp_ceil_div(a->panels, CP_TILE_PANELS) * cp_ceil_div(a->channels, most) * parts;
    winograd_cursor fetch[2] = {winograd_cursor_of(&a->fetch[0], products), winograd_cursor_of(&a->fetch[1], products)};
    winograd_pass pass = {
        .v_block = a->tiles * CP_PANEL,
        .u_panel = points * a->channels * CP_PANEL,
        .m_panel = sums * a->m_point,
        .fetch = fetch,
    };
    for (int64_t sum = 0, done = 0; sum < sums; sum++) {
        const int64_t *y = a->begin + sum / a->sums, *x = a->begin + sum % a->sums;
        const int64_t first = done;
        for (int64_t i = y[0]; i < y[1]; i++) {
            for (int64_t j = x[0]; j < x[1]; j++, done++) {
                for (int64_t panel = 0; panel < a->panels; panel += CP_TILE_PANELS) {
                    pass.m = a->m + panel * pass.m_panel + sum * a->m_point;
                    for (int64_t c = 0; c < a->channels; c += most) {
                        pass.v = a->v + (i * a->side + j) * a->v_point + c * a->tiles;
                        pass.u = a->u + panel * pass.u_panel + (done * a->channels + c) * CP_PANEL;
                        pass.channels = CP_MIN(most, a->channels - c);
                        pass.first = done == first && c == 0;
                        const bool last = done + 1 == points && c + most >= a->channels, none = last && a->next_u == NULL;
                        pass.ahead = none ? pass.u : last ? a->next_u + panel * pass.u_panel : pass.u + pass.channels * CP_PANEL;
                        pass.ahead_lines = none ? 0 : lines;
                        if (panel + CP_TILE_PANELS <= a->panels) {
                            winograd_products(&pass, a->tiles, CP_TILE_PANELS);
                        } else {
                            winograd_products(&pass, a->tiles, 1);
                        }
                    }
                }
            }
        }
    }
}

/* A sum of all its products at once, of few channels. */
typedef struct winograd_few {
    const float *u;
    int64_t u_panel, m_panel;
    int64_t steps;
    int32_t at[WINOGRAD_ADDED * WINOGRAD_FEW]; /* floats from v to what the step takes of the first tile */
} winograd_few;

static CP_INLINE void winograd_sum_few(const winograd_few *a, const float *v, float *m, const int tiles, const int panels) {
    const float *u = a->u;
    const int64_t u_panel = a->u_panel;
    v16 acc[CP_TILE * CP_TILE_PANELS];
    CP_UNROLL
    for (int i = 0; i < tiles * panels; i++) acc[i] = v16_zero();
    for (int64_t k = 0; k < a->steps; k++, u += CP_PANEL) {
        conv2d_row_step(v + a->at[k], WINOGRAD_FEW, u, u_panel, tiles, panels, acc);
    }
    conv2d_row_end(m, a->m_panel, tiles, panels, acc);
}

static void winograd_sums_few(const winograd_few *a, const float *v, float *m, int64_t tiles, int64_t panels) {
    const int64_t parts = cp_ceil_div(tiles, CP_TILE);
    for (int64_t part = 0; part < parts; part++) {
        const int64_t first = part * tiles / parts, count = (part + 1) * tiles / parts - first;
#define WINOGRAD_SUM(n)                                                                                                            \
    panels == 1 ? winograd_sum_few(a, v + first * WINOGRAD_FEW, m + first * CP_PANEL, n, 1)                                        \
                : winograd_sum_few(a, v + first * WINOGRAD_FEW, m + first * CP_PANEL, n, CP_TILE_PANELS)
        CP_TILE_SWITCH(count, WINOGRAD_SUM)
#undef WINOGRAD_SUM
    }
}

static void winograd_multiply_few(const cp_winograd_multiply *a) {
    const int64_t points = a->side * a->side, sums = a->sums * a->sums;
    winograd_cursor fetch[2] = {winograd_cursor_of(&a->fetch[0], sums), winograd_cursor_of(&a->fetch[1], sums)};
    winograd_few few = {.u = a->u, .u_panel = points * a->channels * CP_PANEL, .m_panel = sums * a->m_point};
    for (int64_t sum = 0; sum < sums; sum++) {
        const int64_t *y = a->begin + sum / a->sums, *x = a->begin + sum % a->sums;
        few.steps = 0;
        for (int64_t i = y[0]; i < y[1]; i++) {
            for (int64_t j = x[0]; j < x[1]; j++) {
                for (int64_t c = 0; c < a->channels; c++) few.at[few.steps++] = (int32_t)((i * a->side + j) * a->v_point + c);
            }
        }
        winograd_fetch(&fetch[0]);
        winograd_fetch(&fetch[1]);
        for (int64_t panel = 0; panel < a->panels; panel += CP_TILE_PANELS) {
            winograd_few these = few;
            these.u += panel * few.u_panel;
            winograd_sums_few(&these, a->v, a->m + panel * few.m_panel + sum * a->m_point, a->tiles,
                              CP_MIN(CP_TILE_PANELS, a->panels - panel));
        }
        few.u += few.steps * CP_PANEL;
    }
}

static void CP_NAME(winograd_multiply)(const cp_winograd_multiply *a) {
    if (a->pitch == WINOGRAD_FEW) {
        winograd_multiply_few(a);
    } else {
        winograd_multiply_many(a);
    }
}

/* CP_WIDE output channels of one tile; of its rows and of the columns from there on so many are wanted. */
static CP_INLINE void winograd_output_tile(const cp_winograd_output *a, const float *m, vw bias, int64_t rows, int64_t columns,
                                           float *acc, const int tile, const int sums, const int64_t dilation) {
    vw half[WINOGRAD_SIDE][WINOGRAD_SIDE];
    for (int j = 0; j < sums; j++) {
        vw d[WINOGRAD_SIDE], y[WINOGRAD_SIDE];
        CP_UNROLL
        for (int i = 0; i < sums; i++) d[i] = vw_load(m + (i * sums + j) * a->m_point);
        winograd_output_line(d, y, tile, sums);
        CP_UNROLL
        for (int i = 0; i < tile; i++) half[i][j] = y[i];
    }
    for (int i = 0; i < rows; i++) {
        vw y[WINOGRAD_SIDE];
        winograd_output_line(half[i], y, tile, sums);
        CP_UNROLL
        for (int j = 0; j < tile; j++) {
            if (j * dilation < columns) vw_store(acc + (i * a->finish.columns + j * dilation) * CP_PANEL, vw_add(y[j], bias));
        }
    }
}

/* Finished a row of tiles at a time, while its pixels are in L1. */
static CP_INLINE void winograd_output_tiles(const cp_winograd_output *a, const int tile, const int sums, const int64_t dilation) {
    cp_conv2d_finish finish = a->finish;
    const float *m = a->m;
    finish.acc = a->acc;
    for (int64_t i = 0; i < a->finish.rows; i += tile) {
        finish.rows = CP_MIN(tile, a->finish.rows - i);
        for (int64_t tj = 0; tj < a->tile_columns; tj++, m += CP_PANEL) {
            const int64_t phase = tj % dilation, first = (tj - phase) * tile + phase;
            const int64_t columns = CP_MIN((tile - 1) * dilation + 1, finish.columns - first);
            for (int c = 0; c < CP_PANEL; c += CP_WIDE) {
                float *acc = a->acc + first * CP_PANEL + c;
                if (finish.rows == tile && columns == (tile - 1) * dilation + 1) {
                    winograd_output_tile(a, m + c, vw_load(a->bias + c), tile, columns, acc, tile, sums, dilation);
                } else {
                    winograd_output_tile(a, m + c, vw_load(a->bias + c), finish.rows, columns, acc, tile, sums, dilation);
                }
            }
        }
        conv2d_finish(&finish);
        finish.dst += tile * finish.dst_strides.row;
        if (finish.residual != NULL) finish.residual += tile * finish.residual_strides.row;
    }
}

static void CP_NAME(winograd_output)(const cp_winograd_output *a) {
    if (a->sums == 7) {
        winograd_output_tiles(a, 4, 7, 1);
    } else if (a->sums == 5) {
        winograd_output_tiles(a, 2, 5, 1);
    } else if (a->sums == 3) {
        winograd_output_tiles(a, 2, 3, 1);
    } else if (a->sums == 4 && a->dilation == 1) {
        winograd_output_tiles(a, 2, 4, 1);
    } else if (a->sums == 4) {
        winograd_output_tiles(a, 2, 4, a->dilation);
    } else if (a->tile == 2) {
        winograd_output_tiles(a, 2, 6, a->dilation);
    } else if (a->dilation == 1) {
        winograd_output_tiles(a, 4, 6, 1);
    } else {
        winograd_output_tiles(a, 4, 6, a->dilation);
    }
}
