#include "lm/endpoint.h"

#include <string.h>

const char *pawl_endpoint_place(const char *base)
{
    const char *start = strstr(base, "://");
    return start ? start + 3 : NULL;
}

enum pawl_status pawl_endpoint_check(const char *url, struct pawl_error *err)
{
    bool http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    const char *place = pawl_endpoint_place(url);
    size_t host_len = place ? strcspn(place, "/?#") : 0;
    if (http && host_len > 0 && !memchr(place, '@', host_len) && !strpbrk(url, " \t\r\n?#"))
        return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "base_url",
                 "base_url must be http:// or https:// with a host, without a name, password or "
                 "query.");
    pawl_hint(err, "E.g. http://localhost:11434/v1; the key comes from the variable key_env.");
    return PAWL_ECONFIG;
}

static size_t without_slashes(const char *text, size_t len)
{
    while (len > 0 && text[len - 1] == '/') len--;
    return len;
}

const char *pawl_endpoint_base(struct pawl_arena *arena, const char *url, const char *path)
{
    size_t len = without_slashes(url, strlen(url)), path_len = strlen(path);
    if (len > path_len && memcmp(url + len - path_len, path, path_len) == 0)
        len = without_slashes(url, len - path_len);
    const char *place = pawl_endpoint_place(url);
    bool has_path = memchr(place, '/', (size_t)(url + len - place)) != NULL;
    return pawl_arena_printf(arena, "%.*s%s", (int)len, url, has_path ? "" : "/v1");
}
