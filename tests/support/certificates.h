/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * certificates.h - certificates and keys for a test, made by GnuTLS (P-256), in files
 */

#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tls/tls_settings.h"

/** What a certificate says. */
struct certificate_plan {
    const char *name;       /* of its files: FOLDER/NAME.pem and FOLDER/NAME.key */
    const char *dns, *ip;   /* its alternative names; NULL: none */
    int days_from, days_to; /* its time, from now */
    bool is_ca;
};

struct certificate {
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t key;
};

static inline bool certificate_write(const char *folder, const char *name, const char *suffix,
                                     const gnutls_datum_t *pem)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s.%s", folder, name, suffix);
    FILE *file = fopen(path, "w");
    bool written = file != NULL && fwrite(pem->data, 1, pem->size, file) == pem->size;

    return file != NULL && fclose(file) == 0 && written;
}

static inline bool certificate_set_names(gnutls_x509_crt_t made,
                                         const struct certificate_plan *plan)
{
    unsigned char address[4];
    int result = gnutls_x509_crt_set_dn_by_oid(made, GNUTLS_OID_X520_COMMON_NAME, 0, plan->name,
                                               (unsigned)strlen(plan->name));

    if (plan->dns != NULL) {
        result |= gnutls_x509_crt_set_subject_alt_name(made, GNUTLS_SAN_DNSNAME, plan->dns,
                                                       (unsigned)strlen(plan->dns), 0);
    }
    if (plan->ip != NULL) {
        unsigned parts[4] = {0};
        result |= sscanf(plan->ip, "%u.%u.%u.%u", &parts[0], &parts[1], &parts[2], &parts[3]) != 4;
        for (unsigned i = 0; i < 4; i++) {
            address[i] = (unsigned char)parts[i];
        }
        result |= gnutls_x509_crt_set_subject_alt_name(made, GNUTLS_SAN_IPADDRESS, address, 4,
                                                       GNUTLS_FSAN_APPEND);
    }
    return result == 0;
}

/** Make a certificate that `ca` signs, or itself for NULL, and write its files. The caller ends it
 *  with certificate_deinit(). */
static inline bool certificate_make(const char *folder, const struct certificate_plan *plan,
                                    const struct certificate *ca, struct certificate *out)
{
    static unsigned char serial;
    time_t now = time(NULL);
    gnutls_datum_t pem = {NULL, 0};
    unsigned char number = ++serial;

    bool made = gnutls_x509_privkey_init(&out->key) == 0 &&
                gnutls_x509_privkey_generate(out->key, GNUTLS_PK_ECDSA,
                                             GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
                                             0) == 0 &&
                gnutls_x509_crt_init(&out->certificate) == 0 &&
                gnutls_x509_crt_set_version(out->certificate, 3) == 0 &&
                gnutls_x509_crt_set_serial(out->certificate, &number, 1) == 0 &&
                gnutls_x509_crt_set_key(out->certificate, out->key) == 0 &&
                gnutls_x509_crt_set_activation_time(out->certificate,
                                                    now + plan->days_from * (time_t)86400) == 0 &&
                gnutls_x509_crt_set_expiration_time(out->certificate,
                                                    now + plan->days_to * (time_t)86400) == 0 &&
                certificate_set_names(out->certificate, plan) &&
                gnutls_x509_crt_set_ca_status(out->certificate, plan->is_ca) == 0 &&
                gnutls_x509_crt_sign2(out->certificate,
                                      ca != NULL ? ca->certificate : out->certificate,
                                      ca != NULL ? ca->key : out->key, GNUTLS_DIG_SHA256, 0) == 0;

    made = made && gnutls_x509_crt_export2(out->certificate, GNUTLS_X509_FMT_PEM, &pem) == 0 &&
           certificate_write(folder, plan->name, "pem", &pem);
    gnutls_free(pem.data);
    pem.data = NULL;
    made = made && gnutls_x509_privkey_export2(out->key, GNUTLS_X509_FMT_PEM, &pem) == 0 &&
           certificate_write(folder, plan->name, "key", &pem);
    gnutls_free(pem.data);
    return made;
}

static inline void certificate_deinit(struct certificate *certificate)
{
    gnutls_x509_crt_deinit(certificate->certificate);
    gnutls_x509_privkey_deinit(certificate->key);
}

/** Make one and forget it. */
static inline bool certificate_make_files(const char *folder, const struct certificate_plan *plan,
                                          const struct certificate *ca)
{
    struct certificate made;
    bool result = certificate_make(folder, plan, ca, &made);

    certificate_deinit(&made);
    return result;
}

/** The settings of a stream with such files; NULL: none. tls_settings_deinit() frees them. */
static inline struct tls_settings certificate_settings(const char *folder, bool is_client,
                                                       const char *own, const char *ca)
{
    struct tls_settings settings = {.is_client = is_client, .min_version = 2, .max_version = 3};
    char path[256];

    if (own != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s.pem", folder, own);
        settings.cert_file = strdup(path);
        (void)snprintf(path, sizeof path, "%s/%s.key", folder, own);
        settings.key_file = strdup(path);
        settings.pem_cert = (struct tls_pem){"cert_file", 1, settings.cert_file, NULL};
        settings.pem_key = (struct tls_pem){"key_file", 2, settings.key_file, NULL};
    }
    if (ca != NULL) {
        char **file = is_client ? &settings.ca_file : &settings.client_ca_file;
        (void)snprintf(path, sizeof path, "%s/%s.pem", folder, ca);
        *file = strdup(path);
        settings.pem_ca = (struct tls_pem){"ca_file", 3, *file, NULL};
        settings.client_auth = is_client ? TLS_CLIENT_AUTH_NONE
                                         : TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY;
    }
    return settings;
}
