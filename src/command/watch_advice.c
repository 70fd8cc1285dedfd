#include "command/watch_advice.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/span.h"
#include "command/asking.h"
#include "door/client_kind.h"
#include "door/refusal.h"

/* Rows of one kind: the same program, or the same reason for a known device. */
struct finding {
	const char *site, *client, *path, *address, *name, *device; /* of its first row; borrowed */
	enum client_sort sort;
	enum refusal why;
	long long times;
	unsigned addresses, paths;
};

enum { FINDINGS_MOST = ADVICE_MOST, TEXT_ROOM = 900, ROWS_COMPARED = 1000 };

/* People are told apart, programs of nobody are not. */
static bool belongs(const struct finding *finding, const json_t *row, enum refusal why)
{
	if (finding->why != why || strcmp(finding->site, asking_text(row, "site")) != 0)
		return false;
	if (why != REFUSAL_NO_CERTIFICATE)
		return strcmp(finding->device, asking_text(row, "device")) == 0;
	return finding->sort == CLIENT_MONITOR || finding->sort == CLIENT_PROGRAM
		       ? strcmp(finding->client, asking_text(row, "client")) == 0 &&
				 strcmp(finding->address, asking_text(row, "address")) == 0
		       : finding->sort == CLIENT_BROWSER
		       ? client_kind_named(span_of(asking_text(row, "client")))->sort == CLIENT_BROWSER
		       : strcmp(finding->client, asking_text(row, "client")) == 0;
}

static bool is_new(const json_t *rows, size_t before, const struct finding *finding, const char *field,
		   const char *value)
{
	const json_t *row;
	size_t i;

	/* The most frequent rows come first; what lies behind a thousand others changes no advice. */
	if (before >= ROWS_COMPARED)
		return false;
	for (i = 0; i < before; i++) {
		row = json_array_get(rows, i);
		if (strcmp(asking_text(row, field), value) == 0 &&
		    belongs(finding, row, refusal_find(span_of(asking_text(row, "code")))))
			return false;
	}
	return true;
}

static struct finding *find(struct finding *findings, unsigned *count, const json_t *row, enum refusal why)
{
	const char *client = asking_text(row, "client");
	unsigned i;

	for (i = 0; i < *count; i++)
		if (belongs(&findings[i], row, why))
			return &findings[i];
	if (*count == FINDINGS_MOST)
		return NULL;
	findings[*count] = (struct finding){.site = asking_text(row, "site"), .client = client,
					    .path = asking_text(row, "path"), .address = asking_text(row, "address"),
					    .name = asking_text(row, "name"), .device = asking_text(row, "device"),
					    .sort = client_kind_named(span_of(client))->sort, .why = why};
	return &findings[(*count)++];
}

static void write_from(const struct finding *finding, char *out, size_t room)
{
	if (finding->addresses > 1)
		snprintf(out, room, "%u addresses", finding->addresses);
	else
		snprintf(out, room, "%s", finding->address);
}

/* "once", "3 times"; until the next call. */
static const char *times_text(const struct finding *finding)
{
	static char text[32];

	snprintf(text, sizeof text, "%lld times", finding->times);
	return finding->times == 1 ? "once" : text;
}

static bool can_be_opened(const struct finding *finding)
{
	return finding->paths == 1 && finding->path[0] == '/' && finding->path[1] && !strchr(finding->path, '*') &&
	       !strpbrk(finding->path, "\"\\?%$");
}

static void advise_program(const struct finding *finding, char *out, size_t room)
{
	const char *times = times_text(finding);
	const char *what = finding->sort == CLIENT_MONITOR ? "a probe" : "a program";

	if (can_be_opened(finding))
		snprintf(out, room, "%s (%s) asks %s%s, %s: %s without a certificate.\n"
			 "Give it one: chatelaine device add PERSON --label NAME --kind server --pem FOLDER\n"
			 "or open that path to everybody: location \"%s\" { no-certificate = allow }",
			 finding->address, finding->client, finding->site, finding->path, times, what,
			 finding->path);
	else
		snprintf(out, room, "%s (%s) asks %u paths of %s, %s: %s without a certificate.\n"
			 "Give it one: chatelaine device add PERSON --label NAME --kind server --pem FOLDER",
			 finding->address, finding->client, finding->paths, finding->site, times, what);
}

static void advise_nobody(const struct finding *finding, char *out, size_t room)
{
	const char *times = times_text(finding);
	char from[64];

	write_from(finding, from, sizeof from);
	switch (finding->sort) {
	case CLIENT_MONITOR:
	case CLIENT_PROGRAM:
		advise_program(finding, out, room);
		return;
	case CLIENT_APP:
		snprintf(out, room, "%s: %s at %s, %s without a certificate.\n"
			 "Each needs its device's certificate put into the app's own settings:\n"
			 "chatelaine device add PERSON --label phone --kind phone --p12 FILE", from, finding->client,
			 finding->site, times);
		return;
	case CLIENT_BROWSER:
		snprintf(out, room, "%s: browsers at %s, %s without a certificate.\n"
			 "They are people who are not ready yet, or who clicked the question for a certificate away:\n"
			 "chatelaine device add PERSON --label laptop --kind laptop --p12 FILE", from, finding->site,
			 times);
		return;
	case CLIENT_CRAWLER:
		snprintf(out, room, "%s: %s at %s, %s. They want nothing that you owe them: refusing them is right.",
			 from, finding->client, finding->site, times);
		return;
	default:
		snprintf(out, room, "%s: programs that nobody here knows (%s) at %s, %s, most of all %s.\n"
			 "Find out whose they are before the day comes.", from, finding->client, finding->site,
			 times, finding->path);
	}
}

static const char *whose(const struct finding *finding)
{
	return finding->name[0] ? finding->name : finding->device[0] ? finding->device : finding->address;
}

/* A device that showed a certificate, or one that is none of ours. */
static void advise_known(const struct finding *finding, char *out, size_t room)
{
	const char *times = times_text(finding);
	const struct refusal_row *row = refusal_row(finding->why);

	switch (finding->why) {
	case REFUSAL_UNKNOWN:
		snprintf(out, room, "%u addresses at %s show a certificate that is not from here, %s.\n"
			 "They chose the wrong one, or lack the right one: chatelaine device add", finding->addresses,
			 finding->site, times);
		return;
	case REFUSAL_EXPIRED:
		snprintf(out, room, "%s: its certificate has expired (%s, %s). Make it a new one: chatelaine device add",
			 whose(finding), finding->site, times);
		return;
	case REFUSAL_NOT_ALLOWED:
		snprintf(out, room, "%s is in none of the groups that may enter %s%s, %s.\n"
			 "Put a group of that person into `who`, or leave it: from the day on they are refused",
			 whose(finding), finding->site, finding->path, times);
		return;
	case REFUSAL_NOT_ON_FILE:
		snprintf(out, room, "%s is not on the allow-file of %s, %s. Add this line to it: %s",
			 whose(finding), finding->site, times, finding->device);
		return;
	default:
		snprintf(out, room, "%s at %s, %s: %s. %s", whose(finding), finding->site, times,
			 row ? row->title : "refused", row ? row->admin : "");
	}
}

json_t *watch_advice(const json_t *rows)
{
	struct finding findings[FINDINGS_MOST];
	json_t *out = json_array(), *row;
	char text[TEXT_ROOM];
	unsigned count = 0, i;
	size_t at;

	json_array_foreach(rows, at, row) {
		enum refusal why = refusal_find(span_of(asking_text(row, "code")));
		struct finding *finding = why == REFUSAL_NONE ? NULL : find(findings, &count, row, why);

		if (!finding)
			continue;
		finding->times += (long long)asking_number(row, "times");
		finding->addresses += is_new(rows, at, finding, "address", asking_text(row, "address"));
		finding->paths += is_new(rows, at, finding, "path", asking_text(row, "path"));
	}
	for (i = 0; i < count; i++) {
		if (findings[i].why == REFUSAL_NO_CERTIFICATE)
			advise_nobody(&findings[i], text, sizeof text);
		else
			advise_known(&findings[i], text, sizeof text);
		json_array_append_new(out, json_string(text));
	}
	return out;
}
