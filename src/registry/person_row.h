/* person_row - the columns of a person, read and believed in one place; for registry/ only. */
#ifndef REGISTRY_PERSON_ROW_H
#define REGISTRY_PERSON_ROW_H

#include "registry/person_record.h"
#include "registry/query.h"
#include "registry/row_mac.h"

/* The next nine columns. */
void person_row_read(struct query *query, struct person_record *out);

#endif
