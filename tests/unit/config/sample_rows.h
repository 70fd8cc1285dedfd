/* sample_rows - a config of every kind of key, for tests and the fuzz target. */
#ifndef CONFIG_SAMPLE_ROWS_H
#define CONFIG_SAMPLE_ROWS_H

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config/config_parse.h"

enum { SAMPLE_MOST = 8 };

struct sample_location {
	char *path;
	int mode;
};
struct sample_site {
	char *name;
	struct value_texts who;
	char *upstream;
	int mode;
	struct value_file key, allow;
	struct sample_location locations[SAMPLE_MOST];
	size_t location_count;
};
struct sample {
	struct value_addresses listen;
	char *state, *contact;
	int64_t idle;
	uint64_t head, workers;
	bool quiet;
	struct sample_site sites[SAMPLE_MOST];
	size_t site_count;
};

static char *sample_title(struct span title, struct error *err)
{
	char *copy = title.size ? strndup(title.at, title.size) : NULL;

	if (!copy)
		(void)error_refuse(err, "it needs a name");
	return copy;
}

static void *sample_add_site(void *parent, struct span title, struct error *err)
{
	struct sample *sample = parent;
	struct sample_site *site = &sample->sites[sample->site_count];

	if (sample->site_count == SAMPLE_MOST) {
		(void)error_refuse(err, "more than %d sites", SAMPLE_MOST);
		return NULL;
	}
	site->name = sample_title(title, err);
	sample->site_count += site->name != NULL;
	return site->name ? site : NULL;
}

static void *sample_add_location(void *parent, struct span title, struct error *err)
{
	struct sample_site *site = parent;
	struct sample_location *location = &site->locations[site->location_count];

	if (site->location_count == SAMPLE_MOST) {
		(void)error_refuse(err, "more than %d locations", SAMPLE_MOST);
		return NULL;
	}
	location->path = sample_title(title, err);
	site->location_count += location->path != NULL;
	return location->path ? location : NULL;
}

static enum status sample_check_site(void *object, struct error *err)
{
	struct sample_site *site = object;

	if (site->allow.path && !site->key.path)
		return error_refuse(err, "an allow-file needs a key");
	return OK;
}

enum { SAMPLE_EXPLAIN, SAMPLE_DROP, SAMPLE_ALLOW };
static const struct value_choice sample_modes[] = {
	{"explain", SAMPLE_EXPLAIN}, {"drop", SAMPLE_DROP}, {"allow", SAMPLE_ALLOW}, {NULL, 0}};

static const struct config_row sample_row_list[] = {
	{.key = "listen", .section = "", .shape = CONFIG_LIST, .kind = &value_addresses,
	 .offset = offsetof(struct sample, listen), .standard = "0.0.0.0:443, [::]:443",
	 .help = "Where to listen."},
	{.key = "state", .section = "", .kind = &value_path, .offset = offsetof(struct sample, state),
	 .standard = "/var/lib/chatelaine", .help = "The folder of keys.\nNobody else may read it."},
	{.key = "contact", .section = "", .kind = &value_text,
	 .offset = offsetof(struct sample, contact), .help = "Refusal pages name it.",
	 .example = "it@example.com"},
	{.key = "idle-timeout", .section = "", .kind = &value_duration,
	 .offset = offsetof(struct sample, idle), .standard = "75s", .help = "Then it closes.",
	 .least = SECONDS(1), .most = SECONDS(3600)},
	{.key = "head-size", .section = "", .kind = &value_size,
	 .offset = offsetof(struct sample, head), .standard = "16K", .help = "Of a request.",
	 .least = 1024, .most = 1 << 20},
	{.key = "workers", .section = "", .kind = &value_number,
	 .offset = offsetof(struct sample, workers), .standard = "2", .help = "Processes.", .least = 1,
	 .most = 64},
	{.key = "quiet", .section = "", .kind = &value_boolean,
	 .offset = offsetof(struct sample, quiet), .standard = "no", .help = "Say less."},
	{.key = "site", .section = "", .shape = CONFIG_SECTION, .is_required = true,
	 .add = sample_add_site, .check = sample_check_site, .help = "One name.",
	 .example = "chat.example.com"},
	{.key = "who", .section = "site", .shape = CONFIG_LIST, .kind = &value_names,
	 .offset = offsetof(struct sample_site, who), .standard = "everyone", .help = "Groups."},
	{.key = "upstream", .section = "site", .kind = &value_text, .is_required = true,
	 .offset = offsetof(struct sample_site, upstream), .help = "The application.",
	 .example = "http://127.0.0.1:3000"},
	{.key = "no-certificate", .section = "site", .kind = &value_of_choice, .choices = sample_modes,
	 .offset = offsetof(struct sample_site, mode), .standard = "explain", .help = "What then."},
	{.key = "key", .section = "site", .kind = &value_file,
	 .offset = offsetof(struct sample_site, key), .help = "Its key.", .example = "/key.pem"},
	{.key = "allow-file", .section = "site", .kind = &value_watched_file,
	 .offset = offsetof(struct sample_site, allow), .help = "Devices.", .example = "/allow.txt"},
	{.key = "location", .section = "site", .shape = CONFIG_SECTION, .add = sample_add_location,
	 .help = "A path.", .example = "/api"},
	{.key = "no-certificate", .section = "location", .kind = &value_of_choice,
	 .choices = sample_modes, .offset = offsetof(struct sample_location, mode),
	 .standard = "explain", .help = "Here."},
};
static const struct config_rows sample_rows = {
	.at = sample_row_list, .count = sizeof sample_row_list / sizeof sample_row_list[0]};

static const struct config_map_entry sample_files[] = {
	{"/key.pem", "KEY"}, {"/allow.txt", "ab12\n"}, {"/unreadable", NULL}, {NULL, NULL}};

static void sample_release(struct sample *sample)
{
	size_t i, j;

	for (i = 0; i < sample->site_count; i++) {
		struct sample_site *site = &sample->sites[i];

		for (j = 0; j < site->location_count; j++) {
			config_release(&sample_rows, "location", &site->locations[j]);
			free(site->locations[j].path);
		}
		config_release(&sample_rows, "site", site);
		free(site->name);
	}
	config_release(&sample_rows, "", sample);
}

#endif
