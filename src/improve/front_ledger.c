/* The ledger's records: appending, reading, verifying. The format is drawn in ledger.h. */
#include "improve/front.h"

#include "improve/approval.h"
#include "improve/statement.h"

#include <stdlib.h>
#include <string.h>

static void chain_hash(const char *prev, const char *record, size_t len, char hex[PAWL_HASH_HEX])
{
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, prev, PAWL_HASH_HEX - 1);
    pawl_hasher_add(&hasher, "\n", 1);
    pawl_hasher_add(&hasher, record, len);
    struct pawl_hash hash = pawl_hasher_final(&hasher);
    pawl_hash_hex(&hash, hex);
}

struct append_context {
    struct pawl_project *project;
    struct pawl_ledger_entry entry;
    pawl_ledger_decide decide; /* NULL: the entry is there already */
    void *context;
};

static enum pawl_status make_record(void *context, const struct pawl_ledger_head *head,
                                    struct pawl_ledger_append *append, struct pawl_error *err)
{
    struct append_context *c = context;
    struct pawl_ledger_entry *entry = &c->entry;
    append->ts_ms = pawl_front_now_ms(c->project, head);
    if (c->decide != NULL) PAWL_TRY(c->decide(c->context, append->ts_ms, entry, err));
    json_t *record =
        json_pack("{s:i, s:I, s:I, s:s, s:s, s:s, s:O}", "v", 1, "seq", (json_int_t)(head->seq + 1),
                  "ts", (json_int_t)append->ts_ms, "kind", entry->kind, "actor", "owner", "prev",
                  head->hash, "body", entry->body);
    append->record = pawl_json_text(record);
    append->kind = entry->kind;
    chain_hash(head->hash, append->record, strlen(append->record), append->hash);
    for (size_t i = 0; i < entry->n_flips; i++) {
        append->flips[i].name = entry->flips[i].pointer;
        append->flips[i].expect = entry->flips[i].expect;
        append->flips[i].to = entry->flips[i].to;
    }
    append->n_flips = entry->n_flips;
    json_decref(record);
    return PAWL_OK;
}

enum pawl_status pawl_ledger_append(struct pawl_project *project,
                                    const struct pawl_ledger_entry *entry, struct pawl_error *err)
{
    struct append_context context = {.project = project, .entry = *entry};
    return pawl_store_ledger_append(project->store, make_record, &context, err);
}

enum pawl_status pawl_ledger_append_decided(struct pawl_project *project, pawl_ledger_decide decide,
                                            void *context, struct pawl_error *err)
{
    struct append_context append = {.project = project, .decide = decide, .context = context};
    return pawl_store_ledger_append(project->store, make_record, &append, err);
}

/* --- reading --------------------------------------------------------------------------------- */

static enum pawl_status collect(void *context, int64_t seq, const char *kind, struct pawl_str text,
                                const char *hash, struct pawl_error *err)
{
    json_t *record = NULL;
    (void)kind;
    if (pawl_json_parse(text, text.len, &record, NULL) != PAWL_OK || !json_is_object(record)) {
        json_decref(record);
        pawl_fail(err, PAWL_EINTEGRITY, "Record %lld of the ledger is damaged.", (long long)seq);
        pawl_hint(err, "See `pawl ledger verify`.");
        return PAWL_EINTEGRITY;
    }
    pawl_json_set(record, "hash", json_string(hash));
    json_array_append_new(context, record);
    return PAWL_OK;
}

enum pawl_status pawl_ledger_records(struct pawl_store *store, json_t **records,
                                     struct pawl_error *err)
{
    *records = json_array();
    enum pawl_status status = pawl_store_ledger_each(store, collect, *records, err);
    if (status != PAWL_OK) {
        json_decref(*records);
        *records = NULL;
    }
    return status;
}

struct find_context {
    bool (*fits)(void *context, const json_t *body);
    void *context;
    json_t *found;
};

static enum pawl_status find_one(void *context, int64_t seq, const char *kind, struct pawl_str text,
                                 const char *hash, struct pawl_error *err)
{
    struct find_context *find = context;
    json_t *record;
    (void)seq, (void)hash;
    if (strcmp(kind, "verdict") != 0) return PAWL_OK;
    PAWL_TRY(pawl_json_parse(text, text.len, &record, err));
    json_t *body = json_object_get(record, "body");
    if (find->fits(find->context, body)) {
        json_decref(find->found);
        find->found = json_incref(body);
    }
    json_decref(record);
    return PAWL_OK;
}

enum pawl_status pawl_ledger_find_verdict(struct pawl_store *store,
                                          bool (*fits)(void *context, const json_t *body),
                                          void *context, json_t **body, struct pawl_error *err)
{
    struct find_context find = {fits, context, NULL};
    enum pawl_status status = pawl_store_ledger_each(store, find_one, &find, err);
    if (status != PAWL_OK) json_decref(find.found);
    *body = status == PAWL_OK ? find.found : NULL;
    return status;
}

static enum pawl_status take_rotation(void *context, int64_t seq, const char *kind,
                                      struct pawl_str text, const char *hash,
                                      struct pawl_error *err)
{
    struct pawl_ledger_epoch *epoch = context;
    json_t *record;
    (void)seq, (void)hash;
    if (strcmp(kind, "rotate") != 0) return PAWL_OK;
    PAWL_TRY(pawl_json_parse(text, text.len, &record, err));
    const json_t *said = json_object_get(json_object_get(record, "body"), "statement");
    epoch->number = pawl_json_get_int(said, "epoch", 1);
    epoch->before = pawl_json_get_int(said, "attempts", 0);
    if (json_object_get(said, "drawn") == NULL) epoch->since = epoch->before;
    json_decref(record);
    return PAWL_OK;
}

enum pawl_status pawl_ledger_epoch(struct pawl_store *store, struct pawl_ledger_epoch *epoch,
                                   struct pawl_error *err)
{
    *epoch = (struct pawl_ledger_epoch){.number = 1};
    return pawl_store_ledger_each(store, take_rotation, epoch, err);
}

/* --- verifying ------------------------------------------------------------------------------- */

struct verify_context {
    struct pawl_ledger_report *report;
    struct pawl_buf scratch;
    char public_key[PAWL_HASH_HEX]; /* of the vault, from the seal record */
    int64_t epoch;
    struct pawl_approvals approvals;
};

static void mark_bad(struct pawl_ledger_report *report, int64_t seq, const char *reason)
{
    if (report->first_bad >= 0) return;
    report->first_bad = seq;
    snprintf(report->reason, sizeof report->reason, "%s", reason);
}

/* Whether the vault of the seal signed this. */
static bool is_signed(const struct verify_context *context, const json_t *body)
{
    const json_t *statement = json_object_get(body, "statement");
    struct pawl_error error = {0};
    return strcmp(pawl_json_get_text(statement, "public_key", ""), context->public_key) == 0 &&
           pawl_statement_verify(statement, pawl_json_get_text(body, "signature", ""), &error) ==
               PAWL_OK;
}

/* What is found harmful goes out of force in that very record. */
static const char *fold_confirmation(struct verify_context *context, const json_t *body)
{
    struct pawl_ledger_report *report = context->report;
    const json_t *statement = json_object_get(body, "statement");
    if (!is_signed(context, body))
        return "the confirmation's signature is wrong, or another vault's";
    bool harm = strcmp(pawl_json_get_text(statement, "answer", ""), "harm") == 0;
    bool in_force = strcmp(pawl_json_get_text(statement, "candidate", ""), report->incumbent) == 0;
    if (pawl_json_get_bool(body, "rolled_back", !(harm && in_force)) != (harm && in_force))
        return harm ? "what does harm was left in force" : "it was rolled back without harm";
    if (harm && in_force)
        snprintf(report->incumbent, sizeof report->incumbent, "%s",
                 pawl_json_get_text(statement, "incumbent", ""));
    return NULL;
}

/* What a record does to the incumbent, or why it may not do it. */
static const char *fold(struct verify_context *context, const char *kind, const json_t *body,
                        int64_t ts_ms)
{
    struct pawl_ledger_report *report = context->report;
    const char *why = pawl_approvals_fold(&context->approvals, kind, body, ts_ms);
    if (why != NULL) return why;
    if (strcmp(kind, "seal") == 0) {
        if (context->public_key[0] != '\0') return "the project was sealed before";
        snprintf(report->incumbent, sizeof report->incumbent, "%s",
                 pawl_json_get_text(body, "seed", ""));
        snprintf(context->public_key, sizeof context->public_key, "%s",
                 pawl_json_get_text(body, "public_key", ""));
        return NULL;
    }
    if (strcmp(kind, "promotion") == 0 || strcmp(kind, "rollback") == 0) {
        if (strcmp(pawl_json_get_text(body, "previous", ""), report->incumbent) != 0)
            return "the record replaces an incumbent that was not in force";
        snprintf(report->incumbent, sizeof report->incumbent, "%s",
                 pawl_json_get_text(body, "incumbent", ""));
        return NULL;
    }
    if (strcmp(kind, "ask") == 0)
        return strcmp(pawl_json_get_text(body, "incumbent", ""), report->incumbent) == 0
                   ? NULL
                   : "people are asked about a change of what was not in force";
    const json_t *statement = json_object_get(body, "statement");
    if (strcmp(kind, "rotate") == 0) {
        if (!is_signed(context, body))
            return "the rotation's signature is wrong, or another vault's";
        if (pawl_json_get_int(statement, "epoch", 0) != ++context->epoch)
            return "a rotation is absent, or recorded twice";
        return NULL;
    }
    if (strcmp(kind, "confirm") == 0) return fold_confirmation(context, body);
    bool is_verdict = strcmp(kind, "verdict") == 0;
    if (!is_verdict && strcmp(kind, "approve") != 0) return NULL;
    if (is_verdict && !is_signed(context, body))
        return "the verdict's signature is wrong, or another vault's";
    bool decided = strcmp(pawl_json_get_text(statement, "verdict", ""), "promote") == 0;
    bool waits = json_object_get(body, "approval") != NULL;
    bool promoted = pawl_json_get_bool(body, "promoted", false);
    if (!promoted && !waits)
        return is_verdict && decided ? "a promotion was decided and not done" : NULL;
    if (is_verdict && !decided) return "a promotion is recorded on a verdict that is not promote";
    if (strcmp(pawl_json_get_text(statement, "incumbent", ""), report->incumbent) != 0)
        return "the verdict compares with an incumbent that was not in force";
    if (!promoted) return NULL;
    snprintf(report->incumbent, sizeof report->incumbent, "%s",
             pawl_json_get_text(statement, "candidate", ""));
    return NULL;
}

/* Kinds of which fold takes nothing: to know that such a record is in its place is to know it is in order.
 * One that is not named here is read whole. */
static bool is_bystander(const char *kind)
{
    static const char *const kinds[] = {"run",     "end",     "data", "audit",
                                        "consent", "overlap", "burn", "watch"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i], kind) == 0) return true;
    return false;
}

/* Take `word` off the end of the text, if it ends so. */
static bool cut_end(struct pawl_str *text, const char *word, size_t len)
{
    if (text->len < len || memcmp(text->ptr + text->len - len, word, len) != 0) return false;
    text->len -= len;
    return true;
}

/* The same for a decimal number; *value is it. */
static bool cut_number(struct pawl_str *text, int64_t *value)
{
    int64_t unit = 1;
    size_t n = 0;
    for (*value = 0; n < 18 && n < text->len; n++, unit *= 10) {
        char digit = text->ptr[text->len - 1 - n];
        if (digit < '0' || digit > '9') break;
        *value += unit * (digit - '0');
    }
    text->len -= n;
    return n > 0;
}

#define CUT(text, literal) cut_end(text, literal, sizeof(literal) - 1)

/*
 * Whether a record in canonical form ends in
 *     ,"kind":"<kind>","prev":"<root>","seq":<seq>,"ts":<digits>,"v":1}
 * These are then its own members: inside a string each quote would have a backslash before it, and between
 * here and the last brace no other one closes.
 */
static bool is_in_place(struct pawl_str record, const char *kind, const char *root, int64_t seq)
{
    int64_t ts, own_seq;
    return CUT(&record, ",\"v\":1}") && cut_number(&record, &ts) && CUT(&record, ",\"ts\":") &&
           cut_number(&record, &own_seq) && own_seq == seq && CUT(&record, "\",\"seq\":") &&
           cut_end(&record, root, PAWL_HASH_HEX - 1) && CUT(&record, "\",\"prev\":\"") &&
           cut_end(&record, kind, strlen(kind)) && CUT(&record, ",\"kind\":\"");
}

static void verify_whole(struct verify_context *verify, int64_t seq, const char *kind,
                         struct pawl_str text)
{
    struct pawl_ledger_report *report = verify->report;
    json_t *record = NULL;
    if (pawl_json_parse(text, text.len, &record, NULL) != PAWL_OK) {
        mark_bad(report, seq, "the record is no JSON");
        return;
    }
    const char *own_kind = pawl_json_get_text(record, "kind", "");
    if (strcmp(pawl_json_get_text(record, "prev", ""), report->root) != 0)
        mark_bad(report, seq, "the record does not follow the one before it");
    if (pawl_json_get_int(record, "seq", -1) != seq || strcmp(own_kind, kind) != 0)
        mark_bad(report, seq, "the record's number or kind was changed");
    const char *reason =
        fold(verify, own_kind, json_object_get(record, "body"), pawl_json_get_int(record, "ts", 0));
    if (reason != NULL) mark_bad(report, seq, reason);
    json_decref(record);
}

/* Most records of a long ledger only have to be in their place; they are not parsed. */
static enum pawl_status verify_one(void *context, int64_t seq, const char *kind,
                                   struct pawl_str text, const char *hash, struct pawl_error *err)
{
    struct verify_context *verify = context;
    struct pawl_ledger_report *report = verify->report;
    char expected[PAWL_HASH_HEX];
    (void)err;
    chain_hash(report->root, text.ptr, text.len, expected);
    if (seq != report->records) mark_bad(report, report->records, "a record is absent");
    if (strcmp(expected, hash) != 0) mark_bad(report, seq, "the hash does not fit the record");
    bool canonical = pawl_json_is_canonical(text, &verify->scratch);
    if (!canonical || !is_bystander(kind) || !is_in_place(text, kind, report->root, seq))
        verify_whole(verify, seq, kind, text);
    if (!canonical) mark_bad(report, seq, "the record is not in canonical form");
    report->records++;
    size_t len = strnlen(hash, PAWL_HASH_HEX - 1);
    memcpy(report->root, hash, len);
    report->root[len] = '\0';
    return PAWL_OK;
}

enum pawl_status pawl_ledger_verify(struct pawl_store *store, struct pawl_ledger_report *report,
                                    struct pawl_error *err)
{
    struct verify_context context = {
        .report = report, .scratch = PAWL_BUF(SIZE_MAX / 2), .epoch = 1};
    char incumbent[PAWL_HASH_HEX];
    *report = (struct pawl_ledger_report){.first_bad = -1};
    memset(report->root, '0', PAWL_HASH_HEX - 1);
    enum pawl_status status = pawl_store_ledger_each(store, verify_one, &context, err);
    pawl_buf_release(&context.scratch);
    pawl_approvals_release(&context.approvals);
    PAWL_TRY(status);
    PAWL_TRY(pawl_store_pointer_get(store, "incumbent", incumbent, err));
    if (strcmp(incumbent, report->incumbent) != 0)
        mark_bad(report, report->records, "the incumbent in force is not the ledger's");
    return PAWL_OK;
}
