/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * sandbox_rules.h - which files, ports and system calls a command of this configuration needs
 *
 * Every function takes no sandbox, NULL, where `sandbox` is off.
 */

#include "base/attr.h"
#include "base/text.h"
#include "expose/registry.h"
#include "http/web_config.h"
#include "program/command_line.h"
#include "program/settings.h"
#include "sandbox/sandbox.h"

/** Restrict the service to the files that the configuration names. For the first thread, while it
 *  is the only one. Returns 0 and *out for sandbox_free(), NULL where the sandbox is off; or
 *  -ENOMEM, or as web_config_load(). */
NONNULL MUST_USE int sandbox_rules_start_service(struct sandbox **out,
                                                 const struct command_line *line,
                                                 const struct settings *settings,
                                                 struct text *error);

/** All threads run: restrict system calls, and tell the log and the metrics what is in force. */
void sandbox_rules_finish_service(struct sandbox *sandbox, struct registry *registry);

/** Log system calls that were refused since the last call, and count them in the metrics. */
NONNULL void sandbox_rules_report(struct registry *registry);

/** Restrict the commands `read` and `print` to these files and folders, without any network. As
 * above; `settings` is NULL where there are none, for print. */
MUST_USE int sandbox_rules_start_read(struct sandbox **out, const char *const *paths, size_t count,
                                      const struct settings *settings);

/** Log what was refused, and free the sandbox. */
void sandbox_rules_finish_read(struct sandbox *sandbox);

/** Whether the rules in force allow what a fresh configuration names. Returns 0, or -EACCES and in
 *  *error which key takes a restart. */
MUST_USE int sandbox_rules_check(const struct sandbox *sandbox, const struct settings *fresh,
                                 struct text *error);

/** The same for the files of a web configuration. */
MUST_USE int sandbox_rules_check_web(const struct sandbox *sandbox, const struct web_config *web,
                                     struct text *error);
