/* SPDX-License-Identifier: MIT
 * Pooling where channels lie side by side: 1 output x 32 channels, every tap a plain load; and sums over whole images, of channels
 * side by side or of planes. Bound by loads, in the end by the memory that src comes from. */

enum { POOL2D_VECTORS = 4 };

/* `vectors` x 8 neighbouring channels of one output; `lanes` of the last vector are real. */
static CP_INLINE void pool2d_channels_vectors(const cp_pool2d_band *a, const float *src, float *dst, const pool2d_axis *y,
                                              const pool2d_axis *x, float divisor, const int vectors, int64_t lanes,
                                              const pool2d_op op) {
    v8 acc[POOL2D_VECTORS];
    CP_UNROLL
    for (int v = 0; v < vectors; v++) acc[v] = pool2d_start(op);
    for (int64_t ty = y->begin; ty < y->end; ty++) {
        const float *line = src + (y->origin + ty * y->dilation) * a->src_strides.row;
        v8 row[POOL2D_VECTORS];
        CP_UNROLL
        for (int v = 0; v < vectors; v++) row[v] = op == POOL2D_MAX ? acc[v] : v8_zero();
        for (int64_t tx = x->begin; tx < x->end; tx++) {
            const float *pixel = line + (x->origin + tx * x->dilation) * a->src_strides.column;
            CP_UNROLL
            for (int v = 0; v < vectors; v++) {
                row[v] = pool2d_step(op, row[v], lanes == 8 ? v8_load(pixel + v * 8) : v8_loadn(pixel + v * 8, lanes));
            }
        }
        CP_UNROLL
        for (int v = 0; v < vectors; v++) acc[v] = op == POOL2D_MAX ? row[v] : v8_add(acc[v], row[v]);
    }
    CP_UNROLL
    for (int v = 0; v < vectors; v++) {
        const v8 y8 = pool2d_result(op, acc[v], v8_set1(divisor));
        if (lanes == 8) {
            v8_store(dst + v * 8, y8);
        } else {
            v8_storen(dst + v * 8, y8, lanes);
        }
    }
}

static CP_INLINE void pool2d_channels_op(const cp_pool2d_band *a, const pool2d_op op) {
    const convpool_pool2d_desc *d = a->desc;
    const int64_t run = d->src_layout == CONVPOOL_LAYOUT_NHWC ? a->channels : 8, end = a->channel + a->channels;
    for (int64_t i = a->row; i < a->row + a->rows; i++) {
        const pool2d_axis y = pool2d_rows(d, i);
        for (int64_t j = 0; j < d->ow; j++) {
            const pool2d_axis x = pool2d_columns(d, j);
            const float divisor = pool2d_divisor(d, &y, &x);
            for (int64_t first = a->channel; first < end; first += run) {
                const float *src = (const float *)a->src + cp_channel_offset(d->src_layout, a->src_strides.channel, first);
                float *dst = (float *)a->dst + cp_channel_offset(d->dst_layout, a->dst_strides.channel, first) +
                             i * a->dst_strides.row + j * a->dst_strides.column;
                const int64_t n = CP_MIN(run, end - first);
                int64_t c = 0;
                for (; c + 8 * POOL2D_VECTORS <= n; c += 8 * POOL2D_VECTORS) {
                    pool2d_channels_vectors(a, src + c, dst + c, &y, &x, divisor, POOL2D_VECTORS, 8, op);
                }
                for (; c + 8 <= n; c += 8) pool2d_channels_vectors(a, src + c, dst + c, &y, &x, divisor, 1, 8, op);
                if (c < n) pool2d_channels_vectors(a, src + c, dst + c, &y, &x, divisor, 1, n - c, op);
            }
        }
    }
}

static void CP_NAME(pool2d_channels)(const cp_pool2d_band *a) {
    switch (pool2d_op_of(a->desc)) {
    case POOL2D_MAX:
        pool2d_channels_op(a, POOL2D_MAX);
        break;
    case POOL2D_SUM:
        pool2d_channels_op(a, POOL2D_SUM);
        break;
    case POOL2D_SUM_ABS:
        pool2d_channels_op(a, POOL2D_SUM_ABS);
        break;
    default:
        pool2d_channels_op(a, POOL2D_SUM_SQUARES);
        break;
    }
}

/* How to load a plane of n elements without gaps by whole aligned vectors: lane i of all of them belongs to the same partial sum,
 * and which lane is the first changes neither the partial sums nor which of them are added up. */
typedef struct pool2d_aligned {
    const float *begin;     /* of the first vector */
    v8_mask first, ends[2]; /* of that, and of the one or two after the whole ones */
} pool2d_aligned;

static CP_INLINE int64_t pool2d_aligned_end(int64_t n) { return n < 16 ? 8 : n & ~(int64_t)7; }

static pool2d_aligned pool2d_aligned_of(const float *plane, int64_t n) {
    const int64_t before = (int64_t)((uintptr_t)plane / sizeof(float) % CP_ALIGNED), end = pool2d_aligned_end(n) - before;
    return (pool2d_aligned){
        plane - before, v8_range(before, before + n), {v8_range(-end, n - end), v8_range(-end - 8, n - end - 8)}};
}

/* The sums of `planes` whole planes, side by side so that their additions overlap; with `two`, there are two vectors after the
 * whole ones. */
static CP_INLINE v8 pool2d_global_sums(const pool2d_aligned *aligned, int64_t n, const int planes, const bool two,
                                       const pool2d_op op) {
    const int64_t end = pool2d_aligned_end(n);
    v8 p[8];
    CP_UNROLL
    for (int k = 0; k < 8; k++) p[k] = v8_zero();
    CP_UNROLL
    for (int k = 0; k < planes; k++) {
        const v8 first = v8_load_masked(aligned[k].begin, aligned[k].first);
        p[k] = op == POOL2D_SUM ? first : pool2d_step(op, p[k], first);
    }
    for (int64_t at = 8; at < end; at += 8) {
        CP_UNROLL
        for (int k = 0; k < planes; k++) p[k] = pool2d_step(op, p[k], v8_load(aligned[k].begin + at));
    }
    CP_UNROLL
    for (int k = 0; k < planes; k++) p[k] = pool2d_step(op, p[k], v8_load_masked(aligned[k].begin + end, aligned[k].ends[0]));
    CP_UNROLL
    for (int k = 0; k < planes && two; k++) {
        p[k] = pool2d_step(op, p[k], v8_load_masked(aligned[k].begin + end + 8, aligned[k].ends[1]));
    }
    const v8 sums = v8_sums(p);
    return op == POOL2D_SUM ? v8_add(sums, v8_zero()) : sums; /* Sums begin with +0, which tells where all that follow are -0. */
}

static CP_INLINE void pool2d_global_op(const cp_pool2d_band *a, const bool two, const pool2d_op op) {
    const convpool_pool2d_desc *d = a->desc;
    const int64_t n = d->ih * d->iw, src_plane = a->src_strides.channel, dst_plane = a->dst_strides.channel, channels = a->channels;
    const pool2d_axis y = pool2d_rows(d, 0), x = pool2d_columns(d, 0);
    const float cells = pool2d_divisor(d, &y, &x);
    const v8 divisor = v8_set1(cells);
    float *dst = (float *)a->dst + a->channel * dst_plane;
    pool2d_aligned aligned[8]; /* The next 8 planes are aligned as these are. */
    for (int64_t k = 0; k < CP_MIN(8, channels); k++) {
        aligned[k] = pool2d_aligned_of((const float *)a->src + (a->channel + k) * src_plane, n);
    }
    const bool denormal = op == POOL2D_SUM && pool2d_has_quotient(cells) &&
                          v8_any(v8_denormal(v8_load_masked(aligned->begin, aligned->first))); /* as the rest may be, then */
    int64_t c = 0;
    for (; c + 8 <= channels && dst_plane == 1; c += 8) {
        const v8 sums = pool2d_global_sums(aligned, n, 8, two, op);
        v8_store(dst + c, denormal ? pool2d_quotient8(sums, cells) : pool2d_result(op, sums, divisor));
        CP_UNROLL
        for (int k = 0; k < 8; k++) aligned[k].begin += 8 * src_plane;
    }
    for (; c < channels; c++) {
        pool2d_aligned *plane = &aligned[c & 7];
        v8_storen(dst + c * dst_plane, pool2d_result(op, pool2d_global_sums(plane, n, 1, two, op), divisor), 1);
        plane->begin += 8 * src_plane;
    }
}

/* The same where up to 8 channels lie side by side: a lane is a channel, so the partial sums are vectors. */
static CP_INLINE void pool2d_global_channels(const cp_pool2d_band *a, const pool2d_op op) {
    const convpool_pool2d_desc *d = a->desc;
    const pool2d_axis y = pool2d_rows(d, 0), x = pool2d_columns(d, 0);
    const v8 divisor = v8_set1(pool2d_divisor(d, &y, &x));
    for (int64_t c = a->channel; c < a->channel + a->channels; c += 8) {
        const int64_t lanes = CP_MIN(8, a->channel + a->channels - c);
        const float *src = (const float *)a->src + cp_channel_offset(d->src_layout, a->src_strides.channel, c);
        v8 p[8];
        int64_t k = 0;
        for (int i = 0; i < 8; i++) p[i] = v8_zero();
        for (int64_t i = 0; i < d->ih; i++) {
            const float *pixel = src + i * a->src_strides.row;
            for (int64_t j = 0; j < d->iw; j++, k = (k + 1) & 7, pixel += a->src_strides.column) {
                p[k] = pool2d_step(op, p[k], lanes == 8 ? v8_load(pixel) : v8_loadn(pixel, lanes));
            }
        }
        const v8 sum = v8_add(v8_add(v8_add(p[0], p[4]), v8_add(p[2], p[6])), v8_add(v8_add(p[1], p[5]), v8_add(p[3], p[7])));
        v8_storen((float *)a->dst + cp_channel_offset(d->dst_layout, a->dst_strides.channel, c), pool2d_result(op, sum, divisor),
                  lanes);
    }
}

static CP_INLINE void pool2d_global_of(const cp_pool2d_band *a, const pool2d_op op) {
    const int64_t n = a->desc->ih * a->desc->iw;
    if (a->desc->src_layout == CONVPOOL_LAYOUT_NCHW && n - pool2d_aligned_end(n) + CP_ALIGNED <= 9) {
        pool2d_global_op(a, false, op);
    } else if (a->desc->src_layout == CONVPOOL_LAYOUT_NCHW) {
        pool2d_global_op(a, true, op);
    } else {
        pool2d_global_channels(a, op);
    }
}

static CP_NOINLINE void pool2d_global_sum(const cp_pool2d_band *a) { pool2d_global_of(a, POOL2D_SUM); }
static CP_NOINLINE void pool2d_global_sum_abs(const cp_pool2d_band *a) { pool2d_global_of(a, POOL2D_SUM_ABS); }
static CP_NOINLINE void pool2d_global_sum_squares(const cp_pool2d_band *a) { pool2d_global_of(a, POOL2D_SUM_SQUARES); }

static void CP_NAME(pool2d_global)(const cp_pool2d_band *a) {
    switch (pool2d_op_of(a->desc)) {
    case POOL2D_SUM:
        pool2d_global_sum(a);
        break;
    case POOL2D_SUM_ABS:
        pool2d_global_sum_abs(a);
        break;
    default:
        pool2d_global_sum_squares(a);
        break;
    }
}
