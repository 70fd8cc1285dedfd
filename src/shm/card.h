/*
 * card - who a certificate belongs to, as texts: what identity headers are
 * made of when the authority is down, or on a resumption. Cards lie in the
 * roster's arena and never change; a change is a new card.
 */
#ifndef SHM_CARD_H
#define SHM_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum device_kind { KIND_OTHER, KIND_PHONE, KIND_LAPTOP, KIND_SERVER, KIND_SHARED, KIND_COUNT };

/* Every text may be empty. All together at most CARD_MOST bytes. */
struct card {
	struct span device;         /* text form: 32 hex digits + ".d." + trust domain */
	struct span person;         /* name; empty: the device belongs to nobody */
	struct span email;
	struct span label;
	struct span subject;        /* RFC 2253 form, as RFC 4514 escapes */
	struct span subject_slash;  /* "/C=../CN=..": empty when it cannot be said; then slash_trouble is why */
	struct span slash_trouble;
	struct span issuer;         /* RFC 2253 form */
	struct span serial;         /* upper-case hex, as nginx's $ssl_client_serial */
	struct span uri;            /* SAN URI */
	struct span dns;            /* SAN DNS name */
	int64_t not_before, not_after; /* seconds since 1970 */
	enum device_kind kind;
	bool is_admin;              /* the person is one; read it from a fresh card, it may end */
};

enum { CARD_MOST = 8192 };

/* "phone"; for a value out of range "other". */
const char *device_kind_name(enum device_kind kind);
bool device_kind_parse(struct span name, enum device_kind *out);

/* For shm/roster: bytes needed, 0 if the texts are too long; writing; reading with every length
 * checked against `room`. The spans of a card that was read point into `at`. */
size_t card_size(const struct card *card);
void card_write(const struct card *card, void *at);
bool card_read(const void *at, size_t room, struct card *out);

#endif
