#include "door/refusal.h"

#include <string.h>

#include "http/page.h"

static const char ask_for_renewal[] =
	"Ask for a new certificate, install it, then open this page again.";
static const char update_client[] =
	"Update the browser, app or script that sent it; if it goes on, tell the people named "
	"below.";

/* No text here may hold <, &, or a quotation mark: they go into pages and JSON alike. */
static const struct refusal_row rows[REFUSAL_COUNT] = {
	[REFUSAL_NO_CERTIFICATE] = {
		"C01", 403, "A certificate is needed",
		"No required SSL certificate was sent, so the door stays closed.",
		"Install the certificate that you were given on this device and choose it when "
		"the browser asks. If it is installed and the browser did not ask, close the "
		"browser and open it again. Browsers hide a certificate that has expired: look "
		"at its date, and ask for a new one if it is over.",
		"The client sent no certificate. Browsers hide expired ones and ones of another"
		" issuer; see the device's certificates with `chatelaine device show`. To open "
		"the site or a path to everybody: no-certificate = allow.",
	},
	[REFUSAL_EXPIRED] = {
		"C02", 403, "Your certificate has expired",
		"The certificate that this device showed is no longer in force.",
		ask_for_renewal,
		"The certificate's last day is over. Give the device another: `chatelaine "
		"device add PERSON --label LABEL`.",
	},
	[REFUSAL_NOT_YET] = {
		"C03", 403, "Your certificate is not valid yet",
		"The certificate that this device showed is not in force yet.",
		"Look at the date and time of this device, and try again later.",
		"The certificate's first second is in the future: a clock is wrong, this "
		"machine's or the one that issued it.",
	},
	[REFUSAL_REVOKED] = {
		"C04", 403, "Your certificate was revoked",
		"The certificate that this device showed has been revoked.",
		"It cannot be used again. Ask for a new one if this device should have access.",
		"The device or this certificate was revoked; `chatelaine device show` says when"
		" and why.",
	},
	[REFUSAL_SUSPENDED] = {
		"C05", 403, "This device is suspended",
		"Access of this device is suspended for now.",
		"Ask for it to be resumed.",
		"The device or its person is suspended in the registry.",
	},
	[REFUSAL_UNKNOWN] = {
		"C06", 403, "Unknown certificate",
		"The certificate that this device showed was not issued for this server.",
		"Choose another certificate: close the browser, open this page again, and pick "
		"the one for this server.",
		"The certificate is not in the registry: issued by somebody else, or by a "
		"certificate authority that was replaced. `chatelaine cert inspect FILE` shows "
		"what it is.",
	},
	[REFUSAL_PENDING] = {
		"C07", 403, "This device is not active yet",
		"The device is known, but it has not been made active yet.",
		"Try again later, or ask.",
		"The device waits for somebody to make it active.",
	},
	[REFUSAL_NOT_ALLOWED] = {
		"C08", 403, "Not allowed here",
		"Your certificate is fine, but it does not give access to this page.",
		"Ask to be let in here, if you should be.",
		"The person is in none of the groups of the site's or location's `who`.",
	},
	[REFUSAL_NOT_ON_FILE] = {
		"C09", 403, "This device is not on the list",
		"Your certificate is fine, but this device is not on the list of devices that "
		"may enter.",
		"Ask for this device to be put on the list.",
		"The device's id is not in the site's allow-file. `chatelaine device list` "
		"shows ids; add one as a line of its own.",
	},
	[REFUSAL_FILE_UNREADABLE] = {
		"C10", 403, "The list of devices cannot be read",
		"The server cannot read the list of devices that may enter, so nobody may.",
		"Tell the people named below; nothing is wrong with this device.",
		"The allow-file is missing or unreadable for the supervisor. Put it back; it is"
		" picked up by itself.",
	},
	[REFUSAL_HOST_UNKNOWN] = {
		"C11", 421, "No such site here",
		"This server has no site of that name.",
		"Look at the address for a mistake in the name.",
		"The request's Host names no site of the config. Add the name as a site, or use"
		" one that is there.",
	},
	[REFUSAL_HOST_MISMATCH] = {
		"C12", 421, "Another site on this connection",
		"The connection was made for another site than the one that was asked for.",
		"Open the page again; the browser makes a connection of its own for it.",
		"Host is not the name the TLS handshake was for, and the two sites have "
		"different rules.",
	},
	[REFUSAL_ROSTER_TOO_OLD] = {
		"C13", 503, "Access cannot be checked now",
		"The server cannot tell at the moment who may enter.",
		"Try again in a minute.",
		"The gateway has heard nothing of the authority, or not for longer than "
		"roster-max-age, or misses the device's card. See `chatelaine status`.",
	},
	[REFUSAL_NOT_FROM_THERE] = {
		"C14", 403, "Not from this network",
		"This page can only be reached from certain networks, and yours is not one of them.",
		"Use the network that it is meant for, or ask.",
		"The client's address is in none of the networks of the site's or location's "
		"`allow-from`. Behind a proxy that is not in `trusted-proxies` it is the proxy's.",
	},
	[REFUSAL_BAD_REQUEST] = {
		"C20", 400, "Bad request",
		"The request is not valid HTTP, or could be understood in two ways.",
		update_client,
		"Refused by the strict parser (RFC 9112); the log line of the request says why.",
	},
	[REFUSAL_TIMEOUT] = {
		"C21", 408, "Too slow",
		"The request did not arrive in time.",
		"Try again.",
		"The head of the request was not complete within its deadline.",
	},
	[REFUSAL_TOO_LARGE] = {
		"C22", 413, "Too large",
		"What was sent is larger than this server takes.",
		"Send less.",
		"The request's body is over the site's ceiling.",
	},
	[REFUSAL_TARGET_TOO_LONG] = {
		"C23", 414, "Address too long",
		"The address of the request is longer than this server takes.",
		"Use a shorter address.",
		"The request's target is over the ceiling.",
	},
	[REFUSAL_EXPECTATION] = {
		"C24", 417, "Expectation failed",
		"The request expects something that this server does not do.",
		update_client,
		"An Expect field other than 100-continue.",
	},
	[REFUSAL_HEAD_TOO_LARGE] = {
		"C25", 431, "Header too large",
		"The header fields of the request are larger than this server takes.",
		"Delete the cookies of this site and try again.",
		"The request's head is over its ceiling of bytes or of fields; often cookies "
		"have piled up.",
	},
	[REFUSAL_NOT_IMPLEMENTED] = {
		"C26", 501, "Not implemented",
		"The request uses a method or a transfer coding that this server does not know.",
		update_client,
		"CONNECT, TRACE, or a transfer coding other than chunked.",
	},
	[REFUSAL_VERSION] = {
		"C27", 505, "HTTP version not supported",
		"The request is of a version of HTTP that this server does not speak.",
		update_client,
		"Neither HTTP/1.1 nor HTTP/1.0.",
	},
	[REFUSAL_PLAIN_HTTP] = {
		"C28", 400, "Use https",
		"This is a secure port, and the request came as plain http.",
		"Write https:// in front of the address.",
		"Plain HTTP on the TLS port: a link or script with http:// and the port of "
		"https.",
	},
	[REFUSAL_TUNNEL] = {
		"C29", 400, "No such upgrade",
		"The request asks for a change of protocol that this server does not pass on.",
		update_client,
		"Only a complete WebSocket upgrade (RFC 6455) becomes a tunnel.",
	},
	[REFUSAL_UPSTREAM_DOWN] = {
		"C30", 502, "The application does not answer",
		"You are let in, but the application behind the door cannot be reached.",
		"Try again in a minute.",
		"No connection to the site's upstream: is it running, and on the address of the"
		" config? See `chatelaine status`.",
	},
	[REFUSAL_UPSTREAM_SLOW] = {
		"C31", 504, "The application is too slow",
		"You are let in, but the application behind the door did not answer in time.",
		"Try again in a minute.",
		"The upstream took the request and did not begin its answer within the "
		"deadline.",
	},
	[REFUSAL_UPSTREAM_BROKEN] = {
		"C32", 502, "The application gave a bad answer",
		"You are let in, but the answer of the application behind the door was not "
		"valid HTTP.",
		"Try again; if it goes on, tell the people named below.",
		"The upstream closed before its answer was complete, or answered what RFC 9112 "
		"does not allow; the log says what.",
	},
	[REFUSAL_UNAVAILABLE] = {
		"C33", 503, "Too busy",
		"The server has more to do than it can take now.",
		"Try again in a minute.",
		"A ceiling is reached: connections to the upstream, exchanges, memory.",
	},
	[REFUSAL_NOT_FOUND] = {
		"C34", 404, "Nothing here",
		"There is no such page.",
		"Look at the address for a mistake.",
		"No service of the site answers that path.",
	},
	[REFUSAL_METHOD] = {
		"C35", 405, "Method not allowed",
		"This page does not take requests of that kind.",
		update_client,
		"The service behind the path does not know the request's method.",
	},
	[REFUSAL_CLOSED] = {
		"C36", 503, "Connection ended",
		"The rules of this server have changed while you were connected.",
		"Open the page again.",
		"A reload or a change of the rules ended what was live and would be refused "
		"now, or the process stops.",
	},
	[REFUSAL_TOO_MANY] = {
		"C37", 429, "Too many requests",
		"More came from you in a short time than this server takes from one.",
		"Wait a moment, then try again.",
		"A ceiling of one device (device-...) or, without an accepted certificate, of one address "
		"(address-...): requests a second or at once; before a page can be shown, handshakes "
		"a second or connections at once. `chatelaine config reference` lists them.",
	},
	[REFUSAL_FOREIGN_PATH] = {
		"C50", 403, "The certificate cannot be verified",
		"The certificate that this device showed is of a kind that is accepted here, but "
		"it cannot be verified.",
		"Ask whoever issued the certificate for a new one.",
		"A certificate of a foreign CA whose path to its root is not sound: a bad "
		"signature, a weak key, SHA-1 or MD5, a path that is too long. The log's line "
		"foreign-refused says which.",
	},
	[REFUSAL_FOREIGN_PURPOSE] = {
		"C51", 403, "Not a certificate for signing in",
		"The certificate that this device showed was not made for proving who somebody is.",
		"Choose another certificate, or ask whoever issued it for one for client "
		"authentication.",
		"A certificate of a foreign CA without clientAuth in its extended key usage, or a "
		"CA certificate. The CA must issue one for clients.",
	},
	[REFUSAL_FOREIGN_REVOKED] = {
		"C52", 403, "Your certificate was revoked",
		"Whoever issued the certificate that this device showed has revoked it.",
		"It cannot be used again. Ask whoever issued it for a new one.",
		"The certificate, or a CA above it, stands in the crl of its foreign CA.",
	},
	[REFUSAL_FOREIGN_LIST] = {
		"C53", 503, "Access cannot be checked now",
		"The server cannot tell at the moment whether this certificate was revoked.",
		"Tell the people named below; nothing is wrong with this device.",
		"The crl of the foreign CA is out of date, or has no list of this issuer, and "
		"crl-expired = refuse. Fetch the new list; it is picked up by itself.",
	},
	[REFUSAL_FOREIGN_NO_IDENTITY] = {
		"C54", 403, "The certificate does not say who you are",
		"The certificate that this device showed does not name one person or machine as "
		"it must here.",
		"Ask whoever issued the certificate for one with that name in it.",
		"The field that foreign-ca identity names is missing, stands there more than "
		"once, holds what it may not, or is an address of a domain that the CA may not "
		"name. The log's line foreign-refused says which.",
	},
	[REFUSAL_FOREIGN_NOT_ON_FILE] = {
		"C55", 403, "You are not on the list",
		"Your certificate is fine, but you are not on the list of those who may enter.",
		"Ask to be put on the list.",
		"The identity does not stand in the allow-file of its foreign-ca. The log's line "
		"of the request has it, behind the name of the CA and a slash.",
	},
	[REFUSAL_FOREIGN_FILE] = {
		"C56", 403, "The list cannot be read",
		"The server cannot read the list of those who may enter, so nobody may.",
		"Tell the people named below; nothing is wrong with this device.",
		"The allow-file of the foreign-ca is missing or unreadable for the supervisor. "
		"Put it back; it is picked up by itself.",
	},
};

const struct refusal_row *refusal_row(enum refusal why)
{
	return why > REFUSAL_NONE && why < REFUSAL_COUNT ? &rows[why] : NULL;
}

enum refusal refusal_find(struct span code)
{
	int i;

	for (i = REFUSAL_NONE + 1; i < REFUSAL_COUNT; i++)
		if (span_is_nocase(code, rows[i].code))
			return (enum refusal)i;
	return REFUSAL_NONE;
}

enum refusal refusal_of_who(enum who who)
{
	static const enum refusal of[] = {
		[WHO_KNOWN] = REFUSAL_NONE,
		[WHO_NO_CERTIFICATE] = REFUSAL_NO_CERTIFICATE,
		[WHO_UNKNOWN] = REFUSAL_UNKNOWN,
		[WHO_EXPIRED] = REFUSAL_EXPIRED,
		[WHO_NOT_YET] = REFUSAL_NOT_YET,
		[WHO_REVOKED] = REFUSAL_REVOKED,
		[WHO_SUSPENDED] = REFUSAL_SUSPENDED,
		[WHO_PENDING] = REFUSAL_PENDING,
		[WHO_ROSTER_TOO_OLD] = REFUSAL_ROSTER_TOO_OLD,
		[WHO_FOREIGN_BAD_PATH] = REFUSAL_FOREIGN_PATH,
		[WHO_FOREIGN_PURPOSE] = REFUSAL_FOREIGN_PURPOSE,
		[WHO_FOREIGN_REVOKED] = REFUSAL_FOREIGN_REVOKED,
		[WHO_FOREIGN_LIST] = REFUSAL_FOREIGN_LIST,
		[WHO_FOREIGN_NO_IDENTITY] = REFUSAL_FOREIGN_NO_IDENTITY,
		[WHO_FOREIGN_NOT_ON_FILE] = REFUSAL_FOREIGN_NOT_ON_FILE,
		[WHO_FOREIGN_FILE] = REFUSAL_FOREIGN_FILE,
	};

	return (size_t)who < sizeof of / sizeof of[0] ? of[who] : REFUSAL_UNKNOWN;
}

enum refusal refusal_of_status(unsigned status)
{
	static const enum refusal family[] = {
		REFUSAL_BAD_REQUEST, REFUSAL_TIMEOUT, REFUSAL_TOO_LARGE, REFUSAL_TARGET_TOO_LONG,
		REFUSAL_EXPECTATION, REFUSAL_HEAD_TOO_LARGE, REFUSAL_NOT_IMPLEMENTED, REFUSAL_VERSION,
	};
	size_t i;

	for (i = 0; i < sizeof family / sizeof family[0]; i++)
		if (rows[family[i]].status == status)
			return family[i];
	return REFUSAL_BAD_REQUEST;
}

bool refusal_explain(struct span code, struct buffer *out)
{
	const struct refusal_row *row = refusal_row(refusal_find(code));

	if (!row)
		return false;
	buffer_printf(out, "%s  %s (HTTP status %u)\n\nPeople see: %s\nThey are told: %s\n\nFor you: %s\n", row->code,
		      row->title, row->status, row->sentence, row->next, row->admin);
	return true;
}

/* -- pages -- */

void refusal_write_html(struct buffer *out, const struct refusal_page *page)
{
	static const char nobody_named[] = "whoever runs this server";
	const struct refusal_row *row = refusal_row(page->why);
	const struct embedded *template = embedded_find("refusal.html");
	struct buffer status;

	if (!row || !template)
		return;
	buffer_init(&status, 16);
	buffer_printf(&status, "%u", page->status ? page->status : row->status);
	const struct page_value values[] = {
		{"code", span_of(row->code), false},
		{"title", span_of(row->title), false},
		{"sentence", span_of(row->sentence), false},
		{"next", span_of(row->next), false},
		{"contact", page->contact.size ? page->contact : span_of(nobody_named), false},
		{"request", page->request, false},
		{"status", buffer_span(&status), false},
		{"url", page->url, false},
	};
	page_fill(out, template->bytes, values, sizeof values / sizeof values[0]);
	buffer_release(&status);
}

static void add_json_text(struct buffer *out, const char *key, struct span value)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	buffer_add_char(out, '"');
	buffer_add_text(out, key);
	buffer_add_text(out, "\":\"");
	for (i = 0; i < value.size; i++) {
		unsigned char c = (unsigned char)value.at[i];
		char escape[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

		if (c == '"' || c == '\\' || c < ' ' || c == 0x7f)
			buffer_add(out, span_make(escape, sizeof escape));
		else
			buffer_add_char(out, (char)c);
	}
	buffer_add_char(out, '"');
}

void refusal_write_json(struct buffer *out, const struct refusal_page *page)
{
	const struct refusal_row *row = refusal_row(page->why);
	unsigned status;

	if (!row)
		return;
	status = page->status ? page->status : row->status;
	buffer_add_char(out, '{');
	add_json_text(out, "code", span_of(row->code));
	buffer_printf(out, ",\"status\":%u,\"status_code\":%u,", status, status);
	add_json_text(out, "title", span_of(row->title));
	buffer_add_char(out, ',');
	/* The same, as Rocket.Chat's clients look for it and as Mattermost's do. */
	add_json_text(out, "error", span_of(row->sentence));
	buffer_add_char(out, ',');
	add_json_text(out, "message", span_of(row->sentence));
	buffer_add_char(out, ',');
	add_json_text(out, "next", span_of(row->next));
	buffer_add_char(out, ',');
	add_json_text(out, "contact", page->contact);
	buffer_add_char(out, ',');
	add_json_text(out, "request", page->request);
	buffer_add_text(out, "}\n");
}

/* In thousandths (RFC 9110 section 12.4.2); what cannot be read is 1. */
static unsigned weight_of(struct span parameters)
{
	struct span parameter, name;
	unsigned weight = 1000, digits = 100, i;

	while (span_cut(&parameters, ';', &parameter)) {
		parameter = span_trim(parameter);
		(void)span_cut(&parameter, '=', &name);
		if (!span_is_nocase(span_trim(name), "q") || parameter.size == 0 ||
		    (parameter.at[0] != '0' && parameter.at[0] != '1'))
			continue;
		weight = parameter.at[0] == '1' ? 1000 : 0;
		for (i = 2; weight < 1000 && i < 5 && i < parameter.size; i++, digits /= 10)
			if (parameter.at[i] >= '0' && parameter.at[i] <= '9')
				weight += digits * (unsigned)(parameter.at[i] - '0');
	}
	return weight;
}

static bool is_json(struct span type)
{
	char end[6] = {0};

	if (span_is_nocase(type, "application/json"))
		return true;
	if (type.size < 5)
		return false;
	memcpy(end, type.at + type.size - 5, 5);
	return span_is_nocase(span_of(end), "+json");
}

static bool is_html(struct span type)
{
	return span_is_nocase(type, "text/html") || span_is_nocase(type, "application/xhtml+xml");
}

/* What is named counts before what a wildcard means; of equal weights the one that is named first. */
bool refusal_wants_json(struct span accept, bool otherwise)
{
	unsigned json = 0, html = 0, any = 0;
	bool names_html = false, is_json_first = false;
	struct span rest, type;

	while (span_cut(&accept, ',', &rest)) {
		unsigned weight;

		rest = span_trim(rest);
		(void)span_cut(&rest, ';', &type);
		type = span_trim(type);
		weight = weight_of(rest);
		if (is_html(type)) {
			html = weight > html ? weight : html;
			names_html = true;
		} else if (is_json(type)) {
			is_json_first |= !names_html;
			json = weight > json ? weight : json;
		} else if ((span_is(type, "*/*") || span_is_nocase(type, "text/*")) && weight > any) {
			any = weight;
		}
	}
	if (!names_html)
		return json > 0 ? json >= any : otherwise;
	return json > html || (json > 0 && json == html && is_json_first);
}
