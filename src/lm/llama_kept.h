/*
 * llama_kept.h - what was measured of a model on this machine, so that it is measured once.
 *
 * One small file, $XDG_CACHE_HOME/pawl/weights/machine.json, where the sealed side may read. An entry
 * belongs to one model (the hash of its bytes), one CPU and one build of libllama: of another nothing
 * is known. It holds
 *
 *     {"model", "cpu", "llama",
 *      "threads", "batch", "ubatch",                      after `pawl doctor --tune`
 *      "weights": {"2": {                                 by the number of threads
 *        "auto", "fast": the forms that were chosen, "parameters": of the model,
 *        "measured": {form: speed}}},
 *      "measured": {"threads"|"batch"|"ubatch": {value: speed}}}
 *
 * where a speed is {"prompt_tokens_per_s", "answer_tokens_per_s"}.
 *
 * Invariants
 *   1. A file that is damaged, or of another version, counts as none; the next writer replaces it.
 *   2. Who changes an entry holds the lock from before it reads the entry: nothing is measured twice
 *      at the same time, and no writer undoes another's.
 *   3. Nothing read here may be taken as it is: the caller checks that a form is one, and allowed.
 *
 *     int lock = pawl_llama_kept_lock();
 *     json_t *entry = pawl_llama_kept_get(&model);
 *     ... measure, pawl_json_set(entry, ...) ...
 *     bool kept = pawl_llama_kept_put(entry);
 *     pawl_llama_kept_unlock(lock);
 */
#ifndef PAWL_LM_LLAMA_KEPT_H
#define PAWL_LM_LLAMA_KEPT_H

#include "base/hash.h"
#include "base/json.h"
#include "lm/llama_measure.h"

/* The model's entry, empty where nothing is kept. New reference. */
json_t *pawl_llama_kept_get(const struct pawl_hash *model);
/* Write an entry that get gave; false where that is not possible. */
bool pawl_llama_kept_put(const json_t *entry);
/* -1 where nothing may be written. Blocks while another process measures. */
int pawl_llama_kept_lock(void);
void pawl_llama_kept_unlock(int lock);

json_t *pawl_llama_speed_json(const struct pawl_llama_speed *speed); /* new reference */
/* The kept values where they are within bounds; the others stay as they are. */
void pawl_llama_kept_pace(const json_t *entry, struct pawl_llama_pace *pace);

#endif
