/* xml_out: the answers of EC2 as XML text.
 *
 * Model: elements are appended to a buf, texts escaped. sim_xml_instance() writes what stands inside one
 * `item` of an instancesSet.   Threads: none.   Ownership: the buf is the caller's.   Limits: the buf's.
 * Errors: sticky in the buf. */
#ifndef TEE_TEST_SIM_XML_OUT_H
#define TEE_TEST_SIM_XML_OUT_H

#include "base/buf.h"
#include "sim/world.h"

void sim_xml_escape(struct buf *out, const char *text);
/* <name>text</name>; nothing if text is NULL. */
void sim_xml_text(struct buf *out, const char *name, const char *text);
void sim_xml_state(struct buf *out, const char *name, int state);
/* The root element with its requestId. */
void sim_xml_open(struct buf *out, const char *action, const char *request_id);
void sim_xml_close(struct buf *out, const char *action);
void sim_xml_instance(struct buf *out, const struct sim_instance *instance, int64_t now_ms);
void sim_xml_error(struct buf *out, const struct sim_fail *fail, const char *request_id);

#endif
