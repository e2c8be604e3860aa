/* pawl: parse, call the library, print. */
#include "cli/cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pawl_project *volatile interrupted_project;
static volatile sig_atomic_t interrupts;

/* The first Ctrl-C pauses; the second ends at once. */
static void on_interrupt(int signal_number)
{
    static const char pausing[] = "\npawl: pausing; Ctrl-C again ends at once\n";
    (void)signal_number;
    if (interrupts++ > 0) _exit(130);
    if (interrupted_project != NULL) pawl_cancel(interrupted_project);
    ssize_t ignored = write(STDERR_FILENO, pausing, sizeof pausing - 1);
    (void)ignored;
    if (interrupted_project == NULL) _exit(130);
}

static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static json_t *error_object(const struct pawl_error *error)
{
    json_t *object = json_object();
    pawl_json_set(object, "code", json_string(pawl_status_name(error->status)));
    pawl_json_set(object, "message", pawl_json_string(pawl_str_of(error->message)));
    pawl_json_set(object, "file",
                  error->file[0] ? pawl_json_string(pawl_str_of(error->file)) : json_null());
    pawl_json_set(object, "line", error->line > 0 ? json_integer(error->line) : json_null());
    pawl_json_set(object, "column", error->column > 0 ? json_integer(error->column) : json_null());
    pawl_json_set(object, "field",
                  error->field[0] ? pawl_json_string(pawl_str_of(error->field)) : json_null());
    pawl_json_set(object, "hint",
                  error->hint[0] ? pawl_json_string(pawl_str_of(error->hint)) : json_null());
    return object;
}

/* An answer that is merely unfavourable (exit 1) is a result, not an error. */
static bool is_failure(enum pawl_status status)
{
    return status != PAWL_OK && status != PAWL_ENOTPROMOTED;
}

static void print_json(json_t *result, enum pawl_status status, const struct pawl_error *error)
{
    if (result == NULL) result = json_pack("{s:i}", "schema", 1);
    if (is_failure(status) || error->message[0] != '\0')
        pawl_json_set(result, "error", error_object(error));
    char *text = pawl_json_text(result);
    puts(text);
    free(text);
    json_decref(result);
}

static void print_human(const struct cli_args *args, json_t *result, enum pawl_status status,
                        const struct pawl_error *error)
{
    for (size_t i = 0; !is_failure(status) && pawl_commands[i] != NULL; i++) {
        if (strcmp(pawl_commands[i]->name, args->verb) == 0)
            pawl_commands[i]->render(result, stdout);
    }
    if (error->message[0] != '\0') cli_print_error(error, stderr);
    json_decref(result);
}

/* init takes the folder itself; verbs without a project take none, or the one that is here. */
static enum pawl_status open_project(struct cli_args *args, struct pawl_project **project,
                                     struct pawl_error *err)
{
    if (strcmp(args->verb, "init") == 0) {
        pawl_json_set(args->values, "dir", json_string(args->dir));
        if (args->config != NULL) pawl_json_set(args->values, "config", json_string(args->config));
    }
    bool takes = pawl_json_get_bool(args->table, "takes_project", false);
    if (!takes && !pawl_json_get_bool(args->table, "needs_project", false)) return PAWL_OK;
    enum pawl_status status = pawl_project_open(args->dir, args->config, project, err);
    bool was_named = strcmp(args->dir, ".") != 0 || args->config != NULL;
    if (!takes || was_named || status != PAWL_ENOTFOUND) return status;
    *err = (struct pawl_error){0};
    return PAWL_OK;
}

static int run(struct cli_args *args)
{
    struct pawl_error error = {0};
    struct pawl_project *project = NULL;
    struct cli_progress progress;
    struct pawl_watch watch = {.progress = cli_progress_show, .context = &progress};
    char *result_json = NULL;
    json_t *result = NULL;
    cli_progress_init(&progress, args->quiet);
    if (cli_can_ask(args)) {
        watch.ask = cli_ask;
        watch.secret = cli_ask_secret;
    }
    enum pawl_status status = open_project(args, &project, &error);
    if (status == PAWL_OK) {
        char *values = pawl_json_text(args->values);
        interrupted_project = project;
        status = pawl_call(project, args->verb, values, &watch, &result_json, &error);
        interrupted_project = NULL;
        free(values);
    }
    error.status = status;
    cli_progress_end(&progress);
    if (result_json != NULL) {
        struct pawl_str text = pawl_str_of(result_json);
        if (pawl_json_parse(text, text.len, &result, NULL) != PAWL_OK) result = NULL;
    }
    if (args->json)
        print_json(result, status, &error);
    else
        print_human(args, result, status, &error);
    pawl_free(result_json);
    pawl_project_close(project);
    return pawl_status_exit_code(status);
}

static json_t *list_verbs(void)
{
    char *text = NULL;
    json_t *answer = NULL;
    if (pawl_call(NULL, "verbs", NULL, NULL, &text, NULL) == PAWL_OK)
        (void)!pawl_json_parse(pawl_str_of(text), strlen(text), &answer, NULL);
    pawl_free(text);
    PAWL_ASSERT(answer != NULL);
    json_t *verbs = json_incref(json_object_get(answer, "verbs"));
    json_decref(answer);
    return verbs;
}

int main(int argc, char **argv)
{
    struct cli_args args;
    struct pawl_error error = {0};
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("pawl %s\n", pawl_version());
        return 0;
    }
    catch_interrupts();
    json_t *verbs = list_verbs();
    int exit_code = 0;
    enum pawl_status status = cli_parse(argc, argv, verbs, &args, &error);
    error.status = status;
    if (status != PAWL_OK && args.json) {
        print_json(NULL, status, &error);
        exit_code = pawl_status_exit_code(status);
    } else if (status != PAWL_OK) {
        cli_print_error(&error, stderr);
        exit_code = pawl_status_exit_code(status);
    } else if (args.help || args.verb == NULL) {
        cli_print_help(verbs, &args, args.help ? stdout : stderr);
        exit_code = args.help ? 0 : 2;
    } else {
        exit_code = run(&args);
    }
    json_decref(args.values);
    json_decref(verbs);
    if (fflush(stdout) != 0 && exit_code == 0) exit_code = 6;
    return exit_code;
}
