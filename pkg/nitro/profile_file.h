/* profile_file: the settings in the config and credentials files of the AWS command line.
 *
 * Model: PURE but for profile_files_load(). A text is a list of sections with `key = value` lines, where '#'
 * and ';' begin comments and an indented line continues the key above it. All settings are kept in one list,
 * as (section, key, value) with the key in small letters; a nested setting has the key "outer.inner". The
 * sections "[profile x]" of the config file and "[x]" of the credentials file are both the profile x, and the
 * latter wins. A file is AWS_CONFIG_FILE or ~/.aws/config, AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials;
 * one that a variable names must exist.
 * Threads: none.   Ownership: profile_files_done() wipes and frees; what is found is borrowed.
 * Limits: 256 KiB a file, 4096 settings. Errors: ERROR_INVALID (BadProfile) with the line's number, never its
 * text; those of base/file.h. */
#ifndef TEE_NITRO_PROFILE_FILE_H
#define TEE_NITRO_PROFILE_FILE_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"
#include "nitro/aws_config.h"

#include <stdbool.h>
#include <stddef.h>

struct profile_setting {
    char *section; /* "profile x", "services x" and the like */
    char *key;     /* "" for the section itself */
    struct secret *value;
};

struct profile_files {
    struct profile_setting *items;
    size_t count;
    bool is_given; /* a file exists or a variable names one */
};

MUST_CHECK int profile_files_load(const struct environment *environment, struct profile_files *ret_files,
                                  struct error *err);
/* Adds the settings of one text. name is for messages; in the credentials file every section is a profile. */
MUST_CHECK int profile_files_add(struct profile_files *files, const char *text, const char *name,
                                 bool is_credentials, struct error *err);
void profile_files_done(struct profile_files *files);

bool profile_files_has(const struct profile_files *files, const char *kind, const char *name);
/* NULL if it is not set, or empty. kind: "profile", "services". Which of the settings are secret, who asks
 * for them knows. */
const struct secret *profile_files_find_secret(const struct profile_files *files, const char *kind,
                                               const char *name, const char *key);
const char *profile_files_find(const struct profile_files *files, const char *kind, const char *name,
                               const char *key);

#endif
