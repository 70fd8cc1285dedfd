/* A URL that is accepted is the same after it is written. */
#include <stdlib.h>

#include "wire/url.h"

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct url url, again;
	char text[URL_TEXT_SIZE];
	struct error err;

	if (url_parse(span_make(data, size), &url, &err) != OK) {
		CHECK(err.text[0]);
		return 0;
	}
	url_text(&url, text);
	CHECK(url_parse(span_of(text), &again, &err) == OK);
	CHECK(url.scheme == again.scheme && url.port == again.port);
	CHECK(url.scheme == URL_UNIX ? strcmp(url.path, again.path) == 0 : host_equals(&url.host, &again.host));
	return 0;
}
