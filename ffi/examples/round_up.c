/*
 * Rounds up URLs in a loop of its own, on poll(2): a stand-in for whatever loop your program has.
 *
 *     round_up [OPTION=VALUE]... URL|JOB...
 *
 * Each outcome goes to stdout as it comes, a line of JSON, and the totals go last. Ends with 0 where every source
 * succeeded, 3 where one failed, 1 where the command line is wrong.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "roundup.h"

/* How long a turn may take, in microseconds: what is left over then is done in the next one. */
#define BUDGET 2000

/* Called from any thread: a byte in a pipe wakes the loop. A pipe that is full will do so anyway. */
static void wake(void *data)
{
    const int *pipe_end = data;
    const char byte = 0;
    const int error = errno;
    ssize_t written = write(*pipe_end, &byte, 1);
    (void)written;
    errno = error;
}

static int failed(const char *what)
{
    fprintf(stderr, "round_up: %s: %s\n", what, roundup_last_error());
    return 1;
}

static int is_option(const char *argument)
{
    return strchr(argument, '=') != NULL && strstr(argument, "://") == NULL && argument[0] != '{';
}

static int round_up(roundup_t *context, int count, char **arguments, int *ends)
{
    struct pollfd woken = {0};
    char *text;
    int i, all_ok;

    if (roundup_on_wake(context, wake, &ends[1]) < 0)
        return failed("callback");
    for (i = 0; i < count; i++) {
        if (is_option(arguments[i])) {
            char *equals = strchr(arguments[i], '=');
            *equals = '\0';
            if (roundup_set(context, arguments[i], equals + 1) < 0)
                return failed("option");
        } else if (roundup_add(context, arguments[i], NULL) < 0) {
            return failed(arguments[i]);
        }
    }

    woken.fd = ends[0];
    woken.events = POLLIN;
    while (roundup_pending(context) > 0) {
        char bytes[64];
        int took;

        /* Sleeps until there is something to do; here your program waits for its own descriptors, too. */
        if (poll(&woken, 1, -1) < 0 && errno != EINTR) {
            perror("round_up: poll");
            return 1;
        }
        while (read(ends[0], bytes, sizeof bytes) > 0)
            ;
        if (roundup_tick(context, BUDGET) < 0)
            return failed("tick");
        while ((took = roundup_take(context, &text)) == 1) {
            puts(text);
            roundup_string_free(text);
        }
        if (took < 0)
            return failed("take");
    }

    if (roundup_summary(context, &text) < 0)
        return failed("summary");
    puts(text);
    /* The totals hold no text of a server. */
    all_ok = strstr(text, "\"failed\":0,") != NULL;
    roundup_string_free(text);
    return all_ok ? 0 : 3;
}

int main(int argc, char **argv)
{
    roundup_t *context;
    int ends[2], status;

    if (argc < 2) {
        fprintf(stderr, "usage: %s [OPTION=VALUE]... URL|JOB...    (roundup %s)\n", argv[0], roundup_version());
        return 1;
    }
    if (pipe(ends) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0) {
        perror("round_up: pipe");
        return 1;
    }
    context = roundup_new();
    if (context == NULL)
        return failed("context");
    status = round_up(context, argc - 1, argv + 1, ends);
    /* After this nobody writes into the pipe any more. */
    if (roundup_free(context) < 0)
        status = failed("free");
    close(ends[0]);
    close(ends[1]);
    return status;
}
