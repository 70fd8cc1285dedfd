#include "serve/preparation.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "serve/doubts.h"
#include "serve/foreign_keys.h"
#include "serve/front.h"
#include "serve/order.h"
#include "serve/role.h"
#include "serve/settings.h"
#include "serve/targets.h"

/* The descriptors a check sends, in this order; ORDER_BUNDLE's number says which. */
enum part { PART_PLAN, PART_BUNDLE, PART_TARGETS, PARTS, PART_REPORT = PREPARATION_REPORT };

void prepared_release(struct prepared *prepared)
{
	if (prepared->bundle >= 0)
		close(prepared->bundle);
	prepared->bundle = -1;
	if (prepared->targets >= 0)
		close(prepared->targets);
	prepared->targets = -1;
}

void preparation_init(struct preparation *preparation, struct loop *loop,
		      void (*on_done)(struct preparation *, const struct prepared *))
{
	*preparation = (struct preparation){.loop = loop,
					    .child = {.role = "check", .orders = -1},
					    .gathered = {.bundle = -1, .targets = -1},
					    .report = -1,
					    .on_done = on_done};
}

static bool is_sound(const struct plan *plan)
{
	uint32_t i;

	for (i = 0; i < plan->watched_count; i++)
		if (!memchr(plan->watched[i], 0, sizeof plan->watched[i]))
			return false;
	for (i = 0; i < plan->listen_count; i++)
		if (plan->listen[i].at.size > sizeof plan->listen[i].at.un)
			return false;
	return memchr(plan->state, 0, sizeof plan->state) && memchr(plan->access_log, 0, sizeof plan->access_log) &&
	       memchr(plan->acme_folder, 0, sizeof plan->acme_folder);
}

static bool take_plan(struct plan *plan, int fd)
{
	return pread(fd, plan, sizeof *plan, 0) == (ssize_t)sizeof *plan &&
	       plan->size == sizeof *plan && plan->workers >= 1 && plan->workers <= WORKERS_MOST &&
	       plan->listen_count >= 1 && plan->listen_count <= PLAN_LISTEN_MOST &&
	       plan->watched_count <= PLAN_WATCHED_MOST && is_sound(plan);
}

static void on_ready(struct source *source)
{
	struct preparation *preparation = OWNER_OF(source, struct preparation, source);
	struct order order;
	int fd;

	while (order_receive(source->fd, &order, &fd) == OK) {
		struct prepared *gathered = &preparation->gathered;

		if (order.verb == ORDER_BUNDLE && order.number == PART_REPORT && fd >= 0 && preparation->report < 0) {
			preparation->report = fd;
			continue;
		}
		if (order.verb != ORDER_BUNDLE || order.number != preparation->parts || fd < 0) {
			if (fd >= 0)
				close(fd);
			continue;
		}
		preparation->parts++;
		if (order.number == PART_PLAN) {
			if (!take_plan(&gathered->plan, fd))
				preparation->parts = PARTS + 1; /* never complete */
			close(fd);
		} else if (order.number == PART_BUNDLE) {
			gathered->bundle = fd;
		} else if (gathered->plan.needs_resolver) {
			gathered->targets = fd;
		} else {
			close(fd);
		}
	}
}

enum status preparation_start(struct preparation *preparation, const char *config, struct error *err)
{
	const char *const words[] = {config, NULL};
	struct sandbox_user ourselves = {getuid(), getgid()};
	enum status status;

	if (preparation->child.pid)
		return error_refuse(err, "the configuration is being read already");
	preparation->parts = 0;
	preparation_release(preparation);
	status = child_start(&preparation->child, NULL, 0, ourselves, words, err);
	if (status != OK)
		return status;
	preparation->source = (struct source){.fd = preparation->child.orders, .on_ready = on_ready};
	return loop_add(preparation->loop, &preparation->source, err);
}

void preparation_stop(struct preparation *preparation)
{
	if (preparation->child.pid)
		kill(preparation->child.pid, SIGKILL);
}

void preparation_release(struct preparation *preparation)
{
	prepared_release(&preparation->gathered);
	if (preparation->report >= 0)
		close(preparation->report);
	preparation->report = -1;
}

bool preparation_reaped(struct preparation *preparation, pid_t pid, int exit_status)
{
	if (pid == 0 || pid != preparation->child.pid)
		return false;
	on_ready(&preparation->source); /* what it sent last */
	loop_remove(preparation->loop, &preparation->source);
	child_gone(&preparation->child, loop_now(preparation->loop)->mono);
	if (exit_status == 0 && preparation->parts == PARTS) {
		/* The callee's from here on: it may begin another. */
		struct prepared done = preparation->gathered;

		preparation->gathered.bundle = preparation->gathered.targets = -1;
		preparation->on_done(preparation, &done);
	} else {
		prepared_release(&preparation->gathered);
		preparation->on_done(preparation, NULL);
	}
	return true;
}

/* The log has them at each look: the door is of no use while side doors are open. */
static void warn_of(const struct settings *settings, bool is_logged, struct buffer *said)
{
	static const struct {
		const char *event;
		void (*tell)(const struct settings *settings, struct buffer *out);
	} rows[] = {{"side-door", settings_side_doors}, {"foreign-ca", foreign_keys_warnings}};
	struct span rest, line;
	struct buffer lines;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		buffer_init(&lines, PREPARATION_SAYS_MOST);
		rows[i].tell(settings, &lines);
		rest = buffer_span(&lines);
		while (is_logged && span_cut(&rest, '\n', &line))
			log_say(LOG_WARNING, rows[i].event, "%.*s", SPAN_PRINT(line));
		if (said)
			buffer_add(said, buffer_span(&lines));
		buffer_release(&lines);
	}
}

static void tell_holes(const struct settings *settings)
{
	struct buffer lines;
	struct span rest, line;

	buffer_init(&lines, 65536);
	settings_holes(settings, &lines);
	rest = buffer_span(&lines);
	while (span_cut(&rest, '\n', &line))
		if (line.size > 0)
			log_say(LOG_INFO, "open", "no certificate is asked for at %.*s", SPAN_PRINT(line));
	buffer_release(&lines);
}

static enum status read_and_prove(const char *config, bool is_logged, struct prepared *out, struct buffer *said,
				   struct error *err)
{
	struct settings *settings = NULL;
	static struct targets targets;
	enum status status;

	*out = (struct prepared){.bundle = -1, .targets = -1};
	TRY(settings_load_all(config, said, &settings, err));
	status = front_prove(settings, err);
	if (status != OK && said)
		front_complain(settings, said);
	if (status != OK)
		goto done;
	TRY(settings_plan(settings, config, &out->plan, err));
	TRY(settings_pack(settings, &out->bundle, err));
	TRY(targets_gather(settings, &targets, err));
	out->plan.needs_resolver = targets.count > 0;
	TRY(targets_pack(&targets, &out->targets, err));
	warn_of(settings, is_logged, said);
	if (is_logged)
		tell_holes(settings);
	if (said)
		doubts_write(settings, said);
done:
	settings_free(settings);
	if (status != OK && said && said->size == 0)
		buffer_printf(said, "%s\n", err->text);
	if (status != OK)
		prepared_release(out);
	return status;
}

enum status preparation_try(const char *config, struct prepared *out, struct buffer *said, struct error *err)
{
	return read_and_prove(config, false, out, said, err);
}

static bool send_part(enum part part, int fd)
{
	return order_send(FD_ORDERS, (struct order){ORDER_BUNDLE, part}, fd) == OK;
}

static bool send_bytes(enum part part, struct span bytes)
{
	int fd = memfd_create("part", MFD_CLOEXEC);
	bool is_sent = fd >= 0 && write(fd, bytes.at, bytes.size) == (ssize_t)bytes.size && send_part(part, fd);

	if (fd >= 0)
		close(fd);
	return is_sent;
}

static void print_complaints(const struct buffer *said)
{
	struct span rest = buffer_span(said), line;

	while (span_cut(&rest, '\n', &line))
		fprintf(stderr, "chatelaine: %.*s\n", SPAN_PRINT(line));
}

int preparation_report(const char *config, bool sends_files)
{
	struct prepared prepared;
	struct buffer said;
	struct error err;
	int code = 0;

	buffer_init(&said, PREPARATION_SAYS_MOST);
	if (read_and_prove(config, sends_files, &prepared, &said, &err) != OK) {
		print_complaints(&said);
		(void)send_bytes(PART_REPORT, buffer_span(&said));
		code = 1;
	} else if (!sends_files) {
		code = 0;
	} else if (!send_bytes(PART_PLAN, span_make(&prepared.plan, sizeof prepared.plan)) ||
	    !send_part(PART_BUNDLE, prepared.bundle) || !send_part(PART_TARGETS, prepared.targets) ||
	    !send_bytes(PART_REPORT, buffer_span(&said))) {
		fprintf(stderr, "chatelaine: cannot hand the configuration to the supervisor\n");
		code = 1;
	}
	buffer_release(&said);
	return code;
}

int check_role(int argc, char **argv)
{
	struct role_start start;
	struct buffer weaker;
	struct error err = {""};

	if (role_start_parse(argc, argv, &start, &err) != OK || !start.word) {
		fprintf(stderr, "chatelaine: %s\n", err.text);
		return 2;
	}
	buffer_init(&weaker, 512);
	if (sandbox_tie(start.supervisor, &err) != OK || sandbox_check(&weaker, &err) != OK) {
		fprintf(stderr, "chatelaine: %s\n", err.text);
		return 1;
	}
	buffer_release(&weaker); /* the other parts say it */
	return preparation_report(start.word, true);
}
