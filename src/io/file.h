/*
 * file.h - whole files, written so that a crash leaves the old one or the new one.
 */
#ifndef PAWL_IO_FILE_H
#define PAWL_IO_FILE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/str.h"

#include <sys/types.h>

/* Read a regular file whole. Fails PAWL_ENOTFOUND, PAWL_ETOOBIG over limit_bytes, PAWL_EWORLD. */
PAWL_MUST_CHECK enum pawl_status pawl_file_read(const char *path, size_t limit_bytes,
                                                struct pawl_arena *arena, struct pawl_str *out,
                                                struct pawl_error *err);
/* Write a temporary sibling, fsync it, rename it over `path`, fsync the folder. */
PAWL_MUST_CHECK enum pawl_status pawl_file_write_atomic(const char *path, struct pawl_str content,
                                                        mode_t mode, struct pawl_error *err);
/* The same, but a file that is there already stays, and this fails PAWL_EWORLD. */
PAWL_MUST_CHECK enum pawl_status pawl_file_write_new(const char *path, struct pawl_str content,
                                                     mode_t mode, struct pawl_error *err);
/* Remove what killed writers of `path` left beside it; nobody may be writing it. */
void pawl_file_sweep(const char *path);
/* The SHA-256 of a file, read piece by piece. Fails PAWL_ENOTFOUND, PAWL_EWORLD. */
PAWL_MUST_CHECK enum pawl_status pawl_file_hash(const char *path, struct pawl_hash *hash,
                                                struct pawl_error *err);
/* Copy a file of any size: `to` is whole and on disk, or is left as it was. Gives what was copied. */
PAWL_MUST_CHECK enum pawl_status pawl_file_copy(const char *from, const char *to, mode_t mode,
                                                struct pawl_hash *hash, struct pawl_error *err);
/* Another writer's file beside `to` takes its place: fsync, rename, fsync the folder. */
PAWL_MUST_CHECK enum pawl_status pawl_file_publish(const char *from, const char *to,
                                                   struct pawl_error *err);
/* Write all of `bytes`, going on after EINTR and short writes. */
PAWL_MUST_CHECK enum pawl_status pawl_fd_write(int fd, const void *bytes, size_t n_bytes,
                                               const char *what, struct pawl_error *err);
/* mkdir -p with `mode` for the folders it makes; they are on disk, as far as their parents may be
 * opened. */
PAWL_MUST_CHECK enum pawl_status pawl_dir_make(const char *path, mode_t mode,
                                               struct pawl_error *err);
/* What was made, renamed or removed in this folder is on disk. */
PAWL_MUST_CHECK enum pawl_status pawl_dir_sync(const char *path, struct pawl_error *err);
bool pawl_path_exists(const char *path);
/* `path` itself when absolute, else below `base`. In `arena`. */
char *pawl_path_join(struct pawl_arena *arena, const char *base, const char *path);
/* By the names alone: links are not followed. */
bool pawl_path_is_at_or_below(const char *path, const char *folder);
/* $NAME, or else $HOME/fallback; NULL when neither is known (a relative path counts as unknown).
 * E.g. ("XDG_DATA_HOME", ".local/share"). */
char *pawl_path_user(struct pawl_arena *arena, const char *name, const char *fallback);

#endif
