#include "base/address.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

const char *address_path(const char *address)
{
    if (begins(address, "unix:")) {
        return address + strlen("unix:");
    }
    return begins(address, "ipc://") ? address + strlen("ipc://") : NULL;
}

bool address_is_local(const char *address)
{
    size_t digits = 0;

    if (address_path(address) != NULL) {
        return true;
    }
    if (begins(address, "tcp://")) {
        address += strlen("tcp://");
    } else if (begins(address, "ipv4:") || begins(address, "ipv6:")) {
        address += strlen("ipv4:");
    }
    if (begins(address, "localhost:") || begins(address, "[::1]:")) {
        return true;
    }
    /* Digits alone: "127.example.org" is somewhere else. */
    digits = strspn(address, "0123456789.");
    return begins(address, "127.") && address[digits] == ':';
}

bool address_is_answered(const char *address)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const char *path = address_path(address);
    bool answered = false;
    int fd = -1;

    if (path == NULL || strlen(path) >= sizeof(name.sun_path)) {
        return false;
    }
    memcpy(name.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) {
        return false;
    }
    answered = connect(fd, (const struct sockaddr *)&name, sizeof(name)) == 0;
    (void)close(fd);
    return answered;
}

void address_without_port(const char *address, char out[NAME_BYTES_MAX])
{
    size_t size = strlen(address);

    if (begins(address, "ipv4:") || begins(address, "ipv6:")) {
        size = (size_t)(strrchr(address, ':') - address);
    }
    if (size >= NAME_BYTES_MAX) {
        size = NAME_BYTES_MAX - 1;
    }
    memcpy(out, address, size);
    out[size] = '\0';
}
