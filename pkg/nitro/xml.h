/* xml: EC2 and STS answers, as elements with their path and text.
 *
 * Model: bytes are fed as they arrive; for every element the handler hears its path when it starts, and its
 * path and text when it ends. A path is the local names from the root joined by '/', such as
 * "DescribeInstancesResponse/reservationSet/item". Attributes and namespaces are ignored. These services
 * never send a DOCTYPE, so that one is refused and no entity of a peer is ever expanded. Threads: none.
 * Ownership: what a handler gets is borrowed for the call. Limits: depth XML_DEPTH_MAX, a path of
 * XML_PATH_MAX bytes, XML_TEXT_MAX bytes of text an element; the total is the caller's to bound. Errors:
 * ERROR_UNAVAILABLE with reason XmlForbidden (DOCTYPE), XmlTooLarge, XmlMalformed or XmlTruncated; what a
 * handler returns is passed on. After an error every call fails. */
#ifndef TEE_NITRO_XML_H
#define TEE_NITRO_XML_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>

enum { XML_DEPTH_MAX = 32, XML_PATH_MAX = 1024, XML_TEXT_MAX = 128 * 1024 };

struct xml;

/* Either may be NULL; -1 with err filled ends the parsing. */
struct xml_handler {
    void *ctx;
    int (*on_start)(void *ctx, const char *path, struct error *err);
    int (*on_end)(void *ctx, const char *path, const char *text, struct error *err);
};

struct xml *xml_new(const struct xml_handler *handler);
struct xml *xml_free(struct xml *xml);
MUST_CHECK int xml_feed(struct xml *xml, const char *data, size_t len, struct error *err);
/* No more bytes follow: fails with XmlTruncated unless the root element was closed. */
MUST_CHECK int xml_finish(struct xml *xml, struct error *err);

#endif
