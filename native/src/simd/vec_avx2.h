/* SPDX-License-Identifier: MIT
 * The vector vocabulary on AVX2 + FMA: v8 is one ymm register. vec_scalar.h says what each operation means. */
#ifndef CP_VEC_AVX2_H
#define CP_VEC_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "common.h"

typedef __m256 v8;

static CP_INLINE v8 v8_zero(void) { return _mm256_setzero_ps(); }
static CP_INLINE v8 v8_set1(float x) { return _mm256_set1_ps(x); }
static CP_INLINE v8 v8_load(const float *p) { return _mm256_loadu_ps(p); }
static CP_INLINE void v8_store(float *p, v8 a) { _mm256_storeu_ps(p, a); }
static CP_INLINE __m256i v8_first(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static CP_INLINE v8 v8_load_fours(const float *p, int64_t step) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + step), 1);
}
static CP_INLINE v8 v8_loadn(const float *p, int64_t n) { return _mm256_maskload_ps(p, v8_first(n)); }
static CP_INLINE void v8_storen(float *p, v8 a, int64_t n) { _mm256_maskstore_ps(p, v8_first(n), a); }
typedef __m256i v8_mask;
static CP_INLINE v8_mask v8_range(int64_t begin, int64_t end) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i early = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)CP_MAX(0, CP_MIN(begin, 8))), lane);
    return _mm256_andnot_si256(early, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)CP_MAX(0, CP_MIN(end, 8))), lane));
}
static CP_INLINE v8_mask v8_either(v8_mask a, v8_mask b) { return _mm256_or_si256(a, b); }
static CP_INLINE v8 v8_load_masked(const float *p, v8_mask m) { return _mm256_maskload_ps(p, m); }
static CP_INLINE void v8_store_masked(float *p, v8 a, v8_mask m) { _mm256_maskstore_ps(p, m, a); }
static CP_INLINE v8 v8_if_masked(v8_mask m, v8 yes, v8 no) { return _mm256_blendv_ps(no, yes, _mm256_castsi256_ps(m)); }
static CP_INLINE v8 v8_moved(v8 x, const int by, v8_mask m) {
    const __m256i from = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(by));
    return _mm256_and_ps(_mm256_permutevar8x32_ps(x, from), _mm256_castsi256_ps(m));
}
static CP_INLINE v8 v8_pick_even(v8 lo, v8 hi) { return _mm256_shuffle_ps(lo, hi, _MM_SHUFFLE(2, 0, 2, 0)); }
static CP_INLINE v8 v8_pick_odd(v8 lo, v8 hi) { return _mm256_shuffle_ps(lo, hi, _MM_SHUFFLE(3, 1, 3, 1)); }
static CP_INLINE v8 v8_pick_even7(v8 lo, v8 hi) { return _mm256_shuffle_ps(lo, hi, _MM_SHUFFLE(3, 1, 2, 0)); }
static CP_INLINE v8 v8_pick_ahead(v8 picked, float next) {
    const v8 moved = _mm256_permutevar8x32_ps(picked, _mm256_setr_epi32(1, 4, 3, 6, 5, 2, 7, 0));
    return _mm256_blend_ps(moved, _mm256_set1_ps(next), 0x80);
}
static CP_INLINE v8 v8_in_order(v8 picked) {
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(picked), _MM_SHUFFLE(3, 1, 2, 0)));
}
static CP_INLINE v8 v8_pick_third(v8 a, v8 b, v8 c, const int k) {
    /* Three has no factor in common with eight, so the wanted elements of all vectors lie in different lanes: in those numbered 0,
     * 1 or 2 modulo three. Element 3 i + k is in lane 3 i + k of eight. */
    const v8 class0 = k == 0 ? a : k == 1 ? c : b, class1 = k == 0 ? b : k == 1 ? a : c, class2 = k == 0 ? c : k == 1 ? b : a;
    const v8 picked = _mm256_blend_ps(_mm256_blend_ps(class0, class1, 0x92), class2, 0x24);
    const __m256i from = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(k));
    return k == 0 ? picked : _mm256_permutevar8x32_ps(picked, from);
}
static CP_INLINE v8 v8_thirds_in_order(v8 picked) {
    return _mm256_permutevar8x32_ps(picked, _mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5));
}
static CP_INLINE v8 v8_lanes(v8 x, const int32_t *from) {
    return _mm256_permutevar8x32_ps(x, _mm256_loadu_si256((const __m256i *)(const void *)from));
}
static CP_INLINE v8 v8_middle(v8 a, v8 b) { return _mm256_permute2f128_ps(a, b, 0x21); }
static CP_INLINE v8 v8_before(v8 previous, v8 x) {
    return _mm256_castsi256_ps(_mm256_alignr_epi8(_mm256_castps_si256(x), _mm256_castps_si256(v8_middle(previous, x)), 12));
}
static CP_INLINE v8 v8_after(v8 x, v8 next) {
    return _mm256_castsi256_ps(_mm256_alignr_epi8(_mm256_castps_si256(v8_middle(x, next)), _mm256_castps_si256(x), 4));
}
static CP_INLINE v8 v8_picked_before(v8 previous, v8 x) {
    return _mm256_permutevar8x32_ps(_mm256_blend_ps(x, previous, 0x80), _mm256_setr_epi32(7, 0, 5, 2, 1, 4, 3, 6));
}
static CP_INLINE v8 v8_add(v8 a, v8 b) { return _mm256_add_ps(a, b); }
static CP_INLINE v8 v8_sub(v8 a, v8 b) { return _mm256_sub_ps(a, b); }
static CP_INLINE v8 v8_mul(v8 a, v8 b) { return _mm256_mul_ps(a, b); }
static CP_INLINE v8 v8_div(v8 a, v8 b) { return _mm256_div_ps(a, b); }
static CP_INLINE v8 v8_sqrt(v8 a) { return _mm256_sqrt_ps(a); }
static CP_INLINE v8 v8_abs(v8 a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static CP_INLINE v8 v8_copysign(v8 magnitude, v8 sign) {
    return _mm256_or_ps(v8_abs(magnitude), _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
static CP_INLINE v8 v8_fma(v8 a, v8 b, v8 c) { return _mm256_fmadd_ps(a, b, c); }
static CP_INLINE v8 v8_fma1(v8 a, float b, v8 c) { return _mm256_fmadd_ps(a, _mm256_set1_ps(b), c); }
static CP_INLINE v8 v8_spread(const float *p, const int group, const int c) {
    if (group == 8) return v8_set1(p[c]);
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("" : "+r"(p)); /* Or GCC keeps what it loads for all c, and spills it. */
#endif
    switch (c) {
    case 0:
        return _mm256_permute_ps(v8_load(p), 0x00);
    case 1:
        return _mm256_permute_ps(v8_load(p), 0x55);
    case 2:
        return _mm256_permute_ps(v8_load(p), 0xAA);
    default:
        return _mm256_permute_ps(v8_load(p), 0xFF);
    }
}
static CP_INLINE v8 v8_if_less(v8 x, v8 y, v8 yes, v8 no) { return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(x, y, _CMP_LT_OQ)); }
static CP_INLINE v8 v8_clip(v8 x, v8 lo, v8 hi) { return _mm256_min_ps(hi, _mm256_max_ps(lo, x)); }
static CP_INLINE v8 v8_max_first(v8 max, v8 x) {
    const v8 greater = _mm256_max_ps(x, max);
    return _mm256_blendv_ps(greater, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}
static CP_INLINE v8 v8_max3_first(v8 a, v8 b, v8 c) {
    return _mm256_or_ps(_mm256_max_ps(c, _mm256_max_ps(b, a)), _mm256_cmp_ps(b, c, _CMP_UNORD_Q)); /* All ones is a NaN. */
}
static CP_INLINE void v8_max_first_at(v8 *max, v8 *at, v8 x, v8 x_at) {
    const v8 taken = _mm256_and_ps(_mm256_cmp_ps(x, *max, _CMP_NLE_UQ), _mm256_cmp_ps(*max, *max, _CMP_ORD_Q));
    *max = _mm256_blendv_ps(*max, x, taken);
    *at = _mm256_blendv_ps(*at, x_at, taken);
}
static CP_INLINE void v8_max_at(v8 *max, v8 *at, v8 x, v8 x_at) {
    const v8 taken = _mm256_cmp_ps(x, *max, _CMP_GT_OQ);
    *max = _mm256_max_ps(x, *max);
    *at = _mm256_blendv_ps(*at, x_at, taken);
}
static CP_INLINE v8_mask v8_unordered(v8 a, v8 b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_UNORD_Q)); }
static CP_INLINE v8_mask v8_denormal(v8 a) {
    const __m256i twice = _mm256_add_epi32(_mm256_castps_si256(a), _mm256_castps_si256(a)); /* without the sign */
    const __m256i from_1 = _mm256_add_epi32(twice, _mm256_set1_epi32(INT32_MAX)); /* 2 becomes the least but one of all integers */
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(INT32_MIN + 0x00FFFFFF), from_1);
}
static CP_INLINE bool v8_any(v8_mask m) { return _mm256_movemask_epi8(m) != 0; }
static CP_INLINE v8 v8_load_places(const int32_t *p) {
    return _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
static CP_INLINE v8 v8_add_places(v8 a, int32_t b) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_set1_epi32(b)));
}
static CP_INLINE void v8_store_picked_places(int64_t *p, v8 a, int64_t base, const bool stream) {
    const __m256i at = _mm256_castps_si256(a), from = _mm256_set1_epi64x(base), zero = _mm256_setzero_si256();
    const __m256i first = _mm256_add_epi64(_mm256_unpacklo_epi32(at, zero), from);
    const __m256i last = _mm256_add_epi64(_mm256_unpackhi_epi32(at, zero), from);
    if (stream) {
        _mm256_stream_si256((__m256i *)(void *)p, first);
        _mm256_stream_si256((__m256i *)(void *)(p + 4), last);
    } else {
        _mm256_storeu_si256((__m256i *)(void *)p, first);
        _mm256_storeu_si256((__m256i *)(void *)(p + 4), last);
    }
}
static CP_INLINE void v8_store_places(int64_t *p, v8 a, int64_t base, const bool stream) {
    v8_store_picked_places(p, v8_in_order(a), base, stream);
}
static CP_INLINE void v8_storen_places(int64_t *p, v8 a, int64_t base, int64_t n) {
    const __m256i at = _mm256_castps_si256(v8_in_order(a)), from = _mm256_set1_epi64x(base), zero = _mm256_setzero_si256();
    const __m256i count = _mm256_set1_epi64x(n);
    long long *const to = (long long *)(void *)p;
    _mm256_maskstore_epi64(to, _mm256_cmpgt_epi64(count, _mm256_setr_epi64x(0, 1, 2, 3)),
                           _mm256_add_epi64(_mm256_unpacklo_epi32(at, zero), from));
    _mm256_maskstore_epi64(to + 4, _mm256_cmpgt_epi64(count, _mm256_setr_epi64x(4, 5, 6, 7)),
                           _mm256_add_epi64(_mm256_unpackhi_epi32(at, zero), from));
}
static CP_INLINE v8 v8_load_u8(const uint8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
static CP_INLINE void v8_storen_u8(uint8_t *p, v8 a, int64_t n) {
    const __m256i whole = _mm256_cvtps_epi32(v8_clip(a, v8_zero(), v8_set1(255.0f)));
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    const __m128i bytes = _mm_packus_epi16(words, words);
    if (n == 8) {
        _mm_storel_epi64((__m128i *)(void *)p, bytes);
    } else {
        const int64_t all = _mm_cvtsi128_si64(bytes);
        memcpy(p, &all, (size_t)n);
    }
}
static CP_INLINE v8 v8_pow2_of_biased(v8 t) {
    const __m256i bits = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_set1_epi32(0x3F800000)));
}
static CP_INLINE void v8_transpose(v8 r[8]) {
    const v8 a0 = _mm256_unpacklo_ps(r[0], r[1]), a1 = _mm256_unpackhi_ps(r[0], r[1]);
    const v8 a2 = _mm256_unpacklo_ps(r[2], r[3]), a3 = _mm256_unpackhi_ps(r[2], r[3]);
    const v8 a4 = _mm256_unpacklo_ps(r[4], r[5]), a5 = _mm256_unpackhi_ps(r[4], r[5]);
    const v8 a6 = _mm256_unpacklo_ps(r[6], r[7]), a7 = _mm256_unpackhi_ps(r[6], r[7]);
    const v8 b0 = _mm256_shuffle_ps(a0, a2, 0x44), b1 = _mm256_shuffle_ps(a0, a2, 0xEE);
    const v8 b2 = _mm256_shuffle_ps(a1, a3, 0x44), b3 = _mm256_shuffle_ps(a1, a3, 0xEE);
    const v8 b4 = _mm256_shuffle_ps(a4, a6, 0x44), b5 = _mm256_shuffle_ps(a4, a6, 0xEE);
    const v8 b6 = _mm256_shuffle_ps(a5, a7, 0x44), b7 = _mm256_shuffle_ps(a5, a7, 0xEE);
    r[0] = _mm256_permute2f128_ps(b0, b4, 0x20);
    r[1] = _mm256_permute2f128_ps(b1, b5, 0x20);
    r[2] = _mm256_permute2f128_ps(b2, b6, 0x20);
    r[3] = _mm256_permute2f128_ps(b3, b7, 0x20);
    r[4] = _mm256_permute2f128_ps(b0, b4, 0x31);
    r[5] = _mm256_permute2f128_ps(b1, b5, 0x31);
    r[6] = _mm256_permute2f128_ps(b2, b6, 0x31);
    r[7] = _mm256_permute2f128_ps(b3, b7, 0x31);
}
static CP_INLINE void v8_load_transposed(const float *p, int64_t pitch, v8 t[8]) {
    CP_UNROLL
    for (int k = 0; k < 8; k += 4) {
        v8 r[4]; /* rows l and l + 4 side by side, so that no shuffle crosses the halves */
        CP_UNROLL
        for (int l = 0; l < 4; l++) r[l] = v8_load_fours(p + l * pitch + k, 4 * pitch);
        const v8 a0 = _mm256_unpacklo_ps(r[0], r[1]), a1 = _mm256_unpackhi_ps(r[0], r[1]);
        const v8 a2 = _mm256_unpacklo_ps(r[2], r[3]), a3 = _mm256_unpackhi_ps(r[2], r[3]);
        t[k] = _mm256_shuffle_ps(a0, a2, 0x44);
        t[k + 1] = _mm256_shuffle_ps(a0, a2, 0xEE);
        t[k + 2] = _mm256_shuffle_ps(a1, a3, 0x44);
        t[k + 3] = _mm256_shuffle_ps(a1, a3, 0xEE);
    }
}
static CP_INLINE v8 v8_sums(const v8 p[8]) {
    v8 q[4], s[2];
    for (int k = 0; k < 4; k++) { /* Of the vectors k and k + 4; additions commute. */
        q[k] = _mm256_add_ps(_mm256_blend_ps(p[k], p[k + 4], 0xF0), v8_middle(p[k], p[k + 4]));
    }
    for (int k = 0; k < 2; k++) {
        s[k] = _mm256_add_ps(_mm256_shuffle_ps(q[2 * k], q[2 * k + 1], 0x44), _mm256_shuffle_ps(q[2 * k], q[2 * k + 1], 0xEE));
    }
    return _mm256_add_ps(_mm256_shuffle_ps(s[0], s[1], 0x88), _mm256_shuffle_ps(s[0], s[1], 0xDD));
}
enum { CP_ALIGNED = 8 };

#ifdef CP_HAVE_V16
static CP_INLINE vw vw_of_v8(v8 a) { return _mm512_zextps256_ps512(a); }
static CP_INLINE v8 v8_of_vw(vw a) { return _mm512_castps512_ps256(a); }
#else
#include "simd/vec_pair.h"
#include "simd/vec_wide8.h"
static CP_INLINE void vw_stream(float *p, vw a) { _mm256_stream_ps(p, a); }
#endif
static CP_INLINE void vw_stream_end(void) { _mm_sfence(); }
#if defined(__GNUC__) && !defined(__clang__)
static CP_INLINE vw vw_keep(vw a) {
    __asm__("" : "+v"(a));
    return a;
}
#else
static CP_INLINE vw vw_keep(vw a) { return a; }
#endif

static CP_INLINE float cp_fma(float a, float b, float c) {
    return _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)));
}
static CP_INLINE float cp_sqrt(float a) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(a))); }

#endif
