/* SPDX-License-Identifier: MIT
 * Averages of denormals against divisions: for every instruction set, with divisors that make ties, and with sums among them
 * that are not finite, or large.
 */
#include "convpool.h"
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 1000, DIVISORS = 130, PLANES = 64 };

static float dst[COLUMNS];

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static bool same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

/* A sum whose quotient by n is denormal more often than not: any, small, near a tie, or as large as such sums are. */
static float small_sum(rng *r, int64_t n) {
    const uint32_t sign = rng_chance(r, 50) ? 0x80000000u : 0;
    const int64_t steps = rng_range(r, 0, 1 << 22);
    switch (rng_range(r, 0, 3)) {
    case 0:
        return float_of((uint32_t)rng_range(r, 0, 0x00FFFFFF) | sign);
    case 1:
        return float_of((uint32_t)rng_range(r, 0, 200) | sign);
    case 2:
        return ldexpf((float)((steps * n + n / 2 + rng_range(r, -1, 1)) & 0x00FFFFFF), -149) * (sign ? -1.0f : 1.0f);
    default:
        return ldexpf((float)rng_range(r, 1 << 23, 1 << 24), (int)rng_range(r, -152, -140)) * (sign ? -1.0f : 1.0f);
    }
}

static float other_sum(rng *r) {
    static const uint32_t bits[] = {0x7F800000u, 0xFF800000u, 0x7FC00000u, 0x7F7FFFFFu,
                                    0xFF7FFFFFu, 0x3F800000u, 0x77800001u, 0x80000000u};
    return float_of(rng_chance(r, 50) ? bits[rng_range(r, 0, sizeof bits / sizeof *bits - 1)] : (uint32_t)rng_next(r));
}

static bool run(const convpool_pool2d_desc *d, const float *from) {
    static guarded memory, workspace;
    convpool_plan_info info = {.struct_size = sizeof info};
    convpool_pool2d *plan = NULL;
    if (convpool_pool2d_query(d, &info) != CONVPOOL_STATUS_OK) return false;
    void *place = guarded_place(&memory, (size_t)info.plan_bytes, CONVPOOL_ALIGNMENT, 0, GUARD_AT_END);
    if (convpool_pool2d_init(d, place, info.plan_bytes, &plan) != CONVPOOL_STATUS_OK) return false;
    const convpool_pool2d_args args = {
        .struct_size = sizeof args,
        .batch = 1,
        .src = from,
        .dst = dst,
        .workspace = guarded_place(&workspace, (size_t)info.workspace_bytes, CONVPOOL_ALIGNMENT, 0, GUARD_AT_END),
        .workspace_bytes = info.workspace_bytes,
        .task_end = info.tasks,
    };
    return convpool_pool2d_run(plan, &args) == CONVPOOL_STATUS_OK;
}

static void expect(float sum, float n, float actual, const char *what, tally *t, const options *o) {
    const float expected = sum / n;
    if (same(expected, actual)) {
        t->passed++;
    } else {
        tally_fail(t, o, "%s, %a / %a: expected %a, got %a", what, (double)sum, (double)n, (double)expected, (double)actual);
    }
}

/* 3x3 windows of a plane whose first line has a cell in three that is not zero, divided by n. */
static void test_windows(rng *r, convpool_isa isa, int64_t stride, int64_t n, tally *t, const options *o) {
    static float src[3][COLUMNS];
    const bool mixed = rng_chance(r, 20);
    for (int64_t x = 0; x < COLUMNS; x += 3) src[0][x] = mixed && rng_chance(r, 5) ? other_sum(r) : small_sum(r, n);
    const convpool_pool2d_desc d = {
        .struct_size = sizeof d,
        .isa = isa,
        .algorithm = CONVPOOL_ALGORITHM_POOL_WIDTH,
        .kind = CONVPOOL_POOL_KIND_AVERAGE,
        .channels = 1,
        .ih = 3,
        .iw = COLUMNS,
        .kh = 3,
        .kw = 3,
        .stride_h = stride,
        .stride_w = stride,
        .dilation_h = 1,
        .dilation_w = 1,
        .divisor_override = n,
    };
    tally_expect(t, o, run(&d, src[0]), "a plan of averages runs");
    for (int64_t x = 0, j = 0; x + 3 <= COLUMNS; x += stride, j++) {
        const float *cell = src[0] + x;
        expect(((0.0f + cell[0]) + cell[1]) + cell[2], (float)n, dst[j], "3x3", t, o);
    }
}

/* Planes of n cells, of which the first is not zero. */
static void test_planes(rng *r, convpool_isa isa, int64_t n, tally *t, const options *o) {
    static float src[PLANES * DIVISORS];
    memset(src, 0, sizeof src);
    const bool mixed = rng_chance(r, 20);
    for (int64_t c = 0; c < PLANES; c++) src[c * n] = mixed && rng_chance(r, 5) ? other_sum(r) : small_sum(r, n);
    const convpool_pool2d_desc d = {
        .struct_size = sizeof d,
        .isa = isa,
        .kind = CONVPOOL_POOL_KIND_AVERAGE,
        .window = CONVPOOL_POOL_WINDOW_GLOBAL,
        .channels = PLANES,
        .ih = 1,
        .iw = n,
    };
    tally_expect(t, o, run(&d, src), "a plan of averages of whole planes runs");
    for (int64_t c = 0; c < PLANES; c++) expect(0.0f + src[c * n], (float)n, dst[c], "a plane", t, o);
}

int main(int argc, char **argv) {
    const options o = options_parse(argc, argv, 10);
    tally t = {0};
    case_begin("averages of denormals");
    for (int isa = 1; isa < 32; isa++) {
        if ((available_isas() >> isa & 1) == 0) continue;
        for (uint64_t round = 0; round < (uint64_t)o.count; round++) {
            rng r = rng_make(o.seed, round);
            for (int64_t n = 1; n <= DIVISORS; n++) {
                for (int64_t stride = 1; stride <= 3; stride++) test_windows(&r, (convpool_isa)isa, stride, n, &t, &o);
                test_planes(&r, (convpool_isa)isa, n, &t, &o);
            }
            test_windows(&r, (convpool_isa)isa, 3, (int64_t)1 << rng_range(&r, 10, 40), &t, &o);
            test_windows(&r, (convpool_isa)isa, 3, rng_range(&r, DIVISORS, 1 << 21), &t, &o);
        }
    }
    return tally_finish(&t, &o);
}
