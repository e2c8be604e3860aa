/*
 * questions.h - a metric's questions on their way to the role judge, and its replies on their way back.
 *
 * A reply is one of the choices or nothing: of what a model says in other words, the one choice that
 * stands in it as a word counts, and where two do or none does there is no reply. So a text that talks
 * the judge into saying more than its grade gains nothing.
 *
 * Invariant: what the world kept from being answered is `missing`, never a reply; no text of the
 * judge's leaves this file.
 *
 *     size_t n = pawl_metric_questions(metric, arena, &call, questions);
 *     PAWL_TRY(pawl_questions_ask(lm, arena, questions, n, replies, &usage, &missing, err));
 *     call.replies = replies;
 */
#ifndef PAWL_EVALUATE_QUESTIONS_H
#define PAWL_EVALUATE_QUESTIONS_H

#include "evaluate/metric.h"
#include "lm/lm.h"

/* Ask them all, any number, as one batch. `usage` is added to. Fails and blocks as pawl_lm_ask. */
PAWL_MUST_CHECK enum pawl_status pawl_questions_ask(struct pawl_lm *lm, struct pawl_arena *arena,
                                                    const struct pawl_metric_question *questions,
                                                    size_t n, struct pawl_metric_reply *replies,
                                                    struct pawl_usage *usage, bool *missing,
                                                    struct pawl_error *err);

/* To another process: [{"system","user","choices":[...]}...], new reference; and there, in the arena: false
 * when it is no such list or has more than PAWL_METRIC_QUESTIONS_MAX. */
json_t *pawl_questions_json(const struct pawl_metric_question *questions, size_t n);
bool pawl_questions_read(const json_t *list, struct pawl_arena *arena,
                         struct pawl_metric_question questions[PAWL_METRIC_QUESTIONS_MAX],
                         size_t *n);
/* And back: [choice|null...], new reference; false when it is no such list of n. */
json_t *pawl_replies_json(const struct pawl_metric_reply *replies, size_t n);
bool pawl_replies_read(const json_t *list, size_t n, struct pawl_arena *arena,
                       struct pawl_metric_reply replies[PAWL_METRIC_QUESTIONS_MAX]);

#endif
