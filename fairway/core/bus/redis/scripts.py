"""The Lua scripts: each runs as one atomic step, and in one slot of a cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from fairway.core.bus.redis.resp import Command

__all__ = [
    "ADD",
    "BURY",
    "CLAIM",
    "DEPTH",
    "DISCARD",
    "GATHER",
    "JOIN",
    "PUSH",
    "REAP",
    "SCRIPTS",
    "Script",
]


class Script:
    """A script that every connection loads when it is made."""

    __slots__ = ("sha", "text")

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def __call__(
        self, keys: Sequence[str], *arguments: str | bytes | int | float
    ) -> Command:
        """Return the command that runs it."""
        return ("EVALSHA", self.sha, len(keys), *keys, *arguments)


# trim(list, most): drop up to `most` expired records from the head of a list, return
# how many. Bytes 3 to 10 of a record are its deadline. What is too short is no record.
_TRIM = """
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function trim(list, most)
  local present, dropped = now(), 0
  while dropped < most do
    local head = redis.call('LINDEX', list, 0)
    if not head then break end
    if #head >= 10 then
      local high, low = struct.unpack('>I4I4', head, 3)
      if high * 4294967296 + low > present then break end
    end
    redis.call('LPOP', list)
    dropped = dropped + 1
  end
  return dropped
end
"""

PUSH = Script(
    """
-- Append records to a list, as many as it has room for.
-- KEYS: 1 the list; 2 the lease without which GROUP records (kind 3) stay out, optional
-- ARGV: 1 capacity; 2 the list's time to live in ms; 3... records
-- Answer: 0 if all records were appended to a list with room for them, or else
--   {expired records that were dropped, 1 if the lease is missing, and then the
--   index (from 0) of each record that stayed out}
-- Records of control (kind 4 and above but 11, ANSWER) may fill twice the capacity.
local list, capacity, count = KEYS[1], tonumber(ARGV[1]), #ARGV - 2
local lapsed = KEYS[2] and redis.call('EXISTS', KEYS[2]) == 0
local length = 0
if not lapsed then
  length = redis.call('RPUSH', list, unpack(ARGV, 3))
  if length == count and length <= capacity then
    redis.call('PEXPIRE', list, ARGV[2])
    return 0
  elseif length <= capacity then
    redis.call('PEXPIRE', list, ARGV[2], 'GT')
    return 0
  end
  -- Nobody has seen them yet: one by one, after what expired has made room.
  redis.call('LTRIM', list, 0, -count - 1)
  length = length - count
else
  length = redis.call('LLEN', list)
end
"""
    + _TRIM
    + """
local dropped = 0
if length + count > capacity then
  dropped = trim(list, length + count - capacity)
  length = length - dropped
end
local answer, taken = {dropped, lapsed and 1 or 0}, {}
for index = 3, #ARGV do
  local kind = string.byte(ARGV[index], 2)
  local room = kind >= 4 and kind ~= 11 and capacity * 2 or capacity
  if length + #taken < room and not (lapsed and kind == 3) then
    taken[#taken + 1] = ARGV[index]
  else
    answer[#answer + 1] = index - 3
  end
end
if #taken > 0 then redis.call('RPUSH', list, unpack(taken)) end
if length == 0 then
  redis.call('PEXPIRE', list, ARGV[2])
else
  redis.call('PEXPIRE', list, ARGV[2], 'GT')
end
return answer
"""
)

GATHER = Script(
    """
-- Take records from lists, in equal shares.
-- KEYS: the lists, those to be served first in front
-- ARGV: 1 how many records at most
-- Answer: {index of a list (from 0), its records, index, records, ...}
local left, length, share, ready = tonumber(ARGV[1]), {}, {}, {}
for index, list in ipairs(KEYS) do
  length[index], share[index] = redis.call('LLEN', list), 0
  if length[index] > 0 then ready[#ready + 1] = index end
end
while left > 0 and #ready > 0 do
  local each, waiting = math.max(1, math.floor(left / #ready)), {}
  for _, index in ipairs(ready) do
    local count = math.min(each, length[index], left)
    share[index], length[index] = share[index] + count, length[index] - count
    left = left - count
    if length[index] > 0 then waiting[#waiting + 1] = index end
  end
  ready = waiting
end
local answer = {}
for index, list in ipairs(KEYS) do
  if share[index] > 0 then
    answer[#answer + 1] = index - 1
    answer[#answer + 1] = redis.call('LPOP', list, share[index])
  end
end
return answer
"""
)

DEPTH = Script(
    _TRIM
    + """
-- Count what waits on a list.
-- KEYS: 1 the list
-- ARGV: 1 how many expired records to drop first, at most
-- Answer: {expired records that were dropped, records that wait, and how many ms the
--   oldest has waited, or -1 (records say so in bytes 11 to 18 since version 2)}
local dropped, age = trim(KEYS[1], tonumber(ARGV[1])), -1
local head = redis.call('LINDEX', KEYS[1], 0)
if head and #head >= 18 and string.byte(head) >= 2 then
  local high, low = struct.unpack('>I4I4', head, 11)
  age = math.max(0, now() - (high * 4294967296 + low))
end
return {dropped, redis.call('LLEN', KEYS[1]), age}
"""
)

BURY = Script(
    """
-- Remove a list of another key space.
-- KEYS: 1 the list
-- Answer: how many records it held
local count = redis.call('LLEN', KEYS[1])
redis.call('UNLINK', KEYS[1])
return count
"""
)

ADD = Script(
    """
-- Make channels of a mailbox members of a group, or renew the group's time to live.
-- KEYS: 1 the group's set of mailboxes; 2 the set of this mailbox's members
-- ARGV: 1 the mailbox; 2 time to live of both in ms; 3... local parts
for index = 3, #ARGV do redis.call('SADD', KEYS[2], ARGV[index]) end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
"""
)

DISCARD = Script(
    """
-- End memberships of channels of a mailbox; the last one takes the mailbox along.
-- KEYS: 1 the group's set of mailboxes; 2 the set of this mailbox's members
-- ARGV: 1 the mailbox; 2... local parts
-- One step, so that no concurrent ADD leaves a member whose mailbox is not listed.
for index = 2, #ARGV do redis.call('SREM', KEYS[2], ARGV[index]) end
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SREM', KEYS[1], ARGV[1]) end
return 1
"""
)

REAP = Script(
    """
-- Take a mailbox out of a group, with all its members.
-- KEYS: 1 the group's set of mailboxes; 2 the set of this mailbox's members
-- ARGV: 1 the mailbox
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return 1
"""
)

JOIN = Script(
    _TRIM
    + """
-- Make a normal channel a member of a group, or renew its membership.
-- KEYS: 1 the group's sorted set of normal channels
-- ARGV: 1 the channel; 2 how long it stays a member, in ms
local present = now()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', present)
redis.call('ZADD', KEYS[1], present + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
)

CLAIM = Script(
    """
-- Give a key to the first who asks, or again to its owner.
-- KEYS: 1 the claim
-- ARGV: 1 the owner; 2 how long it lasts in ms, 0 to give it up
-- Answer: 1 when it is the caller's
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) > 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
else
  redis.call('DEL', KEYS[1])
end
return 1
"""
)

SCRIPTS = (PUSH, GATHER, DEPTH, BURY, ADD, DISCARD, REAP, JOIN, CLAIM)
