/* limits.h - the maxima that several folders share, each with its reason.
 *
 * A module's own maxima stand in its file. Reaching a limit is STATUS_BUSY or a
 * validation error, never growth. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
    /* Workers that one coordinator knows; its sets of them have as many bits.
     * As many as a directory of keys may hold. */
    MEMBERS_MAX = 1024,
    /* Workers of one job: who holds a copy is a bit mask of one word. */
    WORKERS_MAX = 64,
    /* Hidden layers and the output layer; deeper dense nets do not train. */
    LAYERS_MAX = 16,
    /* Shards of one layer: inboxes are bit masks of one 64-bit word. */
    SHARDS_MAX = 64,
    /* Units of one layer, and inputs: 65536^2 floats is 16 GB already. */
    UNITS_MAX = 65536,
    /* Jobs that are queued or running at once in one coordinator. */
    JOBS_MAX = 16,
    /* Job sessions that one worker can host: one that trains, some evals. */
    SESSIONS_MAX = 4,
    MICROBATCHES_MAX = 8,
    BATCH_MAX = 4096,
    TASKS_MAX = 1024,
    /* `data.tasks` may be a list of this many mappings. */
    TASK_SPECS_MAX = 16,
    /* Rows of one evaluation pass: large enough for sgemm to be efficient,
     * small enough that buffers are not dominated by it. */
    EVALUATE_ROWS = 256,
    /* Evaluation microbatches in flight; hides one link latency. */
    EVALUATE_WINDOW = 4,
    /* Granted and not yet reported intervals; two are wanted, one spare. */
    GRANTS_MAX = 4,
    GRANT_EDITS_MAX = 16,
    GRANT_UNITS_MAX = 1024,
    GRANT_SETTINGS_MAX = 8,
    /* Evaluation results that one report carries (TASKS seen + guards). */
    REPORT_EVALUATIONS_MAX = 256,
    /* Tasks evaluated at one boundary. Two places are the guard's; and half of
     * a report is free, since a version holds what its boundary found and no
     * report has told, and an evaluation of that version adds its own. */
    EVALUATED_TASKS_MAX = REPORT_EVALUATIONS_MAX / 2 - 2,
    REPORT_CANDIDATES_MAX = 64,
    HISTOGRAM_BINS = 64,
    /* Policies of one role in one job. */
    POLICIES_MAX = 4,
    POLICY_KEYS_MAX = 8,
    STOP_RULES_MAX = 4,
    /* Versions decided and not yet committed: two being written, two whose
     * boundary is still ahead. A further one stalls training visibly. */
    CUTS_MAX = 4,
    NAME_BYTES_MAX = 64,
    PATH_BYTES_MAX = 512,
    ENDPOINT_BYTES_MAX = 256,
    REASON_BYTES_MAX = 256,
    ERROR_BYTES_MAX = 512,
    HASH_BYTES = 32,
    CHUNK_BYTES_MAX = 1 << 20,
    /* One control message; an assignment with 64k units needs about 2 MB. */
    CONTROL_BYTES_MAX = 8 << 20,
    /* Header of a data frame. */
    FRAME_HEADER_BYTES_MAX = 256,
    /* One tensor frame: BATCH_MAX x 16384 units. */
    FRAME_BYTES_MAX = 256 << 20,
    /* One gRPC message, either direction. */
    RPC_BYTES_MAX = 4 << 20,
    JOB_FILE_BYTES_MAX = 1 << 20
};

#endif /* BASE_LIMITS_H */
