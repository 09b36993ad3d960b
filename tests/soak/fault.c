/* Preloaded into every program of a trial: counts the calls that change something below one folder, over all processes,
 * and at a chosen one kills, fails or cuts short. The numbers lie in a file that all of them have mapped. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL_ALL, KILL_ONE, HALF, FAIL };

struct control {
    int armed, mode, error, times, fired, processes;
    long at, calls;
    int pids[1024];
    char below[512], where[512];
};

static struct control *control;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("PACHA_SOAK_CONTROL");
    int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED)
        return;
    control = mapped;
    if (control->armed) {
        int slot = __sync_fetch_and_add(&control->processes, 1);
        if (slot < 1024)
            control->pids[slot] = getpid();
    }
}

static void kill_all(void)
{
    for (int i = 0; i < control->processes && i < 1024; i++)
        if (control->pids[i] != getpid())
            kill(control->pids[i], SIGKILL);
    kill(getpid(), SIGKILL);
}

static int is_below(const char *path)
{
    char whole[PATH_MAX];
    if (path[0] != '/') {
        if (!getcwd(whole, sizeof whole - strlen(path) - 2))
            return 0;
        strcat(strcat(whole, "/"), path);
        path = whole;
    }
    return !strncmp(path, control->below, strlen(control->below));
}

/* 0: go on. Else the call is to fail with errno set; a write is to be halved if that is -2. */
static int met(const char *call, const char *path)
{
    if (!control || !control->armed || !is_below(path))
        return 0;
    long number = __sync_add_and_fetch(&control->calls, 1);
    if (control->mode == COUNT || number < control->at || number >= control->at + control->times)
        return 0;
    if (!control->fired++)
        snprintf(control->where, sizeof control->where, "%s %s", call, path);
    switch (control->mode) {
    case KILL_ALL:
        kill_all();
    case KILL_ONE:
        kill(getpid(), SIGKILL);
    case HALF:
        return -2;
    }
    errno = control->error;
    return -1;
}

static int met_fd(const char *call, int fd)
{
    char link[64], path[PATH_MAX];
    if (!control || !control->armed)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    return met(call, path);
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))
#define CALL(call, met_it, ...)                 \
    do {                                        \
        int m = met_it;                         \
        if (m == -2)                            \
            kill_all();                         \
        return m ? -1 : REAL(call)(__VA_ARGS__); \
    } while (0)

ssize_t write(int fd, const void *data, size_t size)
{
    int m = met_fd("write", fd);
    if (m == -2) {
        if (size > 1)
            REAL(write)(fd, data, size / 2);
        kill_all();
    }
    return m ? -1 : REAL(write)(fd, data, size);
}
ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    int m = met_fd("writev", fd);
    if (m == -2) {
        REAL(writev)(fd, pieces, (count + 1) / 2);
        kill_all();
    }
    return m ? -1 : REAL(writev)(fd, pieces, count);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { CALL(pwrite64, met_fd("pwrite", fd), fd, data, size, at); }
int fsync(int fd) { CALL(fsync, met_fd("fsync", fd), fd); }
int fdatasync(int fd) { CALL(fdatasync, met_fd("fdatasync", fd), fd); }
int ftruncate64(int fd, off64_t size) { CALL(ftruncate64, met_fd("ftruncate", fd), fd, size); }
int rename(const char *from, const char *to) { CALL(rename, met("rename", to), from, to); }
int link(const char *from, const char *to) { CALL(link, met("link", to), from, to); }
int unlink(const char *path) { CALL(unlink, met("unlink", path), path); }
int mkdir(const char *path, mode_t mode) { CALL(mkdir, met("mkdir", path), path, mode); }

#define OPEN(name)                                                                        \
    int name(const char *path, int flags, ...)                                            \
    {                                                                                     \
        va_list rest;                                                                     \
        va_start(rest, flags);                                                            \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;         \
        va_end(rest);                                                                     \
        int m = flags & (O_WRONLY | O_RDWR | O_CREAT) ? met("open", path) : 0;            \
        if (m == -2)                                                                      \
            kill_all();                                                                   \
        return m ? -1 : REAL(name)(path, flags, mode);                                    \
    }
OPEN(open)
OPEN(open64)
