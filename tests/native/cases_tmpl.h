/* SPDX-License-Identifier: MIT
 * What cases of every operation have in common, written once. Before the inclusion: OPERATION is conv2d or pool2d, CASE_FIELDS its
 * list of fields, and init a static function of the type in struct operation.
 */
#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define OF(name) JOIN(OPERATION, _, name)
#define API(name) JOIN(convpool_, OPERATION, name)

#define FIELD_NAME(name) #name,
static const char *const field_names[] = {CASE_FIELDS(FIELD_NAME)};
enum { FIELDS = sizeof field_names / sizeof *field_names };
_Static_assert(sizeof(OF(case)) == FIELDS * sizeof(int64_t), "a case is an array of int64_t");

void OF(case_text)(const OF(case) * c, char text[CASE_TEXT_SIZE]) {
    int64_t fields[FIELDS];
    memcpy(fields, c, sizeof fields);
    case_format(text, CASE_TEXT_SIZE, field_names, fields, FIELDS);
}

bool OF(case_read)(const char *text, OF(case) * c) {
    int64_t fields[FIELDS];
    const bool known = case_parse(text, field_names, fields, FIELDS);
    memcpy(c, fields, sizeof fields);
    return known;
}

static convpool_status query(const void *desc, convpool_plan_info *info) { return API(_query)(desc, info); }

static convpool_status plan_info(const void *plan, convpool_plan_info *info) { return API(_plan_info)(plan, info); }

static int64_t task_count(const void *plan, int64_t batch) { return API(_task_count)(plan, batch); }

static convpool_status run(const void *plan, void *args, void *workspace, int64_t workspace_bytes, int64_t begin, int64_t end) {
    API(_args) *a = args;
    a->workspace = workspace;
    a->workspace_bytes = workspace_bytes;
    a->task_begin = begin;
    a->task_end = end;
    return API(_run)(plan, a);
}

const operation OF(operation) = {query, init, plan_info, task_count, run, sizeof(API(_desc)), sizeof(API(_args))};
