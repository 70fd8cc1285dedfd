/* A template that is taken is filled to the end, and nothing of a value gets out of its quotation. */
#include <stdlib.h>
#include <string.h>

#include "door/error_page.h"

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error_page_options options = {.count = 1};
	struct refusal_page page = {.why = REFUSAL_NOT_ALLOWED, .status = 403, .request = SPAN("00ff")};
	struct error_pages *pages = NULL;
	struct error err = {""};
	struct buffer out;

	options.at[0].file = (struct value_file){.path = (char *)"/x", .bytes = span_make(data, size)};
	page.contact = SPAN("\x01<\x01");
	if (error_pages_new(&options, &pages, &err) != OK) {
		CHECK(err.text[0]);
		return 0;
	}
	buffer_init(&out, 1 << 24);
	CHECK(error_pages_write(pages, &page, &out));
	CHECK(buffer_is_whole(&out) && !memchr(out.at, 1, out.size));
	buffer_release(&out);
	error_pages_free(pages);
	return 0;
}
