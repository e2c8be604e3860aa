/*
 * The certificate as one page. What the page holds, as JSON in a script element that nobody runs:
 *
 *     statement, signature, providers, case_copies, evidence_state, evidence, sealed,
 *     approval, confirmation                            as `certificate` tells
 *     history     [{statement, signature}] of the earlier attempts of the same sealed set: what the level
 *                 rests on
 *     before      attempts of earlier sealed sets
 *     artifacts   {candidate, incumbent}: their components, or null where the store has them no more
 *
 * Invariant: the data have no <, > or &, so they end where they are meant to end and hold no markup; and the
 * page's policy lets one script run, named by its hash, so nothing else could run if they had.
 */
#include "improve/front.h"

#include "improve/page.h"
#include "io/file.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES_MAX = 1 << 30 };

/* --- what the page holds ------------------------------------------------------------------------------ */

struct history {
    int64_t attempt; /* the one that is certified */
    int64_t before;  /* the last attempt of the sealed sets before its own */
    json_t *earlier; /* [{statement, signature}] */
};

static enum pawl_status add_record(void *context, int64_t seq, const char *kind,
                                   struct pawl_str text, const char *hash, struct pawl_error *err)
{
    struct history *history = context;
    json_t *record;
    (void)seq, (void)hash;
    bool rotates = strcmp(kind, "rotate") == 0;
    if (!rotates && strcmp(kind, "verdict") != 0) return PAWL_OK;
    PAWL_TRY(pawl_json_parse(text, text.len, &record, err));
    const json_t *body = json_object_get(record, "body");
    const json_t *statement = json_object_get(body, "statement");
    if (rotates && json_object_get(statement, "drawn") == NULL) {
        int64_t last = pawl_json_get_int(statement, "attempts", 0);
        if (last < history->attempt && last > history->before) history->before = last;
    } else if (!rotates && pawl_json_get_int(statement, "attempt", 0) < history->attempt) {
        json_array_append_new(history->earlier,
                              json_pack("{s:O, s:O}", "statement", statement, "signature",
                                        json_object_get(body, "signature")));
    }
    json_decref(record);
    return PAWL_OK;
}

/* Those of earlier sealed sets count for nothing here. */
static void drop_other_sets(struct history *history)
{
    for (size_t i = json_array_size(history->earlier); i-- > 0;) {
        const json_t *statement = json_object_get(json_array_get(history->earlier, i), "statement");
        if (pawl_json_get_int(statement, "attempt", 0) <= history->before)
            json_array_remove(history->earlier, i);
    }
}

static json_t *artifact_or_null(struct pawl_call *call, const json_t *statement, const char *role)
{
    struct pawl_artifact *artifact;
    const char *hex = pawl_json_get_text(statement, role, "");
    enum pawl_status status =
        pawl_artifact_get(call->project->store, &call->arena, hex, &artifact, NULL);
    return status == PAWL_OK ? pawl_artifact_json(artifact) : json_null();
}

static enum pawl_status page_data(struct pawl_call *call, const json_t *statement, json_t **out,
                                  struct pawl_error *err)
{
    static const char *const told[] = {"signature", "providers", "case_copies", "evidence_state",
                                       "evidence",  "sealed",    "approval",    "confirmation"};
    struct history history = {.attempt = pawl_json_get_int(statement, "attempt", 0),
                              .earlier = json_array()};
    enum pawl_status status =
        pawl_store_ledger_each(call->project->store, add_record, &history, err);
    if (status != PAWL_OK) {
        json_decref(history.earlier);
        return status;
    }
    drop_other_sets(&history);
    *out = json_pack("{s:i, s:O, s:o, s:I, s:{s:o, s:o}}", "schema", 1, "statement", statement,
                     "history", history.earlier, "before", (json_int_t)history.before, "artifacts",
                     "candidate", artifact_or_null(call, statement, "candidate"), "incumbent",
                     artifact_or_null(call, statement, "incumbent"));
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        json_t *value = json_object_get(call->result, told[i]);
        if (value != NULL) pawl_json_set(*out, told[i], json_incref(value));
    }
    return PAWL_OK;
}

/* --- joining ------------------------------------------------------------------------------------------- */

/* JSON has these characters in strings alone, where an escape means the same. */
static void add_data(const json_t *data, struct pawl_buf *out)
{
    char *text = pawl_json_text(data);
    for (const char *at = text; *at != '\0';) {
        size_t n = strcspn(at, "<>&");
        pawl_buf_add_bytes(out, at, n);
        at += n;
        if (*at != '\0') pawl_buf_printf(out, "\\u%04x", (unsigned)*at++);
    }
    free(text);
}

static void add_script_hash(struct pawl_buf *out)
{
    char text[sodium_base64_ENCODED_LEN(PAWL_HASH_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    struct pawl_hash hash = pawl_hash_bytes(pawl_page_js.bytes, pawl_page_js.n_bytes);
    sodium_bin2base64(text, sizeof text, hash.bytes, sizeof hash.bytes,
                      sodium_base64_VARIANT_ORIGINAL);
    pawl_buf_add(out, text);
}

/* What stands before the mark; *rest moves behind it. */
static struct pawl_str before_mark(struct pawl_str *rest, const char *mark)
{
    const char *at = memmem(rest->ptr, rest->len, mark, strlen(mark));
    PAWL_ASSERT(at != NULL);
    struct pawl_str part = {rest->ptr, (size_t)(at - rest->ptr)};
    rest->ptr = at + strlen(mark);
    rest->len -= part.len + strlen(mark);
    return part;
}

static void join(const json_t *data, struct pawl_buf *out)
{
    struct pawl_str rest = {(const char *)pawl_page_html.bytes, pawl_page_html.n_bytes};
    pawl_buf_add_str(out, before_mark(&rest, "@HASH@"));
    add_script_hash(out);
    pawl_buf_add_str(out, before_mark(&rest, "@DATA@"));
    add_data(data, out);
    pawl_buf_add_str(out, before_mark(&rest, "@SCRIPT@"));
    pawl_buf_add_bytes(out, pawl_page_js.bytes, pawl_page_js.n_bytes);
    pawl_buf_add_str(out, rest);
}

enum pawl_status pawl_certificate_page(struct pawl_call *call, const json_t *statement,
                                       const char *file, struct pawl_error *err)
{
    struct pawl_buf page = PAWL_BUF(PAGE_BYTES_MAX);
    json_t *data;
    PAWL_TRY(page_data(call, statement, &data, err));
    join(data, &page);
    json_decref(data);
    enum pawl_status status = page.overflowed
                                  ? pawl_fail(err, PAWL_ETOOBIG, "The page would be over 1 GiB.")
                                  : pawl_file_write_atomic(file, pawl_buf_str(&page), 0644, err);
    pawl_buf_release(&page);
    if (status == PAWL_OK) pawl_json_set(call->result, "html", json_string(file));
    return status;
}
