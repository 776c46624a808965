/* SPDX-License-Identifier: MIT
 * What all of pooling shares: the four reductions, the windows of an axis, divisors; and one output at a time, whatever the
 * options. */

/* The four reductions; a window's row is reduced first, then the rows. The last is as POOL2D_SUM, but minds denormals. */
typedef enum pool2d_op { POOL2D_MAX, POOL2D_SUM, POOL2D_SUM_ABS, POOL2D_SUM_SQUARES, POOL2D_SUM_DENORMAL } pool2d_op;

static CP_INLINE pool2d_op pool2d_op_of(const convpool_pool2d_desc *d) {
    if (d->kind == CONVPOOL_POOL_KIND_MAX) return POOL2D_MAX;
    if (d->kind == CONVPOOL_POOL_KIND_AVERAGE) return POOL2D_SUM;
    return d->p == 1 ? POOL2D_SUM_ABS : POOL2D_SUM_SQUARES;
}

static CP_INLINE v8 pool2d_start(pool2d_op op) { return v8_set1(op == POOL2D_MAX ? -INFINITY : 0.0f); }

static CP_INLINE v8 pool2d_step(pool2d_op op, v8 acc, v8 x) {
    switch (op) {
    case POOL2D_MAX:
        return v8_max_first(acc, x);
    case POOL2D_SUM:
        return v8_add(acc, x);
    case POOL2D_SUM_ABS:
        return v8_add(acc, v8_abs(x));
    default:
        return v8_fma(x, x, acc);
    }
}

/* Whether pool2d_quotient serves a divisor: a tie of denormals has to be told exactly. Divisors that are not given are small. */
static CP_INLINE bool pool2d_has_quotient(float n) { return n == 0.0f || (n < 0x1p20f && 0.5f * n * (1.0f / n) == 0.5f); }

/* sum / n by fused multiply-adds, which CPUs do as fast as ever on denormals, unlike divisions and products. A first quotient is
 * off by about a step of its last digit. The remainder is exact, and in steps it is a whole number over n, so its own quotient, in
 * which an error of 2^-22 does not matter, says what the nearest number is; also whether there are two, of which the last sum takes
 * the even one. Sums that are not finite, or large, are divided. */
static CP_INLINE vw pool2d_quotient(vw sum, vw n) {
    const vw inverse = vw_div(vw_set1(1.0f), n), first = vw_fma(sum, inverse, vw_zero());
    const vw remainder = vw_fma(first, vw_sub(vw_zero(), n), sum);
    const vw more = vw_fma(remainder, vw_mul(inverse, vw_set1(0x1p30f)), vw_zero()); /* scaled, so that it is no denormal */
    const vw quotient = vw_fma(more, vw_set1(0x1p-30f), first), finite = vw_sub(quotient, quotient);
    return vw_any(vw_unordered(finite, finite)) ? vw_div(sum, n) : quotient;
}
static CP_INLINE v8 pool2d_quotient8(v8 sum, float n) { return v8_of_vw(pool2d_quotient(vw_of_v8(sum), vw_set1(n))); }

/* Result of a window from its reduction; `divisor` serves averages only. */
static CP_INLINE v8 pool2d_result(pool2d_op op, v8 acc, v8 divisor) {
    if (op == POOL2D_SUM) return v8_div(acc, divisor);
    return op == POOL2D_SUM_SQUARES ? v8_sqrt(acc) : acc;
}

/* One axis of a window. */
typedef struct pool2d_axis {
    int64_t origin, dilation; /* tap t reads cell origin + t * dilation */
    int64_t begin, end;       /* taps within the image */
    int64_t cells;            /* taps that count in an average's divisor */
} pool2d_axis;

static pool2d_axis pool2d_axis_adaptive(int64_t i, int64_t input, int64_t output) {
    const int64_t begin = i * input / output, taps = cp_ceil_div((i + 1) * input, output) - begin;
    return (pool2d_axis){begin, 1, 0, taps, taps};
}

static pool2d_axis pool2d_axis_sliding(int64_t i, int64_t input, int64_t kernel, int64_t stride, int64_t dilation, int64_t before,
                                       int64_t after, bool include_pad) {
    pool2d_axis axis = {.origin = i * stride - before, .dilation = dilation};
    cp_tap_range(axis.origin, dilation, kernel, input, &axis.begin, &axis.end);
    axis.cells = axis.end - axis.begin;
    if (include_pad) {
        int64_t none;
        cp_tap_range(axis.origin, dilation, kernel, input + after, &none, &axis.cells);
    }
    return axis;
}

static pool2d_axis pool2d_rows(const convpool_pool2d_desc *d, int64_t i) {
    if (d->window == CONVPOOL_POOL_WINDOW_ADAPTIVE) return pool2d_axis_adaptive(i, d->ih, d->oh);
    return pool2d_axis_sliding(i, d->ih, d->kh, d->stride_h, d->dilation_h, d->pad_top, d->pad_bottom, d->count_include_pad == 1);
}

static pool2d_axis pool2d_columns(const convpool_pool2d_desc *d, int64_t j) {
    if (d->window == CONVPOOL_POOL_WINDOW_ADAPTIVE) return pool2d_axis_adaptive(j, d->iw, d->ow);
    return pool2d_axis_sliding(j, d->iw, d->kw, d->stride_w, d->dilation_w, d->pad_left, d->pad_right, d->count_include_pad == 1);
}

/* The first cell of an axis of n that a window reads; of one that reads none some number up to n. */
static int64_t pool2d_axis_first(const pool2d_axis *axis, int64_t n) {
    return CP_MIN(axis->origin + axis->begin * axis->dilation, n);
}

/* What an average divides by; 1 for a window without a cell, whose sum is 0. */
static float pool2d_divisor(const convpool_pool2d_desc *d, const pool2d_axis *y, const pool2d_axis *x) {
    const int64_t cells = d->divisor_override > 0 ? d->divisor_override : y->cells * x->cells;
    return (float)CP_MAX(1, cells);
}

/* Sum of 8 partial sums in the documented order. */
static CP_INLINE float pool2d_sum8(const float p[8]) { return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7])); }

static CP_INLINE float pool2d_read(const cp_pool2d_band *a, int64_t at) {
    return a->desc->src_type == CONVPOOL_DATA_TYPE_U8 ? (float)((const uint8_t *)a->src)[at] : ((const float *)a->src)[at];
}

static CP_INLINE void pool2d_write(const cp_pool2d_band *a, int64_t at, float value) {
    if (a->desc->dst_type == CONVPOOL_DATA_TYPE_U8) {
        const float clipped = value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value;
        ((uint8_t *)a->dst)[at] = (uint8_t)(int)((clipped + 8388608.0f) - 8388608.0f); /* to nearest even */
    } else {
        ((float *)a->dst)[at] = value;
    }
}

static CP_INLINE float pool2d_step1(pool2d_op op, float acc, float x) {
    if (op == POOL2D_SUM) return acc + x;
    if (op == POOL2D_SUM_ABS) return acc + (x < 0.0f ? -x : x);
    return cp_fma(x, x, acc);
}

/* One output element, whatever the options; rows and columns of its window are given. */
static void pool2d_element(const cp_pool2d_band *a, int64_t c, int64_t i, int64_t j, const pool2d_axis *y, const pool2d_axis *x) {
    const convpool_pool2d_desc *d = a->desc;
    const pool2d_op op = pool2d_op_of(d);
    const int64_t plane = cp_channel_offset(d->src_layout, a->src_strides.channel, c);
    const int64_t out =
        cp_channel_offset(d->dst_layout, a->dst_strides.channel, c) + i * a->dst_strides.row + j * a->dst_strides.column;
    float max = -INFINITY, sum = 0.0f, partial[8] = {0};
    int64_t index = -1;
    for (int64_t ty = y->begin; ty < y->end; ty++) {
        const int64_t row = y->origin + ty * y->dilation;
        float row_sum = 0.0f;
        for (int64_t tx = x->begin; tx < x->end; tx++) {
            const int64_t column = x->origin + tx * x->dilation;
            const float v = pool2d_read(a, plane + row * a->src_strides.row + column * a->src_strides.column);
            if (op == POOL2D_MAX) {
                if (index < 0 || v > max || (v != v && max == max)) {
                    max = v;
                    index = row * d->iw + column;
                }
            } else if (d->window == CONVPOOL_POOL_WINDOW_GLOBAL) {
                float *p = &partial[(row * d->iw + column) & 7];
                *p = pool2d_step1(op, *p, v);
            } else {
                row_sum = pool2d_step1(op, row_sum, v);
            }
        }
        sum += row_sum;
    }
    if (d->window == CONVPOOL_POOL_WINDOW_GLOBAL) sum = pool2d_sum8(partial);
    pool2d_write(a, out,
                 op == POOL2D_MAX           ? max
                 : op == POOL2D_SUM         ? sum / pool2d_divisor(d, y, x)
                 : op == POOL2D_SUM_SQUARES ? cp_sqrt(sum)
                                            : sum);
    if (a->indices != NULL) {
        const int64_t at = cp_channel_offset(d->dst_layout, a->indices_strides.channel, c) + i * a->indices_strides.row +
                           j * a->indices_strides.column;
        a->indices[at] = index < 0 ? -1 : a->index_base + c * a->index_plane + index;
    }
}

static void CP_NAME(pool2d_elements)(const cp_pool2d_band *a) {
    for (int64_t c = a->channel; c < a->channel + a->channels; c++) {
        for (int64_t i = a->row; i < a->row + a->rows; i++) {
            const pool2d_axis y = pool2d_rows(a->desc, i);
            for (int64_t j = 0; j < a->desc->ow; j++) {
                const pool2d_axis x = pool2d_columns(a->desc, j);
                pool2d_element(a, c, i, j, &y, &x);
            }
        }
    }
}
