/* SPDX-License-Identifier: MIT
 * Lanes along the pixels, whose patches lie in a band of the input: conv2d_patches. */
#include "direct_family.h"

#include <math.h>

enum { LINE = CONVPOOL_ALIGNMENT / sizeof(float) };

/* Columns of src, padding included, that so many neighbours of dst read; of a phase, and from one row of it to the next. */
typedef struct patches_columns {
    int64_t reach, width, pitch;
} patches_columns;

static patches_columns columns_of(const cp_direct *p, int64_t outputs) {
    const convpool_conv2d_desc *d = p->desc;
    patches_columns columns = {.reach = cp_reach(outputs, d->stride_w, d->kw, d->dilation_w)};
    columns.width = cp_ceil_div(columns.reach, d->stride_w);
    columns.pitch = columns.width;
    if (outputs % CP_PANEL == 0) {
        columns.pitch = cp_ceil_div(columns.width, LINE) * LINE; /* Rows are whole vectors: room between them costs nothing. */
    } else if (d->stride_w == 1 && d->border == CONVPOOL_BORDER_ZERO) { /* Two rows share the zeros between them. */
        columns.pitch = CP_MIN(columns.width, CP_MAX(outputs, CP_MAX(d->pad_left + d->iw, columns.width - d->pad_left)));
    }
    return columns;
}

/* What so many pixels from `first` on read. */
static cp_patches_band reads_of(const cp_direct *p, int64_t first, int64_t pixels) {
    const convpool_conv2d_desc *d = p->desc;
    cp_patches_band band = {.row = first / p->ow, .phases = d->kw == 1 ? 1 : d->stride_w};
    band.rows = (first + pixels - 1) / p->ow - band.row + 1; /* of dst so far */
    band.column = band.rows == 1 ? first % p->ow : 0;
    band.columns = columns_of(p, band.rows == 1 ? pixels : p->ow).reach;
    band.reach = cp_reach(band.rows, d->stride_h, d->kh, d->dilation_h);
    return band;
}

/* The same, and how it lies in the band of a task of `most` pixels, which begins anywhere in a row if the plan is flat, else with a
 * row or within it. */
static cp_patches_band band_of(const cp_direct *p, int64_t first, int64_t pixels, int64_t most) {
    const convpool_conv2d_desc *d = p->desc;
    const cp_patches_band whole = reads_of(p, p->flat ? p->ow - 1 : 0, most);
    const patches_columns columns = columns_of(p, whole.rows == 1 ? most : p->ow);
    cp_patches_band band = reads_of(p, first, pixels);
    band.sparse = whole.reach > whole.rows * d->kh;
    band.row_phases = band.sparse ? d->kh : d->stride_h;
    band.rows = whole.rows + (band.sparse ? 0 : (d->kh - 1) * d->dilation_h / d->stride_h);
    band.pitch = columns.pitch;
    /* Rows are filled by vectors, the last of which reaches beyond it. */
    band.phase = ((band.rows - 1) * band.pitch / LINE + cp_ceil_div(columns.width, LINE) + 1) * LINE;
    band.plane = ((band.row_phases * band.phases * band.phase / LINE) | 1) * LINE;
    return band;
}

/* Where the parts of a workspace of conv2d_patches begin, in bytes, and where it ends: for tasks of so many pixels, which begin
 * anywhere in a row if the plan is flat, else with a row or within it. */
typedef struct patches_parts {
    int64_t band, x, offset, tiles, end;
} patches_parts;

static patches_parts patches_parts_of(const cp_direct *p, int64_t pixels) {
    const convpool_conv2d_desc *d = p->desc;
    const cp_patches_band band = band_of(p, 0, pixels, pixels);
    const int64_t all = cp_ceil_div(pixels, CP_PATCHES_PIXELS);
    const int64_t copied = d->kh * d->kw == 1 ? all : 0;
    const int64_t bytes[] = {
        CP_PATCHES_SLACK * (int64_t)sizeof(float),
        (band.plane * p->group_in + CP_PATCHES_SLACK) * (int64_t)sizeof(float),
        (copied * p->products * CP_PATCHES_PIXELS + CP_PATCHES_SLACK) * (int64_t)sizeof(float),
        p->products * (int64_t)sizeof(int32_t),
        cp_ceil_div(pixels, CP_MIN(p->ow, CP_BLOCK)) * (int64_t)sizeof(cp_patches_tile),
    };
    int64_t at[6] = {0};
    for (int i = 0; i < 5; i++) cp_align(at[i] + bytes[i], &at[i + 1]);
    return (patches_parts){at[1], at[2], at[3], at[4], at[5]};
}

/* Whether a task of so many pixels, in whole rows or part of one, takes no more than so much workspace. */
static bool patches_fit(const cp_direct *p, int64_t pixels, int64_t most) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t rows = cp_reach(cp_ceil_div(pixels, p->ow), d->stride_h, d->kh, d->dilation_h);
    const int64_t columns = cp_reach(CP_MIN(pixels, p->ow), d->stride_w, d->kw, d->dilation_w);
    const double least = (double)CP_MIN(rows, cp_ceil_div(pixels, p->ow) * d->kh) * (double)columns * (double)p->group_in;
    return least * sizeof(float) <= (double)most && patches_parts_of(p, pixels).end <= most;
}

/* Within a workspace that stays in L2. */
bool cp_patches_suit(const cp_direct *p) {
    enum { MOST_PRODUCTS = 4096, MOST_STRIDE = 64, BYTES = 1 << 20 };
    const convpool_conv2d_desc *d = p->desc;
    const bool planes = d->src_layout == CONVPOOL_LAYOUT_NCHW && d->dst_layout == CONVPOOL_LAYOUT_NCHW;
    const bool near = d->stride_h <= MOST_STRIDE && d->stride_w <= MOST_STRIDE;
    return planes && near && p->products <= MOST_PRODUCTS && patches_fit(p, CP_MIN(p->ow, CP_PATCHES_PIXELS), BYTES);
}

/* So many rows have a multiple of 16 pixels. */
static int64_t rows_of_whole_vectors(int64_t columns) {
    int64_t rows = CP_PANEL;
    while (rows > 1 && columns % 2 == 0) {
        rows /= 2;
        columns /= 2;
    }
    return rows;
}

/* Sizes of a task of conv2d_patches: the pixels whose patches stay in L2, all output channels unless that makes too few tasks. */
void cp_patches_block(cp_direct *p) {
    enum { TASK_PIXELS = 1568, BYTES = 256 << 10, FLAT_PIXELS = 256, X_BYTES = 192 << 10, TASKS = 8, TASK_PRODUCTS = 1 << 20 };
    if (p->flat) {
        const int64_t fit = X_BYTES / (p->products * (int64_t)sizeof(float)) / CP_PATCHES_PIXELS * CP_PATCHES_PIXELS;
        p->rows_a_task = 1;
        const int64_t pixels = p->oh * p->ow, most = CP_MAX(CP_PATCHES_PIXELS, CP_MIN(FLAT_PIXELS, fit));
        int64_t tasks = cp_ceil_div(pixels, most);
        if (tasks > 1 && tasks < TASKS) tasks += tasks % 2; /* Two threads would wait for the last of few. */
        const int64_t share = cp_ceil_div(cp_ceil_div(pixels, tasks), CP_PATCHES_PIXELS) * CP_PATCHES_PIXELS;
        p->columns_a_task = CP_MIN(pixels, CP_MIN(most, share));
    } else {
        p->rows_a_task = CP_MIN(p->oh, CP_MAX(1, TASK_PIXELS / p->ow));
        while (p->rows_a_task > 1 && !patches_fit(p, p->rows_a_task * p->ow, BYTES)) p->rows_a_task--;
        const int64_t whole = rows_of_whole_vectors(p->ow);
        p->rows_a_task = p->rows_a_task > whole ? p->rows_a_task / whole * whole : cp_share(p->oh, p->rows_a_task);
        p->columns_a_task = p->ow;
        while (p->rows_a_task == 1 && p->columns_a_task > CP_PATCHES_PIXELS &&
               (p->columns_a_task > 2 * TASK_PIXELS || !patches_fit(p, p->columns_a_task, BYTES))) {
            p->columns_a_task = cp_ceil_div(p->columns_a_task / 2, CP_PATCHES_PIXELS) * CP_PATCHES_PIXELS;
        }
    }
    p->row_tasks = p->flat ? 1 : cp_ceil_div(p->oh, p->rows_a_task);
    p->column_tasks = cp_ceil_div(p->flat ? p->oh * p->ow : p->ow, p->columns_a_task);
    const double pixels = (double)p->rows_a_task * (double)p->columns_a_task;
    const int64_t areas = p->row_tasks * p->column_tasks * p->desc->groups;
    const double task = pixels * (double)p->products * (double)p->group_out;
    const int64_t shares = areas >= TASKS ? 1 : CP_MAX(1, (int64_t)CP_MIN((double)(TASKS / areas), task / (double)TASK_PRODUCTS));
    p->channels_a_task = cp_ceil_div(cp_ceil_div(p->group_out, CP_PANEL), shares) * CP_PANEL;
    p->panel_tasks = cp_ceil_div(p->group_out, p->channels_a_task);
    p->workspace_bytes = patches_parts_of(p, p->rows_a_task * p->columns_a_task).end;
}

/* Vectors for all pixels, by their lanes: row by row, or all rows as one with gaps between them. */
static double vectors_of(const cp_direct *p, double lanes) {
    const double rows = (double)p->oh, width = (double)p->ow, pitch = (double)columns_of(p, p->ow).pitch;
    const double strung = ceil(((rows - 1) * (p->flat ? width : pitch) + width) / lanes);
    return CP_MIN(strung, rows * ceil(width / lanes));
}

/* conv2d_patches does what the output channels need, at least 5 of them at a time, for all lanes, those between rows included, and
 * pays for filling each row of the band, which takes longer where the planes of groups exceed L3, for the copies that kernels of
 * one tap want, for each line of weights that it waits for, and for input beyond L1. */
double cp_patches_cost(const cp_direct *p, int64_t wide) {
    const convpool_conv2d_desc *d = p->desc;
    const double l1 = 32 << 10, l3 = 8 << 20; /* a part of a usual L3 that nothing else takes */
    const double pixels = (double)p->oh * (double)p->ow, width = (double)p->ow, products = (double)p->products;
    const double outputs = CP_MAX(5, (double)p->group_out) / (double)CP_PANEL;
    const double lanes = vectors_of(p, (double)wide) * (double)wide / pixels;
    if (p->flat) return outputs * lanes * (products + 5) + 0.15 * products + 35 * outputs * products / pixels;
    const double copies = d->kh * d->kw == 1 ? 0.3 : 0;
    const double columns = (double)columns_of(p, p->ow).reach, task_rows = CP_MIN(pixels, 1024) / width;
    const double more_rows = (double)((d->kh - 1) * d->dilation_h) / CP_MAX(1, task_rows);
    const double rows = CP_MIN((double)d->kh, (double)d->stride_h + more_rows); /* of src for one of dst */
    const bool in_vectors = d->stride_w == 1 || d->stride_w == 2 || d->stride_w == 4;
    const bool far = d->groups > 1 && (double)d->in_channels * (double)d->ih * (double)d->iw * sizeof(float) > l3;
    const double band = (double)p->group_in * rows * (8 + ((in_vectors ? 0.5 : 4.3) + (far ? 2 : 0)) * columns) / width;
    const double reads = (double)p->group_in * (double)d->kh * columns * sizeof(float) / l1;
    const double waits = (reads > 1 ? 0.07 * reads : 0) + 5 / pixels;
    return outputs * (lanes * (products + 8) + products * waits) + copies * products + band;
}

/* The parts that conv2d_patches makes of the channels of each task. */
void cp_patches_pack(const cp_direct *p, const cp_kernels *kernels, const float *weights, float *packed) {
    for (int64_t out = 0; out < p->desc->out_channels;) {
        const int64_t channels = CP_MIN(p->channels_a_task, p->group_out - out % p->group_out);
        const int64_t parts = cp_ceil_div(channels, kernels->patches_channels);
        for (int64_t i = 0; i < parts; i++) {
            const int64_t begin = i * channels / parts, end = (i + 1) * channels / parts;
            cp_direct_pack_in_order(p, weights + (out + begin) * p->products, end - begin, true,
                                    packed + (out + begin) * p->products);
        }
        out += channels;
    }
}

void cp_patches_run(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t) {
    const int64_t channel = t->share * p->channels_a_task, out = t->group * p->group_out + channel;
    const int64_t first = t->row * p->ow + t->column, pixels = t->rows * t->columns;
    const patches_parts parts = patches_parts_of(p, p->rows_a_task * p->columns_a_task);
    cp_conv2d_patches patches = {
        .call = cp_direct_call(p, r, t),
        .in_channels = p->group_in,
        .products = p->products,
        .channels = CP_MIN(p->channels_a_task, p->group_out - channel),
        .columns = p->ow,
        .first = first,
        .pixels = pixels,
        .flat = p->flat,
        .packed = t->packed,
        .layout = band_of(p, first, pixels, p->rows_a_task * p->columns_a_task),
        .band = (float *)(r->workspace + parts.band),
        .x = (float *)(r->workspace + parts.x),
        .offset = (int32_t *)(r->workspace + parts.offset),
        .tiles = (cp_patches_tile *)(r->workspace + parts.tiles),
    };
    patches.call.src += t->group * p->group_in * r->src.strides.channel;
    patches.call.weights += out * p->products;
    patches.call.bias += out;
    patches.call.dst += out * r->dst.strides.channel;
    if (t->residual != NULL) patches.call.residual += out * r->residual.strides.channel;
    r->kernels->conv2d_patches(&patches);
}
