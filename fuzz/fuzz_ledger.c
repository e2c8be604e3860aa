/* A ledger that somebody wrote into. Each line is a record; one that is a JSON object is numbered and
 * chained as it should be, any other is taken as it is. Reading and verifying end with a report. */
#include "fuzz.h"

#include "improve/ledger.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

struct insert {
    struct pawl_str line;
};

/* Takes `record`; its text as a record after `head`. */
static char *chained(json_t *record, const struct pawl_ledger_head *head)
{
    pawl_json_set(record, "seq", json_integer(head->seq + 1));
    pawl_json_set(record, "prev", json_string(head->hash));
    char *text = pawl_json_text(record);
    json_decref(record);
    return text;
}

static enum pawl_status make(void *context, const struct pawl_ledger_head *head,
                             struct pawl_ledger_append *append, struct pawl_error *err)
{
    static char kind[32];
    const struct pawl_str line = ((struct insert *)context)->line;
    json_t *record = NULL;
    (void)err;
    snprintf(kind, sizeof kind, "fuzz");
    if (pawl_json_parse(line, 1 << 20, &record, NULL) == PAWL_OK && json_is_object(record)) {
        snprintf(kind, sizeof kind, "%s", pawl_json_get_text(record, "kind", "fuzz"));
        append->record = chained(record, head);
    } else {
        json_decref(record);
        append->record = pawl_xmalloc(line.len + 1);
        memcpy(append->record, line.ptr, line.len);
        append->record[line.len] = '\0';
    }
    append->kind = kind;
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, head->hash, PAWL_HASH_HEX - 1);
    pawl_hasher_add(&hasher, "\n", 1);
    pawl_hasher_add(&hasher, append->record, strlen(append->record));
    struct pawl_hash hash = pawl_hasher_final(&hasher);
    pawl_hash_hex(&hash, append->hash);
    return PAWL_OK;
}

static bool fits(void *context, const json_t *body)
{
    (void)context;
    return json_object_get(body, "statement") != NULL;
}

static void check_ledger(struct pawl_store *store, int64_t n_records)
{
    struct pawl_ledger_report report;
    struct pawl_error err = {0};
    json_t *records = NULL, *verdict = NULL;
    PAWL_ASSERT(pawl_ledger_verify(store, &report, &err) == PAWL_OK);
    PAWL_ASSERT(report.records == n_records && strlen(report.root) == PAWL_HASH_HEX - 1);
    PAWL_ASSERT(report.first_bad < 0 || report.reason[0]);
    if (pawl_ledger_records(store, &records, &err) == PAWL_OK)
        PAWL_ASSERT((int64_t)json_array_size(records) == n_records);
    else
        PAWL_ASSERT(!records && err.message[0]);
    if (pawl_ledger_find_verdict(store, fits, NULL, &verdict, &err) != PAWL_OK)
        PAWL_ASSERT(!verdict && err.message[0]);
    json_decref(records);
    json_decref(verdict);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_store *store;
    struct pawl_error err = {0};
    struct insert insert;
    struct pawl_str text = {(const char *)bytes, n_bytes};
    const char *folder = pawl_fuzz_path("store");
    int64_t n_records = 0;
    pawl_crypto_init();
    PAWL_ASSERT(pawl_store_open(folder, true, &store, &err) == PAWL_OK);
    for (; n_records < 16 && pawl_str_split(&text, '\n', &insert.line); n_records++)
        PAWL_ASSERT(pawl_store_ledger_append(store, make, &insert, &err) == PAWL_OK);
    check_ledger(store, n_records);
    pawl_store_close(store);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
