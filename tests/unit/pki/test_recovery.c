#include "pki/recovery.h"

#include "test_house.h"

#include "pki/password.h"

static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void expect_same(const char *typed, const struct secret *phrase)
{
	struct secret *read = NULL;
	struct error err;

	assert_ok(recovery_read(span_of(typed), &read, &err), err);
	assert_memory_equal(read->bytes, phrase->bytes, RECOVERY_TEXT_SIZE);
	secret_free(read);
}

static void refused_with(const char *typed, const char *text)
{
	struct secret *read = NULL;
	struct error err;

	assert_int_equal(recovery_read(span_of(typed), &read, &err), REFUSED);
	assert_null(read);
	assert_string_equal(err.text, text);
}

static void a_phrase_reads_back_in_any_spelling(void **state)
{
	struct secret *phrase = recovery_make();
	char typed[200];
	size_t i, at = 0;

	(void)state;
	assert_int_equal(phrase->size, RECOVERY_TEXT_SIZE);
	expect_same((char *)phrase->bytes, phrase);
	for (i = 0; i < RECOVERY_TEXT_SIZE; i++) {
		char c = (char)phrase->bytes[i];

		if (c == '-') {
			at += (size_t)sprintf(typed + at, i % 4 ? " \xe2\x80\x93\t" : "");
			continue;
		}
		typed[at++] = c == '0'   ? 'o'
			      : c == '1' ? (i % 2 ? 'l' : 'I')
			      : c >= 'A' ? c + 32
					 : c;
	}
	typed[at] = 0;
	expect_same(typed, phrase);
	secret_free(phrase);
}

static void every_wrong_character_is_named_by_its_group(void **state)
{
	struct secret *phrase = recovery_make();
	char typed[RECOVERY_TEXT_SIZE + 1], text[128];
	size_t i, k;

	(void)state;
	for (i = 0; i < RECOVERY_TEXT_SIZE; i++) {
		if (phrase->bytes[i] == '-')
			continue;
		memcpy(typed, phrase->bytes, sizeof typed);
		snprintf(text, sizeof text,
			 "recovery phrase: group %zu has a typing error: look at each of its "
			 "characters",
			 i / 6 + 1);
		for (k = 0; k < 32; k++) {
			typed[i] = letters[k];
			if (letters[k] != (char)phrase->bytes[i])
				refused_with(typed, text);
		}
	}
	secret_free(phrase);
}

static void characters_that_changed_places_are_seen(void **state)
{
	struct secret *phrase = recovery_make(), *read = NULL;
	char typed[RECOVERY_TEXT_SIZE + 1];
	size_t group, a, b;

	(void)state;
	for (group = 0; group < 7; group++)
		for (a = group * 6; a < group * 6 + 5; a++)
			for (b = a + 1; b < group * 6 + 5; b++) {
				memcpy(typed, phrase->bytes, sizeof typed);
				if (typed[a] == typed[b])
					continue;
				typed[a] = (char)phrase->bytes[b];
				typed[b] = (char)phrase->bytes[a];
				assert_int_equal(recovery_read(span_of(typed), &read, NULL),
						 REFUSED);
			}
	secret_free(phrase);
}

static void groups_that_changed_places_are_named(void **state)
{
	struct secret *phrase = recovery_make();
	char typed[RECOVERY_TEXT_SIZE + 1];

	(void)state;
	memcpy(typed, phrase->bytes, sizeof typed);
	memcpy(typed, phrase->bytes + 6, 5);
	memcpy(typed + 6, phrase->bytes, 5);
	if (memcmp(typed, phrase->bytes, 5) != 0)
		refused_with(typed, "recovery phrase: groups 1, 2 have typing errors, or stand in "
				    "the wrong order");
	secret_free(phrase);
}

static void a_group_of_another_phrase_is_seen(void **state)
{
	struct secret *one = recovery_make(), *other = recovery_make();
	char typed[RECOVERY_TEXT_SIZE + 1];

	(void)state;
	memcpy(typed, one->bytes, sizeof typed);
	memcpy(typed + 12, other->bytes + 12, 5);
	refused_with(typed, "recovery phrase: each group is well formed, but together they are no "
			    "recovery phrase: is one from another phrase?");
	secret_free(one);
	secret_free(other);
}

static void what_is_missing_is_named(void **state)
{
	(void)state;
	refused_with("", "recovery phrase: there are 0 characters; a recovery phrase has 35, in 7 "
			 "groups of 5");
	refused_with("AAAAA-BBBBB-CCCC-DDDDD-EEEEE-FFFFF-GGGGG",
		     "recovery phrase: group 3 has 4 characters; each group has 5");
	refused_with("AAAAA-BBUBB",
		     "recovery phrase: group 2: no recovery phrase has a \"U\" in it");
	refused_with("AAAAABBBBBC\xc3\xa4",
		     "recovery phrase: group 3: it may have letters and digits "
		     "only");
}

static void two_phrases_are_never_the_same(void **state)
{
	struct secret *one = recovery_make(), *other = recovery_make();

	(void)state;
	assert_memory_not_equal(one->bytes, other->bytes, RECOVERY_TEXT_SIZE);
	secret_free(one);
	secret_free(other);
}

static void a_password_can_be_typed_and_not_misread(void **state)
{
	int i, k;

	(void)state;
	for (i = 0; i < 200; i++) {
		struct secret *password = password_make();

		assert_int_equal(password->size, PASSWORD_SIZE);
		for (k = 0; k < PASSWORD_SIZE; k++) {
			char c = (char)password->bytes[k];

			if (k % 5 == 4)
				assert_int_equal(c, '-');
			else
				assert_true(((c >= 'a' && c <= 'z') || (c >= '2' && c <= '9')) &&
					    !strchr("ilo", c));
		}
		secret_free(password);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_phrase_reads_back_in_any_spelling),
		cmocka_unit_test(every_wrong_character_is_named_by_its_group),
		cmocka_unit_test(characters_that_changed_places_are_seen),
		cmocka_unit_test(groups_that_changed_places_are_named),
		cmocka_unit_test(a_group_of_another_phrase_is_seen),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(two_phrases_are_never_the_same),
		cmocka_unit_test(a_password_can_be_typed_and_not_misread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
