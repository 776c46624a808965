/* SPDX-License-Identifier: MIT
 * Direct convolution of stride 1 with the widest vectors along the width: images of one or a few channels.
 *
 * Tile:       4 output rows of one channel, or one row of up to 4 output channels, x 3 vectors: an input vector is loaded once for
 *             all four, a weight for all three.
 * Registers:  12 accumulators, up to 3 inputs and a weight: all 16 of AVX2.
 * Bound:      FMA. A tap of the tile is 12 FMAs, 6 cycles, on 3 loads across cache lines and 4 broadcasts, 3.5 to 5 cycles; 3x3:
 *             memory as well, so large results are streamed past the caches and the next lines prefetched.
 * Ends:       a vector whose windows cross the left or right border reads a copy of that end of the line, the border applied, made
 *             once for all outputs that read it. Lines outside are skipped, or are those that the border says. */

enum {
    IMAGE_ROWS = 4,
    IMAGE_VECTORS = 3,
    IMAGE_COLUMNS = IMAGE_VECTORS * CP_WIDE,
    IMAGE_LINES = CP_IMAGE_KERNEL + IMAGE_ROWS - 1,
    IMAGE_TAPS = CP_IMAGE_REACH * CP_BLOCK,
    IMAGE_BORDER = 2 * CP_IMAGE_REACH + IMAGE_COLUMNS
};
/* Instead of the side of a kernel: the sums along the rows of one that is separable, and no more. */
enum { IMAGE_SUMS = -1 };
/* Weights of a kernel, whole rows, that stay in registers: AVX-512 has 32 of them. */
enum { IMAGE_HELD = CP_WIDE > 8 ? 15 : 0 };

/* A copy of the left or the right end of a line. */
typedef struct conv2d_image_end {
    int64_t from, to, inside; /* columns that are copied: where they begin in the line and in the copy, and number */
    int64_t outside;          /* and those of the border: number, place in the copy, column of the line or -1 */
    int64_t place[IMAGE_BORDER], column[IMAGE_BORDER];
} conv2d_image_end;

/* Up to IMAGE_ROWS outputs of a column at a time: rows of one channel, or channels of one row. */
typedef struct conv2d_image {
    const cp_conv2d_image *a;
    const float *src; /* of the group */
    int64_t in_channels;
    int64_t kernel;                  /* side of a square kernel with one input channel that has code of its own, or 0 */
    int64_t begin, end;              /* the columns of dst whose windows lie within the image */
    int64_t right;                   /* the column of dst that a copy of the right end begins with */
    const float *lines[IMAGE_LINES]; /* column 0 of channel 0; NULL for one outside */
    const float *ends[IMAGE_LINES];  /* their copies: [channel][left, right][end_columns] */
    const float *held[IMAGE_LINES];  /* the lines that the ring of copies holds */
    conv2d_image_end end_of[2];      /* left and right */
    const float *next[IMAGE_ROWS];   /* lines that the next outputs are the first to read */
    const float *weights;            /* of the first output */
    float *sums[IMAGE_LINES];        /* separable: the sums along the rows, of each line, */
    int64_t first_sum;               /* and the line whose are to be made alone */
    float bias[IMAGE_ROWS];
    float *dst[IMAGE_ROWS], *dst_plane[IMAGE_ROWS]; /* column 0 of the row, and of row 0 */
    const float *residual[IMAGE_ROWS], *residual_plane[IMAGE_ROWS];
    bool plain, clips, stream;
    int64_t lead; /* columns of dst before those where vectors are aligned */
    /* Where the products of a line lie in the image and in a copy; there is one table for blocks of 8 channels and one for the
     * last block. */
    int64_t inside[2][IMAGE_TAPS], copied[2][IMAGE_TAPS];
} conv2d_image;

/* Where outputs read their lines. */
typedef struct conv2d_image_source {
    const float *const *lines;
    int64_t at;      /* of the outputs' first tap */
    int64_t channel; /* from one channel to the next */
    const int64_t (*offset)[IMAGE_TAPS];
    int64_t next; /* column of the lines that the outputs below read */
} conv2d_image_source;

/* What some lines read of one block of input channels. */
typedef struct conv2d_image_taps {
    int64_t n;             /* products of a line */
    const int64_t *offset; /* of each */
    int64_t weights_step;  /* to those that the next output multiplies with the same line */
    int64_t at;            /* where they begin in a line */
    int64_t next;          /* where the first channel begins in a line to be prefetched */
    int64_t channels, channel_step;
} conv2d_image_taps;

/* What a copy of columns [first, first + n) of any line consists of, the border applied. */
static void conv2d_image_plan_end(const convpool_conv2d_desc *d, int64_t first, int64_t n, conv2d_image_end *end) {
    end->from = CP_MAX(0, first);
    end->to = end->from - first;
    end->inside = CP_MAX(0, CP_MIN(n, d->iw - first) - end->to);
    end->outside = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t x = first + i;
        if (x >= 0 && x < d->iw) continue;
        const int64_t column = x < d->iw + d->pad_right ? cp_border(d->border, x, d->iw) : -1;
        end->place[end->outside] = i;
        end->column[end->outside++] = column;
    }
}

static CP_INLINE void conv2d_image_copy(const conv2d_image_end *end, const float *line, float *copy) {
    const float *from = line + end->from;
    float *to = copy + end->to;
    for (int64_t n = end->inside; n > 0; n -= CP_WIDE, from += CP_WIDE, to += CP_WIDE) {
        if (n < CP_WIDE) {
            vw_storen(to, vw_loadn(from, n), n);
        } else {
            vw_store(to, vw_load(from));
        }
    }
    for (int64_t i = 0; i < end->outside; i++) copy[end->place[i]] = end->column[i] < 0 ? 0.0f : line[end->column[i]];
}

/* Both ends of all channels of a line, as far as blocks that cross the border reach. */
static CP_NOINLINE void conv2d_image_ends(const conv2d_image *o, const float *line, float *ends) {
    const cp_conv2d_image *a = o->a;
    for (int64_t c = 0; c < o->in_channels; c++, line += a->call.src_strides.channel, ends += 2 * a->end_columns) {
        if (o->begin > 0) conv2d_image_copy(&o->end_of[0], line, ends);
        if (o->end < a->ow) conv2d_image_copy(&o->end_of[1], line, ends + a->end_columns);
    }
}

/* One line of the input for the outputs [first, end). Unless it is NULL, the `next` line for the same columns is prefetched. */
static CP_INLINE void conv2d_image_line(const float *line, const float *next, const conv2d_image_taps *taps, const float *weights,
                                        vw (*acc)[IMAGE_VECTORS], const int first, const int end, const int vectors) {
    if (line == NULL) return;
    for (int64_t c = 0; c < taps->channels && next != NULL; c++) {
        CP_UNROLL
        for (int v = 0; v < vectors; v++) CP_PREFETCH(next + taps->next + c * taps->channel_step + v * CP_WIDE);
    }
    for (int64_t t = 0; t < taps->n; t++, weights++) {
        const float *p = line + taps->at + taps->offset[t];
        vw in[IMAGE_VECTORS];
        CP_UNROLL
        for (int v = 0; v < vectors; v++) in[v] = vw_keep(vw_load(p + v * CP_WIDE));
        CP_UNROLL
        for (int k = first; k < end; k++) {
            const vw weight = vw_keep(vw_set1(weights[k * taps->weights_step]));
            CP_UNROLL
            for (int v = 0; v < vectors; v++) acc[k][v] = vw_fma(in[v], weight, acc[k][v]);
            CP_LOADS_STAY();
        }
    }
}

/* All lines of a square kernel with one input channel. Registers that are left hold weights; the others are loaded for each line.
 */
static CP_INLINE void conv2d_image_square(const conv2d_image *o, const conv2d_image_source *source, vw (*acc)[IMAGE_VECTORS],
                                          const int vectors, const int kernel) {
    const int rows_held = CP_MIN(kernel, IMAGE_HELD / kernel);
    const float *weights = o->weights;
    vw held[IMAGE_HELD + 1];
    CP_UNROLL
    for (int t = 0; t < rows_held * kernel; t++) held[t] = vw_keep(vw_set1(weights[t]));
    CP_UNROLL
    for (int line = 0; line < IMAGE_ROWS + kernel - 1; line++) {
        const float *x = source->lines[line] + source->at, *next = o->next[CP_MIN(line, IMAGE_ROWS - 1)] + source->next;
        CP_FORGET(weights);
        CP_UNROLL
        for (int t = 0; t < kernel; t++) {
            vw in[IMAGE_VECTORS];
            CP_UNROLL
            for (int v = 0; v < vectors; v++) in[v] = vw_keep(vw_load(x + t + v * CP_WIDE));
            if (vectors > 1 && line < IMAGE_ROWS && t < vectors) CP_PREFETCH(next + t * CP_WIDE);
            CP_UNROLL
            for (int k = CP_MAX(0, line - kernel + 1); k < CP_MIN(IMAGE_ROWS, line + 1); k++) {
                const int tap = (line - k) * kernel + t;
                const vw weight = IMAGE_HELD > 0 && line - k < rows_held ? held[tap] : vw_keep(vw_set1(weights[tap]));
                CP_UNROLL
                for (int v = 0; v < vectors; v++) acc[k][v] = vw_fma(in[v], weight, acc[k][v]);
            }
        }
    }
}

/* Residual, activation and store of n columns of `count` outputs, where that is more than a clip. */
static CP_NOINLINE void conv2d_image_finish(const conv2d_image *o, const float *acc, int64_t count, int64_t j, int64_t n) {
    const cp_conv2d_image *a = o->a;
    const cp_conv2d_call *call = &a->call;
    const cp_activation activation = call->activation;
    const int64_t dst_step = call->dst_strides.column, residual_step = call->residual_strides.column;
    for (int64_t k = 0; k < count; k++) {
        for (int64_t i = 0; i < n; i += 8) {
            float *dst = o->dst[k] + (j + i) * dst_step, t[8] = {0};
            v8 y = v8_load(acc + k * n + i);
            if (o->residual[k] != NULL) {
                for (int64_t p = 0; p < 8; p++) t[p] = o->residual[k][(j + i + p) * residual_step];
                y = v8_add(y, v8_load(t));
            }
            y = v8_activate(y, &activation);
            if (dst_step == 1) {
                v8_store(dst, y);
            } else {
                v8_store(t, y);
                for (int64_t p = 0; p < 8; p++) dst[p * dst_step] = t[p];
            }
        }
    }
}

/* All lines of one block of input channels: of `rows` of one channel, which share lines, or of channels. */
static CP_INLINE void conv2d_image_lines(const conv2d_image *o, const float *const *lines, const conv2d_image_taps *taps,
                                         const float *weights, vw (*acc)[IMAGE_VECTORS], const bool rows, const int count,
                                         const int vectors) {
    const int head = rows ? count - 1 : 0;
    const int64_t kh = o->a->call.desc->kh;
    CP_UNROLL
    for (int line = 0; line < head; line++, weights += taps->n) {
        conv2d_image_line(lines[line], vectors > 1 ? o->next[line] : NULL, taps, weights, acc, 0, line + 1, vectors);
    }
    for (int64_t line = head; line < kh; line++, weights += taps->n) {
        const float *next = vectors > 1 && line == head ? o->next[line] : NULL;
        conv2d_image_line(lines[line], next, taps, weights, acc, 0, count, vectors);
    }
    CP_UNROLL
    for (int k = 0; k < head; k++, weights += taps->n) {
        conv2d_image_line(lines[kh + k], NULL, taps, weights, acc, k + 1, count, vectors);
    }
}

/* Tap t of the sums along the rows of `count` lines. */
static CP_INLINE void conv2d_image_tap(const conv2d_image *o, int64_t t, int64_t at, const conv2d_image_source *source,
                                       const float *const *lines, vw (*sums)[IMAGE_VECTORS], const int count, const int vectors) {
    const vw weight = vw_keep(vw_set1(o->weights[t]));
    CP_UNROLL
    for (int k = 0; k < count; k++) {
        if (vectors > 1 && t < vectors) CP_PREFETCH(o->next[k] + source->next + t * CP_WIDE);
        CP_UNROLL
        for (int v = 0; v < vectors; v++) {
            sums[k][v] = vw_fma(vw_load(lines[k] + source->at + at + v * CP_WIDE), weight, sums[k][v]);
        }
    }
}

/* The sums along the rows of `count` lines from `line` on, kept and put into the ring. A `kernel` that is not 0 is not dilated. */
static CP_INLINE void conv2d_image_across(const conv2d_image *o, int64_t line, int64_t j, const conv2d_image_source *source,
                                          vw (*sums)[IMAGE_VECTORS], const int count, const int vectors, const int kernel) {
    const convpool_conv2d_desc *d = o->a->call.desc;
    const float *lines[IMAGE_ROWS];
    float *to[IMAGE_ROWS];
    CP_UNROLL
    for (int k = 0; k < count; k++) {
        lines[k] = source->lines[line + k];
        to[k] = o->sums[line + k] + j;
        CP_UNROLL
        for (int v = 0; v < vectors; v++) sums[k][v] = vw_zero();
    }
    if (kernel > 0) {
        CP_UNROLL
        for (int t = 0; t < kernel; t++) conv2d_image_tap(o, t, t, source, lines, sums, count, vectors);
    } else {
        for (int64_t t = 0; t < d->kw; t++) conv2d_image_tap(o, t, t * d->dilation_w, source, lines, sums, count, vectors);
    }
    CP_UNROLL
    for (int k = 0; k < count; k++) {
        CP_UNROLL
        for (int v = 0; v < vectors; v++) vw_store(to[k] + v * CP_WIDE, sums[k][v]);
    }
}

/* Sums along the rows, then along the columns, where registers hold the latest of the former if there are enough. */
static CP_INLINE void conv2d_image_separable(const conv2d_image *o, int64_t j, const conv2d_image_source *source,
                                             vw (*acc)[IMAGE_VECTORS], const int count, const int vectors, const int kernel) {
    const convpool_conv2d_desc *d = o->a->call.desc;
    vw sums[IMAGE_ROWS][IMAGE_VECTORS];
    conv2d_image_across(o, d->kh - 1, j, source, sums, count, vectors, kernel);
    if (kernel == 0) {
        static const int64_t none = 0;
        const conv2d_image_taps taps = {.n = 1, .offset = &none, .weights_step = -1, .at = j};
        conv2d_image_lines(o, (const float *const *)o->sums, &taps, o->weights + d->kw, acc, true, count, vectors);
        return;
    }
    const float *weights = o->weights + kernel;
    const int lines = count + kernel - 1;
    CP_UNROLL
    for (int line = 0; line < lines; line++) {
        const float *x = o->sums[line] + j;
        vw in[IMAGE_VECTORS];
        CP_FORGET(weights);
        CP_UNROLL
        for (int v = 0; v < vectors; v++) {
            const bool held = IMAGE_HELD > 0 && line >= kernel - 1;
            in[v] = held ? sums[CP_MAX(0, line - kernel + 1)][v] : vw_keep(vw_load(x + v * CP_WIDE));
        }
        const int first = CP_MAX(0, line - kernel + 1), end = CP_MIN(count, line + 1);
        CP_UNROLL
        for (int k = first; k < end; k++) {
            const vw weight = vw_keep(vw_set1(weights[line - k]));
            CP_UNROLL
            for (int v = 0; v < vectors; v++) acc[k][v] = vw_fma(in[v], weight, acc[k][v]);
        }
    }
}

/* `vectors` vectors of `count` outputs from column j on: rows of one channel, at most one more than the kernel has, or without
 * `rows` channels of one row. A `kernel` that is not 0 is square, not dilated, and has one input channel. */
static CP_INLINE void conv2d_image_block(const conv2d_image *o, int64_t j, const conv2d_image_source *source, const bool rows,
                                         const int count, const int vectors, const int kernel, const bool separable) {
    const cp_conv2d_image *a = o->a;
    const cp_conv2d_call *call = &a->call;
    const int64_t kh = call->desc->kh, kw = call->desc->kw;
    vw acc[IMAGE_ROWS][IMAGE_VECTORS];
    if (kernel == IMAGE_SUMS) {
        conv2d_image_across(o, o->first_sum, j, source, acc, count, vectors, 0);
        return;
    }
    CP_UNROLL
    for (int k = 0; k < count; k++) {
        CP_UNROLL
        for (int v = 0; v < vectors; v++) acc[k][v] = vw_set1(o->bias[k]);
    }
    if (separable) {
        conv2d_image_separable(o, j, source, acc, count, vectors, kernel);
    } else if (kernel > 0) {
        conv2d_image_square(o, source, acc, vectors, kernel);
    }
    for (int64_t cb = 0; cb < o->in_channels && kernel == 0 && !separable; cb += CP_BLOCK) {
        const int last = cb + CP_BLOCK >= o->in_channels;
        const int64_t channels = last ? o->in_channels - cb : CP_BLOCK;
        const conv2d_image_taps taps = {
            .n = kw * channels,
            .offset = source->offset[last],
            .weights_step = rows ? -kw * channels : o->in_channels * kh * kw,
            .at = source->at + cb * source->channel,
            .next = source->next + cb * call->src_strides.channel,
            .channels = channels,
            .channel_step = call->src_strides.channel,
        };
        conv2d_image_lines(o, source->lines, &taps, o->weights + cb * kh * kw, acc, rows, count, vectors);
    }
    if (o->plain) {
        if (o->clips) {
            const vw lo = vw_set1(call->activation.lo), hi = vw_set1(call->activation.hi);
            CP_UNROLL
            for (int k = 0; k < count; k++) {
                CP_UNROLL
                for (int v = 0; v < vectors; v++) acc[k][v] = vw_clip(acc[k][v], lo, hi);
            }
        }
        float *dst[IMAGE_ROWS];
        for (int k = 0; k < count; k++) dst[k] = o->dst[k] + j;
        const bool stream = o->stream && (vectors > 1 || cp_is_aligned(dst[0], CP_WIDE * sizeof(float)));
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
        conv2d_image_finish(o, t, count, j, vectors * CP_WIDE);
    }
}

/* All columns of `count` outputs: blocks of some vectors, and single ones where these do not fit, the last of which overlaps the
 * one before and computes the same again. */
static CP_INLINE void conv2d_image_columns(const conv2d_image *o, const bool rows, const int count, const int kernel,
                                           const bool separable) {
    const cp_conv2d_image *a = o->a;
    const cp_conv2d_call *call = &a->call;
    const int64_t pad = call->desc->pad_left;
    for (int64_t j = 0; j < a->ow;) {
        const bool wide = j + IMAGE_COLUMNS <= a->ow && (j > 0 || o->lead == CP_WIDE);
        const int64_t first = wide ? j : CP_MIN(j, a->ow - CP_WIDE), columns = wide ? IMAGE_COLUMNS : CP_WIDE;
        conv2d_image_source source = {o->lines, first - pad, call->src_strides.channel, o->inside, CP_MAX(0, first - pad)};
        if (first < o->begin || first + columns > o->end) {
            source.lines = o->ends;
            source.at = first < o->begin ? first : a->end_columns + first - o->right;
            source.channel = 2 * a->end_columns;
            source.offset = o->copied;
        }
        if (wide) {
            conv2d_image_block(o, first, &source, rows, count, IMAGE_VECTORS, kernel, separable);
        } else {
            conv2d_image_block(o, first, &source, rows, count, 1, kernel, separable);
        }
        j = j == 0 && !wide ? o->lead : first + columns;
    }
}

/* Out of line, so that each keeps its registers. */
#define IMAGE_COLUMNS_OF(name, rows, count, kernel, separable)                                                                     \
    static CP_NOINLINE void conv2d_image_##name(const conv2d_image *o) { conv2d_image_columns(o, rows, count, kernel, separable); }
IMAGE_COLUMNS_OF(3x3, true, IMAGE_ROWS, 3, false)
IMAGE_COLUMNS_OF(5x5, true, IMAGE_ROWS, 5, false)
IMAGE_COLUMNS_OF(7x7, true, IMAGE_ROWS, 7, false)
IMAGE_COLUMNS_OF(rows4, true, 4, 0, false)
IMAGE_COLUMNS_OF(rows3, true, 3, 0, false)
IMAGE_COLUMNS_OF(rows2, true, 2, 0, false)
IMAGE_COLUMNS_OF(channels4, false, 4, 0, false)
IMAGE_COLUMNS_OF(channels3, false, 3, 0, false)
IMAGE_COLUMNS_OF(channels2, false, 2, 0, false)
IMAGE_COLUMNS_OF(channels1, false, 1, 0, false)
IMAGE_COLUMNS_OF(sums, true, 1, IMAGE_SUMS, true)
IMAGE_COLUMNS_OF(separable3x3, true, IMAGE_ROWS, 3, true)
IMAGE_COLUMNS_OF(separable5x5, true, IMAGE_ROWS, 5, true)
IMAGE_COLUMNS_OF(separable7x7, true, IMAGE_ROWS, 7, true)
IMAGE_COLUMNS_OF(separable4, true, 4, 0, true)
IMAGE_COLUMNS_OF(separable3, true, 3, 0, true)
IMAGE_COLUMNS_OF(separable2, true, 2, 0, true)
IMAGE_COLUMNS_OF(separable1, true, 1, 0, true)
#undef IMAGE_COLUMNS_OF

/* The line that tap row `line` of output row i reads; NULL for one outside. */
static CP_INLINE const float *conv2d_image_row(const conv2d_image *o, int64_t i, int64_t line) {
    const convpool_conv2d_desc *d = o->a->call.desc;
    const int64_t y = i - d->pad_top + line * d->dilation_h, row = y < d->ih + d->pad_bottom ? cp_border(d->border, y, d->ih) : -1;
    return row < 0 ? NULL : o->src + row * o->a->call.src_strides.row;
}

/* The copies of the ends of a line, in the ring; NULL for one outside. */
static CP_INLINE const float *conv2d_image_held(conv2d_image *o, const float *line, int64_t slot) {
    const cp_conv2d_image *a = o->a;
    slot &= a->end_lines - 1;
    float *ends = a->ends + slot * o->in_channels * 2 * a->end_columns;
    if (line == NULL) return NULL;
    if (o->held[slot] != line && (o->begin > 0 || o->end < a->ow)) {
        conv2d_image_ends(o, line, ends);
        o->held[slot] = line;
    }
    return ends;
}

/* The ring of sums along the rows of all `lines` of a step, and for the first one those that no step makes: it makes the last ones
 * itself. Lines outside are zeros. */
static void conv2d_image_ring(conv2d_image *o, int64_t from, int64_t lines) {
    const cp_conv2d_image *a = o->a;
    const int64_t kh = a->call.desc->kh, ring = kh + IMAGE_ROWS - 1;
    const int64_t pitch = cp_ceil_div(a->ow, CP_WIDE) * CP_WIDE;
    const float *zeros = a->sums + ring * pitch;
    for (int64_t line = 0; line < lines; line++) {
        o->sums[line] = a->sums + (from + line) % ring * pitch;
        if (o->lines[line] == NULL) {
            o->lines[line] = zeros;
            o->ends[line] = conv2d_image_held(o, zeros, from + line);
        }
    }
    for (o->first_sum = 0; o->first_sum < kh - 1 && from == 0; o->first_sum++) conv2d_image_sums(o);
}

/* `count` rows from row i on, dilation_h apart, or `count` channels of row i, whose first line is number `from` of those that share
 * a ring of copies. */
static void conv2d_image_outputs(conv2d_image *o, int64_t i, int64_t from, const bool rows, const int count) {
    static void (*const any[3][IMAGE_ROWS])(const conv2d_image *) = {
        {conv2d_image_channels1, conv2d_image_channels2, conv2d_image_channels3, conv2d_image_channels4},
        {conv2d_image_channels1, conv2d_image_rows2, conv2d_image_rows3, conv2d_image_rows4},
        {conv2d_image_separable1, conv2d_image_separable2, conv2d_image_separable3, conv2d_image_separable4},
    };
    static void (*const square[2][3])(const conv2d_image *) = {
        {conv2d_image_3x3, conv2d_image_5x5, conv2d_image_7x7},
        {conv2d_image_separable3x3, conv2d_image_separable5x5, conv2d_image_separable7x7},
    };
    const cp_conv2d_image *a = o->a;
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const int64_t lines = d->kh + (rows ? count - 1 : 0), next = rows ? count * d->dilation_h : 1;
    bool whole = true;
    for (int64_t line = 0; line < lines; line++) {
        o->lines[line] = conv2d_image_row(o, i, line);
        o->ends[line] = conv2d_image_held(o, o->lines[line], from + line);
        whole = whole && o->lines[line] != NULL;
    }
    for (int64_t k = 0; k < count; k++) {
        const float *line = conv2d_image_row(o, i + next, rows ? lines - count + k : lines - 1);
        o->next[k] = line != NULL ? line : o->src;
    }
    for (int k = 0; k < count; k++) {
        const int64_t row = rows ? i + k * d->dilation_h : i, first = rows ? 0 : k;
        o->dst[k] = o->dst_plane[first] + row * call->dst_strides.row;
        if (call->residual != NULL) o->residual[k] = o->residual_plane[first] + row * call->residual_strides.row;
    }
    o->lead = CP_WIDE - (o->stream ? (int64_t)((uintptr_t)o->dst[0] / sizeof(float) % CP_WIDE) : 0);
    if (a->separable) conv2d_image_ring(o, from, lines);
    if (o->kernel > 0 && rows && count == IMAGE_ROWS && (whole || a->separable)) {
        square[a->separable][(o->kernel - 3) / 2](o);
    } else {
        any[a->separable ? 2 : rows][count - 1](o);
    }
}

static void CP_NAME(conv2d_image)(const cp_conv2d_image *a) {
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const int64_t in_channels = d->in_channels / d->groups, end = a->row + a->rows, step = d->dilation_h;
    conv2d_image o;
    o.a = a;
    o.src = call->src + a->channel / (d->out_channels / d->groups) * in_channels * call->src_strides.channel;
    o.in_channels = in_channels;
    o.kernel = in_channels == 1 && d->kh == d->kw && d->dilation_w == 1 && (d->kw == 3 || d->kw == 5 || d->kw == 7) ? d->kw : 0;
    o.begin = d->pad_left;
    o.end = d->iw + d->pad_left - (d->kw - 1) * d->dilation_w;
    o.right = CP_MAX(0, o.end - IMAGE_COLUMNS + 1);
    o.weights = call->weights + a->channel * (a->separable ? d->kw + d->kh : in_channels * d->kh * d->kw);
    if (a->separable)
        memset(a->sums + (d->kh + IMAGE_ROWS - 1) * cp_ceil_div(a->ow, CP_WIDE) * CP_WIDE, 0, (size_t)d->iw * sizeof(float));
    o.plain = call->residual == NULL && call->activation.kind == CONVPOOL_ACTIVATION_CLIP && call->dst_strides.column == 1;
    o.clips = call->activation.lo > -INFINITY || call->activation.hi < INFINITY;
    o.stream = a->stream && o.plain && (a->channels > 1 ? call->dst_strides.channel : step * call->dst_strides.row) % CP_WIDE == 0;
    for (int64_t k = 0; k < IMAGE_ROWS; k++) {
        const int64_t channel = a->channel + (a->channels > 1 ? CP_MIN(k, a->channels - 1) : 0);
        o.bias[k] = call->bias[channel];
        o.dst_plane[k] = call->dst + cp_channel_offset(d->dst_layout, call->dst_strides.channel, channel);
        o.residual[k] = NULL;
        if (call->residual != NULL) {
            o.residual_plane[k] = call->residual + cp_channel_offset(d->dst_layout, call->residual_strides.channel, channel);
        }
    }
    for (int64_t slot = 0; slot < a->end_lines; slot++) o.held[slot] = NULL;
    const int64_t reach = (d->kw - 1) * d->dilation_w, left = CP_MIN(a->ow, o.begin + IMAGE_COLUMNS - 1);
    conv2d_image_plan_end(d, -d->pad_left, left + reach, &o.end_of[0]);
    conv2d_image_plan_end(d, o.right - d->pad_left, a->ow - o.right + reach, &o.end_of[1]);
    for (int last = in_channels <= CP_BLOCK; last < 2; last++) {
        const int64_t channels = last ? (in_channels - 1) % CP_BLOCK + 1 : CP_BLOCK;
        for (int64_t t = 0; t < d->kw * channels; t++) {
            const int64_t x = t / channels * d->dilation_w, c = t % channels;
            o.inside[last][t] = x + c * call->src_strides.channel;
            o.copied[last][t] = x + c * 2 * a->end_columns;
        }
    }
    if (a->channels > 1) {
        for (int64_t i = a->row; i < end; i++) conv2d_image_outputs(&o, i, i, false, (int)a->channels);
    } else {
        /* Rows that lie dilation_h apart share lines. The last ones overlap the ones before. */
        for (int64_t first = a->row; first < CP_MIN(end, a->row + step); first++) {
            const int64_t rows = cp_ceil_div(end - first, step);
            const int count = (int)CP_MIN(rows, o.kernel > 0 ? IMAGE_ROWS : CP_MIN(d->kh + 1, IMAGE_ROWS));
            for (int64_t k = 0; k < rows; k += count) {
                const int64_t from = CP_MIN(k, rows - count);
                conv2d_image_outputs(&o, first + from * step, from, true, count);
            }
        }
    }
    if (a->stream) vw_stream_end();
}
