/*
 * Everything that C can do wrong and the library promises to answer, and a good deal that is right.
 *
 *     hostile http://127.0.0.1:PORT        of a fresh `roundup serve`
 *
 * Prints what failed, and at last "N passed, M failed". Meant to be run under valgrind and with AddressSanitizer.
 */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "roundup.h"

#include "host.h"

/* ---- what it must answer ---- */

/* First, for it looks at the server's peak: limits hold over all jobs, though each is added in a turn of its own. */
static void limits_hold_over_all_jobs(void)
{
    host_t *host = host_new(64);
    const char *peak;
    int i;
    CHECK_IS(roundup_set(host->context, "concurrency", "20"), 0);
    CHECK_IS(roundup_set(host->context, "per_host", "3"), ROUNDUP_ERR_INVALID);
    CHECK_IS(roundup_set(host->context, "per-host", "3"), 0);
    for (i = 0; i < 24; i++) {
        CHECK_IS(add(host, "%s/delay/0.05?n=%d", base, i), 1);
        roundup_tick(host->context, 500);
    }
    CHECK_IS(roundup_pending(host->context), 24);
    run(host);
    CHECK_IS(host->ok, 24);
    CHECK_IS(add(host, "%s/stats", base), 1);
    run(host);
    peak = host->last == NULL ? NULL : strstr(host->last, "\"peak_in_flight\":");
    CHECK(peak != NULL);
    CHECK_IS(peak == NULL ? -1 : atoi(peak + 17), 3);
    CHECK_IS(host->twice, 0);
    host_free(host);
}

static void nulls(void)
{
    roundup_t *context = roundup_new();
    char *text = (char *)&text;
    uint64_t id = 77;
    CHECK_IS(roundup_free(NULL), 0);
    CHECK_IS(roundup_string_free(NULL), 0);
    CHECK_IS(roundup_set(NULL, "retries", "1"), ROUNDUP_ERR_NULL);
    CHECK_IS(roundup_set(context, NULL, "1"), ROUNDUP_ERR_NULL);
    CHECK_IS(roundup_set(context, "retries", NULL), ROUNDUP_ERR_NULL);
    CHECK(strcmp(roundup_last_error(), "value is NULL") == 0);
    CHECK_IS(roundup_on_wake(NULL, wake, NULL), ROUNDUP_ERR_NULL);
    CHECK_IS(roundup_on_wake(context, NULL, NULL), 0);
    CHECK_IS(roundup_add(NULL, "http://127.0.0.1/", &id), ROUNDUP_ERR_NULL);
    CHECK_IS(roundup_add(context, NULL, &id), ROUNDUP_ERR_NULL);
    CHECK_IS(id, 77);
    CHECK_IS(roundup_tick(NULL, 0), ROUNDUP_ERR_NULL);
    CHECK_IS(roundup_take(NULL, &text), ROUNDUP_ERR_NULL);
    CHECK(text == NULL);
    CHECK_IS(roundup_take(context, NULL), ROUNDUP_ERR_NULL);
    CHECK_IS(roundup_pending(NULL), ROUNDUP_ERR_NULL);
    CHECK_IS(roundup_stop(NULL), ROUNDUP_ERR_NULL);
    CHECK_IS(roundup_summary(NULL, &text), ROUNDUP_ERR_NULL);
    CHECK_IS(roundup_summary(context, NULL), ROUNDUP_ERR_NULL);
    CHECK(roundup_version() != NULL && strlen(roundup_version()) >= 5);
    CHECK(roundup_last_error() != NULL);
    CHECK_IS(roundup_tick(context, 0), 0);
    CHECK_IS(roundup_take(context, &text), 0);
    CHECK_IS(roundup_pending(context), 0);
    CHECK_IS(roundup_free(context), 0);
}

static void all_calls(roundup_t *context, int expected)
{
    char *text = (char *)&text;
    uint64_t id = 77;
    CHECK_IS(roundup_set(context, "retries", "1"), expected);
    CHECK_IS(roundup_on_wake(context, wake, NULL), expected);
    CHECK_IS(roundup_on_wake(context, NULL, NULL), expected);
    CHECK_IS(roundup_add(context, "http://127.0.0.1/", &id), expected);
    CHECK_IS(id, 77);
    CHECK_IS(roundup_tick(context, 0), expected);
    CHECK_IS(roundup_tick(context, UINT32_MAX), expected);
    CHECK_IS(roundup_take(context, &text), expected);
    CHECK(text == NULL);
    CHECK_IS(roundup_pending(context), expected);
    CHECK_IS(roundup_stop(context), expected);
    text = (char *)&text;
    CHECK_IS(roundup_summary(context, &text), expected);
    CHECK(text == NULL);
    CHECK_IS(roundup_free(context), expected);
}

static void handles_that_are_none(void)
{
    int on_the_stack = 0;
    char *heap = malloc(64);
    roundup_t *context = roundup_new(), *other;
    CHECK_IS(roundup_free(context), 0);
    all_calls(context, ROUNDUP_ERR_HANDLE);
    all_calls(context, ROUNDUP_ERR_HANDLE);
    other = roundup_new();
    CHECK(other != context);
    all_calls(context, ROUNDUP_ERR_HANDLE);
    CHECK_IS(roundup_free(other), 0);
    all_calls((roundup_t *)&on_the_stack, ROUNDUP_ERR_HANDLE);
    all_calls((roundup_t *)heap, ROUNDUP_ERR_HANDLE);
    all_calls((roundup_t *)UINTPTR_MAX, ROUNDUP_ERR_HANDLE);
    all_calls((roundup_t *)(uintptr_t)2, ROUNDUP_ERR_HANDLE);
    free(heap);
}

static void texts_that_are_none(void)
{
    char on_the_stack[] = "text", *heap = malloc(16), *text = NULL;
    roundup_t *context = roundup_new();
    CHECK_IS(roundup_string_free(on_the_stack), ROUNDUP_ERR_HANDLE);
    CHECK_IS(roundup_string_free(heap), ROUNDUP_ERR_HANDLE);
    CHECK_IS(roundup_string_free((char *)UINTPTR_MAX), ROUNDUP_ERR_HANDLE);
    CHECK_IS(roundup_string_free((char *)roundup_version()), ROUNDUP_ERR_HANDLE);
    CHECK_IS(roundup_string_free((char *)roundup_last_error()), ROUNDUP_ERR_HANDLE);
    CHECK_IS(roundup_summary(context, &text), 0);
    CHECK(text != NULL && strstr(text, "\"total\":0,") != NULL);
    CHECK_IS(roundup_string_free(text + 1), ROUNDUP_ERR_HANDLE);
    /* A text outlives its context. */
    CHECK_IS(roundup_free(context), 0);
    CHECK(strlen(text) > 20);
    CHECK_IS(roundup_string_free(text), 0);
    CHECK_IS(roundup_string_free(text), ROUNDUP_ERR_HANDLE);
    free(heap);
}

static void jobs_that_are_none(void)
{
    static const char *const bad[] = {
        "", " ", "x", "ftp://127.0.0.1/", "http://", "http://[::1", "//127.0.0.1/", "{", "{}", "{} {}", "{\"url\"", "{\"url\":}",
        "{\"url\":1}", "{\"url\":null}", "{\"url\":\"\"}", "{\"url\":[]}", "{\"uri\":\"http://127.0.0.1/\"}",
        "{\"url\":\"http://127.0.0.1/\",\"url\":\"http://127.0.0.1/\"}", "{\"url\":\"http://127.0.0.1/\",\"timeout\":5}",
        "{\"url\":\"http://127.0.0.1/\",\"retries\":-1}", "{\"url\":\"http://127.0.0.1/\",\"retries\":1e999}",
        "{\"url\":\"http://127.0.0.1/\",\"headers\":{\"A\":\"b\\r\\nC: d\"}}", "{\"url\":\"http://127.0.0.1/\\u0000\"}",
        "{\"url\":\"http://127.0.0.1/\\ud800\"}", "{\"url\":\"http://${HOME}/\"}", "{\"url\":\"http://127.0.0.1/\",\"each\":{}}",
        "{\"url\":\"http://127.0.0.1/\",\"output\":\"../x\"}", "{\"url\":\"http://127.0.0.1/\",\"data\":\"a\",\"json\":1}",
        "{'url':'http://127.0.0.1/'}", "[{\"url\":\"http://127.0.0.1/\"}]", "{\"url\":\"http://127.0.0.1/\"}}",
    };
    static const char *const not_utf8[] = {"\xff", "http://127.0.0.1/\xc3(", "{\"url\":\"\xed\xa0\x80\"}", "\xc0\x80", "\xf5\x80\x80\x80"};
    roundup_t *context = roundup_new();
    size_t i, size = (size_t)17 << 20;
    char *large = malloc(size + 1);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        int code = roundup_add(context, bad[i], NULL);
        check(code == ROUNDUP_ERR_INVALID, __LINE__, "%s: %d", bad[i], code);
        CHECK(strlen(roundup_last_error()) > 0);
    }
    for (i = 0; i < sizeof not_utf8 / sizeof *not_utf8; i++) {
        CHECK_IS(roundup_add(context, not_utf8[i], NULL), ROUNDUP_ERR_UTF8);
        CHECK_IS(roundup_set(context, not_utf8[i], "1"), ROUNDUP_ERR_UTF8);
        CHECK_IS(roundup_set(context, "user-agent", not_utf8[i]), ROUNDUP_ERR_UTF8);
    }
    memset(large, '[', size);
    large[size] = '\0';
    memcpy(large, "{\"url\":", 7);
    CHECK_IS(roundup_add(context, large, NULL), ROUNDUP_ERR_INVALID);
    large[1 << 20] = '\0';
    CHECK_IS(roundup_add(context, large, NULL), ROUNDUP_ERR_INVALID);
    memcpy(large, "http://", 7);
    CHECK_IS(roundup_add(context, large, NULL), ROUNDUP_ERR_INVALID);
    CHECK_IS(roundup_set(context, large, large), ROUNDUP_ERR_INVALID);
    CHECK_IS(roundup_pending(context), 0);
    /* It is as good as new. */
    CHECK_IS(roundup_set(context, "retries", "0"), 0);
    CHECK_IS(roundup_free(context), 0);
    free(large);
}

static void *from_another_thread(void *data)
{
    CHECK(strcmp(roundup_last_error(), "") == 0);
    all_calls(data, ROUNDUP_ERR_THREAD);
    CHECK(strstr(roundup_last_error(), "another thread") != NULL);
    return NULL;
}

static void other_threads(void)
{
    roundup_t *context = roundup_new();
    pthread_t thread;
    CHECK_IS(roundup_tick(NULL, 0), ROUNDUP_ERR_NULL);
    pthread_create(&thread, NULL, from_another_thread, context);
    pthread_join(thread, NULL);
    CHECK(strcmp(roundup_last_error(), "context is NULL") == 0);
    CHECK_IS(roundup_tick(context, 0), 0);
    CHECK_IS(roundup_free(context), 0);
}

static roundup_t *inside;
static char *inside_text;
static pthread_mutex_t inside_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t inside_owner;
static int inside_here, inside_elsewhere;

static void calls_inside(void *data)
{
    (void)data;
    pthread_mutex_lock(&inside_lock);
    if (pthread_equal(pthread_self(), inside_owner))
        inside_here++;
    else
        inside_elsewhere++;
    if (inside_here + inside_elsewhere <= 6) {
        all_calls(inside, ROUNDUP_ERR_BUSY);
        CHECK(roundup_new() == NULL);
        CHECK(strstr(roundup_last_error(), "inside of a callback") != NULL);
        CHECK(roundup_version() != NULL);
        if (inside_text != NULL)
            CHECK_IS(roundup_string_free(inside_text), 0);
        inside_text = NULL;
    }
    pthread_mutex_unlock(&inside_lock);
}

static void calls_from_inside_of_a_callback(void)
{
    char job[256], *text;
    int turns = 0;
    inside = roundup_new();
    inside_owner = pthread_self();
    CHECK_IS(roundup_summary(inside, &inside_text), 0);
    CHECK_IS(roundup_on_wake(inside, calls_inside, NULL), 0);
    snprintf(job, sizeof job, "%s/delay/0.05", base);
    CHECK_IS(roundup_add(inside, job, NULL), 1);
    while (roundup_pending(inside) > 0 && turns++ < 30000) {
        struct timespec pause = {0, 1000000};
        CHECK(roundup_tick(inside, 1000) >= 0);
        while (roundup_take(inside, &text) == 1)
            roundup_string_free(text);
        nanosleep(&pause, NULL);
    }
    CHECK_IS(roundup_pending(inside), 0);
    CHECK_IS(roundup_free(inside), 0);
    /* Adding wakes on this thread, and the socket on that of the reactor. */
    CHECK(inside_here > 0);
    CHECK(inside_elsewhere > 0);
    CHECK(inside_text == NULL);
}

static void a_budget_of_nothing_gets_on(void)
{
    roundup_t *context = roundup_new();
    char job[256], *text = NULL;
    long ticks = 0;
    snprintf(job, sizeof job, "%s/bytes/100000", base);
    CHECK_IS(roundup_add(context, job, NULL), 1);
    while (roundup_take(context, &text) == 0 && ticks < 10000000) {
        roundup_tick(context, 0);
        ticks++;
    }
    CHECK(text != NULL && strstr(text, "\"body_bytes\":100000,") != NULL);
    CHECK_IS(roundup_string_free(text), 0);
    CHECK_IS(roundup_free(context), 0);
}

static void thousand_jobs(void)
{
    host_t *host = host_new(1000);
    char *summary;
    int i;
    CHECK_IS(roundup_set(host->context, "concurrency", "50"), 0);
    for (i = 0; i < 1000; i++) {
        char job[256];
        uint64_t id = 0;
        snprintf(job, sizeof job, i % 2 ? "%s/bytes/%d" : "{\"url\":\"%s/bytes/%d\",\"timeout\":\"120s\"}", base, i);
        if (roundup_add(host->context, job, &id) != 1 || id != (uint64_t)i)
            CHECK(!"each job has its number");
    }
    CHECK_IS(roundup_pending(host->context), 1000);
    run(host);
    CHECK_IS(host->taken, 1000);
    CHECK_IS(host->ok, 1000);
    CHECK_IS(host->twice, 0);
    CHECK_IS(roundup_summary(host->context, &summary), 0);
    CHECK(strstr(summary, "\"total\":1000,\"ok\":1000,\"failed\":0,") != NULL);
    CHECK_IS(roundup_string_free(summary), 0);
    host_free(host);
}

static void each_and_secrets(void)
{
    host_t *host = host_new(8);
    uint64_t first = 0;
    char job[512];
    CHECK_IS(roundup_set(host->context, "secret", "TOKEN=correct-horse-battery"), 0);
    CHECK_IS(add(host, "%s/bytes/1", base), 1);
    run(host);
    snprintf(job, sizeof job,
             "{\"url\":\"%s/echo?n={n}\",\"each\":{\"n\":[1,2,3]},\"headers\":{\"Authorization\":\"Bearer ${TOKEN}\"}}", base);
    CHECK_IS(roundup_add(host->context, job, &first), 3);
    CHECK_IS(first, 1);
    run(host);
    CHECK_IS(host->ok, 4);
    CHECK(host->last != NULL && strstr(host->last, "correct-horse") == NULL && strstr(host->last, "[redacted]") != NULL);
    host_free(host);
}

static void a_full_backlog_and_the_end(void)
{
    host_t *host = host_new(64);
    int i;
    CHECK_IS(roundup_set(host->context, "backlog", "5"), 0);
    CHECK_IS(roundup_set(host->context, "concurrency", "2"), 0);
    for (i = 0; i < 5; i++)
        CHECK_IS(add(host, "%s/delay/30", base), 1);
    CHECK_IS(add(host, "%s/delay/30", base), ROUNDUP_ERR_FULL);
    CHECK_IS(roundup_set(host->context, "backlog", "9"), ROUNDUP_ERR_STATE);
    turn(host, 1000);
    CHECK_IS(roundup_pending(host->context), 5);
    CHECK_IS(roundup_stop(host->context), 0);
    CHECK_IS(roundup_stop(host->context), 0);
    CHECK_IS(roundup_pending(host->context), 5);
    CHECK_IS(add(host, "%s/bytes/1", base), ROUNDUP_ERR_STATE);
    take_all(host);
    CHECK_IS(host->taken, 5);
    CHECK_IS(host->ok, 0);
    CHECK_IS(roundup_pending(host->context), 0);
    CHECK(strstr(host->last, "\"kind\":\"skipped\"") != NULL);
    CHECK(roundup_tick(host->context, 1000) >= 0);
    CHECK_IS(add(host, "%s/bytes/1", base), ROUNDUP_ERR_STATE);
    host_free(host);
    host = host_new(1);
    CHECK_IS(roundup_stop(host->context), 0);
    CHECK_IS(add(host, "%s/bytes/1", base), ROUNDUP_ERR_STATE);
    host_free(host);
}

/* Freed at some moment, while sockets and timers call from the thread of the reactor. */
static void freed_with_jobs_under_way(void)
{
    int round;
    for (round = 0; round < 60; round++) {
        host_t *host = host_new(64);
        int i, turns = round % 7;
        for (i = 0; i < 12; i++)
            add(host, i % 3 ? "%s/bytes/50000" : "%s/delay/0.00%d", base, 1 + i % 5);
        while (turns-- > 0)
            turn(host, 2);
        host_free(host);
    }
    passed++;
}

static void callbacks_come_and_go(void)
{
    host_t *host = host_new(8), *other = host_new(8);
    int before, idle;
    CHECK_IS(roundup_on_wake(host->context, wake, other), 0);
    before = calls(host);
    CHECK_IS(add(host, "%s/bytes/1", base), 1);
    CHECK_IS(calls(host), before);
    CHECK(calls(other) > 0);
    CHECK_IS(roundup_on_wake(host->context, NULL, NULL), 0);
    before = calls(other);
    while (roundup_pending(host->context) > 0) {
        roundup_tick(host->context, 1000);
        take_all(host);
    }
    CHECK_IS(calls(other), before);
    /* Set when there is something to do, it is called at once. */
    CHECK_IS(add(host, "%s/bytes/1", base), 1);
    before = calls(host);
    CHECK_IS(roundup_on_wake(host->context, wake, host), 0);
    CHECK_IS(calls(host), before + 1);
    run(host);
    CHECK_IS(host->ok, 2);
    while (turn(host, 100))
        ;
    /* While nothing happens, nobody is called: a second of it. */
    idle = calls(host);
    CHECK_IS(turn(host, 1000), 0);
    CHECK_IS(calls(host), idle);
    host_free(host);
    host_free(other);
}

static void *rounds_of_its_own(void *data)
{
    host_t *host = host_new(40);
    int i;
    (void)data;
    for (i = 0; i < 40; i++)
        add(host, "%s/bytes/%d", base, i);
    while (roundup_pending(host->context) > 0 && turn(host, 60000))
        ;
    i = host->ok;
    roundup_free(host->context);
    close(host->ends[0]);
    close(host->ends[1]);
    free(host->seen);
    free(host->last);
    free(host);
    return (void *)(intptr_t)i;
}

static void a_context_on_each_thread(void)
{
    pthread_t threads[4];
    int i;
    for (i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, rounds_of_its_own, NULL);
    for (i = 0; i < 4; i++) {
        void *ok;
        pthread_join(threads[i], &ok);
        CHECK_IS((intptr_t)ok, 40);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: hostile http://127.0.0.1:PORT\n");
        return 2;
    }
    base = argv[1];
    setvbuf(stdout, NULL, _IOLBF, 0);
    limits_hold_over_all_jobs();
    nulls();
    handles_that_are_none();
    texts_that_are_none();
    jobs_that_are_none();
    other_threads();
    calls_from_inside_of_a_callback();
    a_budget_of_nothing_gets_on();
    each_and_secrets();
    a_full_backlog_and_the_end();
    callbacks_come_and_go();
    thousand_jobs();
    freed_with_jobs_under_way();
    a_context_on_each_thread();
    printf("%d passed, %d failed\n", passed, failures);
    return failures > 0;
}
