#include "cli/cli.h"

#include <string.h>

static void render(const json_t *result, FILE *out)
{
    const char *field;
    json_t *value;
    json_object_foreach((json_t *)result, field, value)
    {
        char *text = json_is_string(value) ? NULL : pawl_json_text(value);
        if (strcmp(field, "schema") != 0)
            fprintf(out, "%-16s %s\n", field, text != NULL ? text : json_string_value(value));
        pawl_free(text);
    }
}

const struct pawl_command pawl_cmd_certificate = {
    .name = "certificate",
    .about = "Says what was promised, not what was seen: counts open in the audit view, which is "
             "recorded and\n"
             "ends the life of the sealed set.",
    .render = render,
};
