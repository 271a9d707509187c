/* SPDX-License-Identifier: BSD-2-Clause */
/** A certificate of its own authority and its key, for tests; cmocka.h before. */
#ifndef TEST_UNIT_HA_CORE_CLUSTER_PEM_H
#define TEST_UNIT_HA_CORE_CLUSTER_PEM_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

static inline FILE *pem_file(const char *path, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), mode), 0);
	return f;
}

static inline X509 *pem_certificate(EVP_PKEY *key, const char *names)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

	assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 1), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), -60));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 3600));
	assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
						    (const unsigned char *)"test", -1, -1, 0),
			 1);
	assert_int_equal(X509_set_issuer_name(x, subject), 1);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	assert_int_equal(X509_add_ext(x, extension, -1), 1);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	X509_EXTENSION_free(extension);
	return x;
}

/** @param names  subjectAltName, as openssl.cnf has it: "DNS:a.example,IP:192.0.2.1" */
static inline void pem_write(const char *certificate_path, const char *key_path, const char *names)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = pem_certificate(key, names);
	FILE *f = pem_file(certificate_path, 0644);

	assert_int_equal(PEM_write_X509(f, x), 1);
	assert_int_equal(fclose(f), 0);
	f = pem_file(key_path, 0600);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
	X509_free(x);
	EVP_PKEY_free(key);
}

#endif
