/* SPDX-License-Identifier: MIT
 * Direct convolution of stride 1 with the widest vectors along the width: images of one or a few channels.
 *
 * Tile:       4 output rows of one channel, or one row of up to 4 output channels, x 3 vectors: an input vector is loaded once for
 *             all four, a weight for all three.
 * Registers:  12 accumulators, up to 3 inputs and a weight: all 16 of AVX2.
 * Bound:      FMA. A tap of the tile is 12 FMAs, 6 cycles, on 3 loads across cache lines and 4 broadcasts, 3.5 to 5 cycles; 3x3:
 *             memory as well, so large results are streamed past the caches.
 * Edges:      a vector whose windows cross the left or right border reads a copy of its part of the line, the border applied. Lines
 *             outside are skipped, or are those that the border says. */

enum {
    IMAGE_ROWS = 4,
    IMAGE_VECTORS = 3,
    IMAGE_LINES = CP_IMAGE_KERNEL + IMAGE_ROWS - 1,
    IMAGE_TAPS = CP_IMAGE_REACH * CP_BLOCK,
    IMAGE_COPY = CP_WIDE + CP_IMAGE_REACH + 8
};

/* Up to IMAGE_ROWS outputs of a column at a time: rows of one channel, or channels of one row. */
typedef struct conv2d_image {
    const cp_conv2d_image *a;
    const float *src; /* of the group */
    int64_t in_channels;
    int64_t kernel;                  /* side of a square kernel with one input channel that has code of its own, or 0 */
    int64_t begin, end;              /* the columns of dst whose windows lie within the image */
    const float *lines[IMAGE_LINES]; /* column 0 of channel 0; NULL for one outside */
    const float *weights;            /* of the first output */
    float bias[IMAGE_ROWS];
    float *dst[IMAGE_ROWS]; /* column 0 */
    const float *residual[IMAGE_ROWS];
    bool plain, clips, stream;
    int64_t lead; /* columns of dst before those where vectors are aligned */
    /* Where the products of a line lie in the image and in a copy of the line; there is one table for blocks of 8 channels and one
     * for the last block. */
    int64_t inside[2][IMAGE_TAPS], copied[2][IMAGE_TAPS];
    float copy[CP_BLOCK * IMAGE_COPY];
} conv2d_image;

/* What some lines read of one block of input channels. */
typedef struct conv2d_image_taps {
    int64_t n;             /* products of a line */
    const int64_t *offset; /* of each */
    int64_t weights_step;  /* to those that the next output multiplies with the same line */
    int64_t first_channel, channels;
    int64_t j;  /* of the outputs */
    int64_t at; /* where they begin in a line */
    bool edge;  /* windows may cross the border */
} conv2d_image_taps;

static CP_INLINE float conv2d_image_outside(const convpool_conv2d_desc *d, const float *line, int64_t x) {
    const int64_t column = x < d->iw + d->pad_right ? cp_border(d->border, x, d->iw) : -1;
    return column < 0 ? 0.0f : line[column];
}

/* Copies what the vector of outputs from column j on reads of a line, the border applied: [channel][IMAGE_COPY]. */
static CP_NOINLINE void conv2d_image_copy(conv2d_image *o, const float *line, const conv2d_image_taps *taps) {
    const convpool_conv2d_desc *d = o->a->desc;
    const int64_t columns = CP_WIDE + (d->kw - 1) * d->dilation_w, first = taps->j - d->pad_left;
    const int64_t begin = CP_MIN(columns, CP_MAX(0, -first)), end = CP_MAX(begin, CP_MIN(columns, d->iw - first));
    for (int64_t c = 0; c < taps->channels; c++) {
        const float *x = line + (taps->first_channel + c) * o->a->src_strides.channel;
        float *copy = o->copy + c * IMAGE_COPY;
        for (int64_t i = begin; i < end; i += 8) {
            const bool whole = i + 8 <= d->iw - first;
            v8_store(copy + i, whole ? v8_load(x + first + i) : v8_loadn(x + first + i, end - i));
        }
        for (int64_t i = 0; i < begin; i++) copy[i] = conv2d_image_outside(d, x, first + i);
        for (int64_t i = end; i < columns; i++) copy[i] = conv2d_image_outside(d, x, first + i);
    }
}

/* One line of the input for the outputs [first, end). */
static CP_INLINE void conv2d_image_line(conv2d_image *o, int64_t line, const conv2d_image_taps *taps, const float *weights,
                                        vw (*acc)[IMAGE_VECTORS], const int first, const int end, const int vectors,
                                        const int kernel) {
    const int64_t n = kernel > 0 ? kernel : taps->n, step = kernel > 0 ? -kernel : taps->weights_step;
    const float *x = o->lines[line];
    if (x == NULL) return;
    if (taps->edge) {
        conv2d_image_copy(o, x, taps);
        x = o->copy;
    } else {
        x += taps->at;
    }
    for (int64_t t = 0; t < n; t++, weights++) {
        const float *p = x + (kernel > 0 ? t : taps->offset[t]);
        vw in[IMAGE_VECTORS];
        CP_UNROLL
        for (int v = 0; v < vectors; v++) in[v] = vw_keep(vw_load(p + v * CP_WIDE));
        CP_UNROLL
        for (int k = first; k < end; k++) {
            const vw weight = vw_keep(vw_set1(weights[k * step]));
            CP_UNROLL
            for (int v = 0; v < vectors; v++) acc[k][v] = vw_fma(in[v], weight, acc[k][v]);
        }
    }
}

/* Residual, activation and store of n columns of `count` outputs, where that is more than a clip. */
static CP_NOINLINE void conv2d_image_finish(const conv2d_image *o, const float *acc, int64_t pitch, int64_t count, int64_t j,
                                            int64_t n) {
    const cp_conv2d_image *a = o->a;
    const cp_activation activation = a->activation;
    const int64_t dst_step = a->dst_strides.column, residual_step = a->residual_strides.column;
    for (int64_t k = 0; k < count; k++) {
        for (int64_t i = 0; i < n; i += 8) {
            const int64_t m = CP_MIN(8, n - i);
            float *dst = o->dst[k] + (j + i) * dst_step, t[8] = {0};
            v8 y = v8_load(acc + k * pitch + i);
            if (o->residual[k] != NULL) {
                for (int64_t p = 0; p < m; p++) t[p] = o->residual[k][(j + i + p) * residual_step];
                y = v8_add(y, v8_load(t));
            }
            y = v8_activate(y, &activation);
            if (dst_step == 1) {
                v8_storen(dst, y, m);
            } else {
                v8_store(t, y);
                for (int64_t p = 0; p < m; p++) dst[p * dst_step] = t[p];
            }
        }
    }
}

/* `vectors` vectors of `count` outputs from column j on: rows of one channel, no more than the kernel has, or without `rows`
 * channels of one row. Of the columns n exist. A `kernel` that is not 0 is square, not dilated, and has one input channel. */
static CP_INLINE void conv2d_image_block(conv2d_image *o, int64_t j, int64_t n, const bool edge, const bool rows, const int count,
                                         const int vectors, const int kernel) {
    const cp_conv2d_image *a = o->a;
    const int64_t kh = a->desc->kh, kw = a->desc->kw;
    vw acc[IMAGE_ROWS][IMAGE_VECTORS];
    CP_UNROLL
    for (int k = 0; k < count; k++) {
        CP_UNROLL
        for (int v = 0; v < vectors; v++) acc[k][v] = vw_set1(o->bias[k]);
    }
    if (kernel > 0) {
        const conv2d_image_taps taps = {.channels = 1, .j = j, .at = j - a->desc->pad_left, .edge = edge};
        CP_UNROLL
        for (int line = 0; line < count + kernel - 1; line++) {
            conv2d_image_line(o, line, &taps, o->weights + line * kernel, acc, CP_MAX(0, line - kernel + 1),
                              CP_MIN(count, line + 1), vectors, kernel);
        }
    }
    for (int64_t cb = 0; cb < o->in_channels && kernel == 0; cb += CP_BLOCK) {
        const int last = cb + CP_BLOCK >= o->in_channels, head = rows ? count - 1 : 0;
        const int64_t channels = last ? o->in_channels - cb : CP_BLOCK;
        const conv2d_image_taps taps = {
            .n = kw * channels,
            .offset = edge ? o->copied[last] : o->inside[last],
            .weights_step = rows ? -kw * channels : o->in_channels * kh * kw,
            .first_channel = cb,
            .channels = channels,
            .j = j,
            .at = cb * a->src_strides.channel + j - a->desc->pad_left,
            .edge = edge,
        };
        const float *w = o->weights + cb * kh * kw;
        CP_UNROLL
        for (int line = 0; line < head; line++, w += taps.n) {
            conv2d_image_line(o, line, &taps, w, acc, 0, line + 1, vectors, 0);
        }
        for (int64_t line = head; line < kh; line++, w += taps.n) {
            conv2d_image_line(o, line, &taps, w, acc, 0, count, vectors, 0);
        }
        CP_UNROLL
        for (int k = 0; k < head; k++, w += taps.n) {
            conv2d_image_line(o, kh + k, &taps, w, acc, k + 1, count, vectors, 0);
        }
    }
    if (o->plain && n == vectors * CP_WIDE) {
        if (o->clips) {
            const vw lo = vw_set1(a->activation.lo), hi = vw_set1(a->activation.hi);
            CP_UNROLL
            for (int k = 0; k < count; k++) {
                CP_UNROLL
                for (int v = 0; v < vectors; v++) acc[k][v] = vw_clip(acc[k][v], lo, hi);
            }
        }
        const bool stream = vectors > 1 && o->stream;
        float *dst[IMAGE_ROWS];
        for (int k = 0; k < count; k++) dst[k] = o->dst[k] + j;
        CP_UNROLL
        for (int k = 0; k < count; k++) {
            CP_UNROLL
            for (int v = 0; v < vectors; v++) {
                if (stream) {
                    vw_stream(dst[k] + v * CP_WIDE, acc[k][v]);
                } else {
                    vw_store(dst[k] + v * CP_WIDE, acc[k][v]);
                }
            }
        }
    } else {
        float t[IMAGE_ROWS * IMAGE_VECTORS * CP_WIDE];
        CP_UNROLL
        for (int k = 0; k < count; k++) {
            CP_UNROLL
            for (int v = 0; v < vectors; v++) vw_store(t + (k * vectors + v) * CP_WIDE, acc[k][v]);
        }
        conv2d_image_finish(o, t, vectors * CP_WIDE, count, j, n);
    }
}

/* All columns of `count` outputs: blocks of some vectors where windows lie within the image, and single vectors, the last of which
 * overlaps the one before and computes the same again. */
static CP_INLINE void conv2d_image_columns(conv2d_image *o, const bool rows, const int count, const int kernel) {
    const int vectors = IMAGE_VECTORS;
    const int64_t ow = o->a->ow, n = CP_MIN(CP_WIDE, ow);
    for (int64_t j = 0; j < ow;) {
        if (j >= o->begin && j + vectors * CP_WIDE <= o->end && (j > 0 || o->lead == CP_WIDE)) {
            conv2d_image_block(o, j, vectors * CP_WIDE, false, rows, count, vectors, kernel);
            j += vectors * CP_WIDE;
        } else {
            const int64_t at = CP_MIN(j, ow - n);
            conv2d_image_block(o, at, n, at < o->begin || at + CP_WIDE > o->end, rows, count, 1, kernel);
            j = j == 0 ? o->lead : at + CP_WIDE;
        }
    }
}

/* Out of line, so that each keeps its registers. */
static CP_NOINLINE void conv2d_image_3x3(conv2d_image *o) { conv2d_image_columns(o, true, IMAGE_ROWS, 3); }
static CP_NOINLINE void conv2d_image_5x5(conv2d_image *o) { conv2d_image_columns(o, true, IMAGE_ROWS, 5); }
static CP_NOINLINE void conv2d_image_7x7(conv2d_image *o) { conv2d_image_columns(o, true, IMAGE_ROWS, 7); }
static CP_NOINLINE void conv2d_image_rows4(conv2d_image *o) { conv2d_image_columns(o, true, 4, 0); }
static CP_NOINLINE void conv2d_image_rows3(conv2d_image *o) { conv2d_image_columns(o, true, 3, 0); }
static CP_NOINLINE void conv2d_image_rows2(conv2d_image *o) { conv2d_image_columns(o, true, 2, 0); }
static CP_NOINLINE void conv2d_image_channels4(conv2d_image *o) { conv2d_image_columns(o, false, 4, 0); }
static CP_NOINLINE void conv2d_image_channels3(conv2d_image *o) { conv2d_image_columns(o, false, 3, 0); }
static CP_NOINLINE void conv2d_image_channels2(conv2d_image *o) { conv2d_image_columns(o, false, 2, 0); }
static CP_NOINLINE void conv2d_image_channels1(conv2d_image *o) { conv2d_image_columns(o, false, 1, 0); }

/* `count` rows from row i on, dilation_h apart, or `count` channels of row i. */
static void conv2d_image_outputs(conv2d_image *o, int64_t i, const bool rows, const int count) {
    static void (*const columns[2][IMAGE_ROWS])(conv2d_image *) = {
        {conv2d_image_channels1, conv2d_image_channels2, conv2d_image_channels3, conv2d_image_channels4},
        {conv2d_image_channels1, conv2d_image_rows2, conv2d_image_rows3, conv2d_image_rows4},
    };
    const cp_conv2d_image *a = o->a;
    const convpool_conv2d_desc *d = a->desc;
    for (int64_t line = 0; line < d->kh + (rows ? count - 1 : 0); line++) {
        const int64_t y = cp_border(d->border, i - d->pad_top + line * d->dilation_h, d->ih);
        o->lines[line] = y < 0 ? NULL : o->src + y * a->src_strides.row;
    }
    o->stream = a->stream && o->plain;
    for (int k = 0; k < count; k++) {
        const int64_t row = rows ? i + k * d->dilation_h : i, channel = rows ? a->channel : a->channel + k;
        o->bias[k] = a->bias[channel];
        o->dst[k] = a->dst + cp_channel_offset(d->dst_layout, a->dst_strides.channel, channel) + row * a->dst_strides.row;
        if (a->residual != NULL) {
            o->residual[k] = a->residual + cp_channel_offset(d->dst_layout, a->residual_strides.channel, channel) +
                             row * a->residual_strides.row;
        }
        o->stream = o->stream && (o->dst[k] - o->dst[0]) % CP_WIDE == 0;
    }
    o->lead = CP_WIDE - (o->stream ? (int64_t)((uintptr_t)o->dst[0] / sizeof(float) % CP_WIDE) : 0);
    if (rows && count == IMAGE_ROWS && o->kernel == 3) {
        conv2d_image_3x3(o);
    } else if (rows && count == IMAGE_ROWS && o->kernel == 5) {
        conv2d_image_5x5(o);
    } else if (rows && count == IMAGE_ROWS && o->kernel == 7) {
        conv2d_image_7x7(o);
    } else {
        columns[rows][count - 1](o);
    }
}

static void CP_NAME(conv2d_image)(const cp_conv2d_image *a) {
    const convpool_conv2d_desc *d = a->desc;
    const int64_t in_channels = d->in_channels / d->groups, end = a->row + a->rows, step = d->dilation_h;
    conv2d_image o;
    o.a = a;
    o.src = a->src + a->channel / (d->out_channels / d->groups) * in_channels * a->src_strides.channel;
    o.in_channels = in_channels;
    o.kernel = in_channels == 1 && d->kh == d->kw && d->dilation_w == 1 && (d->kw == 3 || d->kw == 5 || d->kw == 7) ? d->kw : 0;
    o.begin = d->pad_left;
    o.end = d->iw + d->pad_left - (d->kw - 1) * d->dilation_w;
    o.weights = a->weights + a->channel * in_channels * d->kh * d->kw;
    o.plain = a->residual == NULL && a->activation.kind == CONVPOOL_ACTIVATION_CLIP && a->dst_strides.column == 1;
    o.clips = a->activation.lo > -INFINITY || a->activation.hi < INFINITY;
    for (int k = 0; k < IMAGE_ROWS; k++) o.residual[k] = NULL;
    for (int last = in_channels <= CP_BLOCK; last < 2; last++) {
        const int64_t channels = last ? (in_channels - 1) % CP_BLOCK + 1 : CP_BLOCK;
        for (int64_t t = 0; t < d->kw * channels; t++) {
            const int64_t x = t / channels * d->dilation_w, c = t % channels;
            o.inside[last][t] = x + c * a->src_strides.channel;
            o.copied[last][t] = x + c * IMAGE_COPY;
        }
    }
    if (a->channels > 1) {
        for (int64_t i = a->row; i < end; i++) conv2d_image_outputs(&o, i, false, (int)a->channels);
    } else {
        /* Rows that lie dilation_h apart share lines. The last ones overlap the ones before. */
        for (int64_t first = a->row; first < CP_MIN(end, a->row + step); first++) {
            const int64_t rows = cp_ceil_div(end - first, step);
            const int count = (int)CP_MIN(rows, o.kernel > 0 ? IMAGE_ROWS : CP_MIN(d->kh, IMAGE_ROWS));
            for (int64_t k = 0; k < rows; k += count) {
                conv2d_image_outputs(&o, first + CP_MIN(k, rows - count) * step, true, count);
            }
        }
    }
    if (a->stream) vw_stream_end();
}
