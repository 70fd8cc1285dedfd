#include "access/location.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/pattern.h"
#include "wire/target.h"

enum { PATH_MOST = 1024 };

static enum status check_path(const char *path, struct error *err)
{
	char room[PATH_MOST];
	struct target target;

	if (path[0] != '/')
		return error_refuse(err, "begin it with /");
	if (strlen(path) >= PATH_MOST)
		return error_refuse(err, "more than %d characters", PATH_MOST - 1);
	if (target_parse(span_of(path), room, sizeof room, &target, err) != OK)
		return REFUSED;
	if (target.has_query || target_is_ambiguous(&target) || !span_is(target.path, path))
		return error_refuse(err, "not a plain path; write it without ., .., //, ;, ? or %%");
	return OK;
}

static const struct {
	const char *mark; /* the longer ones first */
	enum location_kind kind;
	bool is_final, any_case;
} marks[] = {
	{"~*", LOCATION_PATTERN, false, true},
	{"^~", LOCATION_PREFIX, true, false},
	{"~", LOCATION_PATTERN, false, false},
	{"=", LOCATION_EXACT, false, false},
	{"", LOCATION_PREFIX, false, false},
};

static enum status set_path(struct location *location, const char *path, struct error *err)
{
	static const char *const before[] = {[LOCATION_EXACT] = "= ", [LOCATION_PREFIX] = ""};
	const char *mark = location->is_final ? "^~ " : before[location->kind];
	size_t size = strlen(path);
	enum status status;

	TRY(check_path(path, err));
	while (location->kind == LOCATION_PREFIX && size > 1 && path[size - 1] == '/')
		size--;
	if (location->kind == LOCATION_PREFIX && size == 1) {
		status = error_refuse(err, "that is the whole site; write its keys in the site");
		goto done;
	}
	if (asprintf(&location->title, "%s%.*s", mark, (int)size, path) < 0) {
		location->title = NULL;
		status = error_fail(err, "no memory for a location");
		goto done;
	}
	location->path = location->title + strlen(mark);
done:
	return status;
}

static enum status set_pattern(struct location *location, const char *text, bool any_case, struct error *err)
{
	enum status status;

	if (asprintf(&location->title, "%s %s", any_case ? "~*" : "~", text) < 0) {
		location->title = NULL;
		return error_fail(err, "no memory for a location");
	}
	/* Both: an upstream may not care for case where the expression does. */
	TRY(pattern_new(span_of(text), any_case, &location->pattern, err));
	TRY(pattern_new(span_of(text), true, &location->any_case, err));
done:
	return status;
}

static enum status parse(const char *title, struct location *out, struct error *err)
{
	const char *text = title;
	size_t i;

	*out = (struct location){.kind = LOCATION_PREFIX};
	for (i = 0; strncmp(title, marks[i].mark, strlen(marks[i].mark)) != 0;)
		i++;
	text += strlen(marks[i].mark);
	while (*text == ' ' && i + 1 < sizeof marks / sizeof *marks)
		text++;
	out->kind = marks[i].kind;
	out->is_final = marks[i].is_final;
	return out->kind == LOCATION_PATTERN ? set_pattern(out, text, marks[i].any_case, err)
					     : set_path(out, text, err);
}

enum status location_parse(const char *title, struct location *out, struct error *err)
{
	enum status status = parse(title, out, err);

	if (status != OK)
		error_context(err, "location \"%s\"", title);
	return status;
}

enum status location_check(const char *title, struct error *err)
{
	struct location location;
	enum status status = parse(title, &location, err);

	location_release(&location);
	return status;
}

void location_release(struct location *location)
{
	pattern_free(location->pattern);
	pattern_free(location->any_case);
	free(location->title);
	*location = (struct location){.kind = LOCATION_PREFIX};
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool starts_with(struct span path, struct span prefix, bool any_case, size_t *size)
{
	size_t i;

	for (i = 0; i < prefix.size; i++)
		if (i == path.size ||
		    (any_case ? lower(path.at[i]) != lower(prefix.at[i]) : path.at[i] != prefix.at[i]))
			return false;
	*size = i;
	return true;
}

static bool ends_in_slash(struct span path)
{
	return path.size > 1 && path.at[path.size - 1] == '/';
}

static bool is_exactly(const struct location *location, const struct reading *reading)
{
	struct span path = reading->path, own = span_of(location->path);
	size_t size;

	if (!reading->is_liberal)
		return span_equals(path, own);
	path.size -= ends_in_slash(path);
	own.size -= ends_in_slash(own);
	return path.size == own.size && starts_with(path, own, true, &size);
}

static bool is_found(const struct location *location, const struct reading *reading)
{
	struct span path = reading->path;

	if (!reading->is_liberal)
		return pattern_matches(location->pattern, path, false);
	if (pattern_matches(location->any_case, path, false))
		return true;
	if (!ends_in_slash(path))
		return pattern_matches(location->any_case, path, true);
	path.size--;
	return pattern_matches(location->any_case, path, false);
}

bool location_holds(const struct location *location, const struct reading *reading)
{
	struct span path = reading->path;
	size_t size;

	switch (location->kind) {
	case LOCATION_EXACT:
		return is_exactly(location, reading);
	case LOCATION_PREFIX:
		return starts_with(path, span_of(location->path), reading->is_liberal, &size) &&
		       (size == path.size || path.at[size] == '/');
	case LOCATION_PATTERN:
		return is_found(location, reading);
	}
	return false;
}

int location_order(const struct location *one, const struct location *other)
{
	size_t size, other_size;

	if (one->kind != other->kind)
		return one->kind < other->kind ? -1 : 1;
	if (one->kind == LOCATION_PATTERN)
		return 0;
	size = strlen(one->path);
	other_size = strlen(other->path);
	if (size != other_size)
		return size > other_size ? -1 : 1;
	return strcmp(one->path, other->path);
}

bool location_is_same(const struct location *one, const struct location *other)
{
	if (one->kind != other->kind)
		return false;
	return strcmp(one->kind == LOCATION_PATTERN ? one->title : one->path,
		      one->kind == LOCATION_PATTERN ? other->title : other->path) == 0;
}

size_t location_bytes(const struct location *location)
{
	return location->kind == LOCATION_PATTERN
		       ? pattern_bytes(location->pattern) + pattern_bytes(location->any_case)
		       : 0;
}
