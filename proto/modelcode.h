/* modelcode.h - architectures, grants and records: plain structs <-> protobuf.
 *
 * Shared by versions (version.c) and control messages (wirecode_*.c); no one
 * else includes it. get = out of a protobuf just unpacked, put = into one
 * about to be packed.
 *
 * A get bounds every count and copies what it keeps, into the arena or, where
 * that is NULL, into mem_ blocks; ranges are checked afterwards (modelcheck.h).
 * Errors: INVALID, NO_MEMORY. What a failed get has begun hangs on *out and is
 * dropped with the arena or by the matching free.
 *
 * A put borrows from the plain struct and builds in the region; NULL means
 * that region_status says why. */
#ifndef PROTO_MODELCODE_H
#define PROTO_MODELCODE_H

#include "proto/codec.h"
#include "proto/arch.h"
#include "proto/grant.h"
#include "proto/version.h"

struct Cajal__V1__Arch;
struct Cajal__V1__Grant;
struct Cajal__V1__ShardRecord;
struct ProtobufCBinaryData;

/* The shards that a model can have. */
enum { MODELCODE_RECORDS_MAX = LAYERS_MAX * SHARDS_MAX };

/* One block: struct arch with its units behind it; units_max = units_count. */
enum status modelcode_get_arch(const struct Cajal__V1__Arch *from,
                               struct arena *arena,
                               struct arch **out) MUST_CHECK;
struct Cajal__V1__Arch *modelcode_put_arch(const struct arch *from,
                                           struct region *region);

/* From NULL: INVALID, a grant that must be there is not. */
enum status modelcode_get_grant(const struct Cajal__V1__Grant *from,
                                struct arena *arena,
                                struct grant **out) MUST_CHECK;
struct Cajal__V1__Grant *modelcode_put_grant(const struct grant *from,
                                             struct region *region);

/* Into a zeroed record. The chunks of each tensor are a block of their own. */
enum status modelcode_get_record(const struct Cajal__V1__ShardRecord *from,
                                 struct arena *arena,
                                 struct shard_record *out) MUST_CHECK;
struct Cajal__V1__ShardRecord *modelcode_put_record(
    const struct shard_record *from, struct region *region);

/* *out is count records in one block; NULL where count is 0. */
enum status modelcode_get_records(struct Cajal__V1__ShardRecord *const *from,
                                  size_t count,
                                  struct arena *arena,
                                  struct shard_record **out) MUST_CHECK;
struct Cajal__V1__ShardRecord **modelcode_put_records(
    const struct shard_record *from, uint32_t count, struct region *region);
/* Of records whose memory came from mem_; accepts NULL. */
void modelcode_free_records(struct shard_record *records, uint32_t count);

enum status modelcode_get_spec(const struct ProtobufCBinaryData *from,
                               struct arena *arena,
                               struct job_spec **out) MUST_CHECK;
/* spec has passed job_check. False: see region_status. */
bool modelcode_put_spec(const struct job_spec *from,
                        struct region *region,
                        struct ProtobufCBinaryData *out);

/* False: not HASH_BYTES long. */
bool modelcode_get_hash(const struct ProtobufCBinaryData *from,
                        struct hash *out);
struct ProtobufCBinaryData modelcode_put_hash(const struct hash *from);

#endif /* PROTO_MODELCODE_H */
