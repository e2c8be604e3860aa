/*
 * pawl-worker ROLE: one of pawl's helper processes. It takes the front's hello, gives up every right
 * that its role does not need, and serves until the front goes away. People do not start it.
 */
#include "improve/confine.h"
#include "improve/protocol.h"
#include "improve/worker.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/random.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

enum { EXIT_USAGE = 2 };

static const struct {
    const char *name;
    bool has_project, has_peer, has_judge;
    int (*serve)(struct pawl_worker *worker);
} roles[] = {
    {PAWL_ROLE_ENGINE_NAME, true, false, false, pawl_engine_main},
    {PAWL_ROLE_VAULT_NAME, true, true, true, pawl_vault_main},
    {PAWL_ROLE_SEALED_NAME, true, true, false, pawl_sealed_main},
    {PAWL_ROLE_TABLES_NAME, false, false, false, pawl_tables_main},
};

/* A virtual clock and known secrets would make a real attempt worthless. */
static enum pawl_status enter_test_mode(struct pawl_worker *worker, const json_t *seed,
                                        struct pawl_error *err)
{
    worker->test_mode = json_is_integer(seed);
    if (!worker->test_mode) return PAWL_OK;
    if (!pawl_config_all_scripted(&worker->config)) {
        pawl_fail(err, PAWL_EUSAGE,
                  "Test mode is only for projects whose models are all scripted.");
        pawl_hint(err, "Unset PAWL_TEST_SEED.");
        return PAWL_EUSAGE;
    }
    worker->test_seed = (uint64_t)json_integer_value(seed);
    pawl_clock_fix(PAWL_TEST_EPOCH_MS);
    pawl_secret_fix(worker->test_seed);
    return PAWL_OK;
}

static enum pawl_status read_hello(struct pawl_worker *worker, json_t *message,
                                   struct pawl_error *err)
{
    json_t *hello = worker->hello = json_incref(json_object_get(message, "hello"));
    worker->project_dir = pawl_json_get_text(hello, "project_dir", NULL);
    worker->store_dir = pawl_json_get_text(hello, "store_dir", NULL);
    worker->sealed_dir = pawl_json_get_text(hello, "sealed_dir", NULL);
    worker->vault_home = pawl_json_get_text(hello, "vault_home", NULL);
    worker->vault_uid = (uid_t)pawl_json_get_int(hello, "vault_uid", 0);
    worker->read = json_object_get(hello, "read");
    worker->deny = json_object_get(hello, "deny");
    if (worker->project_dir == NULL || worker->store_dir == NULL)
        return pawl_fail(err, PAWL_EUSAGE, "A worker was greeted without its folders.");
    PAWL_TRY(pawl_config_from_json(json_object_get(hello, "config"), &worker->arena,
                                   &worker->config, err));
    return enter_test_mode(worker, json_object_get(hello, "test_seed"), err);
}

static enum pawl_status greet(struct pawl_worker *worker, const char *role, bool has_project,
                              struct pawl_error *err)
{
    json_t *message;
    PAWL_TRY(pawl_channel_receive(worker->front, -1, &message, err));
    enum pawl_status status = PAWL_OK;
    if (json_object_get(message, "hello") == NULL)
        status = pawl_fail(err, PAWL_EUSAGE, "A worker was not greeted.");
    else if (has_project)
        status = read_hello(worker, message, err);
    json_decref(message);
    if (!has_project) return status;
    if (status == PAWL_OK && strcmp(role, PAWL_ROLE_VAULT_NAME) == 0 &&
        (worker->sealed_dir == NULL || worker->vault_home == NULL))
        status = pawl_fail(err, PAWL_EUSAGE, "The vault was greeted without its folders.");
    return status == PAWL_OK ? pawl_confine_role(worker, role, err) : status;
}

/* What is wrong with the hello is the answer to the first request. */
static int refuse(struct pawl_worker *worker, const struct pawl_error *why)
{
    json_t *message = pawl_error_json(why);
    enum pawl_status status = pawl_channel_send(worker->front, message, NULL);
    json_decref(message);
    if (status != PAWL_OK) fprintf(stderr, "pawl-worker: %s\n", why->message);
    return pawl_status_exit_code(why->status);
}

static void release(struct pawl_worker *worker)
{
    pawl_channel_close(worker->front);
    if (worker->peer != NULL) pawl_channel_close(worker->peer);
    if (worker->judge != NULL) pawl_channel_close(worker->judge);
    pawl_config_release(&worker->config);
    json_decref(worker->hello);
    pawl_arena_release(&worker->arena);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static struct pawl_channel *given_channel(int fd)
{
    return is_open(fd) ? pawl_channel_open(fd) : NULL;
}

int main(int argc, char **argv)
{
    size_t n_roles = sizeof roles / sizeof *roles, i = 0;
    while (argc == 2 && i < n_roles && strcmp(argv[1], roles[i].name) != 0) i++;
    if (argc != 2 || i == n_roles || !is_open(PAWL_FD_FRONT)) {
        fprintf(stderr, "pawl-worker is a part of pawl and is started by it.\n");
        return EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* the terminal's Ctrl-C is for the front, which asks us to pause */
    pawl_crypto_init();
    struct pawl_error err = {0};
    struct pawl_worker worker = {.front = pawl_channel_open(PAWL_FD_FRONT)};
    /* Before anything is opened that could take the number of one that was not given. */
    if (roles[i].has_peer) worker.peer = given_channel(PAWL_FD_PEER);
    if (roles[i].has_judge) worker.judge = given_channel(PAWL_FD_JUDGE);
    enum pawl_status status = greet(&worker, roles[i].name, roles[i].has_project, &err);
    int exit_status = status == PAWL_OK ? roles[i].serve(&worker) : refuse(&worker, &err);
    release(&worker);
    return exit_status;
}
