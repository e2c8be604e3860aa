/* The Lua of a flow: the bytes are what stands in flow(input). Whatever it asks and gives, a case is done
 * with an output of the signature's types, or failed with a reason; and the second time it is the same. */
#include "fuzz.h"

#include "base/hash.h"
#include "program/program.h"

static void check_outcome(const struct pawl_outcome *o)
{
    if (o->status == PAWL_OUTCOME_DONE) {
        json_t *choice = json_object_get(o->output, "label");
        PAWL_ASSERT(json_object_size(o->output) == 2 &&
                    json_is_number(json_object_get(o->output, "n")));
        PAWL_ASSERT(strcmp(json_string_value(choice), "yes") == 0 ||
                    strcmp(json_string_value(choice), "no") == 0);
        return;
    }
    PAWL_ASSERT(o->status == PAWL_OUTCOME_FAILED && !o->output);
    PAWL_ASSERT(o->reason[0] && pawl_utf8_is_valid(pawl_str_of(o->reason), NULL));
}

static void run_twice(struct pawl_program *program)
{
    struct pawl_arena arena = {0};
    struct pawl_artifact *seed;
    struct pawl_instance *instance;
    struct pawl_outcome outcomes[2];
    struct pawl_error err = {0};
    const struct pawl_run_options how = {.flags = PAWL_RUN_TRACE};
    json_t *input = json_pack("{s:s, s:[i, s]}", "text", "pear, fig", "list", 1, "x");
    const struct pawl_program_case item = {"c", input};
    PAWL_ASSERT(pawl_program_seed(program, &arena, &seed, &err) == PAWL_OK);
    PAWL_ASSERT(pawl_program_prepare(program, seed, 0, &instance, &err) == PAWL_OK);
    for (int i = 0; i < 2; i++) {
        PAWL_ASSERT(pawl_program_run(instance, &arena, &item, &how, &outcomes[i], &err) == PAWL_OK);
        check_outcome(&outcomes[i]);
    }
    /* How deep memory reaches depends on what the collector has not taken back yet. */
    bool out_of_memory = false;
    for (int i = 0; i < 2; i++)
        out_of_memory |= outcomes[i].reason && strstr(outcomes[i].reason, "memory");
    PAWL_ASSERT(out_of_memory || pawl_hash_eq(&outcomes[0].behaviour, &outcomes[1].behaviour));
    for (int i = 0; i < 2; i++) pawl_outcome_release(&outcomes[i]);
    pawl_program_release(instance);
    pawl_arena_release(&arena);
    json_decref(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_buf source = PAWL_BUF(1 << 20);
    pawl_buf_add(&source, "function flow(input)\n");
    pawl_buf_add_str(&source, (struct pawl_str){(const char *)bytes, n_bytes});
    pawl_buf_add(&source, "\nend\n");
    struct pawl_str model =
        PAWL_STR("function complete(r) local m = r.messages return m[#m].content end");
    json_t *models = json_pack("{s:{s:s,s:s}}", "m", "backend", "script", "file",
                               pawl_fuzz_file("model", model));
    json_t *section =
        json_pack("{s:s, s:s, s:i, s:{s:{s:s}, s:{s:s}}}", "flow",
                  pawl_fuzz_file("lua", pawl_buf_str(&source)), "signature",
                  "text, list: list -> label: yes | no, n: number", "max_asks", 9, "modules", "m",
                  "signature", "a -> b", "two", "signature", "a, l: list -> b, c: number");
    const struct pawl_lm_settings settings = {.models = models, .project_dir = "/"};
    struct pawl_error err = {0};
    struct pawl_lm *lm;
    struct pawl_program *program;
    pawl_crypto_init();
    PAWL_ASSERT(pawl_lm_open(&settings, &lm, &err) == PAWL_OK);
    const struct pawl_program_settings how = {.program = section, .project_dir = "/", .lm = lm};
    if (pawl_program_open(&how, &program, &err) == PAWL_OK) {
        run_twice(program);
        pawl_program_close(program);
    } else {
        PAWL_ASSERT(err.status == PAWL_ECONFIG && err.message[0] && err.hint[0]);
    }
    pawl_lm_close(lm);
    json_decref(section);
    json_decref(models);
    pawl_buf_release(&source);
    return 0;
}
