#include <stddef.h>

#include "command/acme.h"
#include "command/certificate_commands.h"
#include "command/command.h"
#include "command/config_commands.h"
#include "command/device.h"
#include "command/doctor.h"
#include "command/example.h"
#include "command/init.h"
#include "command/manual.h"
#include "command/person.h"
#include "command/serve.h"
#include "command/share_port.h"
#include "command/status.h"
#include "command/watch_command.h"

const struct command commands[] = {
	{"init", NULL, command_init,
	 "SITE --to URL [--listen ADDRESS:PORT] [--preset NAME] [--recovery-file FILE] [--acme EMAIL]",
	 "make a house: authority, registry, configuration",
	 "SITE is the name (or IP address) that browsers will use. A certificate of Let's Encrypt\n"
	 "for it is found and used; --acme EMAIL has certbot or uacme get one; else the house's own\n"
	 "authority makes one. --to is where the\n"
	 "application listens. Presets: generic, rocketchat, mattermost, device-list.\n"
	 "The recovery phrase is shown once on a terminal, or saved into --recovery-file.", false},
	{"serve", NULL, command_serve, "[--config FILE]", "open the door",
	 "Runs until SIGTERM or Ctrl-C. The configuration is STATE/chatelaine.conf unless --config\n"
	 "names another. Changed certificates and allow-files are taken up by themselves.", false},
	{"status", NULL, command_status, "[--watch | --check] [--config FILE]", "problems first, then figures",
	 "Each problem comes with what to do; what is open to all is so because you said so.\n"
	 "(+N) is what came in the last five minutes.\n"
	 "--watch   again each second until Ctrl-C\n"
	 "--check   one line for monitoring; exit 0: fine, 1: warning, 2: critical, 3: not to be told", false},
	{"doctor", NULL, command_doctor, "SITE [--config FILE]", "look at a site from outside in, and say what to do",
	 "The name, who ends TLS at each of its addresses, the certificate, port 80, IPv6, the clock,\n"
	 "the application, side doors, renewal. Exit 1 if something is bad. Works on any machine; on\n"
	 "the door's own it knows more.", false},
	{"watch", NULL, command_watch, "[--site S] [--since 1d] [--follow] [--reset] [--config FILE]",
	 "who would be refused if the rules were enforced, and who is ready",
	 "For sites and locations with no-certificate = watch or \"watch until 2026-12-24\": what\n"
	 "passed and would have been refused, by path, address and kind of program; which people\n"
	 "were not seen with a certificate yet; what to do. Gateways tell once a minute.\n"
	 "--since 1d      only what was met since then (also 12h, 30m, 2026-11-20); people too,\n"
	 "                who else count as ready when they were there within 30 days\n"
	 "--follow        go on, and show what comes in\n"
	 "--reset         forget what was counted (of one site with --site)", false},
	{"person", "add", command_person_add, "NAME --email E [--groups a,b] [--admin]", "make a person known", NULL, false},
	{"person", "list", command_person_list, "", "everyone who is known", NULL, false},
	{"person", "show", command_person_show, "NAME", "one person with all devices", NULL, false},
	{"person", "remove", command_person_remove, "NAME", "end a person; all devices are revoked", NULL, false},
	{"device", "add", command_device_add,
	 "PERSON --label L [--kind phone|laptop|server|shared|other] (--p12 FILE | --pem FOLDER | --csr FILE --out FILE)",
	 "make a device and its certificate",
	 "--p12 FILE      a PKCS#12 file to import; its password is made up and shown once\n"
	 "  --profile compatible|modern   by kind if not given: phones get compatible\n"
	 "--pem FOLDER    cert.pem, key.pem, chain.pem, for curl and programs; --encrypt for a passphrase\n"
	 "--csr FILE --out FILE   sign a key that the device made; only its key is taken from the CSR\n"
	 "--password-file FILE    the password is the file's first line, in place of a made-up one", false},
	{"device", "list", command_device_list, "[PERSON]", "all devices", NULL, false},
	{"device", "show", command_device_show, "DEVICE", "one device with its certificates", NULL, false},
	{"device", "revoke", command_device_revoke, "DEVICE [--reason WHY]",
	 "end a device; live connections close at once",
	 "WHY goes into the record: a few words, like \"lost on the train\".", false},
	{"ca", "cert", command_ca_cert, "", "the root certificate, PEM, for clients to trust", NULL, false},
	{"cert", "inspect", command_cert_inspect, "FILE", "what stands in a certificate", NULL, false},
	{"acme", NULL, command_acme, "[SITE...] [--email E] [--server URL] [--config FILE]",
	 "get or renew public certificates, by certbot or uacme",
	 "Without names: for every site whose certificate is the house's own or came this way before.\n"
	 "Answers are shown on listen-http from acme-folder, by the running chatelaine, or by this\n"
	 "command while none runs. The new certificate's paths are put into the configuration.\n"
	 "--email is told to the authority; --server is another ACME directory than Let's Encrypt's.", false},
	{"explain", NULL, command_explain, "CODE|ID", "what a refusal means and what to do", NULL, false},
	{"config", "check", command_config_check, "[--file FILE]", "is the configuration right?",
	 "Names every mistake with file, line, key and remedy, and warns of what is right but\n"
	 "doubtful. Changes nothing. The file is STATE/chatelaine.conf unless --file names another.", false},
	{"config", "reload", command_config_reload, "", "take up changes now, and say what became of them",
	 "The same as SIGHUP to the running chatelaine, with an answer. Changes of sites, rules,\n"
	 "certificates and upstreams are taken up in place; others (listen, workers, limits) by new\n"
	 "gateways, while the old ones keep their WebSockets for drain-time. No connection is\n"
	 "refused meanwhile. A mistake leaves everything as it was. Exit: 0 taken up, 1 refused.", false},
	{"config", "reference", command_config_reference, "", "every key with its default", NULL, false},
	{"upgrade", NULL, command_upgrade, "", "let the running chatelaine go on as the version on disk",
	 "Install the new program in the old one's place first. It is tried before anything is\n"
	 "changed; then it takes over the listening sockets, and the gateways of the version before\n"
	 "finish what they have, as after a reload. If it does not come up, the version before goes\n"
	 "on. The same as SIGUSR2, with an answer. Exit: 0 upgraded, 1 refused.", false},
	{"retreat", NULL, command_retreat, "[--config FILE]", "how to give the ports back to another proxy", NULL, false},
	{"share-port", NULL, command_share_port,
	 "SITE... [--port 443] [--door 127.0.0.1:8443] [--rest 127.0.0.1:8444]",
	 "how an nginx in front shares its port with this door",
	 "Prints an nginx stream block that passes TLS on by name, untouched, with the PROXY protocol:\n"
	 "SITEs to --door, where chatelaine listens then, all other names to --rest, nginx's own.", false},
	{"example", NULL, command_example, "[--listen 127.0.0.1:PORT]", "a small application to try the door with", NULL, false},
	{"manual", "commands", command_manual_commands, "", "the list of chatelaine(1)", NULL, true},
	{"manual", "keys", command_manual_keys, "", "the list of chatelaine.conf(5)", NULL, true},
	{"role", NULL, command_role, "", "how chatelaine starts its own parts", NULL, true},
};

const unsigned command_count = sizeof commands / sizeof *commands;
