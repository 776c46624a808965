/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PIECES = 6 };

/* Cuts [0, tasks) at random into pieces, some of them empty, and shuffles them. */
static int split_tasks(rng *r, int64_t tasks, int64_t begin[MAX_PIECES], int64_t end[MAX_PIECES]) {
    const int pieces = (int)rng_range(r, 2, MAX_PIECES);
    int64_t cuts[MAX_PIECES + 1] = {0};
    for (int i = 1; i < pieces; i++) {
        const int64_t cut = rng_range(r, 0, tasks);
        int at = i;
        for (; at > 1 && cuts[at - 1] > cut; at--) cuts[at] = cuts[at - 1];
        cuts[at] = cut;
    }
    cuts[pieces] = tasks;
    for (int i = 0; i < pieces; i++) {
        const int other = (int)rng_range(r, 0, i);
        begin[i] = begin[other], end[i] = end[other];
        begin[other] = cuts[i], end[other] = cuts[i + 1];
    }
    return pieces;
}

static bool same_info(const convpool_plan_info *a, const convpool_plan_info *b) {
    return a->isa == b->isa && a->algorithm == b->algorithm && a->oh == b->oh && a->ow == b->ow && a->plan_bytes == b->plan_bytes &&
           a->workspace_bytes == b->workspace_bytes && a->tasks == b->tasks && a->flops == b->flops &&
           memcmp(&a->error_bound, &b->error_bound, sizeof a->error_bound) == 0;
}

static void *place_struct(guarded *g, const void *data, size_t size) {
    return memcpy(guarded_place(g, size, sizeof(int64_t), 0, GUARD_AT_END), data, size);
}

convpool_status engine_run(engine *e, const operation *op, void *problem, const void *desc, const void *args, int64_t batch,
                           int64_t split, convpool_plan_info *info, char *text, size_t text_size) {
    text[0] = '\0';
    rng r = rng_make((uint64_t)split, 1);
    const guard_side side = split % 2 ? GUARD_AT_BEGIN : GUARD_AT_END;
    desc = place_struct(&e->desc, desc, op->desc_size);
    guarded_access(&e->desc, GUARD_READ);

    *info = (convpool_plan_info){.struct_size = sizeof *info};
    convpool_status status = op->query(desc, info);
    if (status != CONVPOOL_STATUS_OK) {
        if (!status_is_unsupported(status)) snprintf(text, text_size, "query: %s", convpool_status_string(status));
        return status;
    }
    if (info->plan_bytes < 1 || info->workspace_bytes < 0 || info->tasks < 1 || info->flops < 0 || info->reserved != 0) {
        snprintf(text, text_size, "query: plan_bytes %lld, workspace_bytes %lld, tasks %lld, flops %lld, reserved %u",
                 (long long)info->plan_bytes, (long long)info->workspace_bytes, (long long)info->tasks, (long long)info->flops,
                 (unsigned)info->reserved);
        return status;
    }

    void *memory = guarded_place(&e->plan, (size_t)info->plan_bytes, CONVPOOL_ALIGNMENT, 0, side);
    memset(memory, POISON_BYTE, (size_t)info->plan_bytes);
    void *plan = NULL;
    status = op->init(problem, desc, memory, info->plan_bytes, &plan);
    if (status != CONVPOOL_STATUS_OK || plan != memory) {
        snprintf(text, text_size, "init: %s, plan %s memory", convpool_status_string(status), plan == memory ? "is" : "is not");
        return status;
    }
    guarded_access(&e->plan, GUARD_READ);
    guarded_access(&e->desc, GUARD_NONE);

    convpool_plan_info built = {.struct_size = sizeof built};
    status = op->plan_info(plan, &built);
    if (status != CONVPOOL_STATUS_OK || !same_info(info, &built)) {
        snprintf(text, text_size, "plan_info: %s, or it differs from query", convpool_status_string(status));
        return status;
    }
    const int64_t tasks = op->task_count(plan, batch);
    e->tasks = info->tasks;
    if (op->task_count(plan, 1) != info->tasks || op->task_count(plan, 0) != 0 || (batch > 0 && tasks < 1)) {
        snprintf(text, text_size, "task_count: %lld for batch 1, %lld for batch %lld; query said %lld",
                 (long long)op->task_count(plan, 1), (long long)tasks, (long long)batch, (long long)info->tasks);
        return status;
    }

    int64_t begin[MAX_PIECES] = {0}, end[MAX_PIECES] = {tasks};
    const int pieces = split ? split_tasks(&r, tasks, begin, end) : 1;
    void *arguments = place_struct(&e->args, args, op->args_size);
    for (int i = 0; i < pieces; i++) {
        const size_t bytes = (size_t)info->workspace_bytes;
        void *workspace = guarded_place(&e->workspace, bytes, CONVPOOL_ALIGNMENT, 0, side);
        for (size_t at = 0; at < bytes; at++) ((unsigned char *)workspace)[at] = at % 4 == 3 ? 0x7F : 0xC5;
        status = op->run(plan, arguments, bytes ? workspace : NULL, info->workspace_bytes, begin[i], end[i]);
        if (status != CONVPOOL_STATUS_OK) {
            snprintf(text, text_size, "run: %s, tasks [%lld, %lld) of %lld", convpool_status_string(status), (long long)begin[i],
                     (long long)end[i], (long long)tasks);
            return status;
        }
        if (!guarded_intact(&e->workspace)) {
            snprintf(text, text_size, "run: wrote outside the workspace");
            return status;
        }
    }
    if (!guarded_intact(&e->plan)) snprintf(text, text_size, "init: wrote outside the plan's memory");
    return status;
}
