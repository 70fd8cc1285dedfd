#include "access/foreign_ca.h"

#include <stdlib.h>
#include <string.h>

#include "access/identity_list.h"
#include "access/policy.h"
#include "base/log.h"

enum { DAY = 86400, SOON = 7 * DAY, TEXT_MOST = 1 << 20 };

struct foreign_ca {
	struct foreign_trust *trust;
	struct identity_list *groups_of, *allowed; /* NULL: no such file */
	bool is_unreadable;                        /* the allow-file: nobody is accepted */
	char *groups;                              /* "corp,staff"; for everybody of it */
	uint8_t digest[SHA256_SIZE];
};

/* -- making one -- */

static void warn_of_line(void *arg, size_t line, const char *text)
{
	log_begin(LOG_WARNING, "identity-line");
	log_text("file", span_of(arg));
	if (line > 0)
		log_number("line", line);
	log_text("text", span_of(text));
	log_end();
}

/* *out stays NULL for a file that cannot be read. */
static enum status read_list(const struct foreign_ca_options *options, const struct value_file *file, const char *key,
			     const char *effect, struct identity_list **out, struct error *err)
{
	enum status status;

	if (!file->path)
		return OK;
	if (!file->bytes.at) {
		log_begin(LOG_WARNING, "identity-file-unreadable");
		log_text("file", span_of(file->path));
		log_text("foreign_ca", span_of(options->name));
		log_text("text", span_of(file->trouble ? file->trouble : "cannot be read"));
		log_text("effect", span_of(effect));
		log_end();
		return OK;
	}
	status = identity_list_parse(file->bytes, (enum foreign_field)options->field, file == &options->groups_file,
				     warn_of_line, file->path, out, err);
	if (status != OK)
		error_context(err, "%s %s", key, file->path);
	return status;
}

static enum status join_groups(struct foreign_ca *ca, const struct value_texts *groups, struct error *err)
{
	struct buffer text;
	size_t i;

	if (groups->count > POLICY_GROUPS)
		return error_refuse(err, "groups: more than %d", POLICY_GROUPS);
	buffer_init(&text, FOREIGN_GROUPS_MOST);
	for (i = 0; i < groups->count; i++) {
		if (strcmp(groups->at[i], "everyone") == 0) {
			buffer_release(&text);
			return error_refuse(err, "groups: everyone is no group; a site without `who` lets everyone in");
		}
		buffer_printf(&text, "%s%s", i ? "," : "", groups->at[i]);
	}
	ca->groups = strdup(buffer_text(&text));
	buffer_release(&text);
	return ca->groups ? OK : error_fail(err, "no memory for groups");
}

static void put(struct buffer *out, const char *text)
{
	buffer_printf(out, "%zu:%s", text ? strlen(text) : 0, text ? text : "");
}

/* Of watched files the names, as with a site's allow-file. */
static enum status make_digest(struct foreign_ca *ca, const struct foreign_ca_options *options, struct error *err)
{
	struct buffer text;
	enum status status = OK;

	buffer_init(&text, TEXT_MOST);
	buffer_add(&text, span_make(foreign_trust_digest(ca->trust), SHA256_SIZE));
	put(&text, ca->groups);
	put(&text, options->groups_file.path);
	put(&text, options->allow_file.path);
	put(&text, options->crl.path);
	if (buffer_is_whole(&text))
		digest_sha256(buffer_span(&text), ca->digest);
	else
		status = error_fail(err, "no memory for a digest");
	buffer_release(&text);
	return status;
}

static enum status fill(struct foreign_ca *ca, const struct foreign_ca_options *options, struct error *err)
{
	const struct foreign_trust_options trust = {
		.name = options->name,
		.field = (enum foreign_field)options->field,
		.roots = options->certificate.bytes,
		.intermediates = options->intermediates.bytes,
		.lists = options->crl.bytes,
		.refuses_when_stale = options->crl_expired == CRL_EXPIRED_REFUSE,
		.domains = options->domains.at,
		.domain_count = options->domains.count,
	};
	enum status status;

	TRY(foreign_trust_new(&trust, &ca->trust, err));
	TRY(join_groups(ca, &options->groups, err));
	TRY(read_list(options, &options->groups_file, "groups-file", "nobody has the groups that it gives",
		      &ca->groups_of, err));
	TRY(read_list(options, &options->allow_file, "allow-file", "nobody of this CA is let in", &ca->allowed, err));
	ca->is_unreadable = options->allow_file.path && !ca->allowed;
	TRY(make_digest(ca, options, err));
done:
	return status;
}

enum status foreign_ca_new(const struct foreign_ca_options *options, struct foreign_ca **out, struct error *err)
{
	struct foreign_ca *ca = calloc(1, sizeof *ca);
	enum status status;

	if (!ca)
		return error_fail(err, "no memory for a foreign CA");
	status = fill(ca, options, err);
	if (status == OK) {
		*out = ca;
		return OK;
	}
	error_context(err, "foreign-ca \"%s\"", options->name);
	foreign_ca_free(ca);
	return status;
}

void foreign_ca_free(struct foreign_ca *ca)
{
	if (!ca)
		return;
	foreign_trust_free(ca->trust);
	identity_list_free(ca->groups_of);
	identity_list_free(ca->allowed);
	free(ca->groups);
	free(ca);
}

struct foreign_trust *foreign_ca_trust(const struct foreign_ca *ca)
{
	return ca->trust;
}

const uint8_t *foreign_ca_digest(const struct foreign_ca *ca)
{
	return ca->digest;
}

/* -- judging -- */

enum who foreign_ca_judge(const struct foreign_ca *ca, const struct foreign_path *path, int64_t now, int64_t *until)
{
	enum who who = who_of_foreign(foreign_trust_judge(ca->trust, path, now, until));

	if (who != WHO_KNOWN)
		return who;
	if (ca->is_unreadable)
		return WHO_FOREIGN_FILE;
	if (ca->allowed && !identity_list_has(ca->allowed, path->identity))
		return WHO_FOREIGN_NOT_ON_FILE;
	return WHO_KNOWN;
}

bool foreign_groups_have(struct span groups, struct span name)
{
	struct span group;

	while (span_cut(&groups, ',', &group))
		if (span_equals(group, name))
			return true;
	return false;
}

void foreign_ca_groups(const struct foreign_ca *ca, const struct foreign_path *path, struct buffer *out)
{
	struct buffer all;
	struct span rest, group;

	buffer_init(&all, FOREIGN_GROUPS_MOST);
	buffer_printf(&all, "%s,", ca->groups);
	if (ca->groups_of)
		identity_list_groups(ca->groups_of, path->identity, &all);
	rest = buffer_span(&all);
	/* A list that did not fit grants what did. */
	while (span_cut(&rest, ',', &group)) {
		bool is_last_and_cut = !buffer_is_whole(&all) && rest.size == 0;

		if (group.size == 0 || is_last_and_cut || foreign_groups_have(buffer_span(out), group))
			continue;
		if (out->size)
			buffer_add_char(out, ',');
		buffer_add(out, group);
	}
	buffer_release(&all);
}

void foreign_name_key(struct span name, uint8_t out[static SHA256_SIZE])
{
	digest_sha256(name, out);
}

/* -- for people -- */

static void put_age(struct buffer *out, int64_t seconds)
{
	if (seconds < 2 * 3600)
		buffer_printf(out, "%lld min", (long long)(seconds / 60));
	else if (seconds < 2 * DAY)
		buffer_printf(out, "%lld h", (long long)(seconds / 3600));
	else
		buffer_printf(out, "%lld days", (long long)(seconds / DAY));
}

static void warn_of_dates(const char *name, const struct foreign_trust *trust, int64_t now, struct buffer *out)
{
	const struct certificate *certificate;
	size_t i;

	for (i = 0; (certificate = foreign_trust_certificate(trust, i)); i++) {
		const struct certificate_facts *facts = certificate_facts(certificate);

		if (facts->not_after >= now + SOON)
			continue;
		buffer_printf(out, "foreign-ca \"%s\": the CA certificate of %s ", name, facts->subject);
		if (facts->not_after < now) {
			buffer_add_text(out, "has expired; nobody who depends on it gets in\n");
		} else {
			buffer_add_text(out, "expires in ");
			put_age(out, facts->not_after - now);
			buffer_add_char(out, '\n');
		}
	}
}

static void warn_of_lists(const char *name, const struct foreign_trust *trust, int64_t now, struct buffer *out)
{
	const struct revocation_lists *lists = foreign_trust_lists(trust);
	size_t i;

	for (i = 0; i < revocation_lists_count(lists); i++) {
		const struct revocation_list_facts *facts = revocation_lists_facts(lists, i);

		if (facts->this_update > now)
			buffer_printf(out, "foreign-ca \"%s\": the list of %s is from the future: a clock is wrong, here "
				      "or there\n", name, facts->issuer);
		if (facts->next_update >= now)
			continue;
		buffer_printf(out, "foreign-ca \"%s\": the list of revoked certificates of %s is out of date for ", name,
			      facts->issuer);
		put_age(out, now - facts->next_update);
		buffer_add_text(out, foreign_trust_refuses_when_stale(trust)
					     ? "; nobody who depends on it gets in (crl-expired = \"refuse\")\n"
					     : "; what stands in it is refused, what was revoked since is NOT: fetch the "
					       "new one\n");
	}
}

void foreign_ca_warnings(const struct foreign_ca_options *options, const struct foreign_ca *ca, int64_t now,
			 struct buffer *out)
{
	if (options->allow_file.path && !options->allow_file.bytes.at)
		buffer_printf(out, "foreign-ca \"%s\": allow-file %s: %s; nobody of it enters\n", options->name,
			      options->allow_file.path,
			      options->allow_file.trouble ? options->allow_file.trouble : "cannot be read");
	if (options->groups_file.path && !options->groups_file.bytes.at)
		buffer_printf(out, "foreign-ca \"%s\": groups-file %s: %s; nobody has its groups\n", options->name,
			      options->groups_file.path,
			      options->groups_file.trouble ? options->groups_file.trouble : "cannot be read");
	warn_of_dates(options->name, ca->trust, now, out);
	warn_of_lists(options->name, ca->trust, now, out);
}

void foreign_ca_describe(const struct foreign_ca *ca, int64_t now, struct buffer *out)
{
	const struct revocation_lists *lists = foreign_trust_lists(ca->trust);
	size_t roots = 0, i;

	while (foreign_trust_is_root(ca->trust, roots))
		roots++;
	buffer_printf(out, "%zu root%s", roots, roots == 1 ? "" : "s");
	if (ca->allowed)
		buffer_printf(out, ", %zu identities allowed", identity_list_count(ca->allowed));
	if (!lists)
		buffer_add_text(out, ", no crl");
	for (i = 0; i < revocation_lists_count(lists); i++) {
		const struct revocation_list_facts *facts = revocation_lists_facts(lists, i);

		buffer_printf(out, "; crl of %s: %zu revoked, ", facts->issuer, facts->count);
		put_age(out, now > facts->this_update ? now - facts->this_update : 0);
		buffer_add_text(out, " old");
		if (facts->next_update == INT64_MAX)
			continue;
		buffer_add_text(out, facts->next_update < now ? ", OUT OF DATE for " : ", next within ");
		put_age(out, facts->next_update < now ? now - facts->next_update : facts->next_update - now);
	}
}
