/*
 * Files that a person names for us to write.
 *
 * Invariant: no such file replaces what pawl keeps or was given: the ledger would be gone, or the cases.
 */
#include "improve/front.h"

#include "io/file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The path with every link resolved but the last name, which need not exist. */
static bool resolve(struct pawl_arena *arena, const char *path, const char **out)
{
    char real[PATH_MAX];
    if (realpath(path, real) != NULL) {
        *out = pawl_arena_strdup(arena, real);
        return true;
    }
    const char *slash = strrchr(path, '/');
    const char *folder = slash == NULL ? "."
                         : slash == path
                             ? "/"
                             : pawl_arena_printf(arena, "%.*s", (int)(slash - path), path);
    if (realpath(folder, real) == NULL) return false;
    *out = pawl_path_join(arena, real, slash != NULL ? slash + 1 : path);
    return true;
}

static enum pawl_status refuse(const char *path, const char *why, struct pawl_error *err)
{
    pawl_fail(err, PAWL_EUSAGE, "Nothing is written to %s: %s.", path, why);
    pawl_hint(err, "Name another file.");
    return PAWL_EUSAGE;
}

enum pawl_status pawl_front_check_output(struct pawl_project *project, const char *path,
                                         struct pawl_error *err)
{
    size_t i;
    const json_t *item;
    const char *real, *kept = pawl_path_join(&project->arena, project->dir, ".pawl");
    const char *given, *config;
    if (!resolve(&project->arena, path, &real)) return PAWL_OK; /* writing it says why not */
    if (pawl_path_is_at_or_below(real, kept))
        return refuse(path, "what lies in .pawl is pawl's own", err);
    if (resolve(&project->arena, project->config_path, &config) && strcmp(real, config) == 0)
        return refuse(path, "it is the project's configuration", err);
    json_t *files = pawl_front_case_files(project);
    enum pawl_status status = PAWL_OK;
    json_array_foreach(files, i, item)
    {
        if (status == PAWL_OK && resolve(&project->arena, json_string_value(item), &given) &&
            strcmp(real, given) == 0)
            status = refuse(path, "it holds the project's cases", err);
    }
    json_decref(files);
    return status;
}
