"""The budget in Redis: each question is one Lua script, by the clock of the Redis server.

A hash for each key. It expires after an hour without a request, when the bucket is full again anyway. What Redis
forgets (a restart, an eviction) looks like a full bucket; the first answer of TokPortal's corrects that.
"""

from collections.abc import Callable
from functools import lru_cache

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from issues.tokportal import budget as b
from issues.tokportal.budget import Lane, Slot
from issues.tokportal.constants import DEFAULT_LIMIT_PER_MINUTE

TIMEOUT_SECONDS = 0.25
PREFIX = "tokdash:budget:"

# KEYS: the hash. ARGV: what, now ("" for the server's), then what the operation needs. Times as text: Lua's numbers
# are doubles, and tostring() would round them to 14 digits.
_SCRIPT = (
    """
local key, what, now = KEYS[1], ARGV[1], ARGV[2]
if now == '' then
  local t = redis.call('TIME')
  now = tonumber(t[1]) + tonumber(t[2]) / 1000000
else
  now = tonumber(now)
end
local stored = redis.call('HGETALL', key)
local s = {}
for i = 1, #stored, 2 do s[stored[i]] = tonumber(stored[i + 1]) end
local function get(name, default) return s[name] or default end
local function put(name, value) redis.call('HSET', key, name, string.format('%.17g', value)) end
local limit = get('limit', DEFAULT_LIMIT)
local interval = 60 / (math.max(limit, 1) * SAFETY)
local function tolerance(share) return math.max(share * math.max(limit, 1) * interval, interval) end
local failures, open_until = get('failures', 0), get('open_until', 0)

if what == 'take' then
  local share, reserve, patient, lane = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1', ARGV[6]
  local ahead = tonumber(ARGV[7])
  if now < get('blocked_until', 0) then return {'blocked', string.format('%.9f', get('blocked_until', 0) - now), 0} end
  local is_open = patient and failures >= BREAKER_FAILURES
  if is_open and now < open_until then return {'away', string.format('%.9f', open_until - now), 0} end
  local after = math.max(get('tat', 0), now) + interval
  local excess = after - now - tolerance(share)
  if excess > 1e-6 then
    if reserve <= 0 then return {'rate', string.format('%.9f', excess), 0} end
    local reserved = math.max(after - now - tolerance(RESERVE_SHARE), get(lane, 0) - now)
    if reserved > 1e-6 then return {'rate', string.format('%.9f', math.min(excess, reserved)), 0} end
    put(lane, now + interval / reserve)
  end
  local more = 0
  if is_open then
    put('open_until', now + PROBE_SECONDS)
  else
    more = math.max(math.min(ahead, math.floor((tolerance(share) + 1e-6 - (after - now)) / interval)), 0)
  end
  put('tat', after + more * interval)
  redis.call('EXPIRE', key, 3600)
  return {'', '0', more}
end
if what == 'observe' then
  if failures > 0 then redis.call('HDEL', key, 'failures', 'open_until') end
  local told, remaining = tonumber(ARGV[3]), tonumber(ARGV[4])
  if told > 0 then
    if told ~= limit then put('limit', told) end
    if remaining >= 0 then
      local used = now + math.max(told - remaining, 0) * 60 / (told * SAFETY)
      if used > get('tat', 0) then put('tat', used) end
    end
  end
elseif what == 'fail' then
  failures = failures + 1
  put('failures', failures)
  if failures >= BREAKER_FAILURES then
    local pause = BREAKER_SECONDS * 2 ^ math.min(failures - BREAKER_FAILURES, 20)
    put('open_until', math.max(open_until, now + math.min(pause, BREAKER_MAX_SECONDS)))
  end
elseif what == 'block' then
  put('blocked_until', math.max(get('blocked_until', 0), now + tonumber(ARGV[3])))
end
redis.call('EXPIRE', key, 3600)
return {'', '0', 0}
""".replace("DEFAULT_LIMIT", str(DEFAULT_LIMIT_PER_MINUTE))
    .replace("SAFETY", str(b.SAFETY))
    .replace("RESERVE_SHARE", str(b.RESERVE_SHARE))
    .replace("BREAKER_FAILURES", str(b.BREAKER_FAILURES))
    .replace("BREAKER_SECONDS", str(b.BREAKER_SECONDS))
    .replace("BREAKER_MAX_SECONDS", str(b.BREAKER_MAX_SECONDS))
    .replace("PROBE_SECONDS", str(b.PROBE_SECONDS))
)


@lru_cache(maxsize=4)
def connect(url: str) -> redis.Redis:
    """One pool a process for each Redis. Short timeouts and no retries: whoever asks has a second way."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


class RedisBudget:
    """The budget of one key. Implements `tokportal.budget.Budget`; raises redis.RedisError where Redis is away."""

    def __init__(self, name: str, url: str, clock: Callable[[], float] | None = None) -> None:
        self._key = PREFIX + name
        self._redis = connect(url)
        self._script = self._redis.register_script(_SCRIPT)
        self._clock = clock

    def _run(self, what: str, *values: object) -> Slot:
        now = f"{self._clock():.9f}" if self._clock else ""
        reason, wait, ahead = self._script(keys=[self._key], args=[what, now, *(str(value) for value in values)])
        return Slot(float(wait), reason.decode(), int(ahead))

    def take(self, lane: Lane, ahead: int = 0) -> Slot:
        """One slot for `lane` and up to `ahead` more, or how long to wait."""
        return self._run("take", lane.share, lane.reserve, int(lane.is_patient), lane.value, ahead)

    def observe(self, *, limit: int | None, remaining: int | None) -> None:
        """TokPortal has answered: the breaker closes, the limit is learned, the level is corrected downwards."""
        self._run("observe", limit or 0, -1 if remaining is None else remaining)

    def fail(self) -> None:
        """A read got no usable answer."""
        self._run("fail")

    def block(self, seconds: float) -> None:
        """Nobody sends with this key for so long."""
        self._run("block", seconds)
