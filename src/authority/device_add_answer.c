#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authority/answers.h"
#include "authority/authority_handle.h"
#include "authority/describe.h"
#include "authority/entry_check.h"
#include "authority/issue.h"
#include "authority/locate.h"
#include "authority/revoke.h"
#include "authority/turn.h"
#include "base/clock.h"
#include "base/encode.h"
#include "pki/csr.h"
#include "pki/password.h"
#include "pki/pkcs12.h"
#include "registry/certificate_record.h"

enum { TEXT_MOST = 1024, PASSWORD_MOST = 128, OUT_MOST = 256 * 1024 };

enum form { FORM_P12, FORM_PEM, FORM_CSR };

/* What was asked for, checked. Texts are borrowed from the words. */
struct adding {
	enum form form;
	enum pkcs12_form profile;
	enum device_kind kind;
	bool encrypt;
	const char *person, *label, *given_password, *csr_text;
};

/* The parts of an answer while they are made. */
struct made {
	struct csr *csr;
	struct key *key; /* NULL when the asker has it */
	struct certificate *certificate;
	struct certificate_list chain;
	struct secret *password;
};

static void made_release(struct made *made)
{
	csr_free(made->csr);
	key_free(made->key);
	certificate_free(made->certificate);
	certificate_list_release(&made->chain);
	secret_free(made->password);
}

/* Reading ------------------------------------------------------------------ */

static enum status read_form(const json_t *words, struct adding *out, struct error *err)
{
	const char *form;
	enum status status;

	TRY(words_text(words, "form", TEXT_MOST, &form, err));
	if (strcmp(form, "p12") == 0)
		out->form = FORM_P12;
	else if (strcmp(form, "pem") == 0)
		out->form = FORM_PEM;
	else if (strcmp(form, "csr") == 0)
		out->form = FORM_CSR;
	else
		status = error_refuse(err, "\"%.40s\" is no form; p12, pem and csr are", form);
done:
	return status;
}

static enum status read_kind(const json_t *words, struct adding *out, struct error *err)
{
	const char *kind;
	enum status status;

	out->kind = KIND_OTHER;
	TRY(words_text_maybe(words, "kind", TEXT_MOST, &kind, err));
	if (kind && !device_kind_parse(span_of(kind), &out->kind))
		status = error_refuse(err, "\"%.40s\" is no kind of device; phone, laptop, server, shared and "
				      "other are", kind);
done:
	return status;
}

/* Phones import only the old form; of what is shared we do not know what it is. */
static enum status read_profile(const json_t *words, struct adding *out, struct error *err)
{
	const char *profile;
	enum status status;

	out->profile = out->kind == KIND_PHONE || out->kind == KIND_SHARED ? PKCS12_COMPATIBLE : PKCS12_MODERN;
	TRY(words_text_maybe(words, "profile", TEXT_MOST, &profile, err));
	if (profile && strcmp(profile, "compatible") == 0)
		out->profile = PKCS12_COMPATIBLE;
	else if (profile && strcmp(profile, "modern") == 0)
		out->profile = PKCS12_MODERN;
	else if (profile)
		status = error_refuse(err, "\"%.40s\" is no profile of a .p12; compatible (phones, macOS, old "
				      "Windows) and modern are", profile);
done:
	return status;
}

static enum status read_csr(const json_t *words, struct adding *out, struct error *err)
{
	const json_t *text = json_object_get(words, "csr");

	if (out->form != FORM_CSR)
		return OK;
	if (!json_is_string(text))
		return error_refuse(err, "csr: a certificate request in PEM form is missing");
	out->csr_text = json_string_value(text);
	return OK;
}

static enum status read_adding(const json_t *words, struct adding *out, struct error *err)
{
	enum status status;

	TRY(words_text(words, "person", TEXT_MOST, &out->person, err));
	TRY(words_text(words, "label", TEXT_MOST, &out->label, err));
	TRY(read_form(words, out, err));
	TRY(read_kind(words, out, err));
	TRY(read_profile(words, out, err));
	TRY(words_flag(words, "encrypt", &out->encrypt, err));
	TRY(words_text_maybe(words, "password", PASSWORD_MOST, &out->given_password, err));
	TRY(read_csr(words, out, err));
done:
	return status;
}

/* Making ------------------------------------------------------------------- */

static enum status make_certificate(struct authority *authority, const struct adding *adding,
				    const struct person_record *person, const struct device_record *device,
				    struct made *made, struct error *err)
{
	struct issue_wish wish = {.profile = PROFILE_PERSON, .person = person, .device = device};
	enum status status;

	if (adding->form == FORM_CSR) {
		/* Of the request only the key counts; the subject is ours to say. */
		TRY(csr_admit(span_of(adding->csr_text), &made->csr, err));
		wish.public_key = csr_key(made->csr);
	} else {
		TRY(key_generate(profile_get(wish.profile)->key, &made->key, err));
		wish.public_key = made->key;
	}
	TRY(authority_issue(authority, &wish, &made->certificate, err));
	TRY(authority_chain(authority, made->certificate, &made->chain, err));
	made->password = adding->given_password ? secret_copy(span_of(adding->given_password)) : password_make();
done:
	return status;
}

/* What a phone's list of certificates shows: "chat.example.com - phone - 2027". */
static void write_friendly(struct authority *authority, const struct device_record *device,
			   const struct made *made, char *out, size_t room)
{
	char when[CLOCK_TEXT_SIZE];

	clock_text(certificate_facts(made->certificate)->not_after, when);
	snprintf(out, room, "%s - %s - %.4s", registry_trust_domain(authority->registry), device->label, when);
}

static void set_secret_text(json_t *words, const char *name, struct span text)
{
	json_object_set_new(words, name, json_stringn(text.at, text.size));
}

static enum status write_p12(struct authority *authority, const struct adding *adding,
			     const struct device_record *device, const struct made *made, json_t *words,
			     struct error *err)
{
	struct secret *file = NULL;
	struct buffer text;
	char friendly[512];
	enum status status;

	buffer_init(&text, OUT_MOST);
	write_friendly(authority, device, made, friendly, sizeof friendly);
	TRY(pkcs12_write(adding->profile, made->key, made->certificate, &made->chain, span_of(friendly),
			 secret_span(made->password), &file, err));
	base64_write(&text, secret_span(file));
	if (!buffer_is_whole(&text))
		TRY(error_fail(err, "the .p12 is too large"));
	set_secret_text(words, "p12", buffer_span(&text));
	set_secret_text(words, "password", secret_span(made->password));
	json_object_set_new(words, "profile",
			    json_string(adding->profile == PKCS12_MODERN ? "modern" : "compatible"));
done:
	buffer_wipe(&text);
	secret_free(file);
	return status;
}

static void write_public(const struct made *made, json_t *words)
{
	struct buffer text;
	size_t i;

	buffer_init(&text, OUT_MOST);
	certificate_write_pem(made->certificate, &text);
	set_secret_text(words, "certificate", buffer_span(&text));
	buffer_clear(&text);
	for (i = 0; i < made->chain.count; i++)
		certificate_write_pem(made->chain.at[i], &text);
	set_secret_text(words, "chain", buffer_span(&text));
	buffer_release(&text);
}

static enum status write_pem(const struct adding *adding, const struct made *made, json_t *words,
			     struct error *err)
{
	struct secret *text = NULL;
	enum status status;

	if (adding->encrypt)
		TRY(key_write_pem_encrypted(made->key, secret_span(made->password), &text, err));
	else
		TRY(key_write_pem(made->key, &text, err));
	set_secret_text(words, "private_key", secret_span(text));
	if (adding->encrypt)
		set_secret_text(words, "password", secret_span(made->password));
	write_public(made, words);
done:
	secret_free(text);
	return status;
}

static enum status write_answer(struct authority *authority, const struct adding *adding,
				const struct person_record *person, const struct device_record *device,
				const struct made *made, json_t *words, struct error *err)
{
	const struct certificate_facts *facts = certificate_facts(made->certificate);
	char id[DEVICE_ID_TEXT];

	authority_device_text(authority, device->id, id);
	json_object_set_new(words, "device", json_string(id));
	json_object_set_new(words, "person", json_string(person->name));
	json_object_set_new(words, "label", json_string(device->label));
	json_object_set_new(words, "serial", json_string(facts->serial));
	json_object_set_new(words, "fingerprint", json_hex(facts->fingerprint, SHA256_SIZE));
	json_object_set_new(words, "not_after", json_integer(facts->not_after));
	if (adding->form == FORM_P12)
		return write_p12(authority, adding, device, made, words, err);
	if (adding->form == FORM_PEM)
		return write_pem(adding, made, words, err);
	write_public(made, words);
	return OK;
}

/* The deed ----------------------------------------------------------------- */

static enum status find_person(struct authority *authority, const char *name, struct person_record *out,
			       struct error *err)
{
	struct device_record *devices = calloc(PERSON_DEVICES_MOST, sizeof *devices);
	size_t i, count, live = 0;
	const uint8_t *after = NULL;
	uint8_t last[REGISTRY_ID_SIZE];
	enum status status;

	if (!devices)
		return error_fail(err, "no memory");
	TRY(locate_person(authority, name, out, err));
	if (out->state == PERSON_SUSPENDED)
		TRY(error_refuse(err, "%s is suspended", out->name));
	do {
		TRY(device_record_list(authority->registry, out->id, after, devices, PERSON_DEVICES_MOST, &count,
				       err));
		for (i = 0; i < count; i++)
			live += devices[i].state != DEVICE_REVOKED;
		if (count)
			memcpy(last, devices[count - 1].id, sizeof last);
		after = last;
	} while (count == PERSON_DEVICES_MOST);
	if (live >= PERSON_DEVICES_MOST)
		status = error_refuse(err, "%s has %zu devices, which is the most a person may have; revoke one",
				      out->name, live);
done:
	free(devices);
	return status;
}

static enum status make_device(const struct adding *adding, const struct person_record *person,
			       struct device_record *out, struct error *err)
{
	enum status status;

	memset(out, 0, sizeof *out);
	TRY(entry_check_name(span_of(adding->label), "label", out->label, sizeof out->label, err));
	registry_new_id(out->id);
	memcpy(out->person, person->id, sizeof out->person);
	out->has_person = true;
	out->kind = adding->kind;
	out->state = DEVICE_ACTIVE;
	out->created = out->changed = clock_seconds();
	out->is_authentic = true;
done:
	return status;
}

static enum status finish_adding(struct authority *authority, struct deed *deed, const struct adding *adding,
				 const struct person_record *person, const struct device_record *device,
				 struct error *err)
{
	struct made made = {0};
	char id[DEVICE_ID_TEXT];
	enum status status;

	TRY(make_certificate(authority, adding, person, device, &made, err));
	TRY(write_answer(authority, adding, person, device, &made, deed->words, err));
	authority_device_text(authority, device->id, id);
	TRY(turn_audit(deed, id, err, "%s/%s, %s, serial %s", person->name, device->label,
		       device_kind_name(device->kind), certificate_facts(made.certificate)->serial));
	deed_touch(deed, device->id);
done:
	made_release(&made);
	return status;
}

static enum status add(struct authority *authority, struct deed *deed, const json_t *words, struct error *err)
{
	struct adding adding = {0};
	struct person_record person;
	struct device_record device;
	enum status status;

	TRY(read_adding(words, &adding, err));
	TRY(find_person(authority, adding.person, &person, err));
	TRY(make_device(&adding, &person, &device, err));
	TRY(device_record_add(authority->registry, &device, err));
	TRY(finish_adding(authority, deed, &adding, &person, &device, err));
	TRY(turn_remember(deed, device.id, words, err));
done:
	return status;
}

struct finding {
	struct made *made;
	bool found;
};

static enum status take_newest(void *arg, const struct certificate_record *record, struct error *err)
{
	struct finding *finding = arg;

	if (finding->found || record->state != CERTIFICATE_ACTIVE || !record->is_authentic)
		return OK;
	finding->found = true;
	return certificate_parse_der(span_make(record->der, record->der_size), &finding->made->certificate, err);
}

/* With a CSR the certificate of the first time is the answer. */
static enum status answer_first_certificate(struct authority *authority, struct deed *deed,
					    const struct adding *adding, const struct person_record *person,
					    const struct device_record *device, struct error *err)
{
	struct made made = {0};
	struct finding finding = {.made = &made};
	enum status status;

	TRY(certificate_record_each(authority->registry, device->id, take_newest, &finding, err));
	if (!finding.found)
		TRY(error_refuse(err, "this was done before, but its certificate is gone"));
	TRY(authority_chain(authority, made.certificate, &made.chain, err));
	TRY(write_answer(authority, adding, person, device, &made, deed->words, err));
done:
	made_release(&made);
	return status;
}

/* The first answer was lost, and its key with it: the same device gets a new one, and what nobody
 * received is revoked. */
static enum status add_again(struct authority *authority, struct deed *deed,
			     const uint8_t subject[REGISTRY_ID_SIZE], const json_t *words, struct error *err)
{
	struct adding adding = {0};
	struct person_record person;
	struct device_record device;
	enum status status;
	bool has_owner;

	TRY(read_adding(words, &adding, err));
	TRY(device_record_load(authority->registry, subject, &device, err));
	TRY(locate_owner(authority, &device, &person, &has_owner, err));
	if (!device.is_authentic || !has_owner || !person.is_authentic || device.state != DEVICE_ACTIVE)
		return error_refuse(err, "this device was added before, and has been revoked since");
	if (adding.form == FORM_CSR) {
		status = answer_first_certificate(authority, deed, &adding, &person, &device, err);
		goto done;
	}
	TRY(revoke_certificates(authority, deed, &device, "superseded: it was never received", err));
	TRY(finish_adding(authority, deed, &adding, &person, &device, err));
done:
	return status;
}

void answer_device_add(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_write(house, answer, words, add, add_again);
}
