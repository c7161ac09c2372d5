/* schemawords.h - the words that a key of the job file may take as its value.
 *
 * A word with a refusal is known and not in this release: the sentence says
 * what to use instead. Each list ends with a NULL word. */
#ifndef PROTO_SCHEMAWORDS_H
#define PROTO_SCHEMAWORDS_H

#include <stdint.h>

struct schema_word {
    const char *word; /* NULL ends the list */
    uint32_t value;
    const char *refusal; /* NULL: allowed */
};

extern const struct schema_word words_formats[];
extern const struct schema_word words_orders[];
extern const struct schema_word words_task_kinds[];
extern const struct schema_word words_model_kinds[];
extern const struct schema_word words_activations[];
extern const struct schema_word words_norms[];
extern const struct schema_word words_heads[];
extern const struct schema_word words_classes[];
extern const struct schema_word words_losses[];
extern const struct schema_word words_optimizers[];
extern const struct schema_word words_schedules[];
extern const struct schema_word words_overs[];
extern const struct schema_word words_evaluate_times[];
extern const struct schema_word words_evaluate_tasks[];
extern const struct schema_word words_weights[];
extern const struct schema_word words_causes[];
extern const struct schema_word words_never[];

#endif /* PROTO_SCHEMAWORDS_H */
