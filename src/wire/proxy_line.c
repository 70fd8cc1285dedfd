#include "wire/proxy_line.h"

#include <string.h>

enum { HEADER = 16, SIGNATURE = 12, SIGNATURE_SURE = 5, TCP4_SIZE = 12, TCP6_SIZE = 36, UNIX_SIZE = 216, TLV_HEAD = 3 };

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
static const char word[] = "PROXY ";

static bool agrees(struct span bytes, const char *with, size_t size)
{
	return memcmp(bytes.at, with, bytes.size < size ? bytes.size : size) == 0;
}

/* Version 1 ----------------------------------------------------------------- */

/* As a number is written: no sign, no leading zero. */
static bool parse_port(struct span text, uint16_t *out)
{
	uint64_t number;

	if (!span_to_u64(text, 65535, &number) || (text.size > 1 && text.at[0] == '0'))
		return false;
	*out = (uint16_t)number;
	return true;
}

static bool parse_host(struct span text, bool is_six, struct address *out)
{
	return text.size > 0 && text.at[0] != '[' && address_parse_ip(text, out) &&
	       (out->any.sa_family == AF_INET6) == is_six;
}

/* "TCP4 SOURCE DESTINATION SPORT DPORT": one space between any two, nothing else. */
static enum status parse_text(struct span line, struct proxy_line *out, struct error *err)
{
	struct span rest = line, family, part[4];
	struct address client, ours;
	uint16_t client_port, our_port;
	bool is_six;
	int i;

	if (!span_cut(&rest, ' ', &family))
		family = SPAN("");
	if (span_is(family, "UNKNOWN")) {
		out->has_client = false;
		return OK;
	}
	is_six = span_is(family, "TCP6");
	if (!is_six && !span_is(family, "TCP4"))
		return error_refuse(err, "PROXY: the family is not TCP4, TCP6 or UNKNOWN");
	for (i = 0; i < 4; i++)
		if (!span_cut(&rest, ' ', &part[i]))
			return error_refuse(err, "PROXY: two addresses and two ports are needed");
	if (rest.at && (rest.size || line.at[line.size - 1] == ' '))
		return error_refuse(err, "PROXY: something stands behind the ports");
	if (!parse_host(part[0], is_six, &client) || !parse_host(part[1], is_six, &ours))
		return error_refuse(err, "PROXY: an address is none of its family");
	if (!parse_port(part[2], &client_port) || !parse_port(part[3], &our_port))
		return error_refuse(err, "PROXY: a port is none");
	address_set_port(&client, client_port);
	out->has_client = true;
	out->client = client;
	return OK;
}

static enum status parse_version_1(struct span bytes, struct proxy_line *out, size_t *used, struct error *err)
{
	size_t most = bytes.size < PROXY_LINE_TEXT_MOST ? bytes.size : PROXY_LINE_TEXT_MOST;
	const char *end = memchr(bytes.at, '\n', most);
	size_t begin = sizeof word - 1;
	enum status status;

	if (!end)
		return most < PROXY_LINE_TEXT_MOST ? AGAIN
						   : error_refuse(err, "PROXY: no end of the line within %d bytes",
								  PROXY_LINE_TEXT_MOST);
	if (end[-1] != '\r')
		return error_refuse(err, "PROXY: the line does not end with CRLF");
	status = parse_text(span_make(bytes.at + begin, (size_t)(end - 1 - bytes.at) - begin), out, err);
	if (status == OK)
		*used = (size_t)(end + 1 - bytes.at);
	return status;
}

/* Version 2 ----------------------------------------------------------------- */

static unsigned two_bytes(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void take_client(const uint8_t *at, bool is_six, struct address *out)
{
	memset(out, 0, sizeof *out);
	if (is_six) {
		out->in6.sin6_family = AF_INET6;
		memcpy(&out->in6.sin6_addr, at, 16);
		out->size = sizeof out->in6;
		address_set_port(out, (uint16_t)two_bytes(at + 32));
	} else {
		out->in.sin_family = AF_INET;
		memcpy(&out->in.sin_addr, at, 4);
		out->size = sizeof out->in;
		address_set_port(out, (uint16_t)two_bytes(at + 8));
	}
}

static enum status check_tlvs(const uint8_t *at, size_t size, struct error *err)
{
	while (size > 0) {
		size_t length;

		if (size < TLV_HEAD || (length = two_bytes(at + 1)) > size - TLV_HEAD)
			return error_refuse(err, "PROXY v2: a TLV is longer than the header");
		at += TLV_HEAD + length;
		size -= TLV_HEAD + length;
	}
	return OK;
}

/* Bytes of addresses that a family has; 0 for none; -1: a family that cannot come to a TCP port. */
static int addresses_of(uint8_t family)
{
	switch (family) {
	case 0x00: /* UNSPEC */
		return 0;
	case 0x11:
		return TCP4_SIZE;
	case 0x21:
		return TCP6_SIZE;
	case 0x31: /* a Unix stream on the balancer: no address that we could use */
		return UNIX_SIZE;
	default:
		return -1;
	}
}

static enum status parse_body(const uint8_t *head, size_t length, struct proxy_line *out, struct error *err)
{
	int addresses = addresses_of(head[13]);

	if (head[12] == 0x20) {
		/* LOCAL: the connection is the balancer's own; what follows is to be skipped. */
		out->has_client = false;
		return OK;
	}
	if (addresses < 0)
		return error_refuse(err, "PROXY v2: the family 0x%02x is not TCP over IPv4 or IPv6", head[13]);
	if (length < (size_t)addresses)
		return error_refuse(err, "PROXY v2: %zu bytes are too few for the addresses", length);
	out->has_client = addresses == TCP4_SIZE || addresses == TCP6_SIZE;
	if (out->has_client)
		take_client(head + HEADER, addresses == TCP6_SIZE, &out->client);
	/* Of an unspecified family all of it is to be skipped. */
	return addresses ? check_tlvs(head + HEADER + addresses, length - (size_t)addresses, err) : OK;
}

static enum status parse_version_2(struct span bytes, struct proxy_line *out, size_t *used, struct error *err)
{
	const uint8_t *head = (const uint8_t *)bytes.at;
	enum status status;
	size_t length;

	if (bytes.size > SIGNATURE && head[12] != 0x20 && head[12] != 0x21)
		return error_refuse(err, "PROXY v2: version and command 0x%02x are not 2 with LOCAL or PROXY", head[12]);
	if (bytes.size < HEADER)
		return AGAIN;
	length = two_bytes(head + 14);
	if (length > PROXY_LINE_MOST - HEADER)
		return error_refuse(err, "PROXY v2: %zu bytes are more than the %d that are taken", length,
				    PROXY_LINE_MOST - HEADER);
	if (bytes.size < HEADER + length)
		return AGAIN;
	status = parse_body(head, length, out, err);
	if (status == OK)
		*used = HEADER + length;
	return status;
}

/* Either --------------------------------------------------------------------- */

enum status proxy_line_parse(struct span bytes, struct proxy_line *out, size_t *used, struct error *err)
{
	struct proxy_line line = {.has_client = false};
	enum status status;

	if (bytes.size == 0)
		return AGAIN;
	if (agrees(bytes, word, sizeof word - 1))
		status = bytes.size < sizeof word - 1 ? AGAIN : parse_version_1(bytes, &line, used, err);
	else if (agrees(bytes, signature, SIGNATURE))
		status = bytes.size < SIGNATURE ? AGAIN : parse_version_2(bytes, &line, used, err);
	else
		status = error_refuse(err, "no PROXY header");
	if (status == OK)
		*out = line;
	return status;
}

bool proxy_line_begins(struct span bytes)
{
	return (bytes.size >= sizeof word - 1 && agrees(bytes, word, sizeof word - 1)) ||
	       (bytes.size >= SIGNATURE_SURE && agrees(bytes, signature, SIGNATURE));
}
