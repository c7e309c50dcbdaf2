// SPDX-License-Identifier: Apache-2.0
/* real_resolve: names to addresses. Thread: any; blocks, also on the network. */
#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "env/real_private.h"

/* [::] takes IPv4 too where the kernel has IPv6 at all; else 0.0.0.0. */
static void any_address(struct env_addr *out)
{
    *out = (struct env_addr){.family = 4};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6};
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        out->family = 6;
    close(fd);
}

static bool from_sockaddr(const struct sockaddr *sa, struct env_addr *out)
{
    *out = (struct env_addr){0};
    if (sa->sa_family == AF_INET) {
        out->family = 4;
        memcpy(out->ip, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        out->family = 6;
        memcpy(out->ip, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
        return true;
    }
    return false;
}

static bool is_literal(const char *host, struct env_addr *out)
{
    *out = (struct env_addr){.family = 4};
    if (inet_pton(AF_INET, host, out->ip) == 1)
        return true;
    out->family = 6;
    return inet_pton(AF_INET6, host, out->ip) == 1;
}

enum err real_resolve(struct env *env, const char *host, uint16_t port, struct env_addr *out,
                      size_t *count)
{
    struct env_addr addr;
    if (host[0] == '\0' || is_literal(host, &addr)) {
        if (host[0] == '\0')
            any_address(&addr);
        addr.port = port;
        out[0] = addr;
        *count = 1;
        return ERR_OK;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int failed = getaddrinfo(host, NULL, &hints, &list);
    if (failed != 0)
        return failed == EAI_MEMORY ? ERR_NO_MEMORY : ERR_NOT_FOUND;
    size_t found = 0;
    for (const struct addrinfo *info = list; info != NULL && found < *count; info = info->ai_next) {
        if (!from_sockaddr(info->ai_addr, &addr))
            continue;
        addr.port = port;
        out[found++] = addr;
    }
    freeaddrinfo(list);
    if (found == 0)
        return ERR_NOT_FOUND;
    *count = found;
    return ERR_OK;
}
