#include "serve/role.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} roles[] = {
	{"authority", authority_role},
	{"gateway", gateway_role},
	{"check", check_role},
	{"upgrade", upgrade_role},
	{"resolver", resolver_role},
};

int role_main(int argc, char **argv)
{
	unsigned i;

	for (i = 0; i < sizeof roles / sizeof *roles; i++)
		if (argc > 1 && strcmp(argv[1], roles[i].name) == 0)
			return roles[i].run(argc, argv);
	fputs("chatelaine role: this is how chatelaine starts its own parts; use \"chatelaine serve\"\n", stderr);
	return 2;
}
