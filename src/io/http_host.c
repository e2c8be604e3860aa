#include "io/http_host.h"

#include "base/arena.h"

#include <stdlib.h>

static size_t key_len(const char *url)
{
    const char *start = strstr(url, "://");
    size_t before = start ? (size_t)(start + 3 - url) : 0;
    return before + strcspn(url + before, "/?#");
}

void pawl_http_hosts_release(struct pawl_http_hosts *hosts)
{
    while (hosts->first) {
        struct pawl_http_host *host = hosts->first;
        hosts->first = host->next;
        free(host->key);
        free(host);
    }
}

static struct pawl_http_host *find(const struct pawl_http_hosts *hosts, const char *url)
{
    size_t len = key_len(url);
    for (struct pawl_http_host *host = hosts->first; host; host = host->next)
        if (host->key_len == len && memcmp(host->key, url, len) == 0) return host;
    return NULL;
}

static struct pawl_http_host *add(struct pawl_http_hosts *hosts, const char *url, int ceiling)
{
    struct pawl_http_host *host = pawl_xcalloc(1, sizeof *host);
    host->key = pawl_xstrdup(url);
    host->key_len = key_len(url);
    host->key[host->key_len] = '\0';
    host->waiting.end = &host->waiting.first;
    pawl_http_pace_init(&host->pace, ceiling);
    host->next = hosts->first;
    hosts->first = host;
    return host;
}

struct pawl_http_host *pawl_http_hosts_get(struct pawl_http_hosts *hosts, const char *url,
                                           int ceiling)
{
    struct pawl_http_host *host = find(hosts, url);
    int before = host ? host->pace.ceiling : 0;
    if (!host) host = add(hosts, url, ceiling);
    pawl_http_pace_allow(&host->pace, ceiling);
    hosts->ceiling += host->pace.ceiling - before;
    return host;
}
