/* Who is sent the prompts: the host of a URL, or nobody but this machine. */
#include "lm/provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_hosts(void **unused)
{
    static const struct {
        const char *url, *provider;
    } rows[] = {
        {"https://api.openai.com/v1", "api.openai.com"},
        {"https://API.OpenAI.com", "api.openai.com"},
        {"http://10.0.0.7:8000/v1?x=1", "10.0.0.7:8000"},
        {"http://[fe80::1]:8000/v1", "[fe80::1]:8000"},
        {"http://localhost:11434", NULL},
        {"http://LOCALHOST/v1", NULL},
        {"http://models.localhost:1/v1", NULL},
        {"http://127.0.0.1:9/v1", NULL},
        {"http://127.8.8.8", NULL},
        {"http://[::1]:8000/v1", NULL},
        {"http://[::1]", NULL},
        /* Names that only look like this machine. */
        {"http://127.0.0.1.example.com/v1", "127.0.0.1.example.com"},
        {"http://localhost.example.com/v1", "localhost.example.com"},
        {"http://notlocalhost/v1", "notlocalhost"},
        {"http://[::1ff]/v1", "[::1ff]"},
        {"http://1127.0.0.1", "1127.0.0.1"},
    };
    struct pawl_arena arena = {0};
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *provider = pawl_provider_of_url(rows[i].url, &arena);
        if (rows[i].provider == NULL)
            assert_null(provider);
        else
            assert_string_equal(provider, rows[i].provider);
    }
    pawl_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hosts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
