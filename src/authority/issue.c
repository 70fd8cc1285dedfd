#include "authority/issue.h"

#include <stdlib.h>
#include <string.h>

#include "authority/authority_handle.h"
#include "base/clock.h"
#include "base/encode.h"
#include "pki/distinguished_name.h"
#include "registry/certificate_record.h"

/* The next authority takes over while the present one still outlives the longest leaf. */
const struct signer *authority_signer(const struct authority *authority, enum profile_kind kind)
{
	const struct profile *profile = profile_get(kind);
	int64_t now = clock_seconds();
	int64_t longest = now + profile->life + profile->life / 100 * profile->jitter;
	const struct certificate_facts *present = certificate_facts(signer_certificate(authority->issuing));
	const struct certificate_facts *next;

	if (!authority->next || present->not_after >= longest)
		return authority->issuing;
	next = certificate_facts(signer_certificate(authority->next));
	return next->not_before <= now && next->not_after > present->not_after ? authority->next
									       : authority->issuing;
}

/* "0a1b.." of any length into twenty bytes. */
static enum status read_serial(const char *hex, uint8_t out[static SERIAL_SIZE], struct error *err)
{
	char padded[2 * SERIAL_SIZE + 1];
	size_t size = strlen(hex);

	if (size > 2 * SERIAL_SIZE)
		return error_fail(err, "a serial of %zu digits", size);
	memset(padded, '0', sizeof padded);
	memcpy(padded + 2 * SERIAL_SIZE - size, hex, size);
	if (!hex_read(span_make(padded, 2 * SERIAL_SIZE), out, SERIAL_SIZE))
		return error_fail(err, "a serial that is no number: %s", hex);
	return OK;
}

static enum status copy_text(char *into, size_t room, struct span text, struct error *err)
{
	if (text.size >= room)
		return error_refuse(err, "the subject is too long");
	memcpy(into, text.at, text.size);
	into[text.size] = 0;
	return OK;
}

/* What Mattermost reads: the name and the e-mail of the registry. Empty when it cannot be said. */
static enum status write_slash(const struct issue_wish *wish, const struct certificate_facts *facts,
			       char out[static SUBJECT_SIZE], struct error *err)
{
	struct distinguished_name name = {0};
	struct buffer text;
	enum status status;

	buffer_init(&text, SUBJECT_SIZE);
	out[0] = 0;
	TRY(distinguished_name_add(&name, NAME_COMMON, span_of(facts->common_name), err));
	if (wish->person)
		TRY(distinguished_name_add(&name, NAME_EMAIL, span_of(wish->person->email), err));
	if (distinguished_name_write_slash(&name, &text, NULL) == OK && buffer_is_whole(&text))
		status = copy_text(out, SUBJECT_SIZE, buffer_span(&text), err);
done:
	buffer_release(&text);
	return status;
}

static enum status fill_record(const struct issue_wish *wish, const struct certificate *certificate,
			       struct certificate_record *out, struct error *err)
{
	const struct certificate_facts *facts = certificate_facts(certificate);
	struct span der = certificate_der(certificate);
	enum status status;

	if (der.size > sizeof out->der)
		return error_refuse(err, "the certificate would have %zu bytes: too large a key", der.size);
	memcpy(out->fingerprint, facts->fingerprint, sizeof out->fingerprint);
	memcpy(out->spki, facts->spki, sizeof out->spki);
	memcpy(out->device, wish->device->id, sizeof out->device);
	memcpy(out->der, der.at, der.size);
	out->der_size = der.size;
	out->not_before = facts->not_before;
	out->not_after = facts->not_after;
	out->created = clock_seconds();
	out->state = CERTIFICATE_ACTIVE;
	TRY(read_serial(facts->serial, out->serial, err));
	TRY(copy_text(out->profile, sizeof out->profile, span_of(profile_get(wish->profile)->name), err));
	TRY(copy_text(out->subject, sizeof out->subject, span_of(facts->subject), err));
	TRY(copy_text(out->issuer, sizeof out->issuer, span_of(facts->issuer), err));
	TRY(write_slash(wish, facts, out->subject_slash, err));
done:
	return status;
}

static enum status record(struct authority *authority, const struct issue_wish *wish,
			  const struct certificate *certificate, struct error *err)
{
	struct certificate_record *record = calloc(1, sizeof *record);
	enum status status;

	if (!record)
		return error_fail(err, "no memory");
	TRY(fill_record(wish, certificate, record, err));
	TRY(certificate_record_add(authority->registry, record, err));
done:
	free(record);
	return status;
}

static enum status check_key_is_free(struct authority *authority, const struct issue_wish *wish,
				     struct error *err)
{
	uint8_t spki[SHA256_SIZE];
	enum status status;
	bool used = false;

	key_spki_sha256(wish->public_key, spki);
	TRY(certificate_record_key_is_used(authority->registry, spki, wish->device->id, &used, err));
	if (used)
		status = error_refuse(err, "this key belongs to another device, or to a certificate that was "
				      "revoked; make a new key");
done:
	return status;
}

enum status authority_issue(struct authority *authority, const struct issue_wish *wish,
			    struct certificate **out, struct error *err)
{
	const struct profile *profile = profile_get(wish->profile);
	struct certificate *certificate = NULL;
	struct subject_facts facts = {0};
	char id[DEVICE_ID_TEXT];
	enum status status;

	authority_device_text(authority, wish->device->id, id);
	facts.house = span_of(registry_trust_domain(authority->registry));
	facts.device = span_of(id);
	facts.label = span_of(wish->device->label);
	if (wish->person) {
		facts.person = span_of(wish->person->name);
		facts.email = span_of(wish->person->email);
	}
	TRY(check_key_is_free(authority, wish, err));
	TRY(signer_sign(authority_signer(authority, wish->profile), profile, &facts, wish->public_key, 0, &certificate,
			err));
	/* Record before release: nobody can revoke what nobody wrote down. */
	TRY(record(authority, wish, certificate, err));
	*out = certificate;
	certificate = NULL; /* the caller's now */
done:
	certificate_free(certificate);
	return status;
}

enum status authority_chain(struct authority *authority, const struct certificate *leaf,
			    struct certificate_list *out, struct error *err)
{
	const struct certificate *issuing = signer_certificate(authority->issuing);
	struct buffer text;
	enum status status;

	if (authority->next &&
	    certificate_check_issuer(leaf, signer_certificate(authority->next), NULL) == OK)
		issuing = signer_certificate(authority->next);
	buffer_init(&text, CERTIFICATE_TEXT_MAX);
	certificate_write_pem(issuing, &text);
	certificate_write_pem(authority->root, &text);
	status = certificate_list_parse(buffer_span(&text), CERTIFICATE_CHAIN_MAX, out, err);
	buffer_release(&text);
	return status;
}
