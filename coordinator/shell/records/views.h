/* views.h - records as the messages that clients get.
 *
 * A view holds a message and all that it points to, so it must stay where it
 * is filled. What a record says is shown, nothing is read or computed. */
#ifndef COORDINATOR_SHELL_RECORDS_VIEWS_H
#define COORDINATOR_SHELL_RECORDS_VIEWS_H

#include "coordinator/core/record.h"
#include "coordinator/shell/records/eventcode.h"
#include "coordinator/shell/records/names.h"
#include "coordinator/shell/records/summarycode.h"
#include "proto/cajal/v1/control.pb-c.h"

struct widths_view {
    Cajal__V1__LayerWidth layers[LAYERS_MAX];
    Cajal__V1__LayerWidth *pointers[LAYERS_MAX];
    char names[LAYERS_MAX][NAME_BYTES_MAX];
};

/* "hidden1" .. "output". out holds NAME_BYTES_MAX. */
void views_layer_name(uint32_t layer, uint32_t layers_count, char *out);

struct job_view {
    Cajal__V1__JobSummary message;
    struct widths_view widths;
    char job[NUMBER_BYTES_MAX];
    char head[NUMBER_BYTES_MAX];
    char name[NAME_BYTES_MAX];
    char reason[ERROR_BYTES_MAX];
};
void views_job(const struct job_record *record, struct job_view *out);

struct status_view {
    Cajal__V1__StatusReply message;
    struct job_view summary;
    Cajal__V1__WorkerShare shares[WORKERS_MAX];
    Cajal__V1__WorkerShare *pointers[WORKERS_MAX];
    char workers[WORKERS_MAX][NUMBER_BYTES_MAX];
    char last_decision[REASON_BYTES_MAX];
};
void views_status(const struct job_record *record, struct status_view *out);

struct event_view {
    Cajal__V1__Event message;
    struct widths_view widths;
    struct event_record event;
    char job[NUMBER_BYTES_MAX];
    char version[NUMBER_BYTES_MAX];
};
void views_event(uint64_t job,
                 uint64_t sequence,
                 const struct event_record *event,
                 struct event_view *out);

struct version_view {
    Cajal__V1__VersionSummary message;
    struct widths_view widths;
    struct summary summary;
    char job[NUMBER_BYTES_MAX];
    char version[NUMBER_BYTES_MAX];
    char parents[VERSION_PARENTS_MAX][NUMBER_BYTES_MAX];
    char *parent_pointers[VERSION_PARENTS_MAX];
    char hash[2 * HASH_BYTES + 1];
};
void views_version(uint64_t job,
                   const struct summary *summary,
                   struct version_view *out);

/* What people are shown of a job that no coordinator holds: one that should
 * go on is paused until somebody resumes it. */
void views_unheld(struct job_record *record);

#endif /* COORDINATOR_SHELL_RECORDS_VIEWS_H */
