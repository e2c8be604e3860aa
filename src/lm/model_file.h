/*
 * model_file.h - the model files of this machine.
 *
 * A model is NAME.gguf in the models folder (PAWL_MODELS, else pawl/models in the user's data), or
 * any file named by its path. It is known by the hash of its bytes. Hashing a large file takes
 * seconds, so the hash is kept with what the file looked like when it was read (device, inode, size, time
 * of the last change of bytes and of anything), in $XDG_CACHE_HOME/pawl/weights/, where the sealed side
 * may read.
 *
 * Invariants
 *   1. A name never leads out of the models folder: what holds a slash or ends in .gguf is a path.
 *   2. A kept hash is used only while the file looks as it did. Nobody but root can set the time of
 *      the last change, so a file that looks the same has the same bytes; who can write the note is
 *      trusted to have read them.
 */
#ifndef PAWL_LM_MODEL_FILE_H
#define PAWL_LM_MODEL_FILE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"

/* The folder, whether it exists or not. Fails PAWL_EWORLD without PAWL_MODELS and HOME. */
PAWL_MUST_CHECK enum pawl_status pawl_models_dir(struct pawl_arena *arena, const char **dir,
                                                 struct pawl_error *err);
/* The file of a model named in pawl.yaml; paths start at project_dir. Fails PAWL_ENOTFOUND. */
PAWL_MUST_CHECK enum pawl_status pawl_model_find(struct pawl_arena *arena, const char *model,
                                                 const char *project_dir, const char **path,
                                                 struct pawl_error *err);
/* The hash of the file's bytes. `keep`: write a new hash down, if that is possible. */
PAWL_MUST_CHECK enum pawl_status pawl_model_hash(const char *path, bool keep,
                                                 struct pawl_hash *hash, struct pawl_error *err);
/* True if the bytes are those whose hash was kept for this path; false where none was. */
bool pawl_model_is_intact(const char *path);
/* Where derived files and notes are kept, whether it exists or not; NULL without HOME. */
const char *pawl_model_cache_dir(struct pawl_arena *arena);

#endif
