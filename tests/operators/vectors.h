/*
 * vectors.h - the reference's test vectors for prompt optimisers. The file is not part of this
 * repository: it is looked for under $PAWL_SHARED, then under ../shared beside the source folder.
 * A test that does not find it says SKIPPED; the vectors that matter most stand in the tests too.
 */
#ifndef TESTS_OPERATORS_VECTORS_H
#define TESTS_OPERATORS_VECTORS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"

static inline json_t *vectors_load(void)
{
    const char *shared = getenv("PAWL_SHARED"), *source = getenv("PAWL_SOURCE_DIR");
    char path[4096];
    json_t *file = NULL;
    if (shared != NULL) {
        snprintf(path, sizeof path, "%s/reference/vectors/prompt_vectors.json", shared);
        file = json_load_file(path, 0, NULL);
    }
    if (file == NULL && source != NULL) {
        snprintf(path, sizeof path, "%s/../shared/reference/vectors/prompt_vectors.json", source);
        file = json_load_file(path, 0, NULL);
    }
    if (file == NULL)
        print_message("SKIPPED: prompt_vectors.json was not found; set PAWL_SHARED to the folder "
                      "that holds reference/vectors. Only the built-in vectors are tested.\n");
    return file;
}

/* Borrowed; the test fails when the file has no vector of that name. */
static inline const json_t *vectors_find(const json_t *file, const char *name)
{
    for (size_t i = 0; i < json_array_size(file); i++) {
        const json_t *vector = json_array_get(file, i);
        if (strcmp(pawl_json_get_text(vector, "name", ""), name) == 0) return vector;
    }
    fail_msg("there is no vector %s", name);
    return NULL;
}

static inline const json_t *vectors_cases(const json_t *vector)
{
    return json_object_get(json_object_get(vector, "input"), "cases");
}

#endif
