/*
 * llama_child.h - work that libllama may not survive, done in a forked child.
 *
 * libllama aborts on files that lie, and dies of SIGILL where the machine lies about its instructions.
 * So what is dangerous is done in a child, which answers with a few bytes, refuses with a reason, or
 * dies; nothing of it touches this process.
 *
 *     static void look(const void *task, void *answer) { ... pawl_llama_child_refuse("why", ""); }
 *     PAWL_TRY(pawl_llama_child_run(&(struct pawl_llama_child){
 *         .work = look, .task = &task, .answer = &found, .answer_bytes = sizeof found,
 *         .model = path}, err));
 */
#ifndef PAWL_LM_LLAMA_CHILD_H
#define PAWL_LM_LLAMA_CHILD_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { PAWL_LLAMA_CHILD_ANSWER_MAX = 2048 };

struct pawl_llama_child {
    void (*work)(const void *task, void *answer); /* fills the answer, or refuses */
    const void *task;
    void *answer; /* unchanged unless PAWL_OK */
    size_t answer_bytes;
    const char *model; /* named in the error */
};
/* Fails PAWL_ECONFIG with the reason, or how the child died; PAWL_EWORLD when there is no child.
 * Blocks, at most ten minutes. */
PAWL_MUST_CHECK enum pawl_status pawl_llama_child_run(const struct pawl_llama_child *child,
                                                      struct pawl_error *err);
/* In the child: the model cannot be used, "what: detail". */
_Noreturn void pawl_llama_child_refuse(const char *what, const char *detail);
/* Is this such a child? */
bool pawl_llama_is_child(void);

#endif
