/*
 * textgrad_rules.h - what a rewritten text must keep to, and whether it does.
 *
 * A rule is said to the model that writes and checked on what it wrote. Most are checked by
 * arithmetic; one in free words ("Names no product.") can only be judged by a model, which is the
 * caller's to ask. As the user writes them:
 *
 *     constraints: [{max_words: 120}, {contains: "Answer yes or no."}, {lacks: "JSON"},
 *                   {copies_at_most: 8}, "Is written in English."]
 *
 * copies_at_most: so many words in a row may be those of a train case, and no more; a text that
 * repeats its examples has learned them, not the task.
 *
 * Invariant: a rule that nobody could check does not hold.
 *
 *     PAWL_TRY(pawl_textgrad_rules_read(options->constraints, arena, &rules, err));
 *     if (!pawl_textgrad_rule_holds(&rules.items[i], text, seen)) ... rules.items[i].says
 */
#ifndef PAWL_OPERATORS_TEXTGRAD_RULES_H
#define PAWL_OPERATORS_TEXTGRAD_RULES_H

#include "base/arena.h"
#include "base/json.h"

enum pawl_textgrad_rule_kind {
    PAWL_RULE_MAX_BYTES,
    PAWL_RULE_MAX_WORDS,
    PAWL_RULE_MIN_WORDS,
    PAWL_RULE_CONTAINS,
    PAWL_RULE_LACKS,
    PAWL_RULE_COPIES,
    PAWL_RULE_JUDGED,
};
struct pawl_textgrad_rule {
    enum pawl_textgrad_rule_kind kind;
    size_t limit;         /* bytes or words */
    struct pawl_str text; /* of contains and lacks */
    struct pawl_str says; /* the rule as a sentence */
};
struct pawl_textgrad_rules {
    struct pawl_textgrad_rule *items; /* [n] */
    size_t n;
};
enum { PAWL_TEXTGRAD_RULES_MAX = 64 };

/*
 * Takes   given: a list as above; NULL or null: none; a text: one rule in words, or the list as JSON.
 *         max_bytes: a rule that always holds beside them.
 * Fails   PAWL_ECONFIG, field "constraints", with what was not understood.
 */
PAWL_MUST_CHECK enum pawl_status pawl_textgrad_rules_read(const json_t *given, size_t max_bytes,
                                                          struct pawl_arena *arena,
                                                          struct pawl_textgrad_rules *rules,
                                                          struct pawl_error *err);
/* By arithmetic. seen: train cases, for copies. A judged rule is a bug here. */
bool pawl_textgrad_rule_holds(const struct pawl_textgrad_rule *rule, struct pawl_str text,
                              const struct pawl_str *seen, size_t n_seen);
/* The longest run of words that both texts have; stops counting at `enough`. */
size_t pawl_textgrad_copied_words(struct pawl_str text, struct pawl_str from, size_t enough);

#endif
