/*
 * For hostile.c: how a check is counted, and a loop that a context is ticked from.
 */
#ifndef HOST_H
#define HOST_H

static const char *base;
static int passed, failures;

static void check(int good, int line, const char *format, ...)
{
    if (good) {
        passed++;
    } else {
        va_list arguments;
        failures++;
        printf("hostile.c:%d: ", line);
        va_start(arguments, format);
        vprintf(format, arguments);
        va_end(arguments);
        printf("\n    last error: %s\n", roundup_last_error());
    }
}

#define CHECK(condition) check((condition) != 0, __LINE__, "%s", #condition)
#define CHECK_IS(call, expected)                                                                                      \
    do {                                                                                                              \
        long long got = (long long)(call), want = (long long)(expected);                                              \
        check(got == want, __LINE__, "%s is %lld and not %lld", #call, got, want);                                    \
    } while (0)

/* ---- a loop ---- */

typedef struct {
    roundup_t *context;
    int ends[2];
    /* Of the callback, from any thread. */
    pthread_mutex_t lock;
    int calls;
    /* Outcomes that were taken, by the number of their job. */
    unsigned char *seen;
    int room, taken, ok, twice;
    char *last;
} host_t;

static void wake(void *data)
{
    host_t *host = data;
    const char byte = 0;
    ssize_t written;
    pthread_mutex_lock(&host->lock);
    host->calls++;
    pthread_mutex_unlock(&host->lock);
    written = write(host->ends[1], &byte, 1);
    (void)written;
}

static int calls(host_t *host)
{
    int count;
    pthread_mutex_lock(&host->lock);
    count = host->calls;
    pthread_mutex_unlock(&host->lock);
    return count;
}

static host_t *host_new(int room)
{
    host_t *host = calloc(1, sizeof *host);
    host->context = roundup_new();
    host->room = room;
    host->seen = calloc((size_t)room, 1);
    pthread_mutex_init(&host->lock, NULL);
    if (host->context == NULL || pipe(host->ends) != 0) {
        printf("no context or no pipe: %s\n", roundup_last_error());
        exit(2);
    }
    fcntl(host->ends[0], F_SETFL, O_NONBLOCK);
    fcntl(host->ends[1], F_SETFL, O_NONBLOCK);
    if (roundup_on_wake(host->context, wake, host) != 0)
        exit(2);
    return host;
}

/* At once after the context is freed, so that a callback that comes later is found by the sanitizer. */
static void host_free(host_t *host)
{
    CHECK_IS(roundup_free(host->context), 0);
    close(host->ends[0]);
    close(host->ends[1]);
    pthread_mutex_destroy(&host->lock);
    free(host->seen);
    free(host->last);
    memset(host, 0xee, sizeof *host);
    free(host);
}

static void take_all(host_t *host)
{
    char *text;
    while (roundup_take(host->context, &text) == 1) {
        const char *index = strstr(text, "\"index\":");
        int number = index == NULL ? -1 : atoi(index + 8);
        if (number < 0 || number >= host->room || host->seen[number]++)
            host->twice++;
        host->taken++;
        host->ok += strstr(text, "\"ok\":true,\"status\":") != NULL;
        free(host->last);
        host->last = malloc(strlen(text) + 1);
        strcpy(host->last, text);
        roundup_string_free(text);
    }
}

/* One turn; waits for the callback a while before it. */
static int turn(host_t *host, int wait_ms)
{
    struct pollfd woken = {0};
    char bytes[256];
    int ready;
    woken.fd = host->ends[0];
    woken.events = POLLIN;
    ready = poll(&woken, 1, wait_ms);
    while (read(host->ends[0], bytes, sizeof bytes) > 0)
        ;
    roundup_tick(host->context, 2000);
    take_all(host);
    return ready > 0;
}

static void run(host_t *host)
{
    while (roundup_pending(host->context) > 0) {
        if (!turn(host, 60000)) {
            CHECK(!"the host is woken within a minute");
            return;
        }
    }
}

static int add(host_t *host, const char *format, ...)
{
    char job[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(job, sizeof job, format, arguments);
    va_end(arguments);
    return roundup_add(host->context, job, NULL);
}

#endif
