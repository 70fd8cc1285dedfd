#include <string.h>

#include "authority/answers.h"
#include "authority/authority_handle.h"
#include "authority/describe.h"
#include "authority/turn.h"
#include "registry/audit_record.h"

enum { PEM_MOST = 65536 };

static void set_pem(json_t *words, const char *name, const struct certificate *certificate)
{
	struct buffer text;

	buffer_init(&text, PEM_MOST);
	certificate_write_pem(certificate, &text);
	json_object_set_new(words, name, json_stringn(buffer_text(&text), text.size));
	buffer_release(&text);
}

static enum status ca_cert(struct authority *authority, struct deed *deed, const json_t *words,
			   struct error *err)
{
	(void)words;
	(void)err;
	set_pem(deed->words, "root", authority->root);
	set_pem(deed->words, "issuing", signer_certificate(authority->issuing));
	if (authority->next)
		set_pem(deed->words, "next", signer_certificate(authority->next));
	return OK;
}

void answer_ca_cert(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_read(house, answer, words, ca_cert);
}

static json_t *gateway_numbers(const struct authority *authority)
{
	json_t *out = json_array();

	LIST_EACH(it, &authority->gateways)
		json_array_append_new(out, json_integer(OWNER_OF(it, struct gateway, in_authority)->number % GATEWAY_SLOTS));
	return out;
}

/* The next one takes over by itself, so its end is what needs hands. */
static int64_t issuing_not_after(const struct authority *authority)
{
	int64_t present = certificate_facts(signer_certificate(authority->issuing))->not_after;
	int64_t next = authority->next ? certificate_facts(signer_certificate(authority->next))->not_after : 0;

	return next > present ? next : present;
}

static enum status status_figures(struct authority *authority, struct deed *deed, const json_t *words,
				  struct error *err)
{
	struct registry_counts counts;
	struct audit_head head;
	json_t *out = deed->words;
	enum status status;

	(void)words;
	TRY(registry_count(authority->registry, &counts, err));
	TRY(audit_record_head(authority->registry, &head, err));
	json_object_set_new(out, "site_trust_domain", json_string(registry_trust_domain(authority->registry)));
	json_object_set_new(out, "version", json_string(VERSION));
	json_object_set_new(out, "started", json_integer(authority->started));
	json_object_set_new(out, "people", json_integer((json_int_t)counts.people));
	json_object_set_new(out, "devices", json_integer((json_int_t)counts.devices));
	json_object_set_new(out, "certificates", json_integer((json_int_t)counts.certificates));
	json_object_set_new(out, "roster", json_integer((json_int_t)roster_count(authority->roster)));
	json_object_set_new(out, "roster_room", json_integer((json_int_t)authority->roster_room));
	json_object_set_new(out, "rows_refused", json_incref(authority->refused_rows));
	json_object_set_new(out, "rows_refused_count", json_integer(authority->refused_count));
	json_object_set_new(out, "audit_records", json_integer((json_int_t)counts.audit_records));
	json_object_set_new(out, "audit_head", json_hex(head.hash, sizeof head.hash));
	json_object_set_new(out, "issuing_not_after", json_integer(issuing_not_after(authority)));
	json_object_set_new(out, "root_not_after", json_integer(certificate_facts(authority->root)->not_after));
	json_object_set_new(out, "gateways", gateway_numbers(authority));
done:
	return status;
}

void answer_status(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_read(house, answer, words, status_figures);
}
