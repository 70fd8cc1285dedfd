/* certificate_inside - what certificate.c and certificate_facts.c share; for pki/ only. */
#ifndef PKI_CERTIFICATE_INSIDE_H
#define PKI_CERTIFICATE_INSIDE_H

#include "pki/certificate.h"

struct certificate {
	struct x509_st *handle;
	struct key *key;
	struct buffer der;
	struct certificate_facts facts;
	struct buffer text; /* the bytes of the facts' strings */
	struct alternative_name names[CERTIFICATE_NAMES_MAX];
};

/* Fill facts, text and names from handle, key and der. */
MUST_CHECK enum status certificate_read_facts(struct certificate *certificate, struct error *err);

#endif
