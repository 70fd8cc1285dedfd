/*
 * server_certificate - what the door shows where no public CA gave one:
 * STATE/server/SITE.pem (leaf and issuing authority) and SITE.key.
 *
 * Renewed with a new key when under a third of its life is left; whoever
 * watches the files (the supervisor) brings it to the gateways.
 */
#ifndef AUTHORITY_SERVER_CERTIFICATE_H
#define AUTHORITY_SERVER_CERTIFICATE_H

#include "base/error.h"
#include "base/span.h"
#include "pki/signer.h"

struct authority;

/* Into `folder`, in place of what is there. `site` is a checked host name or IP literal. */
MUST_CHECK enum status server_certificate_make(const struct signer *issuing, struct span house, const char *site,
					       const char *folder, struct error *err);
/* Looks at all in STATE/server/; what goes wrong is logged, and the old one stays. How many were renewed. */
unsigned server_certificate_renew_due(struct authority *authority);

#endif
