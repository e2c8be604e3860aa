#include "cli/cli.h"

#include <time.h>

#include <time.h>

enum { LEFT = 16 /* columns of names */, LINE_MAX_BYTES = 80, TEXT_MAX = 1 << 16 };

/* What is printed of a card, in the order in which a person asks. */
static const struct {
    const char *section, *field, *name;
} lines[] = {
    {"surface", "edits", "edits"},
    {"surface", "reads", "reads"},
    {"surface", "never_touches", "never touches"},
    {"surface", "reversible", "reversible"},
    {"signal", "tiers", "tiers"},
    {"signal", "feedback", "is told"},
    {"signal", "asks", "asks models"},
    {"budget", "round", "a round"},
    {"budget", "stops", "stops"},
    {"risk", "level", "risk level"},
    {"risk", "failure_modes", "known to fail"},
    {"risk", "mitigations", "against it"},
    {"gate", "attempts", "attempts a run"},
    {"gate", "dev_check", "dev check"},
    {"fallback", "baseline", "stays in force"},
    {"fallback", "rollback", "rollback"},
    {"fallback", "degraded", "where it cannot"},
};
enum { N_LINES = sizeof lines / sizeof *lines };

static void add_value(struct pawl_buf *out, const json_t *value)
{
    if (json_is_string(value))
        pawl_buf_add(out, json_string_value(value));
    else if (json_is_boolean(value))
        pawl_buf_add(out, json_is_true(value) ? "yes" : "no");
    else if (json_is_integer(value))
        pawl_buf_printf(out, "%lld", (long long)json_integer_value(value));
}

/* Words on one line; sentences on one each. */
static void print_value(const char *name, const json_t *value, FILE *out)
{
    size_t i, n = json_is_array(value) ? json_array_size(value) : 0;
    json_t *item;
    struct pawl_buf text = PAWL_BUF(TEXT_MAX);
    if (n == 0) add_value(&text, value);
    for (i = 0; i < n; i++) {
        if (i > 0) pawl_buf_add(&text, ", ");
        add_value(&text, json_array_get(value, i));
    }
    if (n < 2 || text.len <= LINE_MAX_BYTES) {
        fprintf(out, "  %-*s %s\n", LEFT, name, pawl_buf_str(&text).ptr);
    } else {
        json_array_foreach((json_t *)value, i, item)
            fprintf(out, "  %-*s %s\n", LEFT, i == 0 ? name : "", json_string_value(item));
    }
    pawl_buf_release(&text);
}

static void print_card(const json_t *card, FILE *out)
{
    const json_t *roles = json_object_get(card, "roles");
    fprintf(out, "%s, version %lld: %s\n", cli_text(card, "operator"), cli_int(card, "version"),
            cli_text(card, "summary"));
    fprintf(out, "  %-*s %s\n", LEFT, "paper", cli_text(card, "paper"));
    if (json_array_size(roles) > 0) print_value("components", roles, out);
    for (size_t i = 0; i < N_LINES; i++) {
        const json_t *section = json_object_get(card, lines[i].section);
        print_value(lines[i].name, json_object_get(section, lines[i].field), out);
    }
}

/* Milliseconds since 1970 as a day, in UTC. */
static void write_day(const json_t *record, const char *key, char out[16])
{
    time_t seconds = (time_t)(cli_int(record, key) / 1000);
    struct tm day;
    gmtime_r(&seconds, &day);
    strftime(out, 16, "%Y-%m-%d", &day);
}

static void print_gain(const json_t *record, FILE *out)
{
    const json_t *gain = json_object_get(record, "certified_gain");
    long long promotions = cli_int(record, "promotions"), known = cli_int(gain, "known_for");
    if (promotions == 0) return;
    fprintf(out, "  %-*s ", LEFT, "certified gain");
    if (known > 0)
        fprintf(out, "at least %.1f points, known for %lld of %lld promotions",
                100 * cli_real(gain, "lower"), known, promotions);
    if (known < promotions)
        fprintf(out, "%smore than 0%s", known > 0 ? "; " : "",
                known > 0 ? " in the others"
                          : ": by how much is sealed until a certificate is opened");
    fprintf(out, "\n  %-*s wrong with probability %.3g at most\n", LEFT, "",
            cli_real(gain, "error_at_most"));
}

static void print_cost(const json_t *record, FILE *out)
{
    const json_t *cost = json_object_get(record, "cost");
    const json_t *rate = json_object_get(cost, "evaluations_per_point");
    fprintf(out, "  %-*s %lld evaluations, %.2f usd in %lld of %lld runs", LEFT, "cost",
            cli_int(cost, "evaluations"), cli_real(cost, "usd"), cli_int(cost, "known_for"),
            cli_int(record, "runs"));
    if (json_is_number(rate))
        fprintf(out, "; at most %.0f evaluations and %.2f usd a certified point",
                json_number_value(rate), cli_real(cost, "usd_per_point"));
    fputc('\n', out);
}

static void print_track_record(const json_t *record, FILE *out)
{
    char first[16], last[16], version[32] = "a version that was not recorded";
    write_day(record, "first_ms", first);
    write_day(record, "last_ms", last);
    if (json_is_integer(json_object_get(record, "version")))
        snprintf(version, sizeof version, "version %lld", cli_int(record, "version"));
    fprintf(
        out, "  %-*s %s, %s to %s: runs %lld, attempts %lld, promotions %lld, rolled back %lld\n",
        LEFT, "track record", version, first, last, cli_int(record, "runs"),
        cli_int(record, "attempts"), cli_int(record, "promotions"), cli_int(record, "rolled_back"));
    print_gain(record, out);
    print_cost(record, out);
}

static void print_history(const json_t *card, FILE *out)
{
    const json_t *history = json_object_get(card, "track_record");
    size_t i;
    json_t *record;
    if (json_array_size(history) == 0)
        fprintf(out, "  %-*s %s\n", LEFT, "track record",
                json_is_array(history) ? "it never ran in this project" : "no project here");
    json_array_foreach((json_t *)history, i, record) print_track_record(record, out);
}

static void render(const json_t *result, FILE *out)
{
    const json_t *checked = json_object_get(result, "checked");
    size_t i, n = json_array_size(checked);
    json_t *card;
    if (checked != NULL) fprintf(out, "%zu card%s in order.\n", n, n == 1 ? " is" : "s are");
    json_array_foreach(json_object_get(result, "cards"), i, card)
        fprintf(out, "%-12s version %lld, risk %s  %s\n", cli_text(card, "operator"),
                cli_int(card, "version"), cli_text(card, "risk"), cli_text(card, "summary"));
    card = json_object_get(result, "card");
    if (card == NULL) return;
    print_card(card, out);
    print_history(card, out);
}

const struct pawl_command pawl_cmd_card = {
    .name = "card",
    .about =
        "A card joins an operator's own table (summary, paper, components, known ways to fail) "
        "with\n"
        "share/cards/NAME.yaml: surface, signals, budget, risk level, gate and fallback. lint "
        "checks\n"
        "these files, or one of yours. In a project a track record follows, from its ledger: how "
        "much\n"
        "a promotion gains is sealed, and known where its certificate was opened (--opened FILE).\n"
        "Options of an operator are in --json.",
    .render = render,
};
