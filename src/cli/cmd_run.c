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

/* --- the trace -------------------------------------------------------------------------------------- */

enum { LINE_BYTES = 100 };

/* The beginning of a text, on one line. */
static void print_line(const char *text, FILE *out)
{
    size_t n = 0;
    for (; text[n] != '\0' && (n < LINE_BYTES || ((unsigned char)text[n] & 0xC0) == 0x80); n++)
        fputc(text[n] == '\n' || text[n] == '\r' || text[n] == '\t' ? ' ' : text[n], out);
    fputs(text[n] != '\0' ? " ...\n" : "\n", out);
}

/* Nodes whose parent is this one, each with those below it. A node's number is higher than its parent's, so this
 * comes to an end. */
static void print_nodes(const json_t *trace, json_int_t parent, FILE *out)
{
    size_t i;
    json_t *step;
    json_array_foreach((json_t *)trace, i, step)
    {
        const json_t *node = json_object_get(step, "node");
        json_int_t id = json_integer_value(json_object_get(node, "id"));
        if (node == NULL || json_integer_value(json_object_get(node, "parent")) != parent) continue;
        if (id <= parent) continue;
        fprintf(out, "%*s%lld  value %.2f, visits %lld", (int)(2 * cli_int(node, "depth")), "",
                (long long)id, json_number_value(json_object_get(node, "value")),
                (long long)cli_int(node, "visits"));
        const json_t *score = json_object_get(node, "score");
        if (score != NULL) fprintf(out, ", check %.2f", json_number_value(score));
        fprintf(out, "%s: ", json_object_get(step, "output") != NULL ? ", taken" : "");
        print_line(cli_text(step, "reply"), out);
        print_nodes(trace, id, out);
    }
}

static void print_trace(const json_t *trace, FILE *out)
{
    size_t i;
    json_t *step;
    bool searched = false;
    json_array_foreach((json_t *)trace, i, step)
    {
        const char *module = cli_text(step, "module");
        fprintf(out, "%zu  %s: ", i + 1, module[0] != '\0' ? module : "answer");
        print_line(cli_text(step, "reply"), out);
        searched = searched || json_object_get(step, "node") != NULL;
    }
    if (!searched) return;
    fputs("\ntree\n", out);
    print_nodes(trace, 0, out);
}

static void render_one(const json_t *answer, FILE *out)
{
    const json_t *trace = json_object_get(answer, "trace");
    print_output(answer, out);
    if (trace == NULL) return;
    fputs("\n", out);
    print_trace(trace, out);
}

static void render(const json_t *result, FILE *out)
{
    const json_t *outputs = json_object_get(result, "outputs");
    if (outputs == NULL) {
        render_one(result, out);
        return;
    }
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)outputs, i, item) render_one(item, out);
}

const struct pawl_command pawl_cmd_run = {
    .name = "run",
    .about = "The input is a text, or a JSON object by field; - reads one input per line.",
    .render = render,
};
