#include "serve/name_asker.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/log.h"
#include "event/passing.h"

enum { LINE_SIZE = 320 };

/* -- the child -- */

static void write_answer(const struct addrinfo *found, struct buffer *out)
{
	size_t count = 0;

	for (; found && count < UPSTREAM_ADDRESSES; found = found->ai_next) {
		struct address address = {.size = found->ai_addrlen};
		char text[ADDRESS_TEXT_SIZE];

		if (found->ai_addrlen > sizeof address.in6)
			continue;
		memcpy(&address.any, found->ai_addr, found->ai_addrlen);
		address_ip_text(&address, text);
		buffer_printf(out, " %s", text);
		count++;
	}
}

/* "HOST" is answered by "HOST = ADDRESS ADDRESS" or "HOST ! why not". */
static bool answer_one(int pipe, const char *host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC}, *found = NULL;
	int trouble = getaddrinfo(host, NULL, &hints, &found);
	struct buffer out;
	bool is_told;

	buffer_init(&out, 4000);
	if (trouble) {
		buffer_printf(&out, "%s ! %s\n", host, trouble == EAI_SYSTEM ? strerror(errno) : gai_strerror(trouble));
	} else {
		buffer_printf(&out, "%s =", host);
		write_answer(found, &out);
		buffer_add_text(&out, "\n");
		freeaddrinfo(found);
	}
	is_told = write(pipe, out.at, out.size) == (ssize_t)out.size;
	buffer_release(&out);
	return is_told;
}

static _Noreturn void serve(int pipe)
{
	char line[LINE_SIZE];
	size_t size = 0;
	ssize_t got;

	while ((got = read(pipe, line + size, sizeof line - 1 - size)) > 0) {
		char *end;

		size += (size_t)got;
		line[size] = '\0';
		end = strchr(line, '\n');
		if (!end)
			continue;
		*end = '\0';
		if (!answer_one(pipe, line))
			break;
		size = 0; /* one at a time */
	}
	_exit(0);
}

/* The ways of nsswitch.conf(5) that are libraries: in a sandbox no code can be loaded any more. */
static void load_name_services(void)
{
	struct buffer text;
	struct span rest, line, word;

	buffer_init(&text, 65536);
	if (file_load("/etc/nsswitch.conf", &text, NULL) != OK)
		buffer_clear(&text);
	rest = buffer_span(&text);
	while (span_cut(&rest, '\n', &line)) {
		if (!span_starts(line, "hosts:"))
			continue;
		span_skip(&line, 6);
		while (span_cut(&line, ' ', &word)) {
			char name[64];

			word = span_trim(word);
			if (word.size == 0 || word.at[0] == '[' || memchr(word.at, '/', word.size))
				continue;
			snprintf(name, sizeof name, "libnss_%.*s.so.2", (int)(word.size < 40 ? word.size : 40), word.at);
			(void)!dlopen(name, RTLD_NOW | RTLD_GLOBAL);
		}
	}
	buffer_release(&text);
}

static _Noreturn void become_asker(int pipe, pid_t resolver, struct sandbox_user user)
{
	struct buffer weaker;
	struct error err = {""};

	log_gather(false);
	buffer_init(&weaker, 512);
	/* It blocks, and so may its pipe; nothing else of the resolver's is left. */
	if (dup2(pipe, STDIN_FILENO) < 0 || close_range(3, ~0u, 0) ||
	    fcntl(STDIN_FILENO, F_SETFL, 0) || sandbox_drop(user, &err) != OK ||
	    sandbox_tie(resolver, &err) != OK || (load_name_services(), sandbox_name_asker(&weaker, &err) != OK)) {
		log_say(LOG_ERROR, "start", "who asks for names: %s", err.text);
		_exit(1);
	}
	serve(STDIN_FILENO);
}

/* -- the resolver's end -- */

static void take_line(struct name_asker *asker, char *line)
{
	struct name_answer answer = {.host = line};
	char *mark = strchr(line, ' ');
	struct span rest, word;

	asker->is_asking = false;
	if (!mark || (mark[1] != '=' && mark[1] != '!'))
		return;
	*mark = '\0';
	answer.trouble = mark[1] == '!' ? mark + 3 : "no address of a kind that is used here";
	rest = span_of(mark[1] == '=' && mark[2] ? mark + 3 : "");
	while (answer.count < UPSTREAM_ADDRESSES && span_cut(&rest, ' ', &word))
		if (address_parse_ip(word, &answer.addresses[answer.count]))
			answer.count++;
	asker->on_answer(asker->arg, &answer);
}

static void on_ready(struct source *source)
{
	struct name_asker *asker = OWNER_OF(source, struct name_asker, source);
	ssize_t got;

	source->ready = 0;
	while ((got = read(source->fd, asker->line + asker->size, sizeof asker->line - 1 - asker->size)) > 0) {
		char *end;

		asker->size += (size_t)got;
		asker->line[asker->size] = '\0';
		end = strchr(asker->line, '\n');
		if (!end)
			continue;
		*end = '\0';
		asker->size = 0;
		take_line(asker, asker->line);
	}
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		asker->on_gone(asker->arg);
}

enum status name_asker_start(struct name_asker *asker, struct loop *loop, struct sandbox_user user, struct error *err)
{
	pid_t resolver = getpid(), child;
	int ends[2];
	enum status status = passing_pair(ends, err);

	if (status != OK)
		return status;
	child = fork();
	if (child == 0)
		become_asker(ends[1], resolver, user);
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return error_fail_errno(err, "cannot start who asks for names");
	}
	asker->loop = loop;
	asker->source = (struct source){.fd = ends[0], .on_ready = on_ready};
	list_init(&asker->source.again);
	return loop_add(loop, &asker->source, err);
}

void name_asker_ask(struct name_asker *asker, const char *host)
{
	char line[LINE_SIZE];
	int size = snprintf(line, sizeof line, "%s\n", host);

	asker->is_asking = true;
	if (write(asker->source.fd, line, (size_t)size) != size)
		asker->on_gone(asker->arg);
}
