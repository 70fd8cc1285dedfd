#include "base/network.h"

#include <string.h>

enum { V4_OFFSET = 12, V4_BITS = 96 };

static const uint8_t mapped[V4_OFFSET] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool bytes_of(const struct address *address, uint8_t out[static 16], bool *is_v4)
{
	if (address->any.sa_family == AF_INET) {
		memcpy(out, mapped, sizeof mapped);
		memcpy(out + V4_OFFSET, &address->in.sin_addr, 4);
		*is_v4 = true;
		return true;
	}
	if (address->any.sa_family != AF_INET6)
		return false;
	memcpy(out, &address->in6.sin6_addr, 16);
	*is_v4 = false;
	return true;
}

static bool agree(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static bool is_clear_behind(const uint8_t *address, unsigned bits)
{
	unsigned i;

	for (i = bits; i < 128; i++)
		if (address[i / 8] & 0x80 >> i % 8)
			return false;
	return true;
}

enum status network_parse(struct span text, struct network *out, struct error *err)
{
	struct span rest = text, ip;
	struct address address;
	struct network network;
	uint64_t bits;
	bool is_v4;

	if (!span_cut(&rest, '/', &ip) || !address_parse_ip(ip, &address) ||
	    !bytes_of(&address, network.address, &is_v4))
		return error_refuse(
			err, "\"%.*s\" is no IP address or network; write 10.0.0.1 or 10.0.0.0/8",
			SPAN_PRINT(text));
	bits = is_v4 ? 32 : 128;
	if (rest.at && !span_to_u64(rest, bits, &bits))
		return error_refuse(err, "\"%.*s\": the prefix is a number up to %d",
				    SPAN_PRINT(text), is_v4 ? 32 : 128);
	network.bits = (uint8_t)(bits + (is_v4 ? V4_BITS : 0));
	if (!is_clear_behind(network.address, network.bits))
		return error_refuse(err, "\"%.*s\": the address has bits behind its prefix",
				    SPAN_PRINT(text));
	*out = network;
	return OK;
}

bool network_bytes(const struct address *address, uint8_t out[static NETWORK_BYTES])
{
	bool is_v4;

	if (bytes_of(address, out, &is_v4))
		return true;
	memset(out, 0, NETWORK_BYTES);
	return false;
}

bool network_has_bytes(const struct network *network, const uint8_t bytes[static NETWORK_BYTES])
{
	/* ::/64 is not meant to hold the IPv4 Internet, though ::ffff:0:0/96 lies in it. */
	if (network->bits > 0 && network->bits < V4_BITS && memcmp(bytes, mapped, sizeof mapped) == 0)
		return false;
	return agree(bytes, network->address, network->bits);
}

bool network_has(const struct network *network, const struct address *address)
{
	uint8_t bytes[NETWORK_BYTES];

	return network_bytes(address, bytes) && network_has_bytes(network, bytes);
}
