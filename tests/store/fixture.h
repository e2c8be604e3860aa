/* fixture.h - a store in a folder of its own, for the tests of this room. */
#ifndef PAWL_TESTS_STORE_FIXTURE_H
#define PAWL_TESTS_STORE_FIXTURE_H

#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char fixture_folder[64];
static struct pawl_arena fixture_arena;

static inline const char *in_folder(const char *name)
{
    return pawl_arena_printf(&fixture_arena, "%s/%s", fixture_folder, name);
}

static inline void shell(const char *command, const char *argument)
{
    char *line = pawl_arena_printf(&fixture_arena, "%s '%s'", command, argument);
    assert_int_equal(system(line), 0);
}

static inline int fixture_setup(void **state)
{
    (void)state;
    pawl_crypto_init();
    strcpy(fixture_folder, "/tmp/pawl-test-store-XXXXXX");
    return mkdtemp(fixture_folder) ? 0 : -1;
}

static inline int fixture_teardown(void **state)
{
    (void)state;
    shell("rm -rf", fixture_folder);
    pawl_arena_release(&fixture_arena);
    return 0;
}

static inline struct pawl_store *open_store(void)
{
    struct pawl_store *store = NULL;
    struct pawl_error err = {0};
    enum pawl_status status = pawl_store_open(in_folder("store"), true, &store, &err);
    if (status != PAWL_OK) print_error("%s\n", err.message);
    assert_int_equal(status, PAWL_OK);
    return store;
}

/* `call` fills a local err. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) != PAWL_OK) fail_msg("%s", err.message);                                        \
    } while (0)

#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

#endif
