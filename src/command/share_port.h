/* share_port - how an nginx that holds port 443 goes on serving its own sites there, and passes ours on untouched. */
#ifndef COMMAND_SHARE_PORT_H
#define COMMAND_SHARE_PORT_H

struct invocation;

int command_share_port(struct invocation *invocation);
/* The same for a site that was made just now, if nginx holds the port; else nothing. */
void share_port_advise(const char *site, unsigned port);

#endif
