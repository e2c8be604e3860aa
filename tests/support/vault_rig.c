#include "support/vault_rig.h"

#include "artifact/artifact.h"
#include "base/clock.h"
#include "base/random.h"
#include "improve/protocol.h"
#include "io/file.h"
#include "io/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- the project ----------------------------------------------------------------------------------- */

static const char model[] =
    "function complete(request)\n"
    "  local artifact, input = request.messages[1].content, ''\n"
    "  for _, m in ipairs(request.messages) do\n"
    "    if m.role == 'user' then input = m.content end\n"
    "  end\n"
    "  if artifact:find('BROKEN') then return {error = 'missing: down'} end\n"
    "  if artifact:find('PATCHY') and input:find('patchy') then return {error = 'missing: down'} "
    "end\n"
    "  local right = artifact:find('GOOD') or not artifact:find('WORSE') and input:find('easy')\n"
    "  local text, tokens = right and 'yes' or 'no', artifact:match('TOKENS (%d+)')\n"
    "  if not tokens then return text end\n"
    "  return {text = text, prompt_tokens = tonumber(tokens), completion_tokens = 0}\n"
    "end\n";

static void write_file(const char *path, const char *text)
{
    assert_int_equal(pawl_file_write_atomic(path, pawl_str_of(text), 0644, NULL), PAWL_OK);
}

char *vault_rig_path(const struct vault_rig *rig, const char *name)
{
    char *path;
    assert_true(asprintf(&path, "%s/project/%s", rig->dir, name) > 0);
    return path;
}

char *vault_rig_home(const struct vault_rig *rig, const char *name)
{
    char *home, *path = NULL;
    assert_true(asprintf(&home, "%s/home", rig->dir) > 0);
    DIR *folder = opendir(home);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && path == NULL)
            assert_true(asprintf(&path, "%s/%s/%s", home, entry->d_name, name) > 0);
    closedir(folder);
    free(home);
    assert_non_null(path);
    return path;
}

/* Every hundredth part of the cases is hard or patchy by its number, spread evenly. */
static bool is_marked(int i, int per_cent)
{
    return i * 37 % 100 < per_cent;
}

void vault_rig_write_cases(const struct vault_rig *rig, const char *name,
                           const struct vault_rig_cases *cases, int first)
{
    struct pawl_buf text = PAWL_BUF(64 << 20);
    for (int i = first; i < first + cases->n; i++)
        pawl_buf_printf(&text,
                        "{\"id\":\"case-%05d\",\"cluster\":\"cluster-%05d\",\"input\":"
                        "\"%05d %s %s %s\",\"target\":\"yes\"}\n",
                        i, i / cases->cluster_size, i,
                        is_marked(i, cases->hard_per_cent) ? "hard" : "easy",
                        is_marked(i, cases->patchy_per_cent) ? "patchy" : "steady", cases->flavour);
    char *path = vault_rig_path(rig, name);
    write_file(path, pawl_buf_str(&text).ptr);
    free(path);
    pawl_buf_release(&text);
}

void vault_rig_make(struct vault_rig *rig, const struct vault_rig_cases *cases, const char *gate)
{
    const char *tmp = getenv("TMPDIR");
    *rig = (struct vault_rig){.virtual_seed = 7, .vault = -1, .sealed = -1};
    snprintf(rig->dir, sizeof rig->dir, "%.40s/pawl-vault.XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(rig->dir));
    char *project = vault_rig_path(rig, ""), *script = vault_rig_path(rig, "model.lua");
    assert_int_equal(pawl_dir_make(project, 0755, NULL), PAWL_OK);
    write_file(script, model);
    vault_rig_write_cases(rig, "cases.jsonl", cases, 0);
    assert_true(
        asprintf(&rig->config,
                 "{\"name\":\"rig\",\"program\":{\"signature\":\"question -> answer: yes | no\"},"
                 "\"data\":{\"file\":\"cases.jsonl\"},\"metric\":\"exact_match\","
                 "\"models\":{\"m\":{\"backend\":\"script\",\"file\":\"model.lua\"}},"
                 "\"roles\":{\"task\":\"m\"},\"gate\":%s}",
                 gate) > 0);
    free(project);
    free(script);
}

void vault_rig_seal(struct vault_rig *rig, const struct vault_rig_cases *cases, const char *gate)
{
    vault_rig_make(rig, cases, gate);
    json_decref(vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, vault_rig_op("seal"))));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

void vault_rig_remove(struct vault_rig *rig)
{
    nftw(rig->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(rig->config);
}

/* --- processes -------------------------------------------------------------------------------------- */

static void enter_role(struct vault_rig *rig, struct pawl_worker *worker, int front, int peer)
{
    json_t *config;
    pawl_crypto_init();
    if (rig->virtual_seed >= 0) {
        pawl_clock_fix(PAWL_TEST_EPOCH_MS);
        pawl_secret_fix((uint64_t)rig->virtual_seed);
    }
    *worker = (struct pawl_worker){.front = pawl_channel_open(front),
                                   .peer = peer >= 0 ? pawl_channel_open(peer) : NULL,
                                   .test_mode = rig->virtual_seed >= 0,
                                   .test_seed = (uint64_t)rig->virtual_seed};
    if (pawl_json_parse(pawl_str_of(rig->config), 1 << 20, &config, NULL) != PAWL_OK ||
        pawl_config_from_json(config, &worker->arena, &worker->config, NULL) != PAWL_OK)
        _exit(99);
    json_decref(config);
    worker->project_dir = pawl_arena_printf(&worker->arena, "%s/project/", rig->dir);
    worker->sealed_dir = pawl_arena_printf(&worker->arena, "%s/project/.pawl/sealed", rig->dir);
    worker->vault_home = pawl_arena_printf(&worker->arena, "%s/home", rig->dir);
}

static pid_t start_role(struct vault_rig *rig, int (*role)(struct pawl_worker *), int front,
                        int peer, int close_a, int close_b)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) return pid;
    struct pawl_worker worker;
    if (rig->front != NULL) close(pawl_channel_fd(rig->front));
    if (close_a >= 0) close(close_a);
    if (close_b >= 0) close(close_b);
    enter_role(rig, &worker, front, peer);
    _exit(role(&worker));
}

void vault_rig_start(struct vault_rig *rig, enum vault_rig_peer peer)
{
    int front[2], pair[2] = {-1, -1}, unused[2];
    assert_int_equal(pawl_socket_pair(front, NULL), PAWL_OK);
    if (peer != RIG_NO_PEER) assert_int_equal(pawl_socket_pair(pair, NULL), PAWL_OK);
    rig->vault = start_role(rig, pawl_vault_main, front[1], pair[0], front[0], pair[1]);
    rig->front = pawl_channel_open(front[0]);
    close(front[1]);
    if (peer == RIG_SEALED) {
        assert_int_equal(pawl_socket_pair(unused, NULL), PAWL_OK);
        rig->sealed = start_role(rig, pawl_sealed_main, unused[1], pair[1], pair[0], unused[0]);
        close(unused[0]);
        close(unused[1]);
        close(pair[1]);
    }
    if (peer == RIG_PLAYED) rig->peer = pawl_channel_open(pair[1]);
    if (peer != RIG_NO_PEER) close(pair[0]);
}

static void wait_for(pid_t *pid, bool killed)
{
    int status = 0;
    if (*pid > 0) assert_int_equal(waitpid(*pid, &status, 0), *pid);
    if (*pid > 0 && !killed) assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    *pid = -1;
}

static void close_channels(struct vault_rig *rig)
{
    if (rig->front != NULL) pawl_channel_close(rig->front);
    if (rig->peer != NULL) pawl_channel_close(rig->peer);
    rig->front = rig->peer = NULL;
}

void vault_rig_stop(struct vault_rig *rig)
{
    close_channels(rig);
    wait_for(&rig->vault, false);
    wait_for(&rig->sealed, false);
}

void vault_rig_kill(struct vault_rig *rig, bool vault, bool sealed)
{
    if (vault && rig->vault > 0) kill(rig->vault, SIGKILL);
    if (sealed && rig->sealed > 0) kill(rig->sealed, SIGKILL);
    close_channels(rig);
    wait_for(&rig->vault, true);
    wait_for(&rig->sealed, true);
}

/* --- requests ---------------------------------------------------------------------------------------- */

json_t *vault_rig_ask(struct vault_rig *rig, json_t *request, json_t **said)
{
    json_t *message = NULL;
    enum pawl_status status = pawl_channel_send(rig->front, request, NULL);
    json_decref(request);
    while (status == PAWL_OK) {
        status = pawl_channel_receive(rig->front, -1, &message, NULL);
        if (status != PAWL_OK) break;
        if (json_object_get(message, "progress") == NULL) return message;
        if (said != NULL) json_array_append(*said, message);
        json_decref(message);
    }
    return NULL;
}

json_t *vault_rig_once(struct vault_rig *rig, enum vault_rig_peer peer, json_t *request)
{
    vault_rig_start(rig, peer);
    json_t *answer = vault_rig_ask(rig, request, NULL);
    assert_non_null(answer);
    vault_rig_stop(rig);
    return answer;
}

void vault_rig_tell(struct pawl_channel *to, json_t *message)
{
    assert_int_equal(pawl_channel_send(to, message, NULL), PAWL_OK);
    json_decref(message);
}

json_t *vault_rig_listen(struct vault_rig *rig, int quiet_ms, json_t **answer, int *n_progress)
{
    enum { TICK_MS = 5, PATIENCE_MS = 200000 };
    double start = vault_rig_seconds(), limit_s = (quiet_ms > 0 ? quiet_ms : PATIENCE_MS) * 1e-3;
    *answer = NULL;
    do {
        json_t *message = NULL;
        /* A vault that has decided closes this side first; its answer is still to come. */
        if (pawl_channel_receive(rig->peer, TICK_MS, &message, NULL) == PAWL_OK && message != NULL)
            return message;
        assert_int_equal(pawl_channel_receive(rig->front, TICK_MS, &message, NULL), PAWL_OK);
        if (message != NULL && json_object_get(message, "progress") == NULL) {
            *answer = message;
            return NULL;
        }
        const json_t *progress = json_object_get(message, "progress");
        if (progress != NULL)
            assert_in_range(vault_rig_int(progress, "release_points_passed"), 0, 4);
        if (progress != NULL && n_progress != NULL) (*n_progress)++;
        json_decref(message);
    } while (vault_rig_seconds() - start < limit_s);
    if (quiet_ms == 0) fail_msg("the vault has been silent for %d s", PATIENCE_MS / 1000);
    return NULL;
}

static json_t *artifact_json(const char *instruction)
{
    struct pawl_arena arena = {0};
    struct pawl_artifact *artifact;
    struct pawl_component components[] = {
        {"demos", "text", "demos", PAWL_STR("[]")},
        {"instruction", "text", "instruction", pawl_str_of(instruction)}};
    assert_int_equal(pawl_artifact_make(&arena, components, 2, &artifact, NULL), PAWL_OK);
    json_t *out = pawl_artifact_json(artifact);
    pawl_arena_release(&arena);
    return out;
}

json_t *vault_rig_attempt(const char *candidate, const char *incumbent, const char *behaviour)
{
    char hex[65];
    return json_pack("{s:s, s:o, s:o, s:s, s:i, s:n}", "op", "attempt", "candidate",
                     artifact_json(candidate), "incumbent", artifact_json(incumbent), "behaviour",
                     behaviour != NULL ? behaviour : vault_rig_behaviour(candidate, hex), "pace_us",
                     1000, "run");
}

json_t *vault_rig_op(const char *op)
{
    return json_pack("{s:s}", "op", op);
}

const char *vault_rig_behaviour(const char *of, char hex[65])
{
    struct pawl_hash hash = pawl_hash_str(pawl_str_of(of));
    pawl_hash_hex(&hash, hex);
    return hex;
}

json_t *vault_rig_done(json_t *answer)
{
    json_t *done = json_object_get(answer, "done");
    if (done == NULL) {
        char *text = json_dumps(answer, 0);
        print_error("not done: %s\n", text);
        free(text);
    }
    assert_non_null(done);
    json_incref(done);
    json_decref(answer);
    return done;
}

void vault_rig_expect_error(json_t *answer, const char *code)
{
    const json_t *error = json_object_get(answer, "error");
    if (error == NULL) {
        char *text = json_dumps(answer, 0);
        print_error("no error: %.300s\n", text);
        free(text);
    }
    assert_non_null(error);
    assert_string_equal(pawl_json_get_text(error, "code", ""), code);
    assert_true(strlen(pawl_json_get_text(error, "message", "")) > 10);
    json_decref(answer);
}

int64_t vault_rig_size(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

int64_t vault_rig_int(const json_t *object, const char *key)
{
    return pawl_json_get_int(object, key, -1);
}

const char *vault_rig_text(const json_t *object, const char *key)
{
    return pawl_json_get_text(object, key, "");
}

double vault_rig_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
