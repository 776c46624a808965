/* SPDX-License-Identifier: MIT
 * What windows of any size share on planes, convolution and pooling alike: 4 rows x 8 outputs, lanes along the width. */

enum { WINDOW_ROWS = 4 };

/* 8 floats, `step` apart. */
static CP_INLINE v8 v8_load_step(const float *p, int64_t step) {
    if (step == 1) return v8_load(p);
    if (step == 2) return v8_in_order(v8_pick_even7(v8_load(p), v8_load(p + 7)));
    float t[8];
    for (int i = 0; i < 8; i++) t[i] = p[i * step];
    return v8_load(t);
}

/* 8 floats, of which those outside the mask are not read and count as *outside, or 0. */
static CP_INLINE v8 window_load(const float *p, v8_mask mask, const v8 *outside) {
    const v8 x = v8_load_masked(p, mask);
    return outside == NULL ? x : v8_if_masked(mask, x, *outside);
}

/* The 8 columns from x on, `step` (1 or 2) apart, of a row of `width` columns of which column x is at p; columns outside are not
 * read and count as *outside, or 0. */
static CP_INLINE v8 window_load_edge(const float *p, int64_t x, int64_t width, int64_t step, const v8 *outside) {
    const v8_mask near_mask = v8_range(-x, width - x), far_mask = v8_range(-x - 7, width - x - 7);
    const v8 near = window_load(p, near_mask, outside);
    return step == 1 ? near : v8_in_order(v8_pick_even7(near, window_load(p + 7, far_mask, outside)));
}
