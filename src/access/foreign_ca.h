/*
 * foreign_ca - a CA that is not ours, as the rules see it: whom of it they
 * accept, and in which groups he is. Its sites are the door's business.
 *
 * Somebody it names is called "corp/alice@example.com": no person, device or
 * label of our registry can have a "/" in it, so nobody of a foreign CA ever
 * passes for one of ours, whatever it writes into its certificates.
 */
#ifndef ACCESS_FOREIGN_CA_H
#define ACCESS_FOREIGN_CA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "access/identity.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"
#include "config/config_value.h"
#include "pki/foreign_trust.h"

struct foreign_ca;

enum { FOREIGN_CAS_MOST = 16, FOREIGN_SITES_MOST = 256, FOREIGN_GROUPS_MOST = 16384 };

/* As the config has it. Borrowed for foreign_ca_new; the files' bytes are copied. */
struct foreign_ca_options {
	char *name;
	struct value_file certificate, intermediates, crl;
	int field;       /* enum foreign_field */
	int crl_expired; /* enum crl_expired */
	struct value_texts sites, groups, domains;
	struct value_file groups_file, allow_file; /* value_watched_file */
};
enum crl_expired { CRL_EXPIRED_WARN = 1, CRL_EXPIRED_REFUSE };

/* Whatever is wrong with an option is said with its key. An unreadable allow-file is no error: nobody
 * of this CA is accepted, and a warning is logged; of a groups-file, that nobody has its groups. */
MUST_CHECK enum status foreign_ca_new(const struct foreign_ca_options *options, struct foreign_ca **out,
				      struct error *err);
void foreign_ca_free(struct foreign_ca *ca); /* NULL is fine */

struct foreign_trust *foreign_ca_trust(const struct foreign_ca *ca); /* borrowed */
/* SHA-256 of all that decides but the contents of watched files. */
const uint8_t *foreign_ca_digest(const struct foreign_ca *ca);

/* What somebody with this path is at `now`; `*until` (seconds since 1970): the last second for which KNOWN holds. */
enum who foreign_ca_judge(const struct foreign_ca *ca, const struct foreign_path *path, int64_t now, int64_t *until);
/* His groups, "staff,admins", without doubles. */
void foreign_ca_groups(const struct foreign_ca *ca, const struct foreign_path *path, struct buffer *out);

/* Is `name` among "staff,admins"? */
bool foreign_groups_have(struct span groups, struct span name);
/* For allow-files: the digest of "corp/alice@example.com". */
void foreign_name_key(struct span name, uint8_t out[static SHA256_SIZE]);

/* -- for status and warnings: what people should know of it, one sentence a line -- */
void foreign_ca_warnings(const struct foreign_ca_options *options, const struct foreign_ca *ca, int64_t now,
			 struct buffer *out);
/* "2 roots, by e-mail; revoked 14, list of 3 h ago, next within 21 h" */
void foreign_ca_describe(const struct foreign_ca *ca, int64_t now, struct buffer *out);

#endif
