/* SPDX-License-Identifier: MIT
 * Convolution: validation, plans and the loop over tasks. */
#include "direct.h"
#include "winograd.h"

#include <math.h>
#include <string.h>

struct convpool_conv2d {
    cp_plan head;
    convpool_conv2d_desc desc;
    convpool_plan_info info;
    const cp_kernels *kernels;
    cp_activation activation;
    cp_direct direct;
    cp_direct separable; /* instead, if the weights turn out to be, where that may be */
    double separable_bound;
    bool may_separate;
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
    if ((unsigned)d->algorithm > CONVPOOL_ALGORITHM_WINOGRAD_4X4 && d->algorithm != CONVPOOL_ALGORITHM_SEPARABLE) {
        return CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM;
    }
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

static bool is_winograd(convpool_algorithm algorithm) {
    return algorithm == CONVPOOL_ALGORITHM_WINOGRAD_2X2 || algorithm == CONVPOOL_ALGORITHM_WINOGRAD_4X4;
}

static bool is_direct(convpool_algorithm algorithm) {
    return algorithm == CONVPOOL_ALGORITHM_DIRECT_CHANNELS || algorithm == CONVPOOL_ALGORITHM_DIRECT_WIDTH;
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

static void use_separable(convpool_conv2d *p) {
    p->direct = p->separable;
    p->info.algorithm = p->separable.algorithm;
    p->info.tasks = p->separable.tasks;
    p->info.error_bound = p->separable_bound;
}

/* What the direct family costs on planes. Other algorithms are chosen by it for every layout, so that the bits are those of all. */
static double cost_on_planes(const convpool_conv2d *p) {
    convpool_conv2d_desc planes = p->desc;
    if (planes.src_layout == CONVPOOL_LAYOUT_NCHW && planes.dst_layout == CONVPOOL_LAYOUT_NCHW) return p->direct.cost;
    planes.src_layout = planes.dst_layout = CONVPOOL_LAYOUT_NCHW;
    cp_direct direct;
    return cp_direct_plan(&direct, &planes, p->info.oh, p->info.ow) == CONVPOOL_STATUS_OK ? direct.cost : p->direct.cost;
}

/* Replaces the direct plan where Winograd is forced or faster. Memory stays enough for both: weights can rule Winograd out. */
static convpool_status plan_winograd(convpool_conv2d *p) {
    enum { LEAST_CHANNELS = 4 }; /* with fewer F(4x4, 3x3) can err by more than 1e-6: docs/numerics.md */
    const convpool_conv2d_desc *d = &p->desc;
    const bool forced = is_winograd(d->algorithm);
    if (is_direct(d->algorithm)) return CONVPOOL_STATUS_OK;
    if (d->numerics == CONVPOOL_NUMERICS_STRICT) return forced ? CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM : CONVPOOL_STATUS_OK;
    double cost = forced ? INFINITY : cost_on_planes(p);
    bool chosen = false;
    for (int64_t tile = 2; tile <= 4; tile += 2) {
        const convpool_algorithm algorithm = tile == 2 ? CONVPOOL_ALGORITHM_WINOGRAD_2X2 : CONVPOOL_ALGORITHM_WINOGRAD_4X4;
        cp_winograd w;
        int64_t bytes;
        if ((forced ? algorithm != d->algorithm : tile == 4 && p->direct.group_in < LEAST_CHANNELS) ||
            !cp_winograd_plan(&w, d, p->info.oh, p->info.ow, tile) || w.cost >= cost ||
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

/* Plans a separable kernel where one is forced or would be faster; whether it is one, the weights will tell. Memory is enough for
 * both. */
static convpool_status plan_separable(convpool_conv2d *p) {
    const convpool_conv2d_desc *d = &p->desc;
    const bool forced = d->algorithm == CONVPOOL_ALGORITHM_SEPARABLE;
    if (!forced && (d->numerics == CONVPOOL_NUMERICS_STRICT || d->algorithm != CONVPOOL_ALGORITHM_AUTO)) return CONVPOOL_STATUS_OK;
    /* Sums of kw and of kh products, a bias, and 16 for the weights: docs/numerics.md. */
    const double unit = ((double)d->kw + (double)d->kh + 17) * 0x1p-24, bound = unit < 1 ? unit / (1 - unit) : INFINITY;
    const bool accurate = d->max_error == 0 || bound <= d->max_error;
    if (d->numerics == CONVPOOL_NUMERICS_STRICT || is_winograd(p->info.algorithm) || !accurate ||
        !cp_direct_plan_separable(&p->separable, &p->direct)) {
        return forced ? CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM : CONVPOOL_STATUS_OK;
    }
    p->may_separate = true;
    p->separable_bound = bound;
    p->info.workspace_bytes = CP_MAX(p->info.workspace_bytes, p->separable.workspace_bytes);
    if (forced) use_separable(p);
    return CONVPOOL_STATUS_OK;
}

/* Fills in everything but the weights. */
static convpool_status plan(convpool_conv2d *p, const convpool_conv2d_desc *desc) {
    int64_t oh, ow, products, flops, n;
    *p = (convpool_conv2d){0};
    convpool_status status = cp_read_struct(&p->desc, desc, sizeof p->desc);
    if (status != CONVPOOL_STATUS_OK) return status;
    convpool_conv2d_desc *d = &p->desc;
    p->kernels = cp_kernels_of(&d->isa);
    if (p->kernels == NULL) return CONVPOOL_STATUS_UNSUPPORTED_ISA;
    status = check_desc(d, &oh, &ow);
    if (status != CONVPOOL_STATUS_OK) return status;
    p->activation = activation_of(d);
    if (!cp_mul(d->kh, d->kw, &n) || !cp_mul(n, d->in_channels / d->groups, &products) || !cp_mul(products, d->out_channels, &n) ||
        !cp_mul(n, oh, &flops) || !cp_mul(flops, ow, &flops) || !cp_mul(flops, 2, &flops) ||
        !cp_mul(cp_ceil_div(d->in_channels, 8) * 8, d->ih, &n) || !cp_mul(n, d->iw, &n) || !cp_mul(n, sizeof(float), &n) ||
        !cp_mul(cp_ceil_div(d->out_channels, 8) * 8, oh, &n) || !cp_mul(n, ow, &n) || !cp_mul(n, sizeof(float), &n)) {
        return CONVPOOL_STATUS_SIZE_OVERFLOW;
    }
    status = cp_direct_plan(&p->direct, d, oh, ow);
    if (status != CONVPOOL_STATUS_OK) return status;
    const double unit = ((double)products + 1) * 0x1p-24;
    p->info = (convpool_plan_info){
        .struct_size = sizeof p->info,
        .isa = d->isa,
        .algorithm = p->direct.algorithm,
        .oh = oh,
        .ow = ow,
        .flops = flops,
        .tasks = p->direct.tasks,
        .workspace_bytes = p->direct.workspace_bytes,
        .error_bound = unit < 1 ? unit / (1 - unit) : INFINITY,
    };
    if (!cp_add(p->direct.weights_bytes, p->direct.bias_bytes, &n) || !cp_add(n, plan_header, &p->info.plan_bytes)) {
        return CONVPOOL_STATUS_SIZE_OVERFLOW;
    }
    status = plan_winograd(p);
    return status != CONVPOOL_STATUS_OK ? status : plan_separable(p);
}

convpool_status convpool_conv2d_query(const convpool_conv2d_desc *desc, convpool_plan_info *info) {
    convpool_conv2d p;
    const convpool_status status = plan(&p, desc);
    return status != CONVPOOL_STATUS_OK ? status : cp_write_struct(info, &p.info, sizeof p.info);
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
    const int64_t n = d->out_channels * p.direct.products;
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
    if (p.may_separate && cp_direct_separates(d, weights)) {
        use_separable(&p);
    } else if (d->algorithm == CONVPOOL_ALGORITHM_SEPARABLE) {
        return CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM;
    }
    void *packed = (char *)memory + plan_header;
    if (is_winograd(p.info.algorithm)) {
        cp_winograd_pack(&p.winograd, p.kernels, d, weights, bias, packed);
    } else {
        cp_direct_pack(&p.direct, p.kernels, weights, bias, packed);
    }
    p.direct.desc = &((convpool_conv2d *)memory)->desc;
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

/* Fills in the tensors behind the arguments. */
static convpool_status check_run(const convpool_conv2d *p, cp_conv2d_run *r, const convpool_conv2d_args *a) {
    const convpool_conv2d_desc *d = &p->desc;
    const int64_t n = a->batch;
    *r = (cp_conv2d_run){.kernels = p->kernels, .desc = d, .activation = p->activation, .workspace = a->workspace};
    r->src = (cp_tensor){a->src, d->src_layout, sizeof(float), n, d->in_channels, d->ih, d->iw, {0}};
    r->dst = (cp_tensor){a->dst, d->dst_layout, sizeof(float), n, d->out_channels, p->info.oh, p->info.ow, {0}};
    r->residual = r->dst;
    r->residual.data = a->residual;
    r->stream = (double)n * (double)d->out_channels * (double)p->info.oh * (double)p->info.ow >= (double)CP_STREAM_FLOATS;
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

convpool_status convpool_conv2d_run(const convpool_conv2d *plan, const convpool_conv2d_args *args) {
    convpool_conv2d_args a;
    cp_conv2d_run run;
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
    status = check_run(plan, &run, &a);
    if (status != CONVPOOL_STATUS_OK) return status;
    if (is_winograd(plan->info.algorithm)) {
        cp_winograd_execute(&plan->winograd, &run, a.task_begin, a.task_end);
    } else {
        cp_direct_execute(&plan->direct, &run, a.task_begin, a.task_end);
    }
    return CONVPOOL_STATUS_OK;
}
