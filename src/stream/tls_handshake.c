#include "stream/tls_handshake.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "pki/digest.h"
#include "wire/host_name.h"

enum {
	LOOKUPS_MOST = 4,
	RSA_BITS_LEAST = 2048,
	RSA_BITS_MOST = 8192,
	RSA_EXPONENT_BITS_MOST = 64,
	EC_BITS_LEAST = 256,
};

static struct tls_handshake *shake_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

/* The body of server_name (RFC 6066 section 3): exactly one name, of type host_name. */
static bool parse_server_name(const unsigned char *body, size_t size, struct span *out)
{
	if (size < 5 || (size_t)(body[0] << 8 | body[1]) != size - 2 || body[2] != 0 ||
	    (size_t)(body[3] << 8 | body[4]) != size - 5 || size == 5)
		return false;
	*out = span_make(body + 5, size - 5);
	return true;
}

static bool learn_name(struct tls_handshake *shake, struct span name)
{
	const struct tls_place *place;
	struct span kept = {"", 0};

	place = tls_context_place(shake->context, name, &kept);
	if (name.size && !kept.size) {
		shake->name_own = malloc(name.size);
		if (!shake->name_own)
			return false;
		memcpy(shake->name_own, name.at, name.size);
		kept = span_make(shake->name_own, name.size);
	}
	shake->name = kept;
	shake->place = place;
	return true;
}

static int apply_place(const struct tls_place *place, SSL *ssl, int *alert)
{
	int mode = SSL_VERIFY_NONE;

	if (!place->settings) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (SSL_get_SSL_CTX(ssl) != place->settings && !SSL_set_SSL_CTX(ssl, place->settings)) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (place->asks == TLS_ASKS)
		mode = SSL_VERIFY_PEER;
	else if (place->asks == TLS_ASKS_OR_DROPS)
		mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_set_verify(ssl, mode, NULL);
	SSL_set_max_cert_list(ssl, place->foreign_count ? FOREIGN_CHAIN_BYTES : CLIENT_CHAIN_MOST);
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* The one place where the name is taken: what it says decides the certificate, whether one is
 * asked for, and which sessions may be resumed. Runs again after a HelloRetryRequest. */
static int on_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_handshake *shake = shake_of(ssl);
	const unsigned char *body;
	struct span name = {"", 0};
	struct host_name folded;
	size_t size;

	(void)arg;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &body, &size)) {
		if (!parse_server_name(body, size, &name)) {
			*alert = SSL_AD_DECODE_ERROR;
			return SSL_CLIENT_HELLO_ERROR;
		}
		if (host_fold_name(name, &folded, NULL) != OK) {
			*alert = SSL_AD_UNRECOGNIZED_NAME;
			return SSL_CLIENT_HELLO_ERROR;
		}
		name = host_span(&folded);
	}
	if (shake->place && !span_equals(shake->name, name)) {
		*alert = SSL_AD_ILLEGAL_PARAMETER; /* RFC 8446 4.1.2: the second hello says the same */
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (!shake->place && !learn_name(shake, name)) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	return apply_place(shake->place, ssl, alert);
}

/* A verification by a huge key or with a long exponent costs as much as a signature of ours, and
 * anybody may ask for one. */
static bool is_key_affordable(EVP_PKEY *key)
{
	BIGNUM *exponent = NULL;
	bool is_short;
	int kind = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;

	if (kind != EVP_PKEY_RSA && kind != EVP_PKEY_RSA_PSS)
		return true;
	is_short = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) &&
		   BN_num_bits(exponent) <= RSA_EXPONENT_BITS_MOST;
	BN_free(exponent);
	return is_short && EVP_PKEY_get_bits(key) <= RSA_BITS_MOST;
}

/* A key that proves something when it signs. */
static bool is_key_suitable(EVP_PKEY *key)
{
	int bits;

	if (!key)
		return false;
	bits = EVP_PKEY_get_bits(key);
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		return bits >= RSA_BITS_LEAST;
	case EVP_PKEY_EC:
		return bits >= EC_BITS_LEAST;
	case EVP_PKEY_ED25519:
		return true;
	default:
		return false;
	}
}

static enum tls_standing judge_certificate(struct tls_handshake *shake, X509 *leaf)
{
	unsigned char *der = NULL;
	int size = i2d_X509(leaf, &der);
	struct span bytes;

	if (size <= 0)
		return TLS_CERTIFICATE_UNSUITABLE;
	OPENSSL_free(shake->der);
	shake->der = der;
	shake->der_size = (uint32_t)size;
	bytes = span_make(der, (size_t)size);
	/* Of an unsuitable one not even the fingerprint is told: nobody can find it by mistake. */
	memset(shake->fingerprint, 0, sizeof shake->fingerprint);
	if (!is_key_suitable(X509_get0_pubkey(leaf)))
		return TLS_CERTIFICATE_UNSUITABLE;
	digest_sha256(bytes, shake->fingerprint);
	return shake->context->hooks.on_certificate(shake->context->hooks.arg, bytes, shake->fingerprint);
}

static enum tls_standing standing_of(enum foreign_why why)
{
	switch (why) {
	case FOREIGN_GOOD:
		return TLS_CERTIFICATE_GOOD;
	case FOREIGN_EXPIRED:
	case FOREIGN_NOT_YET:
		return TLS_CERTIFICATE_EXPIRED;
	case FOREIGN_REVOKED:
		return TLS_CERTIFICATE_REVOKED;
	case FOREIGN_WRONG_PURPOSE:
		return TLS_CERTIFICATE_UNSUITABLE;
	default:
		return TLS_CERTIFICATE_UNKNOWN;
	}
}

/* Only for what is not in the roster, and only where a foreign CA counts. Possession is not proved
 * yet, so whatever is dear comes late: a path that leads to no root of ours costs no signature. The
 * first CA that finds a way decides; of those that find none, the first that says more than that. */
static enum tls_standing judge_foreign(struct tls_handshake *shake, X509_STORE_CTX *store)
{
	const struct tls_place *place = shake->place;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
	int64_t now = clock_seconds();
	enum foreign_why why = FOREIGN_UNKNOWN_ISSUER;
	size_t i;

	foreign_path_free(shake->foreign);
	shake->foreign = NULL;
	for (i = 0; i < place->foreign_count; i++) {
		struct foreign_path *path = foreign_trust_verify(place->foreign[i], leaf, sent, now);

		if (!path)
			continue;
		if (shake->foreign && shake->foreign->why != FOREIGN_UNKNOWN_ISSUER && path->why != FOREIGN_GOOD) {
			foreign_path_free(path);
			continue;
		}
		foreign_path_free(shake->foreign);
		shake->foreign = path;
		why = foreign_trust_judge(place->foreign[i], path, now, NULL);
		if (path->why == FOREIGN_GOOD)
			break;
	}
	return standing_of(why);
}

/* In place of path validation. The error chosen makes OpenSSL send the alert that fits. */
static int on_verify(X509_STORE_CTX *store, void *arg)
{
	static const int errors[] = {
		[TLS_CERTIFICATE_GOOD] = X509_V_OK,
		[TLS_CERTIFICATE_UNKNOWN] = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
		[TLS_CERTIFICATE_EXPIRED] = X509_V_ERR_CERT_HAS_EXPIRED,
		[TLS_CERTIFICATE_REVOKED] = X509_V_ERR_CERT_REVOKED,
		[TLS_CERTIFICATE_UNSUITABLE] = X509_V_ERR_EE_KEY_TOO_SMALL,
	};
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_handshake *shake = shake_of(ssl);
	X509 *leaf = X509_STORE_CTX_get0_cert(store);

	(void)arg;
	shake->standing = (uint8_t)judge_certificate(shake, leaf);
	if (shake->standing == TLS_CERTIFICATE_UNKNOWN && shake->place->foreign_count)
		shake->standing = (uint8_t)judge_foreign(shake, store);
	shake->shown = true;
	X509_STORE_CTX_set_error(store, errors[shake->standing]);
	if (shake->standing == TLS_CERTIFICATE_GOOD)
		return 1;
	return shake->place->asks != TLS_ASKS_OR_DROPS && is_key_affordable(X509_get0_pubkey(leaf));
}

static bool is_usable(const struct tls_handshake *shake, const struct tls_session *record,
		      const unsigned char *id, int64_t now)
{
	const struct tls_hooks *hooks = &shake->context->hooks;

	return CRYPTO_memcmp(record->id, id, sizeof record->id) == 0 &&
	       record->site == shake->place->number && record->epoch == shake->context->epoch &&
	       record->expiry > now && hooks->resumable_until(hooks->arg, record->fingerprint) > now;
}

/* Runs before the binder is checked, for an id that anybody may have seen on the wire: leaves no
 * trace on the connection but the count of tries. */
static SSL_SESSION *on_find(SSL *ssl, const unsigned char *id, int id_size, int *copy)
{
	struct tls_handshake *shake = shake_of(ssl);
	const struct tls_hooks *hooks = &shake->context->hooks;
	SSL_SESSION *session = NULL;
	struct tls_session record;
	int64_t now = clock_seconds();

	*copy = 0;
	if (SSL_version(ssl) != TLS1_3_VERSION || id_size != TLS_SESSION_ID_SIZE || !shake->place ||
	    shake->place->number == TLS_SITE_UNKNOWN_NAME || shake->lookups >= LOOKUPS_MOST)
		return NULL;
	shake->lookups++;
	if (hooks->on_session_find(hooks->arg, id, &record) && is_usable(shake, &record, id, now))
		session = tls_session_rebuild(ssl, &record, now);
	OPENSSL_cleanse(&record, sizeof record);
	return session;
}

/* OpenSSL tells its own number of the group, not that of the wire (RFC 8446 4.2.7). */
static uint16_t group_of(SSL *ssl)
{
	switch (SSL_get_negotiated_group(ssl)) {
	case NID_X25519:
		return 29;
	case NID_X9_62_prime256v1:
		return 23;
	case NID_secp384r1:
		return 24;
	default:
		return 0;
	}
}

static int on_new(SSL *ssl, SSL_SESSION *session)
{
	struct tls_handshake *shake = shake_of(ssl);
	const struct tls_hooks *hooks = &shake->context->hooks;
	int64_t expiry = tls_handshake_resumable(shake, ssl);
	struct tls_session record;

	if (!shake->ticketing || !expiry || !tls_session_take(session, &record))
		return 0;
	record.group = group_of(ssl);
	record.expiry = (uint32_t)expiry;
	record.handshake = shake->when;
	record.site = shake->place->number;
	record.epoch = shake->context->epoch;
	memcpy(record.fingerprint, shake->fingerprint, sizeof record.fingerprint);
	hooks->on_session_new(hooks->arg, &record);
	OPENSSL_cleanse(&record, sizeof record);
	return 0; /* no reference is kept */
}

static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_size,
			const unsigned char *offered, unsigned offered_size, void *arg)
{
	const struct tls_context *context = shake_of(ssl)->context;
	unsigned char *chosen;

	(void)arg;
	/* RFC 7301 section 3.2: nothing in common ends the handshake. */
	if (SSL_select_next_proto(&chosen, out_size, context->protocols, context->protocols_size, offered,
				  offered_size) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

void tls_handshake_teach(SSL_CTX *settings)
{
	SSL_CTX_set_client_hello_cb(settings, on_hello, NULL);
	SSL_CTX_set_cert_verify_callback(settings, on_verify, NULL);
	SSL_CTX_sess_set_get_cb(settings, on_find);
	SSL_CTX_sess_set_new_cb(settings, on_new);
	SSL_CTX_set_alpn_select_cb(settings, on_protocols, NULL);
}

void tls_handshake_release(struct tls_handshake *shake)
{
	free(shake->name_own);
	OPENSSL_free(shake->der);
	foreign_path_free(shake->foreign);
	tls_context_free(shake->context);
}

/* What OpenSSL took for the name must be what everything was decided by. */
static bool is_name_as_learnt(const struct tls_handshake *shake, const SSL *ssl)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct host_name folded;

	if (!name)
		return shake->name.size == 0;
	return host_fold_name(span_of(name), &folded, NULL) == OK &&
	       span_equals(host_span(&folded), shake->name);
}

static void tell_proved(const struct tls_handshake *shake)
{
	const struct tls_hooks *hooks = &shake->context->hooks;

	if (hooks->on_proved && shake->shown && shake->standing == TLS_CERTIFICATE_GOOD)
		hooks->on_proved(hooks->arg, span_make(shake->der, shake->der_size),
				 shake->fingerprint);
}

enum status tls_handshake_settle(struct tls_handshake *shake, SSL *ssl)
{
	if (!shake->place || !is_name_as_learnt(shake, ssl))
		return REFUSED;
	shake->resumed = SSL_session_reused(ssl);
	if (shake->resumed) {
		/* A certificate cannot have come as well; and only a session of ours tells whose it is. */
		if (shake->shown || shake->foreign ||
		    !tls_session_recall(SSL_get_session(ssl), shake->fingerprint, &shake->when))
			return REFUSED;
		shake->shown = true;
		shake->standing = TLS_CERTIFICATE_GOOD;
	} else {
		shake->when = (uint32_t)clock_seconds();
		if (!shake->shown && shake->place->asks == TLS_ASKS_OR_DROPS)
			return REFUSED;
		tell_proved(shake);
	}
	shake->settled = true;
	return OK;
}

int64_t tls_handshake_resumable(const struct tls_handshake *shake, const SSL *ssl)
{
	const struct tls_hooks *hooks = &shake->context->hooks;
	int64_t until, most = (int64_t)shake->when + TLS_SESSION_LIFE;

	/* A session does not carry the path that made somebody known. */
	if (!shake->settled || !shake->shown || shake->standing != TLS_CERTIFICATE_GOOD || shake->foreign ||
	    shake->place->number == TLS_SITE_UNKNOWN_NAME || SSL_version(ssl) != TLS1_3_VERSION)
		return 0;
	until = hooks->resumable_until(hooks->arg, shake->fingerprint);
	if (until > most)
		until = most;
	return until > clock_seconds() ? until : 0;
}
