/* expat pushes; a failure inside one of its callbacks stops the parser and is kept for the caller. */
#include "nitro/xml.h"

#include "base/buf.h"
#include "base/mem.h"

#include <expat.h>
#include <stdbool.h>
#include <string.h>

struct xml {
    XML_Parser parser;
    struct xml_handler handler;
    struct error failure; /* kind ERROR_NONE: none yet */
    struct buf text;      /* of the innermost element, so far */
    int depth;
    size_t path_len;
    char path[XML_PATH_MAX];
};

static void stop(struct xml *xml)
{
    XML_StopParser(xml->parser, XML_FALSE);
}

static void fail(struct xml *xml, const char *reason, const char *what)
{
    error_set(&xml->failure, ERROR_UNAVAILABLE, reason, "the answer is not usable XML: %s", what);
    stop(xml);
}

static bool has_failed(const struct xml *xml)
{
    return xml->failure.kind != ERROR_NONE;
}

static const char *local_name(const char *name)
{
    const char *colon = strchr(name, ':');
    return colon ? colon + 1 : name;
}

static void on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    struct xml *xml = ctx;
    (void)attributes;
    if (has_failed(xml))
        return;
    const char *local = local_name(name);
    size_t len = strlen(local);
    if (xml->depth == XML_DEPTH_MAX || xml->path_len + len + 2 > sizeof(xml->path)) {
        fail(xml, "XmlTooLarge", "it is nested too deeply");
        return;
    }
    if (xml->depth++ > 0)
        xml->path[xml->path_len++] = '/';
    memcpy(xml->path + xml->path_len, local, len + 1);
    xml->path_len += len;
    buf_reset(&xml->text);
    if (xml->handler.on_start && xml->handler.on_start(xml->handler.ctx, xml->path, &xml->failure) < 0)
        stop(xml);
}

static void on_end(void *ctx, const XML_Char *name)
{
    struct xml *xml = ctx;
    if (has_failed(xml))
        return;
    if (xml->handler.on_end &&
        xml->handler.on_end(xml->handler.ctx, xml->path, buf_text(&xml->text), &xml->failure) < 0) {
        stop(xml);
        return;
    }
    xml->depth--;
    xml->path_len -= strlen(local_name(name)) + (xml->depth > 0 ? 1 : 0);
    xml->path[xml->path_len] = '\0';
    buf_reset(&xml->text);
}

static void on_text(void *ctx, const XML_Char *data, int len)
{
    struct xml *xml = ctx;
    if (!has_failed(xml) && buf_append(&xml->text, data, (size_t)len) < 0)
        fail(xml, "XmlTooLarge", "an element's text is too long");
}

static void on_doctype(void *ctx, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                       int subset)
{
    (void)name;
    (void)system;
    (void)public;
    (void)subset;
    fail(ctx, "XmlForbidden", "it has a DOCTYPE");
}

struct xml *xml_new(const struct xml_handler *handler)
{
    struct xml *xml = mem_calloc(1, sizeof(*xml));
    xml->handler = *handler;
    buf_init(&xml->text, XML_TEXT_MAX);
    xml->parser = XML_ParserCreate(NULL);
    if (!xml->parser)
        abort();
    XML_SetUserData(xml->parser, xml);
    XML_SetElementHandler(xml->parser, on_start, on_end);
    XML_SetCharacterDataHandler(xml->parser, on_text);
    XML_SetStartDoctypeDeclHandler(xml->parser, on_doctype);
    return xml;
}

struct xml *xml_free(struct xml *xml)
{
    if (!xml)
        return NULL;
    XML_ParserFree(xml->parser);
    buf_done(&xml->text);
    free(xml);
    return NULL;
}

static int report(const struct xml *xml, struct error *err)
{
    if (err)
        *err = xml->failure;
    return -1;
}

int xml_feed(struct xml *xml, const char *data, size_t len, struct error *err)
{
    enum { PIECE = 1 << 20 };
    while (!has_failed(xml) && len > 0) {
        size_t piece = len < PIECE ? len : PIECE;
        if (XML_Parse(xml->parser, data, (int)piece, 0) != XML_STATUS_OK && !has_failed(xml))
            fail(xml, "XmlMalformed", XML_ErrorString(XML_GetErrorCode(xml->parser)));
        data += piece;
        len -= piece;
    }
    return has_failed(xml) ? report(xml, err) : 0;
}

int xml_finish(struct xml *xml, struct error *err)
{
    if (!has_failed(xml) && XML_Parse(xml->parser, "", 0, 1) != XML_STATUS_OK && !has_failed(xml))
        fail(xml, "XmlTruncated", "it ends too early");
    return has_failed(xml) ? report(xml, err) : 0;
}
