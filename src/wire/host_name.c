#include "wire/host_name.h"

#include "base/address.h"

enum { NAME_MAX_SIZE = 253, LABEL_MAX_SIZE = 63 };

static enum status refuse(struct span host, const char *why, struct error *err)
{
	return error_refuse(err, "\"%.*s\" is no host name: %s", SPAN_PRINT(host), why);
}

static bool take_address(struct span literal, struct host_name *out)
{
	char text[ADDRESS_TEXT_SIZE];
	struct address address;

	if (!address_parse_ip(literal, &address))
		return false;
	address_ip_text(&address, text);
	out->size = (uint8_t)strlen(text);
	memcpy(out->text, text, out->size + (size_t)1);
	out->kind = strchr(text, ':') ? HOST_IPV6 : HOST_IPV4;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A last label that some resolver reads as a number: "1", "0x7f" (the WHATWG URL standard's rule). */
static bool is_number(struct span label)
{
	size_t i = 0;

	if (label.size >= 2 && label.at[0] == '0' && label.at[1] == 'x') {
		for (i = 2; i < label.size; i++)
			if (!is_digit(label.at[i]) && !(label.at[i] >= 'a' && label.at[i] <= 'f'))
				return false;
		return true;
	}
	while (i < label.size && is_digit(label.at[i]))
		i++;
	return i == label.size;
}

static enum status check_labels(struct span host, struct span rest, struct host_name *out,
				struct error *err)
{
	struct span label = SPAN("");

	if (rest.at[rest.size - 1] == '.')
		return refuse(host, "between dots stand 1 to 63 characters", err);
	while (span_cut(&rest, '.', &label)) {
		if (label.size == 0 || label.size > LABEL_MAX_SIZE)
			return refuse(host, "between dots stand 1 to 63 characters", err);
		if (label.at[0] == '-' || label.at[label.size - 1] == '-')
			return refuse(host, "no part of it begins or ends with \"-\"", err);
	}
	if (is_number(label)) {
		struct span text = {out->text, out->size};

		return take_address(text, out) && out->kind == HOST_IPV4
			       ? OK
			       : refuse(host, "it ends in a number but is no IPv4 address", err);
	}
	out->kind = HOST_DNS;
	return OK;
}

static enum status take_name(struct span host, struct span name, struct host_name *out,
			     struct error *err)
{
	size_t i;

	if (name.size && name.at[name.size - 1] == '.')
		name.size--;
	if (name.size == 0)
		return refuse(host, "it is empty", err);
	if (name.size > NAME_MAX_SIZE)
		return refuse(host, "it is longer than 253 characters", err);
	for (i = 0; i < name.size; i++) {
		char c = name.at[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + 32);
		if (!((c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_' || c == '.'))
			return refuse(host, "it has a character other than letters, digits, \"-\", \"_\" "
				      "and \".\"", err);
		out->text[i] = c;
	}
	out->text[i] = 0;
	out->size = (uint8_t)i;
	return check_labels(host, host_span(out), out, err);
}

static enum status take_port(struct span host, struct span port, struct host_name *out,
			     struct error *err)
{
	uint64_t number;

	if (port.size == 0 || port.at[0] == '0' || !span_to_u64(port, 65535, &number))
		return refuse(host, "its port is not a number from 1 to 65535", err);
	out->port = (uint16_t)number;
	return OK;
}

static enum status take_bracketed(struct span host, struct host_name *out, struct error *err)
{
	const char *close = memchr(host.at, ']', host.size);
	struct span literal, rest;

	if (!close)
		return refuse(host, "a bracket is not closed", err);
	literal = span_make(host.at, (size_t)(close - host.at) + 1);
	rest = span_make(close + 1, host.size - literal.size);
	if (!take_address(literal, out))
		return refuse(host, "between brackets stands an IPv6 address", err);
	if (rest.size == 0)
		return OK;
	if (rest.at[0] != ':')
		return refuse(host, "something stands behind its bracket", err);
	span_skip(&rest, 1);
	return take_port(host, rest, out, err);
}

enum status host_fold(struct span host, struct host_name *out, struct error *err)
{
	struct host_name folded;
	struct span name = host;
	const char *colon;
	enum status status = OK;

	folded.port = 0;
	if (host.size && host.at[0] == '[') {
		TRY(take_bracketed(host, &folded, err));
	} else {
		colon = host.size ? memchr(host.at, ':', host.size) : NULL;
		if (colon) {
			name.size = (size_t)(colon - host.at);
			struct span port = {colon + 1, host.size - (size_t)(colon - host.at) - 1};

			TRY(take_port(host, port, &folded, err));
		}
		TRY(take_name(host, name, &folded, err));
	}
	*out = folded;
done:
	return status;
}

enum status host_fold_name(struct span host, struct host_name *out, struct error *err)
{
	struct host_name folded;
	enum status status = OK;

	folded.port = 0;
	if (!take_address(host, &folded))
		TRY(host.size && memchr(host.at, ':', host.size)
			    ? refuse(host, "a port may not stand here", err)
			    : take_name(host, host, &folded, err));
	*out = folded;
done:
	return status;
}

bool host_equals(const struct host_name *a, const struct host_name *b)
{
	return a->kind == b->kind && span_equals(host_span(a), host_span(b));
}
