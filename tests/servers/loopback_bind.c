/* For LD_PRELOAD: whoever asks to listen on every address listens on loopback.
 * Orthanc before 1.12 has no setting for the address it binds to. Linux only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int bind(int socket, const struct sockaddr *address, socklen_t length) {
  int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
  struct sockaddr_storage changed;

  if (length <= sizeof changed) {
    memcpy(&changed, address, length);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&changed;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&changed;
    if (address->sa_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY)) {
      v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address = (struct sockaddr *)&changed;
    } else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
      v6->sin6_addr = in6addr_loopback;
      address = (struct sockaddr *)&changed;
    }
  }
  return next(socket, address, length);
}
