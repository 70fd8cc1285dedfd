/*
 * foreign_guest - what the door knows of a connection whose certificate a
 * foreign CA answers for. Owner: its guest. Judged anew whenever the routes
 * are others (so when a list, a file or the config changed), and when what
 * was known reaches its last second.
 */
#ifndef DOOR_FOREIGN_GUEST_H
#define DOOR_FOREIGN_GUEST_H

#include <stdint.h>

#include "access/identity.h"
#include "base/buffer.h"
#include "base/span.h"

struct dialect_facts;
struct foreign_guest;
struct foreign_path;
struct site;

/* `path` is borrowed for its life: the stream's. NULL: no memory, and so nobody. */
struct foreign_guest *foreign_guest_new(const struct foreign_path *path);
void foreign_guest_free(struct foreign_guest *guest); /* NULL is fine */

/* Who it is, by the foreign CAs of the site that the handshake was for. `routes_number` as the door counts. */
struct identity foreign_guest_identify(struct foreign_guest *guest, const struct site *site, uint64_t routes_number,
				       int64_t now);
/* "corp/alice@example.com", also of somebody who is not accepted (any more); empty: no identity was found. */
struct span foreign_guest_name(const struct foreign_guest *guest);
/* Of whom the ceilings of one device count it: 16 bytes, no device's. */
const uint8_t *foreign_guest_key(const struct foreign_guest *guest);
/* What the dialects may say of him. None of it is a name that our own devices could have. */
void foreign_guest_tell(const struct foreign_guest *guest, struct dialect_facts *out);
/* The line in the log that says why somebody who showed a certificate is nobody. */
void foreign_guest_log_refused(const struct foreign_guest *guest, struct span from, const char *code);

#endif
