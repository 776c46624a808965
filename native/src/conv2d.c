/* SPDX-License-Identifier: MIT
 * Convolution: validation, plans and the loop over tasks. */
#include "kernels.h"
#include "winograd.h"

#include <math.h>
#include <string.h>

struct convpool_conv2d {
    cp_plan head;
    convpool_conv2d_desc desc;
    convpool_plan_info info;
    const cp_kernels *kernels;
    cp_activation activation;
    bool clip_taps; /* padded taps must be skipped, because a weight times zero might be NaN */
    int64_t group_in, group_out;
    bool depthwise; /* direct-channels with a channel of its own in each lane, all groups as one */
    int64_t rows_at_once;
    bool planes; /* direct-width by conv2d_depthwise_width */
    /* direct-channels: packed weights are [group][panel][block][kh][kw][channel][16] */
    int64_t panels;        /* of a group */
    int64_t panels_a_task; /* output channels of a task */
    int64_t rows_a_task, columns_a_task;
    int64_t channels_a_pass; /* input channels that are multiplied at once */
    int64_t channels_packed; /* and packed at once: as many, or all */
    int64_t panel_tasks, row_tasks, column_tasks;
    bool patches;            /* direct-width by conv2d_patches: all pixels as one row */
    bool image;              /* direct-width by conv2d_image */
    int64_t channels_a_task; /* output channels of direct-width */
    int64_t weights_bytes;
    const float *weights;
    const float *bias; /* [group][panel][16], or [out_channels] for direct-width */
    cp_winograd winograd;
};

static const uint32_t plan_header = (sizeof(convpool_conv2d) + CONVPOOL_ALIGNMENT - 1) / CONVPOOL_ALIGNMENT * CONVPOOL_ALIGNMENT;

static convpool_status check_axis(int64_t input, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after,
                                  convpool_border border, int64_t *output) {
    int64_t span, padded;
    if (input < 1) return CONVPOOL_STATUS_INVALID_INPUT_SIZE;
    if (kernel < 1) return CONVPOOL_STATUS_INVALID_KERNEL;
    if (stride < 1) return CONVPOOL_STATUS_INVALID_STRIDE;
    if (dilation < 1) return CONVPOOL_STATUS_INVALID_DILATION;
    if (before < 0 || after < 0) return CONVPOOL_STATUS_INVALID_PADDING;
    const int64_t most = border == CONVPOOL_BORDER_REFLECT ? input - 1 : border == CONVPOOL_BORDER_CIRCULAR ? input : INT64_MAX;
    if (before > most || after > most) return CONVPOOL_STATUS_INVALID_PADDING;
    if (!cp_mul(kernel - 1, dilation, &span) || !cp_add(input, before, &padded) || !cp_add(padded, after, &padded)) {
        return CONVPOOL_STATUS_SIZE_OVERFLOW;
    }
    if (span >= padded) return CONVPOOL_STATUS_EMPTY_OUTPUT;
    *output = (padded - span - 1) / stride + 1;
    return CONVPOOL_STATUS_OK;
}

static convpool_status check_desc(const convpool_conv2d_desc *d, int64_t *oh, int64_t *ow) {
    if (d->src_type != CONVPOOL_DATA_TYPE_F32 || d->weights_type != CONVPOOL_DATA_TYPE_F32 ||
        d->dst_type != CONVPOOL_DATA_TYPE_F32) {
        return CONVPOOL_STATUS_UNSUPPORTED_DATA_TYPE;
    }
    if ((unsigned)d->src_layout > CONVPOOL_LAYOUT_NCHW8C || (unsigned)d->dst_layout > CONVPOOL_LAYOUT_NCHW8C) {
        return CONVPOOL_STATUS_UNSUPPORTED_LAYOUT;
    }
    if ((unsigned)d->border > CONVPOOL_BORDER_CIRCULAR) return CONVPOOL_STATUS_UNSUPPORTED_BORDER;
    if (d->direction != CONVPOOL_DIRECTION_FORWARD) return CONVPOOL_STATUS_UNSUPPORTED_DIRECTION;
    if ((unsigned)d->activation > CONVPOOL_ACTIVATION_GELU_TANH) return CONVPOOL_STATUS_UNSUPPORTED_ACTIVATION;
    if ((unsigned)d->numerics > CONVPOOL_NUMERICS_STRICT) return CONVPOOL_STATUS_UNSUPPORTED_NUMERICS;
    if ((unsigned)d->algorithm > CONVPOOL_ALGORITHM_WINOGRAD_4X4) return CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM;
    if (d->activation == CONVPOOL_ACTIVATION_CLIP && !(d->activation_alpha <= d->activation_beta)) {
        return CONVPOOL_STATUS_INVALID_ACTIVATION;
    }
    if (d->activation == CONVPOOL_ACTIVATION_LEAKY_RELU && isnan(d->activation_alpha)) return CONVPOOL_STATUS_INVALID_ACTIVATION;
    if (!(d->max_error >= 0)) return CONVPOOL_STATUS_INVALID_MAX_ERROR;
    if (d->in_channels < 1 || d->out_channels < 1) return CONVPOOL_STATUS_INVALID_CHANNELS;
    if (d->groups < 1 || d->in_channels % d->groups != 0 || d->out_channels % d->groups != 0) return CONVPOOL_STATUS_INVALID_GROUPS;
    const convpool_status status = check_axis(d->ih, d->kh, d->stride_h, d->dilation_h, d->pad_top, d->pad_bottom, d->border, oh);
    if (status != CONVPOOL_STATUS_OK) return status;
    return check_axis(d->iw, d->kw, d->stride_w, d->dilation_w, d->pad_left, d->pad_right, d->border, ow);
}

/* The part of an axis of the input, padding included, that `outputs` neighbouring outputs read. */
static int64_t reach(int64_t outputs, int64_t stride, int64_t kernel, int64_t dilation) {
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1;
}

/* Of a kernel with one tap all channels of a pass lie side by side, an odd number of blocks from one pixel to the next: six pixels
 * at a power of two from each other would meet in a few sets of the cache (measured: 84 instead of 106 GFLOP/s with 256 channels).
 */
static int64_t pointwise_pitch(int64_t channels) { return (cp_ceil_div(channels, CP_BLOCK) | 1) * CP_BLOCK; }

/* Lengths of the three parts of a direct-channels workspace, in bytes. */
typedef struct workspace_parts {
    int64_t x, acc, position;
} workspace_parts;

static bool workspace_of(const convpool_conv2d *p, workspace_parts *w) {
    const convpool_conv2d_desc *d = &p->desc;
    const int64_t rows = reach(p->rows_a_task, d->stride_h, d->kh, d->dilation_h);
    const int64_t columns = reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w);
    const int64_t pixels = (p->depthwise ? p->rows_at_once : p->rows_a_task) * p->columns_a_task;
    const int64_t panels = p->depthwise ? 1 : p->panels_a_task;
    const int64_t channels = p->depthwise         ? CP_PANEL
                             : d->kh * d->kw == 1 ? pointwise_pitch(p->channels_packed)
                                                  : p->channels_packed;
    return cp_mul(rows, columns, &w->x) && w->x <= INT32_MAX && cp_mul(w->x, channels * (int64_t)sizeof(float), &w->x) &&
           cp_align(w->x, &w->x) && cp_align(pixels * panels * (int64_t)(CP_PANEL * sizeof(float)), &w->acc) &&
           cp_align(pixels * (int64_t)sizeof(int32_t), &w->position);
}

/* Sizes of a direct-channels task. A pass is so many input channels that its weights for one panel stay in L1; a task is so many
 * pixels that packed input and accumulators stay in L2, while each weight that comes from further away serves dozens of tiles. */
static void block_channels(convpool_conv2d *p, int64_t oh, int64_t ow) {
    enum { PASS_PRODUCTS = 288, TASK_PIXELS = 224, X_BYTES = 192 << 10, ACC_BYTES = 256 << 10, SPLIT_PRODUCTS = 64, TASKS = 8 };
    const double task_products = 1 << 20;
    const convpool_conv2d_desc *d = &p->desc;
    const int64_t taps = d->kh * d->kw;
    p->panels = cp_ceil_div(p->group_out, CP_PANEL);
    p->panels_a_task = p->panels;
    p->channels_a_pass = CP_MIN(p->group_in, CP_MAX(1, PASS_PRODUCTS / taps / CP_BLOCK) * CP_BLOCK);
    p->columns_a_task = cp_share(ow, TASK_PIXELS * 2);
    p->rows_a_task = cp_share(oh, TASK_PIXELS / CP_MIN(p->columns_a_task, TASK_PIXELS));
    const int64_t position_bytes = p->channels_a_pass * (int64_t)sizeof(float);
    while (p->rows_a_task > 1 && reach(p->rows_a_task, d->stride_h, d->kh, d->dilation_h) >
                                     X_BYTES / position_bytes / reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w)) {
        p->rows_a_task = cp_share(oh, p->rows_a_task - 1);
    }
    while (p->columns_a_task > 8 && reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w) >
                                        X_BYTES / position_bytes / reach(p->rows_a_task, d->stride_h, d->kh, d->dilation_h)) {
        p->columns_a_task = cp_share(ow, p->columns_a_task / 2);
    }
    p->row_tasks = cp_ceil_div(oh, p->rows_a_task);
    p->column_tasks = cp_ceil_div(ow, p->columns_a_task);
    /* Few tasks: share the output channels too, if the input need not be packed again for each share, or if that costs little
     * beside the products. Two panels at least, since a tile may have two. */
    const int64_t areas = p->row_tasks * p->column_tasks * d->groups;
    const double reached = (double)reach(p->rows_a_task, d->stride_h, d->kh, d->dilation_h) *
                           (double)reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w);
    p->channels_packed = reached * (double)p->group_in * sizeof(float) <= (double)X_BYTES ? p->group_in : p->channels_a_pass;
    if (areas < TASKS) {
        const double panel =
            (double)p->rows_a_task * (double)p->columns_a_task * (double)taps * (double)p->group_in * (double)CP_PANEL;
        const int64_t least = p->channels_packed == p->group_in
                                  ? CP_MAX(2, (int64_t)CP_MIN((double)p->panels, task_products / panel))
                                  : cp_ceil_div(SPLIT_PRODUCTS, taps);
        p->panels_a_task = cp_share(p->panels, CP_MAX(cp_ceil_div(p->panels * areas, TASKS), least));
        if (p->panels_a_task > 1) p->panels_a_task += p->panels_a_task % 2;
    }
    const int64_t acc_panels = ACC_BYTES / (p->rows_a_task * p->columns_a_task * (int64_t)(CP_PANEL * sizeof(float)));
    p->panels_a_task = cp_share(p->panels, CP_MIN(p->panels_a_task, CP_MAX(1, acc_panels)));
    p->panel_tasks = cp_ceil_div(p->panels, p->panels_a_task);
}

/* Sizes of a depthwise task of direct-channels: packed input within L2, accumulators within L1, and panels enough to be worth it.
 */
static void block_depthwise(convpool_conv2d *p, int64_t oh, int64_t ow) {
    enum { X_BYTES = 192 << 10, TASK_COLUMNS = 512, PIXELS_AT_ONCE = 128, TASK_PRODUCTS = 1 << 16 };
    const convpool_conv2d_desc *d = &p->desc;
    const int64_t x_pixels = X_BYTES / (int64_t)(CP_PANEL * sizeof(float));
    p->panels = cp_ceil_div(d->out_channels, CP_PANEL);
    p->channels_a_pass = CP_PANEL;
    p->columns_a_task = cp_share(ow, TASK_COLUMNS);
    while (p->columns_a_task > 8 && reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w) >
                                        x_pixels / CP_MIN(x_pixels, reach(1, d->stride_h, d->kh, d->dilation_h))) {
        p->columns_a_task = cp_share(ow, p->columns_a_task / 2);
    }
    const int64_t columns = reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w);
    const int64_t rows = x_pixels / CP_MIN(x_pixels, columns) - (d->kh - 1) * d->dilation_h - 1;
    p->rows_a_task = cp_share(oh, rows / d->stride_h + 1);
    p->rows_at_once = CP_MIN(p->rows_a_task, CP_MAX(1, PIXELS_AT_ONCE / p->columns_a_task));
    const double products = (double)p->rows_a_task * (double)p->columns_a_task * (double)d->kh * (double)d->kw * (double)CP_PANEL;
    p->panels_a_task = cp_share(p->panels, (int64_t)CP_MIN((double)p->panels, (double)TASK_PRODUCTS / products));
    p->panel_tasks = cp_ceil_div(p->panels, p->panels_a_task);
    p->row_tasks = cp_ceil_div(oh, p->rows_a_task);
    p->column_tasks = cp_ceil_div(ow, p->columns_a_task);
}

/* Sizes of a task of conv2d_patches: the pixels whose patches stay in L2, all output channels unless that makes too few tasks. */
static void block_patches(convpool_conv2d *p, int64_t pixels) {
    enum { X_BYTES = 192 << 10, TASK_PIXELS = 256, TASKS = 8, TASK_PRODUCTS = 1 << 20 };
    const int64_t products = p->desc.kh * p->desc.kw * p->group_in;
    const int64_t fit = X_BYTES / (products * (int64_t)sizeof(float)) / CP_PATCHES_PIXELS * CP_PATCHES_PIXELS;
    p->columns_a_task = CP_MIN(pixels, CP_MAX(CP_PATCHES_PIXELS, CP_MIN(TASK_PIXELS, fit)));
    p->rows_a_task = p->row_tasks = 1;
    p->column_tasks = cp_ceil_div(pixels, p->columns_a_task);
    const int64_t areas = p->column_tasks * p->desc.groups;
    const double task = (double)p->columns_a_task * (double)products * (double)p->group_out;
    const int64_t shares = areas >= TASKS ? 1 : CP_MAX(1, (int64_t)CP_MIN((double)(TASKS / areas), task / (double)TASK_PRODUCTS));
    p->channels_a_task = cp_ceil_div(cp_ceil_div(p->group_out, CP_PANEL), shares) * CP_PANEL;
    p->panel_tasks = cp_ceil_div(p->group_out, p->channels_a_task);
    p->info.workspace_bytes =
        cp_ceil_div(p->columns_a_task, CP_PATCHES_PIXELS) * CP_PATCHES_PIXELS * products * (int64_t)sizeof(float);
}

/* Whether conv2d_depthwise_width can do it: square 3x3 and 5x5 on planes, whole windows but for 4 columns at each border. */
static bool suits_planes(const convpool_conv2d *p, int64_t ow) {
    const convpool_conv2d_desc *d = &p->desc;
    const int64_t last = d->iw - d->kw + d->pad_left;
    return p->depthwise && d->src_layout == CONVPOOL_LAYOUT_NCHW && d->dst_layout == CONVPOOL_LAYOUT_NCHW &&
           d->border == CONVPOOL_BORDER_ZERO && (d->kh == 3 || d->kh == 5) && d->kw == d->kh && d->dilation_h == 1 &&
           d->dilation_w == 1 && d->stride_h <= 2 && d->stride_w == d->stride_h &&
           (ow <= 16 || (d->pad_left <= 4 && last >= 0 && last / d->stride_w + 5 >= ow));
}

/* Channels and rows of a task of conv2d_depthwise_width. */
static void block_planes(convpool_conv2d *p, int64_t oh, int64_t ow) {
    const double task_products = 1 << 17;
    const convpool_conv2d_desc *d = &p->desc;
    const double row = (double)ow * (double)d->kh * (double)d->kw;
    p->panels = d->out_channels;
    p->rows_a_task = cp_share(oh, (int64_t)CP_MIN((double)oh, CP_MAX(8.0, task_products / row)));
    p->panels_a_task = cp_share(p->panels, (int64_t)CP_MIN((double)p->panels, task_products / row / (double)p->rows_a_task));
    p->row_tasks = cp_ceil_div(oh, p->rows_a_task);
    p->panel_tasks = cp_ceil_div(p->panels, p->panels_a_task);
    p->column_tasks = 1;
}

/* Whether conv2d_image can do it; it is slow at the ends of a row. */
static bool suits_image(const convpool_conv2d *p, int64_t ow) {
    const convpool_conv2d_desc *d = &p->desc;
    const bool small = d->kh <= CP_IMAGE_KERNEL && d->kw <= CP_IMAGE_REACH && reach(1, 1, d->kw, d->dilation_w) <= CP_IMAGE_REACH;
    return d->src_layout == CONVPOOL_LAYOUT_NCHW && d->stride_h == 1 && d->stride_w == 1 && small && ow >= 48;
}

/* Rows of a direct-width task: enough to be worth a task, few enough to share. */
static void block_width(convpool_conv2d *p, int64_t oh, int64_t ow) {
    enum { IMAGE_ROWS = 12 }; /* a multiple of the rows that conv2d_image does at once, 4 or less */
    const double task_products = 1 << 18;
    const convpool_conv2d_desc *d = &p->desc;
    const double row = (double)ow * (double)d->kh * (double)d->kw * (double)p->group_in;
    p->image = suits_image(p, ow);
    p->rows_a_task = cp_share(oh, (int64_t)CP_MIN((double)oh, CP_MAX(8.0, task_products / row)));
    if (p->image) p->rows_a_task = CP_MIN(oh, cp_ceil_div(p->rows_a_task, IMAGE_ROWS) * IMAGE_ROWS);
    p->row_tasks = cp_ceil_div(oh, p->rows_a_task);
    p->column_tasks = 1;
    p->channels_a_task = p->image ? cp_share(p->group_out, CP_IMAGE_CHANNELS) : 1;
    p->panel_tasks = cp_ceil_div(p->group_out, p->channels_a_task);
}

/* Cost of an output of a depthwise layer, in cycles of two FMAs of 8 lanes, measured on Zen 5: with lanes along the channels
 * packing, taps and finishing; along the width 3x3 and 5x5 kernels of planes share their loads and pay for masks at the edges,
 * others load every tap and set out for each channel. */
static double depthwise_cost(const convpool_conv2d *p, convpool_algorithm algorithm, int64_t oh, int64_t ow) {
    const convpool_conv2d_desc *d = &p->desc;
    const double taps = (double)d->kh * (double)d->kw, pixels = (double)oh * (double)ow;
    if (algorithm == CONVPOOL_ALGORITHM_DIRECT_CHANNELS) {
        const double lanes = (double)(cp_ceil_div(d->out_channels, 8) * 8) / (double)d->out_channels;
        return lanes / 16 * (taps * 1.4 + 8 + 12 * (double)d->ih * (double)d->iw / pixels);
    }
    const double lanes = (double)(cp_ceil_div(ow, 8) * 8) / (double)ow;
    if (suits_planes(p, ow)) return lanes / 8 * (taps * (d->kh == 3 ? 0.8 : 1.0) * (double)d->stride_w + 1.5) + 8 / (double)ow;
    const double load = d->src_layout != CONVPOOL_LAYOUT_NCHW || d->stride_w > 2 ? 12 : 2.5;
    return lanes / 8 * (taps * load + 2) + 250 / pixels;
}

/* The cost of one output pixel of a group, in pairs of FMAs of 8 lanes, measured on Zen 5 with AVX2 and AVX-512. A tile of
 * direct-channels does all that 16 output channels need, used or not, and pays for packing and finishing, and once for each group.
 */
static double channels_cost(const convpool_conv2d *p, double products, double pixels) {
    const convpool_conv2d_desc *d = &p->desc;
    const double rows = (double)reach(p->rows_a_task, d->stride_h, d->kh, d->dilation_h) / (double)p->rows_a_task;
    const double columns = (double)reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w) / (double)p->columns_a_task;
    const double packed = (double)p->group_in * rows * columns;
    return (double)cp_ceil_div(p->group_out, CP_PANEL) * (products + 17) + 0.7 * packed / (double)d->stride_w + 400 / pixels;
}

/* conv2d_patches does what the output channels need, at least 4 of them at a time, and pays for copying each product's input, more
 * of it in short runs, and for the lanes that the last pixels leave empty. */
static double patches_cost(const convpool_conv2d *p, double products, double pixels, double width) {
    const convpool_conv2d_desc *d = &p->desc;
    const double lanes = ceil(pixels / 16) * 16 / pixels;
    const bool plain = d->kh * d->kw * d->stride_h * d->stride_w == 1;
    const double run = 8 + 7 * (double)d->kw + (width < 8 ? 20 : 0);
    const double copy = plain ? 0.5 : (0.45 + run / width) * (d->stride_w > 1 ? 1.4 : 1);
    return CP_MAX(4, (double)p->group_out) / (double)CP_PANEL * lanes * (products + 5) + copy * products;
}

/* conv2d_image pays for the ends of a row, and more for loads from further away when there are many input channels. So does
 * conv2d_width, for starting and ending each vector, and for the lanes that a narrow row leaves empty. */
static double width_cost(const convpool_conv2d *p, double products, double width) {
    if (suits_image(p, (int64_t)width)) {
        return (double)p->group_out / 16 * (width + 32) / width * (products * (p->group_in > 16 ? 3 : 2) + 4);
    }
    const bool far_apart = p->desc.src_layout != CONVPOOL_LAYOUT_NCHW || p->desc.stride_w > 2;
    const double load = far_apart ? 6.0 : p->group_in > 16 ? 3.2 : 1.6;
    return (double)p->group_out / 8 * (ceil(width / 8) * 8 / width) * (products * load + 12);
}

/* Whether direct-width is by conv2d_patches. */
static bool suits_patches(const convpool_conv2d *p, int64_t oh, int64_t ow) {
    const convpool_conv2d_desc *d = &p->desc;
    const double most_products = 4096, products = (double)d->kh * (double)d->kw * (double)p->group_in;
    return !p->depthwise && d->src_layout == CONVPOOL_LAYOUT_NCHW && d->dst_layout == CONVPOOL_LAYOUT_NCHW &&
           products <= most_products &&
           patches_cost(p, products, (double)oh * (double)ow, (double)ow) < width_cost(p, products, (double)ow);
}

static double direct_cost(const convpool_conv2d *p, convpool_algorithm algorithm, int64_t oh, int64_t ow) {
    const double products = (double)p->desc.kh * (double)p->desc.kw * (double)p->group_in;
    const double width = (double)ow, pixels = (double)oh * width;
    if (p->depthwise) return depthwise_cost(p, algorithm, oh, ow) * (double)p->group_out;
    if (algorithm == CONVPOOL_ALGORITHM_DIRECT_CHANNELS) return channels_cost(p, products, pixels);
    return p->patches ? patches_cost(p, products, pixels, width) : width_cost(p, products, width);
}

static bool is_winograd(convpool_algorithm algorithm) {
    return algorithm == CONVPOOL_ALGORITHM_WINOGRAD_2X2 || algorithm == CONVPOOL_ALGORITHM_WINOGRAD_4X4;
}

static bool is_direct(convpool_algorithm algorithm) {
    return algorithm == CONVPOOL_ALGORITHM_DIRECT_CHANNELS || algorithm == CONVPOOL_ALGORITHM_DIRECT_WIDTH;
}

static convpool_algorithm choose_direct(const convpool_conv2d *p, int64_t oh, int64_t ow) {
    if (is_direct(p->desc.algorithm)) return p->desc.algorithm;
    const double width = direct_cost(p, CONVPOOL_ALGORITHM_DIRECT_WIDTH, oh, ow);
    return width < direct_cost(p, CONVPOOL_ALGORITHM_DIRECT_CHANNELS, oh, ow) ? CONVPOOL_ALGORITHM_DIRECT_WIDTH
                                                                              : CONVPOOL_ALGORITHM_DIRECT_CHANNELS;
}

static cp_activation activation_of(const convpool_conv2d_desc *d) {
    switch (d->activation) {
    case CONVPOOL_ACTIVATION_NONE:
        return (cp_activation){CONVPOOL_ACTIVATION_CLIP, -INFINITY, INFINITY};
    case CONVPOOL_ACTIVATION_RELU:
        return (cp_activation){CONVPOOL_ACTIVATION_CLIP, 0.0f, INFINITY};
    default:
        return (cp_activation){d->activation, d->activation_alpha, d->activation_beta};
    }
}

/* Replaces the direct plan where Winograd is forced or faster. Memory stays enough for both: weights can rule Winograd out. */
static convpool_status plan_winograd(convpool_conv2d *p) {
    const convpool_conv2d_desc *d = &p->desc;
    const bool forced = is_winograd(d->algorithm);
    if (is_direct(d->algorithm)) return CONVPOOL_STATUS_OK;
    if (d->numerics == CONVPOOL_NUMERICS_STRICT) return forced ? CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM : CONVPOOL_STATUS_OK;
    const double pixels = (double)p->info.oh * (double)p->info.ow * (double)d->groups;
    double cost = forced ? INFINITY : direct_cost(p, p->info.algorithm, p->info.oh, p->info.ow) * pixels;
    bool chosen = false;
    for (int64_t tile = 2; tile <= 4; tile += 2) {
        const convpool_algorithm algorithm = tile == 2 ? CONVPOOL_ALGORITHM_WINOGRAD_2X2 : CONVPOOL_ALGORITHM_WINOGRAD_4X4;
        cp_winograd w;
        int64_t bytes;
        if ((forced && algorithm != d->algorithm) || !cp_winograd_plan(&w, d, p->info.oh, p->info.ow, tile) || w.cost >= cost ||
            (d->max_error > 0 && w.error_bound > d->max_error) || !cp_add(w.weights_bytes, plan_header, &bytes) ||
            !cp_add(bytes, w.bias_bytes, &bytes)) {
            continue;
        }
        chosen = true;
        cost = w.cost;
        p->winograd = w;
        p->info.algorithm = algorithm;
        p->info.tasks = w.tasks;
        p->info.error_bound = w.error_bound;
        p->info.plan_bytes = CP_MAX(p->info.plan_bytes, bytes);
        p->info.workspace_bytes = CP_MAX(p->info.workspace_bytes, w.workspace_bytes);
    }
    return forced && !chosen ? CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM : CONVPOOL_STATUS_OK;
}

/* Fills in everything but the weights. */
static convpool_status plan(convpool_conv2d *p, const convpool_conv2d_desc *desc) {
    int64_t oh, ow, taps, products, weights, bias, flops, n;
    *p = (convpool_conv2d){0};
    convpool_status status = cp_read_struct(&p->desc, desc, sizeof p->desc);
    if (status != CONVPOOL_STATUS_OK) return status;
    convpool_conv2d_desc *d = &p->desc;
    p->kernels = cp_kernels_of(&d->isa);
    if (p->kernels == NULL) return CONVPOOL_STATUS_UNSUPPORTED_ISA;
    status = check_desc(d, &oh, &ow);
    if (status != CONVPOOL_STATUS_OK) return status;
    p->activation = activation_of(d);
    p->group_in = d->in_channels / d->groups;
    p->group_out = d->out_channels / d->groups;
    p->depthwise = p->group_in == 1 && d->groups > 1 && p->group_out <= CP_PANEL / 2;
    if (!cp_mul(d->kh, d->kw, &taps) || !cp_mul(taps, p->group_in, &products) || !cp_mul(products, d->out_channels, &n) ||
        !cp_mul(n, oh, &flops) || !cp_mul(flops, ow, &flops) || !cp_mul(flops, 2, &flops) ||
        !cp_mul(cp_ceil_div(d->in_channels, 8) * 8, d->ih, &n) || !cp_mul(n, d->iw, &n) || !cp_mul(n, sizeof(float), &n) ||
        !cp_mul(cp_ceil_div(d->out_channels, 8) * 8, oh, &n) || !cp_mul(n, ow, &n) || !cp_mul(n, sizeof(float), &n)) {
        return CONVPOOL_STATUS_SIZE_OVERFLOW;
    }
    p->patches = suits_patches(p, oh, ow);
    if (p->depthwise) {
        block_depthwise(p, oh, ow);
    } else {
        block_channels(p, oh, ow);
    }
    p->info = (convpool_plan_info){
        .struct_size = sizeof p->info,
        .isa = d->isa,
        .algorithm = choose_direct(p, oh, ow),
        .oh = oh,
        .ow = ow,
        .flops = flops,
    };
    const double unit = ((double)products + 1) * 0x1p-24;
    p->info.error_bound = unit < 1 ? unit / (1 - unit) : INFINITY;
    int64_t columns = d->out_channels; /* of the packed weights as a matrix */
    int64_t groups = d->groups;        /* of which each has tasks of its own */
    if (p->info.algorithm == CONVPOOL_ALGORITHM_DIRECT_CHANNELS) {
        workspace_parts parts;
        if (workspace_of(p, &parts)) {
            p->info.workspace_bytes = parts.x + parts.acc + parts.position;
            if (p->depthwise) groups = 1;
            if (!cp_mul(p->panels * CP_PANEL, groups, &columns)) return CONVPOOL_STATUS_SIZE_OVERFLOW;
        } else if (d->algorithm == CONVPOOL_ALGORITHM_DIRECT_CHANNELS) {
            return CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM; /* What a single row of outputs reads is too large to pack. */
        } else {
            p->info.algorithm = CONVPOOL_ALGORITHM_DIRECT_WIDTH;
        }
    }
    p->patches = p->patches && p->info.algorithm == CONVPOOL_ALGORITHM_DIRECT_WIDTH;
    p->planes = p->info.algorithm == CONVPOOL_ALGORITHM_DIRECT_WIDTH && suits_planes(p, ow);
    if (p->patches) {
        block_patches(p, oh * ow);
    } else if (p->planes) {
        block_planes(p, oh, ow);
        groups = 1;
    } else if (p->info.algorithm == CONVPOOL_ALGORITHM_DIRECT_WIDTH) {
        block_width(p, oh, ow);
    }
    if (!cp_mul(columns, sizeof(float), &bias) || !cp_mul(bias, products, &weights) || !cp_align(weights, &weights) ||
        !cp_align(bias, &bias) || !cp_add(weights, bias, &n) || !cp_add(n, plan_header, &p->info.plan_bytes) ||
        !cp_mul(p->row_tasks, p->column_tasks, &n) || !cp_mul(n, p->panel_tasks, &n) || !cp_mul(n, groups, &p->info.tasks)) {
        return CONVPOOL_STATUS_SIZE_OVERFLOW;
    }
    p->weights_bytes = weights;
    return plan_winograd(p);
}

convpool_status convpool_conv2d_query(const convpool_conv2d_desc *desc, convpool_plan_info *info) {
    convpool_conv2d p;
    const convpool_status status = plan(&p, desc);
    return status != CONVPOOL_STATUS_OK ? status : cp_write_struct(info, &p.info, sizeof p.info);
}

static void pack_channels(const convpool_conv2d *p, const float *weights, const float *bias, float *packed, float *packed_bias) {
    const convpool_conv2d_desc *d = &p->desc;
    const int64_t taps = d->kh * d->kw;
    const int64_t groups = p->depthwise ? 1 : d->groups, group_out = p->depthwise ? d->out_channels : p->group_out;
    for (int64_t panel = 0; panel < p->panels * groups; panel++) {
        const int64_t first = panel % p->panels * CP_PANEL; /* of the group */
        const int64_t group_first = panel / p->panels * group_out;
        const int64_t real = CP_MIN(CP_PANEL, group_out - first);
        for (int64_t o = 0; o < CP_PANEL; o++) {
            packed_bias[panel * CP_PANEL + o] = o < real && bias != NULL ? bias[group_first + first + o] : 0.0f;
        }
        for (int64_t cb = 0; cb < p->group_in; cb += CP_BLOCK) {
            const int64_t width = CP_MIN(CP_BLOCK, p->group_in - cb);
            for (int64_t tap = 0; tap < taps; tap++) {
                for (int64_t c = cb; c < cb + width; c++) {
                    for (int64_t o = 0; o < CP_PANEL; o++) {
                        *packed++ = o < real ? weights[((group_first + first + o) * p->group_in + c) * taps + tap] : 0.0f;
                    }
                }
            }
        }
    }
}

/* From [output channel][channel][tap] to the documented order, [output channel][block][tap][channel]. */
static void pack_in_order(const convpool_conv2d *p, const float *weights, float *packed) {
    const int64_t taps = p->desc.kh * p->desc.kw;
    for (int64_t o = 0; o < p->desc.out_channels; o++, weights += p->group_in * taps) {
        for (int64_t cb = 0; cb < p->group_in; cb += CP_BLOCK) {
            for (int64_t tap = 0; tap < taps; tap++) {
                for (int64_t c = cb; c < CP_MIN(p->group_in, cb + CP_BLOCK); c++) *packed++ = weights[c * taps + tap];
            }
        }
    }
}

static bool all_finite(const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) return false;
    }
    return true;
}

convpool_status convpool_conv2d_init(const convpool_conv2d_desc *desc, const void *weights, const void *bias, void *memory,
                                     int64_t memory_bytes, convpool_conv2d **out) {
    convpool_conv2d p;
    const convpool_status status = plan(&p, desc);
    if (status != CONVPOOL_STATUS_OK) return status;
    if (weights == NULL || memory == NULL || out == NULL) return CONVPOOL_STATUS_NULL_POINTER;
    if (!cp_is_aligned(memory, CONVPOOL_ALIGNMENT) || !cp_is_aligned(weights, sizeof(float)) ||
        !cp_is_aligned(bias, sizeof(float))) {
        return CONVPOOL_STATUS_MISALIGNED;
    }
    if (memory_bytes < p.info.plan_bytes) return CONVPOOL_STATUS_BUFFER_TOO_SMALL;
    const convpool_conv2d_desc *d = &p.desc;
    const int64_t n = d->out_channels * p.group_in * d->kh * d->kw;
    if (is_winograd(p.info.algorithm) && !cp_winograd_suits(weights, n)) {
        if (d->algorithm != CONVPOOL_ALGORITHM_AUTO) return CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM;
        const convpool_plan_info queried = p.info;
        convpool_conv2d_desc strict = p.desc;
        strict.struct_size = sizeof strict;
        strict.numerics = CONVPOOL_NUMERICS_STRICT;
        plan(&p, &strict);
        p.info.plan_bytes = queried.plan_bytes;
        p.info.workspace_bytes = queried.workspace_bytes;
    }
    const bool padded = (d->pad_top | d->pad_bottom | d->pad_left | d->pad_right) != 0;
    p.clip_taps = d->border == CONVPOOL_BORDER_ZERO && padded && !all_finite(weights, n);
    float *packed = (float *)((char *)memory + plan_header);
    float *packed_bias = (float *)((char *)memory + plan_header + p.weights_bytes);
    p.image = p.image && !p.clip_taps;
    if (is_winograd(p.info.algorithm)) {
        cp_winograd_pack(&p.winograd, p.kernels, d, weights, bias, packed);
    } else if (p.info.algorithm == CONVPOOL_ALGORITHM_DIRECT_CHANNELS) {
        pack_channels(&p, weights, bias, packed, packed_bias);
    } else {
        if (p.patches || p.image) {
            pack_in_order(&p, weights, packed);
        } else {
            memcpy(packed, weights, (size_t)n * sizeof(float));
        }
        for (int64_t o = 0; o < d->out_channels; o++) packed_bias[o] = bias != NULL ? ((const float *)bias)[o] : 0.0f;
    }
    p.weights = packed;
    p.bias = packed_bias;
    p.head = (cp_plan){memory, CP_PLAN_CONV2D};
    memcpy(memory, &p, sizeof p);
    *out = memory;
    return CONVPOOL_STATUS_OK;
}

convpool_status convpool_conv2d_plan_info(const convpool_conv2d *p, convpool_plan_info *info) {
    if (p == NULL) return CONVPOOL_STATUS_NULL_POINTER;
    if (!cp_is_plan(&p->head, CP_PLAN_CONV2D)) return CONVPOOL_STATUS_INVALID_PLAN;
    return cp_write_struct(info, &p->info, sizeof p->info);
}

int64_t convpool_conv2d_task_count(const convpool_conv2d *p, int64_t batch) {
    int64_t tasks;
    return p != NULL && cp_is_plan(&p->head, CP_PLAN_CONV2D) && batch >= 0 && cp_mul(p->info.tasks, batch, &tasks) ? tasks : 0;
}

/* One run: the tensors behind its arguments. */
typedef struct conv2d_run {
    const convpool_conv2d *plan;
    cp_tensor src, dst, residual;
    char *workspace;
    bool stream; /* dst is too large to stay in the caches */
} conv2d_run;

/* Results from 4 MiB on are streamed past the caches. */
enum { STREAM_FLOATS = 1 << 20 };

static convpool_status check_run(conv2d_run *r, const convpool_conv2d_args *a) {
    const convpool_conv2d *p = r->plan;
    const convpool_conv2d_desc *d = &p->desc;
    const int64_t n = a->batch;
    r->src = (cp_tensor){a->src, d->src_layout, sizeof(float), n, d->in_channels, d->ih, d->iw, {0}};
    r->dst = (cp_tensor){a->dst, d->dst_layout, sizeof(float), n, d->out_channels, p->info.oh, p->info.ow, {0}};
    r->residual = r->dst;
    r->residual.data = a->residual;
    r->workspace = a->workspace;
    r->stream = (double)n * (double)d->out_channels * (double)p->info.oh * (double)p->info.ow >= (double)STREAM_FLOATS;
    convpool_status status = cp_tensor_init(&r->src, a->src_strides, false);
    if (status == CONVPOOL_STATUS_OK) status = cp_tensor_init(&r->dst, a->dst_strides, true);
    if (status == CONVPOOL_STATUS_OK && a->residual != NULL) status = cp_tensor_init(&r->residual, a->residual_strides, false);
    if (status != CONVPOOL_STATUS_OK) return status;
    if (cp_tensors_overlap(&r->src, &r->dst) || (a->residual != NULL && cp_tensors_overlap(&r->residual, &r->dst))) {
        return CONVPOOL_STATUS_OVERLAP;
    }
    if (p->info.workspace_bytes > 0) {
        if (a->workspace == NULL) return CONVPOOL_STATUS_NULL_POINTER;
        if (!cp_is_aligned(a->workspace, CONVPOOL_ALIGNMENT)) return CONVPOOL_STATUS_MISALIGNED;
        if (a->workspace_bytes < p->info.workspace_bytes) return CONVPOOL_STATUS_BUFFER_TOO_SMALL;
    }
    return CONVPOOL_STATUS_OK;
}

/* The same with the taps in the padding left out: pixel by pixel, at a quarter of the speed, for weights that are not finite. */
static void clipped_tiles(const convpool_conv2d *p, cp_conv2d_tiles tiles, int64_t i, int64_t j, int64_t columns) {
    const convpool_conv2d_desc *d = &p->desc;
    float *acc = tiles.acc;
    const int32_t *position = tiles.position;
    tiles.pixels = 1;
    for (int64_t k = 0; k < tiles.acc_pixels; k++) {
        const int64_t y = (i + k / columns) * d->stride_h - d->pad_top, x = (j + k % columns) * d->stride_w - d->pad_left;
        cp_tap_range(y, d->dilation_h, d->kh, d->ih, &tiles.y_begin, &tiles.y_end);
        cp_tap_range(x, d->dilation_w, d->kw, d->iw, &tiles.x_begin, &tiles.x_end);
        tiles.acc = acc + k * CP_PANEL;
        tiles.position = position + k;
        p->kernels->conv2d_tiles(&tiles);
    }
}

/* Output channels [panel, panel_end) x 16 of a group, rectangle (i, j) + rows x columns, which the task before may have packed. */
static void run_channels_task(const conv2d_run *r, const float *src, float *dst, const float *residual, int64_t group,
                              int64_t panel, int64_t panel_end, int64_t i, int64_t j, int64_t rows, int64_t columns, bool packed) {
    const convpool_conv2d *p = r->plan;
    const convpool_conv2d_desc *d = &p->desc;
    workspace_parts parts;
    workspace_of(p, &parts);
    float *x = (float *)r->workspace, *acc = (float *)(r->workspace + parts.x);
    int32_t *position = (int32_t *)(r->workspace + parts.x + parts.acc);
    const int64_t pixels = rows * columns, taps = d->kh * d->kw;
    cp_conv2d_pack pack = {
        .src = src,
        .layout = d->src_layout,
        .strides = r->src.strides,
        .border = d->border,
        .ih = d->ih,
        .iw = d->iw,
        .block = taps == 1 ? p->channels_packed : CP_BLOCK,
        .pitch = taps == 1 ? pointwise_pitch(p->channels_packed) : 0,
        .row = i * d->stride_h - d->pad_top,
        .column = j * d->stride_w - d->pad_left,
        .rows = reach(rows, d->stride_h, d->kh, d->dilation_h),
        .columns = reach(columns, d->stride_w, d->kw, d->dilation_w),
        .dst = x,
    };
    cp_conv2d_tiles tiles = {
        .block = pack.block,
        .pitch = pack.pitch,
        .packed_pixels = pack.rows * pack.columns,
        .panels = panel_end - panel,
        .weights_panel = p->group_in * taps * CP_PANEL,
        .acc = acc,
        .acc_pixels = pixels,
        .position = position,
        .pixels = pixels,
        .kh = d->kh,
        .kw = d->kw,
        .y_end = d->kh,
        .x_end = d->kw,
        .row_step = d->dilation_h * pack.columns,
        .column_step = d->dilation_w,
    };
    const cp_conv2d_finish finish = {
        .acc = acc,
        .channel = group * p->group_out + panel * CP_PANEL,
        .channels = CP_MIN(panel_end * CP_PANEL, p->group_out) - panel * CP_PANEL,
        .spare = panel_end == p->panels ? cp_spare_channels(d->dst_layout, d->out_channels, (group + 1) * p->group_out) : 0,
        .rows = rows,
        .columns = columns,
        .layout = d->dst_layout,
        .dst_strides = r->dst.strides,
        .residual_strides = r->residual.strides,
        .activation = p->activation,
        .dst = dst + i * r->dst.strides.row + j * r->dst.strides.column,
        .residual = residual == NULL ? NULL : residual + i * r->residual.strides.row + j * r->residual.strides.column,
    };
    for (int64_t y = 0, k = 0; y < rows; y++) {
        for (int64_t at = y * d->stride_h * pack.columns, end = k + columns; k < end; k++, at += d->stride_w) {
            position[k] = (int32_t)at;
        }
    }
    const int64_t x_channel = taps == 1 ? 1 : pack.rows * pack.columns; /* from one block of packed channels to the next, by 8 */
    for (int64_t c = 0; c < p->group_in; c += p->channels_a_pass) {
        if (c % p->channels_packed == 0 && !(packed && p->channels_packed == p->group_in)) {
            pack.channel = group * p->group_in + c;
            pack.channels = CP_MIN(p->channels_packed, p->group_in - c);
            p->kernels->conv2d_pack(&pack);
        }
        tiles.x = x + c % p->channels_packed * x_channel;
        tiles.channels = CP_MIN(p->channels_a_pass, p->group_in - c);
        tiles.weights = p->weights + (group * p->panels + panel) * tiles.weights_panel + c * taps * CP_PANEL;
        tiles.bias = c == 0 ? p->bias + (group * p->panels + panel) * CP_PANEL : NULL;
        if (p->clip_taps) {
            clipped_tiles(p, tiles, i, j, columns);
        } else {
            tiles.finish = c + p->channels_a_pass < p->group_in ? NULL : &finish;
            p->kernels->conv2d_tiles(&tiles);
        }
    }
    if (p->clip_taps) p->kernels->conv2d_finish(&finish);
}

/* Output channels [panel, panel_end) x 16 of a depthwise layer, rectangle (i, j) + rows x columns. */
static void run_depthwise_task(const conv2d_run *r, const float *src, float *dst, const float *residual, int64_t panel,
                               int64_t panel_end, int64_t i, int64_t j, int64_t rows, int64_t columns) {
    const convpool_conv2d *p = r->plan;
    workspace_parts parts;
    workspace_of(p, &parts);
    cp_conv2d_depthwise depthwise = {
        .src = src,
        .dst = dst,
        .residual = residual,
        .src_strides = r->src.strides,
        .dst_strides = r->dst.strides,
        .residual_strides = r->residual.strides,
        .desc = &p->desc,
        .activation = p->activation,
        .clip_taps = p->clip_taps,
        .row = i,
        .rows = rows,
        .column = j,
        .columns = columns,
        .rows_at_once = p->rows_at_once,
        .x = (float *)r->workspace,
        .acc = (float *)(r->workspace + parts.x),
    };
    for (; panel < panel_end; panel++) {
        depthwise.weights = p->weights + panel * p->desc.kh * p->desc.kw * CP_PANEL;
        depthwise.bias = p->bias + panel * CP_PANEL;
        depthwise.channel = panel * CP_PANEL;
        depthwise.channels = CP_MIN(CP_PANEL, p->desc.out_channels - depthwise.channel);
        p->kernels->conv2d_depthwise(&depthwise);
    }
}

/* Output channels [channel, channel + channels) of a group, pixels [first, first + pixels). */
static void run_patches_task(const conv2d_run *r, const float *src, float *dst, const float *residual, int64_t group,
                             int64_t channel, int64_t channels, int64_t first, int64_t pixels) {
    const convpool_conv2d *p = r->plan;
    const convpool_conv2d_desc *d = &p->desc;
    const int64_t out = group * p->group_out + channel, products = d->kh * d->kw * p->group_in;
    const cp_conv2d_patches patches = {
        .src = src + group * p->group_in * r->src.strides.channel,
        .src_strides = r->src.strides,
        .desc = d,
        .in_channels = p->group_in,
        .products = products,
        .weights = p->weights + out * products,
        .bias = p->bias + out,
        .dst = dst + out * r->dst.strides.channel,
        .residual = residual == NULL ? NULL : residual + out * r->residual.strides.channel,
        .dst_strides = r->dst.strides,
        .residual_strides = r->residual.strides,
        .channels = channels,
        .columns = p->info.ow,
        .first = first,
        .pixels = pixels,
        .activation = p->activation,
        .clip_taps = p->clip_taps,
        .x = (float *)r->workspace,
    };
    p->kernels->conv2d_patches(&patches);
}

/* Output channels [channel, channel + channels) of a group, rows [row, row + rows). */
static void run_width_task(const conv2d_run *r, int64_t image, const float *src, float *dst, const float *residual, int64_t channel,
                           int64_t channels, int64_t row, int64_t rows) {
    const convpool_conv2d *p = r->plan;
    const convpool_layout layout = p->desc.dst_layout;
    const int64_t end = channel + channels;
    if (p->image) {
        const cp_conv2d_image tiles = {
            .src = src,
            .weights = p->weights,
            .bias = p->bias,
            .dst = dst,
            .residual = residual,
            .src_strides = r->src.strides,
            .dst_strides = r->dst.strides,
            .residual_strides = r->residual.strides,
            .desc = &p->desc,
            .activation = p->activation,
            .stream = r->stream,
            .ow = p->info.ow,
            .channel = channel,
            .channels = channels,
            .row = row,
            .rows = rows,
        };
        p->kernels->conv2d_image(&tiles);
    } else {
        cp_conv2d_width width = {
            .src = src,
            .weights = p->weights,
            .bias = p->bias,
            .src_strides = r->src.strides,
            .dst_strides = r->dst.strides,
            .residual_strides = r->residual.strides,
            .desc = &p->desc,
            .activation = p->activation,
            .clip_taps = p->clip_taps,
            .ow = p->info.ow,
            .row = row,
            .rows = rows,
        };
        for (width.out_channel = channel; width.out_channel < end; width.out_channel++) {
            width.dst = dst + cp_channel_offset(layout, r->dst.strides.channel, width.out_channel);
            if (residual != NULL) {
                width.residual = residual + cp_channel_offset(layout, r->residual.strides.channel, width.out_channel);
            }
            p->kernels->conv2d_width(&width);
        }
    }
    cp_tensor_clear(&r->dst, image, end, cp_spare_channels(layout, p->desc.out_channels, end), row, rows);
}

/* Output channels [channel, channel_end) of a depthwise layer on planes, whole rows. */
static void run_planes_task(const conv2d_run *r, int64_t image, const float *src, float *dst, const float *residual,
                            int64_t channel, int64_t channel_end, int64_t row, int64_t rows) {
    const convpool_conv2d *p = r->plan;
    const cp_conv2d_depthwise planes = {
        .src = src,
        .weights = p->weights,
        .bias = p->bias,
        .dst = dst,
        .residual = residual,
        .src_strides = r->src.strides,
        .dst_strides = r->dst.strides,
        .residual_strides = r->residual.strides,
        .desc = &p->desc,
        .activation = p->activation,
        .channel = channel,
        .channels = channel_end - channel,
        .row = row,
        .rows = rows,
        .columns = p->info.ow,
    };
    if (!p->clip_taps) {
        p->kernels->conv2d_depthwise_width(&planes);
        return;
    }
    run_width_task(r, image, src, dst, residual, channel, channel_end - channel, row, rows);
}

/* Tasks of an image in order: groups outermost, then rows, columns, shares of output channels. */
static void run_task(const conv2d_run *r, int64_t task, bool first) {
    const convpool_conv2d *p = r->plan;
    const int64_t image = task / p->info.tasks, share = task % p->panel_tasks;
    task = task % p->info.tasks / p->panel_tasks;
    const int64_t column = task % p->column_tasks;
    task /= p->column_tasks;
    const int64_t row = task % p->row_tasks * p->rows_a_task;
    const int64_t rows = CP_MIN(p->rows_a_task, p->info.oh - row);
    task /= p->row_tasks;
    const float *src = (const float *)r->src.data + image * r->src.strides.batch;
    float *dst = (float *)(uintptr_t)r->dst.data + image * r->dst.strides.batch;
    const float *residual = r->residual.data;
    if (residual != NULL) residual += image * r->residual.strides.batch;
    if (p->patches) {
        const int64_t pixel = column * p->columns_a_task, channel = share * p->channels_a_task;
        run_patches_task(r, src, dst, residual, task, channel, CP_MIN(p->channels_a_task, p->group_out - channel), pixel,
                         CP_MIN(p->columns_a_task, p->info.oh * p->info.ow - pixel));
        return;
    }
    if (p->info.algorithm == CONVPOOL_ALGORITHM_DIRECT_WIDTH && !p->planes) {
        const int64_t channel = share * p->channels_a_task;
        run_width_task(r, image, src, dst, residual, task * p->group_out + channel,
                       CP_MIN(p->channels_a_task, p->group_out - channel), row, rows);
        return;
    }
    const int64_t panel = share * p->panels_a_task, panel_end = CP_MIN(p->panels, panel + p->panels_a_task);
    const int64_t j = column * p->columns_a_task, columns = CP_MIN(p->columns_a_task, p->info.ow - j);
    if (p->planes) {
        run_planes_task(r, image, src, dst, residual, panel, panel_end, row, rows);
    } else if (p->depthwise) {
        run_depthwise_task(r, src, dst, residual, panel, panel_end, row, j, rows, columns);
    } else {
        run_channels_task(r, src, dst, residual, task, panel, panel_end, row, j, rows, columns, share > 0 && !first);
    }
}

convpool_status convpool_conv2d_run(const convpool_conv2d *plan, const convpool_conv2d_args *args) {
    convpool_conv2d_args a;
    conv2d_run run = {.plan = plan};
    int64_t tasks;
    if (plan == NULL) return CONVPOOL_STATUS_NULL_POINTER;
    if (!cp_is_plan(&plan->head, CP_PLAN_CONV2D)) return CONVPOOL_STATUS_INVALID_PLAN;
    convpool_status status = cp_read_struct(&a, args, sizeof a);
    if (status != CONVPOOL_STATUS_OK) return status;
    if (a.reserved != 0) return CONVPOOL_STATUS_UNSUPPORTED_FLAG;
    if (a.batch < 0) return CONVPOOL_STATUS_INVALID_BATCH;
    if (!cp_mul(plan->info.tasks, a.batch, &tasks)) return CONVPOOL_STATUS_SIZE_OVERFLOW;
    if (a.task_begin < 0 || a.task_begin > a.task_end || a.task_end > tasks) return CONVPOOL_STATUS_INVALID_TASK_RANGE;
    if (a.batch == 0) return CONVPOOL_STATUS_OK;
    status = check_run(&run, &a);
    if (status != CONVPOOL_STATUS_OK) return status;
    if (is_winograd(plan->info.algorithm)) {
        const cp_winograd_run winograd = {
            .plan = &plan->winograd,
            .kernels = plan->kernels,
            .desc = &plan->desc,
            .activation = plan->activation,
            .src = &run.src,
            .dst = &run.dst,
            .residual = a.residual == NULL ? NULL : &run.residual,
            .workspace = run.workspace,
        };
        cp_winograd_execute(&winograd, a.task_begin, a.task_end);
        return CONVPOOL_STATUS_OK;
    }
    for (int64_t task = a.task_begin; task < a.task_end; task++) run_task(&run, task, task == a.task_begin);
    return CONVPOOL_STATUS_OK;
}
