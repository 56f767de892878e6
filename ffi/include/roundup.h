/*
 * roundup: rounds up many HTTP APIs at once, on one thread, in a loop of your own.
 *
 *     roundup_t *r = roundup_new();
 *     roundup_set(r, "per-host", "4");
 *     roundup_on_wake(r, wake_my_loop, my_loop);       (writes to a pipe, posts a message, ...)
 *     roundup_add(r, "https://api.example.com/v1/items/1", NULL);
 *     while (roundup_pending(r) > 0) {
 *         char *outcome;
 *         (wait in my_loop until it is woken)
 *         roundup_tick(r, 2000);
 *         while (roundup_take(r, &outcome) == 1) {
 *             puts(outcome);
 *             roundup_string_free(outcome);
 *         }
 *     }
 *     roundup_free(r);
 *
 * Threads. A context belongs to the thread that made it: all calls with it come from there, and one from another thread
 * is answered with ROUNDUP_ERR_THREAD and does nothing. Different threads may have contexts of their own. Functions
 * without a context may be called from any thread at any time. A thread that ends is to free its contexts before; those
 * that it did not free are never freed, but their callbacks are not called any more. A context does not survive fork(2)
 * in the child.
 *
 * Errors. Functions that return int return 0 or more where they did their work, and a negative ROUNDUP_ERR_ code where
 * they did not; then nothing has changed but what roundup_last_error says. Nothing here ever ends the process, throws or
 * waits for the network: an error inside comes out as ROUNDUP_ERR_PANIC.
 *
 * Ownership. A roundup_t * is a handle and not an address: one that was freed, or that was never given out, is found out
 * and answered with ROUNDUP_ERR_HANDLE. Texts that go in are read during the call and not kept. A char * that comes out
 * is the caller's, who gives it back with roundup_string_free, and not with free(3); a const char * stays the library's.
 *
 * Texts are UTF-8 and end with a NUL.
 */
#ifndef ROUNDUP_H
#define ROUNDUP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A context: an event loop, connections, and the jobs that were added and have not been taken. */
typedef struct roundup roundup_t;

/* What functions return. Further codes may come; what is below 0 is an error. */
enum {
    ROUNDUP_OK = 0,
    /* An argument is NULL that must not be. */
    ROUNDUP_ERR_NULL = -1,
    /* There is no such context, or no such text: it was freed, or is not one of this library. */
    ROUNDUP_ERR_HANDLE = -2,
    /* The context belongs to another thread. */
    ROUNDUP_ERR_THREAD = -3,
    /* A call was made from inside of a callback. */
    ROUNDUP_ERR_BUSY = -4,
    /* A text is not UTF-8. */
    ROUNDUP_ERR_UTF8 = -5,
    /* An option or a job is wrong: roundup_last_error says what, where, and what would be right. */
    ROUNDUP_ERR_INVALID = -6,
    /* Too late: an option after the first job, or a job after the end. */
    ROUNDUP_ERR_STATE = -7,
    /* There are as many jobs as "backlog" allows whose outcomes were not taken: take some first. */
    ROUNDUP_ERR_FULL = -8,
    /* A bug of this library. The context is of no use any more; it can still be freed. */
    ROUNDUP_ERR_PANIC = -9
};

/*
 * Makes a context, which belongs to this thread and to the caller, who gives it back with roundup_free.
 *
 * Returns NULL where it cannot: inside of a callback, or where the system refuses what a loop needs.
 */
roundup_t *roundup_new(void);

/*
 * Frees a context. Jobs that are under way are cancelled, their connections closed, and outcomes that were not taken are
 * lost. A callback that runs on another thread is waited for, and none is called any more when this returns. Texts that
 * were taken stay good. NULL is allowed and does nothing.
 *
 * ROUNDUP_ERR_HANDLE where it was freed before, _THREAD, _BUSY.
 */
int roundup_free(roundup_t *context);

/*
 * Sets an option, spelled as on the command line without its dashes, before the first job is added. Given twice, the last
 * counts, but where "several" stands below. A switch is set with "1" and unset with "0".
 *
 *   all jobs   concurrency (100)   per-host (10)   rate 20/s (no limit)   deadline 2m, from the first job (none)
 *              adaptive, a switch   fail-fast, a switch   backlog (100000 jobs that were not taken)
 *              max-memory (256MiB, at most a quarter of what there is): for contents, what is beyond goes to a file
 *              output-dir FOLDER: contents are saved there, under the names of their jobs or as "output" says
 *              hosts, several: limits and keys of a job for single hosts, as in a plan:
 *              {"api.example.com": {"per_host": 2, "rate": "5/s", "headers": {"X": "${NAME}"}}}
 *   each job   timeout (30s)   connect-timeout (10s)   job-timeout, all attempts (none)   retries (2)
 *              retry-on 429,500-504,expectation   retry-unsafe, a switch   retry-after-max (60s)
 *              follow (10 redirects)   max-body (16MiB)   accept (200-399)   method (GET)   raw, a switch
 *              header 'Name: value', several: replaces the one of that name   data: makes a POST of it
 *              user NAME:PASSWORD or bearer TOKEN: for jobs without an Authorization header; hidden as a secret is
 *   network    user-agent   proxy (none; the environment is not asked)   roots auto|os|bundled   cacert FILE
 *              cert FILE   key FILE   pinnedpubkey   insecure, a switch   expect100-timeout (1s)
 *              resolve, several   connect-to, several   ipv4, a switch   ipv6, a switch   unix-socket PATH
 *              interface NAME or ADDRESS
 *   values     secret NAME=value, several: what ${NAME} in jobs stands for; the value is hidden in outcomes and errors
 *              variable NAME=value, several: what {NAME} in jobs stands for, written as its place asks for
 *              Those in "hosts" are to be set before it
 *
 * What of the network needs files is looked at when the first job is added.
 *
 * ROUNDUP_ERR_NULL, _HANDLE, _THREAD, _BUSY, _UTF8, _PANIC; _INVALID where there is no such option, the value is none for
 * it, or the library was built without it; _STATE where a job was added before.
 */
int roundup_set(roundup_t *context, const char *option, const char *value);

/*
 * Has `wake` called with `data` when there is something to do: at once where there is something now, and then once for
 * every time that the context had nothing to do and was woken. Call roundup_tick soon after, from the thread of the
 * context. There is one callback, and another takes its place; NULL takes it away. While nothing happens it is not called.
 *
 * It is called from any thread, during calls with the context, and perhaps from two threads at once. It must return soon,
 * must not wait for the thread of the context or take a lock that this holds during calls, and must not throw or jump
 * out. Calls from inside of it are answered with ROUNDUP_ERR_BUSY, but for roundup_last_error, roundup_version and
 * roundup_string_free.
 *
 * `data` stays the caller's. It must be good until another callback is set or the context is freed; when these return, the
 * old one is not called any more.
 *
 * ROUNDUP_ERR_NULL, _HANDLE, _THREAD, _BUSY, _PANIC.
 */
int roundup_on_wake(roundup_t *context, void (*wake)(void *data), void *data);

/*
 * Adds a job: a URL, or a JSON object with the keys that a job has in a plan, such as
 *
 *     {"name": "weather", "url": "https://api.example.com/{city}", "each": {"city": ["oslo", "lima"]},
 *      "headers": {"Accept": "application/json"}, "timeout": "5s", "select": {"temp": "/current/temp"}}
 *
 * "rows" makes a row of each element of an array, and their values are in the outcome as JSON:
 *
 *     {"url": "https://api.example.com/items", "rows": "/items", "table": "prices",
 *      "select": {"sku": "/id", "price": "/price/net", "note": {"at": "/note", "optional": true}}}
 *
 * comes out with "rows": [{"table": "prices", "columns": ["sku", "price", "note", "source"], "rows": [["A1", 9.50, null,
 * "https://api.example.com/items"]]}], numbers with the digits that the server wrote. Keys that need other jobs, such as
 * "pages", "poll" and "for_each", are for plans alone, and are refused.
 *
 * Returns how many jobs were added: 1, or one for every combination of what "each" lists; all of them or none. `first`
 * may be NULL; otherwise the number of the first one is put there, by which its outcome is known as "index". Numbers count
 * from 0 up. The job starts when the limits let it, in some later roundup_tick.
 *
 * ROUNDUP_ERR_NULL, _HANDLE, _THREAD, _BUSY, _UTF8, _PANIC; _INVALID where the job or one of the options is wrong; _FULL;
 * _STATE after roundup_stop, or where "deadline" or "fail-fast" has ended everything.
 */
int roundup_add(roundup_t *context, const char *job, uint64_t *first);

/*
 * Does what there is to do, and returns without ever waiting: when there is nothing more, or after the first step beyond
 * the budget, in microseconds. With 0 it makes one step. A step is a poll of one job, some microseconds as a rule.
 *
 * Returns 1 where more is to be done, and then the callback has been called; 0 where there is nothing to do until it is
 * called.
 *
 * ROUNDUP_ERR_NULL, _HANDLE, _THREAD, _BUSY, _PANIC.
 */
int roundup_tick(roundup_t *context, uint32_t budget_us);

/*
 * Takes the outcome of a job that has ended, in the order in which they end. It is one JSON object without line breaks,
 * a line of the JSON Lines report as docs/report.schema.json describes it; "index" is the number of the job.
 *
 * Returns 1 and puts the text into `outcome`, for the caller to give back with roundup_string_free; or 0 and puts NULL
 * there, where none has ended. Every job has one outcome, whatever happens to it. Those that are not taken keep their
 * places among "concurrency", so that no further jobs are started: take all of them after each tick.
 *
 * ROUNDUP_ERR_NULL, _HANDLE, _THREAD, _BUSY, _PANIC; NULL is put into `outcome` then, if it is not NULL itself.
 */
int roundup_take(roundup_t *context, char **outcome);

/*
 * How many jobs were added whose outcomes were not taken; negative codes as above.
 *
 * ROUNDUP_ERR_NULL, _HANDLE, _THREAD, _BUSY, _PANIC.
 */
int64_t roundup_pending(roundup_t *context);

/*
 * Ends everything: jobs that are under way come out as cancelled, and those that wait as skipped, for roundup_take. No
 * further ones can be added. Does nothing where it was called before.
 *
 * ROUNDUP_ERR_NULL, _HANDLE, _THREAD, _BUSY, _PANIC.
 */
int roundup_stop(roundup_t *context);

/*
 * The totals of all outcomes that were taken, as one JSON object, the last line of the JSON Lines report. Put into
 * `summary` for the caller to give back with roundup_string_free.
 *
 * ROUNDUP_ERR_NULL, _HANDLE, _THREAD, _BUSY, _PANIC; NULL is put into `summary` then, if it is not NULL itself.
 */
int roundup_summary(roundup_t *context, char **summary);

/*
 * Gives back a text that roundup_take or roundup_summary gave, from any thread. NULL is allowed and does nothing.
 *
 * ROUNDUP_ERR_HANDLE where it is none of these or was given back before. As with addresses from malloc(3), that can not
 * be seen where the same address has been given out again since.
 */
int roundup_string_free(char *text);

/*
 * What the last error on this thread was, in one line or several; empty where there was none. It stays the library's, and
 * good until the next error on this thread. Calls that succeed do not change it.
 */
const char *roundup_last_error(void);

/* The version of the library, such as "0.1.0". It stays the library's, and good for ever. */
const char *roundup_version(void);

#ifdef __cplusplus
}
#endif

#endif
