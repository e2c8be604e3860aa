/*
 * model_file.h - the model files of this machine.
 *
 * A model is NAME.gguf in the models folder (PAWL_MODELS, else pawl/models in the user's data), or
 * any file named by its path. It is known by the hash of its bytes. Hashing a large file takes
 * seconds, so the hash is kept beside it in NAME.gguf.sha256 with the size and time it was true for.
 *
 * Invariants
 *   1. A name never leads out of the models folder: what holds a slash or ends in .gguf is a path.
 *   2. A kept hash is used only while size and modification time are what they were.
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
/* The hash of the file's bytes. `keep`: write the hash down beside it, if that is possible. */
PAWL_MUST_CHECK enum pawl_status pawl_model_hash(const char *path, bool keep,
                                                 struct pawl_hash *hash, struct pawl_error *err);

#endif
