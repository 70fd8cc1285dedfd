#include "door/door.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "door/ceiling.h"
#include "door/der_cache.h"
#include "door/dialect.h"
#include "door/door_parts.h"
#include "door/foreign_guest.h"
#include "door/tally.h"
#include "door/walk.h"
#include "event/loop.h"
#include "http/connection.h"
#include "http/http_host.h"
#include "shm/scoreboard.h"
#include "stream/tls_stream.h"

enum { ISSUER_MOST = 16384, CLOCK_LOOK_SECONDS = 30 };

/* -- ending what is live -- */

static void log_ended(const struct guest *guest, enum refusal why)
{
	char device[33];

	log_begin(LOG_INFO, "connection-ended");
	log_text("from", span_of(guest->ip));
	if (guest->mark.has_device) {
		hex_write(guest->mark.device, 16, device);
		log_text("device", span_make(device, 32));
	} else if (guest->foreign) {
		log_text("foreign", foreign_guest_name(guest->foreign));
	}
	log_text("why", span_of(refusal_row(why)->code));
	log_end();
}

static bool end_guest(struct guest *guest, enum refusal why)
{
	struct connection *connection = connection_of_guest(guest);

	if (connection_is_ending(connection) || guest->ended_for != REFUSAL_NONE)
		return false;
	guest->ended_for = why;
	guest->mark.is_ended = true;
	log_ended(guest, why);
	score_add(guest->door->score, SCORE_REVOKED_CLOSED, 1);
	connection_end(connection, ENDED_REVOKED);
	return true;
}

static bool on_lost(void *arg, struct presence_mark *mark, enum refusal why)
{
	struct guest *guest = OWNER_OF(mark, struct guest, mark);
	struct identity who = guest_identify(guest);
	enum refusal exactly = refusal_of_who(who.who);

	(void)arg;
	return end_guest(guest, exactly != REFUSAL_NONE ? exactly : why);
}

static void log_cut(const struct visit *visit, enum refusal why)
{
	char id[EXCHANGE_ID_SIZE];

	exchange_id_text(&visit->exchange, id);
	log_begin(LOG_INFO, "exchange-ended");
	log_text("id", span_make(id, EXCHANGE_ID_SIZE - 1));
	log_text("from", span_of(visit->guest->ip));
	log_text("why", span_of(refusal_row(why)->code));
	log_end();
}

/* Where a rule alone is the reason, and its connection carries others, only the visit ends. */
static bool end_visit(struct visit *visit, enum refusal why)
{
	if (visit->is_ended)
		return true;
	if (!exchange_end(&visit->exchange, ENDED_REVOKED))
		return false;
	visit->is_ended = true;
	visit->why = why;
	log_cut(visit, why);
	return true;
}

/* Whoever was let in as somebody must still be somebody; whatever is live must still be allowed. */
static enum refusal judge_guest(struct guest *guest)
{
	bool was_known = guest->is_known;
	struct identity who = guest_identify(guest);

	if (was_known && !identity_is_known(&who))
		return refusal_of_who(who.who);
	LIST_EACH (it, &guest->visits) {
		struct visit *visit = OWNER_OF(it, struct visit, in_guest);
		enum refusal why = walk_judge_again(visit);

		if (why != REFUSAL_NONE && !end_visit(visit, why))
			return why;
	}
	return REFUSAL_NONE;
}

static void on_judge(void *arg, struct presence_mark *mark)
{
	struct guest *guest = OWNER_OF(mark, struct guest, mark);
	enum refusal why;

	(void)arg;
	if (guest->ended_for != REFUSAL_NONE)
		return;
	why = judge_guest(guest);
	if (why != REFUSAL_NONE)
		(void)end_guest(guest, why);
}

/* -- the hooks of http/ -- */

static bool peer_by_tls(struct connection *connection, struct tls_peer *out)
{
	tls_stream_peer(connection_stream(connection), out);
	return true;
}

static struct door *door_of(const struct connection *connection)
{
	return connection_host(connection)->arg;
}

static void learn_peer(struct guest *guest, struct connection *connection)
{
	struct door *door = guest->door;
	struct tls_peer peer = {.has_certificate = false};

	guest->is_secure = connection_is_secure(connection) && door->peer(connection, &peer);
	if (!guest->is_secure)
		return;
	score_add(door->score, peer.resumed ? SCORE_HANDSHAKES_RESUMED : SCORE_HANDSHAKES_FULL, 1);
	guest->has_certificate = peer.has_certificate;
	memcpy(guest->fingerprint, peer.fingerprint, sizeof guest->fingerprint);
	guest->is_found = guest->has_certificate && door->roster &&
			  roster_find(door->roster, guest->fingerprint, &guest->standing);
	if (peer.foreign && !guest->is_found)
		guest->foreign = foreign_guest_new(peer.foreign);
}

/* Enter, THEN read the roster: a revocation in between is seen by one of the two. The device is read
 * before, but it never changes. */
static void on_secured(struct connection *connection)
{
	struct guest *guest = connection_guest(connection);
	struct door *door = door_of(connection);
	char ip[ADDRESS_TEXT_SIZE];
	struct identity who;

	guest->door = door;
	list_init(&guest->visits);
	address_ip_text(connection_peer(connection), ip);
	/* Room for the longest IPv6 address; address_ip_text terminates. */
	ip[sizeof guest->ip - 1] = 0;
	memcpy(guest->ip, ip, strlen(ip) + 1);
	learn_peer(guest, connection);
	/* What is needed of it was copied. */
	if (guest->is_secure && door->peer == peer_by_tls)
		tls_stream_forget_certificate(connection_stream(connection));
	presence_enter(door->presence, &guest->mark,
		       guest->is_found ? guest->standing.device : NULL,
		       guest->has_certificate ? guest->fingerprint : NULL);
	who = guest_identify(guest);
	if (guest->foreign && !identity_is_known(&who))
		foreign_guest_log_refused(guest->foreign, span_of(guest->ip), refusal_row(refusal_of_who(who.who))->code);
	score_add(door->score, SCORE_CONNECTIONS, 1);
	score_add(door->score, SCORE_LIVE_CONNECTIONS, 1);
	ceiling_settle(guest);
	if (!identity_is_known(&who) && guest->is_secure &&
	    policy_mode(guest_handshake_site(guest)->policy) == NO_CERTIFICATE_DROP)
		(void)end_guest(guest, refusal_of_who(who.who));
}

static void on_exchange(struct exchange *exchange)
{
	walk_begin(visit_of(exchange), connection_guest(exchange->connection));
}

static void on_bad_request(struct exchange *exchange, enum bad_request why)
{
	walk_refuse(visit_of(exchange), connection_guest(exchange->connection),
		    refusal_of_status(bad_request_status(why)));
}

/* There was no handshake, so there is no guest and no exchange. */
static void on_plain_http(struct connection *connection, struct span url, struct buffer *html)
{
	struct door *door = door_of(connection);
	const struct refusal_page page = {
		.why = REFUSAL_PLAIN_HTTP, .contact = routes_contact(door->routes), .url = url};
	char ip[ADDRESS_TEXT_SIZE];

	address_ip_text(connection_peer(connection), ip);
	log_begin(LOG_INFO, "plain-http");
	log_text("from", span_of(ip));
	log_text("why", span_of(refusal_row(REFUSAL_PLAIN_HTTP)->code));
	log_end();
	score_refusal(door->score, REFUSAL_PLAIN_HTTP);
	refusal_write_html(html, &page);
}

static bool keeps_trailer(struct exchange *exchange, const struct field *trailer)
{
	(void)exchange;
	return dialect_keeps(trailer);
}

static void on_tunnel(struct exchange *exchange)
{
	walk_into_tunnel(visit_of(exchange));
}

static void on_left(struct exchange *exchange)
{
	if (visit_of(exchange)->guest)
		walk_end(visit_of(exchange));
}

static void log_failed(struct connection *connection, const struct error *err)
{
	char ip[ADDRESS_TEXT_SIZE];

	address_ip_text(connection_peer(connection), ip);
	log_begin(LOG_INFO, "connection-failed");
	log_text("from", span_of(ip));
	log_text("text", span_of(err->text));
	log_end();
}

/* A site that drops has no page to count: the handshake's end is its refusal. */
static void count_dropped(struct connection *connection)
{
	static const enum refusal rows[] = {
		[TLS_CERTIFICATE_EXPIRED] = REFUSAL_EXPIRED,
		[TLS_CERTIFICATE_REVOKED] = REFUSAL_REVOKED,
		[TLS_CERTIFICATE_UNKNOWN] = REFUSAL_UNKNOWN,
		[TLS_CERTIFICATE_UNSUITABLE] = REFUSAL_UNKNOWN,
	};
	const struct stream *stream = connection_stream(connection);
	struct door *door = door_of(connection);
	enum refusal why = REFUSAL_NO_CERTIFICATE;
	enum tls_standing standing;

	score_add(door->score, SCORE_HANDSHAKES_FAILED, 1);
	if (stream->failure != STREAM_TURNED_AWAY)
		return;
	if (tls_stream_shown(stream, &standing))
		why = (size_t)standing < sizeof rows / sizeof rows[0] && rows[standing] != REFUSAL_NONE
			      ? rows[standing]
			      : REFUSAL_UNKNOWN;
	score_refusal(door->score, why);
}

static void on_closed(struct connection *connection, enum ending why, const struct error *err)
{
	struct guest *guest = connection_guest(connection);

	(void)why;
	ceiling_close(connection);
	if (err && err->text[0])
		log_failed(connection, err);
	if (!guest->door) {
		count_dropped(connection);
		return;
	}
	presence_leave(guest->door->presence, &guest->mark);
	buffer_release(&guest->lines);
	foreign_guest_free(guest->foreign);
	guest->foreign = NULL;
	score_sub(guest->door->score, SCORE_LIVE_CONNECTIONS, 1);
}

void door_fill_host(struct door *door, struct http_host *host)
{
	host->guest_size = sizeof(struct guest);
	host->visit_size = sizeof(struct visit);
	host->arg = door;
	host->on_peer = ceiling_meet;
	host->on_secured = on_secured;
	host->on_exchange = on_exchange;
	host->on_plain_http = on_plain_http;
	host->on_bad_request = on_bad_request;
	host->keeps_trailer = keeps_trailer;
	host->on_tunnel = on_tunnel;
	host->on_left = on_left;
	host->on_closed = on_closed;
}

/* -- making one -- */

static enum status keep_issuers(struct door *door, const struct door_setup *setup,
				struct error *err)
{
	size_t i;

	if (setup->issuer_count > ISSUERS_MOST)
		return error_refuse(err, "more than %d issuing certificates", ISSUERS_MOST);
	for (i = 0; i < setup->issuer_count; i++) {
		const struct door_issuer *given = &setup->issuers[i];
		char *memory;

		if (given->der.size > ISSUER_MOST || given->key_id.size > 64)
			return error_refuse(err, "an issuing certificate of %zu bytes",
					    given->der.size);
		memory = malloc(given->der.size + given->key_id.size + 1);
		if (!memory)
			return error_fail(err, "no memory for an issuing certificate");
		memcpy(memory, given->der.at, given->der.size);
		if (given->key_id.size > 0)
			memcpy(memory + given->der.size, given->key_id.at, given->key_id.size);
		door->issuers[door->issuer_count++] = (struct kept_issuer){
			.der = span_make(memory, given->der.size),
			.key_id = span_make(memory + given->der.size, given->key_id.size)};
	}
	return OK;
}

/* -- dates in the rules -- */

/* Requests are judged by the clock itself; this is for what is live when a watch ends. */
static void heed_dates(struct door *door)
{
	const struct clock_time *now = loop_now(door->loop);
	int64_t next, wait;

	door->dates_heeded = now->wall / SECONDS(1);
	next = routes_next_change(door->routes, door->dates_heeded);
	if (next == 0) {
		timer_stop(&door->dates);
		return;
	}
	/* Somebody may set the clock meanwhile. */
	wait = SECONDS(next) - now->wall;
	if (wait > SECONDS(CLOCK_LOOK_SECONDS))
		wait = SECONDS(CLOCK_LOOK_SECONDS);
	timer_set(loop_timers(door->loop), &door->dates, now->mono + wait);
}

static void on_date(struct timer *timer)
{
	struct door *door = OWNER_OF(timer, struct door, dates);
	int64_t now = loop_now(door->loop)->wall / SECONDS(1);
	int64_t end = routes_next_change(door->routes, door->dates_heeded);
	bool has_come = end > 0 && end <= now;

	heed_dates(door);
	if (!has_come)
		return;
	log_say(LOG_WARNING, "watch-ended", "what was only watched is refused from now on");
	door_judge_all(door);
}

static void take_routes(struct door *door, struct routes *routes)
{
	size_t i;

	routes_count_on(routes, door->score);
	routes_release(door->routes);
	door->routes = routes;
	door->routes_number++;
	door->needs_der = false;
	for (i = 0; i < routes_site_count(routes); i++)
		door->needs_der |= dialect_needs_der(routes_site(routes, i)->dialects);
	heed_dates(door);
}

enum status door_new(const struct door_setup *setup, struct door **out, struct error *err)
{
	struct door *door = calloc(1, sizeof *door);
	struct routes *routes;
	enum status status;

	if (!door)
		return error_fail(err, "no memory for the door");
	*door = (struct door){.loop = setup->loop,
			      .roster = setup->roster,
			      .score = setup->score,
			      .peer = setup->peer ? setup->peer : peer_by_tls,
			      .limiter = setup->limiter,
			      .stranger_visits_most = setup->stranger_visits ? setup->stranger_visits : SIZE_MAX,
			      .seen_round = 1};
	timer_init(&door->dates, on_date);
	door->nowhere = score_site_of(door->score, SPAN("(none)"));
	door->seen = calloc(SEEN_ROOM, sizeof *door->seen);
	if (!door->seen) {
		status = error_fail(err, "no memory for the door");
		goto done;
	}
	TRY(routes_new(setup->options, setup->services, setup->service_count, &routes, err));
	take_routes(door, routes);
	TRY(keep_issuers(door, setup, err));
	TRY(der_cache_new(DER_CACHE_CEILING, &door->der_cache, err));
	TRY(tally_new(NULL, NULL, &door->tally, err));
	TRY(presence_new(setup->loop, on_lost, door, &door->presence, err));
	*out = door;
	door = NULL;
done:
	door_free(door);
	return status;
}

void door_free(struct door *door)
{
	size_t i;

	if (!door)
		return;
	timer_stop(&door->dates);
	tally_free(door->tally);
	presence_free(door->presence);
	der_cache_free(door->der_cache);
	routes_release(door->routes);
	for (i = 0; i < door->issuer_count; i++)
		free((char *)(uintptr_t)door->issuers[i].der.at);
	free(door->seen);
	free(door);
}

/* -- changes -- */

void door_judge_all(struct door *door)
{
	presence_each(door->presence, on_judge, NULL);
}

void door_use_roster(struct door *door, const struct roster *roster)
{
	door->roster = roster;
	routes_forget(door->routes);
	door_judge_all(door);
}

void door_use_routes(struct door *door, struct routes *routes)
{
	take_routes(door, routes);
	door_judge_all(door);
}

enum status door_use_options(struct door *door, const struct door_options *options,
			     const struct route_service *services, size_t service_count,
			     struct error *err)
{
	struct routes *routes;
	enum status status;

	TRY(routes_new(options, services, service_count, &routes, err));
	door_use_routes(door, routes);
done:
	return status;
}

/* -- what the authority says -- */

enum status door_lost_device(struct door *door, const uint8_t device[static 16],
			     presence_done *done, void *arg, struct error *err)
{
	return presence_close(door->presence, device, NULL, REFUSAL_REVOKED, done, arg, err);
}

enum status door_lost_certificate(struct door *door, const uint8_t fingerprint[static 32],
				  presence_done *done, void *arg, struct error *err)
{
	static const uint8_t nobody[16];
	struct standing standing;
	bool is_found = door->roster && roster_find(door->roster, fingerprint, &standing);

	return presence_close(door->presence, is_found ? standing.device : nobody, fingerprint,
			      REFUSAL_REVOKED, done, arg, err);
}

size_t door_count_device(const struct door *door, const uint8_t device[static 16])
{
	return presence_count_device(door->presence, device);
}

size_t door_take_seen(struct door *door, uint8_t (*out)[16], size_t most)
{
	static const uint8_t none[16];
	size_t taken = 0, i;

	for (i = 0; i < SEEN_ROOM && taken < most; i++) {
		if (memcmp(door->seen[i], none, sizeof none) == 0)
			continue;
		memcpy(out[taken++], door->seen[i], sizeof none);
		memset(door->seen[i], 0, sizeof none);
		door->seen_count--;
	}
	/* Holes may hide what stands behind them; at worst a device is told twice. */
	if (door->seen_count == 0)
		door->seen_round++;
	return taken;
}

/* -- for the TLS callbacks -- */

enum who door_recognise(const struct door *door, const uint8_t fingerprint[static 32])
{
	struct standing standing;

	if (!door->roster)
		return WHO_ROSTER_TOO_OLD;
	if (!roster_find(door->roster, fingerprint, &standing))
		return WHO_UNKNOWN;
	return identity_judge(&standing, clock_seconds()).who;
}

enum tls_standing door_on_certificate(void *arg, struct span der, const uint8_t fingerprint[32])
{
	(void)der;
	switch (door_recognise(arg, fingerprint)) {
	case WHO_KNOWN:
		return TLS_CERTIFICATE_GOOD;
	case WHO_EXPIRED:
	case WHO_NOT_YET:
		return TLS_CERTIFICATE_EXPIRED;
	case WHO_REVOKED:
	case WHO_SUSPENDED:
		return TLS_CERTIFICATE_REVOKED;
	default:
		return TLS_CERTIFICATE_UNKNOWN;
	}
}

void door_on_proved(void *arg, struct span der, const uint8_t fingerprint[32])
{
	struct door *door = arg;

	if (door->needs_der)
		der_cache_add(door->der_cache, fingerprint, der);
}

int64_t door_resumable_until(void *arg, const uint8_t fingerprint[32])
{
	struct door *door = arg;
	struct standing standing;

	if (door_recognise(door, fingerprint) != WHO_KNOWN ||
	    !roster_find(door->roster, fingerprint, &standing))
		return 0;
	/* A dialect that sends the certificate needs its bytes, which a resumption does not bring. */
	if (door->needs_der && der_cache_find(door->der_cache, fingerprint).size == 0)
		return 0;
	return standing.not_after;
}

enum tls_asks door_asks(const struct site *site)
{
	if (policy_mode(site->policy) == NO_CERTIFICATE_DROP)
		return TLS_ASKS_OR_DROPS;
	return policy_asks(site->policy) ? TLS_ASKS : TLS_ASKS_NOTHING;
}

const struct routes *door_routes(const struct door *door)
{
	return door->routes;
}

struct tally *door_tally(struct door *door)
{
	return door->tally;
}
