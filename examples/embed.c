/*
 * embed.c - pawl inside another program: open a project, evaluate, improve with a progress callback,
 * read the verdict.
 *
 *     cc embed.c $(pkg-config --cflags --libs --static pawl) -o embed && ./embed PROJECT
 */
#include <pawl/pawl.h>

#include <stdio.h>

static void on_progress(void *context, const char *json)
{
    int *ticks = context;
    if ((*ticks)++ == 0) printf("first tick: %s\n", json);
}

static int fail(const struct pawl_error *error)
{
    fprintf(stderr, "%s\n%s\n", error->message, error->hint);
    return pawl_status_exit_code(error->status);
}

int main(int argc, char **argv)
{
    struct pawl_project *project;
    struct pawl_error error = {0};
    int ticks = 0;
    struct pawl_watch watch = {.progress = on_progress, .context = &ticks};
    char *result;

    if (argc != 2) {
        fprintf(stderr, "usage: embed PROJECT\n");
        return 2;
    }
    if (pawl_project_open(argv[1], NULL, &project, &error) != PAWL_OK) return fail(&error);

    enum pawl_status status = pawl_evaluate(project, "{\"tier\":\"dev\"}", NULL, &result, &error);
    if (status == PAWL_OK) {
        printf("before: %s\n", result);
        pawl_free(result);
        status = pawl_improve(project, "{\"seed\":1}", &watch, &result, &error);
        /* "Not promoted" is an answer with a result, like "promoted". */
        if (status == PAWL_OK || status == PAWL_ENOTPROMOTED) {
            printf("verdict: %s\n%s\n", status == PAWL_OK ? "promoted" : "not promoted", result);
            status = PAWL_OK;
        }
        pawl_free(result);
    }
    if (status == PAWL_OK)
        status = pawl_call(project, "log", "{\"limit\":1}", NULL, &result, &error);
    if (status == PAWL_OK) {
        printf("log: %s\n", result);
        pawl_free(result);
    }
    pawl_project_close(project);
    return status == PAWL_OK ? 0 : fail(&error);
}
