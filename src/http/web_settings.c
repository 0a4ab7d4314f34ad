/* SPDX-License-Identifier: Apache-2.0 */
#include "http/web_settings.h"

const struct config_rows web_rows = CONFIG_ROWS(WEB_KEYS, struct web_settings);
