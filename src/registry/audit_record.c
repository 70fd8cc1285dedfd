#include "registry/audit_record.h"

#include <assert.h>
#include <string.h>

#include "pki/digest.h"
#include "registry/query.h"
#include "registry/registry_handle.h"
#include "registry/row_mac.h"

enum { WORD_SIZE = 512 };

struct audit_row {
	uint64_t number;
	int64_t at;
	char who[WORD_SIZE], what[WORD_SIZE], subject[WORD_SIZE], detail[WORD_SIZE];
	uint8_t before[AUDIT_HASH_SIZE], hash[AUDIT_HASH_SIZE];
};

/* No key in it: anybody with the head can check the chain. Same framing as a row's MAC. */
static void chain_hash(const struct registry *registry, const struct audit_row *row,
		       uint8_t out[static AUDIT_HASH_SIZE])
{
	struct row_mac input;

	row_mac_start(&input, "audit");
	row_mac_blob(&input, registry->authority_id, sizeof registry->authority_id);
	row_mac_number(&input, (int64_t)row->number);
	row_mac_number(&input, row->at);
	row_mac_text(&input, row->who);
	row_mac_text(&input, row->what);
	row_mac_text(&input, row->subject);
	row_mac_text(&input, row->detail);
	row_mac_blob(&input, row->before, sizeof row->before);
	assert(!input.cut);
	digest_sha256(span_make(input.bytes, input.size), out);
}

static void copy_word(char into[static WORD_SIZE], struct span text)
{
	size_t size = text.size < WORD_SIZE ? text.size : WORD_SIZE - 1;

	/* Not in the middle of a UTF-8 sequence. */
	while (size < text.size && size > 0 && ((uint8_t)text.at[size] & 0xc0) == 0x80)
		size--;
	if (size)
		memcpy(into, text.at, size);
	into[size] = 0;
}

enum status audit_record_head(struct registry *registry, struct audit_head *out, struct error *err)
{
	struct query query;
	enum status status;
	bool row;

	memset(out, 0, sizeof *out);
	TRY(query_start(registry, AUDIT_HEAD, &query, err));
	query_put_blob(&query, registry->authority_id, sizeof registry->authority_id);
	status = query_step(&query, &row, err);
	if (status == OK && row) {
		out->count = (uint64_t)query_get_number(&query);
		query_get_blob(&query, out->hash, sizeof out->hash);
		if (query.is_damaged)
			status = error_refuse(err, "the last audit record is damaged");
	}
	query_end(&query);
done:
	return status;
}

enum status audit_record_add(struct registry *registry, int64_t seconds, const struct audit_entry *entry,
			     struct error *err)
{
	struct audit_row row = {.at = seconds};
	struct audit_head head;
	struct query query;
	enum status status;

	assert(registry_is_in_transaction(registry));
	TRY(audit_record_head(registry, &head, err));
	row.number = head.count + 1;
	copy_word(row.who, entry->who);
	copy_word(row.what, entry->what);
	copy_word(row.subject, entry->subject);
	copy_word(row.detail, entry->detail);
	memcpy(row.before, head.hash, sizeof row.before);
	chain_hash(registry, &row, row.hash);
	TRY(query_start(registry, AUDIT_ADD, &query, err));
	query_put_blob(&query, registry->authority_id, sizeof registry->authority_id);
	query_put_number(&query, (int64_t)row.number);
	query_put_number(&query, row.at);
	query_put_text(&query, row.who);
	query_put_text(&query, row.what);
	query_put_text(&query, row.subject);
	query_put_text(&query, row.detail);
	query_put_blob(&query, row.before, sizeof row.before);
	query_put_blob(&query, row.hash, sizeof row.hash);
	status = query_run(&query, NULL, err);
	query_end(&query);
done:
	if (status != OK)
		error_context(err, "cannot write the audit record");
	return status;
}

static void read_row(struct query *query, struct audit_row *out)
{
	out->number = (uint64_t)query_get_number(query);
	out->at = query_get_number(query);
	query_get_text(query, out->who, sizeof out->who);
	query_get_text(query, out->what, sizeof out->what);
	query_get_text(query, out->subject, sizeof out->subject);
	query_get_text(query, out->detail, sizeof out->detail);
	query_get_blob(query, out->before, sizeof out->before);
	query_get_blob(query, out->hash, sizeof out->hash);
}

enum status audit_record_verify(struct registry *registry, struct audit_head *out, struct error *err)
{
	uint8_t hash[AUDIT_HASH_SIZE];
	struct audit_row row;
	struct query query;
	enum status status;
	bool more;

	memset(out, 0, sizeof *out);
	TRY(query_start(registry, AUDIT_EACH, &query, err));
	query_put_blob(&query, registry->authority_id, sizeof registry->authority_id);
	while ((status = query_step(&query, &more, err)) == OK && more) {
		read_row(&query, &row);
		chain_hash(registry, &row, hash);
		if (query.is_damaged || row.number != out->count + 1 ||
		    memcmp(row.before, out->hash, sizeof hash) != 0 ||
		    memcmp(row.hash, hash, sizeof hash) != 0) {
			status = error_refuse(err, "audit record %llu was changed, or the one before it is missing",
					      (unsigned long long)(out->count + 1));
			break;
		}
		out->count++;
		memcpy(out->hash, hash, sizeof hash);
	}
	query_end(&query);
done:
	return status;
}

enum status audit_record_newest(struct registry *registry, int64_t *out, struct error *err)
{
	struct query query;
	enum status status;
	bool row;

	TRY(query_start(registry, AUDIT_NEWEST, &query, err));
	status = query_step(&query, &row, err);
	if (status == OK)
		*out = row && !query_is_null(&query) ? query_get_number(&query) : 0;
	query_end(&query);
done:
	return status;
}
