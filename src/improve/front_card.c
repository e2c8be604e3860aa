/* card: what the operators are, do and risk; and whether the cards that say so are in order. */
#include "improve/card.h"
#include "improve/front.h"
#include "improve/track.h"

#include "improve/protocol.h"
#include "io/file.h"

#include <string.h>

struct card_options {
    const char *name, *file;
    json_t *opened;
};
static const struct pawl_option card_options[] = {
    PAWL_OPT_TEXT(struct card_options, name, NULL,
                  "an operator; or `lint`, to check the cards; default: a list of all"),
    PAWL_OPT_TEXT(struct card_options, file, NULL,
                  "a card that lint checks; default: all that pawl came with"),
    PAWL_OPT_JSON(struct card_options, opened,
                  "a certificate with opened evidence (JSON), whose gain is known (repeatable)"),
    {0}};

enum { CARD_BYTES_MAX = 1 << 20 };

/* The tables are in the worker, which alone holds operators; it needs no project for this. */
static enum pawl_status ask_operators(struct pawl_call *call, json_t **operators,
                                      struct pawl_error *err)
{
    json_t *described;
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_TABLES_NAME, json_pack("{s:s}", "op", "describe"),
                            &described, err));
    *operators = json_incref(json_object_get(described, "operators"));
    json_decref(described);
    return PAWL_OK;
}

/* --- lint --------------------------------------------------------------------------------------- */

static enum pawl_status lint_file(struct pawl_call *call, const char *file, const json_t *operators,
                                  struct pawl_error *err)
{
    struct pawl_str yaml;
    json_t *card;
    PAWL_TRY(pawl_file_read(file, CARD_BYTES_MAX, &call->arena, &yaml, err));
    PAWL_TRY(pawl_card_read(yaml, file, operators, &card, err));
    json_array_append(json_object_get(call->result, "checked"), json_object_get(card, "operator"));
    json_decref(card);
    return PAWL_OK;
}

static enum pawl_status lint(struct pawl_call *call, const char *file, const json_t *operators,
                             struct pawl_error *err)
{
    json_t *cards, *card;
    size_t i;
    json_t *checked = json_array();
    pawl_json_set(call->result, "checked", checked);
    if (file != NULL) return lint_file(call, file, operators, err);
    PAWL_TRY(pawl_cards_read(pawl_card_sources, operators, &cards, err));
    json_array_foreach(cards, i, card)
        json_array_append(checked, json_object_get(card, "operator"));
    json_decref(cards);
    return PAWL_OK;
}

/* --- what they have done ------------------------------------------------------------------------ */

/* The ledger of the project, when there is one, and what opened certificates add to it. */
struct history {
    json_t *records; /* NULL: no project, or nothing sealed in it */
    json_t *opened;
};
enum { CERTIFICATE_BYTES_MAX = 64 << 20 };

static enum pawl_status open_certificate(struct pawl_call *call, const char *file,
                                         struct history *history, struct pawl_error *err)
{
    struct pawl_str text;
    json_t *certificate = NULL;
    if (file == NULL) return pawl_fail(err, PAWL_EUSAGE, "--opened takes the name of a file.");
    PAWL_TRY(pawl_file_read(file, CERTIFICATE_BYTES_MAX, &call->arena, &text, err));
    enum pawl_status status = pawl_json_parse(text, CERTIFICATE_BYTES_MAX, &certificate, err);
    if (status == PAWL_OK)
        status = pawl_track_open(history->records, certificate, history->opened, err);
    if (status != PAWL_OK && err->file[0] == '\0')
        snprintf(err->file, sizeof err->file, "%s", file);
    json_decref(certificate);
    return status;
}

/* A ledger that does not verify tells nothing. */
static enum pawl_status read_ledger(struct pawl_store *store, struct history *history,
                                    struct pawl_error *err)
{
    struct pawl_ledger_report report;
    PAWL_TRY(pawl_ledger_verify(store, &report, err));
    if (report.first_bad < 0) return pawl_ledger_records(store, &history->records, err);
    pawl_fail(err, PAWL_EINTEGRITY,
              "There is no track record: the ledger is damaged at record %lld: %s.",
              (long long)report.first_bad, report.reason);
    pawl_hint(err, "Restore .pawl/store from a backup; see `pawl ledger verify`.");
    return PAWL_EINTEGRITY;
}

static enum pawl_status read_history(struct pawl_call *call, const json_t *files,
                                     struct history *history, struct pawl_error *err)
{
    struct pawl_project *project = call->project;
    size_t i;
    json_t *file;
    enum pawl_status status =
        project != NULL ? pawl_front_store(project, false, err) : PAWL_ENOTFOUND;
    if (status == PAWL_ENOTFOUND && json_array_size(files) > 0)
        return pawl_fail(err, PAWL_EUSAGE,
                         "--opened needs the project that the certificate is of.");
    if (status == PAWL_ENOTFOUND) {
        *err = (struct pawl_error){0};
        return PAWL_OK;
    }
    PAWL_TRY(status);
    PAWL_TRY(read_ledger(project->store, history, err));
    json_array_foreach((json_t *)(uintptr_t)files, i, file)
        PAWL_TRY(open_certificate(call, json_string_value(file), history, err));
    return PAWL_OK;
}

/* --- showing ------------------------------------------------------------------------------------ */

static enum pawl_status fail_unknown(const char *name, const json_t *cards, struct pawl_error *err)
{
    enum { NAMES_MAX = 256 };
    const char *names[NAMES_MAX];
    size_t i, n = 0;
    json_t *card;
    json_array_foreach((json_t *)(uintptr_t)cards, i, card)
    {
        if (n < NAMES_MAX) names[n++] = pawl_json_get_text(card, "operator", "");
    }
    const char *nearest = pawl_nearest_word(name, names, n);
    pawl_fail(err, PAWL_ENOTFOUND, "There is no operator \"%s\".", name);
    if (nearest != NULL)
        pawl_hint(err, "Did you mean `pawl card %s`?", nearest);
    else
        pawl_hint(err, "`pawl card` lists them all.");
    return PAWL_ENOTFOUND;
}

static json_t *list_entry(const json_t *card)
{
    const json_t *risk = json_object_get(card, "risk"), *surface = json_object_get(card, "surface");
    return json_pack("{s:O, s:O, s:O, s:O, s:O, s:O}", "operator",
                     json_object_get(card, "operator"), "version", json_object_get(card, "version"),
                     "risk", json_object_get(risk, "level"), "edits",
                     json_object_get(surface, "edits"), "summary", json_object_get(card, "summary"),
                     "track_record", json_object_get(card, "track_record"));
}

/* All of them in short as "cards", or one as "card". */
static enum pawl_status show(struct pawl_call *call, const char *name, const json_t *cards,
                             const json_t *operators, const struct history *history,
                             struct pawl_error *err)
{
    size_t i;
    json_t *card, *list = json_array();
    bool found = false;
    json_array_foreach((json_t *)(uintptr_t)cards, i, card)
    {
        const char *own = pawl_json_get_text(card, "operator", "");
        json_t *whole = pawl_card_join(card, pawl_card_operator(operators, own));
        pawl_json_set(whole, "track_record",
                      history->records != NULL
                          ? pawl_track_record(history->records, own, history->opened)
                          : json_null());
        json_array_append_new(list, list_entry(whole));
        if (name != NULL && strcmp(name, own) == 0) {
            found = true;
            pawl_json_set(call->result, "card", json_incref(whole));
        }
        json_decref(whole);
    }
    if (name == NULL) pawl_json_set(call->result, "cards", json_incref(list));
    json_decref(list);
    return name == NULL || found ? PAWL_OK : fail_unknown(name, cards, err);
}

static enum pawl_status run_card(struct pawl_call *call, const void *values, struct pawl_error *err)
{
    const struct card_options *options = values;
    bool lints = options->name != NULL && strcmp(options->name, "lint") == 0;
    json_t *operators, *cards = NULL;
    if (options->file != NULL && !lints) {
        pawl_fail(err, PAWL_EUSAGE, "A file goes with `pawl card lint` alone.");
        pawl_hint(err, "Write `pawl card lint %s`.", options->file);
        return PAWL_EUSAGE;
    }
    PAWL_TRY(ask_operators(call, &operators, err));
    enum pawl_status status;
    if (lints) {
        status = lint(call, options->file, operators, err);
    } else {
        struct history history = {.opened = json_object()};
        status = pawl_cards_read(pawl_card_sources, operators, &cards, err);
        if (status == PAWL_OK) status = read_history(call, options->opened, &history, err);
        if (status == PAWL_OK) status = show(call, options->name, cards, operators, &history, err);
        json_decref(history.records);
        json_decref(history.opened);
    }
    json_decref(cards);
    json_decref(operators);
    return status;
}

const struct pawl_verb pawl_verb_card = {
    .name = "card",
    .summary = "what an operator edits, sees, spends and risks, and what it did",
    .positional = "name file",
    .example = "pawl card gepa",
    .takes_project = true,
    .options = card_options,
    .options_bytes = sizeof(struct card_options),
    .run = run_card,
};
