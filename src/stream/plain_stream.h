/*
 * plain_stream - a stream without TLS over a connected, non-blocking socket:
 * upstreams, port 80, PROXY. Holds no buffer: what the kernel does not take
 * stays with the writer.
 */
#ifndef STREAM_PLAIN_STREAM_H
#define STREAM_PLAIN_STREAM_H

#include "stream/stream.h"

/* Takes `fd` on OK; on FAILED (no memory) it stays the caller's. End it by stream_free. */
MUST_CHECK enum status plain_stream_new(int fd, struct stream **out, struct error *err);

#endif
