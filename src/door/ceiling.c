#include "door/ceiling.h"

#include "access/limit.h"
#include "base/log.h"
#include "door/door_parts.h"
#include "door/foreign_guest.h"
#include "event/loop.h"
#include "http/connection.h"
#include "http/http_host.h"
#include "shm/scoreboard.h"

enum { SAY_EVERY = 10 /* seconds */, WAIT_MOST = 60 };

static struct door *door_of(const struct connection *connection)
{
	return connection_host(connection)->arg;
}

static int64_t now_of(const struct door *door)
{
	return loop_now(door->loop)->mono;
}

/* -- before the handshake -- */

/* One line for many: a flood must not become one of lines. */
static void say_turned_away(struct door *door, const struct address *peer, const char *why)
{
	struct turned_away *turned = &door->turned_away;
	char ip[ADDRESS_TEXT_SIZE];

	turned->count++;
	score_refusal(door->score, REFUSAL_TOO_MANY);
	if (turned->said_at && now_of(door) < turned->said_at + SECONDS(SAY_EVERY))
		return;
	turned->said_at = now_of(door);
	address_ip_text(peer, ip);
	log_begin(LOG_WARNING, "turned-away");
	log_text("from", span_of(ip));
	log_text("text", span_of(why));
	log_number("since_last_line", turned->count);
	log_end();
	turned->count = 0;
}

static bool admits(struct door *door, const struct limit_party *party, const struct address *peer, bool is_queue_full)
{
	const char *why = NULL;

	if (!limit_has_room(door->limiter, party))
		why = "more connections at once than address-connections allows";
	else if (!limit_handshake(door->limiter, party, now_of(door)))
		why = "more handshakes a second than address-handshakes allows";
	else if (is_queue_full && !limit_is_familiar(door->limiter, party, now_of(door)))
		why = "more handshakes of strangers than can be done in time";
	if (why)
		say_turned_away(door, peer, why);
	return why == NULL;
}

bool ceiling_admits(struct door *door, const struct address *peer, bool is_queue_full)
{
	struct limit_party party = limit_address(door->limiter, peer);

	return admits(door, &party, peer, is_queue_full);
}

bool ceiling_meet(struct connection *connection)
{
	struct guest *guest = connection_guest(connection);
	struct door *door = door_of(connection);

	guest->party = limit_address(door->limiter, connection_peer(connection));
	/* Who came straight was asked before there was a connection. */
	if (connection_is_proxied(connection) &&
	    !admits(door, &guest->party, connection_peer(connection),
		    http_host_is_queue_full(connection_host(connection))))
		return false;
	if (limit_is_familiar(door->limiter, &guest->party, now_of(door)))
		connection_set_familiar(connection);
	guest->is_entered = limit_enter(door->limiter, &guest->party);
	return true;
}

/* -- after it -- */

static void leave(struct guest *guest, struct door *door)
{
	if (guest->is_entered)
		limit_leave(door->limiter, &guest->party);
	guest->is_entered = false;
}

static void end(struct guest *guest, const char *why)
{
	guest->ended_for = REFUSAL_TOO_MANY;
	say_turned_away(guest->door, connection_peer(connection_of_guest(guest)), why);
	connection_end(connection_of_guest(guest), ENDED_OURS);
}

void ceiling_settle(struct guest *guest)
{
	struct door *door = guest->door;
	struct connection *connection = connection_of_guest(guest);
	struct limit_party device;

	connection_settle(connection, guest->is_known);
	if (!door->limiter || !guest->is_known || guest->party.is_device)
		return;
	limit_befriend(door->limiter, &guest->party, now_of(door));
	leave(guest, door);
	device = limit_device(door->limiter, guest->is_found ? guest->standing.device
							     : foreign_guest_key(guest->foreign));
	guest->party = device;
	if (!limit_has_room(door->limiter, &device)) {
		end(guest, "more connections at once than device-connections allows");
		return;
	}
	guest->is_entered = limit_enter(door->limiter, &device);
	if (!limit_handshake(door->limiter, &device, now_of(door)))
		end(guest, "more handshakes a second than device-handshakes allows");
}

static enum refusal refuse_later(struct visit *visit, int64_t wait)
{
	int64_t seconds = (wait + SECONDS(1) - 1) / SECONDS(1);

	visit->retry_after = (uint8_t)(seconds < 1 ? 1 : seconds > WAIT_MOST ? WAIT_MOST : seconds);
	/* A stranger pays for the next one with a handshake, which has its own ceiling. */
	if (!visit->guest->party.is_device)
		exchange_close_after(&visit->exchange);
	return REFUSAL_TOO_MANY;
}

enum refusal ceiling_enter(struct visit *visit)
{
	struct guest *guest = visit->guest;
	struct door *door = guest->door;
	bool is_first = guest->open_visits == 0;
	int64_t wait;

	if (!door->limiter)
		return REFUSAL_NONE;
	if (!limit_request(door->limiter, &guest->party, now_of(door), &wait))
		return refuse_later(visit, wait);
	if (!is_first && !limit_open(door->limiter, &guest->party, &visit->is_counted_open))
		return refuse_later(visit, SECONDS(1));
	visit->counted_as = guest->party;
	visit->is_open = true;
	guest->open_visits++;
	if (guest->is_known)
		return REFUSAL_NONE;
	/* What is left belongs to those who are known. */
	if (door->stranger_visits >= door->stranger_visits_most)
		return REFUSAL_UNAVAILABLE;
	visit->is_strangers = true;
	door->stranger_visits++;
	return REFUSAL_NONE;
}

static void let_go(struct visit *visit)
{
	struct guest *guest = visit->guest;

	if (visit->is_counted_open)
		limit_close(guest->door->limiter, &visit->counted_as);
	if (visit->is_strangers)
		guest->door->stranger_visits--;
	visit->is_counted_open = visit->is_strangers = false;
}

/* Alone on its connection, whose ceiling counts it; beside others (HTTP/2) there may be a hundred of them. */
void ceiling_tunnel(struct visit *visit)
{
	if (visit->guest->open_visits <= 1)
		let_go(visit);
}

void ceiling_left(struct visit *visit)
{
	let_go(visit);
	if (visit->is_open)
		visit->guest->open_visits--;
	visit->is_open = false;
}

void ceiling_close(struct connection *connection)
{
	leave(connection_guest(connection), door_of(connection));
}
