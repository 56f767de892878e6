//! What Redis does in one step: scripts in Lua. Each names all keys that it touches, and they are of one run.
//!
//! A run has these keys, between braces what keeps them on one machine of a cluster:
//!
//! | key | what |
//! |---|---|
//! | `ru:{R}:jobs` | stream of jobs that are not done, with the group `fleet`: `k` its key, `j` its text |
//! | `ru:{R}:keys` | hash: of each key that was submitted whether it waits (`s`), was begun once by a worker (`b:WORKER`), or is done (`d`) |
//! | `ru:{R}:out` | stream of outcomes: `k`, `o` |
//! | `ru:{R}:once` | sorted set: keys of jobs that are under way and must not be sent again, by when they count as lost |
//! | `ru:{R}:first` | stream of the jobs that go before all others, because those wait for them; likewise. Its entries are numbered from `9999999999999-1` on, so that no entry of `jobs` has the same number |
//! | `ru:{R}:meta` | hash: version, plan, lease and what else workers must know; when a worker or collector last gave a sign of life (`seen`), and until when no worker counts as dead (`grace`) |
//!
//! A connection may be lost before its reply has come, and then the command is sent again. So each script does the same if it
//! runs twice.
//!
//! The first command of each that writes is one that a full Redis refuses, so that nothing is done by halves.

/// The group of workers.
pub(super) const GROUP: &str = "fleet";

/// The keys that scripts get, in this order, by the last part of their names.
pub(super) const KEYS: [&str; 6] = ["meta", "jobs", "keys", "out", "once", "first"];

/// A script. Redis keeps what it has seen, and knows it by a digest that it gives when it is loaded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    pub(super) text: &'static str,
    /// Its place in [`SCRIPTS`].
    pub(super) number: usize,
}

/// Whether no worker counts as dead yet, at this time and with this lease in milliseconds. When no worker and no collector gave a
/// sign of life for two thirds of a lease, of which each gives three in a lease, it was Redis that was away, and all of them may
/// be alive. Then each has a lease to come back, before what it holds goes to others. A full Redis refuses to note it, which
/// only looks like a longer silence.
macro_rules! is_in_grace {
    () => {
        r"
local function is_in_grace(now, lease)
    local meta = redis.call('HMGET', KEYS[1], 'seen', 'grace')
    local seen, grace = tonumber(meta[1] or now), tonumber(meta[2] or 0)
    if now - seen > lease * 2 / 3 then
        grace = now + lease
        redis.pcall('HSET', KEYS[1], 'grace', string.format('%.0f', grace))
    end
    if not meta[1] or now - seen > lease / 10 then
        redis.pcall('HSET', KEYS[1], 'seen', string.format('%.0f', now))
    end
    return now < grace
end"
    };
}

/// In which of both streams an entry is, and how a job is added to one of them: key, text, and `1` if it goes before all others.
macro_rules! streams {
    () => {
        r"
local FIRST = '9999999999999-'
local function goes_first(id) return string.sub(id, 1, #FIRST) == FIRST end
local function stream(id) return goes_first(id) and KEYS[6] or KEYS[2] end
local function add(key, text, first)
    if first then
        local id = FIRST .. redis.call('HINCRBY', KEYS[1], 'first', 1)
        redis.call('XADD', KEYS[6], 'NOMKSTREAM', id, 'k', key, 'j', text)
    else
        redis.call('XADD', KEYS[2], 'NOMKSTREAM', '*', 'k', key, 'j', text)
    end
end"
    };
}

/// All of them, by their numbers.
pub(super) const SCRIPTS: [Script; 8] = [OPEN, SUBMIT, COMMIT, BEGIN_ONCE, GIVE_BACK, KEEP, LIMIT, TAKE_OUT];

/// Begins a run, if there is none of this name. Fields and values of `meta`; the first argument is how long keys are kept.
/// Answers the time of Redis in milliseconds.
pub(super) const OPEN: Script = Script {
    number: 0,
    text: r"
if redis.call('EXISTS', KEYS[1]) == 1 then return redis.error_reply('EXISTS') end
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('HSET', KEYS[1], 'started', string.format('%.0f', now), unpack(ARGV, 2))
for _, key in ipairs({KEYS[2], KEYS[6]}) do redis.call('XGROUP', 'CREATE', key, 'fleet', '0', 'MKSTREAM') end
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[6]}) do redis.call('PEXPIRE', key, ARGV[1]) end
return now",
};

/// Adds jobs: `1` for those that go before all others and else `0`, key and text of each. One that was added before is not added
/// again.
pub(super) const SUBMIT: Script = Script {
    number: 1,
    text: concat!(
        streams!(),
        r"
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[6]) < 3 then return redis.error_reply('GONE the run') end
local added = 0
for i = 1, #ARGV, 3 do
    if redis.call('HSETNX', KEYS[3], ARGV[i + 1], 's') == 1 then
        add(ARGV[i + 1], ARGV[i + 2], ARGV[i] == '1')
        added = added + 1
    end
end
local left = redis.call('PTTL', KEYS[1])
if left > 0 then redis.call('PEXPIRE', KEYS[3], left) end
return added"
    ),
};

/// Notes outcomes: of each the entry of its job, its key, and its text. What is done already counts nothing.
pub(super) const COMMIT: Script = Script {
    number: 2,
    text: concat!(
        streams!(),
        r"
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('GONE the run') end
local noted = 0
for i = 1, #ARGV, 3 do
    local id, key = ARGV[i], ARGV[i + 1]
    local is = redis.call('HGET', KEYS[3], key)
    if is and is ~= 'd' then
        redis.call('XADD', KEYS[4], '*', 'k', key, 'o', ARGV[i + 2])
        redis.call('HSET', KEYS[3], key, 'd')
        noted = noted + 1
    end
    redis.call('XACK', stream(id), 'fleet', id)
    redis.call('XDEL', stream(id), id)
    redis.call('ZREM', KEYS[5], key)
end
local left = redis.call('PTTL', KEYS[1])
if left > 0 then redis.call('PEXPIRE', KEYS[4], left) end
return noted"
    ),
};

/// Takes an outcome out that is of use once, with what is known of its job, so that the same job may be given again: the outcome's
/// entry, and the key.
pub(super) const TAKE_OUT: Script = Script {
    number: 7,
    text: r"
redis.call('XDEL', KEYS[4], ARGV[1])
return redis.call('HDEL', KEYS[3], ARGV[2])",
};

/// Acknowledges a job that must not be sent again, before it is sent: worker, lease, entry, key. Answers 0 if the job is not
/// this worker's any more.
pub(super) const BEGIN_ONCE: Script = Script {
    number: 3,
    text: concat!(
        streams!(),
        r"
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('GONE the run') end
local begun = 'b:' .. ARGV[1]
if redis.call('HGET', KEYS[3], ARGV[4]) == begun then return 1 end
if #redis.call('XPENDING', stream(ARGV[3]), 'fleet', ARGV[3], ARGV[3], 1, ARGV[1]) == 0 then return 0 end
local now = redis.call('TIME')
redis.call('ZADD', KEYS[5], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2], ARGV[4])
redis.call('HSET', KEYS[3], ARGV[4], begun)
redis.call('XACK', stream(ARGV[3]), 'fleet', ARGV[3])
redis.call('XDEL', stream(ARGV[3]), ARGV[3])
return 1"
    ),
};

/// Gives jobs back that were not done: the worker, and of each the entry, the key, and the text.
pub(super) const GIVE_BACK: Script = Script {
    number: 4,
    text: concat!(
        streams!(),
        r"
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('GONE the run') end
for i = 2, #ARGV, 3 do
    local id, key = ARGV[i], ARGV[i + 1]
    local is = redis.call('HGET', KEYS[3], key)
    local mine = is == 's' and #redis.call('XPENDING', stream(id), 'fleet', id, id, 1, ARGV[1]) > 0
    if mine or is == 'b:' .. ARGV[1] then
        add(key, ARGV[i + 2], goes_first(id))
        redis.call('HSET', KEYS[3], key, 's')
        redis.call('XACK', stream(id), 'fleet', id)
        redis.call('XDEL', stream(id), id)
        redis.call('ZREM', KEYS[5], key)
    end
end
return 1"
    ),
};

/// What each worker does every third of a lease: worker, lease, time for which keys are kept, how many jobs it has room for,
/// where it looks for jobs of the dead, the outcome of a job that was lost, that of one whose workers died, after how many,
/// how many entries follow, these, and keys of jobs that must not be sent again.
///
/// It renews what the worker holds and no other has taken over, takes jobs of the dead over, and ends those that are lost. Keys
/// are kept on by who collects, whose name is empty, and by workers that have jobs of the run.
/// Answers where to look next, what it took over, how many jobs are under way, and with how many workers.
pub(super) const KEEP: Script = Script {
    number: 5,
    text: concat!(
        is_in_grace!(),
        streams!(),
        r"
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('GONE the run') end
local me, lease, room = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local held = tonumber(ARGV[9])
local function done(key, text)
    local is = redis.call('HGET', KEYS[3], key)
    if is and is ~= 'd' then
        redis.call('XADD', KEYS[4], '*', 'k', key, 'o', text)
        redis.call('HSET', KEYS[3], key, 'd')
    end
end
for i = 10, 9 + held do
    local mine = redis.call('XPENDING', stream(ARGV[i]), 'fleet', ARGV[i], ARGV[i], 1, me)
    if #mine > 0 then redis.call('XCLAIM', stream(ARGV[i]), 'fleet', me, 0, ARGV[i], 'JUSTID') end
end
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local grace = is_in_grace(now, lease)
for i = 10 + held, #ARGV do
    if redis.call('HGET', KEYS[3], ARGV[i]) == 'b:' .. me then
        redis.call('ZADD', KEYS[5], 'XX', now + lease, ARGV[i])
    end
end
if not grace then
    for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', now, 'LIMIT', 0, 100)) do
        done(key, ARGV[6])
        redis.call('ZREM', KEYS[5], key)
    end
end
local cursor, taken = '0-0', {}
local function take_over(from, at)
    if #taken >= room then return at end
    local claimed = redis.call('XAUTOCLAIM', from, 'fleet', me, lease, at, 'COUNT', room - #taken)
    for _, entry in ipairs(claimed[2]) do
        local id, fields = entry[1], entry[2]
        local pending = redis.call('XPENDING', from, 'fleet', id, id, 1)
        if #pending > 0 and pending[1][4] > tonumber(ARGV[8]) then
            done(fields[2], ARGV[7])
            redis.call('XACK', from, 'fleet', id)
            redis.call('XDEL', from, id)
        else
            taken[#taken + 1] = entry
        end
    end
    return claimed[1]
end
if room > 0 and not grace then
    take_over(KEYS[6], '0-0')
    cursor = take_over(KEYS[2], ARGV[5])
end
if me == '' or #ARGV > 9 or #taken > 0 then
    for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[3]) end
    redis.call('PEXPIRE', string.sub(KEYS[1], 1, -5) .. 'tokens', ARGV[3])
end
local under_way, workers, seen = 0, 0, {}
for _, key in ipairs({KEYS[2], KEYS[6]}) do
    local pending = redis.call('XPENDING', key, 'fleet')
    under_way = under_way + pending[1]
    for _, worker in ipairs(type(pending[4]) == 'table' and pending[4] or {}) do
        if not seen[worker[1]] then workers = workers + 1 end
        seen[worker[1]] = true
    end
end
return {cursor, taken, under_way, workers}"
    ),
};

/// Gives requests their leave: lease, how many may be under way, microseconds from one start to the next, worker, how many first
/// attempts and retries it has made, how many places are given back and these (member, origin), how many hosts are to be left
/// alone and these (origin, microseconds), how many places are renewed and these, and of each that asks member, origin, how many
/// may be under way there, and the microseconds from one start there to the next. 0 is no limit.
///
/// Answers how many first attempts and retries the others have made, and for each the microseconds that it waits, -1 if there is
/// no place, or, if its host is to be left alone, -2 less the microseconds. Starts are spaced by GCRA, by the time of Redis: the
/// next is never earlier than one gap after the last. Places of workers that died are free when their lease is over.
///
/// Places are sorted sets `ru:{R}:at:ORIGIN`, `ru:{R}:at:*` for the run. The hash `ru:{R}:rate` has the next start by origin, and
/// with `p:` before it until when it is left alone; `firsts` and `drawn` of all, and with `:WORKER` behind it of one.
pub(super) const LIMIT: Script = Script {
    number: 6,
    text: concat!(
        is_in_grace!(),
        r"
local base = string.sub(KEYS[1], 1, -5)
local function place(name) return base .. 'at:' .. name end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end
local lease, all, gap = ARGV[1] * 1000, tonumber(ARGV[2]), tonumber(ARGV[3])
local keep = ARGV[1] + 60000
local rate = base .. 'rate'
local function keep_rate(ms)
    ms = math.min(ms, math.max(redis.call('PTTL', KEYS[1]), keep))
    if redis.call('PTTL', rate) < ms then redis.call('PEXPIRE', rate, text(ms)) end
end
local at = 8
for i = 1, tonumber(ARGV[7]) do
    redis.call('ZREM', place(ARGV[at + 1]), ARGV[at])
    redis.call('ZREM', place('*'), ARGV[at])
    at = at + 2
end
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('GONE the run') end
local elsewhere = {}
for i, name in ipairs({'firsts', 'drawn'}) do
    local of_one = name .. ':' .. ARGV[4]
    local more = ARGV[4 + i] - tonumber(redis.call('HGET', rate, of_one) or 0)
    local sum = tonumber(redis.call('HGET', rate, name) or 0)
    if more > 0 then
        sum = redis.call('HINCRBY', rate, name, more)
        redis.call('HSET', rate, of_one, ARGV[4 + i])
        keep_rate(keep)
    end
    elsewhere[i] = math.max(sum - ARGV[4 + i], 0)
end
local function alone(name)
    return tonumber(redis.call('HGET', rate, 'p:' .. name) or 0)
end
local paused = tonumber(ARGV[at])
at = at + 1
for i = 1, paused do
    local till = now + tonumber(ARGV[at + 1])
    if till > alone(ARGV[at]) then redis.call('HSET', rate, 'p:' .. ARGV[at], text(till)) end
    keep_rate((till - now) / 1000 + keep)
    at = at + 2
end
local grace = is_in_grace(math.floor(now / 1000), tonumber(ARGV[1]))
local renewed = tonumber(ARGV[at])
at = at + 1
for i = 1, renewed do
    for _, name in ipairs({ARGV[at + 1], '*'}) do
        redis.call('ZADD', place(name), 'XX', text(now + lease), ARGV[at])
        redis.call('PEXPIRE', place(name), text(keep))
    end
    at = at + 2
end
local function is_full(name, most)
    if most == 0 then return false end
    if not grace then redis.call('ZREMRANGEBYSCORE', place(name), '-inf', text(now)) end
    return redis.call('ZCARD', place(name)) >= most
end
local function due(name, gap)
    if gap == 0 then return now end
    return math.max(tonumber(redis.call('HGET', rate, name) or 0), now)
end
local answers = {elsewhere[1], elsewhere[2]}
while at + 3 <= #ARGV do
    local member, origin = ARGV[at], ARGV[at + 1]
    local most, host_gap = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    at = at + 4
    local till = alone(origin)
    if till > now then
        answers[#answers + 1] = math.floor(now - till) - 2
    elseif is_full(origin, most) or is_full('*', all) then
        answers[#answers + 1] = -1
    else
        local start = math.max(due('*', gap), due(origin, host_gap))
        for _, name in ipairs({origin, '*'}) do
            redis.call('ZADD', place(name), text(start + lease), member)
            redis.call('PEXPIRE', place(name), text((start - now) / 1000 + keep))
        end
        if gap > 0 then redis.call('HSET', rate, '*', text(start + gap)) end
        if host_gap > 0 then redis.call('HSET', rate, origin, text(start + host_gap)) end
        if gap > 0 or host_gap > 0 then
            keep_rate((start - now) / 1000 + keep + (gap + host_gap) / 500)
        end
        answers[#answers + 1] = math.ceil(start - now)
    end
end
return answers"
    ),
};
