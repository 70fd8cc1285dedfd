/* Whatever clients ask for from wherever: rows are visible ASCII, few, and add up. */
#include <stdlib.h>
#include <string.h>

#include "door/client_kind.h"
#include "door/tally.h"

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tally *tally;
static struct tally_row rows[TALLY_ROWS];

static void check_text(const char *text)
{
	for (; *text; text++)
		CHECK(*text > ' ' && *text < 0x7f);
}

static uint64_t tell(void)
{
	uint64_t total = 0;
	size_t count, i;

	tally_begin(tally);
	total = tally_take_uncounted(tally);
	count = tally_take(tally, rows, TALLY_ROWS);
	for (i = 0; i < count; i++) {
		total += rows[i].count;
		check_text(rows[i].site);
		check_text(rows[i].location);
		check_text(rows[i].path);
		check_text(rows[i].source);
		check_text(rows[i].code);
	}
	tally_told(tally, true);
	CHECK(!tally_end(tally));
	return total;
}

/* Lines: PATH, CLIENT, USER-AGENT, LOCATION, again and again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make(data, size), path, client, agent, location;
	char location_text[256];
	uint64_t added = 0;
	struct error err;

	if (!tally && tally_new(NULL, NULL, &tally, &err) != OK)
		abort();
	while (span_cut(&rest, '\n', &path) && span_cut(&rest, '\n', &client) && span_cut(&rest, '\n', &agent) &&
	       span_cut(&rest, '\n', &location)) {
		struct tally_event event = {.site = SPAN("a.example"), .path = path, .client = client, .code = "C01",
					    .client_kind = client_kind_find(agent), .location = location_text,
					    .device = path.size >= 16 ? (const uint8_t *)path.at : NULL, .now = 5};
		size_t room = location.size < sizeof location_text - 1 ? location.size : sizeof location_text - 1;

		memcpy(location_text, location.at, room);
		location_text[room] = 0;
		tally_add(tally, &event);
		added++;
	}
	CHECK(tell() == added);
	return 0;
}
