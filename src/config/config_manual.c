#include "config/config_parse.h"

#include "base/roff.h"
#include "config/config_names.h"

/* In the unit that a person would write it in. */
static void write_number(struct buffer *out, const struct config_row *row, int64_t number)
{
	static const struct {
		int64_t size;
		const char *letter;
	} units[] = {{86400 * INT64_C(1000000), "d"}, {3600 * INT64_C(1000000), "h"}, {60 * INT64_C(1000000), "m"},
		     {1000000, "s"}, {1000, "ms"}},
	  sizes[] = {{1 << 30, "G"}, {1 << 20, "M"}, {1 << 10, "K"}};
	size_t i;

	if (row->kind == &value_duration) {
		for (i = 0; i + 1 < sizeof units / sizeof *units && (number == 0 || number % units[i].size); i++)
			;
		buffer_printf(out, "%lld%s", (long long)(number / units[i].size), number ? units[i].letter : "");
		return;
	}
	for (i = 0; row->kind == &value_size && i < sizeof sizes / sizeof *sizes; i++)
		if (number && number % sizes[i].size == 0) {
			buffer_printf(out, "%lld%s", (long long)(number / sizes[i].size), sizes[i].letter);
			return;
		}
	buffer_printf(out, "%lld", (long long)number);
}

static void write_facts(struct buffer *out, const struct config_row *row)
{
	const struct value_choice *choice;

	buffer_printf(out, "%s%s", row->shape == CONFIG_LIST ? "list of " : "",
		      row->kind == &value_of_choice ? "one of" : row->kind->name);
	if (row->kind == &value_of_choice)
		for (choice = row->choices; choice->name; choice++)
			roff_add_between(out, choice == row->choices ? " " : ", ", choice->name, "");
	if (row->least < row->most) {
		buffer_add_text(out, row->kind == &value_text || row->kind == &value_texts ? "; characters: " : "; from ");
		write_number(out, row, row->least);
		buffer_add_text(out, " to ");
		write_number(out, row, row->most);
	}
	if (row->is_required)
		buffer_add_text(out, "; required");
	else if (row->standard)
		roff_add_between(out, "; default ", *row->standard ? row->standard : "empty", "");
	if (row->example)
		roff_add_between(out, "; for example ", row->example, "");
	buffer_add_text(out, ".\n");
}

static void write_keys(const struct config_rows *rows, struct buffer *out, const char *section)
{
	const struct config_row *row;
	size_t i;

	for (i = 0; (row = config_next_row(rows, section, &i));) {
		if (row->shape == CONFIG_SECTION)
			continue;
		roff_add_between(out, ".TP\n.B ", row->key, "\n");
		roff_add_between(out, "", row->help, "\n.br\n");
		write_facts(out, row);
	}
}

void config_write_manual(const struct config_rows *rows, struct buffer *out)
{
	size_t i;

	buffer_add_text(out, ".SS At the top\n");
	write_keys(rows, out, "");
	for (i = 0; i < rows->count; i++) {
		const struct config_row *row = &rows->at[i];

		if (row->shape != CONFIG_SECTION)
			continue;
		roff_add_between(out, ".SS ", row->key, "");
		roff_add_between(out, " \\(dq", row->example, "\\(dq { ... }\n");
		roff_add_between(out, "", row->help, "\n");
		if (*row->section)
			roff_add_between(out, "Stands inside of ", row->section, ".\n");
		write_keys(rows, out, row->key);
	}
}
