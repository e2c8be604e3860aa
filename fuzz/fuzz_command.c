/* The lines of a command: as a program's answer to `load`, its ask and its output, and as a metric's
 * answer. What is refused has a sentence. */
#include "fuzz.h"

#include "evaluate/metric_command.h"
#include "program/command_wire.h"

static void check_ask(const json_t *ask, struct pawl_arena *arena)
{
    struct pawl_lm_request request;
    struct pawl_lm_reply reply = {.text = PAWL_STR("fine")};
    const char *fault = pawl_command_read_ask(ask, arena, &request);
    PAWL_ASSERT(!fault || fault[0]);
    if (fault) return;
    PAWL_ASSERT(request.n_messages > 0 && request.max_tokens > 0);
    PAWL_ASSERT(request.temperature >= 0 && request.temperature <= 2);
    for (size_t i = 0; i < request.n_messages; i++)
        PAWL_ASSERT(request.messages[i].role && request.messages[i].content.ptr);
    json_t *line = pawl_command_reply_line("c1", ask, &reply);
    free(pawl_json_text(line));
    json_decref(line);
}

static void check_line(struct pawl_str text, struct pawl_arena *arena)
{
    json_t *line;
    const char *why = NULL;
    if (pawl_json_parse(text, 1 << 20, &line, NULL) != PAWL_OK) return;
    check_ask(json_object_get(line, "ask"), arena);
    json_t *output = pawl_command_read_output(line, arena, &why);
    PAWL_ASSERT(output ? json_is_object(output) : why != NULL);
    json_decref(output);
    json_decref(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_arena arena = {0};
    struct pawl_str text = {(const char *)bytes, n_bytes};
    int parallel = 1;
    if (pawl_command_read_ready(text, &parallel))
        PAWL_ASSERT(parallel >= 1 && parallel <= PAWL_COMMAND_PARALLEL_MAX);
    check_line(text, &arena);
    struct pawl_metric_result result = {0};
    const char *wrong = pawl_metric_read_answer(text, "c1", &arena, &result);
    PAWL_ASSERT(wrong ? wrong[0] != '\0' : result.score >= 0 && result.score <= 1);
    pawl_arena_release(&arena);
    return 0;
}
