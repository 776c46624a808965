/* SPDX-License-Identifier: MIT
 * The vector vocabulary in portable C, and its definition: v8 is 8 floats, every operation is per lane and rounds once. */
#ifndef CP_VEC_SCALAR_H
#define CP_VEC_SCALAR_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "common.h"

/* Vectors live in memory here, and a kernel that is unrolled, or has all its calls inlined, would be thousands of emulated
 * multiply-adds: 55 instead of 7 seconds to compile. */
#undef CP_UNROLL
#define CP_UNROLL
#undef CP_INLINE
#define CP_INLINE inline

typedef struct v8 {
    float f[8];
} v8;

/* a * b + c, rounded once. The product of two floats is exact in double; the sum is rounded to odd (the last bit set whenever
 * digits were lost), so that the final rounding to float sees on which side of a tie the exact sum lies (Boldo, Melquiond:
 * Emulation of FMA and correctly rounded sums, 2008). */
static inline float cp_fma(float a, float b, float c) {
    const double product = (double)a * (double)b, addend = (double)c;
    double sum = product + addend;
    const double part = sum - product;
    const double lost = (product - (sum - part)) + (addend - part);
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    if (lost != 0.0 && (bits & 1) == 0 && (bits >> 52 & 0x7FF) != 0x7FF) {
        bits += (lost > 0.0) == (sum > 0.0) ? 1 : (uint64_t)-1;
        memcpy(&sum, &bits, sizeof sum);
    }
    return (float)sum;
}
/* IEEE 754 square root, which every libm and compiler rounds correctly. */
static CP_INLINE float cp_sqrt(float a) { return sqrtf(a); }

#define CP_LANES(expression)                                                                                                       \
    v8 r;                                                                                                                          \
    for (int i = 0; i < 8; i++) r.f[i] = (expression);                                                                             \
    return r

static CP_INLINE v8 v8_set1(float x) { CP_LANES(x); }
static CP_INLINE v8 v8_zero(void) { CP_LANES(0.0f); }
static CP_INLINE v8 v8_load(const float *p) { CP_LANES(p[i]); }
static CP_INLINE void v8_store(float *p, v8 a) { memcpy(p, a.f, sizeof a.f); }
/* Four neighbours, and the four that are `step` floats behind. */
static CP_INLINE v8 v8_load_fours(const float *p, int64_t step) { CP_LANES(p[i / 4 * step + i % 4]); }
/* The first n (0..8) elements; nothing beyond them is touched, and a load has zeros there. */
static CP_INLINE v8 v8_loadn(const float *p, int64_t n) { CP_LANES(i < n ? p[i] : 0.0f); }
static CP_INLINE void v8_storen(float *p, v8 a, int64_t n) { memcpy(p, a.f, (size_t)n * sizeof(float)); }
/* Some of the elements: those with begin <= i < end, or those of either mask. A masked load has zeros elsewhere and touches nothing
 * else, nor does a masked store. */
typedef uint32_t v8_mask;
static CP_INLINE v8_mask v8_range(int64_t begin, int64_t end) {
    const uint32_t early = (1u << CP_MAX(0, CP_MIN(begin, 8))) - 1;
    return ((1u << CP_MAX(0, CP_MIN(end, 8))) - 1) & ~early;
}
static CP_INLINE v8_mask v8_either(v8_mask a, v8_mask b) { return a | b; }
static CP_INLINE v8 v8_load_masked(const float *p, v8_mask m) { CP_LANES(m >> i & 1 ? p[i] : 0.0f); }
static CP_INLINE void v8_store_masked(float *p, v8 a, v8_mask m) {
    for (int i = 0; i < 8; i++) {
        if (m >> i & 1) p[i] = a.f[i];
    }
}
static CP_INLINE v8 v8_if_masked(v8_mask m, v8 yes, v8 no) { CP_LANES(m >> i & 1 ? yes.f[i] : no.f[i]); }
/* Of x, the lane `by` (-2 to 2) after each of the mask; zeros elsewhere. Lanes beyond the ends of x are not in the mask. */
static CP_INLINE v8 v8_moved(v8 x, const int by, v8_mask m) { CP_LANES(m >> i & 1 ? x.f[(i + by) & 7] : 0.0f); }
/* Every other element of lo = p[0..7], hi = p[8..15]: the even or the odd ones. Lanes come in an order of the instruction set's
 * own, the same for all picks; v8_in_order restores it, once, after whatever was done lane by lane. */
static CP_INLINE v8 v8_pick_even(v8 lo, v8 hi) { CP_LANES(i < 4 ? lo.f[2 * i] : hi.f[2 * i - 8]); }
static CP_INLINE v8 v8_pick_odd(v8 lo, v8 hi) { CP_LANES(i < 4 ? lo.f[2 * i + 1] : hi.f[2 * i - 7]); }
/* The even ones of lo = p[0..7], hi = p[7..14]; p[15] need not exist. */
static CP_INLINE v8 v8_pick_even7(v8 lo, v8 hi) { CP_LANES(i < 4 ? lo.f[2 * i] : hi.f[2 * i - 7]); }
/* From picked ones to those that follow them, the last of which is `next`. */
static CP_INLINE v8 v8_pick_ahead(v8 picked, float next) { CP_LANES(i < 7 ? picked.f[i + 1] : next); }
static CP_INLINE v8 v8_in_order(v8 picked) { return picked; }
/* Every third element of a, b, c, 8 neighbours each, from element k (0 to 2) on. Lanes come in an order as above, but one that
 * v8_thirds_in_order restores. */
static CP_INLINE v8 v8_pick_third(v8 a, v8 b, v8 c, const int k) {
    CP_LANES(3 * i + k < 8 ? a.f[(3 * i + k) & 7] : 3 * i + k < 16 ? b.f[(3 * i + k) & 7] : c.f[(3 * i + k) & 7]);
}
static CP_INLINE v8 v8_thirds_in_order(v8 picked) { return picked; }
/* Lane from[k] as lane k. */
static CP_INLINE v8 v8_lanes(v8 x, const int32_t *from) { CP_LANES(x.f[from[i]]); }
/* One place on: the last lane of `previous`, then all of x but its last; or all of x but its first, then the first of `next`. Of
 * picks, the same in their order. */
static CP_INLINE v8 v8_before(v8 previous, v8 x) { CP_LANES(i == 0 ? previous.f[7] : x.f[CP_MAX(i, 1) - 1]); }
static CP_INLINE v8 v8_after(v8 x, v8 next) { CP_LANES(i == 7 ? next.f[0] : x.f[CP_MIN(i, 6) + 1]); }
static CP_INLINE v8 v8_picked_before(v8 previous, v8 x) { return v8_before(previous, x); }
static CP_INLINE v8 v8_add(v8 a, v8 b) { CP_LANES(a.f[i] + b.f[i]); }
static CP_INLINE v8 v8_sub(v8 a, v8 b) { CP_LANES(a.f[i] - b.f[i]); }
static CP_INLINE v8 v8_mul(v8 a, v8 b) { CP_LANES(a.f[i] * b.f[i]); }
static CP_INLINE v8 v8_div(v8 a, v8 b) { CP_LANES(a.f[i] / b.f[i]); }
static CP_INLINE v8 v8_sqrt(v8 a) { CP_LANES(cp_sqrt(a.f[i])); }
static CP_INLINE v8 v8_abs(v8 a) { CP_LANES(fabsf(a.f[i])); }
static CP_INLINE v8 v8_copysign(v8 magnitude, v8 sign) { CP_LANES(copysignf(magnitude.f[i], sign.f[i])); }
/* a * b + c */
static CP_INLINE v8 v8_fma(v8 a, v8 b, v8 c) { CP_LANES(cp_fma(a.f[i], b.f[i], c.f[i])); }
static CP_INLINE v8 v8_fma1(v8 a, float b, v8 c) { CP_LANES(cp_fma(a.f[i], b, c.f[i])); }
/* Lane i is p[i / group * group + c], for groups of 4 or 8. */
static CP_INLINE v8 v8_spread(const float *p, const int group, const int c) { CP_LANES(p[i / group * group + c]); }
/* x < y ? yes : no */
static CP_INLINE v8 v8_if_less(v8 x, v8 y, v8 yes, v8 no) { CP_LANES(x.f[i] < y.f[i] ? yes.f[i] : no.f[i]); }
/* x < lo ? lo : x > hi ? hi : x; NaN stays, and so does the sign of a zero. lo <= hi. */
static CP_INLINE v8 v8_clip(v8 x, v8 lo, v8 hi) { CP_LANES(x.f[i] < lo.f[i] ? lo.f[i] : x.f[i] > hi.f[i] ? hi.f[i] : x.f[i]); }
/* One step of the max scan: x if it is greater or NaN, else max; a NaN in max stays NaN. */
static CP_INLINE v8 v8_max_first(v8 max, v8 x) { CP_LANES(x.f[i] > max.f[i] || x.f[i] != x.f[i] ? x.f[i] : max.f[i]); }
/* The scan over a, b, c. */
static CP_INLINE v8 v8_max3_first(v8 a, v8 b, v8 c) { return v8_max_first(v8_max_first(a, b), c); }
/* A step of the scan for a maximum and where it was found. */
static CP_INLINE void v8_max_first_at(v8 *max, v8 *at, v8 x, v8 x_at) {
    for (int i = 0; i < 8; i++) {
        if (x.f[i] > max->f[i] || (x.f[i] != x.f[i] && max->f[i] == max->f[i])) {
            max->f[i] = x.f[i];
            at->f[i] = x_at.f[i];
        }
    }
}
/* The same where neither is NaN. */
static CP_INLINE void v8_max_at(v8 *max, v8 *at, v8 x, v8 x_at) { v8_max_first_at(max, at, x, x_at); }
/* Lanes where a or b is NaN, and whether a mask has any. */
static CP_INLINE v8_mask v8_unordered(v8 a, v8 b) {
    v8_mask m = 0;
    for (int i = 0; i < 8; i++) m |= (v8_mask)(a.f[i] != a.f[i] || b.f[i] != b.f[i]) << i;
    return m;
}
static CP_INLINE bool v8_any(v8_mask m) { return m != 0; }
/* Lanes that are neither 0 nor at least 2^-126 in magnitude. */
static CP_INLINE v8_mask v8_denormal(v8 a) {
    v8_mask m = 0;
    for (int i = 0; i < 8; i++) m |= (v8_mask)(a.f[i] != 0.0f && fabsf(a.f[i]) < 0x1p-126f) << i;
    return m;
}
/* Places are int32 in the lanes of a vector. */
static CP_INLINE v8 v8_load_places(const int32_t *p) {
    v8 r;
    memcpy(r.f, p, sizeof r.f);
    return r;
}
static CP_INLINE v8 v8_add_places(v8 a, int32_t b) {
    int32_t at[8];
    memcpy(at, a.f, sizeof at);
    for (int i = 0; i < 8; i++) at[i] += b;
    return v8_load_places(at);
}
/* p[i] = base + a[i], of all, of the first n, and of those that lie in the order of picks; stored as by vw_stream if `stream`. None
 * is negative. */
static CP_INLINE void v8_storen_places(int64_t *p, v8 a, int64_t base, int64_t n) {
    int32_t at[8];
    memcpy(at, a.f, sizeof at);
    for (int64_t i = 0; i < n; i++) p[i] = base + at[i];
}
static CP_INLINE void v8_store_places(int64_t *p, v8 a, int64_t base, const bool stream) {
    (void)stream;
    v8_storen_places(p, a, base, 8);
}
static CP_INLINE void v8_store_picked_places(int64_t *p, v8 a, int64_t base, const bool stream) {
    v8_store_places(p, v8_in_order(a), base, stream);
}
/* Bytes as floats, and the first n (1..8) floats as bytes: clipped, to nearest even. None is NaN. */
static CP_INLINE v8 v8_load_u8(const uint8_t *p) { CP_LANES((float)p[i]); }
static CP_INLINE void v8_storen_u8(uint8_t *p, v8 a, int64_t n) {
    for (int64_t i = 0; i < n; i++) p[i] = (uint8_t)(int)(CP_MAX(0.0f, CP_MIN(a.f[i], 255.0f)) + 8388608.0f - 8388608.0f);
}
/* The float whose bits are (bits(t) << 23) + 0x3F800000. */
static CP_INLINE v8 v8_pow2_of_biased(v8 t) {
    uint32_t bits[8];
    memcpy(bits, t.f, sizeof bits);
    for (int i = 0; i < 8; i++) bits[i] = (bits[i] << 23) + 0x3F800000u;
    memcpy(t.f, bits, sizeof bits);
    return t;
}
/* r[i] lane j becomes r[j] lane i. */
static CP_INLINE void v8_transpose(v8 r[8]) {
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < i; j++) {
            const float t = r[i].f[j];
            r[i].f[j] = r[j].f[i];
            r[j].f[i] = t;
        }
    }
}
/* Lane l of t[k] is p[l * pitch + k]. */
static CP_INLINE void v8_load_transposed(const float *p, int64_t pitch, v8 t[8]) {
    for (int l = 0; l < 8; l++) t[l] = v8_load(p + l * pitch);
    v8_transpose(t);
}
/* Lane k is the sum of the lanes of p[k]: q[i] = p[k][i] + p[k][i + 4], then (q[0] + q[2]) + (q[1] + q[3]). */
static CP_INLINE v8 v8_sums(const v8 p[8]) {
    CP_LANES(((p[i].f[0] + p[i].f[4]) + (p[i].f[2] + p[i].f[6])) + ((p[i].f[1] + p[i].f[5]) + (p[i].f[3] + p[i].f[7])));
}
/* Loads are fastest from multiples of so many floats. */
enum { CP_ALIGNED = 1 };

/* v16 is 16 floats: a pair of v8, or one register where there is one that wide. */
#include "simd/vec_pair.h"

#undef CP_LANES

#include "simd/vec_wide8.h"
/* Stores past the caches, if there is a way, to an address that is a multiple of the vector's size. Other threads may read what was
 * stored after vw_stream_end. */
static CP_INLINE void vw_stream(float *p, vw a) { v8_store(p, a); }
static CP_INLINE void vw_stream_end(void) {}
/* The same value, which stays in a register: GCC would rather load it again for each use. */
static CP_INLINE vw vw_keep(vw a) { return a; }

#endif
