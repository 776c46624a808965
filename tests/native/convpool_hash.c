/* SPDX-License-Identifier: MIT
 *
 * Hashes of what a fixed list of convolutions and poolings gives, for comparison across instruction sets and machines.
 *
 *   convpool_hash oracle > tests/native/hashes.txt     writes the committed file anew: by the oracle, not by the library
 *   convpool_hash scalar                                prints the hashes of one instruction set: two such lists compare by diff
 *   convpool_hash --check tests/native/hashes.txt       compares every instruction set of this machine with the file
 */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTED_OF_EACH = 120, LISTED_WINOGRAD = 130, LISTED = 2 * LISTED_OF_EACH + LISTED_WINOGRAD, LIST_SEED = 2024, NAME_SIZE = 24 };

static bool is_conv2d(int number) { return number < LISTED_OF_EACH || number >= 2 * LISTED_OF_EACH; }

static conv2d_problem conv;
static pool2d_problem pool;

/* Makes entry `number` of the list: every eleventh tail, then random cases; Winograd last. Returns its replayable text. */
static void make(int number, char name[NAME_SIZE], char text[CASE_TEXT_SIZE]) {
    const int within = number < 2 * LISTED_OF_EACH ? number % LISTED_OF_EACH : number - 2 * LISTED_OF_EACH;
    const uint64_t made_from = within < 36 ? (uint64_t)within * 11 : (uint64_t)(TAIL_CASES + within);
    if (number < LISTED_OF_EACH) {
        conv2d_case c = conv2d_case_make(LIST_SEED, made_from);
        c.algorithm = CONVPOOL_ALGORITHM_AUTO;
        c.numerics = CONVPOOL_NUMERICS_STRICT;
        if (c.batch == 0) c.batch = 1;
        conv2d_problem_make(&conv, &c);
        conv2d_case_text(&c, text);
        snprintf(name, NAME_SIZE, "conv2d-%03d", within);
    } else if (number >= 2 * LISTED_OF_EACH) {
        const int drawn = within < 60    ? within * 5
                          : within < 90  ? within * 5 + 3
                          : within < 110 ? 501 + (within - 90) * 20
                          : within < 120 ? 502 + (within - 110) * 20
                                         : 507 + (within - 120) * 40;
        conv2d_case c = winograd_case_make(LIST_SEED, (uint64_t)drawn); /* 3x3, 5x5, stride 2, dilated, 7x7 with stride 2 */
        if (c.batch == 0) c.batch = 1;
        conv2d_problem_make(&conv, &c);
        conv2d_case_text(&c, text);
        snprintf(name, NAME_SIZE, "winograd-%03d", within);
    } else {
        pool2d_case c = pool2d_case_make(LIST_SEED, made_from);
        c.algorithm = CONVPOOL_ALGORITHM_AUTO;
        if (c.batch == 0) c.batch = 1;
        pool2d_problem_make(&pool, &c);
        pool2d_case_text(&c, text);
        snprintf(name, NAME_SIZE, "pool2d-%03d", within);
    }
}

/* Runs what make made; CONVPOOL_ISA_BEST stands for the oracle. Ends the program on a failure. */
static convpool_status run(int number, convpool_isa isa, const char *text, uint64_t *hash) {
    char message[512] = "";
    convpool_status status = CONVPOOL_STATUS_OK;
    const bool is_conv = is_conv2d(number), of_oracle = isa == CONVPOOL_ISA_BEST;
    if (!of_oracle)
        status = is_conv ? conv2d_problem_run(&conv, isa, message, sizeof message)
                         : pool2d_problem_run(&pool, isa, message, sizeof message);
    if (*message) printf("FAIL %s: %s\n  %s\n", convpool_isa_name(isa), message, text);
    if (status == CONVPOOL_STATUS_OK)
        *hash = is_conv ? conv2d_problem_hash(&conv, of_oracle) : pool2d_problem_hash(&pool, of_oracle);
    return status;
}

static int print_list(convpool_isa isa) {
    for (int i = 0; i < LISTED; i++) {
        char name[NAME_SIZE], text[CASE_TEXT_SIZE];
        uint64_t hash = 0;
        make(i, name, text);
        const convpool_status status = run(i, isa, text, &hash);
        if (status == CONVPOOL_STATUS_OK)
            printf("%s %016llx\n", name, (unsigned long long)hash);
        else
            printf("%s %s\n", name, convpool_status_string(status));
    }
    return 0;
}

static int check_list(const options *o, const char *path) {
    tally t = {0};
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "cannot read %s\n", path);
        return 2;
    }
    for (int i = 0; i < LISTED; i++) {
        char name[NAME_SIZE], text[CASE_TEXT_SIZE], listed_name[NAME_SIZE] = "";
        unsigned long long listed = 0;
        make(i, name, text);
        case_begin(text);
        if (fscanf(file, "%23s %llx", listed_name, &listed) != 2 || strcmp(name, listed_name) != 0) {
            tally_fail(&t, o, "%s: the file has \"%s\" here", name, listed_name);
            continue;
        }
        for (int isa = 0; isa < 32; isa++) {
            if (isa != CONVPOOL_ISA_BEST && !(available_isas() >> isa & 1)) continue;
            uint64_t hash = 0;
            const convpool_status status = run(i, (convpool_isa)isa, text, &hash);
            if (status_is_unsupported(status))
                t.unsupported[status]++;
            else if (status != CONVPOOL_STATUS_OK || hash != listed)
                tally_fail(&t, o, "%s: %s gives %016llx (status %d), the file has %016llx", name,
                           isa ? convpool_isa_name((convpool_isa)isa) : "oracle", (unsigned long long)hash, (int)status, listed);
            else
                t.passed++;
        }
    }
    fclose(file);
    return tally_finish(&t, o);
}

int main(int argc, char **argv) {
    if ((argc == 3 || (argc == 4 && strcmp(argv[3], "--require-all") == 0)) && strcmp(argv[1], "--check") == 0) {
        const options o = {.program = argv[0], .require_all = argc == 4};
        return check_list(&o, argv[2]);
    }
    if (argc == 2 && strcmp(argv[1], "oracle") == 0) return print_list(CONVPOOL_ISA_BEST);
    for (int isa = 1; argc == 2 && isa < 32; isa++)
        if ((available_isas() >> isa & 1) && strcmp(argv[1], convpool_isa_name((convpool_isa)isa)) == 0)
            return print_list((convpool_isa)isa);
    fprintf(stderr, "usage: %s oracle|INSTRUCTION SET OF THIS MACHINE|--check FILE [--require-all]\n", argv[0]);
    return 2;
}
