"""Relations: a part of the text that one operation makes from another part.

Each is a row: operation, source start and end, target start and end, two parameters, second source.
Rows are candidates only; `derive.py` decides which of them pay.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ktray.proposers.search.arrays import Bools, Floats, Ints
from ktray.proposers.search.costs import (
    BETWEEN,
    CONSTANT_OP,
    EXTREME,
    FILTER,
    JUMPS,
    MERGE,
    MODULO,
    PAIRWISE,
    REPEAT,
    REUSE,
    REVERSE,
    SCAN,
    SHORT,
    SPLIT,
    SUBSTITUTE,
)

# Operations of relations.
SAME = 0
R_REVERSE = 1
R_ADD = 2  # a: the constant, negative to subtract
R_MODULO = 3
R_SUBSTITUTE = 4  # a: old, b: new
R_JUMPS = 5
R_SCAN = 6
R_FILTER = 7  # a: the predicate's code
R_MAX = 8
R_MIN = 9
R_REPEAT = 10  # a: times; the target lies elsewhere
R_EXTEND = 11  # a: times; the target continues the source, which is its first period
R_ADD_LISTS = 12
R_SUBTRACT_LISTS = 13
R_MODULO_LISTS = 14
R_BETWEEN = 15  # a, b: the range of indices

COLUMNS = 9
OP, S0, S1, T0, T1, A, B, U0, U1 = range(9)


@njit(cache=True)
def gcd(a: int, b: int) -> int:
    """Return the greatest common divisor of two nonnegative integers."""
    while b:
        a, b = b, a % b
    return a


@njit(cache=True)
def could_be_modulo(text: Ints, k: int, i: int) -> bool:
    """Tell, without divisions, whether the first four elements at i may be remainders of those at k.

    Four that are equal may be, if one that is not comes later.
    """
    if text[i + 1] > text[k + 1] or text[i + 2] > text[k + 2] or text[i + 3] > text[k + 3]:
        return False
    apart = 0
    low = 1 << 30
    high = 0
    for q in range(4):
        d = text[k + q] - text[i + q]
        if d > 0:
            low = min(low, d)
            apart += 1
        high = max(high, text[i + q])
    return apart == 0 or low > high


@njit(cache=True)
def modulo_run(text: Ints, k: int, i: int, room: int) -> tuple[int, int]:
    """Return how many elements at i are those at k modulo one number, and the largest such number."""
    g = 0
    high = -1
    q = 0
    while q < room:
        s = text[k + q]
        t = text[i + q]
        if t > s:
            break
        h = gcd(g, s - t) if s > t else g
        top = max(high, t)
        if h > 0 and h <= top:
            break
        g = h
        high = top
        q += 1
    return q, g


@njit(cache=True)
def _put(
    rows: Ints,
    price: Floats,
    count: int,
    bits: float,
    closed: Floats,
    op: int,
    s0: int,
    s1: int,
    t0: int,
    t1: int,
    a: int,
    b: int,
) -> int:
    """Append a relation if its target could cost more than `bits` and does not overlap its source."""
    if count >= len(rows) or t1 - t0 < 2 or s1 <= s0:
        return count
    if s0 < t1 and t0 < s1:
        return count
    if closed[t1] - closed[t0] + 2.0 <= bits:
        return count
    rows[count, OP] = op
    rows[count, S0] = s0
    rows[count, S1] = s1
    rows[count, T0] = t0
    rows[count, T1] = t1
    rows[count, A] = a
    rows[count, B] = b
    rows[count, U0] = -1
    rows[count, U1] = -1
    price[count] = bits
    return count + 1


@njit(cache=True)
def _put_trimmed(
    rows: Ints,
    price: Floats,
    count: int,
    bits: float,
    closed: Floats,
    natural: Bools,
    op: int,
    s: int,
    t: int,
    length: int,
    a: int,
    b: int,
) -> int:
    """Append a relation of aligned parts, and the versions that end, or start, at a natural boundary."""
    count = _put(rows, price, count, bits, closed, op, s, s + length, t, t + length, a, b)
    for q in range(length - 1, max(1, length // 3), -1):
        if natural[s + q] or natural[t + q]:
            count = _put(rows, price, count, bits, closed, op, s, s + q, t, t + q, a, b)
            break
    for q in range(1, length - length // 3 - 1):
        if natural[s + q] or natural[t + q]:
            count = _put(rows, price, count, bits, closed, op, s + q, s + length, t + q, t + length, a, b)
            break
    return count


@njit(cache=True)
def aligned(
    text: Ints,
    n: int,
    stop: Ints,
    natural: Bools,
    closed: Floats,
    costs: Floats,
    rows: Ints,
    price: Floats,
    count: int,
) -> int:
    """Find equal parts, and parts that differ by a constant, a modulus or one substituted value."""
    merge = costs[MERGE] + costs[REUSE]
    between = costs[BETWEEN] + costs[MERGE]
    cutting = costs[SPLIT] > 0.0
    constant = costs[CONSTANT_OP] + costs[MERGE]
    modulo = costs[MODULO] + costs[MERGE]
    substitute = costs[SUBSTITUTE] + costs[MERGE]
    for k in range(n - 1):
        s = text[k]
        s1 = text[k + 1]
        s2 = text[k + 2] if k + 2 < n else -1000
        for i in range(n - 1):
            if i == k:
                continue
            t = text[i]
            t1 = text[i + 1]
            t2 = text[i + 2] if i + 2 < n else 1000
            delta = t - s
            steady = t1 - s1 == delta
            reduced = t <= s and t1 <= s1 and t2 <= s2
            changed = (delta == 0) + (t1 == s1) + (t2 == s2) >= 2
            if not (steady or reduced or changed):
                continue
            room = min(stop[k] - k, stop[i] - i)
            if k < i:
                room = min(room, i - k)
            else:
                room = min(room, k - i)
            if room < 2:
                continue
            inside = k > 0 and i > 0 and stop[k - 1] == stop[k] and stop[i - 1] == stop[i]
            ps = text[k - 1] if inside else 0
            pt = text[i - 1] if inside else 0
            if steady and delta == 0:
                if cutting and not (inside and ps == pt):
                    q = 1
                    while q < room and text[k + q] == text[i + q]:
                        q += 1
                    low = k
                    while not natural[low]:
                        low -= 1
                    high = k + q
                    while not natural[high]:
                        high += 1
                    if high - low > q:
                        count = _put(
                            rows,
                            price,
                            count,
                            between,
                            closed,
                            R_BETWEEN,
                            low,
                            high,
                            i,
                            i + q,
                            k - low,
                            k - low + q,
                        )
                if k < i and not (inside and ps == pt):
                    q = 1
                    while q < room and text[k + q] == text[i + q]:
                        q += 1
                    if q >= 2:
                        count = _put_trimmed(rows, price, count, merge, closed, natural, SAME, k, i, q, 0, 0)
            elif steady and not (inside and pt - ps == delta):
                q = 1
                while q < room and text[i + q] - text[k + q] == delta:
                    q += 1
                if q >= 3:
                    count = _put_trimmed(
                        rows, price, count, constant, closed, natural, R_ADD, k, i, q, delta, 0
                    )
            if (
                reduced
                and room >= 4
                and could_be_modulo(text, k, i)
                and (natural[k] or natural[i] or not (inside and ps == pt))
            ):
                q, g = modulo_run(text, k, i, room)
                if q >= 3 and g > 1:
                    again = inside and not natural[k] and not natural[i]
                    if again and pt < g and (pt == ps or (ps > pt and (ps - pt) % g == 0)):
                        pass
                    else:
                        count = _put_trimmed(
                            rows, price, count, modulo, closed, natural, R_MODULO, k, i, q, g, 0
                        )
            if changed and room >= 4 and (natural[k] or natural[i] or not (inside and ps == pt)):
                old = -1
                new = -1
                q = 0
                while q < room:
                    sq = text[k + q]
                    tq = text[i + q]
                    if sq == old:
                        if tq != new:
                            break
                    elif sq != tq:
                        if old >= 0:
                            break
                        seen = False
                        for z in range(q):
                            if text[k + z] == sq:
                                seen = True
                                break
                        if seen:
                            break
                        old = sq
                        new = tq
                    q += 1
                if q >= 4 and old >= 0:
                    count = _put_trimmed(
                        rows, price, count, substitute, closed, natural, R_SUBSTITUTE, k, i, q, old, new
                    )
    return count


@njit(cache=True)
def turned(
    text: Ints,
    n: int,
    stop: Ints,
    natural: Bools,
    closed: Floats,
    costs: Floats,
    rows: Ints,
    price: Floats,
    count: int,
) -> int:
    """Find parts that are others reversed, every jump-th element of others, or their running sums."""
    merge = costs[MERGE]
    backwards = costs[REVERSE] + merge
    jumping = costs[JUMPS] + merge
    scanning = costs[SCAN] + merge
    for k in range(n):
        for i in range(n):
            if i == k:
                continue
            if text[k] == text[i]:
                # Reversed: the source ends at k (inclusive) and runs back while the target runs on.
                if i > k:
                    inside = (
                        k + 1 < n
                        and stop[k + 1] == stop[k]
                        and i > 0
                        and stop[i - 1] == stop[i]
                        and k + 1 < i - 1
                    )
                    if not (inside and text[k + 1] == text[i - 1]):
                        q = 1
                        while (
                            k - q >= 0
                            and stop[k - q] == stop[k]
                            and i + q < stop[i]
                            and text[k - q] == text[i + q]
                        ):
                            q += 1
                        if q >= 2:
                            count = _put(
                                rows,
                                price,
                                count,
                                backwards,
                                closed,
                                R_REVERSE,
                                k - q + 1,
                                k + 1,
                                i,
                                i + q,
                                0,
                                0,
                            )
                            for z in range(q - 1, max(1, q // 3), -1):
                                if natural[k - z + 1] or natural[i + z]:
                                    count = _put(
                                        rows,
                                        price,
                                        count,
                                        backwards,
                                        closed,
                                        R_REVERSE,
                                        k - z + 1,
                                        k + 1,
                                        i,
                                        i + z,
                                        0,
                                        0,
                                    )
                                    break
                            for z in range(1, q - q // 3 - 1):
                                if natural[k - z + 1] or natural[i + z]:
                                    count = _put(
                                        rows,
                                        price,
                                        count,
                                        backwards,
                                        closed,
                                        R_REVERSE,
                                        k - q + 1,
                                        k - z + 1,
                                        i + z,
                                        i + q,
                                        0,
                                        0,
                                    )
                                    break
                for jump in range(2, 6):
                    q = 1
                    while k + q * jump < stop[k] and i + q < stop[i] and text[k + q * jump] == text[i + q]:
                        q += 1
                    if q < 2:
                        continue
                    low = k + (q - 1) * jump + 1
                    high = min(k + q * jump, stop[k])
                    put = False
                    for end in range(low, high + 1):
                        if natural[end]:
                            put = True
                            count = _put(
                                rows, price, count, jumping, closed, R_JUMPS, k, end, i, i + q, jump, 0
                            )
                    if not put:
                        count = _put(rows, price, count, jumping, closed, R_JUMPS, k, low, i, i + q, jump, 0)
                    # Shorter versions whose source ends at a natural boundary.
                    for end in range(low - 1, k + jump, -1):
                        if natural[end]:
                            z = (end - k + jump - 1) // jump
                            count = _put(
                                rows, price, count, jumping, closed, R_JUMPS, k, end, i, i + z, jump, 0
                            )
                            break
                q = 1
                while k + q < stop[k] and i + q < stop[i] and text[i + q] - text[i + q - 1] == text[k + q]:
                    q += 1
                if q >= 3:
                    count = _put(rows, price, count, scanning, closed, R_SCAN, k, k + q, i, i + q, 0, 0)
                    for z in range(q - 1, 2, -1):
                        if natural[k + z] or natural[i + z]:
                            count = _put(
                                rows, price, count, scanning, closed, R_SCAN, k, k + z, i, i + z, 0, 0
                            )
                            break
    return count


@njit(cache=True)
def passes(predicate: int, value: int) -> bool:
    """Tell whether a value passes a predicate: 0 even, 1 odd, 2 not zero."""
    if predicate == 0:
        return value % 2 == 0
    if predicate == 1:
        return value % 2 == 1
    return value != 0


@njit(cache=True)
def chosen(
    text: Ints,
    n: int,
    stop: Ints,
    natural: Bools,
    closed: Floats,
    costs: Floats,
    rows: Ints,
    price: Floats,
    count: int,
) -> int:
    """Find parts that keep some elements of others: those that pass a predicate."""
    bits = costs[FILTER] + costs[MERGE]
    ahead = np.full((3, n + 1), n, np.int64)
    for predicate in range(3):
        for k in range(n - 1, -1, -1):
            ahead[predicate, k] = k if passes(predicate, text[k]) else ahead[predicate, k + 1]
    for i in range(n - 1):
        for predicate in range(3):
            reach = i
            while reach < stop[i] and passes(predicate, text[reach]):
                reach += 1
            if reach - i < 2:
                continue
            if closed[reach] - closed[i] + 2.0 <= bits:
                continue
            for k in range(n):
                if k == i:
                    continue
                z = ahead[predicate, k]
                if z >= stop[k] or text[z] != text[i] or (z > k and not natural[k]):
                    continue
                q = 0
                dropped = 0
                last = k
                z = k
                best_end = -1
                best_q = 0
                while z < stop[k]:
                    if passes(predicate, text[z]):
                        if i + q >= reach or text[z] != text[i + q]:
                            break
                        q += 1
                        last = z
                    else:
                        dropped += 1
                        if q == 0 and z - k > 8:
                            break
                    z += 1
                    if natural[z] and q >= 2 and dropped > 0:
                        best_end = z
                        best_q = q
                if q >= 2 and last + 1 - k > q:
                    count = _put(
                        rows, price, count, bits, closed, R_FILTER, k, last + 1, i, i + q, predicate, 0
                    )
                far = min(z, i) if k < i else z
                if q >= 2 and far > last + 1 and far != best_end:
                    count = _put(rows, price, count, bits, closed, R_FILTER, k, far, i, i + q, predicate, 0)
                if best_end > 0 and (best_end != last + 1):
                    count = _put(
                        rows, price, count, bits, closed, R_FILTER, k, best_end, i, i + best_q, predicate, 0
                    )
    return count


@njit(cache=True)
def extremes(
    text: Ints,
    n: int,
    stop: Ints,
    natural: Bools,
    closed: Floats,
    costs: Floats,
    rows: Ints,
    price: Floats,
    count: int,
) -> int:
    """Find parts that are the largest elements of others, falling, or the smallest, rising."""
    bits = costs[EXTREME] + costs[MERGE]
    window = np.empty(32, np.int64)
    for i in range(n - 2):
        for sign in (1, -1):
            if i > 0 and not natural[i] and stop[i - 1] == stop[i] and sign * (text[i - 1] - text[i]) >= 0:
                continue
            reach = i + 1
            while reach < stop[i] and sign * (text[reach - 1] - text[reach]) >= 0:
                reach += 1
            if reach - i < 3 or closed[reach] - closed[i] <= bits:
                continue
            for k in range(n):
                # The window must hold the target's first element, and nothing beyond it.
                z = k
                last = min(stop[k], k + 30)
                while z < last and text[z] != text[i] and sign * text[z] <= sign * text[i]:
                    z += 1
                if z >= last or text[z] != text[i]:
                    continue
                best = 2
                best_end = -1
                held = 0
                for z in range(k, min(stop[k], k + 30)):
                    value = sign * text[z]
                    at = held
                    while at > 0 and window[at - 1] < value:
                        window[at] = window[at - 1]
                        at -= 1
                    window[at] = value
                    held = z - k + 1
                    if window[0] > sign * text[i]:
                        break
                    q = 0
                    while q < held and i + q < reach and window[q] == sign * text[i + q]:
                        q += 1
                    if q > best or (q == best and q > 2 and natural[z + 1]):
                        best = q
                        best_end = z + 1
                        if natural[z + 1] or z + 1 == stop[k]:
                            count = _put(
                                rows,
                                price,
                                count,
                                bits,
                                closed,
                                R_MAX if sign == 1 else R_MIN,
                                k,
                                z + 1,
                                i,
                                i + q,
                                q,
                                0,
                            )
                if best_end > 0:
                    count = _put(
                        rows,
                        price,
                        count,
                        bits,
                        closed,
                        R_MAX if sign == 1 else R_MIN,
                        k,
                        best_end,
                        i,
                        i + best,
                        best,
                        0,
                    )
    return count


@njit(cache=True)
def periods(
    text: Ints,
    n: int,
    stop: Ints,
    natural: Bools,
    closed: Floats,
    costs: Floats,
    rows: Ints,
    price: Floats,
    count: int,
) -> int:
    """Find parts that repeat, and other places where their period stands alone."""
    extend = costs[REPEAT]
    elsewhere = costs[REPEAT] + costs[MERGE]
    many = costs[SHORT]
    for i in range(n):
        for q in range(2, (stop[i] - i) // 2 + 1):
            if i > 0 and stop[i - 1] == stop[i] and text[i - 1] == text[i + q - 1] and not natural[i]:
                continue
            if text[i] != text[i + q]:
                continue
            reach = i + q
            while reach < stop[i] and text[reach] == text[reach - q]:
                reach += 1
            if reach - i < 2 * q:
                continue
            for start in range(i, min(i + q, reach - 2 * q + 1)):
                times = (reach - start) // q
                if times < 2:
                    break
                if start == i or natural[start]:
                    for t in range(max(2, times - 1), times + 1):
                        count = _put(
                            rows,
                            price,
                            count,
                            extend + (many if t > 5 else 0.0),
                            closed,
                            R_EXTEND,
                            start,
                            start + q,
                            start + q,
                            start + t * q,
                            t,
                            0,
                        )
                for k in range(n - q + 1):
                    if stop[k] - k < q or (k + q > start and k < start + times * q):
                        continue
                    z = 0
                    while z < q and text[k + z] == text[start + z]:
                        z += 1
                    if z == q:
                        count = _put(
                            rows,
                            price,
                            count,
                            elsewhere + (many if times > 4 else 0.0),
                            closed,
                            R_REPEAT,
                            k,
                            k + q,
                            start,
                            start + times * q,
                            times,
                            0,
                        )
    return count


@njit(cache=True)
def pairwise(
    text: Ints,
    n: int,
    stop: Ints,
    natural: Bools,
    closed: Floats,
    costs: Floats,
    rows: Ints,
    price: Floats,
    count: int,
) -> int:
    """Find parts that are sums, differences or remainders of two natural pieces."""
    bits = costs[PAIRWISE] + costs[MERGE]
    starts = np.empty(64, np.int64)
    ends = np.empty(64, np.int64)
    pieces = 0
    begin = 0
    for i in range(1, n + 1):
        if natural[i]:
            if i - begin >= 4 and pieces < 64:
                starts[pieces] = begin
                ends[pieces] = i
                pieces += 1
            begin = i
    made = np.empty(n + 1, np.int64)
    for a in range(pieces):
        for b in range(pieces):
            if a == b:
                continue
            for op in range(3):
                if op == 0 and b < a:
                    continue
                m = 0
                ok = True
                for q in range(min(ends[a] - starts[a], ends[b] - starts[b])):
                    x = text[starts[a] + q]
                    y = text[starts[b] + q]
                    if op == 2:
                        if y == 0:
                            continue
                        made[m] = x % y
                    elif op == 1:
                        made[m] = x - y
                    else:
                        made[m] = x + y
                    if made[m] < 0 or made[m] > 255:
                        ok = False
                        break
                    m += 1
                if not ok or m < 3:
                    continue
                for i in range(n - m + 1):
                    if text[i] != made[0] or stop[i] - i < m:
                        continue
                    z = 0
                    while z < m and text[i + z] == made[z]:
                        z += 1
                    if z < m or (i < ends[b] and starts[b] < i + m):
                        continue
                    before = count
                    count = _put(
                        rows,
                        price,
                        count,
                        bits,
                        closed,
                        R_ADD_LISTS + op,
                        starts[a],
                        ends[a],
                        i,
                        i + m,
                        0,
                        0,
                    )
                    if count > before:
                        rows[before, U0] = starts[b]
                        rows[before, U1] = ends[b]
    return count
