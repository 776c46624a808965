/* SPDX-License-Identifier: MIT
 * v16 where no register is that wide: a pair of v8. */
#ifndef CP_VEC_PAIR_H
#define CP_VEC_PAIR_H

typedef struct v16 {
    v8 lo, hi;
} v16;
static CP_INLINE v16 v16_zero(void) { return (v16){v8_zero(), v8_zero()}; }
static CP_INLINE v16 v16_set1(float x) { return (v16){v8_set1(x), v8_set1(x)}; }
static CP_INLINE v16 v16_load(const float *p) { return (v16){v8_load(p), v8_load(p + 8)}; }
static CP_INLINE void v16_store(float *p, v16 a) {
    v8_store(p, a.lo);
    v8_store(p + 8, a.hi);
}
static CP_INLINE void v16_storen(float *p, v16 a, int64_t n) {
    v8_storen(p, a.lo, CP_MIN(n, 8));
    if (n > 8) v8_storen(p + 8, a.hi, n - 8);
}
/* The elements with begin <= i < end; a masked load has zeros, or those of `outside`, elsewhere and touches nothing else. */
typedef struct v16_mask {
    v8_mask lo, hi;
} v16_mask;
static CP_INLINE v16_mask v16_range(int64_t begin, int64_t end) {
    return (v16_mask){v8_range(begin, end), v8_range(begin - 8, end - 8)};
}
static CP_INLINE v16 v16_load_masked(const float *p, v16_mask m) {
    return (v16){v8_load_masked(p, m.lo), v8_load_masked(p + 8, m.hi)};
}
static CP_INLINE v16 v16_load_or(const float *p, v16_mask m, v16 outside) {
    const v16 x = v16_load_masked(p, m);
    return (v16){v8_if_masked(m.lo, x.lo, outside.lo), v8_if_masked(m.hi, x.hi, outside.hi)};
}
/* Every other element of lo = p[0..15], hi = p[16..31], as v8_pick_even and v8_pick_odd. */
static CP_INLINE v16 v16_pick_even(v16 lo, v16 hi) { return (v16){v8_pick_even(lo.lo, lo.hi), v8_pick_even(hi.lo, hi.hi)}; }
static CP_INLINE v16 v16_pick_odd(v16 lo, v16 hi) { return (v16){v8_pick_odd(lo.lo, lo.hi), v8_pick_odd(hi.lo, hi.hi)}; }
/* The even ones of lo = p[0..15], hi = p[15..30]; p[31] need not exist. */
static CP_INLINE v16 v16_pick_even15(v16 lo, v16 hi) { return (v16){v8_pick_even(lo.lo, lo.hi), v8_pick_odd(hi.lo, hi.hi)}; }
/* From x = p[0..15] to p[1..16] and p[2..17]; from the even ones of p[0..31] to those of p[2..33], of which p[33] need not exist.
 */
static CP_INLINE v16 v16_ahead1(v16 x, const float *p) { return (void)x, v16_load(p + 1); }
static CP_INLINE v16 v16_ahead2(v16 x, const float *p) { return (void)x, v16_load(p + 2); }
static CP_INLINE v16 v16_even_ahead(v16 even, const float *p) {
    return (void)even, v16_pick_even15(v16_load(p + 2), v16_load(p + 17));
}
static CP_INLINE v16 v16_in_order(v16 picked) { return (v16){v8_in_order(picked.lo), v8_in_order(picked.hi)}; }
static CP_INLINE v16 v16_add(v16 a, v16 b) { return (v16){v8_add(a.lo, b.lo), v8_add(a.hi, b.hi)}; }
static CP_INLINE v16 v16_mul(v16 a, v16 b) { return (v16){v8_mul(a.lo, b.lo), v8_mul(a.hi, b.hi)}; }
static CP_INLINE v16 v16_div(v16 a, v16 b) { return (v16){v8_div(a.lo, b.lo), v8_div(a.hi, b.hi)}; }
static CP_INLINE v16 v16_sqrt(v16 a) { return (v16){v8_sqrt(a.lo), v8_sqrt(a.hi)}; }
static CP_INLINE v16 v16_abs(v16 a) { return (v16){v8_abs(a.lo), v8_abs(a.hi)}; }
static CP_INLINE v16 v16_fma(v16 a, v16 b, v16 c) { return (v16){v8_fma(a.lo, b.lo, c.lo), v8_fma(a.hi, b.hi, c.hi)}; }
static CP_INLINE v16 v16_fma1(v16 a, float b, v16 c) { return (v16){v8_fma1(a.lo, b, c.lo), v8_fma1(a.hi, b, c.hi)}; }
static CP_INLINE v16 v16_spread(const float *p, const int group, const int c) {
    return (v16){v8_spread(p, group, c), v8_spread(p + 8, group, c)};
}
static CP_INLINE v16 v16_max_first(v16 max, v16 x) { return (v16){v8_max_first(max.lo, x.lo), v8_max_first(max.hi, x.hi)}; }
static CP_INLINE v16 v16_max3_first(v16 a, v16 b, v16 c) {
    return (v16){v8_max3_first(a.lo, b.lo, c.lo), v8_max3_first(a.hi, b.hi, c.hi)};
}
static CP_INLINE void v16_max_first_at(v16 *max, v16 *at, v16 x, v16 x_at) {
    v8_max_first_at(&max->lo, &at->lo, x.lo, x_at.lo);
    v8_max_first_at(&max->hi, &at->hi, x.hi, x_at.hi);
}
/* p[i] = base + a[i], of whole numbers. */
static CP_INLINE void v16_store_places(int64_t *p, v16 a, int64_t base) {
    float at[16];
    v16_store(at, a);
    for (int i = 0; i < 16; i++) p[i] = base + (int32_t)at[i];
}

#endif
