/* A bundle's bytes: every entry that is given out lies within them, and is found by its name. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/bundle.h"

static volatile unsigned read_so_far; /* so that each byte is really read */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle *bundle;
	struct error err;
	size_t i;

	if (bundle_parse(span_make(data, size), &bundle, &err) != OK)
		return 0;
	for (i = 0; i < bundle_count(bundle); i++) {
		const struct bundle_entry *entry = bundle_at(bundle, i);
		char *name = strndup(entry->name.at, entry->name.size);
		size_t at;

		for (at = 0; at < entry->bytes.size; at++)
			read_so_far += (unsigned char)entry->bytes.at[at];
		if (bundle_find(bundle, name) != entry)
			abort();
		free(name);
	}
	bundle_free(bundle);
	return 0;
}
