/* SPDX-License-Identifier: MIT
 * The direct family: which kernel, in what pieces, and the loop over tasks. */
#include "direct.h"

#include <math.h>
#include <string.h>

/* The part of an axis of the input, padding included, that `outputs` neighbouring outputs read. */
static int64_t reach(int64_t outputs, int64_t stride, int64_t kernel, int64_t dilation) {
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1;
}

/* Dilated windows of neighbouring rows share no rows of the input. Those of rows that lie `phases` apart do: every `step`-th of the
 * image, `stride` of these from one window to the next, and `taps` of them in one. A lone row of taps reads no others anyway. */
typedef struct row_phases {
    int64_t phases, step, stride;
} row_phases;

static row_phases row_phases_of(const convpool_conv2d_desc *d) {
    const int64_t dilation = d->kh == 1 ? d->stride_h : d->dilation_h;
    int64_t common = d->stride_h;
    for (int64_t rest = dilation; rest != 0;) {
        const int64_t next = common % rest;
        common = rest;
        rest = next;
    }
    return (row_phases){dilation / common, dilation, d->stride_h / common};
}

/* Rows of the input that a task of direct-channels packs for `rows` of its outputs. */
static int64_t packed_rows(const cp_direct *p, int64_t rows) { return reach(rows, row_phases_of(p->desc).stride, p->desc->kh, 1); }

/* How many of n outputs, whose windows begin at `origin` and `stride` further each, have the same taps in an axis of `size` cells
 * as the first: [begin, end), or all of them where taps outside are not left out. */
static int64_t alike(int64_t origin, int64_t stride, int64_t n, int64_t dilation, int64_t taps, int64_t size, bool clip,
                     int64_t *begin, int64_t *end) {
    *begin = 0;
    *end = taps;
    if (!clip) return n;
    cp_tap_range(origin, dilation, taps, size, begin, end);
    for (int64_t k = 1; k < n; k++) {
        int64_t other_begin, other_end;
        cp_tap_range(origin + k * stride, dilation, taps, size, &other_begin, &other_end);
        if (other_begin != *begin || other_end != *end) return k;
    }
    return n;
}

/* Output rows of task `task` of the row_tasks: every row_phases-th from `row` on. */
static int64_t rows_of(const cp_direct *p, int64_t task, int64_t *row) {
    const int64_t chunks = p->row_tasks / p->row_phases, phase = task / chunks, first = task % chunks * p->rows_a_task;
    *row = phase + first * p->row_phases;
    return CP_MIN(p->rows_a_task, cp_ceil_div(p->oh - phase, p->row_phases) - first);
}

/* Of a kernel with one tap all channels of a pass lie side by side, an odd number of blocks from one pixel to the next: six pixels
 * at a power of two from each other would meet in a few sets of the cache (measured: 84 instead of 106 GFLOP/s with 256 channels).
 */
static int64_t pointwise_pitch(int64_t channels) { return (cp_ceil_div(channels, CP_BLOCK) | 1) * CP_BLOCK; }

/* Lengths of the three parts of a direct-channels workspace, in bytes. */
typedef struct workspace_parts {
    int64_t x, acc, pixels;
} workspace_parts;

static bool workspace_of(const cp_direct *p, workspace_parts *w) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t rows = p->kernel == CP_DIRECT_DEPTHWISE ? reach(p->rows_a_task, d->stride_h, d->kh, d->dilation_h)
                                                          : packed_rows(p, p->rows_a_task);
    const int64_t columns = reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w);
    const int64_t pixels = (p->kernel == CP_DIRECT_DEPTHWISE ? p->rows_at_once : p->rows_a_task) * p->columns_a_task;
    const bool panel_by_panel = p->kernel == CP_DIRECT_DEPTHWISE || p->kernel == CP_DIRECT_GROUPS;
    const int64_t panels = panel_by_panel ? 1 : p->panels_a_task;
    const int64_t channels = panel_by_panel       ? CP_PANEL
                             : d->kh * d->kw == 1 ? pointwise_pitch(p->channels_packed)
                                                  : p->channels_packed;
    return cp_mul(rows, columns, &w->x) && w->x <= INT32_MAX && cp_mul(w->x, channels * (int64_t)sizeof(float), &w->x) &&
           cp_align(w->x, &w->x) && cp_align(pixels * panels * (int64_t)(CP_PANEL * sizeof(float)), &w->acc) &&
           cp_align(pixels * (int64_t)(sizeof(cp_conv2d_span) + 2 * sizeof(int32_t)), &w->pixels);
}

/* Time for the tiles of all tasks, in steps of a tap of a pixel: a tile of n pixels, 8 at most, takes as long as 2.5 + 0.7 n pixels
 * of full ones, and sets out. */
static double tiles_time(const cp_direct *p, bool clip_rows, bool clip_columns) {
    const convpool_conv2d_desc *d = p->desc;
    const double start = 64 / (double)p->group_in;
    const int64_t step = p->row_phases * d->stride_h;
    int64_t line_rows = 0, row, y_begin, y_end, x_begin, x_end;
    double tiles = 0, steps = 0, all = 0; /* of outputs that share a tap row: tiles, and steps of one tap row; of an image */
    for (int64_t t = 0; t < p->row_tasks; t++) {
        const int64_t rows = rows_of(p, t, &row);
        for (int64_t y = 0, n; y < rows; y += n) {
            n = alike((row + y * p->row_phases) * d->stride_h - d->pad_top, step, rows - y, d->dilation_h, d->kh, d->ih, clip_rows,
                      &y_begin, &y_end);
            if (n != line_rows) {
                line_rows = n;
                tiles = steps = 0;
                for (int64_t j = 0, m; j < p->ow; j += m) {
                    const int64_t end = CP_MIN(p->ow, (j / p->columns_a_task + 1) * p->columns_a_task);
                    m = alike(j * d->stride_w - d->pad_left, d->stride_w, end - j, d->dilation_w, d->kw, d->iw, clip_columns,
                              &x_begin, &x_end);
                    const int64_t tiles_here = cp_ceil_div(n * m, 8);
                    tiles += (double)tiles_here;
                    steps += (2.5 * (double)tiles_here + 0.7 * (double)(n * m)) * (double)(x_end - x_begin);
                }
            }
            all += tiles * start + steps * (double)(y_end - y_begin);
        }
    }
    return all;
}

/* Whether taps in the padding are worth leaving out, for which pixels with the same taps have tiles of their own. */
static void choose_clipping(cp_direct *p) {
    enum { LARGEST = 512 }; /* beyond which padding is no matter */
    const convpool_conv2d_desc *d = p->desc;
    const bool rows = (d->pad_top | d->pad_bottom) != 0, columns = (d->pad_left | d->pad_right) != 0;
    p->clipped = 1;
    if (d->border != CONVPOOL_BORDER_ZERO || p->oh > LARGEST || p->ow > LARGEST) return;
    const double whole = tiles_time(p, false, false);
    for (int clip = 1; clip < 4; clip++) {
        const bool clip_rows = clip & 1, clip_columns = clip & 2;
        if ((clip_rows && !rows) || (clip_columns && !columns)) continue;
        const double share = tiles_time(p, clip_rows, clip_columns) / whole;
        if (share > p->clipped - 0.01) continue;
        p->clipped = share;
        p->clip_rows = clip_rows;
        p->clip_columns = clip_columns;
    }
}

/* Sizes of a direct-channels task. A pass is so many input channels that its weights for one panel stay in L1; a task is so many
 * pixels that packed input and accumulators stay in L2, while each weight that comes from further away serves dozens of tiles. */
static void block_channels(cp_direct *p) {
    enum { PASS_PRODUCTS = 288, TASK_PIXELS = 224, X_BYTES = 192 << 10, ACC_BYTES = 256 << 10, SPLIT_PRODUCTS = 64, TASKS = 8 };
    const double task_products = 1 << 20;
    const convpool_conv2d_desc *d = p->desc;
    const int64_t taps = d->kh * d->kw;
    const int64_t group_in = p->kernel == CP_DIRECT_GROUPS ? CP_PANEL : p->group_in;
    p->panels = cp_ceil_div(d->out_channels / p->groups, CP_PANEL);
    p->panels_a_task = p->panels;
    p->channels_a_pass = CP_MIN(group_in, CP_MAX(1, PASS_PRODUCTS / taps / CP_BLOCK) * CP_BLOCK);
    p->columns_a_task = cp_share(p->ow, TASK_PIXELS * 2);
    p->row_phases = CP_MIN(p->oh, row_phases_of(d).phases);
    const int64_t rows = cp_ceil_div(p->oh, p->row_phases);
    p->rows_a_task = cp_share(rows, TASK_PIXELS / CP_MIN(p->columns_a_task, TASK_PIXELS));
    const int64_t position_bytes = p->channels_a_pass * (int64_t)sizeof(float);
    while (p->rows_a_task > 1 && packed_rows(p, p->rows_a_task) >
                                     X_BYTES / position_bytes / reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w)) {
        p->rows_a_task = cp_share(rows, p->rows_a_task - 1);
    }
    while (p->columns_a_task > 8 && reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w) >
                                        X_BYTES / position_bytes / packed_rows(p, p->rows_a_task)) {
        p->columns_a_task = cp_share(p->ow, p->columns_a_task / 2);
    }
    p->row_tasks = p->row_phases * cp_ceil_div(rows, p->rows_a_task);
    p->column_tasks = cp_ceil_div(p->ow, p->columns_a_task);
    /* Few tasks: share the output channels too, if the input need not be packed again for each share, or if that costs little
     * beside the products. Two panels at least, since a tile may have two. */
    const int64_t areas = p->row_tasks * p->column_tasks * p->groups;
    const double reached =
        (double)packed_rows(p, p->rows_a_task) * (double)reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w);
    p->channels_packed = reached * (double)group_in * sizeof(float) <= (double)X_BYTES ? group_in : p->channels_a_pass;
    if (areas < TASKS) {
        const double panel =
            (double)p->rows_a_task * (double)p->columns_a_task * (double)taps * (double)p->group_in * (double)CP_PANEL;
        const int64_t least = p->channels_packed == group_in ? CP_MAX(2, (int64_t)CP_MIN((double)p->panels, task_products / panel))
                                                             : cp_ceil_div(SPLIT_PRODUCTS, taps);
        p->panels_a_task = cp_share(p->panels, CP_MAX(cp_ceil_div(p->panels * areas, TASKS), least));
        if (p->panels_a_task > 1) p->panels_a_task += p->panels_a_task % 2;
    }
    const int64_t acc_panels = ACC_BYTES / (p->rows_a_task * p->columns_a_task * (int64_t)(CP_PANEL * sizeof(float)));
    p->panels_a_task = cp_share(p->panels, CP_MIN(p->panels_a_task, CP_MAX(1, acc_panels)));
    p->panel_tasks = cp_ceil_div(p->panels, p->panels_a_task);
    choose_clipping(p);
}

/* Sizes of a depthwise task of direct-channels: packed input within L2, accumulators within L1, and panels enough to be worth it.
 */
static void block_depthwise(cp_direct *p) {
    enum { X_BYTES = 192 << 10, TASK_COLUMNS = 512, PIXELS_AT_ONCE = 128, TASK_PRODUCTS = 1 << 16 };
    const convpool_conv2d_desc *d = p->desc;
    const int64_t x_pixels = X_BYTES / (int64_t)(CP_PANEL * sizeof(float));
    p->panels = cp_ceil_div(d->out_channels, CP_PANEL);
    p->channels_a_pass = CP_PANEL;
    p->columns_a_task = cp_share(p->ow, TASK_COLUMNS);
    while (p->columns_a_task > 8 && reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w) >
                                        x_pixels / CP_MIN(x_pixels, reach(1, d->stride_h, d->kh, d->dilation_h))) {
        p->columns_a_task = cp_share(p->ow, p->columns_a_task / 2);
    }
    const int64_t columns = reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w);
    const int64_t rows = x_pixels / CP_MIN(x_pixels, columns) - (d->kh - 1) * d->dilation_h - 1;
    p->rows_a_task = cp_share(p->oh, rows / d->stride_h + 1);
    p->rows_at_once = CP_MIN(p->rows_a_task, CP_MAX(1, PIXELS_AT_ONCE / p->columns_a_task));
    const double products = (double)p->rows_a_task * (double)p->columns_a_task * (double)d->kh * (double)d->kw * (double)CP_PANEL;
    p->panels_a_task = cp_share(p->panels, (int64_t)CP_MIN((double)p->panels, (double)TASK_PRODUCTS / products));
    p->panel_tasks = cp_ceil_div(p->panels, p->panels_a_task);
    p->row_tasks = cp_ceil_div(p->oh, p->rows_a_task);
    p->column_tasks = cp_ceil_div(p->ow, p->columns_a_task);
}

/* What some pixels of dst read, for conv2d_patches. */
static cp_patches_band band_of(const cp_direct *p, int64_t first, int64_t pixels) {
    enum { LINE = CONVPOOL_ALIGNMENT / sizeof(float) };
    const convpool_conv2d_desc *d = p->desc;
    cp_patches_band band = {.row = first / p->ow, .phases = d->kw == 1 ? 1 : d->stride_w};
    const int64_t rows = (first + pixels - 1) / p->ow - band.row + 1;
    band.column = rows == 1 ? first % p->ow : 0;
    band.columns = reach(rows == 1 ? pixels : p->ow, d->stride_w, d->kw, d->dilation_w);
    band.rows = reach(rows, d->stride_h, d->kh, d->dilation_h);
    band.sparse = band.rows > rows * d->kh;
    if (band.sparse) band.rows = rows * d->kh;
    band.row_step = band.sparse ? 1 : d->stride_h;
    band.tap_step = band.sparse ? rows : d->dilation_h;
    /* A kernel of one column needs no room between rows: all pixels are one row. */
    band.phase =
        d->kw == 1 ? (band.columns - 1) / d->stride_w + 1 : cp_ceil_div(cp_ceil_div(band.columns, d->stride_w), LINE) * LINE;
    band.plane = (cp_ceil_div(band.rows * band.phases * band.phase, LINE) | 1) * LINE;
    band.gapless = rows == 1 || band.row_step * band.phases * band.phase == p->ow;
    return band;
}

/* Where the parts of a workspace of conv2d_patches begin, in bytes, and where it ends: for tasks of so many pixels, which begin
 * anywhere in a row if the plan is flat, else with a row or within it. */
typedef struct patches_parts {
    int64_t band, x, offset, tiles, end;
} patches_parts;

static patches_parts patches_parts_of(const cp_direct *p, int64_t pixels) {
    const convpool_conv2d_desc *d = p->desc;
    const cp_patches_band band = band_of(p, p->flat ? p->ow - 1 : 0, pixels);
    const int64_t all = cp_ceil_div(pixels, CP_PATCHES_PIXELS);
    /* Tiles across the end of a row; the last one may cross an end again. */
    const int64_t ends = band.gapless || p->ow % CP_PANEL == 0 ? 0 : (pixels - 1) / p->ow;
    const int64_t copied = d->kh * d->kw == 1 ? all : CP_MIN(all, 2 * ends);
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
    const int64_t rows = reach(cp_ceil_div(pixels, p->ow), d->stride_h, d->kh, d->dilation_h);
    const int64_t columns = reach(CP_MIN(pixels, p->ow), d->stride_w, d->kw, d->dilation_w);
    const double least = (double)CP_MIN(rows, cp_ceil_div(pixels, p->ow) * d->kh) * (double)columns * (double)p->group_in;
    return least * sizeof(float) <= (double)most && patches_parts_of(p, pixels).end <= most;
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
static void block_patches(cp_direct *p) {
    enum { TASK_PIXELS = 1024, BYTES = 256 << 10, FLAT_PIXELS = 256, X_BYTES = 192 << 10, TASKS = 8, TASK_PRODUCTS = 1 << 20 };
    if (p->flat) {
        const int64_t fit = X_BYTES / (p->products * (int64_t)sizeof(float)) / CP_PATCHES_PIXELS * CP_PATCHES_PIXELS;
        p->rows_a_task = 1;
        p->columns_a_task = CP_MIN(p->oh * p->ow, CP_MAX(CP_PATCHES_PIXELS, CP_MIN(FLAT_PIXELS, fit)));
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

/* Whether conv2d_depthwise_width can do a depthwise layer: square 3x3 and 5x5 on planes, whole windows but for 4 columns at each
 * border; the first row of dst reads one of the last rows of its windows, and the last begins within the image. */
static bool suits_planes(const cp_direct *p) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t last = d->iw - d->kw + d->pad_left;
    return d->src_layout == CONVPOOL_LAYOUT_NCHW && d->dst_layout == CONVPOOL_LAYOUT_NCHW && d->border == CONVPOOL_BORDER_ZERO &&
           (d->kh == 3 || d->kh == 5) && d->kw == d->kh && d->dilation_h == 1 && d->dilation_w == 1 && d->stride_h <= 2 &&
           d->stride_w == d->stride_h && d->pad_top <= d->kh - d->stride_h && (p->oh - 1) * d->stride_h - d->pad_top < d->ih &&
           (p->ow <= 16 || (d->pad_left <= 4 && last >= 0 && last / d->stride_w + 5 >= p->ow));
}

/* Channels and rows of a task of conv2d_depthwise_width. */
static void block_planes(cp_direct *p) {
    const double task_products = 1 << 17;
    const convpool_conv2d_desc *d = p->desc;
    const double row = (double)p->ow * (double)d->kh * (double)d->kw;
    p->panels = d->out_channels;
    p->rows_a_task = cp_share(p->oh, (int64_t)CP_MIN((double)p->oh, CP_MAX(8.0, task_products / row)));
    p->panels_a_task = cp_share(p->panels, (int64_t)CP_MIN((double)p->panels, task_products / row / (double)p->rows_a_task));
    p->row_tasks = cp_ceil_div(p->oh, p->rows_a_task);
    p->panel_tasks = cp_ceil_div(p->panels, p->panels_a_task);
    p->column_tasks = 1;
}

/* conv2d_image's ring of copies of the ends of lines: lines, columns and bytes. */
typedef struct image_ends {
    int64_t lines, columns, bytes;
} image_ends;

/* Whether conv2d_image can do it; it is slow at the ends of a row. */
static bool suits_image(const cp_direct *p, image_ends *ends) {
    enum { BLOCK = 48, ENDS_BYTES = 1 << 20 };
    const convpool_conv2d_desc *d = p->desc;
    const bool small = d->kh <= CP_IMAGE_KERNEL && d->kw <= CP_IMAGE_REACH && reach(1, 1, d->kw, d->dilation_w) <= CP_IMAGE_REACH;
    const int64_t pads = CP_MAX(d->pad_left, d->pad_right);
    if (d->src_layout != CONVPOOL_LAYOUT_NCHW || d->stride_h != 1 || d->stride_w != 1 || !small || pads > CP_IMAGE_REACH ||
        p->ow < BLOCK || p->group_in > ENDS_BYTES) {
        return false;
    }
    ends->lines = 1;
    while (ends->lines < d->kh + CP_IMAGE_CHANNELS - 1) ends->lines *= 2;
    ends->columns = cp_ceil_div(pads + reach(BLOCK, 1, d->kw, d->dilation_w) - 1, 8) * 8;
    ends->bytes = ends->lines * p->group_in * 2 * ends->columns * (int64_t)sizeof(float);
    return ends->bytes <= ENDS_BYTES;
}

/* Floats of the sums along the rows and of a line of zeros, in the workspace of separable kernels. */
static int64_t sums_floats(const cp_direct *p) {
    return (p->desc->kh + CP_IMAGE_CHANNELS - 1) * cp_ceil_div(p->ow, CP_PANEL) * CP_PANEL + p->desc->iw;
}

/* Rows of a direct-width task: enough to be worth a task, few enough to share. */
static void block_width(cp_direct *p) {
    enum { IMAGE_ROWS = 12 }; /* a multiple of the rows that conv2d_image does at once, 4 or less */
    const double task_products = 1 << 18;
    const convpool_conv2d_desc *d = p->desc;
    const double row = (double)p->ow * (double)d->kh * (double)d->kw * (double)p->group_in;
    p->rows_a_task = cp_share(p->oh, (int64_t)CP_MIN((double)p->oh, CP_MAX(8.0, task_products / row)));
    image_ends ends;
    const bool separable = p->kernel == CP_DIRECT_SEPARABLE;
    const bool image = (p->kernel == CP_DIRECT_IMAGE || separable) && suits_image(p, &ends);
    if (separable) p->rows_a_task = cp_share(p->oh, CP_MAX(p->rows_a_task, 8 * d->kh)); /* each task makes kh - 1 sums anew */
    if (image) {
        p->rows_a_task = CP_MIN(p->oh, cp_ceil_div(p->rows_a_task, IMAGE_ROWS) * IMAGE_ROWS);
        p->workspace_bytes = ends.bytes + (separable ? sums_floats(p) * (int64_t)sizeof(float) : 0);
    }
    p->row_tasks = cp_ceil_div(p->oh, p->rows_a_task);
    p->column_tasks = 1;
    p->channels_a_task = image ? cp_share(p->group_out, CP_IMAGE_CHANNELS) : 1;
    p->panel_tasks = cp_ceil_div(p->group_out, p->channels_a_task);
}

/* Whether conv2d_patches can do it within a workspace that stays in L2. */
static bool suits_patches(const cp_direct *p) {
    enum { MOST_PRODUCTS = 4096, MOST_STRIDE = 64, BYTES = 1 << 20 };
    const convpool_conv2d_desc *d = p->desc;
    const bool planes = d->src_layout == CONVPOOL_LAYOUT_NCHW && d->dst_layout == CONVPOOL_LAYOUT_NCHW;
    const bool near = d->stride_h <= MOST_STRIDE && d->stride_w <= MOST_STRIDE;
    return planes && near && p->products <= MOST_PRODUCTS && patches_fit(p, CP_MIN(p->ow, CP_PATCHES_PIXELS), BYTES);
}

/* Cost of an output of a depthwise layer, in cycles of two FMAs of 8 lanes, measured on Zen 5: with lanes along the channels
 * packing, taps and finishing; along the width 3x3 and 5x5 kernels of planes share their loads and pay for the first and last rows,
 * large images share more and pay for the ends of rows, others load every tap and set out for each channel. */
static double depthwise_cost(const cp_direct *p, cp_direct_kernel kernel) {
    const convpool_conv2d_desc *d = p->desc;
    const double taps = (double)d->kh * (double)d->kw, pixels = (double)p->oh * (double)p->ow;
    if (kernel == CP_DIRECT_DEPTHWISE) {
        const double lanes = (double)(cp_ceil_div(d->out_channels, 8) * 8) / (double)d->out_channels;
        return lanes / 16 * (taps * 1.4 + 8 + 12 * (double)d->ih * (double)d->iw / pixels);
    }
    const double lanes = (double)(cp_ceil_div(p->ow, 8) * 8) / (double)p->ow;
    if (kernel == CP_DIRECT_PLANES) {
        const double memory = pixels * (double)d->out_channels > 0x1p20 ? 0.3 : 0; /* which conv2d_image streams to */
        const double tap = (d->kh == 3 ? 0.9 : 0.85) * (d->stride_w == 2 ? 1.6 : 1);
        return lanes / 8 * (taps * tap + 7 * (double)d->kh / (double)p->oh) + memory;
    }
    if (kernel == CP_DIRECT_SEPARABLE) return 0.09 * ((double)d->kh + (double)d->kw) + 0.6 + 100 / (double)p->ow;
    if (kernel == CP_DIRECT_IMAGE) return 0.075 * taps + 0.3 + 100 / (double)p->ow;
    const double load = d->src_layout != CONVPOOL_LAYOUT_NCHW || d->stride_w > 2 ? 12 : 2.5;
    return lanes / 8 * (taps * load + 2) + 250 / pixels;
}

/* The cost of one output pixel of a group, in pairs of FMAs of 8 lanes, measured on Zen 5 with AVX2 and AVX-512. A tile of
 * direct-channels does all that 16 output channels need, used or not, and pays for packing and finishing, and once for each group.
 */
static double channels_cost(const cp_direct *p) {
    const convpool_conv2d_desc *d = p->desc;
    const double pixels = (double)p->oh * (double)p->ow;
    const double rows = (double)packed_rows(p, p->rows_a_task) / (double)p->rows_a_task;
    const double columns = (double)reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w) / (double)p->columns_a_task;
    if (p->kernel == CP_DIRECT_GROUPS) {
        const double panel = (double)p->products * p->clipped + 17 + 0.7 * (double)CP_PANEL * rows * columns / (double)d->stride_w;
        return (double)p->panels / (double)d->groups * (panel + 400 / pixels);
    }
    const double packed = (double)p->group_in * rows * columns;
    return (double)cp_ceil_div(p->group_out, CP_PANEL) * ((double)p->products * p->clipped + 17) +
           0.7 * packed / (double)d->stride_w + 400 / pixels;
}

/* conv2d_patches does what the output channels need, at least 4 of them at a time, and pays for filling each row of the band, for
 * tiles that cross the end of a row, which are copied or computed twice, for the lanes that the last pixels leave empty, for each
 * line of weights that it waits for, and for input beyond L1. */
static double patches_cost(const cp_direct *p) {
    const convpool_conv2d_desc *d = p->desc;
    const double l1 = 32 << 10;
    const double pixels = (double)p->oh * (double)p->ow, width = (double)p->ow, products = (double)p->products;
    const double outputs = CP_MAX(4, (double)p->group_out) / (double)CP_PANEL, lanes = ceil(pixels / 16) * 16 / pixels;
    if (p->flat) return outputs * lanes * (products + 5) + 0.5 * products + 35 * outputs * products / pixels;
    const bool gapless = d->kw == 1 || p->ow % CP_PANEL == 0;
    const double twice = ceil(width / 16) * 16 / width - 1, copied = CP_MIN(1, (double)CP_PATCHES_PIXELS / width) * 0.5;
    const double ends = d->kh * d->kw == 1 ? 0.3 : gapless ? 0 : width < 16 ? copied : CP_MIN(copied, twice * outputs);
    const double columns = (double)reach(p->ow, d->stride_w, d->kw, d->dilation_w), task_rows = CP_MIN(pixels, 1024) / width;
    const double more_rows = (double)((d->kh - 1) * d->dilation_h) / CP_MAX(1, task_rows);
    const double rows = CP_MIN((double)d->kh, (double)d->stride_h + more_rows); /* of src for one of dst */
    const double band = (double)p->group_in * rows * (30 + 0.5 * columns) / width;
    const double reads = (double)p->group_in * (double)d->kh * columns * sizeof(float) / l1;
    const double waits = (reads > 1 ? 0.07 * reads : 0) + 15 / pixels;
    return outputs * (lanes * (products + 5) + products * waits) + ends * products + band;
}

/* conv2d_image pays for the ends of a row; conv2d_width for loads, for starting and ending each vector, and for the lanes that a
 * narrow row leaves empty. */
static double width_cost(const cp_direct *p) {
    const double width = (double)p->ow;
    image_ends ends;
    if (suits_image(p, &ends)) {
        return (double)p->group_out / 16 * (width + 32) / width * ((double)p->products * 2 + 4);
    }
    const bool far_apart = p->desc->src_layout != CONVPOOL_LAYOUT_NCHW || p->desc->stride_w > 2;
    const double load = far_apart ? 8.0 : 3.2;
    return (double)p->group_out / 8 * (ceil(width / 8) * 8 / width) * ((double)p->products * load + 24);
}

static bool along_channels(cp_direct_kernel kernel) {
    return kernel == CP_DIRECT_CHANNELS || kernel == CP_DIRECT_GROUPS || kernel == CP_DIRECT_DEPTHWISE;
}

static bool is_depthwise(const cp_direct *p) { return p->group_in == 1 && p->desc->groups > 1 && p->group_out <= CP_PANEL / 2; }

/* Groups of which several share the lanes of a panel. */
static bool is_grouped(const cp_direct *p) {
    return p->desc->groups > 1 && p->group_in == p->group_out && (p->group_in == 4 || p->group_in == 8);
}

/* Of an output pixel of a group. */
static double cost_of(const cp_direct *p, cp_direct_kernel kernel) {
    if (is_depthwise(p)) return depthwise_cost(p, kernel) * (double)p->group_out;
    if (along_channels(kernel)) return channels_cost(p);
    return kernel == CP_DIRECT_PATCHES ? patches_cost(p) : width_cost(p);
}

/* The kernel that serves CONVPOOL_ALGORITHM_DIRECT_WIDTH. */
static cp_direct_kernel width_kernel(const cp_direct *p) {
    image_ends ends;
    if (is_depthwise(p) && suits_planes(p) &&
        (!suits_image(p, &ends) || depthwise_cost(p, CP_DIRECT_PLANES) <= depthwise_cost(p, CP_DIRECT_IMAGE))) {
        return CP_DIRECT_PLANES;
    }
    if (!is_depthwise(p) && suits_patches(p) && patches_cost(p) < width_cost(p)) return CP_DIRECT_PATCHES;
    return suits_image(p, &ends) ? CP_DIRECT_IMAGE : CP_DIRECT_WIDTH;
}

convpool_status cp_direct_plan(cp_direct *p, const convpool_conv2d_desc *d, int64_t oh, int64_t ow) {
    workspace_parts parts;
    int64_t columns, n;
    *p = (cp_direct){
        .desc = d, .oh = oh, .ow = ow, .group_in = d->in_channels / d->groups, .group_out = d->out_channels / d->groups};
    p->products = d->kh * d->kw * p->group_in;
    p->kernel = is_depthwise(p) ? CP_DIRECT_DEPTHWISE : is_grouped(p) ? CP_DIRECT_GROUPS : CP_DIRECT_CHANNELS;
    p->groups = p->kernel == CP_DIRECT_CHANNELS ? d->groups : 1;
    p->row_phases = 1;
    p->flat = d->kh * d->kw == 1 && d->stride_h == 1 && d->stride_w == 1 &&
              (d->pad_top | d->pad_bottom | d->pad_left | d->pad_right) == 0;
    if (is_depthwise(p)) {
        block_depthwise(p);
    } else {
        block_channels(p);
    }
    const cp_direct_kernel width = width_kernel(p);
    if (d->algorithm == CONVPOOL_ALGORITHM_DIRECT_WIDTH ||
        (d->algorithm != CONVPOOL_ALGORITHM_DIRECT_CHANNELS && cost_of(p, width) < cost_of(p, p->kernel))) {
        p->kernel = width;
    } else if (workspace_of(p, &parts)) {
        p->workspace_bytes = parts.x + parts.acc + parts.pixels;
    } else if (d->algorithm == CONVPOOL_ALGORITHM_DIRECT_CHANNELS) {
        return CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM; /* What a single row of outputs reads is too large to pack. */
    } else {
        p->kernel = width;
    }
    p->algorithm = along_channels(p->kernel) ? CONVPOOL_ALGORITHM_DIRECT_CHANNELS : CONVPOOL_ALGORITHM_DIRECT_WIDTH;
    p->cost = cost_of(p, p->kernel) * (double)oh * (double)ow * (double)d->groups;
    if (!along_channels(p->kernel)) {
        p->row_phases = 1;
        p->groups = p->kernel == CP_DIRECT_PLANES ? 1 : d->groups;
    }
    if (p->kernel == CP_DIRECT_PATCHES) {
        block_patches(p);
    } else if (p->kernel == CP_DIRECT_PLANES) {
        block_planes(p);
    } else if (!along_channels(p->kernel)) {
        block_width(p);
    }
    columns = d->out_channels; /* of the packed weights as a matrix */
    if ((along_channels(p->kernel) && !cp_mul(p->panels * CP_PANEL, p->groups, &columns)) ||
        !cp_mul(columns, sizeof(float), &p->bias_bytes) || !cp_mul(p->bias_bytes, p->products, &p->weights_bytes) ||
        !cp_align(p->weights_bytes, &p->weights_bytes) || !cp_align(p->bias_bytes, &p->bias_bytes) ||
        !cp_mul(p->row_tasks, p->column_tasks, &n) || !cp_mul(n, p->panel_tasks, &n) || !cp_mul(n, p->groups, &p->tasks)) {
        return CONVPOOL_STATUS_SIZE_OVERFLOW;
    }
    return CONVPOOL_STATUS_OK;
}

bool cp_direct_plan_separable(cp_direct *p, const cp_direct *direct) {
    enum { SUMS_FLOATS = 1 << 18 };
    const convpool_conv2d_desc *d = direct->desc;
    image_ends ends;
    *p = *direct;
    p->kernel = CP_DIRECT_SEPARABLE;
    p->algorithm = CONVPOOL_ALGORITHM_SEPARABLE;
    p->groups = d->groups;
    p->products = d->kh + d->kw;
    if (p->group_in != 1 || p->group_out != 1 || d->kh < 2 || d->kw < 2 || !suits_image(p, &ends) || p->ow > SUMS_FLOATS ||
        d->iw > SUMS_FLOATS || sums_floats(p) > SUMS_FLOATS) {
        return false;
    }
    const double other = is_depthwise(p) ? depthwise_cost(direct, direct->kernel) : depthwise_cost(direct, CP_DIRECT_IMAGE);
    const double cost = depthwise_cost(p, CP_DIRECT_SEPARABLE);
    p->cost = cost * (double)p->oh * (double)p->ow * (double)d->groups;
    block_width(p);
    p->tasks = p->row_tasks * p->panel_tasks * p->groups;
    return d->algorithm == CONVPOOL_ALGORITHM_SEPARABLE || cost < other;
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

static void pack_channels(const cp_direct *p, const float *weights, const float *bias, float *packed, float *packed_bias) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t taps = d->kh * d->kw;
    const int64_t group_out = d->out_channels / p->groups;
    for (int64_t panel = 0; panel < p->panels * p->groups; panel++) {
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

/* From [output channel][channel][tap] to [channel of a part][block][tap][channel], or with the channels of a part innermost. */
static void pack_in_order(const cp_direct *p, const float *weights, int64_t part, bool innermost, float *packed) {
    const int64_t taps = p->desc->kh * p->desc->kw;
    const int64_t product = innermost ? part : 1, out = innermost ? 1 : p->products;
    for (int64_t o = 0; o < part; o++, weights += p->group_in * taps) {
        float *to = packed + o * out;
        for (int64_t cb = 0; cb < p->group_in; cb += CP_BLOCK) {
            for (int64_t tap = 0; tap < taps; tap++) {
                for (int64_t c = cb; c < CP_MIN(p->group_in, cb + CP_BLOCK); c++, to += product) *to = weights[c * taps + tap];
            }
        }
    }
}

/* The parts that conv2d_patches makes of the channels of each task. */
static void pack_patches(const cp_direct *p, const cp_kernels *kernels, const float *weights, float *packed) {
    for (int64_t out = 0; out < p->desc->out_channels;) {
        const int64_t channels = CP_MIN(p->channels_a_task, p->group_out - out % p->group_out);
        const int64_t parts = cp_ceil_div(channels, kernels->patches_channels);
        for (int64_t i = 0; i < parts; i++) {
            const int64_t begin = i * channels / parts, end = (i + 1) * channels / parts;
            pack_in_order(p, weights + (out + begin) * p->products, end - begin, true, packed + (out + begin) * p->products);
        }
        out += channels;
    }
}

static bool all_finite(const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) return false;
    }
    return true;
}

void cp_direct_pack(cp_direct *p, const cp_kernels *kernels, const float *weights, const float *bias, void *memory) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t n = d->out_channels * p->products;
    const bool padded = (d->pad_top | d->pad_bottom | d->pad_left | d->pad_right) != 0;
    float *packed = memory, *packed_bias = (float *)((char *)memory + p->weights_bytes);
    p->clip_taps = d->border == CONVPOOL_BORDER_ZERO && padded && !all_finite(weights, n);
    p->clip_rows = p->clip_rows || p->clip_taps;
    p->clip_columns = p->clip_columns || p->clip_taps;
    if (p->kernel == CP_DIRECT_IMAGE && p->clip_taps) p->kernel = CP_DIRECT_WIDTH;
    if (along_channels(p->kernel)) {
        pack_channels(p, weights, bias, packed, packed_bias);
    } else {
        if (p->kernel == CP_DIRECT_SEPARABLE) {
            for (int64_t o = 0; o < d->out_channels; o++, packed += d->kw + d->kh) {
                separate(d, weights + o * d->kh * d->kw, packed, packed + d->kw);
            }
            packed = memory;
        } else if (p->kernel == CP_DIRECT_PATCHES) {
            pack_patches(p, kernels, weights, packed);
        } else if (p->kernel == CP_DIRECT_IMAGE) {
            pack_in_order(p, weights, d->out_channels, false, packed);
        } else {
            memcpy(packed, weights, (size_t)n * sizeof(float));
        }
        for (int64_t o = 0; o < d->out_channels; o++) packed_bias[o] = bias != NULL ? bias[o] : 0.0f;
    }
    p->weights = packed;
    p->bias = packed_bias;
}

/* Lists the pixels of a rectangle of outputs, those with the same taps together, the largest span first, with which weights are
 * fetched; returns the number of spans. */
static int64_t list_pixels(const cp_direct *p, const cp_conv2d_pack *pack, int64_t i, int64_t j, int64_t rows, int64_t columns,
                           cp_conv2d_span *spans, int32_t *position, int32_t *place) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t step = p->row_phases * d->stride_h;
    const int64_t row_pitch = row_phases_of(d).stride * (pack->columns_first ? 1 : pack->columns);
    const int64_t column_pitch = d->stride_w * (pack->columns_first ? pack->rows : 1);
    int64_t count = 0, pixels = 0, largest = 0;
    for (int64_t y = 0, n; y < rows; y += n) {
        cp_conv2d_span span;
        n = alike(i * d->stride_h - d->pad_top + y * step, step, rows - y, d->dilation_h, d->kh, d->ih, p->clip_rows, &span.y_begin,
                  &span.y_end);
        for (int64_t x = 0, m; x < columns; x += m) {
            m = alike((j + x) * d->stride_w - d->pad_left, d->stride_w, columns - x, d->dilation_w, d->kw, d->iw, p->clip_columns,
                      &span.x_begin, &span.x_end);
            for (int64_t row = y; row < y + n; row++, position += m, place += m) {
                const int32_t from = (int32_t)(row * row_pitch + x * column_pitch), to = (int32_t)(row * columns + x);
                for (int32_t k = 0; k < (int32_t)m; k++) {
                    position[k] = from + k * (int32_t)column_pitch;
                    place[k] = to + k;
                }
            }
            span.first = pixels;
            span.pixels = n * m;
            pixels += n * m;
            spans[count] = span;
            if (pack->columns_first) {
                spans[count].x_begin = span.y_begin;
                spans[count].x_end = span.x_begin < span.x_end ? span.y_end : span.y_begin;
                spans[count].y_begin = 0;
                spans[count].y_end = 1;
            }
            if (span.pixels > spans[largest].pixels) largest = count;
            count++;
        }
    }
    const cp_conv2d_span first = spans[0];
    spans[0] = spans[largest];
    spans[largest] = first;
    return count;
}

/* Output channels [panel, panel_end) x 16 of small groups, panel by panel. */
static void run_groups(const cp_direct *p, const cp_kernels *kernels, cp_conv2d_pack pack, cp_conv2d_tiles tiles,
                       cp_conv2d_finish finish, int64_t panel, int64_t panel_end) {
    const int64_t last_spare = finish.spare, channels = p->desc->out_channels;
    tiles.x = pack.dst;
    tiles.channels = p->group_in;
    tiles.finish = &finish;
    for (; panel < panel_end; panel++) {
        finish.channel = pack.channel = panel * CP_PANEL;
        finish.channels = pack.channels = CP_MIN(CP_PANEL, channels - panel * CP_PANEL);
        finish.spare = panel + 1 == panel_end ? last_spare : 0;
        kernels->conv2d_pack(&pack);
        tiles.weights = p->weights + panel * tiles.weights_panel;
        tiles.bias = p->bias + panel * CP_PANEL;
        kernels->conv2d_groups(&tiles);
    }
}

/* Output channels [panel, panel_end) x 16 of a group, rectangle (i, j) + rows x columns, its rows row_phases apart; the task before
 * may have packed what it reads. */
static void run_channels_task(const cp_direct *p, const cp_conv2d_run *r, const float *src, float *dst, const float *residual,
                              int64_t group, int64_t panel, int64_t panel_end, int64_t i, int64_t j, int64_t rows, int64_t columns,
                              bool packed) {
    const convpool_conv2d_desc *d = p->desc;
    workspace_parts parts;
    workspace_of(p, &parts);
    float *x = (float *)r->workspace, *acc = (float *)(r->workspace + parts.x);
    const int64_t pixels = rows * columns, taps = d->kh * d->kw, group_out = d->out_channels / p->groups;
    const bool grouped = p->kernel == CP_DIRECT_GROUPS;
    cp_conv2d_span *spans = (cp_conv2d_span *)(r->workspace + parts.x + parts.acc);
    int32_t *position = (int32_t *)(spans + pixels), *place = position + pixels;
    cp_conv2d_pack pack = {
        .src = src,
        .layout = d->src_layout,
        .strides = r->src.strides,
        .border = d->border,
        .ih = d->ih,
        .iw = d->iw,
        .block = grouped     ? CP_PANEL
                 : taps == 1 ? p->channels_packed
                             : CP_BLOCK,
        .pitch = grouped     ? CP_PANEL
                 : taps == 1 ? pointwise_pitch(p->channels_packed)
                             : 0,
        .columns_first = d->kw == 1 && taps > 1, /* so that taps lie side by side, as if they were a row */
        .row = i * d->stride_h - d->pad_top,
        .row_step = row_phases_of(d).step,
        .column = j * d->stride_w - d->pad_left,
        .rows = packed_rows(p, rows),
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
        .spans = spans,
        .span_count = list_pixels(p, &pack, i, j, rows, columns, spans, position, place),
        .position = position,
        .place = place,
        .kh = pack.columns_first ? 1 : d->kh,
        .kw = pack.columns_first ? d->kh : d->kw,
        .row_step = pack.columns,
        .column_step = pack.columns_first ? 1 : d->dilation_w,
    };
    cp_conv2d_finish finish = {
        .acc = acc,
        .channel = group * group_out + panel * CP_PANEL,
        .channels = CP_MIN(panel_end * CP_PANEL, group_out) - panel * CP_PANEL,
        .spare = panel_end == p->panels ? cp_spare_channels(d->dst_layout, d->out_channels, (group + 1) * group_out) : 0,
        .rows = rows,
        .columns = columns,
        .layout = d->dst_layout,
        .dst_strides = r->dst.strides,
        .residual_strides = r->residual.strides,
        .activation = r->activation,
        .dst = dst + i * r->dst.strides.row + j * r->dst.strides.column,
        .residual = residual == NULL ? NULL : residual + i * r->residual.strides.row + j * r->residual.strides.column,
    };
    finish.dst_strides.row *= p->row_phases;
    finish.residual_strides.row *= p->row_phases;
    if (grouped) {
        run_groups(p, r->kernels, pack, tiles, finish, panel, panel_end);
        return;
    }
    const int64_t x_channel = taps == 1 ? 1 : pack.rows * pack.columns; /* from one block of packed channels to the next, by 8 */
    for (int64_t c = 0; c < p->group_in; c += p->channels_a_pass) {
        if (c % p->channels_packed == 0 && !(packed && p->channels_packed == p->group_in)) {
            pack.channel = group * p->group_in + c;
            pack.channels = CP_MIN(p->channels_packed, p->group_in - c);
            r->kernels->conv2d_pack(&pack);
        }
        tiles.x = x + c % p->channels_packed * x_channel;
        tiles.channels = CP_MIN(p->channels_a_pass, p->group_in - c);
        tiles.weights = p->weights + (group * p->panels + panel) * tiles.weights_panel + c * taps * CP_PANEL;
        tiles.next_weights = c + p->channels_a_pass < p->group_in ? tiles.weights + p->channels_a_pass * taps * CP_PANEL
                             : panel_end < p->panels ? p->weights + (group * p->panels + panel_end) * tiles.weights_panel
                                                     : NULL;
        tiles.bias = c == 0 ? p->bias + (group * p->panels + panel) * CP_PANEL : NULL;
        tiles.finish = c + p->channels_a_pass < p->group_in ? NULL : &finish;
        r->kernels->conv2d_tiles(&tiles);
    }
}

/* What both kernels of depthwise layers are given, but for the channels. */
static cp_conv2d_depthwise depthwise_of(const cp_direct *p, const cp_conv2d_run *r, const float *src, float *dst,
                                        const float *residual, int64_t row, int64_t rows, int64_t column, int64_t columns) {
    return (cp_conv2d_depthwise){
        .src = src,
        .weights = p->weights,
        .bias = p->bias,
        .dst = dst,
        .residual = residual,
        .src_strides = r->src.strides,
        .dst_strides = r->dst.strides,
        .residual_strides = r->residual.strides,
        .desc = p->desc,
        .activation = r->activation,
        .clip_taps = p->clip_taps,
        .row = row,
        .rows = rows,
        .column = column,
        .columns = columns,
    };
}

/* Output channels [panel, panel_end) x 16 of a depthwise layer, rectangle (i, j) + rows x columns. */
static void run_depthwise_task(const cp_direct *p, const cp_conv2d_run *r, const float *src, float *dst, const float *residual,
                               int64_t panel, int64_t panel_end, int64_t i, int64_t j, int64_t rows, int64_t columns) {
    workspace_parts parts;
    workspace_of(p, &parts);
    cp_conv2d_depthwise depthwise = depthwise_of(p, r, src, dst, residual, i, rows, j, columns);
    depthwise.rows_at_once = p->rows_at_once;
    depthwise.x = (float *)r->workspace;
    depthwise.acc = (float *)(r->workspace + parts.x);
    for (; panel < panel_end; panel++) {
        depthwise.weights = p->weights + panel * p->products * CP_PANEL;
        depthwise.bias = p->bias + panel * CP_PANEL;
        depthwise.channel = panel * CP_PANEL;
        depthwise.channels = CP_MIN(CP_PANEL, p->desc->out_channels - depthwise.channel);
        r->kernels->conv2d_depthwise(&depthwise);
    }
}

/* Output channels [channel, channel + channels) of a group, pixels [first, first + pixels), which the task before may have packed.
 */
static void run_patches_task(const cp_direct *p, const cp_conv2d_run *r, const float *src, float *dst, const float *residual,
                             int64_t group, int64_t channel, int64_t channels, int64_t first, int64_t pixels, bool packed) {
    const int64_t out = group * p->group_out + channel;
    const patches_parts parts = patches_parts_of(p, p->rows_a_task * p->columns_a_task);
    const cp_conv2d_patches patches = {
        .src = src + group * p->group_in * r->src.strides.channel,
        .src_strides = r->src.strides,
        .desc = p->desc,
        .in_channels = p->group_in,
        .products = p->products,
        .weights = p->weights + out * p->products,
        .bias = p->bias + out,
        .dst = dst + out * r->dst.strides.channel,
        .residual = residual == NULL ? NULL : residual + out * r->residual.strides.channel,
        .dst_strides = r->dst.strides,
        .residual_strides = r->residual.strides,
        .channels = channels,
        .columns = p->ow,
        .first = first,
        .pixels = pixels,
        .activation = r->activation,
        .clip_taps = p->clip_taps,
        .flat = p->flat,
        .packed = packed,
        .layout = band_of(p, first, pixels),
        .band = (float *)(r->workspace + parts.band),
        .x = (float *)(r->workspace + parts.x),
        .offset = (int32_t *)(r->workspace + parts.offset),
        .tiles = (cp_patches_tile *)(r->workspace + parts.tiles),
    };
    r->kernels->conv2d_patches(&patches);
}

/* Output channels [channel, channel + channels) of a group, rows [row, row + rows). */
static void run_width_task(const cp_direct *p, const cp_conv2d_run *r, int64_t image, const float *src, float *dst,
                           const float *residual, int64_t channel, int64_t channels, int64_t row, int64_t rows) {
    const convpool_layout layout = p->desc->dst_layout;
    const int64_t end = channel + channels;
    image_ends ends;
    if ((p->kernel == CP_DIRECT_IMAGE || p->kernel == CP_DIRECT_SEPARABLE) && suits_image(p, &ends)) {
        const cp_conv2d_image tiles = {
            .src = src,
            .weights = p->weights,
            .bias = p->bias,
            .dst = dst,
            .residual = residual,
            .src_strides = r->src.strides,
            .dst_strides = r->dst.strides,
            .residual_strides = r->residual.strides,
            .desc = p->desc,
            .activation = r->activation,
            .stream = r->stream,
            .ow = p->ow,
            .channel = channel,
            .channels = channels,
            .row = row,
            .rows = rows,
            .end_lines = ends.lines,
            .end_columns = ends.columns,
            .ends = (float *)r->workspace,
            .separable = p->kernel == CP_DIRECT_SEPARABLE,
            .sums = (float *)(r->workspace + ends.bytes),
        };
        r->kernels->conv2d_image(&tiles);
    } else {
        cp_conv2d_width width = {
            .src = src,
            .weights = p->weights,
            .bias = p->bias,
            .src_strides = r->src.strides,
            .dst_strides = r->dst.strides,
            .residual_strides = r->residual.strides,
            .desc = p->desc,
            .activation = r->activation,
            .clip_taps = p->clip_taps,
            .ow = p->ow,
            .row = row,
            .rows = rows,
        };
        for (width.out_channel = channel; width.out_channel < end; width.out_channel++) {
            width.dst = dst + cp_channel_offset(layout, r->dst.strides.channel, width.out_channel);
            if (residual != NULL) {
                width.residual = residual + cp_channel_offset(layout, r->residual.strides.channel, width.out_channel);
            }
            r->kernels->conv2d_width(&width);
        }
    }
    cp_tensor_clear(&r->dst, image, end, cp_spare_channels(layout, p->desc->out_channels, end), row, rows);
}

/* Output channels [channel, channel_end) of a depthwise layer on planes, whole rows. */
static void run_planes_task(const cp_direct *p, const cp_conv2d_run *r, int64_t image, const float *src, float *dst,
                            const float *residual, int64_t channel, int64_t channel_end, int64_t row, int64_t rows) {
    if (p->clip_taps) {
        run_width_task(p, r, image, src, dst, residual, channel, channel_end - channel, row, rows);
        return;
    }
    cp_conv2d_depthwise planes = depthwise_of(p, r, src, dst, residual, row, rows, 0, p->ow);
    planes.channel = channel;
    planes.channels = channel_end - channel;
    r->kernels->conv2d_depthwise_width(&planes);
}

/* Tasks of an image in order: groups outermost, then rows, columns, shares of output channels. */
static void run_task(const cp_direct *p, const cp_conv2d_run *r, int64_t task, bool first) {
    const int64_t image = task / p->tasks, share = task % p->panel_tasks;
    task = task % p->tasks / p->panel_tasks;
    const int64_t column = task % p->column_tasks;
    task /= p->column_tasks;
    int64_t row;
    const int64_t rows = rows_of(p, task % p->row_tasks, &row), group = task / p->row_tasks;
    if (rows < 1) return; /* Some phases have a row less than others. */
    const float *src = (const float *)r->src.data + image * r->src.strides.batch;
    float *dst = (float *)(uintptr_t)r->dst.data + image * r->dst.strides.batch;
    const float *residual = r->residual.data;
    if (residual != NULL) residual += image * r->residual.strides.batch;
    const int64_t panel = share * p->panels_a_task, panel_end = CP_MIN(p->panels, panel + p->panels_a_task);
    const int64_t channel = share * p->channels_a_task, channels = CP_MIN(p->channels_a_task, p->group_out - channel);
    const int64_t j = column * p->columns_a_task, columns = CP_MIN(p->columns_a_task, p->ow - j);
    switch (p->kernel) {
    case CP_DIRECT_CHANNELS:
    case CP_DIRECT_GROUPS:
        run_channels_task(p, r, src, dst, residual, group, panel, panel_end, row, j, rows, columns, share > 0 && !first);
        break;
    case CP_DIRECT_DEPTHWISE:
        run_depthwise_task(p, r, src, dst, residual, panel, panel_end, row, j, rows, columns);
        break;
    case CP_DIRECT_PLANES:
        run_planes_task(p, r, image, src, dst, residual, panel, panel_end, row, rows);
        break;
    case CP_DIRECT_PATCHES:
        run_patches_task(p, r, src, dst, residual, group, channel, channels, row * p->ow + j,
                         rows * CP_MIN(p->columns_a_task, (p->flat ? p->oh : 1) * p->ow - j), share > 0 && !first);
        break;
    default:
        run_width_task(p, r, image, src, dst, residual, group * p->group_out + channel, channels, row, rows);
        break;
    }
}

void cp_direct_execute(const cp_direct *p, const cp_conv2d_run *run, int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) run_task(p, run, task, task == begin);
}
