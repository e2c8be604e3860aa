#include "operators/mipro_propose.h"

#include "operators/prompt.h"

#include <string.h>

/* As published: ten looks at the data at most, or until five brought nothing new. */
enum { LOOKS_MAX = 10, NOTHING_NEW_MAX = 5, DEMOS_SHOWN = 3 };
enum { OBSERVATIONS_BYTES_MAX = 1 << 20 };

struct proposer {
    struct pawl_host *host;
    struct pawl_arena *arena, *step;
    const struct pawl_mipro_proposals_settings *set;
    const struct pawl_roster *roster;
    struct pawl_random random;
    struct pawl_str program, summary, description;
    struct pawl_str *purposes; /* [module] */
};

/* --- asking ------------------------------------------------------------------------------------ */

/* A gap in a prompt is said, or a model would fill it. */
static struct pawl_str or_unknown(struct pawl_str text)
{
    return text.len > 0 ? text : PAWL_STR("(nothing is known)");
}

/* False when it would be longer than a prompt may be. */
static bool make_prompt(struct proposer *p, const char *text, const struct pawl_prompt_mark *marks,
                        struct pawl_host_prompt *prompt)
{
    struct pawl_buf out = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    pawl_prompt_fill(pawl_host_operator_text(p->host, text), marks, &out);
    bool fits = !out.overflowed;
    *prompt =
        (struct pawl_host_prompt){.role = "reflect",
                                  .user = pawl_prompt_take(p->step, &out),
                                  .max_tokens = p->set->max_tokens,
                                  .temperature = p->set->temperature,
                                  .sample = (uint32_t)pawl_random_below(&p->random, UINT32_MAX)};
    if (!fits) pawl_host_say(p->host, "a request is too long to be asked; left out");
    return fits;
}

/* The reply, or an empty text where there is none. */
static enum pawl_status ask_one(struct proposer *p, const char *text,
                                const struct pawl_prompt_mark *marks, struct pawl_str *said,
                                struct pawl_error *err)
{
    struct pawl_host_prompt prompt;
    struct pawl_host_reply reply;
    *said = PAWL_STR("");
    if (!make_prompt(p, text, marks, &prompt)) return PAWL_OK;
    PAWL_TRY(pawl_host_complete(p->host, p->step, &prompt, 1, &reply, err));
    if (!reply.failed) *said = pawl_prompt_unfence(reply.text);
    if (said->len > p->set->max_text_bytes) *said = PAWL_STR("");
    return PAWL_OK;
}

/* --- the data ------------------------------------------------------------------------------------ */

static struct pawl_str write_cases(struct proposer *p, size_t first, size_t n)
{
    struct pawl_buf out = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    for (size_t i = first; i < first + n; i++) {
        const struct pawl_host_case *item = pawl_host_train_case(p->host, (uint32_t)i);
        pawl_buf_printf(&out, "## Case %zu\n", i + 1);
        pawl_prompt_add_json(&out, "Input", item->input);
        pawl_prompt_add_json(&out, "Wanted answer", item->target);
        pawl_buf_add(&out, "\n");
    }
    return pawl_prompt_take(p->step, &out);
}

static enum pawl_status look(struct proposer *p, size_t first, size_t n,
                             struct pawl_buf *observations, size_t *n_nothing_new,
                             struct pawl_error *err)
{
    struct pawl_str said;
    const struct pawl_prompt_mark *marks = PAWL_MARKS({"cases", write_cases(p, first, n)},
                                                      {"observations", pawl_buf_str(observations)});
    PAWL_TRY(ask_one(p, first == 0 ? "observe" : "observe_more", marks, &said, err));
    if (said.len == 0 || pawl_str_starts(said, "COMPLETE")) {
        ++*n_nothing_new;
        return PAWL_OK;
    }
    pawl_buf_add_str(observations, said);
    pawl_buf_add(observations, "\n");
    return PAWL_OK;
}

static enum pawl_status look_at_all(struct proposer *p, struct pawl_buf *observations,
                                    struct pawl_error *err)
{
    size_t n_train = pawl_host_n_train(p->host), batch = p->set->view_batch, n_nothing_new = 0;
    for (size_t i = 0; i < LOOKS_MAX && i * batch < n_train; i++) {
        size_t left = n_train - i * batch;
        PAWL_TRY(
            look(p, i * batch, left < batch ? left : batch, observations, &n_nothing_new, err));
        if (n_nothing_new == NOTHING_NEW_MAX) return PAWL_OK;
    }
    return PAWL_OK;
}

static enum pawl_status summarise(struct proposer *p, struct pawl_error *err)
{
    struct pawl_buf observations = PAWL_BUF(OBSERVATIONS_BYTES_MAX);
    if (p->set->view_batch == 0) return PAWL_OK;
    enum pawl_status status = look_at_all(p, &observations, err);
    struct pawl_str seen = pawl_arena_copy(p->step, pawl_buf_str(&observations)); /* what fitted */
    pawl_buf_release(&observations);
    if (status != PAWL_OK || seen.len == 0) return status;
    return ask_one(p, "summarise", PAWL_MARKS({"observations", seen}), &p->summary, err);
}

/* --- the program ----------------------------------------------------------------------------------- */

static enum pawl_status describe_program(struct proposer *p, struct pawl_error *err)
{
    struct pawl_buf program = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    size_t n_train = pawl_host_n_train(p->host);
    pawl_roster_add_program(p->host, p->roster, 0, &program);
    p->program = pawl_prompt_take(p->step, &program);
    return ask_one(
        p, "describe_program",
        PAWL_MARKS({"program", p->program}, {"cases", write_cases(p, 0, n_train > 0 ? 1 : 0)}),
        &p->description, err);
}

static struct pawl_str module_line(struct proposer *p, size_t m)
{
    const struct pawl_roster_module *module = &p->roster->modules[m];
    struct pawl_buf out = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    pawl_buf_printf(&out, "Module %zu", m + 1);
    if (module->name[0] != '\0') pawl_buf_printf(&out, ", %s", module->name);
    if (module->fields.n_outputs > 0) {
        pawl_buf_add(&out, ": ");
        pawl_roster_add_signature(module, &out);
    }
    return pawl_prompt_take(p->step, &out);
}

/* What each is for, in one batch. */
static enum pawl_status describe_modules(struct proposer *p, struct pawl_error *err)
{
    size_t n = p->roster->n;
    struct pawl_host_prompt *prompts = PAWL_NEW_N(p->step, struct pawl_host_prompt, n);
    struct pawl_host_reply *replies = PAWL_NEW_N(p->step, struct pawl_host_reply, n);
    p->purposes = PAWL_NEW_N(p->step, struct pawl_str, n);
    for (size_t m = 0; m < n; m++) {
        p->purposes[m] = PAWL_STR("");
        const struct pawl_prompt_mark *marks =
            PAWL_MARKS({"program", p->program}, {"description", or_unknown(p->description)},
                       {"module", module_line(p, m)});
        if (!make_prompt(p, "describe_module", marks, &prompts[m])) return PAWL_OK;
    }
    PAWL_TRY(pawl_host_complete(p->host, p->step, prompts, n, replies, err));
    for (size_t m = 0; m < n; m++) {
        struct pawl_str said = pawl_prompt_unfence(replies[m].text);
        if (!replies[m].failed && said.len <= p->set->max_text_bytes) p->purposes[m] = said;
    }
    return PAWL_OK;
}

/* --- proposals --------------------------------------------------------------------------------------- */

/* Up to three good answers, from the set of that number and those that follow it in a circle. */
static struct pawl_str write_demos(struct proposer *p, size_t m, size_t number)
{
    const struct pawl_mipro_module_demos *demos = &p->set->demos->modules[m];
    struct pawl_buf out = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    size_t n = 0;
    for (size_t s = 0; s < demos->n_sets; s++) {
        const struct pawl_demo_set *set = &demos->sets[(number + s) % demos->n_sets];
        for (size_t i = 0; i < set->n_bootstrapped && n < DEMOS_SHOWN; i++, n++) {
            pawl_buf_add_str(&out, set->demos[i]->text);
            pawl_buf_add(&out, "\n");
        }
    }
    return pawl_prompt_take(p->step, &out);
}

static struct pawl_str draw_tip(struct proposer *p)
{
    size_t n = 0;
    while (p->set->tips[n] != NULL) n++;
    size_t drawn = (size_t)pawl_random_below(&p->random, n + 1);
    return drawn < n ? pawl_host_operator_text(p->host, p->set->tips[drawn]) : PAWL_STR("");
}

static bool make_proposal(struct proposer *p, size_t m, size_t number,
                          struct pawl_host_prompt *prompt)
{
    struct pawl_str current = pawl_host_text(p->host, 0, p->roster->modules[m].instruction);
    struct pawl_str demos = write_demos(p, m, number);
    if (demos.ptr != NULL) demos = or_unknown(demos); /* what is too long is not unknown */
    const struct pawl_prompt_mark *marks =
        PAWL_MARKS({"summary", or_unknown(p->summary)}, {"program", p->program},
                   {"description", or_unknown(p->description)}, {"module", module_line(p, m)},
                   {"purpose", or_unknown(p->purposes[m])}, {"demos", demos}, {"current", current},
                   {"tip", draw_tip(p)});
    return make_prompt(p, "propose", marks, prompt);
}

static bool is_known(const struct pawl_mipro_instructions *list, struct pawl_str text)
{
    for (size_t i = 0; i < list->n_texts; i++)
        if (pawl_str_eq(pawl_str_trim(list->texts[i]), text)) return true;
    return false;
}

static void add_reply(struct proposer *p, struct pawl_mipro_instructions *list,
                      const struct pawl_host_reply *reply)
{
    struct pawl_str text = pawl_prompt_unfence(reply->text);
    if (reply->failed || text.len == 0 || text.len > p->set->max_text_bytes) return;
    if (!is_known(list, text)) list->texts[list->n_texts++] = pawl_arena_copy(p->arena, text);
}

/* All modules and numbers are one batch of requests. */
static enum pawl_status propose_all(struct proposer *p, struct pawl_mipro_instructions *lists,
                                    struct pawl_error *err)
{
    size_t n_most = p->roster->n * p->set->n, n = 0;
    struct pawl_host_prompt *prompts = PAWL_NEW_N(p->step, struct pawl_host_prompt, n_most);
    struct pawl_host_reply *replies = PAWL_NEW_N(p->step, struct pawl_host_reply, n_most);
    size_t *module_of = PAWL_NEW_N(p->step, size_t, n_most);
    for (size_t m = 0; m < p->roster->n; m++) {
        for (size_t i = 1; lists[m].texts != NULL && i < p->set->n; i++) {
            module_of[n] = m;
            if (make_proposal(p, m, i, &prompts[n])) n++;
        }
    }
    PAWL_TRY(pawl_host_complete(p->host, p->step, prompts, n, replies, err));
    for (size_t i = 0; i < n; i++) add_reply(p, &lists[module_of[i]], &replies[i]);
    return PAWL_OK;
}

enum pawl_status pawl_mipro_propose(struct pawl_host *host, struct pawl_arena *step,
                                    const struct pawl_mipro_proposals_settings *settings,
                                    struct pawl_mipro_instructions **instructions,
                                    struct pawl_error *err)
{
    struct proposer p = {.host = host,
                         .arena = pawl_host_arena(host),
                         .step = step,
                         .set = settings,
                         .roster = settings->roster,
                         .random =
                             pawl_random_split(pawl_host_random(host), PAWL_STR("proposals"))};
    size_t n_modules = settings->roster->n;
    struct pawl_mipro_instructions *lists =
        PAWL_NEW_N(p.arena, struct pawl_mipro_instructions, n_modules);
    bool any = false;
    *instructions = lists;
    for (size_t m = 0; m < n_modules; m++) {
        const char *name = settings->roster->modules[m].instruction;
        if (name == NULL) continue;
        any = true;
        lists[m].texts = PAWL_NEW_N(p.arena, struct pawl_str, settings->n);
        lists[m].texts[lists[m].n_texts++] = pawl_host_text(host, 0, name);
    }
    if (!any || settings->n < 2) return PAWL_OK;
    PAWL_TRY(summarise(&p, err));
    PAWL_TRY(describe_program(&p, err));
    PAWL_TRY(describe_modules(&p, err));
    return propose_all(&p, lists, err);
}
