/* alternative_name - one typed name out of a certificate's subjectAltName, or for one. */
#ifndef PKI_ALTERNATIVE_NAME_H
#define PKI_ALTERNATIVE_NAME_H

#include "base/span.h"

enum alternative_kind {
	ALTERNATIVE_DNS,
	ALTERNATIVE_IP,
	ALTERNATIVE_EMAIL,
	ALTERNATIVE_URI,
	ALTERNATIVE_OTHER, /* of another type, or with bytes that its type may not have */
};

struct alternative_name {
	enum alternative_kind kind;
	/* "*.example.com", "2001:db8::1", "alice@example.com": printable ASCII without spaces.
	 * In kind OTHER everything else is escaped, so no NUL and no line end gets out of here. */
	struct span text;
};

#endif
