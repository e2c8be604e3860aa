/*
 * artifact.h - what is improved: an immutable set of named components, named by its content.
 *
 * The id of an artifact is the SHA-256 of its manifest in canonical JSON:
 *
 *     {"components":{"instruction":{"hash":"<sha256 of the text>","kind":"text",
 *                                   "role":"instruction"}, ...},"schema":1}
 *
 * so equal content has an equal id wherever it was made. A component's kind says how it is stored
 * and compared; its role says what it is to the program ("instruction", "demos", "calibration",
 * "source" ...), so that an operator can tell what it may change without knowing names.
 *
 * Invariants
 *   1. Nothing changes an artifact; an edit makes another one.
 *   2. Components are sorted by name; names match [a-z][a-z0-9_.]{0,63}, at most 64 of them.
 *   3. Text is valid UTF-8 without NUL, of at most PAWL_COMPONENT_MAX bytes.
 */
#ifndef PAWL_ARTIFACT_ARTIFACT_H
#define PAWL_ARTIFACT_ARTIFACT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"

enum { PAWL_COMPONENTS_MAX = 64, PAWL_COMPONENT_MAX = 1 << 20 };

struct pawl_component {
    const char *name;
    const char *kind; /* "text" */
    const char *role;
    struct pawl_str text;
};
struct pawl_artifact {
    struct pawl_hash id;
    char hex[PAWL_HASH_HEX];
    const struct pawl_component *components; /* sorted by name */
    size_t n_components;
};
struct pawl_edit {
    const char *component;
    struct pawl_str text;
};

/* Make an artifact in `arena` (texts are copied). Fails PAWL_ECONFIG on a broken invariant. */
PAWL_MUST_CHECK enum pawl_status pawl_artifact_make(struct pawl_arena *arena,
                                                    const struct pawl_component *components,
                                                    size_t n, struct pawl_artifact **out,
                                                    struct pawl_error *err);
/* A copy with some components replaced. An edit of an unknown component fails PAWL_EUSAGE. */
PAWL_MUST_CHECK enum pawl_status pawl_artifact_apply(struct pawl_arena *arena,
                                                     const struct pawl_artifact *base,
                                                     const struct pawl_edit *edits, size_t n,
                                                     struct pawl_artifact **out,
                                                     struct pawl_error *err);
const struct pawl_component *pawl_artifact_find(const struct pawl_artifact *artifact,
                                                const char *name);
size_t pawl_artifact_bytes(const struct pawl_artifact *artifact); /* sum of texts, for ties */
/* The whole artifact with its texts as JSON {components:{name:{kind,role,text}}} and back; for
 * channels between processes. New reference. */
json_t *pawl_artifact_json(const struct pawl_artifact *artifact);
PAWL_MUST_CHECK enum pawl_status pawl_artifact_from_json(struct pawl_arena *arena,
                                                         const json_t *object,
                                                         struct pawl_artifact **out,
                                                         struct pawl_error *err);
/* Per-component unified diff, appended to out; nothing when equal. */
void pawl_artifact_diff(const struct pawl_artifact *before, const struct pawl_artifact *after,
                        struct pawl_buf *out);

struct pawl_store;
/* Store and load by id. A stored artifact whose texts do not hash to its id fails
 * PAWL_EINTEGRITY. */
PAWL_MUST_CHECK enum pawl_status pawl_artifact_put(struct pawl_store *store,
                                                   const struct pawl_artifact *artifact,
                                                   struct pawl_error *err);
/* The same without waiting: it may be lost in a crash within 100 ms, and found only after it. For
 * candidates, which a run makes by the thousand and makes again. */
PAWL_MUST_CHECK enum pawl_status pawl_artifact_put_lazy(struct pawl_store *store,
                                                        const struct pawl_artifact *artifact,
                                                        struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_artifact_get(struct pawl_store *store,
                                                   struct pawl_arena *arena, const char *hex,
                                                   struct pawl_artifact **out,
                                                   struct pawl_error *err);

#endif
