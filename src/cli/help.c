/* What `pawl help` and `pawl help COMMAND` print, from the library's tables. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

enum { LEFT = 26 /* columns of names */, WIDTH = 100, TEXT_MAX = 4096 };

/* Verbs in the order in which a person meets them. One that is missing here is listed last. */
static const struct {
    const char *title, *verbs[16];
} groups[] = {
    {"Set up",
     {"init", "validate", "doctor", "bench", "model", "data", "import", "index", "plan", "key"}},
    {"Improve", {"improve", "watch", "gate", "confirm", "eval", "run", "compare"}},
    {"Look", {"status", "log", "show", "diff", "lineage", "card", "redteam"}},
    {"Decide and prove",
     {"promote", "rollback", "quarantine", "approve", "reject", "rotate", "certificate", "export",
      "ledger"}},
};
enum { N_GROUPS = sizeof groups / sizeof *groups };

/* Those of the table that every command has are printed once, below. */
static bool is_global(const char *name)
{
    return strcmp(name, "dir") == 0 || strcmp(name, "config") == 0;
}

static bool is_positional(const json_t *table, const char *option)
{
    char name[CLI_NAME_MAX];
    for (size_t i = 0; cli_positional(table, i, name); i++)
        if (strcmp(name, option) == 0) return true;
    return false;
}

/* per_case: --per-case */
static void add_flag(char *out, size_t size, const char *name)
{
    snprintf(out, size, "--%s", name);
    for (char *c = out; *c != '\0'; c++) *c = *c == '_' ? '-' : *c;
}

/* What stands for the value: nothing after a switch. */
static const char *value_of(const char *type)
{
    if (strcmp(type, "bool") == 0) return "";
    if (strcmp(type, "int") == 0) return " N";
    if (strcmp(type, "json") == 0) return " VALUE ...";
    return strcmp(type, "real") == 0 ? " X" : " VALUE";
}

/* Words up to the width of the page; further lines begin below the first. */
static void print_wrapped(struct pawl_str text, FILE *out)
{
    struct pawl_str word;
    size_t column = LEFT + 2;
    while (pawl_str_split(&text, ' ', &word)) {
        if (column + 1 + word.len > WIDTH) {
            fprintf(out, "\n%*s", LEFT + 2, "");
            column = LEFT + 2;
        }
        fprintf(out, " %.*s", (int)word.len, word.ptr);
        column += 1 + word.len;
    }
    fputc('\n', out);
}

static void print_option(const json_t *option, const char *left, FILE *out)
{
    const char *choices = pawl_json_get_text(option, "choices", NULL);
    const char *fallback = pawl_json_get_text(option, "default", NULL);
    bool is_switch = strcmp(cli_text(option, "type"), "bool") == 0;
    struct pawl_buf text = PAWL_BUF(TEXT_MAX);
    pawl_buf_add(&text, cli_text(option, "help"));
    if (choices != NULL) pawl_buf_printf(&text, " (%s)", choices);
    if (pawl_json_get_bool(option, "required", false)) pawl_buf_add(&text, " (needed)");
    /* -1 stands for "none" in the tables. */
    if (fallback != NULL && !is_switch && strcmp(fallback, "-1") != 0)
        pawl_buf_printf(&text, " [%s]", fallback);
    fprintf(out, "  %-*s", LEFT, left);
    print_wrapped(pawl_buf_str(&text), out);
    pawl_buf_release(&text);
}

static void print_arguments(const json_t *table, FILE *out)
{
    const json_t *options = json_object_get(table, "options");
    char name[CLI_NAME_MAX];
    for (size_t i = 0; cli_positional(table, i, name); i++) {
        const json_t *option = cli_find(options, name);
        if (i == 0) fputs("\nArguments:\n", out);
        if (option != NULL) print_option(option, name, out);
    }
}

static void print_options(const json_t *table, FILE *out)
{
    size_t i;
    json_t *option;
    fputs("\nOptions:\n", out);
    json_array_foreach(json_object_get(table, "options"), i, option)
    {
        char flag[CLI_NAME_MAX + 2], left[CLI_NAME_MAX + 16];
        const char *name = cli_text(option, "name");
        if (is_global(name) || is_positional(table, name)) continue;
        add_flag(flag, sizeof flag, name);
        snprintf(left, sizeof left, "%s%s", flag, value_of(cli_text(option, "type")));
        print_option(option, left, out);
    }
    fprintf(out, "  %-*s the project folder [.]\n", LEFT, "-C DIR");
    fprintf(out, "  %-*s the configuration's name [pawl.yaml]\n", LEFT, "--config FILE");
    fprintf(out, "  %-*s one JSON object on standard output, nothing else\n", LEFT, "--json");
    fprintf(out, "  %-*s no progress on standard error\n", LEFT, "--quiet");
}

/* pawl data ACTION FILE [options]; what may be left out stands in brackets. */
static void print_usage(const json_t *table, const char *verb, FILE *out)
{
    const json_t *options = json_object_get(table, "options");
    char name[CLI_NAME_MAX];
    fprintf(out, "pawl %s", verb);
    for (size_t i = 0; cli_positional(table, i, name); i++) {
        const json_t *option = cli_find(options, name);
        bool needed = pawl_json_get_bool(option, "required", false);
        for (char *c = name; *c != '\0'; c++)
            if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
        fprintf(out, needed ? " %s" : " [%s]", name);
    }
    fprintf(out, " [options]: %s\n", cli_text(table, "summary"));
}

static void print_command_help(const struct cli_args *args, FILE *out)
{
    print_usage(args->table, args->verb, out);
    for (size_t i = 0; pawl_commands[i] != NULL; i++) {
        if (strcmp(pawl_commands[i]->name, args->verb) == 0 && pawl_commands[i]->about != NULL)
            fprintf(out, "\n%s\n", pawl_commands[i]->about);
    }
    print_arguments(args->table, out);
    print_options(args->table, out);
    fprintf(out, "\nExample:\n  %s\n", cli_text(args->table, "example"));
}

static void print_verb(const json_t *verb, FILE *out)
{
    fprintf(out, "  %-12s %s\n", cli_text(verb, "name"), cli_text(verb, "summary"));
}

static bool in_a_group(const char *name)
{
    for (size_t g = 0; g < N_GROUPS; g++)
        for (size_t i = 0; groups[g].verbs[i] != NULL; i++)
            if (strcmp(groups[g].verbs[i], name) == 0) return true;
    return false;
}

static void print_verbs(const json_t *verbs, FILE *out)
{
    size_t i, n_others = 0;
    json_t *verb;
    for (size_t g = 0; g < N_GROUPS; g++) {
        fprintf(out, "\n%s:\n", groups[g].title);
        for (i = 0; groups[g].verbs[i] != NULL; i++) {
            const json_t *found = cli_find(verbs, groups[g].verbs[i]);
            if (found != NULL) print_verb(found, out);
        }
    }
    json_array_foreach((json_t *)verbs, i, verb)
    {
        if (in_a_group(cli_text(verb, "name"))) continue;
        if (n_others++ == 0) fputs("\nMore:\n", out);
        print_verb(verb, out);
    }
}

void cli_print_help(const json_t *verbs, const struct cli_args *args, FILE *out)
{
    if (args->table != NULL) {
        print_command_help(args, out);
        return;
    }
    fputs("pawl: improve prompts, demonstrations and programs; keep a change only when a held-out\n"
          "evaluation that the optimiser cannot see goes up.\n\n"
          "Usage: pawl COMMAND [options]\n",
          out);
    print_verbs(verbs, out);
    fputs(
        "\n`pawl help COMMAND` says what one takes. Every command takes -C DIR (the project),\n"
        "--json (for scripts) and --quiet. Exit codes: 0 promoted or done, 1 not promoted, 2 "
        "wrong\n"
        "call or configuration, 3 budget too small, 4 a record is wrong, 5 undecided, 6 the world\n"
        "failed (disk, network, model), 130 stopped.\n"
        "\nTo try everything without a model, in an empty folder:\n"
        "  pawl init --template scripted && pawl improve && pawl diff\n",
        out);
}
