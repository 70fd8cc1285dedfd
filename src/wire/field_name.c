#include "wire/field_name.h"

enum {
	HOP = FIELD_HOP_BY_HOP,
	FRAMING = FIELD_FRAMING,
	IDENTITY = FIELD_IDENTITY,
	FORWARDING = FIELD_FORWARDING,
	NO_TRAILER = FIELD_NO_TRAILER,
	NAME_MAX_KNOWN = 32,
	SLOTS = 512,
};

static const struct row {
	const char *name;
	uint8_t known, flags;
} rows[] = {
	{"Accept", FIELD_ACCEPT, 0},
	{"Accept-Encoding", FIELD_ACCEPT_ENCODING, 0},
	{"Authorization", FIELD_AUTHORIZATION, NO_TRAILER},
	{"Cache-Control", FIELD_CACHE_CONTROL, NO_TRAILER},
	{"Connection", FIELD_CONNECTION, HOP | NO_TRAILER},
	{"Content-Encoding", FIELD_CONTENT_ENCODING, NO_TRAILER},
	{"Content-Length", FIELD_CONTENT_LENGTH, FRAMING | NO_TRAILER},
	{"Content-Range", FIELD_CONTENT_RANGE, NO_TRAILER},
	{"Content-Type", FIELD_CONTENT_TYPE, NO_TRAILER},
	{"Cookie", FIELD_COOKIE, NO_TRAILER},
	{"Date", FIELD_DATE, NO_TRAILER},
	{"ETag", FIELD_ETAG, 0},
	{"Expect", FIELD_EXPECT, HOP | NO_TRAILER},
	{"Forwarded", FIELD_FORWARDED, FORWARDING | NO_TRAILER},
	{"Host", FIELD_HOST, FRAMING | NO_TRAILER},
	{"HTTP2-Settings", FIELD_HTTP2_SETTINGS, HOP | NO_TRAILER},
	{"If-Modified-Since", FIELD_IF_MODIFIED_SINCE, NO_TRAILER},
	{"If-None-Match", FIELD_IF_NONE_MATCH, NO_TRAILER},
	{"Keep-Alive", FIELD_KEEP_ALIVE, HOP | NO_TRAILER},
	{"Last-Modified", FIELD_LAST_MODIFIED, 0},
	{"Location", FIELD_LOCATION, NO_TRAILER},
	{"Max-Forwards", FIELD_MAX_FORWARDS, NO_TRAILER},
	{"Origin", FIELD_ORIGIN, NO_TRAILER},
	{"Proxy", FIELD_PROXY, HOP | NO_TRAILER},
	{"Proxy-Authenticate", FIELD_PROXY_AUTHENTICATE, HOP | NO_TRAILER},
	{"Proxy-Authentication-Info", FIELD_PROXY_AUTHENTICATION_INFO, HOP | NO_TRAILER},
	{"Proxy-Authorization", FIELD_PROXY_AUTHORIZATION, HOP | NO_TRAILER},
	{"Proxy-Connection", FIELD_PROXY_CONNECTION, HOP | NO_TRAILER},
	{"Range", FIELD_RANGE, NO_TRAILER},
	{"Referer", FIELD_REFERER, NO_TRAILER},
	{"Retry-After", FIELD_RETRY_AFTER, NO_TRAILER},
	{"Sec-WebSocket-Accept", FIELD_SEC_WEBSOCKET_ACCEPT, NO_TRAILER},
	{"Sec-WebSocket-Extensions", FIELD_SEC_WEBSOCKET_EXTENSIONS, NO_TRAILER},
	{"Sec-WebSocket-Key", FIELD_SEC_WEBSOCKET_KEY, NO_TRAILER},
	{"Sec-WebSocket-Protocol", FIELD_SEC_WEBSOCKET_PROTOCOL, NO_TRAILER},
	{"Sec-WebSocket-Version", FIELD_SEC_WEBSOCKET_VERSION, NO_TRAILER},
	{"Server", FIELD_SERVER, 0},
	{"Set-Cookie", FIELD_SET_COOKIE, NO_TRAILER},
	{"Strict-Transport-Security", FIELD_STRICT_TRANSPORT_SECURITY, NO_TRAILER},
	{"TE", FIELD_TE, HOP | NO_TRAILER},
	{"Trailer", FIELD_TRAILER, HOP | NO_TRAILER},
	{"Transfer-Encoding", FIELD_TRANSFER_ENCODING, FRAMING | NO_TRAILER},
	{"Upgrade", FIELD_UPGRADE, HOP | NO_TRAILER},
	{"User-Agent", FIELD_USER_AGENT, 0},
	{"Vary", FIELD_VARY, NO_TRAILER},
	{"Via", FIELD_VIA, 0},
	{"WWW-Authenticate", FIELD_WWW_AUTHENTICATE, NO_TRAILER},
	{"X-Forwarded-For", FIELD_X_FORWARDED_FOR, FORWARDING | NO_TRAILER},
	{"X-Forwarded-Host", FIELD_X_FORWARDED_HOST, FORWARDING | NO_TRAILER},
	{"X-Forwarded-Proto", FIELD_X_FORWARDED_PROTO, FORWARDING | NO_TRAILER},
	{"X-Real-IP", FIELD_X_REAL_IP, FORWARDING | NO_TRAILER},
	{"X-Request-ID", FIELD_X_REQUEST_ID, 0},

	/* What other proxies say of the client's address, scheme or URL. An application that believes
	 * X-Original-URL would serve another path than the one that our rules saw. */
	{"CF-Connecting-IP", FIELD_OTHER, FORWARDING},
	{"Client-IP", FIELD_OTHER, FORWARDING},
	{"Fastly-Client-IP", FIELD_OTHER, FORWARDING},
	{"Front-End-Https", FIELD_OTHER, FORWARDING},
	{"True-Client-IP", FIELD_OTHER, FORWARDING},
	{"X-Client-IP", FIELD_OTHER, FORWARDING},
	{"X-Cluster-Client-IP", FIELD_OTHER, FORWARDING},
	{"X-Forwarded", FIELD_OTHER, FORWARDING},
	{"X-Host", FIELD_OTHER, FORWARDING},
	{"X-HTTP-Host-Override", FIELD_OTHER, FORWARDING},
	{"X-Nginx-Proxy", FIELD_OTHER, FORWARDING},
	{"X-Originating-IP", FIELD_OTHER, FORWARDING},
	{"X-ProxyUser-IP", FIELD_OTHER, FORWARDING},
	{"X-Rewrite-URL", FIELD_OTHER, FORWARDING},
	{"X-Scheme", FIELD_OTHER, FORWARDING},
	{"X-Url-Scheme", FIELD_OTHER, FORWARDING},

	/* Identity in other doors' words, which applications are known to believe. */
	{"Remote-Email", FIELD_OTHER, IDENTITY},
	{"Remote-Groups", FIELD_OTHER, IDENTITY},
	{"Remote-Name", FIELD_OTHER, IDENTITY},
	{"Remote-User", FIELD_OTHER, IDENTITY},
	{"Ssl", FIELD_OTHER, IDENTITY},
	{"X-ARR-ClientCert", FIELD_OTHER, IDENTITY},
	{"X-Chatelaine", FIELD_OTHER, IDENTITY},
	{"X-Ssl", FIELD_OTHER, IDENTITY},
};

/* Folded; the first that fits decides, so the identity within x-forwarded- comes first. All begin with
 * "x-", "ss" or "cl" (may_have_prefix), and the third letter is looked at before the rest. */
#define PREFIX(text, flags) {{text, sizeof(text) - 1}, flags}
static const struct {
	struct span prefix;
	uint8_t flags;
} prefixes[] = {
	PREFIX("x-chatelaine-", IDENTITY),
	PREFIX("x-ssl-", IDENTITY), /* nginx, mattermost, HAProxy */
	PREFIX("ssl-", IDENTITY), /* WoTT's Ssl-Client; mod_ssl's SSL_CLIENT_S_DN */
	PREFIX("client-cert", IDENTITY), /* RFC 9440 */
	PREFIX("x-client-cert", IDENTITY),
	PREFIX("x-client-dn", IDENTITY),
	PREFIX("x-client-s-dn", IDENTITY),
	PREFIX("x-client-ssl", IDENTITY),
	PREFIX("x-client-verify", IDENTITY),
	PREFIX("x-forwarded-client-cert", IDENTITY), /* Envoy */
	PREFIX("x-forwarded-tls-", IDENTITY), /* Traefik */
	PREFIX("x-amzn-mtls-", IDENTITY),
	PREFIX("x-auth-request-", IDENTITY),
	PREFIX("x-mtls-", IDENTITY),
	PREFIX("x-remote-", IDENTITY),
	PREFIX("x-tls-client", IDENTITY),
	PREFIX("x-webauth-", IDENTITY),
	PREFIX("x-wott-", IDENTITY),
	PREFIX("x-forwarded-", FORWARDING),
	PREFIX("x-original-", FORWARDING),
};

#define LETTERS(low, high)                                                                         \
	[low] = high, [low + 1] = high + 1, [low + 2] = high + 2, [low + 3] = high + 3,            \
	[low + 4] = high + 4, [low + 5] = high + 5, [low + 6] = high + 6, [low + 7] = high + 7,    \
	[low + 8] = high + 8, [low + 9] = high + 9
#define ALPHABET(low, high)                                                                        \
	LETTERS(low, high), LETTERS(low + 10, high + 10), [low + 20] = high + 20,                  \
		[low + 21] = high + 21, [low + 22] = high + 22, [low + 23] = high + 23,            \
		[low + 24] = high + 24, [low + 25] = high + 25

const uint8_t field_fold[256] = {
	LETTERS('0', '0'), ALPHABET('a', 'a'), ALPHABET('A', 'a'),
	['!'] = '-', ['#'] = '-', ['$'] = '-', ['%'] = '-', ['&'] = '-', ['\''] = '-',
	['*'] = '-', ['+'] = '-', ['-'] = '-', ['.'] = '-', ['^'] = '-', ['_'] = '-',
	['`'] = '-', ['|'] = '-', ['~'] = '-',
};

/* A folded name of at most 32 bytes in words that overlap in the middle: equal words and equal size
 * are equal names. */
struct folded {
	uint64_t word[4];
	uint64_t twin; /* bits set where the name differs from its folded form in more than case */
};

static struct slot {
	uint64_t word[4];
	uint8_t size, known, flags;
} slots[SLOTS]; /* size 0: empty; filled before main and never changed */

#define EACH_BYTE(x) (0x0101010101010101u * (uint64_t)(x))

static inline uint64_t load_eight(const char *at)
{
	uint64_t word;

	memcpy(&word, at, 8);
	return word;
}

static inline uint64_t load_four(const char *at)
{
	uint32_t word;

	memcpy(&word, at, 4);
	return word;
}

/* Eight token bytes (all below 0x80, so no sum carries into its neighbour) to lower case, and what is
 * not a letter or digit to '-'. */
static inline uint64_t fold_word(uint64_t word, uint64_t *twin)
{
	uint64_t lower = word | EACH_BYTE(0x20);
	uint64_t letter = (lower + EACH_BYTE(0x80 - 'a')) & ~(lower + EACH_BYTE(0x7f - 'z'));
	uint64_t digit = (word + EACH_BYTE(0x80 - '0')) & ~(word + EACH_BYTE(0x7f - '9'));
	uint64_t keep = (((letter | digit) & EACH_BYTE(0x80)) >> 7) * 0xff;
	uint64_t folded = (lower & keep) | (EACH_BYTE('-') & ~keep);

	*twin |= (word ^ folded) & EACH_BYTE(0xdf);
	return folded;
}

/* 1 to 32 token bytes. A short name is padded with '-', which is no twin of anything. */
static inline struct folded fold_name(struct span name)
{
	struct folded folded = {{0}, 0};
	const char *end = name.at + name.size;

	if (name.size >= 8) {
		folded.word[0] = fold_word(load_eight(name.at), &folded.twin);
		folded.word[1] = fold_word(load_eight(end - 8), &folded.twin);
		if (name.size > 16) {
			folded.word[2] = fold_word(load_eight(name.at + 8), &folded.twin);
			folded.word[3] = fold_word(load_eight(end - 16), &folded.twin);
		}
	} else if (name.size >= 4) {
		folded.word[0] = fold_word(load_four(name.at) | load_four(end - 4) << 32, &folded.twin);
	} else {
		folded.word[0] = fold_word(EACH_BYTE('-') << 24 | (uint64_t)(uint8_t)end[-1] << 16 |
						   (uint64_t)(uint8_t)name.at[name.size / 2] << 8 |
						   (uint8_t)name.at[0],
					   &folded.twin);
	}
	return folded;
}

static inline unsigned hash(const struct folded *folded, size_t size)
{
	uint64_t mixed = folded->word[0] * 0x9e3779b97f4a7c15u ^ folded->word[1] * 0xc2b2ae3d27d4eb4fu;

	mixed += size * 0x165667b19e3779f9u;
	mixed ^= mixed >> 29;
	return (unsigned)((mixed * 0x9e3779b97f4a7c15u) >> 55);
}

static inline bool slot_holds(const struct slot *slot, const struct folded *folded, size_t size)
{
	return ((slot->word[0] ^ folded->word[0]) | (slot->word[1] ^ folded->word[1]) |
		(slot->word[2] ^ folded->word[2]) | (slot->word[3] ^ folded->word[3]) |
		(slot->size ^ size)) == 0;
}

__attribute__((constructor)) static void slots_fill(void)
{
	size_t i, k;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span name = span_of(rows[i].name);
		struct folded folded = fold_name(name);
		struct slot *slot;

		for (k = hash(&folded, name.size); slots[k % SLOTS].size; k++)
			;
		slot = &slots[k % SLOTS];
		memcpy(slot->word, folded.word, sizeof slot->word);
		slot->size = (uint8_t)name.size;
		slot->known = rows[i].known;
		slot->flags = rows[i].flags;
	}
}

static struct field_class lookup_prefix(struct span name)
{
	char folded[NAME_MAX_KNOWN];
	size_t size = name.size < sizeof folded ? name.size : sizeof folded;
	size_t i;

	for (i = 0; i < size; i++)
		folded[i] = (char)field_fold[(uint8_t)name.at[i]];
	for (i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		struct span prefix = prefixes[i].prefix;

		if (prefix.at[2] == folded[2] && prefix.size <= size &&
		    memcmp(prefix.at, folded, prefix.size) == 0)
			return (struct field_class){FIELD_OTHER, prefixes[i].flags};
	}
	return (struct field_class){FIELD_OTHER, 0};
}

/* Most names that are not in the table cannot start as a prefix does either. */
static bool may_have_prefix(struct span name)
{
	uint8_t first = field_fold[(uint8_t)name.at[0]];
	uint8_t second = name.size > 3 ? field_fold[(uint8_t)name.at[1]] : 0;

	return (first == 'x' && second == '-') || (first == 's' && second == 's') ||
	       (first == 'c' && second == 'l');
}

struct field_class field_lookup(struct span name)
{
	if (name.size <= NAME_MAX_KNOWN && name.size) {
		struct folded folded = fold_name(name);
		size_t k = hash(&folded, name.size);

		for (; slots[k % SLOTS].size; k++) {
			const struct slot *slot = &slots[k % SLOTS];

			if (!slot_holds(slot, &folded, name.size))
				continue;
			if (folded.twin)
				return (struct field_class){FIELD_OTHER, slot->flags | FIELD_TWIN};
			return (struct field_class){slot->known, slot->flags};
		}
	}
	if (name.size && may_have_prefix(name))
		return lookup_prefix(name);
	return (struct field_class){FIELD_OTHER, 0};
}

bool field_classify(struct span name, struct field_class *out)
{
	*out = (struct field_class){FIELD_OTHER, 0};
	if (!field_is_token(name))
		return false;
	*out = field_lookup(name);
	return true;
}

struct span field_known_name(enum known_field known)
{
	size_t i;

	for (i = 0; known != FIELD_OTHER && i < sizeof rows / sizeof *rows; i++)
		if (rows[i].known == known)
			return span_of(rows[i].name);
	return SPAN("");
}
