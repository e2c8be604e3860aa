/*
 * The ledger as a Merkle tree (RFC 6962, 2.1): leaf i is record i as the chain hashes it.
 *
 * A checkpoint is the head of that tree, signed by the vault: whoever keeps one can tell later that
 * nothing before it was changed or cut off. A proof shows that one record is under a checkpoint, to
 * somebody who is not shown the others.
 */
#include "improve/front.h"

#include "improve/protocol.h"
#include "io/file.h"

#include <errno.h>
#include <stdlib.h>

struct leaves {
    struct pawl_arena *arena;
    struct pawl_str *items;
    size_t n, room;
};

static enum pawl_status add_leaf(void *context, int64_t seq, const char *kind,
                                 struct pawl_str record, const char *hash, struct pawl_error *err)
{
    struct leaves *leaves = context;
    (void)seq, (void)kind, (void)hash, (void)err;
    if (leaves->n == leaves->room) {
        size_t room = leaves->room > 0 ? 2 * leaves->room : 64;
        struct pawl_str *items = PAWL_NEW_N(leaves->arena, struct pawl_str, room);
        if (leaves->n > 0) memcpy(items, leaves->items, leaves->n * sizeof *items);
        leaves->items = items;
        leaves->room = room;
    }
    leaves->items[leaves->n++] = pawl_arena_copy(leaves->arena, record);
    return PAWL_OK;
}

static enum pawl_status read_leaves(struct pawl_call *call, struct leaves *leaves,
                                    struct pawl_error *err)
{
    *leaves = (struct leaves){.arena = &call->arena};
    return pawl_store_ledger_each(call->project->store, add_leaf, leaves, err);
}

static json_t *root_json(const struct pawl_str *items, size_t n)
{
    char hex[PAWL_HASH_HEX];
    struct pawl_hash root = pawl_merkle_root(items, n);
    pawl_hash_hex(&root, hex);
    return json_string(hex);
}

/* The sibling of every subtree that leaf m is in, from the leaf up. */
static void add_path(const struct pawl_str *items, size_t n, size_t m, json_t *path)
{
    if (n <= 1) return;
    size_t left = 1;
    while (2 * left < n) left *= 2;
    if (m < left) {
        add_path(items, left, m, path);
        json_array_append_new(path, root_json(items + left, n - left));
    } else {
        add_path(items + left, n - left, m - left, path);
        json_array_append_new(path, root_json(items, left));
    }
}

static enum pawl_status read_number(const char *text, size_t n, size_t *seq, struct pawl_error *err)
{
    char *end = NULL;
    errno = 0;
    long long value = text != NULL ? strtoll(text, &end, 10) : -1;
    if (text != NULL && errno == 0 && end != text && *end == '\0' && value >= 0 &&
        (uint64_t)value < n) {
        *seq = (size_t)value;
        return PAWL_OK;
    }
    pawl_fail(err, PAWL_EUSAGE, "`ledger prove` needs the number of a record, 0 to %lld.",
              (long long)n - 1);
    pawl_hint(err, "For example: pawl ledger prove 2");
    return PAWL_EUSAGE;
}

enum pawl_status pawl_ledger_prove(struct pawl_call *call, const char *number,
                                   struct pawl_error *err)
{
    struct leaves leaves;
    size_t seq;
    json_t *record, *path = json_array();
    enum pawl_status status = read_leaves(call, &leaves, err);
    if (status == PAWL_OK) status = read_number(number, leaves.n, &seq, err);
    if (status == PAWL_OK)
        status = pawl_json_parse(leaves.items[seq], leaves.items[seq].len, &record, err);
    if (status == PAWL_OK) {
        add_path(leaves.items, leaves.n, seq, path);
        pawl_json_set(call->result, "proof",
                      json_pack("{s:I, s:I, s:o, s:O, s:o}", "seq", (json_int_t)seq, "size",
                                (json_int_t)leaves.n, "tree_root",
                                root_json(leaves.items, leaves.n), "path", path, "record", record));
    }
    json_decref(path);
    return status;
}

enum pawl_status pawl_ledger_checkpoint(struct pawl_call *call, const char *file,
                                        struct pawl_error *err)
{
    struct leaves leaves;
    json_t *done;
    if (file != NULL) PAWL_TRY(pawl_front_check_output(call->project, file, err));
    PAWL_TRY(read_leaves(call, &leaves, err));
    json_t *request = json_pack("{s:s, s:I, s:o}", "op", "checkpoint", "size", (json_int_t)leaves.n,
                                "tree_root", root_json(leaves.items, leaves.n));
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_VAULT_NAME, request, &done, err));
    struct pawl_str note = pawl_json_get_str(done, "note");
    enum pawl_status status = PAWL_OK;
    if (file != NULL) status = pawl_file_write_atomic(file, note, 0644, err);
    pawl_json_set(call->result, "checkpoint", pawl_json_string(note));
    json_decref(done);
    return status;
}
