#include "access/condition.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "config/config_value.h"

enum { METHOD_MOST = 32 };

static enum status set_networks(struct condition *condition, const struct value_texts *from, struct error *err)
{
	size_t i;

	if (from->count > CONDITION_NETWORKS)
		return error_refuse(err, "allow-from: more than %d networks", CONDITION_NETWORKS);
	condition->networks = calloc(from->count, sizeof *condition->networks);
	if (!condition->networks)
		return error_fail(err, "no memory for a rule's networks");
	for (i = 0; i < from->count; i++) {
		if (network_parse(span_of(from->at[i]), &condition->networks[i], err) != OK) {
			error_context(err, "allow-from");
			return REFUSED;
		}
		condition->network_count++;
	}
	return OK;
}

static bool is_method(const char *name)
{
	size_t size = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-");

	return size > 0 && size <= METHOD_MOST && !name[size];
}

static bool lists(const struct value_texts *methods, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(methods->at[i], name) == 0)
			return true;
	return false;
}

static enum status set_methods(struct condition *condition, const struct value_texts *methods, struct error *err)
{
	struct buffer text;
	enum status status = OK;
	size_t i;

	if (methods->count > CONDITION_METHODS)
		return error_refuse(err, "methods: more than %d", CONDITION_METHODS);
	buffer_init(&text, (CONDITION_METHODS + 1) * (METHOD_MOST + 2));
	for (i = 0; i < methods->count && status == OK; i++) {
		const char *name = methods->at[i];

		if (!is_method(name))
			status = error_refuse(err, "methods: \"%s\" is none; write GET, POST or the like", name);
		if (lists(methods, i, name))
			status = error_refuse(err, "methods: %s is there twice", name);
		buffer_printf(&text, "%s%s", i ? ", " : "", name);
		/* HEAD asks what GET asks, for less. */
		if (strcmp(name, "GET") == 0 && !lists(methods, methods->count, "HEAD"))
			buffer_add_text(&text, ", HEAD");
	}
	if (status == OK) {
		condition->methods = strdup(buffer_text(&text));
		if (!condition->methods)
			status = error_fail(err, "no memory for a rule's methods");
	}
	buffer_release(&text);
	return status;
}

static enum status inherit_networks(struct condition *condition, const struct condition *site, struct error *err)
{
	if (site->network_count == 0)
		return OK;
	condition->networks = calloc(site->network_count, sizeof *condition->networks);
	if (!condition->networks)
		return error_fail(err, "no memory for a rule's networks");
	memcpy(condition->networks, site->networks, site->network_count * sizeof *site->networks);
	condition->network_count = site->network_count;
	return OK;
}

enum status condition_set(struct condition *condition, const struct value_texts *from,
			  const struct value_texts *methods, const struct condition *site, struct error *err)
{
	enum status status = OK;

	*condition = (struct condition){NULL, 0, NULL};
	if (from && from->count > 0)
		TRY(set_networks(condition, from, err));
	else if (site)
		TRY(inherit_networks(condition, site, err));
	if (methods && methods->count > 0) {
		TRY(set_methods(condition, methods, err));
	} else if (site && site->methods) {
		condition->methods = strdup(site->methods);
		if (!condition->methods)
			status = error_fail(err, "no memory for a rule's methods");
	}
done:
	return status;
}

void condition_release(struct condition *condition)
{
	free(condition->networks);
	free(condition->methods);
	*condition = (struct condition){NULL, 0, NULL};
}

bool condition_holds_from(const struct condition *condition, const uint8_t *address)
{
	size_t i;

	if (condition->network_count == 0)
		return true;
	for (i = 0; i < condition->network_count && address; i++)
		if (network_has_bytes(&condition->networks[i], address))
			return true;
	return false;
}

bool condition_takes(const struct condition *condition, struct span method)
{
	struct span rest = span_of(condition->methods), each;

	if (!condition->methods)
		return true;
	while (span_cut(&rest, ',', &each))
		if (span_equals(span_trim(each), method))
			return true;
	return false;
}

void condition_write(const struct condition *condition, struct buffer *out)
{
	size_t i, j;

	buffer_printf(out, "%zu ", condition->network_count);
	for (i = 0; i < condition->network_count; i++) {
		for (j = 0; j < NETWORK_BYTES; j++)
			buffer_printf(out, "%02x", condition->networks[i].address[j]);
		buffer_printf(out, "/%u ", condition->networks[i].bits);
	}
	buffer_printf(out, "%s;", condition->methods ? condition->methods : "");
}
