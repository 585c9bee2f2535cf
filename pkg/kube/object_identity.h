/* object_identity: whose text this is, when the text cannot be read as a whole. PURE.
 *
 * Model: a scan is fed the text of an object, or of a watch event that brings one, in pieces of any size. It
 * follows strings and brackets, keeps metadata.name, .namespace and .uid wherever they stand, and of all the
 * rest nothing: an object of any length costs the memory of these few names. So it does for texts that are
 * no valid JSON further on, or have bytes that are no UTF-8. Of a member that is there twice the last one
 * counts, as it does for jansson. Threads: none.   Ownership: copies. Limits: the lengths that Kubernetes
 * allows.   Errors: a part that is missing, longer or written with escapes is as good as absent; Kubernetes
 * has no character in names that would need one. */
#ifndef TEE_KUBE_OBJECT_IDENTITY_H
#define TEE_KUBE_OBJECT_IDENTITY_H

#include "kube/json_scan.h"

struct object_identity {
    char name_space[64];
    char name[254];
    char uid[129]; /* "" = not found */
    char key[320]; /* namespace/name */
};

struct identity_scan {
    struct object_identity identity;
    char type[16]; /* of an event */
    size_t len;    /* of what was fed */
    bool is_event; /* the object is the event's member "object" */
    size_t depth;
    size_t inside; /* how many of the members on the way to the metadata we are in */
    char key[16];
    char text[256]; /* the string being read */
    size_t text_len;
    bool in_string, escaped, is_text_kept, is_text_bad, after_colon, done;
};

void identity_scan_init(struct identity_scan *scan, bool is_event);
void identity_scan_feed(struct identity_scan *scan, const char *text, size_t len);
/* After the last piece. False: it has no name or no namespace, and so it is no object that is kept in one. */
bool identity_scan_finish(const struct identity_scan *scan, struct object_identity *ret_identity);

/* Of an object's text in one piece. */
bool object_identity_find(struct json_span object, struct object_identity *ret_identity);

#endif
