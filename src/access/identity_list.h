/*
 * identity_list - identities that a file names, one a line: who is accepted,
 * or which groups he has.
 *
 * A line is an identity as its CA's field has it ("alice@example.com"), folded
 * like those of certificates, and for groups a space and "staff,admins" behind
 * it. "#" begins a comment at the start of a line or behind a space. A line
 * that cannot be an identity counts for nobody and is reported by its number.
 * It never changes once made.
 */
#ifndef ACCESS_IDENTITY_LIST_H
#define ACCESS_IDENTITY_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "access/allow_file.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"
#include "pki/foreign_identity.h"

struct identity_list;

/* `warn` as allow_file_parse's, may be NULL. REFUSED: more than ALLOW_FILE_LINES lines. */
MUST_CHECK enum status identity_list_parse(struct span text, enum foreign_field field, bool has_groups,
					   allow_file_warn *warn, void *arg, struct identity_list **out,
					   struct error *err);
void identity_list_free(struct identity_list *list); /* NULL is fine */

/* `identity` is folded. */
bool identity_list_has(const struct identity_list *list, struct span identity);
/* Adds "group," for each group of each of its lines. */
void identity_list_groups(const struct identity_list *list, struct span identity, struct buffer *out);
size_t identity_list_count(const struct identity_list *list);

#endif
