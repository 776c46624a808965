/* SPDX-License-Identifier: MIT
 * OPERATION (conv2d or pool2d) of the library against the oracle, by bits, on tails and on random cases, for every instruction set.
 */
#include "cases.h"

#include <stdio.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define OF(name) JOIN(OPERATION, name)
#define STRING_(name) #name
#define STRING(name) STRING_(name)

static OF(_problem) problem;

static void test(const OF(_case) * c, tally *t, const options *o) {
    char text[CASE_TEXT_SIZE], message[512];
    OF(_problem_make)(&problem, c);
    for (int isa = 1; isa < 32; isa++) {
        if (!(available_isas() >> isa & 1) || (c->isa && c->isa != isa)) continue;
        OF(_case) named = *c;
        named.isa = isa;
        OF(_case_text)(&named, text);
        case_begin(text);
        const convpool_status status = OF(_problem_run)(&problem, (convpool_isa)isa, message, sizeof message);
        if (c->algorithm && status == CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM)
            t->declined++;
        else if (*message)
            tally_fail(t, o, STRING(OPERATION) " %s: %s", convpool_isa_name((convpool_isa)isa), message);
        else if (status != CONVPOOL_STATUS_OK)
            t->unsupported[status]++;
        else
            tally_pass(t, problem.engine.tasks);
    }
}

int main(int argc, char **argv) {
    const options o = options_parse(argc, argv, 4000);
    tally t = {0};
    if (o.replay) {
        OF(_case) c;
        if (!OF(_case_read)(o.replay, &c)) {
            fprintf(stderr, "not a case of " STRING(OPERATION) ": %s\n", o.replay);
            return 2;
        }
        test(&c, &t, &o);
        return tally_finish(&t, &o);
    }
    for (uint64_t number = 0; number < TAIL_CASES + (uint64_t)o.count; number++) {
        const OF(_case) c = OF(_case_make)(o.seed, number);
        test(&c, &t, &o);
    }
    tally_expect_several(&t, &o);
    return tally_finish(&t, &o);
}
