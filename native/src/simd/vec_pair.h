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
static CP_INLINE void v16_max_first_at(v16 *max, v16 *at, v16 x, v16 x_at) {
    v8_max_first_at(&max->lo, &at->lo, x.lo, x_at.lo);
    v8_max_first_at(&max->hi, &at->hi, x.hi, x_at.hi);
}

#endif
