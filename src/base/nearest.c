#include "base/str.h"

#include <stdint.h>

enum { WORD_MAX = 64 };

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c == '-' ? '_' : c;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Edits (insert, delete, change, swap of neighbours) from a to b; case and -/_ do not count. */
static size_t distance(const char *a, size_t len_a, const char *b, size_t len_b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= len_b; j++) last[j] = j;
    for (size_t i = 1; i <= len_a; i++) {
        row[0] = i;
        for (size_t j = 1; j <= len_b; j++) {
            size_t change = lower(a[i - 1]) != lower(b[j - 1]);
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + change);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]) && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[len_b];
}

/* Near enough: at most one edit in three letters. */
const char *pawl_nearest_word(const char *word, const char *const *candidates, size_t n)
{
    const char *nearest = NULL;
    size_t len = strlen(word), least = SIZE_MAX;
    if (len > WORD_MAX) return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t candidate_len = strlen(candidates[i]);
        if (candidate_len > WORD_MAX) continue;
        size_t longer = len > candidate_len ? len : candidate_len;
        size_t edits = distance(word, len, candidates[i], candidate_len);
        if (edits < least && edits <= (longer + 1) / 3) {
            least = edits;
            nearest = candidates[i];
        }
    }
    return nearest;
}
