/*
 * url - where an upstream is, as configuration and command line write it:
 * http://HOST[:PORT], https://HOST[:PORT] or unix:/absolute/path.
 */
#ifndef WIRE_URL_H
#define WIRE_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "wire/host_name.h"

enum url_scheme { URL_HTTP, URL_HTTPS, URL_UNIX };
enum { URL_SOCKET_PATH_MAX = 107 };

struct url {
	enum url_scheme scheme;
	struct host_name host;  /* kind says name or IP; unset for URL_UNIX */
	uint16_t port;          /* 80 and 443 by default; 0 for URL_UNIX */
	char path[URL_SOCKET_PATH_MAX + 1]; /* of URL_UNIX; terminated */
};

/* REFUSED quotes the text and says what to write instead. *out untouched then. */
MUST_CHECK enum status url_parse(struct span text, struct url *out, struct error *err);

enum { URL_TEXT_SIZE = 384 };
/* As url_parse reads it, terminated; the port only if it is not the scheme's. */
void url_text(const struct url *url, char out[static URL_TEXT_SIZE]);

#endif
