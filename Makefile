# make            build/release/chatelaine
# make check      everything that script/check runs, its packages taken as installed
# make unit       unit tests under ASan and UBSan; ROOM=wire for one room's
# make fuzz       every fuzz target for FUZZ_SECONDS each
# make bench      the costs beside nginx and HAProxy; BENCH="--quick --only get,full"
# make install    PREFIX=/usr/local DESTDIR=
# FLAVOR=release|asan|fuzz, CC=gcc|clang, BUILD=folder for the builds

CC       ?= gcc
ifeq ($(origin CC),default)
CC       := gcc
endif
FLAVOR   ?= release
BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
FUZZ_SECONDS ?= 60
PYTHON   := /usr/bin/python3
VERSION  := 0.1.0

Q := $(if $(V),,@)

O := $(BUILD)/$(FLAVOR)

# The floors of the house, top to bottom; docs/CONTRIBUTING and script/layers hold the rule.
ROOMS := serve agent command relay enroll console door authority http access registry \
         stream bridge config event wire pki shm base

PACKAGES := openssl sqlite3 jansson libconfuse libseccomp libnghttp2
# A machine without pkg-config can still run check-layers and clean.
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wformat=2 -Wundef -Wpointer-arith -Wwrite-strings
CFLAGS   := -std=c17 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -DOPENSSL_NO_DEPRECATED \
            -Isrc -I$(O)/generated $(WARNINGS) -g -fno-common -fno-strict-aliasing \
            -fstack-protector-strong -fPIE $(PKG_CFLAGS)
LDFLAGS  := -pie -Wl,-z,relro,-z,now

ifeq ($(FLAVOR),release)
CFLAGS   += -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
ifeq ($(FLAVOR),asan)
CFLAGS   += -O1 -DWITH_FAULTS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS  += -fsanitize=address,undefined
endif
ifeq ($(FLAVOR),fuzz)
CC       := clang
CFLAGS   += -O1 -DWITH_FAULTS -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS  += -fsanitize=fuzzer,address,undefined
endif

sources  = $(wildcard src/$(1)/*.c)
objects  = $(patsubst src/%.c,$(O)/%.o,$(call sources,$(1)))
PRESENT := $(foreach room,$(ROOMS),$(if $(call sources,$(room)),$(room)))
ARCHIVES := $(PRESENT:%=$(O)/%.a)
PAGES    := $(sort $(wildcard web/*))

.PHONY: all objects unit check check-layers check-walk system fuzz fuzz-build bench man install clean
all: $(BUILD)/$(FLAVOR)/chatelaine
objects: $(ARCHIVES)

# One archive a room: a test of a room links the rooms below it and no other.
define room_rule
$(O)/$(1).a: $(call objects,$(1)) $(if $(filter http,$(1)),$(O)/generated/web.o)
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach room,$(PRESENT),$(eval $(call room_rule,$(room))))

$(O)/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(O)/generated/web.c: script/embed $(PAGES)
	@mkdir -p $(@D)
	script/embed $(PAGES) >$@.new && mv $@.new $@
$(O)/generated/web.o: $(O)/generated/web.c
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

$(O)/chatelaine: $(O)/main.o $(ARCHIVES)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(PKG_LIBS)

# tests/unit/ROOM/test_x.c is one program; helpers in tests/unit/support/*.c join each.
ROOM ?= *
UNIT_SOURCES := $(sort $(wildcard tests/unit/$(ROOM)/test_*.c))
UNIT_PROGRAMS = $(UNIT_SOURCES:tests/unit/%.c=$(O)/unit/%)
SUPPORT := $(sort $(wildcard tests/unit/support/*.c))

# The rooms from the test's own on down to base.
below = $(if $(1),$(if $(filter $(2),$(firstword $(1))),$(1),$(call below,$(wordlist 2,99,$(1)),$(2))))
define unit_rule
$(O)/unit/$(1)/%: tests/unit/$(1)/%.c $(SUPPORT) $$(patsubst %,$(O)/%.a,$$(filter $(PRESENT),$$(call below,$(ROOMS),$(1))))
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(CFLAGS) -Itests/unit $$(LDFLAGS) -o $$@ $$< $(SUPPORT) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(PKG_LIBS) -lcmocka -lpthread
endef
$(foreach room,$(PRESENT),$(eval $(call unit_rule,$(room))))

ifeq ($(FLAVOR),asan)
unit: $(UNIT_PROGRAMS)
	@script/run-unit $(UNIT_PROGRAMS)
else
unit:
	@$(MAKE) --no-print-directory FLAVOR=asan unit
endif

FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS = $(FUZZ_SOURCES:tests/fuzz/%.c=$(O)/fuzz/%)
ifeq ($(FLAVOR),fuzz)
$(O)/fuzz/%: tests/fuzz/%.c $(ARCHIVES)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -Wno-missing-prototypes -Itests/unit $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(PKG_LIBS)
fuzz-build: $(FUZZ_PROGRAMS)
fuzz: $(FUZZ_PROGRAMS)
	@script/run-fuzz $(FUZZ_SECONDS) $(FUZZ_PROGRAMS)
else
fuzz fuzz-build:
	@$(MAKE) --no-print-directory FLAVOR=fuzz $@
endif

check-layers:
	@script/layers
check-walk:
	@script/walk

system: all
	@CHATELAINE=$(abspath $(BUILD)/release/chatelaine) $(PYTHON) -m pytest -q tests/system

check: check-layers check-walk unit system
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=5

$(O)/bench/load: bench/load.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -lssl -lcrypto

$(O)/bench/load_h2: bench/load_h2.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -lnghttp2 -lssl -lcrypto

bench: all $(O)/bench/load $(O)/bench/load_h2
	@CHATELAINE=$(abspath $(O)/chatelaine) LOAD=$(abspath $(O)/bench/load) LOAD_H2=$(abspath $(O)/bench/load_h2) bench/run $(BENCH)

man: all
	@script/manual $(O)/chatelaine $(VERSION) $(O)/man

install: all man
	install -D -m 755 $(O)/chatelaine $(DESTDIR)$(PREFIX)/bin/chatelaine
	install -D -m 644 $(O)/man/chatelaine.1 $(DESTDIR)$(PREFIX)/share/man/man1/chatelaine.1
	install -D -m 644 $(O)/man/chatelaine.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/chatelaine.conf.5
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	sed 's,@PREFIX@,$(PREFIX),g' packaging/chatelaine.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/chatelaine.service
	install -m 644 packaging/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/chatelaine.conf
	install -m 644 packaging/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/chatelaine.conf

clean:
	rm -rf $(BUILD)

.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
