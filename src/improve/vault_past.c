/*
 * Cases that an earlier vault of this user sealed: a new vault must not forget what was asked of them.
 *
 *     <vault_home>/<id>/project    the folder whose cases these are
 *     <vault_home>/<id>/asked      fingerprints of all cases that are or were sealed, 16 bytes each, sorted
 *
 * Who removes .pawl and seals the same cases again would have all attempts once more. So both files are
 * written before a store exists that they speak of, stay when it is gone, and are read when a folder is
 * sealed for the first time.
 *
 * Invariants
 *   1. In the same folder, cases that were asked about are sealed again only when that was wished by name.
 *   2. Wished or not, how often earlier vaults were asked about them is part of the new vault's state,
 *      and of every certificate that it signs.
 *   3. The fingerprints are keyed: without the vault's key they say how many cases there are and no more.
 */
#include "improve/vault.h"

#include "io/file.h"

#include <dirent.h>
#include <sodium.h>
#include <stdlib.h>

enum {
    MARK_BYTES = 16, /* of a fingerprint: nobody can search for two cases of equal marks */
    MARKS_MAX = 16 << 20,
    PATH_BYTES_MAX = 4096,
    LOOKED_AT = 256, /* new cases that are looked up in the vault of another folder */
};
struct marks {
    unsigned char (*items)[MARK_BYTES]; /* sorted */
    size_t n;
};

static int compare_marks(const void *a, const void *b)
{
    return memcmp(a, b, MARK_BYTES);
}

static enum pawl_status mark_of(const struct pawl_vault *vault, const struct pawl_case *item,
                                unsigned char mark[MARK_BYTES], struct pawl_error *err)
{
    struct pawl_hash fingerprint;
    PAWL_TRY(pawl_vault_fingerprint(vault, item, &fingerprint, err));
    memcpy(mark, fingerprint.bytes, MARK_BYTES);
    return PAWL_OK;
}

/* --- writing -------------------------------------------------------------------------------------- */

/* Which cases are sealed, or were in an earlier epoch. [cases.n], in the vault's arena. */
static bool *ever_sealed(struct pawl_vault *vault, const struct pawl_vault_set *set)
{
    bool *sealed = PAWL_NEW_N(&vault->arena, bool, set->cases.n + 1);
    size_t epoch, i;
    json_t *was, *list, *at;
    const char *tier;
    for (i = 0; i < set->cases.n; i++)
        sealed[i] = set->tiers[i] == PAWL_TIER_GATE || set->tiers[i] == PAWL_TIER_VAULT;
    json_array_foreach(set->past, epoch, was) json_object_foreach(was, tier, list)
        json_array_foreach(list, i, at) if ((size_t)json_integer_value(at) < set->cases.n)
            sealed[json_integer_value(at)] = true;
    return sealed;
}

static enum pawl_status write_marks(struct pawl_vault *vault, const struct pawl_vault_set *set,
                                    struct pawl_error *err)
{
    struct marks marks = {0};
    const bool *sealed = ever_sealed(vault, set);
    marks.items = pawl_arena_alloc(&vault->arena, set->cases.n + 1, MARK_BYTES);
    for (size_t i = 0; i < set->cases.n; i++)
        if (sealed[i]) PAWL_TRY(mark_of(vault, &set->cases.items[i], marks.items[marks.n++], err));
    qsort(marks.items, marks.n, MARK_BYTES, compare_marks);
    struct pawl_str bytes = {(const char *)marks.items, marks.n * MARK_BYTES};
    return pawl_file_write_atomic(pawl_path_join(&vault->arena, vault->home, "asked"), bytes, 0600,
                                  err);
}

enum pawl_status pawl_vault_past_note(struct pawl_vault *vault, const struct pawl_vault_set *set,
                                      struct pawl_error *err)
{
    PAWL_TRY(pawl_dir_make(vault->home, 0700, err));
    PAWL_TRY(write_marks(vault, set, err));
    return pawl_file_write_atomic(pawl_path_join(&vault->arena, vault->home, "project"),
                                  pawl_str_of(vault->worker->project_dir), 0600, err);
}

/* --- reading -------------------------------------------------------------------------------------- */

static enum pawl_status read_marks(struct pawl_vault *old, struct marks *marks,
                                   struct pawl_error *err)
{
    struct pawl_str bytes;
    PAWL_TRY(pawl_file_read(pawl_path_join(&old->arena, old->home, "asked"),
                            (size_t)MARKS_MAX * MARK_BYTES, &old->arena, &bytes, err));
    marks->n = bytes.len / MARK_BYTES;
    marks->items = pawl_arena_alloc(&old->arena, marks->n + 1, MARK_BYTES);
    if (marks->n > 0) memcpy(marks->items, bytes.ptr, marks->n * MARK_BYTES);
    return PAWL_OK;
}

static bool is_of_this_folder(struct pawl_vault *old)
{
    struct pawl_str folder;
    const char *path = pawl_path_join(&old->arena, old->home, "project");
    return pawl_file_read(path, PATH_BYTES_MAX, &old->arena, &folder, NULL) == PAWL_OK &&
           pawl_str_is(folder, old->worker->project_dir);
}

/* Whether any case of the set, or of every `step`th, was sealed there. */
static enum pawl_status knows_any(const struct pawl_vault *old, const struct marks *marks,
                                  const struct pawl_vault_set *set, size_t step, bool *found,
                                  struct pawl_error *err)
{
    unsigned char mark[MARK_BYTES];
    *found = false;
    for (size_t i = 0; i < set->cases.n && !*found; i += step) {
        PAWL_TRY(mark_of(old, &set->cases.items[i], mark, err));
        *found = bsearch(mark, marks->items, marks->n, MARK_BYTES, compare_marks) != NULL;
    }
    return PAWL_OK;
}

struct past {
    int64_t spent; /* attempts of all vaults that sealed some of these cases */
    bool is_here;  /* one of them for this folder */
};

/* A folder without key or marks is of a vault that never came to be, or of an older pawl. */
static enum pawl_status look_at(struct pawl_vault *old, const struct pawl_vault_set *set,
                                struct past *past, struct pawl_error *err)
{
    struct marks marks;
    bool found;
    if (pawl_vault_key_load(old->home, &old->keys, NULL) != PAWL_OK) return PAWL_OK;
    if (read_marks(old, &marks, NULL) != PAWL_OK) return PAWL_OK;
    bool here = is_of_this_folder(old);
    size_t step = here ? 1 : set->cases.n / LOOKED_AT + 1;
    PAWL_TRY(knows_any(old, &marks, set, step, &found, err));
    if (!found) return PAWL_OK;
    /* Without its lock: a change under way can make the first look fail. */
    if (pawl_vault_counter_load(old->home, old->id, &old->keys, &old->counter, NULL) != PAWL_OK)
        PAWL_TRY(pawl_vault_counter_load(old->home, old->id, &old->keys, &old->counter, err));
    past->spent += (int64_t)old->counter.attempts;
    past->is_here |= here && old->counter.attempts > 0;
    return PAWL_OK;
}

static enum pawl_status look_at_all(struct pawl_worker *worker, const char *own,
                                    const struct pawl_vault_set *set, struct past *past,
                                    struct pawl_error *err)
{
    struct dirent *entry;
    enum pawl_status status = PAWL_OK;
    DIR *home = opendir(worker->vault_home);
    *past = (struct past){0};
    while (status == PAWL_OK && home != NULL && (entry = readdir(home)) != NULL) {
        struct pawl_vault old = {.worker = worker, .busy_fd = -1, .read_fd = -1};
        if (strlen(entry->d_name) != PAWL_VAULT_ID_HEX - 1 || strcmp(entry->d_name, own) == 0)
            continue;
        memcpy(old.id, entry->d_name, PAWL_VAULT_ID_HEX);
        old.home = pawl_path_join(&old.arena, worker->vault_home, old.id);
        status = look_at(&old, set, past, err);
        pawl_vault_release(&old);
    }
    if (home != NULL) closedir(home);
    return status;
}

enum pawl_status pawl_vault_past_look(struct pawl_vault *vault, const struct pawl_vault_set *set,
                                      bool again, struct pawl_error *err)
{
    struct past past;
    PAWL_TRY(look_at_all(vault->worker, vault->id, set, &past, err));
    if (past.spent > 0) pawl_json_set(vault->state, "spent_before", json_integer(past.spent));
    if (!past.is_here || again) return PAWL_OK;
    pawl_fail(err, PAWL_EINTEGRITY,
              "Cases of this folder were sealed here before, and the gate was asked about them: "
              "%lld attempts. Their store is gone.",
              (long long)past.spent);
    pawl_hint(err,
              "An attempt cannot be taken back. Restore .pawl, or start over with fresh cases. "
              "`pawl init --again` seals the same ones once more; the attempts that were spent "
              "on them stand on every certificate from then on.");
    return PAWL_EINTEGRITY;
}
