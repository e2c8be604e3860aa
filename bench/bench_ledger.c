/* bench_ledger - verifying a long ledger: the chain, every record's form and place, signatures, incumbent.
 * Prints one JSON line. Usage: bench_ledger [RECORDS [FOLDER]]
 *
 * The ledger is that of a project which ran an operator for years: begins and ends of runs, and one signed
 * verdict in SIGNED_EVERY records, as many as sealed sets last for. `us_per_signature` is what a verdict
 * costs more than another record. */
#include "base/clock.h"
#include "improve/ledger.h"
#include "improve/statement.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { N_RECORDS = 1000000, SIGNED_EVERY = 1000, RECORD_MAX = 4096, FEW = 20000 };

static const char seed_hex[] = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed";

struct ledger {
    sqlite3 *db;
    sqlite3_stmt *put;
    struct pawl_signer signer;
    char root[PAWL_HASH_HEX];
    int64_t n;
};

static void die(const char *why)
{
    fprintf(stderr, "bench_ledger: %s\n", why);
    exit(6);
}

static void append(struct ledger *ledger, const char *kind, const char *body)
{
    char record[RECORD_MAX];
    int len = snprintf(
        record, sizeof record,
        "{\"actor\":\"owner\",\"body\":%s,\"kind\":\"%s\",\"prev\":\"%s\",\"seq\":%lld,"
        "\"ts\":%lld,\"v\":1}",
        body, kind, ledger->root, (long long)ledger->n, (long long)(1767225600000 + ledger->n));
    if (len < 0 || (size_t)len >= sizeof record) die("a record is too long");
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, ledger->root, PAWL_HASH_HEX - 1);
    pawl_hasher_add(&hasher, "\n", 1);
    pawl_hasher_add(&hasher, record, (size_t)len);
    struct pawl_hash hash = pawl_hasher_final(&hasher);
    pawl_hash_hex(&hash, ledger->root);
    sqlite3_bind_int64(ledger->put, 1, ledger->n);
    sqlite3_bind_text(ledger->put, 2, kind, -1, SQLITE_STATIC);
    sqlite3_bind_int64(ledger->put, 3, 1767225600000 + ledger->n);
    sqlite3_bind_text(ledger->put, 4, record, len, SQLITE_STATIC);
    sqlite3_bind_text(ledger->put, 5, ledger->root, -1, SQLITE_STATIC);
    if (sqlite3_step(ledger->put) != SQLITE_DONE) die(sqlite3_errmsg(ledger->db));
    sqlite3_reset(ledger->put);
    ledger->n++;
}

static void append_seal(struct ledger *ledger)
{
    char body[RECORD_MAX];
    snprintf(body, sizeof body, "{\"public_key\":\"%s\",\"seed\":\"%s\"}",
             ledger->signer.public_hex, seed_hex);
    append(ledger, "seal", body);
}

static void append_verdict(struct ledger *ledger)
{
    char signature[PAWL_SIGNATURE_HEX], body[RECORD_MAX];
    struct pawl_statement_facts facts = {.vault = "v",
                                         .attempt = ledger->n,
                                         .candidate = ledger->root,
                                         .incumbent = seed_hex,
                                         .verdict = "no",
                                         .policy = "e-lond",
                                         .guarantee = "words",
                                         .alpha = 0.05,
                                         .level = 0.04,
                                         .look = "sequential",
                                         .unit = "sign",
                                         .commitment_root = seed_hex,
                                         .evidence_root = seed_hex,
                                         .public_key = ledger->signer.public_hex};
    json_t *statement = pawl_statement_make(&facts);
    pawl_statement_sign(&ledger->signer, statement, signature);
    char *text = pawl_json_text(statement);
    snprintf(body, sizeof body, "{\"promoted\":false,\"signature\":\"%s\",\"statement\":%s}",
             signature, text);
    append(ledger, "verdict", body);
    free(text);
    json_decref(statement);
}

static void append_run(struct ledger *ledger)
{
    char body[RECORD_MAX];
    int64_t run = ledger->n / 2;
    if (ledger->n % 2 == 1) {
        snprintf(body, sizeof body,
                 "{\"budget\":{\"evaluations\":3000},\"operator\":\"gepa\",\"run\":\"r%010lld\","
                 "\"seed\":1,\"started_from\":\"%s\",\"version\":3}",
                 (long long)run, seed_hex);
        append(ledger, "run", body);
    } else {
        snprintf(body, sizeof body,
                 "{\"evaluations\":2987,\"run\":\"r%010lld\",\"state\":\"finished\",\"usd\":0.125}",
                 (long long)run);
        append(ledger, "end", body);
    }
}

static void make(const char *folder, int64_t n_records, int64_t signed_every)
{
    struct pawl_store *store;
    struct pawl_error err;
    struct ledger ledger = {0};
    char path[4200];
    static const unsigned char seed[32] = {1};
    if (pawl_store_open(folder, true, &store, &err) != PAWL_OK) die(err.message);
    pawl_store_close(store);
    pawl_signer_init(&ledger.signer, seed);
    memset(ledger.root, '0', PAWL_HASH_HEX - 1);
    snprintf(path, sizeof path, "%s/pawl.db", folder);
    if (sqlite3_open(path, &ledger.db) != SQLITE_OK) die("no database");
    sqlite3_exec(ledger.db, "PRAGMA synchronous=OFF; BEGIN", NULL, NULL, NULL);
    sqlite3_prepare_v2(ledger.db,
                       "INSERT INTO ledger(seq, kind, ts_ms, record, hash) VALUES(?,?,?,?,?)", -1,
                       &ledger.put, NULL);
    append_seal(&ledger);
    while (ledger.n < n_records)
        if (signed_every > 0 && ledger.n % signed_every == 0)
            append_verdict(&ledger);
        else
            append_run(&ledger);
    sqlite3_finalize(ledger.put);
    char *pointer = sqlite3_mprintf(
        "INSERT INTO pointer(name, artifact) VALUES('incumbent', %Q); COMMIT", seed_hex);
    if (sqlite3_exec(ledger.db, pointer, NULL, NULL, NULL) != SQLITE_OK) die("no pointer");
    sqlite3_free(pointer);
    sqlite3_close(ledger.db);
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* CPU and wall seconds of one verification. */
static void verify(const char *folder, int64_t n_records, double *cpu_s, double *wall_s)
{
    struct pawl_store *store;
    struct pawl_ledger_report report;
    struct pawl_error err;
    if (pawl_store_open(folder, false, &store, &err) != PAWL_OK) die(err.message);
    double cpu = pawl_clock_cpu_s();
    int64_t start_us = pawl_clock_monotonic_us();
    if (pawl_ledger_verify(store, &report, &err) != PAWL_OK) die(err.message);
    *cpu_s = pawl_clock_cpu_s() - cpu;
    *wall_s = (double)(pawl_clock_monotonic_us() - start_us) / 1e6;
    if (report.first_bad >= 0 || report.records != n_records) die(report.reason);
    pawl_store_close(store);
}

static void remove_folder(const char *folder)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) die("the folder stays");
}

int main(int argc, char **argv)
{
    int64_t n = argc > 1 ? atoll(argv[1]) : N_RECORDS;
    char folder[4096], few[4096];
    double cpu_s, wall_s, plain_s, signed_s, ignored;
    snprintf(folder, sizeof folder, "%s/pawl-bench-ledger-XXXXXX", argc > 2 ? argv[2] : "/tmp");
    snprintf(few, sizeof few, "%s", folder);
    pawl_crypto_init();
    if (!mkdtemp(folder) || !mkdtemp(few)) die("no folder");

    /* Small ones first, so that the large one shows by how much the peak grows with the length. */
    make(few, FEW, 0);
    verify(few, FEW, &plain_s, &ignored);
    remove_folder(few);
    make(few, FEW, 2);
    verify(few, FEW, &signed_s, &ignored);
    remove_folder(few);
    make(folder, n, SIGNED_EVERY);
    long before_kib = peak_kib();
    verify(folder, n, &cpu_s, &wall_s);
    long after_kib = peak_kib();
    remove_folder(folder);

    printf("{\"bench\":\"ledger\",\"verified\":\"a chain\",\"records\":%lld,\"signed_every\":%d,"
           "\"us_per_record\":%.3f,\"wall_us_per_record\":%.3f,\"us_per_signature\":%.2f,"
           "\"grown_mib\":%.2f}\n",
           (long long)n, SIGNED_EVERY, cpu_s * 1e6 / (double)n, wall_s * 1e6 / (double)n,
           (signed_s - plain_s) * 1e6 / (FEW / 2), (double)(after_kib - before_kib) / 1024);
    return 0;
}
