#include "bridge/frame.h"

#include <endian.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

#define TOP_BIT 0x80000000u

static void wipe_and_free(void *bytes)
{
	if (bytes)
		explicit_bzero(bytes, malloc_usable_size(bytes));
	free(bytes);
}

void frame_init(void)
{
	static bool done;
	size_t seed;

	if (done)
		return;
	done = true;
	random_bytes(&seed, sizeof seed);
	json_object_seed(seed | 1);
	json_set_alloc_funcs(malloc, wipe_and_free);
}

static int add_bytes(const char *bytes, size_t size, void *arg)
{
	struct buffer *out = arg;

	buffer_add(out, span_make(bytes, size));
	return buffer_is_whole(out) ? 0 : -1;
}

enum status frame_write(struct buffer *out, uint32_t ticket, bool is_answer, bool has_descriptor,
			const json_t *words, struct error *err)
{
	struct buffer text;
	uint32_t head[2];
	enum status status = OK;

	buffer_init(&text, FRAME_WORDS_MOST);
	if (json_dump_callback(words, add_bytes, &text, JSON_COMPACT)) {
		status = error_refuse(err, "the message has more than %d bytes", FRAME_WORDS_MOST);
	} else {
		head[0] = htole32((uint32_t)text.size | (has_descriptor ? TOP_BIT : 0));
		head[1] = htole32((ticket & ~TOP_BIT) | (is_answer ? TOP_BIT : 0));
		buffer_add(out, span_make(head, sizeof head));
		buffer_add(out, buffer_span(&text));
		if (!buffer_is_whole(out))
			status = error_refuse(err, "no room for the message");
	}
	/* It may have held a password. */
	buffer_wipe(&text);
	return status;
}

enum status frame_read_head(struct span bytes, struct frame_head *out, struct error *err)
{
	uint32_t head[2];

	memcpy(head, bytes.at, sizeof head);
	head[0] = le32toh(head[0]);
	head[1] = le32toh(head[1]);
	*out = (struct frame_head){.size = head[0] & ~TOP_BIT,
				   .has_descriptor = head[0] & TOP_BIT,
				   .ticket = head[1] & ~TOP_BIT,
				   .is_answer = head[1] & TOP_BIT};
	if (out->size < 2 || out->size > FRAME_WORDS_MOST)
		return error_refuse(err, "sent a frame of %u bytes", out->size);
	return OK;
}

/* jansson's own limit is 2048 deep and cannot be set; so this looks first. Only brackets outside
 * strings count; that they match is jansson's to say. */
static bool is_shallow(struct span text)
{
	unsigned depth = 0;
	bool in_string = false;
	size_t i;

	for (i = 0; i < text.size; i++) {
		char c = text.at[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > FRAME_DEPTH_MOST)
				return false;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

enum status frame_read_words(struct span bytes, json_t **out, struct error *err)
{
	json_error_t why;
	json_t *words;

	if (!is_shallow(bytes))
		return error_refuse(err, "sent JSON that is more than %d deep", FRAME_DEPTH_MOST);
	words = json_loadb(bytes.at, bytes.size, JSON_REJECT_DUPLICATES, &why);
	if (!words)
		return error_refuse(err, "sent bad JSON: %s", why.text);
	if (!json_is_object(words)) {
		json_decref(words);
		return error_refuse(err, "sent JSON that is no object");
	}
	*out = words;
	return OK;
}

json_t *frame_question(const char *name, const json_t *words, const char *key)
{
	json_t *frame = json_object();

	json_object_set_new(frame, "question", json_string(name));
	if (words)
		json_object_set(frame, "words", (json_t *)(uintptr_t)words);
	if (key)
		json_object_set_new(frame, "key", json_string(key));
	return frame;
}

static const char *const status_names[] = {
	[OK] = "ok",
	[AGAIN] = "again",
	[REFUSED] = "refused",
	[FAILED] = "failed",
};

json_t *frame_answer(enum status status, const json_t *words, const struct error *why)
{
	json_t *frame = json_object();
	json_t *text;

	json_object_set_new(frame, "status", json_string(status_names[status]));
	if (status == OK) {
		if (words)
			json_object_set(frame, "words", (json_t *)(uintptr_t)words);
	} else {
		/* A cut text may end inside a character: no valid UTF-8, no string. */
		text = why ? json_string(why->text) : NULL;
		json_object_set_new(frame, "error", text ? text : json_string("it went wrong"));
	}
	return frame;
}

enum status frame_read_answer(const json_t *frame, const json_t **words, struct error *err)
{
	const char *name = json_string_value(json_object_get(frame, "status"));
	const char *text = json_string_value(json_object_get(frame, "error"));
	const json_t *found = json_object_get(frame, "words");

	if (name && strcmp(name, status_names[OK]) == 0) {
		/* Without words the frame itself serves: nobody finds in it what is not there. */
		*words = json_is_object(found) ? found : frame;
		return OK;
	}
	if (!text)
		text = "no reason given";
	if (name && strcmp(name, status_names[REFUSED]) == 0)
		return error_refuse(err, "%s", text);
	(void)error_fail(err, "%s", text);
	return name && strcmp(name, status_names[AGAIN]) == 0 ? AGAIN : FAILED;
}
