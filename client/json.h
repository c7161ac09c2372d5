/* json.h - the service's messages as JSON documents.
 *
 * The one data model of the tool: -o json prints a document as it is, and
 * print.h makes tables from it, so that both always say the same. The field
 * names are a promise to scripts; fields are only ever added. Memory is
 * cJSON's: the caller deletes what it gets, and a process without memory ends
 * with a sentence (json_start). */
#ifndef CLIENT_JSON_H
#define CLIENT_JSON_H

#include "client/cajal.h"
#include <cjson/cJSON.h>
#include <stdio.h>

/* Makes cJSON end the process where memory ends; once, first of all. */
void json_start(void);

/* {"schema": "cajal.v1.NAME"} */
cJSON *json_document(const char *name);
/* An empty array under that name, borrowed from object. */
cJSON *json_array(cJSON *object, const char *name);

void json_add_text(cJSON *object, const char *name, const char *value);
void json_add_number(cJSON *object, const char *name, double value);
void json_add_flag(cJSON *object, const char *name, bool value);

/* One element each, to be put into an array or to stand alone. */
cJSON *json_job(const Cajal__V1__JobSummary *m);
cJSON *json_status(const Cajal__V1__StatusReply *m);
cJSON *json_event(const Cajal__V1__Event *m);
cJSON *json_version(const Cajal__V1__VersionSummary *m);
cJSON *json_metrics(const Cajal__V1__TaskMetrics *m);
cJSON *json_worker(const Cajal__V1__WorkerSummary *m);
cJSON *json_change(const Cajal__V1__ChangeReply *m);
cJSON *json_about(const Cajal__V1__AboutReply *m);
cJSON *json_probe(const Cajal__V1__ProbeReply *m);

/* Streams that make one document: each message is added to what came before.
 * document starts as json_document's. */
void json_add_diff(cJSON *document, const Cajal__V1__LayerDiff *m);
void json_add_show(cJSON *document, const Cajal__V1__ShowReply *m);
void json_add_evaluation(cJSON *document, const Cajal__V1__TaskEvaluation *m);
void json_add_verify(cJSON *document, const Cajal__V1__VerifyReply *m);
void json_add_backup(cJSON *document, const Cajal__V1__BackupReply *m);
void json_add_gc(cJSON *document, const Cajal__V1__GcReply *m);

/* After the last TaskEvaluation: accuracy and loss over all tasks. */
void json_finish_evaluation(cJSON *document);

/* Reading: "" and 0 where there is nothing of that kind. Borrowed. */
const char *json_text(const cJSON *object, const char *name);
double json_number(const cJSON *object, const char *name);
bool json_has(const cJSON *object, const char *name); /* and not null */

/* Writes the document and a newline; pretty: over many lines. */
void json_print(FILE *out, const cJSON *document, bool pretty);

#endif /* CLIENT_JSON_H */
