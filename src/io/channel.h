/*
 * channel.h - JSON messages between pawl's own processes.
 *
 * A channel is one end of a socket pair. On the wire a message is
 *
 *     0        4                4+n
 *     | n (LE) | canonical JSON |          n <= PAWL_CHANNEL_MAX
 *
 * Invariants
 *   1. A message arrives whole or not at all; a torn frame is PAWL_EWORLD.
 *   2. Sending is safe from several threads, receiving belongs to one.
 *   3. The other end going away is an error (PAWL_EWORLD), never a signal.
 */
#ifndef PAWL_IO_CHANNEL_H
#define PAWL_IO_CHANNEL_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <sys/types.h>

enum { PAWL_CHANNEL_MAX = 256 << 20 };

struct pawl_channel;
struct pawl_channel *pawl_channel_open(int fd); /* owns fd from now on */
void pawl_channel_close(struct pawl_channel *channel);
int pawl_channel_fd(const struct pawl_channel *channel); /* for poll(2) */
/* Whose process made the channel, as the kernel says it; false where it does not. */
bool pawl_channel_maker(const struct pawl_channel *channel, uid_t *uid);

/* Borrows message. */
PAWL_MUST_CHECK enum pawl_status pawl_channel_send(struct pawl_channel *channel,
                                                   const json_t *message, struct pawl_error *err);
/* Gives *message (new reference), or NULL after timeout_ms (-1: no limit; real time). A closed
 * channel fails PAWL_EWORLD. */
PAWL_MUST_CHECK enum pawl_status pawl_channel_receive(struct pawl_channel *channel, int timeout_ms,
                                                      json_t **message, struct pawl_error *err);
/* An error as a message {"error":{...}}, and back. */
json_t *pawl_error_json(const struct pawl_error *error);
enum pawl_status pawl_error_from_json(const json_t *object, struct pawl_error *err);

#endif
