#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    const json_t *modules = json_object_get(result, "modules");
    for (size_t i = 0; i < json_array_size(modules); i++) {
        const json_t *module = json_array_get(modules, i);
        const char *name = cli_text(module, "module");
        fprintf(out, "%s%sinstruction and %lld demonstrations", name, *name != '\0' ? ": " : "",
                cli_int(module, "demos"));
        if (cli_int(module, "left_out") > 0)
            fprintf(out, "; %lld left out, because they lack a field", cli_int(module, "left_out"));
        fputc('\n', out);
    }
    fprintf(out, "artifact %.12s, not in force\n", cli_text(result, "artifact"));
    fprintf(out, "Score it: pawl eval --artifact %.12s. Put it before the gate: pawl gate %.12s.\n",
            cli_text(result, "artifact"), cli_text(result, "artifact"));
}

const struct pawl_command pawl_cmd_import = {
    .name = "import",
    .about = "FILE is what program.save(\"program.json\") of DSPy wrote. Instructions and whole "
             "demonstrations come over;\n"
             "predictors are matched to the program's modules by name, a single one to a single "
             "one.",
    .render = render,
};
