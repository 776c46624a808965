/* SPDX-License-Identifier: MIT
 *
 * The vector vocabulary of one instruction set, VEC_HEADER, lane by lane against plain C and a fused multiply-add that is known to
 * round right. Compiled once for each instruction set with the flags of its kernels.
 */
#include VEC_HEADER

#include "harness.h"
#include "oracle.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static options opts;
static tally verdicts;

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static bool same(float a, float b) { return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b)); }

static void expect(const char *what, float expected, float actual, float a, float b, float c) {
    if (same(expected, actual))
        verdicts.passed++;
    else
        tally_fail(&verdicts, &opts, "%s(%a, %a, %a): expected %a (0x%08X), got %a (0x%08X)", what, (double)a, (double)b, (double)c,
                   (double)expected, (unsigned)bits_of(expected), (double)actual, (unsigned)bits_of(actual));
}

/* ---------------------------------------------------------------------------------------------------------------- operands */

static float any_bits(rng *r) { return float_of((uint32_t)rng_next(r)); }

static float special(rng *r) {
    static const uint32_t bits[] = {0,           0x80000000u, 1,           0x80000001u, 0x007FFFFFu, 0x00800000u, 0x00800001u,
                                    0x7F7FFFFFu, 0xFF7FFFFFu, 0x7F800000u, 0xFF800000u, 0x7FC00000u, 0x3F800000u, 0x3F800001u,
                                    0x3F7FFFFFu, 0x33800000u, 0x34000000u, 0x5F800000u, 0x1F800000u, 0x4B800000u};
    return float_of(bits[rng_range(r, 0, sizeof bits / sizeof *bits - 1)]);
}

/* Odd integer of `digits` binary digits. */
static float odd(rng *r, int digits) { return (float)(rng_range(r, (int64_t)1 << (digits - 1), ((int64_t)1 << digits) - 1) | 1); }

static float signed_power(rng *r, int lo, int hi) {
    const float x = ldexpf(1.0f, (int)rng_range(r, lo, hi));
    return rng_chance(r, 50) ? -x : x;
}

/* Odd integer times a power of two. */
static float scaled_odd(rng *r, int digits, int lo, int hi) {
    const float scale = signed_power(r, lo, hi);
    return odd(r, digits) * scale;
}

/* Operands of a * b + c that are hard to round. */
static void hard(rng *r, float *a, float *b, float *c) {
    const int digits = (int)rng_range(r, 1, 24);
    switch (rng_range(r, 0, 7)) {
    case 0: /* a product of 25 digits, halfway between two floats, and an addend too small to see in double */
        *a = scaled_odd(r, 12, -30, 30);
        *b = scaled_odd(r, 13, -30, 30);
        *c = signed_power(r, -149, -60);
        break;
    case 1: /* the same in one binade below and above, and an addend near half a unit */
        *a = odd(r, 12);
        *b = odd(r, 13);
        *c = scaled_odd(r, digits, -24, -17);
        break;
    case 2: /* cancellation down to the error of the product */
        *a = scaled_odd(r, 24, -20, 20);
        *b = scaled_odd(r, 24, -20, 20);
        *c = -(*a * *b);
        break;
    case 3: /* results among the denormals, halfway */
        *a = scaled_odd(r, 1 + digits / 2, -75, -75);
        *b = scaled_odd(r, 12, -90, -75);
        *c = rng_chance(r, 50) ? signed_power(r, -149, -126) : scaled_odd(r, digits, -149, -149);
        break;
    case 4: /* about the largest float */
        *a = odd(r, 24) * 0x1p40f;
        *b = ldexpf(1.0f, 64 - (int)rng_range(r, 0, 1)) * (rng_chance(r, 50) ? 1.0f : 0x1.fffffep-1f);
        *c = signed_power(r, 95, 105);
        break;
    case 5: /* an addend that is a halfway case with the product as the sticky part */
        *a = scaled_odd(r, digits, -70, -20);
        *b = signed_power(r, -70, -20);
        *c = odd(r, 24);
        break;
    case 6: /* special with special */
        *a = special(r);
        *b = special(r);
        *c = special(r);
        break;
    default:
        *a = any_bits(r);
        *b = rng_chance(r, 50) ? any_bits(r) : special(r);
        *c = any_bits(r);
        break;
    }
    if (rng_chance(r, 10)) *c = float_of(bits_of(*c) ^ 0x80000000u);
}

/* -------------------------------------------------------------------------------------------------------------- arithmetic */

typedef struct lanes {
    float f[8];
} lanes;

static lanes stored(v8 v) {
    lanes l;
    v8_store(l.f, v);
    return l;
}

static void test_arithmetic(rng *r) {
    float a[8], b[8], c[8], s;
    for (int i = 0; i < 8; i++) hard(r, &a[i], &b[i], &c[i]);
    s = b[0];
    const v8 va = v8_load(a), vb = v8_load(b), vc = v8_load(c);
    const lanes fma = stored(v8_fma(va, vb, vc)), fma1 = stored(v8_fma1(va, s, vc));
    const lanes add = stored(v8_add(va, vb)), sub = stored(v8_sub(va, vb)), mul = stored(v8_mul(va, vb));
    const lanes div = stored(v8_div(va, vb)), root = stored(v8_sqrt(va)), magnitude = stored(v8_abs(va));
    const lanes sign = stored(v8_copysign(va, vb)), less = stored(v8_if_less(va, vb, vc, va));
    const lanes equal = stored(v8_if_less(va, va, vb, vc)), max = stored(v8_max_first(va, vb));
    const lanes same_max = stored(v8_max_first(va, va)), set = stored(v8_set1(s)), zero = stored(v8_zero());
    const lanes power = stored(v8_pow2_of_biased(va));
    for (int i = 0; i < 8; i++) {
        const float x = a[i], y = b[i], z = c[i];
        expect("cp_fma", oracle_fma(x, y, z), cp_fma(x, y, z), x, y, z);
        expect("v8_fma", oracle_fma(x, y, z), fma.f[i], x, y, z);
        expect("v8_fma1", oracle_fma(x, s, z), fma1.f[i], x, s, z);
        expect("v8_add", x + y, add.f[i], x, y, 0);
        expect("v8_sub", x - y, sub.f[i], x, y, 0);
        expect("v8_mul", x * y, mul.f[i], x, y, 0);
        expect("v8_div", x / y, div.f[i], x, y, 0);
        expect("v8_sqrt", sqrtf(x), root.f[i], x, 0, 0);
        expect("cp_sqrt", sqrtf(x), cp_sqrt(x), x, 0, 0);
        expect("v8_abs", fabsf(x), magnitude.f[i], x, 0, 0);
        expect("v8_copysign", copysignf(x, y), sign.f[i], x, y, 0);
        expect("v8_if_less", x < y ? z : x, less.f[i], x, y, z);
        expect("v8_if_less of equals", z, equal.f[i], x, y, z);
        expect("v8_max_first", isnan(x) ? x : y > x || isnan(y) ? y : x, max.f[i], x, y, 0);
        expect("v8_max_first of equals", x, same_max.f[i], x, x, 0);
        expect("v8_set1", s, set.f[i], s, 0, 0);
        expect("v8_zero", 0.0f, zero.f[i], 0, 0, 0);
        expect("v8_pow2_of_biased", float_of((bits_of(x) << 23) + 0x3F800000u), power.f[i], x, 0, 0);
    }
}

static float first_max(float x, float y) { return isnan(x) ? x : y > x || isnan(y) ? y : x; }

/* Operations on 16 floats say the same as those on 8; the maximum's place goes with it. */
static void test_wide(rng *r) {
    float a[16], b[16], c[16], place[16], other[16], out[8][16];
    for (int i = 0; i < 16; i++) {
        hard(r, &a[i], &b[i], &c[i]);
        if (rng_chance(r, 30)) a[i] = special(r), b[i] = special(r);
        place[i] = (float)rng_range(r, -1, 99);
        other[i] = (float)rng_range(r, -1, 99);
    }
    const float s = b[0];
    const v16 va = v16_load(a), vb = v16_load(b), vc = v16_load(c);
    v16 max = va, at = v16_load(place);
    v16_max_first_at(&max, &at, vb, v16_load(other));
    const v16 results[8] = {v16_add(va, vb),     v16_div(va, vb),     v16_sqrt(va),          v16_abs(va),
                            v16_fma(va, vb, vc), v16_fma1(va, s, vc), v16_max_first(va, vb), max};
    for (int i = 0; i < 8; i++) v16_store(out[i], results[i]);
    v16_store(c, at);
    for (int i = 0; i < 16; i++) {
        const float x = a[i], y = b[i];
        const bool taken = y > x || (isnan(y) && !isnan(x));
        expect("v16_add", x + y, out[0][i], x, y, 0);
        expect("v16_div", x / y, out[1][i], x, y, 0);
        expect("v16_sqrt", sqrtf(x), out[2][i], x, 0, 0);
        expect("v16_abs", fabsf(x), out[3][i], x, 0, 0);
        expect("v16_max_first", first_max(x, y), out[6][i], x, y, 0);
        expect("v16_max_first_at", taken ? y : x, out[7][i], x, y, 0);
        expect("v16_max_first_at, place", taken ? other[i] : place[i], c[i], x, y, 0);
    }
    v16_store(out[0], v16_set1(s));
    v16_store(out[1], v16_zero());
    v16_store(out[2], v16_mul(va, vb));
    v16_store(c, vc);
    for (int i = 0; i < 16; i++) {
        expect("v16_fma", oracle_fma(a[i], b[i], c[i]), out[4][i], a[i], b[i], c[i]);
        expect("v16_fma1", oracle_fma(a[i], s, c[i]), out[5][i], a[i], s, c[i]);
        expect("v16_set1", s, out[0][i], s, 0, 0);
        expect("v16_zero", 0.0f, out[1][i], 0, 0, 0);
        expect("v16_mul", a[i] * b[i], out[2][i], a[i], b[i], 0);
    }
}

/* What pooling does in the widest vectors. */
static void test_widest_pooling(rng *r, guarded *g, guard_side side) {
    float a[CP_WIDE], b[CP_WIDE], c[CP_WIDE], place[CP_WIDE], other[CP_WIDE], line[3 * CP_WIDE], out[9][CP_WIDE];
    for (int i = 0; i < CP_WIDE; i++) {
        hard(r, &a[i], &b[i], &c[i]);
        if (rng_chance(r, 30)) a[i] = special(r), b[i] = special(r), c[i] = special(r);
        place[i] = (float)rng_range(r, -1, 99);
        other[i] = (float)rng_range(r, -1, 99);
    }
    for (int i = 0; i < 3 * CP_WIDE; i++) line[i] = any_bits(r);
    const vw va = vw_load(a), vb = vw_load(b), vc = vw_load(c), x = vw_load(line + 1);
    const vw before = vw_load(line + 1 + CP_WIDE), odd_ones = vw_pick_odd(vw_load(line), vw_load(line + CP_WIDE));
    vw_store(out[0], vw_mul(va, vb));
    vw_store(out[1], vw_div(va, vb));
    vw_store(out[2], vw_max_first(va, vb));
    vw_store(out[3], vw_max3_first(va, vb, vc));
    vw_store(out[4], vw_before(before, x));
    vw_store(out[5], vw_after(x, before));
    vw_store(out[6], vw_in_order(vw_picked_before(vw_set1(line[2 * CP_WIDE]), odd_ones)));
    vw max = va, at = vw_load(place);
    vw_max_first_at(&max, &at, vb, vw_load(other));
    vw_store(out[7], max);
    vw_store(out[8], at);
    for (int i = 0; i < CP_WIDE; i++) {
        const bool taken = b[i] > a[i] || (isnan(b[i]) && !isnan(a[i]));
        expect("vw_max_first_at", taken ? b[i] : a[i], out[7][i], a[i], b[i], 0);
        expect("vw_max_first_at, place", taken ? other[i] : place[i], out[8][i], a[i], b[i], 0);
        expect("vw_mul", a[i] * b[i], out[0][i], a[i], b[i], 0);
        expect("vw_div", a[i] / b[i], out[1][i], a[i], b[i], 0);
        expect("vw_max_first", first_max(a[i], b[i]), out[2][i], a[i], b[i], 0);
        expect("vw_max3_first", first_max(first_max(a[i], b[i]), c[i]), out[3][i], a[i], b[i], c[i]);
        expect("vw_before", line[i == 0 ? 2 * CP_WIDE : i], out[4][i], (float)i, 0, 0);
        expect("vw_after", line[i + 2], out[5][i], (float)i, 0, 0);
        expect("vw_picked_before", line[i == 0 ? 2 * CP_WIDE : 2 * i - 1], out[6][i], (float)i, 0, 0);
    }
    const vw line0 = vw_load(line), line1 = vw_load(line + CP_WIDE), line2 = vw_load(line + 2 * CP_WIDE);
    vw_store(out[0], vw_thirds_in_order(vw_pick_third(line0, line1, line2, 0)));
    vw_store(out[1], vw_thirds_in_order(vw_pick_third(line0, line1, line2, 1)));
    vw_store(out[2], vw_thirds_in_order(vw_pick_third(line0, line1, line2, 2)));
    for (int i = 0; i < 3 * CP_WIDE; i++) expect("vw_pick_third", line[i], out[i % 3][i / 3], (float)i, 0, 0);
    const int64_t begin = rng_range(r, 0, CP_WIDE), end = rng_range(r, begin, CP_WIDE);
    const float *there = guarded_place(g, (size_t)(end - begin) * sizeof(float), sizeof(float), 0, side);
    memcpy(g->data, line + begin, g->size);
    vw_store(out[7], vw_load_or(there - begin, vw_range(begin, end), va));
    for (int i = 0; i < CP_WIDE; i++) {
        expect("vw_load_or", begin <= i && i < end ? line[i] : a[i], out[7][i], (float)begin, (float)end, (float)i);
    }
    float *to = guarded_place(g, (size_t)(end - begin) * sizeof(float), sizeof(float), 0, side);
    vw_store_masked(to - begin, va, vw_range(begin, end));
    for (int64_t i = begin; i < end; i++) expect("vw_store_masked", a[i], to[i - begin], (float)begin, (float)end, (float)i);
    if (!guarded_intact(g)) tally_fail(&verdicts, &opts, "vw_store_masked wrote beyond %d to %d", (int)begin, (int)end);
}

/* Bytes as floats and back, magnitudes and roots. */
static void test_bytes(rng *r, guarded *g, guard_side side) {
    float a[CP_WIDE], out[CP_WIDE];
    const int64_t n = rng_range(r, 1, CP_WIDE);
    uint8_t *byte = guarded_place(g, CP_WIDE, 1, 0, side);
    for (int i = 0; i < CP_WIDE; i++) {
        byte[i] = (uint8_t)rng_range(r, 0, 255);
        a[i] = rng_chance(r, 10) ? 1e30f * (float)rng_range(r, -1, 1) : 0.5f * (float)rng_range(r, -20, 530);
    }
    if (rng_chance(r, 20)) a[0] = -INFINITY;
    vw_store(out, vw_load_u8(byte));
    for (int i = 0; i < CP_WIDE; i++) expect("vw_load_u8", (float)byte[i], out[i], (float)i, 0, 0);
    vw_store(out, vw_abs(vw_load(a)));
    for (int i = 0; i < CP_WIDE; i++) expect("vw_abs", fabsf(a[i]), out[i], a[i], 0, 0);
    vw_store(out, vw_sqrt(vw_abs(vw_load(a))));
    for (int i = 0; i < CP_WIDE; i++) expect("vw_sqrt", sqrtf(fabsf(a[i])), out[i], a[i], 0, 0);
    byte = guarded_place(g, (size_t)n, 1, 0, side);
    vw_storen_u8(byte, vw_load(a), n);
    for (int64_t i = 0; i < n; i++) {
        expect("vw_storen_u8", nearbyintf(fmaxf(0.0f, fminf(a[i], 255.0f))), (float)byte[i], a[i], (float)n, 0);
    }
    if (!guarded_intact(g)) tally_fail(&verdicts, &opts, "vw_storen_u8 wrote beyond %d", (int)n);
}

/* Maxima without NaN and their places, and indices from those. */
static void test_places(rng *r, guarded *g, guard_side side) {
    float a[CP_WIDE], b[CP_WIDE], out[2][CP_WIDE];
    int32_t place[2 * CP_WIDE], other[CP_WIDE], at[CP_WIDE];
    bool unordered = false;
    for (int i = 0; i < CP_WIDE; i++) {
        float unused;
        hard(r, &a[i], &b[i], &unused);
        if (rng_chance(r, 5)) a[i] = special(r);
        if (rng_chance(r, 5)) b[i] = special(r);
        unordered |= isnan(a[i]) || isnan(b[i]);
        other[i] = (int32_t)rng_range(r, 0, 1 << 24);
    }
    for (int i = 0; i < 2 * CP_WIDE; i++) place[i] = (int32_t)rng_range(r, 0, 1 << 24);
    expect("vw_any of vw_unordered", unordered, vw_any(vw_unordered(vw_load(a), vw_load(b))), 0, 0, 0);
    bool denormal = false;
    for (int i = 0; i < CP_WIDE; i++) denormal |= a[i] != 0.0f && fabsf(a[i]) < 0x1p-126f;
    expect("vw_any of vw_denormal", denormal, vw_any(vw_denormal(vw_load(a))), 0, 0, 0);
    float first[8];
    v8_store(first, v8_of_vw(vw_of_v8(v8_load(b))));
    for (int i = 0; i < 8; i++) expect("v8_of_vw of vw_of_v8", b[i], first[i], (float)i, 0, 0);
    const int32_t more = other[0];
    const vw added = vw_add_places(vw_load_places(place), more);
    memcpy(at, &added, sizeof at);
    for (int i = 0; i < CP_WIDE; i++) expect("vw_add_places", 0, (float)(place[i] + more - at[i]), (float)place[i], (float)more, 0);
    vw max = vw_load(a), taken = vw_load_places(place);
    vw_max_at(&max, &taken, vw_load(b), vw_load_places(other));
    vw_store(out[0], max);
    memcpy(at, &taken, sizeof at);
    for (int i = 0; i < CP_WIDE; i++) {
        if (isnan(a[i]) || isnan(b[i])) continue;
        expect("vw_max_at", b[i] > a[i] ? b[i] : a[i], out[0][i], a[i], b[i], 0);
        expect("vw_max_at, place", (float)(b[i] > a[i] ? other[i] : place[i]), (float)at[i], a[i], b[i], 0);
    }
    const int64_t base = (int64_t)1 << 40, n = rng_range(r, 0, CP_WIDE);
    int64_t *to = guarded_place(g, CP_WIDE * sizeof *to, sizeof *to, 0, side);
    vw_store_places(to, vw_load_places(place), base, false);
    for (int i = 0; i < CP_WIDE; i++) expect("vw_store_places", (float)place[i], (float)(to[i] - base), 0, 0, 0);
    if (!guarded_intact(g)) tally_fail(&verdicts, &opts, "vw_store_places wrote beyond %d", (int)CP_WIDE);
    vw_store_picked_places(to, vw_pick_even(vw_load_places(place), vw_load_places(place + CP_WIDE)), base, false);
    for (int i = 0; i < CP_WIDE; i++) expect("vw_store_picked_places", (float)place[2 * i], (float)(to[i] - base), 0, 0, 0);
    if (!guarded_intact(g)) tally_fail(&verdicts, &opts, "vw_store_picked_places wrote beyond %d", (int)CP_WIDE);
    to = guarded_place(g, CP_WIDE * sizeof *to, 64, 0, side);
    vw_store_places(to, vw_load_places(place), base, true);
    vw_stream_end();
    for (int i = 0; i < CP_WIDE; i++) expect("vw_store_places, streamed", (float)place[i], (float)(to[i] - base), 0, 0, 0);
    if (!guarded_intact(g)) tally_fail(&verdicts, &opts, "vw_store_places streamed beyond %d", (int)CP_WIDE);
    vw_store_picked_places(to, vw_pick_even(vw_load_places(place), vw_load_places(place + CP_WIDE)), base, true);
    vw_stream_end();
    for (int i = 0; i < CP_WIDE; i++)
        expect("vw_store_picked_places, streamed", (float)place[2 * i], (float)(to[i] - base), 0, 0, 0);
    if (!guarded_intact(g)) tally_fail(&verdicts, &opts, "vw_store_picked_places streamed beyond %d", (int)CP_WIDE);
    to = guarded_place(g, (size_t)n * sizeof *to, sizeof *to, 0, side);
    vw_storen_places(to, vw_load_places(place), base, n);
    for (int64_t i = 0; i < n; i++) expect("vw_storen_places", (float)place[i], (float)(to[i] - base), (float)n, 0, 0);
    if (!guarded_intact(g)) tally_fail(&verdicts, &opts, "vw_storen_places of %d wrote beyond them", (int)n);
}

/* Of one or two ranges of lanes, those that have a lane to take. */
static void test_widest_lanes(rng *r) {
    float a[CP_WIDE], b[CP_WIDE], out[CP_WIDE], moved[5][CP_WIDE];
    for (int i = 0; i < CP_WIDE; i++) a[i] = any_bits(r);
    for (int i = 0; i < CP_WIDE; i++) b[i] = any_bits(r);
    const int64_t cut = rng_range(r, 0, CP_WIDE), begin = rng_range(r, 2, CP_WIDE - 2), end = rng_range(r, begin, CP_WIDE - 2);
    const vw_mask before = vw_range(2, CP_MIN(cut, CP_WIDE - 2)), mask = vw_either(before, vw_range(begin, end));
    const vw va = vw_load(a);
    vw_store(out, vw_if_masked(mask, va, vw_load(b)));
    vw_store(moved[0], vw_moved(va, -2, mask));
    vw_store(moved[1], vw_moved(va, -1, mask));
    vw_store(moved[2], vw_moved(va, 0, mask));
    vw_store(moved[3], vw_moved(va, 1, mask));
    vw_store(moved[4], vw_moved(va, 2, mask));
    for (int i = 0; i < CP_WIDE; i++) {
        const bool in = (i >= 2 && i < cut && i < CP_WIDE - 2) || (begin <= i && i < end);
        expect("vw_either and vw_if_masked", in ? a[i] : b[i], out[i], (float)begin, (float)end, (float)cut);
        for (int by = -2; by <= 2; by++) {
            expect("vw_moved", in ? a[i + by] : 0.0f, moved[by + 2][i], (float)i, (float)by, 0);
        }
    }
}

static void test_widest(rng *r, guarded *g, guard_side side) {
    float a[CP_WIDE], b[CP_WIDE], c[CP_WIDE], out[8][CP_WIDE];
    for (int i = 0; i < CP_WIDE; i++) hard(r, &a[i], &b[i], &c[i]);
    const float s = b[0];
    const vw va = vw_load(a), vb = vw_load(b), vc = vw_load(c);
    vw_store(out[0], vw_fma1(va, s, vc));
    vw_store(out[1], vw_add(va, vb));
    vw_store(out[2], vw_sub(va, vb));
    vw_store(out[3], vw_mul1(va, s));
    vw_store(out[4], vw_zero());
    vw_store(out[7], vw_keep(va));
    for (int i = 0; i < CP_WIDE; i++) {
        expect("vw_fma1", oracle_fma(a[i], s, c[i]), out[0][i], a[i], s, c[i]);
        expect("vw_add", a[i] + b[i], out[1][i], a[i], b[i], 0);
        expect("vw_sub", a[i] - b[i], out[2][i], a[i], b[i], 0);
        expect("vw_mul1", a[i] * s, out[3][i], a[i], s, 0);
        expect("vw_zero", 0.0f, out[4][i], 0, 0, 0);
        expect("vw_keep", a[i], out[7][i], a[i], 0, 0);
    }
    for (int64_t n = 0; n <= CP_WIDE; n++) {
        float *p = guarded_place(g, (size_t)n * sizeof(float), sizeof(float), 0, side);
        memcpy(p, a, (size_t)n * sizeof(float));
        vw_store(out[5], vw_loadn(p, n));
        for (int64_t i = 0; i < CP_WIDE; i++) expect("vw_loadn", i < n ? a[i] : 0.0f, out[5][i], (float)n, (float)i, 0);
    }
    float *p = guarded_place(g, CP_WIDE * sizeof(float), sizeof(float), sizeof(float), side);
    for (int64_t n = 0; n <= CP_WIDE; n++) {
        float *part = guarded_place(g, (size_t)n * sizeof(float), sizeof(float), 0, side);
        vw_storen(part, va, n);
        for (int64_t i = 0; i < n; i++) expect("vw_storen", a[i], part[i], (float)n, (float)i, 0);
        if (!guarded_intact(g)) tally_fail(&verdicts, &opts, "vw_storen wrote beyond %d", (int)n);
        const int64_t begin = rng_range(r, 0, n);
        for (int64_t i = 0; i < n; i++) part[i] = a[i];
        vw_store(out[5], vw_load_masked(part, vw_range(begin, n)));
        for (int64_t i = 0; i < CP_WIDE; i++) {
            expect("vw_load_masked", i >= begin && i < n ? a[i] : 0.0f, out[5][i], (float)n, (float)begin, 0);
        }
    }
    p = guarded_place(g, CP_WIDE * sizeof(float), sizeof(float), 0, side);
    float line[2 * CP_WIDE];
    for (int i = 0; i < 2 * CP_WIDE; i++) line[i] = any_bits(r);
    const vw lo = vw_load(line), hi = vw_load(line + CP_WIDE);
    vw_store(out[0], vw_in_order(vw_pick_even(lo, hi)));
    vw_store(out[1], vw_in_order(vw_pick_odd(lo, hi)));
    vw_store(out[2], vw_in_order(vw_pick_ahead(vw_pick_odd(lo, hi), s)));
    vw_store(out[3], vw_fma(va, vb, vc));
    vw_store(out[4], vw_set1(s));
    vw_store(out[5], vw_clip(va, vw_set1(-1.0f), vw_set1(2.0f)));
    int32_t from[CP_WIDE];
    for (int i = 0; i < CP_WIDE; i++) from[i] = (int32_t)rng_range(r, 0, CP_WIDE - 1);
    vw_store(out[6], vw_lanes(va, from));
    for (int i = 0; i < CP_WIDE; i++) expect("vw_lanes", a[from[i]], out[6][i], (float)from[i], (float)i, 0);
    for (int i = 0; i < CP_WIDE; i++) {
        expect("vw_pick_even", line[2 * i], out[0][i], (float)i, 0, 0);
        expect("vw_pick_odd", line[2 * i + 1], out[1][i], (float)i, 0, 0);
        expect("vw_pick_ahead", i + 1 < CP_WIDE ? line[2 * i + 3] : s, out[2][i], (float)i, 0, 0);
        expect("vw_fma", oracle_fma(a[i], b[i], c[i]), out[3][i], a[i], b[i], c[i]);
        expect("vw_set1", s, out[4][i], s, 0, 0);
        expect("vw_clip", a[i] < -1.0f ? -1.0f : a[i] > 2.0f ? 2.0f : a[i], out[5][i], a[i], -1, 2);
    }
    vw_store(p, va);
    vw_store(out[6], vw_load(p));
    for (int i = 0; i < CP_WIDE; i++) expect("vw_store and vw_load", a[i], out[6][i], (float)i, 0, 0);
    if (!guarded_intact(g)) tally_fail(&verdicts, &opts, "vw_store wrote beyond %d", (int)CP_WIDE);
    p = guarded_place(g, CP_WIDE * sizeof(float), CP_WIDE * sizeof(float), 0, side);
    vw_stream(p, vb);
    vw_stream_end();
    for (int i = 0; i < CP_WIDE; i++) expect("vw_stream", b[i], p[i], (float)i, 0, 0);
    if (!guarded_intact(g)) tally_fail(&verdicts, &opts, "vw_stream wrote beyond %d", (int)CP_WIDE);
}

/* ------------------------------------------------------------------------------------------------------------------ memory */

/* Loads and stores at both ends of accessible memory: exactly the promised elements are touched. */
static void test_memory(rng *r, guarded *g, guard_side side) {
    for (int64_t n = 0; n <= 8; n++) {
        float *p = guarded_place(g, (size_t)n * sizeof(float), sizeof(float), 0, side);
        float in[8];
        for (int64_t i = 0; i < n; i++) p[i] = in[i] = any_bits(r);
        const lanes loaded = stored(v8_loadn(p, n));
        for (int64_t i = 0; i < 8; i++) expect("v8_loadn", i < n ? in[i] : 0.0f, loaded.f[i], (float)n, (float)i, 0);
        lanes out;
        for (int i = 0; i < 8; i++) out.f[i] = any_bits(r);
        v8_storen(p, v8_load(out.f), n);
        for (int64_t i = 0; i < n; i++) expect("v8_storen", out.f[i], p[i], (float)n, (float)i, 0);
        if (!guarded_intact(g)) tally_fail(&verdicts, &opts, "v8_storen of %d wrote beyond them", (int)n);
    }
    float *p = guarded_place(g, 8 * sizeof(float), sizeof(float), sizeof(float), side);
    lanes in;
    for (int i = 0; i < 8; i++) in.f[i] = any_bits(r);
    v8_store(p, v8_load(in.f));
    const lanes loaded = stored(v8_load(p));
    for (int i = 0; i < 8; i++) expect("v8_store and v8_load", in.f[i], loaded.f[i], (float)i, 0, 0);
    if (!guarded_intact(g)) tally_fail(&verdicts, &opts, "v8_store wrote beyond 8");

    float sixteen[16];
    for (int i = 0; i < 16; i++) sixteen[i] = any_bits(r);
    const v8 lo = v8_load(sixteen), hi = v8_load(sixteen + 8), hi7 = v8_load(sixteen + 7);
    const lanes even = stored(v8_in_order(v8_pick_even(lo, hi))), odd_ones = stored(v8_in_order(v8_pick_odd(lo, hi)));
    const lanes even7 = stored(v8_in_order(v8_pick_even7(lo, hi7)));
    for (int i = 0; i < 8; i++) {
        expect("v8_pick_even", sixteen[2 * i], even.f[i], (float)i, 0, 0);
        expect("v8_pick_odd", sixteen[2 * i + 1], odd_ones.f[i], (float)i, 0, 0);
        expect("v8_pick_even7", sixteen[2 * i], even7.f[i], (float)i, 0, 0);
    }
}

/* What 16 floats in memory become, spread over lanes. */
static void test_wide_memory(rng *r, guarded *g, guard_side side) {
    float out[16], in[16];
    for (int i = 0; i < 16; i++) in[i] = any_bits(r);
    const float *sixteen = memcpy(guarded_place(g, 16 * sizeof(float), sizeof(float), 0, side), in, 16 * sizeof(float));
    const v16 of4[4] = {v16_spread(sixteen, 4, 0), v16_spread(sixteen, 4, 1), v16_spread(sixteen, 4, 2), v16_spread(sixteen, 4, 3)};
    const v16 of8[2] = {v16_spread(sixteen, 8, 0), v16_spread(sixteen, 8, 7)};
    for (int c = 0; c < 4; c++) {
        v16_store(out, of4[c]);
        for (int i = 0; i < 16; i++) expect("v16_spread, 4", in[i / 4 * 4 + c], out[i], (float)i, (float)c, 0);
    }
    for (int k = 0; k < 2; k++) {
        v16_store(out, of8[k]);
        for (int i = 0; i < 16; i++) expect("v16_spread, 8", in[i / 8 * 8 + 7 * k], out[i], (float)i, (float)(7 * k), 0);
    }
}

/* Only elements [begin, end) exist. A range may begin and end far outside the vector. */
static void test_masks(rng *r, guarded *g, guard_side side) {
    const int64_t far = ((int64_t)1 << 31) + 5;
    for (int64_t begin = 0; begin <= 8; begin++)
        for (int64_t end = begin; end <= 8; end++) {
            const float *there = guarded_place(g, (size_t)(end - begin) * sizeof(float), sizeof(float), 0, side);
            float yes[8], no[8];
            for (int i = 0; i < 8; i++) yes[i] = any_bits(r);
            for (int i = 0; i < 8; i++) no[i] = any_bits(r);
            memcpy(g->data, yes + begin, g->size);
            const v8_mask mask = v8_range(begin == 0 ? -far : begin == 8 ? far : begin, end == 8 ? far : end == 0 ? -far : end);
            const lanes loaded = stored(v8_load_masked(there - begin, mask));
            const lanes chosen = stored(v8_if_masked(mask, v8_load(yes), v8_load(no)));
            for (int64_t i = 0; i < 8; i++) {
                const bool in = begin <= i && i < end;
                expect("v8_load_masked", in ? yes[i] : 0.0f, loaded.f[i], (float)begin, (float)end, (float)i);
                expect("v8_if_masked", in ? yes[i] : no[i], chosen.f[i], (float)begin, (float)end, (float)i);
            }
        }
}

static void test_transpose(rng *r) {
    float m[8][8];
    v8 rows[8];
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 8; j++) m[i][j] = any_bits(r);
        rows[i] = v8_load(m[i]);
    }
    v8 loaded[8];
    v8_load_transposed(m[0], 8, loaded);
    v8_transpose(rows);
    for (int i = 0; i < 8; i++) {
        const lanes row = stored(rows[i]), other = stored(loaded[i]);
        for (int j = 0; j < 8; j++) {
            expect("v8_transpose", m[j][i], row.f[j], (float)i, (float)j, 0);
            expect("v8_load_transposed", m[j][i], other.f[j], (float)i, (float)j, 0);
        }
    }
}

/* 8 floats at each of CP_WIDE places, all that the guarded memory has. */
static void test_load_transposed(rng *r, guarded *g, guard_side side) {
    const int64_t pitch = rng_range(r, 8, 40), floats = (CP_WIDE - 1) * pitch + 8;
    float *m = guarded_place(g, (size_t)floats * sizeof(float), sizeof(float), 0, side), out[8][CP_WIDE];
    vw t[8];
    for (int64_t i = 0; i < floats; i++) m[i] = any_bits(r);
    vw_load_transposed(m, pitch, t);
    for (int k = 0; k < 8; k++) {
        vw_store(out[k], t[k]);
        for (int l = 0; l < CP_WIDE; l++) expect("vw_load_transposed", m[l * pitch + k], out[k][l], (float)l, (float)k, 0);
    }
}

/* Fours of floats, all that the guarded memory has. */
static void test_load_fours(rng *r, guarded *g, guard_side side) {
    const int64_t step = rng_range(r, 0, 40), floats = (CP_WIDE / 4 - 1) * step + 4;
    float *m = guarded_place(g, (size_t)floats * sizeof(float), sizeof(float), 0, side), out[CP_WIDE];
    for (int64_t i = 0; i < floats; i++) m[i] = any_bits(r);
    vw_store(out, vw_load_fours(m, step));
    for (int l = 0; l < CP_WIDE; l++) expect("vw_load_fours", m[l / 4 * step + l % 4], out[l], (float)step, (float)l, 0);
}

static void test_sums(rng *r) {
    v8 rows[8];
    float sums[8];
    for (int k = 0; k < 8; k++) {
        float m[8];
        for (int i = 0; i < 8; i++) m[i] = any_bits(r);
        rows[k] = v8_load(m);
        sums[k] = ((m[0] + m[4]) + (m[2] + m[6])) + ((m[1] + m[5]) + (m[3] + m[7]));
    }
    const lanes sum = stored(v8_sums(rows));
    for (int k = 0; k < 8; k++) expect("v8_sums", sums[k], sum.f[k], (float)k, 0, 0);
}

int main(int argc, char **argv) {
    opts = options_parse(argc, argv, 100000);
    static guarded memory;
    if (!(available_isas() >> VEC_ISA & 1)) {
        printf("%s does not run here\n", convpool_isa_name(VEC_ISA));
        return EXIT_CODE_SKIPPED;
    }
    for (int64_t i = 0; i < opts.count; i++) {
        rng r = rng_make(opts.seed, (uint64_t)i);
        test_arithmetic(&r);
        test_wide(&r);
        test_widest_lanes(&r);
        if (i % 16 == 0) {
            test_transpose(&r);
            test_load_transposed(&r, &memory, i % 32 == 0 ? GUARD_AT_END : GUARD_AT_BEGIN);
            test_load_fours(&r, &memory, i % 32 == 0 ? GUARD_AT_END : GUARD_AT_BEGIN);
            test_sums(&r);
            test_widest(&r, &memory, i % 32 == 0 ? GUARD_AT_END : GUARD_AT_BEGIN);
            test_widest_pooling(&r, &memory, i % 32 == 0 ? GUARD_AT_END : GUARD_AT_BEGIN);
            test_places(&r, &memory, i % 32 == 0 ? GUARD_AT_END : GUARD_AT_BEGIN);
            test_bytes(&r, &memory, i % 32 == 0 ? GUARD_AT_END : GUARD_AT_BEGIN);
            test_memory(&r, &memory, GUARD_AT_END);
            test_memory(&r, &memory, GUARD_AT_BEGIN);
            test_wide_memory(&r, &memory, GUARD_AT_END);
            test_wide_memory(&r, &memory, GUARD_AT_BEGIN);
            test_masks(&r, &memory, GUARD_AT_END);
            test_masks(&r, &memory, GUARD_AT_BEGIN);
        }
    }
    return tally_finish(&verdicts, &opts);
}
