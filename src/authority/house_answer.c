#include <string.h>

#include "authority/answers.h"
#include "authority/authority_handle.h"
#include "authority/describe.h"
#include "authority/figures.h"
#include "authority/turn.h"
#include "base/clock.h"
#include "registry/audit_record.h"

enum { PEM_MOST = 65536, ENDING_SECONDS = 14 * 86400, ENDING_MOST = 50 };

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

static enum status add_ending(void *arg, const struct ending_certificate *ending, struct error *err)
{
	(void)err;
	json_array_append_new(arg, json_pack("{s:o, s:s, s:s, s:I}", "device", json_hex(ending->device, sizeof ending->device),
					     "person", ending->person, "label", ending->label, "not_after",
					     (json_int_t)ending->not_after));
	return OK;
}

/* Devices whose last certificate ends soon: nobody renewed them. */
static enum status describe_ending(struct authority *authority, json_t *into, struct error *err)
{
	int64_t now = clock_seconds();
	json_t *list = json_array();

	json_object_set_new(into, "ending", list);
	return certificate_record_each_ending(authority->registry, now, now + ENDING_SECONDS, ENDING_MOST, add_ending, list,
					      err);
}

static enum status status_figures(struct authority *authority, struct deed *deed, const json_t *words,
				  struct error *err)
{
	struct registry_counts counts;
	struct audit_head head;
	json_t *out = deed->words;
	int64_t newest;
	enum status status;

	(void)words;
	TRY(registry_count(authority->registry, &counts, err));
	TRY(audit_record_head(authority->registry, &head, err));
	TRY(audit_record_newest(authority->registry, &newest, err));
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
	json_object_set_new(out, "newest_record", json_integer(newest));
	TRY(describe_ending(authority, out, err));
	figures_describe(authority->figures, clock_read().mono, out);
done:
	return status;
}

void answer_status(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_read(house, answer, words, status_figures);
}
