/*
 * key.h - the keys with which people sign approvals: Ed25519, one small file each, outside any project.
 *
 *     $XDG_DATA_HOME/pawl/keys/ann        mode 0600
 *     {"kind":"pawl-key","name":"ann","public":HEX,"schema":1,"seed":HEX}
 *     ... or instead of "seed":
 *     "locked":{"memory_bytes":N,"nonce":HEX,"operations":N,"salt":HEX,"seed":HEX}
 *
 * A locked seed is a secretbox (XSalsa20-Poly1305) under Argon2id of a passphrase.
 *
 * Invariants
 *   1. A secret is in its file and, while something is signed, in memory; in no error, log, ledger or
 *      argument. A passphrase is typed at a terminal, or stands in an environment variable whose *name*
 *      is told.
 *   2. No key lies where an operator could read it: a folder of keys below a project is refused.
 *   3. A key file is never replaced, and one that others may read is not used.
 *
 *     PAWL_TRY(pawl_key_make(home, "ann", "a long passphrase", &key, err));
 *     PAWL_TRY(pawl_key_unlock(home, "ann", "a long passphrase", &signer, err));
 *     pawl_statement_sign(&signer, statement, signature);
 *     pawl_signer_wipe(&signer);
 */
#ifndef PAWL_IMPROVE_KEY_H
#define PAWL_IMPROVE_KEY_H

#include "base/arena.h"
#include "improve/statement.h"

enum {
    PAWL_KEY_NAME_MAX = 32,
    PAWL_PASSPHRASE_MIN = 8,
    PAWL_PASSPHRASE_MAX = 1024, /* bytes, with the NUL */
};

struct pawl_key {
    char name[PAWL_KEY_NAME_MAX + 1];
    char public_hex[PAWL_HASH_HEX];
    bool is_locked;
};

/* $XDG_DATA_HOME/pawl/keys, else below ~/.local/share. In `arena`. */
char *pawl_key_home(struct pawl_arena *arena);
/*
 * Draw a key and write its file; the folder is made. passphrase NULL: it is not locked.
 *
 * Fails   PAWL_EUSAGE when the name is none, is taken, or the folder lies in a project; PAWL_EWORLD.
 * Costs   with a passphrase 256 MiB and about a second, as unlocking does.
 */
PAWL_MUST_CHECK enum pawl_status pawl_key_make(const char *home, const char *name,
                                               const char *passphrase, struct pawl_key *key,
                                               struct pawl_error *err);
/* What is public of it. Fails PAWL_ENOTFOUND with the nearest name, PAWL_EUSAGE when others may read
 * the file, PAWL_EINTEGRITY when it is damaged. */
PAWL_MUST_CHECK enum pawl_status pawl_key_read(const char *home, const char *name,
                                               struct pawl_key *key, struct pawl_error *err);
/* All of them, by name, in `arena`; none when there is no folder. Files that are no keys are passed
 * over. */
PAWL_MUST_CHECK enum pawl_status pawl_key_list(const char *home, struct pawl_arena *arena,
                                               struct pawl_key **keys, size_t *n,
                                               struct pawl_error *err);
/* Ready to sign; wipe it. Fails as pawl_key_read, and PAWL_EUSAGE on another passphrase. */
PAWL_MUST_CHECK enum pawl_status pawl_key_unlock(const char *home, const char *name,
                                                 const char *passphrase, struct pawl_signer *signer,
                                                 struct pawl_error *err);
void pawl_signer_wipe(struct pawl_signer *signer);

#endif
