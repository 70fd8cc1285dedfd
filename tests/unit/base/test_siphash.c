#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/siphash.h"

/* vectors_sip64 of the reference implementation: key 00..0f, message 00..n-1, the first 16 and the last. */
static const struct {
	size_t size;
	uint64_t hash;
} vectors[] = {
	{0, 0x726fdb47dd0e0e31},  {1, 0x74f839c593dc67fd},  {2, 0x0d6c8009d9a94f5a},
	{3, 0x85676696d7fb7e2d},  {4, 0xcf2794e0277187b7},  {5, 0x18765564cd99a68d},
	{6, 0xcbc9466e58fee3ce},  {7, 0xab0200f58b01d137},  {8, 0x93f5f5799a932462},
	{9, 0x9e0082df0ba9e4b0},  {10, 0x7a5dbbc594ddb9f3}, {11, 0xf4b32f46226bada7},
	{12, 0x751e8fbc860ee5fb}, {13, 0x14ea5627c0843d90}, {14, 0xf723ca908e7af2ee},
	{15, 0xa129ca6149be45e5}, {63, 0x958a324ceb064572},
};

static void it_agrees_with_the_official_vectors(void **state)
{
	uint8_t key[16], message[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)i;
	for (i = 0; i < sizeof message; i++)
		message[i] = (uint8_t)i;
	for (i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		assert_true(siphash(key, message, vectors[i].size) == vectors[i].hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_agrees_with_the_official_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
