#include "wire/chunked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>


static struct error err;

/* Decode `text` in pieces of `step` bytes; what is unused is offered again. Returns the body's size. */
static size_t decode(const char *text, size_t size, size_t step, char *body, struct chunked *chunked,
		     size_t *left)
{
	size_t at = 0, end = 0, total = 0, used;
	struct span data;

	chunked_init(chunked);
	while (!chunked_is_done(chunked)) {
		char *copy;
		enum status status;

		end = end + step < size ? end + step : size;
		copy = malloc(end - at + 1);
		memcpy(copy, text + at, end - at);
		do {
			status = chunked_read(chunked, span_make(copy, end - at), &used, &data, &err);
			assert_int_not_equal(status, REFUSED);
			memcpy(body + total, data.at, data.size);
			total += data.size;
			at += used;
			memmove(copy, copy + used, end - at);
		} while (status == OK && !chunked_is_done(chunked));
		free(copy);
		assert_true(end < size || chunked_is_done(chunked));
	}
	*left = size - at;
	return total;
}

static void a_body_is_the_same_however_it_is_cut(void **state)
{
	static const char text[] = "5\r\nhello\r\n01;ext=\"a;b\"\r\n \r\n00000000000000F\r\nwide world, yes\r\n"
				   "0;last\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\nGET /";
	struct chunked chunked;
	char body[64];
	size_t step, left;

	(void)state;
	for (step = 1; step < sizeof text; step++) {
		size_t size = decode(text, sizeof text - 1, step, body, &chunked, &left);

		assert_true(span_is(span_make(body, size), "hello wide world, yes"));
		assert_int_equal(left, 5);
	}
}

static void data_is_shown_where_it_lies(void **state)
{
	static const char text[] = "3\r\nabc\r\n0\r\nA: b\r\n\r\n";
	struct chunked chunked;
	struct span data;
	size_t used;

	(void)state;
	chunked_init(&chunked);
	assert_int_equal(chunked_read(&chunked, span_of(text), &used, &data, &err), OK);
	assert_ptr_equal(data.at, text + 3);
	assert_int_equal(data.size, 3);
	assert_int_equal(used, 6);
	assert_int_equal(chunked_read(&chunked, span_of(text + 6), &used, &data, &err), OK);
	assert_true(chunked_is_done(&chunked));
	assert_int_equal(data.size, 0);
	assert_true(span_is(chunked.trailers, "A: b\r\n\r\n"));
	/* Done stays done and takes nothing. */
	assert_int_equal(chunked_read(&chunked, SPAN("5\r\n"), &used, &data, &err), OK);
	assert_int_equal(used, 0);
}

static void extensions_have_a_ceiling(void **state)
{
	static char text[CHUNKED_EXTENSIONS_MAX * 2];
	struct chunked chunked;
	struct span data;
	size_t size, used, i;
	enum status status = OK;

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text, "1;", 2);
	chunked_init(&chunked);
	assert_int_equal(chunked_read(&chunked, span_make(text, 2 + CHUNKED_LINE_MAX), &used, &data, &err), AGAIN);
	assert_int_equal(chunked_read(&chunked, SPAN("a"), &used, &data, &err), REFUSED);
	assert_string_equal(err.text, "the chunks' extensions are too long");

	chunked_init(&chunked);
	for (i = 0; i < 1000 && status != REFUSED; i++) {
		size = (size_t)sprintf(text, "1;%0100u\r\nx\r\n", (unsigned)i);
		status = chunked_read(&chunked, span_make(text, size), &used, &data, &err);
		if (status == OK)
			status = chunked_read(&chunked, span_make(text + used, size - used), &used, &data, &err);
	}
	assert_int_equal(i, CHUNKED_EXTENSIONS_MAX / 100 + 1);
}

static void trailers_have_a_ceiling(void **state)
{
	static char text[8192];
	struct chunked chunked;
	struct span data;
	size_t used;

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text, "0\r\nA: ", 6);
	chunked_init(&chunked);
	assert_int_equal(chunked_read(&chunked, span_make(text, 4000), &used, &data, &err), AGAIN);
	assert_int_equal(used, 3);
	assert_int_equal(chunked_read(&chunked, span_make(text + 3, 4095), &used, &data, &err), AGAIN);
	assert_int_equal(used, 0);
	assert_int_equal(chunked_read(&chunked, span_make(text + 3, 4096), &used, &data, &err), REFUSED);
}

static void a_chunk_head_is_read_back(void **state)
{
	static const uint64_t sizes[] = {1, 15, 16, 255, 4096, 65535, 1u << 31, INT64_MAX};
	size_t i, used, size;

	(void)state;
	for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char head[CHUNKED_HEAD_SIZE];
		struct chunked chunked;
		struct span data;

		size = chunked_write_head(head, sizes[i]);
		assert_true(size <= sizeof head);
		chunked_init(&chunked);
		assert_int_equal(chunked_read(&chunked, span_make(head, size), &used, &data, &err), AGAIN);
		assert_int_equal(used, size);
		assert_true(chunked.left == sizes[i]);
	}
	size = chunked_write_head((char[CHUNKED_HEAD_SIZE]){0}, UINT64_MAX);
	assert_int_equal(size, CHUNKED_HEAD_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_is_the_same_however_it_is_cut),
		cmocka_unit_test(data_is_shown_where_it_lies),
		cmocka_unit_test(extensions_have_a_ceiling),
		cmocka_unit_test(trailers_have_a_ceiling),
		cmocka_unit_test(a_chunk_head_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
