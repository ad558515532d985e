// Stands between Python and the C library: kills the process at the k-th call that changes the
// disk, or lets the disk be full from that call on. A write is torn: half of it has happened.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OFF, COUNT, KILL, FULL };
static int mode = OFF, at = 0, calls = 0;
static char names[1 << 16];

void fault_arm(int new_mode, int call) { mode = new_mode; at = call; calls = 0; names[0] = 0; }
const char *fault_names(void) { return names; }

// Whether this call has to fail; does not return where the process is killed.
static int faulty(const char *name) {
  if (mode == OFF) return 0;
  calls++;
  if (strlen(names) + strlen(name) + 2 < sizeof names) strcat(strcat(names, name), " ");
  if (mode == KILL && calls == at) kill(getpid(), SIGKILL);
  if (mode == FULL && calls >= at) return errno = ENOSPC, 1;
  return 0;
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))
#define FREES_NOTHING(name, parameters, arguments) \
  int name parameters { return faulty(#name) ? -1 : REAL(name) arguments; }
// A full disk does not keep anybody from removing.
#define FREES(name, parameters, arguments)                      \
  int name parameters {                                         \
    if (mode != FULL) faulty(#name);                            \
    return REAL(name) arguments;                                \
  }

FREES_NOTHING(fsync, (int fd), (fd))
FREES_NOTHING(rename, (const char *from, const char *to), (from, to))
FREES_NOTHING(renameat2, (int a, const char *from, int b, const char *to, unsigned flags),
              (a, from, b, to, flags))
FREES_NOTHING(linkat, (int a, const char *from, int b, const char *to, int flags),
              (a, from, b, to, flags))
FREES_NOTHING(mkdir, (const char *path, mode_t bits), (path, bits))
FREES_NOTHING(chmod, (const char *path, mode_t bits), (path, bits))
FREES(unlink, (const char *path), (path))
FREES(unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
FREES(rmdir, (const char *path), (path))

ssize_t write(int fd, const void *bytes, size_t size) {
  struct stat status;
  typeof(&write) real = REAL(write);
  if (mode == OFF || fstat(fd, &status) || !S_ISREG(status.st_mode)) return real(fd, bytes, size);
  int last = calls + 1 == at;
  if (mode != COUNT && last) real(fd, bytes, size / 2);
  return faulty("write") ? -1 : real(fd, bytes, size);
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t bits = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (flags & O_CREAT && faulty("create")) return -1;
  return REAL(open64)(path, flags, bits);
}

int openat64(int folder, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t bits = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if ((flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) && faulty("create")) return -1;
  return REAL(openat64)(folder, path, flags, bits);
}
