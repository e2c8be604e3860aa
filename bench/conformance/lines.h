/*
 * lines.h - questions from standard input, a line of JSON each, answered in order; for the programs here.
 *
 *     int main(void) { return answer_lines("conformance_gepa", 1 << 24, answer); }
 */
#ifndef BENCH_CONFORMANCE_LINES_H
#define BENCH_CONFORMANCE_LINES_H

#include "base/hash.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

/* Prints `answer`'s object, whose reference it gives away. */
static inline void put_line(json_t *object)
{
    char *text = pawl_json_text(object);
    puts(text);
    free(text);
    json_decref(object);
}

/* A line has at most limit_bytes. Gives the exit code. */
static inline int answer_lines(const char *program, size_t limit_bytes,
                               enum pawl_status (*answer)(const json_t *question,
                                                          struct pawl_error *err))
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    struct pawl_error err = {0};
    enum pawl_status status = PAWL_OK;
    pawl_crypto_init();
    while (status == PAWL_OK && (n = getline(&line, &capacity, stdin)) > 0) {
        json_t *question = NULL;
        struct pawl_str text = {line, (size_t)n};
        status = pawl_json_parse(pawl_str_trim(text), limit_bytes, &question, &err);
        if (status == PAWL_OK) status = answer(question, &err);
        json_decref(question);
    }
    if (status != PAWL_OK) fprintf(stderr, "%s: %s\n", program, err.message);
    free(line);
    return pawl_status_exit_code(status);
}

#endif
