#include "storage/tails.h"

static bool ends_a_page(size_t size)
{
    return size > 0 && (size + TAIL_PAGE_HEADER_BYTES) % TAIL_PAGE_BYTES == 0;
}

size_t tails_cut(size_t size)
{
    size_t rest = (size + TAIL_PAGE_HEADER_BYTES) % TAIL_PAGE_BYTES;
    bool has_full_pages = size + TAIL_PAGE_HEADER_BYTES > TAIL_PAGE_BYTES;

    return has_full_pages && rest <= TAIL_BYTES_MAX ? size - rest : size;
}

enum status tails_follow(struct kv_txn *txn,
                         const struct key *key,
                         const struct kv_value *head,
                         struct chunk_parts *out)
{
    struct chunk_parts parts = {.head = *head, .tail = {head->bytes, 0}};
    enum status status = STATUS_OK;

    if (ends_a_page(head->size)) {
        status = kv_get(txn, KV_TAILS, key, &parts.tail);
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    parts.size = parts.head.size + parts.tail.size;
    *out = parts;
    return STATUS_OK;
}

enum status tails_find(struct kv_txn *txn,
                       const struct key *key,
                       struct chunk_parts *out)
{
    struct kv_value head;
    enum status status = kv_get(txn, KV_CHUNKS, key, &head);

    return status == STATUS_OK ? tails_follow(txn, key, &head, out) : status;
}

static enum status delete_tail(struct kv_txn *txn, const struct key *key)
{
    enum status status = kv_delete(txn, KV_TAILS, key);

    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* What is replaced may have been cut elsewhere. */
enum status tails_put(struct kv_txn *txn,
                      const struct key *key,
                      const void *bytes,
                      size_t size)
{
    size_t cut = tails_cut(size);
    enum status status = kv_put(txn, KV_CHUNKS, key, bytes, cut);

    if (status != STATUS_OK) {
        return status;
    }
    return cut < size ? kv_put(txn, KV_TAILS, key,
                               (const unsigned char *)bytes + cut, size - cut)
                      : delete_tail(txn, key);
}

enum status tails_delete(struct kv_txn *txn, const struct key *key)
{
    enum status status = kv_delete(txn, KV_CHUNKS, key);

    return status == STATUS_OK ? delete_tail(txn, key) : status;
}
