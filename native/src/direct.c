/* SPDX-License-Identifier: MIT
 * The direct family: which kernel, packed weights, and the loop over tasks. */
#include "direct_family.h"

#include <math.h>

static bool along_channels(cp_direct_kernel kernel) {
    return kernel == CP_DIRECT_CHANNELS || kernel == CP_DIRECT_POINTWISE || kernel == CP_DIRECT_GROUPS ||
           kernel == CP_DIRECT_DEPTHWISE;
}

/* Groups of which several share the lanes of a panel. */
static bool is_grouped(const cp_direct *p) {
    return p->desc->groups > 1 && p->group_in == p->group_out && (p->group_in == 4 || p->group_in == 8);
}

/* The kernel with lanes along the channels that suits the shape. */
static cp_direct_kernel channels_kernel(const cp_direct *p) {
    if (cp_direct_is_depthwise(p)) return CP_DIRECT_DEPTHWISE;
    if (is_grouped(p)) return CP_DIRECT_GROUPS;
    return p->flat && p->desc->src_layout == CONVPOOL_LAYOUT_NCHW ? CP_DIRECT_POINTWISE : CP_DIRECT_CHANNELS;
}

/* Of both families of kernels the cheaper one, unless `desc` forces the other or its workspace were too large. */
static convpool_status choose(cp_direct *p) {
    const convpool_conv2d_desc *d = p->desc;
    const bool forced = d->algorithm == CONVPOOL_ALGORITHM_DIRECT_CHANNELS;
    p->kernel = channels_kernel(p);
    p->groups = p->kernel == CP_DIRECT_DEPTHWISE || p->kernel == CP_DIRECT_GROUPS ? 1 : d->groups;
    p->row_phases = 1;
    cp_channels_block(p);
    const bool serves = d->algorithm != CONVPOOL_ALGORITHM_DIRECT_WIDTH && cp_channels_workspace(p);
    const int64_t wide = d->isa == CONVPOOL_ISA_AVX512 ? 16 : 8;
    if (forced && !serves) return CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM;
    const cp_direct_kernel width = cp_width_kernel(p, wide);
    const bool narrower = serves && (forced || cp_channels_cost(p, wide) <= cp_width_cost(p, width, wide));
    /* What Winograd and separable kernels are weighed against is alike for all instruction sets. */
    p->cost = cp_width_cost(p, cp_width_kernel(p, 8), 8);
    if (serves) p->cost = forced ? cp_channels_cost(p, 8) : CP_MIN(p->cost, cp_channels_cost(p, 8));
    if (narrower) return CONVPOOL_STATUS_OK;
    p->kernel = width;
    p->workspace_bytes = 0;
    p->groups = width == CP_DIRECT_PLANES ? 1 : d->groups;
    p->row_phases = 1;
    if (width == CP_DIRECT_PATCHES) {
        cp_patches_block(p);
    } else {
        cp_width_block(p);
    }
    return CONVPOOL_STATUS_OK;
}

convpool_status cp_direct_plan(cp_direct *p, const convpool_conv2d_desc *d, int64_t oh, int64_t ow) {
    int64_t columns, n;
    *p = (cp_direct){
        .desc = d, .oh = oh, .ow = ow, .group_in = d->in_channels / d->groups, .group_out = d->out_channels / d->groups};
    p->products = d->kh * d->kw * p->group_in;
    p->flat = d->kh * d->kw == 1 && d->stride_h == 1 && d->stride_w == 1 &&
              (d->pad_top | d->pad_bottom | d->pad_left | d->pad_right) == 0;
    const convpool_status status = choose(p);
    if (status != CONVPOOL_STATUS_OK) return status;
    p->algorithm = along_channels(p->kernel) ? CONVPOOL_ALGORITHM_DIRECT_CHANNELS : CONVPOOL_ALGORITHM_DIRECT_WIDTH;
    p->cost *= (double)oh * (double)ow * (double)d->groups;
    columns = d->out_channels; /* of the packed weights as a matrix */
    if ((along_channels(p->kernel) && !cp_mul(p->panels * CP_PANEL, p->groups, &columns)) ||
        !cp_mul(columns, sizeof(float), &p->bias_bytes) || !cp_mul(p->bias_bytes, p->products, &p->weights_bytes) ||
        !cp_align(p->weights_bytes, &p->weights_bytes) || !cp_align(p->bias_bytes, &p->bias_bytes) ||
        !cp_mul(p->row_tasks, p->column_tasks, &n) || !cp_mul(n, p->panel_tasks, &n) || !cp_mul(n, p->groups, &p->tasks)) {
        return CONVPOOL_STATUS_SIZE_OVERFLOW;
    }
    return CONVPOOL_STATUS_OK;
}

void cp_direct_pack_in_order(const cp_direct *p, const float *weights, int64_t part, bool innermost, float *packed) {
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
        cp_channels_pack(p, weights, bias, packed, packed_bias);
    } else {
        if (p->kernel == CP_DIRECT_PATCHES) {
            cp_patches_pack(p, kernels, weights, packed);
        } else {
            cp_width_pack(p, weights, packed);
        }
        for (int64_t o = 0; o < d->out_channels; o++) packed_bias[o] = bias != NULL ? bias[o] : 0.0f;
    }
    p->weights = packed;
    p->bias = packed_bias;
}

/* Tasks of an image in order: groups outermost, then rows, columns, shares of output channels. */
static cp_direct_task task_of(const cp_direct *p, const cp_conv2d_run *r, int64_t index, bool first) {
    cp_direct_task t = {.image = index / p->tasks, .share = index % p->panel_tasks};
    const int64_t area = index % p->tasks / p->panel_tasks, rows = area / p->column_tasks;
    const int64_t row_end = p->flat && p->kernel == CP_DIRECT_PATCHES ? p->oh * p->ow : p->ow;
    t.group = rows / p->row_tasks;
    t.rows = cp_direct_rows(p, rows % p->row_tasks, &t.row);
    t.column = area % p->column_tasks * p->columns_a_task;
    t.columns = CP_MIN(p->columns_a_task, row_end - t.column);
    t.packed = t.share > 0 && !first;
    t.src = (const float *)r->src.data + t.image * r->src.strides.batch;
    t.dst = (float *)(uintptr_t)r->dst.data + t.image * r->dst.strides.batch;
    if (r->residual.data != NULL) t.residual = (const float *)r->residual.data + t.image * r->residual.strides.batch;
    return t;
}

void cp_direct_execute(const cp_direct *p, const cp_conv2d_run *run, int64_t begin, int64_t end) {
    cp_direct_task next = {0};
    if (begin < end) next = task_of(p, run, begin, true);
    for (int64_t task = begin; task < end; task++) {
        const cp_direct_task t = next;
        next = task + 1 < end ? task_of(p, run, task + 1, false) : (cp_direct_task){0};
        if (t.rows < 1) continue; /* Some phases have a row less than others. */
        if (along_channels(p->kernel)) {
            cp_channels_run(p, run, &t, next.rows > 0 ? &next : NULL);
        } else if (p->kernel == CP_DIRECT_PATCHES) {
            cp_patches_run(p, run, &t);
        } else {
            cp_width_run(p, run, &t);
        }
    }
}
