/* SPDX-License-Identifier: MIT
 * Lanes along 16 output channels: dense layers, small groups, depthwise. */
#include "direct_family.h"

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
static int64_t packed_rows(const cp_direct *p, int64_t rows) {
    return cp_reach(rows, row_phases_of(p->desc).stride, p->desc->kh, 1);
}

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
    if (p->kernel == CP_DIRECT_POINTWISE) {
        *w = (workspace_parts){0};
        return cp_align(p->rows_a_task * p->columns_a_task * p->panels_a_task * (int64_t)(CP_PANEL * sizeof(float)), &w->acc);
    }
    const int64_t rows = p->kernel == CP_DIRECT_DEPTHWISE ? cp_reach(p->rows_a_task, d->stride_h, d->kh, d->dilation_h)
                                                          : packed_rows(p, p->rows_a_task);
    const int64_t columns = cp_reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w);
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

bool cp_channels_workspace(cp_direct *p) {
    workspace_parts parts;
    if (!workspace_of(p, &parts)) return false;
    p->workspace_bytes = parts.x + parts.acc + parts.pixels;
    return true;
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
        const int64_t rows = cp_direct_rows(p, t, &row);
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
        if (share > p->clipped - 0.003) continue; /* too little to have more spans for */
        p->clipped = share;
        p->clip_rows = clip_rows;
        p->clip_columns = clip_columns;
    }
}

/* Panels of a task, `most` or somewhat more: an even number, unless that leaves one alone in the last task, since a tile may have
 * two or three. */
static int64_t panels_of_task(int64_t panels, int64_t most) {
    int64_t n = cp_share(panels, most);
    if (n > 1) n += n % 2;
    if (n > 1 && panels % n == 1) {
        do n++;
        while (n < panels && (panels % n == 1 || cp_ceil_div(panels, n) % 2 != 0));
    }
    return CP_MIN(n, panels);
}

/* Sizes of a direct-channels task. A pass is so many input channels that its weights for one panel stay in L1; a task is so many
 * pixels that packed input and accumulators stay in L2, while each weight that comes from further away serves dozens of tiles: more
 * of them on large maps, where the rows that two tasks read are packed by both. */
static void block_channels(cp_direct *p) {
    enum {
        PASS_PRODUCTS = 288,
        TASK_PIXELS = 224,
        TASK_PIXELS_MOST = 448,
        X_BYTES = 192 << 10,
        ACC_BYTES = 256 << 10,
        SPLIT_PRODUCTS = 64,
        TASKS = 8
    };
    const double task_products = 1 << 20;
    const convpool_conv2d_desc *d = p->desc;
    const int64_t taps = d->kh * d->kw;
    const int64_t group_in = p->kernel == CP_DIRECT_GROUPS ? CP_PANEL : p->group_in;
    p->panels = cp_ceil_div(d->out_channels / p->groups, CP_PANEL);
    p->panels_a_task = p->panels;
    p->channels_a_pass = CP_MIN(group_in, CP_MAX(1, PASS_PRODUCTS / taps / CP_BLOCK) * CP_BLOCK);
    const int64_t task_pixels = p->oh * p->ow >= TASKS * TASK_PIXELS_MOST ? TASK_PIXELS_MOST : TASK_PIXELS;
    p->columns_a_task = cp_share(p->ow, TASK_PIXELS_MOST);
    p->row_phases = CP_MIN(p->oh, row_phases_of(d).phases);
    const int64_t rows = cp_ceil_div(p->oh, p->row_phases);
    p->rows_a_task = cp_share(rows, task_pixels / CP_MIN(p->columns_a_task, task_pixels));
    const int64_t position_bytes = p->channels_a_pass * (int64_t)sizeof(float);
    while (p->rows_a_task > 1 && packed_rows(p, p->rows_a_task) >
                                     X_BYTES / position_bytes / cp_reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w)) {
        p->rows_a_task = cp_share(rows, p->rows_a_task - 1);
    }
    while (p->columns_a_task > 8 && cp_reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w) >
                                        X_BYTES / position_bytes / packed_rows(p, p->rows_a_task)) {
        p->columns_a_task = cp_share(p->ow, p->columns_a_task / 2);
    }
    p->row_tasks = p->row_phases * cp_ceil_div(rows, p->rows_a_task);
    p->column_tasks = cp_ceil_div(p->ow, p->columns_a_task);
    /* Few tasks: share the output channels too, if the input need not be packed again for each share, or if that costs little
     * beside the products. Two panels at least, since a tile may have two. */
    const int64_t areas = p->row_tasks * p->column_tasks * p->groups;
    const double reached =
        (double)packed_rows(p, p->rows_a_task) * (double)cp_reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w);
    p->channels_packed = reached * (double)group_in * sizeof(float) <= (double)X_BYTES ? group_in : p->channels_a_pass;
    if (areas < TASKS) {
        const double panel =
            (double)p->rows_a_task * (double)p->columns_a_task * (double)taps * (double)p->group_in * (double)CP_PANEL;
        const int64_t least = p->channels_packed == group_in ? CP_MAX(2, (int64_t)CP_MIN((double)p->panels, task_products / panel))
                                                             : cp_ceil_div(SPLIT_PRODUCTS, taps);
        p->panels_a_task = CP_MAX(cp_ceil_div(p->panels * areas, TASKS), least);
    }
    const int64_t acc_panels = ACC_BYTES / (p->rows_a_task * p->columns_a_task * (int64_t)(CP_PANEL * sizeof(float)));
    p->panels_a_task = panels_of_task(p->panels, CP_MIN(p->panels_a_task, CP_MAX(1, acc_panels)));
    p->panel_tasks = cp_ceil_div(p->panels, p->panels_a_task);
    const double products = (double)rows * (double)p->ow * (double)p->products * (double)(p->panels * CP_PANEL);
    if (areas == 1 && p->panels < 4 && products > 2 * task_products) {
        p->rows_a_task = cp_ceil_div(rows, 2); /* panels too few to share */
        p->row_tasks = cp_ceil_div(rows, p->rows_a_task);
    }
    choose_clipping(p);
}

/* Sizes of a task of conv2d_pointwise: pixels enough for dozens of tiles, few enough that accumulators stay in L2. Nothing is
 * packed, so any number of tasks may share the pixels. */
static void block_pointwise(cp_direct *p) {
    enum { TASK_PIXELS = 224, PANELS = 16, TASKS = 8 };
    p->panels = cp_ceil_div(p->group_out, CP_PANEL);
    p->columns_a_task = cp_share(p->ow, TASK_PIXELS * 2);
    p->rows_a_task = cp_share(p->oh, TASK_PIXELS / CP_MIN(p->columns_a_task, TASK_PIXELS));
    p->row_tasks = cp_ceil_div(p->oh, p->rows_a_task);
    p->column_tasks = cp_ceil_div(p->ow, p->columns_a_task);
    const int64_t areas = p->row_tasks * p->column_tasks * p->groups;
    const double product = (double)p->rows_a_task * (double)p->columns_a_task * (double)p->group_in * (double)CP_PANEL;
    const int64_t least = CP_MAX(2, (int64_t)CP_MIN((double)p->panels, 0x1p20 / product)); /* panels worth a task */
    p->panels_a_task =
        panels_of_task(p->panels, CP_MIN(PANELS, CP_MAX(cp_ceil_div(p->panels * CP_MIN(areas, TASKS), TASKS), least)));
    p->panel_tasks = cp_ceil_div(p->panels, p->panels_a_task);
    /* Work that two threads share ends when the last task does: few of them are even in number. */
    const int64_t tasks = areas * p->panel_tasks;
    const bool shared = tasks > 1 || product * (double)p->panels > 0x1p21;
    if (shared && tasks < TASKS && tasks % 2 != 0) {
        p->rows_a_task = cp_ceil_div(p->rows_a_task, 2);
        p->row_tasks = cp_ceil_div(p->oh, p->rows_a_task);
    }
    p->clipped = 1;
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
    while (p->columns_a_task > 8 && cp_reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w) >
                                        x_pixels / CP_MIN(x_pixels, cp_reach(1, d->stride_h, d->kh, d->dilation_h))) {
        p->columns_a_task = cp_share(p->ow, p->columns_a_task / 2);
    }
    const int64_t columns = cp_reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w);
    const int64_t rows = x_pixels / CP_MIN(x_pixels, columns) - (d->kh - 1) * d->dilation_h - 1;
    p->rows_a_task = cp_share(p->oh, rows / d->stride_h + 1);
    p->rows_at_once = CP_MIN(p->rows_a_task, CP_MAX(1, PIXELS_AT_ONCE / p->columns_a_task));
    const double products = (double)p->rows_a_task * (double)p->columns_a_task * (double)d->kh * (double)d->kw * (double)CP_PANEL;
    p->panels_a_task = cp_share(p->panels, (int64_t)CP_MIN((double)p->panels, (double)TASK_PRODUCTS / products));
    p->panel_tasks = cp_ceil_div(p->panels, p->panels_a_task);
    p->row_tasks = cp_ceil_div(p->oh, p->rows_a_task);
    p->column_tasks = cp_ceil_div(p->ow, p->columns_a_task);
}

void cp_channels_block(cp_direct *p) {
    if (p->kernel == CP_DIRECT_DEPTHWISE) {
        block_depthwise(p);
    } else if (p->kernel == CP_DIRECT_POINTWISE) {
        block_pointwise(p);
    } else {
        block_channels(p);
    }
}

/* Setting out for a panel of 16 channels, for its rows, finishing and taps, packing. */
static double depthwise_cost(const cp_direct *p, int64_t wide) {
    const convpool_conv2d_desc *d = p->desc;
    const double taps = CP_MIN((double)d->kh, 2 * (double)d->ih - 1) * CP_MIN((double)d->kw, 2 * (double)d->iw - 1);
    const double rows = (double)p->oh;
    const double pixels = rows * (double)p->ow, pixel = wide == 16 ? 8.3 + 0.73 * taps : 11 + 1.38 * taps;
    const double panel = 290 + 10 * rows + pixel * pixels + 5.2 * (double)d->ih * (double)d->iw;
    return (double)p->panels * panel / pixels / (double)d->groups;
}

/* A tile does all that 16 output channels need, used or not, and pays for packing and finishing, and once for each group. */
double cp_channels_cost(const cp_direct *p, int64_t wide) {
    if (p->kernel == CP_DIRECT_DEPTHWISE) return depthwise_cost(p, wide);
    const convpool_conv2d_desc *d = p->desc;
    const double pixels = (double)p->oh * (double)p->ow;
    if (p->kernel == CP_DIRECT_POINTWISE) {
        return (double)p->panels * ((double)p->products + 17) + 0.1 * (double)p->products + 400 / pixels;
    }
    const double rows = (double)packed_rows(p, p->rows_a_task) / (double)p->rows_a_task;
    const double columns = (double)cp_reach(p->columns_a_task, d->stride_w, d->kw, d->dilation_w) / (double)p->columns_a_task;
    if (p->kernel == CP_DIRECT_GROUPS) {
        const double spread = wide == 16 ? 1.2 : 1.6;
        const double panel =
            spread * (double)p->products * p->clipped + 17 + 0.7 * (double)CP_PANEL * rows * columns / (double)d->stride_w;
        return (double)p->panels / (double)d->groups * (panel + 400 / pixels);
    }
    const double packed = (double)p->group_in * rows * columns;
    const double panels = (double)cp_ceil_div(p->group_out, CP_PANEL);
    const double alone = panels == 1 && wide == 16 ? 1.4 : 1;                               /* a load for each FMA */
    const double set_out = wide == 16 ? 9 * (double)p->group_in * rows / (double)p->ow : 0; /* on each row of 8 channels */
    return panels * (alone * (double)p->products * p->clipped + 17) + set_out + 0.7 * packed / (double)d->stride_w + 400 / pixels;
}

void cp_channels_pack(const cp_direct *p, const float *weights, const float *bias, float *packed, float *packed_bias) {
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

/* Lists the pixels of a rectangle of outputs, those with the same taps together, the largest span first, with which weights are
 * fetched; returns the number of spans. */
static int64_t list_pixels(const cp_direct *p, const cp_conv2d_pack *pack, const cp_direct_task *t, cp_conv2d_span *spans,
                           int32_t *position, int32_t *place) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t i = t->row, j = t->column, rows = t->rows, columns = t->columns;
    const int64_t step = p->row_phases * d->stride_h;
    const int64_t row_pitch = row_phases_of(d).stride * pack->columns, column_pitch = d->stride_w;
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
            span.columns = m == columns && row_pitch == columns * column_pitch ? n * m : m; /* Rows without gaps are one row. */
            pixels += n * m;
            spans[count] = span;
            if (d->kw == 1) {
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

static cp_conv2d_finish finish_of(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t, int64_t panel,
                                  int64_t panel_end, const float *acc) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t group_out = d->out_channels / p->groups;
    cp_conv2d_finish finish = {
        .acc = acc,
        .channel = t->group * group_out + panel * CP_PANEL,
        .channels = CP_MIN(panel_end * CP_PANEL, group_out) - panel * CP_PANEL,
        .spare = panel_end == p->panels ? cp_spare_channels(d->dst_layout, d->out_channels, (t->group + 1) * group_out) : 0,
        .rows = t->rows,
        .columns = t->columns,
        .layout = d->dst_layout,
        .dst_strides = r->dst.strides,
        .residual_strides = r->residual.strides,
        .activation = r->activation,
        .dst = t->dst + t->row * r->dst.strides.row + t->column * r->dst.strides.column,
        .residual =
            t->residual == NULL ? NULL : t->residual + t->row * r->residual.strides.row + t->column * r->residual.strides.column,
    };
    finish.dst_strides.row *= p->row_phases;
    finish.residual_strides.row *= p->row_phases;
    return finish;
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

/* What a task packs of the image, from input channel `c` of its group on. */
static cp_fetch fetch_packed(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t, int64_t c) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t first = t->row * d->stride_h - d->pad_top, step = row_phases_of(d).step;
    const int64_t above = first < 0 ? (-first - 1) / step + 1 : 0, row = first + above * step;
    const int64_t left = t->column * d->stride_w - d->pad_left, column = CP_MAX(0, left);
    const int64_t column_end = CP_MIN(d->iw, left + cp_reach(t->columns, d->stride_w, d->kw, d->dilation_w));
    const int64_t rows = CP_MIN(packed_rows(p, t->rows) - above, (d->ih - 1 - row) / step + 1);
    if (row >= d->ih || rows < 1 || column >= column_end) return (cp_fetch){0};
    cp_fetch fetch = cp_fetch_of(&r->src, t->image, t->group * p->group_in + c, CP_MIN(p->channels_packed, p->group_in - c), row,
                                 row + rows, column, column_end);
    if (rows > 1) fetch.row *= step;
    return fetch;
}

/* Where a task's panels [panel, panel_end) end up. */
static cp_fetch fetch_finished(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t, int64_t panel,
                               int64_t panel_end) {
    const int64_t first = panel * CP_PANEL, end = CP_MIN(panel_end * CP_PANEL, p->group_out);
    cp_fetch fetch = cp_fetch_of(&r->dst, t->image, t->group * p->group_out + first, end - first, t->row, t->row + t->rows,
                                 t->column, t->column + t->columns);
    if (t->rows > 1) fetch.row *= p->row_phases;
    return fetch;
}

/* Output channels [panel, panel_end) x 16 of a group; `next` is the task after this one in the same call, or NULL. */
static void run_dense(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t, const cp_direct_task *next,
                      int64_t panel, int64_t panel_end) {
    const convpool_conv2d_desc *d = p->desc;
    const int64_t group = t->group, rows = t->rows, columns = t->columns;
    workspace_parts parts;
    workspace_of(p, &parts);
    float *x = (float *)r->workspace, *acc = (float *)(r->workspace + parts.x);
    const int64_t pixels = rows * columns, taps = d->kh * d->kw;
    const bool grouped = p->kernel == CP_DIRECT_GROUPS;
    cp_conv2d_span *spans = (cp_conv2d_span *)(r->workspace + parts.x + parts.acc);
    int32_t *position = (int32_t *)(spans + pixels), *place = position + pixels;
    cp_conv2d_pack pack = {
        .src = t->src,
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
        .row = t->row * d->stride_h - d->pad_top,
        .row_step = row_phases_of(d).step,
        .column = t->column * d->stride_w - d->pad_left,
        .rows = packed_rows(p, rows),
        .columns = cp_reach(columns, d->stride_w, d->kw, d->dilation_w),
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
        .span_count = list_pixels(p, &pack, t, spans, position, place),
        .position = position,
        .place = place,
        .kh = d->kw == 1 ? 1 : d->kh, /* Taps of a single column are a row with gaps. */
        .kw = d->kw == 1 ? d->kh : d->kw,
        .row_step = pack.columns,
        .column_step = d->kw == 1 ? pack.columns : d->dilation_w,
        .pixel_step = d->stride_w,
    };
    const cp_conv2d_finish finish = finish_of(p, r, t, panel, panel_end, acc);
    if (grouped) {
        run_groups(p, r->kernels, pack, tiles, finish, panel, panel_end);
        return;
    }
    const int64_t x_channel = taps == 1 ? 1 : pack.rows * pack.columns; /* from one block of packed channels to the next, by 8 */
    const bool at_once = p->channels_packed == p->group_in;
    for (int64_t c = 0, end; c < p->group_in; c = end) {
        end = c + p->channels_a_pass;
        const bool last = end >= p->group_in;
        if (c % p->channels_packed == 0 && !(t->packed && at_once)) {
            pack.channel = group * p->group_in + c;
            pack.channels = CP_MIN(p->channels_packed, p->group_in - c);
            r->kernels->conv2d_pack(&pack);
        }
        tiles.x = x + c % p->channels_packed * x_channel;
        tiles.channels = CP_MIN(p->channels_a_pass, p->group_in - c);
        tiles.weights = p->weights + (group * p->panels + panel) * tiles.weights_panel + c * taps * CP_PANEL;
        tiles.next_weights = !last                   ? tiles.weights + p->channels_a_pass * taps * CP_PANEL
                             : panel_end < p->panels ? p->weights + (group * p->panels + panel_end) * tiles.weights_panel
                                                     : NULL;
        tiles.bias = c == 0 ? p->bias + (group * p->panels + panel) * CP_PANEL : NULL;
        if (last) {
            tiles.finish = &finish;
            tiles.fetch[0] = next == NULL || (next->packed && at_once) ? (cp_fetch){0} : fetch_packed(p, r, next, 0);
            tiles.fetch[1] = fetch_finished(p, r, t, panel, panel_end);
        } else if (!at_once) {
            tiles.fetch[0] = fetch_packed(p, r, t, end);
        }
        r->kernels->conv2d_tiles(&tiles);
    }
}

/* Output channels [panel, panel_end) x 16 of a group, whose kernels have one tap and whose input is in planes. */
static void run_pointwise(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t, int64_t panel, int64_t panel_end) {
    float *acc = (float *)r->workspace;
    const cp_conv2d_finish finish = finish_of(p, r, t, panel, panel_end, acc);
    const int64_t first = t->group * p->panels + panel, weights_panel = p->group_in * CP_PANEL;
    const cp_conv2d_pointwise point = {
        .x = t->src + t->group * p->group_in * r->src.strides.channel + t->row * r->src.strides.row + t->column,
        .plane = r->src.strides.channel,
        .row = r->src.strides.row,
        .columns = t->columns,
        .channels = p->group_in,
        .panels = panel_end - panel,
        .weights = p->weights + first * weights_panel,
        .weights_panel = weights_panel,
        .next_weights = panel_end < p->panels ? p->weights + (first + panel_end - panel) * weights_panel : NULL,
        .bias = p->bias + first * CP_PANEL,
        .acc = acc,
        .acc_pixels = t->rows * t->columns,
        .finish = &finish,
    };
    r->kernels->conv2d_pointwise(&point);
}

/* Whether channels lie side by side, in eights at least. */
static bool in_eights(const cp_tensor *t) {
    return t->layout == CONVPOOL_LAYOUT_NCHW8C || (t->layout == CONVPOOL_LAYOUT_NHWC && t->strides.channel == 1);
}

/* Output channels [panel, panel_end) x 16 of a depthwise layer. */
static void run_depthwise(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t, int64_t panel, int64_t panel_end) {
    workspace_parts parts;
    workspace_of(p, &parts);
    cp_conv2d_depthwise depthwise = {
        .call = cp_direct_call(p, r, t),
        .row = t->row,
        .rows = t->rows,
        .column = t->column,
        .columns = t->columns,
        .rows_at_once = p->rows_at_once,
        .x = (float *)r->workspace,
        .acc = (float *)(r->workspace + parts.x),
    };
    if (cp_direct_walks(p) && p->group_out == 1 && !p->clip_taps && in_eights(&r->src) && in_eights(&r->dst) &&
        (t->residual == NULL || in_eights(&r->residual))) {
        depthwise.call.weights += panel * p->products * CP_PANEL;
        depthwise.call.bias += panel * CP_PANEL;
        depthwise.channel = panel * CP_PANEL;
        depthwise.channels = CP_MIN(panel_end * CP_PANEL, p->desc->out_channels) - depthwise.channel;
        r->kernels->conv2d_depthwise_pixels(&depthwise);
        return;
    }
    for (; panel < panel_end; panel++) {
        depthwise.call.weights = p->weights + panel * p->products * CP_PANEL;
        depthwise.call.bias = p->bias + panel * CP_PANEL;
        depthwise.channel = panel * CP_PANEL;
        depthwise.channels = CP_MIN(CP_PANEL, p->desc->out_channels - depthwise.channel);
        r->kernels->conv2d_depthwise(&depthwise);
    }
}

void cp_channels_run(const cp_direct *p, const cp_conv2d_run *r, const cp_direct_task *t, const cp_direct_task *next) {
    const int64_t panel = t->share * p->panels_a_task, panel_end = CP_MIN(p->panels, panel + p->panels_a_task);
    if (p->kernel == CP_DIRECT_DEPTHWISE) {
        run_depthwise(p, r, t, panel, panel_end);
    } else if (p->kernel == CP_DIRECT_POINTWISE) {
        run_pointwise(p, r, t, panel, panel_end);
    } else {
        run_dense(p, r, t, next, panel, panel_end);
    }
}
