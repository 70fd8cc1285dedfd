#include "support/script_stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum step_kind { GIVE, PAUSE, END, GOODBYE, CUT, GONE };

struct step {
	struct step *next;
	enum step_kind kind;
	size_t size, at;
	char bytes[];
};

struct script {
	struct stream stream;
	struct step *first, **last;
	struct script_record record;
	char *written;
	size_t written_size, written_room;
	size_t take;
	bool take_all, gone;
	enum status secure, finish;
	const char *protocol;
};

static struct script *script_of(const struct stream *stream)
{
	return (struct script *)(uintptr_t)stream;
}

static void add_step(struct stream *stream, enum step_kind kind, const void *bytes, size_t size)
{
	struct script *script = script_of(stream);
	struct step *step = calloc(1, sizeof *step + size);

	assert(step);
	step->kind = kind;
	step->size = size;
	if (size)
		memcpy(step->bytes, bytes, size);
	*script->last = step;
	script->last = &step->next;
}

static void drop_step(struct script *script)
{
	struct step *step = script->first;

	script->first = step->next;
	if (!script->first)
		script->last = &script->first;
	free(step);
}

static enum status fail(struct stream *stream, enum stream_failure failure, unsigned long cause)
{
	if (!stream->failure) {
		stream->failure = (uint8_t)failure;
		stream->cause = cause;
	}
	return REFUSED;
}

static enum status read_step(struct script *script, void *into, size_t room, size_t *got)
{
	struct step *step = script->first;

	if (!step)
		return AGAIN;
	switch (step->kind) {
	case GIVE:
		*got = step->size - step->at < room ? step->size - step->at : room;
		memcpy(into, step->bytes + step->at, *got);
		step->at += *got;
		if (step->at == step->size)
			drop_step(script);
		return OK;
	case PAUSE:
		step->at = 1; /* seen: the next edge takes it away */
		return AGAIN;
	case END: /* stays: an end is told to whoever asks again */
		script->stream.ended = true;
		*got = 0;
		return OK;
	case GOODBYE: /* until something comes behind it */
		if (step->next) {
			drop_step(script);
			return read_step(script, into, room, got);
		}
		*got = 0;
		return OK;
	case CUT:
		return fail(&script->stream, STREAM_CUT, 0);
	case GONE:
		script->gone = true;
		return fail(&script->stream, STREAM_GONE, ECONNRESET);
	}
	return FAILED;
}

static enum status script_read(struct stream *stream, void *into, size_t room, size_t *got)
{
	struct script *script = script_of(stream);

	assert(!stream->freed);
	script->record.reads++;
	if (stream->failure)
		return REFUSED;
	if (stream->fed) {
		size_t left = stream->fed_size - stream->fed_at;

		*got = left < room ? left : room;
		memcpy(into, stream->fed + stream->fed_at, *got);
		stream->fed_at += (uint32_t)*got;
		if (stream->fed_at == stream->fed_size) {
			free(stream->fed);
			stream->fed = NULL;
			stream->fed_at = stream->fed_size = 0;
		}
		return OK;
	}
	return room ? read_step(script, into, room, got) : AGAIN;
}

static enum status script_read_ahead(struct stream *stream, void *into, size_t room, size_t *got)
{
	script_of(stream)->record.reads++;
	return read_step(script_of(stream), into, room, got);
}

static void keep(struct script *script, const void *bytes, size_t size)
{
	if (script->written_size + size + 1 > script->written_room) {
		script->written_room = (script->written_size + size + 1) * 2;
		script->written = realloc(script->written, script->written_room);
		assert(script->written);
	}
	if (size)
		memcpy(script->written + script->written_size, bytes, size);
	script->written_size += size;
	script->written[script->written_size] = 0;
}

static enum status script_write(struct stream *stream, const struct iovec *pieces, int count, size_t *taken)
{
	struct script *script = script_of(stream);
	size_t total = 0, asked = 0;
	int i;

	assert(!stream->freed);
	script->record.writes++;
	if (stream->failure || script->gone)
		return fail(stream, STREAM_GONE, EPIPE);
	for (i = 0; i < count; i++) {
		size_t part = pieces[i].iov_len;

		asked += part;
		if (!script->take_all && part > script->take)
			part = script->take;
		keep(script, pieces[i].iov_base, part);
		if (!script->take_all)
			script->take -= part;
		total += part;
		if (part < pieces[i].iov_len)
			break;
	}
	if (asked && !total)
		return AGAIN;
	*taken = total;
	return OK;
}

static enum status script_flush(struct stream *stream)
{
	struct script *script = script_of(stream);

	assert(!stream->freed);
	script->record.flushes++;
	return stream->failure ? REFUSED : OK;
}

static enum status script_end_it(struct stream *stream)
{
	struct script *script = script_of(stream);

	assert(!stream->freed);
	script->record.finishes++;
	script->record.finished = true;
	return script->finish;
}

static bool script_has_pending(const struct stream *stream)
{
	struct step *step = script_of(stream)->first;

	if (step && step->kind == PAUSE)
		step->at = 1;
	return stream->fed || stream->failure || (step && step->kind != PAUSE);
}

static enum status script_be_secure(struct stream *stream)
{
	return stream->failure ? REFUSED : script_of(stream)->secure;
}

static void script_release(struct stream *stream)
{
	script_of(stream)->record.freed = true;
}

static struct span script_alpn(const struct stream *stream)
{
	const char *protocol = script_of(stream)->protocol;

	return span_of(protocol ? protocol : "");
}

static const struct stream_ops script_ops = {
	.name = "script",
	.read = script_read,
	.read_ahead = script_read_ahead,
	.write = script_write,
	.flush = script_flush,
	.finish = script_end_it,
	.has_pending = script_has_pending,
	.secure = script_be_secure,
	.protocol = script_alpn,
	.release = script_release,
};

struct stream *script_stream_new(void)
{
	struct script *script = calloc(1, sizeof *script);

	assert(script);
	stream_init(&script->stream, &script_ops, -1);
	script->last = &script->first;
	script->take_all = true;
	script->secure = script->finish = OK;
	keep(script, NULL, 0);
	return &script->stream;
}

void script_stream_free(struct stream *stream)
{
	struct script *script = script_of(stream);

	if (!stream)
		return;
	/* If its owner has just freed it, the task that tells so may still wait. */
	list_remove(&stream->freeing.posted);
	list_remove(&stream->source.again);
	while (script->first)
		drop_step(script);
	free(stream->fed);
	free(script->written);
	free(script);
}

void script_give(struct stream *stream, const void *bytes, size_t size)
{
	if (size)
		add_step(stream, GIVE, bytes, size);
}

void script_give_text(struct stream *stream, const char *text)
{
	script_give(stream, text, strlen(text));
}

void script_give_split(struct stream *stream, const void *bytes, size_t size, size_t piece)
{
	size_t at;

	assert(piece);
	for (at = 0; at < size; at += piece) {
		if (at)
			script_again(stream);
		script_give(stream, (const char *)bytes + at, size - at < piece ? size - at : piece);
	}
}

void script_again(struct stream *stream)
{
	add_step(stream, PAUSE, NULL, 0);
}

void script_end(struct stream *stream)
{
	add_step(stream, END, NULL, 0);
}

void script_goodbye(struct stream *stream)
{
	add_step(stream, GOODBYE, NULL, 0);
}

void script_cut(struct stream *stream)
{
	add_step(stream, CUT, NULL, 0);
}

void script_gone(struct stream *stream)
{
	add_step(stream, GONE, NULL, 0);
}

void script_take(struct stream *stream, size_t size)
{
	script_of(stream)->take_all = false;
	script_of(stream)->take = size;
}

void script_take_all(struct stream *stream)
{
	script_of(stream)->take_all = true;
}

void script_secure(struct stream *stream, enum status status)
{
	script_of(stream)->secure = status;
	if (status == REFUSED)
		(void)fail(stream, STREAM_GARBLED, 0);
}

void script_protocol(struct stream *stream, const char *protocol)
{
	script_of(stream)->protocol = protocol;
}

void script_finish(struct stream *stream, enum status status)
{
	script_of(stream)->finish = status;
}

void script_ready(struct stream *stream)
{
	struct script *script = script_of(stream);

	if (script->first && script->first->kind == PAUSE && script->first->at)
		drop_step(script);
	if (stream->loop && !stream->freed)
		stream->on_ready(stream->owner);
}

struct span script_written(const struct stream *stream)
{
	const struct script *script = script_of(stream);

	return span_make(script->written, script->written_size);
}

void script_forget_written(struct stream *stream)
{
	script_of(stream)->written_size = 0;
	keep(script_of(stream), NULL, 0);
}

const struct script_record *script_record(const struct stream *stream)
{
	struct script *script = script_of(stream);

	script->record.freed = stream->freed;
	script->record.reset = stream->was_reset;
	script->record.again = !list_is_empty(&stream->source.again);
	script->record.drained = script->first == NULL;
	return &script->record;
}
