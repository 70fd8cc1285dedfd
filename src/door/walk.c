#include "door/walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/network.h"
#include "door/access_log.h"
#include "door/ceiling.h"
#include "door/door_parts.h"
#include "door/foreign_guest.h"
#include "event/loop.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "http/transport.h"
#include "shm/scoreboard.h"
#include "stream/tls_stream.h"
#include "wire/host_name.h"
#include "wire/http_head.h"
#include "wire/target.h"

enum { PATH_ROOM = 16384, ROOM_DENY = ROOM_LEFT + 1, ROOM_STAY };

/* -- who -- */

static bool is_roster_too_old(const struct door *door, int64_t wall)
{
	int64_t most = routes_roster_max_age(door->routes);

	return most > 0 && wall - roster_touched_at(door->roster) > most;
}

/* The certificate is in the roster since the handshake: from now on it has a device. */
static void meet(struct guest *guest)
{
	struct door *door = guest->door;

	presence_leave(door->presence, &guest->mark);
	presence_enter(door->presence, &guest->mark, guest->standing.device, guest->fingerprint);
	guest->is_found = true;
	(void)roster_reread(door->roster, &guest->standing);
}

static void note_seen(struct guest *guest)
{
	struct door *door = guest->door;
	uint64_t start, step;

	memcpy(&start, guest->standing.device, sizeof start);
	for (step = 0; step < SEEN_ROOM && door->seen_count < SEEN_ROOM / 4 * 3; step++) {
		static const uint8_t none[16];
		uint8_t *at = door->seen[(start + step) % SEEN_ROOM];

		if (memcmp(at, none, sizeof none) == 0) {
			memcpy(at, guest->standing.device, sizeof none);
			door->seen_count++;
		} else if (memcmp(at, guest->standing.device, sizeof none) != 0) {
			continue;
		}
		guest->seen_round = door->seen_round;
		return;
	}
}

static struct identity find_out(struct guest *guest)
{
	struct door *door = guest->door;
	int64_t wall = loop_now(door->loop)->wall;

	if (!guest->has_certificate)
		return identity_nobody(WHO_NO_CERTIFICATE);
	if (!door->roster || is_roster_too_old(door, wall))
		return identity_nobody(WHO_ROSTER_TOO_OLD);
	if (guest->is_found)
		(void)roster_reread(door->roster, &guest->standing);
	else if (roster_find(door->roster, guest->fingerprint, &guest->standing))
		meet(guest);
	if (!guest->is_found && guest->foreign)
		return foreign_guest_identify(guest->foreign, guest_handshake_site(guest), door->routes_number,
					      wall / SECONDS(1));
	if (!guest->is_found)
		return identity_nobody(WHO_UNKNOWN);
	return identity_judge(&guest->standing, wall / SECONDS(1));
}

/* Seconds of wall time, the last of them included, as an end on the connection's clock. */
static void end_with_certificate(struct guest *guest, int64_t not_after)
{
	const struct clock_time *now = loop_now(guest->door->loop);
	int64_t left = SECONDS(not_after + 1) - now->wall;

	guest->ends_after = not_after;
	connection_set_end(connection_of_guest(guest), now->mono + (left > 0 ? left : 0));
}

struct identity guest_identify(struct guest *guest)
{
	struct identity who = find_out(guest);

	guest->is_known = identity_is_known(&who);
	/* Often at the handshake; but who was suspended, or not yet valid, may be known from now on. */
	if (guest->is_known && guest->ends_after != who.not_after)
		end_with_certificate(guest, who.not_after);
	if (guest->is_known && !who.foreign && guest->seen_round != guest->door->seen_round)
		note_seen(guest);
	return who;
}

/* -- where -- */

const struct site *guest_handshake_site(struct guest *guest)
{
	struct door *door = guest->door;
	struct tls_peer peer;

	if (guest->handshake && guest->routes_number == door->routes_number)
		return guest->handshake;
	guest->routes_number = door->routes_number;
	guest->is_trusted_proxy =
		routes_trusts(door->routes, connection_peer(connection_of_guest(guest)));
	peer.server_name = (struct span){"", 0};
	if (guest->is_secure && !door->peer(connection_of_guest(guest), &peer))
		peer.server_name = (struct span){"", 0};
	guest->handshake = routes_find_handshake(door->routes, peer.server_name);
	guest->has_unknown_name = peer.server_name.size > 0 && !routes_find(door->routes, peer.server_name);
	return guest->handshake;
}

static enum refusal find_site(struct guest *guest, struct span host, const struct site **out)
{
	const struct site *asked_for = guest_handshake_site(guest), *site;
	struct host_name folded;

	/* Whoever made the connection for a name that is nobody's gets nobody's content by it. */
	if (guest->has_unknown_name)
		return REFUSAL_HOST_UNKNOWN;
	/* Most write the name as the config does. */
	if (!asked_for->is_wildcard && span_equals(host, asked_for->name)) {
		*out = asked_for;
		return REFUSAL_NONE;
	}
	if (host.size == 0 || host_fold(host, &folded, NULL) != OK)
		return REFUSAL_HOST_UNKNOWN;
	site = routes_find(guest->door->routes, host_span(&folded));
	if (!site)
		return REFUSAL_HOST_UNKNOWN;
	if (guest->is_secure && site->rules_class != asked_for->rules_class)
		return REFUSAL_HOST_MISMATCH;
	*out = site;
	return REFUSAL_NONE;
}

/* -- may he -- */

static enum refusal refusal_of_verdict(enum verdict verdict, enum who who)
{
	switch (verdict) {
	case VERDICT_PASS:
		return REFUSAL_NONE;
	case VERDICT_NOBODY:
		return refusal_of_who(who);
	case VERDICT_NOT_ALLOWED:
		return REFUSAL_NOT_ALLOWED;
	case VERDICT_NOT_ON_FILE:
		return REFUSAL_NOT_ON_FILE;
	case VERDICT_FILE_UNREADABLE:
		return REFUSAL_FILE_UNREADABLE;
	case VERDICT_NOT_FROM_THERE:
		return REFUSAL_NOT_FROM_THERE;
	case VERDICT_METHOD:
		return REFUSAL_METHOD;
	}
	return REFUSAL_NOT_ALLOWED;
}

static enum refusal decide(struct visit *visit, const struct site *site, const struct identity *who,
			   struct errand *errand, struct judgement *out)
{
	const struct door *door = visit->guest->door;
	uint8_t from[NETWORK_BYTES];

	if (policy_asks_address(site->policy) && visit_client_address(visit, from))
		errand->from = from;
	*out = policy_decide(site->policy, errand, who, door->roster, loop_now(door->loop)->wall / SECONDS(1));
	errand->from = NULL;
	return refusal_of_verdict(out->verdict, who->who);
}

static enum refusal judge(struct visit *visit, struct span other)
{
	struct errand errand = {.path = visit->exchange.target->path,
				.other = other,
				.method = visit->exchange.request->method_name};
	struct judgement judgement;
	enum refusal why = decide(visit, visit->site, &visit->who, &errand, &judgement);

	visit->rule = (uint16_t)judgement.rule;
	visit->methods = judgement.methods;
	visit->exchange.up_most = judgement.body_ceiling;
	if (!judgement.passes)
		return why;
	/* A path that is judged twice is one request. */
	if (why != REFUSAL_NONE && visit->watched == REFUSAL_NONE) {
		visit->watched = why;
		visit_note_watched(visit, judgement.location);
	}
	return REFUSAL_NONE;
}

static bool is_slash(char c)
{
	return c == '/' || c == '\\';
}

/* "//name/path" is a reference to another host for whoever reads it by the URL standard (RFC 3986 section 4.2; a
 * backslash is a slash there): an application that does goes by "/path". */
static bool cut_authority(struct span *path)
{
	if (path->size < 2 || !is_slash(path->at[1]))
		return false;
	while (path->size > 0 && is_slash(path->at[0]))
		span_skip(path, 1);
	while (path->size > 0 && !is_slash(path->at[0]))
		span_skip(path, 1);
	return path->size > 0;
}

/* What the first judgement said of rule and watching stays; of two ceilings the lower one. */
static enum refusal judge_behind_authority(struct visit *visit, char *room, struct span path)
{
	const struct target behind = {.path = path};
	enum refusal why;
	uint64_t most = visit->exchange.up_most;
	struct span other;

	if (target_other_reading(&behind, room, PATH_ROOM, &other, NULL) != OK)
		return REFUSAL_BAD_REQUEST;
	why = judge(visit, other);
	if (most > 0 && (visit->exchange.up_most == 0 || most < visit->exchange.up_most))
		visit->exchange.up_most = most;
	return why;
}

/* Apart, because few paths need so much stack. */
static __attribute__((noinline)) enum refusal judge_all_readings(struct visit *visit)
{
	const struct target *target = visit->exchange.target;
	struct span other, path = target->path;
	char room[PATH_ROOM];
	enum refusal why;

	if (target_other_reading(target, room, sizeof room, &other, NULL) != OK)
		return REFUSAL_BAD_REQUEST;
	why = judge(visit, other);
	if (why == REFUSAL_NONE && cut_authority(&path))
		why = judge_behind_authority(visit, room, path);
	return why;
}

/* -- the rooms -- */

static int deny(struct visit *visit, enum refusal why)
{
	visit->why = why;
	return ROOM_DENY;
}

static int identify(struct visit *visit)
{
	visit->who = guest_identify(visit->guest);
	return ROOM_LIMIT;
}

/* A connection that is to end begins nothing new. */
static int limit(struct visit *visit)
{
	struct guest *guest = visit->guest;
	enum refusal why;

	/* Known since the handshake: suspended then, resumed now. */
	if (guest->is_known && !guest->party.is_device)
		ceiling_settle(guest);
	why = guest->ended_for;
	if (why == REFUSAL_NONE)
		why = ceiling_enter(visit);
	return why == REFUSAL_NONE ? ROOM_AUTHORIZE : deny(visit, why);
}

static int authorize(struct visit *visit)
{
	const struct target *target = visit->exchange.target;
	enum refusal why;

	why = find_site(visit->guest, visit->exchange.request->host, &visit->site);
	if (why != REFUSAL_NONE)
		return deny(visit, why);
	if (target_is_ambiguous(target))
		why = judge_all_readings(visit);
	else
		why = judge(visit, SPAN(""));
	if (why == REFUSAL_NONE && exchange_is_over_ceiling(&visit->exchange, 0))
		why = REFUSAL_TOO_LARGE;
	return why == REFUSAL_NONE ? ROOM_SERVE : deny(visit, why);
}

static int serve(struct visit *visit)
{
	const struct service *service = site_service(visit->site, visit->exchange.target->path, visit->rule);
	enum refusal why;

	if (!service)
		return deny(visit, REFUSAL_NOT_FOUND);
	why = visit_prepare_lines(visit);
	if (why != REFUSAL_NONE)
		return deny(visit, why);
	visit->is_served = true;
	exchange_hand_over(&visit->exchange, service, NULL);
	return ROOM_STAY;
}

static const struct {
	const char *name;
	int (*enter)(struct visit *visit);
} rooms[] = {
	[ROOM_IDENTIFY] = {"identify", identify},
	[ROOM_LIMIT] = {"limit", limit},
	[ROOM_AUTHORIZE] = {"authorize", authorize},
	[ROOM_SERVE] = {"serve", serve},
	[ROOM_LEFT] = {"left", NULL},
};

const char *walk_room_name(enum room room)
{
	return (size_t)room < sizeof rooms / sizeof rooms[0] ? rooms[room].name : "";
}

static void come_in(struct visit *visit, struct guest *guest)
{
	visit->guest = guest;
	visit->routes = routes_hold(guest->door->routes);
	list_add_last(&guest->visits, &visit->in_guest);
	score_add(guest->door->score, SCORE_REQUESTS, 1);
	if (visit->exchange.transport->ops->name[1] == '2')
		score_add(guest->door->score, SCORE_REQUESTS_H2, 1);
	score_add(guest->door->score, SCORE_LIVE_EXCHANGES, 1);
}

void walk_refuse(struct visit *visit, struct guest *guest, enum refusal why)
{
	/* A body that went wrong belongs to a visit which came in with its head. */
	if (!visit->guest)
		come_in(visit, guest);
	visit->is_served = false;
	refusal_answer(&visit->exchange, why);
}

void walk_begin(struct visit *visit, struct guest *guest)
{
	int next = ROOM_IDENTIFY;

	come_in(visit, guest);
	while (next < ROOM_LEFT) {
		visit->room = (enum room)next;
		next = rooms[next].enter(visit);
	}
	if (next == ROOM_DENY)
		refusal_answer(&visit->exchange, visit->why);
}

/* -- again, when something has changed -- */

static enum refusal judge_again_by(struct visit *visit, struct span host, struct errand *errand)
{
	struct identity who = guest_identify(visit->guest);
	struct judgement judgement;
	const struct site *site;
	enum refusal why;

	why = find_site(visit->guest, host, &site);
	if (why != REFUSAL_NONE)
		return why;
	why = decide(visit, site, &who, errand, &judgement);
	return judgement.passes ? REFUSAL_NONE : why;
}

static enum refusal judge_tunnel_again(struct visit *visit)
{
	const struct visit_memory *memory = visit->memory;
	struct errand errand;

	if (!memory)
		return REFUSAL_CLOSED;
	errand = (struct errand){.path = memory->path, .other = memory->other, .method = memory->method};
	return judge_again_by(visit, memory->host, &errand);
}

static __attribute__((noinline)) enum refusal judge_again_ambiguous(struct visit *visit, struct errand *errand)
{
	char room[PATH_ROOM];

	if (target_other_reading(visit->exchange.target, room, sizeof room, &errand->other, NULL) != OK)
		return REFUSAL_BAD_REQUEST;
	return judge_again_by(visit, visit->exchange.request->host, errand);
}

enum refusal walk_judge_again(struct visit *visit)
{
	struct errand errand = {.other = SPAN("")};

	if (!visit->is_served)
		return REFUSAL_NONE;
	if (visit->is_tunnel)
		return judge_tunnel_again(visit);
	errand.path = visit->exchange.target->path;
	errand.method = visit->exchange.request->method_name;
	if (target_is_ambiguous(visit->exchange.target))
		return judge_again_ambiguous(visit, &errand);
	return judge_again_by(visit, visit->exchange.request->host, &errand);
}

static struct span keep(char **at, struct span text)
{
	struct span kept = {*at, text.size};

	if (text.size > 0)
		memcpy(*at, text.at, text.size);
	*at += text.size;
	return kept;
}

/* Without memory for it the tunnel lives on, but the next change of any rule ends it. */
void walk_into_tunnel(struct visit *visit)
{
	const struct head *request = visit->exchange.request;
	const struct target *target = visit->exchange.target;
	struct span other = {"", 0};
	struct visit_memory *memory;
	char room[PATH_ROOM], *at;

	visit->is_tunnel = true;
	ceiling_tunnel(visit);
	score_add(visit->guest->door->score, SCORE_WEBSOCKETS, 1);
	score_add(visit->guest->door->score, SCORE_LIVE_TUNNELS, 1);
	if (visit->site) {
		score_site_add(visit->site->score, SITE_WEBSOCKETS, 1);
		score_site_add(visit->site->score, SITE_LIVE_TUNNELS, 1);
	}
	if (target_is_ambiguous(target) &&
	    target_other_reading(target, room, sizeof room, &other, NULL) != OK)
		return;
	memory = malloc(sizeof *memory + request->method_name.size + request->host.size +
			target->path.size + other.size);
	if (!memory)
		return;
	at = memory->bytes;
	memory->has_from = visit_client_address(visit, memory->from);
	memory->method = keep(&at, request->method_name);
	memory->host = keep(&at, request->host);
	memory->path = keep(&at, target->path);
	memory->other = keep(&at, other);
	visit->memory = memory;
}

/* -- LEFT -- */

static int64_t since(int64_t began, int64_t when)
{
	return began && when ? when - began : -1;
}

static struct span code_of(enum refusal why)
{
	return why == REFUSAL_NONE ? SPAN("") : span_of(refusal_row(why)->code);
}

static void log_visit(const struct visit *visit, enum refusal why, int64_t microseconds)
{
	const struct exchange *exchange = &visit->exchange;
	const struct guest *guest = visit->guest;
	unsigned with = access_log_options()->with;
	char id[EXCHANGE_ID_SIZE], device[33];
	struct card card = {.person = {"", 0}};
	struct access_line line = {
		.wall = loop_now(guest->door->loop)->wall,
		.from = span_of(guest->ip),
		.protocol = span_of(exchange->transport->ops->name),
		.site = visit->site ? visit->site->name : SPAN(""),
		.method = visit->memory ? visit->memory->method : exchange->request->method_name,
		.path = visit->memory ? visit->memory->path : exchange->target->path,
		.status = exchange->status,
		.why = code_of(why),
		.watched = code_of(visit->watched),
		.us = microseconds,
		.connect_us = since(exchange->far.began, exchange->far.connected),
		.first_byte_us = since(exchange->far.began, exchange->far.first_byte),
		.up = exchange->bytes_up,
		.down = exchange->bytes_down,
	};

	if (access_log_options()->target == ACCESS_OFF)
		return;
	exchange_id_text(exchange, id);
	line.id = span_make(id, EXCHANGE_ID_SIZE - 1);
	if (guest->is_found) {
		hex_write(guest->standing.device, 16, device);
		line.device = span_make(device, 32);
		if (roster_card(guest->door->roster, &guest->standing, &card))
			line.person = card.person;
	} else if (guest->foreign) {
		line.person = foreign_guest_name(guest->foreign);
	}
	if (exchange->ending != ENDED_DONE)
		line.end = span_of(ending_name(exchange->ending));
	if (with & ACCESS_QUERY)
		line.query = exchange->target->query;
	if (with & ACCESS_AGENT)
		line.agent = head_value(exchange->request, FIELD_USER_AGENT);
	access_log_write(&line);
}

static void count_site(const struct visit *visit, enum refusal why)
{
	const struct exchange *exchange = &visit->exchange;
	struct score_site *score = visit->site ? visit->site->score : visit->guest->door->nowhere;
	int64_t began = exchange->far.began;

	score_site_status(score, exchange->status);
	score_site_add(score, SITE_BYTES_UP, exchange->bytes_up);
	score_site_add(score, SITE_BYTES_DOWN, exchange->bytes_down);
	score_site_add(score, SITE_REFUSED, why != REFUSAL_NONE);
	score_site_add(score, SITE_WATCHED, visit->watched != REFUSAL_NONE);
	if (visit->is_tunnel)
		score_site_sub(score, SITE_LIVE_TUNNELS, 1);
	if (!began)
		return;
	score_site_time(score, SITE_TIME_CONNECT, exchange->far.connected - began);
	score_site_time(score, SITE_TIME_FIRST_BYTE, exchange->far.first_byte - began);
	/* A tunnel's total would say how long people sit before it. */
	if (!visit->is_tunnel)
		score_site_time(score, SITE_TIME_TOTAL, loop_now(visit->guest->door->loop)->mono - began);
}

static void count_visit(struct visit *visit, enum refusal why, int64_t microseconds)
{
	struct score_page *score = visit->guest->door->score;
	const struct exchange *exchange = &visit->exchange;

	if (!score)
		return;
	score_sub(score, SCORE_LIVE_EXCHANGES, 1);
	if (visit->is_tunnel)
		score_sub(score, SCORE_LIVE_TUNNELS, 1);
	else
		score_duration(score, microseconds);
	score_status(score, exchange->status);
	score_add(score, SCORE_BYTES_UP, exchange->bytes_up);
	score_add(score, SCORE_BYTES_DOWN, exchange->bytes_down);
	if (why != REFUSAL_NONE)
		score_refusal(score, why);
	if (visit->watched != REFUSAL_NONE)
		score_add(score, SCORE_WATCHED, 1);
	count_site(visit, why);
}

/* What ended it when the answer had begun, and no page could say so any more. */
static enum refusal refusal_of_ending(const struct visit *visit)
{
	switch (visit->exchange.ending) {
	case ENDED_EXPIRED:
		return REFUSAL_EXPIRED;
	case ENDED_CLIENT_BAD: /* a body or trailers that are none */
		return REFUSAL_BAD_REQUEST;
	case ENDED_LATE: /* a tunnel's is not its client's fault alone */
		return visit->is_tunnel ? REFUSAL_NONE : REFUSAL_TIMEOUT;
	default:
		return REFUSAL_NONE;
	}
}

void walk_end(struct visit *visit)
{
	int64_t microseconds = loop_now(visit->guest->door->loop)->mono - visit->exchange.started;
	enum refusal why = visit->why != REFUSAL_NONE ? visit->why : visit->guest->ended_for;

	visit->room = ROOM_LEFT;
	if (why == REFUSAL_NONE)
		why = refusal_of_ending(visit);
	if (microseconds < 0)
		microseconds = 0;
	log_visit(visit, why, microseconds);
	count_visit(visit, why, microseconds);
	ceiling_left(visit);
	list_remove(&visit->in_guest);
	free(visit->memory);
	visit->memory = NULL;
	routes_release(visit->routes);
	visit->routes = NULL;
	visit->site = NULL;
}
