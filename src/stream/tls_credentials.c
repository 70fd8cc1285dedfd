#include <stdlib.h>
#include <string.h>

#include "pki/certificate.h"
#include "pki/key.h"
#include "stream/tls_handshake.h"

enum status tls_credentials_load(struct span chain_pem, struct span key_pem, struct tls_credentials **out,
				 struct error *err)
{
	struct tls_credentials *credentials = calloc(1, sizeof *credentials);
	enum status status;

	if (!credentials)
		return error_fail(err, "no memory for a certificate");
	credentials->references = 1;
	status = certificate_list_parse(chain_pem, CERTIFICATE_CHAIN_MAX, &credentials->chain, err);
	if (status == OK)
		status = certificate_list_check_chain(&credentials->chain, err);
	if (status != OK) {
		error_context(err, "certificate");
		goto done;
	}
	status = key_parse_pem(key_pem, SPAN(""), &credentials->key, err);
	if (status == OK)
		status = key_check_strength(credentials->key, err);
	if (status != OK) {
		error_context(err, "private key");
		goto done;
	}
	if (!certificate_matches_key(credentials->chain.at[0], credentials->key)) {
		status = error_refuse(err, "the private key is another certificate's");
		goto done;
	}
	if (strcmp(certificate_facts(credentials->chain.at[0])->key, "Ed25519") == 0) {
		status = error_refuse(err, "certificate: browsers take no Ed25519 key; use EC P-256");
		goto done;
	}
	*out = credentials;
	credentials = NULL;
done:
	tls_credentials_free(credentials);
	return status;
}

struct tls_credentials *tls_credentials_share(struct tls_credentials *credentials)
{
	credentials->references++;
	return credentials;
}

void tls_credentials_free(struct tls_credentials *credentials)
{
	if (!credentials || --credentials->references)
		return;
	certificate_list_release(&credentials->chain);
	key_free(credentials->key);
	free(credentials);
}

void tls_credentials_tell(const struct tls_credentials *credentials, struct tls_credentials_facts *out)
{
	const struct certificate_facts *facts = certificate_facts(credentials->chain.at[0]);

	*out = (struct tls_credentials_facts){.not_before = facts->not_before,
					      .not_after = facts->not_after,
					      .key = facts->key,
					      .fingerprint = facts->fingerprint};
}

bool tls_credentials_cover(const struct tls_credentials *credentials, struct span name)
{
	return certificate_covers_host(credentials->chain.at[0], name);
}
