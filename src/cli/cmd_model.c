#include "cli/cli.h"

#include <string.h>

static void print_model(const json_t *model, FILE *out)
{
    fprintf(out, "%-16s %6.0f MB  sha256 %s  %s\n  %s\n", cli_text(model, "name"),
            (double)cli_int(model, "size") / 1e6, cli_id(model, "sha256"),
            cli_text(model, "licence"), cli_text(model, "path"));
}

static void render(const json_t *result, FILE *out)
{
    const char *action = cli_text(result, "action");
    const json_t *models = json_object_get(result, "models");
    size_t i;
    json_t *model;
    json_array_foreach((json_t *)models, i, model) print_model(model, out);
    if (models != NULL && json_array_size(models) == 0)
        fputs("No models yet: pawl model pull smollm2-135m\n", out);
    if (models != NULL) return;
    if (strcmp(action, "path") == 0)
        fprintf(out, "%s\n", cli_text(result, "path"));
    else if (strcmp(action, "rm") == 0)
        fprintf(out, "%s is removed.\n", cli_text(result, "name"));
    else
        print_model(result, out);
}

const struct pawl_command pawl_cmd_model = {
    .name = "model",
    .about =
        "Models are GGUF files in one folder: $PAWL_MODELS, else pawl/models in the user's data "
        "folder.\n"
        "  pawl model pull smollm2-135m            fetch the default model (Apache-2.0, 98 MB)\n"
        "  pawl model pull mine --from FILE.gguf   copy in one of your own\n"
        "  pawl model list                         what is here\n"
        "  pawl model path NAME                    where a model's file is, for scripts\n"
        "  pawl model rm NAME                      remove it",
    .render = render,
};
