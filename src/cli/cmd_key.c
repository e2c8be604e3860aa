#include "cli/cli.h"

static void print_key(const json_t *key, FILE *out)
{
    fprintf(out, "%-16s %s%s\n", cli_text(key, "name"), cli_text(key, "public_key"),
            pawl_json_get_bool(key, "locked", false) ? "  locked with a passphrase" : "");
}

static void render(const json_t *result, FILE *out)
{
    const json_t *keys = json_object_get(result, "keys");
    size_t i;
    json_t *key;
    json_array_foreach((json_t *)keys, i, key) print_key(key, out);
    if (keys == NULL)
        print_key(result, out);
    else if (json_array_size(keys) == 0)
        fputs("You have no keys; `pawl key make NAME` makes one.\n", out);
}

const struct pawl_command pawl_cmd_key = {
    .name = "key",
    .about = "A private key stays in a file of yours (mode 0600, below XDG_DATA_HOME), outside any "
             "project. What\n"
             "is printed is the public half; who may approve, pawl.yaml says with it:\n"
             "    approval: {from: L0, people: 1, keys: {ann: PUBLIC_KEY}}\n"
             "A passphrase is typed, or taken from the environment variable whose name you give.",
    .render = render,
};
