/* table - rows for a person to read: columns grow with what is in them, and UTF-8 counts by character. */
#ifndef COMMAND_TABLE_H
#define COMMAND_TABLE_H

struct column {
	const char *title;
	unsigned width; /* at least; a longer text pushes the rest of its row */
};

void table_head(const struct column *columns, unsigned count);
void table_row(const struct column *columns, unsigned count, const char *const *texts);

#endif
