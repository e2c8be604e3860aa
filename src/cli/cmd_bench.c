#include "cli/cli.h"

#include <string.h>

/* answers_found_per_s reads better with spaces. */
static void print_figure(const char *name, double value, FILE *out)
{
    char words[64];
    snprintf(words, sizeof words, "%s", name);
    for (char *c = words; *c != '\0'; c++) *c = *c == '_' ? ' ' : *c;
    fprintf(out, "  %12.*f  %s\n", value < 10 ? 4 : value < 1000 ? 1 : 0, value, words);
}

static void render(const json_t *result, FILE *out)
{
    size_t i;
    json_t *part, *value;
    const char *name;
    json_array_foreach(json_object_get(result, "parts"), i, part)
    {
        const char *missing = pawl_json_get_text(part, "missing", NULL);
        fprintf(out, "%s\n", cli_text(part, "what"));
        if (missing != NULL) fprintf(out, "  not measured: %s\n", missing);
        json_object_foreach(json_object_get(part, "figures"), name, value)
            print_figure(name, json_number_value(value), out);
    }
}

const struct pawl_command pawl_cmd_bench = {
    .name = "bench",
    .about = "Works on a project of its own in a temporary folder, which is removed afterwards. "
             "Where the model\n"
             "is scripted, the figures are of pawl alone. CPU time is that of all its processes.",
    .render = render,
};
