/* A folded host folds to itself. */
#include <stdio.h>
#include <stdlib.h>

#include "wire/host_name.h"

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host_name host, again;
	struct error err;
	char text[300];
	size_t i;

	if (host_fold_name(span_make(data, size), &host, &err) == OK)
		CHECK(host.port == 0 && strlen(host.text) == host.size);
	if (host_fold(span_make(data, size), &host, &err) != OK)
		return 0;
	CHECK(strlen(host.text) == host.size && host.size > 0);
	for (i = 0; i < host.size; i++)
		CHECK(!(host.text[i] >= 'A' && host.text[i] <= 'Z') && (uint8_t)host.text[i] < 0x7f);
	CHECK(host.text[host.size - 1] != '.');
	snprintf(text, sizeof text, "%s%s%s", host.kind == HOST_IPV6 ? "[" : "", host.text,
		 host.kind == HOST_IPV6 ? "]" : "");
	CHECK(host_fold(span_of(text), &again, &err) == OK);
	CHECK(host_equals(&host, &again) && again.port == 0);
	CHECK(host_fold_name(span_of(host.text), &again, &err) == OK);
	CHECK(host_equals(&host, &again));
	return 0;
}
