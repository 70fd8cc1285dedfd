/* What plain HTTP on a TLS port hears: a sentence that says https, and where to go. */
#include "base/buffer.h"
#include "http/connection_parts.h"
#include "http/page.h"
#include "wire/host_name.h"
#include "wire/http_head.h"
#include "wire/target.h"

/* Whatever can be told of a request that may not even be whole; nothing that is not well-formed
 * finds its way into the answer. */
static void find_url(struct span request, struct buffer *url, bool *is_head)
{
	char path[8192];
	struct host_name host;
	struct target target;
	struct head head;
	size_t used;

	head_init(&head);
	*is_head = span_starts(request, "HEAD ");
	if (head_parse(request, REQUEST_HEAD, &head_limits_default, &head, &used, NULL) != OK ||
	    host_fold(head.host, &host, NULL) != OK ||
	    target_parse(head.path, path, sizeof path, &target, NULL) != OK || target.path.at[0] != '/')
		return;
	buffer_add_text(url, host.kind == HOST_IPV6 ? "https://[" : "https://");
	buffer_add(url, host_span(&host));
	buffer_add_text(url, host.kind == HOST_IPV6 ? "]" : "");
	if (host.port != 0 && host.port != 443)
		buffer_printf(url, ":%u", host.port);
	buffer_add(url, target.path);
	if (target.has_query) {
		buffer_add_char(url, '?');
		buffer_add(url, target.query);
	}
}

static void own_page(struct span url, struct buffer *html)
{
	const struct embedded *page = embedded_find("refusal.html");
	struct page_value values[] = {
		{"status", SPAN("400"), false},
		{"title", SPAN("This door speaks https"), false},
		{"sentence",
		 SPAN("The request came as plain http to a port that speaks only https, so it was not "
		      "let in."),
		 false},
		{"next", SPAN("Open the same address with https:// in front."), false},
		{"url", url, false},
	};

	if (page)
		page_fill(html, page->bytes, values, sizeof values / sizeof *values);
}

void plain_answer(struct connection *connection, struct span request, struct buffer *out)
{
	struct http_host *host = connection->host;
	struct buffer url, html;
	bool is_head;

	buffer_init(&url, 16384);
	buffer_init(&html, 49152);
	find_url(request, &url, &is_head);
	if (!buffer_is_whole(&url))
		buffer_clear(&url);
	if (host->on_plain_http)
		host->on_plain_http(connection, buffer_span(&url), &html);
	else
		own_page(buffer_span(&url), &html);
	buffer_add_text(out, "HTTP/1.1 400 Bad Request\r\nDate: ");
	buffer_add(out, http_host_date(host));
	buffer_printf(out,
		      "\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %zu\r\n"
		      "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
		      html.size);
	if (!is_head)
		buffer_add(out, buffer_span(&html));
	buffer_release(&url);
	buffer_release(&html);
}
