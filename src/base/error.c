#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status error_refuse(struct error *err, const char *format, ...)
{
	va_list args;

	if (err) {
		va_start(args, format);
		vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
	}
	return REFUSED;
}

enum status error_fail(struct error *err, const char *format, ...)
{
	va_list args;

	if (err) {
		va_start(args, format);
		vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
	}
	return FAILED;
}

enum status error_fail_errno(struct error *err, const char *format, ...)
{
	int cause = errno;
	va_list args;
	size_t used;

	if (err) {
		va_start(args, format);
		vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
		used = strlen(err->text);
		snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(cause));
	}
	return FAILED;
}

void error_context(struct error *err, const char *format, ...)
{
	char inner[sizeof err->text];
	va_list args;
	size_t used;

	if (!err)
		return;
	memcpy(inner, err->text, sizeof inner);
	va_start(args, format);
	vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof err->text - used, ": %s", inner);
}
