/* A header that is accepted needs each of its bytes, and says the same whatever follows; one that is refused stays so. */
#include <stdlib.h>

#include "wire/proxy_line.h"

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_line line, again;
	size_t used = 0, once_more = 0, cut;
	struct error err = {""};
	enum status status = proxy_line_parse(span_make(data, size), &line, &used, &err);

	CHECK(status != FAILED && (status != AGAIN || size < PROXY_LINE_MOST));
	if (status == REFUSED)
		CHECK(err.text[0]);
	if (status != OK)
		return 0;
	CHECK(used > 0 && used <= size && used <= PROXY_LINE_MOST && proxy_line_begins(span_make(data, size)));
	CHECK(proxy_line_parse(span_make(data, used), &again, &once_more, &err) == OK && once_more == used);
	CHECK(line.has_client == again.has_client);
	CHECK(!line.has_client || memcmp(&line.client, &again.client, sizeof again.client) == 0);
	for (cut = 0; cut < used; cut++)
		CHECK(proxy_line_parse(span_make(data, cut), &again, &once_more, &err) == AGAIN);
	return 0;
}
