#include <string.h>

#include "base/log.h"
#include "door/door_parts.h"
#include "door/refusal.h"
#include "http/exchange.h"
#include "http/page.h"
#include "wire/http_head.h"
#include "wire/target.h"

enum { PAGE_MOST = 65536, OWN_PAGE_MOST = 250000, FIELDS_MOST = 4 };

struct chosen {
	uint16_t status;
	bool is_json;
};

/* Programs ask there, and read JSON whether they said so or not. */
static bool is_api(const struct visit *visit)
{
	const char *prefix = visit->site ? visit->site->preset->api_prefix : NULL;

	return prefix && visit->exchange.target && span_starts(visit->exchange.target->path, prefix);
}

/* A site may answer 400 or 401 where no certificate came, and an application's own program may wait
 * for a certain status on a certain path. */
static struct chosen choose(const struct visit *visit, enum refusal why)
{
	struct chosen chosen = {.status = refusal_row(why)->status};
	const struct head *request = visit->exchange.request;
	const struct site *site = visit->site;

	/* Nobody looks at the answer to a WebSocket that was not to be, but a program's log. */
	chosen.is_json = request->is_websocket ||
			 refusal_wants_json(head_value(request, FIELD_ACCEPT), is_api(visit));
	if (!site || why != REFUSAL_NO_CERTIFICATE)
		return chosen;
	chosen.status = site->missing_status;
	if (site->preset->json_path &&
	    span_is(visit->exchange.target->path, site->preset->json_path)) {
		chosen.status = site->preset->json_status;
		chosen.is_json = true;
	}
	return chosen;
}

/* The site's own page, if it has one for this; a contact of many ampersands must not make it endless. */
static void write_html(const struct visit *visit, const struct refusal_page *page, struct buffer *body)
{
	const struct error_pages *own = visit->site ? visit->site->error_pages : NULL;

	buffer_init(body, OWN_PAGE_MOST);
	if (error_pages_write(own, page, body) && buffer_is_whole(body))
		return;
	buffer_release(body);
	buffer_init(body, PAGE_MOST);
	refusal_write_html(body, page);
}

void refusal_answer(struct exchange *exchange, enum refusal why)
{
	struct visit *visit = visit_of(exchange);
	struct chosen chosen = choose(visit, why);
	struct page_field fields[FIELDS_MOST];
	char id[EXCHANGE_ID_SIZE], seconds[4];
	struct buffer body;
	struct refusal_page page = {.why = why, .status = chosen.status};
	struct page answer = {.status = chosen.status, .fields = fields};

	visit->why = why;
	exchange_id_text(exchange, id);
	page.request = span_make(id, EXCHANGE_ID_SIZE - 1);
	page.contact = routes_contact(visit->guest->door->routes);
	if (chosen.is_json) {
		buffer_init(&body, PAGE_MOST);
		refusal_write_json(&body, &page);
	} else {
		write_html(visit, &page, &body);
	}
	/* RFC 9110 section 15.5.2 wants a challenge; this one is only a name for what is asked. */
	if (chosen.status == 401)
		fields[answer.field_count++] =
			(struct page_field){SPAN("WWW-Authenticate"), SPAN("ClientCertificate")};
	if (visit->retry_after) {
		char *end = seconds + sizeof seconds;
		unsigned left = visit->retry_after;

		do
			*--end = (char)('0' + left % 10);
		while (left /= 10);
		fields[answer.field_count++] = (struct page_field){
			SPAN("Retry-After"), span_make(end, (size_t)(seconds + sizeof seconds - end))};
	}
	/* RFC 9110 section 15.5.6: 405 says what would do. */
	if (chosen.status == 405 && visit->methods)
		fields[answer.field_count++] = (struct page_field){SPAN("Allow"), span_of(visit->methods)};
	if (chosen.status == 503 && !visit->retry_after)
		fields[answer.field_count++] = (struct page_field){SPAN("Retry-After"), SPAN("5")};
	answer.type = chosen.is_json ? SPAN("application/json") : SPAN("text/html; charset=utf-8");
	answer.body = buffer_span(&body);
	page_send(exchange, &answer);
	buffer_release(&body);
}
