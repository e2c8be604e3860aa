/* The engine as the front meets it: requests over a channel, one answer each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "improve/protocol.h"
#include "improve/worker.h"
#include "io/file.h"
#include "io/process.h"
#include "store/store.h"

#include "artifact/artifact.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_TRAIN = 12, N_DEV = 24 };

/* Right always under an instruction that has the word "better", half of the time otherwise. */
static const char script[] =
    "function complete(request)\n"
    "  if request.role ~= 'task' then\n"
    "    return '```\\nDo it better, in way ' .. math.floor(random(request) * 1000) .. '.\\n```'\n"
    "  end\n"
    "  local right = request.messages[#request.messages].content:match('RIGHT (%a+)') or 'yes'\n"
    "  if request.messages[1].content:find('better', 1, true) or random(request) < 0.5 then\n"
    "    return right\n"
    "  end\n"
    "  return right == 'yes' and 'no' or 'yes'\n"
    "end\n";

static char dir[200];
static struct pawl_worker worker;
static struct pawl_channel *front;
static pthread_t thread;
static json_t *seed; /* artifact */
static char seed_hex[PAWL_HASH_HEX];

static void must(enum pawl_status status, const struct pawl_error *err)
{
    if (status != PAWL_OK) fail_msg("%s %s", err->message, err->hint);
}

static json_t *config(void)
{
    return json_pack("{s:s, s:{s:s, s:{s:s}}, s:{s:s}, s:s, s:{s:{s:s, s:s}}, s:{s:s}}", "name",
                     "t", "program", "signature", "q -> a: yes | no", "instruction", "text",
                     "Answer.", "data", "file", "cases.jsonl", "metric", "exact_match", "models",
                     "m", "backend", "script", "file", "model.lua", "improve", "operator", "gepa");
}

static void *serve(void *context)
{
    assert_int_equal(pawl_engine_main(context), 0);
    return NULL;
}

static void start_engine(void)
{
    int pair[2];
    struct pawl_error err = {0};
    must(pawl_socket_pair(pair, &err), &err);
    json_t *json = config();
    worker = (struct pawl_worker){.project_dir = dir};
    worker.store_dir = pawl_path_join(&worker.arena, dir, ".pawl/store");
    must(pawl_config_from_json(json, &worker.arena, &worker.config, &err), &err);
    json_decref(json);
    front = pawl_channel_open(pair[0]);
    worker.front = pawl_channel_open(pair[1]);
    assert_int_equal(pthread_create(&thread, NULL, serve, &worker), 0);
}

static void stop_engine(void)
{
    pawl_channel_close(front);
    pthread_join(thread, NULL);
    pawl_channel_close(worker.front);
    pawl_config_release(&worker.config);
    pawl_arena_release(&worker.arena);
}

static json_t *receive(void)
{
    json_t *message;
    struct pawl_error err = {0};
    must(pawl_channel_receive(front, 60000, &message, &err), &err);
    assert_non_null(message);
    return message;
}

static void send_message(json_t *message)
{
    struct pawl_error err = {0};
    must(pawl_channel_send(front, message, &err), &err);
    json_decref(message);
}

/* What the front would answer; offers and rows are counted. */
static size_t n_rows, n_offers;
static void answer_message(const json_t *message, bool promoted)
{
    if (json_object_get(message, "row") != NULL) n_rows++;
    if (json_object_get(message, "begin") != NULL) send_message(json_pack("{s:{}}", "answer"));
    if (json_object_get(message, "offer") == NULL) return;
    n_offers++;
    send_message(json_pack("{s:{s:b}}", "answer", "promoted", promoted));
}

/* The answer to a request (taken). Offers are answered with `promoted`. */
static json_t *ask(json_t *request, bool promoted)
{
    n_rows = n_offers = 0;
    send_message(request);
    for (;;) {
        json_t *message = receive();
        if (json_object_get(message, "done") != NULL || json_object_get(message, "error") != NULL)
            return message;
        answer_message(message, promoted);
        json_decref(message);
    }
}

static json_t *ask_done(json_t *request)
{
    json_t *message = ask(request, true);
    json_t *done = json_incref(json_object_get(message, "done"));
    if (done == NULL) fail_msg("%s", json_dumps(message, 0));
    json_decref(message);
    return done;
}

static void fill_store(void)
{
    struct pawl_store *store;
    struct pawl_artifact *artifact;
    struct pawl_error err = {0};
    json_t *cases = json_array();
    for (int i = 0; i < N_TRAIN + N_DEV; i++) {
        char id[16], question[40];
        const char *tier = i < N_TRAIN ? "train" : "dev";
        const char *right = i % 2 != 0 ? "yes" : "no";
        snprintf(id, sizeof id, "c%d", i);
        snprintf(question, sizeof question, "Question %d, RIGHT %s", i, right);
        json_array_append_new(cases, json_pack("{s:s, s:{s:s}, s:s, s:s, s:s, s:b}", "id", id,
                                               "input", "q", question, "target", right, "cluster",
                                               id, "tier", tier, "check", i % 3 == 0));
    }
    must(pawl_store_open(worker.store_dir, true, &store, &err), &err);
    must(pawl_store_cases_add(store, cases, &err), &err);
    must(pawl_artifact_from_json(&worker.arena, seed, &artifact, &err), &err);
    must(pawl_artifact_put(store, artifact, &err), &err);
    memcpy(seed_hex, artifact->hex, PAWL_HASH_HEX);
    pawl_store_close(store);
    json_decref(cases);
}

static int open_project(void **state)
{
    char path[300];
    struct pawl_error err = {0};
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/pawl-engine-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/model.lua", dir);
    must(pawl_file_write_atomic(path, pawl_str_of(script), 0600, &err), &err);
    start_engine();
    json_t *done = ask_done(json_pack("{s:s}", "op", "seed"));
    seed = json_incref(json_object_get(done, "artifact"));
    json_decref(done);
    fill_store();
    return 0;
}

static int close_project(void **state)
{
    char command[300];
    (void)state;
    stop_engine();
    json_decref(seed);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

/* --- tests ------------------------------------------------------------------------------------------ */

static void test_describes_what_is_registered(void **state)
{
    (void)state;
    json_t *done = ask_done(json_pack("{s:s}", "op", "describe"));
    assert_true(json_array_size(json_object_get(done, "operators")) >= 1);
    assert_non_null(json_object_get(json_object_get(done, "backends"), "script"));
    assert_non_null(json_object_get(json_object_get(done, "metrics"), "exact_match"));
    assert_non_null(json_object_get(json_object_get(done, "sandbox"), "level"));
    json_decref(done);
}

static void test_validates(void **state)
{
    (void)state;
    json_decref(ask_done(json_pack("{s:s}", "op", "validate")));
}

static void test_an_unknown_request_is_an_error(void **state)
{
    (void)state;
    json_t *message = ask(json_pack("{s:s}", "op", "dance"), false);
    assert_non_null(json_object_get(message, "error"));
    json_decref(message);
}

static void test_answers_inputs_in_order(void **state)
{
    (void)state;
    json_t *artifact = json_deep_copy(seed);
    json_t *inputs = json_array();
    for (int i = 0; i < 20; i++)
        json_array_append_new(inputs,
                              json_string(i % 3 == 0 ? "better, RIGHT no" : "better, RIGHT yes"));
    json_object_set_new(json_object_get(json_object_get(artifact, "components"), "instruction"),
                        "text", json_string("Do it better."));
    json_t *done =
        ask_done(json_pack("{s:s, s:o, s:o}", "op", "run", "artifact", artifact, "inputs", inputs));
    const json_t *outputs = json_object_get(done, "outputs");
    assert_int_equal(json_array_size(outputs), 20);
    for (size_t i = 0; i < 20; i++) {
        const json_t *output = json_object_get(json_array_get(outputs, i), "output");
        assert_string_equal(pawl_json_get_text(output, "a", ""), i % 3 == 0 ? "no" : "yes");
    }
    json_decref(done);
}

static json_t *evaluate_request(int samples, bool per_case)
{
    return json_pack("{s:s, s:O, s:s, s:i, s:b, s:i}", "op", "evaluate", "artifact", seed, "tier",
                     "dev", "samples", samples, "per_case", per_case, "limit", 0);
}

static void test_evaluates_with_an_interval(void **state)
{
    (void)state;
    json_t *done = ask_done(evaluate_request(1, true));
    double mean = pawl_json_get_real(done, "mean", -1);
    double lo = json_real_value(json_array_get(json_object_get(done, "ci95"), 0));
    double hi = json_real_value(json_array_get(json_object_get(done, "ci95"), 1));
    assert_int_equal(n_rows, N_DEV);
    assert_int_equal(pawl_json_get_int(done, "n", 0), N_DEV);
    assert_int_equal(pawl_json_get_int(done, "evaluations", 0), N_DEV);
    assert_true(lo > 0 && lo < mean && mean < hi && hi < 1);
    assert_int_equal(strlen(pawl_json_get_text(done, "behaviour", "")), 64);
    json_t *again = ask_done(evaluate_request(1, false));
    assert_int_equal(n_rows, 0);
    assert_true(pawl_json_get_real(again, "mean", -2) == mean);
    assert_string_equal(pawl_json_get_text(again, "behaviour", "a"),
                        pawl_json_get_text(done, "behaviour", "b"));
    json_decref(done);
    json_decref(again);
    done = ask_done(evaluate_request(3, true));
    assert_int_equal(n_rows, 3 * N_DEV);
    json_decref(done);
}

static json_t *improve_request(const char *id, int evaluations, const char *forked_from)
{
    json_t *run = json_pack("{s:s, s:s, s:{}, s:{}, s:i, s:{s:i, s:i, s:i}, s:b, s:s, s:s?}", "id",
                            id, "operator", "gepa", "options", "texts", "seed", 1, "budget",
                            "evaluations", evaluations, "usd", -1, "minutes", -1, "dev_check", 1,
                            "started_from", seed_hex, "forked_from", forked_from);
    return json_pack("{s:s, s:o}", "op", "improve", "run", run);
}

static void test_improves_offers_and_repeats(void **state)
{
    (void)state;
    json_t *done = ask_done(improve_request("r1", 600, NULL));
    assert_string_equal(pawl_json_get_text(done, "state", ""), "finished");
    assert_int_equal(n_offers, 1);
    assert_true(pawl_json_get_bool(done, "promoted", false));
    assert_string_equal(pawl_json_get_text(done, "offered", ""),
                        pawl_json_get_text(done, "best", "-"));
    assert_int_equal(pawl_json_get_int(done, "resumed_steps", -1), 0);
    json_t *again = ask_done(improve_request("r1", 600, NULL));
    assert_int_equal(n_offers, 0); /* the journal knows the answer */
    assert_true(pawl_json_get_int(again, "resumed_steps", -1) > 5);
    assert_string_equal(pawl_json_get_text(again, "best", ""),
                        pawl_json_get_text(done, "best", "-"));
    json_decref(done);
    json_decref(again);
}

static void test_a_changed_run_must_be_forked(void **state)
{
    (void)state;
    json_decref(ask_done(improve_request("r1", 600, NULL)));
    json_t *message = ask(improve_request("r1", 700, NULL), true);
    const json_t *error = json_object_get(message, "error");
    assert_string_equal(pawl_json_get_text(error, "code", ""), "diverged");
    assert_non_null(strstr(pawl_json_get_text(error, "message", ""), "budget"));
    assert_non_null(strstr(pawl_json_get_text(error, "hint", ""), "--fork r1"));
    json_decref(message);
    json_t *forked = ask_done(improve_request("r2", 700, "r1"));
    assert_int_equal(n_offers, 1);
    json_decref(forked);
}

/* A long run, paused after a while; its answer. */
static json_t *ask_and_pause(void)
{
    bool pausing = false;
    send_message(improve_request("r1", 100000, NULL));
    for (;;) {
        json_t *message = receive();
        if (json_object_get(message, "done") != NULL || json_object_get(message, "error") != NULL)
            return message;
        answer_message(message, false);
        json_decref(message);
        if (!pausing) send_message(json_pack("{s:b}", "pause", 1));
        pausing = true;
    }
}

static void test_a_pause_ends_the_run_and_it_goes_on(void **state)
{
    (void)state;
    json_t *message = ask_and_pause();
    const char *ended = pawl_json_get_text(json_object_get(message, "done"), "state", "");
    assert_string_equal(ended, "paused");
    assert_null(json_object_get(json_object_get(message, "done"), "error"));
    int64_t n = pawl_json_get_int(json_object_get(message, "done"), "evaluations", -1);
    json_decref(message);
    /* The engine works again after a pause, on the same run. */
    message = ask_and_pause();
    assert_true(pawl_json_get_int(json_object_get(message, "done"), "evaluations", -1) >= n);
    json_decref(message);
}

/* --- the real process -------------------------------------------------------------------------------- */

static pid_t start_worker(struct pawl_channel **channel)
{
    int pair[2];
    pid_t pid;
    struct pawl_error err = {0};
    const char *program = getenv("PAWL_WORKER");
    if (program == NULL || access(program, X_OK) != 0) skip();
    const char *argv[] = {"pawl-worker", "engine", NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    must(pawl_socket_pair(pair, &err), &err);
    struct pawl_process_fd fds[] = {{STDERR_FILENO, STDERR_FILENO}, {pair[1], PAWL_FD_FRONT}};
    struct pawl_process spec = {.path = program, .argv = argv, .env = env, .fds = fds, .n_fds = 2};
    must(pawl_process_start(&spec, &pid, &err), &err);
    close(pair[1]);
    *channel = pawl_channel_open(pair[0]);
    return pid;
}

static json_t *hello(json_t *models)
{
    json_t *own = config();
    if (models != NULL) json_object_set_new(own, "models", models);
    return json_pack("{s:{s:o, s:s, s:s, s:[], s:[], s:i}}", "hello", "config", own, "project_dir",
                     dir, "store_dir", worker.store_dir, "read", "deny", "test_seed", 1);
}

static void exchange(json_t *models, const char *expected)
{
    struct pawl_channel *channel;
    struct pawl_error err = {0};
    json_t *message = NULL, *greeting = hello(models);
    json_t *request = json_pack("{s:s}", "op", "describe");
    pid_t pid = start_worker(&channel);
    must(pawl_channel_send(channel, greeting, &err), &err);
    enum pawl_status sent = pawl_channel_send(channel, request, &err);
    (void)sent; /* a worker that refuses its hello may be gone already */
    must(pawl_channel_receive(channel, 60000, &message, &err), &err);
    assert_non_null(json_object_get(message, expected));
    json_decref(message);
    json_decref(greeting);
    json_decref(request);
    pawl_channel_close(channel);
    pawl_process_end(pid, 10000, 1000, NULL);
}

static void test_the_process_confines_itself_and_serves(void **state)
{
    (void)state;
    exchange(NULL, "done");
}

static void test_test_mode_is_for_scripted_models_only(void **state)
{
    (void)state;
    exchange(json_pack("{s:{s:s, s:s}}", "m", "backend", "openai", "model", "x"), "error");
}

/* A worker whose front is gone ends by itself. */
static void test_a_closed_channel_ends_the_process(void **state)
{
    struct pawl_channel *channel;
    struct pawl_error err = {0};
    int exit_status = -1;
    (void)state;
    pid_t pid = start_worker(&channel);
    json_t *greeting = hello(NULL), *request = improve_request("r9", 1000000, NULL);
    json_t *begin = NULL, *answer = json_pack("{s:{}}", "answer");
    must(pawl_channel_send(channel, greeting, &err), &err);
    must(pawl_channel_send(channel, request, &err), &err);
    must(pawl_channel_receive(channel, 60000, &begin, &err), &err);
    assert_non_null(json_object_get(begin, "begin"));
    must(pawl_channel_send(channel, answer, &err), &err);
    usleep(200000); /* in the midst of its work */
    pawl_channel_close(channel);
    json_decref(begin);
    json_decref(answer);
    for (int i = 0; i < 200 && waitpid(pid, &exit_status, WNOHANG) == 0; i++) usleep(50000);
    assert_true(WIFEXITED(exit_status));
    json_decref(greeting);
    json_decref(request);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_project, close_project)
    const struct CMUnitTest tests[] = {
        TEST(test_describes_what_is_registered),
        TEST(test_validates),
        TEST(test_an_unknown_request_is_an_error),
        TEST(test_answers_inputs_in_order),
        TEST(test_evaluates_with_an_interval),
        TEST(test_improves_offers_and_repeats),
        TEST(test_a_changed_run_must_be_forked),
        TEST(test_a_pause_ends_the_run_and_it_goes_on),
        TEST(test_the_process_confines_itself_and_serves),
        TEST(test_test_mode_is_for_scripted_models_only),
        TEST(test_a_closed_channel_ends_the_process),
    };
    pawl_crypto_init();
    pawl_clock_fix(PAWL_TEST_EPOCH_MS);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
