#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "base/slab.h"

static void a_buffer_grows_to_its_ceiling_and_not_beyond(void **state)
{
	struct buffer buffer;
	int i;

	(void)state;
	buffer_init(&buffer, 100);
	for (i = 0; i < 100; i++)
		buffer_add_char(&buffer, 'x');
	assert_true(buffer_is_whole(&buffer));
	buffer_add_char(&buffer, 'y');
	assert_false(buffer_is_whole(&buffer));
	assert_int_equal(buffer.size, 100);
	buffer_clear(&buffer);
	assert_true(buffer_is_whole(&buffer));
	assert_string_equal(buffer_text(&buffer), "");
	buffer_release(&buffer);
}

static void once_cut_nothing_more_is_added(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 4);
	buffer_add_text(&buffer, "abc");
	buffer_add_text(&buffer, "de");
	buffer_add_text(&buffer, "f");
	assert_string_equal(buffer_text(&buffer), "abc");
	buffer_release(&buffer);
}

static void it_stays_terminated_through_adding_and_consuming(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 1000);
	assert_string_equal(buffer_text(&buffer), "");
	buffer_consume(&buffer, 0);
	buffer_printf(&buffer, "%s-%d", "abc", 12);
	buffer_consume(&buffer, 2);
	assert_string_equal(buffer_text(&buffer), "c-12");
	buffer_consume(&buffer, 4);
	assert_string_equal(buffer_text(&buffer), "");
	buffer_add(&buffer, SPAN("again"));
	assert_string_equal(buffer_text(&buffer), "again");
	buffer_wipe(&buffer);
	assert_null(buffer.at);
	buffer_add(&buffer, SPAN("more"));
	assert_string_equal(buffer_text(&buffer), "more");
	buffer_release(&buffer);
}

static void a_ceiling_of_nothing_holds_nothing(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 0);
	buffer_add(&buffer, SPAN(""));
	assert_true(buffer_is_whole(&buffer));
	buffer_add(&buffer, SPAN("a"));
	assert_false(buffer_is_whole(&buffer));
	buffer_release(&buffer);
}

static void slabs_end_at_their_ceiling_and_come_back(void **state)
{
	struct slabs slabs;
	void *first, *second;

	(void)state;
	slabs_init(&slabs, 100, 2, 1);
	first = slab_take(&slabs);
	second = slab_take(&slabs);
	assert_non_null(first);
	assert_non_null(second);
	assert_null(slab_take(&slabs));
	slab_give(&slabs, first);
	slab_give(&slabs, second);
	assert_int_equal(slabs.kept, 1);
	assert_ptr_equal(slab_take(&slabs), first);
	slab_give(&slabs, first);
	slab_give(&slabs, NULL);
	slabs_release(&slabs);
}

static void a_secret_is_a_terminated_copy(void **state)
{
	struct secret *secret = secret_copy(SPAN("hunter2"));

	(void)state;
	assert_int_equal(secret->size, 7);
	assert_string_equal((char *)secret->bytes, "hunter2");
	secret_free(secret);
	secret_free(NULL);
	secret = secret_new(0);
	assert_int_equal(secret->bytes[0], 0);
	secret_free(secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_grows_to_its_ceiling_and_not_beyond),
		cmocka_unit_test(once_cut_nothing_more_is_added),
		cmocka_unit_test(it_stays_terminated_through_adding_and_consuming),
		cmocka_unit_test(a_ceiling_of_nothing_holds_nothing),
		cmocka_unit_test(slabs_end_at_their_ceiling_and_come_back),
		cmocka_unit_test(a_secret_is_a_terminated_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
