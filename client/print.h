/* print.h - the documents of json.h as text for people.
 *
 * Every function takes a document whose form json.h fixes and writes to
 * print->out; what was left out for want of width is counted in
 * print->left_out. */
#ifndef CLIENT_PRINT_H
#define CLIENT_PRINT_H

#include "client/look.h"
#include <cjson/cJSON.h>
#include <stdio.h>

struct print {
    FILE *out;
    struct look look;
    bool wide;
    size_t left_out; /* columns; added up */
};

void print_jobs(struct print *print, const cJSON *document);
void print_status(struct print *print, const cJSON *document);
void print_workers(struct print *print, const cJSON *document);
void print_metrics(struct print *print, const cJSON *document);
void print_evaluation(struct print *print, const cJSON *document);
void print_tags(struct print *print, const cJSON *document);
void print_verify(struct print *print, const cJSON *document);
void print_version_tool(struct print *print, const cJSON *document);

/* printversion.c */
void print_history(struct print *print, const cJSON *document);
void print_show(struct print *print, const cJSON *document, bool units);
void print_diff(struct print *print, const cJSON *document);

/* "784-116-10", or with arrows; from an object with a "shape". */
void print_shape(const struct look *look,
                 const cJSON *object,
                 char *out,
                 size_t size);

/* A label and its value on a line of its own; nothing where value is empty. */
void print_line(struct print *print, const char *label, const char *value);

#endif /* CLIENT_PRINT_H */
