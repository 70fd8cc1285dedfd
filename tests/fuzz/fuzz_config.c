/* A config of every kind of key: read, or refused with a place; nothing leaks either way. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_files.h"
#include "config/sample_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sample sample;
	struct config_files *files;
	struct error err = {""};
	struct buffer all;
	bool is_good;

	memset(&sample, 0, sizeof sample);
	if (config_files_from_map(sample_files, &files, &err) != OK)
		abort();
	is_good = config_parse(&sample_rows, "fuzz.conf", span_make(data, size), files, &sample, &err) == OK;
	if (!is_good && strncmp(err.text, "fuzz.conf:", 10) != 0)
		abort();
	sample_release(&sample);
	/* All mistakes in one run: good or not as before, and the first one is the same kind of sentence. */
	memset(&sample, 0, sizeof sample);
	buffer_init(&all, 1 << 20);
	if ((config_parse_all(&sample_rows, "fuzz.conf", span_make(data, size), files, &sample, &all, &err) == OK) != is_good ||
	    (all.size == 0) != is_good)
		abort();
	buffer_release(&all);
	sample_release(&sample);
	config_files_free(files);
	return 0;
}
