#include "http/trailers.h"

#include <string.h>

#include "http/exchange.h"
#include "http/http_host.h"
#include "http/transport.h"
#include "wire/http_head.h"

/* Each line is written where it, or one before it, was read; without the space behind the colon it is
 * never longer. */
void trailers_keep(struct exchange *exchange, char *memory, struct span section)
{
	struct http_host *host = exchange->transport->host;
	char *start = memory + (section.at - memory), *at = start;
	struct head trailers;
	size_t i, used;

	if (section.size == 0)
		return;
	head_init(&trailers);
	if (head_parse_trailers(section, &trailer_limits, &trailers, &used, NULL) != OK)
		return;
	for (i = 0; i < trailers.field_count; i++) {
		const struct field *field = &trailers.fields[i];

		if (field->flags & (FIELD_HOP_BY_HOP | FIELD_FRAMING | FIELD_IDENTITY | FIELD_NO_TRAILER) ||
		    (host->keeps_trailer && !host->keeps_trailer(exchange, field)))
			continue;
		memmove(at, field->name.at, field->name.size);
		at += field->name.size;
		*at++ = ':';
		memmove(at, field->value.at, field->value.size);
		at += field->value.size;
		*at++ = '\r';
		*at++ = '\n';
	}
	exchange->up_trailers = span_make(start, (size_t)(at - start));
}
