/*
 * acme - public certificates by certbot or uacme, whichever is there, with
 * port 80's folder as their webroot: got, put into the configuration, renewed.
 */
#ifndef COMMAND_ACME_H
#define COMMAND_ACME_H

struct invocation;

int command_acme(struct invocation *invocation);

/* The same for "init --acme": one site, its configuration at `config`. `server` NULL: Let's Encrypt. */
int acme_get(const struct invocation *invocation, const char *config, const char *site, const char *email,
	     const char *server);

#endif
