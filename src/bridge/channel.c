#include "bridge/channel.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/frame.h"
#include "event/passing.h"

enum {
	READ_ROOM = FRAME_HEAD_SIZE + FRAME_WORDS_MOST,
	READ_CHUNK = 16384,
	MESSAGES_A_TURN = 16,
	QUEUE_MOST = 4 * READ_ROOM, /* bytes that wait for a slow other side */
	DESCRIPTORS_MOST = 16,	    /* received, their frames still to come; and to be sent */
};

/* A frame on its way out; its descriptor rides with the first byte. */
struct parcel {
	struct link queued; /* owner: channel.queue */
	struct buffer bytes;
	int fd; /* or -1 */
};

enum channel_state { CHANNEL_OPEN, CHANNEL_BROKEN, CHANNEL_GONE };

struct channel {
	struct loop *loop;
	struct source source;
	struct task ending;
	enum channel_state state;
	bool is_unheard; /* it no longer reads; what it sent before is still taken */
	char peer[32], why[160];
	channel_closed_fn *on_closed;
	void *arg;
	struct channel_ear *ears[2];
	struct link queue; /* of parcel.queued */
	size_t queued_bytes;
	unsigned queued_descriptors;
	struct buffer in;
	int descriptors[DESCRIPTORS_MOST];
	unsigned descriptor_count;
};

static void on_ready(struct source *source);
static void on_ending(struct task *task);

enum status channel_new(struct loop *loop, int fd, const char *peer, channel_closed_fn *on_closed,
			void *arg, struct channel **out, struct error *err)
{
	struct channel *channel = calloc(1, sizeof *channel);
	int flags = fcntl(fd, F_GETFL);
	enum status status;

	if (!channel) {
		close(fd);
		return error_fail(err, "no memory for a channel to %s", peer);
	}
	frame_init();
	channel->loop = loop;
	channel->source = (struct source){.fd = fd, .on_ready = on_ready};
	task_init(&channel->ending, on_ending);
	snprintf(channel->peer, sizeof channel->peer, "%s", peer);
	channel->on_closed = on_closed;
	channel->arg = arg;
	list_init(&channel->queue);
	buffer_init(&channel->in, READ_ROOM + READ_CHUNK);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		status = error_fail_errno(err, "channel to %s", peer);
	else
		status = loop_add(loop, &channel->source, err);
	if (status != OK) {
		close(fd);
		free(channel);
		return status;
	}
	*out = channel;
	return OK;
}

static void drop_descriptor(struct channel *channel, struct parcel *parcel)
{
	if (parcel->fd < 0)
		return;
	close(parcel->fd);
	parcel->fd = -1;
	channel->queued_descriptors--;
}

static void parcel_free(struct channel *channel, struct parcel *parcel)
{
	list_remove(&parcel->queued);
	channel->queued_bytes -= parcel->bytes.size;
	drop_descriptor(channel, parcel);
	buffer_wipe(&parcel->bytes);
	free(parcel);
}

static void drop_all(struct channel *channel)
{
	while (!list_is_empty(&channel->queue))
		parcel_free(channel,
			    OWNER_OF(list_first(&channel->queue), struct parcel, queued));
	while (channel->descriptor_count)
		close(channel->descriptors[--channel->descriptor_count]);
	buffer_wipe(&channel->in);
}

/* The socket goes at once; whoever listens hears of it at the end of the turn. */
static void break_off(struct channel *channel, const char *why)
{
	if (channel->state != CHANNEL_OPEN)
		return;
	channel->state = CHANNEL_BROKEN;
	snprintf(channel->why, sizeof channel->why, "%s", why);
	loop_remove(channel->loop, &channel->source);
	close(channel->source.fd);
	channel->source.fd = -1;
	loop_post(channel->loop, &channel->ending);
}

static void tell_ears(struct channel *channel)
{
	int kind;

	for (kind = CHANNEL_ANSWERS; kind <= CHANNEL_QUESTIONS; kind++) {
		/* It stays set meanwhile: what it calls may ask_forget. */
		if (channel->ears[kind])
			channel->ears[kind]->on_closed(channel->ears[kind], channel->why);
		channel->ears[kind] = NULL;
	}
}

static void on_ending(struct task *task)
{
	struct channel *channel = OWNER_OF(task, struct channel, ending);
	channel_closed_fn *on_closed = channel->on_closed;

	drop_all(channel);
	tell_ears(channel);
	if (channel->state == CHANNEL_GONE) {
		task_cancel(&channel->ending); /* an ear may have freed the channel just now */
		free(channel);
		return;
	}
	channel->on_closed = NULL;
	if (on_closed)
		on_closed(channel->arg, channel, channel->why);
}

void channel_break(struct channel *channel, const char *why)
{
	break_off(channel, why);
}

void channel_free(struct channel *channel)
{
	if (!channel || channel->state == CHANNEL_GONE)
		return;
	break_off(channel, "closed");
	channel->state = CHANNEL_GONE;
	loop_post(channel->loop, &channel->ending);
}

int channel_hold(const struct channel *channel)
{
	return channel->source.fd < 0 ? -1 : fcntl(channel->source.fd, F_DUPFD_CLOEXEC, 3);
}

const char *channel_peer(const struct channel *channel)
{
	return channel->peer;
}

struct loop *channel_loop(const struct channel *channel)
{
	return channel->loop;
}

bool channel_is_open(const struct channel *channel)
{
	return channel->state == CHANNEL_OPEN;
}

size_t channel_waiting(const struct channel *channel)
{
	return channel->queued_bytes;
}

void channel_set_ear(struct channel *channel, enum channel_ear_kind kind, struct channel_ear *ear)
{
	channel->ears[kind] = ear;
}

struct channel_ear *channel_ear(const struct channel *channel, enum channel_ear_kind kind)
{
	return channel->ears[kind];
}

/* Out ------------------------------------------------------------------- */

static void flush(struct channel *channel)
{
	while (!channel->is_unheard && !list_is_empty(&channel->queue)) {
		struct parcel *parcel =
			OWNER_OF(list_first(&channel->queue), struct parcel, queued);
		size_t took;
		enum status status = passing_send(channel->source.fd, buffer_span(&parcel->bytes),
						  parcel->fd, &took);

		if (status == AGAIN)
			return;
		if (status != OK) {
			channel->is_unheard = true;
			loop_again(channel->loop, &channel->source);
			return;
		}
		if (took)
			drop_descriptor(channel, parcel);
		channel->queued_bytes -= took;
		buffer_consume(&parcel->bytes, took);
		if (parcel->bytes.size == 0)
			parcel_free(channel, parcel);
	}
}

enum status channel_send(struct channel *channel, uint32_t ticket, bool is_answer,
			 const json_t *frame, int fd, struct error *err)
{
	struct parcel *parcel;
	enum status status;

	if (channel->state != CHANNEL_OPEN)
		return error_refuse(err, "%s has gone", channel->peer);
	/* Who asks for descriptors and does not fetch them would use up ours. */
	if (channel->queued_bytes > QUEUE_MOST - READ_ROOM ||
	    (fd >= 0 && channel->queued_descriptors == DESCRIPTORS_MOST))
		return AGAIN;
	parcel = calloc(1, sizeof *parcel);
	if (!parcel)
		return error_fail(err, "no memory for a message");
	list_init(&parcel->queued);
	buffer_init(&parcel->bytes, READ_ROOM);
	parcel->fd = -1;
	status = frame_write(&parcel->bytes, ticket, is_answer, fd >= 0, frame, err);
	if (status == OK && fd >= 0) {
		parcel->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (parcel->fd < 0)
			status = error_fail_errno(err, "cannot pass a descriptor");
		else
			channel->queued_descriptors++;
	}
	channel->queued_bytes += parcel->bytes.size;
	if (status != OK) {
		parcel_free(channel, parcel);
		return status;
	}
	list_add_last(&channel->queue, &parcel->queued);
	flush(channel);
	return OK;
}

/* In -------------------------------------------------------------------- */

static int take_descriptor(struct channel *channel)
{
	int fd = channel->descriptor_count ? channel->descriptors[0] : -1;

	if (fd >= 0)
		memmove(channel->descriptors, channel->descriptors + 1,
			sizeof(int) * --channel->descriptor_count);
	return fd;
}

static enum status deliver(struct channel *channel, const struct frame_head *head,
			   struct span text, struct error *err)
{
	struct channel_ear *ear =
		channel->ears[head->is_answer ? CHANNEL_ANSWERS : CHANNEL_QUESTIONS];
	int fd = -1;
	json_t *frame = NULL;
	enum status status;

	if (head->has_descriptor) {
		fd = take_descriptor(channel);
		if (fd < 0)
			return error_refuse(err, "sent a frame whose descriptor did not come");
	}
	TRY(frame_read_words(text, &frame, err));
	/* An answer to nobody is an old one: its asker has forgotten it. */
	if (ear)
		ear->on_frame(ear, head->ticket, frame, fd);
	else if (!head->is_answer)
		status = error_refuse(err, "asked where nobody answers");
done:
	json_decref(frame);
	if (fd >= 0)
		close(fd);
	return status;
}

/* AGAIN: half a frame; more bytes are needed. */
static enum status next_frame(struct channel *channel, struct error *err)
{
	struct span bytes = buffer_span(&channel->in);
	struct frame_head head;
	enum status status;

	if (bytes.size < FRAME_HEAD_SIZE)
		return AGAIN;
	TRY(frame_read_head(bytes, &head, err));
	if (bytes.size - FRAME_HEAD_SIZE < head.size)
		return AGAIN;
	span_skip(&bytes, FRAME_HEAD_SIZE);
	status = deliver(channel, &head, span_make(bytes.at, head.size), err);
	/* The buffer is empty when the ear broke the channel. */
	if (channel->state == CHANNEL_OPEN)
		buffer_consume(&channel->in, FRAME_HEAD_SIZE + head.size);
done:
	return status;
}

/* AGAIN: drained. REFUSED: the end, or too many descriptors. */
static enum status read_some(struct channel *channel, struct error *err)
{
	char *into = buffer_reserve(&channel->in, READ_CHUNK);
	size_t got;
	int fd;
	enum status status;

	if (!into)
		return error_fail(err, "no memory for its frame");
	status = passing_receive(channel->source.fd, into, READ_CHUNK, &got, &fd);
	if (status == AGAIN)
		return AGAIN;
	if (status != OK || got == 0) {
		if (status == OK && fd >= 0)
			close(fd);
		return error_refuse(err, channel->in.size ? "closed in the middle of a frame"
							  : "closed");
	}
	buffer_grew(&channel->in, got);
	if (fd < 0)
		return OK;
	if (channel->descriptor_count == DESCRIPTORS_MOST) {
		close(fd);
		return error_refuse(err, "sent too many descriptors");
	}
	channel->descriptors[channel->descriptor_count++] = fd;
	return OK;
}

static void on_ready(struct source *source)
{
	struct channel *channel = OWNER_OF(source, struct channel, source);
	struct error err = {""};
	enum status status = OK;
	int messages = 0;

	source->ready = 0;
	flush(channel);
	while (channel->state == CHANNEL_OPEN && status == OK) {
		if (messages == MESSAGES_A_TURN) {
			loop_again(channel->loop, source);
			return;
		}
		status = next_frame(channel, &err);
		if (status == OK) {
			messages++;
			continue;
		}
		/* Every whole frame has been taken: a descriptor left over belongs to none. */
		if (status == AGAIN && channel->in.size == 0 && channel->descriptor_count)
			status = error_refuse(&err, "sent a descriptor without a frame");
		else if (status == AGAIN)
			status = read_some(channel, &err);
	}
	if (status == AGAIN && channel->is_unheard)
		status = error_refuse(&err, "closed");
	if (status != OK && status != AGAIN)
		break_off(channel, err.text);
	/* Idle it holds no memory, and nothing of what it was told. */
	if (channel->in.size == 0)
		buffer_wipe(&channel->in);
}
