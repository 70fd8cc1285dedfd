#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "command/example_parts.h"
#include "event/loop.h"
#include "http/connection.h"
#include "http/page.h"
#include "http/service.h"
#include "wire/http_head.h"
#include "wire/target.h"

enum {
	PAGE_MOST = 256 * 1024,
	BLOCK = 64 * 1024,
	DOWNLOAD_A_CALL = 4 * 1024 * 1024,
	SLOW_MOST = 300, /* seconds */
};

static const struct loop *loop_of(const struct exchange *exchange)
{
	return connection_host(exchange->connection)->loop;
}

static void answer_text(struct exchange *exchange, unsigned status, const char *text)
{
	page_answer(exchange, status, SPAN("text/plain; charset=utf-8"), span_of(text));
}

static void answer_json(struct exchange *exchange, json_t *words)
{
	char *text = words ? json_dumps(words, JSON_COMPACT) : NULL;

	json_decref(words);
	if (text)
		page_answer(exchange, 200, SPAN("application/json"), span_of(text));
	else
		answer_text(exchange, 500, "no memory\n");
	free(text);
}

static json_t *json_of(struct span text)
{
	json_t *word = json_stringn(text.at, text.size);

	return word ? word : json_string("?"); /* not UTF-8 */
}

/* -- / and /who -- */

#define CSP_NAME "Content-Security-Policy"
#define CSP                                                                                        \
	"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "              \
	"connect-src 'self' ws: wss:; img-src data:; base-uri 'none'; form-action 'none'; "        \
	"frame-ancestors 'none'"

static void fill_front(const struct exchange *exchange, struct buffer *html)
{
	const struct embedded *file = embedded_find("example.html");
	struct example_who who;

	example_who(exchange, &who);

	const struct page_value values[] = {
		{"person", who.person.size ? who.person : SPAN("Somebody"), false},
		{"email", who.email, false},
		{"device", who.device, false},
		{"groups", who.groups, false},
		{"known", who.device.size ? SPAN("known") : SPAN("unknown"), false},
	};
	page_fill(html, file ? file->bytes : SPAN("{{person}}"), values,
		  sizeof values / sizeof *values);
}

static void open_front(struct exchange *exchange)
{
	static const struct page_field fields[] = {
		{{CSP_NAME, sizeof CSP_NAME - 1}, {CSP, sizeof CSP - 1}},
	};
	struct page page = {.status = 200, .type = SPAN("text/html; charset=utf-8"),
			    .fields = fields, .field_count = 1};
	struct buffer html;

	buffer_init(&html, PAGE_MOST);
	fill_front(exchange, &html);
	page.body = buffer_span(&html);
	if (buffer_is_whole(&html))
		page_send(exchange, &page);
	else
		answer_text(exchange, 500, "no memory\n");
	buffer_release(&html);
}

static void open_who(struct exchange *exchange)
{
	struct example_who who;

	example_who(exchange, &who);
	answer_json(exchange, json_pack("{s:b, s:o, s:o, s:o, s:o}", "known",
					who.device.size > 0, "person", json_of(who.person), "email",
					json_of(who.email), "device", json_of(who.device),
					"groups", json_of(who.groups)));
}

/* -- /headers: the head as it came -- */

static void open_headers(struct exchange *exchange)
{
	const struct head *head = exchange->request;
	struct buffer text;
	size_t i;

	buffer_init(&text, PAGE_MOST);
	buffer_add(&text, head->method_name);
	buffer_add_char(&text, ' ');
	buffer_add(&text, head->target);
	buffer_add_text(&text, head->minor ? " HTTP/1.1\n" : " HTTP/1.0\n");
	for (i = 0; i < head->field_count; i++) {
		buffer_add(&text, head->fields[i].name);
		buffer_add_text(&text, ": ");
		buffer_add(&text, head->fields[i].value);
		buffer_add_char(&text, '\n');
	}
	page_answer(exchange, 200, SPAN("text/plain; charset=utf-8"), buffer_span(&text));
	buffer_release(&text);
}

/* -- /upload: counts what comes -- */

static void count_upload(struct exchange *exchange)
{
	struct example_visit *visit = example_visit_of(exchange);
	struct span bytes;

	while ((bytes = body_peek(&exchange->up)).size > 0) {
		visit->bytes += bytes.size;
		body_consume(&exchange->up, bytes.size);
	}
	if (body_is_over(&exchange->up))
		answer_json(exchange, json_pack("{s:I}", "bytes", (json_int_t)visit->bytes));
}

static void open_upload(struct exchange *exchange)
{
	exchange_want_body(exchange);
	/* What came with the head waits already. */
	if (exchange->phase == PHASE_OPEN)
		count_upload(exchange);
}

/* -- /download?bytes=N -- */

static const char *block(void)
{
	static char bytes[BLOCK];
	size_t i;

	if (!bytes[0])
		for (i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)('0' + i % 64);
	return bytes;
}

static void send_more(struct exchange *exchange)
{
	struct example_visit *visit = example_visit_of(exchange);
	size_t moved = 0;

	while (exchange->down.flow == FLOW_OPEN && body_waiting(&exchange->down) == 0 &&
	       moved < DOWNLOAD_A_CALL) {
		size_t size = visit->bytes < BLOCK ? (size_t)visit->bytes : BLOCK;

		visit->bytes -= size;
		moved += size;
		body_show(&exchange->down, span_make(block(), size), visit->bytes == 0);
	}
	exchange_flush(exchange);
	if (moved >= DOWNLOAD_A_CALL && exchange->down.flow == FLOW_OPEN)
		timer_set(loop_timers(connection_host(exchange->connection)->loop), &visit->timer,
			  loop_now(loop_of(exchange))->mono);
}

static void download_timer(struct timer *timer)
{
	send_more(&OWNER_OF(timer, struct example_visit, timer)->exchange);
}

static void open_download(struct exchange *exchange)
{
	struct example_visit *visit = example_visit_of(exchange);
	struct head answer;

	timer_init(&visit->timer, download_timer);
	visit->bytes = example_query(exchange, "bytes", 1024, INT64_MAX);
	head_init(&answer);
	answer.kind = ANSWER_HEAD;
	answer.code = 200;
	answer.framing = BODY_LENGTH;
	answer.length = visit->bytes;
	answer.has_length = true;
	answer.field_count = 1;
	answer.fields[0] = (struct field){SPAN("Content-Type"), SPAN("application/octet-stream"),
					  FIELD_CONTENT_TYPE, 0};
	exchange_answer(exchange, &answer, exchange->is_head);
	if (!exchange->is_head)
		send_more(exchange);
}

static void stop_timer(struct exchange *exchange)
{
	timer_stop(&example_visit_of(exchange)->timer);
}

/* -- /slow?seconds=N -- */

static void slow_timer(struct timer *timer)
{
	answer_text(&OWNER_OF(timer, struct example_visit, timer)->exchange, 200, "at last\n");
}

static void open_slow(struct exchange *exchange)
{
	struct example_visit *visit = example_visit_of(exchange);
	uint64_t seconds = example_query(exchange, "seconds", 3, SLOW_MOST);

	timer_init(&visit->timer, slow_timer);
	timer_set(loop_timers(connection_host(exchange->connection)->loop), &visit->timer,
		  loop_now(loop_of(exchange))->mono + SECONDS((int64_t)seconds));
}

static void open_nothing(struct exchange *exchange)
{
	answer_text(exchange, 404, "There is /, /who, /headers, /upload, /download?bytes=N, "
				   "/slow?seconds=N, and the WebSockets /live and /echo.\n");
}

static const struct {
	const char *path;
	struct service service;
} pages[] = {
	{"/", {.name = "front", .open = open_front}},
	{"/who", {.name = "who", .open = open_who}},
	{"/headers", {.name = "headers", .open = open_headers}},
	{"/upload", {.name = "upload", .open = open_upload, .on_up = count_upload}},
	{"/download", {.name = "download", .open = open_download, .on_room = send_more,
		       .cancel = stop_timer, .release = stop_timer}},
	{"/slow", {.name = "slow", .open = open_slow, .cancel = stop_timer, .release = stop_timer}},
};
static const struct service nothing = {.name = "nothing", .open = open_nothing};

const struct service *example_page(struct span path)
{
	size_t i;

	for (i = 0; i < sizeof pages / sizeof *pages; i++)
		if (span_is(path, pages[i].path))
			return &pages[i].service;
	return &nothing;
}
