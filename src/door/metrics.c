#include "door/metrics.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "door/refusal.h"
#include "shm/roster.h"
#include "shm/score_sum.h"

void metrics_escape(struct buffer *out, struct span text)
{
	while (text.size) {
		uint32_t character;
		unsigned size = utf8_take(text, &character);

		if (size && character == '\n')
			buffer_add_text(out, "\\n");
		else if (size == 0 || utf8_is_control(character))
			buffer_add_char(out, '?');
		else if (character == '"' || character == '\\')
			buffer_printf(out, "\\%c", (char)character);
		else
			buffer_add(out, span_make(text.at, size));
		span_skip(&text, size ? size : 1);
	}
}

/* -- lines -- */

static void head(struct buffer *out, const char *name, const char *type, const char *help)
{
	buffer_printf(out, "# HELP chatelaine_%s %s\n# TYPE chatelaine_%s %s\n", name, help, name, type);
}

static void one(struct buffer *out, const char *name, const char *type, const char *help, uint64_t value)
{
	head(out, name, type, help);
	buffer_printf(out, "chatelaine_%s %llu\n", name, (unsigned long long)value);
}

static void labelled(struct buffer *out, const char *name, const char *label, const char *text, uint64_t value)
{
	buffer_printf(out, "chatelaine_%s{%s=\"%s\"} %llu\n", name, label, text, (unsigned long long)value);
}

static void site_line(struct buffer *out, const char *name, const struct site_sum *site, const char *more,
		      uint64_t value)
{
	buffer_printf(out, "chatelaine_%s{site=\"", name);
	metrics_escape(out, span_of(site->name));
	buffer_printf(out, "\"%s} %llu\n", more, (unsigned long long)value);
}

/* -- times -- */

static void seconds(struct buffer *out, uint64_t microseconds)
{
	buffer_printf(out, "%llu.%06llu", (unsigned long long)(microseconds / 1000000),
		      (unsigned long long)(microseconds % 1000000));
}

/* NAME_bucket{site="..",le=".."}, NAME_sum{site=".."}, NAME_count; the house's own have no site. `end`: of the
 * bucket, in microseconds; 0: without one; UINT64_MAX: the last. */
static void begin_sample(struct buffer *out, const char *name, const char *suffix, const struct site_sum *site,
			 uint64_t end)
{
	buffer_printf(out, "chatelaine_%s%s", name, suffix);
	if (!site && !end)
		return;
	buffer_add_text(out, site ? "{site=\"" : "{");
	if (site) {
		metrics_escape(out, span_of(site->name));
		buffer_add_text(out, end ? "\"," : "\"");
	}
	if (end) {
		buffer_add_text(out, "le=\"");
		if (end == UINT64_MAX)
			buffer_add_text(out, "+Inf");
		else
			seconds(out, end);
		buffer_add_char(out, '"');
	}
	buffer_add_char(out, '}');
}

static void histogram(struct buffer *out, const char *name, const struct site_sum *site, const struct times_sum *times)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < SCORE_BUCKETS; i++) {
		sum += times->buckets[i];
		begin_sample(out, name, "_bucket", site, i + 1 < SCORE_BUCKETS ? score_bucket_end(i) : UINT64_MAX);
		buffer_printf(out, " %llu\n", (unsigned long long)sum);
	}
	begin_sample(out, name, "_sum", site, 0);
	buffer_add_char(out, ' ');
	seconds(out, times->sum);
	buffer_add_char(out, '\n');
	begin_sample(out, name, "_count", site, 0);
	buffer_printf(out, " %llu\n", (unsigned long long)times->count);
}

/* -- what is told, one table a shape -- */

static const struct {
	enum score score;
	const char *name, *type, *help;
} figures[] = {
	{SCORE_CONNECTIONS, "connections_total", "counter", "Connections of clients that were taken in."},
	{SCORE_LIVE_CONNECTIONS, "connections_open", "gauge", "Connections of clients now."},
	{SCORE_LIVE_EXCHANGES, "requests_open", "gauge", "Requests under way now, WebSockets among them."},
	{SCORE_REVOKED_CLOSED, "connections_ended_total", "counter",
	 "Connections ended by a revocation or a change of rules."},
	{SCORE_UPSTREAM_CONNECTIONS, "upstream_connections_total", "counter", "Connections made to applications."},
	{SCORE_UPSTREAM_ERRORS, "upstream_errors_total", "counter",
	 "Requests that got no answer of their application: 502, 503, 504."},
	{SCORE_UPSTREAM_RETRIED, "upstream_retries_total", "counter",
	 "Requests asked once more, because a kept connection was stale."},
	{SCORE_UPSTREAM_BROKEN, "upstream_broken_total", "counter", "Answers of applications that were cut short."},
	{SCORE_SESSION_STORES, "tls_sessions_stored_total", "counter", "TLS sessions kept for resumption."},
};

static const struct {
	enum score score;
	const char *name, *label, *value, *help;
} parted[] = {
	{SCORE_HANDSHAKES_FULL, "tls_handshakes_total", "result", "full", "TLS handshakes by how they ended."},
	{SCORE_HANDSHAKES_RESUMED, "tls_handshakes_total", "result", "resumed", NULL},
	{SCORE_HANDSHAKES_FAILED, "tls_handshakes_total", "result", "failed", NULL},
	{SCORE_SESSION_HITS, "tls_session_lookups_total", "result", "hit", "Lookups of TLS sessions."},
	{SCORE_SESSION_MISSES, "tls_session_lookups_total", "result", "miss", NULL},
	{SCORE_ACCESS_DROPPED, "log_lines_dropped_total", "log", "access", "Log lines that found no room."},
	{SCORE_LOG_DROPPED, "log_lines_dropped_total", "log", "main", NULL},
};

static const struct {
	enum site_score score;
	const char *name, *type, *help;
} site_figures[] = {
	{SITE_BYTES_UP, "received_bytes_total", "counter", "Bytes of requests' bodies and of WebSockets from clients."},
	{SITE_BYTES_DOWN, "sent_bytes_total", "counter", "Bytes of answers' bodies and of WebSockets to clients."},
	{SITE_REFUSED, "refused_requests_total", "counter", "Requests that were refused, for whatever reason."},
	{SITE_WATCHED, "watched_requests_total", "counter", "Requests let pass that would be refused but for watch mode."},
	{SITE_WEBSOCKETS, "websockets_total", "counter", "WebSockets that were opened."},
	{SITE_LIVE_TUNNELS, "websockets_open", "gauge", "WebSockets open now."},
	{SITE_UPSTREAMS_DOWN, "upstream_servers_down", "gauge", "Servers of the application that do not answer."},
};

static const struct {
	enum site_time time;
	const char *name, *help;
} site_times[] = {
	{SITE_TIME_CONNECT, "upstream_connect_seconds", "Until a connection to the application was there, kept or new."},
	{SITE_TIME_FIRST_BYTE, "upstream_first_byte_seconds", "Until the application's answer began."},
	{SITE_TIME_TOTAL, "upstream_duration_seconds", "Until the exchange with the application was over."},
};

static const struct {
	enum house_score score;
	const char *name, *type, *help;
} house_figures[] = {
	{HOUSE_STARTED, "start_time_seconds", "gauge", "When the supervisor started, seconds since 1970."},
	{HOUSE_GENERATION, "config_generation", "gauge", "Configurations taken up since the start, the first among them."},
	{HOUSE_RELOADS_FAILED, "config_reloads_failed_total", "counter", "Changed configurations that were refused."},
	{HOUSE_RELOAD_AT, "config_last_reload_seconds", "gauge", "When a changed configuration was last looked at; 0: never."},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void write_figures(struct buffer *out, const struct score_sum *sum)
{
	uint64_t h2 = sum->scores[SCORE_REQUESTS_H2], all = sum->scores[SCORE_REQUESTS];
	size_t i;

	for (i = 0; i < COUNT(figures); i++)
		one(out, figures[i].name, figures[i].type, figures[i].help, sum->scores[figures[i].score]);
	for (i = 0; i < COUNT(parted); i++) {
		if (parted[i].help)
			head(out, parted[i].name, "counter", parted[i].help);
		labelled(out, parted[i].name, parted[i].label, parted[i].value, sum->scores[parted[i].score]);
	}
	head(out, "requests_begun_total", "counter", "Requests by protocol, counted when they begin.");
	labelled(out, "requests_begun_total", "protocol", "http/1.1", all > h2 ? all - h2 : 0);
	labelled(out, "requests_begun_total", "protocol", "h2", h2);
	head(out, "refusals_total", "counter", "What was refused, by code; \"chatelaine explain CODE\" says more.");
	for (i = REFUSAL_NONE + 1; i < REFUSAL_COUNT && i < SCORE_REFUSALS; i++)
		labelled(out, "refusals_total", "code", refusal_row((enum refusal)i)->code, sum->refusals[i]);
	head(out, "request_duration_seconds", "histogram", "Of requests but WebSockets, from the head to the last byte.");
	histogram(out, "request_duration_seconds", NULL, &sum->durations);
	one(out, "workers", "gauge", "Parts of the house that run, the authority among them.", sum->owners);
}

static void write_sites(struct buffer *out, const struct score_sum *sum)
{
	static const char *const classes[SCORE_STATUSES] = {",status=\"none\"", ",status=\"1xx\"", ",status=\"2xx\"",
							    ",status=\"3xx\"", ",status=\"4xx\"", ",status=\"5xx\""};
	size_t i, j, k;

	head(out, "requests_total", "counter", "Requests that are over, by site and class of status.");
	for (j = 0; j < sum->site_count; j++)
		for (k = 0; k < SCORE_STATUSES; k++)
			site_line(out, "requests_total", &sum->sites[j], classes[k], sum->sites[j].statuses[k]);
	for (i = 0; i < COUNT(site_figures); i++) {
		head(out, site_figures[i].name, site_figures[i].type, site_figures[i].help);
		for (j = 0; j < sum->site_count; j++)
			site_line(out, site_figures[i].name, &sum->sites[j], "",
				  sum->sites[j].scores[site_figures[i].score]);
	}
	head(out, "certificate_not_after_seconds", "gauge", "When the site's own certificate ends, seconds since 1970.");
	for (j = 0; j < sum->site_count; j++)
		if (sum->sites[j].scores[SITE_CERTIFICATE_ENDS])
			site_line(out, "certificate_not_after_seconds", &sum->sites[j], "",
				  sum->sites[j].scores[SITE_CERTIFICATE_ENDS]);
	for (i = 0; i < COUNT(site_times); i++) {
		head(out, site_times[i].name, "histogram", site_times[i].help);
		for (j = 0; j < sum->site_count; j++)
			if (sum->sites[j].times[site_times[i].time].count)
				histogram(out, site_times[i].name, &sum->sites[j],
					  &sum->sites[j].times[site_times[i].time]);
	}
}

static void write_house(struct buffer *out, const struct scoreboard *board)
{
	size_t i;

	head(out, "build_info", "gauge", "Always 1; the label says which build this is.");
	labelled(out, "build_info", "version", VERSION, 1);
	for (i = 0; i < COUNT(house_figures); i++)
		one(out, house_figures[i].name, house_figures[i].type, house_figures[i].help,
		    score_house_get(board, house_figures[i].score));
	one(out, "config_last_reload_successful", "gauge", "0: the configuration on disk was refused, the one before holds.",
	    score_house_get(board, HOUSE_RELOAD_FAILED) ? 0 : 1);
	head(out, "worker_restarts_total", "counter", "Parts that ended unasked and were started again.");
	labelled(out, "worker_restarts_total", "part", "gateway", score_house_get(board, HOUSE_GATEWAYS_RESTARTED));
	labelled(out, "worker_restarts_total", "part", "authority", score_house_get(board, HOUSE_AUTHORITY_RESTARTED));
}

static void write_roster(struct buffer *out, const struct roster *roster, int64_t wall)
{
	int64_t age = wall - roster_touched_at(roster);

	one(out, "roster_certificates", "gauge", "Certificates that the gateways know.", roster_count(roster));
	head(out, "roster_age_seconds", "gauge", "Since the authority was last heard of.");
	buffer_add_text(out, "chatelaine_roster_age_seconds ");
	seconds(out, age > 0 ? (uint64_t)age : 0);
	buffer_add_char(out, '\n');
}

enum status metrics_write(const struct scoreboard *board, const struct roster *roster, int64_t wall,
			  struct buffer *out, struct error *err)
{
	struct score_sum sum;
	enum status status = score_sum_make(board, &sum, err);

	if (status != OK)
		return status;
	write_house(out, board);
	write_figures(out, &sum);
	if (roster)
		write_roster(out, roster, wall);
	write_sites(out, &sum);
	score_sum_release(&sum);
	return buffer_is_whole(out) ? OK : error_fail(err, "the metrics need more than %d bytes", METRICS_MOST);
}
