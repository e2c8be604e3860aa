/*
 * string.find, match, gmatch and gsub over our own matcher (lua_pattern.h), so that matching is counted
 * like everything else a script does: four steps are one instruction.
 */
#include "base/lua_pattern.h"
#include "base/lua_private.h"

enum { STEPS_PER_INSTRUCTION = 4, SMALL_BYTES = 2048 };

/* A subject and the pattern it is searched for. */
struct search {
    lua_State *L;
    struct pawl_pattern *pattern;
    struct pawl_match match;
};

static struct pawl_str check_str(lua_State *L, int index)
{
    struct pawl_str text;
    text.ptr = luaL_checklstring(L, index, &text.len);
    return text;
}

static void push_range(lua_State *L, const struct pawl_match *match, size_t start, size_t end)
{
    lua_pushlstring(L, match->subject.ptr + start, end - start);
}

/* `memory` is for pawl_pattern_bytes(pattern). */
static void begin_search(struct search *search, lua_State *L, struct pawl_str subject,
                         struct pawl_str pattern, void *memory)
{
    search->L = L;
    search->pattern = pawl_pattern_init(memory, pattern);
    search->match.subject = subject;
    pawl_lua_spend(L, pattern.len / STEPS_PER_INSTRUCTION);
}

/* Match at `at`; raises what is wrong with the pattern, and when the call is out of instructions. */
static bool match_at(lua_State *L, struct pawl_pattern *pattern, struct pawl_match *match,
                     size_t at)
{
    int64_t steps = pawl_lua_self(L)->instructions_left * STEPS_PER_INSTRUCTION;
    match->steps_left = steps;
    enum pawl_matched found = pawl_pattern_match(pattern, match, at);
    int64_t spent = steps - match->steps_left;
    pawl_lua_spend(L, (size_t)(spent > 0 ? spent : 0) / STEPS_PER_INSTRUCTION);
    if (found == PAWL_MATCH_FAULT) luaL_error(L, "%s", match->fault);
    return found == PAWL_MATCH_FOUND;
}

/* The first match from *start on, which moves to where it begins. */
static bool search_from(struct search *search, size_t *start, bool anchored)
{
    for (; *start <= search->match.subject.len; ++*start) {
        if (match_at(search->L, search->pattern, &search->match, *start)) return true;
        if (anchored) break;
    }
    return false;
}

/* --- captures --------------------------------------------------------------------------------- */

/* Capture `number` from 0; without captures, 0 is the whole match. */
static void push_capture(lua_State *L, const struct pawl_match *match, size_t start, int number)
{
    if (number >= match->n_captures) {
        if (number > 0) luaL_error(L, "invalid capture index %%%d", number + 1);
        push_range(L, match, start, match->end);
        return;
    }
    const struct pawl_capture *capture = &match->captures[number];
    if (capture->is_position)
        lua_pushinteger(L, (lua_Integer)capture->start + 1);
    else
        push_range(L, match, capture->start, capture->end);
}

/* All captures, or the whole match where the pattern has none. Gives how many it pushed. */
static int push_captures(lua_State *L, const struct pawl_match *match, size_t start)
{
    int n = match->n_captures > 0 ? match->n_captures : 1;
    luaL_checkstack(L, n, "too many captures");
    for (int i = 0; i < n; i++) push_capture(L, match, start, i);
    return n;
}

/* --- find and match --------------------------------------------------------------------------- */

/* The offset that an optional position argument names: from 1, or from the end if negative. */
static size_t offset_arg(lua_State *L, int index, size_t len)
{
    lua_Integer position = luaL_optinteger(L, index, 1);
    if (position > 0) return (size_t)position - 1;
    if (position == 0 || position < -(lua_Integer)len) return 0;
    return len - (size_t)(-position);
}

static bool is_plain(struct pawl_str pattern)
{
    for (size_t i = 0; i < pattern.len; i++)
        if (pattern.ptr[i] && strchr("^$*+?.([%-", pattern.ptr[i])) return false;
    return true;
}

static int find_plain(lua_State *L, struct pawl_str subject, struct pawl_str wanted, size_t start)
{
    pawl_lua_spend(L, (subject.len - start) / STEPS_PER_INSTRUCTION);
    const char *from = subject.ptr + start;
    const char *at =
        wanted.len == 0 ? from : memmem(from, subject.len - start, wanted.ptr, wanted.len);
    if (!at) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, at - subject.ptr + 1);
    lua_pushinteger(L, at - subject.ptr + (lua_Integer)wanted.len);
    return 2;
}

static int find_or_match(lua_State *L, bool find)
{
    struct pawl_str subject = check_str(L, 1), pattern = check_str(L, 2);
    size_t start = offset_arg(L, 3, subject.len);
    if (start > subject.len) {
        lua_pushnil(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || is_plain(pattern)))
        return find_plain(L, subject, pattern, start);
    bool anchored = pawl_str_starts(pattern, "^");
    pattern = (struct pawl_str){pattern.ptr + anchored, pattern.len - anchored};
    union {
        char bytes[SMALL_BYTES];
        max_align_t align;
    } small; /* a userdata for every call would keep the collector busy */
    size_t n_bytes = pawl_pattern_bytes(pattern);
    struct search search;
    begin_search(&search, L, subject, pattern,
                 n_bytes <= sizeof small ? small.bytes : lua_newuserdatauv(L, n_bytes, 0));
    if (!search_from(&search, &start, anchored)) {
        lua_pushnil(L);
        return 1;
    }
    if (!find) return push_captures(L, &search.match, start);
    lua_pushinteger(L, (lua_Integer)start + 1);
    lua_pushinteger(L, (lua_Integer)search.match.end);
    return 2 + (search.match.n_captures > 0 ? push_captures(L, &search.match, start) : 0);
}

static int lib_find(lua_State *L)
{
    return find_or_match(L, true);
}

static int lib_match(lua_State *L)
{
    return find_or_match(L, false);
}

/* --- gmatch ----------------------------------------------------------------------------------- */

/* Userdata of an iterator; the pattern follows it in memory. */
struct iteration {
    size_t next, last_end; /* last_end SIZE_MAX: no match yet */
    struct pawl_pattern *pattern;
};

/* Upvalues: the subject, the iteration. An empty match where the last one ended does not count. */
static int gmatch_step(lua_State *L)
{
    struct pawl_match match;
    struct iteration *it = lua_touserdata(L, lua_upvalueindex(2));
    match.subject.ptr = lua_tolstring(L, lua_upvalueindex(1), &match.subject.len);
    for (; it->next <= match.subject.len; it->next++) {
        if (!match_at(L, it->pattern, &match, it->next) || match.end == it->last_end) continue;
        size_t start = it->next;
        it->next = it->last_end = match.end;
        return push_captures(L, &match, start);
    }
    return 0;
}

static int lib_gmatch(lua_State *L)
{
    struct pawl_str subject = check_str(L, 1), pattern = check_str(L, 2);
    size_t start = offset_arg(L, 3, subject.len);
    lua_settop(L, 2);
    pawl_lua_spend(L, pattern.len / STEPS_PER_INSTRUCTION);
    struct iteration *it = lua_newuserdatauv(L, sizeof *it + pawl_pattern_bytes(pattern), 0);
    *it = (struct iteration){.next = start, .last_end = SIZE_MAX};
    it->pattern = pawl_pattern_init(it + 1, pattern); /* here ^ is a character like any other */
    lua_remove(L, 2);
    lua_pushcclosure(L, gmatch_step, 2);
    return 1;
}

/* --- gsub ------------------------------------------------------------------------------------- */

/* The replacement text with its %0 to %9 filled in. */
static void add_text(struct search *search, luaL_Buffer *out, size_t start)
{
    lua_State *L = search->L;
    struct pawl_str text;
    text.ptr = lua_tolstring(L, 3, &text.len);
    pawl_lua_spend(L, text.len / STEPS_PER_INSTRUCTION);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c != '%') {
            luaL_addchar(out, c);
            continue;
        }
        c = ++i < text.len ? text.ptr[i] : '\0';
        if (c == '%') {
            luaL_addchar(out, c);
        } else if (c == '0') {
            luaL_addlstring(out, search->match.subject.ptr + start, search->match.end - start);
        } else if (c >= '1' && c <= '9') {
            push_capture(L, &search->match, start, c - '1');
            luaL_tolstring(L, -1, NULL);
            lua_remove(L, -2);
            luaL_addvalue(out);
        } else {
            luaL_error(L, "invalid use of '%%' in replacement string");
        }
    }
}

/* What a table or a function gives for the match; false and nil keep it as it is. */
static void add_answer(struct search *search, luaL_Buffer *out, size_t start)
{
    lua_State *L = search->L;
    if (lua_istable(L, 3)) {
        push_capture(L, &search->match, start, 0);
        lua_gettable(L, 3);
    } else {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(L, &search->match, start), 1);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        push_range(L, &search->match, start, search->match.end);
    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
    luaL_addvalue(out);
}

static int lib_gsub(lua_State *L)
{
    struct pawl_str subject = check_str(L, 1), pattern = check_str(L, 2);
    int type = lua_type(L, 3);
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TTABLE ||
                         type == LUA_TFUNCTION,
                     3, "string/function/table");
    lua_Integer limit = luaL_optinteger(L, 4, (lua_Integer)subject.len + 1), n = 0;
    bool anchored = pawl_str_starts(pattern, "^");
    pattern = (struct pawl_str){pattern.ptr + anchored, pattern.len - anchored};
    lua_settop(L, 3);
    /* Not on the C stack: the replacement may be a function that calls gsub, and so on. */
    struct search *search = lua_newuserdatauv(L, sizeof *search + pawl_pattern_bytes(pattern), 0);
    begin_search(search, L, subject, pattern, search + 1);
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    size_t at = 0, last_end = SIZE_MAX;
    while (n < limit) {
        if (match_at(L, search->pattern, &search->match, at) && search->match.end != last_end) {
            n++;
            if (type == LUA_TTABLE || type == LUA_TFUNCTION)
                add_answer(search, &out, at);
            else
                add_text(search, &out, at);
            at = last_end = search->match.end;
        } else if (at < subject.len) {
            luaL_addchar(&out, subject.ptr[at++]);
        } else {
            break;
        }
        if (anchored) break;
    }
    luaL_addlstring(&out, subject.ptr + at, subject.len - at);
    luaL_pushresult(&out);
    lua_pushinteger(L, n);
    return 2;
}

void pawl_lua_match_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"find", lib_find},
                                         {"match", lib_match},
                                         {"gmatch", lib_gmatch},
                                         {"gsub", lib_gsub},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
