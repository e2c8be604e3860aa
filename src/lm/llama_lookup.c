#include "lm/llama_lookup.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_REACH = 4, LEAST_REACH = 2, SPARE = 256 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* In how many last tokens text[0..end) agrees with text[0..n), up to the most that counts. */
static size_t agreement(const llama_token *text, size_t end, size_t n)
{
    size_t most = smaller(end, PAWL_LLAMA_MATCH_MAX), length = 0;
    while (length < most && text[end - 1 - length] == text[n - 1 - length]) length++;
    return length;
}

size_t pawl_llama_lookup_find(const llama_token *text, size_t n, llama_token *guess, size_t room)
{
    size_t longest = PAWL_LLAMA_MATCH_MIN - 1, from = 0;
    for (size_t end = n; end-- > PAWL_LLAMA_MATCH_MIN && longest < PAWL_LLAMA_MATCH_MAX;) {
        size_t length = agreement(text, end, n);
        if (length <= longest) continue;
        longest = length;
        from = end;
    }
    if (from == 0) return 0;
    for (size_t i = 0; i < room; i++)
        guess[i] = from + i < n ? text[from + i] : guess[from + i - n];
    return room;
}

/* ---- One answer --------------------------------------------------------------------------------- */

static void make_room(struct pawl_llama_lookup *lookup, size_t n_more)
{
    if (lookup->n_text + n_more <= lookup->room_text) return;
    lookup->room_text = 2 * (lookup->n_text + n_more) + SPARE;
    lookup->text = pawl_xrealloc(lookup->text, lookup->room_text * sizeof *lookup->text);
}

void pawl_llama_lookup_begin(struct pawl_llama_lookup *lookup, const llama_token *prompt,
                             size_t n_prompt)
{
    lookup->n_text = 0;
    make_room(lookup, n_prompt);
    memcpy(lookup->text, prompt, n_prompt * sizeof *prompt);
    lookup->n_text = n_prompt;
    lookup->n_guess = 0;
    lookup->reach = FIRST_REACH;
}

void pawl_llama_lookup_add(struct pawl_llama_lookup *lookup, llama_token token)
{
    make_room(lookup, 1);
    lookup->text[lookup->n_text++] = token;
}

size_t pawl_llama_lookup_guess(struct pawl_llama_lookup *lookup, size_t room)
{
    lookup->n_guess = pawl_llama_lookup_find(lookup->text, lookup->n_text, lookup->guess,
                                             smaller(room, lookup->reach));
    return lookup->n_guess;
}

void pawl_llama_lookup_settle(struct pawl_llama_lookup *lookup, size_t n_right)
{
    size_t reach = smaller(2 * n_right, PAWL_LLAMA_GUESS_MAX);
    lookup->reach = reach < LEAST_REACH ? LEAST_REACH : reach;
}

void pawl_llama_lookup_release(struct pawl_llama_lookup *lookup)
{
    free(lookup->text);
    *lookup = (struct pawl_llama_lookup){0};
}
