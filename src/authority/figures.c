#include "authority/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "shm/score_sum.h"

enum { SAMPLES = 10, SAMPLE_SECONDS = 30, CONFIGS_MOST = 16 };

struct figures {
	const struct scoreboard *board;
	struct sample {
		struct score_sum sum;
		int64_t at; /* mono; 0: none */
	} samples[SAMPLES];
	unsigned next;
};

struct figures *figures_new(const struct scoreboard *board)
{
	struct figures *figures = calloc(1, sizeof *figures);

	if (figures)
		figures->board = board;
	return figures;
}

void figures_free(struct figures *figures)
{
	unsigned i;

	for (i = 0; figures && i < SAMPLES; i++)
		score_sum_release(&figures->samples[i].sum);
	free(figures);
}

void figures_beat(struct figures *figures, int64_t mono)
{
	const struct sample *last;
	struct sample *sample;

	if (!figures)
		return;
	last = &figures->samples[(figures->next + SAMPLES - 1) % SAMPLES];
	if (last->at && mono - last->at < SECONDS(SAMPLE_SECONDS))
		return;
	sample = &figures->samples[figures->next];
	score_sum_release(&sample->sum);
	sample->at = 0;
	if (score_sum_make(figures->board, &sample->sum, NULL) != OK)
		return;
	sample->at = mono;
	figures->next = (figures->next + 1) % SAMPLES;
}

static const struct sample *oldest(const struct figures *figures)
{
	const struct sample *found = NULL;
	unsigned i;

	for (i = 0; i < SAMPLES; i++)
		if (figures->samples[i].at && (!found || figures->samples[i].at < found->at))
			found = &figures->samples[i];
	return found;
}

/* -- as JSON -- */

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)(value & INT64_MAX));
}

static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static const struct {
	enum score score;
	const char *name;
} rows[] = {
	{SCORE_CONNECTIONS, "connections"},
	{SCORE_LIVE_CONNECTIONS, "connections_open"},
	{SCORE_HANDSHAKES_FULL, "handshakes_full"},
	{SCORE_HANDSHAKES_RESUMED, "handshakes_resumed"},
	{SCORE_HANDSHAKES_FAILED, "handshakes_failed"},
	{SCORE_REQUESTS, "requests"},
	{SCORE_REQUESTS_H2, "requests_h2"},
	{SCORE_LIVE_EXCHANGES, "requests_open"},
	{SCORE_LIVE_TUNNELS, "websockets_open"},
	{SCORE_REVOKED_CLOSED, "connections_ended"},
	{SCORE_UPSTREAM_ERRORS, "upstream_errors"},
	{SCORE_UPSTREAM_RETRIED, "upstream_retried"},
	{SCORE_UPSTREAM_BROKEN, "upstream_broken"},
	{SCORE_WATCHED, "watched"},
};

/* By the number of the refusal's row, which door/refusal knows and this room does not. */
static json_t *refusals(const struct score_sum *sum, const struct score_sum *before)
{
	json_t *out = json_array();
	unsigned i;

	for (i = 0; i < SCORE_REFUSALS; i++)
		if (sum->refusals[i])
			json_array_append_new(out, json_pack("{s:i, s:o, s:o}", "row", (int)i, "count", number(sum->refusals[i]),
							     "recent", number(grown(sum->refusals[i], before->refusals[i]))));
	return out;
}

static uint64_t requests_of(const struct site_sum *site)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; site && i < SCORE_STATUSES; i++)
		sum += site->statuses[i];
	return sum;
}

static const struct site_sum *same_site(const struct score_sum *sum, const char *name)
{
	size_t i;

	for (i = 0; i < sum->site_count; i++)
		if (strcmp(sum->sites[i].name, name) == 0)
			return &sum->sites[i];
	return NULL;
}

static json_t *describe_site(const struct site_sum *site, const struct score_sum *before)
{
	const struct site_sum *then = same_site(before, site->name);
	uint64_t refused_then = then ? then->scores[SITE_REFUSED] : 0;
	json_t *name = json_string(site->name);

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "site", name ? name : json_string("?"),
			 "requests", number(requests_of(site)), "recent",
			 number(grown(requests_of(site), requests_of(then))), "refused", number(site->scores[SITE_REFUSED]),
			 "refused_recent", number(grown(site->scores[SITE_REFUSED], refused_then)), "watched",
			 number(site->scores[SITE_WATCHED]), "websockets_open", number(site->scores[SITE_LIVE_TUNNELS]),
			 "upstreams_down", number(site->scores[SITE_UPSTREAMS_DOWN]), "certificate_ends",
			 number(site->scores[SITE_CERTIFICATE_ENDS]), "up", number(site->scores[SITE_BYTES_UP]), "down",
			 number(site->scores[SITE_BYTES_DOWN]));
}

/* What the gateways work by: 16 hex digits, each once. More than one: some have not followed. */
static json_t *configurations(const struct scoreboard *board)
{
	json_t *out = json_object();
	unsigned slot;

	for (slot = 0; slot < scoreboard_slots(board) && json_object_size(out) < CONFIGS_MOST; slot++) {
		const struct score_page *page = scoreboard_page(board, slot);
		char text[17];

		if (!score_read(&page->pid) || !score_read(&page->scores[SCORE_CONFIG]))
			continue;
		snprintf(text, sizeof text, "%016llx", (unsigned long long)score_read(&page->scores[SCORE_CONFIG]));
		json_object_set_new(out, text, json_true());
	}
	return out;
}

static json_t *describe_house(const struct scoreboard *board)
{
	static const char *const names[HOUSE_COUNT] = {
		[HOUSE_STARTED] = "started",
		[HOUSE_GENERATION] = "generation",
		[HOUSE_RELOADS_FAILED] = "reloads_failed",
		[HOUSE_RELOAD_AT] = "reload_at",
		[HOUSE_RELOAD_FAILED] = "reload_failed",
		[HOUSE_GATEWAYS_RESTARTED] = "gateways_restarted",
		[HOUSE_AUTHORITY_RESTARTED] = "authority_restarted",
		[HOUSE_RESTARTED_AT] = "restarted_at",
	};
	json_t *out = json_object();
	int i;

	for (i = 0; i < HOUSE_COUNT; i++)
		json_object_set_new(out, names[i], number(score_house_get(board, (enum house_score)i)));
	json_object_set_new(out, "configurations", configurations(board));
	return out;
}

void figures_describe(struct figures *figures, int64_t mono, json_t *into)
{
	static const struct score_sum nothing;
	const struct sample *first = figures ? oldest(figures) : NULL;
	const struct score_sum *before = first ? &first->sum : &nothing;
	json_t *out, *sites;
	struct score_sum sum;
	size_t i;

	if (!figures || score_sum_make(figures->board, &sum, NULL) != OK)
		return;
	out = json_object();
	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		json_object_set_new(out, rows[i].name, number(sum.scores[rows[i].score]));
	json_object_set_new(out, "requests_recent", number(grown(sum.scores[SCORE_REQUESTS], before->scores[SCORE_REQUESTS])));
	json_object_set_new(out, "recent_seconds", json_integer(first ? (mono - first->at) / 1000000 : 0));
	json_object_set_new(out, "refusals", refusals(&sum, before));
	json_object_set_new(into, "figures", out);
	sites = json_array();
	for (i = 0; i < sum.site_count; i++)
		json_array_append_new(sites, describe_site(&sum.sites[i], before));
	json_object_set_new(into, "site_figures", sites);
	json_object_set_new(into, "log",
			    json_pack("{s:o, s:o, s:o, s:o}", "dropped", number(sum.scores[SCORE_LOG_DROPPED]), "access_dropped",
				      number(sum.scores[SCORE_ACCESS_DROPPED]), "dropped_recent",
				      number(grown(sum.scores[SCORE_LOG_DROPPED], before->scores[SCORE_LOG_DROPPED])),
				      "access_dropped_recent",
				      number(grown(sum.scores[SCORE_ACCESS_DROPPED], before->scores[SCORE_ACCESS_DROPPED]))));
	json_object_set_new(into, "house", describe_house(figures->board));
	score_sum_release(&sum);
}
