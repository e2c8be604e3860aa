#include "cli/cli.h"

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
    if (card != NULL) print_card(card, out);
}

const struct pawl_command pawl_cmd_card = {
    .name = "card",
    .about =
        "A card joins an operator's own table (summary, paper, components, known ways to fail) "
        "with\n"
        "share/cards/NAME.yaml: surface, signals, budget, risk level, gate and fallback. lint "
        "checks these\n"
        "files, or one of yours. Options of an operator are in --json.",
    .render = render,
};
