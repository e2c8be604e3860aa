#include "base/lua_pattern.h"

#include <ctype.h>
#include <stdio.h>

enum { SET_BYTES = 32 };
enum kind {
    /* one character, perhaps repeated */
    ITEM_LITERAL, /* x */
    ITEM_ANY,
    ITEM_SET, /* number */
    /* everything else matches in one way or not at all */
    ITEM_OPEN,     /* capture x */
    ITEM_POSITION, /* capture x */
    ITEM_CLOSE,    /* capture x */
    ITEM_SAME,     /* as capture x */
    ITEM_BALANCE,  /* from x to y */
    ITEM_FRONTIER, /* of set number */
    ITEM_END,      /* of the subject */
    ITEM_FAULT,    /* number: a fault */
    ITEM_DONE
};
enum repeat { ONCE, MAYBE, MANY, ONE_OR_MORE, FEW };
enum fault {
    FAULT_ESCAPE,
    FAULT_SET,
    FAULT_BALANCE,
    FAULT_FRONTIER,
    FAULT_CLOSE,
    FAULT_OPEN,
    FAULT_CAPTURES,
    FAULT_SAME
};
static const char *const faults[] = {
    "malformed pattern (ends with '%')",
    "malformed pattern (missing ']')",
    "malformed pattern (missing arguments to '%b')",
    "missing '[' after '%f' in pattern",
    "invalid pattern capture",
    "unfinished capture",
    "too many captures",
    "invalid capture index in pattern",
};

struct item {
    size_t least,
        reach; /* of a repetition under way: it may end from `least` on, ends at `reach` */
    uint32_t number;
    uint8_t kind, repeat, x, y;
};
struct pawl_pattern {
    struct item *items;
    unsigned char *sets; /* SET_BYTES each, a bit per character */
    uint32_t n_items, n_sets;
};

/* --- building --------------------------------------------------------------------------------- */

/* Each character begins at most one item, and two more end the row; only '[' and '%' begin a set. */
static size_t items_max(struct pawl_str text)
{
    return text.len + 2;
}

static size_t sets_max(struct pawl_str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) n += text.ptr[i] == '[' || text.ptr[i] == '%';
    return n;
}

size_t pawl_pattern_bytes(struct pawl_str text)
{
    return sizeof(struct pawl_pattern) + items_max(text) * sizeof(struct item) +
           sets_max(text) * SET_BYTES;
}

static bool in_set(const unsigned char *set, unsigned char c)
{
    return set[c / 8] >> c % 8 & 1;
}

static void add_range(unsigned char *set, unsigned first, unsigned last)
{
    for (unsigned c = first; c <= last; c++) set[c / 8] |= (unsigned char)(1u << c % 8);
}

static bool in_class(char letter, int c)
{
    switch (letter) {
    case 'a':
        return isalpha(c);
    case 'c':
        return iscntrl(c);
    case 'd':
        return isdigit(c);
    case 'g':
        return isgraph(c);
    case 'l':
        return islower(c);
    case 'p':
        return ispunct(c);
    case 's':
        return isspace(c);
    case 'u':
        return isupper(c);
    case 'w':
        return isalnum(c);
    default:
        return isxdigit(c);
    }
}

/* What %x stands for: a class, its complement, or the character itself. */
static void add_escaped(unsigned char *set, unsigned char escaped)
{
    char letter = (char)tolower(escaped);
    if (!escaped || !strchr("acdglpsuwx", letter)) {
        add_range(set, escaped, escaped);
        return;
    }
    for (int c = 0; c < 256; c++)
        if (in_class(letter, c) != (isupper(escaped) != 0))
            add_range(set, (unsigned)c, (unsigned)c);
}

/* Past the ']' that closes the set whose inside begins at `at`, or 0. The first character inside
 * closes nothing. */
static size_t set_end(struct pawl_str text, size_t at)
{
    if (at < text.len && text.ptr[at] == '^') at++;
    do {
        if (at >= text.len) return 0;
        if (text.ptr[at++] == '%' && at < text.len) at++;
    } while (at >= text.len || text.ptr[at] != ']');
    return at + 1;
}

/* text[at..close) is the inside of a set. */
static void fill_set(unsigned char *set, struct pawl_str text, size_t at, size_t close)
{
    const unsigned char *c = (const unsigned char *)text.ptr;
    bool negated = c[at] == '^';
    for (at += negated; at < close; at++) {
        if (c[at] == '%') {
            add_escaped(set, c[++at]);
        } else if (at + 2 < close && c[at + 1] == '-') {
            add_range(set, c[at], c[at + 2]);
            at += 2;
        } else {
            add_range(set, c[at], c[at]);
        }
    }
    for (int i = 0; negated && i < SET_BYTES; i++) set[i] = (unsigned char)~set[i];
}

static uint32_t new_set(struct pawl_pattern *pattern)
{
    memset(pattern->sets + (size_t)pattern->n_sets * SET_BYTES, 0, SET_BYTES);
    return pattern->n_sets++;
}

static unsigned char *set_of(const struct pawl_pattern *pattern, const struct item *item)
{
    return pattern->sets + (size_t)item->number * SET_BYTES;
}

/* The captures that were begun so far. */
struct captures {
    int n;
    bool open[PAWL_PATTERN_CAPTURES_MAX];
};

static int last_open(const struct captures *captures)
{
    int i = captures->n - 1;
    while (i >= 0 && !captures->open[i]) i--;
    return i;
}

static void fail_item(struct item *item, enum fault fault)
{
    item->kind = ITEM_FAULT;
    item->number = fault;
}

/* Each of the next functions reads one item at `at` and gives where the following one begins. */

static size_t read_open(struct pawl_str text, size_t at, struct captures *captures,
                        struct item *item)
{
    bool is_position = at + 1 < text.len && text.ptr[at + 1] == ')';
    if (captures->n == PAWL_PATTERN_CAPTURES_MAX) {
        fail_item(item, FAULT_CAPTURES);
        return text.len;
    }
    item->kind = is_position ? ITEM_POSITION : ITEM_OPEN;
    item->x = (uint8_t)captures->n;
    captures->open[captures->n++] = !is_position;
    return at + 1 + is_position;
}

static size_t read_close(size_t at, struct captures *captures, struct item *item)
{
    int closed = last_open(captures);
    item->kind = ITEM_CLOSE;
    if (closed < 0) {
        fail_item(item, FAULT_CLOSE);
    } else {
        item->x = (uint8_t)closed;
        captures->open[closed] = false;
    }
    return at + 1;
}

static size_t read_set(struct pawl_pattern *pattern, struct pawl_str text, size_t at,
                       struct item *item)
{
    size_t end = set_end(text, at + 1);
    if (end == 0) {
        fail_item(item, FAULT_SET);
        return text.len;
    }
    item->number = new_set(pattern);
    fill_set(set_of(pattern, item), text, at + 1, end - 1);
    return end;
}

/* %b, %f and %1 to %9; 0 when it is none of them. */
static size_t read_special(struct pawl_pattern *pattern, struct pawl_str text, size_t at,
                           const struct captures *captures, struct item *item)
{
    char what = at + 1 < text.len ? text.ptr[at + 1] : '\0';
    if (what == 'b') {
        item->kind = ITEM_BALANCE;
        if (at + 3 >= text.len) {
            fail_item(item, FAULT_BALANCE);
            return text.len;
        }
        item->x = (uint8_t)text.ptr[at + 2];
        item->y = (uint8_t)text.ptr[at + 3];
        return at + 4;
    }
    if (what == 'f') {
        item->kind = ITEM_FRONTIER;
        if (at + 2 < text.len && text.ptr[at + 2] == '[')
            return read_set(pattern, text, at + 2, item);
        fail_item(item, FAULT_FRONTIER);
        return text.len;
    }
    if (what < '0' || what > '9') return 0;
    int number = what - '1';
    item->kind = ITEM_SAME;
    item->x = (uint8_t)number;
    if (number < 0 || number >= captures->n || captures->open[number]) fail_item(item, FAULT_SAME);
    return at + 2;
}

/* One character or class, and how often. */
static size_t read_single(struct pawl_pattern *pattern, struct pawl_str text, size_t at,
                          struct item *item)
{
    char c = text.ptr[at];
    item->kind = c == '.' ? ITEM_ANY : ITEM_LITERAL;
    item->x = (uint8_t)c;
    if (c == '[') {
        item->kind = ITEM_SET;
        at = read_set(pattern, text, at, item);
    } else if (c == '%' && at + 1 == text.len) {
        fail_item(item, FAULT_ESCAPE);
        return text.len;
    } else if (c == '%') {
        item->kind = ITEM_SET;
        item->number = new_set(pattern);
        add_escaped(set_of(pattern, item), (unsigned char)text.ptr[at + 1]);
        at += 2;
    } else {
        at++;
    }
    static const char signs[] = "?*+-";
    const char *sign = at < text.len && text.ptr[at] ? strchr(signs, text.ptr[at]) : NULL;
    if (!sign || item->kind == ITEM_FAULT) return at;
    item->repeat = (uint8_t)(MAYBE + (sign - signs));
    return at + 1;
}

static size_t read_item(struct pawl_pattern *pattern, struct pawl_str text, size_t at,
                        struct captures *captures, struct item *item)
{
    size_t end = 0;
    switch (text.ptr[at]) {
    case '(':
        return read_open(text, at, captures, item);
    case ')':
        return read_close(at, captures, item);
    case '$':
        item->kind = ITEM_END;
        if (at + 1 == text.len) return text.len;
        break;
    case '%':
        end = read_special(pattern, text, at, captures, item);
        break;
    default:
        break;
    }
    return end > 0 ? end : read_single(pattern, text, at, item);
}

struct pawl_pattern *pawl_pattern_init(void *memory, struct pawl_str text)
{
    struct pawl_pattern *pattern = memory;
    struct captures captures = {0};
    *pattern = (struct pawl_pattern){.items = (struct item *)(pattern + 1)};
    pattern->sets = (unsigned char *)(pattern->items + items_max(text));
    for (size_t at = 0; at < text.len;) {
        struct item *item = &pattern->items[pattern->n_items++];
        *item = (struct item){0};
        at = read_item(pattern, text, at, &captures, item);
        if (item->kind == ITEM_FAULT) return pattern; /* nothing gets past it */
    }
    struct item *last = &pattern->items[pattern->n_items++];
    *last = (struct item){.kind = ITEM_DONE, .x = (uint8_t)captures.n};
    if (last_open(&captures) >= 0) fail_item(last, FAULT_OPEN);
    return pattern;
}

/* --- matching --------------------------------------------------------------------------------- */

static bool fits_one(const struct pawl_pattern *pattern, const struct item *item,
                     struct pawl_str subject, size_t at)
{
    if (at >= subject.len) return false;
    unsigned char c = (unsigned char)subject.ptr[at];
    if (item->kind == ITEM_LITERAL) return c == item->x;
    return item->kind == ITEM_ANY || in_set(set_of(pattern, item), c);
}

static bool enter_single(const struct pawl_pattern *pattern, struct item *item,
                         struct pawl_match *match, size_t at)
{
    bool one = fits_one(pattern, item, match->subject, at);
    item->least = item->reach = at;
    if (item->repeat == FEW) return true;
    if (one) item->reach++;
    if (item->repeat == ONCE || item->repeat == ONE_OR_MORE) {
        item->least = at + 1;
        if (!one) return false;
    }
    if (item->repeat == MANY || item->repeat == ONE_OR_MORE)
        while (one && fits_one(pattern, item, match->subject, item->reach)) item->reach++;
    match->steps_left -= (int64_t)(item->reach - at);
    return true;
}

/* Another length for a repetition that was already entered. */
static bool retry_single(const struct pawl_pattern *pattern, struct item *item,
                         struct pawl_match *match)
{
    if (item->repeat == FEW) {
        if (!fits_one(pattern, item, match->subject, item->reach)) return false;
        item->reach++;
        return true;
    }
    if (item->reach <= item->least) return false;
    item->reach--;
    return true;
}

static bool enter_same(struct item *item, struct pawl_match *match, size_t at)
{
    const struct pawl_capture *capture = &match->captures[item->x];
    size_t len = capture->end - capture->start;
    if (capture->is_position || match->subject.len - at < len) return false;
    match->steps_left -= (int64_t)(len / 8);
    item->reach = at + len;
    return len == 0 ||
           memcmp(match->subject.ptr + capture->start, match->subject.ptr + at, len) == 0;
}

static bool enter_balance(struct item *item, struct pawl_match *match, size_t at)
{
    struct pawl_str subject = match->subject;
    size_t depth = 1, i = at + 1;
    if (at >= subject.len || (unsigned char)subject.ptr[at] != item->x) return false;
    for (; i < subject.len && depth > 0; i++) {
        unsigned char c = (unsigned char)subject.ptr[i];
        if (c == item->y)
            depth--;
        else if (c == item->x)
            depth++;
    }
    match->steps_left -= (int64_t)(i - at);
    item->reach = i;
    return depth == 0;
}

static bool enter_frontier(const struct pawl_pattern *pattern, const struct item *item,
                           const struct pawl_match *match, size_t at)
{
    const unsigned char *c = (const unsigned char *)match->subject.ptr;
    const unsigned char *set = set_of(pattern, item);
    return !in_set(set, at > 0 ? c[at - 1] : 0) && in_set(set, at < match->subject.len ? c[at] : 0);
}

/* Enter an item at `at`; item->reach is then where the next one begins. */
static bool enter(const struct pawl_pattern *pattern, struct item *item, struct pawl_match *match,
                  size_t at)
{
    struct pawl_capture *capture = &match->captures[item->x % PAWL_PATTERN_CAPTURES_MAX];
    item->reach = at;
    switch ((enum kind)item->kind) {
    case ITEM_LITERAL:
    case ITEM_ANY:
    case ITEM_SET:
        return enter_single(pattern, item, match, at);
    case ITEM_OPEN:
    case ITEM_POSITION:
        *capture = (struct pawl_capture){at, at, item->kind == ITEM_POSITION};
        return true;
    case ITEM_CLOSE:
        capture->end = at;
        return true;
    case ITEM_SAME:
        return enter_same(item, match, at);
    case ITEM_BALANCE:
        return enter_balance(item, match, at);
    case ITEM_FRONTIER:
        return enter_frontier(pattern, item, match, at);
    case ITEM_END:
        return at == match->subject.len;
    case ITEM_FAULT:
    case ITEM_DONE:
        break;
    }
    PAWL_BUG("the end of a pattern is not entered");
}

/* Back from item i, which failed: to the last one before it that could be taken otherwise. Gives its
 * number, or -1. */
static int64_t go_back(struct pawl_pattern *pattern, struct pawl_match *match, int64_t i)
{
    while (--i >= 0) {
        struct item *item = &pattern->items[i];
        match->steps_left--;
        if (item->kind <= ITEM_SET && item->repeat != ONCE && retry_single(pattern, item, match))
            return i;
    }
    return -1;
}

enum pawl_matched pawl_pattern_match(struct pawl_pattern *pattern, struct pawl_match *match,
                                     size_t start)
{
    int64_t i = 0;
    size_t at = start;
    for (;;) {
        struct item *item = &pattern->items[i];
        if (--match->steps_left < 0) return PAWL_MATCH_OUT_OF_STEPS;
        if (item->kind == ITEM_DONE) break;
        if (item->kind == ITEM_FAULT) {
            snprintf(match->fault, sizeof match->fault, "%s", faults[item->number]);
            return PAWL_MATCH_FAULT;
        }
        if (!enter(pattern, item, match, at)) i = go_back(pattern, match, i);
        if (i < 0) return PAWL_MATCH_NONE;
        at = pattern->items[i++].reach;
    }
    match->end = at;
    match->n_captures = pattern->items[i].x;
    return PAWL_MATCH_FOUND;
}
