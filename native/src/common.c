/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <string.h>

convpool_status cp_read_struct(void *ours, const void *theirs, uint32_t size) {
    uint32_t given;
    if (theirs == NULL) return CONVPOOL_STATUS_NULL_POINTER;
    memcpy(&given, theirs, sizeof given);
    if (given < size) return CONVPOOL_STATUS_STRUCT_SIZE;
    for (uint32_t i = size; i < given; i++) {
        if (((const unsigned char *)theirs)[i] != 0) return CONVPOOL_STATUS_STRUCT_SIZE;
    }
    memcpy(ours, theirs, size);
    return CONVPOOL_STATUS_OK;
}

convpool_status cp_write_struct(void *theirs, const void *ours, uint32_t size) {
    uint32_t given;
    if (theirs == NULL) return CONVPOOL_STATUS_NULL_POINTER;
    memcpy(&given, theirs, sizeof given);
    if (given < size) return CONVPOOL_STATUS_STRUCT_SIZE;
    memcpy(theirs, ours, size);
    memcpy(theirs, &given, sizeof given);
    memset((char *)theirs + size, 0, given - size);
    return CONVPOOL_STATUS_OK;
}

/* A tensor as a set of byte addresses: dimensions of more than one cell, each with its stride. */
typedef struct cp_footprint {
    int64_t size[5], stride[5];
    int dims;
    int64_t bytes; /* from the first byte to one past the last */
} cp_footprint;

static bool cp_footprint_init(cp_footprint *f, const cp_tensor *t) {
    const bool blocked = t->layout == CONVPOOL_LAYOUT_NCHW8C;
    const int64_t size[5] = {t->batch, blocked ? cp_ceil_div(t->channels, 8) : t->channels, t->height, t->width, blocked ? 8 : 1};
    const int64_t stride[5] = {t->strides.batch, t->strides.channel, t->strides.row, t->strides.column, 1};
    int64_t elements = 1;
    f->dims = 0;
    for (int i = 0; i < 5; i++) {
        int64_t length;
        if (size[i] == 1) continue;
        if (!cp_mul(size[i] - 1, stride[i], &length) || !cp_add(elements, length, &elements)) return false;
        f->size[f->dims] = size[i];
        f->stride[f->dims++] = stride[i];
    }
    if (!cp_mul(elements, t->element_size, &f->bytes) || f->bytes > PTRDIFF_MAX) return false;
    for (int i = 0; i < f->dims; i++) f->stride[i] *= t->element_size;
    return (uintptr_t)f->bytes <= UINTPTR_MAX - (uintptr_t)t->data;
}

/* Whether two cells may be the same. They are not when, in order of stride, each stride steps over all that smaller ones reach. */
static bool cp_footprint_collides(cp_footprint f, int64_t element_size) {
    int64_t reach = element_size;
    for (int i = 0; i < f.dims; i++) {
        for (int j = i + 1; j < f.dims; j++) {
            if (f.stride[j] < f.stride[i]) {
                const int64_t stride = f.stride[i], size = f.size[i];
                f.stride[i] = f.stride[j];
                f.size[i] = f.size[j];
                f.stride[j] = stride;
                f.size[j] = size;
            }
        }
        if (f.stride[i] < reach) return true;
        reach += (f.size[i] - 1) * f.stride[i];
    }
    return false;
}

convpool_status cp_tensor_init(cp_tensor *t, const convpool_strides *strides, bool written) {
    cp_footprint footprint;
    const bool blocked = t->layout == CONVPOOL_LAYOUT_NCHW8C;
    if (t->data == NULL) return CONVPOOL_STATUS_NULL_POINTER;
    if (!cp_is_aligned(t->data, (uintptr_t)t->element_size)) return CONVPOOL_STATUS_MISALIGNED;
    if (strides != NULL) {
        t->strides = *strides;
        if (t->layout == CONVPOOL_LAYOUT_NHWC ? t->channels > 1 && strides->channel != 1
                                              : t->width > 1 && strides->column != (blocked ? 8 : 1)) {
            return CONVPOOL_STATUS_INVALID_TENSOR_STRIDE;
        }
    } else {
        const int64_t pixel = t->layout == CONVPOOL_LAYOUT_NHWC ? t->channels : blocked ? 8 : 1;
        const int64_t planes = blocked ? cp_ceil_div(t->channels, 8) : t->layout == CONVPOOL_LAYOUT_NHWC ? 1 : t->channels;
        int64_t row, plane, image;
        if (!cp_mul(t->width, pixel, &row) || !cp_mul(t->height, row, &plane) || !cp_mul(planes, plane, &image)) {
            return CONVPOOL_STATUS_SIZE_OVERFLOW;
        }
        t->strides = (convpool_strides){image, t->layout == CONVPOOL_LAYOUT_NHWC ? 1 : plane, row, pixel};
    }
    int64_t *const given[] = {&t->strides.batch, &t->strides.channel, &t->strides.row, &t->strides.column};
    const int64_t sizes[] = {t->batch, blocked ? cp_ceil_div(t->channels, 8) : t->channels, t->height, t->width};
    for (int i = 0; i < 4; i++) {
        if (sizes[i] == 1) *given[i] = 0; /* Does not matter, whatever it was. */
        if (*given[i] < 0) return CONVPOOL_STATUS_INVALID_TENSOR_STRIDE;
    }
    *(t->layout == CONVPOOL_LAYOUT_NHWC ? &t->strides.channel : &t->strides.column) = blocked ? 8 : 1;
    if (!cp_footprint_init(&footprint, t)) return CONVPOOL_STATUS_SIZE_OVERFLOW;
    if (written && cp_footprint_collides(footprint, t->element_size)) return CONVPOOL_STATUS_INVALID_TENSOR_STRIDE;
    return CONVPOOL_STATUS_OK;
}

/* Whether a and b stay apart modulo `stride`: the dimensions whose strides are its multiples vanish, and what is left of each is a
 * run of bytes within one period. This is how two slices of one parent are told apart. */
static bool cp_apart_modulo(const cp_footprint *a, const cp_footprint *b, uintptr_t distance, int64_t stride, int64_t a_element,
                            int64_t b_element) {
    int64_t a_run = a_element, b_run = b_element;
    for (int i = 0; i < a->dims; i++) a_run += a->stride[i] % stride != 0 ? (a->size[i] - 1) * a->stride[i] : 0;
    for (int i = 0; i < b->dims; i++) b_run += b->stride[i] % stride != 0 ? (b->size[i] - 1) * b->stride[i] : 0;
    const int64_t offset = (int64_t)(distance % (uintptr_t)stride);
    return a_run <= stride && b_run <= stride && offset >= a_run && offset + b_run <= stride;
}

bool cp_tensors_overlap(const cp_tensor *a, const cp_tensor *b) {
    cp_footprint fa, fb;
    if ((uintptr_t)a->data > (uintptr_t)b->data) {
        const cp_tensor *t = a;
        a = b;
        b = t;
    }
    if (!cp_footprint_init(&fa, a) || !cp_footprint_init(&fb, b)) return true;
    const uintptr_t distance = (uintptr_t)b->data - (uintptr_t)a->data;
    if (distance >= (uintptr_t)fa.bytes) return false;
    for (int i = 0; i < fa.dims; i++) {
        if (fa.stride[i] > 0 && cp_apart_modulo(&fa, &fb, distance, fa.stride[i], a->element_size, b->element_size)) return false;
    }
    return true;
}

void cp_tensor_clear(const cp_tensor *t, int64_t image, int64_t channel, int64_t channels, int64_t row, int64_t rows) {
    char *data = cp_tensor_image(t, image);
    for (int64_t c = channel; c < channel + channels; c++) {
        for (int64_t i = row; i < row + rows; i++) {
            for (int64_t j = 0; j < t->width; j++) {
                memset(data + cp_tensor_offset(t, c, i, j) * t->element_size, 0, (size_t)t->element_size);
            }
        }
    }
}
