#include "fuzz.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILES_MAX = 8, PATH_BYTES = 600 };

static char paths[FILES_MAX][PATH_BYTES];
static int n_paths;

static void remove_files(void)
{
    for (int i = 0; i < n_paths; i++) unlink(paths[i]);
}

const char *pawl_fuzz_path(const char *ending)
{
    const char *base = getenv("TMPDIR");
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/pawl-fuzz-%d.%s", base && *base ? base : "/tmp", (int)getpid(),
             ending);
    for (int i = 0; i < n_paths; i++)
        if (strcmp(paths[i], path) == 0) return paths[i];
    PAWL_ASSERT(n_paths < FILES_MAX);
    if (n_paths == 0) atexit(remove_files);
    return strcpy(paths[n_paths++], path);
}

const char *pawl_fuzz_file(const char *ending, struct pawl_str text)
{
    const char *path = pawl_fuzz_path(ending);
    FILE *file = fopen(path, "wb");
    PAWL_ASSERT(file && (text.len == 0 || fwrite(text.ptr, 1, text.len, file) == text.len));
    fclose(file);
    return path;
}
