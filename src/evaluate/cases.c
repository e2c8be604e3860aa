#include "evaluate/cases.h"
#include "evaluate/cases_format.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const known_keys[] = {"id",       "input", "target", "cluster",
                                         "metadata", "files", "check",  "tier",
                                         "choices",  "vars",  "assert"};
enum { N_KNOWN = sizeof known_keys / sizeof *known_keys, ID_BYTES_MAX = 512 };

enum pawl_status pawl_case_refuse(const struct pawl_case_reader *reader, int line,
                                  const char *field, const char *remedy, const char *format, ...)
{
    char message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    pawl_fail_at(reader->err, PAWL_ECONFIG, reader->path, line, field, "%s", message);
    pawl_hint(reader->err, "%s", remedy);
    return PAWL_ECONFIG;
}

/* --- one case --------------------------------------------------------------------------------------- */

/* A text or a whole number as a name; NULL when it is neither. */
static const char *name_of(struct pawl_arena *arena, const json_t *value)
{
    if (json_is_integer(value))
        return pawl_arena_printf(arena, "%lld", (long long)json_integer_value(value));
    if (!json_is_string(value) || json_string_length(value) == 0 ||
        json_string_length(value) > ID_BYTES_MAX)
        return NULL;
    return pawl_arena_strdup(arena, json_string_value(value));
}

static enum pawl_status check_messages(const struct pawl_case_reader *reader, const json_t *list,
                                       int line)
{
    size_t i;
    json_t *message;
    bool ok = json_array_size(list) > 0;
    json_array_foreach(list, i, message)
    {
        ok = ok && json_is_string(json_object_get(message, "role")) &&
             json_is_string(json_object_get(message, "content"));
    }
    if (ok) return PAWL_OK;
    return pawl_case_refuse(reader, line, "input",
                            "Each message is {\"role\": \"user\", \"content\": \"...\"}.",
                            "The input is a list, but not one of messages with role and content.");
}

/* The input as text, object or {messages}; new reference. inspect_ai's choices go beside it. */
static enum pawl_status take_input(const struct pawl_case_reader *reader, json_t *object, int line,
                                   json_t **out)
{
    json_t *input = json_object_get(object, "input"), *vars = json_object_get(object, "vars");
    json_t *choices = json_object_get(object, "choices"), *made;
    if (!input && json_is_object(vars)) input = vars;
    if (!input || json_is_null(input))
        return pawl_case_refuse(reader, line, "input",
                                "Give every case an \"input\": a text or an object.",
                                "The case has no input.");
    if (json_is_array(input)) {
        PAWL_TRY(check_messages(reader, input, line));
        made = json_object();
        pawl_json_set(made, "messages", json_incref(input));
    } else if (json_is_string(input) || json_is_object(input)) {
        made = json_incref(input);
    } else {
        return pawl_case_refuse(reader, line, "input", "Write it as a text or an object.",
                                "The input is neither a text, an object nor a list of messages.");
    }
    if (json_array_size(choices) > 0) {
        json_t *both = json_object();
        pawl_json_set(both, "input", made);
        pawl_json_set(both, "choices", json_incref(choices));
        made = both;
    }
    *out = made;
    return PAWL_OK;
}

/* promptfoo: the value of the first assertion that says what the answer equals. */
static json_t *asserted(const json_t *list)
{
    size_t i;
    json_t *assertion;
    json_array_foreach(list, i, assertion)
    {
        if (strcmp(pawl_json_get_text(assertion, "type", ""), "equals") == 0)
            return json_object_get(assertion, "value");
    }
    return NULL;
}

static enum pawl_status find_target(const struct pawl_case_reader *reader, json_t *object, int line,
                                    json_t **out)
{
    json_t *target = json_object_get(object, "target");
    if (!target) target = asserted(json_object_get(object, "assert"));
    *out = target;
    if (target && !json_is_null(target)) return PAWL_OK;
    const char *key, *near = NULL;
    static const char *const wanted[] = {"target"};
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!near && pawl_nearest_word(key, wanted, 1)) near = key;
    }
    if (near && strcmp(near, "target") != 0)
        return pawl_case_refuse(reader, line, "target", "Rename the key to \"target\".",
                                "The case has no target; it has a key \"%s\".", near);
    return pawl_case_refuse(reader, line, "target",
                            "Give every case a \"target\" (or, in a promptfoo test, an assertion "
                            "of type equals).",
                            "The case has no target.");
}

static bool is_known(const char *key)
{
    for (size_t i = 0; i < N_KNOWN; i++)
        if (strcmp(key, known_keys[i]) == 0) return true;
    return false;
}

/* Our metadata, the files, and every key that is not ours. New reference or NULL. */
static json_t *gather_metadata(json_t *object)
{
    json_t *given = json_object_get(object, "metadata"), *files = json_object_get(object, "files");
    json_t *value, *metadata = json_is_object(given) ? json_copy(given) : json_object();
    const char *key;
    if (files) pawl_json_set(metadata, "files", json_incref(files));
    json_object_foreach(object, key, value)
    {
        if (!is_known(key)) pawl_json_set(metadata, key, json_incref(value));
    }
    if (json_object_size(metadata) > 0) return metadata;
    json_decref(metadata);
    return NULL;
}

/* SHA-256 of {"input","target"} in canonical form, without building it. */
static struct pawl_hash content_of(const json_t *input, const json_t *target)
{
    struct pawl_buf text = PAWL_BUF(4 * (size_t)PAWL_CASE_BYTES_MAX);
    pawl_buf_add(&text, "{\"input\":");
    pawl_json_write(input, &text);
    pawl_buf_add(&text, ",\"target\":");
    pawl_json_write(target, &text);
    pawl_buf_add(&text, "}");
    struct pawl_hash hash = pawl_hash_str(pawl_buf_str(&text));
    pawl_buf_release(&text);
    return hash;
}

static enum pawl_status name_case(const struct pawl_case_reader *reader, const json_t *object,
                                  int line, struct pawl_case *item)
{
    const json_t *id = json_object_get(object, "id"), *cluster = json_object_get(object, "cluster");
    if (!id || json_is_null(id)) {
        char hex[PAWL_HASH_HEX];
        pawl_hash_hex(&item->content, hex);
        item->id = pawl_arena_printf(reader->arena, "%.12s", hex);
    } else {
        item->id = name_of(reader->arena, id);
    }
    if (!item->id)
        return pawl_case_refuse(reader, line, "id", "Use a text of 1 to 512 bytes, or a number.",
                                "The id is neither a text nor a whole number.");
    item->cluster = item->id;
    if (!cluster || json_is_null(cluster)) return PAWL_OK;
    item->cluster = name_of(reader->arena, cluster);
    if (item->cluster) return PAWL_OK;
    return pawl_case_refuse(reader, line, "cluster", "Use a text of 1 to 512 bytes, or a number.",
                            "The cluster is neither a text nor a whole number.");
}

static void grow(struct pawl_case_reader *reader)
{
    if (reader->cases->n < reader->room) return;
    size_t room = reader->room ? reader->room * 2 : 64;
    struct pawl_case *items = PAWL_NEW_N(reader->arena, struct pawl_case, room);
    if (reader->cases->n) memcpy(items, reader->cases->items, reader->cases->n * sizeof *items);
    reader->cases->items = items;
    reader->room = room;
}

/* `keep` holds one list [input, target, metadata] per case. */
static enum pawl_status add_case(struct pawl_case_reader *reader, json_t *object, int line)
{
    struct pawl_case item = {.line = line};
    json_t *input = NULL, *target = NULL;
    if (!json_is_object(object))
        return pawl_case_refuse(reader, line, NULL,
                                "Write one object a line: {\"id\", \"input\", \"target\"}.",
                                "The case is not an object.");
    if (reader->cases->n == PAWL_CASES_MAX)
        return pawl_case_refuse(reader, line, NULL, "Draw a sample, or split the file.",
                                "There are more than %d cases.", PAWL_CASES_MAX);
    if (pawl_json_is_deeper(object, 1 + PAWL_JSON_GIVEN_DEPTH_MAX))
        return pawl_case_refuse(reader, line, NULL, "Give the innermost parts as text.",
                                "The case is nested more than %d levels deep.",
                                PAWL_JSON_GIVEN_DEPTH_MAX);
    PAWL_TRY(find_target(reader, object, line, &target));
    PAWL_TRY(take_input(reader, object, line, &input));
    json_t *kept = json_array(), *metadata = gather_metadata(object);
    json_array_append_new(kept, input);
    json_array_append(kept, target);
    if (metadata) json_array_append_new(kept, metadata);
    json_array_append_new(reader->cases->keep, kept);
    item.input = input;
    item.target = target;
    item.metadata = metadata;
    item.content = content_of(input, target);
    item.check = pawl_json_get_bool(object, "check", false);
    PAWL_TRY(name_case(reader, object, line, &item));
    grow(reader);
    reader->cases->items[reader->cases->n++] = item;
    return PAWL_OK;
}

enum pawl_status pawl_case_add(struct pawl_case_reader *reader, json_t *object, int line)
{
    enum pawl_status status = add_case(reader, object, line);
    json_decref(object);
    return status;
}

/* --- all of them --------------------------------------------------------------------------------------- */

enum pawl_status pawl_cases_from_json(const json_t *list, struct pawl_arena *arena,
                                      struct pawl_cases *cases, struct pawl_error *err)
{
    struct pawl_case_reader reader = {.arena = arena, .cases = cases, .err = err};
    *cases = (struct pawl_cases){.keep = json_array()};
    enum pawl_status status = PAWL_OK;
    if (!json_is_array(list))
        status = pawl_case_refuse(&reader, 0, NULL, "Send a list of cases.",
                                  "The cases are not a list.");
    for (size_t i = 0; status == PAWL_OK && i < json_array_size(list); i++)
        status = pawl_case_add(&reader, json_incref(json_array_get(list, i)), 0);
    if (status != PAWL_OK) pawl_cases_release(cases);
    return status;
}

json_t *pawl_case_json(const struct pawl_case *item, const char *tier)
{
    json_t *object = json_object();
    pawl_json_set(object, "id", json_string(item->id));
    pawl_json_set(object, "cluster", json_string(item->cluster));
    pawl_json_set(object, "input", json_incref((json_t *)(uintptr_t)item->input));
    pawl_json_set(object, "target", json_incref((json_t *)(uintptr_t)item->target));
    if (item->metadata)
        pawl_json_set(object, "metadata", json_incref((json_t *)(uintptr_t)item->metadata));
    if (item->check) pawl_json_set(object, "check", json_true());
    if (tier) pawl_json_set(object, "tier", json_string(tier));
    return object;
}

void pawl_cases_release(struct pawl_cases *cases)
{
    json_decref(cases->keep);
    *cases = (struct pawl_cases){0};
}

/* --- what must differ ------------------------------------------------------------------------------------ */

struct keyed {
    struct pawl_hash key;
    const struct pawl_case *item;
};

static int compare_keyed(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int order = memcmp(x->key.bytes, y->key.bytes, sizeof x->key.bytes);
    return order ? order : (x->item > y->item) - (x->item < y->item);
}

static struct keyed *sorted_by(const struct pawl_cases *cases,
                               struct pawl_hash (*key)(const struct pawl_case *))
{
    struct keyed *all = pawl_xcalloc(cases->n ? cases->n : 1, sizeof *all);
    for (size_t i = 0; i < cases->n; i++)
        all[i] = (struct keyed){key(&cases->items[i]), &cases->items[i]};
    qsort(all, cases->n, sizeof *all, compare_keyed);
    return all;
}

static struct pawl_hash id_key(const struct pawl_case *item)
{
    return pawl_hash_str(pawl_str_of(item->id));
}

static struct pawl_hash input_key(const struct pawl_case *item)
{
    return pawl_hash_json(item->input);
}

/* "lines 3 and 7", or names where there are no lines. */
static const char *both_places(const struct pawl_case *a, const struct pawl_case *b, char *out,
                               size_t room)
{
    if (a->line && b->line)
        snprintf(out, room, "lines %d and %d", a->line, b->line);
    else
        snprintf(out, room, "the cases \"%.100s\" and \"%.100s\"", a->id, b->id);
    return out;
}

enum pawl_status pawl_cases_check(const struct pawl_cases *cases, const char *path,
                                  struct pawl_error *err)
{
    const struct pawl_case_reader reader = {.path = path, .err = err};
    enum pawl_status status = PAWL_OK;
    char places[300];
    struct keyed *all = sorted_by(cases, id_key);
    for (size_t i = 1; i < cases->n && status == PAWL_OK; i++) {
        const struct pawl_case *a = all[i - 1].item, *b = all[i].item;
        if (!pawl_hash_eq(&all[i - 1].key, &all[i].key)) continue;
        status = pawl_case_refuse(&reader, b->line, "id", "Give each case an id of its own.",
                                  "The id \"%.100s\" is there twice: %s.", b->id,
                                  both_places(a, b, places, sizeof places));
    }
    free(all);
    if (status != PAWL_OK) return status;
    all = sorted_by(cases, input_key);
    for (size_t i = 1; i < cases->n && status == PAWL_OK; i++) {
        const struct pawl_case *a = all[i - 1].item, *b = all[i].item;
        if (!pawl_hash_eq(&all[i - 1].key, &all[i].key) || strcmp(a->cluster, b->cluster) == 0)
            continue;
        status = pawl_case_refuse(
            &reader, b->line, "input",
            "Give both the same \"cluster\", or drop one: else one may train what the other tests.",
            "The same input is there twice, in different clusters: %s.",
            both_places(a, b, places, sizeof places));
    }
    free(all);
    return status;
}

/* --- tiers ------------------------------------------------------------------------------------------------- */

const char *pawl_tier_name(enum pawl_tier tier)
{
    static const char *const names[PAWL_N_TIERS + 1] = {"train", "dev", "gate", "vault", "trap"};
    return names[tier];
}

/* A number in [0,1) that depends on key, purpose and cluster alone. */
static double place_of(const unsigned char key[32], const char *purpose, const char *cluster)
{
    unsigned char derived[32];
    pawl_key_derive(key, purpose, derived);
    struct pawl_hash hash = pawl_hash_keyed(derived, pawl_str_of(cluster));
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits = bits << 8 | hash.bytes[i];
    return (double)(bits >> 11) * 0x1p-53;
}

enum pawl_tier pawl_tier_of(const unsigned char key[32], const char *cluster,
                            const double shares[PAWL_N_TIERS])
{
    double place = place_of(key, "tier", cluster), sum = 0;
    int last = 0;
    for (int tier = 0; tier < PAWL_N_TIERS; tier++) {
        sum += shares[tier];
        if (shares[tier] > 0) last = tier;
        if (place < sum) return (enum pawl_tier)tier;
    }
    return (enum pawl_tier)last; /* shares that miss 1 by rounding */
}

bool pawl_tier_is_check(const unsigned char key[32], const char *cluster)
{
    return place_of(key, "dev-check", cluster) < 1.0 / 3;
}
