/* Any command as a program: the protocol, and everything a bad one can do instead. */
#include "program_fixture.h"

#include "program/folder.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

/* A Python agent; `%s` is what it does with each message m that has an input. */
#define AGENT                                                                                      \
    "import json, sys, os, time\n"                                                                 \
    "def say(x): sys.stdout.write(json.dumps(x) + '\\n'); sys.stdout.flush()\n"                    \
    "def lines():\n"                                                                               \
    "  for line in sys.stdin: yield json.loads(line)\n"                                            \
    "stream = lines()\n"                                                                           \
    "load = next(stream)['load']\n"

static void open_agent(struct bench *b, const char *body, bool sealed)
{
    bench_folder(b);
    char path[200];
    snprintf(path, sizeof path, "%s/agent", b->folder);
    assert_int_equal(mkdir(path, 0755), 0);
    struct pawl_buf text = PAWL_BUF(1 << 16);
    pawl_buf_printf(&text, "%s%s", AGENT, body);
    write_file(b->folder, "agent/main.py", text.data);
    pawl_buf_release(&text);
    write_file(b->folder, "secret.txt", "sealed");
    bench_model(b, "function complete(r)\n"
                   "  local last = r.messages[#r.messages].content\n"
                   "  if last == 'down' then return {error = 'missing: overloaded'} end\n"
                   "  return last:upper()\n"
                   "end");
    bench_program(b,
                  "{'command': ['python3', 'agent/main.py'], 'timeout_ms': 6000,"
                  " 'components': {'main': 'agent/main.py'}}",
                  sealed);
}

static void test_answers_by_the_protocol(void **state)
{
    (void)state;
    struct bench b;
    open_agent(&b,
               "assert open('agent/main.py').read() == load['components']['main']\n"
               "assert os.getcwd() == os.path.realpath(load['dir'])\n"
               "say({'ready': True, 'parallel': 1})\n"
               "for m in stream:\n"
               "  say({'id': m['id'], 'output': m['input'] + '!'})\n",
               false);
    expect_run(&b, NULL, "'hello'", "{'answer': 'hello!'}");
    expect_run(&b, NULL, "'again'", "{'answer': 'again!'}");
    bench_close(&b);
}

static void test_the_candidate_is_what_runs(void **state)
{
    (void)state;
    struct bench b;
    open_agent(&b, "say({'ready': True})\nfor m in stream: say({'id': m['id'], 'output': 1})\n",
               false);
    struct pawl_instance *other = prepare_edit(
        &b, "main",
        AGENT "say({'ready': True})\nfor m in stream: say({'id': m['id'], 'output': {'x': 2}})\n");
    expect_run(&b, NULL, "'q'", "{'answer': 1}");
    expect_run(&b, other, "'q'", "{'x': 2}");
    pawl_program_release(other);
    bench_close(&b);
}

static void test_asks_a_model(void **state)
{
    (void)state;
    struct bench b;
    open_agent(&b,
               "say({'ready': True})\n"
               "for m in stream:\n"
               "  say({'id': m['id'], 'ask': {'call': 'c1', 'role': 'task', 'messages':\n"
               "      [{'role': 'user', 'content': m['input']}]}})\n"
               "  r = next(stream)\n"
               "  assert r['call'] == 'c1'\n"
               "  say({'id': m['id'], 'output': r['reply'].get('text', 'none')})\n",
               false);
    expect_run(&b, NULL, "'hello'", "{'answer': 'HELLO'}");
    struct pawl_outcome outcome =
        run_one(&b, NULL, "'hello'", (struct pawl_run_options){.flags = PAWL_RUN_TRACE});
    assert_int_equal(outcome.usage.n_requests, 1);
    assert_string_equal(pawl_json_get_text(json_array_get(outcome.trace, 0), "reply", ""), "HELLO");
    pawl_outcome_release(&outcome);
    outcome = run_one(&b, NULL, "'down'", (struct pawl_run_options){0});
    assert_int_equal(outcome.status, PAWL_OUTCOME_MISSING); /* not the candidate's fault */
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_bad_answers_are_failed_cases_and_the_next_case_works(void **state)
{
    (void)state;
    struct bench b;
    open_agent(&b,
               "say({'ready': True})\n"
               "for m in stream:\n"
               "  i = m['input']\n"
               "  if i == 'exit': print('giving up', file=sys.stderr); sys.exit(4)\n"
               "  elif i == 'garbage': print('{not json'); sys.stdout.flush()\n"
               "  elif i == 'silent': pass\n"
               "  elif i == 'nameless': say({'output': 1})\n"
               "  elif i == 'error': say({'id': m['id'], 'error': 'no idea'})\n"
               "  elif i == 'empty': say({'id': m['id']})\n"
               "  elif i == 'ask': say({'id': m['id'], 'ask': {'messages': []}})\n"
               "  elif i == 'endless': sys.stdout.write('x' * 9000000); sys.stdout.flush()\n"
               "  elif i == 'null': say({'id': m['id'], 'output': None})\n"
               "  else: say({'id': m['id'], 'output': 'fine'})\n",
               false);
    static const char *const rows[][2] = {
        {"'exit'", "!giving up"},         {"'garbage'", "!not JSON"},  {"'silent'", "!6000 ms"},
        {"'nameless'", "!without an id"}, {"'error'", "!no idea"},     {"'empty'", "!no output"},
        {"'ask'", "!no messages"},        {"'endless'", "!over-long"}, {"'null'", "!no output"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_run(&b, NULL, rows[i][0], rows[i][1]);
        expect_run(&b, NULL, "'x'", "{'answer': 'fine'}");
    }
    bench_close(&b);
}

static void test_a_candidate_that_never_loads_fails_quickly(void **state)
{
    (void)state;
    struct bench b;
    open_agent(&b, "raise RuntimeError('broken on arrival')\n", false);
    for (int i = 0; i < 20; i++) expect_run(&b, NULL, "'x'", "!broken on arrival");
    bench_close(&b);
}

static void test_sealed_cases_never_share_a_process(void **state)
{
    (void)state;
    struct bench b;
    static const char body[] = "say({'ready': True})\n"
                               "n = 0\n"
                               "for m in stream:\n"
                               "  n += 1\n"
                               "  try: open('note').read(); n += 10\n"
                               "  except OSError: open('note', 'w').write('seen')\n"
                               "  say({'id': m['id'], 'output': n})\n";
    open_agent(&b, body, false);
    expect_run(&b, NULL, "'x'", "{'answer': 1}");
    expect_run(&b, NULL, "'x'", "{'answer': 12}");
    bench_close(&b);
    open_agent(&b, body, true);
    expect_run(&b, NULL, "'x'", "{'answer': 1}");
    expect_run(&b, NULL, "'x'", "{'answer': 1}");
    bench_close(&b);
}

static void test_reads_nothing_of_the_project_but_itself(void **state)
{
    (void)state;
    struct bench b;
    open_agent(&b,
               "say({'ready': True})\n"
               "for m in stream:\n"
               "  try: say({'id': m['id'], 'output': open(m['input']).read()})\n"
               "  except OSError: say({'id': m['id'], 'output': 'refused'})\n",
               false);
    char input[200];
    snprintf(input, sizeof input, "'%s/secret.txt'", b.folder);
    expect_run(&b, NULL, input, "{'answer': 'refused'}");
    bench_close(&b);
}

static void test_a_program_without_components_is_refused(void **state)
{
    (void)state;
    static const char *const sections[] = {
        "{'command': ['python3', '-c', 'pass']}",
        "{'command': ['python3', '-c', 'pass'], 'components': {}}",
    };
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        struct pawl_error err = {0};
        struct pawl_program *program;
        json_t *section = json_of(sections[i]);
        const struct pawl_program_settings settings = {.program = section, .project_dir = "/tmp"};
        assert_int_equal(pawl_program_open(&settings, &program, &err), PAWL_ECONFIG);
        assert_string_equal(err.field, "program.components");
        assert_non_null(strstr(err.message, "no components"));
        assert_non_null(strstr(err.hint, "components: {"));
        json_decref(section);
    }
}

struct one_of_many {
    struct bench *b;
    int number;
    bool ok;
};

static void *run_in_parallel(void *context)
{
    struct one_of_many *one = context;
    struct pawl_arena arena = {0};
    struct pawl_outcome outcome;
    char id[32];
    snprintf(id, sizeof id, "c%d", one->number);
    json_t *input = json_integer(one->number);
    const struct pawl_program_case item = {id, input};
    const struct pawl_run_options how = {0};
    one->ok = pawl_program_run(one->b->instance, &arena, &item, &how, &outcome, NULL) == PAWL_OK &&
              outcome.status == PAWL_OUTCOME_DONE &&
              pawl_json_get_int(outcome.output, "answer", -1) == one->number * 2;
    pawl_outcome_release(&outcome);
    json_decref(input);
    pawl_arena_release(&arena);
    return NULL;
}

static void test_many_threads_share_one_process_out_of_order(void **state)
{
    (void)state;
    struct bench b;
    open_agent(&b,
               "say({'ready': True, 'parallel': 4})\n"
               "wait = []\n"
               "for m in stream:\n"
               "  wait.append(m)\n"
               "  if len(wait) == 4:\n"
               "    for w in reversed(wait): say({'id': w['id'], 'output': w['input'] * 2})\n"
               "    wait = []\n",
               false);
    enum { N = 16 };
    pthread_t threads[N];
    struct one_of_many all[N];
    for (int i = 0; i < N; i++) {
        all[i] = (struct one_of_many){&b, i, false};
        pthread_create(&threads[i], NULL, run_in_parallel, &all[i]);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        assert_true(all[i].ok);
    }
    bench_close(&b);
}

static void test_no_folder_is_left_behind(void **state)
{
    (void)state;
    struct bench b;
    char tmp[] = "/tmp/pawl-tmp-XXXXXX";
    assert_non_null(mkdtemp(tmp));
    chmod(tmp, 0755);
    setenv("TMPDIR", tmp, 1);
    open_agent(&b,
               "say({'ready': True})\n"
               "os.makedirs('a/b/c'); open('a/b/c/f', 'w').write('x'); os.chmod('a/b', 0)\n"
               "for m in stream: say({'id': m['id'], 'output': 1})\n",
               false);
    expect_run(&b, NULL, "'x'", "{'answer': 1}");
    bench_close(&b);
    unsetenv("TMPDIR");
    assert_int_equal(rmdir(tmp), 0); /* empty */
}

/* Whoever can put a link in a folder's place must not change the rights of what it leads to. */
static void test_removing_follows_no_link(void **state)
{
    (void)state;
    char tmp[] = "/tmp/pawl-tmp-XXXXXX", target[64], link[64];
    struct stat info;
    assert_non_null(mkdtemp(tmp));
    snprintf(target, sizeof target, "%s/target", tmp);
    snprintf(link, sizeof link, "%s/link", tmp);
    assert_int_equal(mkdir(target, 0755) + chmod(target, 0755) + symlink("target", link), 0);
    pawl_folder_remove(pawl_xstrdup(link));
    assert_int_equal(stat(target, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0755);
    assert_int_equal(unlink(link) + rmdir(target) + rmdir(tmp), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_by_the_protocol),
        cmocka_unit_test(test_the_candidate_is_what_runs),
        cmocka_unit_test(test_asks_a_model),
        cmocka_unit_test(test_bad_answers_are_failed_cases_and_the_next_case_works),
        cmocka_unit_test(test_a_candidate_that_never_loads_fails_quickly),
        cmocka_unit_test(test_sealed_cases_never_share_a_process),
        cmocka_unit_test(test_reads_nothing_of_the_project_but_itself),
        cmocka_unit_test(test_a_program_without_components_is_refused),
        cmocka_unit_test(test_many_threads_share_one_process_out_of_order),
        cmocka_unit_test(test_no_folder_is_left_behind),
        cmocka_unit_test(test_removing_follows_no_link),
    };
    pawl_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
