/*
 * entry_check - what people type: names, labels, e-mails, groups, reasons,
 * sites. Each REFUSED quotes the input and says what is allowed.
 *
 * "/" and "=" are refused in names and labels, because PERSON/LABEL names a
 * device and because the slash form of a DN (Mattermost) has no escape.
 */
#ifndef AUTHORITY_ENTRY_CHECK_H
#define AUTHORITY_ENTRY_CHECK_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"
#include "registry/person_record.h"

/* Well-formed UTF-8 (RFC 3629) without control characters (C0, DEL, C1) and without the invisible
 * characters that turn or hide text (U+200B-200F, U+2028-202E, U+2060-2069, U+FEFF). */
bool entry_is_plain_text(struct span text);

/* Trimmed to *out, terminated; at most room - 1 bytes. `what` is "name" or "label". */
MUST_CHECK enum status entry_check_name(struct span text, const char *what, char *out, size_t room,
					struct error *err);
/* ASCII, one @, a host name behind it: what fits into an rfc822Name and every dialect. */
MUST_CHECK enum status entry_check_email(struct span text, char out[static PERSON_EMAIL_SIZE],
					 struct error *err);
/* A JSON list of names, or one text "a,b": sorted, no doubles, "a,b,c". NULL or null is none. A group is
 * 1 to 64 of letters, digits, "_", ".", "-". */
MUST_CHECK enum status entry_check_groups(const json_t *list, char out[static PERSON_GROUPS_SIZE],
					  struct error *err);
/* May be empty. */
MUST_CHECK enum status entry_check_reason(struct span text, char *out, size_t room, struct error *err);
/* A host name or IP literal, folded to lower case into `out` (terminated). */
MUST_CHECK enum status entry_check_site(struct span text, char *out, size_t room, bool *is_ip,
					struct error *err);

#endif
