#include "command/share_port.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/buffer.h"
#include "command/command.h"
#include "command/options.h"
#include "serve/port_holder.h"
#include "wire/host_name.h"

enum { TEXT_MOST = 65536, PORT_TLS = 443 };

static const char door_usual[] = "127.0.0.1:8443", rest_usual[] = "127.0.0.1:8444";

struct sharing {
	unsigned port;
	struct address door, rest;
	const char *const *sites;
	int count;
};

/* proxy_timeout: its ten minutes would cut quiet WebSockets. */
static void write_stream(struct buffer *out, const struct sharing *sharing)
{
	char door[ADDRESS_TEXT_SIZE], rest[ADDRESS_TEXT_SIZE];
	int i;

	address_text(&sharing->door, door);
	address_text(&sharing->rest, rest);
	buffer_add_text(out, "stream {\n    map $ssl_preread_server_name $behind {\n        hostnames;\n");
	for (i = 0; i < sharing->count; i++)
		buffer_printf(out, "        %s %s;   # chatelaine\n", sharing->sites[i], door);
	buffer_printf(out,
		      "        default %s;   # nginx's own sites\n"
		      "    }\n"
		      "    server {\n"
		      "        listen %u;\n"
		      "        listen [::]:%u;\n"
		      "        ssl_preread on;\n"
		      "        proxy_protocol on;\n"
		      "        proxy_timeout 1d;\n"
		      "        proxy_pass $behind;\n"
		      "    }\n"
		      "}\n", rest, sharing->port, sharing->port);
}

static void write_steps(struct buffer *out, const struct sharing *sharing)
{
	char door[ADDRESS_TEXT_SIZE], rest[ADDRESS_TEXT_SIZE], ip[ADDRESS_TEXT_SIZE];

	address_text(&sharing->door, door);
	address_text(&sharing->rest, rest);
	address_ip_text(&sharing->door, ip);
	buffer_printf(out,
		      "# nginx keeps port %u and passes on by name, without opening TLS; each side sees who its\n"
		      "# clients are.\n#\n"
		      "# 1. Debian: apt install libnginx-mod-stream. Put this into /etc/nginx/nginx.conf, beside http { }:\n\n",
		      sharing->port);
	write_stream(out, sharing);
	buffer_printf(out,
		      "\n# 2. In each of nginx's own sites, in place of \"listen %u ssl\" and \"listen [::]:%u ssl\":\n"
		      "#        listen %s ssl proxy_protocol;\n"
		      "#        set_real_ip_from %s;\n"
		      "#        real_ip_header proxy_protocol;\n"
		      "# 3. In chatelaine.conf:\n"
		      "#        listen = {\"%s\"}\n"
		      "#        proxy-from = {\"%s\"}\n"
		      "# 4. nginx -t && systemctl restart nginx, then start chatelaine.\n",
		      sharing->port, sharing->port, rest, ip, door, ip);
}

static enum status check_site(const char *site, struct error *err)
{
	struct host_name name;
	const char *rest = strncmp(site, "*.", 2) == 0 ? site + 2 : site;
	enum status status = host_fold_name(span_of(rest), &name, err);

	if (status == OK && name.kind != HOST_DNS)
		status = error_refuse(err, "an IP address: nginx tells sites apart by the name in the handshake, and "
				      "there is none for an address");
	if (status != OK)
		error_context(err, "SITE \"%s\"", site);
	return status;
}

int command_share_port(struct invocation *invocation)
{
	const char *port = NULL, *door = NULL, *rest = NULL;
	const struct option_row rows[] = {{"port", &port, NULL}, {"door", &door, NULL}, {"rest", &rest, NULL}};
	struct sharing sharing;
	struct buffer text;
	struct error err;
	uint64_t number;
	int i;

	if (options_parse(rows, 3, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc == 0)
		return command_usage(invocation, "the SITEs are needed that chatelaine serves");
	number = PORT_TLS;
	if (port && (!span_to_u64(span_of(port), 65535, &number) || number == 0))
		return command_usage(invocation, "--port %s: a number from 1 to 65535", port);
	sharing = (struct sharing){.port = (unsigned)number,
				   .sites = (const char *const *)invocation->argv,
				   .count = invocation->argc};
	if (address_parse(span_of(door ? door : door_usual), &sharing.door, &err) != OK ||
	    address_parse(span_of(rest ? rest : rest_usual), &sharing.rest, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	for (i = 0; i < sharing.count; i++)
		if (check_site(sharing.sites[i], &err) != OK)
			return command_fail(invocation, &err);
	buffer_init(&text, TEXT_MOST);
	write_steps(&text, &sharing);
	fwrite(text.at, 1, text.size, stdout);
	buffer_release(&text);
	return EXIT_DONE;
}

void share_port_advise(const char *site, unsigned port)
{
	struct buffer holder;

	if (check_site(site, NULL) != OK)
		return;
	buffer_init(&holder, 256);
	if (port_holder_find((uint16_t)port, &holder) && strncmp(buffer_text(&holder), "nginx ", 6) == 0)
		printf("\nPort %u is held by %s. Both can share it, each with its own names:\n"
		       "      chatelaine share-port %s     prints what to put where\n",
		       port, buffer_text(&holder), site);
	buffer_release(&holder);
}
