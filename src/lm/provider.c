#include "lm/provider.h"

#include <string.h>

static bool ends_in(struct pawl_str text, const char *suffix)
{
    size_t len = strlen(suffix);
    return text.len >= len && memcmp(text.ptr + text.len - len, suffix, len) == 0;
}

/* 127.0.0.1 and its like: digits and dots only, so that 127.0.0.1.example.com is another's. */
static bool is_loopback_address(struct pawl_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (strchr("0123456789.", name.ptr[i]) == NULL) return false;
    return pawl_str_starts(name, "127.");
}

static bool is_here(struct pawl_str host)
{
    if (pawl_str_starts(host, "["))
        return pawl_str_is(host, "[::1]") || pawl_str_starts(host, "[::1]:");
    const char *colon = memchr(host.ptr, ':', host.len);
    struct pawl_str name = {host.ptr, colon != NULL ? (size_t)(colon - host.ptr) : host.len};
    return pawl_str_is(name, "localhost") || ends_in(name, ".localhost") ||
           is_loopback_address(name);
}

const char *pawl_provider_of_url(const char *url, struct pawl_arena *arena)
{
    const char *start = strstr(url, "://");
    start = start != NULL ? start + 3 : url;
    char *host = pawl_arena_printf(arena, "%.*s", (int)strcspn(start, "/?#"), start);
    for (char *c = host; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
    return is_here(pawl_str_of(host)) ? NULL : host;
}
