/* sts_decode: STS's DecodeAuthorizationMessage, and the refusals whose encoded part it reads.
 *
 * Model: sim_sts_denial() words a refusal by IAM as EC2 does; its encoded part is our own and says nothing to
 * anybody but sim_sts_call(). Answers and errors have STS's form, not EC2's. Threads: none.   Ownership: the
 * call's.   Limits: a message of 10240 bytes, as STS has it.   Errors: -1 with call->fail. */
#ifndef TEE_TEST_SIM_STS_DECODE_H
#define TEE_TEST_SIM_STS_DECODE_H

#include "sim/ec2.h"

bool sim_sts_is_call(const struct sim_query *query);
int sim_sts_call(struct sim_call *call);
void sim_sts_error(struct buf *out, const struct sim_fail *fail, const char *request_id);
/* Fills the refusal of an EC2 action and yields -1. */
int sim_sts_denial(struct sim_fail *fail, const char *action);

#endif
