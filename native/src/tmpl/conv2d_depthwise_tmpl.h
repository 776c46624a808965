/* SPDX-License-Identifier: MIT
 * Depthwise convolution with vector lanes along the channels: any layout, kernel, stride, dilation and width.
 *
 * Tile:       up to 6 pixels x 16 channels; 12 accumulators, 2 weights and 2 inputs of the 16 ymm registers. With AVX-512 8 pixels:
 *             8 zmm accumulators and 1 weight vector.
 * Bound:      loads: a tap is one aligned load for each FMA, and one more for its weights. On planes the transposes before and
 *             after, 24 shuffles for each 8 pixels x 8 channels, cost as much as 3x3 products.
 * Layout:     pixels are packed with 16 channels side by side and the border applied, a band at a time. */

#if CP_TILE > 6
#define CP_DEPTHWISE 8
#else
#define CP_DEPTHWISE 6
#endif
enum { DEPTHWISE_PIXELS = CP_DEPTHWISE };

/* The channels of the panel: offsets from a pixel's channel 0, by lane, and for each half whether they lie side by side. */
typedef struct depthwise_lanes {
    int64_t offset[CP_PANEL];
    bool side_by_side[CP_PANEL / 8];
} depthwise_lanes;

static depthwise_lanes depthwise_lanes_of(const cp_conv2d_depthwise *a) {
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const int64_t multiplier = d->out_channels / d->in_channels;
    depthwise_lanes lanes = {.side_by_side = {true, true}};
    int64_t channel = a->channel / multiplier, next = (channel + 1) * multiplier - a->channel;
    for (int64_t k = 0; k < CP_PANEL; k++) {
        if (k == next && k < a->channels) {
            channel++;
            next += multiplier;
        }
        lanes.offset[k] = cp_channel_offset(d->src_layout, call->src_strides.channel, channel);
        if (lanes.offset[k] != lanes.offset[k & ~7] + (k & 7)) lanes.side_by_side[k / 8] = false;
    }
    return lanes;
}

/* Columns [begin, end) of row y of the band, all of them beyond the image or y < 0, cell by cell. */
static void depthwise_pack_cells(const cp_conv2d_depthwise *a, const depthwise_lanes *lanes, int64_t y, int64_t left, int64_t begin,
                                 int64_t end, float *dst) {
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    for (int64_t j = begin; j < end; j++) {
        float *to = dst + j * CP_PANEL;
        if (d->border == CONVPOOL_BORDER_ZERO) {
            v16_store(to, v16_zero());
        } else {
            const float *src =
                call->src + y * call->src_strides.row + cp_border(d->border, left + j, d->iw) * call->src_strides.column;
            for (int k = 0; k < CP_PANEL; k++) to[k] = src[lanes->offset[k]];
        }
    }
}

/* Pixels of planes that lie without gaps from src on; `width` of them make a row of dst, and rows are `pitch` floats apart. */
static void depthwise_pack_planes(const depthwise_lanes *lanes, int64_t channels, const float *src, int64_t pixels, int64_t width,
                                  float *dst, int64_t pitch) {
    const int64_t n = CP_MIN(8, pixels);
    for (int64_t block = 0; block < pixels; block += 8) {
        const int64_t at = CP_MIN(block, pixels - n);
        float *row = dst + at / width * pitch, *to[8];
        for (int64_t p = 0, column = at % width; p < n; p++) {
            to[p] = row + column * CP_PANEL;
            if (++column == width) {
                column = 0;
                row += pitch;
            }
        }
        for (int64_t half = 0; half < channels; half += 8) {
            const int64_t *offset = lanes->offset + half;
            v8 t[8];
            if (n == 8) {
                CP_UNROLL
                for (int k = 0; k < 8; k++) t[k] = v8_load(src + offset[k] + at);
                v8_transpose(t);
                CP_UNROLL
                for (int p = 0; p < 8; p++) v8_store(to[p] + half, t[p]);
            } else {
                for (int k = 0; k < 8; k++) t[k] = v8_loadn(src + offset[k], n);
                v8_transpose(t);
                for (int64_t p = 0; p < n; p++) v8_store(to[p] + half, t[p]);
            }
        }
    }
}

/* Whole pixels of one row. */
static void depthwise_pack_pixels(const cp_conv2d_depthwise *a, const depthwise_lanes *lanes, const float *src, int64_t pixels,
                                  float *dst) {
    for (int64_t half = 0; half < a->channels; half += 8) {
        const int64_t *offset = lanes->offset + half;
        for (int64_t j = 0; j < pixels; j++) {
            const float *from = src + j * a->call.src_strides.column;
            float *to = dst + j * CP_PANEL + half;
            if (lanes->side_by_side[half / 8]) {
                v8_store(to, v8_load(from + offset[0]));
            } else {
                for (int k = 0; k < 8; k++) to[k] = from[offset[k]];
            }
        }
    }
}

/* The input of the task, border applied, as [row][column][16]. */
static void depthwise_pack(const cp_conv2d_depthwise *a, int64_t rows, int64_t columns) {
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const depthwise_lanes lanes = depthwise_lanes_of(a);
    const int64_t top = a->row * d->stride_h - d->pad_top, left = a->column * d->stride_w - d->pad_left, pitch = columns * CP_PANEL;
    const int64_t begin = CP_MIN(columns, CP_MAX(0, -left)), end = CP_MAX(begin, CP_MIN(columns, d->iw - left)), n = end - begin;
    const bool planes = d->src_layout == CONVPOOL_LAYOUT_NCHW, dense = planes && n == d->iw && call->src_strides.row == n;
    for (int64_t i = 0, run; i < rows; i += run) {
        const int64_t y = cp_border(d->border, top + i, d->ih);
        const float *src = call->src + y * call->src_strides.row + (left + begin) * call->src_strides.column;
        float *dst = a->x + i * pitch;
        run = dense && y >= 0 && y == top + i ? CP_MIN(rows - i, d->ih - y) : 1;
        for (int64_t k = 0; k < run; k++) {
            depthwise_pack_cells(a, &lanes, y < 0 ? y : y + k, left, 0, y < 0 ? columns : begin, dst + k * pitch);
            depthwise_pack_cells(a, &lanes, y < 0 ? y : y + k, left, y < 0 ? columns : end, columns, dst + k * pitch);
        }
        if (y < 0 || n == 0) continue;
        if (planes) {
            depthwise_pack_planes(&lanes, a->channels, src, run * n, n, dst + begin * CP_PANEL, pitch);
        } else {
            depthwise_pack_pixels(a, &lanes, src, n, dst + begin * CP_PANEL);
        }
    }
}

/* Taps of some pixels, and how they lie in x. */
typedef struct depthwise_taps {
    const float *weights; /* [kh][kw][16] */
    int64_t kw;
    int64_t y_begin, y_end, x_begin, x_end;
    int64_t row_step, column_step; /* floats from one tap to the next */
} depthwise_taps;

static CP_INLINE void depthwise_tile(const depthwise_taps *taps, const float *bias, const float *const *x, float *out,
                                     const int pixels) {
    v16 acc[DEPTHWISE_PIXELS];
    CP_UNROLL
    for (int p = 0; p < pixels; p++) acc[p] = v16_load(bias);
    for (int64_t ty = taps->y_begin; ty < taps->y_end; ty++) {
        const float *weights = taps->weights + (ty * taps->kw + taps->x_begin) * CP_PANEL;
        int64_t at = ty * taps->row_step + taps->x_begin * taps->column_step;
        for (int64_t tx = taps->x_begin; tx < taps->x_end; tx++, weights += CP_PANEL, at += taps->column_step) {
            const v16 w = v16_load(weights);
            CP_UNROLL
            for (int p = 0; p < pixels; p++) acc[p] = v16_fma(v16_load(x[p] + at), w, acc[p]);
        }
    }
    CP_UNROLL
    for (int p = 0; p < pixels; p++) v16_store(out + p * CP_PANEL, acc[p]);
}

typedef struct depthwise_pixel {
    int64_t row, column; /* of dst; of the task */
} depthwise_pixel;

/* The taps that lie within the image for some of the pixels from `begin` to `last`. */
static void depthwise_clip(const cp_conv2d_depthwise *a, depthwise_pixel begin, depthwise_pixel last, depthwise_taps *taps) {
    const convpool_conv2d_desc *d = a->call.desc;
    const bool one_row = begin.row == last.row;
    const int64_t left = a->column + (one_row ? begin.column : 0), right = a->column + (one_row ? last.column : a->columns - 1);
    int64_t before, after;
    cp_tap_range(begin.row * d->stride_h - d->pad_top, d->dilation_h, d->kh, d->ih, &before, &taps->y_end);
    cp_tap_range(last.row * d->stride_h - d->pad_top, d->dilation_h, d->kh, d->ih, &taps->y_begin, &after);
    cp_tap_range(left * d->stride_w - d->pad_left, d->dilation_w, d->kw, d->iw, &before, &taps->x_end);
    cp_tap_range(right * d->stride_w - d->pad_left, d->dilation_w, d->kw, d->iw, &taps->x_begin, &after);
}

/* Rows [i, i + rows) of the task into acc. */
static void depthwise_rows(const cp_conv2d_depthwise *a, int64_t i, int64_t rows, int64_t packed_columns) {
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const int64_t down = d->stride_h * packed_columns * CP_PANEL, right = d->stride_w * CP_PANEL, pixels = rows * a->columns;
    const int64_t parts = call->clip_taps ? pixels : cp_ceil_div(pixels, DEPTHWISE_PIXELS);
    const float *row = a->x + i * down;
    /* Worth its time where a tile is much of the map. */
    const bool clip = d->border == CONVPOOL_BORDER_ZERO && (call->clip_taps || a->columns <= DEPTHWISE_PIXELS + 2);
    depthwise_taps taps = {
        .weights = call->weights,
        .kw = d->kw,
        .y_end = d->kh,
        .x_end = d->kw,
        .row_step = d->dilation_h * packed_columns * CP_PANEL,
        .column_step = d->dilation_w * CP_PANEL,
    };
    depthwise_pixel at = {.row = a->row + i};
    for (int64_t part = 0, first = 0, next; part < parts; part++, first = next) {
        const float *x[DEPTHWISE_PIXELS];
        const depthwise_pixel begin = at;
        depthwise_pixel last = at;
        next = (part + 1) * pixels / parts;
        for (int64_t p = 0; p < next - first; p++) {
            x[p] = row + at.column * right;
            last = at;
            if (++at.column == a->columns) {
                at.column = 0;
                at.row++;
                row += down;
            }
        }
        if (clip) depthwise_clip(a, begin, last, &taps);
#define DEPTHWISE_TILE(n) depthwise_tile(&taps, call->bias, x, a->acc + first * CP_PANEL, n)
        switch (next - first) {
            CP_TILE_CASE(DEPTHWISE_TILE, 1)
            CP_TILE_CASE(DEPTHWISE_TILE, 2)
            CP_TILE_CASE(DEPTHWISE_TILE, 3)
            CP_TILE_CASE(DEPTHWISE_TILE, 4)
            CP_TILE_CASE(DEPTHWISE_TILE, 5)
#if CP_DEPTHWISE > 6
            CP_TILE_CASE(DEPTHWISE_TILE, 6)
            CP_TILE_CASE(DEPTHWISE_TILE, 7)
#endif
        default:
            DEPTHWISE_TILE(DEPTHWISE_PIXELS);
            break;
        }
#undef DEPTHWISE_TILE
    }
}

static void CP_NAME(conv2d_depthwise)(const cp_conv2d_depthwise *a) {
    const cp_conv2d_call *call = &a->call;
    const convpool_conv2d_desc *d = call->desc;
    const int64_t packed_rows = (a->rows - 1) * d->stride_h + (d->kh - 1) * d->dilation_h + 1;
    const int64_t packed_columns = (a->columns - 1) * d->stride_w + (d->kw - 1) * d->dilation_w + 1;
    depthwise_pack(a, packed_rows, packed_columns);
    for (int64_t i = 0; i < a->rows; i += a->rows_at_once) {
        const int64_t rows = CP_MIN(a->rows_at_once, a->rows - i), row = a->row + i;
        depthwise_rows(a, i, rows, packed_columns);
        const cp_conv2d_finish finish = {
            .acc = a->acc,
            .rows = rows,
            .columns = a->columns,
            .channel = a->channel,
            .channels = a->channels,
            .spare = cp_spare_channels(d->dst_layout, d->out_channels, a->channel + a->channels),
            .dst = call->dst + row * call->dst_strides.row + a->column * call->dst_strides.column,
            .residual = call->residual == NULL
                            ? NULL
                            : call->residual + row * call->residual_strides.row + a->column * call->residual_strides.column,
            .layout = d->dst_layout,
            .dst_strides = call->dst_strides,
            .residual_strides = call->residual_strides,
            .activation = call->activation,
        };
        conv2d_finish(&finish);
    }
}
