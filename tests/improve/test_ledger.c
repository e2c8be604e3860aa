/* Verifying a ledger: a record that is not parsed is as well looked at as one that is. */
#include "improve/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char seed[] = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed";
static char folder[] = "/tmp/pawl-test-ledger-XXXXXX";

/* --- a store with records that anybody may have written ------------------------------------------------ */

struct line {
    const char *kind, *format; /* of the record; %s its prev, %lld its seq */
};

static enum pawl_status make(void *context, const struct pawl_ledger_head *head,
                             struct pawl_ledger_append *append, struct pawl_error *err)
{
    const struct line *line = context;
    struct pawl_buf record = PAWL_BUF(1 << 16), text = PAWL_BUF(1 << 16);
    (void)err;
    for (const char *at = line->format; *at != '\0'; at++) {
        if (*at == '@')
            pawl_buf_add(&record, head->hash);
        else if (*at == '#')
            pawl_buf_printf(&record, "%lld", (long long)head->seq + 1);
        else
            pawl_buf_add_bytes(&record, at, 1);
    }
    pawl_buf_printf(&text, "%s\n%s", head->hash, pawl_buf_str(&record).ptr);
    struct pawl_hash hash = pawl_hash_str(pawl_buf_str(&text));
    pawl_hash_hex(&hash, append->hash);
    pawl_buf_release(&text);
    append->record = pawl_buf_take(&record);
    append->kind = line->kind;
    append->ts_ms = head->ts_ms + 1;
    if (strcmp(line->kind, "seal") == 0) {
        append->flips[0].name = "incumbent";
        append->flips[0].to = seed;
        append->n_flips = 1;
    }
    return PAWL_OK;
}

/* In `format` @ stands for the hash of the record before, # for the number. */
static void add(struct pawl_store *store, const char *kind, const char *format)
{
    struct pawl_error err;
    struct line line = {kind, format};
    if (pawl_store_ledger_append(store, make, &line, &err) != PAWL_OK) fail_msg("%s", err.message);
}

#define RECORD(kind, body)                                                                         \
    "{\"actor\":\"owner\",\"body\":" body ",\"kind\":\"" kind                                      \
    "\",\"prev\":\"@\",\"seq\":#,\"ts\":1767225600000,\"v\":1}"
static const char good_run[] = RECORD("run", "{\"run\":\"r1\",\"usd\":0.125}");

static struct pawl_store *fresh(void)
{
    struct pawl_store *store;
    struct pawl_error err;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
    if (pawl_store_open(folder, true, &store, &err) != PAWL_OK) fail_msg("%s", err.message);
    add(store, "seal",
        RECORD("seal", "{\"public_key\":\"00\",\"seed\":"
                       "\"5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed\"}"));
    add(store, "run", good_run);
    return store;
}

static struct pawl_ledger_report verified(struct pawl_store *store)
{
    struct pawl_ledger_report report;
    struct pawl_error err;
    if (pawl_ledger_verify(store, &report, &err) != PAWL_OK) fail_msg("%s", err.message);
    pawl_store_close(store);
    return report;
}

/* --- tests --------------------------------------------------------------------------------------------- */

static void a_ledger_in_order_verifies(void **state)
{
    (void)state;
    struct pawl_store *store = fresh();
    static const char *const kinds[] = {
        RECORD("end", "{\"evaluations\":3,\"run\":\"r1\",\"usd\":0}"),
        RECORD("data", "{\"added\":[1,2.5,-3e+25,true,null],\"t\":\"\xC3\xA9\\n\\u0001\"}"),
        RECORD("audit", "{\"attempt\":1}"), RECORD("something", "{\"new\":{}}")};
    static const char *const names[] = {"end", "data", "audit", "something"};
    for (size_t i = 0; i < 4; i++) add(store, names[i], kinds[i]);
    struct pawl_ledger_report report = verified(store);
    if (report.first_bad >= 0) fail_msg("record %d: %s", (int)report.first_bad, report.reason);
    assert_int_equal(report.records, 6);
    assert_string_equal(report.incumbent, seed);
}

static void a_record_out_of_place_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *format, *reason;
    } bad[] = {
        {"run", RECORD("end", "{}"), "number or kind"},
        {"end", RECORD("run", "{}"), "number or kind"},
        {"run",
         "{\"actor\":\"owner\",\"body\":{},\"kind\":\"run\",\"prev\":\"@\",\"seq\":7,\"ts\":1,"
         "\"v\":1}",
         "number or kind"},
        {"run",
         "{\"actor\":\"owner\",\"body\":{},\"kind\":\"run\",\"prev\":\"00\",\"seq\":#,\"ts\":1,"
         "\"v\":1}",
         "does not follow"},
        /* The place of another record, told inside of it. */
        {"run",
         "{\"actor\":\"owner\",\"body\":{\"kind\":\"run\",\"prev\":\"@\",\"seq\":#,\"ts\":1,\"v\":"
         "1},"
         "\"kind\":\"run\",\"prev\":\"00\",\"seq\":#,\"ts\":1,\"v\":1}",
         "does not follow"},
        {"run",
         "{\"actor\":\"owner\",\"body\":{},\"kind\":\"end\",\"prev\":\"00\",\"seq\":9,\"z\":{\"a\":"
         "1,"
         "\"kind\":\"run\",\"prev\":\"@\",\"seq\":#,\"ts\":1,\"v\":1}}",
         "does not follow"},
        {"run",
         "{\"actor\":\"owner\",\"body\":\",\\\"kind\\\":\\\"run\\\",\\\"prev\\\":\\\"@\\\","
         "\\\"seq\\\":#,"
         "\\\"ts\\\":1,\\\"v\\\":1}\",\"kind\":\"run\",\"prev\":\"00\",\"seq\":#,\"ts\":1,\"v\":1}",
         "does not follow"},
        {"run", "[" RECORD("run", "{}") "]", "does not follow"},
        {"run", RECORD("run", "{\"b\":1,\"a\":1}"), "canonical"},
        {"run", RECORD("run", "{\"a\":1,\"a\":1}"), "no JSON"},
        {"run", RECORD("run", "{\"a\": 1}"), "canonical"},
        {"run", RECORD("run", "{\"a\":1.0}"), "canonical"},
        {"run", RECORD("run", "{\"a\":\"\\u0041\"}"), "canonical"},
        {"run", RECORD("run", "{\"a\":\"\xFF\"}"), "no JSON"},
        {"run", RECORD("run", "{\"a\":"), "no JSON"},
        {"run", RECORD("run", "{}") " ", "canonical"},
        {"run", "", "no JSON"},
        {"run", "1}", "no JSON"},
        {"run", ",\"v\":1}", "no JSON"},
        {"seal", RECORD("seal", "{}"), "sealed before"},
        {"rollback", RECORD("rollback", "{\"incumbent\":\"aa\",\"previous\":\"bb\"}"),
         "not in force"},
        {"verdict", RECORD("verdict", "{\"promoted\":true,\"statement\":{},\"signature\":\"\"}"),
         "signature"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pawl_store *store = fresh();
        add(store, bad[i].kind, bad[i].format);
        add(store, "run", good_run);
        struct pawl_ledger_report report = verified(store);
        if (report.first_bad != 2 || strstr(report.reason, bad[i].reason) == NULL)
            fail_msg("%s: record %d is bad: %s", bad[i].format, (int)report.first_bad,
                     report.reason);
        assert_int_equal(report.records, 4);
    }
}

int main(void)
{
    pawl_crypto_init();
    if (mkdtemp(folder) == NULL) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ledger_in_order_verifies),
        cmocka_unit_test(a_record_out_of_place_is_found),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0 ? failed : 1;
}
