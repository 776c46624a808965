/* SPDX-License-Identifier: MIT
 * What small windows on planes share, depthwise convolution and pooling alike: blocks of 4 rows x 8 outputs, lanes along the width.
 * For stride 2, lanes come in the order of v8_pick_even until v8_in_order. */

enum { WINDOW_ROWS = 4, WINDOW_KERNEL = 5, WINDOW_LINES = (WINDOW_ROWS - 1) * 2 + WINDOW_KERNEL };

/* 8 floats, `step` apart. */
static CP_INLINE v8 v8_load_step(const float *p, int64_t step) {
    if (step == 1) return v8_load(p);
    if (step == 2) return v8_in_order(v8_pick_even7(v8_load(p), v8_load(p + 7)));
    float t[8];
    for (int i = 0; i < 8; i++) t[i] = p[i * step];
    return v8_load(t);
}

/* Two neighbouring taps of stride 2 share their loads, p[0..7] and p[8..15]; a last one reads p[0..7] and p[7..14], no further. */
static CP_INLINE int window_far(int tap, int kernel) { return tap + 1 < kernel ? 8 : 7; }

/* A block of columns from output j on whose windows may cross the borders of the row, and what of it exists. */
typedef struct window_edge {
    int64_t j;
    v8_mask near[WINDOW_KERNEL], far[WINDOW_KERNEL];
} window_edge;

static CP_INLINE void window_edge_init(window_edge *edge, int64_t j, int64_t pad, int64_t width, const int kernel, const int step) {
    edge->j = j;
    for (int tap = 0; tap < kernel; tap++) {
        const int64_t x = j * step - pad + tap, far = x + window_far(tap, kernel);
        edge->near[tap] = v8_range(-x, width - x);
        edge->far[tap] = v8_range(-far, width - far);
    }
}

static CP_INLINE v8 window_load(const float *p, const v8_mask *mask, const v8 *outside) {
    if (mask == NULL) return v8_load(p);
    const v8 x = v8_load_masked(p, *mask);
    return outside == NULL ? x : v8_if_masked(*mask, x, *outside);
}

/* The taps of one row of 8 windows, the first of which begins at p. At an edge, columns that do not exist are not read and count as
 * *outside, or 0. */
static CP_INLINE void window_taps(const float *p, const int kernel, const int step, const window_edge *edge, const v8 *outside,
                                  v8 *taps) {
    CP_UNROLL
    for (int tap = 0; tap < kernel; tap += step) {
        const v8 near = window_load(p + tap, edge == NULL ? NULL : &edge->near[tap], outside);
        taps[tap] = near;
        if (step == 1) continue;
        const v8 far = window_load(p + tap + window_far(tap, kernel), edge == NULL ? NULL : &edge->far[tap], outside);
        taps[tap] = tap + 1 < kernel ? v8_pick_even(near, far) : v8_pick_even7(near, far);
        if (tap + 1 < kernel) taps[tap + 1] = v8_pick_odd(near, far);
    }
}

/* The 8 columns from x on, `step` (1 or 2) apart, of a row of `width` columns of which column x is at p; columns outside are not
 * read and count as *outside, or 0. */
static CP_INLINE v8 window_load_edge(const float *p, int64_t x, int64_t width, int64_t step, const v8 *outside) {
    const v8_mask near_mask = v8_range(-x, width - x), far_mask = v8_range(-x - 7, width - x - 7);
    const v8 near = window_load(p, &near_mask, outside);
    return step == 1 ? near : v8_in_order(v8_pick_even7(near, window_load(p + 7, &far_mask, outside)));
}
