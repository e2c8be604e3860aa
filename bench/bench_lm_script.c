/*
 * bench_lm_script - CPU of one ask of a scripted model, in microseconds; one JSON line a script.
 *
 *     bench_lm_script [asks]
 */
#include "base/clock.h"
#include "lm/lm.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
    const char *name, *source;
} scripts[] = {
    {"constant", "function complete(r) return 'positive' end"},
    {"last_word", "local function last(t) return t:match('(%w+)%W*$') end\n"
                  "function complete(r) return last(r.messages[#r.messages].content) end"},
    {"noisy", "local words = {'positive', 'negative', 'neutral'}\n"
              "function complete(r)\n"
              "  return words[1 + math.floor(#words * random(r))]\n"
              "end"},
};

static double microseconds_of(const char *source, int n_asks)
{
    char path[] = "/tmp/pawl-bench-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || dprintf(fd, "%s", source) < 0 || close(fd) != 0) abort();
    json_t *models = json_pack("{s:{s:s,s:s}}", "m", "backend", "script", "file", path);
    struct pawl_lm *lm;
    struct pawl_error err = {0};
    if (pawl_lm_open(&(struct pawl_lm_settings){.models = models, .seed = 1}, &lm, &err) !=
        PAWL_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(pawl_status_exit_code(err.status));
    }
    struct pawl_message messages[] = {
        {"system", PAWL_STR("Say whether the review is positive or negative. Answer in a word.")},
        {"user", PAWL_STR("The plot was thin, but the cast carried it, and I left the cinema with "
                          "a smile that lasted until I reached home.")}};
    struct pawl_arena arena = {0};
    double start_s = pawl_clock_cpu_s();
    for (int i = 0; i < n_asks; i++) {
        struct pawl_lm_request request = {
            .messages = messages, .n_messages = 2, .max_tokens = 16, .sample = i};
        struct pawl_lm_reply reply;
        if (pawl_lm_ask(lm, &arena, &request, 1, &reply, &err) != PAWL_OK) abort();
        if (reply.status != PAWL_REPLY_OK) abort();
        pawl_arena_reset(&arena);
    }
    double spent_s = pawl_clock_cpu_s() - start_s;
    pawl_arena_release(&arena);
    pawl_lm_close(lm);
    json_decref(models);
    unlink(path);
    return 1e6 * spent_s / n_asks;
}

int main(int argc, char **argv)
{
    int n_asks = argc > 1 ? atoi(argv[1]) : 200000;
    if (n_asks < 1) return 2;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        printf("{\"bench\":\"lm_script\",\"script\":\"%s\",\"asks\":%d,\"cpu_us_per_ask\":%.2f}\n",
               scripts[i].name, n_asks, microseconds_of(scripts[i].source, n_asks));
    return 0;
}
