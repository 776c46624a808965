/* SPDX-License-Identifier: MIT
 * The widest vector, vw of CP_WIDE lanes, where that is v8. */
#ifndef CP_VEC_WIDE8_H
#define CP_VEC_WIDE8_H

enum { CP_WIDE = 8 };
typedef v8 vw;
static CP_INLINE vw vw_zero(void) { return v8_zero(); }
static CP_INLINE vw vw_load(const float *p) { return v8_load(p); }
static CP_INLINE vw vw_loadn(const float *p, int64_t n) { return v8_loadn(p, n); }
/* Fours of neighbours, each `step` floats after the last. */
static CP_INLINE vw vw_load_fours(const float *p, int64_t step) { return v8_load_fours(p, step); }
static CP_INLINE void vw_store(float *p, vw a) { v8_store(p, a); }
static CP_INLINE vw vw_set1(float x) { return v8_set1(x); }
static CP_INLINE vw vw_clip(vw x, vw lo, vw hi) { return v8_clip(x, lo, hi); }
static CP_INLINE vw vw_add(vw a, vw b) { return v8_add(a, b); }
static CP_INLINE vw vw_sub(vw a, vw b) { return v8_sub(a, b); }
/* The first 8 lanes; others are 0. */
static CP_INLINE vw vw_of_v8(v8 a) { return a; }
static CP_INLINE v8 v8_of_vw(vw a) { return a; }
static CP_INLINE vw vw_mul1(vw a, float b) { return v8_mul(a, v8_set1(b)); }
static CP_INLINE vw vw_fma1(vw a, float b, vw c) { return v8_fma1(a, b, c); }
typedef v8_mask vw_mask;
static CP_INLINE void vw_storen(float *p, vw a, int64_t n) { v8_storen(p, a, n); }
static CP_INLINE vw_mask vw_range(int64_t begin, int64_t end) { return v8_range(begin, end); }
static CP_INLINE vw_mask vw_either(vw_mask a, vw_mask b) { return v8_either(a, b); }
static CP_INLINE vw vw_load_masked(const float *p, vw_mask m) { return v8_load_masked(p, m); }
static CP_INLINE void vw_store_masked(float *p, vw a, vw_mask m) { v8_store_masked(p, a, m); }
static CP_INLINE vw vw_if_masked(vw_mask m, vw yes, vw no) { return v8_if_masked(m, yes, no); }
static CP_INLINE vw vw_moved(vw x, const int by, vw_mask m) { return v8_moved(x, by, m); }
/* Of lo and hi, CP_WIDE neighbours each, as v8_pick_even and v8_pick_odd. */
static CP_INLINE vw vw_pick_even(vw lo, vw hi) { return v8_pick_even(lo, hi); }
static CP_INLINE vw vw_pick_odd(vw lo, vw hi) { return v8_pick_odd(lo, hi); }
static CP_INLINE vw vw_pick_ahead(vw picked, float next) { return v8_pick_ahead(picked, next); }
static CP_INLINE vw vw_in_order(vw picked) { return v8_in_order(picked); }
/* Of a, b, c, CP_WIDE neighbours each, as v8_pick_third. */
static CP_INLINE vw vw_pick_third(vw a, vw b, vw c, const int k) { return v8_pick_third(a, b, c, k); }
static CP_INLINE vw vw_thirds_in_order(vw picked) { return v8_thirds_in_order(picked); }
static CP_INLINE vw vw_lanes(vw x, const int32_t *from) { return v8_lanes(x, from); }
/* One place on: the last lane of `previous`, then all of x but its last; or all of x but its first, then the first of `next`. Of
 * picks, the same in their order. */
static CP_INLINE vw vw_before(vw previous, vw x) { return v8_before(previous, x); }
static CP_INLINE vw vw_after(vw x, vw next) { return v8_after(x, next); }
static CP_INLINE vw vw_picked_before(vw previous, vw x) { return v8_picked_before(previous, x); }
static CP_INLINE vw vw_load_or(const float *p, vw_mask m, vw outside) { return v8_if_masked(m, v8_load_masked(p, m), outside); }
static CP_INLINE vw vw_div(vw a, vw b) { return v8_div(a, b); }
static CP_INLINE vw vw_mul(vw a, vw b) { return v8_mul(a, b); }
static CP_INLINE vw vw_max_first(vw max, vw x) { return v8_max_first(max, x); }
static CP_INLINE void vw_max_first_at(vw *max, vw *at, vw x, vw x_at) { v8_max_first_at(max, at, x, x_at); }
static CP_INLINE void vw_max_at(vw *max, vw *at, vw x, vw x_at) { v8_max_at(max, at, x, x_at); }
static CP_INLINE vw_mask vw_unordered(vw a, vw b) { return v8_unordered(a, b); }
static CP_INLINE vw_mask vw_denormal(vw a) { return v8_denormal(a); }
static CP_INLINE bool vw_any(vw_mask m) { return v8_any(m); }
static CP_INLINE vw vw_load_places(const int32_t *p) { return v8_load_places(p); }
static CP_INLINE vw vw_add_places(vw a, int32_t b) { return v8_add_places(a, b); }
static CP_INLINE void vw_store_picked_places(int64_t *p, vw a, int64_t base, const bool stream) {
    v8_store_picked_places(p, a, base, stream);
}
static CP_INLINE void vw_store_places(int64_t *p, vw a, int64_t base, const bool stream) { v8_store_places(p, a, base, stream); }
static CP_INLINE void vw_storen_places(int64_t *p, vw a, int64_t base, int64_t n) { v8_storen_places(p, a, base, n); }
static CP_INLINE vw vw_load_u8(const uint8_t *p) { return v8_load_u8(p); }
static CP_INLINE void vw_storen_u8(uint8_t *p, vw a, int64_t n) { v8_storen_u8(p, a, n); }
static CP_INLINE vw vw_abs(vw a) { return v8_abs(a); }
static CP_INLINE vw vw_sqrt(vw a) { return v8_sqrt(a); }
static CP_INLINE vw vw_max3_first(vw a, vw b, vw c) { return v8_max3_first(a, b, c); }
static CP_INLINE void vw_load_transposed(const float *p, int64_t pitch, vw t[8]) { v8_load_transposed(p, pitch, t); }
static CP_INLINE vw vw_fma(vw a, vw b, vw c) { return v8_fma(a, b, c); }

#endif
