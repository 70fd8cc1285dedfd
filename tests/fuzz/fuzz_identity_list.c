/* Any bytes as a file of identities, for each field: what it has is written there, and its groups are names. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "access/foreign_ca.h"
#include "access/identity_list.h"

static const char *const probes[] = {"", "a@b.c", "a:b", "spiffe://a/b", "a.b", "A B"};

static void check_groups(const struct identity_list *list, struct span identity)
{
	struct span rest, group;
	struct buffer groups;
	size_t i;

	buffer_init(&groups, 1 << 20);
	identity_list_groups(list, identity, &groups);
	rest = buffer_span(&groups);
	while (span_cut(&rest, ',', &group)) {
		if (span_is(group, "everyone"))
			abort();
		for (i = 0; i < group.size; i++)
			if (group.at[i] <= ' ' || group.at[i] > '~')
				abort();
	}
	buffer_release(&groups);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	int field, has_groups;

	for (field = FOREIGN_EMAIL; field <= FOREIGN_CN; field++)
		for (has_groups = 0; has_groups < 2; has_groups++) {
			struct identity_list *list = NULL;
			struct span probe = span_of(probes[field]);

			if (identity_list_parse(span_make(bytes, size), (enum foreign_field)field, has_groups, NULL,
						NULL, &list, NULL) != OK)
				continue;
			if (identity_list_count(list) > size)
				abort();
			/* Only DNS names and domains are folded, and those here have no letter twice. */
			if (identity_list_has(list, probe) && field != FOREIGN_EMAIL && field != FOREIGN_DNS &&
			    !memmem(bytes, size, probe.at, probe.size))
				abort();
			check_groups(list, probe);
			identity_list_free(list);
		}
	return 0;
}
