/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Hardware, or a libm that is known to be right: CMakeLists.txt sees to it. */
float oracle_fma(float a, float b, float c) { return fmaf(a, b, c); }

convpool_strides oracle_dense_strides(convpool_layout layout, int64_t channels, int64_t height, int64_t width) {
    switch (layout) {
    case CONVPOOL_LAYOUT_NHWC:
        return (convpool_strides){.batch = height * width * channels, .channel = 1, .row = width * channels, .column = channels};
    case CONVPOOL_LAYOUT_NCHW8C:
        return (convpool_strides){
            .batch = (channels + 7) / 8 * height * width * 8, .channel = height * width * 8, .row = width * 8, .column = 8};
    default:
        return (convpool_strides){.batch = channels * height * width, .channel = height * width, .row = width, .column = 1};
    }
}

int64_t oracle_offset(convpool_layout layout, const convpool_strides *strides, int64_t n, int64_t c, int64_t y, int64_t x) {
    const int64_t block = layout == CONVPOOL_LAYOUT_NCHW8C ? 8 : 1;
    return n * strides->batch + c / block * strides->channel + y * strides->row + x * strides->column + c % block;
}

static convpool_strides strides_or_dense(const convpool_strides *strides, convpool_layout layout, int64_t channels, int64_t height,
                                         int64_t width) {
    return strides ? *strides : oracle_dense_strides(layout, channels, height, width);
}

/* Channels that exist in memory: the spare ones of a last block included. */
static int64_t stored_channels(convpool_layout layout, int64_t channels) {
    return layout == CONVPOOL_LAYOUT_NCHW8C ? (channels + 7) / 8 * 8 : channels;
}

/* -------------------------------------------------------------------------------------------------------------- convolution */

void oracle_conv2d_output_size(const convpool_conv2d_desc *desc, int64_t *oh, int64_t *ow) {
    *oh = (desc->ih + desc->pad_top + desc->pad_bottom - ((desc->kh - 1) * desc->dilation_h + 1)) / desc->stride_h + 1;
    *ow = (desc->iw + desc->pad_left + desc->pad_right - ((desc->kw - 1) * desc->dilation_w + 1)) / desc->stride_w + 1;
}

/* The cell that position i of a line of n cells reads; -1 for none. */
static int64_t border_index(convpool_border border, int64_t i, int64_t n) {
    if (i >= 0 && i < n) return i;
    switch (border) {
    case CONVPOOL_BORDER_REFLECT:
        return i < 0 ? -i : 2 * (n - 1) - i;
    case CONVPOOL_BORDER_REPLICATE:
        return i < 0 ? 0 : n - 1;
    case CONVPOOL_BORDER_CIRCULAR:
        return i < 0 ? i + n : i - n;
    default:
        return -1;
    }
}

static float clip(float x, float lo, float hi) {
    const float t = x < lo ? lo : x;
    return t > hi ? hi : t;
}

static float exponential(float x) {
    x = clip(x, -87.33654f, 88.37626f);
    const float t = fmaf(x, 1.44269504f, 12582912.0f);
    const float n = t - 12582912.0f;
    float r = fmaf(n, -0.693359375f, x);
    r = fmaf(n, 2.12194440E-4f, r);
    float p = 1.9875691500E-4f;
    p = fmaf(p, r, 1.3981999507E-3f);
    p = fmaf(p, r, 8.3334519073E-3f);
    p = fmaf(p, r, 4.1665795894E-2f);
    p = fmaf(p, r, 1.6666665459E-1f);
    p = fmaf(p, r, 5.0000001201E-1f);
    const float e = fmaf(p, r * r, r) + 1.0f;
    uint32_t bits;
    memcpy(&bits, &t, sizeof bits);
    bits = (bits << 23) + 0x3F800000u;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return e * scale;
}

static float hyperbolic_tangent(float x) {
    if (fabsf(x) < 0.625f) {
        const float z = x * x;
        float q = -5.70498872745E-3f;
        q = fmaf(q, z, 2.06390887954E-2f);
        q = fmaf(q, z, -5.37397155531E-2f);
        q = fmaf(q, z, 1.33314422036E-1f);
        q = fmaf(q, z, -3.33332819422E-1f);
        return fmaf(q * z, x, x);
    }
    const float t = exponential(-2.0f * fabsf(x));
    return copysignf((1.0f - t) / (1.0f + t), x);
}

float oracle_activation(const convpool_conv2d_desc *desc, float x) {
    switch (desc->activation) {
    case CONVPOOL_ACTIVATION_RELU:
        return x < 0.0f ? 0.0f : x;
    case CONVPOOL_ACTIVATION_CLIP:
        return clip(x, desc->activation_alpha, desc->activation_beta);
    case CONVPOOL_ACTIVATION_LEAKY_RELU:
        return x < 0.0f ? desc->activation_alpha * x : x;
    case CONVPOOL_ACTIVATION_SIGMOID:
        return 1.0f / (1.0f + exponential(-x));
    case CONVPOOL_ACTIVATION_TANH:
        return hyperbolic_tangent(x);
    case CONVPOOL_ACTIVATION_SILU:
        return x / (1.0f + exponential(-x));
    case CONVPOOL_ACTIVATION_HARD_SWISH:
        return x * clip(x + 3.0f, 0.0f, 6.0f) / 6.0f;
    case CONVPOOL_ACTIVATION_GELU_TANH: {
        const float u = 0.7978845608f * fmaf(0.044715f * x, x * x, x);
        return (0.5f * x) * (1.0f + hyperbolic_tangent(u));
    }
    default:
        return x;
    }
}

/* The lines of Winograd's transforms: p[0], p[step], .. are replaced. Points a and b are 45/64 and 91/64. */
static void winograd_input_line(float *p, int step, int side, int taps) {
    const float d0 = p[0], d1 = p[step], d2 = p[2 * step], d3 = p[3 * step];
    if (side == 9) {
        const float r = 0.75f, s = 1.75f, d4 = p[4 * step], d6 = p[6 * step], d8 = p[8 * step];
        const float d5 = p[5 * step], d7 = p[7 * step];
        const float low = fmaf(-r * r, d0, d4), high = fmaf(-r * r, d2, d6), e = fmaf(-s, d4, d6), f = fmaf(-s, d2, d4);
        const float at_0 = fmaf(-s, low, high), at_r = fmaf(r, f, e), below_0 = fmaf(-r, f, e);
        const float last = fmaf(-s, high, fmaf(-r * r, d4, d8));
        if (taps == 7) {
            p[0] = at_0, p[2 * step] = at_r, p[4 * step] = below_0, p[6 * step] = high, p[7 * step] = last;
            p[step] = fmaf(-r * r, d1, d5), p[3 * step] = fmaf(r, d3, d5), p[5 * step] = fmaf(-r, d3, d5);
            p[8 * step] = fmaf(-r * r, d3, d7);
            return;
        }
        p[0] = at_0, p[2 * step] = at_r, p[3 * step] = below_0, p[4 * step] = high, p[8 * step] = last;
        p[5 * step] = d3, p[6 * step] = d5;
        return;
    }
    if (side == 5) {
        p[0] = d0 - d2, p[4 * step] = p[4 * step] - d2;
        return;
    }
    if (side == 4) {
        p[0] = d0 - d2, p[step] = d2 + d1, p[2 * step] = d2 - d1, p[3 * step] = d3 - d1;
        return;
    }
    const float a = 0.703125f, a2 = 0.494384765625f, b = 1.421875f, b2 = 2.021728515625f;
    const float product = 16769025.0f / 16777216.0f, sum = 2.51611328125f;
    const float d4 = p[4 * step], d5 = p[5 * step];
    const float e = fmaf(-b2, d2, d4), f = fmaf(-b2, d1, d3), g = fmaf(-a2, d2, d4), h = fmaf(-a2, d1, d3);
    p[0] = fmaf(-sum, d2, fmaf(product, d0, d4));
    p[step] = fmaf(a, f, e), p[2 * step] = fmaf(-a, f, e);
    p[3 * step] = fmaf(b, h, g), p[4 * step] = fmaf(-b, h, g);
    p[5 * step] = fmaf(-sum, d3, fmaf(product, d1, d5));
}

/* A kernel of 3 or 5 taps is followed by zeros. */
static void winograd_weights_line(double *p, int step, int side, int taps) {
    const double g0 = p[0], g1 = p[step], g2 = p[2 * step], g3 = p[3 * step], g4 = p[4 * step];
    const double r = 0.75, s = 1.75;
    if (taps == 7) {
        const double g5 = p[5 * step], g6 = p[6 * step], even = g0 + r * r * g4, uneven = r * (g2 + r * r * g6);
        p[0] = g0 * (1.0 / (r * r * s)), p[step] = g1 * (-1.0 / (r * r));
        p[2 * step] = (even + uneven) * (1.0 / (2.0 * r * r * (r - s)));
        p[4 * step] = (even - uneven) * (-1.0 / (2.0 * r * r * (r + s)));
        p[3 * step] = ((g1 + r * r * g5) + r * g3) * (1.0 / (2.0 * r * r));
        p[5 * step] = ((g1 + r * r * g5) - r * g3) * (1.0 / (2.0 * r * r));
        p[6 * step] = (g0 + s * (g2 + s * (g4 + s * g6))) * (1.0 / (s * (s * s - r * r)));
        p[7 * step] = g6, p[8 * step] = g5;
        return;
    }
    if (side == 9) {
        p[0] = g0 * (1.0 / (r * r * s)), p[2 * step] = (g0 + r * g2) * (1.0 / (2.0 * r * r * (r - s)));
        p[3 * step] = (g0 - r * g2) * (-1.0 / (2.0 * r * r * (r + s)));
        p[4 * step] = (g0 + s * g2) * (1.0 / (s * (s * s - r * r)));
        p[5 * step] = p[6 * step] = p[7 * step] = g1, p[8 * step] = g2;
        return;
    }
    if (side == 5) {
        p[2 * step] = g0 + g2, p[3 * step] = g1, p[4 * step] = g2;
        return;
    }
    if (side == 4) {
        p[step] = 0.5 * ((g0 + g2) + g1), p[2 * step] = 0.5 * ((g0 + g2) - g1), p[3 * step] = g2;
        return;
    }
    const double a = 45.0 / 64.0, b = 91.0 / 64.0, a2 = a * a, b2 = b * b;
    const double at_a = 2.0 * a2 * (a2 - b2), at_b = 2.0 * b2 * (b2 - a2);
    const double e = (g0 + a2 * (g2 + a2 * g4)) * (1.0 / at_a), f = (g1 + a2 * g3) * (a / at_a);
    const double g = (g0 + b2 * (g2 + b2 * g4)) * (1.0 / at_b), h = (g1 + b2 * g3) * (b / at_b);
    p[0] = g0 * (1.0 / (a2 * b2));
    p[step] = e + f, p[2 * step] = e - f, p[3 * step] = g + h, p[4 * step] = g - h, p[5 * step] = taps == 5 ? g4 : g2;
}

/* Of stride 2, p holds sums. */
static void winograd_output_line(float *p, int step, int tile, int side) {
    if (side == 9 && tile == 2) {
        const float r = 0.75f, s = 1.75f, sum = p[step] + p[2 * step], difference = p[step] - p[2 * step], m3 = p[3 * step];
        p[0] = (p[0] + sum) + m3, p[step] = fmaf(s, m3, fmaf(r, difference, p[4 * step]));
        return;
    }
    if (side == 9) {
        const float r = 0.75f, s = 1.75f, m0 = p[0], m3 = p[3 * step];
        const float sum = p[step] + p[2 * step], difference = p[step] - p[2 * step];
        p[0] = (m0 + sum) + m3, p[step] = fmaf(s, m3, fmaf(r, difference, p[4 * step]));
        p[2 * step] = fmaf(s * s, m3, fmaf(r * r, sum, p[5 * step]));
        p[3 * step] = fmaf(s * s * s, m3, fmaf(r * r * r, difference, p[6 * step]));
        return;
    }
    if (side == 5) {
        p[0] += p[step], p[step] += p[2 * step];
        return;
    }
    const float m0 = p[0], s = p[step] + p[2 * step], r = p[step] - p[2 * step], m3 = p[3 * step];
    if (side == 4) {
        p[0] = m0 + s, p[step] = m3 + r;
        return;
    }
    const float a = 0.703125f, b = 1.421875f, m5 = p[5 * step];
    const float big_s = m3 + p[4 * step], big_r = m3 - p[4 * step];
    p[0] = (m0 + s) + big_s;
    if (tile == 2) {
        p[step] = fmaf(b, big_r, fmaf(a, r, m5));
        return;
    }
    p[step] = fmaf(b, big_r, a * r);
    p[2 * step] = fmaf(b * b, big_s, (a * a) * s);
    p[3 * step] = fmaf(b * b * b, big_r, fmaf(a * a * a, r, m5));
}

/* The sum, of a line, that a product goes to. */
static int winograd_sum_of(int i, int side, int taps, int stride) {
    const int of_7_taps[] = {0, 0, 1, 1, 2, 2, 3, 4, 4};
    return taps == 7 ? of_7_taps[i] : stride == 2 ? i - (i > 0) - (i == side - 1) : i;
}

enum { WINOGRAD_SIDE = 9 }; /* of the largest tile's input; smaller ones use the upper left of it */

typedef float winograd_square[WINOGRAD_SIDE][WINOGRAD_SIDE];

static void winograd(const convpool_conv2d_desc *desc, const float *weights, const float *bias, const convpool_conv2d_args *args) {
    const int tile = desc->algorithm == CONVPOOL_ALGORITHM_WINOGRAD_2X2 ? 2 : 4, taps = (int)desc->kh, stride = (int)desc->stride_h;
    const int side = (tile - 1) * stride + taps;
    int64_t oh, ow;
    oracle_conv2d_output_size(desc, &oh, &ow);
    const convpool_strides ss = strides_or_dense(args->src_strides, desc->src_layout, desc->in_channels, desc->ih, desc->iw);
    const convpool_strides ds = strides_or_dense(args->dst_strides, desc->dst_layout, desc->out_channels, oh, ow);
    const convpool_strides rs = strides_or_dense(args->residual_strides, desc->dst_layout, desc->out_channels, oh, ow);
    const int64_t channels = desc->in_channels / desc->groups, outputs = desc->out_channels / desc->groups;
    const int64_t stored = stored_channels(desc->dst_layout, desc->out_channels);
    /* Outputs i, i + dilation, .. are those of a tile; in each direction one begins at each of so many residues. */
    const int64_t dh = desc->dilation_h, dw = desc->dilation_w, rows = (oh - 1) * stride + (taps - 1) * dh + 1;
    const int64_t columns = (ow - 1) * stride + (taps - 1) * dw + 1;
    const int64_t across = (ow + tile * dw - 1) / (tile * dw) * dw, down = (oh + tile * dh - 1) / (tile * dh) * dh;
    const float *src = args->src, *residual = args->residual;
    float *dst = args->dst;
    winograd_square *const all_v = malloc(2 * (size_t)channels * sizeof *all_v), *const all_u = all_v + channels;
    if (all_v == NULL) abort();

    for (int64_t at = 0; at < args->batch * stored * down * across; at++) {
        const int64_t tj = at % across, ti = at / across % down, o = at / across / down % stored;
        const int64_t j = tj / dw * dw * tile + tj % dw, i = ti / dh * dh * tile + ti % dh;
        const int64_t n = at / across / down / stored;
        winograd_square m = {{0}};
        for (int64_t c = 0; c < channels && o < desc->out_channels; c++) {
            float(*const v)[WINOGRAD_SIDE] = all_v[c];
            double u[WINOGRAD_SIDE][WINOGRAD_SIDE] = {{0}};
            memset(v, 0, sizeof(winograd_square));
            for (int y = 0; y < side; y++)
                for (int x = 0; x < side; x++) {
                    const int64_t row = i * stride + y * dh, column = j * stride + x * dw;
                    if (row >= rows || column >= columns) continue;
                    const int64_t sy = border_index(desc->border, row - desc->pad_top, desc->ih);
                    const int64_t sx = border_index(desc->border, column - desc->pad_left, desc->iw);
                    if (sy < 0 || sx < 0) continue;
                    v[y][x] = src[oracle_offset(desc->src_layout, &ss, n, o / outputs * channels + c, sy, sx)];
                }
            for (int y = 0; y < taps; y++)
                for (int x = 0; x < taps; x++) u[y][x] = (double)weights[((o * channels + c) * taps + y) * taps + x];
            for (int x = 0; x < side; x++) winograd_input_line(&v[0][x], WINOGRAD_SIDE, side, taps);
            for (int y = 0; y < side; y++) winograd_input_line(v[y], 1, side, taps);
            for (int x = 0; x < taps; x++) winograd_weights_line(&u[0][x], WINOGRAD_SIDE, side, taps);
            for (int y = 0; y < side; y++) winograd_weights_line(u[y], 1, side, taps);
            for (int y = 0; y < side; y++)
                for (int x = 0; x < side; x++) all_u[c][y][x] = (float)u[y][x];
        }
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++) {
                float *sum = &m[winograd_sum_of(y, side, taps, stride)][winograd_sum_of(x, side, taps, stride)];
                for (int64_t c = 0; c < channels && o < desc->out_channels; c++) *sum = fmaf(all_u[c][y][x], all_v[c][y][x], *sum);
            }
        for (int x = 0; x < side; x++) winograd_output_line(&m[0][x], WINOGRAD_SIDE, tile, side);
        for (int y = 0; y < tile; y++) winograd_output_line(m[y], 1, tile, side);
        for (int y = 0; y < tile && i + y * dh < oh; y++)
            for (int x = 0; x < tile && j + x * dw < ow; x++) {
                const int64_t row = i + y * dh, column = j + x * dw;
                float sum = m[y][x] + (bias && o < desc->out_channels ? bias[o] : 0.0f);
                if (residual && o < desc->out_channels) sum += residual[oracle_offset(desc->dst_layout, &rs, n, o, row, column)];
                dst[oracle_offset(desc->dst_layout, &ds, n, o, row, column)] =
                    o < desc->out_channels ? oracle_activation(desc, sum) : 0.0f;
            }
    }
    free(all_v);
}

/* Along the rows, then along the columns: desc->groups kernels of one channel, each a column times a row. */
static void separable(const convpool_conv2d_desc *desc, const float *weights, const float *bias, const convpool_conv2d_args *args) {
    int64_t oh, ow;
    oracle_conv2d_output_size(desc, &oh, &ow);
    const convpool_strides ss = strides_or_dense(args->src_strides, desc->src_layout, desc->in_channels, desc->ih, desc->iw);
    const convpool_strides ds = strides_or_dense(args->dst_strides, desc->dst_layout, desc->out_channels, oh, ow);
    const convpool_strides rs = strides_or_dense(args->residual_strides, desc->dst_layout, desc->out_channels, oh, ow);
    const float *src = args->src, *residual = args->residual;
    float *dst = args->dst;
    for (int64_t n = 0; n < args->batch; n++)
        for (int64_t o = 0; o < stored_channels(desc->dst_layout, desc->out_channels); o++) {
            const float *w = weights + (o < desc->out_channels ? o : 0) * desc->kh * desc->kw;
            int64_t p = 0, q = 0; /* of the first weight of the largest magnitude */
            for (int64_t y = 0; y < desc->kh; y++)
                for (int64_t x = 0; x < desc->kw; x++)
                    if (fabsf(w[y * desc->kw + x]) > fabsf(w[p * desc->kw + q])) p = y, q = x;
            for (int64_t i = 0; i < oh; i++)
                for (int64_t j = 0; j < ow; j++) {
                    float acc = bias && o < desc->out_channels ? bias[o] : 0.0f;
                    for (int64_t y = 0; y < desc->kh; y++) {
                        const int64_t sy = border_index(desc->border, i + y * desc->dilation_h - desc->pad_top, desc->ih);
                        if (sy < 0) continue;
                        float row = 0.0f;
                        for (int64_t x = 0; x < desc->kw; x++) {
                            const int64_t sx = border_index(desc->border, j + x * desc->dilation_w - desc->pad_left, desc->iw);
                            if (sx < 0 || o >= desc->out_channels) continue;
                            row = fmaf(src[oracle_offset(desc->src_layout, &ss, n, o, sy, sx)], w[p * desc->kw + x], row);
                        }
                        acc = fmaf(row, w[y * desc->kw + q] / w[p * desc->kw + q], acc);
                    }
                    if (residual && o < desc->out_channels) acc += residual[oracle_offset(desc->dst_layout, &rs, n, o, i, j)];
                    dst[oracle_offset(desc->dst_layout, &ds, n, o, i, j)] =
                        o < desc->out_channels ? oracle_activation(desc, acc) : 0.0f;
                }
        }
}

void oracle_conv2d(const convpool_conv2d_desc *desc, const float *weights, const float *bias, const convpool_conv2d_args *args) {
    if (desc->algorithm == CONVPOOL_ALGORITHM_SEPARABLE) {
        separable(desc, weights, bias, args);
        return;
    }
    if (desc->algorithm == CONVPOOL_ALGORITHM_WINOGRAD_2X2 || desc->algorithm == CONVPOOL_ALGORITHM_WINOGRAD_4X4) {
        winograd(desc, weights, bias, args);
        return;
    }
    int64_t oh, ow;
    oracle_conv2d_output_size(desc, &oh, &ow);
    const convpool_strides ss = strides_or_dense(args->src_strides, desc->src_layout, desc->in_channels, desc->ih, desc->iw);
    const convpool_strides ds = strides_or_dense(args->dst_strides, desc->dst_layout, desc->out_channels, oh, ow);
    const convpool_strides rs = strides_or_dense(args->residual_strides, desc->dst_layout, desc->out_channels, oh, ow);
    const int64_t channels = desc->in_channels / desc->groups;
    const int64_t outputs = desc->out_channels / desc->groups;
    const float *src = args->src;
    const float *residual = args->residual;
    float *dst = args->dst;

    for (int64_t n = 0; n < args->batch; n++)
        for (int64_t o = 0; o < stored_channels(desc->dst_layout, desc->out_channels); o++)
            for (int64_t i = 0; i < oh; i++)
                for (int64_t j = 0; j < ow; j++) {
                    const int64_t at = oracle_offset(desc->dst_layout, &ds, n, o, i, j);
                    if (o >= desc->out_channels) {
                        dst[at] = 0.0f;
                        continue;
                    }
                    float acc = bias ? bias[o] : 0.0f;
                    for (int64_t cb = 0; cb < channels; cb += 8)
                        for (int64_t y = 0; y < desc->kh; y++)
                            for (int64_t x = 0; x < desc->kw; x++) {
                                const int64_t sy =
                                    border_index(desc->border, i * desc->stride_h + y * desc->dilation_h - desc->pad_top, desc->ih);
                                const int64_t sx = border_index(
                                    desc->border, j * desc->stride_w + x * desc->dilation_w - desc->pad_left, desc->iw);
                                if (sy < 0 || sx < 0) continue;
                                for (int64_t c = cb; c < cb + 8 && c < channels; c++) {
                                    const int64_t sc = o / outputs * channels + c;
                                    acc = fmaf(src[oracle_offset(desc->src_layout, &ss, n, sc, sy, sx)],
                                               weights[((o * channels + c) * desc->kh + y) * desc->kw + x], acc);
                                }
                            }
                    if (residual) acc += residual[oracle_offset(desc->dst_layout, &rs, n, o, i, j)];
                    dst[at] = oracle_activation(desc, acc);
                }
}

/* ------------------------------------------------------------------------------------------------------------------ pooling */

/* Taps of a window along one axis: first, first + step, .. */
typedef struct line {
    int64_t first, step, count;
} line;

static int64_t sliding_size(int64_t in, int64_t before, int64_t after, int64_t kernel, int64_t stride, int64_t dilation,
                            bool ceil_mode) {
    const int64_t room = in + before + after - ((kernel - 1) * dilation + 1);
    int64_t size = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
    if (ceil_mode && (size - 1) * stride >= in + before) size--;
    return size;
}

void oracle_pool2d_output_size(const convpool_pool2d_desc *d, int64_t *oh, int64_t *ow) {
    switch (d->window) {
    case CONVPOOL_POOL_WINDOW_GLOBAL:
        *oh = *ow = 1;
        break;
    case CONVPOOL_POOL_WINDOW_ADAPTIVE:
        *oh = d->oh;
        *ow = d->ow;
        break;
    default:
        *oh = sliding_size(d->ih, d->pad_top, d->pad_bottom, d->kh, d->stride_h, d->dilation_h, d->ceil_mode != 0);
        *ow = sliding_size(d->iw, d->pad_left, d->pad_right, d->kw, d->stride_w, d->dilation_w, d->ceil_mode != 0);
        break;
    }
}

static line adaptive_line(int64_t i, int64_t in, int64_t out) {
    const int64_t first = i * in / out;
    return (line){first, 1, ((i + 1) * in + out - 1) / out - first};
}

/* Taps that lie in [lo, hi). */
static int64_t taps_within(line l, int64_t lo, int64_t hi) {
    int64_t taps = 0;
    for (int64_t k = 0; k < l.count; k++) taps += l.first + k * l.step >= lo && l.first + k * l.step < hi;
    return taps;
}

typedef struct plane {
    const convpool_pool2d_desc *desc;
    const void *src;
    convpool_strides strides;
    int64_t n, c;
} plane;

static float plane_at(const plane *p, int64_t y, int64_t x) {
    const int64_t at = oracle_offset(p->desc->src_layout, &p->strides, p->n, p->c, y, x);
    return p->desc->src_type == CONVPOOL_DATA_TYPE_U8 ? (float)((const uint8_t *)p->src)[at] : ((const float *)p->src)[at];
}

static bool plane_has(const plane *p, int64_t y, int64_t x) { return y >= 0 && y < p->desc->ih && x >= 0 && x < p->desc->iw; }

static float window_max(const plane *p, line rows, line columns, int64_t *index) {
    float max = -INFINITY;
    *index = -1;
    for (int64_t a = 0; a < rows.count; a++)
        for (int64_t b = 0; b < columns.count; b++) {
            const int64_t y = rows.first + a * rows.step, x = columns.first + b * columns.step;
            if (!plane_has(p, y, x)) continue;
            const float value = plane_at(p, y, x);
            if (*index < 0 || value > max || (isnan(value) && !isnan(max))) {
                max = value;
                *index = y * p->desc->iw + x;
            }
        }
    return max;
}

static float accumulate(const convpool_pool2d_desc *desc, float sum, float x) {
    if (desc->kind == CONVPOOL_POOL_KIND_AVERAGE) return sum + x;
    return desc->p == 1 ? sum + fabsf(x) : fmaf(x, x, sum);
}

static float window_sum(const plane *p, line rows, line columns) {
    float sum = 0.0f;
    for (int64_t a = 0; a < rows.count; a++) {
        float row = 0.0f;
        for (int64_t b = 0; b < columns.count; b++) {
            const int64_t y = rows.first + a * rows.step, x = columns.first + b * columns.step;
            if (plane_has(p, y, x)) row = accumulate(p->desc, row, plane_at(p, y, x));
        }
        sum += row;
    }
    return sum;
}

static float global_sum(const plane *p) {
    float part[8] = {0};
    for (int64_t k = 0; k < p->desc->ih * p->desc->iw; k++)
        part[k % 8] = accumulate(p->desc, part[k % 8], plane_at(p, k / p->desc->iw, k % p->desc->iw));
    float q[4];
    for (int i = 0; i < 4; i++) q[i] = part[i] + part[i + 4];
    return (q[0] + q[2]) + (q[1] + q[3]);
}

static int64_t divisor(const convpool_pool2d_desc *d, line rows, line columns) {
    if (d->window != CONVPOOL_POOL_WINDOW_SLIDING) return rows.count * columns.count;
    if (d->divisor_override) return d->divisor_override;
    if (d->count_include_pad)
        return taps_within(rows, -d->pad_top, d->ih + d->pad_bottom) * taps_within(columns, -d->pad_left, d->iw + d->pad_right);
    return taps_within(rows, 0, d->ih) * taps_within(columns, 0, d->iw);
}

static float pooled(const plane *p, line rows, line columns, int64_t *index) {
    const convpool_pool2d_desc *d = p->desc;
    *index = -1;
    if (d->kind == CONVPOOL_POOL_KIND_MAX) return window_max(p, rows, columns, index);
    const float sum = d->window == CONVPOOL_POOL_WINDOW_GLOBAL ? global_sum(p) : window_sum(p, rows, columns);
    if (d->kind == CONVPOOL_POOL_KIND_LP) return d->p == 1 ? sum : sqrtf(sum);
    if (taps_within(rows, 0, d->ih) * taps_within(columns, 0, d->iw) == 0) return 0.0f;
    return sum / (float)divisor(d, rows, columns);
}

static void store(const convpool_pool2d_desc *desc, void *dst, int64_t at, float value) {
    if (desc->dst_type == CONVPOOL_DATA_TYPE_U8)
        ((uint8_t *)dst)[at] = (uint8_t)nearbyintf(clip(value, 0.0f, 255.0f));
    else
        ((float *)dst)[at] = value;
}

static void pool_forward(const convpool_pool2d_desc *d, const convpool_pool2d_args *args) {
    int64_t oh, ow;
    oracle_pool2d_output_size(d, &oh, &ow);
    const convpool_strides ss = strides_or_dense(args->src_strides, d->src_layout, d->channels, d->ih, d->iw);
    const convpool_strides ds = strides_or_dense(args->dst_strides, d->dst_layout, d->channels, oh, ow);
    const convpool_strides is = strides_or_dense(args->indices_strides, d->dst_layout, d->channels, oh, ow);

    for (int64_t n = 0; n < args->batch; n++)
        for (int64_t c = 0; c < stored_channels(d->dst_layout, d->channels); c++)
            for (int64_t i = 0; i < oh; i++)
                for (int64_t j = 0; j < ow; j++) {
                    const int64_t at = oracle_offset(d->dst_layout, &ds, n, c, i, j);
                    if (c >= d->channels) {
                        store(d, args->dst, at, 0.0f);
                        continue;
                    }
                    const bool sliding = d->window == CONVPOOL_POOL_WINDOW_SLIDING;
                    const line rows =
                        sliding ? (line){i * d->stride_h - d->pad_top, d->dilation_h, d->kh} : adaptive_line(i, d->ih, oh);
                    const line columns =
                        sliding ? (line){j * d->stride_w - d->pad_left, d->dilation_w, d->kw} : adaptive_line(j, d->iw, ow);
                    const plane p = {d, args->src, ss, n, c};
                    int64_t index;
                    store(d, args->dst, at, pooled(&p, rows, columns, &index));
                    if (d->indices == CONVPOOL_INDICES_NONE) continue;
                    if (d->indices == CONVPOOL_INDICES_TENSOR && index >= 0) index += (n * d->channels + c) * d->ih * d->iw;
                    args->indices[oracle_offset(d->dst_layout, &is, n, c, i, j)] = index;
                }
}

static void max_unpool(const convpool_pool2d_desc *d, const convpool_pool2d_args *args) {
    int64_t oh, ow;
    oracle_pool2d_output_size(d, &oh, &ow);
    const convpool_strides ss = strides_or_dense(args->src_strides, d->src_layout, d->channels, oh, ow);
    const convpool_strides ds = strides_or_dense(args->dst_strides, d->dst_layout, d->channels, d->ih, d->iw);
    const convpool_strides is = strides_or_dense(args->indices_strides, d->dst_layout, d->channels, oh, ow);
    const float *src = args->src;
    float *dst = args->dst;

    for (int64_t n = 0; n < args->batch; n++)
        for (int64_t c = 0; c < stored_channels(d->dst_layout, d->channels); c++) {
            for (int64_t y = 0; y < d->ih; y++)
                for (int64_t x = 0; x < d->iw; x++) dst[oracle_offset(d->dst_layout, &ds, n, c, y, x)] = 0.0f;
            if (c >= d->channels) continue;
            for (int64_t i = 0; i < oh; i++)
                for (int64_t j = 0; j < ow; j++) {
                    const int64_t index = args->indices[oracle_offset(d->dst_layout, &is, n, c, i, j)];
                    if (index >= 0)
                        dst[oracle_offset(d->dst_layout, &ds, n, c, index / d->iw, index % d->iw)] =
                            src[oracle_offset(d->src_layout, &ss, n, c, i, j)];
                }
        }
}

void oracle_pool2d(const convpool_pool2d_desc *desc, const convpool_pool2d_args *args) {
    if (desc->direction == CONVPOOL_DIRECTION_TRANSPOSED)
        max_unpool(desc, args);
    else
        pool_forward(desc, args);
}
