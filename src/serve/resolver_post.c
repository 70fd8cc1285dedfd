#include "serve/resolver_post.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "event/passing.h"
#include "serve/order.h"

enum { STILL_SECONDS = 10, ORDERS_A_TURN = 64, ORDERS_A_SECOND = 2048 };

static int64_t now_of(const struct resolver_post *post)
{
	return loop_now(post->loop)->mono;
}

static void end(struct resolver_post *post, const char *why)
{
	if (!post->child.pid || post->is_stopping)
		return;
	log_say(LOG_ERROR, "kill", "resolver: %s", why);
	kill(post->child.pid, SIGKILL);
}

/* It says that it lives, and nothing else. */
static void on_orders(struct source *source)
{
	struct resolver_post *post = OWNER_OF(source, struct resolver_post, orders);
	struct order order;
	enum status status;
	unsigned turn = 0;
	int fd;

	while ((status = order_receive(source->fd, &order, &fd)) == OK) {
		if (fd >= 0)
			close(fd);
		if (++post->heard > ORDERS_A_SECOND) {
			end(post, "it floods us with orders");
			return;
		}
		post->child.alive_at = now_of(post);
		if (order.verb == ORDER_READY)
			post->child.state = CHILD_READY;
		if (++turn == ORDERS_A_TURN) {
			loop_again(post->loop, source);
			return;
		}
	}
	post->is_deaf = status != AGAIN;
}

static void start(struct resolver_post *post)
{
	const int descriptors[] = {post->targets, post->scoreboard};
	const char *const words[] = {NULL};
	struct error err;

	if (child_start(&post->child, descriptors, 2, post->user, words, &err) != OK) {
		log_say(LOG_ERROR, "start", "%s", err.text);
		post->child.again_at = now_of(post) + SECONDS(1);
		return;
	}
	post->starts++;
	post->is_deaf = false;
	post->orders = (struct source){.fd = post->child.orders, .on_ready = on_orders};
	if (loop_add(post->loop, &post->orders, &err) != OK) {
		log_say(LOG_ERROR, "start", "%s", err.text);
		end(post, "its orders cannot be heard");
		return;
	}
	post->on_started(post->arg);
}

static void on_second(struct timer *timer)
{
	struct resolver_post *post = OWNER_OF(timer, struct resolver_post, second);
	int64_t next = now_of(post) + SECONDS(1);

	post->heard = 0;
	if (post->is_stopping)
		return;
	if (!post->child.pid && post->targets >= 0 && now_of(post) >= post->child.again_at)
		start(post);
	else if (post->child.pid && now_of(post) - post->child.alive_at > SECONDS(STILL_SECONDS))
		end(post, "it has stood still");
	else if (post->child.pid && post->is_deaf)
		end(post, "it has closed its way to us");
	if (!post->child.pid && post->child.again_at > now_of(post) && post->child.again_at < next)
		next = post->child.again_at;
	timer_set(loop_timers(post->loop), timer, next);
}

void resolver_post_init(struct resolver_post *post, struct loop *loop, void (*on_started)(void *), void *arg)
{
	*post = (struct resolver_post){.loop = loop,
				       .child = {.role = "resolver", .orders = -1},
				       .on_started = on_started,
				       .arg = arg,
				       .scoreboard = -1,
				       .targets = -1};
	timer_init(&post->second, on_second);
}

void resolver_post_use(struct resolver_post *post, int scoreboard, uint32_t slot, struct sandbox_user user, int targets)
{
	if (post->targets >= 0)
		close(post->targets);
	post->targets = targets;
	post->scoreboard = scoreboard;
	post->child.slot = slot;
	post->user = user;
	if (post->is_stopping)
		return;
	if (!timer_is_set(&post->second))
		timer_set(loop_timers(post->loop), &post->second, now_of(post) + SECONDS(1));
	if (targets >= 0 && !post->child.pid)
		start(post);
	else if (post->child.pid &&
		 order_send(post->child.orders, (struct order){targets >= 0 ? ORDER_BUNDLE : ORDER_STOP, 0}, targets) != OK)
		end(post, "it takes no orders");
}

void resolver_post_join(struct resolver_post *post, const struct child *gateway, uint32_t *joined)
{
	struct error err;
	int ends[2];

	if (!post->child.pid || !gateway->pid || *joined == post->starts)
		return;
	if (passing_pair(ends, &err) != OK) {
		log_say(LOG_ERROR, "start", "%s", err.text);
		return;
	}
	if (order_send(post->child.orders, (struct order){ORDER_CHANNEL, gateway->slot}, ends[0]) == OK &&
	    order_send(gateway->orders, (struct order){ORDER_CHANNEL, CHANNEL_RESOLVER}, ends[1]) == OK)
		*joined = post->starts;
	close(ends[0]);
	close(ends[1]);
}

bool resolver_post_reaped(struct resolver_post *post, pid_t pid, int wait_status)
{
	if (pid == 0 || pid != post->child.pid)
		return false;
	loop_remove(post->loop, &post->orders);
	child_gone(&post->child, now_of(post));
	if (post->is_stopping || post->targets < 0)
		return true;
	log_begin(LOG_ERROR, "ended");
	log_text("part", SPAN("resolver"));
	if (WIFSIGNALED(wait_status))
		log_number("signal", (uint64_t)WTERMSIG(wait_status));
	else
		log_number("exit", (uint64_t)WEXITSTATUS(wait_status));
	log_number("again_in_ms", (uint64_t)(post->child.again_at - now_of(post)) / 1000);
	log_end();
	timer_set(loop_timers(post->loop), &post->second, post->child.again_at);
	return true;
}

void resolver_post_stop(struct resolver_post *post)
{
	if (post->child.pid && order_send(post->child.orders, (struct order){ORDER_STOP, 0}, -1) != OK)
		kill(post->child.pid, SIGKILL);
	post->is_stopping = true;
	timer_stop(&post->second);
}

void resolver_post_kill(const struct resolver_post *post)
{
	if (post->child.pid)
		kill(post->child.pid, SIGKILL);
}

bool resolver_post_is_gone(const struct resolver_post *post)
{
	return post->child.pid == 0;
}

void resolver_post_forgive(struct resolver_post *post)
{
	post->child.alive_at = now_of(post);
}

void resolver_post_release(struct resolver_post *post)
{
	timer_stop(&post->second);
	if (post->targets >= 0)
		close(post->targets);
	post->targets = -1;
}
