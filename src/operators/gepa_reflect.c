#include "operators/gepa_reflect.h"

#include "operators/prompt.h"
#include "operators/trace.h"

/* --- what is shown --------------------------------------------------------------------------------- */

/* What the module was given and gave; without one, the program. A reply that could not be read stands
 * for the answer that it should have been. */
static void add_example(struct pawl_host *host, const struct pawl_reflect_how *how,
                        const char *module, struct pawl_buf *out, size_t number, uint32_t index,
                        const struct pawl_host_result *result)
{
    const json_t *entry = module != NULL ? pawl_trace_find(result->trace, module) : NULL;
    const json_t *input = pawl_host_train_case(host, index)->input, *output = result->output;
    if (module != NULL) {
        input = json_object_get(entry, "input");
        output = json_object_get(entry, "output");
    }
    pawl_buf_printf(out, "## Task %zu\n", number);
    pawl_prompt_add_json(out, "Input", input);
    if (output != NULL)
        pawl_prompt_add_json(out, "Answer", output);
    else if (module != NULL)
        pawl_prompt_add_json(out, "Answer, which could not be read",
                             json_object_get(entry, "reply"));
    pawl_buf_printf(out, "Score: %.2f\n", result->score);
    if (how->show_target && result->feedback != NULL)
        pawl_buf_printf(out, "Judgement: %s\n", result->feedback);
    pawl_buf_add(out, "\n");
}

/* Gives the number of examples: none is a case that the world lost, or that failed before the module's
 * turn. */
static size_t add_examples(struct pawl_host *host, const struct pawl_reflect_how *how,
                           const struct pawl_reflection *reflection, const char *module,
                           struct pawl_buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < reflection->n_cases; i++) {
        const struct pawl_host_result *result = &reflection->results[i];
        if (result->missing) continue;
        if (module != NULL && pawl_trace_find(result->trace, module) == NULL) continue;
        add_example(host, how, module, out, ++n, reflection->cases[i], result);
    }
    return n;
}

/* --- what is asked ----------------------------------------------------------------------------------- */

/* All prompts of an iteration, and whose text each is to give. */
struct asking {
    struct pawl_host *host;
    struct pawl_arena *step;
    const struct pawl_reflect_how *how;
    struct pawl_host_prompt *prompts;
    struct pawl_reflection **owners;
    const char **names;
    size_t n;
};

/* What to ask about one component; false when it would be longer than a prompt may be. */
static bool add_prompt(struct asking *asking, struct pawl_reflection *reflection, const char *name,
                       const struct pawl_buf *examples)
{
    struct pawl_host *host = asking->host;
    struct pawl_buf text = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    pawl_prompt_fill(pawl_host_operator_text(host, "reflection"),
                     PAWL_MARKS({"current", pawl_host_text(host, reflection->candidate, name)},
                                {"examples", pawl_buf_str(examples)}),
                     &text);
    asking->prompts[asking->n] = (struct pawl_host_prompt){
        .role = "reflect",
        .user = pawl_arena_copy(asking->step, pawl_buf_str(&text)),
        .max_tokens = (int)asking->how->tokens,
        .temperature = asking->how->temperature,
        .sample = (uint32_t)pawl_random_below(pawl_host_random(host), UINT32_MAX)};
    asking->owners[asking->n] = reflection;
    asking->names[asking->n++] = name;
    bool fits = !text.overflowed && !examples->overflowed;
    pawl_buf_release(&text);
    return fits;
}

/* One prompt for each text whose module was asked; none when one is too long. */
static void add_prompts(struct asking *asking, struct pawl_reflection *reflection)
{
    size_t n_before = asking->n;
    bool fits = true;
    for (size_t i = 0; i < reflection->n_texts && fits; i++) {
        const struct pawl_host_component *text = &reflection->texts[i];
        struct pawl_buf examples = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
        if (add_examples(asking->host, asking->how, reflection, text->module, &examples) > 0)
            fits = add_prompt(asking, reflection, text->name, &examples);
        pawl_buf_release(&examples);
    }
    if (fits) return;
    asking->n = n_before;
    pawl_host_say(asking->host, "a minibatch is too long to reflect on; skipped");
}

/* --------------------------------------------------------------------------------------------------- */

static void take_reply(const struct asking *asking, size_t i, const struct pawl_host_reply *reply)
{
    struct pawl_reflection *reflection = asking->owners[i];
    if (reply->failed) return;
    struct pawl_str text = pawl_prompt_unfence(reply->text);
    if (text.len == 0 || text.len > (size_t)asking->how->max_text_bytes) return;
    reflection->edits[reflection->n_edits++] = (struct pawl_host_edit){asking->names[i], text};
}

enum pawl_status pawl_reflect(struct pawl_host *host, struct pawl_arena *step,
                              const struct pawl_reflect_how *how,
                              struct pawl_reflection *reflections, size_t n, struct pawl_error *err)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        most += reflections[i].n_texts;
        reflections[i].n_edits = 0;
    }
    struct asking asking = {.host = host,
                            .step = step,
                            .how = how,
                            .prompts = PAWL_NEW_N(step, struct pawl_host_prompt, most),
                            .owners = PAWL_NEW_N(step, struct pawl_reflection *, most),
                            .names = PAWL_NEW_N(step, const char *, most)};
    for (size_t i = 0; i < n; i++) add_prompts(&asking, &reflections[i]);
    if (asking.n == 0) return PAWL_OK;
    struct pawl_host_reply *replies = PAWL_NEW_N(step, struct pawl_host_reply, asking.n);
    PAWL_TRY(pawl_host_complete(host, step, asking.prompts, asking.n, replies, err));
    for (size_t i = 0; i < asking.n; i++) take_reply(&asking, i, &replies[i]);
    return PAWL_OK;
}
