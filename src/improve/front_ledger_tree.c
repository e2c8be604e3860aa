/*
 * The ledger as a Merkle tree (RFC 6962, 2.1): leaf i is record i as the chain hashes it.
 *
 * A checkpoint is the head of that tree, signed by the vault: whoever keeps one can tell later that
 * nothing before it was changed or cut off. An inclusion proof shows that one record is under a
 * checkpoint, to somebody who is not shown the others; a consistency proof, that one checkpoint grew
 * out of another.
 *
 * Of the records only their hashes are held, and the one that is proven.
 */
#include "improve/front.h"

#include "improve/protocol.h"
#include "io/file.h"

#include <errno.h>
#include <stdlib.h>

struct leaves {
    struct pawl_arena *arena;
    struct pawl_hash *hashes;
    size_t n, room;
    size_t wanted;          /* the record to keep */
    struct pawl_str record; /* it; ptr NULL: there is none of that number */
};

static enum pawl_status add_leaf(void *context, int64_t seq, const char *kind,
                                 struct pawl_str record, const char *hash, struct pawl_error *err)
{
    struct leaves *leaves = context;
    (void)seq, (void)kind, (void)hash, (void)err;
    if (leaves->n == leaves->room) {
        size_t room = leaves->room > 0 ? 2 * leaves->room : 64;
        struct pawl_hash *hashes = PAWL_NEW_N(leaves->arena, struct pawl_hash, room);
        if (leaves->n > 0) memcpy(hashes, leaves->hashes, leaves->n * sizeof *hashes);
        leaves->hashes = hashes;
        leaves->room = room;
    }
    if (leaves->n == leaves->wanted) leaves->record = pawl_arena_copy(leaves->arena, record);
    leaves->hashes[leaves->n++] = pawl_merkle_root(&record, 1);
    return PAWL_OK;
}

static enum pawl_status read_leaves(struct pawl_call *call, size_t wanted, struct leaves *leaves,
                                    struct pawl_error *err)
{
    *leaves = (struct leaves){.arena = &call->arena, .wanted = wanted};
    return pawl_store_ledger_each(call->project->store, add_leaf, leaves, err);
}

/* --- roots ------------------------------------------------------------------------------------------ */

/* The largest power of two below n: where a tree of n > 1 leaves splits. */
static size_t split_of(size_t n)
{
    size_t left = 1;
    while (left < n - left) left *= 2;
    return left;
}

static struct pawl_hash root_of(const struct pawl_hash *hashes, size_t n)
{
    if (n == 0) return pawl_merkle_root(NULL, 0);
    if (n == 1) return hashes[0];
    size_t split = split_of(n);
    struct pawl_hash left = root_of(hashes, split), right = root_of(hashes + split, n - split);
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, "\x01", 1);
    pawl_hasher_add(&hasher, left.bytes, sizeof left.bytes);
    pawl_hasher_add(&hasher, right.bytes, sizeof right.bytes);
    return pawl_hasher_final(&hasher);
}

static json_t *root_json(const struct pawl_hash *hashes, size_t n)
{
    char hex[PAWL_HASH_HEX];
    struct pawl_hash root = root_of(hashes, n);
    pawl_hash_hex(&root, hex);
    return json_string(hex);
}

/* --- proofs ----------------------------------------------------------------------------------------- */

/* The sibling of every subtree that leaf m is in, from the leaf up. */
static void add_path(const struct pawl_hash *hashes, size_t n, size_t m, json_t *path)
{
    if (n <= 1) return;
    size_t left = split_of(n);
    if (m < left) {
        add_path(hashes, left, m, path);
        json_array_append_new(path, root_json(hashes + left, n - left));
    } else {
        add_path(hashes + left, n - left, m - left, path);
        json_array_append_new(path, root_json(hashes, left));
    }
}

/* The nodes from which both the root of the first m leaves and that of all n follow. The subtree that both
 * trees share, and whose root the reader has already, is not said again: `known`. */
static void add_consistency(const struct pawl_hash *hashes, size_t n, size_t m, bool known,
                            json_t *path)
{
    if (m == n) {
        if (!known) json_array_append_new(path, root_json(hashes, n));
        return;
    }
    size_t left = split_of(n);
    if (m <= left) {
        add_consistency(hashes, left, m, known, path);
        json_array_append_new(path, root_json(hashes + left, n - left));
    } else {
        add_consistency(hashes + left, n - left, m - left, false, path);
        json_array_append_new(path, root_json(hashes, left));
    }
}

/* A decimal number, or SIZE_MAX, which no ledger has. */
static size_t read_number(const char *text)
{
    char *end = NULL;
    errno = 0;
    long long value = text != NULL ? strtoll(text, &end, 10) : -1;
    bool good = text != NULL && errno == 0 && end != text && *end == '\0' && value >= 0;
    return good ? (size_t)value : SIZE_MAX;
}

enum pawl_status pawl_ledger_prove(struct pawl_call *call, const char *number,
                                   struct pawl_error *err)
{
    struct leaves leaves;
    size_t seq = read_number(number);
    json_t *record;
    PAWL_TRY(read_leaves(call, seq, &leaves, err));
    if (leaves.record.ptr == NULL) {
        pawl_fail(err, PAWL_EUSAGE, "`ledger prove` needs the number of a record, 0 to %lld.",
                  (long long)leaves.n - 1);
        pawl_hint(err, "For example: pawl ledger prove 2");
        return PAWL_EUSAGE;
    }
    PAWL_TRY(pawl_json_parse(leaves.record, leaves.record.len, &record, err));
    json_t *path = json_array();
    add_path(leaves.hashes, leaves.n, seq, path);
    pawl_json_set(call->result, "proof",
                  json_pack("{s:I, s:I, s:o, s:o, s:o}", "seq", (json_int_t)seq, "size",
                            (json_int_t)leaves.n, "tree_root", root_json(leaves.hashes, leaves.n),
                            "path", path, "record", record));
    return PAWL_OK;
}

enum pawl_status pawl_ledger_consistency(struct pawl_call *call, const char *number,
                                         struct pawl_error *err)
{
    struct leaves leaves;
    size_t from = read_number(number);
    PAWL_TRY(read_leaves(call, SIZE_MAX, &leaves, err));
    if (from < 1 || from > leaves.n) {
        pawl_fail(
            err, PAWL_EUSAGE,
            "`ledger consistency` needs the number of records of an earlier checkpoint, 1 to %lld.",
            (long long)leaves.n);
        pawl_hint(
            err, "It is the second line of the checkpoint. For example: pawl ledger consistency 5");
        return PAWL_EUSAGE;
    }
    json_t *path = json_array();
    add_consistency(leaves.hashes, leaves.n, from, true, path);
    pawl_json_set(call->result, "consistency",
                  json_pack("{s:I, s:o, s:I, s:o, s:o}", "from", (json_int_t)from, "from_root",
                            root_json(leaves.hashes, from), "size", (json_int_t)leaves.n,
                            "tree_root", root_json(leaves.hashes, leaves.n), "path", path));
    return PAWL_OK;
}

/* --- checkpoints ------------------------------------------------------------------------------------ */

enum pawl_status pawl_ledger_checkpoint(struct pawl_call *call, const char *file,
                                        struct pawl_error *err)
{
    struct leaves leaves;
    json_t *done;
    if (file != NULL) PAWL_TRY(pawl_front_check_output(call->project, file, err));
    PAWL_TRY(read_leaves(call, SIZE_MAX, &leaves, err));
    json_t *request = json_pack("{s:s, s:I, s:o}", "op", "checkpoint", "size", (json_int_t)leaves.n,
                                "tree_root", root_json(leaves.hashes, leaves.n));
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_VAULT_NAME, request, &done, err));
    struct pawl_str note = pawl_json_get_str(done, "note");
    enum pawl_status status = PAWL_OK;
    if (file != NULL) status = pawl_file_write_atomic(file, note, 0644, err);
    pawl_json_set(call->result, "checkpoint", pawl_json_string(note));
    json_decref(done);
    return status;
}
