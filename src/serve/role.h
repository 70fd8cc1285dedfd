/*
 * role - the mains of the parts of the house, as child_start execs them:
 * "role gateway ...", "role authority ...", "role check ...", "role resolver ...".
 */
#ifndef SERVE_ROLE_H
#define SERVE_ROLE_H

/* argv[0] is "role", argv[1] the role's name. Answers the exit status. */
int role_main(int argc, char **argv);

int gateway_role(int argc, char **argv);
int authority_role(int argc, char **argv);
int check_role(int argc, char **argv);
int upgrade_role(int argc, char **argv);
int resolver_role(int argc, char **argv);

#endif
