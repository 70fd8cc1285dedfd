/* serve - chatelaine serve, chatelaine config reference, chatelaine retreat */
#ifndef COMMAND_SERVE_H
#define COMMAND_SERVE_H

#include "command/command.h"

int command_serve(struct invocation *invocation);
int command_role(struct invocation *invocation);
int command_config_reference(struct invocation *invocation);
int command_retreat(struct invocation *invocation);

enum { CONFIG_PATH_ROOM = 4200 };
/* --config, else STATE/chatelaine.conf; into a buffer of CONFIG_PATH_ROOM bytes. */
void config_path(const struct invocation *invocation, const char *said, char *out, unsigned size);
/* A command's words when they are --config FILE (or --file) and no more; EXIT_DONE, else it has been said. */
int take_config(struct invocation *invocation, char *path);

#endif
