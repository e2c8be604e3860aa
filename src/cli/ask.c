/* Questions to the person at the terminal: yes or no (anything but yes is no), and secrets. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
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

/* --- secrets ------------------------------------------------------------------------------------- */

enum { CTRL_C = 3, CTRL_D = 4, BACKSPACE = 8, DELETE = 127 };

/* A line, byte by byte; false when it was given up or does not fit. */
static bool read_unseen(int terminal, char *out, size_t size)
{
    size_t len = 0;
    for (;;) {
        unsigned char byte;
        ssize_t n = read(terminal, &byte, 1);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0 || byte == CTRL_C || byte == CTRL_D || len + 1 == size) return false;
        if (byte == '\r' || byte == '\n') break;
        if (byte != BACKSPACE && byte != DELETE)
            out[len++] = (char)byte;
        else if (len > 0)
            len--;
    }
    out[len] = '\0';
    return true;
}

/* Signals are off meanwhile, so that nothing can leave the terminal silent: Ctrl-C is a byte. */
int cli_ask_secret(void *progress, const char *question, char *out, size_t size)
{
    struct termios seen, unseen;
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    cli_progress_end(progress);
    if (terminal < 0) return 0;
    bool given = false;
    if (tcgetattr(terminal, &seen) == 0) {
        unseen = seen;
        unseen.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
        unseen.c_cc[VMIN] = 1;
        unseen.c_cc[VTIME] = 0;
        fprintf(stderr, "%s ", question);
        if (tcsetattr(terminal, TCSAFLUSH, &unseen) == 0) {
            given = read_unseen(terminal, out, size);
            tcsetattr(terminal, TCSAFLUSH, &seen);
        }
        fputc('\n', stderr);
    }
    close(terminal);
    return given;
}
