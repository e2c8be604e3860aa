#include "operators/textgrad_rules.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* --- reading ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum pawl_textgrad_rule_kind kind;
    bool takes_text;
    const char *says; /* %s: the text or the number */
} forms[] = {
    {"max_bytes", PAWL_RULE_MAX_BYTES, false, "It is at most %s bytes long."},
    {"max_words", PAWL_RULE_MAX_WORDS, false, "It has at most %s words."},
    {"min_words", PAWL_RULE_MIN_WORDS, false, "It has at least %s words."},
    {"contains", PAWL_RULE_CONTAINS, true, "It contains, letter for letter: %s"},
    {"lacks", PAWL_RULE_LACKS, true, "It does not contain: %s"},
    {"copies_at_most", PAWL_RULE_COPIES, false,
     "It repeats no more than %s words in a row of any example."},
};
enum { N_FORMS = sizeof forms / sizeof *forms };

static enum pawl_status fail_rule(size_t i, const char *why, struct pawl_error *err)
{
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "constraints", "Constraint %zu %s.", i + 1, why);
    pawl_hint(err, "Write a sentence, or one of {max_bytes: N}, {max_words: N}, {min_words: N}, "
                   "{contains: TEXT}, {lacks: TEXT}, {copies_at_most: N}.");
    return PAWL_ECONFIG;
}

static enum pawl_status read_form(const json_t *item, size_t i, struct pawl_arena *arena,
                                  struct pawl_textgrad_rule *rule, struct pawl_error *err)
{
    const char *name = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)item));
    size_t f = 0;
    while (f < N_FORMS && (name == NULL || strcmp(forms[f].name, name) != 0)) f++;
    if (f == N_FORMS || json_object_size(item) != 1) return fail_rule(i, "is not known", err);
    struct pawl_str text = pawl_json_get_str(item, name);
    int64_t limit = pawl_json_get_int(item, name, -1);
    if (forms[f].takes_text && text.len == 0) return fail_rule(i, "needs a text", err);
    if (!forms[f].takes_text && limit < 0) return fail_rule(i, "needs a number from 0 on", err);
    if (!forms[f].takes_text) text = pawl_str_of(pawl_arena_printf(arena, "%" PRId64, limit));
    text = pawl_arena_copy(arena, text);
    *rule = (struct pawl_textgrad_rule){
        .kind = forms[f].kind, .limit = limit < 0 ? 0 : (size_t)limit, .text = text};
    const char *gap = strstr(forms[f].says, "%s");
    rule->says =
        pawl_str_of(pawl_arena_printf(arena, "%.*s" PAWL_STR_FMT "%s", (int)(gap - forms[f].says),
                                      forms[f].says, PAWL_STR_ARG(text), gap + 2));
    return PAWL_OK;
}

static enum pawl_status read_rule(const json_t *item, size_t i, struct pawl_arena *arena,
                                  struct pawl_textgrad_rule *rule, struct pawl_error *err)
{
    if (json_is_object(item)) return read_form(item, i, arena, rule, err);
    struct pawl_str says =
        pawl_str_trim((struct pawl_str){json_string_value(item), json_string_length(item)});
    if (says.len == 0) return fail_rule(i, "is neither a sentence nor a rule", err);
    *rule =
        (struct pawl_textgrad_rule){.kind = PAWL_RULE_JUDGED, .says = pawl_arena_copy(arena, says)};
    return PAWL_OK;
}

/* From the command line everything is a text: a list in JSON, or one rule in words. New reference. */
static enum pawl_status list_of(const json_t *given, json_t **list, struct pawl_error *err)
{
    struct pawl_str text = {json_string_value(given), json_string_length(given)};
    *list = NULL;
    if (given == NULL || json_is_null(given)) return PAWL_OK;
    if (json_is_array(given)) {
        *list = json_incref((json_t *)(uintptr_t)given);
        return PAWL_OK;
    }
    if (json_is_string(given) && !pawl_str_starts(pawl_str_trim(text), "[")) {
        *list = json_pack("[o]", pawl_json_string(text));
        return PAWL_OK;
    }
    enum pawl_status status = PAWL_ECONFIG;
    if (json_is_string(given)) status = pawl_json_parse(text, 1 << 20, list, NULL);
    if (status == PAWL_OK) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "constraints", "constraints is no list.");
    pawl_hint(err, "Write [{max_words: 120}, \"Is written in English.\"].");
    return PAWL_ECONFIG;
}

enum pawl_status pawl_textgrad_rules_read(const json_t *given, size_t max_bytes,
                                          struct pawl_arena *arena,
                                          struct pawl_textgrad_rules *rules, struct pawl_error *err)
{
    json_t *list, *always = json_pack("{s:I}", "max_bytes", (json_int_t)max_bytes);
    enum pawl_status status = list_of(given, &list, err);
    size_t n = json_array_size(list);
    if (status == PAWL_OK && n > PAWL_TEXTGRAD_RULES_MAX)
        status = fail_rule(PAWL_TEXTGRAD_RULES_MAX, "is one too many", err);
    if (status == PAWL_OK) {
        *rules = (struct pawl_textgrad_rules){
            .items = PAWL_NEW_N(arena, struct pawl_textgrad_rule, n + 1)};
        status = read_form(always, 0, arena, &rules->items[rules->n++], err);
    }
    for (size_t i = 0; status == PAWL_OK && i < n; i++)
        status = read_rule(json_array_get(list, i), i, arena, &rules->items[rules->n++], err);
    json_decref(list);
    json_decref(always);
    return status;
}

/* --- checking --------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return isspace((unsigned char)c) != 0;
}

/* The next word of *rest, without the punctuation around it; false when there is none. */
static bool next_word(struct pawl_str *rest, struct pawl_str *word)
{
    const char *at = rest->ptr, *end = rest->ptr + rest->len;
    while (at < end && is_space(*at)) at++;
    const char *start = at;
    while (at < end && !is_space(*at)) at++;
    *rest = (struct pawl_str){at, (size_t)(end - at)};
    *word = (struct pawl_str){start, (size_t)(at - start)};
    return word->len > 0;
}

static size_t count_words(struct pawl_str text)
{
    struct pawl_str word;
    size_t n = 0;
    while (next_word(&text, &word)) n++;
    return n;
}

static bool is_same_word(struct pawl_str a, struct pawl_str b)
{
    while (a.len > 0 && ispunct((unsigned char)a.ptr[a.len - 1])) a.len--;
    while (b.len > 0 && ispunct((unsigned char)b.ptr[b.len - 1])) b.len--;
    while (a.len > 0 && ispunct((unsigned char)*a.ptr)) a.ptr++, a.len--;
    while (b.len > 0 && ispunct((unsigned char)*b.ptr)) b.ptr++, b.len--;
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

/* How many words the two texts have in common from their beginnings on. */
static size_t common_start(struct pawl_str a, struct pawl_str b, size_t enough)
{
    struct pawl_str x, y;
    size_t n = 0;
    while (n < enough && next_word(&a, &x) && next_word(&b, &y) && is_same_word(x, y)) n++;
    return n;
}

size_t pawl_textgrad_copied_words(struct pawl_str text, struct pawl_str from, size_t enough)
{
    size_t longest = 0;
    struct pawl_str word;
    for (; longest < enough && text.len > 0; next_word(&text, &word)) {
        struct pawl_str other = from;
        for (; longest < enough && other.len > 0; next_word(&other, &word)) {
            size_t n = common_start(text, other, enough);
            if (n > longest) longest = n;
        }
    }
    return longest;
}

static bool copies_too_much(const struct pawl_textgrad_rule *rule, struct pawl_str text,
                            const struct pawl_str *seen, size_t n_seen)
{
    for (size_t i = 0; i < n_seen; i++) {
        if (pawl_textgrad_copied_words(text, seen[i], rule->limit + 1) > rule->limit) return true;
    }
    return false;
}

static bool has(struct pawl_str text, struct pawl_str part)
{
    return memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

bool pawl_textgrad_rule_holds(const struct pawl_textgrad_rule *rule, struct pawl_str text,
                              const struct pawl_str *seen, size_t n_seen)
{
    switch (rule->kind) {
    case PAWL_RULE_MAX_BYTES:
        return text.len <= rule->limit;
    case PAWL_RULE_MAX_WORDS:
        return count_words(text) <= rule->limit;
    case PAWL_RULE_MIN_WORDS:
        return count_words(text) >= rule->limit;
    case PAWL_RULE_CONTAINS:
        return has(text, rule->text);
    case PAWL_RULE_LACKS:
        return !has(text, rule->text);
    case PAWL_RULE_COPIES:
        return !copies_too_much(rule, text, seen, n_seen);
    case PAWL_RULE_JUDGED:
        break;
    }
    PAWL_BUG("a rule that only a model can judge was asked of arithmetic");
}
