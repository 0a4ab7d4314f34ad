/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * service_text_internal.h - the parameters of SVCB and HTTPS records (RFC 9460)
 */

#include "base/cursor.h"
#include "writer_internal.h"

/** Read the parameters up to the end and write them, each behind a blank. Fails the cursor where
 * one does not fit the format of its key, or the keys do not ascend. What only the sender's intent
 * can break, such as a mandatory key that is missing, is no defect here. */
NONNULL void service_parameters(struct cursor *data, struct writer *writer);
