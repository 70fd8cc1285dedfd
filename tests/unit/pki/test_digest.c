#include "pki/digest.h"

#include <unistd.h>

#include "test_house.h"

#include "pki/crypto_start.h"

static void check(const uint8_t *got, size_t size, const char *want)
{
	char text[129];

	hex_write(got, size, text);
	assert_string_equal(text, want);
}

static void hashes_are_those_of_the_standards(void **state)
{
	uint8_t out[SHA256_SIZE];

	(void)state;
	digest_sha256(SPAN("abc"), out); /* FIPS 180-4 */
	check(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256_parts((struct span[]){SPAN("a"), SPAN(""), SPAN("bc")}, 3, out);
	check(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha1(SPAN("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), out);
	check(out, 20, "b37a4f2cc0624f1690f64606cf385945b2bec4ea"); /* RFC 6455 section 1.3 */
}

static void macs_are_those_of_rfc_4231(void **state)
{
	uint8_t out[SHA256_SIZE];

	(void)state;
	digest_hmac_sha256(SPAN("Jefe"), SPAN("what do ya want for nothing?"), out);
	check(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	digest_hmac_sha256_parts(SPAN("Jefe"),
				 (struct span[]){SPAN("what do ya "), SPAN("want for nothing?")}, 2,
				 out);
	check(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	digest_hmac_sha256((struct span){NULL, 0}, SPAN(""), out);
	check(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void derived_keys_are_hkdf_and_differ_by_purpose(void **state)
{
	uint8_t key[22], one[42], other[42];

	(void)state;
	memset(key, 0x0b, sizeof key); /* RFC 5869 A.3: no salt, no info */
	digest_derive(span_make(key, sizeof key), "", one, sizeof one);
	check(one, 42,
	      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c"
	      "8");
	digest_derive(span_make(key, sizeof key), "rows", other, sizeof other);
	assert_memory_not_equal(one, other, sizeof one);
}

static void equal_means_size_and_bytes(void **state)
{
	(void)state;
	assert_true(digest_equals(SPAN("abc"), SPAN("abc")));
	assert_false(digest_equals(SPAN("abc"), SPAN("abd")));
	assert_false(digest_equals(SPAN("abc"), SPAN("abcd")));
	assert_true(digest_equals(SPAN(""), SPAN("")));
}

static void no_config_file_of_the_machine_is_read(void **state)
{
	/* Read, this one would leave no algorithm. */
	static const char config[] = "openssl_conf = a\n[a]\nalg_section = b\n[b]\n"
				     "default_properties = fips=yes\n";
	char path[] = "/tmp/chatelaine-openssl-XXXXXX";
	int fd = mkstemp(path);
	struct error err;

	(void)state;
	assert_int_equal(write(fd, config, strlen(config)), strlen(config));
	close(fd);
	setenv("OPENSSL_CONF", path, 1);
	assert_ok(crypto_start(&err), err);
	assert_ok(crypto_start(&err), err);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_config_file_of_the_machine_is_read),
		cmocka_unit_test(hashes_are_those_of_the_standards),
		cmocka_unit_test(macs_are_those_of_rfc_4231),
		cmocka_unit_test(derived_keys_are_hkdf_and_differ_by_purpose),
		cmocka_unit_test(equal_means_size_and_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
