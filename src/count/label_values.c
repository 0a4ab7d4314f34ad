/* SPDX-License-Identifier: Apache-2.0 */
#include "count/label_values.h"

#include <stdio.h>

static const char *const role_texts[ROLE_COUNT] = {
    [ROLE_AUTH] = "auth",           [ROLE_RESOLVER] = "resolver", [ROLE_CLIENT] = "client",
    [ROLE_FORWARDER] = "forwarder", [ROLE_STUB] = "stub",         [ROLE_TOOL] = "tool",
    [ROLE_UPDATE] = "update",
};

static const char *const kind_texts[KIND_COUNT] = {
    [KIND_QUERY] = "query",
    [KIND_RESPONSE] = "response",
};

static const char *const family_texts[FAMILY_COUNT] = {
    [FAMILY_UNKNOWN] = "unknown",
    [FAMILY_IPV4] = "ipv4",
    [FAMILY_IPV6] = "ipv6",
};

static const char *const transport_texts[TRANSPORT_COUNT] = {
    [TRANSPORT_UNKNOWN] = "unknown",
    [TRANSPORT_UDP] = "udp",
    [TRANSPORT_TCP] = "tcp",
    [TRANSPORT_DOT] = "dot",
    [TRANSPORT_DOH] = "doh",
    [TRANSPORT_DNSCRYPT_UDP] = "dnscrypt_udp",
    [TRANSPORT_DNSCRYPT_TCP] = "dnscrypt_tcp",
    [TRANSPORT_DOQ] = "doq",
};

static const char *const query_class_texts[QUERY_CLASS_COUNT] = {
    [QUERY_CLASS_IN] = "IN",     [QUERY_CLASS_CH] = "CH",   [QUERY_CLASS_HS] = "HS",
    [QUERY_CLASS_NONE] = "NONE", [QUERY_CLASS_ANY] = "ANY", [QUERY_CLASS_OTHER] = "other",
};

static const char *const http_version_texts[HTTP_VERSION_COUNT] = {
    [HTTP_VERSION_UNKNOWN] = "unknown",
    [HTTP_VERSION_1] = "1",
    [HTTP_VERSION_2] = "2",
    [HTTP_VERSION_3] = "3",
};

static const char *const query_flag_texts[QUERY_FLAG_COUNT] = {
    [QUERY_FLAG_RD] = "rd", [QUERY_FLAG_CD] = "cd",     [QUERY_FLAG_AD] = "ad",
    [QUERY_FLAG_DO] = "do", [QUERY_FLAG_EDNS] = "edns",
};

static const char *const response_flag_texts[RESPONSE_FLAG_COUNT] = {
    [RESPONSE_FLAG_AA] = "aa",
    [RESPONSE_FLAG_TC] = "tc",
    [RESPONSE_FLAG_RA] = "ra",
    [RESPONSE_FLAG_AD] = "ad",
};

static const char *const outcome_texts[DNS_OUTCOME_COUNT] = {
    [DNS_OUTCOME_ANSWER] = "answer",     [DNS_OUTCOME_NODATA] = "nodata",
    [DNS_OUTCOME_REFERRAL] = "referral", [DNS_OUTCOME_NXDOMAIN] = "nxdomain",
    [DNS_OUTCOME_SERVFAIL] = "servfail", [DNS_OUTCOME_REFUSED] = "refused",
    [DNS_OUTCOME_OTHER] = "other",
};

static const char *const edns_option_texts[EDNS_OPTION_COUNT] = {
    [EDNS_OPTION_NSID] = "nsid",       [EDNS_OPTION_ECS] = "ecs",
    [EDNS_OPTION_COOKIE] = "cookie",   [EDNS_OPTION_KEEPALIVE] = "keepalive",
    [EDNS_OPTION_PADDING] = "padding", [EDNS_OPTION_EDE] = "ede",
    [EDNS_OPTION_OTHER] = "other",
};

static const char *const defect_texts[DNS_DEFECT_COUNT] = {
    [DNS_DEFECT_NONE] = NULL,
    [DNS_DEFECT_MISSING] = "missing",
    [DNS_DEFECT_SHORT] = "short",
    [DNS_DEFECT_QUESTION] = "question",
    [DNS_DEFECT_TRUNCATED] = "truncated",
};

static const char *const policy_action_texts[POLICY_ACTION_COUNT] = {
    [POLICY_ACTION_UNKNOWN] = "unknown",
    [POLICY_ACTION_NXDOMAIN] = "nxdomain",
    [POLICY_ACTION_NODATA] = "nodata",
    [POLICY_ACTION_PASS] = "pass",
    [POLICY_ACTION_DROP] = "drop",
    [POLICY_ACTION_TRUNCATE] = "truncate",
    [POLICY_ACTION_LOCAL_DATA] = "local_data",
};

static const char *const policy_match_texts[POLICY_MATCH_COUNT] = {
    [POLICY_MATCH_UNKNOWN] = "unknown",     [POLICY_MATCH_QNAME] = "qname",
    [POLICY_MATCH_CLIENT_IP] = "client_ip", [POLICY_MATCH_RESPONSE_IP] = "response_ip",
    [POLICY_MATCH_NS_NAME] = "ns_name",     [POLICY_MATCH_NS_IP] = "ns_ip",
};

static const char *const reject_reason_texts[REJECT_REASON_COUNT] = {
    [REJECTED_PROTOBUF] = "protobuf",
    [REJECTED_NOT_MESSAGE] = "not_message",
    [REJECTED_MESSAGE_TYPE] = "message_type",
    [REJECTED_OVERSIZE] = "oversize",
};

static const char *const close_reason_texts[CLOSE_REASON_COUNT] = {
    [CLOSED_FINISH] = "finish",
    [CLOSED_EOF] = "eof",
    [CLOSED_EOF_IN_FRAME] = "eof_in_frame",
    [CLOSED_HANDSHAKE] = "handshake",
    [CLOSED_TLS] = "tls",
    [CLOSED_NOT_TLS] = "not_tls",
    [CLOSED_TLS_VERSION] = "tls_version",
    [CLOSED_TLS_NO_CERTIFICATE] = "tls_no_certificate",
    [CLOSED_TLS_UNKNOWN_CA] = "tls_unknown_ca",
    [CLOSED_TLS_EXPIRED] = "tls_expired",
    [CLOSED_TLS_WRONG_NAME] = "tls_wrong_name",
    [CLOSED_TLS_CERTIFICATE] = "tls_certificate",
    [CLOSED_TLS_REFUSED] = "tls_refused",
    [CLOSED_TLS_HANDSHAKE] = "tls_handshake",
    [CLOSED_TLS_LIMIT] = "tls_limit",
    [CLOSED_HTTP] = "http",
    [CLOSED_POWERDNS] = "powerdns_protobuf",
    [CLOSED_CONTENT_TYPE] = "content_type",
    [CLOSED_HANDSHAKE_TIMEOUT] = "handshake_timeout",
    [CLOSED_CONTROL] = "control",
    [CLOSED_FRAME_LENGTH] = "frame_length",
    [CLOSED_ERROR] = "error",
    [CLOSED_LIMIT] = "limit",
    [CLOSED_DESCRIPTORS] = "file_descriptors",
    [CLOSED_INPUT] = "input_removed",
    [CLOSED_SHUTDOWN] = "shutdown",
};

static const char *const web_refusal_texts[WEB_REFUSAL_COUNT] = {
    [WEB_REFUSAL_NOT_TLS] = "not_tls",
    [WEB_REFUSAL_TLS_VERSION] = "tls_version",
    [WEB_REFUSAL_TLS_HANDSHAKE] = "tls_handshake",
    [WEB_REFUSAL_NO_CLIENT_CERTIFICATE] = "no_client_certificate",
    [WEB_REFUSAL_CLIENT_CERTIFICATE] = "client_certificate",
    [WEB_REFUSAL_MALFORMED] = "malformed",
    [WEB_REFUSAL_HOST] = "host",
    [WEB_REFUSAL_CROSS_ORIGIN] = "cross_origin",
    [WEB_REFUSAL_PASSWORD] = "password",
    [WEB_REFUSAL_BUSY] = "busy",
    [WEB_REFUSAL_RATE_LIMIT] = "rate_limit",
};

static const char *const sandbox_part_texts[SANDBOX_PART_COUNT] = {
    [SANDBOX_PART_NO_NEW_PRIVILEGES] = "no_new_privileges",
    [SANDBOX_PART_FILES] = "files",
    [SANDBOX_PART_NETWORK] = "network",
    [SANDBOX_PART_SYSTEM_CALLS] = "system_calls",
};

static const char *const limit_texts[LIMIT_COUNT] = {
    [LIMIT_SERVERS] = "servers",
    [LIMIT_SERIES] = "series",
    [LIMIT_QTYPES] = "qtypes",
    [LIMIT_RCODES] = "rcodes",
    [LIMIT_INFO_CODES] = "info_codes",
    [LIMIT_CONNECTIONS] = "connections",
    [LIMIT_DESCRIPTORS] = "file_descriptors",
    [LIMIT_DETECTION] = "detection",
};

static const char *const connection_failure_texts[CONNECTION_FAILURE_COUNT] = {
    [CONNECTION_FAILURE_CONNECT] = "connect",
    [CONNECTION_FAILURE_TIMEOUT] = "timeout",
    [CONNECTION_FAILURE_HANDSHAKE] = "handshake",
    [CONNECTION_FAILURE_TLS] = "tls",
    [CONNECTION_FAILURE_NOT_TLS] = "not_tls",
    [CONNECTION_FAILURE_TLS_VERSION] = "tls_version",
    [CONNECTION_FAILURE_TLS_UNKNOWN_CA] = "tls_unknown_ca",
    [CONNECTION_FAILURE_TLS_EXPIRED] = "tls_expired",
    [CONNECTION_FAILURE_TLS_WRONG_NAME] = "tls_wrong_name",
    [CONNECTION_FAILURE_TLS_CERTIFICATE] = "tls_certificate",
    [CONNECTION_FAILURE_TLS_REFUSED] = "tls_refused",
    [CONNECTION_FAILURE_TLS_HANDSHAKE] = "tls_handshake",
};

static const char *const output_drop_texts[OUTPUT_DROP_COUNT] = {
    [OUTPUT_DROP_QUEUE_FULL] = "queue_full",
    [OUTPUT_DROP_CUT] = "cut",
    [OUTPUT_DROP_SHUTDOWN] = "shutdown",
};

static const char *const archive_drop_texts[ARCHIVE_DROP_COUNT] = {
    [ARCHIVE_DROP_QUEUE_FULL] = "queue_full",
    [ARCHIVE_DROP_DISK_FULL] = "disk_full",
    [ARCHIVE_DROP_WRITE_ERROR] = "write_error",
    [ARCHIVE_DROP_SHUTDOWN] = "shutdown",
};

#define LABEL_DEFINE(id, name_, count_, ...)                                                       \
    const struct label_values label_##id = {                                                       \
        .name = (name_), .count = (count_), .source = __VA_ARGS__};

LABELS(LABEL_DEFINE)

static const char *number_of_code(const struct code_label *code, unsigned index,
                                  char room[DNS_MNEMONIC_SIZE])
{
    if (index < CODE_LABELS_FIXED) {
        return code->text;
    }
    (void)snprintf(room, DNS_MNEMONIC_SIZE, "%u", code->code);
    return room;
}

const char *label_values_text(const struct label_values *label,
                              const struct code_label_texts *codes, unsigned index,
                              char room[DNS_MNEMONIC_SIZE])
{
    switch (label->source) {
    case LABEL_CODE:
        return codes[label->codes].labels[index].text;
    case LABEL_CODE_NUMBER:
        return number_of_code(&codes[label->codes].labels[index], index, room);
    case LABEL_OPCODE:
        (void)dns_mnemonic_opcode((uint16_t)index, room);
        return room;
    case LABEL_FIXED:
        break;
    }
    return label->texts[index];
}
