#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/line_ring.h"
#include "base/log.h"
#include "bridge/ask.h"
#include "bridge/question.h"
#include "config/bundle.h"
#include "access/limit.h"
#include "door/access_log.h"
#include "door/ceiling.h"
#include "door/door.h"
#include "door/present.h"
#include "event/log_writer.h"
#include "door/street.h"
#include "http/connection.h"
#include "http/http_host.h"
#include "pki/crypto_start.h"
#include "relay/relay.h"
#include "relay/upstream.h"
#include "serve/gateway_figures.h"
#include "serve/front.h"
#include "serve/metrics_gate.h"
#include "serve/plan.h"
#include "serve/post.h"
#include "serve/resolver_link.h"
#include "serve/role.h"
#include "serve/sandbox.h"
#include "serve/settings.h"
#include "serve/settings_keys.h"
#include "serve/watch_report.h"
#include "shm/meter.h"
#include "shm/roster.h"
#include "shm/scoreboard.h"
#include "shm/session_store.h"
#include "stream/listener.h"
#include "stream/tls_memory.h"
#include "stream/tls_stream.h"

enum { DESCRIPTORS_SPARE = 64, SEEN_A_TIME = 512, ASK_MS = 5000, RELAYED_MOST = 4096 };

struct gateway;

/* One listening socket and what is done with those who come there. */
struct gate {
	struct gateway *gateway;
	struct listener *listener;
};

/* One worker: all its parts, made in gateway_role and released there in the other order. */
struct gateway {
	struct post post;
	struct bundle *bundle;
	struct settings *settings;
	struct relay_worker *relays;
	struct metrics_gate *metrics;
	struct front *front;
	struct resolver_link resolver;
	struct door *door;
	struct http_host host;
	int challenges;        /* the folder of ACME answers, or -1 */
	struct street *street; /* NULL: nobody listens for plain HTTP */
	struct roster *roster;
	struct session_store *sessions;
	struct meter *meter;
	struct limiter *limiter;
	struct channel *authority; /* NULL while it is away */
	struct gate gates[PLAN_LISTEN_MOST];
	struct timer minute, ending;
	struct watch_report watched;
	int access_fd;        /* the access log's file, or -1 */
	uint64_t access_dropped; /* lines, as the scoreboard knows */
	int64_t end_at;       /* once it is draining or stopping */
	enum ending end_with; /* what those then left are told */
	bool is_ready;
};

/* TLS: sessions between stream/'s shape and shm/'s. ------------------------ */

static void on_session_new(void *arg, const struct tls_session *made)
{
	struct gateway *gateway = arg;
	struct session kept = {.secret_length = made->secret_length,
			       .cipher = made->cipher,
			       .group = made->group,
			       .site = made->site,
			       .epoch = made->epoch,
			       .age_add = made->age_add,
			       .full_at = made->handshake,
			       .expiry = made->expiry};

	memcpy(kept.id, made->id, sizeof kept.id);
	memcpy(kept.secret, made->secret, sizeof kept.secret);
	memcpy(kept.fingerprint, made->fingerprint, sizeof kept.fingerprint);
	(void)session_store_put(gateway->sessions, &kept, loop_now(gateway->post.loop));
	score_add(gateway->post.page, SCORE_SESSION_STORES, 1);
	explicit_bzero(&kept, sizeof kept);
}

static bool on_session_find(void *arg, const uint8_t id[TLS_SESSION_ID_SIZE], struct tls_session *out)
{
	struct gateway *gateway = arg;
	struct session kept;

	if (!session_store_find(gateway->sessions, id, loop_now(gateway->post.loop), &kept)) {
		score_add(gateway->post.page, SCORE_SESSION_MISSES, 1);
		return false;
	}
	score_add(gateway->post.page, SCORE_SESSION_HITS, 1);
	*out = (struct tls_session){.secret_length = kept.secret_length,
				    .cipher = kept.cipher,
				    .group = kept.group,
				    .expiry = kept.expiry,
				    .handshake = kept.full_at,
				    .site = kept.site,
				    .epoch = kept.epoch,
				    .age_add = kept.age_add};
	memcpy(out->id, kept.id, sizeof out->id);
	memcpy(out->secret, kept.secret, sizeof out->secret);
	memcpy(out->fingerprint, kept.fingerprint, sizeof out->fingerprint);
	explicit_bzero(&kept, sizeof kept);
	return true;
}

static enum tls_standing on_certificate(void *arg, struct span der, const uint8_t fingerprint[32])
{
	return door_on_certificate(((struct gateway *)arg)->door, der, fingerprint);
}

static void on_proved(void *arg, struct span der, const uint8_t fingerprint[32])
{
	door_on_proved(((struct gateway *)arg)->door, der, fingerprint);
}

static int64_t resumable_until(void *arg, const uint8_t fingerprint[32])
{
	return door_resumable_until(((struct gateway *)arg)->door, fingerprint);
}

static struct tls_hooks hooks_of(struct gateway *gateway)
{
	return (struct tls_hooks){.arg = gateway,
				  .on_certificate = on_certificate,
				  .on_proved = on_proved,
				  .resumable_until = resumable_until,
				  .on_session_new = on_session_new,
				  .on_session_find = on_session_find};
}

static void accept_tls(void *arg, int fd, const struct address *peer)
{
	struct gateway *gateway = ((struct gate *)arg)->gateway;
	struct connection_birth birth = {.is_tls = true, .peer = *peer, .listener = arg};
	struct connection *connection;
	struct error err;

	birth.is_proxied = front_awaits_proxy(gateway->front, peer);
	if (!birth.is_proxied && !ceiling_admits(gateway->door, peer, http_host_is_queue_full(&gateway->host))) {
		close(fd);
		return;
	}
	if (tls_stream_new(fd, front_tls(gateway->front), &birth.stream, &err) != OK) {
		close(fd);
		return;
	}
	/* Too many: the client sees its connection end. */
	if (connection_new(&gateway->host, &birth, &connection, &err) != OK)
		log_say(LOG_WARNING, "accept", "%s", err.text);
}

static void accept_plain(void *arg, int fd, const struct address *peer)
{
	street_accept(((struct gate *)arg)->gateway->street, fd, peer);
}

static void accept_metrics(void *arg, int fd, const struct address *peer)
{
	metrics_gate_accept(((struct gate *)arg)->gateway->metrics, fd, peer);
}

static const struct {
	enum listen_kind kind;
	void (*on_accept)(void *gate, int fd, const struct address *peer);
} accepts[] = {
	{LISTEN_TLS, accept_tls},
	{LISTEN_HTTP, accept_plain},
	{LISTEN_METRICS, accept_metrics},
};

static enum status open_street(struct gateway *gateway, struct error *err)
{
	struct street_setup setup = {.loop = gateway->post.loop,
				     .door = gateway->door,
				     .limits = gateway->host.limits,
				     .https_port = settings_https_port(gateway->settings),
				     .challenges = gateway->challenges};

	return street_new(&setup, &gateway->street, err);
}

static enum status open_gates(struct gateway *gateway, struct error *err)
{
	const char *kinds = gateway->post.start.word ? gateway->post.start.word : "";
	enum status status = OK;
	size_t i, row;

	for (i = 0; kinds[i] && i < PLAN_LISTEN_MOST && status == OK; i++) {
		struct gate *gate = &gateway->gates[i];

		for (row = 0; row < sizeof accepts / sizeof *accepts && accepts[row].kind != (unsigned char)kinds[i];)
			row++;
		if (row == sizeof accepts / sizeof *accepts)
			return error_fail(err, "listening socket %zu is of no known kind", i);
		gate->gateway = gateway;
		if (accepts[row].kind == LISTEN_HTTP && !gateway->street)
			status = open_street(gateway, err);
		if (status == OK)
			status = listener_start(gateway->post.loop, FD_LISTEN + (int)i, accepts[row].on_accept, gate,
					&gate->listener, err);
		if (status == OK)
			listener_pause(gate->listener); /* until ORDER_OPEN */
	}
	return status;
}

/* Settings ---------------------------------------------------------------- */

static void on_addresses(void *arg, const char *host, const struct address *addresses, size_t count)
{
	const struct gateway *gateway = arg;

	if (gateway->front)
		front_resolve(gateway->front, host, addresses, count);
}

/* Of so many, what those without an accepted certificate may take. */
static size_t strangers_of(const struct settings *settings, size_t most)
{
	return most * (100 - settings_house(settings)->reserve) / 100;
}

/* All or nothing: on failure what held before still holds. */
static enum status take_bundle(struct gateway *gateway, int fd, struct error *err)
{
	struct bundle *bundle = NULL;
	struct settings *settings = NULL;
	struct front *front = NULL;
	struct routes *routes = NULL;
	const struct route_service *services;
	struct tls_hooks hooks = hooks_of(gateway);
	enum status status;
	size_t count;

	TRY(bundle_open(fd, &bundle, err));
	TRY(settings_unpack(bundle, &settings, err));
	TRY(front_new(gateway->relays, settings, gateway->front, &front, err));
	services = front_services(front, &count);
	if (gateway->door) {
		TRY(routes_new(settings_door(settings), services, count, &routes, err));
	} else {
		struct door_setup setup = {.loop = gateway->post.loop,
					   .score = gateway->post.page,
					   .options = settings_door(settings),
					   .services = services,
					   .service_count = count,
					   .limiter = gateway->limiter,
					   .stranger_visits = strangers_of(settings, RELAYED_MOST)};

		setup.issuers = settings_issuers(settings, &setup.issuer_count);
		TRY(door_new(&setup, &gateway->door, err));
	}
	TRY(front_secure(front, routes ? routes : door_routes(gateway->door), &hooks, err));
	limiter_use(gateway->limiter, &settings_house(settings)->limits);
	/* Nothing can fail from here on: rules whose services are gone must never be in use. */
	if (routes)
		door_use_routes(gateway->door, routes);
	front_free(gateway->front);
	settings_free(gateway->settings);
	bundle_free(gateway->bundle);
	gateway->front = front;
	gateway->settings = settings;
	gateway->bundle = bundle;
	figures_of_settings(settings, gateway->post.page);
	resolver_link_repeat(&gateway->resolver);
	access_log_use(settings_access_log(settings));
	return OK;
done:
	routes_release(routes);
	front_free(front);
	settings_free(settings);
	bundle_free(bundle);
	return status;
}

/* The authority ----------------------------------------------------------- */

static void be_ready(struct gateway *gateway)
{
	struct error err;

	if (gateway->is_ready)
		return;
	if (open_gates(gateway, &err) != OK) {
		log_say(LOG_ERROR, "listen", "%s", err.text);
		exit(70);
	}
	gateway->is_ready = true;
	post_ready(&gateway->post);
}

static enum status use_roster(struct gateway *gateway, int fd, struct error *err)
{
	struct roster *roster = NULL;
	enum status status = roster_open(fd, &roster, err);

	if (status != OK)
		return status;
	door_use_roster(gateway->door, roster);
	metrics_gate_use_roster(gateway->metrics, roster);
	roster_free(gateway->roster);
	gateway->roster = roster;
	be_ready(gateway);
	return OK;
}

static void answer_roster(void *house, struct answer *answer, const json_t *words, int fd)
{
	struct error err;
	enum status status = use_roster(house, fd, &err);

	(void)words;
	if (status == OK)
		answer_send(answer, NULL, -1);
	else
		answer_error(answer, status, &err);
}

static void on_closed_all(void *arg, size_t count)
{
	struct answer *answer = arg;
	json_t *words = json_pack("{s:I}", "closed", (json_int_t)count);

	answer_send(answer, words, -1);
	json_decref(words);
}

/* Several devices in one question; one for the asking itself, so that none of them ends it before all are told. */
struct losing {
	struct answer *answer;
	size_t owed, closed;
	enum status status;
	struct error err;
};

static void one_less(struct losing *losing)
{
	if (--losing->owed)
		return;
	if (losing->status == OK)
		on_closed_all(losing->answer, losing->closed);
	else
		answer_error(losing->answer, losing->status, &losing->err);
	free(losing);
}

static void on_closed_one(void *arg, size_t count)
{
	struct losing *losing = arg;

	losing->closed += count;
	one_less(losing);
}

static void lose_devices(struct gateway *gateway, struct answer *answer, const json_t *devices)
{
	struct losing *losing = calloc(1, sizeof *losing);
	uint8_t device[16];
	struct error err;
	size_t i;

	if (!losing) {
		(void)error_fail(&err, "no memory");
		answer_fail(answer, &err);
		return;
	}
	*losing = (struct losing){.answer = answer, .owed = 1};
	for (i = 0; i < json_array_size(devices); i++) {
		const char *text = json_string_value(json_array_get(devices, i));
		enum status status = OK;

		losing->owed++;
		if (!text || !hex_read(span_of(text), device, sizeof device))
			status = error_refuse(&losing->err, "\"devices\" must be 32 hexadecimal digits each");
		else
			status = door_lost_device(gateway->door, device, on_closed_one, losing, &losing->err);
		if (status != OK) {
			losing->status = status;
			losing->owed--;
		}
	}
	one_less(losing);
}

static void answer_lost(void *house, struct answer *answer, const json_t *words, int fd)
{
	struct gateway *gateway = house;
	uint8_t device[16], fingerprint[32];
	struct error err;
	enum status status;

	(void)fd;
	if (json_is_array(json_object_get(words, "devices"))) {
		lose_devices(gateway, answer, json_object_get(words, "devices"));
		return;
	}
	if (json_object_get(words, "device")) {
		status = words_hex(words, "device", device, sizeof device, &err);
		if (status == OK)
			status = door_lost_device(gateway->door, device, on_closed_all, answer, &err);
	} else {
		status = words_hex(words, "certificate", fingerprint, sizeof fingerprint, &err);
		if (status == OK)
			status = door_lost_certificate(gateway->door, fingerprint, on_closed_all, answer, &err);
	}
	if (status != OK)
		answer_error(answer, status, &err);
}

static void answer_who(void *house, struct answer *answer, const json_t *words, int fd)
{
	struct gateway *gateway = house;
	uint8_t device[16];
	struct error err;
	json_t *count;

	(void)fd;
	if (words_hex(words, "device", device, sizeof device, &err) != OK) {
		answer_refuse(answer, &err);
		return;
	}
	count = json_pack("{s:I}", "connections", (json_int_t)door_count_device(gateway->door, device));
	answer_send(answer, count, -1);
	json_decref(count);
}

static void answer_present(void *house, struct answer *answer, const json_t *words, int fd)
{
	static struct present found[PRESENT_A_WORKER];
	struct gateway *gateway = house;
	json_t *list = json_array(), *out;
	size_t total, count = door_present(gateway->door, found, PRESENT_A_WORKER, &total), i;
	char device[33];

	(void)words;
	(void)fd;
	for (i = 0; i < count; i++) {
		hex_write(found[i].device, 16, device);
		json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "device", device, "connections",
						      (json_int_t)found[i].connections, "requests",
						      (json_int_t)found[i].requests));
	}
	out = json_pack("{s:o, s:I}", "devices", list, "total", (json_int_t)total);
	answer_send(answer, out, -1);
	json_decref(out);
}

static const struct question_row rows[] = {
	{"lost", ROLE_AUTHORITY, QUESTION_WRITES, QUESTION_URGENT, answer_lost},
	/* Urgent as the other: a revocation must not pass by the roster that it stands in. */
	{"roster", ROLE_AUTHORITY, QUESTION_WRITES, QUESTION_URGENT, answer_roster},
	{"who", ROLE_AUTHORITY, QUESTION_READS, 0, answer_who},
	{"present", ROLE_AUTHORITY, QUESTION_READS, 0, answer_present},
};

static void on_authority_closed(void *arg, struct channel *channel, const char *why)
{
	struct gateway *gateway = arg;

	log_say(LOG_WARNING, "authority", "%s; deciding from the roster until it is back", why);
	channel_free(channel);
	gateway->authority = NULL;
}

static void take_channel(struct gateway *gateway, int fd)
{
	static struct question_table table = {.rows = rows, .count = sizeof rows / sizeof *rows};
	struct error err;

	table.house = gateway;
	channel_free(gateway->authority);
	gateway->authority = NULL;
	if (channel_new(gateway->post.loop, fd, "authority", on_authority_closed, gateway, &gateway->authority,
			&err) != OK ||
	    question_serve(gateway->authority, &table, ROLE_AUTHORITY, NULL, &err) != OK) {
		log_say(LOG_ERROR, "authority", "%s", err.text);
		channel_free(gateway->authority);
		gateway->authority = NULL;
	}
}

static void on_seen_told(void *arg, enum status status, const json_t *words, int fd, const struct error *err)
{
	(void)arg;
	(void)words;
	(void)fd;
	if (status != OK)
		log_say(LOG_WARNING, "seen", "%s", err->text);
}

static void tell_seen(struct gateway *gateway)
{
	uint8_t seen[SEEN_A_TIME][16];
	size_t count, i;

	count = gateway->authority ? door_take_seen(gateway->door, seen, SEEN_A_TIME) : 0;
	if (count) {
		struct question question = {.name = "seen", .fd = -1};
		json_t *devices = json_array();

		for (i = 0; i < count; i++) {
			char text[33];

			hex_write(seen[i], 16, text);
			json_array_append_new(devices, json_string(text));
		}
		question.words = json_pack("{s:o}", "devices", devices);
		(void)!ask(gateway->authority, question, ASK_MS, on_seen_told, NULL, NULL);
	}
}

/* Once a minute: who was here, and a tenth of the store's old secrets. */
static void on_minute(struct timer *timer)
{
	struct gateway *gateway = OWNER_OF(timer, struct gateway, minute);

	timer_set(loop_timers(gateway->post.loop), timer, loop_now(gateway->post.loop)->mono + SECONDS(60));
	session_store_sweep(gateway->sessions, session_store_sets(gateway->sessions) / 10 + 1,
			    loop_now(gateway->post.loop));
	tell_seen(gateway);
}

/* Orders ------------------------------------------------------------------ */

/* Every host of connections: the door's, and the street's if there is one. */
static size_t count_connections(struct gateway *gateway)
{
	return http_host_connections(&gateway->host) + metrics_gate_connections(gateway->metrics) +
	       (gateway->street ? http_host_connections(street_host(gateway->street)) : 0);
}

static void drain(struct http_host *host, enum ending why)
{
	if (why == ENDED_STOPPING) {
		http_host_stop(host);
	} else {
		host->spares_idle = true;
		http_host_drain(host);
	}
}

static void end_all(struct gateway *gateway)
{
	http_host_end(&gateway->host, gateway->end_with);
	if (gateway->street)
		http_host_end(street_host(gateway->street), gateway->end_with);
}

/* Answers under way get their time; what is left then is ended. */
static void on_ending(struct timer *timer)
{
	struct gateway *gateway = OWNER_OF(timer, struct gateway, ending);
	int64_t now = loop_now(gateway->post.loop)->mono;
	int64_t next = now + (gateway->end_with == ENDED_STOPPING ? MILLISECONDS(20) : MILLISECONDS(200));

	if (count_connections(gateway) == 0) {
		loop_stop(gateway->post.loop);
		return;
	}
	if (now >= gateway->end_at)
		end_all(gateway);
	timer_set(loop_timers(gateway->post.loop), timer, next);
}

/* No more clients; it ends when those who are here have gone, `seconds` from now at the latest. A draining
 * one may be told to hurry, or to stop. */
static void end_within(struct gateway *gateway, enum ending why, uint32_t seconds)
{
	int64_t now = loop_now(gateway->post.loop)->mono, end_at = now + SECONDS((int64_t)seconds);
	bool is_said_again = timer_is_set(&gateway->ending) && gateway->end_with == why;
	unsigned i;

	for (i = 0; i < PLAN_LISTEN_MOST; i++) {
		listener_stop(gateway->gates[i].listener);
		gateway->gates[i].listener = NULL;
	}
	metrics_gate_end(gateway->metrics);
	watch_report_hurry(&gateway->watched);
	tell_seen(gateway);
	if (!is_said_again || end_at < gateway->end_at)
		gateway->end_at = end_at;
	gateway->end_with = why;
	drain(&gateway->host, why);
	if (gateway->street)
		drain(street_host(gateway->street), why);
	timer_set(loop_timers(gateway->post.loop), &gateway->ending, now);
}

static void open_up(struct gateway *gateway)
{
	unsigned i;

	for (i = 0; i < PLAN_LISTEN_MOST; i++)
		if (gateway->gates[i].listener)
			listener_resume(gateway->gates[i].listener);
}

static void take_files(struct gateway *gateway, uint32_t number, int fd)
{
	struct order answer = {ORDER_TOOK, number};
	struct error err;

	if (take_bundle(gateway, fd, &err) == OK) {
		log_say(LOG_INFO, "files", "new files are in use");
	} else {
		log_say(LOG_ERROR, "files", "%s; the ones before still hold", err.text);
		answer.verb = ORDER_KEPT;
	}
	/* A supervisor that hears nothing ends us. */
	(void)!order_send(FD_ORDERS, answer, -1);
}

static void on_order(struct post *post, struct order order, int fd)
{
	struct gateway *gateway = OWNER_OF(post, struct gateway, post);

	switch (order.verb) {
	case ORDER_CHANNEL:
		if (fd >= 0 && order.number == CHANNEL_RESOLVER)
			resolver_link_take(&gateway->resolver, fd);
		else if (fd >= 0)
			take_channel(gateway, fd);
		return; /* the channel has it */
	case ORDER_BUNDLE:
		if (fd >= 0)
			take_files(gateway, order.number, fd);
		break;
	case ORDER_OPEN:
		open_up(gateway);
		break;
	case ORDER_DRAIN:
		end_within(gateway, ENDED_REPLACED, order.number);
		break;
	case ORDER_ACCESS:
		if (fd < 0)
			break;
		log_writer_use(post->access, fd);
		if (gateway->access_fd >= 0)
			close(gateway->access_fd);
		gateway->access_fd = fd;
		return; /* ours until the next one comes */
	case ORDER_STOP:
		end_within(gateway, ENDED_STOPPING, order.number);
		break;
	default:
		break;
	}
	if (fd >= 0)
		close(fd);
}

/* Each client may need an upstream too: a crowd of idle ones must not take what requests need. */
static void heed_descriptors(struct http_limits *limits, const struct rlimit *descriptors)
{
	size_t most = descriptors->rlim_cur > 2 * DESCRIPTORS_SPARE ? descriptors->rlim_cur : 2 * DESCRIPTORS_SPARE;

	most = (most - DESCRIPTORS_SPARE) / 2;
	if (limits->connections <= most)
		return;
	log_say(LOG_WARNING, "limits", "connections = %zu needs more descriptors than the %llu of this process; %zu are taken",
		limits->connections, (unsigned long long)descriptors->rlim_cur, most);
	limits->strangers = limits->strangers * most / limits->connections;
	limits->connections = most;
}

static void on_pulse(struct post *post)
{
	struct gateway *gateway = OWNER_OF(post, struct gateway, post);

	score_add(post->page, SCORE_ACCESS_DROPPED, access_log_ring()->dropped - gateway->access_dropped);
	gateway->access_dropped = access_log_ring()->dropped;
	if (gateway->front)
		figures_of_front(gateway->settings, gateway->front, post->page);
}

static enum status start(struct gateway *gateway, int argc, char **argv, struct error *err)
{
	struct relay_worker_options relays = {0};
	struct rlimit descriptors = {.rlim_cur = 1024};
	struct upstream_limits unused;
	struct buffer weaker;
	enum status status;

	/* Before anything is opened that could take its number. */
	gateway->challenges = fcntl(FD_CHALLENGES, F_GETFD) >= 0 ? FD_CHALLENGES : -1;
	TRY(tls_memory_start(err));
	TRY(post_init(&gateway->post, "gateway", argc, argv, on_order, err));
	TRY(crypto_start(err));
	TRY(session_store_open(FD_SESSIONS, &gateway->sessions, err));
	resolver_link_init(&gateway->resolver, gateway->post.loop, on_addresses, gateway);
	relays = (struct relay_worker_options){.loop = gateway->post.loop,
					       .score = gateway->post.page,
					       .exchanges = RELAYED_MOST,
					       .tunnels = 65536,
					       .dialler = &gateway->resolver.dialler};
	TRY(meter_open(FD_METER, &gateway->meter, err));
	TRY(limiter_new(gateway->meter, gateway->post.start.slot, &gateway->limiter, err));
	TRY(relay_worker_new(&relays, &gateway->relays, err));
	TRY(metrics_gate_new(gateway->post.loop, gateway->post.board, &gateway->metrics, err));
	gateway->post.on_pulse = on_pulse;
	gateway->access_fd = -1;
	TRY(log_writer_start(gateway->post.loop, access_log_ring(), -1, &gateway->post.access, err));
	(void)getrlimit(RLIMIT_NOFILE, &descriptors); /* the sandbox knows no such question */
	TRY(sandbox_drop(gateway->post.start.user, err));
	TRY(sandbox_tie(gateway->post.start.supervisor, err));
	buffer_init(&weaker, 512);
	status = sandbox_gateway(gateway->challenges, &weaker, err);
	if (weaker.size && gateway->post.start.slot == 1)
		log_say(LOG_WARNING, "sandbox", "%s", buffer_text(&weaker));
	buffer_release(&weaker);
	if (status != OK)
		goto done;
	TRY(take_bundle(gateway, FD_BUNDLE, err));
	close(FD_BUNDLE);
	gateway->host.loop = gateway->post.loop;
	settings_limits(gateway->settings, &gateway->host.limits, &unused);
	heed_descriptors(&gateway->host.limits, &descriptors);
	door_fill_host(gateway->door, &gateway->host);
	TRY(http_host_init(&gateway->host, err));
	timer_init(&gateway->ending, on_ending);
	watch_report_start(&gateway->watched, gateway->post.loop, door_tally(gateway->door), &gateway->authority);
	timer_init(&gateway->minute, on_minute);
	timer_set(loop_timers(gateway->post.loop), &gateway->minute,
		  loop_now(gateway->post.loop)->mono + SECONDS(60));
done:
	return status;
}

int gateway_role(int argc, char **argv)
{
	static struct gateway gateway;
	struct error err = {""};

	if (start(&gateway, argc, argv, &err) != OK) {
		log_gather(false);
		log_say(LOG_ERROR, "start", "%s", err.text);
		return 1;
	}
	loop_run(gateway.post.loop);
	/* What is said from here on is for nobody; the loop turns for what connections and relays posted. */
	loop_remove(gateway.post.loop, &gateway.post.orders);
	timer_stop(&gateway.ending);
	timer_stop(&gateway.minute);
	watch_report_stop(&gateway.watched);
	/* Its end is told by ours: one that closes its channel and lives on is killed, and has a log to write. */
	if (gateway.authority)
		(void)!channel_hold(gateway.authority);
	channel_free(gateway.authority);
	(void)loop_turn(gateway.post.loop, 0);
	http_host_release(&gateway.host);
	street_free(gateway.street);
	metrics_gate_free(gateway.metrics);
	door_free(gateway.door);
	front_free(gateway.front);
	(void)loop_turn(gateway.post.loop, 0);
	resolver_link_release(&gateway.resolver);
	relay_worker_free(gateway.relays);
	settings_free(gateway.settings);
	bundle_free(gateway.bundle);
	roster_free(gateway.roster);
	session_store_free(gateway.sessions);
	log_writer_stop(gateway.post.access);
	gateway.post.access = NULL;
	limiter_free(gateway.limiter);
	meter_free(gateway.meter);
	post_release(&gateway.post);
	return 0;
}
