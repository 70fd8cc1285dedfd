/*
 * doctor - looks at a site from outside in, as a phone comes to it: the name,
 * the addresses, who ends TLS there, port 80, the clock, the application
 * behind; and says what to do about each thing that is wrong.
 *
 * Works on any machine; on the door's own it can compare with the
 * configuration.
 */
#ifndef COMMAND_DOCTOR_H
#define COMMAND_DOCTOR_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"

struct certificate;
struct invocation;
struct settings;
struct site_options;

enum { DOCTOR_ADDRESSES = 16, DOCTOR_LIMIT_MS = 5000 };

enum finding { FINDING_GOOD, FINDING_DOUBTFUL, FINDING_BAD };

struct doctor {
	const char *site;
	const struct settings *settings;      /* NULL: no configuration here */
	const struct site_options *options;   /* of the site, in settings; or NULL */
	struct certificate *root, *configured; /* the house's root, the site's leaf; or NULL */
	uint16_t port;                        /* where the door is */
	struct address addresses[DOCTOR_ADDRESSES]; /* of the name */
	size_t count;
	json_t *findings;
	unsigned bad, doubtful;
};

int command_doctor(struct invocation *invocation);

/* Writes down what was found. `todo`: what to do, or NULL. `text` is cut at a few hundred bytes. */
void doctor_say(struct doctor *doctor, enum finding finding, const char *about, const char *todo, const char *text, ...)
	PRINTF_LIKE(5, 6);

/* One look each, in this order; each may leave out what cannot be seen from here. */
void doctor_names(struct doctor *doctor);
void doctor_door(struct doctor *doctor);
void doctor_port_80(struct doctor *doctor);
void doctor_clock(struct doctor *doctor);
void doctor_application(struct doctor *doctor);
void doctor_renewal(struct doctor *doctor);

#endif
