#include "registry/deed_record.h"

#include "registry/query.h"

enum status deed_record_add(struct registry *registry, const struct deed_record *deed, struct error *err)
{
	struct query query;
	enum status status;

	TRY(query_start(registry, DEED_ADD, &query, err));
	query_put_blob(&query, deed->key, sizeof deed->key);
	query_put_blob(&query, deed->asked, sizeof deed->asked);
	query_put_text(&query, deed->question);
	query_put_blob(&query, deed->subject, sizeof deed->subject);
	query_put_number(&query, deed->at);
	status = query_run(&query, NULL, err);
	query_end(&query);
done:
	return status;
}

enum status deed_record_find(struct registry *registry, const uint8_t key[static 32],
			     struct deed_record *out, bool *found, struct error *err)
{
	struct query query;
	enum status status;
	bool row;
	size_t i;

	*found = false;
	TRY(query_start(registry, DEED_FIND, &query, err));
	query_put_blob(&query, key, 32);
	status = query_step(&query, &row, err);
	if (status == OK && row) {
		for (i = 0; i < sizeof out->key; i++)
			out->key[i] = key[i];
		query_get_blob(&query, out->asked, sizeof out->asked);
		query_get_text(&query, out->question, sizeof out->question);
		query_get_blob(&query, out->subject, sizeof out->subject);
		out->at = query_get_number(&query);
		*found = true;
		if (query.is_damaged)
			status = error_refuse(err, "the record of this deed is damaged");
	}
	query_end(&query);
done:
	return status;
}

enum status deed_record_expire(struct registry *registry, int64_t before, struct error *err)
{
	struct query query;
	enum status status;

	TRY(query_start(registry, DEED_EXPIRE, &query, err));
	query_put_number(&query, before);
	status = query_run(&query, NULL, err);
	query_end(&query);
done:
	return status;
}
