#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/list.h"
#include "command/example_parts.h"
#include "event/loop.h"
#include "http/connection.h"
#include "http/page.h"
#include "http/service.h"
#include "wire/http_head.h"
#include "wire/websocket.h"

enum {
	MEMBERS_MOST = 1000,
	LIST_MOST = 100,         /* names on one list; the rest is a number */
	NEWS_MOST = 20,          /* who came or went, between two lists */
	FRAME_MOST = 256 * 1024, /* payload of one frame */
	IN_MOST = FRAME_MOST + WEBSOCKET_HEAD_MAX,
	OUT_MOST = 1024 * 1024,
	OUT_FULL = 256 * 1024,   /* from here on nothing more is read */
	NAME_MOST = 80,
	SHORT_ID = 8,            /* digits of a device's id; what `chatelaine device` takes too */
	HERE_MOST = 48 * 1024,
};

struct member {
	struct exchange *exchange;
	struct link in_room; /* owner: room.members; alone for those who only echo */
	uint64_t id;
	int64_t since;       /* seconds since 1970 */
	char person[NAME_MOST], device[SHORT_ID + 1];
	struct buffer in, out;
	size_t in_at;        /* frames before it have been taken */
	bool is_listed;
	bool is_within;      /* between the fragments of a message: no other may begin */
	bool is_stale;       /* has not seen the latest list */
	bool is_over;        /* our Close is on its way */
};

static struct {
	struct link members;
	unsigned count;
	uint64_t next_id;
	struct task telling;
	struct buffer list; /* the latest, a whole frame */
	json_t *joined, *left;
	bool is_open;
} room;

static void tell_everybody(struct task *task);

static void open_room(void)
{
	if (room.is_open)
		return;
	room.is_open = true;
	list_init(&room.members);
	task_init(&room.telling, tell_everybody);
	buffer_init(&room.list, HERE_MOST);
	room.joined = json_array();
	room.left = json_array();
}

void example_live_release(void)
{
	if (!room.is_open)
		return;
	task_cancel(&room.telling);
	buffer_release(&room.list);
	json_decref(room.joined);
	json_decref(room.left);
	room.is_open = false;
}

/* -- towards the client -- */

static void put_frame(struct buffer *out, uint8_t opcode, bool fin, struct span payload)
{
	const struct websocket_frame frame = {.fin = fin, .opcode = opcode, .length = payload.size};
	uint8_t head[WEBSOCKET_HEAD_MAX];

	buffer_add(out, span_make(head, websocket_frame_write(&frame, head)));
	buffer_add(out, payload);
}

/* `out` may move while it grows, so nothing of it stays in the body's window. */
static void push(struct member *member)
{
	struct body *down = &member->exchange->down;
	size_t at = 0;

	while (down->flow == FLOW_OPEN && at < member->out.size) {
		size_t room_left = body_room(down), size = member->out.size - at;

		if (room_left == 0)
			break;
		if (size > room_left)
			size = room_left;
		body_show(down, span_make(member->out.at + at, size), false);
		body_settle(down);
		at += size;
	}
	buffer_consume(&member->out, at);
	if (member->out.size == 0) {
		buffer_release(&member->out);
		if (member->is_over && down->flow == FLOW_OPEN)
			body_show(down, SPAN(""), true);
	}
	exchange_flush(member->exchange);
}

static void put_list(struct member *member)
{
	if (!member->is_stale || member->is_within || member->is_over)
		return;
	member->is_stale = false;
	buffer_add(&member->out, buffer_span(&room.list));
}

static void end(struct member *member, uint16_t code, const char *reason)
{
	uint8_t frame[WEBSOCKET_CLOSE_MAX];

	if (member->is_over)
		return;
	member->is_over = true;
	buffer_add(&member->out,
		   span_make(frame, websocket_close_frame(code, span_of(reason), frame)));
}

/* -- who is here -- */

static json_t *json_of(const char *text)
{
	json_t *word = json_string(text);

	return word ? word : json_string("?");
}

static json_t *describe_room(void)
{
	json_t *here = json_array();

	LIST_EACH(link, &room.members) {
		const struct member *member = OWNER_OF(link, struct member, in_room);

		if (json_array_size(here) == LIST_MOST)
			break;
		json_array_append_new(here, json_pack("{s:I, s:o, s:o, s:I}", "id",
						      (json_int_t)member->id, "person",
						      json_of(member->person), "device",
						      json_of(member->device), "since",
						      (json_int_t)member->since));
	}
	return json_pack("{s:i, s:o, s:O, s:O}", "count", (int)room.count, "here", here, "joined",
			 room.joined, "left", room.left);
}

static void tell_everybody(struct task *task)
{
	json_t *words = describe_room();
	char *text = words ? json_dumps(words, JSON_COMPACT) : NULL;

	(void)task;
	buffer_clear(&room.list);
	if (text)
		put_frame(&room.list, WEBSOCKET_TEXT, true, span_of(text));
	if (room.list.cut)
		buffer_clear(&room.list);
	free(text);
	json_decref(words);
	json_array_clear(room.joined);
	json_array_clear(room.left);
	LIST_EACH(link, &room.members) {
		struct member *member = OWNER_OF(link, struct member, in_room);

		member->is_stale = room.list.size > 0;
		/* Who does not read gets the next list when there is room for it. */
		if (member->out.size < OUT_FULL)
			put_list(member);
		push(member);
	}
}

static void note(json_t *names, const struct member *member)
{
	if (json_array_size(names) < NEWS_MOST)
		json_array_append_new(names, json_of(member->person));
	loop_post(connection_host(member->exchange->connection)->loop, &room.telling);
}

/* -- from the client -- */

static void take_frame(struct member *member, const struct websocket_frame *frame, char *payload)
{
	struct span bytes = span_make(payload, (size_t)frame->length);

	websocket_mask(payload, bytes.size, frame->key, 0);
	switch (frame->opcode) {
	case WEBSOCKET_CLOSE:
		/* RFC 6455 section 5.5.1: the code comes back. */
		if (bytes.size >= 2)
			bytes.size = 2;
		put_frame(&member->out, WEBSOCKET_CLOSE, true, bytes);
		member->is_over = true;
		break;
	case WEBSOCKET_PING:
		put_frame(&member->out, WEBSOCKET_PONG, true, bytes);
		break;
	case WEBSOCKET_PONG:
		break;
	default:
		put_frame(&member->out, frame->opcode, frame->fin, bytes);
		member->is_within = !frame->fin;
		break;
	}
}

/* RFC 6455 section 5.4: a continuation continues something, and nothing else may come between. */
static bool is_in_order(const struct member *member, const struct websocket_frame *frame)
{
	if (!frame->masked || frame->reserved)
		return false;
	if (frame->opcode >= WEBSOCKET_CLOSE)
		return true;
	return member->is_within == (frame->opcode == WEBSOCKET_CONTINUATION);
}

/* True: a frame was taken, there may be another one. */
static bool take_next(struct member *member)
{
	struct span rest = buffer_span(&member->in);
	struct websocket_frame frame;
	enum status status;
	size_t used;

	span_skip(&rest, member->in_at);
	status = websocket_frame_parse(rest, FRAME_MOST, &frame, &used, NULL);
	if (status == AGAIN)
		return false;
	if (status != OK || !is_in_order(member, &frame)) {
		end(member, WEBSOCKET_PROTOCOL_ERROR, "that is no frame for us");
		return false;
	}
	if (rest.size - used < frame.length)
		return false;
	take_frame(member, &frame, member->in.at + member->in_at + used);
	member->in_at += used + (size_t)frame.length;
	return true;
}

static bool may_take(const struct member *member)
{
	return !member->is_over && member->out.size < OUT_FULL;
}

static void take_frames(struct member *member)
{
	while (may_take(member) && take_next(member))
		;
	buffer_consume(&member->in, member->in_at);
	member->in_at = 0;
	if (member->in.size == 0)
		buffer_release(&member->in);
}

static void listen_to(struct exchange *exchange)
{
	struct member *member = exchange->service_state;
	struct body *up = &exchange->up;
	struct span bytes;

	take_frames(member);
	while (may_take(member) && (bytes = body_peek(up)).size > 0) {
		size_t room_left = IN_MOST - member->in.size;

		if (bytes.size > room_left)
			bytes.size = room_left;
		buffer_add(&member->in, bytes);
		body_consume(up, bytes.size);
		take_frames(member);
	}
	if (member->in.cut || member->out.cut)
		end(member, WEBSOCKET_TOO_BIG, "too much");
	if (body_is_over(up))
		member->is_over = true;
	put_list(member);
	push(member);
}

static void go_on(struct exchange *exchange)
{
	struct member *member = exchange->service_state;

	push(member);
	/* What was left unread for want of room. */
	if (member->out.size < OUT_FULL)
		listen_to(exchange);
}

/* -- coming and going -- */

static void copy_name(char *out, size_t most, struct span name)
{
	size_t size = name.size < most - 1 ? name.size : most - 1;

	memcpy(out, name.at, size);
	/* Not in the middle of a character. */
	while (size > 0 && name.size > size && ((unsigned char)name.at[size] & 0xc0) == 0x80)
		size--;
	out[size] = 0;
}

static struct member *member_new(struct exchange *exchange, bool is_listed)
{
	struct member *member = calloc(1, sizeof *member);
	struct example_who who;

	if (!member)
		return NULL;
	example_who(exchange, &who);
	copy_name(member->person, sizeof member->person,
		  who.person.size ? who.person : SPAN("Somebody"));
	copy_name(member->device, sizeof member->device, who.device);
	member->exchange = exchange;
	member->id = ++room.next_id;
	member->since = clock_seconds();
	member->is_listed = is_listed;
	list_init(&member->in_room);
	buffer_init(&member->in, IN_MOST);
	buffer_init(&member->out, OUT_MOST);
	return member;
}

static void upgrade(struct exchange *exchange)
{
	char accept[WEBSOCKET_ACCEPT_SIZE + 1];
	struct head answer;

	websocket_accept(head_value(exchange->request, FIELD_SEC_WEBSOCKET_KEY), accept);
	head_init(&answer);
	answer.kind = ANSWER_HEAD;
	answer.code = 101;
	answer.field_count = 1;
	answer.fields[0] = (struct field){SPAN("Sec-WebSocket-Accept"),
					  span_make(accept, WEBSOCKET_ACCEPT_SIZE),
					  FIELD_SEC_WEBSOCKET_ACCEPT, 0};
	exchange_upgrade(exchange, &answer);
}

static void begin(struct exchange *exchange, bool is_listed)
{
	struct member *member = NULL;

	exchange->service_state = NULL;
	open_room();
	if (!exchange->request->is_websocket) {
		page_answer(exchange, 426, SPAN("text/plain; charset=utf-8"),
			    SPAN("Here is a WebSocket: come with an upgrade.\n"));
		return;
	}
	if (room.count < MEMBERS_MOST)
		member = member_new(exchange, is_listed);
	if (!member) {
		page_answer(exchange, 503, SPAN("text/plain; charset=utf-8"), SPAN("full\n"));
		return;
	}
	exchange->service_state = member;
	room.count++;
	upgrade(exchange);
	if (is_listed) {
		list_add_last(&room.members, &member->in_room);
		note(room.joined, member);
	}
}

static void begin_live(struct exchange *exchange)
{
	begin(exchange, true);
}

static void begin_echo(struct exchange *exchange)
{
	begin(exchange, false);
}

static void leave(struct exchange *exchange)
{
	struct member *member = exchange->service_state;

	if (!member)
		return;
	exchange->service_state = NULL;
	room.count--;
	list_remove(&member->in_room);
	if (member->is_listed)
		note(room.left, member);
	buffer_release(&member->in);
	buffer_release(&member->out);
	free(member);
}

const struct service example_live = {
	.name = "live",
	.open = begin_live,
	.on_up = listen_to,
	.on_room = go_on,
	.release = leave,
};
const struct service example_echo = {
	.name = "echo",
	.open = begin_echo,
	.on_up = listen_to,
	.on_room = go_on,
	.release = leave,
};
