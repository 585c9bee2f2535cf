/* userdata_script: the bash program that makes an Amazon Linux 2023 instance the host of one enclave.
 *
 * Model: data only. cloud-init runs the program once; it writes the programs of /usr/libexec/tee and the
 * tee-* units, enables and starts them, and needs no network. The units do all work, at each boot anew, from
 * the configuration block of the user data as IMDS returns it then:
 *   tee-config    reads the block and refuses an unknown version; starts the forwarders and vsock-proxies
 *   tee-attest    the listener of the attestation port, which runs `connect` for each connection
 *   tee-packages  nitro-cli (docker too for an image), the allocator's file, the allocator
 *   tee-eif       after the allocator, as memory is in one piece then: fetches or builds the image file
 *   tee-enclave   runs the enclave and again when it ends
 * Threads: any.   Ownership: static.   Limits: with the block it must stay below the 16 KiB of EC2.
 * Errors: none.   See: userdata.h */
#ifndef TEE_NITRO_USERDATA_SCRIPT_H
#define TEE_NITRO_USERDATA_SCRIPT_H

/* Lines without their newline; NULL ends them. */
extern const char *const userdata_script[];

#endif
