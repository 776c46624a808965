/* SPDX-License-Identifier: MIT
 * The vector vocabulary on AVX-512: AVX2's, with a panel of 16 output channels in one zmm register. */
#ifndef CP_VEC_AVX512_H
#define CP_VEC_AVX512_H

#include <immintrin.h>

#include "common.h"

#define CP_HAVE_V16
typedef __m512 v16;
static CP_INLINE v16 v16_zero(void) { return _mm512_setzero_ps(); }
static CP_INLINE v16 v16_load(const float *p) { return _mm512_loadu_ps(p); }
static CP_INLINE void v16_store(float *p, v16 a) { _mm512_storeu_ps(p, a); }
static CP_INLINE v16 v16_fma(v16 a, v16 b, v16 c) { return _mm512_fmadd_ps(a, b, c); }
static CP_INLINE v16 v16_fma1(v16 a, float b, v16 c) { return _mm512_fmadd_ps(a, _mm512_set1_ps(b), c); }

enum { CP_WIDE = 16 };
typedef __m512 vw;
static CP_INLINE vw vw_zero(void) { return _mm512_setzero_ps(); }
static CP_INLINE vw vw_load(const float *p) { return _mm512_loadu_ps(p); }
static CP_INLINE vw vw_loadn(const float *p, int64_t n) { return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
static CP_INLINE void vw_store(float *p, vw a) { _mm512_storeu_ps(p, a); }
static CP_INLINE vw vw_set1(float x) { return _mm512_set1_ps(x); }
static CP_INLINE vw vw_clip(vw x, vw lo, vw hi) { return _mm512_min_ps(hi, _mm512_max_ps(lo, x)); }
static CP_INLINE vw vw_add(vw a, vw b) { return _mm512_add_ps(a, b); }
static CP_INLINE vw vw_sub(vw a, vw b) { return _mm512_sub_ps(a, b); }
static CP_INLINE vw vw_mul1(vw a, float b) { return _mm512_mul_ps(a, _mm512_set1_ps(b)); }
static CP_INLINE vw vw_fma1(vw a, float b, vw c) { return _mm512_fmadd_ps(a, _mm512_set1_ps(b), c); }

#include "simd/vec_avx2.h"

#endif
