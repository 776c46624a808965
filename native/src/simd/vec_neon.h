/* SPDX-License-Identifier: MIT
 * The vector vocabulary on AArch64 Advanced SIMD: v8 is two q registers. vec_scalar.h says what each operation means. */
#ifndef CP_VEC_NEON_H
#define CP_VEC_NEON_H

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#include "common.h"

typedef struct v8 {
    float32x4_t lo, hi;
} v8;

static CP_INLINE v8 v8_of(float32x4_t lo, float32x4_t hi) { return (v8){lo, hi}; }
static CP_INLINE v8 v8_set1(float x) { return v8_of(vdupq_n_f32(x), vdupq_n_f32(x)); }
static CP_INLINE v8 v8_zero(void) { return v8_set1(0.0f); }
static CP_INLINE v8 v8_load(const float *p) { return v8_of(vld1q_f32(p), vld1q_f32(p + 4)); }
static CP_INLINE void v8_store(float *p, v8 a) {
    vst1q_f32(p, a.lo);
    vst1q_f32(p + 4, a.hi);
}
static CP_INLINE v8 v8_load_fours(const float *p, int64_t step) { return v8_of(vld1q_f32(p), vld1q_f32(p + step)); }
static CP_INLINE v8 v8_loadn(const float *p, int64_t n) {
    float t[8] = {0};
    memcpy(t, p, (size_t)n * sizeof(float));
    return v8_load(t);
}
static CP_INLINE void v8_storen(float *p, v8 a, int64_t n) {
    float t[8];
    v8_store(t, a);
    memcpy(p, t, (size_t)n * sizeof(float));
}
typedef uint32_t v8_mask;
static CP_INLINE v8_mask v8_range(int64_t begin, int64_t end) {
    const uint32_t early = (1u << CP_MAX(0, CP_MIN(begin, 8))) - 1;
    return ((1u << CP_MAX(0, CP_MIN(end, 8))) - 1) & ~early;
}
static CP_INLINE v8_mask v8_either(v8_mask a, v8_mask b) { return a | b; }
static inline v8 v8_load_masked(const float *p, v8_mask m) {
    if (m == 0xFF) return v8_load(p);
    float t[8] = {0};
    for (int i = 0; i < 8; i++) {
        if (m >> i & 1) t[i] = p[i];
    }
    return v8_load(t);
}
static inline void v8_store_masked(float *p, v8 a, v8_mask m) {
    float t[8];
    v8_store(t, a);
    for (int i = 0; i < 8; i++) {
        if (m >> i & 1) p[i] = t[i];
    }
}
static CP_INLINE v8 v8_if_masked(v8_mask m, v8 yes, v8 no) {
    const uint32_t bits[] = {1, 2, 4, 8};
    const uint32x4_t bit = vld1q_u32(bits);
    return v8_of(vbslq_f32(vtstq_u32(vdupq_n_u32(m), bit), yes.lo, no.lo),
                 vbslq_f32(vtstq_u32(vdupq_n_u32(m >> 4), bit), yes.hi, no.hi));
}
static CP_INLINE v8 v8_moved(v8 x, const int by, v8_mask m) {
    float t[24] = {0};
    v8_store(t + 8, x);
    return v8_if_masked(m, v8_load(t + 8 + by), v8_zero());
}
static CP_INLINE v8 v8_pick_even(v8 lo, v8 hi) { return v8_of(vuzp1q_f32(lo.lo, lo.hi), vuzp1q_f32(hi.lo, hi.hi)); }
static CP_INLINE v8 v8_pick_odd(v8 lo, v8 hi) { return v8_of(vuzp2q_f32(lo.lo, lo.hi), vuzp2q_f32(hi.lo, hi.hi)); }
static CP_INLINE v8 v8_pick_even7(v8 lo, v8 hi) { return v8_of(vuzp1q_f32(lo.lo, lo.hi), vuzp2q_f32(hi.lo, hi.hi)); }
static CP_INLINE v8 v8_pick_ahead(v8 picked, float next) {
    return v8_of(vextq_f32(picked.lo, picked.hi, 1), vextq_f32(picked.hi, vdupq_n_f32(next), 1));
}
static CP_INLINE v8 v8_in_order(v8 picked) { return picked; }
static CP_INLINE float32x4_t v4_pick_third(float32x4_t a, float32x4_t b, float32x4_t c, const int k) {
    /* Three has no factor in common with four, so the wanted elements of all vectors lie in different lanes. */
    const uint32_t second[] = {0, ~0u, 0, 0}, third[] = {0, 0, ~0u, 0};
    const float32x4_t class0 = k == 0 ? a : k == 1 ? b : c, class1 = k == 0 ? c : k == 1 ? a : b;
    const float32x4_t class2 = k == 0 ? b : k == 1 ? c : a;
    const float32x4_t picked = vbslq_f32(vld1q_u32(third), class2, vbslq_f32(vld1q_u32(second), class1, class0));
    return k == 0 ? picked : k == 1 ? vextq_f32(picked, picked, 1) : vextq_f32(picked, picked, 2);
}
static CP_INLINE v8 v8_pick_third(v8 a, v8 b, v8 c, const int k) {
    return v8_of(v4_pick_third(a.lo, a.hi, b.lo, k), v4_pick_third(b.hi, c.lo, c.hi, k));
}
static CP_INLINE float32x4_t v4_thirds_in_order(float32x4_t picked) {
    const float32x4_t pairs = vrev64q_f32(picked);
    return vextq_f32(pairs, pairs, 1);
}
static CP_INLINE v8 v8_thirds_in_order(v8 picked) { return v8_of(v4_thirds_in_order(picked.lo), v4_thirds_in_order(picked.hi)); }
static CP_INLINE v8 v8_lanes(v8 x, const int32_t *from) {
    const uint8x16x2_t bytes = {{vreinterpretq_u8_f32(x.lo), vreinterpretq_u8_f32(x.hi)}};
    const uint32x4_t four = vdupq_n_u32(0x04040404), byte = vdupq_n_u32(0x03020100);
    const uint32x4_t lo = vmlaq_u32(byte, vreinterpretq_u32_s32(vld1q_s32(from)), four);
    const uint32x4_t hi = vmlaq_u32(byte, vreinterpretq_u32_s32(vld1q_s32(from + 4)), four);
    return v8_of(vreinterpretq_f32_u8(vqtbl2q_u8(bytes, vreinterpretq_u8_u32(lo))),
                 vreinterpretq_f32_u8(vqtbl2q_u8(bytes, vreinterpretq_u8_u32(hi))));
}
static CP_INLINE v8 v8_before(v8 previous, v8 x) { return v8_of(vextq_f32(previous.hi, x.lo, 3), vextq_f32(x.lo, x.hi, 3)); }
static CP_INLINE v8 v8_after(v8 x, v8 next) { return v8_of(vextq_f32(x.lo, x.hi, 1), vextq_f32(x.hi, next.lo, 1)); }
static CP_INLINE v8 v8_picked_before(v8 previous, v8 x) { return v8_before(previous, x); }
static CP_INLINE v8 v8_add(v8 a, v8 b) { return v8_of(vaddq_f32(a.lo, b.lo), vaddq_f32(a.hi, b.hi)); }
static CP_INLINE v8 v8_sub(v8 a, v8 b) { return v8_of(vsubq_f32(a.lo, b.lo), vsubq_f32(a.hi, b.hi)); }
static CP_INLINE v8 v8_mul(v8 a, v8 b) { return v8_of(vmulq_f32(a.lo, b.lo), vmulq_f32(a.hi, b.hi)); }
static CP_INLINE v8 v8_div(v8 a, v8 b) { return v8_of(vdivq_f32(a.lo, b.lo), vdivq_f32(a.hi, b.hi)); }
static CP_INLINE v8 v8_sqrt(v8 a) { return v8_of(vsqrtq_f32(a.lo), vsqrtq_f32(a.hi)); }
static CP_INLINE v8 v8_abs(v8 a) { return v8_of(vabsq_f32(a.lo), vabsq_f32(a.hi)); }
static CP_INLINE v8 v8_copysign(v8 magnitude, v8 sign) {
    const uint32x4_t mask = vdupq_n_u32(0x80000000u);
    return v8_of(vbslq_f32(mask, sign.lo, magnitude.lo), vbslq_f32(mask, sign.hi, magnitude.hi));
}
static CP_INLINE v8 v8_fma(v8 a, v8 b, v8 c) { return v8_of(vfmaq_f32(c.lo, a.lo, b.lo), vfmaq_f32(c.hi, a.hi, b.hi)); }
static CP_INLINE v8 v8_fma1(v8 a, float b, v8 c) { return v8_of(vfmaq_n_f32(c.lo, a.lo, b), vfmaq_n_f32(c.hi, a.hi, b)); }
static CP_INLINE v8 v8_spread(const float *p, const int group, const int c) {
    return v8_of(vdupq_n_f32(p[c]), vdupq_n_f32(p[group == 4 ? 4 + c : c]));
}
static CP_INLINE v8 v8_if_less(v8 x, v8 y, v8 yes, v8 no) {
    return v8_of(vbslq_f32(vcltq_f32(x.lo, y.lo), yes.lo, no.lo), vbslq_f32(vcltq_f32(x.hi, y.hi), yes.hi, no.hi));
}
static CP_INLINE v8 v8_clip(v8 x, v8 lo, v8 hi) {
    x = v8_if_less(x, lo, lo, x);
    return v8_if_less(hi, x, hi, x);
}
static CP_INLINE float32x4_t v4_max_first(float32x4_t max, float32x4_t x) {
    /* Not (x <= max) is "greater or unordered"; a NaN already in max must stay, which it does: any NaN will do. */
    return vbslq_f32(vcleq_f32(x, max), max, vbslq_f32(vceqq_f32(max, max), x, max));
}
static CP_INLINE v8 v8_max_first(v8 max, v8 x) { return v8_of(v4_max_first(max.lo, x.lo), v4_max_first(max.hi, x.hi)); }
static CP_INLINE v8 v8_max3_first(v8 a, v8 b, v8 c) { return v8_max_first(v8_max_first(a, b), c); }
static CP_INLINE uint32x4_t v4_takes(float32x4_t max, float32x4_t x) {
    return vandq_u32(vmvnq_u32(vcleq_f32(x, max)), vceqq_f32(max, max));
}
static CP_INLINE void v8_max_first_at(v8 *max, v8 *at, v8 x, v8 x_at) {
    const uint32x4_t lo = v4_takes(max->lo, x.lo), hi = v4_takes(max->hi, x.hi);
    *max = v8_of(vbslq_f32(lo, x.lo, max->lo), vbslq_f32(hi, x.hi, max->hi));
    *at = v8_of(vbslq_f32(lo, x_at.lo, at->lo), vbslq_f32(hi, x_at.hi, at->hi));
}
static CP_INLINE void v8_max_at(v8 *max, v8 *at, v8 x, v8 x_at) {
    const uint32x4_t lo = vcgtq_f32(x.lo, max->lo), hi = vcgtq_f32(x.hi, max->hi);
    *max = v8_of(vbslq_f32(lo, x.lo, max->lo), vbslq_f32(hi, x.hi, max->hi));
    *at = v8_of(vbslq_f32(lo, x_at.lo, at->lo), vbslq_f32(hi, x_at.hi, at->hi));
}
static CP_INLINE v8_mask v8_unordered(v8 a, v8 b) {
    const uint32x4_t lo = vandq_u32(vceqq_f32(a.lo, a.lo), vceqq_f32(b.lo, b.lo));
    const uint32x4_t hi = vandq_u32(vceqq_f32(a.hi, a.hi), vceqq_f32(b.hi, b.hi));
    const uint32_t bits[] = {1, 2, 4, 8};
    const uint32x4_t bit = vld1q_u32(bits);
    return vaddvq_u32(vbicq_u32(bit, lo)) | vaddvq_u32(vbicq_u32(bit, hi)) << 4;
}
static CP_INLINE v8_mask v8_denormal(v8 a) {
    const uint32_t bits[] = {1, 2, 4, 8};
    const uint32x4_t bit = vld1q_u32(bits), one = vdupq_n_u32(1), end = vdupq_n_u32(0x00FFFFFFu);
    const uint32x4_t lo = vcltq_u32(vsubq_u32(vshlq_n_u32(vreinterpretq_u32_f32(a.lo), 1), one), end);
    const uint32x4_t hi = vcltq_u32(vsubq_u32(vshlq_n_u32(vreinterpretq_u32_f32(a.hi), 1), one), end);
    return vaddvq_u32(vandq_u32(bit, lo)) | vaddvq_u32(vandq_u32(bit, hi)) << 4;
}
static CP_INLINE bool v8_any(v8_mask m) { return m != 0; }
static CP_INLINE v8 v8_load_places(const int32_t *p) {
    return v8_of(vreinterpretq_f32_s32(vld1q_s32(p)), vreinterpretq_f32_s32(vld1q_s32(p + 4)));
}
static CP_INLINE v8 v8_add_places(v8 a, int32_t b) {
    const int32x4_t by = vdupq_n_s32(b);
    return v8_of(vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(a.lo), by)),
                 vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(a.hi), by)));
}
static CP_INLINE void v8_store_places(int64_t *p, v8 a, int64_t base, const bool stream) {
    (void)stream;
    const int32x4_t lo = vreinterpretq_s32_f32(a.lo), hi = vreinterpretq_s32_f32(a.hi);
    const int64x2_t from = vdupq_n_s64(base);
    vst1q_s64(p, vaddw_s32(from, vget_low_s32(lo)));
    vst1q_s64(p + 2, vaddw_s32(from, vget_high_s32(lo)));
    vst1q_s64(p + 4, vaddw_s32(from, vget_low_s32(hi)));
    vst1q_s64(p + 6, vaddw_s32(from, vget_high_s32(hi)));
}
static CP_INLINE void v8_store_picked_places(int64_t *p, v8 a, int64_t base, const bool stream) {
    v8_store_places(p, v8_in_order(a), base, stream);
}
static CP_INLINE void v8_storen_places(int64_t *p, v8 a, int64_t base, int64_t n) {
    int64_t t[8];
    v8_store_places(t, a, base, false);
    memcpy(p, t, (size_t)n * sizeof *p);
}
static CP_INLINE v8 v8_load_u8(const uint8_t *p) {
    const uint16x8_t words = vmovl_u8(vld1_u8(p));
    return v8_of(vcvtq_f32_u32(vmovl_u16(vget_low_u16(words))), vcvtq_f32_u32(vmovl_u16(vget_high_u16(words))));
}
static CP_INLINE void v8_storen_u8(uint8_t *p, v8 a, int64_t n) {
    const v8 clipped = v8_clip(a, v8_zero(), v8_set1(255.0f));
    const uint16x4_t lo = vmovn_u32(vcvtnq_u32_f32(clipped.lo)), hi = vmovn_u32(vcvtnq_u32_f32(clipped.hi));
    uint8_t bytes[8];
    vst1_u8(bytes, vmovn_u16(vcombine_u16(lo, hi)));
    memcpy(p, bytes, (size_t)n);
}
static CP_INLINE float32x4_t v4_pow2_of_biased(float32x4_t t) {
    return vreinterpretq_f32_u32(vaddq_u32(vshlq_n_u32(vreinterpretq_u32_f32(t), 23), vdupq_n_u32(0x3F800000u)));
}
static CP_INLINE v8 v8_pow2_of_biased(v8 t) { return v8_of(v4_pow2_of_biased(t.lo), v4_pow2_of_biased(t.hi)); }
static CP_INLINE void v4_transpose(float32x4_t r[4]) {
    const float32x4x2_t a = vtrnq_f32(r[0], r[1]), b = vtrnq_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}
static CP_INLINE void v8_transpose(v8 r[8]) {
    float32x4_t a[4] = {r[0].lo, r[1].lo, r[2].lo, r[3].lo}, b[4] = {r[0].hi, r[1].hi, r[2].hi, r[3].hi};
    float32x4_t c[4] = {r[4].lo, r[5].lo, r[6].lo, r[7].lo}, d[4] = {r[4].hi, r[5].hi, r[6].hi, r[7].hi};
    v4_transpose(a);
    v4_transpose(b);
    v4_transpose(c);
    v4_transpose(d);
    for (int i = 0; i < 4; i++) {
        r[i] = v8_of(a[i], c[i]);
        r[i + 4] = v8_of(b[i], d[i]);
    }
}
static CP_INLINE void v8_load_transposed(const float *p, int64_t pitch, v8 t[8]) {
    CP_UNROLL
    for (int l = 0; l < 8; l++) t[l] = v8_load(p + l * pitch);
    v8_transpose(t);
}
static CP_INLINE v8 v8_sums(const v8 p[8]) {
    float32x4_t s[4]; /* two sums of each of two vectors */
    for (int k = 0; k < 4; k++) {
        const float32x4_t a = vaddq_f32(p[2 * k].lo, p[2 * k].hi), b = vaddq_f32(p[2 * k + 1].lo, p[2 * k + 1].hi);
        s[k] = vcombine_f32(vadd_f32(vget_low_f32(a), vget_high_f32(a)), vadd_f32(vget_low_f32(b), vget_high_f32(b)));
    }
    return v8_of(vpaddq_f32(s[0], s[1]), vpaddq_f32(s[2], s[3]));
}
enum { CP_ALIGNED = 1 };
#include "simd/vec_pair.h"

static CP_INLINE float cp_fma(float a, float b, float c) {
    return vget_lane_f32(vfma_f32(vdup_n_f32(c), vdup_n_f32(a), vdup_n_f32(b)), 0);
}
static CP_INLINE float cp_sqrt(float a) { return vget_lane_f32(vsqrt_f32(vdup_n_f32(a)), 0); }

#include "simd/vec_wide8.h"
static CP_INLINE void vw_stream(float *p, vw a) { v8_store(p, a); }
static CP_INLINE void vw_stream_end(void) {}
static CP_INLINE vw vw_keep(vw a) { return a; }

#endif
