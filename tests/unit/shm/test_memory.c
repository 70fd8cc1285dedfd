#include "shm/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static void the_holder_of_a_descriptor_can_only_read(void **state)
{
	struct memory writer, reader;
	struct error err;

	(void)state;
	assert_int_equal(memory_make(&writer, "test", 8192, MEMORY_ONE_WRITER, &err), OK);
	assert_int_equal(memory_map(&reader, writer.fd, 1, 8192, MEMORY_ONE_WRITER, &err), OK);
	memcpy(writer.at, "hello", 6);
	assert_string_equal((char *)reader.at, "hello");

	assert_ptr_equal(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, writer.fd, 0), MAP_FAILED);
	assert_int_equal(mprotect(reader.at, 8192, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(pwrite(writer.fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(writer.fd, 0), -1);
	assert_int_equal(ftruncate(writer.fd, 16384), -1);
	assert_int_equal(fallocate(writer.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
	assert_int_equal(fcntl(writer.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_string_equal((char *)reader.at, "hello");
	memory_hide(&writer);
	memory_release(&reader);
	memory_release(&writer);
	memory_release(&writer);
}

static void frozen_memory_is_nobodys_to_write(void **state)
{
	struct memory memory, reader;
	struct error err;

	(void)state;
	assert_int_equal(memory_make(&memory, "test", 4096, MEMORY_FROZEN, &err), OK);
	assert_int_equal(memory_map(&reader, memory.fd, 1, 4096, MEMORY_FROZEN, &err), REFUSED);
	memcpy(memory.at, "done", 5);
	assert_int_equal(memory_freeze(&memory, &err), OK);
	assert_string_equal((char *)memory.at, "done");
	assert_int_equal(mprotect(memory.at, 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(memory_map(&reader, memory.fd, 1, 4096, MEMORY_FROZEN, &err), OK);
	memory_release(&reader);
	memory_release(&memory);
}

static void memory_without_its_seals_is_refused(void **state)
{
	struct memory reader, writer;
	struct error err;
	int plain, open_ended, file;

	(void)state;
	plain = memfd_create("plain", MFD_CLOEXEC);
	open_ended = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	file = open("/proc/self/exe", O_RDONLY);
	assert_int_equal(ftruncate(plain, 4096), 0);
	assert_int_equal(ftruncate(open_ended, 4096), 0);
	assert_int_equal(memory_map(&reader, plain, 1, 4096, MEMORY_ONE_WRITER, &err), REFUSED);
	assert_int_equal(memory_map(&reader, open_ended, 1, 4096, MEMORY_ONE_WRITER, &err), REFUSED);
	assert_non_null(strstr(err.text, "is not sealed as it must be"));
	assert_int_equal(memory_map(&reader, file, 1, 4096, MEMORY_ONE_WRITER, &err), REFUSED);
	assert_string_equal(err.text, "the descriptor is no sealable memory");
	assert_int_equal(memory_map(&reader, -1, 1, 4096, MEMORY_ONE_WRITER, &err), REFUSED);
	/* Others may write to this: no roster. */
	assert_int_equal(memory_make(&writer, "test", 4096, MEMORY_MANY_WRITERS, &err), OK);
	assert_int_equal(memory_map(&reader, writer.fd, 1, 4096, MEMORY_ONE_WRITER, &err), REFUSED);
	memory_release(&writer);
	close(plain);
	close(open_ended);
	close(file);
}

static void a_size_out_of_bounds_is_refused(void **state)
{
	struct memory writer, reader;
	struct error err;

	(void)state;
	assert_int_equal(memory_make(&writer, "test", 4096, MEMORY_MANY_WRITERS, &err), OK);
	assert_int_equal(memory_map(&reader, writer.fd, 4097, 9000, MEMORY_MANY_WRITERS, &err), REFUSED);
	assert_string_equal(err.text, "the memory has 4096 bytes, expected 4097 to 9000");
	assert_int_equal(memory_map(&reader, writer.fd, 1, 4095, MEMORY_MANY_WRITERS, &err), REFUSED);
	memory_release(&writer);
}

static void many_writers_share_every_byte(void **state)
{
	struct memory writer, other;
	struct error err;

	(void)state;
	assert_int_equal(memory_make(&writer, "test", 4096, MEMORY_MANY_WRITERS, &err), OK);
	assert_int_equal(memory_map(&other, writer.fd, 1, 4096, MEMORY_MANY_WRITERS, &err), OK);
	memcpy(other.at, "theirs", 7);
	assert_string_equal((char *)writer.at, "theirs");
	assert_int_equal(ftruncate(writer.fd, 0), -1);
	memory_release(&other);
	memory_release(&writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_holder_of_a_descriptor_can_only_read),
		cmocka_unit_test(frozen_memory_is_nobodys_to_write),
		cmocka_unit_test(memory_without_its_seals_is_refused),
		cmocka_unit_test(a_size_out_of_bounds_is_refused),
		cmocka_unit_test(many_writers_share_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
