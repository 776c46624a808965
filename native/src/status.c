/* SPDX-License-Identifier: MIT */
#include "convpool.h"

const char *convpool_status_string(convpool_status status) {
    switch (status) {
    case CONVPOOL_STATUS_OK:
        return "success";
    case CONVPOOL_STATUS_NULL_POINTER:
        return "a required pointer is NULL";
    case CONVPOOL_STATUS_STRUCT_SIZE:
        return "struct_size is too small, or a field that this library does not know is not zero";
    case CONVPOOL_STATUS_MISALIGNED:
        return "plan memory or workspace is not 64-byte aligned, or a tensor not to its element";
    case CONVPOOL_STATUS_BUFFER_TOO_SMALL:
        return "plan memory or workspace is smaller than query asked for";
    case CONVPOOL_STATUS_SIZE_OVERFLOW:
        return "a product of sizes does not fit in 64 bits";
    case CONVPOOL_STATUS_INVALID_PLAN:
        return "the plan was not built by init, or was moved";
    case CONVPOOL_STATUS_INVALID_CHANNELS:
        return "a number of channels is below 1";
    case CONVPOOL_STATUS_INVALID_GROUPS:
        return "groups is below 1 or does not divide in_channels and out_channels";
    case CONVPOOL_STATUS_INVALID_INPUT_SIZE:
        return "ih or iw is below 1";
    case CONVPOOL_STATUS_INVALID_OUTPUT_SIZE:
        return "oh or ow is below 1 or differs from the derived size";
    case CONVPOOL_STATUS_INVALID_KERNEL:
        return "kh or kw is below 1";
    case CONVPOOL_STATUS_INVALID_STRIDE:
        return "stride_h or stride_w is below 1";
    case CONVPOOL_STATUS_INVALID_DILATION:
        return "dilation_h or dilation_w is below 1";
    case CONVPOOL_STATUS_INVALID_PADDING:
        return "a pad is negative or too large";
    case CONVPOOL_STATUS_EMPTY_OUTPUT:
        return "the dilated kernel is larger than the padded input";
    case CONVPOOL_STATUS_INVALID_ACTIVATION:
        return "activation bounds or slope are NaN, or the lower bound exceeds the upper";
    case CONVPOOL_STATUS_INVALID_DIVISOR:
        return "divisor_override is negative";
    case CONVPOOL_STATUS_INVALID_MAX_ERROR:
        return "max_error is negative or NaN";
    case CONVPOOL_STATUS_INVALID_BATCH:
        return "batch is negative";
    case CONVPOOL_STATUS_INVALID_TENSOR_STRIDE:
        return "a tensor stride does not fit the layout, or elements of dst collide";
    case CONVPOOL_STATUS_INVALID_TASK_RANGE:
        return "not 0 <= task_begin <= task_end <= task count";
    case CONVPOOL_STATUS_OVERLAP:
        return "dst overlaps src, residual or indices";
    case CONVPOOL_STATUS_INVALID_INDEX:
        return "an index of max-unpooling is outside its plane";
    case CONVPOOL_STATUS_UNSUPPORTED_ISA:
        return "the instruction set is not built in or not offered by this CPU";
    case CONVPOOL_STATUS_UNSUPPORTED_DATA_TYPE:
        return "the data type is not supported";
    case CONVPOOL_STATUS_UNSUPPORTED_LAYOUT:
        return "the layout is not supported";
    case CONVPOOL_STATUS_UNSUPPORTED_BORDER:
        return "the border mode is not supported";
    case CONVPOOL_STATUS_UNSUPPORTED_DIRECTION:
        return "the direction is not supported";
    case CONVPOOL_STATUS_UNSUPPORTED_ACTIVATION:
        return "the activation is not supported";
    case CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM:
        return "the algorithm is not supported here";
    case CONVPOOL_STATUS_UNSUPPORTED_NUMERICS:
        return "the numerics mode is not supported";
    case CONVPOOL_STATUS_UNSUPPORTED_POOL_KIND:
        return "the pooling kind or its norm p is not supported";
    case CONVPOOL_STATUS_UNSUPPORTED_POOL_WINDOW:
        return "the pooling window is not supported";
    case CONVPOOL_STATUS_UNSUPPORTED_INDICES:
        return "this kind of indices is not supported here";
    case CONVPOOL_STATUS_UNSUPPORTED_FLAG:
        return "a flag is neither 0 nor 1, or a reserved field is not zero";
    }
    return "unknown status";
}
