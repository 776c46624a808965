/* SPDX-License-Identifier: MIT */
#if !defined(_WIN32)
#define _DEFAULT_SOURCE
#endif
#include "harness.h"
#include "oracle.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

/* ------------------------------------------------------------------------------------------------------------------- random */

rng rng_make(uint64_t seed, uint64_t stream) {
    rng r = {seed * 0x9E3779B97F4A7C15u ^ stream * 0xD1B54A32D192ED03u};
    rng_next(&r);
    return r;
}

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators). */
uint64_t rng_next(rng *r) {
    uint64_t z = r->state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

int64_t rng_range(rng *r, int64_t lo, int64_t hi) { return lo + (int64_t)(rng_next(r) % (uint64_t)(hi - lo + 1)); }

bool rng_chance(rng *r, int percent) { return rng_range(r, 1, 100) <= percent; }

int64_t rng_pick(rng *r, const int64_t *from, size_t count) { return from[rng_range(r, 0, (int64_t)count - 1)]; }

int64_t rng_gaps(rng *r, int64_t among) { return rng_chance(r, 50) ? 0 : rng_range(r, 0, GAP_COUNT - 1) & among; }

values rng_values(rng *r) { return rng_chance(r, 50) ? VALUES_NORMAL : (values)rng_range(r, VALUES_INTEGER, VALUES_COUNT - 1); }

static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float normal(rng *r) {
    static const float scale[4] = {0x1p-25f, 0x1p-24f, 0x1p-23f, 0x1p-22f};
    const int32_t mantissa = (int32_t)rng_range(r, -(1 << 23), 1 << 23);
    return (float)mantissa * scale[rng_range(r, 0, 3)];
}

float rng_f32(rng *r, values kind, int64_t rarity) {
    static const uint32_t mild[] = {0x80000000u, 0u, 1u, 0x80000001u, 0x00400000u, 0x807FFFFFu, 0x00800000u};
    static const uint32_t severe[] = {0x7FC00000u, 0xFFC12345u, 0x7F800000u, 0xFF800000u, 0x7F7FFFFFu, 0xFF7FFFFFu};
    switch (kind) {
    case VALUES_INTEGER: {
        const float x = (float)rng_range(r, -3, 3);
        return x == 0.0f && rng_chance(r, 50) ? -0.0f : x;
    }
    case VALUES_SPRINKLED:
        if (rng_range(r, 1, rarity) == 1) return from_bits(severe[rng_range(r, 0, 5)]);
        return rng_chance(r, 12) ? from_bits(mild[rng_range(r, 0, 6)]) : normal(r);
    case VALUES_WIDE: {
        const uint32_t exponent = (uint32_t)(rng_chance(r, 50) ? rng_range(r, 0, 30) : rng_range(r, 97, 157));
        const uint32_t rest = (uint32_t)rng_next(r) & 0x807FFFFFu;
        return from_bits(rest | exponent << 23);
    }
    case VALUES_LEAST:
        return (rng_range(r, 1, rarity) == 1) == (rarity % 2 != 0) ? -INFINITY : -0.0f;
    default:
        return normal(r);
    }
}

/* ------------------------------------------------------------------------------------------------------------------- memory */

enum { WATCHED_BYTES = 256 };

static void die(const char *what) {
    fprintf(stderr, "%s failed\n", what);
    exit(2);
}

#if defined(_WIN32)
static size_t page_size(void) {
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwPageSize;
}

static unsigned char *pages_reserve(size_t size) { return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_NOACCESS); }

static void pages_release(unsigned char *pages, size_t size) {
    (void)size;
    VirtualFree(pages, 0, MEM_RELEASE);
}

static bool pages_access(unsigned char *pages, size_t size, guard_access access) {
    static const DWORD protection[] = {PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE};
    DWORD old;
    return VirtualProtect(pages, size, protection[access], &old) != 0;
}
#else
static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static unsigned char *pages_reserve(size_t size) {
    void *pages = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

static void pages_release(unsigned char *pages, size_t size) { munmap(pages, size); }

static bool pages_access(unsigned char *pages, size_t size, guard_access access) {
    static const int protection[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
    return mprotect(pages, size, protection[access]) == 0;
}
#endif

void guarded_access(guarded *g, guard_access access) {
    if (!pages_access(g->pages + page_size(), g->capacity, access)) die("changing page access");
}

/* Start and length of the watched bytes before (0) and after (1) the block. */
static unsigned char *watched(const guarded *g, int after, size_t *size) {
    unsigned char *begin = g->pages + page_size(), *end = begin + g->capacity;
    const size_t before_size = (size_t)(g->data - begin);
    const size_t after_size = (size_t)(end - (g->data + g->size));
    *size = after ? after_size : before_size;
    if (*size > WATCHED_BYTES) *size = WATCHED_BYTES;
    return after ? g->data + g->size : g->data - *size;
}

void *guarded_place(guarded *g, size_t size, size_t alignment, size_t shift, guard_side side) {
    const size_t page = page_size();
    const size_t needed = size + alignment + shift;
    if (needed > g->capacity) {
        if (g->pages) pages_release(g->pages, g->capacity + 2 * page);
        g->capacity = (needed * 2 + page - 1) / page * page;
        g->pages = pages_reserve(g->capacity + 2 * page);
        if (!g->pages) die("reserving pages");
    }
    guarded_access(g, GUARD_WRITE);
    g->size = size;
    g->data = g->pages + page + shift;
    if (side == GUARD_AT_END) g->data += (g->capacity - size - shift) / alignment * alignment;
    for (int after = 0; after < 2; after++) {
        size_t bytes;
        unsigned char *at = watched(g, after, &bytes);
        memset(at, POISON_BYTE, bytes);
    }
    return g->data;
}

bool guarded_intact(const guarded *g) {
    for (int after = 0; after < 2; after++) {
        size_t bytes;
        const unsigned char *at = watched(g, after, &bytes);
        for (size_t i = 0; i < bytes; i++)
            if (at[i] != POISON_BYTE) return false;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------------------------ tensors */

static int64_t block_of(convpool_layout layout) { return layout == CONVPOOL_LAYOUT_NCHW8C ? 8 : 1; }

void tensor_place(tensor *t, convpool_layout layout, const int64_t dims[4], size_t element, int64_t gaps, size_t shift,
                  guard_side side) {
    t->layout = layout;
    t->n = dims[0], t->c = dims[1], t->h = dims[2], t->w = dims[3];
    t->element = element;
    const int64_t block = block_of(layout), blocks = (t->c + block - 1) / block;

    convpool_strides s = oracle_dense_strides(layout, t->c, t->h, t->w);
    const int64_t column_gap = gaps & GAP_COLUMN ? 3 : 0, row_gap = gaps & GAP_ROW ? 5 : 0;
    const int64_t channel_gap = gaps & GAP_CHANNEL ? 9 : 0, batch_gap = gaps & GAP_BATCH ? 7 : 0;
    if (layout == CONVPOOL_LAYOUT_NHWC) {
        s.column += column_gap;
        s.row = t->w * s.column + row_gap;
        if (gaps & GAP_SWAP) s.row = t->c + row_gap, s.column = t->h * s.row + column_gap;
        s.batch = (gaps & GAP_SWAP ? t->w * s.column : t->h * s.row) + batch_gap;
    } else {
        s.row = t->w * s.column + row_gap;
        s.channel = t->h * s.row + channel_gap;
        if (gaps & GAP_SWAP) s.channel = t->w * s.column + channel_gap, s.row = blocks * s.channel + row_gap;
        s.batch = (gaps & GAP_SWAP ? t->h * s.row : blocks * s.channel) + batch_gap;
    }
    if (gaps & GAP_BROADCAST) s.batch = 0;
    t->extent = t->n ? (t->n - 1) * s.batch + (blocks - 1) * s.channel + (t->h - 1) * s.row + (t->w - 1) * s.column + block : 0;
    if (gaps & GAP_JUNK) {
        if (t->n <= 1) s.batch = -1234567;
        if (blocks == 1) s.channel = INT64_MAX;
        if (t->h == 1) s.row = 0;
        if (t->w == 1) s.column = INT64_MIN;
    }
    t->strides = s;
    t->given = gaps ? &t->strides : NULL;
    guarded_place(&t->memory, (size_t)t->extent * element, element, shift * element, side);
    tensor_poison(t);
}

void tensor_poison(tensor *t) {
    guarded_access(&t->memory, GUARD_WRITE);
    if (t->element != sizeof(float)) {
        memset(t->memory.data, POISON_BYTE, t->memory.size);
        return;
    }
    const uint32_t poison = POISON_F32;
    for (size_t i = 0; i < t->memory.size; i += sizeof poison) memcpy(t->memory.data + i, &poison, sizeof poison);
}

int64_t tensor_offset(const tensor *t, int64_t n, int64_t c, int64_t y, int64_t x) {
    return oracle_offset(t->layout, &t->strides, n, c, y, x);
}

#define FOR_EACH_ELEMENT(t, n_, c_, y_, x_)                                                                                        \
    for (int64_t n_ = 0; n_ < (t)->n; n_++)                                                                                        \
        for (int64_t c_ = 0; c_ < (t)->c; c_++)                                                                                    \
            for (int64_t y_ = 0; y_ < (t)->h; y_++)                                                                                \
                for (int64_t x_ = 0; x_ < (t)->w; x_++)

void tensor_fill_f32(tensor *t, rng *r, values kind, int64_t rarity) {
    float *data = (float *)(void *)t->memory.data;
    FOR_EACH_ELEMENT(t, n, c, y, x) data[tensor_offset(t, n, c, y, x)] = rng_f32(r, kind, rarity);
}

void tensor_fill_u8(tensor *t, rng *r, values kind) {
    const int64_t most = kind == VALUES_INTEGER ? 3 : 255;
    FOR_EACH_ELEMENT(t, n, c, y, x) t->memory.data[tensor_offset(t, n, c, y, x)] = (uint8_t)rng_range(r, 0, most);
}

void *tensor_twin(const tensor *t) {
    void *twin = malloc(t->memory.size + 1);
    if (!twin) die("malloc");
    memcpy(twin, t->memory.data, t->memory.size);
    return twin;
}

static bool is_nan_bits(uint32_t bits) { return (bits & 0x7FFFFFFFu) > 0x7F800000u; }

static bool same_f32(uint32_t expected, uint32_t actual, bool ignore_sign_of_zero) {
    if (expected == actual) return true;
    if (expected == POISON_F32 || actual == POISON_F32) return false;
    if (is_nan_bits(expected)) return is_nan_bits(actual);
    return ignore_sign_of_zero && (expected << 1) == 0 && (actual << 1) == 0;
}

/* Says which element lies at an offset, or that none does. */
static void describe_offset(const tensor *t, int64_t offset, char *text, size_t text_size) {
    const int64_t block = block_of(t->layout);
    FOR_EACH_ELEMENT(t, n, c, y, x) {
        if (tensor_offset(t, n, c, y, x) == offset) {
            snprintf(text, text_size, "element n=%lld c=%lld y=%lld x=%lld", (long long)n, (long long)c, (long long)y,
                     (long long)x);
            return;
        }
        if (tensor_offset(t, n, c / block * block, y, x) <= offset &&
            offset < tensor_offset(t, n, c / block * block, y, x) + block && c == t->c - 1) {
            snprintf(text, text_size, "spare channel %lld at n=%lld y=%lld x=%lld",
                     (long long)(c / block * block + offset - tensor_offset(t, n, c / block * block, y, x)), (long long)n,
                     (long long)y, (long long)x);
            return;
        }
    }
    snprintf(text, text_size, "gap at offset %lld", (long long)offset);
}

void tensor_poison_spares(tensor *t) {
    const int64_t block = block_of(t->layout);
    for (int64_t n = 0; n < t->n; n++)
        for (int64_t c = t->c; c % block != 0; c++)
            for (int64_t y = 0; y < t->h; y++)
                for (int64_t x = 0; x < t->w; x++)
                    memset(t->memory.data + (size_t)tensor_offset(t, n, c, y, x) * t->element, POISON_BYTE, t->element);
}

bool tensor_equals(const tensor *t, const void *twin, bool ignore_sign_of_zero, char *text, size_t text_size) {
    const unsigned char *expected = twin, *actual = t->memory.data;
    if (memcmp(expected, actual, t->memory.size) == 0) return true;
    for (int64_t i = 0; i < t->extent; i++) {
        const size_t at = (size_t)i * t->element;
        char where[160];
        if (t->element == sizeof(float)) {
            uint32_t e, a;
            memcpy(&e, expected + at, sizeof e);
            memcpy(&a, actual + at, sizeof a);
            if (same_f32(e, a, ignore_sign_of_zero)) continue;
            describe_offset(t, i, where, sizeof where);
            snprintf(text, text_size, "%s: expected %.9g (0x%08X), got %.9g (0x%08X)%s", where, (double)from_bits(e), (unsigned)e,
                     (double)from_bits(a), (unsigned)a, a == POISON_F32 ? ", never written" : "");
            return false;
        }
        if (memcmp(expected + at, actual + at, t->element) == 0) continue;
        describe_offset(t, i, where, sizeof where);
        if (t->element == 1) {
            snprintf(text, text_size, "%s: expected %u, got %u", where, (unsigned)expected[at], (unsigned)actual[at]);
        } else {
            int64_t e, a;
            memcpy(&e, expected + at, sizeof e);
            memcpy(&a, actual + at, sizeof a);
            snprintf(text, text_size, "%s: expected %lld, got %lld", where, (long long)e, (long long)a);
        }
        return false;
    }
    return true;
}

uint64_t tensor_hash(const tensor *t, const void *data, bool ignore_sign_of_zero, uint64_t hash) {
    FOR_EACH_ELEMENT(t, n, c, y, x) {
        uint64_t value = 0;
        const unsigned char *at = (const unsigned char *)data + (size_t)tensor_offset(t, n, c, y, x) * t->element;
        if (t->element == sizeof(float)) {
            uint32_t bits;
            memcpy(&bits, at, sizeof bits);
            value = is_nan_bits(bits) ? 0x7FC00000u : bits;
            if (ignore_sign_of_zero && value == 0x80000000u) value = 0;
        } else if (t->element == 1) {
            value = *at;
        } else {
            memcpy(&value, at, sizeof value);
        }
        for (int byte = 0; byte < 8; byte++) hash = (hash ^ (value >> 8 * byte & 0xFF)) * 0x100000001B3u;
    }
    return hash;
}

/* -------------------------------------------------------------------------------------------------------------------- cases */

void case_format(char *text, size_t text_size, const char *const *names, const int64_t *fields, size_t count) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (fields[i] == 0) continue;
        const int written = snprintf(text + used, text_size - used, "%s%s=%lld", used ? " " : "", names[i], (long long)fields[i]);
        if (written < 0 || (size_t)written >= text_size - used) die("formatting a case");
        used += (size_t)written;
    }
}

bool case_parse(const char *text, const char *const *names, int64_t *fields, size_t count) {
    memset(fields, 0, count * sizeof *fields);
    while (*text) {
        const char *equals = strchr(text, '=');
        if (!equals) return false;
        size_t i = 0;
        while (i < count && (strlen(names[i]) != (size_t)(equals - text) || strncmp(names[i], text, strlen(names[i])) != 0)) i++;
        if (i == count) return false;
        char *end;
        fields[i] = strtoll(equals + 1, &end, 10);
        while (*end == ' ' || *end == ',') end++;
        text = end;
    }
    return true;
}

static const char *current_case = "";
static const char *current_program = "";

void case_begin(const char *text) { current_case = text; }

static void on_crash(int signal_number) {
    printf("FAIL signal %d (11: memory outside the buffers was touched)\n  replay: %s --replay '%s'\n0 passed, 1 failed\n",
           signal_number, current_program, current_case);
    fflush(stdout);
    _Exit(1);
}

/* ------------------------------------------------------------------------------------------------------------------ verdicts */

options options_parse(int argc, char **argv, int64_t default_count) {
    options o = {.program = argv[0], .seed = (uint64_t)time(NULL), .count = default_count};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--require-all") == 0) {
            o.require_all = true;
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            o.seed = strtoull(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--count") == 0) {
            o.count = strtoll(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--replay") == 0) {
            o.replay = argv[++i];
        } else {
            fprintf(stderr, "usage: %s [--seed N] [--count N] [--replay CASE] [--require-all]\n", argv[0]);
            exit(2);
        }
    }
    current_program = o.program;
    signal(SIGSEGV, on_crash);
    signal(SIGILL, on_crash);
    signal(SIGFPE, on_crash);
#if defined(SIGBUS)
    signal(SIGBUS, on_crash);
#endif
    printf("seed %llu, count %lld\n", (unsigned long long)o.seed, (long long)o.count);
    return o;
}

void tally_fail(tally *t, const options *o, const char *format, ...) {
    if (++t->failed > 100) return;
    va_list arguments;
    va_start(arguments, format);
    printf("FAIL ");
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    if (*current_case) printf("  replay: %s --replay '%s'\n", o->program, current_case);
    fflush(stdout);
}

void tally_expect(tally *t, const options *o, bool right, const char *what) {
    if (right)
        t->passed++;
    else
        tally_fail(t, o, "%s", what);
}

void tally_pass(tally *t, int64_t tasks) {
    t->passed++;
    t->several += tasks > 1;
}

void tally_expect_several(tally *t, const options *o) {
    case_begin("cases of several tasks");
    if (o->count >= 1000) tally_expect(t, o, t->several > t->passed / 20, "a case of 20 has several tasks");
}

int tally_finish(const tally *t, const options *o) {
    int64_t unsupported = 0;
    for (int i = 0; i < STATUS_COUNT; i++) {
        if (t->unsupported[i] == 0) continue;
        printf("unsupported: %lld x %s (%d)\n", (long long)t->unsupported[i], convpool_status_string((convpool_status)i), i);
        unsupported += t->unsupported[i];
    }
    if (t->declined) printf("forced algorithm declined: %lld\n", (long long)t->declined);
    if (t->several) printf("several tasks: %lld\n", (long long)t->several);
    if (t->passed == 0) printf("nothing passed: this run has shown nothing\n");
    printf("%lld passed, %lld failed\n", (long long)t->passed, (long long)t->failed);
    return t->failed || t->passed == 0 || (o->require_all && unsupported) ? 1 : 0;
}

uint32_t available_isas(void) {
    convpool_build_info info = {.struct_size = sizeof info};
    if (convpool_get_build_info(&info) != CONVPOOL_STATUS_OK) die("convpool_get_build_info");
    return info.isa_available;
}
