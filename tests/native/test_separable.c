/* SPDX-License-Identifier: MIT
 * Kernels that are a column times a row: bits against the oracle on random cases, for every instruction set; errors of kernels that
 * are so but for their last bits against double sums; which kernels are taken for such, and when.
 */
#include "cases.h"
#include "oracle.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 64, MOST_TAPS = 15 };

static conv2d_problem problem;

static convpool_conv2d_desc image(int64_t taps) {
    return (convpool_conv2d_desc){
        .struct_size = sizeof(convpool_conv2d_desc),
        .in_channels = 1,
        .out_channels = 1,
        .groups = 1,
        .ih = SIDE,
        .iw = SIDE,
        .kh = taps,
        .kw = taps,
        .stride_h = 1,
        .stride_w = 1,
        .dilation_h = 1,
        .dilation_w = 1,
        .pad_top = taps / 2,
        .pad_bottom = taps / 2,
        .pad_left = taps / 2,
        .pad_right = taps / 2,
    };
}

/* Filters an image, if `dst` is not NULL; the plan's info is what is returned, of algorithm AUTO where there is none. */
static convpool_plan_info run(const convpool_conv2d_desc *d, const float *weights, const float *src, float *dst, tally *t,
                              const options *o) {
    static guarded memory, workspace;
    convpool_plan_info info = {.struct_size = sizeof info}, queried = info;
    convpool_conv2d *plan = NULL;
    if (convpool_conv2d_query(d, &queried) != CONVPOOL_STATUS_OK) return info;
    void *place = guarded_place(&memory, (size_t)queried.plan_bytes, CONVPOOL_ALIGNMENT, 0, GUARD_AT_END);
    if (convpool_conv2d_init(d, weights, NULL, place, queried.plan_bytes, &plan) != CONVPOOL_STATUS_OK) return info;
    tally_expect(t, o,
                 convpool_conv2d_plan_info(plan, &info) == CONVPOOL_STATUS_OK && info.plan_bytes == queried.plan_bytes &&
                     info.workspace_bytes == queried.workspace_bytes,
                 "a plan needs the memory that query told");
    const convpool_conv2d_args args = {
        .struct_size = sizeof args,
        .batch = 1,
        .src = src,
        .dst = dst,
        .workspace = guarded_place(&workspace, (size_t)info.workspace_bytes, CONVPOOL_ALIGNMENT, 0, GUARD_AT_END),
        .workspace_bytes = info.workspace_bytes,
        .task_end = info.tasks,
    };
    if (dst != NULL) tally_expect(t, o, convpool_conv2d_run(plan, &args) == CONVPOOL_STATUS_OK, "a plan runs");
    return info;
}

static convpool_algorithm chosen(const convpool_conv2d_desc *d, const float *weights, tally *t, const options *o) {
    return run(d, weights, NULL, NULL, t, o).algorithm;
}

/* The kernels that people filter images with, as floats; and some that are no product, or that no product may stand for. */
static void test_choice(tally *t, const options *o) {
    static const float sobel[9] = {-1, 0, 1, -2, 0, 2, -1, 0, 1}, laplace[9] = {0, 1, 0, 1, -4, 1, 0, 1, 0};
    float w[MOST_TAPS * MOST_TAPS];
    for (int64_t taps = 5; taps <= MOST_TAPS; taps += 2) {
        convpool_conv2d_desc d = image(taps);
        for (int kind = 0; kind < 3; kind++) {
            double sum = 0.0;
            for (int64_t k = 0; k < taps * taps; k++) {
                const float y = (float)(k / taps - taps / 2), x = (float)(k % taps - taps / 2), s = (float)taps / 5.0f;
                const float gauss = expf(-(y * y + x * x) / (2.0f * s * s));
                w[k] = kind == 0 ? 1.0f / (float)(taps * taps) : kind == 1 ? gauss : x * gauss;
                sum += kind == 2 ? 0.0 : (double)w[k];
            }
            for (int64_t k = 0; k < taps * taps && kind == 1; k++) w[k] /= (float)sum;
            tally_expect(t, o, chosen(&d, w, t, o) == CONVPOOL_ALGORITHM_SEPARABLE, "a filter is separable");
            d.numerics = CONVPOOL_NUMERICS_STRICT;
            tally_expect(t, o, chosen(&d, w, t, o) == CONVPOOL_ALGORITHM_DIRECT_WIDTH, "STRICT is direct");
            d.numerics = CONVPOOL_NUMERICS_FAST;
            d.max_error = 1e-7;
            tally_expect(t, o, chosen(&d, w, t, o) == CONVPOOL_ALGORITHM_DIRECT_WIDTH, "a small max_error is direct");
            d.max_error = 0.0;
            const float before = w[1];
            w[1] += w[taps * taps / 2 + 1] / 1024.0f;
            tally_expect(t, o, chosen(&d, w, t, o) == CONVPOOL_ALGORITHM_DIRECT_WIDTH, "a kernel that is none is direct");
            w[1] = NAN;
            tally_expect(t, o, chosen(&d, w, t, o) == CONVPOOL_ALGORITHM_DIRECT_WIDTH, "NaN is direct");
            w[1] = before;
        }
        memset(w, 0, sizeof w);
        tally_expect(t, o, chosen(&d, w, t, o) == CONVPOOL_ALGORITHM_DIRECT_WIDTH, "zeros are direct");
    }
    convpool_conv2d_desc d = image(3);
    d.algorithm = CONVPOOL_ALGORITHM_SEPARABLE;
    tally_expect(t, o, chosen(&d, sobel, t, o) == CONVPOOL_ALGORITHM_SEPARABLE, "Sobel's filter can be forced");
    tally_expect(t, o, chosen(&d, laplace, t, o) == CONVPOOL_ALGORITHM_AUTO, "a filter that is no product cannot");
    d.numerics = CONVPOOL_NUMERICS_STRICT;
    tally_expect(t, o, chosen(&d, sobel, t, o) == CONVPOOL_ALGORITHM_AUTO, "nor in STRICT");
    int64_t *const fields[] = {&d.kh, &d.kw, &d.stride_h, &d.stride_w, &d.out_channels};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        d = image(3);
        d.algorithm = CONVPOOL_ALGORITHM_SEPARABLE;
        *fields[i] = i < 2 ? 1 : 2;
        tally_expect(t, o, chosen(&d, sobel, t, o) == CONVPOOL_ALGORITHM_AUTO, "nor for another shape");
    }
}

/* Products whose elements are some units in the last place off: those that are taken for separable err by no more than the bound.
 */
static void test_bound(uint64_t number, int64_t counts[2], double *largest, tally *t, const options *o) {
    static float src[SIDE * SIDE], dst[SIDE * SIDE];
    float w[9 * 9];
    rng r = rng_make(o->seed, number);
    const int64_t taps = 2 + (int64_t)(number % 8), off = rng_range(&r, 0, 6);
    const bool signs = rng_chance(&r, 50);
    convpool_conv2d_desc d = image(taps);
    d.algorithm = CONVPOOL_ALGORITHM_SEPARABLE;
    d.pad_top = d.pad_bottom = d.pad_left = d.pad_right = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        src[i] = rng_f32(&r, VALUES_NORMAL, 1);
        if (signs) src[i] = src[i] < 0.0f ? -1.0f : 1.0f;
    }
    float down[9], across[9];
    for (int64_t k = 0; k < taps; k++) {
        down[k] = rng_f32(&r, VALUES_NORMAL, 1);
        across[k] = rng_f32(&r, VALUES_NORMAL, 1);
    }
    for (int64_t k = 0; k < taps * taps; k++) {
        w[k] = down[k / taps] * across[k % taps];
        for (int64_t n = rng_range(&r, -off, off); n != 0; n += n < 0 ? 1 : -1) w[k] = nextafterf(w[k], n < 0 ? -9.0f : 9.0f);
    }
    const convpool_plan_info info = run(&d, w, src, dst, t, o);
    counts[info.algorithm == CONVPOOL_ALGORITHM_SEPARABLE]++;
    if (info.algorithm != CONVPOOL_ALGORITHM_SEPARABLE) return;
    double size = 0.0;
    for (int64_t k = 0; k < taps * taps; k++) size += fabs((double)w[k]);
    for (int64_t i = 0; i < info.oh; i++)
        for (int64_t j = 0; j < info.ow; j++) {
            double sum = 0.0, most = 0.0;
            for (int64_t k = 0; k < taps * taps; k++) {
                const double x = (double)src[(i + k / taps) * SIDE + j + k % taps];
                sum += x * (double)w[k];
                most = fmax(most, fabs(x));
            }
            *largest = fmax(*largest, fabs((double)dst[i * info.ow + j] - sum) / (most * size * info.error_bound));
        }
}

int main(int argc, char **argv) {
    const options o = options_parse(argc, argv, 2000);
    tally t = {0};
    if (o.replay) {
        conv2d_case c;
        if (!conv2d_case_read(o.replay, &c)) {
            fprintf(stderr, "not a case of separable: %s\n", o.replay);
            return 2;
        }
        conv2d_case_test(&problem, &c, NULL, &t, &o);
        return tally_finish(&t, &o);
    }
    case_begin("what is separable");
    test_choice(&t, &o);
    case_begin("kernels that are nearly separable");
    int64_t counts[2] = {0};
    double largest = 0.0;
    for (uint64_t number = 0; number < (uint64_t)o.count; number++) test_bound(number, counts, &largest, &t, &o);
    printf("nearly separable: %lld taken, %lld not; errors at most %.2g of the bound\n", (long long)counts[1], (long long)counts[0],
           largest);
    tally_expect(&t, &o, counts[0] > o.count / 10 && counts[1] > o.count / 10 && largest <= 1.0,
                 "nearly separable kernels keep the bound");
    for (uint64_t number = 0; number < (uint64_t)o.count; number++) {
        const conv2d_case c = separable_case_make(o.seed, number);
        conv2d_case_test(&problem, &c, NULL, &t, &o);
    }
    tally_expect_several(&t, &o);
    return tally_finish(&t, &o);
}
