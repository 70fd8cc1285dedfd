/* Any expression ends in a table or a sentence; and where the C library reads one the same way, both find the same. */
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "access/location.h"
#include "access/pattern.h"

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			abort();                                                                   \
	} while (0)

enum { COMPARED_MOST = 20, PATH_MOST = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The library is slow for some, and has other escapes, and lazy repetition is a repetition twice to it. */
static int is_comparable(const char *text)
{
	static const char *const other[] = {"(?", "*?", "+?", "??", "}?", "\\", "[.", "[=", "[:", "()", "(|", "||", "|)", "{", NULL};
	size_t i, size = strlen(text);

	for (i = 0; other[i]; i++)
		if (strstr(text, other[i]))
			return 0;
	for (i = 0; i < size; i++)
		if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e)
			return 0;
	return size <= COMPARED_MOST && text[0] != '|' && text[size - 1] != '|';
}

static void compare(const char *text, const char *path, const struct pattern *pattern, int any_case)
{
	regex_t library;
	char with_slash[PATH_MOST + 2];
	int found;

	if (regcomp(&library, text, REG_EXTENDED | REG_NOSUB | (any_case ? REG_ICASE : 0)) != 0)
		return;
	found = regexec(&library, path, 0, NULL, 0) == 0;
	CHECK(pattern_matches(pattern, span_of(path), false) == found);
	strcpy(with_slash, path);
	strcat(with_slash, "/");
	found = regexec(&library, with_slash, 0, NULL, 0) == 0;
	CHECK(pattern_matches(pattern, span_of(path), true) == found);
	CHECK(pattern_matches(pattern, span_of(with_slash), false) == found);
	regfree(&library);
}

static void try_title(const char *title, const char *path)
{
	struct location location;
	struct error err = {""};

	if (location_parse(title, &location, &err) == OK) {
		struct reading plain = {.path = span_of(path)}, loose = {.path = span_of(path), .is_liberal = true};

		/* What holds to the letter holds in any case. */
		CHECK(!location_holds(&location, &plain) || location_holds(&location, &loose) ||
		      location.kind == LOCATION_PATTERN); /* [^a] holds A to the letter alone */
		CHECK(location_order(&location, &location) == 0 && location_is_same(&location, &location));
	} else {
		CHECK(err.text[0]);
	}
	location_release(&location);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *cut = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;
	struct pattern *pattern = NULL;
	struct error err = {""};
	char *text, path[PATH_MOST + 1] = "/";
	size_t i, length;
	int any_case;

	if (!cut || size > 600)
		return 0;
	any_case = data[0] & 1;
	text = strndup((const char *)data + 1, (size_t)(cut - data - 1));
	CHECK(text);
	length = (size_t)(data + size - cut - 1);
	for (i = 0; i < length && i + 1 < PATH_MOST; i++)
		path[i + 1] = cut[1 + i] > 0x20 && cut[1 + i] < 0x7f ? (char)cut[1 + i] : 'a';
	try_title(text, path);
	if (pattern_new(span_of(text), any_case, &pattern, &err) == OK) {
		(void)pattern_matches(pattern, span_make(data, size), true);
		if (is_comparable(text))
			compare(text, path, pattern, any_case);
	} else {
		CHECK(err.text[0]);
	}
	pattern_free(pattern);
	free(text);
	return 0;
}
