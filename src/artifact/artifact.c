#include "artifact/artifact.h"

#include "store/store.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 64 };

/* ---- what a component may be ---- */

/* [a-z][a-z0-9_.]{0,63} */
static bool is_word(const char *text)
{
    if (!text || text[0] < 'a' || text[0] > 'z') return false;
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.");
    return text[len] == '\0' && len <= WORD_MAX;
}

static enum pawl_status check_component(const struct pawl_component *component,
                                        struct pawl_error *err)
{
    const char *name = component->name;
    if (!is_word(name)) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "components",
                     "\"%.80s\" is not a component's name.", name ? name : "");
        pawl_hint(err, "Begin with a letter a-z; then letters, digits, _ and ., at most %d in all.",
                  WORD_MAX);
        return PAWL_ECONFIG;
    }
    if (!component->kind || strcmp(component->kind, "text") != 0)
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, name,
                            "The component %s has the kind \"%.80s\"; the only one is \"text\".",
                            name, component->kind ? component->kind : "");
    if (!is_word(component->role))
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, name,
                            "The component %s has \"%.80s\" as its role, which is not a word.",
                            name, component->role ? component->role : "");
    if (component->text.len > PAWL_COMPONENT_MAX)
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, name,
                            "The component %s has %zu bytes, more than %d.", name,
                            component->text.len, PAWL_COMPONENT_MAX);
    size_t bad;
    if (!pawl_utf8_is_valid(component->text, &bad))
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, name,
                            "The component %s is not UTF-8 at byte %zu.", name, bad);
    /* UTF-8, but our JSON carries none, and a C string would end there. */
    if (component->text.len > 0 && memchr(component->text.ptr, '\0', component->text.len))
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, name, "The component %s holds a NUL byte.",
                            name);
    return PAWL_OK;
}

/* ---- making ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pawl_component *)a)->name,
                  ((const struct pawl_component *)b)->name);
}

/* {"components":{name:{"hash","kind","role"}},"schema":1}. New reference. */
static json_t *manifest_of(const struct pawl_component *components, size_t n)
{
    json_t *members = json_object();
    for (size_t i = 0; i < n; i++) {
        struct pawl_hash hash = pawl_hash_str(components[i].text);
        char hex[PAWL_HASH_HEX];
        pawl_hash_hex(&hash, hex);
        pawl_json_set(members, components[i].name,
                      json_pack("{s:s,s:s,s:s}", "hash", hex, "kind", components[i].kind, "role",
                                components[i].role));
    }
    return json_pack("{s:o,s:i}", "components", members, "schema", 1);
}

/* Takes components that are checked, sorted and in the arena. */
static struct pawl_artifact *finish(struct pawl_arena *arena,
                                    const struct pawl_component *components, size_t n)
{
    struct pawl_artifact *artifact = PAWL_NEW(arena, struct pawl_artifact);
    json_t *manifest = manifest_of(components, n);
    artifact->id = pawl_hash_json(manifest);
    json_decref(manifest);
    pawl_hash_hex(&artifact->id, artifact->hex);
    artifact->components = components;
    artifact->n_components = n;
    return artifact;
}

enum pawl_status pawl_artifact_make(struct pawl_arena *arena,
                                    const struct pawl_component *components, size_t n,
                                    struct pawl_artifact **out, struct pawl_error *err)
{
    if (n == 0 || n > PAWL_COMPONENTS_MAX)
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "components",
                            "An artifact has 1 to %d components, not %zu.", PAWL_COMPONENTS_MAX, n);
    for (size_t i = 0; i < n; i++) PAWL_TRY(check_component(&components[i], err));

    struct pawl_component *sorted = PAWL_NEW_N(arena, struct pawl_component, n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct pawl_component){
            .name = pawl_arena_strdup(arena, components[i].name),
            .kind = "text",
            .role = pawl_arena_strdup(arena, components[i].role),
            .text = pawl_arena_copy(arena, components[i].text),
        };
    qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 1; i < n; i++)
        if (strcmp(sorted[i - 1].name, sorted[i].name) == 0)
            return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, sorted[i].name,
                                "Two components are called %s.", sorted[i].name);
    *out = finish(arena, sorted, n);
    return PAWL_OK;
}

enum pawl_status pawl_artifact_apply(struct pawl_arena *arena, const struct pawl_artifact *base,
                                     const struct pawl_edit *edits, size_t n,
                                     struct pawl_artifact **out, struct pawl_error *err)
{
    struct pawl_component edited[PAWL_COMPONENTS_MAX];
    memcpy(edited, base->components, base->n_components * sizeof *edited);
    for (size_t i = 0; i < n; i++) {
        const struct pawl_component *component = pawl_artifact_find(base, edits[i].component);
        if (!component)
            return pawl_fail_at(err, PAWL_EUSAGE, NULL, 0, edits[i].component,
                                "The artifact has no component %.64s.", edits[i].component);
        edited[component - base->components].text = edits[i].text;
    }
    return pawl_artifact_make(arena, edited, base->n_components, out, err);
}

const struct pawl_component *pawl_artifact_find(const struct pawl_artifact *artifact,
                                                const char *name)
{
    struct pawl_component key = {.name = name};
    return bsearch(&key, artifact->components, artifact->n_components, sizeof key, by_name);
}

size_t pawl_artifact_bytes(const struct pawl_artifact *artifact)
{
    size_t bytes = 0;
    for (size_t i = 0; i < artifact->n_components; i++) bytes += artifact->components[i].text.len;
    return bytes;
}

/* ---- JSON ---- */

json_t *pawl_artifact_json(const struct pawl_artifact *artifact)
{
    json_t *members = json_object();
    for (size_t i = 0; i < artifact->n_components; i++) {
        const struct pawl_component *component = &artifact->components[i];
        pawl_json_set(members, component->name,
                      json_pack("{s:s,s:s,s:o}", "kind", component->kind, "role", component->role,
                                "text", pawl_json_string(component->text)));
    }
    return json_pack("{s:o}", "components", members);
}

/* The members of `components`, or a failure when there are too many to be an artifact. */
static enum pawl_status get_members(const json_t *object, json_t **members, struct pawl_error *err)
{
    *members = json_object_get(object, "components");
    size_t n = json_object_size(*members);
    if (n > 0 && n <= PAWL_COMPONENTS_MAX) return PAWL_OK;
    return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "components",
                        "An artifact has 1 to %d components, not %zu.", PAWL_COMPONENTS_MAX, n);
}

static struct pawl_component component_from(const char *name, const json_t *member)
{
    return (struct pawl_component){.name = name,
                                   .kind = pawl_json_get_text(member, "kind", NULL),
                                   .role = pawl_json_get_text(member, "role", NULL)};
}

enum pawl_status pawl_artifact_from_json(struct pawl_arena *arena, const json_t *object,
                                         struct pawl_artifact **out, struct pawl_error *err)
{
    json_t *members, *member;
    PAWL_TRY(get_members(object, &members, err));
    struct pawl_component components[PAWL_COMPONENTS_MAX];
    size_t n = 0;
    const char *name;
    json_object_foreach(members, name, member)
    {
        components[n] = component_from(name, member);
        components[n].text = pawl_json_get_str(member, "text");
        if (!components[n++].text.ptr)
            return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, name,
                                "The component %.64s has no text.", name);
    }
    return pawl_artifact_make(arena, components, n, out, err);
}

/* ---- comparing ---- */

void pawl_artifact_diff(const struct pawl_artifact *before, const struct pawl_artifact *after,
                        struct pawl_buf *out)
{
    /* Both are sorted: walk them together, and a component that only one has is a whole addition
     * or removal. */
    size_t i = 0, j = 0;
    while (i < before->n_components || j < after->n_components) {
        const struct pawl_component *old = &before->components[i], *new = &after->components[j];
        int order = i == before->n_components  ? 1
                    : j == after->n_components ? -1
                                               : strcmp(old->name, new->name);
        struct pawl_str old_text = order <= 0 ? old->text : PAWL_STR("");
        struct pawl_str new_text = order >= 0 ? new->text : PAWL_STR("");
        pawl_text_diff(old_text, new_text, order <= 0 ? old->name : "/dev/null",
                       order >= 0 ? new->name : "/dev/null", out);
        i += order <= 0;
        j += order >= 0;
    }
}

/* ---- storing ---- */

/* The store keeps order: when the manifest is there, so are the texts. */
static enum pawl_status put_with(struct pawl_store *store, const struct pawl_artifact *artifact,
                                 enum pawl_status (*put)(struct pawl_store *, const char *,
                                                         const json_t *, struct pawl_error *),
                                 struct pawl_error *err)
{
    for (size_t i = 0; i < artifact->n_components; i++) {
        struct pawl_hash hash;
        PAWL_TRY(pawl_store_object_put(store, artifact->components[i].text, false, &hash, err));
    }
    json_t *manifest = manifest_of(artifact->components, artifact->n_components);
    enum pawl_status status = put(store, artifact->hex, manifest, err);
    json_decref(manifest);
    return status;
}

enum pawl_status pawl_artifact_put(struct pawl_store *store, const struct pawl_artifact *artifact,
                                   struct pawl_error *err)
{
    return put_with(store, artifact, pawl_store_manifest_put, err);
}

enum pawl_status pawl_artifact_put_lazy(struct pawl_store *store,
                                        const struct pawl_artifact *artifact,
                                        struct pawl_error *err)
{
    return put_with(store, artifact, pawl_store_manifest_put_lazy, err);
}

/* The components that a manifest names, with their texts. */
static enum pawl_status load(struct pawl_store *store, struct pawl_arena *arena,
                             const json_t *manifest, struct pawl_artifact **out,
                             struct pawl_error *err)
{
    json_t *members, *member;
    PAWL_TRY(get_members(manifest, &members, err));
    struct pawl_component components[PAWL_COMPONENTS_MAX];
    size_t n = 0;
    const char *name;
    json_object_foreach(members, name, member)
    {
        struct pawl_hash hash;
        components[n] = component_from(name, member);
        if (!pawl_hash_from_hex(pawl_json_get_str(member, "hash"), &hash))
            return pawl_fail(err, PAWL_EINTEGRITY, "The component %.64s has no proper hash.", name);
        PAWL_TRY(pawl_store_object_get(store, arena, &hash, &components[n++].text, err));
    }
    return pawl_artifact_make(arena, components, n, out, err);
}

enum pawl_status pawl_artifact_get(struct pawl_store *store, struct pawl_arena *arena,
                                   const char *hex, struct pawl_artifact **out,
                                   struct pawl_error *err)
{
    json_t *manifest;
    struct pawl_error why = {0};
    PAWL_TRY(pawl_store_manifest_get(store, hex, &manifest, err));
    enum pawl_status status = load(store, arena, manifest, out, &why);
    json_decref(manifest);
    if (status == PAWL_EWORLD) {
        if (err) *err = why;
        return status;
    }
    /* A stored artifact was whole once. Whatever is wrong with it now came later. */
    if (status != PAWL_OK)
        return pawl_fail(err, PAWL_EINTEGRITY, "The stored artifact %.12s is damaged: %s", hex,
                         why.message);
    if (strcmp((*out)->hex, hex) != 0)
        return pawl_fail(err, PAWL_EINTEGRITY,
                         "The stored artifact %.12s has the content of %.12s.", hex, (*out)->hex);
    return PAWL_OK;
}
