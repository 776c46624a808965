/* SPDX-License-Identifier: MIT
 * Pooling: validation, plans and the loop over tasks. */
#include "kernels.h"

#include <math.h>
#include <string.h>

/* Which kernel a plan runs. */
typedef enum pool2d_family {
    POOL2D_UNPOOL,
    POOL2D_WIDTH,
    POOL2D_CHANNELS,
    POOL2D_GLOBAL,
    POOL2D_LANES,
    POOL2D_ELEMENTS
} pool2d_family;

struct convpool_pool2d {
    cp_plan head;
    convpool_pool2d_desc desc; /* with oh and ow filled in */
    convpool_plan_info info;
    const cp_kernels *kernels;
    int64_t channels_a_task, rows_a_task;
    int64_t channel_tasks, row_tasks;
    pool2d_family family;
    cp_pool2d_lanes lanes;
    cp_pool2d_width width;
};

static convpool_status sliding_size(int64_t input, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after,
                                    bool ceil_mode, int64_t *output) {
    int64_t span, padded;
    if (kernel < 1) return CONVPOOL_STATUS_INVALID_KERNEL;
    if (stride < 1) return CONVPOOL_STATUS_INVALID_STRIDE;
    if (dilation < 1) return CONVPOOL_STATUS_INVALID_DILATION;
    if (!cp_mul(kernel - 1, dilation, &span)) return CONVPOOL_STATUS_SIZE_OVERFLOW;
    if (before < 0 || after < 0 || before > span || after > span) return CONVPOOL_STATUS_INVALID_PADDING;
    if (!cp_add(input, before, &padded) || !cp_add(padded, after, &padded)) return CONVPOOL_STATUS_SIZE_OVERFLOW;
    if (span >= padded) return CONVPOOL_STATUS_EMPTY_OUTPUT;
    const int64_t room = padded - span - 1;
    *output = room / stride + 1;
    /* A last window that starts in the padding behind the image is dropped. Its start must fit, which it does if that is not so. */
    if (ceil_mode && room % stride != 0 && *output <= (input + before - 1) / stride) ++*output;
    return CONVPOOL_STATUS_OK;
}

static convpool_status check_desc(convpool_pool2d_desc *d) {
    int64_t oh = d->oh, ow = d->ow;
    const bool u8 = d->src_type == CONVPOOL_DATA_TYPE_U8, forward = d->direction == CONVPOOL_DIRECTION_FORWARD;
    if (d->src_type != CONVPOOL_DATA_TYPE_F32 && !u8) return CONVPOOL_STATUS_UNSUPPORTED_DATA_TYPE;
    if (d->dst_type != CONVPOOL_DATA_TYPE_F32 && !(u8 && d->dst_type == CONVPOOL_DATA_TYPE_U8)) {
        return CONVPOOL_STATUS_UNSUPPORTED_DATA_TYPE;
    }
    if (!forward && d->src_type != d->dst_type) return CONVPOOL_STATUS_UNSUPPORTED_DATA_TYPE;
    if ((unsigned)d->src_layout > CONVPOOL_LAYOUT_NCHW8C || (unsigned)d->dst_layout > CONVPOOL_LAYOUT_NCHW8C) {
        return CONVPOOL_STATUS_UNSUPPORTED_LAYOUT;
    }
    if ((unsigned)d->direction > CONVPOOL_DIRECTION_TRANSPOSED) return CONVPOOL_STATUS_UNSUPPORTED_DIRECTION;
    if ((unsigned)d->kind > CONVPOOL_POOL_KIND_LP) return CONVPOOL_STATUS_UNSUPPORTED_POOL_KIND;
    if (d->kind == CONVPOOL_POOL_KIND_LP && d->p != 1 && d->p != 2) return CONVPOOL_STATUS_UNSUPPORTED_POOL_KIND;
    if ((unsigned)d->window > CONVPOOL_POOL_WINDOW_ADAPTIVE) return CONVPOOL_STATUS_UNSUPPORTED_POOL_WINDOW;
    if ((unsigned)d->indices > CONVPOOL_INDICES_TENSOR) return CONVPOOL_STATUS_UNSUPPORTED_INDICES;
    if (d->indices != CONVPOOL_INDICES_NONE && d->kind != CONVPOOL_POOL_KIND_MAX) return CONVPOOL_STATUS_UNSUPPORTED_INDICES;
    if (!forward && d->kind != CONVPOOL_POOL_KIND_MAX) return CONVPOOL_STATUS_UNSUPPORTED_DIRECTION;
    if (!forward && d->indices != CONVPOOL_INDICES_PLANE) return CONVPOOL_STATUS_UNSUPPORTED_INDICES;
    if ((unsigned)d->ceil_mode > 1 || (unsigned)d->count_include_pad > 1) return CONVPOOL_STATUS_UNSUPPORTED_FLAG;
    if (d->channels < 1) return CONVPOOL_STATUS_INVALID_CHANNELS;
    if (d->ih < 1 || d->iw < 1) return CONVPOOL_STATUS_INVALID_INPUT_SIZE;
    if (d->divisor_override < 0) return CONVPOOL_STATUS_INVALID_DIVISOR;
    switch (d->window) {
    case CONVPOOL_POOL_WINDOW_GLOBAL:
        d->kh = d->ih;
        d->kw = d->iw;
        oh = ow = 1;
        break;
    case CONVPOOL_POOL_WINDOW_ADAPTIVE:
        if (oh < 1 || ow < 1) return CONVPOOL_STATUS_INVALID_OUTPUT_SIZE;
        d->kh = cp_ceil_div(d->ih, oh);
        d->kw = cp_ceil_div(d->iw, ow);
        break;
    default: {
        convpool_status status =
            sliding_size(d->ih, d->kh, d->stride_h, d->dilation_h, d->pad_top, d->pad_bottom, d->ceil_mode == 1, &oh);
        if (status != CONVPOOL_STATUS_OK) return status;
        status = sliding_size(d->iw, d->kw, d->stride_w, d->dilation_w, d->pad_left, d->pad_right, d->ceil_mode == 1, &ow);
        if (status != CONVPOOL_STATUS_OK) return status;
        break;
    }
    }
    if (d->window != CONVPOOL_POOL_WINDOW_SLIDING) {
        d->stride_h = d->stride_w = d->dilation_h = d->dilation_w = 1;
        d->pad_top = d->pad_bottom = d->pad_left = d->pad_right = d->divisor_override = 0;
        d->ceil_mode = d->count_include_pad = 0;
    }
    if ((d->oh != 0 && d->oh != oh) || (d->ow != 0 && d->ow != ow)) return CONVPOOL_STATUS_INVALID_OUTPUT_SIZE;
    d->oh = oh;
    d->ow = ow;
    return CONVPOOL_STATUS_OK;
}

/* Cells of an axis that n neighbouring windows of `taps` read, at most. */
static int64_t span_of(const convpool_pool2d_desc *d, int64_t n, int64_t taps, int64_t stride, int64_t dilation, int64_t cells) {
    const bool adaptive = d->window == CONVPOOL_POOL_WINDOW_ADAPTIVE;
    const double span =
        adaptive ? (double)n * (double)taps + 1 : (double)(n - 1) * (double)stride + (double)(taps - 1) * (double)dilation + 1;
    return span < (double)cells ? (int64_t)span : cells;
}

/* Lays out the workspace of pool2d_lanes for `rows` x `columns` outputs at a time, and tells its size in floats. */
static double lanes_layout(const convpool_pool2d_desc *d, cp_pool2d_lanes *l) {
    const bool indexed = d->indices != CONVPOOL_INDICES_NONE;
    const int64_t width = span_of(d, l->columns, d->kw, d->stride_w, d->dilation_w, d->iw);
    const int64_t height = span_of(d, l->rows, d->kh, d->stride_h, d->dilation_h, d->ih);
    l->lines = CP_MAX(1, CP_MIN(height, 256 / width));
    const double sizes[] = {2.0 * (double)CP_MAX(CP_MIN(d->kh, d->ih), CP_MIN(d->kw, d->iw)),
                            (double)cp_ceil_div(l->columns, CP_POOL2D_LANES),
                            indexed ? (double)width : 0,
                            (double)l->lines * (double)width,
                            (double)height * (double)l->columns,
                            indexed ? (double)height * (double)l->columns : 0,
                            (double)l->rows * (double)l->columns,
                            indexed ? (double)l->rows * (double)l->columns : 0};
    int64_t *const parts[] = {&l->suffix, &l->cells, &l->column_at, &l->line, &l->row, &l->row_at, &l->out, &l->out_at};
    double floats = 0;
    for (int i = 0; i < 8; i++) {
        *parts[i] = (int64_t)floats;
        floats += sizes[i] * (double)CP_POOL2D_LANES;
        if (floats > 1e12) break;
    }
    return floats;
}

/* Rows and columns that pool2d_lanes takes together: as many as stay in L1 and L2. False if not even one output would do. */
static bool lanes_plan(convpool_pool2d *p) {
    const convpool_pool2d_desc *d = &p->desc;
    const double near = 1 << 14, far = 1 << 17, most = 1 << 19; /* floats */
    cp_pool2d_lanes *l = &p->lanes;
    l->columns = d->ow;
    l->rows = d->stride_h > (d->kh - 1) * d->dilation_h + 1 ? 1 : d->oh;
    double floats = lanes_layout(d, l);
    while (floats > (l->rows > d->kh ? near : far) && l->rows > 1) {
        l->rows = cp_ceil_div(l->rows, 2);
        floats = lanes_layout(d, l);
    }
    while (floats > far * 2 && l->columns > 1) {
        l->columns = cp_ceil_div(l->columns, 2);
        floats = lanes_layout(d, l);
    }
    if (floats > most) return false;
    l->bytes = (int64_t)floats * (int64_t)sizeof(float);
    return true;
}

/* Lays out the workspace of pool2d_width for l->columns outputs at a time, and tells its size in floats. */
static double width_layout(const convpool_pool2d_desc *d, cp_pool2d_width *l) {
    const bool indexed = d->indices != CONVPOOL_INDICES_NONE;
    const double side = d->dst_layout == CONVPOOL_LAYOUT_NCHW ? 1 : (double)d->channels, step = (double)d->stride_w;
    const double pitch = ceil((double)l->columns * side / 16) * 16, apart = floor((double)((d->kw - 1) * d->dilation_w) / step);
    const double phase = ceil((apart * side + pitch) / 16 + 2) * 16; /* room for whole vectors behind */
    const double line = d->stride_w == 1 ? phase : step * (phase + 16 * side);
    const double sizes[] = {line,
                            d->stride_w == 1 ? 0 : (double)l->phases * phase,
                            (double)l->rows * pitch,
                            indexed ? (double)l->rows * pitch : 0,
                            pitch,
                            indexed ? pitch : 0,
                            pitch,
                            indexed ? pitch : 0,
                            indexed ? pitch : 0};
    int64_t line_at;
    int64_t *const parts[] = {&line_at,   &l->split, &l->row,      &l->row_at,   &l->out,
                              &l->out_at, &l->cells, &l->first_at, &l->column_at};
    double floats = 0;
    for (int i = 0; i < 9; i++) {
        *parts[i] = (int64_t)floats;
        floats += sizes[i];
        if (floats > 1e12) return floats;
    }
    if (d->stride_w == 1) l->split = 0; /* A line is its only part. */
    l->line = (int64_t)line;
    l->phase = (int64_t)phase;
    l->pitch = (int64_t)pitch;
    return floats;
}

/* Columns that pool2d_width takes together: as many as stay in L2. False if windows are too long. */
static bool width_plan(convpool_pool2d *p) {
    const convpool_pool2d_desc *d = &p->desc;
    const double near = 1 << 16, most = 1 << 19; /* floats */
    const double reach = (double)(d->kh - 1) * (double)d->dilation_h + 1;
    cp_pool2d_width *l = &p->width;
    const bool planes = d->src_layout == CONVPOOL_LAYOUT_NCHW;
    const double places = (planes ? 1 : (double)d->channels) * (double)d->ih * (double)d->iw;
    if (d->window != CONVPOOL_POOL_WINDOW_SLIDING || d->src_layout != d->dst_layout || d->src_layout == CONVPOOL_LAYOUT_NCHW8C ||
        d->kw > CP_POOL2D_TAPS || reach > (double)CP_POOL2D_TAPS || (double)(d->kw - 1) * (double)d->dilation_w > most ||
        (d->indices != CONVPOOL_INDICES_NONE && places >= 1 << 30)) {
        return false;
    }
    l->rows = (int64_t)reach;
    l->columns = d->ow;
    int64_t period = d->stride_w, rest = d->dilation_w;
    while (rest != 0) {
        const int64_t t = period % rest;
        period = rest;
        rest = t;
    }
    l->phases = CP_MIN(d->stride_w / period, d->kw);
    double floats = width_layout(d, l);
    while (floats > near && l->columns > 128) {
        l->columns = cp_ceil_div(l->columns, 32) * 16;
        floats = width_layout(d, l);
    }
    if (floats > most) return false;
    l->bytes = (int64_t)floats * (int64_t)sizeof(float);
    return true;
}

/* Whether lanes along the width are the faster ones, where both ways are open. */
static bool is_wide(const convpool_pool2d_desc *d, bool small) {
    const bool indexed = d->indices != CONVPOOL_INDICES_NONE;
    if (small) {
        const bool tall = d->kind == CONVPOOL_POOL_KIND_AVERAGE && d->oh > 32 && d->iw > 6;
        return tall || d->ow > (d->oh > 4 ? 5 : 8);
    }
    const bool gathered = indexed || d->src_type == CONVPOOL_DATA_TYPE_U8; /* or scattered, lane by lane, if lanes are channels */
    if (d->dst_layout == CONVPOOL_LAYOUT_NHWC) {
        return gathered || d->channels < 16 || (d->stride_w == 1 && d->kw > 2 && d->ow > 4);
    }
    return d->channels < 5 || (gathered ? d->ow >= 20 : d->channels <= 8 && d->ow >= 64);
}

/* Which kernel serves a plan best, or as an algorithm that was asked for. */
static void choose_family(convpool_pool2d *p) {
    const convpool_pool2d_desc *d = &p->desc;
    const double plane = (double)d->ih * (double)d->iw;
    const bool exact_sizes = CP_MAX(d->kh, d->kw) < 1 << 24; /* as floats: what vectors of divisors are made from */
    const bool planes = d->dst_layout == CONVPOOL_LAYOUT_NCHW;
    const bool indexed = d->indices != CONVPOOL_INDICES_NONE;
    const bool plain = d->src_type == CONVPOOL_DATA_TYPE_F32 && d->src_layout == d->dst_layout && !indexed && exact_sizes;
    const bool small = cp_pool2d_is_small(d) && (!indexed || plane < 1 << 30);                         /* int32 places */
    const bool width = small || width_plan(p), lanes = lanes_plan(p) && (!indexed || plane < 1 << 24); /* places as floats */
    if (d->direction == CONVPOOL_DIRECTION_TRANSPOSED) {
        p->family = POOL2D_UNPOOL;
    } else if (d->window == CONVPOOL_POOL_WINDOW_GLOBAL && d->kind != CONVPOOL_POOL_KIND_MAX) {
        p->family = plain ? POOL2D_GLOBAL : POOL2D_ELEMENTS;
    } else if (width && (d->algorithm == CONVPOOL_ALGORITHM_AUTO ? !lanes || is_wide(d, small)
                                                                 : d->algorithm == CONVPOOL_ALGORITHM_POOL_WIDTH)) {
        p->family = POOL2D_WIDTH;
    } else if (plain && !planes && (!lanes || (d->kh + 1) * d->kw <= 12)) {
        p->family = POOL2D_CHANNELS;
    } else {
        p->family = lanes ? POOL2D_LANES : POOL2D_ELEMENTS;
    }
}

static convpool_algorithm algorithm_of(const convpool_pool2d *p) {
    const bool planes = p->desc.dst_layout == CONVPOOL_LAYOUT_NCHW;
    return p->family == POOL2D_WIDTH || (p->family != POOL2D_LANES && planes) ? CONVPOOL_ALGORITHM_POOL_WIDTH
                                                                              : CONVPOOL_ALGORITHM_POOL_CHANNELS;
}

static convpool_status plan(convpool_pool2d *p, const convpool_pool2d_desc *desc) {
    int64_t n, taps;
    *p = (convpool_pool2d){0};
    convpool_status status = cp_read_struct(&p->desc, desc, sizeof p->desc);
    if (status != CONVPOOL_STATUS_OK) return status;
    convpool_pool2d_desc *d = &p->desc;
    p->kernels = cp_kernels_of(&d->isa);
    if (p->kernels == NULL) return CONVPOOL_STATUS_UNSUPPORTED_ISA;
    status = check_desc(d);
    if (status != CONVPOOL_STATUS_OK) return status;
    int64_t channels;
    if (!cp_add(d->channels, 7, &channels) || !cp_mul(channels, d->ih, &n) || !cp_mul(n, d->iw, &n) ||
        !cp_mul(n, sizeof(int64_t), &n) || !cp_mul(channels, d->oh, &n) || !cp_mul(n, d->ow, &n) ||
        !cp_mul(n, sizeof(int64_t), &n) || !cp_mul(d->oh + 1, d->ih, &n) || !cp_mul(d->ow + 1, d->iw, &n) ||
        !cp_mul(d->kh, d->kw, &taps) || !cp_mul(d->channels, d->oh, &n) || !cp_mul(n, d->ow, &n) || !cp_mul(n, taps, &n)) {
        return CONVPOOL_STATUS_SIZE_OVERFLOW;
    }
    choose_family(p);
    const convpool_algorithm algorithm = algorithm_of(p);
    if (d->algorithm != CONVPOOL_ALGORITHM_AUTO && d->algorithm != algorithm) return CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM;
    /* A task is some channels of an image, whole planes or rows of one. Channels side by side are one task's as far as they go. */
    const bool strips = p->family == POOL2D_WIDTH && p->width.bytes > 0;
    const double taps_moved = p->family == POOL2D_LANES || strips ? (double)d->kh + (double)d->kw + 8 : (double)taps;
    const double task_taps = strips ? 1 << 22 : p->family == POOL2D_WIDTH ? 1 << 18 : 1 << 16;
    const double row = (double)d->ow * taps_moved;
    const int64_t unit = d->dst_layout == CONVPOOL_LAYOUT_NHWC   ? d->channels
                         : p->family == POOL2D_LANES             ? CP_POOL2D_LANES
                         : d->dst_layout == CONVPOOL_LAYOUT_NCHW ? 1
                                                                 : 8;
    const double unit_row = row * (double)unit;
    if (p->family == POOL2D_UNPOOL) {
        p->rows_a_task = d->oh;
        p->channels_a_task = 8;
    } else if (unit_row * (double)d->oh >= task_taps) {
        p->rows_a_task = cp_share(d->oh, (int64_t)CP_MIN((double)d->oh, CP_MAX(8.0, task_taps / unit_row)));
        p->channels_a_task = unit;
    } else {
        p->rows_a_task = d->oh;
        p->channels_a_task = unit * (int64_t)CP_MAX(1.0, task_taps / (unit_row * (double)d->oh));
        const int64_t share = cp_share(d->channels, p->channels_a_task), whole = share < 8 ? unit : CP_MAX(unit, 8);
        p->channels_a_task = cp_ceil_div(share, whole) * whole; /* Global sums take 8 planes at a time. */
    }
    p->channels_a_task = CP_MIN(p->channels_a_task, d->channels);
    p->channel_tasks = cp_ceil_div(d->channels, p->channels_a_task);
    p->row_tasks = cp_ceil_div(d->oh, p->rows_a_task);
    p->info = (convpool_plan_info){
        .struct_size = sizeof p->info,
        .isa = d->isa,
        .algorithm = algorithm,
        .oh = d->oh,
        .ow = d->ow,
        .plan_bytes = sizeof *p,
        .workspace_bytes = p->family == POOL2D_LANES   ? p->lanes.bytes
                           : p->family == POOL2D_WIDTH ? p->width.bytes
                                                       : 0,
        .tasks = p->channel_tasks * p->row_tasks,
        .flops = n,
    };
    return CONVPOOL_STATUS_OK;
}

convpool_status convpool_pool2d_query(const convpool_pool2d_desc *desc, convpool_plan_info *info) {
    convpool_pool2d p;
    const convpool_status status = plan(&p, desc);
    return status != CONVPOOL_STATUS_OK ? status : cp_write_struct(info, &p.info, sizeof p.info);
}

convpool_status convpool_pool2d_init(const convpool_pool2d_desc *desc, void *memory, int64_t memory_bytes, convpool_pool2d **out) {
    convpool_pool2d p;
    const convpool_status status = plan(&p, desc);
    if (status != CONVPOOL_STATUS_OK) return status;
    if (memory == NULL || out == NULL) return CONVPOOL_STATUS_NULL_POINTER;
    if (!cp_is_aligned(memory, CONVPOOL_ALIGNMENT)) return CONVPOOL_STATUS_MISALIGNED;
    if (memory_bytes < p.info.plan_bytes) return CONVPOOL_STATUS_BUFFER_TOO_SMALL;
    p.head = (cp_plan){memory, CP_PLAN_POOL2D};
    memcpy(memory, &p, sizeof p);
    *out = memory;
    return CONVPOOL_STATUS_OK;
}

convpool_status convpool_pool2d_plan_info(const convpool_pool2d *p, convpool_plan_info *info) {
    if (p == NULL) return CONVPOOL_STATUS_NULL_POINTER;
    if (!cp_is_plan(&p->head, CP_PLAN_POOL2D)) return CONVPOOL_STATUS_INVALID_PLAN;
    return cp_write_struct(info, &p->info, sizeof p->info);
}

int64_t convpool_pool2d_task_count(const convpool_pool2d *p, int64_t batch) {
    int64_t tasks;
    return p != NULL && cp_is_plan(&p->head, CP_PLAN_POOL2D) && batch >= 0 && cp_mul(p->info.tasks, batch, &tasks) ? tasks : 0;
}

/* One run: the tensors behind its arguments. In a forward run indices are written, in a transposed one read. */
typedef struct pool2d_run {
    const convpool_pool2d *plan;
    cp_tensor src, dst, indices;
    bool stream;
    float *workspace;
} pool2d_run;

static int64_t element_size(convpool_data_type type) { return type == CONVPOOL_DATA_TYPE_U8 ? 1 : 4; }

static convpool_status check_run(pool2d_run *r, const convpool_pool2d_args *a) {
    const convpool_pool2d_desc *d = &r->plan->desc;
    const bool forward = d->direction == CONVPOOL_DIRECTION_FORWARD, indexed = d->indices != CONVPOOL_INDICES_NONE;
    const cp_tensor image = {.batch = a->batch, .channels = d->channels, .height = d->ih, .width = d->iw};
    const cp_tensor pooled = {.batch = a->batch, .channels = d->channels, .height = d->oh, .width = d->ow};
    r->src = forward ? image : pooled;
    r->dst = forward ? pooled : image;
    r->indices = pooled;
    r->src.layout = d->src_layout;
    r->dst.layout = r->indices.layout = d->dst_layout;
    r->src.element_size = element_size(d->src_type);
    r->dst.element_size = element_size(d->dst_type);
    r->indices.element_size = sizeof(int64_t);
    r->src.data = a->src;
    r->dst.data = a->dst;
    r->indices.data = a->indices;
    r->workspace = a->workspace;
    if (r->plan->info.workspace_bytes > 0) {
        if (a->workspace == NULL) return CONVPOOL_STATUS_NULL_POINTER;
        if (!cp_is_aligned(a->workspace, CONVPOOL_ALIGNMENT)) return CONVPOOL_STATUS_MISALIGNED;
        if (a->workspace_bytes < r->plan->info.workspace_bytes) return CONVPOOL_STATUS_BUFFER_TOO_SMALL;
    }
    if (!indexed && a->indices != NULL) return CONVPOOL_STATUS_UNSUPPORTED_INDICES;
    convpool_status status = cp_tensor_init(&r->src, a->src_strides, false);
    if (status == CONVPOOL_STATUS_OK) status = cp_tensor_init(&r->dst, a->dst_strides, true);
    if (status == CONVPOOL_STATUS_OK && indexed) status = cp_tensor_init(&r->indices, a->indices_strides, forward);
    if (status != CONVPOOL_STATUS_OK) return status;
    const convpool_strides *s = &r->dst.strides;
    const convpool_strides *at = indexed ? &r->indices.strides : s;
    const bool lines = cp_is_aligned(a->dst, 64) && (d->ow | s->row | s->channel | s->batch) % 16 == 0 &&
                       cp_is_aligned(r->indices.data, 64) && (at->row | at->channel | at->batch) % 8 == 0;
    r->stream = lines && (double)(indexed ? 3 : 1) * (double)a->batch * (double)d->channels * (double)d->oh * (double)d->ow >=
                             (double)CP_STREAM_FLOATS;
    if (cp_tensors_overlap(&r->src, &r->dst)) return CONVPOOL_STATUS_OVERLAP;
    if (indexed && (cp_tensors_overlap(&r->indices, &r->dst) || (forward && cp_tensors_overlap(&r->indices, &r->src)))) {
        return CONVPOOL_STATUS_OVERLAP;
    }
    return CONVPOOL_STATUS_OK;
}

static convpool_status unpool_task(const pool2d_run *r, int64_t image, int64_t channel, int64_t channels) {
    const convpool_pool2d_desc *d = &r->plan->desc;
    const char *src = cp_tensor_image(&r->src, image);
    char *dst = cp_tensor_image(&r->dst, image);
    const int64_t *indices = cp_tensor_image(&r->indices, image);
    convpool_status status = CONVPOOL_STATUS_OK;
    cp_tensor_clear(&r->dst, image, channel, channels + cp_spare_channels(r->dst.layout, d->channels, channel + channels), 0,
                    d->ih);
    for (int64_t c = channel; c < channel + channels; c++) {
        for (int64_t i = 0; i < d->oh; i++) {
            for (int64_t j = 0; j < d->ow; j++) {
                const int64_t index = indices[cp_tensor_offset(&r->indices, c, i, j)], size = r->src.element_size;
                if (index == -1) continue;
                if (index < 0 || index >= d->ih * d->iw) {
                    status = CONVPOOL_STATUS_INVALID_INDEX;
                    continue;
                }
                memcpy(dst + cp_tensor_offset(&r->dst, c, index / d->iw, index % d->iw) * size,
                       src + cp_tensor_offset(&r->src, c, i, j) * size, (size_t)size);
            }
        }
    }
    return status;
}

static void pool_task(const pool2d_run *r, int64_t image, int64_t channel, int64_t channels, int64_t row, int64_t rows) {
    const convpool_pool2d *p = r->plan;
    const convpool_pool2d_desc *d = &p->desc;
    const bool tensor_indices = d->indices == CONVPOOL_INDICES_TENSOR;
    const cp_pool2d_band band = {
        .src = cp_tensor_image(&r->src, image),
        .dst = cp_tensor_image(&r->dst, image),
        .indices = cp_tensor_image(&r->indices, image),
        .index_base = tensor_indices ? image * d->channels * d->ih * d->iw : 0,
        .index_plane = tensor_indices ? d->ih * d->iw : 0,
        .src_strides = r->src.strides,
        .dst_strides = r->dst.strides,
        .indices_strides = r->indices.strides,
        .desc = d,
        .channel = channel,
        .channels = channels,
        .row = row,
        .rows = rows,
        .stream = r->stream,
        .lanes = &p->lanes,
        .width = &p->width,
        .workspace = r->workspace,
    };
    const bool planes = d->dst_layout == CONVPOOL_LAYOUT_NCHW, gapless = d->ih == 1 || r->src.strides.row == d->iw;
    if (p->family == POOL2D_WIDTH) {
        p->kernels->pool2d_width(&band);
    } else if (p->family == POOL2D_CHANNELS) {
        p->kernels->pool2d_channels(&band);
    } else if (p->family == POOL2D_LANES) {
        p->kernels->pool2d_lanes(&band);
    } else if (p->family == POOL2D_GLOBAL && (!planes || gapless)) {
        p->kernels->pool2d_global(&band);
    } else {
        p->kernels->pool2d_elements(&band);
    }
    const int64_t spare = cp_spare_channels(r->dst.layout, d->channels, channel + channels);
    cp_tensor_clear(&r->dst, image, channel + channels, spare, row, rows);
    if (band.indices != NULL) cp_tensor_clear(&r->indices, image, channel + channels, spare, row, rows);
}

convpool_status convpool_pool2d_run(const convpool_pool2d *plan, const convpool_pool2d_args *args) {
    convpool_pool2d_args a;
    pool2d_run run = {.plan = plan};
    int64_t tasks, index;
    if (plan == NULL) return CONVPOOL_STATUS_NULL_POINTER;
    if (!cp_is_plan(&plan->head, CP_PLAN_POOL2D)) return CONVPOOL_STATUS_INVALID_PLAN;
    convpool_status status = cp_read_struct(&a, args, sizeof a);
    if (status != CONVPOOL_STATUS_OK) return status;
    const convpool_pool2d_desc *d = &plan->desc;
    if (a.reserved != 0) return CONVPOOL_STATUS_UNSUPPORTED_FLAG;
    if (a.batch < 0) return CONVPOOL_STATUS_INVALID_BATCH;
    if (!cp_mul(plan->info.tasks, a.batch, &tasks) || !cp_mul(d->channels * d->ih * d->iw, a.batch, &index)) {
        return CONVPOOL_STATUS_SIZE_OVERFLOW;
    }
    if (a.task_begin < 0 || a.task_begin > a.task_end || a.task_end > tasks) return CONVPOOL_STATUS_INVALID_TASK_RANGE;
    if (a.batch == 0) return CONVPOOL_STATUS_OK;
    status = check_run(&run, &a);
    if (status != CONVPOOL_STATUS_OK) return status;
    for (int64_t task = a.task_begin; task < a.task_end; task++) {
        const int64_t image = task / plan->info.tasks, channel = task % plan->info.tasks / plan->row_tasks * plan->channels_a_task;
        const int64_t row = task % plan->row_tasks * plan->rows_a_task;
        const int64_t channels = CP_MIN(plan->channels_a_task, d->channels - channel);
        if (d->direction == CONVPOOL_DIRECTION_TRANSPOSED) {
            const convpool_status of_task = unpool_task(&run, image, channel, channels);
            if (of_task != CONVPOOL_STATUS_OK) status = of_task;
        } else {
            pool_task(&run, image, channel, channels, row, CP_MIN(plan->rows_a_task, d->oh - row));
        }
    }
    return status;
}
