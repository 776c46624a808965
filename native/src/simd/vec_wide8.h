/* SPDX-License-Identifier: MIT
 * The widest vector, vw of CP_WIDE lanes, where that is v8. */
#ifndef CP_VEC_WIDE8_H
#define CP_VEC_WIDE8_H

enum { CP_WIDE = 8 };
typedef v8 vw;
static CP_INLINE vw vw_zero(void) { return v8_zero(); }
static CP_INLINE vw vw_load(const float *p) { return v8_load(p); }
static CP_INLINE vw vw_loadn(const float *p, int64_t n) { return v8_loadn(p, n); }
static CP_INLINE void vw_store(float *p, vw a) { v8_store(p, a); }
static CP_INLINE vw vw_set1(float x) { return v8_set1(x); }
static CP_INLINE vw vw_clip(vw x, vw lo, vw hi) { return v8_clip(x, lo, hi); }
static CP_INLINE vw vw_add(vw a, vw b) { return v8_add(a, b); }
static CP_INLINE vw vw_sub(vw a, vw b) { return v8_sub(a, b); }
static CP_INLINE vw vw_mul1(vw a, float b) { return v8_mul(a, v8_set1(b)); }
static CP_INLINE vw vw_fma1(vw a, float b, vw c) { return v8_fma1(a, b, c); }

#endif
