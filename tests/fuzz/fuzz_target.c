/* A normal path is its own normal form; the other reading hides nothing. */
#include <stdlib.h>

#include "wire/target.h"

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segments(struct span path, bool merged)
{
	struct span rest = path, segment;

	CHECK(path.size && path.at[0] == '/');
	while (path_next_segment(&rest, &segment)) {
		CHECK(!span_is(segment, ".") && !span_is(segment, ".."));
		CHECK(!merged || segment.size || !rest.size);
	}
}

static void check_other(const struct target *target)
{
	char *room = malloc(target->path.size);
	struct span other;

	CHECK(room);
	if (target_other_reading(target, room, target->path.size, &other, NULL) == OK) {
		check_segments(other, true);
		CHECK(!memchr(other.at, '\\', other.size) && !memchr(other.at, 0, other.size));
		/* A path with one reading differs from the other by its encoding alone. */
		if (!target->doubts && !memchr(target->path.at, '%', target->path.size))
			CHECK(span_equals(other, target->path));
	} else {
		CHECK(target->doubts);
	}
	free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct target target, again;
	struct span text = span_make(data, size);
	char *room = malloc(size + !size), *more = malloc(size + !size);
	enum status status;
	size_t i;

	CHECK(room && more);
	status = target_parse(text, room, size, &target, NULL);
	CHECK(status == OK || status == REFUSED);
	if (status == OK && !span_is(text, "*")) {
		for (i = 0; i < target.path.size; i++)
			CHECK(target.path.at[i] > ' ' && target.path.at[i] < 0x7f && target.path.at[i] != '#');
		check_segments(target.path, false);
		CHECK(target_parse(target.path, more, target.path.size, &again, NULL) == OK);
		CHECK(span_equals(again.path, target.path) && !again.has_query);
		/* Removing dots may remove an empty segment, and nothing else that is doubtful stays unseen. */
		CHECK((again.doubts & ~target.doubts) == 0);
		CHECK(path_is_under(target.path, SPAN("/")));
		check_other(&target);
	}
	if (size && !memchr(data, 0, size)) {
		char *pattern = malloc(size + 1);

		CHECK(pattern);
		memcpy(pattern, data, size);
		pattern[size] = 0;
		if (!memchr(data, '#', size))
			CHECK(path_matches(text, pattern));
		(void)path_matches(SPAN("/api/v4/users/11/websocket"), pattern);
		free(pattern);
	}
	free(room);
	free(more);
	return 0;
}
