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

void trailers_sift(struct exchange *exchange, bool (*keeps)(void *arg, const struct field *), void *arg)
{
	/* In memory that trailers_keep was given to write in. */
	char *start = (char *)(uintptr_t)exchange->up_trailers.at, *at = start;
	struct span rest = exchange->up_trailers, line;

	while (rest.size > 0 && span_cut(&rest, '\n', &line)) {
		struct span value = line, name;
		struct field field = {.known = FIELD_OTHER};
		struct field_class class;

		(void)span_cut(&value, ':', &name);
		(void)field_classify(name, &class);
		field.name = name;
		field.value = value;
		field.known = class.known;
		field.flags = class.flags;
		if (!keeps(arg, &field))
			continue;
		memmove(at, line.at, line.size + 1);
		at += line.size + 1;
	}
	exchange->up_trailers.size = (size_t)(at - start);
}
