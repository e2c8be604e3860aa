/*
 * llama_lookup.h - what an answer that copies will say next, looked up in what was said before.
 *
 * An edit, an extraction or a list repeats pieces of its prompt, or of itself. The longest end of the
 * text that stood in it before is found, and what followed it there is the guess (prompt lookup: Saxena
 * 2023, the n-gram drafts of Yang et al., "Inference with Reference", 2023). It costs one walk over the text,
 * some millionths of what a token costs, and is right or wrong without consequence: the engine lets the
 * model check every guessed token before it counts.
 *
 * Invariants
 *   1. A guess depends on the text alone.
 *   2. It follows an earlier place that agrees with the end in at least PAWL_LLAMA_MATCH_MIN tokens: the
 *      one that agrees in the most, up to PAWL_LLAMA_MATCH_MAX, and of those the latest.
 *   3. How far a guess goes is twice what of the last one was right, within 2 and
 *      PAWL_LLAMA_GUESS_MAX: a copy is soon guessed in long runs, a chance likeness costs little.
 *
 *     pawl_llama_lookup_begin(&lookup, prompt, n_prompt);
 *     pawl_llama_lookup_add(&lookup, token);                  each token of the answer
 *     size_t n = pawl_llama_lookup_guess(&lookup, room);      lookup.guess[0..n) may come next
 *     pawl_llama_lookup_settle(&lookup, n_right);             the first n_right of them did
 */
#ifndef PAWL_LM_LLAMA_LOOKUP_H
#define PAWL_LM_LLAMA_LOOKUP_H

#include <llama.h>
#include <stddef.h>

enum { PAWL_LLAMA_MATCH_MIN = 3, PAWL_LLAMA_MATCH_MAX = 16, PAWL_LLAMA_GUESS_MAX = 16 };

/* What follows text[0..n), by its longest end that stood in it before. Gives how many of guess[0..room)
 * were filled: all, or none. A guess that reaches the end of the text goes on with itself. */
size_t pawl_llama_lookup_find(const llama_token *text, size_t n, llama_token *guess, size_t room);

/* One answer's. Starts as {0}; may be begun again for another answer. */
struct pawl_llama_lookup {
    llama_token *text; /* the prompt and the answer so far */
    size_t n_text, room_text;
    size_t reach; /* how many tokens to guess next time */
    llama_token guess[PAWL_LLAMA_GUESS_MAX];
    size_t n_guess;
};
void pawl_llama_lookup_begin(struct pawl_llama_lookup *lookup, const llama_token *prompt,
                             size_t n_prompt);
void pawl_llama_lookup_add(struct pawl_llama_lookup *lookup, llama_token token);
size_t pawl_llama_lookup_guess(struct pawl_llama_lookup *lookup, size_t room);
void pawl_llama_lookup_settle(struct pawl_llama_lookup *lookup, size_t n_right);
void pawl_llama_lookup_release(struct pawl_llama_lookup *lookup);

#endif
