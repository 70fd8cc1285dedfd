#include "pki/pki_error.h"

#include <openssl/err.h>

static enum status drain(struct error *err, const char *what, enum status status)
{
	unsigned long first = ERR_get_error(); /* the oldest is the cause, the rest its callers */
	const char *reason = first ? ERR_reason_error_string(first) : NULL;

	ERR_clear_error();
	error_fail(err, reason ? "%s: %s" : "%s", what, reason);
	return status;
}

enum status pki_fail(struct error *err, const char *what)
{
	return drain(err, what, FAILED);
}

enum status pki_refuse(struct error *err, const char *what)
{
	return drain(err, what, REFUSED);
}

void pki_forget(void)
{
	ERR_clear_error();
}
