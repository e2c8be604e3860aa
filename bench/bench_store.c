/* bench_store - what the store costs per call. Prints one JSON line; CPU includes the writer's
 * thread. Usage: bench_store [FOLDER] */
#include "base/clock.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { N_LAZY = 50000, N_DURABLE = 100, BODY_BYTES = 300 };

struct cost {
    double cpu_us, wall_us;
};

static struct pawl_store *store;
static struct pawl_arena arena;
static json_t *row;

static void die(const struct pawl_error *err)
{
    fprintf(stderr, "%s\n", err->message);
    exit(6);
}

static struct pawl_hash key_of(int i)
{
    return pawl_hash_bytes(&i, sizeof i);
}

static enum pawl_status answer_put(int i, struct pawl_error *err)
{
    char body[BODY_BYTES] = {0};
    struct pawl_hash key = key_of(i);
    return pawl_store_answer_put(store, &key, (struct pawl_str){body, sizeof body}, err);
}

static enum pawl_status answer_get(int i, struct pawl_error *err)
{
    struct pawl_str body;
    struct pawl_hash key = key_of(i);
    pawl_arena_reset(&arena);
    return pawl_store_answer_get(store, &arena, &key, &body, err);
}

static enum pawl_status candidate_put(int i, struct pawl_error *err)
{
    return pawl_store_candidate_put(store, "run", i, "artifact", row, err);
}

static enum pawl_status manifest_put(int i, struct pawl_error *err)
{
    char hex[PAWL_HASH_HEX];
    struct pawl_hash key = key_of(i);
    pawl_hash_hex(&key, hex);
    return pawl_store_manifest_put(store, hex, row, err);
}

static enum pawl_status run_put(int i, struct pawl_error *err)
{
    (void)i;
    return pawl_store_run_put(store, "run", row, err);
}

/* The cost of one call, over n of them and the flush that makes them durable. */
static struct cost measure(enum pawl_status (*call)(int i, struct pawl_error *err), int n)
{
    struct pawl_error err;
    double cpu_s = pawl_clock_cpu_s();
    int64_t start_us = pawl_clock_monotonic_us();
    for (int i = 0; i < n; i++)
        if (call(i, &err) != PAWL_OK) die(&err);
    if (pawl_store_flush(store, &err) != PAWL_OK) die(&err);
    return (struct cost){(pawl_clock_cpu_s() - cpu_s) * 1e6 / n,
                         (double)(pawl_clock_monotonic_us() - start_us) / n};
}

int main(int argc, char **argv)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/pawl-bench-store-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    struct pawl_error err;
    pawl_crypto_init();
    if (!mkdtemp(folder)) return 6;
    if (pawl_store_open(folder, true, &store, &err) != PAWL_OK) die(&err);
    row = json_pack("{s:[s,s],s:i,s:f}", "parents", "a", "b", "step", 1, "dev", 0.5);

    const struct {
        const char *name;
        enum pawl_status (*call)(int i, struct pawl_error *err);
        int n;
    } calls[] = {
        {"answer_miss", answer_get, N_LAZY},         {"answer_put", answer_put, N_LAZY},
        {"answer_hit", answer_get, N_LAZY},          {"candidate_put", candidate_put, N_LAZY},
        {"manifest_put", manifest_put, N_LAZY / 10}, {"run_put_durable", run_put, N_DURABLE},
    };
    printf("{\"bench\":\"store\"");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct cost cost = measure(calls[i].call, calls[i].n);
        printf(",\"%s\":{\"cpu_us\":%.2f,\"wall_us\":%.2f}", calls[i].name, cost.cpu_us,
               cost.wall_us);
    }
    printf("}\n");
    json_decref(row);
    pawl_store_close(store);
    pawl_arena_release(&arena);
    char command[4200];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) == 0 ? 0 : 6;
}
