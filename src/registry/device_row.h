/* device_row - the columns of a device, read and believed in one place; for registry/ only. */
#ifndef REGISTRY_DEVICE_ROW_H
#define REGISTRY_DEVICE_ROW_H

#include "registry/device_record.h"
#include "registry/query.h"
#include "registry/row_mac.h"

/* The next nine columns; `seen` is not among them. */
void device_row_read(struct query *query, struct device_record *out);

#endif
