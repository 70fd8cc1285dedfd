#include "door/visit.h"

#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "door/client_kind.h"
#include "door/der_cache.h"
#include "door/dialect.h"
#include "door/door_parts.h"
#include "door/foreign_guest.h"
#include "door/rule_set.h"
#include "door/tally.h"
#include "event/loop.h"
#include "http/connection.h"
#include "wire/http_head.h"
#include "wire/target.h"

enum { LINES_CEILING = DIALECT_LINES + 16384 };

/* -- identity -- */

/* Leaves name their issuer by its key identifier; ours were recognised byte for byte, so a search
 * for 20 octets says what parsing would. */
static struct span issuer_of(const struct door *door, struct span der)
{
	size_t i;

	for (i = 0; i < door->issuer_count && der.size > 0; i++) {
		struct span key_id = door->issuers[i].key_id;

		if (key_id.size > 0 && memmem(der.at, der.size, key_id.at, key_id.size))
			return door->issuers[i].der;
	}
	return (struct span){"", 0};
}

/* `trouble`: why there is no slash form, if that is known. */
static void log_lost(const struct dialect_facts *facts, struct span trouble, unsigned lost)
{
	unsigned bit;

	for (bit = 1; bit <= lost; bit <<= 1) {
		if (!(lost & bit))
			continue;
		log_begin(LOG_WARNING, "identity-header-left-out");
		log_text("dialect", span_of(dialect_name(bit)));
		log_text("device", facts->device);
		if (bit == DIALECT_MATTERMOST && trouble.size > 0)
			log_text("text", trouble);
		else
			log_text("text", SPAN("a value that this dialect cannot say, or the "
					      "certificate is not at hand"));
		log_end();
	}
}

static enum refusal add_identity(struct visit *visit, struct buffer *out)
{
	struct guest *guest = visit->guest;
	struct door *door = guest->door;
	struct dialect_facts facts = {.is_known = identity_is_known(&visit->who)};
	struct card card = {.slash_trouble = {"", 0}};
	unsigned lost;

	if (!facts.is_known) {
		(void)dialect_write(out, visit->site->dialects, &facts);
		return REFUSAL_NONE;
	}
	facts.fingerprint = guest->fingerprint;
	if (visit->who.foreign) {
		foreign_guest_tell(guest->foreign, &facts);
	} else {
		if (!roster_card(door->roster, &guest->standing, &card))
			return REFUSAL_ROSTER_TOO_OLD;
		facts.device = card.device;
		facts.person = card.person;
		facts.email = card.email;
		facts.groups = roster_groups(door->roster, visit->who.group_set);
		facts.dn_rfc2253 = card.subject;
		facts.dn_slash = card.subject_slash;
		facts.issuer = card.issuer;
		facts.serial = card.serial;
		facts.uri = card.uri;
	}
	if (dialect_needs_der(visit->site->dialects)) {
		facts.der = der_cache_find(door->der_cache, guest->fingerprint);
		facts.issuer_der = issuer_of(door, facts.der);
	}
	lost = dialect_write(out, visit->site->dialects, &facts);
	if (lost)
		log_lost(&facts, card.slash_trouble, lost);
	return REFUSAL_NONE;
}

/* -- forwarding -- */

static void add_line(struct buffer *out, struct span name, struct span value)
{
	buffer_add(out, name);
	buffer_add_text(out, ": ");
	buffer_add(out, value);
	buffer_add_text(out, "\r\n");
}

/* What a trusted proxy said, one field behind the other. False, and empty: it is too long to be true. */
static bool gather_forwarded_for(const struct head *request, char *room, size_t size, struct span *out)
{
	size_t used = 0, i;

	*out = (struct span){"", 0};
	for (i = 0; i < request->field_count; i++) {
		const struct field *field = &request->fields[i];

		if (field->known != FIELD_X_FORWARDED_FOR || field->value.size == 0)
			continue;
		if (field->value.size + 2 > size - used)
			return false;
		if (used > 0) {
			memcpy(room + used, ", ", 2);
			used += 2;
		}
		memcpy(room + used, field->value.at, field->value.size);
		used += field->value.size;
	}
	*out = span_make(room, used);
	return true;
}

static bool cut_last(struct span *list, struct span *element)
{
	const char *comma;

	if (list->size == 0)
		return false;
	comma = memrchr(list->at, ',', list->size);
	*element = comma ? span_make(comma + 1, list->size - (size_t)(comma + 1 - list->at)) : *list;
	list->size = comma ? (size_t)(comma - list->at) : 0;
	*element = span_trim(*element);
	return true;
}

/* As real_ip, but what makes no sense is nobody: a rule must not take the proxy for its client. */
static __attribute__((noinline)) bool client_by_proxy(const struct visit *visit, uint8_t *out)
{
	const struct head *request = visit->exchange.request;
	char room[CLIENT_ROOM];
	struct span list, element;
	struct address address = *connection_peer(connection_of_guest(visit->guest));

	if (!gather_forwarded_for(request, room, sizeof room, &list))
		return false;
	while (cut_last(&list, &element)) {
		if (!address_parse_ip(element, &address))
			return false;
		if (!routes_trusts(visit->routes, &address))
			break;
	}
	return network_bytes(&address, out);
}

bool visit_client_address(const struct visit *visit, uint8_t out[static NETWORK_BYTES])
{
	if (visit->memory) {
		memcpy(out, visit->memory->from, NETWORK_BYTES);
		return visit->memory->has_from;
	}
	if (visit->guest->is_trusted_proxy)
		return client_by_proxy(visit, out);
	return network_bytes(connection_peer(connection_of_guest(visit->guest)), out);
}

/* The last address in the list that is not one of our own proxies: who really asks. */
static struct span real_ip(const struct routes *routes, struct span list, struct span peer)
{
	struct span element, found = peer;

	while (span_cut(&list, ',', &element)) {
		struct address address;

		element = span_trim(element);
		if (!address_parse_ip(element, &address))
			found = peer;
		else if (!routes_trusts(routes, &address))
			found = element;
	}
	return found;
}

struct span visit_client(const struct visit *visit, char *room)
{
	struct span peer = span_of(visit->guest->ip), list;

	if (!visit->guest->is_trusted_proxy)
		return peer;
	(void)gather_forwarded_for(visit->exchange.request, room, CLIENT_ROOM, &list);
	return real_ip(visit->routes, list, peer);
}

static void add_client(struct visit *visit, struct buffer *out)
{
	struct span peer = span_of(visit->guest->ip), list;
	char room[CLIENT_ROOM];

	if (!visit->guest->is_trusted_proxy) {
		add_line(out, SPAN("X-Real-IP"), peer);
		add_line(out, SPAN("X-Forwarded-For"), peer);
		return;
	}
	(void)gather_forwarded_for(visit->exchange.request, room, sizeof room, &list);
	add_line(out, SPAN("X-Real-IP"), real_ip(visit->routes, list, peer));
	buffer_add_text(out, "X-Forwarded-For: ");
	if (list.size > 0) {
		buffer_add(out, list);
		buffer_add_text(out, ", ");
	}
	buffer_add(out, peer);
	buffer_add_text(out, "\r\n");
}

static void add_forwarding(struct visit *visit, struct buffer *out)
{
	struct guest *guest = visit->guest;
	struct span host = visit->exchange.request->host;

	add_client(visit, out);
	add_line(out, SPAN("X-Forwarded-Proto"), guest->is_secure ? SPAN("https") : SPAN("http"));
	buffer_add_text(out, visit->site->preset->extra_lines);
	buffer_add_text(out, "X-Forwarded-Host: ");
	guest->lines_host_at = (uint32_t)out->size;
	guest->lines_host_size = (uint32_t)host.size;
	buffer_add(out, host);
	buffer_add_text(out, "\r\n");
}

/* -- both, kept with the guest -- */

static struct lines_key key_of(const struct visit *visit)
{
	const struct guest *guest = visit->guest;
	bool is_known = identity_is_known(&visit->who), is_foreign = visit->who.foreign != NULL;

	return (struct lines_key){.routes_number = guest->routes_number,
				  .generation = is_known && !is_foreign ? guest->standing.generation : 0,
				  .site = visit->site,
				  .card = is_known && !is_foreign ? guest->standing.card : 0,
				  .group_set = is_known ? visit->who.group_set : 0,
				  .is_known = is_known,
				  .is_foreign = is_foreign};
}

static bool lines_still_hold(const struct visit *visit, const struct lines_key *key)
{
	const struct guest *guest = visit->guest;
	const struct lines_key *old = &guest->lines_of;

	return guest->lines_hold && old->routes_number == key->routes_number &&
	       old->generation == key->generation && old->site == key->site &&
	       old->card == key->card && old->group_set == key->group_set &&
	       old->is_known == key->is_known && old->is_foreign == key->is_foreign &&
	       span_equals(
		       visit->exchange.request->host,
		       span_make(guest->lines.at + guest->lines_host_at, guest->lines_host_size));
}

enum refusal visit_prepare_lines(struct visit *visit)
{
	struct guest *guest = visit->guest;
	struct lines_key key = key_of(visit);
	enum refusal why;

	if (lines_still_hold(visit, &key))
		return REFUSAL_NONE;
	guest->lines_hold = false;
	if (!guest->lines.at)
		buffer_init(&guest->lines, LINES_CEILING);
	buffer_clear(&guest->lines);
	why = add_identity(visit, &guest->lines);
	if (why != REFUSAL_NONE)
		return why;
	add_forwarding(visit, &guest->lines);
	if (!buffer_is_whole(&guest->lines))
		return REFUSAL_UNAVAILABLE;
	/* What a trusted proxy says is another request's already the next time. */
	guest->lines_hold = !guest->is_trusted_proxy;
	guest->lines_of = key;
	return REFUSAL_NONE;
}

struct span visit_lines(struct exchange *exchange)
{
	struct visit *visit = visit_of(exchange);

	/* Another visit of the same connection may have prepared its own since. */
	if (visit_prepare_lines(visit) != REFUSAL_NONE)
		return (struct span){NULL, 0};
	return buffer_span(&visit->guest->lines);
}

const struct header_rules *visit_header_rules(const struct exchange *exchange)
{
	const struct visit *visit = (const struct visit *)(const void *)exchange;

	return visit->site ? rule_set_headers(visit->site->rules, visit->rule) : NULL;
}

void visit_drop_lines(struct exchange *exchange)
{
	struct guest *guest = visit_of(exchange)->guest;

	guest->lines_hold = false;
	buffer_release(&guest->lines);
}

/* -- watching -- */

__attribute__((noinline)) void visit_note_watched(const struct visit *visit, const char *location)
{
	const struct guest *guest = visit->guest;
	const struct field *said = head_find(visit->exchange.request, FIELD_USER_AGENT);
	char room[CLIENT_ROOM];
	struct tally_event event = {.site = visit->site->name,
				    .location = location,
				    .path = visit->exchange.target->path,
				    .client = visit_client(visit, room),
				    .code = refusal_row(visit->watched)->code,
				    .client_kind = client_kind_find(said ? said->value : SPAN("")),
				    .device = guest->is_found ? guest->standing.device : NULL,
				    .now = loop_now(guest->door->loop)->wall / SECONDS(1)};

	tally_add(guest->door->tally, &event);
}

void visit_facts(struct exchange *exchange, struct visit_facts *out)
{
	struct visit *visit = visit_of(exchange);
	struct guest *guest = visit->guest;
	struct card card;

	*out = (struct visit_facts){
		.device = {"", 0}, .person = {"", 0}, .email = {"", 0}, .label = {"", 0}};
	if (identity_is_known(&visit->who) && visit->who.foreign) {
		out->is_known = true;
		out->person = visit->who.foreign->name;
		out->email = visit->who.foreign->email;
		return;
	}
	if (!identity_is_known(&visit->who) || !guest->door->roster ||
	    !roster_card(guest->door->roster, &guest->standing, &card))
		return;
	*out = (struct visit_facts){.is_known = true,
				    .device = card.device,
				    .person = card.person,
				    .email = card.email,
				    .label = card.label};
}
