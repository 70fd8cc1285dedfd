/* house_fixture - a house in a folder of its own, asked in this process; for the tests of authority/. */
#ifndef TESTS_AUTHORITY_HOUSE_FIXTURE_H
#define TESTS_AUTHORITY_HOUSE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "authority/authority.h"
#include "authority/house.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

static char folder[64], state[128], kept_house[64], phrase[64];

#define FINE(call)                                                                                 \
	do {                                                                                       \
		enum status outcome = (call);                                                      \
		if (outcome != OK)                                                                 \
			fail_msg("%s: %s", #call, err.text);                                       \
	} while (0)

static int run_shell(const char *format, ...) PRINTF_LIKE(1, 2);
static int run_shell(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	return system(command);
}

static enum status keep_phrase(void *arg, struct span text, struct error *err)
{
	(void)arg;
	(void)err;
	snprintf(phrase, sizeof phrase, "%.*s", SPAN_PRINT(text));
	return OK;
}

static inline struct house_plan usual_plan(void)
{
	return (struct house_plan){.state = state, .site = SPAN("chat.example.com"),
				   .make_server_certificate = true, .reveal = keep_phrase};
}

static int set_up(void **unused)
{
	(void)unused;
	log_init("test", LOG_ERROR + 1);
	snprintf(folder, sizeof folder, "/tmp/authority-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(state, sizeof state, "%s/state", folder);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	fault_arm("", 0);
	clock_set_source(NULL);
	return run_shell("rm -rf %s", folder);
}

/* The first house is made, the others are copies: scrypt and keys take their time. */
static inline int set_up_house(void **unused)
{
	struct house_plan plan;
	struct error err;

	set_up(unused);
	if (!kept_house[0]) {
		plan = usual_plan();
		if (house_init(&plan, &err) != OK) {
			fprintf(stderr, "house_init: %s\n", err.text);
			return -1;
		}
		snprintf(kept_house, sizeof kept_house, "/tmp/authority-kept-%d", (int)getpid());
		return run_shell("cp -a %s %s", state, kept_house);
	}
	return run_shell("cp -a %s %s", kept_house, state);
}

static inline int remove_kept_house(void **unused)
{
	(void)unused;
	return kept_house[0] ? run_shell("rm -rf %s", kept_house) : 0;
}

static inline struct authority *open_authority(void)
{
	struct authority_options options = {.state = state, .roster_room = 1000};
	struct authority *authority = NULL;
	struct error err;

	FINE(authority_open(&options, &authority, &err));
	return authority;
}

/* Asks with JSON in single quotes; the caller's to decref. Anything but OK fails the test. */
static inline json_t *asked(struct authority *authority, const char *name, const char *words)
{
	json_error_t where;
	char text[8192];
	json_t *given, *out = NULL;
	struct error err;
	size_t i;

	snprintf(text, sizeof text, "%s", words);
	for (i = 0; text[i]; i++)
		if (text[i] == '\'')
			text[i] = '"';
	given = json_loads(text, 0, &where);
	if (!given)
		fail_msg("%s: %s", words, where.text);
	if (authority_answer_now(authority, name, given, &out, &err) != OK)
		fail_msg("%s %s: %s", name, words, err.text);
	json_decref(given);
	return out;
}

/* The same, which must be refused; the sentence. */
static inline const char *refused(struct authority *authority, const char *name, const char *words)
{
	static struct error err;
	char text[8192];
	json_t *given, *out = NULL;
	enum status status;
	size_t i;

	snprintf(text, sizeof text, "%s", words);
	for (i = 0; text[i]; i++)
		if (text[i] == '\'')
			text[i] = '"';
	given = json_loads(text, JSON_ALLOW_NUL, NULL);
	assert_non_null(given);
	status = authority_answer_now(authority, name, given, &out, &err);
	json_decref(given);
	if (status == OK)
		fail_msg("%s %s was not refused", name, words);
	assert_null(out);
	return err.text;
}

static inline void done(struct authority *authority, const char *name, const char *words)
{
	json_decref(asked(authority, name, words));
}

static inline const char *text_of(const json_t *words, const char *name)
{
	const char *text = json_string_value(json_object_get(words, name));

	if (!text)
		fail_msg("there is no text \"%s\"", name);
	return text;
}

static inline void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static inline void by_hand(const char *sql)
{
	FILE *script;
	char path[160];

	snprintf(path, sizeof path, "%s/script.sql", folder);
	script = fopen(path, "w");
	assert_non_null(script);
	fprintf(script, "%s;\n", sql);
	fclose(script);
	assert_int_equal(run_shell("/usr/bin/python3 -c \"import sqlite3; d = sqlite3.connect('%s/registry.db'); "
				   "d.executescript(open('%s').read()); d.commit()\"", state, path), 0);
}

#endif
