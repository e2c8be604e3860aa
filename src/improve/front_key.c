/* key: make, list and show the keys with which a person signs approvals. */
#include "improve/front.h"
#include "improve/key.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct key_options {
    const char *action, *name, *passphrase_env;
    bool passphrase;
};
static const struct pawl_option key_options[] = {
    PAWL_OPT_CHOICE(struct key_options, action, "list", "make|list|show", "what to do"),
    PAWL_OPT_TEXT(struct key_options, name, NULL, "of the key: a-z, 0-9, _ and -"),
    PAWL_OPT_BOOL(struct key_options, passphrase, "false",
                  "make: lock the key with a passphrase, asked at the terminal"),
    PAWL_OPT_TEXT(struct key_options, passphrase_env, NULL,
                  "make: lock it with what this environment variable holds"),
    {0}};

/* --- passphrases ----------------------------------------------------------------------------------- */

/* What was given by mistake instead of a name may be the passphrase: it is not repeated. */
static enum pawl_status passphrase_from_env(const char *name, char out[PAWL_PASSPHRASE_MAX],
                                            struct pawl_error *err)
{
    const char *value = getenv(name);
    if (value == NULL || value[0] == '\0') {
        pawl_fail(err, PAWL_EUSAGE, "The environment variable of --passphrase-env is not set.");
        pawl_hint(err, "--passphrase-env takes the variable's name, not the passphrase.");
        return PAWL_EUSAGE;
    }
    if (strlen(value) >= PAWL_PASSPHRASE_MAX)
        return pawl_fail(err, PAWL_EUSAGE, "The passphrase has more than %d bytes.",
                         PAWL_PASSPHRASE_MAX - 1);
    memcpy(out, value, strlen(value) + 1);
    return PAWL_OK;
}

enum pawl_status pawl_front_passphrase(struct pawl_call *call, const char *env_name,
                                       const char *question, char *out, struct pawl_error *err)
{
    out[0] = '\0';
    if (env_name != NULL) return passphrase_from_env(env_name, out, err);
    if (call->watch == NULL || call->watch->secret == NULL) {
        pawl_fail(err, PAWL_EUSAGE, "A passphrase is needed, and nobody is at a terminal.");
        pawl_hint(err, "Name the environment variable that holds it with --passphrase-env.");
        return PAWL_EUSAGE;
    }
    if (call->watch->secret(call->watch->context, question, out, PAWL_PASSPHRASE_MAX))
        return PAWL_OK;
    return pawl_fail(err, PAWL_EPAUSED, "Stopped on request; nothing was done.");
}

static enum pawl_status check_strength(const char *passphrase, struct pawl_error *err)
{
    if (strlen(passphrase) >= PAWL_PASSPHRASE_MIN) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "A passphrase has at least %d bytes.", PAWL_PASSPHRASE_MIN);
    pawl_hint(err, "Several words are easy to remember and hard to guess. No key was made.");
    return PAWL_EUSAGE;
}

/* Typed twice, since what was mistyped unseen would lock the key for good. */
static enum pawl_status new_passphrase(struct pawl_call *call, const struct key_options *options,
                                       char out[PAWL_PASSPHRASE_MAX], struct pawl_error *err)
{
    char again[PAWL_PASSPHRASE_MAX];
    PAWL_TRY(pawl_front_passphrase(call, options->passphrase_env, "Passphrase of the new key:", out,
                                   err));
    PAWL_TRY(check_strength(out, err));
    if (options->passphrase_env != NULL) return PAWL_OK;
    PAWL_TRY(pawl_front_passphrase(call, NULL, "The same once more:", again, err));
    bool same = strcmp(out, again) == 0;
    sodium_memzero(again, sizeof again);
    if (same) return PAWL_OK;
    return pawl_fail(err, PAWL_EUSAGE, "The two passphrases differ; no key was made.");
}

/* --- the verb -------------------------------------------------------------------------------------- */

static void fill(json_t *out, const struct pawl_key *key)
{
    pawl_json_set(out, "name", json_string(key->name));
    pawl_json_set(out, "public_key", json_string(key->public_hex));
    pawl_json_set(out, "locked", json_boolean(key->is_locked));
}

static enum pawl_status make(struct pawl_call *call, const struct key_options *options,
                             const char *home, struct pawl_error *err)
{
    char passphrase[PAWL_PASSPHRASE_MAX];
    struct pawl_key key;
    bool locks = options->passphrase || options->passphrase_env != NULL;
    enum pawl_status status = locks ? new_passphrase(call, options, passphrase, err) : PAWL_OK;
    if (status == PAWL_OK)
        status = pawl_key_make(home, options->name, locks ? passphrase : NULL, &key, err);
    sodium_memzero(passphrase, sizeof passphrase);
    PAWL_TRY(status);
    fill(call->result, &key);
    return PAWL_OK;
}

static enum pawl_status list(struct pawl_call *call, const char *home, struct pawl_error *err)
{
    struct pawl_key *keys;
    size_t n;
    PAWL_TRY(pawl_key_list(home, &call->arena, &keys, &n, err));
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *item = json_object();
        fill(item, &keys[i]);
        json_array_append_new(all, item);
    }
    pawl_json_set(call->result, "keys", all);
    return PAWL_OK;
}

static enum pawl_status run_key(struct pawl_call *call, const void *values, struct pawl_error *err)
{
    const struct key_options *options = values;
    const char *home = pawl_key_home(&call->arena);
    struct pawl_key key;
    bool makes = strcmp(options->action, "make") == 0;
    if (!makes && (options->passphrase || options->passphrase_env != NULL))
        return pawl_fail(err, PAWL_EUSAGE, "A passphrase goes with `pawl key make` alone.");
    if (strcmp(options->action, "list") == 0) {
        if (options->name == NULL) return list(call, home, err);
        return pawl_fail(err, PAWL_EUSAGE, "`pawl key list` takes no name; `pawl key show` does.");
    }
    if (options->name == NULL) {
        pawl_fail(err, PAWL_EUSAGE, "`pawl key %s` needs the name of a key.", options->action);
        pawl_hint(err, "For example: pawl key %s ann", options->action);
        return PAWL_EUSAGE;
    }
    if (makes) return make(call, options, home, err);
    PAWL_TRY(pawl_key_read(home, options->name, &key, err));
    fill(call->result, &key);
    return PAWL_OK;
}

const struct pawl_verb pawl_verb_key = {
    .name = "key",
    .summary = "make and show the keys with which people sign approvals",
    .positional = "action name",
    .example = "pawl key make ann",
    .options = key_options,
    .options_bytes = sizeof(struct key_options),
    .run = run_key,
};
