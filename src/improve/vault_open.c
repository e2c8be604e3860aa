/*
 * Opening, changing and making a vault: rows, key and counter as one thing.
 *
 * A change goes   counter (version + 1, pending)  ->  store, one transaction  ->  counter (done)
 * so a kill at any moment leaves either the old state with a pending counter or the new one. A store
 * that lags behind a counter that is not pending was put back from a copy.
 */
#include "improve/vault.h"

#include "base/clock.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    ATTEMPT_BYTES = 8 << 10,
    STATE_BYTES = 4 << 10, /* without its attempts */
    STATE_PER_ATTEMPT = 64,
    STATE_PER_EPOCH = 128,
    STATE_PER_CONFIRMATION = 96,
    ROTATION_BYTES = 8 << 10, /* a reason in JSON has up to six bytes for one */
};

static const char *db_path(const struct pawl_worker *worker, struct pawl_arena *arena)
{
    return pawl_path_join(arena, worker->sealed_dir, "vault.db");
}

bool pawl_vault_is_sealed(const struct pawl_worker *worker)
{
    struct pawl_arena arena = {0};
    bool sealed = pawl_path_exists(db_path(worker, &arena));
    pawl_arena_release(&arena);
    return sealed;
}

/* --- locks -------------------------------------------------------------------------------------- */

/* flock a file of the vault's folder. Gives the descriptor, or -1 when it is held elsewhere. */
static enum pawl_status lock_file(struct pawl_vault *vault, const char *name, int operation,
                                  int *fd, struct pawl_error *err)
{
    const char *path = pawl_path_join(&vault->arena, vault->home, name);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0) return pawl_fail_errno(err, PAWL_EWORLD, errno, "Could not open %s", path);
    while (flock(*fd, operation) != 0) {
        if (errno == EINTR) continue;
        int errnum = errno;
        close(*fd);
        *fd = -1;
        if (errnum == EWOULDBLOCK) return PAWL_OK;
        return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Could not lock %s", path);
    }
    return PAWL_OK;
}

static void close_lock(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* One process at a time asks or changes; it holds this for its whole request. */
static enum pawl_status lock_busy(struct pawl_vault *vault, struct pawl_error *err)
{
    PAWL_TRY(lock_file(vault, "busy", LOCK_EX | LOCK_NB, &vault->busy_fd, err));
    if (vault->busy_fd >= 0) return PAWL_OK;
    pawl_fail(err, PAWL_EWORLD, "Another process is using this project's vault.");
    pawl_hint(err, "Only one attempt runs at a time; wait for it, then run the command again.");
    return PAWL_EWORLD;
}

/* --- opening ------------------------------------------------------------------------------------ */

static enum pawl_status check_versions(const struct pawl_vault *vault, struct pawl_error *err)
{
    uint64_t store = (uint64_t)pawl_json_get_int(vault->state, "version", 0);
    const struct pawl_vault_counter *counter = &vault->counter;
    if (store == counter->version || (counter->pending && store + 1 == counter->version))
        return PAWL_OK;
    if (store > counter->version)
        pawl_fail(err, PAWL_EINTEGRITY,
                  "The vault's attempt counter is older than its store: it was put back.");
    else
        pawl_fail(
            err, PAWL_EINTEGRITY,
            "The sealed store is older than the vault's attempt counter, which stands at %llu: "
            "it was put back.",
            (unsigned long long)counter->attempts);
    pawl_hint(err, "An attempt cannot be taken back. Restore the newest .pawl/sealed/vault.db and "
                   "counter, or start over with fresh cases.");
    return PAWL_EINTEGRITY;
}

static enum pawl_status read_state(struct pawl_vault *vault, struct pawl_error *err)
{
    struct pawl_str text;
    PAWL_TRY(
        pawl_vault_rows_get(vault->rows, &vault->arena, PAWL_VAULT_ROW_STATE, 0, 0, &text, err));
    PAWL_TRY(pawl_json_parse(text, text.len, &vault->state, err));
    PAWL_TRY(pawl_vault_counter_load(vault->home, vault->id, &vault->keys, &vault->counter, err));
    return check_versions(vault, err);
}

/* Virtual time goes on where the last answer left it. */
static void catch_up(const struct pawl_vault *vault)
{
    int64_t behind_ms = pawl_json_get_int(vault->state, "last_ms", 0) - pawl_clock_now_ms();
    if (pawl_clock_is_virtual() && behind_ms > 0) pawl_clock_sleep_ms(behind_ms);
}

enum pawl_status pawl_vault_open(struct pawl_worker *worker, enum pawl_vault_mode mode,
                                 struct pawl_vault *vault, struct pawl_error *err)
{
    *vault = (struct pawl_vault){.worker = worker, .busy_fd = -1, .read_fd = -1};
    if (!pawl_vault_is_sealed(worker)) {
        pawl_fail(err, PAWL_ENOTFOUND, "This project's cases are not sealed yet.");
        pawl_hint(err, "`pawl init` splits and seals them.");
        return PAWL_ENOTFOUND;
    }
    PAWL_TRY(pawl_vault_rows_open(db_path(worker, &vault->arena), false, &vault->rows, err));
    PAWL_TRY(pawl_vault_rows_get_id(vault->rows, vault->id, err));
    vault->home = pawl_path_join(&vault->arena, worker->vault_home, vault->id);
    PAWL_TRY(pawl_vault_key_load(vault->home, &vault->keys, err));
    pawl_vault_rows_use(vault->rows, vault->id, &vault->keys);
    if (mode == PAWL_VAULT_CHANGE) PAWL_TRY(lock_busy(vault, err));
    PAWL_TRY(lock_file(vault, "lock", LOCK_SH, &vault->read_fd, err));
    PAWL_TRY(read_state(vault, err));
    if (mode != PAWL_VAULT_READ) close_lock(&vault->read_fd); /* nobody else may change anything */
    catch_up(vault);
    return PAWL_OK;
}

void pawl_vault_release(struct pawl_vault *vault)
{
    pawl_vault_rows_close(vault->rows);
    json_decref(vault->state);
    close_lock(&vault->read_fd);
    close_lock(&vault->busy_fd);
    sodium_memzero(&vault->keys, sizeof vault->keys);
    pawl_arena_release(&vault->arena);
    *vault = (struct pawl_vault){.busy_fd = -1, .read_fd = -1};
}

/* --- reading ------------------------------------------------------------------------------------ */

int64_t pawl_vault_attempts(const struct pawl_vault *vault)
{
    return (int64_t)json_array_size(json_object_get(vault->state, "attempts"));
}

static json_t *attempt_entry(const struct pawl_vault *vault, uint64_t k)
{
    return json_array_get(json_object_get(vault->state, "attempts"), (size_t)k - 1);
}

int64_t pawl_vault_before(const struct pawl_vault *vault)
{
    return pawl_json_get_int(vault->state, "before", 0);
}

int64_t pawl_vault_since(const struct pawl_vault *vault)
{
    return pawl_json_get_int(vault->state, "since", pawl_vault_before(vault));
}

int64_t pawl_vault_last(const struct pawl_vault *vault)
{
    return pawl_vault_since(vault) + pawl_json_get_int(vault->state, "max_attempts", 0);
}

int64_t pawl_vault_epoch(const struct pawl_vault *vault)
{
    return pawl_json_get_int(vault->state, "epoch", 1);
}

int64_t pawl_vault_epoch_of(const struct pawl_vault *vault, int64_t attempt)
{
    size_t i;
    json_t *epoch;
    json_array_foreach(json_object_get(vault->state, "epochs"), i, epoch)
    {
        if (attempt <= pawl_json_get_int(epoch, "last", 0)) return (int64_t)i + 1;
    }
    return pawl_vault_epoch(vault);
}

bool pawl_vault_gate_is_sealed(const struct pawl_vault *vault)
{
    return pawl_json_get_bool(vault->state, "epoch_open", false);
}

bool pawl_vault_reserve_is_sealed(const struct pawl_vault *vault)
{
    return pawl_vault_gate_is_sealed(vault) ||
           strcmp(pawl_json_get_text(vault->state, "ended", ""), "audit") == 0;
}

const char *pawl_vault_verdict(const struct pawl_vault *vault, int64_t attempt)
{
    return pawl_json_get_text(attempt_entry(vault, (uint64_t)attempt), "verdict", "");
}

/* What is remembered of the epoch that the rotation to epoch k ended. */
static json_t *ended_epoch(const struct pawl_vault *vault, uint64_t k)
{
    return json_array_get(json_object_get(vault->state, "epochs"), (size_t)k - 2);
}

static bool is_of_confirmation(enum pawl_vault_row kind)
{
    return kind == PAWL_VAULT_ROW_CONFIRMATION || kind == PAWL_VAULT_ROW_CONFIRMATION_SCORES;
}

static json_t *confirmation_entry(const struct pawl_vault *vault, uint64_t k)
{
    return json_array_get(json_object_get(vault->state, "confirmations"), (size_t)k - 1);
}

/* The version under which a row was last written. */
static uint64_t row_version(const struct pawl_vault *vault, enum pawl_vault_row kind, uint64_t k)
{
    if (kind == PAWL_VAULT_ROW_CASES)
        return (uint64_t)pawl_json_get_int(vault->state, "cases_version", 0);
    if (kind == PAWL_VAULT_ROW_ATTEMPT || kind == PAWL_VAULT_ROW_EVIDENCE)
        return (uint64_t)pawl_json_get_int(attempt_entry(vault, k), "version", 0);
    if (kind == PAWL_VAULT_ROW_ROTATION)
        return (uint64_t)pawl_json_get_int(ended_epoch(vault, k), "version", 0);
    if (is_of_confirmation(kind))
        return (uint64_t)pawl_json_get_int(confirmation_entry(vault, k), "version", 0);
    return 0;
}

enum pawl_status pawl_vault_read(struct pawl_vault *vault, enum pawl_vault_row kind, uint64_t k,
                                 struct pawl_str *content, struct pawl_error *err)
{
    return pawl_vault_rows_get(vault->rows, &vault->arena, kind, k, row_version(vault, kind, k),
                               content, err);
}

/* --- changing ----------------------------------------------------------------------------------- */

static size_t capacity_of(const struct pawl_vault *vault, enum pawl_vault_row kind)
{
    switch (kind) {
    case PAWL_VAULT_ROW_STATE:
        return STATE_BYTES + STATE_PER_ATTEMPT * (size_t)pawl_vault_last(vault) +
               STATE_PER_EPOCH * json_array_size(json_object_get(vault->state, "epochs")) +
               STATE_PER_CONFIRMATION *
                   json_array_size(json_object_get(vault->state, "confirmations"));
    case PAWL_VAULT_ROW_CASES:
        return PAWL_VAULT_PIECE_BYTES;
    case PAWL_VAULT_ROW_ATTEMPT:
    case PAWL_VAULT_ROW_CONFIRMATION:
        return ATTEMPT_BYTES;
    case PAWL_VAULT_ROW_EVIDENCE:
    case PAWL_VAULT_ROW_CONFIRMATION_SCORES:
        return (size_t)pawl_json_get_int(vault->state, "evidence_bytes", 0);
    case PAWL_VAULT_ROW_ROTATION:
        return ROTATION_BYTES;
    case PAWL_VAULT_ROW_ID:
        break;
    }
    PAWL_BUG("no capacity for row kind %d", (int)kind);
}

/* Remember in the state under which version each row is written. */
static void stamp(struct pawl_vault *vault, const struct pawl_vault_write *writes, size_t n,
                  uint64_t version)
{
    json_int_t value = (json_int_t)version;
    pawl_json_set(vault->state, "version", json_integer(value));
    for (size_t i = 0; i < n; i++) {
        if (writes[i].kind == PAWL_VAULT_ROW_CASES)
            pawl_json_set(vault->state, "cases_version", json_integer(value));
        else if (writes[i].kind == PAWL_VAULT_ROW_ROTATION)
            pawl_json_set(ended_epoch(vault, writes[i].k), "version", json_integer(value));
        else if (is_of_confirmation(writes[i].kind))
            pawl_json_set(confirmation_entry(vault, writes[i].k), "version", json_integer(value));
        else if (attempt_entry(vault, writes[i].k) != NULL)
            pawl_json_set(attempt_entry(vault, writes[i].k), "version", json_integer(value));
    }
}

static enum pawl_status write_rows(struct pawl_vault *vault, const struct pawl_vault_write *writes,
                                   size_t n, uint64_t version, struct pawl_error *err)
{
    stamp(vault, writes, n, version);
    char *text = pawl_json_text(vault->state);
    enum pawl_status status = pawl_vault_rows_begin(vault->rows, err);
    if (status == PAWL_OK)
        status = pawl_vault_rows_put(vault->rows, PAWL_VAULT_ROW_STATE, 0, 0, pawl_str_of(text),
                                     capacity_of(vault, PAWL_VAULT_ROW_STATE), err);
    for (size_t i = 0; i < n && status == PAWL_OK; i++)
        status = pawl_vault_rows_put(vault->rows, writes[i].kind, writes[i].k, version,
                                     writes[i].content, capacity_of(vault, writes[i].kind), err);
    if (status == PAWL_OK) status = pawl_vault_rows_commit(vault->rows, err);
    free(text);
    return status;
}

static enum pawl_status save_counter(struct pawl_vault *vault, bool pending, struct pawl_error *err)
{
    vault->counter.attempts = (uint64_t)pawl_vault_attempts(vault);
    vault->counter.pending = pending;
    return pawl_vault_counter_save(vault->home, vault->id, &vault->keys, &vault->counter, err);
}

enum pawl_status pawl_vault_commit(struct pawl_vault *vault, const struct pawl_vault_write *writes,
                                   size_t n, struct pawl_error *err)
{
    PAWL_ASSERT(vault->busy_fd >= 0);
    int fd;
    PAWL_TRY(lock_file(vault, "lock", LOCK_EX, &fd, err));
    vault->counter.version = (uint64_t)pawl_json_get_int(vault->state, "version", 0) + 1;
    enum pawl_status status = save_counter(vault, true, err);
    if (status == PAWL_OK) status = write_rows(vault, writes, n, vault->counter.version, err);
    if (status == PAWL_OK) status = save_counter(vault, false, err);
    close(fd);
    return status;
}

/* --- making ------------------------------------------------------------------------------------- */

/* Every row that will ever be written exists from the start, with its full size. */
static enum pawl_status reserve_attempts(struct pawl_vault *vault, struct pawl_error *err)
{
    int64_t n = pawl_json_get_int(vault->state, "max_attempts", 0);
    enum pawl_vault_row kinds[] = {PAWL_VAULT_ROW_ATTEMPT, PAWL_VAULT_ROW_EVIDENCE};
    PAWL_TRY(pawl_vault_rows_begin(vault->rows, err));
    for (int64_t k = 1; k <= n; k++)
        for (size_t i = 0; i < 2; i++)
            PAWL_TRY(pawl_vault_rows_put(vault->rows, kinds[i], (uint64_t)k, 0, PAWL_STR(""),
                                         capacity_of(vault, kinds[i]), err));
    return pawl_vault_rows_commit(vault->rows, err);
}

static enum pawl_status fill_store(struct pawl_vault *vault, const char *path,
                                   const struct pawl_vault_write *writes, size_t n,
                                   struct pawl_error *err)
{
    PAWL_TRY(pawl_vault_rows_open(path, true, &vault->rows, err));
    PAWL_TRY(pawl_vault_rows_set_id(vault->rows, vault->id, err));
    pawl_vault_rows_use(vault->rows, vault->id, &vault->keys);
    PAWL_TRY(reserve_attempts(vault, err));
    PAWL_TRY(write_rows(vault, writes, n, 1, err));
    pawl_vault_rows_close(vault->rows);
    vault->rows = NULL;
    return PAWL_OK;
}

enum pawl_status pawl_vault_create(struct pawl_vault *vault, const unsigned char master[32],
                                   const struct pawl_vault_write *writes, size_t n,
                                   struct pawl_error *err)
{
    const char *folder = vault->worker->sealed_dir;
    const char *path = db_path(vault->worker, &vault->arena);
    const char *fresh = pawl_arena_printf(&vault->arena, "%s.new", path);
    const char *journal = pawl_arena_printf(&vault->arena, "%s-journal", fresh);
    PAWL_TRY(pawl_vault_key_save(vault->home, master, err));
    vault->counter.version = 1;
    PAWL_TRY(save_counter(vault, false, err));
    PAWL_TRY(pawl_dir_make(folder, 0700, err));
    if ((unlink(journal) != 0 && errno != ENOENT) || (unlink(fresh) != 0 && errno != ENOENT))
        return pawl_fail_errno(err, PAWL_EWORLD, errno, "Could not replace %s", fresh);
    enum pawl_status status = fill_store(vault, fresh, writes, n, err);
    if (status == PAWL_OK) return pawl_file_publish(fresh, path, err); /* from now on it exists */
    unlink(fresh);
    return status;
}
