/* A body is the same however it is cut, and the same again when it is encoded anew. */
#include <stdlib.h>

#include "wire/chunked.h"

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	enum status status;
	char *body;
	size_t size, used;
	bool done;
};

static struct result decode(struct span bytes, size_t step)
{
	struct result result = {.status = OK, .body = malloc(bytes.size + 1)};
	struct chunked chunked;
	size_t end = 0;

	CHECK(result.body);
	chunked_init(&chunked);
	while (result.status != REFUSED && !chunked_is_done(&chunked) && end < bytes.size) {
		end = bytes.size - end < step ? bytes.size : end + step;
		do {
			size_t rest = end - result.used, used;
			char *copy = malloc(rest + !rest);
			struct span data;

			CHECK(copy);
			memcpy(copy, bytes.at + result.used, rest);
			result.status = chunked_read(&chunked, span_make(copy, rest), &used, &data, NULL);
			CHECK(used <= rest && data.size <= used && result.status != FAILED);
			CHECK(result.status == OK || data.size == 0);
			if (result.status != REFUSED)
				memcpy(result.body + result.size, data.at, data.size);
			result.size += data.size;
			result.used += used;
			/* What waits is bounded. */
			CHECK(result.status != AGAIN || rest - used < 4096);
			free(copy);
		} while (result.status == OK && !chunked_is_done(&chunked));
	}
	result.done = chunked_is_done(&chunked);
	return result;
}

static void check_encoded(const struct result *first, size_t chunk)
{
	size_t at = 0, i;
	char *bytes = malloc(first->size * (CHUNKED_HEAD_SIZE + 3) + 5);
	struct result back;

	CHECK(bytes);
	for (i = 0; i < first->size; i += chunk) {
		size_t size = first->size - i < chunk ? first->size - i : chunk;

		at += chunked_write_head(bytes + at, size);
		memcpy(bytes + at, first->body + i, size);
		memcpy(bytes + at + size, CHUNK_END.at, CHUNK_END.size);
		at += size + CHUNK_END.size;
	}
	memcpy(bytes + at, CHUNKED_END.at, CHUNKED_END.size);
	at += CHUNKED_END.size;
	back = decode(span_make(bytes, at), at);
	CHECK(back.done && back.used == at && back.size == first->size);
	CHECK(memcmp(back.body, first->body, back.size) == 0);
	free(back.body);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole, pieces;
	struct span bytes;

	if (size < 2 || size > 20000)
		return 0;
	bytes = span_make(data + 1, size - 1);
	whole = decode(bytes, bytes.size);
	pieces = decode(bytes, 1 + data[0] % 64);
	CHECK(whole.done == pieces.done);
	/* A bad trailer is waited for until its line ends. */
	CHECK(whole.status == pieces.status || (whole.status == REFUSED && pieces.status == AGAIN));
	CHECK(whole.size == pieces.size && memcmp(whole.body, pieces.body, whole.size) == 0);
	if (whole.done) {
		CHECK(whole.used == pieces.used);
		check_encoded(&whole, 1 + data[0]);
	}
	free(whole.body);
	free(pieces.body);
	return 0;
}
