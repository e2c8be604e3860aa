/*
 * vault_user.h - a user of its own for the vault, where root runs pawl.
 *
 * Nothing of pawl is setuid, so only root can start a process that is somebody else. `doctor --install-vault` makes
 * a system user and a folder of its own; from then on a vault that root's pawl seals is kept there, and its
 * process becomes that user before it opens anything. Who owns that folder is the vault's user: there is no
 * other setting.
 *
 * Invariants
 *   1. A vault stays with the user that sealed it: whoever owns the sealed store says who opens it.
 *   2. The folder counts only while it belongs to another than root and nobody else may look into it.
 *   3. Taking the user away is refused while a vault is kept with it.
 *
 * What it is worth: what the vault parses (case files, answers) is parsed without root's rights, and a command that
 * it starts can change nothing of root's. It is no wall against root, and statements say so
 * (pawl_vault_custody). An ordinary user has no such user: there custody is by convention.
 *
 *     pawl_json_set(hello, "vault_uid", json_integer(pawl_vault_user_of(project)));
 */
#ifndef PAWL_IMPROVE_VAULT_USER_H
#define PAWL_IMPROVE_VAULT_USER_H

#include "improve/front.h"

#include <sys/types.h>

#define PAWL_VAULT_USER  "pawl-vault"
#define PAWL_VAULT_STATE "/var/lib/pawl-vault"

/* Whose process the project's vault becomes; 0: that of who starts it. NULL: a project that is not there yet. */
uid_t pawl_vault_user_of(const struct pawl_project *project);
/* Make the folder of a store that is not sealed yet, and give it to the vault's user. Nothing where there is none. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_user_make_room(struct pawl_project *project,
                                                           struct pawl_error *err);
/* {"user":name,"uid":N|null,"state":folder,"say":text}. New reference. */
json_t *pawl_vault_user_json(const struct pawl_project *project);
/* Into the result: installed, commands (what was run, or what root has to run), say. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_user_install(struct pawl_call *call,
                                                         struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_vault_user_uninstall(struct pawl_call *call,
                                                           struct pawl_error *err);

#endif
