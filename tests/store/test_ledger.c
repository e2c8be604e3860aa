/* The chain has no gap and no fork, and a pointer moves only from where it was said to be: with one
 * writer, with two processes, and when a writer is killed at any moment. */
#include "store/fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* A record that says who made it, chained by hash. */
struct entry {
    const char *who;
    int n;
    const char *name, *expect, *to; /* a pointer to flip, or NULL */
    bool refuse, nothing;
};

static void chain_hash(const char *previous, const char *record, char out[PAWL_HASH_HEX])
{
    char text[256];
    int len = snprintf(text, sizeof text, "%s\n%s", previous, record);
    struct pawl_hash hash = pawl_hash_bytes(text, (size_t)len);
    pawl_hash_hex(&hash, out);
}

static enum pawl_status make(void *context, const struct pawl_ledger_head *head,
                             struct pawl_ledger_append *append, struct pawl_error *err)
{
    const struct entry *entry = context;
    if (entry->refuse) return pawl_fail(err, PAWL_EUSAGE, "No.");
    if (entry->nothing) return PAWL_OK;
    char record[128];
    snprintf(record, sizeof record, "{\"n\":%d,\"who\":\"%s\"}", entry->n, entry->who);
    append->record = pawl_xstrdup(record);
    append->kind = "test";
    append->ts_ms = head->ts_ms + 1;
    chain_hash(head->hash, record, append->hash);
    if (!entry->name) return PAWL_OK;
    append->flips[0].name = entry->name;
    append->flips[0].expect = entry->expect;
    append->flips[0].to = entry->to;
    append->n_flips = 1;
    return PAWL_OK;
}

/* Walk the chain: every seq is there, every hash follows from the one before. */
struct walk {
    int64_t n;
    int last_n; /* of the last record of process "b" */
    char hash[PAWL_HASH_HEX];
};

static enum pawl_status visit(void *context, int64_t seq, const char *kind, struct pawl_str record,
                              const char *hash, struct pawl_error *err)
{
    (void)err;
    struct walk *walk = context;
    char text[128], expected[PAWL_HASH_HEX];
    assert_int_equal(seq, walk->n++);
    assert_string_equal(kind, "test");
    snprintf(text, sizeof text, PAWL_STR_FMT, PAWL_STR_ARG(record));
    chain_hash(walk->hash, text, expected);
    assert_string_equal(hash, expected);
    memcpy(walk->hash, hash, PAWL_HASH_HEX);
    sscanf(text, "{\"n\":%d,\"who\":\"b\"}", &walk->last_n);
    return PAWL_OK;
}

static struct walk check_chain(struct pawl_store *store)
{
    struct pawl_error err;
    struct walk walk = {.last_n = -1};
    memset(walk.hash, '0', PAWL_HASH_HEX - 1);
    assert_ok(pawl_store_ledger_each(store, visit, &walk, &err));
    return walk;
}

static const char id_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char id_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static void assert_pointer(struct pawl_store *store, const char *name, const char *expected)
{
    struct pawl_error err;
    char hex[PAWL_HASH_HEX];
    assert_ok(pawl_store_pointer_get(store, name, hex, &err));
    assert_string_equal(hex, expected);
}

static void test_a_record_and_its_pointer_are_one(void **state)
{
    (void)state;
    struct pawl_store *store = open_store();
    struct pawl_error err;
    assert_int_equal(check_chain(store).n, 0);
    assert_pointer(store, "incumbent", "");

    struct entry first = {.who = "a", .name = "incumbent", .expect = "", .to = id_a};
    assert_ok(pawl_store_ledger_append(store, make, &first, &err));
    assert_pointer(store, "incumbent", id_a);
    char hex[PAWL_HASH_HEX];
    assert_ok(pawl_store_artifact_find(store, "incumbent", hex, &err));
    assert_string_equal(hex, id_a);

    /* The compare fails: neither the pointer nor a record is written. */
    const char *const wrong[] = {"", id_b};
    for (int i = 0; i < 2; i++) {
        struct entry late = {.who = "a", .name = "incumbent", .expect = wrong[i], .to = id_b};
        assert_int_equal(pawl_store_ledger_append(store, make, &late, &err), PAWL_EINTEGRITY);
        assert_non_null(strstr(err.message, "incumbent is aaaaaa"));
    }
    struct entry refused = {.who = "a", .refuse = true}, nothing = {.who = "a", .nothing = true};
    assert_int_equal(pawl_store_ledger_append(store, make, &refused, &err), PAWL_EUSAGE);
    assert_ok(pawl_store_ledger_append(store, make, &nothing, &err));
    assert_int_equal(check_chain(store).n, 1);
    assert_pointer(store, "incumbent", id_a);

    struct entry forced = {.who = "a", .name = "incumbent", .expect = NULL, .to = id_b};
    assert_ok(pawl_store_ledger_append(store, make, &forced, &err));
    struct entry next = {.who = "a", .name = "incumbent", .expect = id_b, .to = id_a};
    assert_ok(pawl_store_ledger_append(store, make, &next, &err));
    assert_int_equal(check_chain(store).n, 3);
    assert_pointer(store, "incumbent", id_a);
    pawl_store_close(store);
}

/* Two flips of one record, the second of which does not hold: the first is undone too. */
static enum pawl_status make_two(void *context, const struct pawl_ledger_head *head,
                                 struct pawl_ledger_append *append, struct pawl_error *err)
{
    struct entry entry = {.who = "a", .name = "anchor", .expect = "", .to = id_a};
    PAWL_TRY(make(&entry, head, append, err));
    append->flips[1].name = "incumbent";
    append->flips[1].expect = context;
    append->flips[1].to = id_a;
    append->n_flips = 2;
    return PAWL_OK;
}

static void test_all_flips_hold_or_none(void **state)
{
    (void)state;
    struct pawl_store *store = open_store();
    struct pawl_error err;
    assert_int_equal(pawl_store_ledger_append(store, make_two, (void *)id_b, &err),
                     PAWL_EINTEGRITY);
    assert_pointer(store, "anchor", "");
    assert_int_equal(check_chain(store).n, 0);
    assert_ok(pawl_store_ledger_append(store, make_two, (void *)"", &err));
    assert_pointer(store, "anchor", id_a);
    assert_pointer(store, "incumbent", id_a);
    pawl_store_close(store);
}

static enum pawl_status stop_at_two(void *context, int64_t seq, const char *kind,
                                    struct pawl_str record, const char *hash,
                                    struct pawl_error *err)
{
    (void)kind, (void)record, (void)hash;
    ++*(int *)context;
    return seq == 1 ? pawl_fail(err, PAWL_EPAUSED, "Enough.") : PAWL_OK;
}

static void test_a_walk_ends_when_its_visitor_says_so(void **state)
{
    (void)state;
    struct pawl_store *store = open_store();
    struct pawl_error err;
    for (int i = 0; i < 5; i++) {
        struct entry entry = {.who = "a", .n = i};
        assert_ok(pawl_store_ledger_append(store, make, &entry, &err));
    }
    int n = 0;
    assert_int_equal(pawl_store_ledger_each(store, stop_at_two, &n, &err), PAWL_EPAUSED);
    assert_int_equal(n, 2);
    assert_int_equal(check_chain(store).n, 5); /* the reader is whole again */
    pawl_store_close(store);
}

/* ---- several processes ---- */

static void append_many(const char *who, int n)
{
    struct pawl_store *store;
    struct pawl_error err;
    if (pawl_store_open(in_folder("store"), true, &store, &err) != PAWL_OK) _exit(1);
    for (int i = 0; i < n; i++) {
        struct entry entry = {.who = who, .n = i};
        if (pawl_store_ledger_append(store, make, &entry, &err) != PAWL_OK) _exit(2);
    }
    pawl_store_close(store);
    _exit(0);
}

static void test_processes_that_append_at_once_make_one_chain(void **state)
{
    (void)state;
    enum { N_PROCESSES = 3, N_RECORDS = 60 };
    pid_t pids[N_PROCESSES];
    for (int i = 0; i < N_PROCESSES; i++) { /* they also race to make the store */
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) append_many(i == 0 ? "a" : "b", N_RECORDS);
    }
    for (int i = 0; i < N_PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    struct pawl_store *store = open_store();
    assert_int_equal(check_chain(store).n, N_PROCESSES * N_RECORDS);
    pawl_store_close(store);
}

/* ---- kill -9 ---- */

static const char *manifest_id(int n)
{
    return pawl_arena_printf(&fixture_arena, "%064x", n);
}

/* Write for ever, from `n` on, and say on `fd` what is acknowledged. Odd: a ledger record with a
 * pointer. Even: an artifact, which is promised to survive the process, not a power cut. */
static void write_until_killed(int fd, int n)
{
    struct pawl_store *store;
    if (pawl_store_open(in_folder("store"), true, &store, NULL) != PAWL_OK) _exit(1);
    for (;; n++) {
        enum pawl_status status;
        struct pawl_hash hash;
        struct pawl_str text = pawl_str_of(manifest_id(n));
        if (n % 2) {
            struct entry entry = {.who = "b", .n = n, .name = "incumbent", .to = text.ptr};
            status = pawl_store_ledger_append(store, make, &entry, NULL);
        } else {
            json_t *manifest = json_pack("{s:i}", "n", n);
            status = pawl_store_object_put(store, text, false, &hash, NULL);
            if (status == PAWL_OK)
                status = pawl_store_manifest_put(store, text.ptr, manifest, NULL);
            json_decref(manifest);
        }
        if (status != PAWL_OK || write(fd, &n, sizeof n) != sizeof n) _exit(1);
    }
}

static void assert_all_there(struct pawl_store *store, int from, int to)
{
    struct pawl_error err;
    for (int n = from; n <= to; n++) {
        if (n % 2) continue;
        json_t *manifest;
        assert_ok(pawl_store_manifest_get(store, manifest_id(n), &manifest, &err));
        json_decref(manifest);
        struct pawl_str text, expected = pawl_str_of(manifest_id(n));
        struct pawl_hash hash = pawl_hash_str(expected);
        assert_ok(pawl_store_object_get(store, &fixture_arena, &hash, &text, &err));
    }
    struct walk walk = check_chain(store);
    int last_record = to % 2 ? to : to - 1;
    assert_true(walk.last_n >= last_record || to < 1);
    if (walk.last_n > 0) assert_pointer(store, "incumbent", manifest_id(walk.last_n));
}

static void test_nothing_acknowledged_is_lost_by_kill_9(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    int last = -1, n_acknowledged = 0;
    for (int round = 0; round < 50; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) write_until_killed(ends[1], last + 1);
        close(ends[1]);
        usleep((useconds_t)(rand() % 60000));
        kill(pid, SIGKILL);
        int first = last + 1, n;
        while (read(ends[0], &n, sizeof n) == sizeof n) {
            last = n;
            n_acknowledged++;
        }
        close(ends[0]);
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        struct pawl_store *store = open_store();
        assert_all_there(store, first, last);
        pawl_store_close(store);
        pawl_arena_reset(&fixture_arena);
    }
    print_message("%d writes were acknowledged\n", n_acknowledged);
    assert_true(n_acknowledged > 50);
    struct pawl_store *store = open_store();
    assert_all_there(store, 0, last);
    pawl_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_a_record_and_its_pointer_are_one),
        FIXTURE_TEST(test_all_flips_hold_or_none),
        FIXTURE_TEST(test_a_walk_ends_when_its_visitor_says_so),
        FIXTURE_TEST(test_processes_that_append_at_once_make_one_chain),
        FIXTURE_TEST(test_nothing_acknowledged_is_lost_by_kill_9),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
