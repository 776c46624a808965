/* SPDX-License-Identifier: MIT
 * What every source file shares: inlining, checked sizes, struct versions, tensors. */
#ifndef CP_COMMON_H
#define CP_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convpool.h"

#if defined(_MSC_VER) && !defined(__clang__)
#define CP_INLINE __forceinline
#define CP_NOINLINE __declspec(noinline)
#define CP_PRAGMA(text)
#define CP_PREFETCH(address)
#define CP_FORGET(pointer)
#define CP_PREFETCH_L1(address)
#else
#define CP_INLINE inline __attribute__((always_inline))
#define CP_NOINLINE __attribute__((noinline))
#define CP_PRAGMA(text) _Pragma(#text)
/* Asks for a cache line that will be read soon, into L2. */
#define CP_PREFETCH(address) __builtin_prefetch(address, 0, 2)
/* What was loaded through a pointer before is loaded again, where registers are too few to hold it. */
#define CP_FORGET(pointer) __asm__("" : "+r"(pointer))
/* The same, into L1. */
#define CP_PREFETCH_L1(address) __builtin_prefetch(address, 0, 3)
#endif

/* Loads stay on their side. Clang would begin those of the next steps so early that registers run out. */
#if defined(__clang__)
#define CP_LOADS_STAY() __asm__ volatile("")
#else
#define CP_LOADS_STAY()
#endif

/* Before a loop of constant length over an array of vectors that must live in registers. */
#if defined(__clang__)
#define CP_UNROLL CP_PRAGMA(clang loop unroll(full))
#else
#define CP_UNROLL CP_PRAGMA(GCC unroll 16)
#endif

#define CP_MIN(a, b) ((a) < (b) ? (a) : (b))
#define CP_MAX(a, b) ((a) > (b) ? (a) : (b))

static inline int64_t cp_ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0); }
/* Cuts `total` into parts of nearly equal length of at most `most`, and tells that length. */
static inline int64_t cp_share(int64_t total, int64_t most) { return cp_ceil_div(total, cp_ceil_div(total, CP_MAX(1, most))); }

/* For a, b >= 0: stores the result and returns true if it fits. */
static inline bool cp_mul(int64_t a, int64_t b, int64_t *result) {
    if (b != 0 && a > INT64_MAX / b) return false;
    *result = a * b;
    return true;
}
static inline bool cp_add(int64_t a, int64_t b, int64_t *result) {
    if (a > INT64_MAX - b) return false;
    *result = a + b;
    return true;
}
/* Rounds n >= 0 up to a multiple of CONVPOOL_ALIGNMENT. */
static inline bool cp_align(int64_t n, int64_t *result) {
    if (!cp_add(n, CONVPOOL_ALIGNMENT - 1, &n)) return false;
    *result = n & ~(int64_t)(CONVPOOL_ALIGNMENT - 1);
    return true;
}
static inline bool cp_is_aligned(const void *p, uintptr_t alignment) { return ((uintptr_t)p & (alignment - 1)) == 0; }

/* Copy a caller's struct into ours, and ours into a caller's, by the rule of convpool.h. The first field says the caller's size;
 * `size` is ours, which is that of version 1 for all structs so far: a shorter one is refused. */
convpool_status cp_read_struct(void *ours, const void *theirs, uint32_t size);
convpool_status cp_write_struct(void *theirs, const void *ours, uint32_t size);

/* How every plan begins: what it is a plan of, and where it was built, since a plan does not move. */
typedef enum cp_plan_kind { CP_PLAN_CONV2D = 0x43504331, CP_PLAN_POOL2D = 0x43505031 } cp_plan_kind;
typedef struct cp_plan {
    const void *self;
    cp_plan_kind kind;
} cp_plan;
static inline bool cp_is_plan(const cp_plan *plan, cp_plan_kind kind) { return plan->self == plan && plan->kind == kind; }

/* A tensor as a run sees it: batch x channels x height x width elements of element_size bytes. */
typedef struct cp_tensor {
    const void *data;
    convpool_layout layout;
    int64_t element_size;
    int64_t batch, channels, height, width;
    convpool_strides strides;
} cp_tensor;

/* Results of that many floats and more, 4 MiB, may be streamed past the caches. */
enum { CP_STREAM_FLOATS = 1 << 20 };

/* Fills in dense strides where `strides` is NULL; checks pointer, alignment and strides. A tensor that is written must not collide
 * with itself. `batch` is at least 1. */
convpool_status cp_tensor_init(cp_tensor *tensor, const convpool_strides *strides, bool written);
/* Whether two tensors might share a byte. Exact enough for regions and channel slices of one parent. */
bool cp_tensors_overlap(const cp_tensor *a, const cp_tensor *b);

/* Elements from a pixel's channel 0 to its channel c. */
static inline int64_t cp_channel_offset(convpool_layout layout, int64_t channel_stride, int64_t c) {
    return layout == CONVPOOL_LAYOUT_NCHW8C ? (c >> 3) * channel_stride + (c & 7) : c * channel_stride;
}

static inline int64_t cp_tensor_offset(const cp_tensor *t, int64_t channel, int64_t row, int64_t column) {
    return cp_channel_offset(t->layout, t->strides.channel, channel) + row * t->strides.row + column * t->strides.column;
}
/* Where an image begins; NULL where there is no data. */
static inline void *cp_tensor_image(const cp_tensor *t, int64_t image) {
    return t->data == NULL ? NULL : (char *)(uintptr_t)t->data + image * t->strides.batch * t->element_size;
}
/* Sets some channels of some rows of an image to zero. */
void cp_tensor_clear(const cp_tensor *t, int64_t image, int64_t channel, int64_t channels, int64_t row, int64_t rows);

/* Channels that fill up the last block of an NCHW8C tensor, if `end` is the end of its channels. They are written as zero. */
static inline int64_t cp_spare_channels(convpool_layout layout, int64_t channels, int64_t end) {
    return layout == CONVPOOL_LAYOUT_NCHW8C && end == channels ? (8 - end % 8) % 8 : 0;
}

/* The cell of an axis of n cells that coordinate i reads, or -1 for a padded zero. */
static inline int64_t cp_border(convpool_border border, int64_t i, int64_t n) {
    if (i >= 0 && i < n) return i;
    switch (border) {
    case CONVPOOL_BORDER_REFLECT:
        return i < 0 ? -i : 2 * n - 2 - i;
    case CONVPOOL_BORDER_REPLICATE:
        return i < 0 ? 0 : n - 1;
    case CONVPOOL_BORDER_CIRCULAR:
        return i < 0 ? i + n : i - n;
    default:
        return -1;
    }
}

/* The taps [begin, end) of `taps` at `origin + tap * dilation` that fall into [0, n). */
static inline void cp_tap_range(int64_t origin, int64_t dilation, int64_t taps, int64_t n, int64_t *begin, int64_t *end) {
    const int64_t missing = CP_MAX(0, -origin), room = n - origin;
    *begin = dilation == 1 ? missing : cp_ceil_div(missing, dilation);
    *end = room <= 0 ? 0 : CP_MIN(taps, dilation == 1 ? room : (room - 1) / dilation + 1);
    if (*begin > *end) *begin = *end;
}

#endif
