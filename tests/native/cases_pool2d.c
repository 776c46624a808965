/* SPDX-License-Identifier: MIT */
#include "cases.h"
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------------------- making */

static void random_shape(rng *r, pool2d_case *c) {
    switch (rng_range(r, 0, 3)) {
    case 0: /* wide */
        c->channels = rng_range(r, 1, 3);
        c->ih = rng_range(r, 1, 8);
        c->iw = rng_range(r, 1, 200);
        break;
    case 1: /* deep */
        c->channels = rng_range(r, 1, 150);
        c->ih = rng_range(r, 1, 7);
        c->iw = rng_range(r, 1, 7);
        break;
    default:
        c->channels = rng_range(r, 1, 20);
        c->ih = rng_range(r, 1, 20);
        c->iw = rng_range(r, 1, 20);
        break;
    }
    c->kind = PICK(r, CONVPOOL_POOL_KIND_MAX, CONVPOOL_POOL_KIND_MAX, CONVPOOL_POOL_KIND_AVERAGE, CONVPOOL_POOL_KIND_LP);
    c->window = rng_chance(r, 75) ? CONVPOOL_POOL_WINDOW_SLIDING : rng_range(r, 1, 2);
    c->src_layout = rng_chance(r, 50) ? CONVPOOL_LAYOUT_NCHW : rng_range(r, 0, 2);
    c->dst_layout = rng_chance(r, 70) ? c->src_layout : rng_range(r, 0, 2);
    if (rng_chance(r, 12)) {
        c->src_type = CONVPOOL_DATA_TYPE_U8;
        c->dst_type = rng_chance(r, 60) ? CONVPOOL_DATA_TYPE_U8 : CONVPOOL_DATA_TYPE_F32;
    }
}

/* 1..33 channels and columns, for max and for average, in each layout. */
static void tail_shape(rng *r, pool2d_case *c, uint64_t number) {
    const int64_t tail = 1 + (int64_t)(number % 33);
    c->channels = rng_range(r, 1, 5);
    c->ih = rng_range(r, 1, 8);
    c->iw = rng_range(r, 1, 12);
    c->src_layout = c->dst_layout = (int64_t)(number / 33 % 3);
    c->kind = number / 99 % 2 ? CONVPOOL_POOL_KIND_AVERAGE : CONVPOOL_POOL_KIND_MAX;
    *(number / 198 ? &c->iw : &c->channels) = tail;
}

/* One axis of a sliding window. */
static void random_axis(rng *r, int64_t *in, int64_t *kernel, int64_t *stride, int64_t *dilation, int64_t *before, int64_t *after) {
    *kernel = PICK(r, 1, 2, 2, 3, 3, 3, 4, 5, 7, 13);
    *stride = PICK(r, 1, 1, 2, 2, 2, 3, 4, *kernel);
    *dilation = PICK(r, 1, 1, 1, 1, 2, 3);
    const int64_t dilated = (*kernel - 1) * *dilation + 1;
    if (rng_chance(r, 60)) {
        *before = rng_chance(r, 50) ? *kernel / 2 : rng_range(r, 0, dilated - 1);
        *after = rng_chance(r, 50) ? *before : rng_range(r, 0, dilated - 1);
        if (*before > dilated - 1) *before = dilated - 1;
        if (*after > dilated - 1) *after = dilated - 1;
    }
    if (*in + *before + *after < dilated) *in = dilated - *before - *after;
}

/* Which windows a case is about: any, square ones of 2 and 3 on wide planes, long ones; any on images of several tasks; or square
 * ones on images whose results go past the caches; or high ones on images so wide that a workspace has only parts of a row. */
typedef enum windows { WINDOWS_ANY, WINDOWS_SMALL, WINDOWS_LONG, WINDOWS_TASKS, WINDOWS_LARGE, WINDOWS_WIDE } windows;

/* Channels around whole vectors or a few planes, with cells enough for several tasks more often than not. */
static void tasks_shape(rng *r, pool2d_case *c) {
    random_shape(r, c);
    const int64_t few = rng_range(r, 1, 3), blocks = 8 * rng_range(r, 1, 6), off = rng_range(r, -1, 1);
    c->channels = rng_chance(r, 30) ? few : blocks + off;
    const int64_t cells = rng_range(r, 1 << 12, 1 << PICK(r, 15, 16, 17, 18)) / c->channels;
    c->iw = rng_range(r, 1, rng_chance(r, 70) ? 70 : 700);
    c->ih = 1 + cells / c->iw;
}

/* As many results as stay in no cache, in whole cache lines but for one in ten. */
static void large_shape(rng *r, pool2d_case *c) {
    c->kind = PICK(r, CONVPOOL_POOL_KIND_MAX, CONVPOOL_POOL_KIND_MAX, CONVPOOL_POOL_KIND_AVERAGE);
    c->channels = rng_range(r, 1, 3);
    c->kh = c->kw = rng_range(r, 2, 3);
    c->stride_h = c->stride_w = rng_range(r, 1, c->kh);
    c->dilation_h = c->dilation_w = 1;
    c->pad_top = rng_range(r, 0, c->kh - c->stride_h);
    c->pad_left = rng_range(r, 0, c->kh - c->stride_h);
    c->pad_bottom = c->kh - c->stride_h - c->pad_top;
    c->pad_right = c->kh - c->stride_h - c->pad_left;
    const int64_t ow = 16 * rng_range(r, 9, 80) + rng_chance(r, 10), cells = 1 << (c->kind == CONVPOOL_POOL_KIND_MAX ? 19 : 20);
    c->iw = ow * c->stride_w;
    c->ih = (1 + cells / (ow * c->channels)) * c->stride_h;
    if (c->kind == CONVPOOL_POOL_KIND_MAX) c->indices = rng_range(r, 1, 2);
}

/* One or a few channels, side by side or not, as floats or bytes. */
static void wide_shape(rng *r, pool2d_case *c) {
    c->kind = PICK(r, CONVPOOL_POOL_KIND_MAX, CONVPOOL_POOL_KIND_MAX, CONVPOOL_POOL_KIND_AVERAGE, CONVPOOL_POOL_KIND_LP);
    c->src_layout = c->dst_layout = rng_chance(r, 50) ? CONVPOOL_LAYOUT_NCHW : CONVPOOL_LAYOUT_NHWC;
    c->src_type = rng_chance(r, 40) ? CONVPOOL_DATA_TYPE_U8 : CONVPOOL_DATA_TYPE_F32;
    c->dst_type = rng_chance(r, 80) ? c->src_type : CONVPOOL_DATA_TYPE_F32;
    c->channels = rng_range(r, 1, 4);
    c->ih = rng_range(r, 1, 12);
    c->iw = rng_range(r, 3000, 9000) / c->channels;
    c->kh = rng_range(r, 4, 24);
    c->kw = rng_range(r, 1, 4);
    c->stride_h = rng_range(r, 1, 3);
    c->stride_w = rng_range(r, 1, 5);
    c->dilation_h = rng_range(r, 1, 2);
    c->dilation_w = rng_range(r, 1, 3);
    c->pad_top = c->pad_bottom = (c->kh - 1) * c->dilation_h / 2;
    c->pad_left = rng_range(r, 0, (c->kw - 1) * c->dilation_w);
    c->pad_right = rng_range(r, 0, (c->kw - 1) * c->dilation_w);
    if (c->ih + 2 * c->pad_top <= (c->kh - 1) * c->dilation_h) c->ih++;
    c->ceil_mode = rng_range(r, 0, 1);
    c->count_include_pad = c->kind == CONVPOOL_POOL_KIND_AVERAGE ? rng_range(r, 0, 1) : 0;
    if (c->kind == CONVPOOL_POOL_KIND_MAX) c->indices = rng_range(r, 0, 2);
}

static void windows_shape(rng *r, pool2d_case *c, windows which) {
    const bool small = which == WINDOWS_SMALL;
    c->kind = PICK(r, CONVPOOL_POOL_KIND_MAX, CONVPOOL_POOL_KIND_MAX, CONVPOOL_POOL_KIND_AVERAGE, CONVPOOL_POOL_KIND_LP);
    c->window = CONVPOOL_POOL_WINDOW_SLIDING;
    c->channels = rng_range(r, 1, small ? 4 : 40);
    c->ih = rng_range(r, small ? 2 : 1, small ? 24 : 40);
    c->iw = rng_range(r, small ? 2 : 1, small ? 90 : 40);
    c->src_layout = c->dst_layout = small ? CONVPOOL_LAYOUT_NCHW : rng_range(r, 0, 2);
}

static void small_windows(rng *r, pool2d_case *c) {
    c->kh = c->kw = rng_range(r, 2, 3);
    c->stride_h = c->stride_w = rng_range(r, 1, c->kh);
    c->dilation_h = c->dilation_w = 1;
    int64_t *const pads[] = {&c->pad_top, &c->pad_bottom, &c->pad_left, &c->pad_right};
    for (int i = 0; i < 4; i++) *pads[i] = rng_range(r, 0, c->kh - 1);
    if (c->ih < c->kh) c->ih = c->kh;
    if (c->iw < c->kw) c->iw = c->kw;
}

static void long_axis(rng *r, int64_t *in, int64_t *kernel, int64_t *stride, int64_t *dilation, int64_t *before, int64_t *after) {
    *kernel = rng_range(r, 1, 30);
    *stride = rng_range(r, 1, 5);
    *dilation = PICK(r, 1, 1, 1, 2, 3, 4);
    const int64_t dilated = (*kernel - 1) * *dilation + 1;
    *before = rng_range(r, 0, dilated - 1);
    *after = rng_range(r, 0, dilated - 1);
    if (*in + *before + *after < dilated) *in = dilated - *before - *after;
}

static void describe(const pool2d_case *c, convpool_pool2d_desc *d);

static void random_window(rng *r, pool2d_case *c, windows which) {
    if (which == WINDOWS_TASKS) which = (windows)rng_range(r, WINDOWS_ANY, WINDOWS_LONG);
    if (c->window == CONVPOOL_POOL_WINDOW_SLIDING) {
        if (which == WINDOWS_SMALL) small_windows(r, c);
        if (which == WINDOWS_LONG) {
            long_axis(r, &c->ih, &c->kh, &c->stride_h, &c->dilation_h, &c->pad_top, &c->pad_bottom);
            long_axis(r, &c->iw, &c->kw, &c->stride_w, &c->dilation_w, &c->pad_left, &c->pad_right);
        }
        if (which == WINDOWS_ANY) {
            random_axis(r, &c->ih, &c->kh, &c->stride_h, &c->dilation_h, &c->pad_top, &c->pad_bottom);
            random_axis(r, &c->iw, &c->kw, &c->stride_w, &c->dilation_w, &c->pad_left, &c->pad_right);
        }
        c->ceil_mode = rng_chance(r, 35);
        if (c->kind == CONVPOOL_POOL_KIND_AVERAGE) {
            c->count_include_pad = rng_range(r, 0, 1);
            if (rng_chance(r, 15)) c->divisor_override = rng_range(r, 1, 50);
        }
    } else if (c->window == CONVPOOL_POOL_WINDOW_ADAPTIVE) {
        c->oh = rng_chance(r, 80) ? rng_range(r, 1, c->ih) : rng_range(r, 1, 20);
        c->ow = rng_chance(r, 80) ? rng_range(r, 1, c->iw) : rng_range(r, 1, 20);
    }
    const bool ignored = c->window != CONVPOOL_POOL_WINDOW_SLIDING && rng_chance(r, 40);
    if (ignored) {
        c->kh = rng_range(r, -3, 30), c->kw = rng_range(r, -3, 30);
        c->stride_h = rng_range(r, -1, 3), c->stride_w = INT64_MAX;
        c->pad_top = rng_range(r, -9, 9), c->pad_right = rng_range(r, -9, 9);
    }
    if (c->window != CONVPOOL_POOL_WINDOW_ADAPTIVE && rng_chance(r, 20)) {
        convpool_pool2d_desc desc;
        describe(c, &desc);
        oracle_pool2d_output_size(&desc, &c->oh, &c->ow);
    }
}

static void random_rest(rng *r, pool2d_case *c, windows which) {
    if (c->kind == CONVPOOL_POOL_KIND_LP) c->p = rng_range(r, 1, 2);
    const bool given = which == WINDOWS_LARGE || which == WINDOWS_WIDE;
    if (!given) random_window(r, c, which);
    if (c->kind == CONVPOOL_POOL_KIND_MAX && !given) {
        c->indices = rng_chance(r, 50) ? CONVPOOL_INDICES_NONE : rng_range(r, 1, 2);
        const bool sliding_floats = c->window == CONVPOOL_POOL_WINDOW_SLIDING && c->src_type == CONVPOOL_DATA_TYPE_F32;
        if (sliding_floats && rng_chance(r, 20)) {
            c->direction = CONVPOOL_DIRECTION_TRANSPOSED;
            c->indices = CONVPOOL_INDICES_PLANE;
        }
    }
    c->batch = PICK(r, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 0);
    c->values = rng_values(r);
    c->src_gaps = rng_gaps(r, GAP_COUNT - 1);
    c->dst_gaps = rng_gaps(r, GAP_BROADCAST - 1);
    c->indices_gaps = c->indices ? rng_gaps(r, GAP_BROADCAST - 1) : 0;
    c->algorithm = rng_chance(r, 80) ? CONVPOOL_ALGORITHM_AUTO : rng_range(r, 5, 6);
    c->shift = rng_range(r, 0, 7);
    c->side = rng_range(r, 0, 1);
    c->split = rng_chance(r, 30) ? 0 : rng_range(r, 1, 1000000);
    c->data = rng_range(r, 0, 1000000);
    if (which == WINDOWS_LARGE) {
        c->batch = 1;
        c->dst_gaps = c->indices_gaps = 0;
        c->shift = c->side = 0;
    }
}

/* Taps. */
static int64_t cost(const pool2d_case *c) {
    const int64_t images = c->batch * c->channels;
    if (c->window != CONVPOOL_POOL_WINDOW_SLIDING) return images * (c->ih + c->oh) * (c->iw + c->ow);
    convpool_pool2d_desc desc;
    int64_t oh, ow;
    describe(c, &desc);
    oracle_pool2d_output_size(&desc, &oh, &ow);
    return images * oh * ow * c->kh * c->kw;
}

pool2d_case pool2d_case_make(uint64_t seed, uint64_t number) {
    rng r = rng_make(seed, number);
    const windows of_number = number % 400 == 7  ? WINDOWS_LARGE
                              : number % 40 == 9 ? WINDOWS_WIDE
                              : number % 8 == 0  ? WINDOWS_TASKS
                                                 : (windows)(number % 3);
    const windows which = number < TAIL_CASES + WINDOW_CASES ? WINDOWS_ANY : of_number;
    const int64_t usual = rng_chance(&r, 5) || which != WINDOWS_ANY ? 200000 : 30000;
    const int64_t most = which == WINDOWS_LARGE ? INT64_MAX : which == WINDOWS_TASKS || which == WINDOWS_WIDE ? 1500000 : usual;
    pool2d_case c;
    do {
        memset(&c, 0, sizeof c);
        if (number < TAIL_CASES)
            tail_shape(&r, &c, number);
        else if (which == WINDOWS_ANY)
            random_shape(&r, &c);
        else if (which == WINDOWS_TASKS)
            tasks_shape(&r, &c);
        else if (which == WINDOWS_LARGE)
            large_shape(&r, &c);
        else if (which == WINDOWS_WIDE)
            wide_shape(&r, &c);
        else
            windows_shape(&r, &c, which);
        random_rest(&r, &c, which);
        if (number >= TAIL_CASES + WINDOW_CASES && rng_chance(&r, 5)) c.values = VALUES_LEAST;
    } while (cost(&c) > most);
    return c;
}

/* ------------------------------------------------------------------------------------------------------------------ problem */

static void describe(const pool2d_case *c, convpool_pool2d_desc *d) {
    *d = (convpool_pool2d_desc){
        .struct_size = sizeof *d,
        .isa = (convpool_isa)c->isa,
        .algorithm = (convpool_algorithm)c->algorithm,
        .kind = (convpool_pool_kind)c->kind,
        .window = (convpool_pool_window)c->window,
        .direction = (convpool_direction)c->direction,
        .src_type = (convpool_data_type)c->src_type,
        .dst_type = (convpool_data_type)c->dst_type,
        .src_layout = (convpool_layout)c->src_layout,
        .dst_layout = (convpool_layout)c->dst_layout,
        .indices = (convpool_indices)c->indices,
        .p = (int32_t)c->p,
        .ceil_mode = (int32_t)c->ceil_mode,
        .count_include_pad = (int32_t)c->count_include_pad,
        .channels = c->channels,
        .ih = c->ih,
        .iw = c->iw,
        .oh = c->oh,
        .ow = c->ow,
        .kh = c->kh,
        .kw = c->kw,
        .stride_h = c->stride_h,
        .stride_w = c->stride_w,
        .dilation_h = c->dilation_h,
        .dilation_w = c->dilation_w,
        .pad_top = c->pad_top,
        .pad_bottom = c->pad_bottom,
        .pad_left = c->pad_left,
        .pad_right = c->pad_right,
        .divisor_override = c->divisor_override,
    };
}

/* Random places of the plane, some twice, and -1. */
static void fill_indices(tensor *t, rng *r, int64_t plane) {
    int64_t *data = (int64_t *)(void *)t->memory.data;
    for (int64_t n = 0; n < t->n; n++)
        for (int64_t c = 0; c < t->c; c++)
            for (int64_t y = 0; y < t->h; y++)
                for (int64_t x = 0; x < t->w; x++) data[tensor_offset(t, n, c, y, x)] = rng_range(r, -1, plane - 1);
}

void pool2d_problem_make(pool2d_problem *p, const pool2d_case *c) {
    rng r = rng_make((uint64_t)c->data, 0);
    p->options = *c;
    describe(c, &p->desc);
    const bool transposed = c->direction == CONVPOOL_DIRECTION_TRANSPOSED;
    int64_t oh, ow;
    oracle_pool2d_output_size(&p->desc, &oh, &ow);
    const int64_t image_dims[4] = {c->batch, c->channels, c->ih, c->iw};
    const int64_t pooled_dims[4] = {c->batch, c->channels, oh, ow};
    const int64_t *src_dims = transposed ? pooled_dims : image_dims;
    const size_t src_element = c->src_type == CONVPOOL_DATA_TYPE_U8 ? 1 : sizeof(float);
    const size_t dst_element = c->dst_type == CONVPOOL_DATA_TYPE_U8 ? 1 : sizeof(float);
    const size_t shift = (size_t)c->shift;
    const guard_side side = (guard_side)c->side;

    tensor_place(&p->src, p->desc.src_layout, src_dims, src_element, c->src_gaps, shift, side);
    if (src_element == 1)
        tensor_fill_u8(&p->src, &r, (values)c->values);
    else
        tensor_fill_f32(&p->src, &r, (values)c->values, rng_range(&r, 6, 60));
    tensor_place(&p->dst, p->desc.dst_layout, transposed ? image_dims : pooled_dims, dst_element, c->dst_gaps, shift, side);
    if (c->indices) {
        tensor_place(&p->indices, p->desc.dst_layout, pooled_dims, sizeof(int64_t), c->indices_gaps, shift, side);
        if (transposed) fill_indices(&p->indices, &r, c->ih * c->iw);
    }

    p->args = (convpool_pool2d_args){
        .struct_size = sizeof p->args,
        .batch = c->batch,
        .src = p->src.memory.data,
        .src_strides = p->src.given,
        .dst_strides = p->dst.given,
        .indices_strides = c->indices ? p->indices.given : NULL,
    };
    free(p->expected);
    free(p->expected_indices);
    p->expected = tensor_twin(&p->dst);
    p->expected_indices = c->indices ? tensor_twin(&p->indices) : NULL;
    p->args.dst = p->expected;
    p->args.indices = p->expected_indices;
    oracle_pool2d(&p->desc, &p->args);
    p->args.dst = p->dst.memory.data;
    p->args.indices = c->indices ? (int64_t *)(void *)p->indices.memory.data : NULL;
    guarded_access(&p->src.memory, GUARD_READ);
    if (transposed) guarded_access(&p->indices.memory, GUARD_READ);
}

/* ------------------------------------------------------------------------------------------------------------------ running */

static convpool_status init(void *problem, const void *desc, void *memory, int64_t memory_bytes, void **plan) {
    (void)problem;
    convpool_pool2d *built = NULL;
    const convpool_status status = convpool_pool2d_init(desc, memory, memory_bytes, &built);
    *plan = built;
    return status;
}

#define OPERATION pool2d
#define CASE_FIELDS POOL2D_CASE_FIELDS
#include "cases_tmpl.h"

static void check_info(const pool2d_problem *p, const convpool_plan_info *info, char *text, size_t text_size) {
    int64_t oh, ow;
    oracle_pool2d_output_size(&p->desc, &oh, &ow);
    const bool pooling = info->algorithm == CONVPOOL_ALGORITHM_POOL_WIDTH || info->algorithm == CONVPOOL_ALGORITHM_POOL_CHANNELS;
    const bool as_forced = p->desc.algorithm == CONVPOOL_ALGORITHM_AUTO || p->desc.algorithm == info->algorithm;
    if (info->isa != p->desc.isa || !pooling || !as_forced || info->oh != oh || info->ow != ow)
        snprintf(text, text_size, "query: isa %d, algorithm %d, %lld x %lld (not %lld x %lld)", (int)info->isa,
                 (int)info->algorithm, (long long)info->oh, (long long)info->ow, (long long)oh, (long long)ow);
}

convpool_status pool2d_problem_run(pool2d_problem *p, convpool_isa isa, char *text, size_t text_size) {
    p->desc.isa = isa;
    tensor_poison(&p->dst);
    const bool writes_indices = p->options.indices && p->options.direction == CONVPOOL_DIRECTION_FORWARD;
    if (writes_indices) tensor_poison(&p->indices);
    convpool_plan_info info;
    const convpool_status status = engine_run(&p->engine, &pool2d_operation, p, &p->desc, &p->args, p->options.batch,
                                              p->options.split, &info, text, text_size);
    if (status != CONVPOOL_STATUS_OK || *text) return status;
    check_info(p, &info, text, text_size);
    if (*text || !tensor_equals(&p->dst, p->expected, false, text, text_size)) return status;
    if (!guarded_intact(&p->dst.memory)) snprintf(text, text_size, "run: wrote outside dst");
    if (*text || !writes_indices) return status;
    tensor_poison_spares(&p->indices);
    if (!tensor_equals(&p->indices, p->expected_indices, false, text, text_size)) {
        const size_t used = strlen(text);
        snprintf(text + used, text_size - used, " (indices)");
    } else if (!guarded_intact(&p->indices.memory)) {
        snprintf(text, text_size, "run: wrote outside indices");
    }
    return status;
}

uint64_t pool2d_problem_hash(const pool2d_problem *p, bool of_oracle) {
    uint64_t hash = tensor_hash(&p->dst, of_oracle ? p->expected : p->dst.memory.data, false, TENSOR_HASH_SEED);
    if (p->options.indices && p->options.direction == CONVPOOL_DIRECTION_FORWARD)
        hash = tensor_hash(&p->indices, of_oracle ? p->expected_indices : p->indices.memory.data, false, hash);
    return hash;
}
