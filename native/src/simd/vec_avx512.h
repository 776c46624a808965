/* SPDX-License-Identifier: MIT
 * The vector vocabulary on AVX-512: AVX2's, with a panel of 16 output channels in one zmm register. */
#ifndef CP_VEC_AVX512_H
#define CP_VEC_AVX512_H

#include <immintrin.h>
#include <math.h>

#include "common.h"

#define CP_HAVE_V16
typedef __m512 v16;
static CP_INLINE v16 v16_zero(void) { return _mm512_setzero_ps(); }
static CP_INLINE v16 v16_load(const float *p) { return _mm512_loadu_ps(p); }
static CP_INLINE void v16_store(float *p, v16 a) { _mm512_storeu_ps(p, a); }
static CP_INLINE v16 v16_set1(float x) { return _mm512_set1_ps(x); }
static CP_INLINE v16 v16_add(v16 a, v16 b) { return _mm512_add_ps(a, b); }
static CP_INLINE v16 v16_mul(v16 a, v16 b) { return _mm512_mul_ps(a, b); }
static CP_INLINE v16 v16_div(v16 a, v16 b) { return _mm512_div_ps(a, b); }
static CP_INLINE v16 v16_sqrt(v16 a) { return _mm512_sqrt_ps(a); }
static CP_INLINE v16 v16_abs(v16 a) { return _mm512_abs_ps(a); }
static CP_INLINE v16 v16_fma(v16 a, v16 b, v16 c) { return _mm512_fmadd_ps(a, b, c); }
static CP_INLINE v16 v16_spread(const float *p, const int group, const int c) {
    if (group == 8) {
        const __m512i from = _mm512_setr_epi32(c, c, c, c, c, c, c, c, 8 + c, 8 + c, 8 + c, 8 + c, 8 + c, 8 + c, 8 + c, 8 + c);
        return _mm512_permutexvar_ps(from, v16_load(p));
    }
    switch (c) {
    case 0:
        return _mm512_permute_ps(v16_load(p), 0x00);
    case 1:
        return _mm512_permute_ps(v16_load(p), 0x55);
    case 2:
        return _mm512_permute_ps(v16_load(p), 0xAA);
    default:
        return _mm512_permute_ps(v16_load(p), 0xFF);
    }
}
static CP_INLINE v16 v16_max_first(v16 max, v16 x) { return _mm512_mask_max_ps(x, _mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x, max); }
static CP_INLINE void v16_max_first_at(v16 *max, v16 *at, v16 x, v16 x_at) {
    const __mmask16 taken = _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(*max, *max, _CMP_ORD_Q), x, *max, _CMP_NLE_UQ);
    *max = _mm512_mask_mov_ps(*max, taken, x);
    *at = _mm512_mask_mov_ps(*at, taken, x_at);
}
static CP_INLINE v16 v16_fma1(v16 a, float b, v16 c) { return _mm512_fmadd_ps(a, _mm512_set1_ps(b), c); }

enum { CP_WIDE = 16 };
typedef __m512 vw;
static CP_INLINE vw vw_zero(void) { return _mm512_setzero_ps(); }
static CP_INLINE vw vw_load(const float *p) { return _mm512_loadu_ps(p); }
static CP_INLINE vw vw_load_fours(const float *p, int64_t step) {
    const __m256 lo = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + step), 1);
    const __m256 hi = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 2 * step)), _mm_loadu_ps(p + 3 * step), 1);
    return _mm512_insertf32x8(_mm512_castps256_ps512(lo), hi, 1);
}
static CP_INLINE vw vw_loadn(const float *p, int64_t n) { return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
static CP_INLINE void vw_store(float *p, vw a) { _mm512_storeu_ps(p, a); }
static CP_INLINE vw vw_set1(float x) { return _mm512_set1_ps(x); }
static CP_INLINE vw vw_clip(vw x, vw lo, vw hi) { return _mm512_min_ps(hi, _mm512_max_ps(lo, x)); }
static CP_INLINE vw vw_add(vw a, vw b) { return _mm512_add_ps(a, b); }
static CP_INLINE vw vw_sub(vw a, vw b) { return _mm512_sub_ps(a, b); }
static CP_INLINE vw vw_mul1(vw a, float b) { return _mm512_mul_ps(a, _mm512_set1_ps(b)); }
static CP_INLINE vw vw_fma(vw a, vw b, vw c) { return _mm512_fmadd_ps(a, b, c); }
static CP_INLINE vw vw_fma1(vw a, float b, vw c) { return _mm512_fmadd_ps(a, _mm512_set1_ps(b), c); }
typedef __mmask16 vw_mask;
static CP_INLINE void vw_storen(float *p, vw a, int64_t n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a); }
static CP_INLINE vw_mask vw_range(int64_t begin, int64_t end) {
    const uint32_t early = (1u << CP_MAX(0, CP_MIN(begin, 16))) - 1;
    return (__mmask16)(((1u << CP_MAX(0, CP_MIN(end, 16))) - 1) & ~early);
}
static CP_INLINE vw_mask vw_either(vw_mask a, vw_mask b) { return (__mmask16)(a | b); }
static CP_INLINE vw vw_load_masked(const float *p, vw_mask m) { return _mm512_maskz_loadu_ps(m, p); }
static CP_INLINE void vw_store_masked(float *p, vw a, vw_mask m) { _mm512_mask_storeu_ps(p, m, a); }
static CP_INLINE vw vw_if_masked(vw_mask m, vw yes, vw no) { return _mm512_mask_mov_ps(no, m, yes); }
static CP_INLINE vw vw_moved(vw x, const int by, vw_mask m) {
    const __m512i lanes = _mm512_castps_si512(x);
    switch (by & 15) { /* The count is part of the instruction. */
    case 1:
        return _mm512_castsi512_ps(_mm512_maskz_alignr_epi32(m, lanes, lanes, 1));
    case 2:
        return _mm512_castsi512_ps(_mm512_maskz_alignr_epi32(m, lanes, lanes, 2));
    case 14:
        return _mm512_castsi512_ps(_mm512_maskz_alignr_epi32(m, lanes, lanes, 14));
    case 15:
        return _mm512_castsi512_ps(_mm512_maskz_alignr_epi32(m, lanes, lanes, 15));
    default:
        return _mm512_maskz_mov_ps(m, x);
    }
}
static CP_INLINE vw vw_pick_even(vw lo, vw hi) { return _mm512_shuffle_ps(lo, hi, _MM_SHUFFLE(2, 0, 2, 0)); }
static CP_INLINE vw vw_pick_odd(vw lo, vw hi) { return _mm512_shuffle_ps(lo, hi, _MM_SHUFFLE(3, 1, 3, 1)); }
static CP_INLINE vw vw_pick_ahead(vw picked, float next) {
    const __m512i from = _mm512_setr_epi32(1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 2, 15, 16);
    return _mm512_permutex2var_ps(picked, from, _mm512_castps128_ps512(_mm_set_ss(next)));
}
static CP_INLINE vw vw_in_order(vw picked) {
    return _mm512_castpd_ps(_mm512_permutexvar_pd(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), _mm512_castps_pd(picked)));
}
static CP_INLINE vw vw_pick_third(vw a, vw b, vw c, const int k) {
    /* As with eight lanes, but for the order of the vectors. */
    const vw class0 = k == 0 ? a : k == 1 ? b : c, class1 = k == 0 ? c : k == 1 ? a : b, class2 = k == 0 ? b : k == 1 ? c : a;
    const vw picked = _mm512_mask_mov_ps(_mm512_mask_mov_ps(class0, 0x2492, class1), 0x4924, class2);
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return k == 0 ? picked : _mm512_permutexvar_ps(_mm512_add_epi32(lane, _mm512_set1_epi32(k)), picked);
}
static CP_INLINE vw vw_thirds_in_order(vw picked) {
    return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 3, 6, 9, 12, 15, 2, 5, 8, 11, 14, 1, 4, 7, 10, 13), picked);
}
static CP_INLINE vw vw_lanes(vw x, const int32_t *from) { return _mm512_permutexvar_ps(_mm512_loadu_si512(from), x); }
static CP_INLINE vw vw_before(vw previous, vw x) {
    return _mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(x), _mm512_castps_si512(previous), 15));
}
static CP_INLINE vw vw_after(vw x, vw next) {
    return _mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(next), _mm512_castps_si512(x), 1));
}
static CP_INLINE vw vw_picked_before(vw previous, vw x) {
    const __m512i from = _mm512_setr_epi32(31, 0, 13, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14);
    return _mm512_permutex2var_ps(x, from, previous);
}
static CP_INLINE vw vw_load_or(const float *p, vw_mask m, vw outside) { return _mm512_mask_loadu_ps(outside, m, p); }
static CP_INLINE vw vw_div(vw a, vw b) { return _mm512_div_ps(a, b); }
static CP_INLINE vw vw_mul(vw a, vw b) { return _mm512_mul_ps(a, b); }
static CP_INLINE vw vw_max_first(vw max, vw x) { return v16_max_first(max, x); }
static CP_INLINE void vw_max_first_at(vw *max, vw *at, vw x, vw x_at) { v16_max_first_at(max, at, x, x_at); }
static CP_INLINE void vw_max_at(vw *max, vw *at, vw x, vw x_at) {
    const __mmask16 taken = _mm512_cmp_ps_mask(x, *max, _CMP_GT_OQ);
    *max = _mm512_max_ps(x, *max);
    *at = _mm512_mask_mov_ps(*at, taken, x_at);
}
static CP_INLINE vw_mask vw_unordered(vw a, vw b) { return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q); }
static CP_INLINE vw_mask vw_denormal(vw a) { return _mm512_fpclass_ps_mask(a, 0x20); }
static CP_INLINE bool vw_any(vw_mask m) { return m != 0; }
static CP_INLINE vw vw_load_places(const int32_t *p) { return _mm512_castsi512_ps(_mm512_loadu_si512(p)); }
static CP_INLINE vw vw_add_places(vw a, int32_t b) {
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_set1_epi32(b)));
}
static CP_INLINE void vw_store_indices(int64_t *p, __m512i lo, __m512i hi, int64_t base, const bool stream) {
    const __m512i from = _mm512_set1_epi64(base), first = _mm512_add_epi64(lo, from), last = _mm512_add_epi64(hi, from);
    if (stream) {
        _mm512_stream_si512((__m512i *)(void *)p, first);
        _mm512_stream_si512((__m512i *)(void *)(p + 8), last);
    } else {
        _mm512_storeu_si512(p, first);
        _mm512_storeu_si512(p + 8, last);
    }
}
static CP_INLINE void vw_store_places(int64_t *p, vw a, int64_t base, const bool stream) {
    const __m512i at = _mm512_castps_si512(a), lo = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(at));
    vw_store_indices(p, lo, _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(at, 1)), base, stream);
}
static CP_INLINE void vw_store_picked_places(int64_t *p, vw a, int64_t base, const bool stream) {
    const __m512i at = _mm512_castps_si512(a), zero = _mm512_setzero_si512();
    vw_store_indices(p, _mm512_unpacklo_epi32(at, zero), _mm512_unpackhi_epi32(at, zero), base, stream);
}
static CP_INLINE void vw_storen_places(int64_t *p, vw a, int64_t base, int64_t n) {
    const __m512i at = _mm512_castps_si512(a), from = _mm512_set1_epi64(base);
    const uint32_t mask = (1u << n) - 1;
    _mm512_mask_storeu_epi64(p, (__mmask8)mask, _mm512_add_epi64(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(at)), from));
    _mm512_mask_storeu_epi64(p + 8, (__mmask8)(mask >> 8),
                             _mm512_add_epi64(_mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(at, 1)), from));
}
static CP_INLINE vw vw_load_u8(const uint8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
static CP_INLINE void vw_storen_u8(uint8_t *p, vw a, int64_t n) {
    const __m512i whole = _mm512_cvtps_epi32(vw_clip(a, vw_zero(), vw_set1(255.0f)));
    _mm_mask_storeu_epi8(p, (__mmask16)((1u << n) - 1), _mm512_cvtepi32_epi8(whole));
}
static CP_INLINE vw vw_abs(vw a) { return _mm512_abs_ps(a); }
static CP_INLINE vw vw_sqrt(vw a) { return _mm512_sqrt_ps(a); }
static CP_INLINE vw vw_max3_first(vw a, vw b, vw c) {
    const __mmask16 ordered = _mm512_cmp_ps_mask(b, c, _CMP_ORD_Q);
    return _mm512_mask_max_ps(_mm512_set1_ps(NAN), ordered, c, _mm512_max_ps(b, a));
}
static CP_INLINE void vw_load_transposed(const float *p, int64_t pitch, vw t[8]) {
    __m512 quarters[8]; /* of lanes 0..3 and 4..7, or 8..11 and 12..15: k and k + 4 in turn */
    CP_UNROLL
    for (int half = 0; half < 2; half++) {
        __m512 r[4];
        CP_UNROLL
        for (int l = 0; l < 4; l++) {
            const float *first = p + (8 * half + l) * pitch;
            r[l] = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(first)), _mm256_loadu_ps(first + 4 * pitch), 1);
        }
        const __m512 a0 = _mm512_unpacklo_ps(r[0], r[1]), a1 = _mm512_unpackhi_ps(r[0], r[1]);
        const __m512 a2 = _mm512_unpacklo_ps(r[2], r[3]), a3 = _mm512_unpackhi_ps(r[2], r[3]);
        quarters[4 * half + 0] = _mm512_shuffle_ps(a0, a2, 0x44);
        quarters[4 * half + 1] = _mm512_shuffle_ps(a0, a2, 0xEE);
        quarters[4 * half + 2] = _mm512_shuffle_ps(a1, a3, 0x44);
        quarters[4 * half + 3] = _mm512_shuffle_ps(a1, a3, 0xEE);
    }
    CP_UNROLL
    for (int k = 0; k < 4; k++) {
        t[k] = _mm512_shuffle_f32x4(quarters[k], quarters[k + 4], 0x88);
        t[k + 4] = _mm512_shuffle_f32x4(quarters[k], quarters[k + 4], 0xDD);
    }
}
static CP_INLINE void vw_stream(float *p, vw a) { _mm512_stream_ps(p, a); }

#include "simd/vec_avx2.h"

#endif
