/* A day that is accepted is of the calendar: written from its seconds it is the same again. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/moment.h"

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct moment moment, again;
	char text[CLOCK_TEXT_SIZE];

	if (!moment_parse(span_make(data, size), &moment))
		return 0;
	clock_text(moment.seconds, text);
	/* A zone may carry the first hours of 2000 and the last of 9999 out of what is accepted. */
	if (moment.seconds >= 946684800 && moment.seconds <= 253402300799) {
		CHECK(moment_parse(span_of(text), &again));
		CHECK(!again.is_local && again.seconds == moment.seconds);
	}
	return 0;
}
