/* SPDX-License-Identifier: MIT
 * Winograd: bits against the oracle and errors against double sums on random cases, for every instruction set; who is refused, and
 * what becomes of weights that are not finite.
 */
#include "cases.h"
#include "oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static conv2d_problem problem;
/* Errors of F(2x2, 3x3), F(4x4, 3x3), F(2x2, 5x5), and F(2x2, 3x3), F(4x4, 3x3) and F(2x2, 7x7) of stride 2 relative to (sum of max
 * |x|) x sum |w|, without the rounding of bias and residual. */
static double worst[6];

static float at(const tensor *t, int64_t n, int64_t c, int64_t y, int64_t x) {
    float value;
    memcpy(&value, t->memory.data + (size_t)tensor_offset(t, n, c, y, x) * sizeof value, sizeof value);
    return value;
}

/* The cell that a padded position reads; -1 for none. */
static int64_t cell(convpool_border border, int64_t i, int64_t n) {
    if (i >= 0 && i < n) return i;
    if (border == CONVPOOL_BORDER_REFLECT) return i < 0 ? -i : 2 * n - 2 - i;
    if (border == CONVPOOL_BORDER_REPLICATE) return i < 0 ? 0 : n - 1;
    return border == CONVPOOL_BORDER_CIRCULAR ? (i + n) % n : -1;
}

/* What an error is relative to: sum over channels of max |x| times sum |w|, of each channel or of all. */
typedef struct scales {
    double of_each, of_all;
} scales;

/* One output element in double, and its scales. */
static double exact(const conv2d_problem *p, const float *weights, const float *bias, const int64_t place[4], scales *scale) {
    const convpool_conv2d_desc *d = &p->desc;
    const int64_t tile = d->algorithm == CONVPOOL_ALGORITHM_WINOGRAD_2X2 ? 2 : 4, channels = d->in_channels / d->groups;
    const int64_t taps = d->kh, stride = d->stride_h, side = (tile - 1) * stride + taps;
    const int64_t n = place[0], o = place[1], dh = d->dilation_h, dw = d->dilation_w;
    const int64_t top = (place[2] / (tile * dh) * tile * dh + place[2] % dh) * stride; /* of the tile */
    const int64_t left = (place[3] / (tile * dw) * tile * dw + place[3] % dw) * stride;
    const int64_t i = (place[2] * stride - top) / dh, j = (place[3] * stride - left) / dw; /* of the output's cells in it */
    const int64_t bottom = (p->dst.h - 1) * stride + (taps - 1) * dh + 1, right = (p->dst.w - 1) * stride + (taps - 1) * dw + 1;
    double sum = bias ? (double)bias[o] : 0.0;
    double all_x = 0.0, all_w = 0.0;
    scale->of_each = 0.0;
    for (int64_t c = 0; c < channels; c++) {
        double most = 0.0, size = 0.0;
        for (int64_t y = 0; y < side && top + y * dh < bottom; y++)
            for (int64_t x = 0; x < side && left + x * dw < right; x++) {
                const int64_t sy = cell(d->border, top + y * dh - d->pad_top, d->ih);
                const int64_t sx = cell(d->border, left + x * dw - d->pad_left, d->iw);
                if (sy < 0 || sx < 0) continue;
                const double value = (double)at(&p->src, n, o / (d->out_channels / d->groups) * channels + c, sy, sx);
                most = fmax(most, fabs(value));
                if (y < i || y >= i + taps || x < j || x >= j + taps) continue;
                sum += value * (double)weights[((o * channels + c) * taps + y - i) * taps + x - j];
            }
        for (int64_t k = 0; k < taps * taps; k++) size += fabs((double)weights[(o * channels + c) * taps * taps + k]);
        scale->of_each += most * size;
        all_x += most;
        all_w += size;
    }
    scale->of_all = all_x * all_w;
    return sum + (p->options.residual ? (double)at(&p->residual, n, o, place[2], place[3]) : 0.0);
}

/* Whether every element is within the bound that the plan states, of values that do not overflow. */
static bool accurate(const conv2d_problem *p, char *text, size_t text_size) {
    const conv2d_case *c = &p->options;
    if (c->values > VALUES_INTEGER || c->weight_values > VALUES_INTEGER || c->activation != 0 || c->batch == 0) return true;
    const int64_t channels = p->desc.in_channels / p->desc.groups;
    const bool large = p->desc.algorithm == CONVPOOL_ALGORITHM_WINOGRAD_4X4;
    double *const largest = &worst[p->desc.kh == 7 ? 5 : p->desc.stride_h == 2 ? 3 + large : p->desc.kh == 5 ? 2 : large];
    convpool_plan_info info = {.struct_size = sizeof info};
    convpool_conv2d_query(&p->desc, &info);
    const float *bias = p->options.bias ? (const float *)(const void *)p->bias.data : NULL;
    const int64_t step = 1 + p->dst.n * p->dst.c * p->dst.h * p->dst.w * channels / 20000;
    for (int64_t k = 0; k < p->dst.n * p->dst.c * p->dst.h * p->dst.w; k += step) {
        const int64_t x = k % p->dst.w, y = k / p->dst.w % p->dst.h, o = k / p->dst.w / p->dst.h % p->dst.c;
        const int64_t place[4] = {k / p->dst.w / p->dst.h / p->dst.c, o, y, x};
        scales scale;
        const double right = exact(p, (const float *)(const void *)p->weights.data, bias, place, &scale);
        const double added =
            (bias ? fabs((double)bias[o]) : 0.0) + (p->options.residual ? fabs((double)at(&p->residual, place[0], o, y, x)) : 0.0);
        const double error = fabs((double)at(&p->dst, place[0], o, y, x) - right) - 0x1p-23 * (fabs(right) + added);
        if (scale.of_all > 0.0) *largest = fmax(*largest, error / scale.of_all);
        if (error <= info.error_bound * scale.of_each) continue;
        snprintf(text, text_size, "error %g of scale %g at n %lld, o %lld, y %lld, x %lld; bound %g", error, scale.of_each,
                 (long long)place[0], (long long)o, (long long)y, (long long)x, info.error_bound);
        return false;
    }
    return true;
}

static const convpool_conv2d_desc layer = {
    .struct_size = sizeof layer,
    .in_channels = 16,
    .out_channels = 16,
    .groups = 1,
    .ih = 16,
    .iw = 16,
    .kh = 3,
    .kw = 3,
    .stride_h = 1,
    .stride_w = 1,
    .dilation_h = 1,
    .dilation_w = 1,
    .pad_top = 1,
    .pad_bottom = 1,
    .pad_left = 1,
    .pad_right = 1,
};

static bool is_winograd(convpool_algorithm a) {
    return a == CONVPOOL_ALGORITHM_WINOGRAD_2X2 || a == CONVPOOL_ALGORITHM_WINOGRAD_4X4;
}

static convpool_status query(const convpool_conv2d_desc *desc, convpool_plan_info *info) {
    *info = (convpool_plan_info){.struct_size = sizeof *info};
    return convpool_conv2d_query(desc, info);
}

/* Options and shapes under which Winograd is chosen, and those that rule it out. */
static void test_choice(tally *t, const options *o) {
    convpool_plan_info info;
    convpool_conv2d_desc d = layer;
    tally_expect(t, o, query(&d, &info) == CONVPOOL_STATUS_OK && is_winograd(info.algorithm), "FAST chooses Winograd");
    const convpool_algorithm chosen = info.algorithm;
    d.max_error = info.error_bound;
    tally_expect(t, o, query(&d, &info) == CONVPOOL_STATUS_OK && info.algorithm == chosen, "max_error of the bound allows it");
    d.max_error = 1e-12;
    tally_expect(t, o, query(&d, &info) == CONVPOOL_STATUS_OK && !is_winograd(info.algorithm), "a small max_error does not");
    d.algorithm = CONVPOOL_ALGORITHM_WINOGRAD_4X4;
    tally_expect(t, o, query(&d, &info) == CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM, "nor by force");
    d = layer;
    d.numerics = CONVPOOL_NUMERICS_STRICT;
    tally_expect(t, o, query(&d, &info) == CONVPOOL_STATUS_OK && !is_winograd(info.algorithm), "STRICT is direct");
    d = layer;
    d.ih = d.iw = 56;
    d.out_channels = 64;
    for (d.in_channels = 1; d.in_channels < 4; d.in_channels++) {
        tally_expect(t, o, query(&d, &info) == CONVPOOL_STATUS_OK && info.algorithm != CONVPOOL_ALGORITHM_WINOGRAD_4X4,
                     "F(4x4, 3x3) is not chosen for fewer than four channels");
    }
    for (int64_t algorithm = CONVPOOL_ALGORITHM_WINOGRAD_2X2; algorithm <= CONVPOOL_ALGORITHM_WINOGRAD_4X4; algorithm++) {
        convpool_conv2d_desc forced = layer;
        forced.algorithm = (convpool_algorithm)algorithm;
        tally_expect(t, o, query(&forced, &info) == CONVPOOL_STATUS_OK && info.algorithm == forced.algorithm, "Winograd is forced");
        tally_expect(t, o, info.workspace_bytes <= 2 << 20, "a workspace is at most 2 MiB");
        int64_t *const fields[] = {&forced.kh, &forced.kw, &forced.stride_h, &forced.stride_w};
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            const int64_t before = *fields[i];
            *fields[i] = 2;
            tally_expect(t, o, query(&forced, &info) == CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM, "Winograd refuses a shape");
            *fields[i] = before;
        }
        for (int64_t taps = 3; taps <= 7; taps += 2) {
            for (int64_t stride = 2; stride <= 3; stride++) {
                forced.kh = forced.kw = taps;
                forced.stride_h = forced.stride_w = stride;
                const bool small = algorithm == CONVPOOL_ALGORITHM_WINOGRAD_2X2;
                const bool serves = stride == 2 && (taps == 3 || (taps == 7 && small));
                tally_expect(t, o, query(&forced, &info) == (serves ? CONVPOOL_STATUS_OK : CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM),
                             "of strides above 1 only 2 is served, of 3x3 and by F(2x2) of 7x7");
            }
        }
        forced = layer;
        forced.algorithm = (convpool_algorithm)algorithm;
        forced.dilation_h = 2;
        tally_expect(t, o, query(&forced, &info) == CONVPOOL_STATUS_OK, "a dilated kernel is served");
        forced.stride_h = forced.stride_w = 2;
        tally_expect(t, o, query(&forced, &info) == CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM, "but not with stride 2");
        forced = layer;
        forced.algorithm = (convpool_algorithm)algorithm;
        forced.pad_left = forced.pad_right = forced.dilation_w = 28;
        tally_expect(t, o, query(&forced, &info) == CONVPOOL_STATUS_OK, "columns 28 apart are served");
        forced.pad_left = forced.pad_right = forced.dilation_w = 29;
        tally_expect(t, o, query(&forced, &info) == CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM, "columns 29 apart are not");
        forced.pad_left = forced.pad_right = forced.dilation_w = 28;
        forced.in_channels = 4096;
        tally_expect(t, o, query(&forced, &info) == CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM,
                     "nor 28 with a workspace for fewer tiles");
        forced = layer;
        forced.algorithm = (convpool_algorithm)algorithm;
        forced.numerics = CONVPOOL_NUMERICS_STRICT;
        tally_expect(t, o, query(&forced, &info) == CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM, "STRICT refuses Winograd");
        forced = layer;
        forced.algorithm = (convpool_algorithm)algorithm;
        forced.in_channels = 1;
        tally_expect(
            t, o,
            query(&forced, &info) ==
                (algorithm == CONVPOOL_ALGORITHM_WINOGRAD_2X2 ? CONVPOOL_STATUS_OK : CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM),
            "F(4x4, 3x3) wants two channels");
        forced.in_channels = 1 << 20;
        tally_expect(t, o, query(&forced, &info) == CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM, "Winograd refuses too many channels");
    }
}

/* Weights that are not finite, or so large that their transform might not be: direct, with the bits of STRICT, in the memory that
 * query asked for. */
static void test_weights(float value, tally *t, const options *o) {
    enum { PIXELS = 16 * 16 * 16, WEIGHTS = 16 * 16 * 9 };
    static float src[PIXELS], weights[WEIGHTS], dst[2][PIXELS];
    static guarded memory, workspace;
    rng r = rng_make(7, 0);
    for (int i = 0; i < PIXELS; i++) src[i] = rng_f32(&r, VALUES_NORMAL, 1);
    for (int i = 0; i < WEIGHTS; i++) weights[i] = rng_f32(&r, VALUES_NORMAL, 1);
    weights[WEIGHTS / 2] = value;
    for (int strict = 0; strict < 2; strict++) {
        convpool_conv2d_desc d = layer;
        convpool_plan_info info, built = {.struct_size = sizeof built};
        convpool_conv2d *plan = NULL;
        d.numerics = strict ? CONVPOOL_NUMERICS_STRICT : CONVPOOL_NUMERICS_FAST;
        tally_expect(t, o, query(&d, &info) == CONVPOOL_STATUS_OK && is_winograd(info.algorithm) == !strict,
                     "query knows no weights");
        void *place = guarded_place(&memory, (size_t)info.plan_bytes, CONVPOOL_ALIGNMENT, 0, GUARD_AT_END);
        tally_expect(t, o, convpool_conv2d_init(&d, weights, NULL, place, info.plan_bytes, &plan) == CONVPOOL_STATUS_OK,
                     "init falls back");
        tally_expect(t, o,
                     convpool_conv2d_plan_info(plan, &built) == CONVPOOL_STATUS_OK && !is_winograd(built.algorithm) &&
                         built.plan_bytes == info.plan_bytes && built.workspace_bytes == info.workspace_bytes,
                     "the plan says that it is direct");
        const convpool_conv2d_args args = {
            .struct_size = sizeof args,
            .batch = 1,
            .src = src,
            .dst = dst[strict],
            .workspace = guarded_place(&workspace, (size_t)info.workspace_bytes, CONVPOOL_ALIGNMENT, 0, GUARD_AT_END),
            .workspace_bytes = info.workspace_bytes,
            .task_end = built.tasks,
        };
        tally_expect(t, o, convpool_conv2d_run(plan, &args) == CONVPOOL_STATUS_OK, "the plan runs");
        d.algorithm = CONVPOOL_ALGORITHM_WINOGRAD_4X4;
        if (strict) continue;
        tally_expect(t, o, query(&d, &info) == CONVPOOL_STATUS_OK, "query of the forced algorithm");
        place = guarded_place(&memory, (size_t)info.plan_bytes, CONVPOOL_ALIGNMENT, 0, GUARD_AT_END);
        tally_expect(
            t, o, convpool_conv2d_init(&d, weights, NULL, place, info.plan_bytes, &plan) == CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM,
            "the forced algorithm refuses such weights");
    }
    bool same = true;
    for (int i = 0; i < PIXELS; i++)
        same = same && (memcmp(&dst[0][i], &dst[1][i], 4) == 0 || (isnan(dst[0][i]) && isnan(dst[1][i])));
    tally_expect(t, o, same, "such weights give the bits of STRICT");
}

int main(int argc, char **argv) {
    const options o = options_parse(argc, argv, 2000);
    tally t = {0};
    if (o.replay) {
        conv2d_case c;
        if (!conv2d_case_read(o.replay, &c)) {
            fprintf(stderr, "not a case of winograd: %s\n", o.replay);
            return 2;
        }
        conv2d_case_test(&problem, &c, accurate, &t, &o);
        return tally_finish(&t, &o);
    }
    case_begin("what is refused");
    test_choice(&t, &o);
    test_weights(NAN, &t, &o);
    test_weights(-INFINITY, &t, &o);
    test_weights(0x1p125f, &t, &o);
    for (uint64_t number = 0; number < (uint64_t)o.count; number++) {
        const conv2d_case c = winograd_case_make(o.seed, number);
        conv2d_case_test(&problem, &c, accurate, &t, &o);
    }
    tally_expect_several(&t, &o);
    printf("largest errors: F(2x2, 3x3) %.2g, F(4x4, 3x3) %.2g, F(2x2, 5x5) %.2g; stride 2: F(2x2, 3x3) %.2g, F(4x4, 3x3) %.2g, "
           "F(2x2, 7x7) %.2g\n",
           worst[0], worst[1], worst[2], worst[3], worst[4], worst[5]);
    case_begin("the largest errors");
    const bool small = worst[0] < 3e-7 && worst[3] < 3e-7 && worst[5] < 3e-7;
    tally_expect(&t, &o, small && worst[1] < 1e-6 && worst[2] < 1e-6 && worst[4] < 1e-6, "errors stay below 3e-7 and 1e-6");
    return tally_finish(&t, &o);
}
