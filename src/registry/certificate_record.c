#include "registry/certificate_record.h"

#include <stdlib.h>
#include <string.h>

#include "pki/digest.h"
#include "registry/certificate_row.h"
#include "registry/registry_handle.h"

static const char *const states[] = {[CERTIFICATE_ACTIVE] = "active", [CERTIFICATE_REVOKED] = "revoked"};

const char *certificate_state_name(enum certificate_state state)
{
	return states[state];
}

static void fill_mac(const struct certificate_record *certificate, struct row_mac *mac)
{
	row_mac_start(mac, "certificate");
	row_mac_blob(mac, certificate->fingerprint, sizeof certificate->fingerprint);
	row_mac_blob(mac, certificate->serial, sizeof certificate->serial);
	row_mac_blob(mac, certificate->spki, sizeof certificate->spki);
	row_mac_blob(mac, certificate->device, sizeof certificate->device);
	row_mac_text(mac, certificate->profile);
	row_mac_number(mac, certificate->not_before);
	row_mac_number(mac, certificate->not_after);
	row_mac_text(mac, states[certificate->state]);
	row_mac_number(mac, certificate->revoked);
	row_mac_text(mac, certificate->reason);
	row_mac_number(mac, certificate->created);
	row_mac_text(mac, certificate->subject);
	row_mac_text(mac, certificate->subject_slash);
	row_mac_text(mac, certificate->issuer);
}

void certificate_row_read(struct query *query, struct certificate_record *out)
{
	uint8_t stored[ROW_MAC_SIZE];
	struct row_mac mac;

	query->is_damaged = false;
	query_get_blob(query, out->fingerprint, sizeof out->fingerprint);
	query_get_blob(query, out->serial, sizeof out->serial);
	query_get_blob(query, out->spki, sizeof out->spki);
	query_get_blob(query, out->device, sizeof out->device);
	query_get_text(query, out->profile, sizeof out->profile);
	out->not_before = query_get_number(query);
	out->not_after = query_get_number(query);
	out->state = (enum certificate_state)query_get_word(query, states, 2);
	out->revoked = query_get_number(query);
	query_get_text(query, out->reason, sizeof out->reason);
	out->created = query_get_number(query);
	query_get_text(query, out->subject, sizeof out->subject);
	query_get_text(query, out->subject_slash, sizeof out->subject_slash);
	query_get_text(query, out->issuer, sizeof out->issuer);
	query_get_blob(query, stored, sizeof stored);
	out->der_size = 0;
	fill_mac(out, &mac);
	out->is_authentic = !query->is_damaged &&
			    row_mac_matches(&mac, secret_span(query->registry->row_key), stored);
	out->was_put_back = out->state != CERTIFICATE_REVOKED &&
			    revoked_list_has(query->registry->revoked, REVOKED_CERTIFICATE, out->fingerprint);
	if (out->was_put_back)
		out->state = CERTIFICATE_REVOKED;
}

/* The MAC covers the DER by its hash. */
static void read_with_der(struct query *query, struct certificate_record *out)
{
	uint8_t hash[SHA256_SIZE];

	certificate_row_read(query, out);
	out->der_size = query_get_bytes(query, out->der, sizeof out->der);
	digest_sha256(span_make(out->der, out->der_size), hash);
	if (memcmp(hash, out->fingerprint, sizeof hash) != 0)
		out->is_authentic = false;
}

enum status certificate_record_add(struct registry *registry, const struct certificate_record *certificate,
				   struct error *err)
{
	uint8_t written[ROW_MAC_SIZE];
	struct row_mac mac;
	struct query query;
	enum status status;

	fill_mac(certificate, &mac);
	row_mac_write(&mac, secret_span(registry->row_key), written);
	TRY(query_start(registry, CERTIFICATE_ADD, &query, err));
	query_put_blob(&query, certificate->fingerprint, sizeof certificate->fingerprint);
	query_put_blob(&query, certificate->serial, sizeof certificate->serial);
	query_put_blob(&query, certificate->spki, sizeof certificate->spki);
	query_put_blob(&query, certificate->device, sizeof certificate->device);
	query_put_text(&query, certificate->profile);
	query_put_number(&query, certificate->not_before);
	query_put_number(&query, certificate->not_after);
	query_put_text(&query, states[certificate->state]);
	query_put_number(&query, certificate->revoked);
	query_put_text(&query, certificate->reason);
	query_put_number(&query, certificate->created);
	query_put_text(&query, certificate->subject);
	query_put_text(&query, certificate->subject_slash);
	query_put_text(&query, certificate->issuer);
	query_put_blob(&query, written, sizeof written);
	query_put_blob(&query, certificate->der, certificate->der_size);
	status = query_run(&query, NULL, err);
	query_end(&query);
	if (status == REFUSED)
		(void)error_refuse(err, "a certificate with that serial or those bytes is known already");
done:
	return status;
}

enum status certificate_record_save(struct registry *registry, const struct certificate_record *certificate,
				    struct error *err)
{
	uint8_t written[ROW_MAC_SIZE];
	struct row_mac mac;
	struct query query;
	enum status status;
	int changed = 0;

	if (certificate->state == CERTIFICATE_REVOKED)
		TRY(revoked_list_note(registry->revoked, REVOKED_CERTIFICATE, certificate->fingerprint, err));
	fill_mac(certificate, &mac);
	row_mac_write(&mac, secret_span(registry->row_key), written);
	TRY(query_start(registry, CERTIFICATE_SAVE, &query, err));
	query_put_blob(&query, certificate->fingerprint, sizeof certificate->fingerprint);
	query_put_text(&query, states[certificate->state]);
	query_put_number(&query, certificate->revoked);
	query_put_text(&query, certificate->reason);
	query_put_blob(&query, written, sizeof written);
	status = query_run(&query, &changed, err);
	query_end(&query);
	if (status == OK && changed != 1)
		status = error_fail(err, "no such certificate");
done:
	return status;
}

enum status certificate_record_load(struct registry *registry, const uint8_t fingerprint[FINGERPRINT_SIZE],
				    struct certificate_record *out, struct error *err)
{
	struct query query;
	enum status status;
	bool row;

	TRY(query_start(registry, CERTIFICATE_LOAD, &query, err));
	query_put_blob(&query, fingerprint, FINGERPRINT_SIZE);
	status = query_step(&query, &row, err);
	if (status == OK && row)
		read_with_der(&query, out);
	query_end(&query);
	if (status == OK && !row)
		status = error_refuse(err, "no such certificate");
done:
	return status;
}

enum status certificate_record_key_is_used(struct registry *registry, const uint8_t spki[FINGERPRINT_SIZE],
					   const uint8_t device[REGISTRY_ID_SIZE], bool *out,
					   struct error *err)
{
	struct query query;
	enum status status;
	bool row;

	TRY(query_start(registry, CERTIFICATE_KEY_IS_USED, &query, err));
	query_put_blob(&query, spki, FINGERPRINT_SIZE);
	query_put_blob(&query, device, REGISTRY_ID_SIZE);
	status = query_step(&query, &row, err);
	if (status == OK)
		*out = query_get_number(&query) > 0;
	query_end(&query);
done:
	return status;
}

enum status certificate_record_each(struct registry *registry, const uint8_t device[REGISTRY_ID_SIZE],
				    certificate_visit *visit, void *arg, struct error *err)
{
	struct certificate_record *certificate = calloc(1, sizeof *certificate);
	struct query query;
	enum status status;
	bool row;

	if (!certificate)
		return error_fail(err, "no memory");
	TRY(query_start(registry, CERTIFICATE_EACH, &query, err));
	query_put_blob(&query, device, REGISTRY_ID_SIZE);
	while ((status = query_step(&query, &row, err)) == OK && row) {
		read_with_der(&query, certificate);
		status = visit(arg, certificate, err);
		if (status != OK)
			break;
	}
	query_end(&query);
done:
	free(certificate);
	return status;
}

enum status certificate_record_each_ending(struct registry *registry, int64_t now, int64_t until, int64_t most,
					   ending_visit *visit, void *arg, struct error *err)
{
	struct query query;
	enum status status;
	bool row;

	TRY(query_start(registry, CERTIFICATE_ENDING, &query, err));
	query_put_number(&query, now);
	query_put_number(&query, until);
	query_put_number(&query, most);
	while ((status = query_step(&query, &row, err)) == OK && row) {
		struct ending_certificate ending;

		query_get_blob(&query, ending.device, sizeof ending.device);
		query_get_text(&query, ending.person, sizeof ending.person);
		query_get_text(&query, ending.label, sizeof ending.label);
		ending.not_after = query_get_number(&query);
		status = visit(arg, &ending, err);
		if (status != OK)
			break;
	}
	query_end(&query);
done:
	return status;
}
