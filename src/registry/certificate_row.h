/* certificate_row - the columns of a certificate, read and believed in one place; for registry/ only. */
#ifndef REGISTRY_CERTIFICATE_ROW_H
#define REGISTRY_CERTIFICATE_ROW_H

#include "registry/certificate_record.h"
#include "registry/query.h"
#include "registry/row_mac.h"

/* The next fifteen columns; the DER is not among them, and der_size is 0. */
void certificate_row_read(struct query *query, struct certificate_record *out);

#endif
