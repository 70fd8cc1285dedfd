#include "http/http_house.h"

static const char get[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

static const char *filled(const char *template, const struct page_value *values, size_t count)
{
	static char text[1000];
	struct buffer out;

	buffer_init(&out, 10000);
	page_fill(&out, span_of(template), values, count);
	snprintf(text, sizeof text, "%s", buffer_text(&out));
	buffer_release(&out);
	return text;
}

static void a_value_cannot_become_markup(void **state)
{
	struct page_value values[] = {
		{"evil", SPAN("<script>\"'&\x01</script>{{good}}"), false},
		{"good", SPAN("<b>ok</b>"), true},
		{"none", SPAN(""), false},
	};

	(void)state;
	assert_string_equal(filled("a {{evil}} {{good}} {{unknown}}z", values, 3),
			    "a &lt;script&gt;&quot;&#39;&amp;\xef\xbf\xbd&lt;/script&gt;{{good}} <b>ok</b> z");
	assert_string_equal(filled("{{#none}}no{{/none}}{{#unknown}}no{{/unknown}}"
				   "{{#good}}[{{good}}]{{/good}}",
				   values, 3),
			    "[<b>ok</b>]");
	assert_string_equal(filled("open {{good", values, 3), "open ");
	assert_string_equal(filled("{{#good}}never closed {{good}}", values, 3), "never closed <b>ok</b>");
}

static void the_refusal_page_is_embedded_and_whole(void **state)
{
	const struct embedded *page = embedded_find("refusal.html");
	struct page_value values[] = {{"title", SPAN("Not <here>"), false}};
	struct buffer out;

	(void)state;
	assert_non_null(page);
	assert_null(embedded_find("nothing.html"));
	buffer_init(&out, 65536);
	page_fill(&out, page->bytes, values, 1);
	assert_non_null(strstr(buffer_text(&out), "<h1>Not &lt;here&gt;</h1>"));
	assert_non_null(strstr(buffer_text(&out), "font:"));
	assert_null(strstr(buffer_text(&out), "{{"));
	assert_non_null(strstr(buffer_text(&out), "</html>"));
	buffer_release(&out);
}

static void send_html(struct exchange *exchange)
{
	struct page_field fields[] = {
		{SPAN("X-Good"), SPAN("1")},
		{SPAN("X-Bad"), SPAN("1\r\nX-Split: 1")},
		{SPAN("Bad Name"), SPAN("1")},
		{SPAN("cache-control"), SPAN("max-age=5")},
		{SPAN("Content-Length"), SPAN("9999")},
	};
	struct page page = {
		.status = 403,
		.type = SPAN("text/html"),
		.body = SPAN("<p>no</p>"),
		.lasts = true,
		.fields = fields,
		.field_count = 5,
	};

	page_send(exchange, &page);
}

static void a_page_has_its_fields_and_no_others(void **state)
{
	(void)state;
	house_open(NULL);
	house.host.on_exchange = send_html;
	house_connect();
	house_say(get);
	assert_int_equal(strncmp(house_heard(), "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n", 48), 0);
	assert_non_null(strstr(house_heard(), "\r\nX-Good: 1\r\n"));
	assert_null(strstr(house_heard(), "X-Split"));
	assert_null(strstr(house_heard(), "Bad Name"));
	assert_null(strstr(house_heard(), "no-store"));
	assert_null(strstr(house_heard(), "9999"));
	assert_non_null(strstr(house_heard(), "\r\nContent-Length: 9\r\n"));
	assert_non_null(strstr(house_heard(), "\r\nContent-Security-Policy: default-src 'none'; "));
	assert_true(span_ends(script_written(house.stream), "\r\n\r\n<p>no</p>"));
	house_leave();
	house_close();
}

static void send_large(struct exchange *exchange)
{
	static char text[262144];

	memset(text, 'a', sizeof text);
	page_answer(exchange, 200, SPAN("text/plain"), span_make(text, sizeof text));
}

static void a_large_page_waits_for_a_slow_reader(void **state)
{
	int i;

	(void)state;
	house_open(NULL);
	house.host.on_exchange = send_large;
	house_connect();
	script_take(house.stream, 100);
	house_say(get);
	for (i = 0; i < 6; i++) {
		script_take(house.stream, 50000);
		script_ready(house.stream);
		house_turn();
	}
	assert_int_equal(house.left, 1);
	assert_true(script_written(house.stream).size > 262144);
	house_leave();
	house_close();
}

static void send_over(struct exchange *exchange)
{
	exchange_hand_over(exchange, &holder, NULL);
	page_answer(exchange, 502, SPAN("text/plain"), SPAN("down\n"));
}

static void a_service_hands_over_to_a_page(void **state)
{
	(void)state;
	house_open(NULL);
	house.host.on_exchange = send_over;
	house_connect();
	house_say(get);
	assert_non_null(strstr(house_heard(), "HTTP/1.1 502 Bad Gateway\r\n"));
	assert_int_equal(house.released, 1);
	assert_int_equal(house.cancelled, 0);
	assert_int_equal(house.left, 1);
	house_leave();
	house_close();
}

static void request_ids_differ(void **state)
{
	struct exchange one = {.id = 0x0123456789abcdef};
	char text[EXCHANGE_ID_SIZE];

	(void)state;
	exchange_id_text(&one, text);
	assert_string_equal(text, "0123456789abcdef");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_cannot_become_markup),
		cmocka_unit_test(the_refusal_page_is_embedded_and_whole),
		cmocka_unit_test(a_page_has_its_fields_and_no_others),
		cmocka_unit_test(a_large_page_waits_for_a_slow_reader),
		cmocka_unit_test(a_service_hands_over_to_a_page),
		cmocka_unit_test(request_ids_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
