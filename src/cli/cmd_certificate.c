#include "cli/cli.h"

#include <string.h>

static void render(const json_t *result, FILE *out)
{
    const char *field;
    json_t *value;
    json_object_foreach((json_t *)result, field, value)
    {
        bool hidden = strcmp(field, "schema") == 0 || strcmp(field, "sealed") == 0;
        char *text = json_is_string(value) || hidden ? NULL : pawl_json_text(value);
        if (!hidden)
            fprintf(out, "%-16s %s\n", field, text != NULL ? text : json_string_value(value));
        pawl_free(text);
    }
}

const struct pawl_command pawl_cmd_certificate = {
    .name = "certificate",
    .about =
        "Says what was promised, not what was seen: counts open in the audit view, which is "
        "recorded and\n"
        "ends the life of the sealed set. With --json it holds the sealed cases and their "
        "salts, too: "
        "what\n"
        "tools/pawl-verify recomputes the verdict from. --html FILE writes it as one page for a "
        "browser, which\n"
        "loads nothing and recomputes the verdict itself once the evidence is open.",
    .render = render,
};
