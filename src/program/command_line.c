#include "program/command_line.h"
#include "base/hash.h"
#include "program/project_file.h"

#include <stdio.h>
#include <unistd.h>

enum { IDENTITY_FILE_MAX = 64 << 20 };

static enum pawl_status refuse(const char *field, const char *what, struct pawl_error *err)
{
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field, "%s", what);
    pawl_hint(err, "Write `command: [python3, agent/main.py]`.");
    return PAWL_ECONFIG;
}

static bool is_own(const json_t *own, const char *path)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)own, name, value)
    {
        if (json_is_string(value) && strcmp(json_string_value(value), path) == 0) return true;
    }
    return false;
}

enum pawl_status pawl_command_line_read(const json_t *words, const char *project_dir,
                                        const json_t *own, const char *field,
                                        struct pawl_arena *arena, struct pawl_command_line *line,
                                        struct pawl_error *err)
{
    size_t n = json_array_size(words);
    *line = (struct pawl_command_line){.n_read = 0};
    if (n == 0 || n > PAWL_ARGV_MAX)
        return refuse(field, "The command is not a list of 1 to 64 words.", err);
    for (size_t i = 0; i < n; i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (!word || !*word) return refuse(field, "A word of the command is not a text.", err);
        const char *path = pawl_project_path(arena, project_dir, word);
        bool may_be_file = i > 0 || strchr(word, '/');
        bool of_project = may_be_file && !is_own(own, word) && access(path, F_OK) == 0;
        if (of_project) line->read[line->n_read++] = path;
        line->argv[i] = of_project ? path : pawl_arena_strdup(arena, word);
    }
    return PAWL_OK;
}

enum pawl_status pawl_command_line_start(const struct pawl_command_line *line, const char *folder,
                                         bool network, int64_t memory_bytes,
                                         struct pawl_child **child, struct pawl_error *err)
{
    char home[600], tmp[600];
    snprintf(home, sizeof home, "HOME=%s", folder);
    snprintf(tmp, sizeof tmp, "TMPDIR=%s", folder);
    const char *env[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
                         "LANG=C.UTF-8",
                         "PYTHONUNBUFFERED=1",
                         "PYTHONDONTWRITEBYTECODE=1",
                         home,
                         tmp,
                         NULL};
    const char *write[] = {folder, NULL};
    struct pawl_command command = {.argv = line->argv,
                                   .env = env,
                                   .cwd = folder,
                                   .paths = {line->read, write},
                                   .network = network,
                                   .limits = pawl_sandbox_default_limits()};
    command.limits.memory_bytes = memory_bytes;
    return pawl_child_start(&command, child, err);
}

json_t *pawl_command_line_identity(const struct pawl_command_line *line)
{
    json_t *files = json_object();
    for (size_t i = 0; i < line->n_read; i++) {
        struct pawl_arena call = {0};
        struct pawl_str text;
        char hex[PAWL_HASH_HEX] = "";
        if (pawl_project_file(NULL, line->read[i], "", IDENTITY_FILE_MAX, &call, &text, NULL) ==
            PAWL_OK) {
            struct pawl_hash hash = pawl_hash_str(text);
            pawl_hash_hex(&hash, hex);
        }
        const char *name = strrchr(line->read[i], '/');
        pawl_json_set(files, name ? name + 1 : line->read[i], json_string(hex));
        pawl_arena_release(&call);
    }
    return files;
}
