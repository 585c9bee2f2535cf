/* userdata_script: the bash program that makes an Amazon Linux 2023 instance the host of one enclave.
 *
 * Model: data only. cloud-init runs the program once; it installs packages, writes the programs of
 * /usr/libexec/tee and the tee-* units, and starts them. The units do the same work again at each boot, from
 * the configuration block of the user data as IMDS returns it then. Threads: any.   Ownership: static.
 * Limits: with the block it must stay below the 16 KiB of EC2.   Errors: none.   See: userdata.h */
#ifndef TEE_NITRO_USERDATA_SCRIPT_H
#define TEE_NITRO_USERDATA_SCRIPT_H

/* Lines without their newline; NULL ends them. */
extern const char *const userdata_script[];

#endif
