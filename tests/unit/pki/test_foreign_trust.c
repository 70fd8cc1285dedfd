/* Paths, names and lists of foreign CAs: which count, and why the others do not. */
#include "foreign_samples.h"

static struct {
	struct issued root, between, alice, stranger;
	struct buffer roots, betweens, lists;
	struct foreign_trust *trust;
	struct foreign_path *path;
	int64_t until;
} world;

static int begin(void **state)
{
	static const struct wish root = {.cn = "Corp Root", .extensions = ca_extensions};
	static const struct wish between = {.cn = "Corp Issuing", .extensions = last_ca_extensions};
	static const struct wish alice = {.cn = "alice", .extensions = alice_extensions};
	static const struct wish stranger = {.cn = "Corp Root", .extensions = ca_extensions};
	struct error err;

	(void)state;
	assert_int_equal(crypto_start(&err), OK);
	world.root = issue(&root, NULL);
	world.between = issue(&between, &world.root);
	world.alice = issue(&alice, &world.between);
	world.stranger = issue(&stranger, NULL);
	buffer_init(&world.roots, 1 << 20);
	buffer_init(&world.betweens, 1 << 20);
	buffer_init(&world.lists, 1 << 20);
	put_pem(&world.roots, world.root.x);
	put_pem(&world.betweens, world.between.x);
	return 0;
}

static int end(void **state)
{
	(void)state;
	issued_free(&world.root);
	issued_free(&world.between);
	issued_free(&world.alice);
	issued_free(&world.stranger);
	buffer_release(&world.roots);
	buffer_release(&world.betweens);
	buffer_release(&world.lists);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	foreign_path_free(world.path);
	world.path = NULL;
	foreign_trust_free(world.trust);
	world.trust = NULL;
	buffer_clear(&world.lists);
	assert_int_equal(ERR_peek_error(), 0);
	return 0;
}

static struct foreign_trust_options options(enum foreign_field field)
{
	return (struct foreign_trust_options){.name = "corp",
					      .field = field,
					      .roots = buffer_span(&world.roots),
					      .intermediates = buffer_span(&world.betweens),
					      .lists = world.lists.size ? buffer_span(&world.lists)
									: (struct span){NULL, 0}};
}

static void open_with(const struct foreign_trust_options *given)
{
	struct error err = {""};

	foreign_trust_free(world.trust);
	world.trust = NULL;
	if (foreign_trust_new(given, &world.trust, &err) != OK)
		fail_msg("%s", err.text);
}

static void open_trust(enum foreign_field field)
{
	struct foreign_trust_options given = options(field);

	open_with(&given);
}

/* `sent` may be NULL. */
static enum foreign_why verify_at(X509 *leaf, STACK_OF(X509) *sent, int64_t now)
{
	foreign_path_free(world.path);
	world.path = foreign_trust_verify(world.trust, leaf, sent, now);
	assert_non_null(world.path);
	return foreign_trust_judge(world.trust, world.path, now, &world.until);
}

static enum foreign_why verify(X509 *leaf)
{
	return verify_at(leaf, NULL, NOW);
}

static enum foreign_why verify_new(const struct wish *wish, const struct issued *issuer)
{
	struct issued leaf = issue(wish, issuer);
	enum foreign_why why = verify(leaf.x);

	issued_free(&leaf);
	return why;
}

/* alice, but for these extensions. */
static enum foreign_why verify_with(const struct extension *extensions)
{
	const struct wish wish = {.cn = "alice", .extensions = extensions};

	return verify_new(&wish, &world.between);
}

#define assert_refused(given, part)                                                                                  \
	do {                                                                                                         \
		struct error refused_err = {""};                                                                     \
		struct foreign_trust *refused_trust = NULL;                                                          \
		assert_int_equal(foreign_trust_new(&(given), &refused_trust, &refused_err), REFUSED);                \
		assert_null(refused_trust);                                                                          \
		if (!strstr(refused_err.text, part))                                                                 \
			fail_msg("\"%s\" is not in: %s", part, refused_err.text);                                    \
	} while (0)

/* -- paths -- */

static void a_sound_path_gives_one_identity(void **state)
{
	(void)state;
	open_trust(FOREIGN_EMAIL);
	assert_int_equal(verify(world.alice.x), FOREIGN_GOOD);
	assert_true(span_is(world.path->identity, "alice@corp.example"));
	assert_true(span_is(world.path->issuer, "CN=Corp Issuing"));
	assert_string_equal(world.path->ca, "corp");
	assert_int_equal(world.path->step_count, 2);
	assert_int_equal(world.path->not_after, NOW + 100 * A_DAY);
	assert_int_equal(world.until, NOW + 100 * A_DAY);
}

static void without_what_lies_between_there_is_no_path(void **state)
{
	struct foreign_trust_options given = options(FOREIGN_EMAIL);
	STACK_OF(X509) *sent = sk_X509_new_null();

	(void)state;
	given.intermediates = (struct span){NULL, 0};
	open_with(&given);
	assert_int_equal(verify(world.alice.x), FOREIGN_UNKNOWN_ISSUER);
	sk_X509_push(sent, world.alice.x);
	sk_X509_push(sent, world.between.x);
	assert_int_equal(verify_at(world.alice.x, sent, NOW), FOREIGN_GOOD);
	sk_X509_free(sent);
}

static void a_ca_of_the_same_name_leads_nowhere(void **state)
{
	static const struct wish alice = {.cn = "alice", .extensions = alice_extensions};
	struct issued leaf;
	STACK_OF(X509) *sent = sk_X509_new_null();

	(void)state;
	open_trust(FOREIGN_EMAIL);
	leaf = issue(&alice, &world.stranger);
	sk_X509_push(sent, leaf.x);
	sk_X509_push(sent, world.stranger.x);
	assert_int_not_equal(verify_at(leaf.x, sent, NOW), FOREIGN_GOOD);
	sk_X509_free(sent);
	issued_free(&leaf);
}

static void a_leaf_altered_after_signing_is_a_bad_path(void **state)
{
	struct issued leaf;
	static const struct wish alice = {.cn = "alice", .extensions = alice_extensions};

	(void)state;
	open_trust(FOREIGN_EMAIL);
	leaf = issue(&alice, &world.between);
	ASN1_INTEGER_set(X509_get_serialNumber(leaf.x), 77);
	/* Decoded anew, so that what is verified is what stands there. */
	{
		unsigned char *der = NULL;
		const unsigned char *at;
		int size = i2d_re_X509_tbs(leaf.x, &der);
		X509 *again;

		assert_true(size > 0);
		OPENSSL_free(der);
		der = NULL;
		size = i2d_X509(leaf.x, &der);
		at = der;
		again = d2i_X509(NULL, &at, size);
		assert_non_null(again);
		assert_int_equal(verify(again), FOREIGN_BAD_PATH);
		X509_free(again);
		OPENSSL_free(der);
	}
	issued_free(&leaf);
}

static void a_cross_signed_ca_is_found_either_way(void **state)
{
	static const struct wish other_root = {.cn = "Other Root", .extensions = ca_extensions};
	struct issued other = issue(&other_root, NULL), crossed;
	struct wish cross = {.cn = "Corp Root", .extensions = ca_extensions};
	STACK_OF(X509) *sent = sk_X509_new_null();

	(void)state;
	open_trust(FOREIGN_EMAIL);
	EVP_PKEY_up_ref(world.root.key);
	cross.key = world.root.key;
	crossed = issue(&cross, &other);
	/* The way up to a root that we do not have must not hide the one that we have. */
	sk_X509_push(sent, world.alice.x);
	sk_X509_push(sent, world.between.x);
	sk_X509_push(sent, crossed.x);
	sk_X509_push(sent, other.x);
	assert_int_equal(verify_at(world.alice.x, sent, NOW), FOREIGN_GOOD);
	sk_X509_free(sent);
	issued_free(&crossed);
	issued_free(&other);
}

static void a_path_may_not_be_longer_than_its_cas_say(void **state)
{
	static const struct wish below = {.cn = "Below", .extensions = ca_extensions};
	static const struct wish alice = {.cn = "alice", .extensions = alice_extensions};
	struct issued ca = issue(&below, &world.between), leaf = issue(&alice, &ca);
	STACK_OF(X509) *sent = sk_X509_new_null();

	(void)state;
	open_trust(FOREIGN_EMAIL);
	sk_X509_push(sent, leaf.x);
	sk_X509_push(sent, ca.x);
	assert_int_equal(verify_at(leaf.x, sent, NOW), FOREIGN_BAD_PATH);
	assert_non_null(strstr(world.path->text, "path length"));
	sk_X509_free(sent);
	issued_free(&leaf);
	issued_free(&ca);
}

static void a_leaf_that_is_no_ca_signs_nobody(void **state)
{
	static const struct wish mallory = {.cn = "root", .extensions = alice_extensions};
	struct issued leaf = issue(&mallory, &world.alice);
	STACK_OF(X509) *sent = sk_X509_new_null();

	(void)state;
	open_trust(FOREIGN_EMAIL);
	sk_X509_push(sent, leaf.x);
	sk_X509_push(sent, world.alice.x);
	assert_int_not_equal(verify_at(leaf.x, sent, NOW), FOREIGN_GOOD);
	sk_X509_free(sent);
	issued_free(&leaf);
}

static void eleven_certificates_are_not_looked_at(void **state)
{
	STACK_OF(X509) *sent = sk_X509_new_null();
	int i;

	(void)state;
	open_trust(FOREIGN_EMAIL);
	sk_X509_push(sent, world.alice.x);
	for (i = 0; i < 9; i++)
		sk_X509_push(sent, world.between.x);
	assert_int_equal(verify_at(world.alice.x, sent, NOW), FOREIGN_GOOD);
	sk_X509_push(sent, world.between.x);
	assert_int_equal(verify_at(world.alice.x, sent, NOW), FOREIGN_BAD_PATH);
	sk_X509_free(sent);
}

static void broken_digests_and_short_keys_are_refused(void **state)
{
	struct wish rsa_ca = {.cn = "RSA", .extensions = last_ca_extensions, .key = EVP_RSA_gen(2048)};
	const struct wish md5 = {.cn = "alice", .extensions = alice_extensions, .digest = EVP_md5()};
	const struct wish sha1 = {.cn = "alice", .extensions = alice_extensions, .digest = EVP_sha1()};
	struct wish weak = {.cn = "alice", .extensions = alice_extensions, .key = EVP_RSA_gen(1024)};
	struct wish fine = {.cn = "alice", .extensions = alice_extensions, .key = EVP_RSA_gen(2048)};

	struct issued ca = issue(&rsa_ca, &world.root), leaf = issue(&md5, &ca);
	STACK_OF(X509) *sent = sk_X509_new_null();

	(void)state;
	open_trust(FOREIGN_EMAIL);
	sk_X509_push(sent, ca.x);
	assert_int_equal(verify_at(leaf.x, sent, NOW), FOREIGN_BAD_PATH);
	assert_non_null(strstr(world.path->text, "too weak"));
	sk_X509_free(sent);
	issued_free(&leaf);
	issued_free(&ca);
	assert_int_equal(verify_new(&sha1, &world.between), FOREIGN_BAD_PATH);
	assert_int_equal(verify_new(&weak, &world.between), FOREIGN_BAD_PATH);
	assert_int_equal(verify_new(&fine, &world.between), FOREIGN_GOOD);
}

static void dates_of_leaf_and_cas_all_count(void **state)
{
	const struct wish over = {.cn = "alice", .extensions = alice_extensions, .to = NOW - 1};
	const struct wish early = {.cn = "alice", .extensions = alice_extensions, .from = NOW + 1};

	(void)state;
	open_trust(FOREIGN_EMAIL);
	assert_int_equal(verify_new(&over, &world.between), FOREIGN_EXPIRED);
	assert_int_equal(verify_new(&early, &world.between), FOREIGN_NOT_YET);
	assert_int_equal(verify_at(world.alice.x, NULL, NOW + 101 * A_DAY), FOREIGN_EXPIRED);
	/* Known in time, and over later. */
	assert_int_equal(verify(world.alice.x), FOREIGN_GOOD);
	assert_int_equal(foreign_trust_judge(world.trust, world.path, NOW + 100 * A_DAY, NULL), FOREIGN_GOOD);
	assert_int_equal(foreign_trust_judge(world.trust, world.path, NOW + 100 * A_DAY + 1, NULL), FOREIGN_EXPIRED);
	assert_int_equal(foreign_trust_judge(world.trust, world.path, NOW - 101 * A_DAY, NULL), FOREIGN_NOT_YET);
}

static void a_ca_that_ends_first_ends_the_path(void **state)
{
	static const struct wish brief_ca = {.cn = "Brief", .extensions = last_ca_extensions, .to = NOW + 5};
	static const struct wish alice = {.cn = "alice", .extensions = alice_extensions};
	struct issued ca = issue(&brief_ca, &world.root), leaf = issue(&alice, &ca);
	STACK_OF(X509) *sent = sk_X509_new_null();

	(void)state;
	open_trust(FOREIGN_EMAIL);
	sk_X509_push(sent, ca.x);
	assert_int_equal(verify_at(leaf.x, sent, NOW), FOREIGN_GOOD);
	assert_int_equal(world.until, NOW + 5);
	sk_X509_free(sent);
	issued_free(&leaf);
	issued_free(&ca);
}

/* -- purpose -- */

static void only_what_says_client_in_words_is_for_clients(void **state)
{
	static const struct extension none[] = {{NID_subject_alt_name, "email:a@corp.example"}, {0, NULL}};
	static const struct extension server[] = {
		{NID_ext_key_usage, "serverAuth"}, {NID_subject_alt_name, "email:a@corp.example"}, {0, NULL}};
	static const struct extension any[] = {
		{NID_ext_key_usage, "anyExtendedKeyUsage"}, {NID_subject_alt_name, "email:a@corp.example"}, {0, NULL}};
	static const struct extension both[] = {{NID_ext_key_usage, "serverAuth,clientAuth"},
						{NID_subject_alt_name, "email:a@corp.example"},
						{0, NULL}};
	static const struct extension cannot_sign[] = {{NID_ext_key_usage, "clientAuth"},
						       {NID_key_usage, "critical,keyAgreement"},
						       {NID_subject_alt_name, "email:a@corp.example"},
						       {0, NULL}};

	(void)state;
	open_trust(FOREIGN_EMAIL);
	assert_int_equal(verify_with(none), FOREIGN_WRONG_PURPOSE);
	assert_int_equal(verify_with(server), FOREIGN_WRONG_PURPOSE);
	assert_int_equal(verify_with(any), FOREIGN_WRONG_PURPOSE);
	assert_int_equal(verify_with(cannot_sign), FOREIGN_WRONG_PURPOSE);
	assert_int_equal(verify_with(both), FOREIGN_GOOD);
}

static void a_ca_certificate_is_nobody(void **state)
{
	static const struct extension client_ca[] = {{NID_basic_constraints, "critical,CA:TRUE"},
						     {NID_key_usage, "critical,keyCertSign,digitalSignature"},
						     {NID_ext_key_usage, "clientAuth"},
						     {NID_subject_alt_name, "email:a@corp.example"},
						     {0, NULL}};
	static const struct wish ca = {.cn = "ca", .extensions = client_ca};

	(void)state;
	open_trust(FOREIGN_EMAIL);
	assert_int_equal(verify_new(&ca, &world.root), FOREIGN_WRONG_PURPOSE);
	assert_int_not_equal(verify(world.between.x), FOREIGN_GOOD);
	assert_int_not_equal(verify(world.root.x), FOREIGN_GOOD);
}

/* -- names -- */

static enum foreign_why verify_named(enum foreign_field field, const char *names)
{
	const struct extension extensions[] = {
		{NID_ext_key_usage, "clientAuth"}, {NID_subject_alt_name, names}, {0, NULL}};

	open_trust(field);
	return verify_with(extensions);
}

static enum foreign_why verify_bytes(enum foreign_field field, int type, const void *bytes, int size)
{
	static const struct extension client[] = {{NID_ext_key_usage, "clientAuth"}, {0, NULL}};
	const struct wish wish = {.cn = "alice", .extensions = client, .names = names_of(type, bytes, size)};

	open_trust(field);
	return verify_new(&wish, &world.between);
}

static void each_field_gives_its_own_name(void **state)
{
	static const struct {
		enum foreign_field field;
		const char *names, *identity;
	} rows[] = {
		{FOREIGN_EMAIL, "email:Alice@CORP.Example", "Alice@corp.example"},
		{FOREIGN_EMAIL, "email:a@corp.example,DNS:x.example,URI:https://x/", "a@corp.example"},
		{FOREIGN_URI, "URI:urn:uuid:1234", "urn:uuid:1234"},
		{FOREIGN_SPIFFE, "URI:spiffe://corp.example/ns/chat/sa/bot", "spiffe://corp.example/ns/chat/sa/bot"},
		{FOREIGN_DNS, "DNS:Host-1.Corp.Example,email:a@b.example", "host-1.corp.example"},
		{FOREIGN_CN, "DNS:x.example", "alice"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(verify_named(rows[i].field, rows[i].names), FOREIGN_GOOD);
		assert_true(span_is(world.path->identity, rows[i].identity));
	}
}

static void a_name_that_is_missing_twofold_or_of_another_type_is_none(void **state)
{
	static const struct {
		enum foreign_field field;
		const char *names;
	} rows[] = {
		{FOREIGN_EMAIL, "DNS:alice.corp.example"},
		{FOREIGN_EMAIL, "email:a@corp.example,email:b@corp.example"},
		{FOREIGN_EMAIL, "email:a@corp.example,email:a@corp.example"},
		{FOREIGN_URI, "URI:https://a/,URI:https://b/"},
		{FOREIGN_SPIFFE, "URI:spiffe://corp.example/a,URI:https://x/"},
		{FOREIGN_DNS, "DNS:a.example,DNS:b.example"},
		{FOREIGN_DNS, "email:a@corp.example"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(verify_named(rows[i].field, rows[i].names), FOREIGN_NO_IDENTITY);
}

static void bytes_that_a_name_may_not_have_are_refused(void **state)
{
	static const struct {
		enum foreign_field field;
		int type;
		const char *bytes;
		int size;
	} rows[] = {
		{FOREIGN_EMAIL, GEN_EMAIL, "root@corp.example\0.evil.example", 31},
		{FOREIGN_EMAIL, GEN_EMAIL, "a@corp.example\n", 15},
		{FOREIGN_EMAIL, GEN_EMAIL, "\"a b\"@corp.example", 18},
		{FOREIGN_EMAIL, GEN_EMAIL, "a@b@corp.example", 16},
		{FOREIGN_EMAIL, GEN_EMAIL, "a@", 2},
		{FOREIGN_EMAIL, GEN_EMAIL, "@corp.example", 13},
		{FOREIGN_EMAIL, GEN_EMAIL, "a,b@corp.example", 16},
		{FOREIGN_EMAIL, GEN_EMAIL, "a@corp.example.", 15},
		{FOREIGN_EMAIL, GEN_EMAIL, "", 0},
		{FOREIGN_EMAIL, GEN_EMAIL, "\xc3\xa4@corp.example", 15},
		{FOREIGN_DNS, GEN_DNS, "*.corp.example", 14},
		{FOREIGN_DNS, GEN_DNS, "a\0b.example", 11},
		{FOREIGN_DNS, GEN_DNS, "a..example", 10},
		{FOREIGN_DNS, GEN_DNS, "-a.example", 10},
		{FOREIGN_URI, GEN_URI, "no-scheme", 9},
		{FOREIGN_URI, GEN_URI, "https://a b/", 12},
		{FOREIGN_URI, GEN_URI, ":x", 2},
		{FOREIGN_URI, GEN_URI, "a:", 2},
		{FOREIGN_SPIFFE, GEN_URI, "https://corp.example/a", 22},
		{FOREIGN_SPIFFE, GEN_URI, "spiffe://corp.example", 21},
		{FOREIGN_SPIFFE, GEN_URI, "spiffe://corp.example/", 22},
		{FOREIGN_SPIFFE, GEN_URI, "spiffe://corp.example//a", 24},
		{FOREIGN_SPIFFE, GEN_URI, "spiffe://corp.example/a/../b", 28},
		{FOREIGN_SPIFFE, GEN_URI, "spiffe://Corp.example/a", 23},
		{FOREIGN_SPIFFE, GEN_URI, "spiffe://corp.example:8/a", 25},
		{FOREIGN_SPIFFE, GEN_URI, "spiffe://corp.example/a?b", 25},
		{FOREIGN_SPIFFE, GEN_URI, "spiffe://corp.example/a#b", 25},
		{FOREIGN_SPIFFE, GEN_URI, "spiffe://u@corp.example/a", 25},
		{FOREIGN_SPIFFE, GEN_URI, "spiffe://corp.example/%61", 25},
		{FOREIGN_SPIFFE, GEN_URI, "spiffe:///a", 11},
		{FOREIGN_SPIFFE, GEN_URI, "SPIFFE://corp.example/a", 23},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		if (verify_bytes(rows[i].field, rows[i].type, rows[i].bytes, rows[i].size) != FOREIGN_NO_IDENTITY)
			fail_msg("row %zu: \"%s\" passed", i, rows[i].bytes);
}

static enum foreign_why verify_cn(const char *cn, const char *second)
{
	static const struct extension client[] = {{NID_ext_key_usage, "clientAuth"}, {0, NULL}};
	const struct wish wish = {.cn = cn, .second_cn = second, .extensions = client};

	open_trust(FOREIGN_CN);
	return verify_new(&wish, &world.between);
}

static void a_common_name_is_one_and_all_of_it_can_be_seen(void **state)
{
	(void)state;
	assert_int_equal(verify_cn("Alice Smith", NULL), FOREIGN_GOOD);
	assert_int_equal(verify_cn("\xc3\x84nne O=CN=root", NULL), FOREIGN_GOOD);
	assert_true(span_is(world.path->identity, "\xc3\x84nne O=CN=root"));
	assert_int_equal(verify_cn("alice", "root"), FOREIGN_NO_IDENTITY);
	assert_int_equal(verify_cn(" alice", NULL), FOREIGN_NO_IDENTITY);
	assert_int_equal(verify_cn("alice\r\nX-Person: root", NULL), FOREIGN_NO_IDENTITY);
	assert_int_equal(verify_cn("al\xe2\x80\x8bice", NULL), FOREIGN_NO_IDENTITY);
	assert_int_equal(verify_cn("\xe2\x80\xae" "ecila", NULL), FOREIGN_NO_IDENTITY);
}

static void it_names_addresses_of_its_domains_only(void **state)
{
	char *domains[] = {(char *)"Corp.Example"};
	struct foreign_trust_options given = options(FOREIGN_EMAIL);

	(void)state;
	open_trust(FOREIGN_EMAIL);
	assert_int_equal(verify(world.alice.x), FOREIGN_GOOD);
	assert_int_equal(foreign_trust_email(world.trust, world.path).size, 0);
	given.domains = domains;
	given.domain_count = 1;
	open_with(&given);
	assert_int_equal(verify(world.alice.x), FOREIGN_GOOD);
	assert_true(span_is(foreign_trust_email(world.trust, world.path), "alice@corp.example"));
	domains[0] = (char *)"other.example";
	open_with(&given);
	assert_int_equal(verify(world.alice.x), FOREIGN_NO_IDENTITY);
	domains[0] = (char *)"example";
	open_with(&given);
	assert_int_equal(verify(world.alice.x), FOREIGN_NO_IDENTITY);
	domains[0] = (char *)"not a domain";
	assert_refused(given, "not a domain");
	given.field = FOREIGN_CN;
	assert_refused(given, "for identity = \"email\" only");
}

/* -- sets -- */

static void a_set_without_a_sound_root_is_refused(void **state)
{
	struct foreign_trust_options given = options(FOREIGN_EMAIL);
	static const struct wish plain = {.cn = "plain", .extensions = alice_extensions};
	struct wish weak = {.cn = "weak", .extensions = ca_extensions, .key = EVP_RSA_gen(1024)};
	struct issued no_ca = issue(&plain, NULL), weak_ca = issue(&weak, NULL);
	struct buffer text;

	(void)state;
	given.intermediates = (struct span){NULL, 0};
	given.roots = SPAN("");
	assert_refused(given, "certificate");
	given.roots = SPAN("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	assert_refused(given, "certificate");
	given.roots = buffer_span(&world.betweens);
	assert_refused(given, "not self-signed");
	buffer_init(&text, 1 << 16);
	put_pem(&text, no_ca.x);
	given.roots = buffer_span(&text);
	assert_refused(given, "no CA certificate");
	buffer_clear(&text);
	put_pem(&text, weak_ca.x);
	given.roots = buffer_span(&text);
	assert_refused(given, "too weak");
	buffer_release(&text);
	issued_free(&no_ca);
	issued_free(&weak_ca);
}

static void another_set_judges_a_path_by_its_own_roots(void **state)
{
	struct foreign_trust_options given = options(FOREIGN_EMAIL);
	struct buffer text;

	(void)state;
	open_trust(FOREIGN_EMAIL);
	assert_int_equal(verify(world.alice.x), FOREIGN_GOOD);
	/* What lies between may go: it was never trusted. */
	given.intermediates = (struct span){NULL, 0};
	open_with(&given);
	assert_int_equal(foreign_trust_judge(world.trust, world.path, NOW, NULL), FOREIGN_GOOD);
	given.name = "corp2";
	open_with(&given);
	assert_int_equal(foreign_trust_judge(world.trust, world.path, NOW, NULL), FOREIGN_UNKNOWN_ISSUER);
	given.name = "corp";
	given.field = FOREIGN_CN;
	open_with(&given);
	assert_int_equal(foreign_trust_judge(world.trust, world.path, NOW, NULL), FOREIGN_UNKNOWN_ISSUER);
	buffer_init(&text, 1 << 16);
	put_pem(&text, world.stranger.x);
	given = options(FOREIGN_EMAIL);
	given.roots = buffer_span(&text);
	open_with(&given);
	assert_int_equal(foreign_trust_judge(world.trust, world.path, NOW, NULL), FOREIGN_UNKNOWN_ISSUER);
	buffer_release(&text);
}

/* -- lists -- */

static void what_a_list_names_is_revoked_and_nothing_else(void **state)
{
	static const struct wish bob = {.cn = "bob", .extensions = alice_extensions};
	struct issued other = issue(&bob, &world.between);
	struct list_wish wish = {.issuer = &world.between, .revoked = {world.alice.x}};
	int is_der;

	(void)state;
	for (is_der = 0; is_der < 2; is_der++) {
		buffer_clear(&world.lists);
		put_list(&world.lists, &wish, is_der);
		open_trust(FOREIGN_EMAIL);
		assert_int_equal(verify(world.alice.x), FOREIGN_REVOKED);
		assert_int_equal(verify(other.x), FOREIGN_GOOD);
		assert_string_equal(revocation_lists_facts(foreign_trust_lists(world.trust), 0)->issuer, "CN=Corp Issuing");
	}
	issued_free(&other);
}

static void the_same_serial_of_another_issuer_is_another_certificate(void **state)
{
	struct issued other;
	struct wish same = {.cn = "bob", .extensions = alice_extensions};
	struct list_wish wish = {.issuer = &world.between, .revoked = {world.alice.x}};

	(void)state;
	same.serial = ASN1_INTEGER_get(X509_get0_serialNumber(world.alice.x));
	other = issue(&same, &world.root);
	put_list(&world.lists, &wish, false);
	open_trust(FOREIGN_EMAIL);
	assert_int_equal(verify(other.x), FOREIGN_GOOD);
	issued_free(&other);
}

static void a_revoked_ca_takes_all_below_with_it(void **state)
{
	struct list_wish wish = {.issuer = &world.root, .revoked = {world.between.x}};

	(void)state;
	put_list(&world.lists, &wish, true);
	open_trust(FOREIGN_EMAIL);
	assert_int_equal(verify(world.alice.x), FOREIGN_REVOKED);
}

static void several_lists_may_stand_in_one_file(void **state)
{
	struct list_wish first = {.issuer = &world.root}, second = {.issuer = &world.between, .revoked = {world.alice.x}};
	int is_der;

	(void)state;
	for (is_der = 0; is_der < 2; is_der++) {
		buffer_clear(&world.lists);
		put_list(&world.lists, &first, is_der);
		put_list(&world.lists, &second, is_der);
		open_trust(FOREIGN_EMAIL);
		assert_int_equal(revocation_lists_count(foreign_trust_lists(world.trust)), 2);
		assert_int_equal(verify(world.alice.x), FOREIGN_REVOKED);
	}
}

static void a_later_list_is_heeded_by_a_path_of_before(void **state)
{
	struct list_wish wish = {.issuer = &world.between, .revoked = {world.alice.x}};

	(void)state;
	open_trust(FOREIGN_EMAIL);
	assert_int_equal(verify(world.alice.x), FOREIGN_GOOD);
	put_list(&world.lists, &wish, false);
	open_trust(FOREIGN_EMAIL);
	assert_int_equal(foreign_trust_judge(world.trust, world.path, NOW, NULL), FOREIGN_REVOKED);
}

static void a_list_that_is_too_old_still_revokes_and_locks_nobody_out(void **state)
{
	static const struct wish bob = {.cn = "bob", .extensions = alice_extensions};
	struct issued other = issue(&bob, &world.between);
	struct list_wish wish = {.issuer = &world.between, .revoked = {world.alice.x}, .from = NOW - 9 * A_DAY, .to = NOW - 1};

	(void)state;
	put_list(&world.lists, &wish, false);
	open_trust(FOREIGN_EMAIL);
	assert_int_equal(verify(world.alice.x), FOREIGN_REVOKED);
	assert_int_equal(verify(other.x), FOREIGN_GOOD);
	issued_free(&other);
}

static void who_wants_lists_in_date_gets_them_or_nobody_in(void **state)
{
	struct list_wish wish = {.issuer = &world.between, .to = NOW + 7};
	struct list_wish other = {.issuer = &world.root};
	struct list_wish endless = {.issuer = &world.between, .has_no_end = true};
	struct foreign_trust_options given;

	(void)state;
	put_list(&world.lists, &wish, false);
	given = options(FOREIGN_EMAIL);
	given.refuses_when_stale = true;
	open_with(&given);
	assert_int_equal(verify(world.alice.x), FOREIGN_GOOD);
	assert_int_equal(world.until, NOW + 7);
	assert_int_equal(foreign_trust_judge(world.trust, world.path, NOW + 8, NULL), FOREIGN_LIST_TOO_OLD);
	/* A list of somebody else says nothing of the leaf. */
	buffer_clear(&world.lists);
	put_list(&world.lists, &other, false);
	given = options(FOREIGN_EMAIL);
	given.refuses_when_stale = true;
	open_with(&given);
	assert_int_equal(verify(world.alice.x), FOREIGN_LIST_TOO_OLD);
	put_list(&world.lists, &endless, false);
	given.lists = buffer_span(&world.lists);
	open_with(&given);
	assert_int_equal(verify_at(world.alice.x, NULL, NOW), FOREIGN_GOOD);
	given.lists = (struct span){NULL, 0};
	assert_refused(given, "needs a crl");
}

static void the_same_lists_are_read_once_while_somebody_holds_them(void **state)
{
	struct list_wish wish = {.issuer = &world.between, .revoked = {world.alice.x}};
	struct foreign_trust_options given;
	struct foreign_trust *again, *other;
	const struct revocation_lists *lists;
	struct error err;

	(void)state;
	put_list(&world.lists, &wish, false);
	open_trust(FOREIGN_EMAIL);
	lists = foreign_trust_lists(world.trust);
	given = options(FOREIGN_CN);
	assert_int_equal(foreign_trust_new(&given, &again, &err), OK);
	assert_ptr_equal(foreign_trust_lists(again), lists);
	foreign_trust_free(world.trust);
	world.trust = again;
	assert_int_equal(verify(world.alice.x), FOREIGN_REVOKED);
	/* Other bytes, or other signers, are others. */
	put_list(&world.lists, &wish, false);
	given = options(FOREIGN_CN);
	assert_int_equal(foreign_trust_new(&given, &other, &err), OK);
	assert_ptr_not_equal(foreign_trust_lists(other), lists);
	foreign_trust_free(other);
	given = options(FOREIGN_CN);
	given.intermediates = (struct span){NULL, 0};
	assert_refused(given, "add its certificate to intermediates");
}

static void a_list_that_cannot_be_believed_is_refused(void **state)
{
	struct list_wish delta = {.issuer = &world.between, .is_delta = true};
	struct list_wish indirect = {.issuer = &world.between, .is_indirect = true};
	struct list_wish forged = {.issuer = &world.between, .key = world.stranger.key};
	struct list_wish weak = {.issuer = &world.between, .digest = EVP_sha1()};
	struct list_wish foreign = {.issuer = &world.alice};
	const struct {
		const struct list_wish *wish;
		const char *part;
	} rows[] = {{&delta, "delta"},
		    {&indirect, "indirect"},
		    {&forged, "not signed by the CA certificate of that name"},
		    {&weak, "broken"},
		    {&foreign, "add its certificate to intermediates"}};
	struct foreign_trust_options given;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		buffer_clear(&world.lists);
		put_list(&world.lists, rows[i].wish, i % 2);
		given = options(FOREIGN_EMAIL);
		assert_refused(given, rows[i].part);
	}
	given.lists = SPAN("");
	assert_refused(given, "no list");
	given.lists = SPAN("garbage");
	assert_refused(given, "not a list");
	given.lists = buffer_span(&world.roots);
	assert_refused(given, "no list");
	given.lists = SPAN("-----BEGIN X509 CRL-----\nMIIB");
	assert_refused(given, "cut off");
	/* One that was cut in the middle must not pass for a shorter one. */
	buffer_clear(&world.lists);
	put_list(&world.lists, &(struct list_wish){.issuer = &world.between, .revoked = {world.alice.x}}, true);
	for (i = 1; i < world.lists.size; i += 7) {
		given.lists = span_make(world.lists.at, i);
		assert_refused(given, "");
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, leave)
	const struct CMUnitTest tests[] = {
		TEST(a_sound_path_gives_one_identity),
		TEST(without_what_lies_between_there_is_no_path),
		TEST(a_ca_of_the_same_name_leads_nowhere),
		TEST(a_leaf_altered_after_signing_is_a_bad_path),
		TEST(a_cross_signed_ca_is_found_either_way),
		TEST(a_path_may_not_be_longer_than_its_cas_say),
		TEST(a_leaf_that_is_no_ca_signs_nobody),
		TEST(eleven_certificates_are_not_looked_at),
		TEST(broken_digests_and_short_keys_are_refused),
		TEST(dates_of_leaf_and_cas_all_count),
		TEST(a_ca_that_ends_first_ends_the_path),
		TEST(only_what_says_client_in_words_is_for_clients),
		TEST(a_ca_certificate_is_nobody),
		TEST(each_field_gives_its_own_name),
		TEST(a_name_that_is_missing_twofold_or_of_another_type_is_none),
		TEST(bytes_that_a_name_may_not_have_are_refused),
		TEST(a_common_name_is_one_and_all_of_it_can_be_seen),
		TEST(it_names_addresses_of_its_domains_only),
		TEST(a_set_without_a_sound_root_is_refused),
		TEST(another_set_judges_a_path_by_its_own_roots),
		TEST(what_a_list_names_is_revoked_and_nothing_else),
		TEST(the_same_serial_of_another_issuer_is_another_certificate),
		TEST(a_revoked_ca_takes_all_below_with_it),
		TEST(several_lists_may_stand_in_one_file),
		TEST(a_later_list_is_heeded_by_a_path_of_before),
		TEST(a_list_that_is_too_old_still_revokes_and_locks_nobody_out),
		TEST(who_wants_lists_in_date_gets_them_or_nobody_in),
		TEST(the_same_lists_are_read_once_while_somebody_holds_them),
		TEST(a_list_that_cannot_be_believed_is_refused),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
