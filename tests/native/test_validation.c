/* SPDX-License-Identifier: MIT
 *
 * Every status is reached by the misuse it names, and nothing is written when a call is refused.
 */
#include "cases.h"
#include "oracle.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static options opts;
static tally verdicts;
static uint64_t seen;

/* A set of statuses. */
#define S(name) ((uint64_t)1 << CONVPOOL_STATUS_##name)

static void expect(uint64_t allowed, convpool_status got, const char *what) {
    const bool in_range = (unsigned)got < 64;
    if (in_range) seen |= (uint64_t)1 << got;
    if (in_range && (allowed >> got & 1))
        verdicts.passed++;
    else
        tally_fail(&verdicts, &opts, "%s: got status %d, %s", what, (int)got, convpool_status_string(got));
}

static void check(bool holds, const char *what) {
    if (holds)
        verdicts.passed++;
    else
        tally_fail(&verdicts, &opts, "%s", what);
}

/* ------------------------------------------------------------------------------------------------- changes of one field at a time
 */

typedef struct change {
    const char *what;
    size_t offset, size;
    bool is_float;
    int64_t whole;
    double real;
    uint64_t allowed;
} change;

#define SIZE_OF(type, field) sizeof(((type *)0)->field)
#define WHOLE(type, field, value, allowed)                                                                                         \
    {#type ": " #field " = " #value, offsetof(type, field), SIZE_OF(type, field), false, value, 0, allowed}
#define REAL(type, field, value, allowed)                                                                                          \
    {#type ": " #field " = " #value, offsetof(type, field), SIZE_OF(type, field), true, 0, value, allowed}
/* Values that no version of an enum will have. */
#define UNKNOWN(type, field, status)                                                                                               \
    WHOLE(type, field, 99, S(status)), WHOLE(type, field, -1, S(status)), WHOLE(type, field, INT32_MAX, S(status)),                \
        WHOLE(type, field, INT32_MIN, S(status))
/* Values that a library may or may not support yet. */
#define OPTIONAL(type, field, value, status) WHOLE(type, field, value, S(OK) | S(status))

static void apply(void *descriptor, const change *c) {
    unsigned char *field = (unsigned char *)descriptor + c->offset;
    const float single = (float)c->real;
    const int32_t narrow = (int32_t)c->whole;
    if (c->is_float)
        memcpy(field, c->size == sizeof single ? (const void *)&single : (const void *)&c->real, c->size);
    else
        memcpy(field, c->size == sizeof narrow ? (const void *)&narrow : (const void *)&c->whole, c->size);
}

#define C convpool_conv2d_desc
static const change conv2d_changes[] = {
    WHOLE(C, in_channels, 0, S(INVALID_CHANNELS)),
    WHOLE(C, in_channels, -1, S(INVALID_CHANNELS)),
    WHOLE(C, in_channels, INT64_MIN, S(INVALID_CHANNELS)),
    WHOLE(C, in_channels, INT64_MAX, S(SIZE_OVERFLOW) | S(INVALID_GROUPS)),
    WHOLE(C, in_channels, INT64_MAX - 1, S(SIZE_OVERFLOW)),
    WHOLE(C, in_channels, 5, S(INVALID_GROUPS)),
    WHOLE(C, out_channels, 0, S(INVALID_CHANNELS)),
    WHOLE(C, out_channels, -7, S(INVALID_CHANNELS)),
    WHOLE(C, out_channels, 7, S(INVALID_GROUPS)),
    WHOLE(C, out_channels, INT64_MAX - 1, S(SIZE_OVERFLOW)),
    WHOLE(C, groups, 0, S(INVALID_GROUPS)),
    WHOLE(C, groups, -2, S(INVALID_GROUPS)),
    WHOLE(C, groups, 3, S(INVALID_GROUPS)),
    WHOLE(C, groups, INT64_MAX, S(INVALID_GROUPS)),
    WHOLE(C, ih, 0, S(INVALID_INPUT_SIZE)),
    WHOLE(C, iw, -1, S(INVALID_INPUT_SIZE)),
    WHOLE(C, ih, INT64_MAX, S(SIZE_OVERFLOW)),
    WHOLE(C, iw, INT64_MAX, S(SIZE_OVERFLOW)),
    WHOLE(C, ih, INT64_MAX / 4, S(SIZE_OVERFLOW)),
    WHOLE(C, kh, 0, S(INVALID_KERNEL)),
    WHOLE(C, kw, -3, S(INVALID_KERNEL)),
    WHOLE(C, kh, 100, S(EMPTY_OUTPUT)),
    WHOLE(C, kw, 12, S(EMPTY_OUTPUT)),
    WHOLE(C, kh, INT64_MAX, S(EMPTY_OUTPUT) | S(SIZE_OVERFLOW)),
    WHOLE(C, kw, INT64_MAX / 2, S(EMPTY_OUTPUT) | S(SIZE_OVERFLOW)),
    WHOLE(C, stride_h, 0, S(INVALID_STRIDE)),
    WHOLE(C, stride_w, -1, S(INVALID_STRIDE)),
    WHOLE(C, stride_h, INT64_MAX, S(OK)),
    WHOLE(C, stride_w, INT64_MAX, S(OK)),
    WHOLE(C, dilation_h, 0, S(INVALID_DILATION)),
    WHOLE(C, dilation_w, -1, S(INVALID_DILATION)),
    WHOLE(C, dilation_h, 50, S(EMPTY_OUTPUT)),
    WHOLE(C, dilation_w, INT64_MAX, S(EMPTY_OUTPUT) | S(SIZE_OVERFLOW)),
    WHOLE(C, dilation_h, INT64_MAX / 2, S(EMPTY_OUTPUT) | S(SIZE_OVERFLOW)),
    WHOLE(C, pad_top, -1, S(INVALID_PADDING)),
    WHOLE(C, pad_bottom, -1, S(INVALID_PADDING)),
    WHOLE(C, pad_left, INT64_MIN, S(INVALID_PADDING)),
    WHOLE(C, pad_right, -1, S(INVALID_PADDING)),
    WHOLE(C, pad_top, INT64_MAX, S(SIZE_OVERFLOW)),
    WHOLE(C, pad_right, INT64_MAX - 5, S(SIZE_OVERFLOW)),
    WHOLE(C, pad_left, INT64_MAX / 2, S(SIZE_OVERFLOW)),
    REAL(C, max_error, -1.0, S(INVALID_MAX_ERROR)),
    REAL(C, max_error, (double)NAN, S(INVALID_MAX_ERROR)),
    REAL(C, max_error, 1e-5, S(OK)),
    WHOLE(C, struct_size, 0, S(STRUCT_SIZE)),
    WHOLE(C, struct_size, 4, S(STRUCT_SIZE)),
    WHOLE(C, struct_size, (int64_t)sizeof(C) - 1, S(STRUCT_SIZE)),
    WHOLE(C, struct_size, (int64_t)sizeof(C) - 8, S(STRUCT_SIZE)),
    UNKNOWN(C, isa, UNSUPPORTED_ISA),
    UNKNOWN(C, algorithm, UNSUPPORTED_ALGORITHM),
    UNKNOWN(C, numerics, UNSUPPORTED_NUMERICS),
    UNKNOWN(C, direction, UNSUPPORTED_DIRECTION),
    UNKNOWN(C, src_type, UNSUPPORTED_DATA_TYPE),
    UNKNOWN(C, weights_type, UNSUPPORTED_DATA_TYPE),
    UNKNOWN(C, dst_type, UNSUPPORTED_DATA_TYPE),
    UNKNOWN(C, src_layout, UNSUPPORTED_LAYOUT),
    UNKNOWN(C, dst_layout, UNSUPPORTED_LAYOUT),
    UNKNOWN(C, border, UNSUPPORTED_BORDER),
    UNKNOWN(C, activation, UNSUPPORTED_ACTIVATION),
    WHOLE(C, algorithm, CONVPOOL_ALGORITHM_POOL_WIDTH, S(UNSUPPORTED_ALGORITHM)),
    WHOLE(C, algorithm, CONVPOOL_ALGORITHM_POOL_CHANNELS, S(UNSUPPORTED_ALGORITHM)),
    WHOLE(C, algorithm, CONVPOOL_ALGORITHM_WINOGRAD_2X2, S(UNSUPPORTED_ALGORITHM)),
    WHOLE(C, algorithm, CONVPOOL_ALGORITHM_WINOGRAD_4X4, S(UNSUPPORTED_ALGORITHM)),
    OPTIONAL(C, direction, CONVPOOL_DIRECTION_TRANSPOSED, UNSUPPORTED_DIRECTION),
    OPTIONAL(C, src_type, CONVPOOL_DATA_TYPE_U8, UNSUPPORTED_DATA_TYPE),
    OPTIONAL(C, weights_type, CONVPOOL_DATA_TYPE_F16, UNSUPPORTED_DATA_TYPE),
    OPTIONAL(C, dst_type, CONVPOOL_DATA_TYPE_BF16, UNSUPPORTED_DATA_TYPE),
};

typedef struct bounds {
    convpool_activation activation;
    float alpha, beta;
    uint64_t allowed;
    const char *what;
} bounds;
static const bounds activation_bounds[] = {
    {CONVPOOL_ACTIVATION_CLIP, NAN, 1, S(INVALID_ACTIVATION), "clip from NaN"},
    {CONVPOOL_ACTIVATION_CLIP, 0, NAN, S(INVALID_ACTIVATION), "clip to NaN"},
    {CONVPOOL_ACTIVATION_CLIP, 2, 1, S(INVALID_ACTIVATION), "clip with bounds in the wrong order"},
    {CONVPOOL_ACTIVATION_CLIP, 1, 1, S(OK), "clip to one value"},
    {CONVPOOL_ACTIVATION_CLIP, -INFINITY, INFINITY, S(OK), "clip to infinities"},
    {CONVPOOL_ACTIVATION_LEAKY_RELU, NAN, 0, S(INVALID_ACTIVATION) | S(UNSUPPORTED_ACTIVATION), "slope NaN"},
    {CONVPOOL_ACTIVATION_LEAKY_RELU, 0.1f, NAN, S(OK) | S(UNSUPPORTED_ACTIVATION), "beta NaN where it is ignored"},
    {CONVPOOL_ACTIVATION_RELU, NAN, NAN, S(OK), "bounds NaN where they are ignored"},
};

#undef C
#define P convpool_pool2d_desc
static const change pool2d_changes[] = {
    WHOLE(P, channels, 0, S(INVALID_CHANNELS)),
    WHOLE(P, channels, -1, S(INVALID_CHANNELS)),
    WHOLE(P, channels, INT64_MAX, S(SIZE_OVERFLOW)),
    WHOLE(P, ih, 0, S(INVALID_INPUT_SIZE)),
    WHOLE(P, iw, INT64_MIN, S(INVALID_INPUT_SIZE)),
    WHOLE(P, ih, INT64_MAX, S(SIZE_OVERFLOW)),
    WHOLE(P, iw, INT64_MAX / 8, S(SIZE_OVERFLOW)),
    WHOLE(P, oh, 5, S(INVALID_OUTPUT_SIZE)),
    WHOLE(P, oh, -4, S(INVALID_OUTPUT_SIZE)),
    WHOLE(P, ow, 1, S(INVALID_OUTPUT_SIZE)),
    WHOLE(P, oh, 4, S(OK)),
    WHOLE(P, kh, 0, S(INVALID_KERNEL)),
    WHOLE(P, kw, -1, S(INVALID_KERNEL)),
    WHOLE(P, kh, 10, S(EMPTY_OUTPUT)),
    WHOLE(P, kw, INT64_MAX, S(EMPTY_OUTPUT) | S(SIZE_OVERFLOW)),
    WHOLE(P, stride_h, 0, S(INVALID_STRIDE)),
    WHOLE(P, stride_w, -1, S(INVALID_STRIDE)),
    WHOLE(P, stride_w, INT64_MAX, S(OK)),
    WHOLE(P, dilation_h, 0, S(INVALID_DILATION)),
    WHOLE(P, dilation_w, -1, S(INVALID_DILATION)),
    WHOLE(P, dilation_h, INT64_MAX, S(EMPTY_OUTPUT) | S(SIZE_OVERFLOW)),
    WHOLE(P, pad_top, -1, S(INVALID_PADDING)),
    WHOLE(P, pad_bottom, -1, S(INVALID_PADDING)),
    WHOLE(P, pad_left, -1, S(INVALID_PADDING)),
    WHOLE(P, pad_right, -1, S(INVALID_PADDING)),
    WHOLE(P, pad_top, 3, S(INVALID_PADDING)),
    WHOLE(P, pad_bottom, 2, S(OK)),
    WHOLE(P, pad_bottom, 3, S(INVALID_PADDING)),
    WHOLE(P, pad_left, 3, S(INVALID_PADDING)),
    WHOLE(P, pad_right, 3, S(INVALID_PADDING)),
    WHOLE(P, pad_left, INT64_MAX, S(INVALID_PADDING) | S(SIZE_OVERFLOW)),
    WHOLE(P, divisor_override, -1, S(INVALID_DIVISOR)),
    WHOLE(P, divisor_override, INT64_MIN, S(INVALID_DIVISOR)),
    WHOLE(P, struct_size, 0, S(STRUCT_SIZE)),
    WHOLE(P, struct_size, (int64_t)sizeof(P) - 1, S(STRUCT_SIZE)),
    UNKNOWN(P, isa, UNSUPPORTED_ISA),
    UNKNOWN(P, algorithm, UNSUPPORTED_ALGORITHM),
    UNKNOWN(P, kind, UNSUPPORTED_POOL_KIND),
    UNKNOWN(P, window, UNSUPPORTED_POOL_WINDOW),
    UNKNOWN(P, direction, UNSUPPORTED_DIRECTION),
    UNKNOWN(P, src_type, UNSUPPORTED_DATA_TYPE),
    UNKNOWN(P, dst_type, UNSUPPORTED_DATA_TYPE),
    UNKNOWN(P, src_layout, UNSUPPORTED_LAYOUT),
    UNKNOWN(P, dst_layout, UNSUPPORTED_LAYOUT),
    UNKNOWN(P, indices, UNSUPPORTED_INDICES),
    UNKNOWN(P, ceil_mode, UNSUPPORTED_FLAG),
    UNKNOWN(P, count_include_pad, UNSUPPORTED_FLAG),
    WHOLE(P, ceil_mode, 2, S(UNSUPPORTED_FLAG)),
    WHOLE(P, algorithm, CONVPOOL_ALGORITHM_DIRECT_CHANNELS, S(UNSUPPORTED_ALGORITHM)),
    WHOLE(P, algorithm, CONVPOOL_ALGORITHM_WINOGRAD_4X4, S(UNSUPPORTED_ALGORITHM)),
    WHOLE(P, dst_type, CONVPOOL_DATA_TYPE_U8, S(UNSUPPORTED_DATA_TYPE)),
    WHOLE(P, src_type, CONVPOOL_DATA_TYPE_S8, S(UNSUPPORTED_DATA_TYPE)),
    WHOLE(P, src_type, CONVPOOL_DATA_TYPE_F16, S(UNSUPPORTED_DATA_TYPE)),
    WHOLE(P, indices, CONVPOOL_INDICES_PLANE, S(UNSUPPORTED_INDICES)),
    WHOLE(P, direction, CONVPOOL_DIRECTION_TRANSPOSED,
          S(UNSUPPORTED_DIRECTION) | S(UNSUPPORTED_POOL_KIND) | S(UNSUPPORTED_INDICES)),
};
#undef P

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* ------------------------------------------------------------------------------------------------------------------ problems */

static conv2d_problem conv;
static pool2d_problem pool;
static guarded conv_plan_memory, pool_plan_memory, workspace_memory, spare;

static void make_conv(const char *text) {
    conv2d_case c;
    check(conv2d_case_read(text, &c), text);
    conv2d_problem_make(&conv, &c);
    tensor_poison(&conv.dst);
    conv.desc.isa = CONVPOOL_ISA_BEST;
}

static void make_pool(const char *text) {
    pool2d_case c;
    check(pool2d_case_read(text, &c), text);
    pool2d_problem_make(&pool, &c);
    tensor_poison(&pool.dst);
    if (pool.options.direction == CONVPOOL_DIRECTION_FORWARD && pool.options.indices) tensor_poison(&pool.indices);
    pool.desc.isa = CONVPOOL_ISA_BEST;
}

static const char *const conv_text =
    "numerics=1 batch=2 in_channels=4 out_channels=6 groups=2 ih=7 iw=9 kh=3 kw=3 stride_h=1 stride_w=1 "
    "dilation_h=1 dilation_w=1 pad_top=1 pad_bottom=1 pad_left=1 pad_right=1 bias=1 residual=1";
static const char *const pool_text =
    "kind=1 batch=2 channels=5 ih=7 iw=9 kh=3 kw=3 stride_h=2 stride_w=2 dilation_h=1 dilation_w=1 "
    "pad_top=1 pad_bottom=1 pad_left=1 pad_right=1";

static bool all_poison(const guarded *g) {
    for (size_t i = 0; i < g->size; i++)
        if (g->data[i] != POISON_BYTE) return false;
    return guarded_intact(g);
}

static bool still_poisoned(const tensor *t) {
    const uint32_t poison = POISON_F32;
    for (size_t i = 0; i < t->memory.size; i += sizeof poison)
        if (memcmp(t->memory.data + i, &poison, sizeof poison) != 0) return false;
    return guarded_intact(&t->memory);
}

static void *poisoned(guarded *g, int64_t bytes, guard_side side) {
    return memset(guarded_place(g, (size_t)bytes, CONVPOOL_ALIGNMENT, 0, side), POISON_BYTE, (size_t)bytes);
}

/* ------------------------------------------------------------------------------------------------------- descriptors, query, init
 */

static convpool_status conv_init(const convpool_conv2d_desc *desc, void *memory, int64_t bytes, convpool_conv2d **plan) {
    return convpool_conv2d_init(desc, conv.weights.data, conv.options.bias ? conv.bias.data : NULL, memory, bytes, plan);
}

/* Each change alone is refused by query and by init, which writes nothing. */
static void test_changes(const operation *op, void *problem, const void *good, const change *changes, size_t count) {
    convpool_plan_info info = {.struct_size = sizeof info};
    expect(S(OK), op->query(good, &info), "query");
    poisoned(&spare, info.plan_bytes, GUARD_AT_END);
    for (const change *c = changes; c < changes + count; c++) {
        union {
            convpool_conv2d_desc conv2d;
            convpool_pool2d_desc pool2d;
        } desc;
        convpool_plan_info changed = {.struct_size = sizeof changed};
        void *plan = NULL;
        memcpy(&desc, good, op->desc_size);
        apply(&desc, c);
        expect(c->allowed, op->query(&desc, &changed), c->what);
        if (c->allowed & S(OK)) continue;
        expect(c->allowed, op->init(problem, &desc, spare.data, info.plan_bytes, &plan), c->what);
        check(all_poison(&spare), c->what);
    }
}

static void test_conv2d_descriptors(void) {
    make_conv(conv_text);
    convpool_plan_info info = {.struct_size = sizeof info};
    test_changes(&conv2d_operation, &conv, &conv.desc, conv2d_changes, COUNT_OF(conv2d_changes));
    for (size_t i = 0; i < COUNT_OF(activation_bounds); i++) {
        const bounds *b = &activation_bounds[i];
        convpool_conv2d_desc desc = conv.desc;
        desc.activation = b->activation;
        desc.activation_alpha = b->alpha;
        desc.activation_beta = b->beta;
        expect(b->allowed, convpool_conv2d_query(&desc, &info), b->what);
    }
    for (int border = CONVPOOL_BORDER_REFLECT; border <= CONVPOOL_BORDER_CIRCULAR; border++) {
        convpool_conv2d_desc desc = conv.desc;
        desc.border = (convpool_border)border;
        desc.pad_top = 7;
        const uint64_t wanted = border == CONVPOOL_BORDER_REFLECT ? S(INVALID_PADDING) : S(OK);
        expect(wanted | S(UNSUPPORTED_BORDER), convpool_conv2d_query(&desc, &info), "a pad as large as the image");
        desc.pad_top = 8;
        expect((border == CONVPOOL_BORDER_REPLICATE ? S(OK) : S(INVALID_PADDING)) | S(UNSUPPORTED_BORDER),
               convpool_conv2d_query(&desc, &info), "a pad larger than the image");
    }
    for (int isa = 1; isa < 32; isa++) {
        convpool_conv2d_desc desc = conv.desc;
        desc.isa = (convpool_isa)isa;
        const bool available = (available_isas() >> isa & 1) != 0;
        expect(available ? S(OK) : S(UNSUPPORTED_ISA), convpool_conv2d_query(&desc, &info), "instruction set by number");
        if (available) check(info.isa == desc.isa, "query names the instruction set that was asked for");
    }
}

static void test_pool2d_descriptors(void) {
    make_pool(pool_text);
    convpool_plan_info info = {.struct_size = sizeof info};
    test_changes(&pool2d_operation, &pool, &pool.desc, pool2d_changes, COUNT_OF(pool2d_changes));
    for (int32_t p = -1; p <= 3; p++) {
        convpool_pool2d_desc desc = pool.desc;
        desc.kind = CONVPOOL_POOL_KIND_LP;
        desc.p = p;
        expect(p == 1 || p == 2 ? S(OK) | S(UNSUPPORTED_POOL_KIND) : S(UNSUPPORTED_POOL_KIND), convpool_pool2d_query(&desc, &info),
               "norm of Lp pooling");
    }
    for (int64_t size = -1; size <= 2; size++) {
        convpool_pool2d_desc desc = pool.desc;
        desc.window = CONVPOOL_POOL_WINDOW_ADAPTIVE;
        desc.oh = size;
        desc.ow = 3;
        expect((size < 1 ? S(INVALID_OUTPUT_SIZE) : S(OK)) | S(UNSUPPORTED_POOL_WINDOW), convpool_pool2d_query(&desc, &info),
               "adaptive output size");
        desc.window = CONVPOOL_POOL_WINDOW_GLOBAL;
        desc.ow = 0;
        expect((size == 0 || size == 1 ? S(OK) : S(INVALID_OUTPUT_SIZE)) | S(UNSUPPORTED_POOL_WINDOW),
               convpool_pool2d_query(&desc, &info), "global output size");
    }
    /* Windows too far apart for 16 channels at once, but not for lanes along the width; and one as high as can be told. */
    convpool_pool2d_desc far = pool.desc;
    far.src_layout = far.dst_layout = CONVPOOL_LAYOUT_NHWC;
    far.channels = 1;
    far.kw = 2;
    far.dilation_w = far.iw = 40000;
    for (int algorithm = CONVPOOL_ALGORITHM_POOL_WIDTH; algorithm <= CONVPOOL_ALGORITHM_POOL_CHANNELS; algorithm++) {
        far.algorithm = (convpool_algorithm)algorithm;
        expect(S(OK), convpool_pool2d_query(&far, &info), "an algorithm by name");
        check(info.algorithm == far.algorithm, "query names the algorithm that was asked for");
    }
    convpool_pool2d_desc high = pool.desc;
    high.channels = high.ih = high.iw = high.kw = high.dilation_h = 1;
    high.kh = INT64_MAX - 4;
    high.pad_top = high.pad_bottom = high.kh / 2;
    high.pad_left = high.pad_right = 0;
    expect(S(OK), convpool_pool2d_query(&high, &info), "a window as high as can be");
    convpool_pool2d_desc unpool = pool.desc;
    unpool.kind = CONVPOOL_POOL_KIND_MAX;
    unpool.direction = CONVPOOL_DIRECTION_TRANSPOSED;
    unpool.indices = CONVPOOL_INDICES_TENSOR;
    expect(S(UNSUPPORTED_DIRECTION) | S(UNSUPPORTED_INDICES), convpool_pool2d_query(&unpool, &info), "unpooling by tensor indices");
    unpool.indices = CONVPOOL_INDICES_NONE;
    expect(S(UNSUPPORTED_DIRECTION) | S(UNSUPPORTED_INDICES), convpool_pool2d_query(&unpool, &info), "unpooling without indices");
}

/* A struct with `extra` bytes behind it, at the end of accessible memory. */
static void *longer(const void *data, size_t size, uint32_t extra, unsigned char last) {
    unsigned char *copy = guarded_place(&spare, size + extra, sizeof(uint32_t), 0, GUARD_AT_END);
    const uint32_t struct_size = (uint32_t)size + extra;
    memcpy(copy, data, size);
    memset(copy + size, 0, extra);
    memcpy(copy, &struct_size, sizeof struct_size);
    if (extra) copy[size + extra - 1] = last;
    return copy;
}

static void test_struct_sizes(void) {
    make_conv(conv_text);
    make_pool(pool_text);
    convpool_plan_info info = {.struct_size = sizeof info};
    for (uint32_t extra = 0; extra <= 64; extra += 8) {
        const uint64_t nonzero = extra ? S(STRUCT_SIZE) : S(OK);
        expect(S(OK), convpool_conv2d_query(longer(&conv.desc, sizeof conv.desc, extra, 0), &info), "longer conv2d_desc of zeros");
        expect(nonzero, convpool_conv2d_query(longer(&conv.desc, sizeof conv.desc, extra, 1), &info), "longer conv2d_desc");
        expect(S(OK), convpool_pool2d_query(longer(&pool.desc, sizeof pool.desc, extra, 0), &info), "longer pool2d_desc of zeros");
        expect(nonzero, convpool_pool2d_query(longer(&pool.desc, sizeof pool.desc, extra, 0x80), &info), "longer pool2d_desc");

        const convpool_plan_info empty = {0};
        convpool_plan_info *out = longer(&empty, sizeof empty, extra, 0);
        expect(S(OK), convpool_conv2d_query(&conv.desc, out), "longer plan_info of zeros");
        check(out->struct_size == sizeof empty + extra, "struct_size of an output stays the caller's");
        const convpool_build_info nothing = {0};
        expect(S(OK), convpool_get_build_info(longer(&nothing, sizeof nothing, extra, 0)), "longer build_info of zeros");
    }
    for (uint32_t size = 0; size < sizeof info; size += 8) {
        convpool_plan_info shorter;
        memset(&shorter, POISON_BYTE, sizeof shorter);
        convpool_plan_info before = shorter;
        shorter.struct_size = before.struct_size = size;
        expect(S(STRUCT_SIZE), convpool_conv2d_query(&conv.desc, &shorter), "shorter plan_info");
        expect(S(STRUCT_SIZE), convpool_pool2d_query(&pool.desc, &shorter), "shorter plan_info");
        check(memcmp(&shorter, &before, sizeof before) == 0, "a refused plan_info stays as it was");
    }
    convpool_build_info build = {.struct_size = sizeof build - 1};
    expect(S(STRUCT_SIZE), convpool_get_build_info(&build), "shorter build_info");
}

static void test_init(void) {
    make_conv(conv_text);
    make_pool(pool_text);
    convpool_plan_info info = {.struct_size = sizeof info};
    convpool_conv2d *plan = NULL;
    convpool_pool2d *pool_plan = NULL;
    const float *weights = (const float *)(void *)conv.weights.data, *bias = (const float *)(void *)conv.bias.data;

    expect(S(NULL_POINTER), convpool_conv2d_query(NULL, &info), "conv2d query without desc");
    expect(S(NULL_POINTER), convpool_conv2d_query(&conv.desc, NULL), "conv2d query without info");
    expect(S(NULL_POINTER), convpool_pool2d_query(NULL, &info), "pool2d query without desc");
    expect(S(NULL_POINTER), convpool_pool2d_query(&pool.desc, NULL), "pool2d query without info");
    expect(S(NULL_POINTER), convpool_get_build_info(NULL), "build info nowhere");

    expect(S(OK), convpool_conv2d_query(&conv.desc, &info), "conv2d query");
    const int64_t bytes = info.plan_bytes;
    unsigned char *memory = poisoned(&spare, bytes + CONVPOOL_ALIGNMENT, GUARD_AT_BEGIN);
    expect(S(NULL_POINTER), convpool_conv2d_init(NULL, weights, bias, memory, bytes, &plan), "conv2d init without desc");
    expect(S(NULL_POINTER), convpool_conv2d_init(&conv.desc, NULL, bias, memory, bytes, &plan), "conv2d init without weights");
    expect(S(NULL_POINTER), convpool_conv2d_init(&conv.desc, weights, bias, NULL, bytes, &plan), "conv2d init without memory");
    expect(S(NULL_POINTER), convpool_conv2d_init(&conv.desc, weights, bias, memory, bytes, NULL), "conv2d init without plan");
    expect(S(BUFFER_TOO_SMALL), convpool_conv2d_init(&conv.desc, weights, bias, memory, bytes - 1, &plan), "one byte too few");
    expect(S(BUFFER_TOO_SMALL), convpool_conv2d_init(&conv.desc, weights, bias, memory, 0, &plan), "no bytes");
    expect(S(BUFFER_TOO_SMALL), convpool_conv2d_init(&conv.desc, weights, bias, memory, -1, &plan), "negative bytes");
    for (int shift = 1; shift < CONVPOOL_ALIGNMENT; shift++)
        expect(S(MISALIGNED), convpool_conv2d_init(&conv.desc, weights, bias, memory + shift, bytes, &plan),
               "misaligned plan memory");
    expect(S(MISALIGNED), convpool_conv2d_init(&conv.desc, (const char *)weights + 1, bias, memory, bytes, &plan),
           "misaligned weights");
    expect(S(MISALIGNED), convpool_conv2d_init(&conv.desc, weights, (const char *)bias + 2, memory, bytes, &plan),
           "misaligned bias");
    check(all_poison(&spare), "a refused init writes nothing");
    expect(S(OK), convpool_conv2d_init(&conv.desc, weights, NULL, memory, bytes, &plan), "init without bias");
    expect(S(OK), convpool_conv2d_init(&conv.desc, weights, bias, memory, bytes + 1, &plan),
           "init again, with more memory than needed");
    check((void *)plan == (void *)memory, "the plan is the memory");

    expect(S(OK), convpool_pool2d_query(&pool.desc, &info), "pool2d query");
    memory = poisoned(&spare, info.plan_bytes + CONVPOOL_ALIGNMENT, GUARD_AT_BEGIN);
    expect(S(NULL_POINTER), convpool_pool2d_init(NULL, memory, info.plan_bytes, &pool_plan), "pool2d init without desc");
    expect(S(NULL_POINTER), convpool_pool2d_init(&pool.desc, NULL, info.plan_bytes, &pool_plan), "pool2d init without memory");
    expect(S(NULL_POINTER), convpool_pool2d_init(&pool.desc, memory, info.plan_bytes, NULL), "pool2d init without plan");
    expect(S(BUFFER_TOO_SMALL), convpool_pool2d_init(&pool.desc, memory, info.plan_bytes - 1, &pool_plan), "one byte too few");
    expect(S(MISALIGNED), convpool_pool2d_init(&pool.desc, memory + 8, info.plan_bytes, &pool_plan), "misaligned plan memory");
    check(all_poison(&spare), "a refused init writes nothing");
}

/* -------------------------------------------------------------------------------------------------------------- plans and runs */

static convpool_conv2d *build_conv(convpool_plan_info *info) {
    convpool_conv2d *plan = NULL;
    *info = (convpool_plan_info){.struct_size = sizeof *info};
    expect(S(OK), convpool_conv2d_query(&conv.desc, info), "conv2d query");
    poisoned(&conv_plan_memory, info->plan_bytes, GUARD_AT_END);
    expect(S(OK), conv_init(&conv.desc, conv_plan_memory.data, info->plan_bytes, &plan), "conv2d init");
    return plan;
}

static convpool_pool2d *build_pool(convpool_plan_info *info) {
    convpool_pool2d *plan = NULL;
    *info = (convpool_plan_info){.struct_size = sizeof *info};
    expect(S(OK), convpool_pool2d_query(&pool.desc, info), "pool2d query");
    poisoned(&pool_plan_memory, info->plan_bytes, GUARD_AT_END);
    expect(S(OK), convpool_pool2d_init(&pool.desc, pool_plan_memory.data, info->plan_bytes, &plan), "pool2d init");
    return plan;
}

static void give_workspace(void **workspace, int64_t *bytes, const convpool_plan_info *info) {
    *bytes = info->workspace_bytes;
    *workspace = info->workspace_bytes ? poisoned(&workspace_memory, info->workspace_bytes, GUARD_AT_END) : NULL;
}

static void refuse_conv(uint64_t allowed, const void *plan, const convpool_conv2d_args *args, const char *what) {
    expect(allowed, convpool_conv2d_run(plan, args), what);
    check(still_poisoned(&conv.dst), what);
}

static void refuse_pool(uint64_t allowed, const void *plan, const convpool_pool2d_args *args, const char *what) {
    expect(allowed, convpool_pool2d_run(plan, args), what);
    check(still_poisoned(&pool.dst), what);
}

static void test_plans(void) {
    make_conv(conv_text);
    make_pool(pool_text);
    convpool_plan_info conv_info, pool_info, info = {.struct_size = sizeof info};
    convpool_conv2d *plan = build_conv(&conv_info);
    convpool_pool2d *pool_plan = build_pool(&pool_info);
    convpool_conv2d_args args = conv.args;
    convpool_pool2d_args pool_args = pool.args;
    args.task_end = convpool_conv2d_task_count(plan, 2);
    pool_args.task_end = convpool_pool2d_task_count(pool_plan, 2);
    give_workspace(&args.workspace, &args.workspace_bytes, &conv_info);
    give_workspace(&pool_args.workspace, &pool_args.workspace_bytes, &pool_info);

    expect(S(NULL_POINTER), convpool_conv2d_plan_info(NULL, &info), "plan_info of NULL");
    expect(S(NULL_POINTER), convpool_conv2d_plan_info(plan, NULL), "plan_info nowhere");
    expect(S(NULL_POINTER), convpool_pool2d_plan_info(NULL, &info), "plan_info of NULL");
    refuse_conv(S(NULL_POINTER), NULL, &args, "conv2d run of NULL");
    refuse_conv(S(NULL_POINTER), plan, NULL, "conv2d run without arguments");
    refuse_pool(S(NULL_POINTER), NULL, &pool_args, "pool2d run of NULL");
    refuse_pool(S(NULL_POINTER), pool_plan, NULL, "pool2d run without arguments");

    const size_t largest = conv_plan_memory.size > pool_plan_memory.size ? conv_plan_memory.size : pool_plan_memory.size;
    void *moved = poisoned(&spare, (int64_t)largest, GUARD_AT_BEGIN);
    refuse_conv(S(INVALID_PLAN), moved, &args, "conv2d run of senseless bytes");
    refuse_pool(S(INVALID_PLAN), moved, &pool_args, "pool2d run of senseless bytes");
    memset(moved, 0, largest);
    refuse_conv(S(INVALID_PLAN), moved, &args, "conv2d run of zeros");
    refuse_pool(S(INVALID_PLAN), moved, &pool_args, "pool2d run of zeros");
    memcpy(moved, plan, conv_plan_memory.size);
    refuse_conv(S(INVALID_PLAN), moved, &args, "conv2d run of a moved plan");
    refuse_pool(S(INVALID_PLAN), moved, &pool_args, "pool2d run of a moved convolution");
    check(convpool_conv2d_task_count(moved, 1) == 0, "task_count of a moved plan");
    memcpy(moved, pool_plan, pool_plan_memory.size);
    refuse_pool(S(INVALID_PLAN), moved, &pool_args, "pool2d run of a moved plan");
    refuse_conv(S(INVALID_PLAN), pool_plan, &args, "conv2d run of a pooling");
    refuse_pool(S(INVALID_PLAN), plan, &pool_args, "pool2d run of a convolution");
    expect(S(INVALID_PLAN), convpool_conv2d_plan_info((void *)pool_plan, &info), "conv2d plan_info of a pooling");
    expect(S(INVALID_PLAN), convpool_pool2d_plan_info(moved, &info), "pool2d plan_info of a moved plan");

    check(convpool_conv2d_task_count(NULL, 1) == 0 && convpool_pool2d_task_count(NULL, 1) == 0, "task_count of NULL");
    check(convpool_conv2d_task_count(plan, -1) == 0 && convpool_pool2d_task_count(pool_plan, -1) == 0, "task_count of batch -1");
    check(convpool_conv2d_task_count(plan, 0) == 0 && convpool_pool2d_task_count(pool_plan, 0) == 0, "task_count of batch 0");
    check(convpool_conv2d_task_count(plan, INT64_MIN) == 0, "task_count of the most negative batch");
    if (conv_info.tasks > 1) check(convpool_conv2d_task_count(plan, INT64_MAX) == 0, "task_count that does not fit");
    if (pool_info.tasks > 1) check(convpool_pool2d_task_count(pool_plan, INT64_MAX) == 0, "task_count that does not fit");
}

static void test_conv2d_arguments(void) {
    make_conv(conv_text);
    convpool_plan_info info;
    convpool_conv2d *plan = build_conv(&info);
    convpool_conv2d_args good = conv.args, a;
    const int64_t tasks = good.task_end = convpool_conv2d_task_count(plan, 2);
    give_workspace(&good.workspace, &good.workspace_bytes, &info);
    char *src = (char *)conv.src.memory.data, *dst = (char *)conv.dst.memory.data, *residual = (char *)conv.residual.memory.data;
    const convpool_strides dense = oracle_dense_strides(conv.dst.layout, conv.dst.c, conv.dst.h, conv.dst.w);
    const convpool_strides dense_src = oracle_dense_strides(conv.src.layout, conv.src.c, conv.src.h, conv.src.w);
    convpool_strides s;

#define REFUSE(statuses, change)                                                                                                   \
    do {                                                                                                                           \
        a = good;                                                                                                                  \
        change;                                                                                                                    \
        refuse_conv(statuses, plan, &a, "conv2d run with " #change);                                                               \
    } while (0)

    REFUSE(S(NULL_POINTER), a.src = NULL);
    REFUSE(S(NULL_POINTER), a.dst = NULL);
    REFUSE(S(INVALID_BATCH), a.batch = -1);
    REFUSE(S(INVALID_BATCH), a.batch = INT64_MIN);
    REFUSE(S(SIZE_OVERFLOW) | S(INVALID_TASK_RANGE), a.batch = INT64_MAX);
    REFUSE(S(SIZE_OVERFLOW), a.batch = INT64_MAX / 4 / conv.src.c);
    REFUSE(S(MISALIGNED), a.src = src + 1);
    REFUSE(S(MISALIGNED), a.src = src + 2);
    REFUSE(S(MISALIGNED), a.dst = dst + 3);
    REFUSE(S(MISALIGNED), a.residual = residual + 1);
    REFUSE(S(INVALID_TASK_RANGE), a.task_begin = -1);
    REFUSE(S(INVALID_TASK_RANGE), a.task_begin = tasks + 1);
    REFUSE(S(INVALID_TASK_RANGE), a.task_end = tasks + 1);
    REFUSE(S(INVALID_TASK_RANGE), a.task_end = INT64_MAX);
    REFUSE(S(INVALID_TASK_RANGE), (a.task_begin = 1, a.task_end = 0));
    REFUSE(S(INVALID_TASK_RANGE), a.task_end = INT64_MIN);
    REFUSE(S(OK), a.task_end = 0);
    REFUSE(S(OK), a.task_begin = tasks);
    REFUSE(S(STRUCT_SIZE), a.struct_size = 0);
    REFUSE(S(STRUCT_SIZE), a.struct_size -= 1);
    REFUSE(S(STRUCT_SIZE), a.struct_size -= 8);
    REFUSE(S(OVERLAP), a.dst = src);
    REFUSE(S(OVERLAP), a.dst = src + 4);
    REFUSE(S(OVERLAP), a.dst = residual);
    REFUSE(S(OVERLAP), a.residual = dst);
    REFUSE(S(OVERLAP), a.src = dst);
    REFUSE(S(OVERLAP), a.residual = dst - 4);
    REFUSE(S(OVERLAP), a.residual = dst + conv.dst.memory.size - 4);
    REFUSE(S(OVERLAP), a.src = dst - conv.src.memory.size + 4);
    REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense, s.column = 2, a.dst_strides = &s));
    REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense_src, s.column = 0, a.src_strides = &s));
    REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense, s.column = -1, a.residual_strides = &s));
    REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense, s.row = 0, a.dst_strides = &s));
    REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense, s.row -= 1, a.dst_strides = &s));
    REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense, s.channel = 0, a.dst_strides = &s));
    REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense, s.channel = s.row, a.dst_strides = &s));
    REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense, s.batch = 0, a.dst_strides = &s));
    REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense, s.batch -= 1, a.dst_strides = &s));
    REFUSE(S(SIZE_OVERFLOW), (s = dense, s.batch = INT64_MAX, a.dst_strides = &s));
    REFUSE(S(SIZE_OVERFLOW), (s = dense_src, s.row = INT64_MAX / 2, a.src_strides = &s));
    REFUSE(S(SIZE_OVERFLOW), (s = dense, s.channel = INT64_MAX / 4, a.residual_strides = &s));

    /* What the documents allow must work: batch 0, and an empty tensor's pointers are whatever they are. */
    REFUSE(S(OK), (a.batch = 0, a.task_end = 0));
    REFUSE(S(OK), (a.batch = 0, a.task_end = 0, a.residual = NULL));
    REFUSE(S(INVALID_TASK_RANGE), a.batch = 0);

    a = good;
    a.struct_size += 16;
    unsigned char *tail = longer(&good, sizeof good, 16, 1);
    refuse_conv(S(STRUCT_SIZE), plan, (const void *)tail, "longer conv2d_args");
    tail[sizeof good + 15] = 0;
    expect(S(OK), convpool_conv2d_run(plan, (const void *)tail), "longer conv2d_args of zeros");
    char text[256];
    const bool equal = tensor_equals(&conv.dst, conv.expected, true, text, sizeof text);
    check(equal, equal ? "" : text);
#undef REFUSE
}

/* A plan that needs a workspace, if there is one. */
static void test_workspace(void) {
    for (uint64_t number = 0; number < 3000; number++) {
        conv2d_case c = conv2d_case_make(1, number);
        if (c.batch == 0) continue;
        convpool_plan_info info = {.struct_size = sizeof info};
        conv2d_problem_make(&conv, &c);
        conv.desc.isa = CONVPOOL_ISA_BEST;
        if (convpool_conv2d_query(&conv.desc, &info) != CONVPOOL_STATUS_OK || info.workspace_bytes == 0) continue;
        char text[CASE_TEXT_SIZE];
        conv2d_case_text(&c, text);
        tensor_poison(&conv.dst);
        convpool_conv2d *plan = build_conv(&info);
        convpool_conv2d_args a = conv.args;
        a.task_end = convpool_conv2d_task_count(plan, a.batch);
        char *workspace = poisoned(&workspace_memory, info.workspace_bytes + CONVPOOL_ALIGNMENT, GUARD_AT_BEGIN);
        a.workspace_bytes = info.workspace_bytes;
        refuse_conv(S(NULL_POINTER), plan, &a, "no workspace");
        for (int shift = 1; shift < CONVPOOL_ALIGNMENT; shift++) {
            a.workspace = workspace + shift;
            refuse_conv(S(MISALIGNED), plan, &a, "misaligned workspace");
        }
        a.workspace = workspace;
        a.workspace_bytes = info.workspace_bytes - 1;
        refuse_conv(S(BUFFER_TOO_SMALL), plan, &a, "workspace one byte too small");
        a.workspace_bytes = -1;
        refuse_conv(S(BUFFER_TOO_SMALL), plan, &a, "workspace of negative size");
        check(all_poison(&workspace_memory), "a refused run does not touch the workspace");
        a.workspace_bytes = info.workspace_bytes + CONVPOOL_ALIGNMENT;
        expect(S(OK), convpool_conv2d_run(plan, &a), "larger workspace than needed");
        return;
    }
    printf("no convolution needs a workspace\n");
}

static void test_slices(void) {
    /* src is the first half of the channels of a parent, dst the second half: interleaved in memory, no element in common. */
    make_conv("numerics=1 src_layout=1 dst_layout=1 batch=2 in_channels=4 out_channels=4 groups=1 ih=3 iw=3 kh=1 kw=1 stride_h=1 "
              "stride_w=1 dilation_h=1 dilation_w=1");
    convpool_plan_info info = {.struct_size = sizeof info};
    if (convpool_conv2d_query(&conv.desc, &info) == CONVPOOL_STATUS_UNSUPPORTED_LAYOUT) {
        verdicts.unsupported[CONVPOOL_STATUS_UNSUPPORTED_LAYOUT]++;
        return;
    }
    convpool_conv2d *plan = build_conv(&info);
    convpool_conv2d_args a = conv.args;
    a.task_end = convpool_conv2d_task_count(plan, 2);
    give_workspace(&a.workspace, &a.workspace_bytes, &info);
    float parent[2 * 3 * 3 * 8];
    memset(parent, 0, sizeof parent);
    for (int64_t i = 0; i < 18; i++)
        for (int64_t c = 0; c < 4; c++) parent[i * 8 + c] = ((const float *)a.src)[i * 4 + c];
    const convpool_strides strides = oracle_dense_strides(CONVPOOL_LAYOUT_NHWC, 8, 3, 3);
    a.src = parent;
    a.dst = parent + 4;
    a.src_strides = a.dst_strides = &strides;
    expect(S(OK), convpool_conv2d_run(plan, &a), "two channel slices of one parent");
    bool same = true;
    for (int64_t i = 0; i < 18; i++) same &= memcmp(parent + i * 8 + 4, (const float *)conv.expected + i * 4, 16) == 0;
    check(same, "result of a run between two channel slices of one parent");
    for (int64_t first = 3; first < 6; first += 2) {
        a.dst = parent + first;
        expect(S(OVERLAP), convpool_conv2d_run(plan, &a), "two channel slices of one parent that share a channel");
    }
}

static void test_pool2d_arguments(void) {
    make_pool("kind=0 indices=1 batch=2 channels=5 ih=7 iw=9 kh=3 kw=3 stride_h=2 stride_w=2 dilation_h=1 dilation_w=1");
    convpool_plan_info info = {.struct_size = sizeof info};
    const bool indices = convpool_pool2d_query(&pool.desc, &info) == CONVPOOL_STATUS_OK;
    if (!indices) {
        verdicts.unsupported[CONVPOOL_STATUS_UNSUPPORTED_INDICES]++;
        make_pool("kind=0 batch=2 channels=5 ih=7 iw=9 kh=3 kw=3 stride_h=2 stride_w=2 dilation_h=1 dilation_w=1");
    }
    convpool_pool2d *plan = build_pool(&info);
    convpool_pool2d_args good = pool.args, a;
    const int64_t tasks = good.task_end = convpool_pool2d_task_count(plan, 2);
    give_workspace(&good.workspace, &good.workspace_bytes, &info);
    char *src = (char *)pool.src.memory.data, *dst = (char *)pool.dst.memory.data;
    const convpool_strides dense = oracle_dense_strides(pool.dst.layout, pool.dst.c, pool.dst.h, pool.dst.w);
    convpool_strides s;

#define REFUSE(statuses, change)                                                                                                   \
    do {                                                                                                                           \
        a = good;                                                                                                                  \
        change;                                                                                                                    \
        refuse_pool(statuses, plan, &a, "pool2d run with " #change);                                                               \
    } while (0)

    REFUSE(S(NULL_POINTER), a.src = NULL);
    REFUSE(S(NULL_POINTER), a.dst = NULL);
    REFUSE(S(INVALID_BATCH), a.batch = -5);
    REFUSE(S(MISALIGNED), a.src = src + 1);
    REFUSE(S(MISALIGNED), a.dst = dst + 2);
    REFUSE(S(INVALID_TASK_RANGE), a.task_end = tasks + 1);
    REFUSE(S(INVALID_TASK_RANGE), (a.task_begin = 1, a.task_end = 0));
    REFUSE(S(STRUCT_SIZE), a.struct_size -= 1);
    REFUSE(S(OVERLAP), a.dst = src);
    REFUSE(S(OVERLAP), a.src = dst - pool.src.memory.size + 4);
    REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense, s.column = 3, a.dst_strides = &s));
    REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense, s.batch = 1, a.dst_strides = &s));
    REFUSE(S(SIZE_OVERFLOW), (s = dense, s.row = INT64_MAX, a.dst_strides = &s));
    REFUSE(S(OK), (a.batch = 0, a.task_end = 0));
    if (indices) {
        char *at = (char *)pool.indices.memory.data;
        REFUSE(S(NULL_POINTER), a.indices = NULL);
        REFUSE(S(MISALIGNED), a.indices = (int64_t *)(void *)(at + 4));
        REFUSE(S(OVERLAP), a.dst = at);
        REFUSE(S(OVERLAP), a.dst = at + pool.indices.memory.size - 4);
        REFUSE(S(OVERLAP), a.src = at);
        REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense, s.row = 0, a.indices_strides = &s));
        REFUSE(S(INVALID_TENSOR_STRIDE), (s = dense, s.column = 2, a.indices_strides = &s));
        tensor clean = pool.indices;
        check(memcmp(clean.memory.data, "\xA5\xA5\xA5\xA5\xA5\xA5\xA5\xA5", 8) == 0, "a refused run writes no indices");
    }
    expect(S(OK), convpool_pool2d_run(plan, &good), "pool2d run");
    char text[256];
    const bool equal = tensor_equals(&pool.dst, pool.expected, false, text, sizeof text);
    check(equal, equal ? "" : text);
#undef REFUSE
}

static void test_bad_indices(void) {
    make_pool(
        "kind=0 direction=1 indices=1 batch=1 channels=3 ih=6 iw=6 kh=2 kw=2 stride_h=2 stride_w=2 dilation_h=1 dilation_w=1");
    convpool_plan_info info = {.struct_size = sizeof info};
    const convpool_status status = convpool_pool2d_query(&pool.desc, &info);
    if (status_is_unsupported(status)) {
        verdicts.unsupported[status]++;
        seen |= S(INVALID_INDEX);
        return;
    }
    convpool_pool2d *plan = build_pool(&info);
    convpool_pool2d_args a = pool.args;
    a.task_end = convpool_pool2d_task_count(plan, 1);
    give_workspace(&a.workspace, &a.workspace_bytes, &info);
    static const int64_t bad[] = {36, -2, INT64_MAX, INT64_MIN};
    guarded_access(&pool.indices.memory, GUARD_WRITE);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        for (int64_t at = 0; at < 27; at += 13) {
            const int64_t kept = a.indices[at];
            a.indices[at] = bad[i];
            expect(S(INVALID_INDEX), convpool_pool2d_run(plan, &a), "an index outside the plane");
            check(guarded_intact(&pool.dst.memory), "an index outside the plane");
            const float *dst = a.dst, *src = a.src;
            /* Planes without a bad index are unpooled as ever; the last of equal indices stays. */
            for (int64_t k = 0; k < 27; k++) {
                bool last = k / 9 != at / 9 && a.indices[k] >= 0;
                for (int64_t later = k + 1; later % 9 != 0; later++) last = last && a.indices[later] != a.indices[k];
                if (last) check(memcmp(&dst[k / 9 * 36 + a.indices[k]], &src[k], sizeof *src) == 0, "another plane");
            }
            a.indices[at] = kept;
        }
}

/* ----------------------------------------------------------------------------------------------------------------- extremes */

/* Descriptors of extreme numbers: some status, never a crash, and sizes that make sense when the answer is OK. */
static void test_extremes(int64_t count) {
    static const int64_t extremes[] = {
        INT64_MIN,     -1,       0, 1, 2, 3, 8, 1000, INT32_MAX, (int64_t)UINT32_MAX + 1, INT64_MAX / 8, INT64_MAX / 2,
        INT64_MAX - 1, INT64_MAX};
    rng r = rng_make(opts.seed, 0);
    poisoned(&spare, 4096, GUARD_AT_END);
    for (int64_t i = 0; i < count; i++) {
        make_conv(conv_text);
        make_pool(pool_text);
        pool.desc.kind = (convpool_pool_kind)rng_range(&r, 0, 2);
        pool.desc.p = 2;
        pool.desc.window = (convpool_pool_window)rng_range(&r, 0, 2);
        pool.desc.ceil_mode = (int32_t)rng_range(&r, 0, 1);
        conv.desc.border = (convpool_border)rng_range(&r, 0, 3);
        conv.desc.src_layout = conv.desc.dst_layout = (convpool_layout)rng_range(&r, 0, 2);
        for (int64_t changes = rng_range(&r, 1, 5); changes > 0; changes--) {
            int64_t *const conv_fields[] = {
                &conv.desc.in_channels, &conv.desc.out_channels, &conv.desc.groups,     &conv.desc.ih,       &conv.desc.iw,
                &conv.desc.kh,          &conv.desc.kw,           &conv.desc.stride_h,   &conv.desc.stride_w, &conv.desc.dilation_h,
                &conv.desc.dilation_w,  &conv.desc.pad_top,      &conv.desc.pad_bottom, &conv.desc.pad_left, &conv.desc.pad_right};
            int64_t *const pool_fields[] = {
                &pool.desc.channels,   &pool.desc.ih,         &pool.desc.iw,         &pool.desc.oh,
                &pool.desc.ow,         &pool.desc.kh,         &pool.desc.kw,         &pool.desc.stride_h,
                &pool.desc.stride_w,   &pool.desc.dilation_h, &pool.desc.dilation_w, &pool.desc.pad_top,
                &pool.desc.pad_bottom, &pool.desc.pad_left,   &pool.desc.pad_right,  &pool.desc.divisor_override};
            *conv_fields[rng_range(&r, 0, COUNT_OF(conv_fields) - 1)] = rng_pick(&r, extremes, COUNT_OF(extremes));
            *pool_fields[rng_range(&r, 0, COUNT_OF(pool_fields) - 1)] = rng_pick(&r, extremes, COUNT_OF(extremes));
        }
        convpool_plan_info info = {.struct_size = sizeof info};
        convpool_conv2d *plan = NULL;
        convpool_pool2d *pool_plan = NULL;
        const convpool_status a = convpool_conv2d_query(&conv.desc, &info);
        bool sane = (unsigned)a < 64;
        if (a == CONVPOOL_STATUS_OK)
            sane =
                info.oh > 0 && info.ow > 0 && info.plan_bytes > 0 && info.workspace_bytes >= 0 && info.tasks > 0 && info.flops > 0;
        check(sane, "conv2d query of extreme sizes");
        if (a != CONVPOOL_STATUS_OK || info.plan_bytes > 4096)
            check(convpool_conv2d_init(&conv.desc, conv.weights.data, NULL, spare.data, 4096, &plan) != CONVPOOL_STATUS_OK,
                  "conv2d init of extreme sizes");
        info = (convpool_plan_info){.struct_size = sizeof info};
        const convpool_status b = convpool_pool2d_query(&pool.desc, &info);
        sane = (unsigned)b < 64;
        if (b == CONVPOOL_STATUS_OK)
            sane =
                info.oh > 0 && info.ow > 0 && info.plan_bytes > 0 && info.workspace_bytes >= 0 && info.tasks > 0 && info.flops >= 0;
        check(sane, "pool2d query of extreme sizes");
        if (b != CONVPOOL_STATUS_OK || info.plan_bytes > 4096)
            check(convpool_pool2d_init(&pool.desc, spare.data, 4096, &pool_plan) != CONVPOOL_STATUS_OK,
                  "pool2d init of extreme sizes");
        check(all_poison(&spare), "a refused init of extreme sizes writes nothing");
    }
}

/* -------------------------------------------------------------------------------------------------------------- names, statuses */

static bool is_name(const char *name) {
    if (!name || !*name) return false;
    for (; *name; name++)
        if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && *name != '-') return false;
    return true;
}

static const int all_statuses[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17,
                                   18, 19, 20, 21, 22, 23, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43};

static void test_names(void) {
    convpool_build_info info = {.struct_size = sizeof info};
    expect(S(OK), convpool_get_build_info(&info), "build info");
    check(info.abi_version == CONVPOOL_ABI_VERSION, "abi_version");
    check((info.isa_available & ~info.isa_built) == 0, "what is available is built");
    check((info.isa_available >> CONVPOOL_ISA_SCALAR & 1) == 1, "portable C is always there");
    check(info.isa_best != CONVPOOL_ISA_BEST && (info.isa_available >> info.isa_best & 1) == 1, "the best one is available");
    check(info.reserved == 0, "reserved is zero");
    check(info.version && strlen(info.version) >= 5, "version");
    check(info.compiler && *info.compiler, "compiler");
    printf("version %s, %s, best instruction set %s\n", info.version, info.compiler, convpool_isa_name(info.isa_best));

    for (size_t i = 0; i < COUNT_OF(all_statuses); i++) {
        const char *text = convpool_status_string((convpool_status)all_statuses[i]);
        check(text && strlen(text) > 1 && text[strlen(text) - 1] != '.', "a status has a sentence without a full stop");
        for (size_t j = 0; text && j < i; j++)
            check(strcmp(text, convpool_status_string((convpool_status)all_statuses[j])) != 0, text);
    }
    static const int unknown[] = {24, 31, 44, 63, 64, 1000, INT32_MAX, -1, INT32_MIN};
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        check(convpool_status_string((convpool_status)unknown[i]) != NULL, "an unknown status has a string");
        check(convpool_isa_name((convpool_isa)unknown[i]) != NULL, "an unknown instruction set has a name");
        check(convpool_algorithm_name((convpool_algorithm)unknown[i]) != NULL, "an unknown algorithm has a name");
    }
    for (int i = 0; i <= CONVPOOL_ISA_AVX512; i++) {
        check(is_name(convpool_isa_name((convpool_isa)i)), "an instruction set has a lower-case name");
        for (int j = 0; j < i; j++)
            check(strcmp(convpool_isa_name((convpool_isa)i), convpool_isa_name((convpool_isa)j)) != 0,
                  "names of instruction sets differ");
    }
    for (int i = 0; i <= CONVPOOL_ALGORITHM_POOL_CHANNELS; i++) {
        check(is_name(convpool_algorithm_name((convpool_algorithm)i)), "an algorithm has a lower-case name");
        for (int j = 0; j < i; j++)
            check(strcmp(convpool_algorithm_name((convpool_algorithm)i), convpool_algorithm_name((convpool_algorithm)j)) != 0,
                  "names of algorithms differ");
    }
}

int main(int argc, char **argv) {
    opts = options_parse(argc, argv, 2000);
    test_names();
    test_conv2d_descriptors();
    test_pool2d_descriptors();
    test_struct_sizes();
    test_init();
    test_plans();
    test_conv2d_arguments();
    test_workspace();
    test_slices();
    test_pool2d_arguments();
    test_bad_indices();
    test_extremes(opts.count);
    for (size_t i = 0; i < COUNT_OF(all_statuses); i++)
        if (!(seen >> all_statuses[i] & 1))
            tally_fail(&verdicts, &opts, "status %d was never reached: %s", all_statuses[i],
                       convpool_status_string((convpool_status)all_statuses[i]));
    return tally_finish(&verdicts, &opts);
}
