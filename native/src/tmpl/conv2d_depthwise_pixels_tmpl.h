/* SPDX-License-Identifier: MIT
 * Depthwise 3x3 and 5x5 convolution of channels that lie side by side, stride 1 and 2, in place.
 *
 * Tile:       the walk of conv2d_depthwise_width_tmpl.h, channels for lanes, down one column after the other; weights stay in
 *             registers from column to column.
 * Bound:      as there; a row of 3 taps is 3 aligned loads. NCHW8C and AVX-512: half of each vector is empty.
 * Edges:      the taps of a column beyond the left or right border are masked out. */

/* Rows of a task, all its columns, and n channels, which are lanes. */
typedef struct pixels_part {
    int64_t row, rows, channel, n;
} pixels_part;

static float *pixels_dst(const cp_conv2d_depthwise *a, const pixels_part *part) {
    const cp_conv2d_call *call = &a->call;
    return call->dst + cp_channel_offset(call->desc->dst_layout, call->dst_strides.channel, part->channel) +
           part->row * call->dst_strides.row + a->column * call->dst_strides.column;
}

/* One column after the other. */
static CP_INLINE void pixels_down(const cp_conv2d_depthwise *a, const pixels_part *part, planes_walk *walk, const int kernel,
                                  const int step) {
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const int64_t first = (part->channel - a->channel) / CP_PANEL * CP_PANEL, lane = (part->channel - a->channel) % CP_PANEL;
    const float *weights = call->weights + first * kernel * kernel + lane, *bias = call->bias + first + lane;
    const float *src = call->src + cp_channel_offset(d->src_layout, call->src_strides.channel, part->channel);
    planes_constants all = {.bias = vw_loadn(bias, part->n), .lo = vw_set1(walk->lo), .hi = vw_set1(walk->hi)};
    CP_UNROLL
    for (int ty = 0; ty < kernel; ty++) {
        CP_UNROLL
        for (int tx = 0; tx < kernel; tx++) all.w[ty * kernel + tx] = vw_loadn(weights + (ty * kernel + tx) * CP_PANEL, part->n);
    }
    walk->top = part->row * step - d->pad_top;
    walk->rows = part->rows;
    walk->n = part->n;
    walk->dst = pixels_dst(a, part);
    for (int64_t j = a->column; j < a->column + a->columns; j++, walk->dst += call->dst_strides.column) {
        const int64_t x = j * step - d->pad_left;
        walk->src = src + x * walk->column;
        if (x >= 0 && x + kernel <= d->iw && walk->n == CP_WIDE) {
            planes_down(walk, &all, NULL, kernel, step, PLANES_PIXELS, true);
        } else {
            planes_edge edge = {0};
            for (int tap = 0; tap < kernel; tap++) edge.near[tap] = vw_range(0, x + tap >= 0 && x + tap < d->iw ? walk->n : 0);
            walk->edge = &edge;
            planes_down(walk, &all, NULL, kernel, step, PLANES_PIXELS, false);
        }
    }
}

typedef void (*pixels_walker)(const cp_conv2d_depthwise *, const pixels_part *, planes_walk *);
#define PIXELS_WALKER(kernel, step)                                                                                                \
    static CP_NOINLINE void pixels_##kernel##_##step(const cp_conv2d_depthwise *a, const pixels_part *part, planes_walk *walk) {   \
        pixels_down(a, part, walk, kernel, step);                                                                                  \
    }
PIXELS_WALKER(3, 1)
PIXELS_WALKER(3, 2)
PIXELS_WALKER(5, 1)
PIXELS_WALKER(5, 2)
#undef PIXELS_WALKER

/* What is left to do of a part whose sums dst holds, and zeros for channels of NCHW8C that do not exist. */
static void pixels_finish(const cp_conv2d_depthwise *a, const pixels_part *part, int64_t spare, bool complete) {
    const cp_conv2d_call *call = &a->call;
    float *dst = pixels_dst(a, part);
    const float *residual = call->residual;
    if (residual != NULL) {
        residual += cp_channel_offset(call->desc->dst_layout, call->residual_strides.channel, part->channel) +
                    part->row * call->residual_strides.row + a->column * call->residual_strides.column;
    }
    for (int64_t i = 0; i < part->rows; i++) {
        for (int64_t j = 0; j < a->columns; j++) {
            float *to = dst + i * call->dst_strides.row + j * call->dst_strides.column;
            const float *from =
                residual == NULL ? NULL : residual + i * call->residual_strides.row + j * call->residual_strides.column;
            if (!complete) planes_finish_run(to, from, part->n, &call->activation);
            for (int64_t c = 0; c < spare; c++) to[part->n + c] = 0.0f;
        }
    }
}

static void CP_NAME(conv2d_depthwise_pixels)(const cp_conv2d_depthwise *a) {
    static const pixels_walker walkers[2][2] = {{pixels_3_1, pixels_3_2}, {pixels_5_1, pixels_5_2}};
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const bool eights = d->src_layout == CONVPOOL_LAYOUT_NCHW8C || d->dst_layout == CONVPOOL_LAYOUT_NCHW8C;
    const bool complete = planes_complete(call);
    const int64_t lanes = eights ? 8 : CP_WIDE, row_end = a->row + a->rows, channel_end = a->channel + a->channels;
    const int64_t spare = cp_spare_channels(d->dst_layout, d->out_channels, channel_end);
    planes_walk walk = planes_walk_of(call);
    for (pixels_part part = {.row = a->row}; part.row < row_end; part.row += part.rows) {
        part.rows = CP_MIN(CP_PLANES_BAND, row_end - part.row);
        for (part.channel = a->channel; part.channel < channel_end; part.channel += part.n) {
            part.n = CP_MIN(lanes, channel_end - part.channel);
            const int64_t zeros = part.channel + part.n == channel_end ? spare : 0;
            walkers[d->kh == 5][d->stride_w == 2](a, &part, &walk);
            if (!complete || zeros > 0) pixels_finish(a, &part, zeros, complete);
        }
    }
}
