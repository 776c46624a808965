/* SPDX-License-Identifier: MIT */
#include "winograd.h"

#include <math.h>

enum {
    MULTIPLY_PANELS = 2, /* panels that are multiplied at once */
    L2_BYTES = 1 << 20,  /* weights beyond this come from further away, */
    L3_BYTES = 16 << 20  /* and beyond this from further still */
};

/* An odd number of cache lines, so that streams this far apart use all sets of a cache. */
static int64_t odd_lines(int64_t floats) {
    const int64_t line = CONVPOOL_ALIGNMENT / (int64_t)sizeof(float);
    return (cp_ceil_div(floats, line) | 1) * line;
}

/* Pixels a side of the input that `tiles` neighbouring tiles read. */
static int64_t reach(const cp_winograd *w, int64_t tiles) { return (tiles - 1) * w->tile + w->side; }

/* Sizes of a task of at most `tiles` tiles; few tasks share the output channels too, for each of which threads, but not one run,
 * transform the input again. */
static void block(cp_winograd *w, int64_t groups, int64_t tiles) {
    enum { SHARE_PANELS = 2, TASKS = 16 };
    w->columns_a_task = cp_share(w->tile_columns, tiles);
    w->rows_a_task = cp_share(w->tile_rows, tiles / w->columns_a_task);
    w->row_tasks = cp_ceil_div(w->tile_rows, w->rows_a_task);
    w->column_tasks = cp_ceil_div(w->tile_columns, w->columns_a_task);
    w->panels_a_task = w->panels;
    const int64_t areas = w->row_tasks * w->column_tasks * groups;
    if (areas < TASKS) w->panels_a_task = cp_share(w->panels, CP_MAX(cp_ceil_div(w->panels * areas, TASKS), SHARE_PANELS));
    w->panel_tasks = cp_ceil_div(w->panels, w->panels_a_task);
}

static bool size_workspace(cp_winograd *w) {
    enum { WORKSPACE_BYTES = 2 << 20 };
    const int64_t tiles = w->rows_a_task * w->columns_a_task, blocks = cp_ceil_div(w->group_in, CP_PANEL);
    const int64_t pixels = reach(w, w->rows_a_task) * reach(w, w->columns_a_task), size = (int64_t)sizeof(float);
    int64_t acc;
    w->v_point = odd_lines(blocks * tiles * CP_PANEL);
    w->m_point = odd_lines(tiles * CP_PANEL);
    w->v_bytes = w->points * w->v_point * size;
    w->m_bytes = CP_MIN(w->panels, MULTIPLY_PANELS) * w->points * w->m_point * size;
    if (!cp_align(pixels * CP_PANEL * size, &w->x_bytes) || !cp_align(tiles * w->tile * w->tile * CP_PANEL * size, &acc))
        return false;
    w->workspace_bytes = w->x_bytes + w->v_bytes + w->m_bytes + acc;
    return w->workspace_bytes <= WORKSPACE_BYTES;
}

/* docs/numerics.md derives it. */
static double bound(const cp_winograd *w) {
    const bool small = w->side == 4;
    const double input = small ? 2 : 4, rest = (double)w->group_in + (small ? 6 : 8), unit = 0x1p-24;
    const double growth = small ? 16 * input + 12 * rest : 157 * input + 116 * rest;
    return (input + rest) * unit < 1 ? growth * unit / (1 - (input + rest) * unit) : INFINITY;
}

/* Cost of a group, in pairs of vector FMAs like that of the direct algorithms. Constants are fitted to 1413 layers of 4x4 to
 * 112x112 pixels, 4 to 512 channels and 1 to 32 groups on Zen 5, AVX2 and AVX-512 together: the choice was within 10% of the best
 * on all but 1.9% and 1.4% of them. */
static double cost(const cp_winograd *w) {
    /* Pairs in which 16 weights come from beyond L2 and from beyond half of a usual L3; of packing and transforming 8 input
     * channels of a tile; of transforming and finishing 16 output channels; of a task. */
    const double far = 6, farther = 8, input = w->side == 4 ? 81 : 253, task = 990;
    const double output = w->side == 4 ? 89 : w->tile == 2 ? 153 : 314;
    const double areas = (double)(w->row_tasks * w->column_tasks), tiles = (double)(w->tile_rows * w->tile_columns);
    const double fetch = w->weights_bytes > L3_BYTES ? farther : w->weights_bytes > L2_BYTES ? far : 0;
    const double waits = 5 * CP_MAX(1, ceil(tiles / areas / 8)); /* fewer than 5 tiles wait for each other */
    const double product = CP_MAX(CP_MAX(tiles / areas, fetch), waits);
    return areas * (task + (double)(w->panels * w->points * w->group_in) * product) + tiles * (double)w->panels * output +
           tiles * (double)cp_ceil_div(w->group_in, 8) * input;
}

bool cp_winograd_plan(cp_winograd *w, const convpool_conv2d_desc *d, int64_t oh, int64_t ow, int64_t tile) {
    enum { CHANNELS_MOST = 1 << 14, V_BYTES = 512 << 10, TILES_LEAST = 24, TILES_MOST = 32, FEW_AREAS = 4 };
    int64_t n;
    if (d->kh != d->kw || !(d->kh == 3 || (d->kh == 5 && tile == 2)) || d->stride_h != 1 || d->stride_w != 1 ||
        d->dilation_h != 1 || d->dilation_w != 1)
        return false;
    *w = (cp_winograd){
        .tile = tile,
        .taps = d->kh,
        .side = tile + d->kh - 1,
        .points = (tile + d->kh - 1) * (tile + d->kh - 1),
        .tile_rows = cp_ceil_div(oh, tile),
        .tile_columns = cp_ceil_div(ow, tile),
        .group_in = d->in_channels / d->groups,
        .group_out = d->out_channels / d->groups,
    };
    if (w->group_in > CHANNELS_MOST || (tile == 4 && w->group_in < 2)) return false;
    w->panels = cp_ceil_div(w->group_out, CP_PANEL);
    /* Transformed input in L2 is worth less than weights that each serve a few register tiles: with many channels it may exceed
     * L2, from beyond which it then streams. */
    const int64_t tile_bytes = w->points * w->group_in * (int64_t)sizeof(float);
    int64_t tiles = CP_MIN(TILES_MOST, CP_MAX(TILES_LEAST, V_BYTES / tile_bytes));
    for (block(w, d->groups, tiles); !size_workspace(w); block(w, d->groups, tiles)) {
        if (--tiles == 0) return false;
    }
    if (!cp_mul(w->panels * CP_PANEL, d->groups, &n) || !cp_mul(n, (int64_t)sizeof(float), &w->bias_bytes) ||
        !cp_mul(w->bias_bytes, w->points * w->group_in, &w->weights_bytes) || !cp_mul(w->row_tasks, w->column_tasks, &n) ||
        !cp_mul(n, d->groups, &w->areas) || !cp_mul(w->areas, w->panel_tasks, &w->tasks)) {
        return false;
    }
    /* Few areas differ in size; weights from memory are best used for all areas at the same time. */
    w->shares_first = w->areas < FEW_AREAS && w->weights_bytes <= L3_BYTES;
    w->error_bound = bound(w);
    w->cost = cost(w) * (double)d->groups;
    return true;
}

bool cp_winograd_suits(const float *weights, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (!(fabsf(weights[i]) <= 0x1p124f)) return false;
    }
    return true;
}

void cp_winograd_pack(cp_winograd *w, const cp_kernels *kernels, const convpool_conv2d_desc *d, const float *weights,
                      const float *bias, void *memory) {
    float *b = (float *)((char *)memory + w->weights_bytes);
    w->weights = memory;
    w->bias = b;
    for (int64_t panel = 0; panel < w->panels * d->groups; panel++, b += CP_PANEL) {
        const int64_t first = panel % w->panels * CP_PANEL, real = CP_MIN(CP_PANEL, w->group_out - first);
        const int64_t channel = panel / w->panels * w->group_out + first; /* of the layer */
        const cp_winograd_weights transform = {
            .taps = w->taps,
            .side = w->side,
            .weights = weights + channel * w->group_in * w->taps * w->taps,
            .outputs = real,
            .channels = w->group_in,
            .u = (float *)memory + panel * w->points * w->group_in * CP_PANEL,
        };
        kernels->winograd_weights(&transform);
        for (int64_t o = 0; o < CP_PANEL; o++) b[o] = o < real && bias != NULL ? bias[channel + o] : 0.0f;
    }
}

/* Where an area lies. Areas of an image in order: groups outermost, then rows, then columns. */
typedef struct area {
    int64_t image, group, row, column; /* in tiles */
    int64_t rows, columns;
} area;

static area area_of(const cp_winograd *w, int64_t image, int64_t number) {
    const int64_t column = number % w->column_tasks, row = number / w->column_tasks % w->row_tasks;
    area a = {
        .image = image,
        .group = number / (w->row_tasks * w->column_tasks),
        .row = row * w->tile_rows / w->row_tasks,
        .column = column * w->tile_columns / w->column_tasks,
    };
    a.rows = (row + 1) * w->tile_rows / w->row_tasks - a.row;
    a.columns = (column + 1) * w->tile_columns / w->column_tasks - a.column;
    return a;
}

static void transform_input(const cp_winograd *w, const cp_conv2d_run *r, const area *a, float *x, float *v) {
    const convpool_conv2d_desc *d = r->desc;
    const int64_t i = a->row * w->tile, j = a->column * w->tile;
    cp_conv2d_pack pack = {
        .src = (const float *)r->src.data + a->image * r->src.strides.batch,
        .layout = d->src_layout,
        .strides = r->src.strides,
        .border = d->border,
        .ih = d->ih,
        .iw = d->iw,
        .block = CP_PANEL,
        .pitch = CP_PANEL,
        .row = i - d->pad_top,
        .row_step = 1,
        .column = j - d->pad_left,
        .rows = CP_MIN(reach(w, a->rows), r->dst.height + w->taps - 1 - i),
        .columns = CP_MIN(reach(w, a->columns), r->dst.width + w->taps - 1 - j),
        .dst = x,
    };
    cp_winograd_input input = {
        .tile = w->tile,
        .side = w->side,
        .x = x,
        .rows = pack.rows,
        .columns = pack.columns,
        .tile_rows = a->rows,
        .tile_columns = a->columns,
        .v = v,
        .v_point = w->v_point,
    };
    for (int64_t c = 0; c < w->group_in; c += CP_PANEL, input.v += a->rows * a->columns * CP_PANEL) {
        pack.channel = a->group * w->group_in + c;
        pack.channels = input.channels = CP_MIN(CP_PANEL, w->group_in - c);
        r->kernels->conv2d_pack(&pack);
        r->kernels->winograd_input(&input);
    }
}

/* Rows [row, row_end) of columns [column, column_end) of some channels of an image, if it lies in planes and beyond L2. */
static cp_fetch fetch_of(const cp_tensor *t, int64_t image, int64_t channel, int64_t channels, int64_t row, int64_t row_end,
                         int64_t column, int64_t column_end) {
    const double floats = (double)t->channels * (double)t->height * (double)t->width;
    if (t->layout != CONVPOOL_LAYOUT_NCHW || floats * sizeof(float) <= (double)L2_BYTES) return (cp_fetch){0};
    return (cp_fetch){
        .first = (const float *)t->data + image * t->strides.batch + cp_tensor_offset(t, channel, row, column),
        .planes = channels,
        .rows = row_end - row,
        .floats = column_end - column,
        .plane = t->strides.channel,
        .row = t->strides.row,
    };
}

/* What a share, `part` of `parts`, of the input channels of an area reads, but for the rows that the area above has read. */
static cp_fetch fetch_input(const cp_winograd *w, const cp_conv2d_run *r, const area *a, int64_t part, int64_t parts) {
    const int64_t i = a->row * w->tile - r->desc->pad_top, j = a->column * w->tile - r->desc->pad_left;
    const int64_t row_end = CP_MIN(i + reach(w, a->rows), r->src.height), row = CP_MAX(0, i + w->taps - 1);
    const int64_t column_end = CP_MIN(j + reach(w, a->columns), r->src.width), column = CP_MAX(0, j);
    const int64_t first = part * w->group_in / parts, end = (part + 1) * w->group_in / parts;
    if (row >= row_end || column >= column_end) return (cp_fetch){0};
    return fetch_of(&r->src, a->image, a->group * w->group_in + first, end - first, row, row_end, column, column_end);
}

/* Panels [panel, panel + panels) of the group, at most MULTIPLY_PANELS. */
static void transform_output(const cp_winograd *w, const cp_conv2d_run *r, const area *a, int64_t panel, int64_t panels,
                             cp_fetch next, const float *v, float *m, float *acc) {
    const convpool_conv2d_desc *d = r->desc;
    const int64_t packed = a->group * w->panels + panel, i = a->row * w->tile, j = a->column * w->tile;
    const int64_t first = a->group * w->group_out + panel * CP_PANEL;
    const int64_t channels = CP_MIN(panels * CP_PANEL, w->group_out - panel * CP_PANEL);
    const cp_tensor *dst = &r->dst, *residual = &r->residual;
    cp_winograd_output output = {
        .tile = w->tile,
        .side = w->side,
        .m_point = w->m_point,
        .tile_rows = a->rows,
        .tile_columns = a->columns,
        .rows = CP_MIN(a->rows * w->tile, dst->height - i),
        .columns = CP_MIN(a->columns * w->tile, dst->width - j),
        .acc = acc,
    };
    const cp_winograd_multiply multiply = {
        .v = v,
        .v_point = w->v_point,
        .u = w->weights + packed * w->points * w->group_in * CP_PANEL,
        .m = m,
        .m_point = w->m_point,
        .panels = panels,
        .points = w->points,
        .tiles = a->rows * a->columns,
        .channels = w->group_in,
        .far = w->weights_bytes > L2_BYTES,
        .fetch = {next, fetch_of(dst, a->image, first, channels, i, i + output.rows, j, j + output.columns)},
    };
    cp_conv2d_finish finish = {
        .acc = acc,
        .rows = output.rows,
        .columns = output.columns,
        .dst = (float *)(uintptr_t)dst->data + a->image * dst->strides.batch + i * dst->strides.row + j * dst->strides.column,
        .layout = d->dst_layout,
        .dst_strides = dst->strides,
        .activation = r->activation,
    };
    if (residual->data != NULL) {
        finish.residual_strides = residual->strides;
        finish.residual = (const float *)residual->data + a->image * residual->strides.batch + i * residual->strides.row +
                          j * residual->strides.column;
    }
    r->kernels->winograd_multiply(&multiply);
    for (int64_t p = 0; p < panels; p++) {
        output.m = m + p * w->points * w->m_point;
        output.bias = w->bias + (packed + p) * CP_PANEL;
        r->kernels->winograd_output(&output);
        finish.channels = CP_MIN(CP_PANEL, w->group_out - (panel + p) * CP_PANEL);
        finish.channel = a->group * w->group_out + (panel + p) * CP_PANEL;
        finish.spare = cp_spare_channels(d->dst_layout, d->out_channels, finish.channel + finish.channels);
        r->kernels->conv2d_finish(&finish);
    }
}

/* Shares [share, share_end) of the output channels of an area; `after` comes next, or is NULL. */
static void run_area(const cp_winograd *w, const cp_conv2d_run *r, const area *a, const area *after, int64_t share,
                     int64_t share_end) {
    float *x = (float *)r->workspace, *v = (float *)(r->workspace + w->x_bytes);
    float *m = (float *)(r->workspace + w->x_bytes + w->v_bytes);
    float *acc = (float *)(r->workspace + w->x_bytes + w->v_bytes + w->m_bytes);
    const int64_t panel = share * w->panels_a_task, panel_end = CP_MIN(w->panels, share_end * w->panels_a_task);
    const int64_t parts = cp_ceil_div(panel_end - panel, MULTIPLY_PANELS);
    transform_input(w, r, a, x, v);
    for (int64_t part = 0; part < parts; part++) {
        const int64_t p = panel + part * MULTIPLY_PANELS;
        const cp_fetch next = after != NULL ? fetch_input(w, r, after, part, parts) : (cp_fetch){0};
        transform_output(w, r, a, p, CP_MIN(MULTIPLY_PANELS, panel_end - p), next, v, m, acc);
    }
}

/* Of n things of which every `step`-th task from `first` on is one, how many come before `task`. */
static int64_t before(int64_t task, int64_t first, int64_t step, int64_t n) {
    return CP_MIN(n, cp_ceil_div(CP_MAX(0, task - first), step));
}

/* The input of an area is transformed once for all the shares of it that the range has. */
void cp_winograd_execute(const cp_winograd *w, const cp_conv2d_run *r, int64_t begin, int64_t end) {
    const int64_t shares = w->panel_tasks, from_area = w->shares_first ? 1 : shares, from_share = w->shares_first ? w->areas : 1;
    for (int64_t last; begin < end; begin = last) {
        const int64_t image = begin / w->tasks, zero = image * w->tasks; /* the first task of the image */
        last = CP_MIN(end, zero + w->tasks);
        int64_t number = w->shares_first ? 0 : (begin - zero) / shares;
        const int64_t area_end = before(last, zero, from_area, w->areas);
        for (; number < area_end; number++) {
            const area a = area_of(w, image, number), after = area_of(w, image, number + 1);
            const int64_t task = zero + number * from_area;
            const int64_t share = before(begin, task, from_share, shares), share_end = before(last, task, from_share, shares);
            if (share < share_end) run_area(w, r, &a, number + 1 < area_end ? &after : NULL, share, share_end);
        }
    }
}
