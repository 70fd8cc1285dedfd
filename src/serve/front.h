/*
 * front - what a gateway builds from its settings: a relay a site, the table
 * of services, the TLS context. Made whole or not at all; a changed file makes
 * another one, and the old one goes when nothing holds it.
 */
#ifndef SERVE_FRONT_H
#define SERVE_FRONT_H

#include "base/error.h"
#include "door/route.h"
#include "stream/tls_context.h"

struct address;
struct buffer;
struct front;
struct loop;
struct relay_worker;
struct routes;
struct settings;

/* `settings` is borrowed for the front's life. With `before` whose config text is the same, its relays
 * go on (their kept connections too); it must outlive the call only. */
MUST_CHECK enum status front_new(struct relay_worker *worker, const struct settings *settings,
				 struct front *before, struct front **out, struct error *err);
/* For door_new and routes_new. */
const struct route_service *front_services(const struct front *front, size_t *count);
/* Certificates, names, modes as `routes` (made from these settings) sees them. REFUSED: which file
 * of which site is wrong, and how. */
MUST_CHECK enum status front_secure(struct front *front, const struct routes *routes,
				    const struct tls_hooks *hooks, struct error *err);
/* Where the name of some upstreams leads now. */
void front_resolve(struct front *front, const char *host, const struct address *addresses, size_t count);
struct tls_context *front_tls(const struct front *front); /* borrowed; NULL before front_secure */
/* Is this address a balancer's (proxy-from), whose connections begin with a PROXY header? */
bool front_awaits_proxy(const struct front *front, const struct address *peer);
/* How many of this site's servers do not answer now; sites as in the settings. */
unsigned front_servers_down(const struct front *front, size_t site);
/* Relays that nothing else uses are retired. NULL is fine. */
void front_free(struct front *front);

/* What is wrong with the sites' certificates and keys, a sentence a line: every site's, where front_secure stops at
 * the first. */
void front_complain(const struct settings *settings, struct buffer *complaints);
/* All of the above for settings as they are, and thrown away: the proof that they work. */
MUST_CHECK enum status front_prove(const struct settings *settings, struct error *err);

#endif
