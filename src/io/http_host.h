/*
 * http_host.h - the hosts that requests go to: each with its pace and the transfers that wait for
 * their turn. For http.c alone, and its thread's own.
 */
#ifndef PAWL_IO_HTTP_HOST_H
#define PAWL_IO_HTTP_HOST_H

#include "io/http_pace.h"

#include <stddef.h>

struct pawl_http_transfer;
struct pawl_http_list {
    struct pawl_http_transfer *first, **end;
};

/* Scheme, name and port. */
struct pawl_http_host {
    struct pawl_http_host *next;
    char *key;
    size_t key_len;
    struct pawl_http_pace pace;
    struct pawl_http_list waiting;
};

/* Few of them, so a list will do. */
struct pawl_http_hosts {
    struct pawl_http_host *first;
    int ceiling; /* of all together */
};

void pawl_http_hosts_release(struct pawl_http_hosts *hosts);
/* The host of the URL, which may have `ceiling` requests in flight; it is made when it is new. */
struct pawl_http_host *pawl_http_hosts_get(struct pawl_http_hosts *hosts, const char *url,
                                           int ceiling);
#endif
