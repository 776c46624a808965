/* SPDX-License-Identifier: MIT
 * Lanes along the width, in rows as they are: planes of depthwise layers, images, and all the rest. */
#include "direct_family.h"

#include <math.h>
#include <string.h>

/* Whether conv2d_depthwise_width can do a depthwise layer: on planes, whole windows but for 4 columns at each border. */
static bool suits_planes(const cp_direct *p) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t last = d->iw - d->kw + d->pad_left;
    return d->src_layout == CONVPOOL_LAYOUT_NCHW && d->dst_layout == CONVPOOL_LAYOUT_NCHW && cp_direct_walks(p) &&
           (p->ow <= 16 || (d->pad_left <= 4 && last >= 0 && last / d->stride_w + 5 >= p->ow));
}

/* Channels and rows of a task of conv2d_depthwise_width. */
static void block_planes(cp_direct *p) {
    const double task_products = 1 << 17;
    const convpool_conv2d_desc *d = p->desc;
    const double row = (double)p->ow * (double)d->kh * (double)d->kw;
    p->rows_a_task = cp_share(p->oh, (int64_t)CP_MIN((double)p->oh, CP_MAX(8.0, task_products / row)));
    const double channels = CP_MIN((double)d->out_channels, task_products / row / (double)p->rows_a_task);
    p->channels_a_task = cp_share(d->out_channels, (int64_t)channels);
    p->row_tasks = cp_ceil_div(p->oh, p->rows_a_task);
    p->panel_tasks = cp_ceil_div(d->out_channels, p->channels_a_task);
    p->columns_a_task = p->ow;
    p->column_tasks = 1;
}

enum { IMAGE_BLOCK = 48 }; /* columns of dst that conv2d_image does at once */

/* conv2d_image's ring of copies of the ends of lines: lines, columns and bytes. */
typedef struct image_ends {
    int64_t lines, columns, bytes;
} image_ends;

static image_ends image_ends_of(const cp_direct *p) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t pads = CP_MAX(d->pad_left, d->pad_right);
    image_ends ends = {.lines = 1, .columns = cp_ceil_div(pads + cp_reach(IMAGE_BLOCK, 1, d->kw, d->dilation_w) - 1, 8) * 8};
    while (ends.lines < d->kh + CP_IMAGE_CHANNELS - 1) ends.lines *= 2;
    ends.bytes = ends.lines * p->group_in * 2 * ends.columns * (int64_t)sizeof(float);
    return ends;
}

/* Whether conv2d_image can do it; it is slow at the ends of a row. */
static bool suits_image(const cp_direct *p) {
    enum { ENDS_BYTES = 1 << 20 };
    const convpool_conv2d_desc *d = p->desc;
    const bool small =
        d->kh <= CP_IMAGE_KERNEL && d->kw <= CP_IMAGE_REACH && cp_reach(1, 1, d->kw, d->dilation_w) <= CP_IMAGE_REACH;
    return d->src_layout == CONVPOOL_LAYOUT_NCHW && d->stride_h == 1 && d->stride_w == 1 && small &&
           CP_MAX(d->pad_left, d->pad_right) <= CP_IMAGE_REACH && p->ow >= IMAGE_BLOCK && p->group_in <= ENDS_BYTES &&
           image_ends_of(p).bytes <= ENDS_BYTES;
}

/* Floats of the sums along the rows and of a line of zeros, in the workspace of separable kernels. */
static int64_t sums_floats(const cp_direct *p) {
    return (p->desc->kh + CP_IMAGE_CHANNELS - 1) * cp_ceil_div(p->ow, CP_PANEL) * CP_PANEL + p->desc->iw;
}

/* Rows of a direct-width task: enough to be worth a task, few enough to share. */
static void block_rows(cp_direct *p) {
    enum { IMAGE_ROWS = 12 }; /* a multiple of the rows that conv2d_image does at once, 4 or less */
    const double task_products = 1 << 18;
    const convpool_conv2d_desc *d = p->desc;
    const double row = (double)p->ow * (double)d->kh * (double)d->kw * (double)p->group_in;
    p->rows_a_task = cp_share(p->oh, (int64_t)CP_MIN((double)p->oh, CP_MAX(8.0, task_products / row)));
    const bool separable = p->kernel == CP_DIRECT_SEPARABLE, image = separable || p->kernel == CP_DIRECT_IMAGE;
    if (separable) p->rows_a_task = cp_share(p->oh, CP_MAX(p->rows_a_task, 8 * d->kh)); /* each task makes kh - 1 sums anew */
    if (image) {
        p->rows_a_task = CP_MIN(p->oh, cp_ceil_div(p->rows_a_task, IMAGE_ROWS) * IMAGE_ROWS);
        p->workspace_bytes = image_ends_of(p).bytes + (separable ? sums_floats(p) * (int64_t)sizeof(float) : 0);
    }
    p->row_tasks = cp_ceil_div(p->oh, p->rows_a_task);
    p->columns_a_task = p->ow;
    p->column_tasks = 1;
    p->channels_a_task = image ? cp_share(p->group_out, CP_IMAGE_CHANNELS) : 1;
    p->panel_tasks = cp_ceil_div(p->group_out, p->channels_a_task);
}

void cp_width_block(cp_direct *p) {
    if (p->kernel == CP_DIRECT_PLANES) {
        block_planes(p);
    } else {
        block_rows(p);
    }
}

/* Of conv2d_depthwise_width: setting out on a walk, and its rows; of large maps, the memory that conv2d_image streams to. */
static double planes_cost(const cp_direct *p, int64_t wide) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t parts = cp_planes_side_by_side(d, p->ow, wide);
    const double blocks = (double)cp_ceil_div(p->ow, wide), bands = blocks == 1 ? 1 : (double)cp_ceil_div(p->oh, CP_PLANES_BAND);
    const double rows = (double)p->oh, pixels = rows * (double)p->ow;
    const double start = parts > 2 ? 110 : parts == 2 ? 52 : wide == 16 ? 36 : 30;
    const double of_5 = d->stride_w == 2 ? 22.5 : wide == 16 && parts == 1 ? 14 : wide == 16 ? 16 : 18;
    const double row = (d->kh == 5 ? of_5 : d->stride_w == 1 ? 5.3 : 9) + (double)(parts - 1);
    const double memory = d->stride_w == 1 && pixels * (double)d->out_channels > 0x1p20 ? 0.3 * (double)p->group_out : 0;
    const double planes = (double)cp_ceil_div(d->out_channels, parts);
    return planes * blocks * (bands * start + rows * row) / pixels / (double)d->groups + memory;
}

/* Of depthwise layers, and of images with one channel: 3x3 and 5x5 kernels of planes share their loads and pay for the first and
 * last rows, large images share more and pay for the ends of rows, others load every tap and set out for each channel. */
static double depthwise_cost(const cp_direct *p, cp_direct_kernel kernel) {
    const convpool_conv2d_desc *d = p->desc;
    const double taps = (double)d->kh * (double)d->kw, pixels = (double)p->oh * (double)p->ow;
    const double lanes = (double)(cp_ceil_div(p->ow, 8) * 8) / (double)p->ow;
    if (kernel == CP_DIRECT_SEPARABLE) return 0.09 * ((double)d->kh + (double)d->kw) + 0.6 + 100 / (double)p->ow;
    if (kernel == CP_DIRECT_IMAGE) return 0.075 * taps + 0.3 + 100 / (double)p->ow;
    const double load = d->src_layout != CONVPOOL_LAYOUT_NCHW || d->stride_w > 2 ? 12 : 2.5;
    return lanes / 8 * (taps * load + 2) + 250 / pixels;
}

/* conv2d_image pays for the ends of a row; conv2d_width for loads, for starting and ending each vector, and for the lanes that a
 * narrow row leaves empty. */
double cp_width_cost(const cp_direct *p, cp_direct_kernel kernel, int64_t wide) {
    const double width = (double)p->ow;
    if (kernel == CP_DIRECT_PLANES) return planes_cost(p, wide);
    if (cp_direct_is_depthwise(p)) return depthwise_cost(p, kernel) * (double)p->group_out;
    if (kernel == CP_DIRECT_PATCHES) return cp_patches_cost(p, wide);
    if (kernel == CP_DIRECT_IMAGE) {
        return (double)p->group_out / 16 * (width + 32) / width * ((double)p->products * 2 + 4);
    }
    const bool far_apart = p->desc->src_layout != CONVPOOL_LAYOUT_NCHW || p->desc->stride_w > 2;
    const double load = far_apart ? 8.0 : 3.2;
    return (double)p->group_out / 8 * (ceil(width / 8) * 8 / width) * ((double)p->products * load + 24);
}

cp_direct_kernel cp_width_kernel(const cp_direct *p, int64_t wide) {
    const bool depthwise = cp_direct_is_depthwise(p);
    const cp_direct_kernel kernel = suits_image(p) ? CP_DIRECT_IMAGE : CP_DIRECT_WIDTH;
    const cp_direct_kernel other = depthwise ? CP_DIRECT_PLANES : CP_DIRECT_PATCHES;
    if (!(depthwise ? suits_planes(p) : cp_patches_suit(p))) return kernel;
    if (depthwise && kernel == CP_DIRECT_WIDTH) return other;
    return cp_width_cost(p, other, wide) <= cp_width_cost(p, kernel, wide) ? other : kernel;
}

bool cp_direct_plan_separable(cp_direct *p, const cp_direct *direct) {
    enum { SUMS_FLOATS = 1 << 18 };
    const convpool_conv2d_desc *d = direct->desc;
    *p = *direct;
    p->kernel = CP_DIRECT_SEPARABLE;
    p->algorithm = CONVPOOL_ALGORITHM_SEPARABLE;
    p->groups = d->groups;
    p->products = d->kh + d->kw;
    if (p->group_in != 1 || p->group_out != 1 || d->kh < 2 || d->kw < 2 || !suits_image(p) || p->ow > SUMS_FLOATS ||
        d->iw > SUMS_FLOATS || sums_floats(p) > SUMS_FLOATS) {
        return false;
    }
    const double pixels = (double)p->oh * (double)p->ow * (double)d->groups;
    const double other = cp_direct_is_depthwise(p) ? direct->cost : depthwise_cost(direct, CP_DIRECT_IMAGE) * pixels;
    p->cost = depthwise_cost(p, CP_DIRECT_SEPARABLE) * pixels;
    block_rows(p);
    p->tasks = p->row_tasks * p->panel_tasks * p->groups;
    return d->algorithm == CONVPOOL_ALGORITHM_SEPARABLE || p->cost < other;
}

/* The weights of a row and of a column whose product is a kernel, or false: docs/numerics.md. */
static bool separate(const convpool_conv2d_desc *d, const float *weights, float *across, float *down) {
    const double most = 8 * 0x1p-24, taps = (double)d->kh * (double)d->kw;
    int64_t pivot = 0;
    for (int64_t t = 0; t < d->kh * d->kw; t++) {
        if (!isfinite(weights[t])) return false;
        if (fabsf(weights[t]) > fabsf(weights[pivot])) pivot = t;
    }
    const float largest = weights[pivot];
    for (int64_t x = 0; x < d->kw; x++) across[x] = weights[pivot / d->kw * d->kw + x];
    for (int64_t y = 0; y < d->kh; y++) down[y] = weights[y * d->kw + pivot % d->kw] / largest;
    bool same = largest != 0.0f;
    for (int64_t t = 0; t < d->kh * d->kw && same; t++) {
        const double w = (double)weights[t], residual = fabs(w - (double)down[t / d->kw] * (double)across[t % d->kw]);
        same = residual <= most * CP_MAX(fabs(w), fabs((double)largest) / taps);
    }
    return same;
}

bool cp_direct_separates(const convpool_conv2d_desc *d, const float *weights) {
    float across[CP_IMAGE_REACH], down[CP_IMAGE_KERNEL];
    for (int64_t o = 0; o < d->out_channels; o++) {
        if (!separate(d, weights + o * d->kh * d->kw, across, down)) return false;
    }
    return true;
}

void cp_width_pack(const cp_direct *p, const float *weights, float *packed) {
    const convpool_conv2d_desc *d = p->desc;
    if (p->kernel == CP_DIRECT_SEPARABLE) {
        for (int64_t o = 0; o < d->out_channels; o++, packed += d->kw + d->kh) {
            separate(d, weights + o * d->kh * d->kw, packed, packed + d->kw);
        }
    } else if (p->kernel == CP_DIRECT_IMAGE) {
        cp_direct_pack_in_order(p, weights, d->out_channels, false, packed);
    } else {
        memcpy(packed, weights, (size_t)(d->out_channels * p->products) * sizeof(float));
    }
}

/* Each: output channels [channel, end). */
static void run_image(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t, int64_t channel, int64_t end) {
    const image_ends ends = image_ends_of(p);
    const cp_conv2d_image image = {
        .call = cp_direct_call(p, r, t),
        .stream = r->stream,
        .ow = p->ow,
        .channel = channel,
        .channels = end - channel,
        .row = t->row,
        .rows = t->rows,
        .end_lines = ends.lines,
        .end_columns = ends.columns,
        .ends = (float *)r->workspace,
        .separable = p->kernel == CP_DIRECT_SEPARABLE,
        .sums = (float *)(r->workspace + ends.bytes),
    };
    r->kernels->conv2d_image(&image);
}

static void run_rows(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t, int64_t channel, int64_t end) {
    const convpool_layout layout = p->desc->dst_layout;
    cp_conv2d_width width = {.call = cp_direct_call(p, r, t), .ow = p->ow, .row = t->row, .rows = t->rows};
    for (width.out_channel = channel; width.out_channel < end; width.out_channel++) {
        width.call.dst = t->dst + cp_channel_offset(layout, r->dst.strides.channel, width.out_channel);
        if (t->residual != NULL) {
            width.call.residual = t->residual + cp_channel_offset(layout, r->residual.strides.channel, width.out_channel);
        }
        r->kernels->conv2d_width(&width);
    }
}

static void run_planes(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t, int64_t channel, int64_t end) {
    const cp_conv2d_depthwise planes = {
        .call = cp_direct_call(p, r, t),
        .channel = channel,
        .channels = end - channel,
        .row = t->row,
        .rows = t->rows,
        .columns = p->ow,
    };
    r->kernels->conv2d_depthwise_width(&planes);
}

void cp_width_run(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t) {
    const bool planes = p->kernel == CP_DIRECT_PLANES;
    const int64_t group_out = p->desc->out_channels / p->groups, group = t->group * group_out;
    const int64_t first = group + t->share * p->channels_a_task, end = CP_MIN(group + group_out, first + p->channels_a_task);
    if (planes && !p->clip_taps) {
        run_planes(p, r, t, first, end);
    } else if (p->kernel == CP_DIRECT_IMAGE || p->kernel == CP_DIRECT_SEPARABLE) {
        run_image(p, r, t, first, end);
    } else {
        run_rows(p, r, t, first, end);
    }
    cp_tensor_clear(&r->dst, t->image, end, cp_spare_channels(p->desc->dst_layout, p->desc->out_channels, end), t->row, t->rows);
}
