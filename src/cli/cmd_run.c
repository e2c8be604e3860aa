#include "cli/cli.h"

static void print_output(const json_t *answer, FILE *out)
{
    const json_t *output = json_object_get(answer, "output");
    const char *field;
    json_t *value;
    if (!json_is_object(output)) {
        fprintf(out, "(no answer: %s)\n", cli_text(answer, "reason"));
        return;
    }
    json_object_foreach((json_t *)output, field, value)
    {
        char *text = json_is_string(value) ? NULL : pawl_json_text(value);
        fprintf(out, "%s: %s\n", field, text != NULL ? text : json_string_value(value));
        pawl_free(text);
    }
}

static void render(const json_t *result, FILE *out)
{
    const json_t *outputs = json_object_get(result, "outputs");
    if (outputs == NULL) {
        print_output(result, out);
        return;
    }
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)outputs, i, item) print_output(item, out);
}

const struct pawl_command pawl_cmd_run = {
    .name = "run",
    .about = "The input is a text, or a JSON object by field; - reads one input per line.",
    .render = render,
};
