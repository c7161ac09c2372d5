/* fuzz_reply.c - any bytes as a coordinator's reply, shown by the tool.
 *
 * The first byte chooses the method, the rest is the reply. What unpacks is
 * made a document and printed as the tool does. Nothing that is printed may
 * command a terminal: no control character but line breaks and tabs. */
#include "base/check.h"
#include "base/mem.h"
#include "client/json.h"
#include "client/print.h"
#include "proto/rpc.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

typedef void print_fn(struct print *print, const cJSON *document);

/* C1 is U+0080 to U+009F: some terminals obey those too. */
static void check_printed(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned char next = (unsigned char)(i + 1 < size ? text[i + 1] : 0);

        CHECK(c == '\n' || c == '\t' || (c >= ' ' && c != 0x7f));
        CHECK(c != 0xc2 || next < 0x80 || next > 0x9f);
    }
}

/* For programs, with tabs at the beginning of lines; a text in it is escaped
 * as JSON wants. */
static void check_json(const char *text, size_t size)
{
    cJSON *document = cJSON_ParseWithLength(text, size);

    CHECK(document != NULL);
    cJSON_Delete(document);
    for (size_t i = 0; i < size; i++) {
        CHECK(text[i] == '\n' || text[i] == '\t' ||
              (unsigned char)text[i] >= ' ');
    }
}

static void show(const cJSON *document, print_fn *fn)
{
    char *text = NULL;
    size_t size = 0;
    struct print print = {.out = open_memstream(&text, &size),
                          .look = {.columns = 80}};

    CHECK(print.out != NULL);
    if (fn != NULL) {
        fn(&print, document);
    } else {
        json_print(print.out, document, true);
    }
    CHECK(fclose(print.out) == 0);
    if (fn != NULL) {
        check_printed(text, size);
    } else {
        check_json(text, size);
    }
    free(text);
}

static void print_units(struct print *print, const cJSON *document)
{
    print_show(print, document, true);
}

/* As client/verbs puts them together: one element of a list, twice. */
static void show_list(const char *name,
                      cJSON *(*make)(const void *),
                      const void *message,
                      print_fn *fn)
{
    cJSON *document = json_document(name);
    cJSON *list = json_array(document, name);

    json_add_text(document, "job", "j1");
    (void)cJSON_AddItemToArray(list, make(message));
    (void)cJSON_AddItemToArray(list, make(message));
    show(document, NULL);
    show(document, fn);
    cJSON_Delete(document);
}

static cJSON *make_job(const void *m)
{
    return json_job(m);
}

static cJSON *make_version(const void *m)
{
    return json_version(m);
}

static cJSON *make_metrics(const void *m)
{
    return json_metrics(m);
}

static cJSON *make_worker(const void *m)
{
    return json_worker(m);
}

static void show_one(cJSON *document, print_fn *fn)
{
    show(document, NULL);
    if (fn != NULL) {
        show(document, fn);
    }
    cJSON_Delete(document);
}

static void show_diff(const void *message)
{
    cJSON *document = json_document("Diff");

    json_add_diff(document, message);
    json_add_diff(document, message);
    show_one(document, print_diff);
}

static void show_version(const void *message)
{
    cJSON *document = json_document("Show");

    json_add_show(document, message);
    json_add_show(document, message);
    show(document, print_units);
    show_one(document, NULL);
}

static void show_evaluation(const void *message)
{
    cJSON *document = json_document("Evaluation");

    json_add_evaluation(document, message);
    json_add_evaluation(document, message);
    json_finish_evaluation(document);
    show_one(document, print_evaluation);
}

static void show_verify(const void *message)
{
    cJSON *document = json_document("Verification");

    json_add_verify(document, message);
    show_one(document, print_verify);
}

/* The rest are dumped or shown by a line of their verb. */
static void show_message(enum rpc_method method, const void *message)
{
    switch ((int)method) {
    case RPC_LIST_JOBS:
        show_list("jobs", make_job, message, print_jobs);
        break;
    case RPC_STATUS:
        show_one(json_status(message), print_status);
        break;
    case RPC_HISTORY:
        show_list("versions", make_version, message, print_history);
        break;
    case RPC_METRICS:
        show_list("tasks", make_metrics, message, print_metrics);
        break;
    case RPC_LIST_WORKERS:
        show_list("workers", make_worker, message, print_workers);
        break;
    case RPC_SHOW:
        show_version(message);
        break;
    case RPC_DIFF:
        show_diff(message);
        break;
    case RPC_EVALUATE:
        show_evaluation(message);
        break;
    case RPC_VERIFY:
        show_verify(message);
        break;
    case RPC_WATCH:
        show_one(json_event(message), NULL);
        break;
    case RPC_PROBE:
        show_one(json_probe(message), NULL);
        break;
    case RPC_ABOUT:
        show_one(json_about(message), NULL);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    enum rpc_method method = RPC_ABOUT;
    size_t count = 0;
    grpc_byte_buffer *buffer = NULL;
    ProtobufCMessage *message = NULL;
    grpc_slice slice;

    if (size == 0) {
        return 0;
    }
    method = (enum rpc_method)(data[0] % RPC_METHODS_COUNT);
    slice = grpc_slice_from_copied_buffer((const char *)data + 1, size - 1);
    buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    if (rpc_unpack(buffer, rpc_table(&count)[method].reply, &message) ==
        STATUS_OK) {
        show_message(method, message);
    }
    grpc_byte_buffer_destroy(buffer);
    rpc_free(message);
    return 0;
}
