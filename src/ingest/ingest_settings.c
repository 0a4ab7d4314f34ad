/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/ingest_settings.h"

const struct config_rows worker_rows = CONFIG_ROWS(WORKER_KEYS, struct ingest_settings);

const struct config_rows connection_rows = CONFIG_ROWS(CONNECTION_KEYS, struct ingest_settings);
