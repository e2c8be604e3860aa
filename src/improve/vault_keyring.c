/*
 * The kernel's keyring keeps the newest count of each vault until the machine restarts.
 *
 * Whoever puts back project, key and counter at once, from one copy of his disk, has an older vault that fits
 * together. What is in the kernel's memory is in no such copy: a counter that is older than the one there was put back.
 *
 * It is a witness beside the file and no wall: who runs as the same user can take it away, and where the kernel
 * has no keyring, or denies it (many containers do), nothing is kept. Statements say which it is.
 */
#include "improve/vault.h"

#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 64, KEPT_S = 180 * 24 * 3600 };

/* By its folder: a copy that is put back is put back there, and one elsewhere is another vault's to the kernel. */
static void name_of(const char *home, char name[NAME_MAX_BYTES])
{
    char hex[PAWL_HASH_HEX];
    struct pawl_hash hash = pawl_hash_bytes(home, strlen(home));
    pawl_hash_hex(&hash, hex);
    snprintf(name, NAME_MAX_BYTES, "pawl:vault:%.32s", hex);
}

/* What is in the user's keyring may be read by who possesses it; so this process does. */
static bool possess(void)
{
    return syscall(SYS_keyctl, KEYCTL_LINK, KEY_SPEC_USER_KEYRING, KEY_SPEC_PROCESS_KEYRING) == 0;
}

void pawl_vault_keyring_put(const char *home, const void *bytes, size_t n_bytes)
{
    char name[NAME_MAX_BYTES];
    name_of(home, name);
    if (!possess()) return;
    long key = syscall(SYS_add_key, "user", name, bytes, n_bytes, KEY_SPEC_USER_KEYRING);
    if (key > 0) syscall(SYS_keyctl, KEYCTL_SET_TIMEOUT, key, KEPT_S);
}

bool pawl_vault_keyring_get(const char *home, void *bytes, size_t n_bytes)
{
    char name[NAME_MAX_BYTES];
    name_of(home, name);
    if (!possess()) return false;
    long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", name, 0);
    return key > 0 && syscall(SYS_keyctl, KEYCTL_READ, key, bytes, n_bytes) == (long)n_bytes;
}
