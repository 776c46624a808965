/* SPDX-License-Identifier: MIT */
#include "winograd.h"

#include <math.h>

/* What there is, with the constants of bound, which docs/numerics.md derives, and of cost. */
typedef struct cp_winograd_transforms {
    int64_t tile, taps, stride;
    double input_roundings, output_roundings; /* on the longest path */
    double chain;                             /* products of an input channel in the longest sum */
    double growth, later_growth;              /* of errors of the input transform, and of later ones */
    double input_cost, output_cost;           /* of 8 input channels of a tile, and of 16 output channels */
    int64_t sums;                             /* a side */
    const int64_t *begin;                     /* as in cp_winograd_weights */
} transforms;

/* Where the products of the sums of a line begin: with stride 1 each has a sum of its own. */
static const int64_t alone[] = {0, 1, 2, 3, 4, 5, 6}, of_5[] = {0, 2, 3, 5}, of_9[] = {0, 2, 3, 4, 5, 6, 7, 9},
                     of_9_7[] = {0, 2, 4, 6, 7, 9};

/* Tile, taps, stride; roundings and chain; growths; costs; sums. */
static const transforms all_transforms[] = {
    {2, 3, 1, 2, 4, 1, 16, 12, 81, 89, 4, alone},     {4, 3, 1, 4, 6, 1, 157, 116, 253, 314, 6, alone},
    {2, 5, 1, 4, 6, 1, 157, 116, 253, 153, 6, alone}, {2, 3, 2, 2, 2, 4, 9, 9, 90, 140, 3, of_5},
    {4, 3, 2, 4, 6, 4, 88, 80, 650, 550, 7, of_9},    {2, 7, 2, 4, 6, 4, 88, 80, 700, 180, 5, of_9_7},
};

enum {
    MULTIPLY_PANELS = 2, /* panels that are multiplied at once */
    L3_BYTES = 16 << 20  /* weights beyond this come from further away than those beyond CP_L2_BYTES */
};

/* An odd number of cache lines, so that streams this far apart use all sets of a cache. */
static int64_t odd_lines(int64_t floats) {
    const int64_t line = CONVPOOL_ALIGNMENT / (int64_t)sizeof(float);
    return (cp_ceil_div(floats, line) | 1) * line;
}

/* Rows of a phase, and columns of the image, that `tiles` neighbouring tiles read. */
static int64_t reach_rows(const cp_winograd *w, int64_t tiles) { return (tiles - 1) * w->step + w->side; }

static int64_t reach_columns(const cp_winograd *w, int64_t tiles) { return tiles * w->step + (w->side - w->step) * w->dilation; }

/* Where an area begins. Tiles are numbered row by row. */
static int64_t area_begin(const cp_winograd *w, int64_t number) {
    const int64_t units = w->tile_rows * w->tile_columns / w->unit, areas = w->areas_a_group;
    return (number * (units / areas) + number * (units % areas) / areas) * w->unit;
}

/* Sizes of a task of at most `tiles` tiles: rectangles, unless weights from beyond L2 would be read more often for it. Few tasks
 * share the output channels too, for each of which threads, but not one run, transform the input again. */
static void block(cp_winograd *w, int64_t groups, int64_t tiles) {
    enum { SHARE_PANELS = 2, TASKS = 16 };
    const int64_t columns = cp_share(w->tile_columns / w->dilation, tiles / w->dilation) * w->dilation;
    const int64_t rows = cp_share(w->tile_rows, tiles / columns);
    const int64_t all = w->tile_rows * w->tile_columns, least = cp_ceil_div(all, tiles);
    w->areas_a_group = cp_ceil_div(w->tile_rows, rows) * cp_ceil_div(w->tile_columns, columns);
    w->unit = columns == w->tile_columns ? columns : w->dilation;
    if (w->weights_bytes > CP_L2_BYTES && least < w->areas_a_group) {
        w->areas_a_group = least;
        w->unit = w->dilation;
    }
    w->area_tiles = cp_ceil_div(all / w->unit, w->areas_a_group) * w->unit;
    w->panels_a_task = w->panels;
    const int64_t areas = w->areas_a_group * groups;
    if (areas < TASKS) w->panels_a_task = cp_share(w->panels, CP_MAX(cp_ceil_div(w->panels * areas, TASKS), SHARE_PANELS));
    w->panel_tasks = cp_ceil_div(w->panels, w->panels_a_task);
}

static bool size_workspace(cp_winograd *w) {
    enum { WORKSPACE_BYTES = 2 << 20 };
    const int64_t tiles = w->area_tiles, blocks = cp_ceil_div(w->group_in, CP_PANEL), size = (int64_t)sizeof(float);
    const int64_t columns = CP_MIN(tiles, w->tile_columns),
                  rows = CP_MIN(tiles / columns, w->phase_rows); /* of a part of an area */
    int64_t acc;
    w->v_point = odd_lines(blocks * tiles * w->pitch);
    w->m_point = odd_lines(tiles * CP_PANEL);
    w->v_bytes = w->points * w->v_point * size;
    w->m_bytes = CP_MIN(w->panels, MULTIPLY_PANELS) * w->sums * w->sums * w->m_point * size;
    if (!cp_align(reach_rows(w, rows) * reach_columns(w, columns) * w->pitch * size, &w->x_bytes) ||
        !cp_align(columns * w->tile * w->tile * CP_PANEL * size, &acc)) {
        return false;
    }
    w->workspace_bytes = w->x_bytes + w->v_bytes + w->m_bytes + acc;
    return w->workspace_bytes <= WORKSPACE_BYTES;
}

static double bound(const cp_winograd *w) {
    const transforms *t = w->transforms;
    const double input = t->input_roundings, unit = 0x1p-24;
    const double rest = t->output_roundings + t->chain * (double)w->group_in + 2; /* and weights and bias */
    const double growth = t->growth * input + t->later_growth * rest;
    return (input + rest) * unit < 1 ? growth * unit / (1 - (input + rest) * unit) : INFINITY;
}

/* Cost of a group, in pairs of vector FMAs like that of the direct algorithms. Constants are fitted to 1413 layers of 4x4 to
 * 112x112 pixels, 4 to 512 channels and 1 to 32 groups on Zen 5, AVX2 and AVX-512 together: the choice was within 10% of the best
 * on all but 1.9% and 1.4% of them; those of 3x3 with stride 2 to 101 more, on all but three and one of them; those of 7x7 to 178
 * more of 1 to 64 channels, a compromise between the two: on all but 12% and 13%. */
static double cost(const cp_winograd *w) {
    /* Pairs in which 16 weights come from beyond L2 and from beyond half of a usual L3, twice that for stride 2; of a task. */
    const double far = 6, farther = 8, task = 990;
    const double packed = w->pitch == CP_PANEL ? 1 : 0.4; /* of few channels 4 tiles are transformed at once */
    const double areas = (double)w->areas_a_group, tiles = (double)(w->tile_rows * w->tile_columns);
    const double comes = w->weights_bytes > L3_BYTES ? farther : w->weights_bytes > CP_L2_BYTES ? far : 0;
    const double fetch = comes * (double)w->transforms->stride;
    const double waits = 5 * CP_MAX(1, ceil(tiles / areas / 8)); /* fewer than 5 tiles wait for each other */
    const double product = CP_MAX(CP_MAX(tiles / areas, fetch), waits);
    return areas * (task + (double)(w->panels * w->points * w->group_in) * product) +
           tiles * (double)w->panels * w->transforms->output_cost +
           tiles * (double)cp_ceil_div(w->group_in, 8) * w->transforms->input_cost * packed;
}

/* NULL where there are none. */
static const transforms *transforms_of(const convpool_conv2d_desc *d, int64_t tile) {
    const bool dilated = d->dilation_h != 1 || d->dilation_w != 1;
    if (d->kh != d->kw || d->stride_h != d->stride_w || (dilated && d->stride_h != 1)) return NULL;
    for (size_t i = 0; i < sizeof all_transforms / sizeof *all_transforms; i++) {
        const transforms *t = &all_transforms[i];
        if (t->tile == tile && t->taps == d->kh && t->stride == d->stride_h) return t;
    }
    return NULL;
}

bool cp_winograd_plan(cp_winograd *w, const convpool_conv2d_desc *d, int64_t oh, int64_t ow, int64_t tile) {
    enum { CHANNELS_MOST = 1 << 14, V_BYTES = 512 << 10, TILES_LEAST = 28, TILES_MOST = 32, FEW_AREAS = 4, TILES_OF_FEW = 112 };
    const transforms *t = transforms_of(d, tile);
    int64_t n;
    if (t == NULL) return false;
    const int64_t side = (tile - 1) * t->stride + t->taps;
    const int64_t row_phases = CP_MIN(d->dilation_h, oh), phase_rows = cp_ceil_div(cp_ceil_div(oh, row_phases), tile);
    const int64_t groups_of_columns = cp_ceil_div(cp_ceil_div(ow, d->dilation_w), tile);
    *w = (cp_winograd){
        .transforms = t,
        .tile = tile,
        .step = tile * t->stride,
        .side = side,
        .taps = t->taps,
        .points = side * side,
        .sums = t->sums,
        .pitch = t->taps == 7 && d->in_channels / d->groups <= CP_WINOGRAD_FEW ? CP_WINOGRAD_FEW : CP_PANEL,
        .row_phases = row_phases,
        .dilation = d->dilation_w,
        .phase_rows = phase_rows,
        .tile_rows = row_phases * phase_rows,
        .tile_columns = groups_of_columns * d->dilation_w,
        .group_in = d->in_channels / d->groups,
        .group_out = d->out_channels / d->groups,
    };
    if (w->group_in > CHANNELS_MOST || d->dilation_w > TILES_LEAST || (tile == 4 && w->group_in < 2)) return false;
    w->panels = cp_ceil_div(w->group_out, CP_PANEL);
    if (!cp_mul(w->panels * CP_PANEL, d->groups, &n) || !cp_mul(n, (int64_t)sizeof(float), &w->bias_bytes) ||
        !cp_mul(w->bias_bytes, w->points * w->group_in, &w->weights_bytes)) {
        return false;
    }
    /* Transformed input in L2 is worth less than weights that each serve a few register tiles: with many channels it may exceed
     * L2, from beyond which it then streams. */
    const int64_t tile_bytes = w->points * w->group_in * (int64_t)sizeof(float);
    int64_t tiles = w->pitch == CP_WINOGRAD_FEW ? TILES_OF_FEW : CP_MIN(TILES_MOST, CP_MAX(TILES_LEAST, V_BYTES / tile_bytes));
    for (block(w, d->groups, tiles); !size_workspace(w); block(w, d->groups, tiles)) {
        if (--tiles < w->dilation) return false;
    }
    if (!cp_mul(w->areas_a_group, d->groups, &w->areas) || !cp_mul(w->areas, w->panel_tasks, &w->tasks)) return false;
    /* Few areas differ in size; weights from memory are best used for all areas at the same time. */
    w->shares_first = w->areas < FEW_AREAS && w->weights_bytes <= L3_BYTES;
    w->error_bound = bound(w);
    /* With stride 2 the few channels of a group are a little slower than the model of one group has it. */
    w->cost = cost(w) * (double)d->groups * (d->groups > 1 && t->stride == 2 ? 1.08 : 1);
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
            .sums = w->sums,
            .begin = w->transforms->begin,
            .weights = weights + channel * w->group_in * w->taps * w->taps,
            .outputs = real,
            .channels = w->group_in,
            .u = (float *)memory + panel * w->points * w->group_in * CP_PANEL,
        };
        kernels->winograd_weights(&transform);
        for (int64_t o = 0; o < CP_PANEL; o++) b[o] = o < real && bias != NULL ? bias[channel + o] : 0.0f;
    }
}

/* Tiles [first, end) of a group of an image. */
typedef struct area {
    int64_t image, group, first, end;
} area;

static area area_of(const cp_winograd *w, int64_t image, int64_t number) {
    const int64_t of_group = number % w->areas_a_group;
    return (area){image, number / w->areas_a_group, area_begin(w, of_group), area_begin(w, of_group + 1)};
}

typedef struct rectangle {
    int64_t row, column, rows, columns; /* in tiles */
} rectangle;

/* The part of an area that begins with `tile`: whole rows of tiles of a phase, or some tiles of one. */
static rectangle part_of(const cp_winograd *w, const area *a, int64_t tile) {
    const int64_t row = tile / w->tile_columns, column = tile % w->tile_columns, of_phase = w->phase_rows - row % w->phase_rows;
    const int64_t rows = CP_MIN((a->end - tile) / w->tile_columns, of_phase);
    if (column == 0 && rows > 0) return (rectangle){row, 0, rows, w->tile_columns};
    return (rectangle){row, column, 1, CP_MIN(a->end - tile, w->tile_columns - column)};
}

/* An area that is a rectangle, or the rows of tiles in which it lies; of a single phase of rows. */
static rectangle bounds_of(const cp_winograd *w, const area *a) {
    const rectangle part = part_of(w, a, a->first);
    if (part.rows * part.columns == a->end - a->first) return part;
    return (rectangle){part.row, 0, cp_ceil_div(a->end, w->tile_columns) - part.row, w->tile_columns};
}

/* Rows of dst of a phase. */
static int64_t phase_height(const cp_winograd *w, const cp_conv2d_run *r, int64_t phase) {
    return cp_ceil_div(r->dst.height - phase, w->row_phases);
}

/* A part of an area, to where its tiles are in v. */
static void transform_input(const cp_winograd *w, const cp_conv2d_run *r, const area *a, const rectangle *part, float *x,
                            float *v) {
    const convpool_conv2d_desc *d = r->desc;
    const int64_t phase = part->row / w->phase_rows, i = part->row % w->phase_rows * w->step, j = part->column * w->step;
    const int64_t height = phase_height(w, r, phase), width = (r->dst.width - 1) * d->stride_w + (w->taps - 1) * w->dilation + 1;
    cp_conv2d_pack pack = {
        .src = (const float *)r->src.data + a->image * r->src.strides.batch,
        .layout = d->src_layout,
        .strides = r->src.strides,
        .border = d->border,
        .ih = d->ih,
        .iw = d->iw,
        .block = CP_PANEL,
        .pitch = w->pitch,
        .row = i * d->dilation_h + phase - d->pad_top,
        .row_step = d->dilation_h,
        .column = j - d->pad_left,
        .rows = CP_MIN(reach_rows(w, part->rows), (height - 1) * d->stride_h + w->taps - i),
        .columns = CP_MIN(reach_columns(w, part->columns), width - j),
        .dst = x,
    };
    cp_winograd_input input = {
        .step = w->step,
        .side = w->side,
        .sums = w->sums,
        .pitch = w->pitch,
        .dilation = w->dilation,
        .x = x,
        .rows = pack.rows,
        .columns = pack.columns,
        .tile_rows = part->rows,
        .tile_columns = part->columns,
        .v = v,
        .v_point = w->v_point,
    };
    for (int64_t c = 0; c < w->group_in; c += CP_PANEL, input.v += (a->end - a->first) * CP_PANEL) {
        pack.channel = a->group * w->group_in + c;
        pack.channels = input.channels = CP_MIN(CP_PANEL, w->group_in - c);
        r->kernels->conv2d_pack(&pack);
        r->kernels->winograd_input(&input);
    }
}

/* What a share, `part` of `parts`, of the input channels of an area reads, but for the rows that the area above has read. */
static cp_fetch fetch_input(const cp_winograd *w, const cp_conv2d_run *r, const area *a, int64_t part, int64_t parts) {
    const rectangle b = bounds_of(w, a);
    const int64_t i = b.row * w->step - r->desc->pad_top, j = b.column * w->step - r->desc->pad_left;
    const int64_t row_end = CP_MIN(i + reach_rows(w, b.rows), r->src.height), row = CP_MAX(0, i + w->side - w->step);
    const int64_t column_end = CP_MIN(j + reach_columns(w, b.columns), r->src.width), column = CP_MAX(0, j);
    const int64_t first = part * w->group_in / parts, end = (part + 1) * w->group_in / parts;
    if (w->row_phases > 1 || row >= row_end || column >= column_end) return (cp_fetch){0};
    return cp_fetch_of(&r->src, a->image, a->group * w->group_in + first, end - first, row, row_end, column, column_end);
}

/* What some output channels of an area write. */
static cp_fetch fetch_output(const cp_winograd *w, const cp_conv2d_run *r, const area *a, int64_t channel, int64_t channels) {
    const rectangle b = bounds_of(w, a);
    const int64_t i = b.row * w->tile, j = b.column * w->tile;
    if (w->row_phases > 1) return (cp_fetch){0};
    return cp_fetch_of(&r->dst, a->image, channel, channels, i, CP_MIN(i + b.rows * w->tile, r->dst.height), j,
                       CP_MIN(j + b.columns * w->tile, r->dst.width));
}

/* Products of panels of the area, from that of the group on that is `panel`, to pixels of a part of it. */
static void transform_output(const cp_winograd *w, const cp_conv2d_run *r, const area *a, const rectangle *part, int64_t panel,
                             const float *m, float *acc) {
    const convpool_conv2d_desc *d = r->desc;
    const int64_t phase = part->row / w->phase_rows, row = part->row % w->phase_rows * w->tile, channel = panel * CP_PANEL;
    const int64_t i = row * w->row_phases + phase, j = part->column * w->tile;
    const cp_tensor *dst = &r->dst, *residual = &r->residual;
    cp_winograd_output output = {
        .tile = w->tile,
        .sums = w->sums,
        .dilation = w->dilation,
        .m = m,
        .m_point = w->m_point,
        .tile_rows = part->rows,
        .tile_columns = part->columns,
        .bias = w->bias + (a->group * w->panels + panel) * CP_PANEL,
        .acc = acc,
    };
    output.finish = (cp_conv2d_finish){
        .rows = CP_MIN(part->rows * w->tile, phase_height(w, r, phase) - row),
        .columns = CP_MIN(part->columns * w->tile, dst->width - j),
        .channel = a->group * w->group_out + channel,
        .channels = CP_MIN(CP_PANEL, w->group_out - channel),
        .dst = (float *)(uintptr_t)dst->data + a->image * dst->strides.batch + i * dst->strides.row + j * dst->strides.column,
        .layout = d->dst_layout,
        .dst_strides = dst->strides,
        .activation = r->activation,
    };
    cp_conv2d_finish *finish = &output.finish;
    finish->dst_strides.row *= w->row_phases;
    finish->spare = cp_spare_channels(d->dst_layout, d->out_channels, finish->channel + finish->channels);
    if (residual->data != NULL) {
        finish->residual_strides = residual->strides;
        finish->residual_strides.row *= w->row_phases;
        finish->residual = (const float *)residual->data + a->image * residual->strides.batch + i * residual->strides.row +
                           j * residual->strides.column;
    }
    r->kernels->winograd_output(&output);
}

/* Panels [panel, panel + panels) of the group, at most MULTIPLY_PANELS; `more` come next. */
static void multiply_panels(const cp_winograd *w, const cp_conv2d_run *r, const area *a, int64_t panel, int64_t panels,
                            cp_fetch next, bool far, bool more, const float *v, float *m, float *acc) {
    const int64_t channel = panel * CP_PANEL, channels = CP_MIN(panels * CP_PANEL, w->group_out - channel);
    const float *u = w->weights + (a->group * w->panels + panel) * w->points * w->group_in * CP_PANEL;
    const cp_winograd_multiply multiply = {
        .v = v,
        .v_point = w->v_point,
        .u = u,
        .next_u = more ? u + panels * w->points * w->group_in * CP_PANEL : NULL,
        .m = m,
        .m_point = w->m_point,
        .panels = panels,
        .side = w->side,
        .sums = w->sums,
        .begin = w->transforms->begin,
        .pitch = w->pitch,
        .tiles = a->end - a->first,
        .channels = w->group_in,
        .far = far,
        .fetch = {next, fetch_output(w, r, a, a->group * w->group_out + channel, channels)},
    };
    r->kernels->winograd_multiply(&multiply);
    for (int64_t p = 0; p < panels; p++, m += w->sums * w->sums * w->m_point) {
        for (int64_t tile = a->first; tile < a->end;) {
            const rectangle part = part_of(w, a, tile);
            transform_output(w, r, a, &part, panel + p, m + (tile - a->first) * CP_PANEL, acc);
            tile += part.rows * part.columns;
        }
    }
}

/* Shares [share, share_end) of the output channels of an area; `after` comes next, or is NULL. With `first` the weights are
 * wherever they were left. */
static void run_area(const cp_winograd *w, const cp_conv2d_run *r, const area *a, const area *after, bool first, int64_t share,
                     int64_t share_end) {
    float *x = (float *)r->workspace, *v = (float *)(r->workspace + w->x_bytes);
    float *m = (float *)(r->workspace + w->x_bytes + w->v_bytes);
    float *acc = (float *)(r->workspace + w->x_bytes + w->v_bytes + w->m_bytes);
    const int64_t panel = share * w->panels_a_task, panel_end = CP_MIN(w->panels, share_end * w->panels_a_task);
    const int64_t parts = cp_ceil_div(panel_end - panel, MULTIPLY_PANELS);
    const bool far = first || w->weights_bytes > CP_L2_BYTES;
    for (int64_t tile = a->first; tile < a->end;) {
        const rectangle part = part_of(w, a, tile);
        transform_input(w, r, a, &part, x, v + (tile - a->first) * w->pitch);
        tile += part.rows * part.columns;
    }
    for (int64_t part = 0; part < parts; part++) {
        const int64_t p = panel + part * MULTIPLY_PANELS;
        const cp_fetch next = after != NULL ? fetch_input(w, r, after, part, parts) : (cp_fetch){0};
        multiply_panels(w, r, a, p, CP_MIN(MULTIPLY_PANELS, panel_end - p), next, far, part + 1 < parts, v, m, acc);
    }
}

/* Of n things of which every `step`-th task from `first` on is one, how many come before `task`. */
static int64_t before(int64_t task, int64_t first, int64_t step, int64_t n) {
    return CP_MIN(n, cp_ceil_div(CP_MAX(0, task - first), step));
}

/* The input of an area is transformed once for all the shares of it that the range has. */
void cp_winograd_execute(const cp_winograd *w, const cp_conv2d_run *r, int64_t begin, int64_t end) {
    const int64_t shares = w->panel_tasks, from_area = w->shares_first ? 1 : shares, from_share = w->shares_first ? w->areas : 1;
    bool first = true;
    for (int64_t last; begin < end; begin = last) {
        const int64_t image = begin / w->tasks, zero = image * w->tasks; /* the first task of the image */
        last = CP_MIN(end, zero + w->tasks);
        int64_t number = w->shares_first ? 0 : (begin - zero) / shares;
        const int64_t area_end = before(last, zero, from_area, w->areas);
        for (; number < area_end; number++) {
            const area a = area_of(w, image, number), after = area_of(w, image, number + 1);
            const int64_t task = zero + number * from_area;
            const int64_t share = before(begin, task, from_share, shares), share_end = before(last, task, from_share, shares);
            if (share >= share_end) continue;
            run_area(w, r, &a, number + 1 < area_end ? &after : NULL, first, share, share_end);
            first = false;
        }
    }
}
