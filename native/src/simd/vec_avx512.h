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
typedef __mmask16 vw_mask;
static CP_INLINE void vw_storen(float *p, vw a, int64_t n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a); }
static CP_INLINE vw_mask vw_range(int64_t begin, int64_t end) {
    const uint32_t early = (1u << CP_MAX(0, CP_MIN(begin, 16))) - 1;
    return (__mmask16)(((1u << CP_MAX(0, CP_MIN(end, 16))) - 1) & ~early);
}
static CP_INLINE vw vw_load_masked(const float *p, vw_mask m) { return _mm512_maskz_loadu_ps(m, p); }
static CP_INLINE vw vw_pick_even(vw lo, vw hi) { return _mm512_shuffle_ps(lo, hi, _MM_SHUFFLE(2, 0, 2, 0)); }
static CP_INLINE vw vw_pick_odd(vw lo, vw hi) { return _mm512_shuffle_ps(lo, hi, _MM_SHUFFLE(3, 1, 3, 1)); }
static CP_INLINE vw vw_pick_even_last(vw lo, vw hi) { return _mm512_shuffle_ps(lo, hi, _MM_SHUFFLE(3, 1, 2, 0)); }
static CP_INLINE vw vw_in_order(vw picked) {
    return _mm512_castpd_ps(_mm512_permutexvar_pd(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), _mm512_castps_pd(picked)));
}
static CP_INLINE vw vw_fma(vw a, vw b, vw c) { return _mm512_fmadd_ps(a, b, c); }

#include "simd/vec_avx2.h"

#endif
