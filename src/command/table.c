#include "command/table.h"

#include <stdio.h>

static unsigned characters(const char *text)
{
	unsigned count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static void print_cell(const char *text, unsigned width, int is_last)
{
	unsigned used = characters(text);

	fputs(*text ? text : "-", stdout);
	if (!*text)
		used = 1;
	if (is_last)
		putchar('\n');
	else
		do
			putchar(' ');
		while (used++ <= width);
}

void table_head(const struct column *columns, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		print_cell(columns[i].title, columns[i].width, i + 1 == count);
}

void table_row(const struct column *columns, unsigned count, const char *const *texts)
{
	unsigned i;

	for (i = 0; i < count; i++)
		print_cell(texts[i], columns[i].width, i + 1 == count);
}
