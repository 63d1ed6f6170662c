/*
 * Writes down, in one order, everything that a process does to the files below RECORD_ROOT: names, bytes and syncs. What is
 * written to RECORD_LOG is read by power/recording.ts.
 *
 * A change and its line in the log happen under one lock, so the order of lines is the order of changes. A sync is not held
 * by it: it has a line before and one after. Whatever changes files in a way that is not known here is written down as
 * UNKNOWN, so that no recording is taken for complete that is not.
 *
 * Not followed: times, modes and owners; and what is written to SQLite's -shm, which is mapped, and made again after a crash.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { CREATE = 1, FOLDER, WRITE, TRUNCATE, RENAME, UNLINK, RMDIR, LINK, SYNCING, SYNCED, UNKNOWN };

/* Little-endian, as this machine is; then `path`, `path2` and, unless `zeros`, `length` bytes of a WRITE. */
struct line {
  uint32_t kind, path, path2, zeros;
  uint64_t file, offset, length, time;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static int log_fd = -1;
static uint64_t syncs;

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static ssize_t real_write(int fd, const void *bytes, size_t size) {
  REAL(write);
  return real(fd, bytes, size);
}

__attribute__((constructor)) static void begin(void) {
  const char *folder = getenv("RECORD_ROOT"), *log = getenv("RECORD_LOG");
  if (!folder || !log || !realpath(folder, root)) return;
  root_length = strlen(root);
  int fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  /* Out of the way of programs that close or count low numbers. */
  log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 700);
  close(fd);
}

static void fail(const char *what) {
  dprintf(2, "record: %s: %s\n", what, strerror(errno));
  abort();
}

/* Of several processes, too. */
static void lock(void) {
  pthread_mutex_lock(&mutex);
  while (flock(log_fd, LOCK_EX) != 0) if (errno != EINTR) fail("flock");
}

static void unlock(void) {
  int kept = errno;
  flock(log_fd, LOCK_UN);
  pthread_mutex_unlock(&mutex);
  errno = kept;
}

static void put(const void *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = real_write(log_fd, (const char *)bytes + done, size - done);
    if (n < 0 && errno != EINTR) fail("the log");
    if (n > 0) done += n;
  }
}

static int is_zero(const struct iovec *parts, int count, size_t length) {
  for (int i = 0; i < count && length > 0; i += 1) {
    size_t size = parts[i].iov_len < length ? parts[i].iov_len : length;
    const char *bytes = parts[i].iov_base;
    if (size > 0 && (bytes[0] != 0 || memcmp(bytes, bytes + 1, size - 1) != 0)) return 0;
    length -= size;
  }
  return 1;
}

static void tell(enum kind kind, uint64_t file, const char *path, const char *path2, uint64_t offset,
                 uint64_t length, const struct iovec *parts, int count) {
  int kept = errno;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  struct line line = {kind, strlen(path), strlen(path2), parts ? is_zero(parts, count, length) : 1,
                      file, offset, length, now.tv_sec * 1000000000ull + now.tv_nsec};
  put(&line, sizeof line);
  put(path, line.path);
  put(path2, line.path2);
  if (!line.zeros) {
    for (int i = 0; i < count && length > 0; i += 1) {
      size_t size = parts[i].iov_len < length ? parts[i].iov_len : length;
      put(parts[i].iov_base, size);
      length -= size;
    }
  }
  errno = kept;
}

/* The path of what a name means below a folder, with the folder's links resolved; 0 when it is not below the root. */
static int place_at(int folder, const char *name, char *out) {
  if (log_fd < 0 || !name) return 0;
  int kept = errno;
  char whole[PATH_MAX * 2], above[PATH_MAX];
  if (name[0] == '/') {
    if (snprintf(whole, PATH_MAX, "%s", name) >= PATH_MAX) return 0;
  } else {
    char base[PATH_MAX], link[64];
    if (folder == AT_FDCWD) strcpy(link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t n = readlink(link, base, sizeof base - 1);
    if (n < 0) return errno = kept, 0;
    base[n] = 0;
    snprintf(whole, sizeof whole, "%s/%s", base, name);
  }
  for (size_t end = strlen(whole); end > 1 && whole[end - 1] == '/'; end -= 1) whole[end - 1] = 0;
  char *slash = strrchr(whole, '/');
  if (!slash) return errno = kept, 0;
  *slash = 0;
  int found = realpath(slash == whole ? "/" : whole, above) != NULL;
  errno = kept;
  if (!found) return 0;
  if (snprintf(out, PATH_MAX, "%s/%s", above, slash + 1) >= PATH_MAX) return 0;
  return strncmp(out, root, root_length) == 0 && out[root_length] == '/';
}

/* The same of what is open; files that have no name any more among them. */
static int place_of(int fd, struct stat *found, char *out) {
  if (log_fd < 0 || fd == log_fd) return 0;
  int kept = errno, is = 0;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (fstat(fd, found) == 0 && (S_ISREG(found->st_mode) || S_ISDIR(found->st_mode))) {
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    out[n < 0 ? 0 : n] = 0;
    is = strncmp(out, root, root_length) == 0 && (out[root_length] == '/' || out[root_length] == 0);
  }
  errno = kept;
  return is;
}

static void unknown(const char *call, const char *path) {
  lock();
  tell(UNKNOWN, 0, path, call, 0, 0, NULL, 0);
  unlock();
}

/* Opening. */

static int opened(int folder, const char *name, int flags, mode_t mode) {
  REAL(openat64);
  char path[PATH_MAX];
  if (!(flags & (O_CREAT | O_TRUNC)) || !place_at(folder, name, path)) {
    if ((flags & (O_DSYNC | O_SYNC)) && place_at(folder, name, path)) unknown("O_SYNC", path);
    return real(folder, name, flags, mode);
  }
  if (flags & (O_DSYNC | O_SYNC)) unknown("O_SYNC", path);
  if ((flags & O_TMPFILE) == O_TMPFILE) unknown("O_TMPFILE", path);
  lock();
  struct stat found;
  int was = lstat(path, &found) == 0;
  int fd = real(folder, name, flags, mode);
  if (fd >= 0 && fstat(fd, &found) == 0) {
    if (!was) tell(CREATE, found.st_ino, path, "", 0, 0, NULL, 0);
    else if (flags & O_TRUNC) tell(TRUNCATE, found.st_ino, path, "", 0, 0, NULL, 0);
  }
  unlock();
  return fd;
}

static mode_t mode_of(int flags, va_list rest) {
  return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = mode_of(flags, rest); \
    va_end(rest); \
    return opened(AT_FDCWD, path, flags, mode); \
  }
#define OPENAT(name) \
  int name(int folder, const char *path, int flags, ...) { \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = mode_of(flags, rest); \
    va_end(rest); \
    return opened(folder, path, flags, mode); \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

FILE *fopen(const char *path, const char *mode) {
  REAL(fopen);
  char place[PATH_MAX];
  if (mode[0] != 'r' && place_at(AT_FDCWD, path, place)) unknown("fopen", place);
  return real(path, mode);
}
FILE *fopen64(const char *path, const char *mode) {
  REAL(fopen64);
  char place[PATH_MAX];
  if (mode[0] != 'r' && place_at(AT_FDCWD, path, place)) unknown("fopen", place);
  return real(path, mode);
}

/* Writing. */

static off64_t position_of(int fd, const struct stat *found) {
  return fcntl(fd, F_GETFL) & O_APPEND ? found->st_size : lseek64(fd, 0, SEEK_CUR);
}

#define WRITING(call, at, parts, count) \
  struct stat found; \
  char path[PATH_MAX]; \
  if (!place_of(fd, &found, path) || !S_ISREG(found.st_mode)) return call; \
  lock(); \
  fstat(fd, &found); \
  off64_t start = at; \
  ssize_t done = call; \
  if (done > 0) tell(WRITE, found.st_ino, path, "", start, done, parts, count); \
  unlock(); \
  return done

ssize_t write(int fd, const void *bytes, size_t size) {
  struct iovec part = {(void *)bytes, size};
  WRITING(real_write(fd, bytes, size), position_of(fd, &found), &part, 1);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  WRITING(real(fd, parts, count), position_of(fd, &found), parts, count);
}
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset) {
  REAL(pwrite64);
  struct iovec part = {(void *)bytes, size};
  WRITING(real(fd, bytes, size, offset), offset, &part, 1);
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) { return pwrite64(fd, bytes, size, offset); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
  REAL(pwritev64);
  WRITING(real(fd, parts, count, offset), offset, parts, count);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  return pwritev64(fd, parts, count, offset);
}

/* Lengths. */

int ftruncate64(int fd, off64_t length) {
  REAL(ftruncate64);
  struct stat found;
  char path[PATH_MAX];
  if (!place_of(fd, &found, path)) return real(fd, length);
  lock();
  int result = real(fd, length);
  if (result == 0) tell(TRUNCATE, found.st_ino, path, "", length, 0, NULL, 0);
  unlock();
  return result;
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

/* Names. */

#define CHANGING(kind, call, file, path, path2) \
  lock(); \
  int result = call; \
  if (result == 0) tell(kind, file, path, path2, 0, 0, NULL, 0); \
  unlock(); \
  return result

static uint64_t file_at(const char *path) {
  struct stat found;
  return lstat(path, &found) == 0 ? found.st_ino : 0;
}

int mkdirat(int folder, const char *name, mode_t mode) {
  REAL(mkdirat);
  char path[PATH_MAX];
  if (!place_at(folder, name, path)) return real(folder, name, mode);
  CHANGING(FOLDER, real(folder, name, mode), file_at(path), path, "");
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int unlinkat(int folder, const char *name, int flags) {
  REAL(unlinkat);
  char path[PATH_MAX];
  if (!place_at(folder, name, path)) return real(folder, name, flags);
  CHANGING(flags & AT_REMOVEDIR ? RMDIR : UNLINK, real(folder, name, flags), 0, path, "");
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
int remove(const char *name) {
  struct stat found;
  return lstat(name, &found) == 0 && S_ISDIR(found.st_mode) ? rmdir(name) : unlink(name);
}

int renameat2(int from, const char *name, int to, const char *name2, unsigned flags) {
  REAL(renameat2);
  char path[PATH_MAX], path2[PATH_MAX];
  int is = place_at(from, name, path), is2 = place_at(to, name2, path2);
  if (!is && !is2) return real(from, name, to, name2, flags);
  if (is != is2 || (flags & ~RENAME_NOREPLACE)) unknown("rename", path);
  CHANGING(RENAME, real(from, name, to, name2, flags), 0, path, path2);
}
int renameat(int from, const char *name, int to, const char *name2) { return renameat2(from, name, to, name2, 0); }
int rename(const char *name, const char *name2) { return renameat2(AT_FDCWD, name, AT_FDCWD, name2, 0); }

int linkat(int from, const char *name, int to, const char *name2, int flags) {
  REAL(linkat);
  char path[PATH_MAX], path2[PATH_MAX];
  int is = place_at(from, name, path), is2 = place_at(to, name2, path2);
  if (!is && !is2) return real(from, name, to, name2, flags);
  if (is != is2) unknown("link", path);
  CHANGING(LINK, real(from, name, to, name2, flags), 0, path, path2);
}
int link(const char *name, const char *name2) { return linkat(AT_FDCWD, name, AT_FDCWD, name2, 0); }

/* Syncs. */

static int synced(int fd, int (*real)(int)) {
  struct stat found;
  char path[PATH_MAX];
  if (!place_of(fd, &found, path)) return real(fd);
  lock();
  uint64_t id = (uint64_t)getpid() << 32 | ++syncs;
  tell(SYNCING, found.st_ino, path, "", id, 0, NULL, 0);
  unlock();
  int result = real(fd);
  if (result != 0) return result;
  lock();
  tell(SYNCED, found.st_ino, path, "", id, 0, NULL, 0);
  unlock();
  return 0;
}
int fsync(int fd) {
  REAL(fsync);
  return synced(fd, real);
}
int fdatasync(int fd) {
  REAL(fdatasync);
  return synced(fd, real);
}

/* What is not followed, and must not be used. */

#define REFUSED(type, name, fd, parameters, arguments) \
  type name parameters { \
    REAL(name); \
    struct stat found; \
    char path[PATH_MAX]; \
    if (place_of(fd, &found, path)) unknown(#name, path); \
    return real arguments; \
  }
REFUSED(int, fallocate, fd, (int fd, int mode, off_t offset, off_t length), (fd, mode, offset, length))
REFUSED(int, fallocate64, fd, (int fd, int mode, off64_t offset, off64_t length), (fd, mode, offset, length))
REFUSED(int, posix_fallocate, fd, (int fd, off_t offset, off_t length), (fd, offset, length))
REFUSED(int, posix_fallocate64, fd, (int fd, off64_t offset, off64_t length), (fd, offset, length))
REFUSED(ssize_t, copy_file_range, out, (int in, off64_t *at, int out, off64_t *to, size_t size, unsigned flags),
        (in, at, out, to, size, flags))
REFUSED(ssize_t, sendfile, out, (int out, int in, off_t *at, size_t size), (out, in, at, size))
REFUSED(ssize_t, sendfile64, out, (int out, int in, off64_t *at, size_t size), (out, in, at, size))
REFUSED(ssize_t, pwritev2, fd, (int fd, const struct iovec *parts, int count, off_t offset, int flags),
        (fd, parts, count, offset, flags))
REFUSED(ssize_t, pwritev64v2, fd, (int fd, const struct iovec *parts, int count, off64_t offset, int flags),
        (fd, parts, count, offset, flags))

int truncate(const char *name, off_t length) {
  REAL(truncate);
  char path[PATH_MAX];
  if (place_at(AT_FDCWD, name, path)) unknown("truncate", path);
  return real(name, length);
}
int truncate64(const char *name, off64_t length) {
  REAL(truncate64);
  char path[PATH_MAX];
  if (place_at(AT_FDCWD, name, path)) unknown("truncate", path);
  return real(name, length);
}
int symlinkat(const char *target, int folder, const char *name) {
  REAL(symlinkat);
  char path[PATH_MAX];
  if (place_at(folder, name, path)) unknown("symlink", path);
  return real(target, folder, name);
}
int symlink(const char *target, const char *name) { return symlinkat(target, AT_FDCWD, name); }

static int is_index(const char *path) {
  size_t length = strlen(path);
  return length > 4 && strcmp(path + length - 4, "-shm") == 0;
}

void *mmap64(void *at, size_t size, int rights, int flags, int fd, off64_t offset) {
  REAL(mmap64);
  struct stat found;
  char path[PATH_MAX];
  if (fd >= 0 && (flags & MAP_SHARED) && (rights & PROT_WRITE) && place_of(fd, &found, path) && !is_index(path))
    unknown("mmap", path);
  return real(at, size, rights, flags, fd, offset);
}
void *mmap(void *at, size_t size, int rights, int flags, int fd, off_t offset) {
  return mmap64(at, size, rights, flags, fd, offset);
}
