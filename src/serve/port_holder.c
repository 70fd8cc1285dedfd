#include "serve/port_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"

enum { TABLE_MOST = 4 << 20, STATE_LISTEN = 0x0a };

struct listener_row {
	struct address local;
	unsigned long inode;
};

/* "0100007F:1F90": each 32-bit word in the machine's order, the port in plain hex. */
static bool parse_local(const char *text, bool is_six, struct address *out)
{
	uint8_t bytes[16];
	size_t words = is_six ? 4 : 1, i;
	char *end;
	unsigned long port;

	if (strlen(text) != words * 8 + 5 || !hex_read(span_make(text, words * 8), bytes, words * 4))
		return false;
	for (i = 0; i < words; i++) {
		uint8_t *word = bytes + 4 * i;
		uint8_t turned[4] = {word[3], word[2], word[1], word[0]};

		memcpy(word, turned, 4);
	}
	port = strtoul(text + words * 8 + 1, &end, 16);
	memset(out, 0, sizeof *out);
	if (is_six) {
		out->in6.sin6_family = AF_INET6;
		memcpy(&out->in6.sin6_addr, bytes, 16);
		out->size = sizeof out->in6;
	} else {
		out->in.sin_family = AF_INET;
		memcpy(&out->in.sin_addr, bytes, 4);
		out->size = sizeof out->in;
	}
	address_set_port(out, (uint16_t)port);
	return *end == 0;
}

/* Calls `on_row` for each listening socket until it says stop. */
static void each_listener(bool (*on_row)(void *arg, const struct listener_row *row), void *arg)
{
	static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
	unsigned t;

	for (t = 0; t < 2; t++) {
		struct buffer text;
		struct span rest, line;

		buffer_init(&text, TABLE_MOST);
		if (file_load(tables[t], &text, NULL) != OK) {
			buffer_release(&text);
			continue;
		}
		rest = buffer_span(&text);
		while (span_cut(&rest, '\n', &line)) {
			char row[256], local[48];
			unsigned state;
			struct listener_row found;

			snprintf(row, sizeof row, "%.*s", SPAN_PRINT(line));
			if (sscanf(row, " %*u: %47s %*s %x %*s %*s %*s %*u %*u %lu", local, &state,
				   &found.inode) == 3 &&
			    state == STATE_LISTEN && parse_local(local, t == 1, &found.local) &&
			    !on_row(arg, &found)) {
				buffer_release(&text);
				return;
			}
		}
		buffer_release(&text);
	}
}

struct port_search {
	uint16_t port;
	unsigned long inode;
};

static bool is_port(void *arg, const struct listener_row *row)
{
	struct port_search *search = arg;

	if (address_port(&row->local) != search->port)
		return true;
	search->inode = row->inode;
	return false;
}

static bool holds_socket(const char *pid, unsigned long inode)
{
	char folder[300], wanted[64], link[600], target[64];
	struct dirent *entry;
	bool found = false;
	DIR *descriptors;

	snprintf(folder, sizeof folder, "/proc/%s/fd", pid);
	snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
	descriptors = opendir(folder);
	if (!descriptors)
		return false;
	while (!found && (entry = readdir(descriptors))) {
		ssize_t size;

		snprintf(link, sizeof link, "%s/%s", folder, entry->d_name);
		size = readlink(link, target, sizeof target - 1);
		if (size > 0) {
			target[size] = 0;
			found = strcmp(target, wanted) == 0;
		}
	}
	closedir(descriptors);
	return found;
}

bool port_holder_find(uint16_t port, struct buffer *out)
{
	struct port_search search = {.port = port};
	struct dirent *entry;
	bool found = false;
	DIR *processes;

	each_listener(is_port, &search);
	processes = search.inode ? opendir("/proc") : NULL;
	while (processes && !found && (entry = readdir(processes))) {
		char path[300];
		struct buffer name;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !holds_socket(entry->d_name, search.inode))
			continue;
		found = true;
		buffer_init(&name, 64);
		snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
		if (file_load(path, &name, NULL) == OK && name.size)
			buffer_printf(out, "%.*s (pid %s)", (int)name.size - 1, buffer_text(&name),
				      entry->d_name);
		else
			buffer_printf(out, "pid %s", entry->d_name);
		buffer_release(&name);
	}
	if (processes)
		closedir(processes);
	return found;
}

void port_holder_describe(uint16_t port, struct buffer *out)
{
	if (!port_holder_find(port, out))
		buffer_add_text(out, "another process");
}

struct side_door_search {
	const struct address *upstream;
	struct address *where;
	bool found;
};

static bool is_side_door(void *arg, const struct listener_row *row)
{
	struct side_door_search *search = arg;

	if (address_port(&row->local) != address_port(search->upstream) ||
	    address_is_loopback(&row->local))
		return true;
	*search->where = row->local;
	search->found = true;
	return false;
}

bool side_door_is_open(const struct address *upstream, struct address *where)
{
	struct side_door_search search = {.upstream = upstream, .where = where};

	/* An application on another machine is reached over the network by design. */
	if (!address_is_loopback(upstream) || upstream->any.sa_family == AF_UNIX)
		return false;
	each_listener(is_side_door, &search);
	return search.found;
}
