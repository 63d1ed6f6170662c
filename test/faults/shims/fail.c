/*
 * A disk that fails when a test wants it to. Stands between a process and the C library (LD_PRELOAD), and obeys a page of
 * memory that the test writes while the process runs: a file named by FAIL_PAGE, as `test/faults/failing-disk.ts` lays it out.
 *
 * It also keeps a ledger of files whose sync has failed. What was written to such a file before may never reach the disk,
 * whatever a later sync says: the system marks pages that it could not write as clean. Such a file must be cut back to
 * what an earlier sync has brought to the disk, or never get a name that promises anything; where it gets one, that is counted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, NAME = 4, READ = 8 };

struct page {
  _Atomic uint32_t armed;
  uint32_t calls;        /* which kinds of calls, a sum of the above */
  int32_t error;         /* errno of those that fail */
  uint32_t skip;         /* so many that match succeed first */
  uint32_t fail;         /* so many fail then, UINT32_MAX for all */
  uint32_t part;         /* bytes that a write takes before the disk is full; 0 for none */
  _Atomic uint32_t matched;
  _Atomic uint32_t failed;
  _Atomic uint32_t broken; /* names given to files whose bytes may be lost */
  char path[212];        /* what the path has to have in it; from byte 36 on */
  char last[256];        /* the call that failed last */
};

static struct page *page;

/* Files, by device and inode, of which some bytes may be lost: those from `from` on. */
struct lost { dev_t device; ino_t inode; off_t from; int used; };
/* Bytes of a file that the last sync has brought to the disk. */
static struct lost lost[256], good[1024];
static size_t next_lost, next_good;
static pthread_mutex_t ledger = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void attach(void) {
  const char *path = getenv("FAIL_PAGE");
  if (!path) return;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *found = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (found != MAP_FAILED) page = found;
}

static int is_watched(void) {
  return page && atomic_load(&page->armed);
}

/* Whether this call fails; errno is set then. */
static int fails(uint32_t call, const char *name, const char *path) {
  if (!is_watched() || !(page->calls & call) || !strstr(path, page->path)) return 0;
  uint32_t index = atomic_fetch_add(&page->matched, 1);
  if (index < page->skip) return 0;
  if (page->fail != UINT32_MAX && index - page->skip >= page->fail) return 0;
  atomic_fetch_add(&page->failed, 1);
  snprintf(page->last, sizeof page->last, "%s %.230s", name, path);
  errno = page->error;
  return 1;
}

static void path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  path[length < 0 ? 0 : length] = 0;
}

static int fails_at(uint32_t call, const char *name, int fd) {
  if (!is_watched() || !(page->calls & call)) return 0;
  char path[PATH_MAX];
  path_of(fd, path);
  return path[0] == '/' && fails(call, name, path);
}

static struct lost *find(struct lost *list, size_t length, const struct stat *file) {
  for (size_t i = 0; i < length; i++)
    if (list[i].used && list[i].device == file->st_dev && list[i].inode == file->st_ino) return &list[i];
  return NULL;
}

static void keep(struct lost *list, size_t length, size_t *next, const struct stat *file, off_t from) {
  struct lost *found = find(list, length, file);
  if (!found) found = &list[(*next)++ % length];
  *found = (struct lost){ file->st_dev, file->st_ino, from, 1 };
}

#define ALL(list) list, sizeof list / sizeof *list

static void synced(int fd, int is_done) {
  struct stat file;
  if (!page || fstat(fd, &file) < 0 || !S_ISREG(file.st_mode)) return;
  pthread_mutex_lock(&ledger);
  struct lost *before = find(ALL(good), &file);
  if (is_done) keep(ALL(good), &next_good, &file, file.st_size);
  else if (!find(ALL(lost), &file)) keep(ALL(lost), &next_lost, &file, before ? before->from : 0);
  pthread_mutex_unlock(&ledger);
}

static void cut(int fd, off_t length) {
  struct stat file;
  if (!page || fstat(fd, &file) < 0) return;
  pthread_mutex_lock(&ledger);
  struct lost *found = find(ALL(lost), &file);
  if (found && length <= found->from) found->used = 0;
  struct lost *before = find(ALL(good), &file);
  if (before && length < before->from) before->from = length;
  pthread_mutex_unlock(&ledger);
}

/* An inode's number is given to another file when the last name and the last descriptor are gone. */
static void forget(const struct stat *file) {
  pthread_mutex_lock(&ledger);
  struct lost *found = find(ALL(lost), file);
  if (found) found->used = 0;
  found = find(ALL(good), file);
  if (found) found->used = 0;
  pthread_mutex_unlock(&ledger);
}

static void named(const char *from, const char *to) {
  struct stat file;
  if (!page || stat(to, &file) < 0) return;
  pthread_mutex_lock(&ledger);
  int is_lost = find(ALL(lost), &file) != NULL;
  pthread_mutex_unlock(&ledger);
  if (!is_lost) return;
  atomic_fetch_add(&page->broken, 1);
  snprintf(page->last, sizeof page->last, "named %.100s %.130s", from, to);
}

/* Bytes that a write takes though the disk is full behind them, 0 for none. */
static size_t taken(size_t length) {
  return page->part > 0 && page->part < length ? page->part : 0;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(write);
  if (!fails_at(WRITE, "write", fd)) return real(fd, bytes, length);
  return taken(length) ? real(fd, bytes, taken(length)) : -1;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  if (!fails_at(WRITE, "writev", fd)) return real(fd, parts, count);
  if (count < 1 || !taken(parts[0].iov_len)) return -1;
  struct iovec first = { parts[0].iov_base, taken(parts[0].iov_len) };
  return real(fd, &first, 1);
}

#define PWRITE(name) \
  ssize_t name(int fd, const void *bytes, size_t length, off_t at) { \
    REAL(name); \
    if (!fails_at(WRITE, #name, fd)) return real(fd, bytes, length, at); \
    return taken(length) ? real(fd, bytes, taken(length), at) : -1; \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

/* libuv looks these two up by name. */
#define PWRITEV(name) \
  ssize_t name(int fd, const struct iovec *parts, int count, off_t at) { \
    REAL(name); \
    if (!fails_at(WRITE, #name, fd)) return real(fd, parts, count, at); \
    if (count < 1 || !taken(parts[0].iov_len)) return -1; \
    struct iovec first = { parts[0].iov_base, taken(parts[0].iov_len) }; \
    return real(fd, &first, 1, at); \
  }
PWRITEV(pwritev)
PWRITEV(pwritev64)

#define PREAD(name) \
  ssize_t name(int fd, void *bytes, size_t length, off_t at) { \
    REAL(name); \
    return fails_at(READ, #name, fd) ? -1 : real(fd, bytes, length, at); \
  }
PREAD(pread)
PREAD(pread64)

#define PREADV(name) \
  ssize_t name(int fd, const struct iovec *parts, int count, off_t at) { \
    REAL(name); \
    return fails_at(READ, #name, fd) ? -1 : real(fd, parts, count, at); \
  }
PREADV(preadv)
PREADV(preadv64)

/* A sync that fails has brought nothing to the disk. */
#define SYNC_BY(name) \
  int name(int fd) { \
    REAL(name); \
    int result = fails_at(SYNC, #name, fd) ? -1 : real(fd); \
    int error = errno; \
    synced(fd, result == 0); \
    errno = error; \
    return result; \
  }
SYNC_BY(fsync)
SYNC_BY(fdatasync)

#define CUT_BY(name) \
  int name(int fd, off_t length) { \
    REAL(name); \
    if (fails_at(NAME, #name, fd)) return -1; \
    cut(fd, length); \
    return real(fd, length); \
  }
CUT_BY(ftruncate)
CUT_BY(ftruncate64)

/* Only what makes a file: one that is there is opened on any disk. */
static int fails_open(const char *path, int flags) {
  return (flags & O_CREAT) && is_watched() && access(path, F_OK) < 0 && fails(NAME, "open", path);
}

#define MODE_OF(flags, mode) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { \
    va_list more; \
    va_start(more, flags); \
    mode = va_arg(more, mode_t); \
    va_end(more); \
  }

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    MODE_OF(flags, mode) \
    if (fails_open(path, flags)) return -1; \
    int fd = real(path, flags, mode); \
    struct stat file; \
    if (page && fd >= 0 && (flags & O_EXCL) && fstat(fd, &file) == 0) forget(&file); \
    return fd; \
  }
OPEN(open)
OPEN(open64)

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  struct stat there;
  if (stat(path, &there) < 0 && fails(NAME, "mkdir", path)) return -1;
  return real(path, mode);
}

int rmdir(const char *path) {
  REAL(rmdir);
  return fails(NAME, "rmdir", path) ? -1 : real(path);
}

int unlink(const char *path) {
  REAL(unlink);
  if (fails(NAME, "unlink", path)) return -1;
  struct stat file;
  int is_last = page && lstat(path, &file) == 0 && file.st_nlink == 1;
  int result = real(path);
  if (result == 0 && is_last) forget(&file);
  return result;
}

int rename(const char *from, const char *to) {
  REAL(rename);
  if (fails(NAME, "rename", to)) return -1;
  int result = real(from, to);
  if (result == 0) named(from, to);
  return result;
}

int link(const char *from, const char *to) {
  REAL(link);
  if (fails(NAME, "link", to)) return -1;
  int result = real(from, to);
  if (result == 0) named(from, to);
  return result;
}
