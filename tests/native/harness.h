/* SPDX-License-Identifier: MIT
 *
 * What the native tests share: a seeded generator, memory between guard pages, tensors in such memory, cases that can be replayed
 * from one line of text, and the count of verdicts. No libm in the making of inputs: they have the same bits on every platform.
 */
#ifndef CONVPOOL_TESTS_HARNESS_H
#define CONVPOOL_TESTS_HARNESS_H

#include "convpool.h"

#include <stdbool.h>
#include <stddef.h>

/* ------------------------------------------------------------------------------------------------------------------- random */

typedef struct rng {
    uint64_t state;
} rng;

/** Streams of one seed are independent, so a case can be made again without those before it. */
rng rng_make(uint64_t seed, uint64_t stream);
uint64_t rng_next(rng *r);
int64_t rng_range(rng *r, int64_t lo, int64_t hi);
bool rng_chance(rng *r, int percent);
/** One of the given int64_t. */
#define PICK(r, ...) rng_pick(r, (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
int64_t rng_pick(rng *r, const int64_t *from, size_t count);

/** What a tensor of floats is filled with. */
typedef enum values {
    /** Full mantissas of magnitude up to 2. */
    VALUES_NORMAL,
    /** -3 to 3, both zeros: exact sums, many ties. */
    VALUES_INTEGER,
    /** NORMAL with zeros, denormals, and a few NaN, infinities and largest numbers. */
    VALUES_SPRINKLED,
    /** Exponents from denormal up: products that underflow and sums that lose bits. */
    VALUES_WIDE,
    VALUES_COUNT,
    /** What maxima and sums begin with: negative infinity and -0 alone, few of one among many of the other. */
    VALUES_LEAST = VALUES_COUNT
} values;

/** Any but LEAST. */
values rng_values(rng *r);
/** One float; in SPRINKLED one of `rarity` is a NaN, infinite or huge. In LEAST one of `rarity` is infinite if that is odd, else
 *  one is not. */
float rng_f32(rng *r, values kind, int64_t rarity);

/* ------------------------------------------------------------------------------------------------------------------- memory */

/** A block that touches a page without access: bytes beyond its end (or before its start) fault, bytes at the other side are
 * watched. */
typedef struct guarded {
    unsigned char *pages;
    size_t capacity;
    unsigned char *data;
    size_t size;
} guarded;

typedef enum guard_side { GUARD_AT_END, GUARD_AT_BEGIN } guard_side;
typedef enum guard_access { GUARD_NONE, GUARD_READ, GUARD_WRITE } guard_access;

/** Writable block of `size` bytes at an address that is a multiple of `alignment` plus `shift` bytes, as near to the guard as can
 * be. */
void *guarded_place(guarded *g, size_t size, size_t alignment, size_t shift, guard_side side);
/** Changes the access to the whole block. */
void guarded_access(guarded *g, guard_access access);
/** Whether the watched bytes around the block are as they were. */
bool guarded_intact(const guarded *g);

/* ------------------------------------------------------------------------------------------------------------------ tensors */

/** A tensor in guarded memory, dense or strided. All its bytes, gaps included, start as POISON. */
typedef struct tensor {
    guarded memory;
    convpool_layout layout;
    int64_t n, c, h, w;
    size_t element;
    convpool_strides strides;
    /** What the library is given: NULL for a dense tensor. */
    const convpool_strides *given;
    /** Elements from the first to one past the last. */
    int64_t extent;
} tensor;

/** How the elements of a tensor lie: bits, taken at random. Zero is dense. */
typedef enum gap {
    GAP_COLUMN = 1,
    GAP_ROW = 2,
    GAP_CHANNEL = 4,
    GAP_BATCH = 8,
    /** Senseless strides for dimensions of length 1. */
    GAP_JUNK = 16,
    /** Rows outside channels: [N][H][C][W], and in NHWC columns outside rows. */
    GAP_SWAP = 32,
    /** All images are one (sources only). */
    GAP_BROADCAST = 64,
    GAP_COUNT = 128
} gap;

/** Dense in half of all cases, otherwise any of the given bits. */
int64_t rng_gaps(rng *r, int64_t among);

enum { POISON_BYTE = 0xA5 };
/** A NaN that no arithmetic makes. */
#define POISON_F32 0x7FC5A5A5u

void tensor_place(tensor *t, convpool_layout layout, const int64_t dims[4], size_t element, int64_t gaps, size_t shift,
                  guard_side side);
void tensor_poison(tensor *t);
/** Spare channels of a last block only: where they may hold anything (not for floats). */
void tensor_poison_spares(tensor *t);
int64_t tensor_offset(const tensor *t, int64_t n, int64_t c, int64_t y, int64_t x);
void tensor_fill_f32(tensor *t, rng *r, values kind, int64_t rarity);
void tensor_fill_u8(tensor *t, rng *r, values kind);
/** A copy of the poisoned tensor for the expected elements; with the same strides and extent, in memory of malloc. */
void *tensor_twin(const tensor *t);

/**
 * Compares all bytes of the tensor, gaps included, with its twin: floats by bits, NaNs equal (but never poison), otherwise exactly.
 * On a difference describes the first one in `text`.
 */
bool tensor_equals(const tensor *t, const void *twin, bool ignore_sign_of_zero, char *text, size_t text_size);
/** FNV-1a over the logical elements in NCHW order, NaNs canonical. */
uint64_t tensor_hash(const tensor *t, const void *data, bool ignore_sign_of_zero, uint64_t hash);
#define TENSOR_HASH_SEED 0xCBF29CE484222325u

/* -------------------------------------------------------------------------------------------------------------------- cases */

/** A case is a struct of int64_t fields; its text is "name=value" for each field that is not zero. */
void case_format(char *text, size_t text_size, const char *const *names, const int64_t *fields, size_t count);
/** False at a name that is not known. */
bool case_parse(const char *text, const char *const *names, int64_t *fields, size_t count);

/** Remembered for the report of a crash. */
void case_begin(const char *text);

/* ------------------------------------------------------------------------------------------------------------------ verdicts */

typedef struct options {
    const char *program;
    uint64_t seed;
    int64_t count;
    const char *replay;
    bool require_all;
} options;

enum { STATUS_COUNT = 64, EXIT_CODE_SKIPPED = 77 };

typedef struct tally {
    int64_t passed, failed;
    /** Of those that passed, plans with several tasks for an image. */
    int64_t several;
    /** Cases that the library refused with an UNSUPPORTED status. */
    int64_t unsupported[STATUS_COUNT];
    /** Cases whose forced algorithm the plan declined, as it may. */
    int64_t declined;
} tally;

/** --seed N, --count N, --replay CASE, --require-all; exits on anything else. Prints the seed. */
options options_parse(int argc, char **argv, int64_t default_count);
/** Counts a run that was right, of a plan with so many tasks for an image. */
void tally_pass(tally *t, int64_t tasks);
/** Counts a failure and prints it with the current case; the first hundred at most. */
void tally_fail(tally *t, const options *o, const char *format, ...);
/** Counts what is right, or fails with `what`. */
void tally_expect(tally *t, const options *o, bool right, const char *what);
/** Fails if of many random cases hardly any had several tasks: as if their sizes had stayed while those of tasks grew. */
void tally_expect_several(tally *t, const options *o);
/** Prints the last line and returns the exit code. */
int tally_finish(const tally *t, const options *o);

/** Instruction sets that run here, as a bit mask. */
uint32_t available_isas(void);

static inline bool status_is_unsupported(convpool_status status) {
    return status >= CONVPOOL_STATUS_UNSUPPORTED_ISA && (int)status < STATUS_COUNT;
}

#endif
