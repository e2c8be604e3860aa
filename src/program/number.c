#include "program/number.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

double pawl_last_number(struct pawl_str text)
{
    double found = NAN;
    for (size_t i = 0; i < text.len;) {
        char digits[64], c = text.ptr[i];
        size_t n = 0, at = i;
        bool joined = i > 0 && (isalnum((unsigned char)text.ptr[i - 1]) || text.ptr[i - 1] == '_');
        bool fraction = c == '.' && i + 1 < text.len && isdigit((unsigned char)text.ptr[i + 1]);
        if (joined || (!isdigit((unsigned char)c) && !fraction)) {
            i++;
            continue;
        }
        bool after_word = i > 1 && isalnum((unsigned char)text.ptr[i - 2]);
        if (i > 0 && text.ptr[i - 1] == '-' && !after_word) digits[n++] = '-';
        for (; at < text.len && n < sizeof digits - 1; at++) {
            char now = text.ptr[at], next = at + 1 < text.len ? text.ptr[at + 1] : '\0';
            bool digit = isdigit((unsigned char)now), next_digit = isdigit((unsigned char)next);
            bool exponent = (now | 32) == 'e' && (next_digit || next == '-' || next == '+');
            bool sign = (now == '-' || now == '+') && at > i && (text.ptr[at - 1] | 32) == 'e';
            if (now == ',' && next_digit) continue;
            if (!digit && !exponent && !sign && !(now == '.' && next_digit)) break;
            digits[n++] = now;
        }
        digits[n] = '\0';
        found = strtod(digits, NULL);
        i = at > i ? at : i + 1;
    }
    return found;
}
