#include "cli/cli.h"

static void print_model(const json_t *model, FILE *out)
{
    fprintf(out, "%-16s %6.0f MB  sha256 %s  %s\n  %s\n", cli_text(model, "name"),
            (double)cli_int(model, "size") / 1e6, cli_id(model, "sha256"),
            cli_text(model, "licence"), cli_text(model, "path"));
}

static void render(const json_t *result, FILE *out)
{
    const json_t *models = json_object_get(result, "models");
    size_t i;
    json_t *model;
    if (models == NULL) {
        print_model(result, out);
        return;
    }
    if (json_array_size(models) == 0) fputs("No models yet: pawl model pull smollm2-135m\n", out);
    json_array_foreach((json_t *)models, i, model) print_model(model, out);
}

const struct pawl_command pawl_cmd_model = {
    .name = "model",
    .about =
        "Models are GGUF files in one folder; smollm2-135m (Apache-2.0, 98 MB) is the default.",
    .render = render,
};
