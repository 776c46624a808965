/* SPDX-License-Identifier: MIT
 *
 * Random convolutions and poolings over the whole option space of the ABI, each made from a handful of integers; their inputs, the
 * oracle's answer, and the library's.
 */
#ifndef CONVPOOL_TESTS_CASES_H
#define CONVPOOL_TESTS_CASES_H

#include "convpool.h"
#include "harness.h"

/* Fields of the descriptors under their names there; the rest:
 *   alpha beta           activation_alpha, activation_beta in sixteenths; BOUND_INFINITY and its negative, BOUND_MINUS_ZERO
 *   bias residual        0 or 1
 *   values weight_values enum values
 *   *_gaps               enum gap
 *   shift                elements by which tensors are moved off their natural alignment
 *   side                 enum guard_side
 *   split                0: one run of all tasks; else the seed of a split
 *   data                 seed of the inputs
 *   isa                  0 in a case: every instruction set of the machine
 */
#define CONV2D_CASE_FIELDS(X)                                                                                                      \
    X(isa)                                                                                                                         \
    X(algorithm)                                                                                                                   \
    X(numerics)                                                                                                                    \
    X(src_layout) X(dst_layout) X(border) X(activation) X(alpha) X(beta) X(batch) X(in_channels) X(out_channels) X(groups) X(ih)   \
        X(iw) X(kh) X(kw) X(stride_h) X(stride_w) X(dilation_h) X(dilation_w) X(pad_top) X(pad_bottom) X(pad_left) X(pad_right)    \
            X(bias) X(residual) X(values) X(weight_values) X(src_gaps) X(dst_gaps) X(residual_gaps) X(shift) X(side) X(split)      \
                X(data)

#define POOL2D_CASE_FIELDS(X)                                                                                                      \
    X(isa)                                                                                                                         \
    X(algorithm)                                                                                                                   \
    X(kind)                                                                                                                        \
    X(window) X(direction) X(src_type) X(dst_type) X(src_layout) X(dst_layout) X(indices) X(p) X(ceil_mode) X(count_include_pad)   \
        X(divisor_override) X(batch) X(channels) X(ih) X(iw) X(oh) X(ow) X(kh) X(kw) X(stride_h) X(stride_w) X(dilation_h)         \
            X(dilation_w) X(pad_top) X(pad_bottom) X(pad_left) X(pad_right) X(values) X(src_gaps) X(dst_gaps) X(indices_gaps)      \
                X(shift) X(side) X(split) X(data)

#define CASE_FIELD(name) int64_t name;
typedef struct conv2d_case {
    CONV2D_CASE_FIELDS(CASE_FIELD)
} conv2d_case;
typedef struct pool2d_case {
    POOL2D_CASE_FIELDS(CASE_FIELD)
} pool2d_case;
#undef CASE_FIELD

enum { BOUND_INFINITY = 99999, BOUND_MINUS_ZERO = 88888, CASE_TEXT_SIZE = 2048 };

/** The case of a seed and a number. The first TAIL_CASES numbers go through 1..33 channels (in, out, depthwise) and 1..33 columns.
 * After WINDOW_CASES more, two poolings of three are about small windows on wide planes and about long windows. */
conv2d_case conv2d_case_make(uint64_t seed, uint64_t number);
pool2d_case pool2d_case_make(uint64_t seed, uint64_t number);
/** Convolutions of 3x3 and, every fifth, 5x5 with stride 1, Winograd forced; the first 99 numbers go through 1..33 channels (in,
 *  out) and columns. From 500 on many have stride 2, of 3x3 and 7x7, or are dilated. */
conv2d_case winograd_case_make(uint64_t seed, uint64_t number);
/** One with a channel a group, and with kernels that are a column times a row: CONVPOOL_ALGORITHM_SEPARABLE. */
conv2d_case separable_case_make(uint64_t seed, uint64_t number);
enum { TAIL_CASES = 33 * 12, WINDOW_CASES = 500 };

void conv2d_case_text(const conv2d_case *c, char text[CASE_TEXT_SIZE]);
void pool2d_case_text(const pool2d_case *c, char text[CASE_TEXT_SIZE]);
/** False if the text names a field that does not exist. */
bool conv2d_case_read(const char *text, conv2d_case *c);
bool pool2d_case_read(const char *text, pool2d_case *c);

/* ------------------------------------------------------------------------------------------------------------------ running */

/** Guarded memory for the structs and the plan of one operation; tasks of an image of the plan that ran last. */
typedef struct engine {
    guarded desc, args, plan, workspace;
    int64_t tasks;
} engine;

/** The three verbs of one operation on one problem, with the types taken off. */
typedef struct operation {
    convpool_status (*query)(const void *desc, convpool_plan_info *info);
    convpool_status (*init)(void *problem, const void *desc, void *memory, int64_t memory_bytes, void **plan);
    convpool_status (*plan_info)(const void *plan, convpool_plan_info *info);
    int64_t (*task_count)(const void *plan, int64_t batch);
    convpool_status (*run)(const void *plan, void *args, void *workspace, int64_t workspace_bytes, int64_t begin, int64_t end);
    size_t desc_size, args_size;
} operation;

extern const operation conv2d_operation, pool2d_operation;

/**
 * Queries, builds and runs a plan, all tasks or a random split in random order, with every struct at a guard page, the plan and the
 * descriptor out of reach or read-only as soon as they may be, and the workspace full of NaN. Returns a status of UNSUPPORTED as it
 * is; anything else that is wrong is described in `text`, which is empty if all is well.
 */
convpool_status engine_run(engine *e, const operation *op, void *problem, const void *desc, const void *args, int64_t batch,
                           int64_t split, convpool_plan_info *info, char *text, size_t text_size);

/** Inputs of a case and the oracle's answer. Memory is kept from case to case: one static problem serves a whole program. */
typedef struct conv2d_problem {
    conv2d_case options;
    convpool_conv2d_desc desc;
    convpool_conv2d_args args;
    tensor src, dst, residual;
    guarded weights, bias;
    engine engine;
    void *expected;
    bool ignore_sign_of_zero;
} conv2d_problem;

typedef struct pool2d_problem {
    pool2d_case options;
    convpool_pool2d_desc desc;
    convpool_pool2d_args args;
    tensor src, dst, indices;
    engine engine;
    void *expected, *expected_indices;
} pool2d_problem;

void conv2d_problem_make(conv2d_problem *p, const conv2d_case *c);
void pool2d_problem_make(pool2d_problem *p, const pool2d_case *c);

/**
 * Runs the library and compares its answer with the oracle's, and what it says of the plan with what it must say. Returns and
 * describes as engine_run does.
 */
convpool_status conv2d_problem_run(conv2d_problem *p, convpool_isa isa, char *text, size_t text_size);
/** Runs a case on each instruction set, or on the one it names; `also`, unless it is NULL, looks at each result. */
void conv2d_case_test(conv2d_problem *p, const conv2d_case *c, bool (*also)(const conv2d_problem *p, char *text, size_t text_size),
                      tally *t, const options *o);
convpool_status pool2d_problem_run(pool2d_problem *p, convpool_isa isa, char *text, size_t text_size);

/** Hash of the library's answer, or of the oracle's. */
uint64_t conv2d_problem_hash(const conv2d_problem *p, bool of_oracle);
uint64_t pool2d_problem_hash(const pool2d_problem *p, bool of_oracle);

#endif
