#include "stream/tls_session.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* Rides in the session as its ticket's application data. */
struct luggage {
	uint8_t fingerprint[32];
	uint32_t handshake;
};

bool tls_session_take(const SSL_SESSION *session, struct tls_session *out)
{
	const SSL_CIPHER *cipher = SSL_SESSION_get0_cipher(session);
	const unsigned char *id;
	unsigned int id_size;
	size_t secret_size;

	memset(out, 0, sizeof *out);
	id = SSL_SESSION_get_id(session, &id_size);
	secret_size = SSL_SESSION_get_master_key(session, NULL, 0);
	if (SSL_SESSION_get_protocol_version(session) != TLS1_3_VERSION || !cipher ||
	    id_size != sizeof out->id || secret_size > sizeof out->secret || secret_size == 0)
		return false;
	memcpy(out->id, id, id_size);
	out->secret_length = (uint8_t)SSL_SESSION_get_master_key(session, out->secret, secret_size);
	out->cipher = SSL_CIPHER_get_protocol_id(cipher);
	return true;
}

/* NULL unless it is a suite of TLS 1.3 whose hash is as long as the secret (RFC 8446 4.6.1). */
static const SSL_CIPHER *cipher_of(SSL *ssl, const struct tls_session *record)
{
	const unsigned char wire[2] = {(unsigned char)(record->cipher >> 8),
				       (unsigned char)record->cipher};
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, wire);
	const EVP_MD *hash;

	if (!cipher || record->cipher >> 8 != 0x13)
		return NULL;
	hash = SSL_CIPHER_get_handshake_digest(cipher);
	return hash && EVP_MD_get_size(hash) == record->secret_length ? cipher : NULL;
}

SSL_SESSION *tls_session_rebuild(SSL *ssl, const struct tls_session *record, int64_t now)
{
	const SSL_CIPHER *cipher = cipher_of(ssl, record);
	SSL_SESSION *session = NULL;
	struct luggage luggage;

	if (!cipher || record->expiry <= now || record->handshake > now ||
	    record->expiry > (int64_t)record->handshake + TLS_SESSION_LIFE)
		return NULL;
	memset(&luggage, 0, sizeof luggage);
	memcpy(luggage.fingerprint, record->fingerprint, sizeof luggage.fingerprint);
	luggage.handshake = record->handshake;
	session = SSL_SESSION_new();
	/* Its time is the machine's now; what is left of the session's life is its timeout. */
	if (session && SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) &&
	    SSL_SESSION_set_cipher(session, cipher) &&
	    SSL_SESSION_set1_master_key(session, record->secret, record->secret_length) &&
	    SSL_SESSION_set1_id(session, record->id, sizeof record->id) &&
	    SSL_SESSION_set1_id_context(session, (const unsigned char *)TLS_SESSION_CONTEXT,
					sizeof TLS_SESSION_CONTEXT - 1) &&
	    SSL_SESSION_set_timeout(session, (long)(record->expiry - now)) &&
	    SSL_SESSION_set1_ticket_appdata(session, &luggage, sizeof luggage))
		return session;
	SSL_SESSION_free(session);
	ERR_clear_error();
	return NULL;
}

bool tls_session_recall(SSL_SESSION *session, uint8_t fingerprint[static 32], uint32_t *handshake)
{
	struct luggage luggage;
	void *data = NULL;
	size_t size = 0;

	if (!session || !SSL_SESSION_get0_ticket_appdata(session, &data, &size) || !data ||
	    size != sizeof luggage)
		return false;
	memcpy(&luggage, data, sizeof luggage);
	memcpy(fingerprint, luggage.fingerprint, sizeof luggage.fingerprint);
	*handshake = luggage.handshake;
	return true;
}
