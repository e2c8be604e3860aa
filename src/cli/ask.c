/* A question to the person at the terminal; anything but yes is no. */
#include "cli/cli.h"

#include <stdlib.h>
#include <unistd.h>

bool cli_can_ask(const struct cli_args *args)
{
    return !args->json && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

int cli_ask(void *progress, const char *question)
{
    char *line = NULL;
    size_t capacity = 0;
    cli_progress_end(progress);
    fprintf(stderr, "%s [y/N] ", question);
    ssize_t len = getline(&line, &capacity, stdin);
    int yes = len > 0 && (line[0] == 'y' || line[0] == 'Y');
    free(line);
    return yes;
}
