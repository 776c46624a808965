/* SPDX-License-Identifier: MIT
 *
 * ConvPool: convolution and pooling on a CPU, as a C ABI.
 *
 * Every operation has the same three verbs:
 *
 *   query   looks at a descriptor and tells sizes: output, plan, workspace, tasks.
 *   init    validates, packs the weights and builds a plan in memory that the caller owns.
 *   run     executes tasks [task_begin, task_end) of a plan on one batch of tensors.
 *
 * Ownership    The library owns nothing: no heap, no threads, no mutable globals, no environment variables. Plan and workspace
 *              are the caller's memory; freeing that memory is all the cleanup there is.
 * Plan         Immutable once built, so any number of threads may run it at once. Its address is part of it: never copy or
 *              move one. Calling init again on the same memory (new weights) needs every run of the old plan to have ended.
 * Workspace    Scratch for one run call. Two calls that overlap in time need two workspaces. Its contents need not be kept.
 * Tasks        A run over `batch` images has convpool_*_task_count(plan, batch) tasks. They are independent of each other: split
 *              them over threads in any way, or run them all in one call. The bits of the result never depend on the split.
 * Tensors      Sizes and strides are int64, in elements. Data must be aligned to its element (4 bytes for f32), no more.
 *              dst must not overlap src, residual or indices, nor itself (zero or colliding strides).
 * Alignment    Plan memory and workspace: CONVPOOL_ALIGNMENT bytes.
 * Structs      The caller sets struct_size to sizeof of the struct it was compiled with. A library that knows a longer struct
 *              takes the fields beyond as zero; one that knows a shorter struct accepts only zeros there.
 * Errors       Nothing is written to tensors or plan memory unless all arguments of the call are valid. Status 0 is success.
 * Numerics     docs/numerics.md states the order of arithmetic; the same bits come out on every instruction set.
 */
#ifndef CONVPOOL_H
#define CONVPOOL_H

#include <stdint.h>

#if defined(CONVPOOL_STATIC)
#define CONVPOOL_API
#elif defined(_WIN32)
#if defined(CONVPOOL_BUILD)
#define CONVPOOL_API __declspec(dllexport)
#else
#define CONVPOOL_API __declspec(dllimport)
#endif
#else
#define CONVPOOL_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Version of this binary interface. A library and its caller must agree on it. */
#define CONVPOOL_ABI_VERSION 1

/** Alignment in bytes that plan memory and workspaces need. */
#define CONVPOOL_ALIGNMENT 64

/** Result of a call. Zero is success; any other value says which argument was refused. */
typedef enum convpool_status {
    /** The call did what it was asked to. */
    CONVPOOL_STATUS_OK = 0,
    /** A required pointer is NULL. */
    CONVPOOL_STATUS_NULL_POINTER = 1,
    /** struct_size is smaller than version 1 of the struct, or a field beyond what this library knows is not zero. */
    CONVPOOL_STATUS_STRUCT_SIZE = 2,
    /** Plan memory or workspace is not aligned to CONVPOOL_ALIGNMENT, or a tensor is not aligned to its element. */
    CONVPOOL_STATUS_MISALIGNED = 3,
    /** Plan memory or workspace holds fewer bytes than query asked for. */
    CONVPOOL_STATUS_BUFFER_TOO_SMALL = 4,
    /** A product of sizes does not fit in 64 bits. */
    CONVPOOL_STATUS_SIZE_OVERFLOW = 5,
    /** The plan pointer is not a plan that init built (or it was moved). */
    CONVPOOL_STATUS_INVALID_PLAN = 6,
    /** channels, in_channels or out_channels is below 1. */
    CONVPOOL_STATUS_INVALID_CHANNELS = 7,
    /** groups is below 1, or does not divide in_channels and out_channels. */
    CONVPOOL_STATUS_INVALID_GROUPS = 8,
    /** ih or iw is below 1. */
    CONVPOOL_STATUS_INVALID_INPUT_SIZE = 9,
    /** oh or ow is below 1 (adaptive pooling), or differs from the derived size. */
    CONVPOOL_STATUS_INVALID_OUTPUT_SIZE = 10,
    /** kh or kw is below 1. */
    CONVPOOL_STATUS_INVALID_KERNEL = 11,
    /** stride_h or stride_w is below 1. */
    CONVPOOL_STATUS_INVALID_STRIDE = 12,
    /** dilation_h or dilation_w is below 1. */
    CONVPOOL_STATUS_INVALID_DILATION = 13,
    /** A pad is negative, or too large: pooling wants it below the dilated kernel, reflect below the input, circular at most it. */
    CONVPOOL_STATUS_INVALID_PADDING = 14,
    /** The dilated kernel is larger than the padded input: no output element exists. */
    CONVPOOL_STATUS_EMPTY_OUTPUT = 15,
    /** Activation bounds or slope are NaN, or the lower bound exceeds the upper. */
    CONVPOOL_STATUS_INVALID_ACTIVATION = 16,
    /** divisor_override is negative. */
    CONVPOOL_STATUS_INVALID_DIVISOR = 17,
    /** max_error is negative or NaN. */
    CONVPOOL_STATUS_INVALID_MAX_ERROR = 18,
    /** batch is negative. */
    CONVPOOL_STATUS_INVALID_BATCH = 19,
    /** A tensor stride is not possible: the layout's innermost stride is not 1 (8 for an NCHW8C column), or dst elements collide.
     */
    CONVPOOL_STATUS_INVALID_TENSOR_STRIDE = 20,
    /** Not 0 <= task_begin <= task_end <= task count. */
    CONVPOOL_STATUS_INVALID_TASK_RANGE = 21,
    /** dst overlaps src, residual or indices. */
    CONVPOOL_STATUS_OVERLAP = 22,
    /** Max-unpooling met an index that is neither -1 nor within the plane; dst of that plane is undefined. */
    CONVPOOL_STATUS_INVALID_INDEX = 23,
    /** The instruction set is unknown, not built in, or not offered by this CPU. */
    CONVPOOL_STATUS_UNSUPPORTED_ISA = 32,
    /** A data type (or this combination of types) is not supported. */
    CONVPOOL_STATUS_UNSUPPORTED_DATA_TYPE = 33,
    /** A layout (or this combination of layouts) is not supported. */
    CONVPOOL_STATUS_UNSUPPORTED_LAYOUT = 34,
    /** The border mode is not supported. */
    CONVPOOL_STATUS_UNSUPPORTED_BORDER = 35,
    /** The direction is not supported. */
    CONVPOOL_STATUS_UNSUPPORTED_DIRECTION = 36,
    /** The activation is not supported. */
    CONVPOOL_STATUS_UNSUPPORTED_ACTIVATION = 37,
    /** The algorithm is not supported, or cannot serve this shape, these numerics or these weights. */
    CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM = 38,
    /** The numerics mode is not supported. */
    CONVPOOL_STATUS_UNSUPPORTED_NUMERICS = 39,
    /** The pooling kind (or its norm p) is not supported. */
    CONVPOOL_STATUS_UNSUPPORTED_POOL_KIND = 40,
    /** The pooling window is not supported. */
    CONVPOOL_STATUS_UNSUPPORTED_POOL_WINDOW = 41,
    /** The kind of indices is not supported, or not with this pooling kind. */
    CONVPOOL_STATUS_UNSUPPORTED_INDICES = 42,
    /** A flag is neither 0 nor 1, or a reserved field is not zero. */
    CONVPOOL_STATUS_UNSUPPORTED_FLAG = 43
} convpool_status;

/** Instruction set of the kernels. */
typedef enum convpool_isa {
    /** The best one that this CPU offers. */
    CONVPOOL_ISA_BEST = 0,
    /** Portable C. */
    CONVPOOL_ISA_SCALAR = 1,
    /** x86-64 with AVX2 and FMA. */
    CONVPOOL_ISA_AVX2 = 2,
    /** AArch64 Advanced SIMD. */
    CONVPOOL_ISA_NEON = 3,
    /** x86-64 with AVX-512 (F, DQ, BW, VL) as well. */
    CONVPOOL_ISA_AVX512 = 4
} convpool_isa;

/** Type of a tensor's elements. */
typedef enum convpool_data_type {
    /** IEEE 754 binary32. */
    CONVPOOL_DATA_TYPE_F32 = 0,
    /** IEEE 754 binary16. */
    CONVPOOL_DATA_TYPE_F16 = 1,
    /** bfloat16. */
    CONVPOOL_DATA_TYPE_BF16 = 2,
    /** Unsigned 8-bit integer. */
    CONVPOOL_DATA_TYPE_U8 = 3,
    /** Signed 8-bit integer. */
    CONVPOOL_DATA_TYPE_S8 = 4
} convpool_data_type;

/** Order of a tensor's dimensions in memory. */
typedef enum convpool_layout {
    /** [N][C][H][W]: planes, as in PyTorch and ONNX. */
    CONVPOOL_LAYOUT_NCHW = 0,
    /** [N][H][W][C]: channels last, as images are stored. */
    CONVPOOL_LAYOUT_NHWC = 1,
    /** [N][ceil(C/8)][H][W][8]: blocks of 8 channels. Spare channels of dst and indices are written as zero, those of
     * src never matter. */
    CONVPOOL_LAYOUT_NCHW8C = 2
} convpool_layout;

/** What lies outside the image. Letters show a row `abcd` with two cells of padding on each side. */
typedef enum convpool_border {
    /** 00|abcd|00. Padded taps are skipped. */
    CONVPOOL_BORDER_ZERO = 0,
    /** cb|abcd|cb. Each pad must be smaller than the image. */
    CONVPOOL_BORDER_REFLECT = 1,
    /** aa|abcd|dd */
    CONVPOOL_BORDER_REPLICATE = 2,
    /** cd|abcd|ab. Each pad must be at most the image. */
    CONVPOOL_BORDER_CIRCULAR = 3
} convpool_border;

/** Direction in which an operation is computed. */
typedef enum convpool_direction {
    /** Inference: src to dst. */
    CONVPOOL_DIRECTION_FORWARD = 0,
    /** The adjoint in src: transposed convolution, max-unpooling. */
    CONVPOOL_DIRECTION_TRANSPOSED = 1
} convpool_direction;

/** Function applied to each output element, after bias and residual. NaN stays NaN in all of them. */
typedef enum convpool_activation {
    /** y = x */
    CONVPOOL_ACTIVATION_NONE = 0,
    /** y = x < 0 ? 0 : x */
    CONVPOOL_ACTIVATION_RELU = 1,
    /** y = x < alpha ? alpha : x > beta ? beta : x */
    CONVPOOL_ACTIVATION_CLIP = 2,
    /** y = x < 0 ? alpha x : x */
    CONVPOOL_ACTIVATION_LEAKY_RELU = 3,
    /** y = 1 / (1 + exp(-x)) */
    CONVPOOL_ACTIVATION_SIGMOID = 4,
    /** y = tanh(x) */
    CONVPOOL_ACTIVATION_TANH = 5,
    /** y = x / (1 + exp(-x)), also called Swish */
    CONVPOOL_ACTIVATION_SILU = 6,
    /** y = x clip(x + 3, 0, 6) / 6 */
    CONVPOOL_ACTIVATION_HARD_SWISH = 7,
    /** y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
    CONVPOOL_ACTIVATION_GELU_TANH = 8
} convpool_activation;

/** Which algorithms a convolution may choose from. */
typedef enum convpool_numerics {
    /** Any algorithm whose error bound docs/numerics.md states, if it is faster. */
    CONVPOOL_NUMERICS_FAST = 0,
    /** Only the direct family, whose order of arithmetic is documented: the bits are those of the reference. */
    CONVPOOL_NUMERICS_STRICT = 1
} convpool_numerics;

/** How an operation is computed. In a descriptor AUTO lets the plan choose; any other value forces that one. */
typedef enum convpool_algorithm {
    /** The plan chooses, from shape and weights alone. */
    CONVPOOL_ALGORITHM_AUTO = 0,
    /** Direct convolution, vector lanes along the output channels. */
    CONVPOOL_ALGORITHM_DIRECT_CHANNELS = 1,
    /** Direct convolution, vector lanes along the width, or the pixels of all rows: depthwise layers, few channels, 1x1 on planes,
     * single-channel images. */
    CONVPOOL_ALGORITHM_DIRECT_WIDTH = 2,
    /** Winograd F(2x2, 3x3), also with stride 2, F(2x2, 5x5), and F(2x2, 7x7) with stride 2. */
    CONVPOOL_ALGORITHM_WINOGRAD_2X2 = 3,
    /** Winograd F(4x4, 3x3), also with stride 2. */
    CONVPOOL_ALGORITHM_WINOGRAD_4X4 = 4,
    /** Pooling, vector lanes along the width. */
    CONVPOOL_ALGORITHM_POOL_WIDTH = 5,
    /** Pooling, vector lanes along the channels. */
    CONVPOOL_ALGORITHM_POOL_CHANNELS = 6,
    /** Convolution along the rows, then along the columns, for one channel a group and kernels that are a column times a row. */
    CONVPOOL_ALGORITHM_SEPARABLE = 7
} convpool_algorithm;

/** What pooling computes over a window. */
typedef enum convpool_pool_kind {
    /** Largest element; the first of several; NaN if there is one. */
    CONVPOOL_POOL_KIND_MAX = 0,
    /** Arithmetic mean. */
    CONVPOOL_POOL_KIND_AVERAGE = 1,
    /** (sum |x|^p)^(1/p) for p = 1, 2. */
    CONVPOOL_POOL_KIND_LP = 2
} convpool_pool_kind;

/** How the windows of pooling lie on the image. */
typedef enum convpool_pool_window {
    /** kh x kw, moved by a stride. */
    CONVPOOL_POOL_WINDOW_SLIDING = 0,
    /** The whole image; kernel, stride, dilation, pads and flags are ignored. */
    CONVPOOL_POOL_WINDOW_GLOBAL = 1,
    /** oh x ow windows; window i covers rows floor(i ih / oh) to ceil((i + 1) ih / oh) - 1. Kernel, stride, pads are ignored. */
    CONVPOOL_POOL_WINDOW_ADAPTIVE = 2
} convpool_pool_window;

/** Which indices of its maxima max pooling writes, as int64, in the layout of dst. */
typedef enum convpool_indices {
    /** None. */
    CONVPOOL_INDICES_NONE = 0,
    /** y * iw + x within the plane, as in PyTorch. -1 where a window meets no element. */
    CONVPOOL_INDICES_PLANE = 1,
    /** ((n * channels + c) * ih + y) * iw + x, as in ONNX. -1 where a window meets no element. */
    CONVPOOL_INDICES_TENSOR = 2
} convpool_indices;

/** What this build of the library is and what it found. */
typedef struct convpool_build_info {
    /** sizeof(convpool_build_info), set by the caller. */
    uint32_t struct_size;
    /** CONVPOOL_ABI_VERSION of the library. */
    uint32_t abi_version;
    /** Bit i is set if the kernels of instruction set i are built in. */
    uint32_t isa_built;
    /** Bit i is set if they are built in and this CPU and operating system run them. */
    uint32_t isa_available;
    /** The instruction set that CONVPOOL_ISA_BEST stands for here. */
    convpool_isa isa_best;
    /** Zero. */
    uint32_t reserved;
    /** Version of the library, as "1.2.3"; static storage. */
    const char *version;
    /** Name and version of the compiler; static storage. */
    const char *compiler;
} convpool_build_info;

/** What a plan will be (query) or is (plan_info). */
typedef struct convpool_plan_info {
    /** sizeof(convpool_plan_info), set by the caller. */
    uint32_t struct_size;
    /** Instruction set that was chosen. */
    convpool_isa isa;
    /** Algorithm that was chosen. */
    convpool_algorithm algorithm;
    /** Zero. */
    uint32_t reserved;
    /** Output height. */
    int64_t oh;
    /** Output width. */
    int64_t ow;
    /** Bytes of plan memory. */
    int64_t plan_bytes;
    /** Bytes of workspace a run call needs (0: none). */
    int64_t workspace_bytes;
    /** Tasks of a run with batch 1. */
    int64_t tasks;
    /** Floating-point operations of one image as the direct method counts them (a multiply-add is two), padding included. */
    int64_t flops;
    /** Bound of the largest absolute error, relative to (sum over channels of max |x| in the input patch) times sum |w|. */
    double error_bound;
} convpool_plan_info;

/** Distances between neighbours of a dense or strided tensor, in elements; never negative, and for src and residual they
 * may be 0. Strides of dimensions of length 1 do not matter. */
typedef struct convpool_strides {
    /** From one image to the next. */
    int64_t batch;
    /** From one channel to the next; from one block of 8 channels to the next in NCHW8C; 1 in NHWC. */
    int64_t channel;
    /** From one row to the next. */
    int64_t row;
    /** From one column to the next: 1 in NCHW, 8 in NCHW8C. */
    int64_t column;
} convpool_strides;

/** A 2-D convolution (cross-correlation) layer on images of ih x iw. */
typedef struct convpool_conv2d_desc {
    /** sizeof(convpool_conv2d_desc), set by the caller. */
    uint32_t struct_size;
    /** Instruction set; 0 is the best one. */
    convpool_isa isa;
    /** Algorithm; 0 lets the plan choose. */
    convpool_algorithm algorithm;
    /** Which algorithms may be chosen. */
    convpool_numerics numerics;
    /** Direction. */
    convpool_direction direction;
    /** Type of src. */
    convpool_data_type src_type;
    /** Type of weights and bias. */
    convpool_data_type weights_type;
    /** Type of dst and residual. */
    convpool_data_type dst_type;
    /** Layout of src. */
    convpool_layout src_layout;
    /** Layout of dst and residual. */
    convpool_layout dst_layout;
    /** What the pads hold. */
    convpool_border border;
    /** Activation. */
    convpool_activation activation;
    /** Channels of src; a multiple of groups. */
    int64_t in_channels;
    /** Channels of dst; a multiple of groups. */
    int64_t out_channels;
    /** Groups; in_channels of them is a depthwise convolution. */
    int64_t groups;
    /** Input height. */
    int64_t ih;
    /** Input width. */
    int64_t iw;
    /** Kernel height. */
    int64_t kh;
    /** Kernel width. */
    int64_t kw;
    /** Rows from one output row to the next. */
    int64_t stride_h;
    /** Columns from one output column to the next. */
    int64_t stride_w;
    /** Rows from one tap to the next. */
    int64_t dilation_h;
    /** Columns from one tap to the next. */
    int64_t dilation_w;
    /** Rows of padding above. */
    int64_t pad_top;
    /** Rows of padding below. */
    int64_t pad_bottom;
    /** Columns of padding on the left. */
    int64_t pad_left;
    /** Columns of padding on the right. */
    int64_t pad_right;
    /** Lower bound (CLIP) or slope (LEAKY_RELU); otherwise ignored. */
    float activation_alpha;
    /** Upper bound (CLIP); otherwise ignored. */
    float activation_beta;
    /** With FAST: only algorithms whose error_bound is at most this; 0 is no limit. The direct family is always allowed. */
    double max_error;
} convpool_conv2d_desc;

/** What one run of a convolution works on. */
typedef struct convpool_conv2d_args {
    /** sizeof(convpool_conv2d_args), set by the caller. */
    uint32_t struct_size;
    /** Zero. */
    uint32_t reserved;
    /** Number of images; 0 is legal, looks at no pointer and does nothing. */
    int64_t batch;
    /** Input, batch x in_channels x ih x iw. */
    const void *src;
    /** Output, batch x out_channels x oh x ow. */
    void *dst;
    /** Added to the result before the activation, shaped like dst; NULL is none. */
    const void *residual;
    /** Strides of src; NULL is dense. */
    const convpool_strides *src_strides;
    /** Strides of dst; NULL is dense. */
    const convpool_strides *dst_strides;
    /** Strides of residual; NULL is dense. */
    const convpool_strides *residual_strides;
    /** Scratch memory of workspace_bytes; may be NULL when the plan needs none. */
    void *workspace;
    /** Bytes of workspace. */
    int64_t workspace_bytes;
    /** First task to execute. */
    int64_t task_begin;
    /** One past the last task to execute. */
    int64_t task_end;
} convpool_conv2d_args;

/**
 * A 2-D pooling layer on images of ih x iw.
 * TRANSPOSED max pooling with PLANE indices is max-unpooling: src and indices are oh x ow, dst is ih x iw; dst is filled with
 * zeros, then dst[index] = src in row-major order. Index -1 is passed over.
 */
typedef struct convpool_pool2d_desc {
    /** sizeof(convpool_pool2d_desc), set by the caller. */
    uint32_t struct_size;
    /** Instruction set; 0 is the best one. */
    convpool_isa isa;
    /** Algorithm; 0 lets the plan choose. */
    convpool_algorithm algorithm;
    /** What is computed. */
    convpool_pool_kind kind;
    /** Where the windows lie. */
    convpool_pool_window window;
    /** Direction. */
    convpool_direction direction;
    /** Type of src: F32 or U8. */
    convpool_data_type src_type;
    /** Type of dst: F32, or U8 with a U8 src. */
    convpool_data_type dst_type;
    /** Layout of src. */
    convpool_layout src_layout;
    /** Layout of dst and indices. */
    convpool_layout dst_layout;
    /** Indices that max pooling writes. */
    convpool_indices indices;
    /** The norm of LP: 1 or 2. */
    int32_t p;
    /** 1: round the output size up, but drop a last window that starts in the right or bottom padding. */
    int32_t ceil_mode;
    /** 1: an average divides by the cells of the window in the padded image; 0: by those in the image. */
    int32_t count_include_pad;
    /** Channels. */
    int64_t channels;
    /** Input height. */
    int64_t ih;
    /** Input width. */
    int64_t iw;
    /** Output height: wanted for ADAPTIVE, otherwise 0 or the derived height. */
    int64_t oh;
    /** Output width: wanted for ADAPTIVE, otherwise 0 or the derived width. */
    int64_t ow;
    /** Window height. */
    int64_t kh;
    /** Window width. */
    int64_t kw;
    /** Rows from one window to the next. */
    int64_t stride_h;
    /** Columns from one window to the next. */
    int64_t stride_w;
    /** Rows from one tap to the next. */
    int64_t dilation_h;
    /** Columns from one tap to the next. */
    int64_t dilation_w;
    /** Rows of padding above; below the dilated window. */
    int64_t pad_top;
    /** Rows of padding below; below the dilated window. */
    int64_t pad_bottom;
    /** Columns of padding on the left; below the dilated window. */
    int64_t pad_left;
    /** Columns of padding on the right; below the dilated window. */
    int64_t pad_right;
    /** An average over a sliding window divides by this; 0 is no override. */
    int64_t divisor_override;
} convpool_pool2d_desc;

/** What one run of a pooling works on. */
typedef struct convpool_pool2d_args {
    /** sizeof(convpool_pool2d_args), set by the caller. */
    uint32_t struct_size;
    /** Zero. */
    uint32_t reserved;
    /** Number of images; 0 is legal, looks at no pointer and does nothing. */
    int64_t batch;
    /** Input, batch x channels x ih x iw. */
    const void *src;
    /** Output, batch x channels x oh x ow. */
    void *dst;
    /** Indices of the maxima, shaped like the pooled tensor: written (FORWARD) or read (TRANSPOSED). Required exactly when the plan
     * was built with indices. */
    int64_t *indices;
    /** Strides of src; NULL is dense. */
    const convpool_strides *src_strides;
    /** Strides of dst; NULL is dense. */
    const convpool_strides *dst_strides;
    /** Strides of indices; NULL is dense. */
    const convpool_strides *indices_strides;
    /** Scratch memory of workspace_bytes; may be NULL when the plan needs none. */
    void *workspace;
    /** Bytes of workspace. */
    int64_t workspace_bytes;
    /** First task to execute. */
    int64_t task_begin;
    /** One past the last task to execute. */
    int64_t task_end;
} convpool_pool2d_args;

/** A convolution plan: built by convpool_conv2d_init in the caller's memory. */
typedef struct convpool_conv2d convpool_conv2d;

/** A pooling plan: built by convpool_pool2d_init in the caller's memory. */
typedef struct convpool_pool2d convpool_pool2d;

/** Tells what this library is. Safe to call first: it needs nothing but a struct of at least version 1. */
CONVPOOL_API convpool_status convpool_get_build_info(convpool_build_info *info);

/** An English sentence for a status, without a full stop; static storage, never NULL. */
CONVPOOL_API const char *convpool_status_string(convpool_status status);

/** Short lower-case name of an instruction set ("avx2"); static storage, never NULL. */
CONVPOOL_API const char *convpool_isa_name(convpool_isa isa);

/** Short lower-case name of an algorithm ("direct-channels"); static storage, never NULL. */
CONVPOOL_API const char *convpool_algorithm_name(convpool_algorithm algorithm);

/** Validates a convolution and tells its sizes. Deterministic for a descriptor and a CPU; cheap. */
CONVPOOL_API convpool_status convpool_conv2d_query(const convpool_conv2d_desc *desc, convpool_plan_info *info);

/**
 * Builds a convolution plan at the start of `memory` and packs the weights into it.
 * `weights` is dense OIHW: [out_channels][in_channels / groups][kh][kw]. `bias` is [out_channels] or NULL.
 * Neither is needed afterwards. `*plan` receives the plan, which is `memory` itself.
 */
CONVPOOL_API convpool_status convpool_conv2d_init(const convpool_conv2d_desc *desc, const void *weights, const void *bias,
                                                  void *memory, int64_t memory_bytes, convpool_conv2d **plan);

/** What an initialised plan is; the algorithm may differ from query's where the weights ruled one out. */
CONVPOOL_API convpool_status convpool_conv2d_plan_info(const convpool_conv2d *plan, convpool_plan_info *info);

/** Number of tasks of a run over `batch` images; 0 if the plan or the batch is invalid or the number does not fit. */
CONVPOOL_API int64_t convpool_conv2d_task_count(const convpool_conv2d *plan, int64_t batch);

/**
 * Executes tasks [task_begin, task_end):
 *   dst(n,o,i,j) = act(residual(n,o,i,j) + bias(o)
 *                      + sum over c,y,x of src(n, c, i stride_h + y dilation_h - pad_top, j stride_w + x dilation_w - pad_left)
 *                                          weights(o,c,y,x))
 * with c over the channels of o's group. Thread-safe; allocates nothing.
 */
CONVPOOL_API convpool_status convpool_conv2d_run(const convpool_conv2d *plan, const convpool_conv2d_args *args);

/** Validates a pooling and tells its sizes. Deterministic for a descriptor and a CPU; cheap. */
CONVPOOL_API convpool_status convpool_pool2d_query(const convpool_pool2d_desc *desc, convpool_plan_info *info);

/** Builds a pooling plan at the start of `memory`. `*plan` receives the plan, which is `memory` itself. */
CONVPOOL_API convpool_status convpool_pool2d_init(const convpool_pool2d_desc *desc, void *memory, int64_t memory_bytes,
                                                  convpool_pool2d **plan);

/** What an initialised plan is. */
CONVPOOL_API convpool_status convpool_pool2d_plan_info(const convpool_pool2d *plan, convpool_plan_info *info);

/** Number of tasks of a run over `batch` images; 0 if the plan or the batch is invalid or the number does not fit. */
CONVPOOL_API int64_t convpool_pool2d_task_count(const convpool_pool2d *plan, int64_t batch);

/** Executes tasks [task_begin, task_end) of a pooling. Thread-safe; allocates nothing. */
CONVPOOL_API convpool_status convpool_pool2d_run(const convpool_pool2d *plan, const convpool_pool2d_args *args);

#ifdef __cplusplus
}
#endif

#endif
