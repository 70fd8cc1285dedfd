/* test_house - a root and an issuing authority for the tests of pki/. */
#ifndef TESTS_PKI_TEST_HOUSE_H
#define TESTS_PKI_TEST_HOUSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/encode.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "pki/signer.h"

#define DEVICE "00112233445566778899aabbccddeeff.d.chat.example.com"

struct test_house {
	struct signer *root, *issuing;
	struct error err;
};

/* Fails the test with the error's own words. */
#define assert_ok(call, err)                                                                       \
	do {                                                                                       \
		if ((call) != OK)                                                                  \
			fail_msg("%s: %s", #call, (err).text);                                     \
	} while (0)

static inline struct test_house test_house_make(void)
{
	struct subject_facts facts = {.house = SPAN("chat.example.com"), .number = 1};
	struct test_house house = {0};

	assert_ok(signer_make_root(&facts, &house.root, &house.err), house.err);
	assert_ok(signer_make_issuing(house.root, &facts, &house.issuing, &house.err), house.err);
	return house;
}

static inline void test_house_release(struct test_house *house)
{
	signer_free(house->issuing);
	signer_free(house->root);
}

static inline struct subject_facts alice(void)
{
	return (struct subject_facts){.person = SPAN("Alice"),
				      .label = SPAN("laptop"),
				      .email = SPAN("alice@example.com"),
				      .device = SPAN(DEVICE)};
}

static inline struct certificate *issue(struct test_house *house, enum profile_kind kind,
					const struct subject_facts *facts, const struct key *key)
{
	struct certificate *certificate = NULL;

	assert_ok(signer_sign(house->issuing, profile_get(kind), facts, key, 0, &certificate,
			      &house->err),
		  house->err);
	return certificate;
}

static inline struct key *make_key(enum key_kind kind)
{
	struct key *key = NULL;
	struct error err;

	assert_ok(key_generate(kind, &key, &err), err);
	return key;
}

#endif
