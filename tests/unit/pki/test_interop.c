/* What we make is accepted by the programs that people have: openssl, GnuTLS, NSS, Java. One that
 * is not installed is skipped. KEEP=folder leaves the files there. */
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_house.h"

#include "base/file.h"
#include "pki/csr.h"
#include "pki/pkcs12.h"
#include "pki/recovery.h"

extern char **environ;

static char folder[512];

static const char *path(const char *name)
{
	static char paths[4][600];
	static int turn;
	char *out = paths[turn++ % 4];

	snprintf(out, sizeof paths[0], "%s/%s", folder, name);
	return out;
}

static void save(const char *name, struct span bytes)
{
	struct error err;

	assert_ok(file_save(path(name), 0600, bytes, &err), err);
}

static void save_certificate(const char *name, const struct certificate *certificate)
{
	struct buffer text;

	buffer_init(&text, 65536);
	certificate_write_pem(certificate, &text);
	save(name, buffer_span(&text));
	buffer_release(&text);
}

static void save_p12(const char *name, enum pkcs12_form form, const struct key *key,
		     const struct certificate *certificate, const struct certificate_list *chain)
{
	struct secret *file = NULL;
	struct error err;

	assert_ok(pkcs12_write(form, key, certificate, chain,
			       SPAN("chat.example.com - laptop - 2027"), SPAN("k7mp-x3qd-9vha"),
			       &file, &err),
		  err);
	save(name, secret_span(file));
	secret_free(file);
}

static void save_key(const char *name, const struct key *key, const char *passphrase, bool is_root)
{
	struct secret *pem = NULL;
	struct error err;

	if (!passphrase)
		assert_ok(key_write_pem(key, &pem, &err), err);
	else if (is_root)
		assert_ok(key_write_pem_sealed(key, span_of(passphrase), &pem, &err), err);
	else
		assert_ok(key_write_pem_encrypted(key, span_of(passphrase), &pem, &err), err);
	save(name, secret_span(pem));
	secret_free(pem);
}

static void save_csr(const struct key *key)
{
	struct distinguished_name name = {0};
	struct buffer text;
	struct error err;

	buffer_init(&text, 65536);
	assert_ok(distinguished_name_add(&name, NAME_COMMON, SPAN("agent"), &err), err);
	assert_ok(csr_write_pem(key, &name, &text, &err), err);
	save("agent.csr", buffer_span(&text));
	buffer_release(&text);
}

static void save_identity(struct test_house *house, const char *kind, enum key_kind key_kind,
			  const struct certificate_list *chain)
{
	struct subject_facts facts = alice();
	struct key *key = make_key(key_kind);
	struct certificate *certificate = issue(house, PROFILE_PERSON, &facts, key);
	char name[64];

	snprintf(name, sizeof name, "%s.pem", kind);
	save_certificate(name, certificate);
	snprintf(name, sizeof name, "%s-compatible.p12", kind);
	save_p12(name, PKCS12_COMPATIBLE, key, certificate, chain);
	snprintf(name, sizeof name, "%s-modern.p12", kind);
	save_p12(name, PKCS12_MODERN, key, certificate, chain);
	snprintf(name, sizeof name, "%s.key", kind);
	save_key(name, key, NULL, false);
	snprintf(name, sizeof name, "%s-encrypted.key", kind);
	save_key(name, key, "correct horse", false);
	save_csr(key);
	certificate_free(certificate);
	key_free(key);
}

static void save_server(struct test_house *house)
{
	const struct span hosts[] = {SPAN("chat.example.com"), SPAN("192.0.2.7")};
	struct subject_facts facts = {.hosts = hosts, .host_count = 2};
	struct key *key = make_key(KEY_EC_P256);
	struct certificate *certificate = issue(house, PROFILE_SERVER, &facts, key);

	save_certificate("server.pem", certificate);
	certificate_free(certificate);
	key_free(key);
}

static int make_files(void **state)
{
	struct test_house house = test_house_make();
	struct certificate_list chain = {0};
	struct secret *phrase = recovery_make();
	struct buffer text;

	(void)state;
	if (getenv("KEEP")) {
		snprintf(folder, sizeof folder, "%s", getenv("KEEP"));
		mkdir(folder, 0700);
	} else {
		snprintf(folder, sizeof folder, "/tmp/chatelaine-interop-XXXXXX");
		assert_non_null(mkdtemp(folder));
	}
	buffer_init(&text, 65536);
	certificate_write_pem(signer_certificate(house.issuing), &text);
	save("issuing.pem", buffer_span(&text));
	certificate_write_pem(signer_certificate(house.root), &text);
	assert_ok(certificate_list_parse(buffer_span(&text), 10, &chain, &house.err), house.err);
	save_certificate("root.pem", signer_certificate(house.root));
	save_key("root.key", signer_key(house.root), (char *)phrase->bytes, true);
	save("phrase", secret_span(phrase));
	save_identity(&house, "ec", KEY_EC_P256, &chain);
	save_identity(&house, "rsa", KEY_RSA_2048, &chain);
	save_server(&house);
	buffer_release(&text);
	secret_free(phrase);
	certificate_list_release(&chain);
	test_house_release(&house);
	return 0;
}

/* Runs it in the folder by the shell; what it says goes to a file that a failure shows. */
static void accepts(const char *program, const char *command)
{
	posix_spawn_file_actions_t actions;
	char line[2048], said[600];
	char *arguments[] = {(char[]){"sh"}, (char[]){"-c"}, line, NULL};
	struct buffer text;
	int code = -1;
	pid_t pid;

	snprintf(line, sizeof line, "command -v %s >/dev/null", program);
	assert_int_equal(posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ), 0);
	assert_int_equal(waitpid(pid, &code, 0), pid);
	if (code != 0) {
		print_message("%s is not installed: skipped\n", program);
		return;
	}
	snprintf(line, sizeof line, "cd %s && { %s; }", folder, command);
	snprintf(said, sizeof said, "%s", path("said"));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, said, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	assert_int_equal(posix_spawn(&pid, "/bin/sh", &actions, NULL, arguments, environ), 0);
	assert_int_equal(waitpid(pid, &code, 0), pid);
	posix_spawn_file_actions_destroy(&actions);
	if (code == 0)
		return;
	buffer_init(&text, 65536);
	(void)!file_load(said, &text, NULL);
	fail_msg("%s\n%s", command, buffer_text(&text));
}

static int remove_files(void **state)
{
	(void)state;
	if (!getenv("KEEP"))
		accepts("rm", "rm -rf \"$PWD\"");
	return 0;
}

#define EACH_P12 "for f in ec-compatible ec-modern rsa-compatible rsa-modern; do "

static void openssl_takes_certificates_strictly(void **state)
{
	(void)state;
	accepts("openssl", "for f in ec rsa; do openssl verify -x509_strict -purpose sslclient "
			   "-CAfile root.pem -untrusted issuing.pem $f.pem || exit 1; done");
	accepts("openssl", "openssl verify -x509_strict -purpose sslserver -verify_hostname "
			   "chat.example.com -CAfile root.pem -untrusted issuing.pem server.pem");
	accepts("openssl", "! openssl verify -purpose sslserver -CAfile root.pem -untrusted "
			   "issuing.pem ec.pem");
	accepts("openssl", "! openssl verify -purpose sslclient -CAfile root.pem -untrusted "
			   "issuing.pem server.pem");
}

static void openssl_takes_keys_and_requests(void **state)
{
	(void)state;
	accepts("openssl", "openssl pkey -in ec.key -noout -check");
	accepts("openssl", "openssl pkey -in ec-encrypted.key -passin 'pass:correct horse' -noout");
	accepts("openssl", "openssl pkey -in root.key -passin file:phrase -noout");
	accepts("openssl", "openssl req -in agent.csr -verify -noout");
}

static void openssl_takes_pkcs12_without_the_legacy_provider(void **state)
{
	(void)state;
	accepts("openssl", EACH_P12 "openssl pkcs12 -in $f.p12 -passin pass:k7mp-x3qd-9vha -nodes "
				    "-out $f.out || exit 1; test $(grep -c BEGIN.CERT $f.out) = 3 "
				    "|| exit 1; done");
}

static void gnutls_takes_them(void **state)
{
	(void)state;
	accepts("certtool", EACH_P12 "certtool --p12-info --inder --infile $f.p12 --password "
				     "k7mp-x3qd-9vha || exit 1; done");
	accepts("certtool", "cat ec.pem issuing.pem root.pem >chain; certtool --verify "
			    "--load-ca-certificate root.pem --infile chain");
}

static void nss_takes_them(void **state)
{
	(void)state;
	accepts("pk12util",
		EACH_P12 "rm -rf nss && mkdir nss && certutil -N -d sql:nss "
			 "--empty-password && pk12util -i $f.p12 -d sql:nss -W "
			 "k7mp-x3qd-9vha && certutil -L -d sql:nss | grep laptop && "
			 "certutil -A -d sql:nss -n root -t CT,, -i root.pem && certutil "
			 "-V -d sql:nss -u C -n 'chat.example.com - laptop - 2027' || "
			 "exit 1; done");
}

static void java_takes_them(void **state)
{
	(void)state;
	accepts("keytool",
		EACH_P12 "keytool -list -v -storetype PKCS12 -keystore $f.p12 -storepass "
			 "k7mp-x3qd-9vha >$f.list || exit 1; grep -q PrivateKeyEntry "
			 "$f.list && grep -q 'chain length: 3' $f.list || exit 1; done");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_takes_certificates_strictly),
		cmocka_unit_test(openssl_takes_keys_and_requests),
		cmocka_unit_test(openssl_takes_pkcs12_without_the_legacy_provider),
		cmocka_unit_test(gnutls_takes_them),
		cmocka_unit_test(nss_takes_them),
		cmocka_unit_test(java_takes_them),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
