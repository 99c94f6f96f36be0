"""The model of nucleotides: each symbol is a case bit and a base of two bits.

Bases are predicted from the last 1 to 24 of them on both strands (every table learns each context's
reverse complement too), and by pointers into the past that survive substitutions.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ktray.literals.coding import code_bit, DECODE
from ktray.literals.fixed import (
    INPUT_LIMIT, LOGIT_LIMIT, RECIPROCAL, SQUASH, STRETCH,
)

ORDERS = np.array([1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 24], dtype=np.int64)
NO = len(ORDERS)
DIRECT = 8  # number of directly indexed
NMATCH = 3  # forward long, forward short, inverted
NIN = NO * 2 + NMATCH * 2 + 1
NINP = (NIN + 7) // 8 * 8
LIMIT = np.array([1000, 1000, 1000, 1000, 1000, 700, 500, 500, 250, 250, 60, 30, 30, 30, 20, 20], dtype=np.int64)
# scalars
FWD, INV, CASE, RUN, POS, LR, HBITS, LRX, PREVRUN = range(9)
NS = 32
NCASE = 6

def new_state(bits=22, lr=300, lrx=0):
    S = np.zeros(NS, dtype=np.int64)
    S[LR] = lr; S[LRX] = lrx
    S[HBITS] = bits
    off = [0]
    for k in ORDERS:
        off.append(off[-1] + (1 << min(2 * int(k), bits)))
    base = np.array(off, dtype=np.int64)
    cells = np.full((off[-1], 4), 32768, dtype=np.uint16)   # 12 bits p, 4 bits count
    cells[:, 0] = 0
    slot = np.zeros(NO, dtype=np.int64)
    amap = np.zeros(NO * 16 * 64 * 2, dtype=np.int32)
    for i in range(NO * 16 * 2):
        amap[i * 64:(i + 1) * 64] = (np.arange(64) * 65536 + 32768) << 9
    amap = amap
    aidx = np.zeros(NO, dtype=np.int64)
    x = np.zeros(NINP, dtype=np.int32)
    w = np.full((3 * 64 + 3 * 256 + 3 * 1024, NINP), 65536 // 8, dtype=np.int32)
    match = np.zeros((NMATCH, 6), dtype=np.int64)
    mtab = np.zeros((2, 1 << bits), dtype=np.int32)
    msm = np.full(NMATCH * 4096 , (1 << 30), dtype=np.int32)
    apm = np.tile(SQUASH[np.clip((np.arange(33) - 16) * 128 + LOGIT_LIMIT, 0, 2 * LOGIT_LIMIT)], 3 * 65536).astype(np.int32)
    csm = np.full(NCASE * (1 << 16), 1 << 30, dtype=np.int32)
    cidx = np.zeros(NCASE, dtype=np.int64)
    cx = np.zeros(8, dtype=np.int32)
    cw = np.full((64, 8), 65536 // 3, dtype=np.int32)
    return (S, base, cells, slot, amap, aidx, x, w, match, mtab, msm, apm, csm, cidx, cx, cw)

@njit(cache=True)
def _mix_hash(v, bits):
    h = (v ^ (v >> 23)) & 0x7FFFFFFF
    h = h * 0x5BD1E995 + ((v >> 31) & 0x7FFFFFFF) * 0x2545F491
    h ^= (h >> 29) & 0x7FFFFFFF
    return h & 0x7FFFFFFFFFFFFFFF

@njit(cache=True)
def _slot(cells, base, o, ctx, bits, k):
    """The row of a context's cells, cleared when another context had it."""
    if 2 * k <= bits:
        return base[o] + ctx
    h = _mix_hash(ctx, bits)
    row = base[o] + ((h >> 5) & ((1 << bits) - 1))
    check = (h >> 30) & 0xFFFF
    if np.int64(cells[row, 0]) != check:
        cells[row, 0] = check
        cells[row, 1] = 32768
        cells[row, 2] = 32768
        cells[row, 3] = 32768
    return row

@njit(cache=True)
def _learn_cell(cells, row, node, bit, limit):
    v = np.int64(cells[row, node])
    n = v & 15
    p = v >> 4
    # rates 1/1.5 ... 
    if n < limit:
        n += 1
    p += (((bit << 12) - bit - p) * RATE[n] + 32768 * 0) >> 16
    cells[row, node] = (p << 4) | n

RATE = np.array([65536, 26000, 20000, 16000, 13000, 11000, 9400, 8200, 7200, 6500, 5800, 5200, 4600, 4100, 3600, 3200], dtype=np.int64)

@njit(cache=True)
def _adapt(table, k, bit, limit):
    v = np.int64(table[k])
    n = v & 511
    p = v >> 9
    p += (((bit << 22) - p) * np.int64(RECIPROCAL[n])) >> 16
    table[k] = (p << 9) | (n + 1 if n < limit else n)

@njit(cache=True)
def _dot(w, x):
    d = np.int64(0)
    for i in range(x.shape[0]):
        d += np.int64(w[i]) * np.int64(x[i])
    return d

@njit(cache=True)
def _train(w, x, err):
    for i in range(x.shape[0]):
        w[i] += np.int32(np.int32(np.int32(x[i] * err) + np.int32(0x2000)) >> 14)

@njit(cache=True)
def code_symbols(mode, coder, buffer, state, symbols, start, stop):
    """Encode, decode or price symbols[start:stop] (uint8: base | case << 2)."""
    (S, base, cells, slot, amap, aidx, x, w, match, mtab, msm, apm, csm, cidx, cx, cw) = state
    bits = S[HBITS]
    for t in range(start, stop):
        sym = np.int64(symbols[t]) if mode != DECODE else np.int64(0)
        case = S[CASE]
        run = S[RUN]
        fwd = S[FWD]
        # case
        rb = np.int64(0)
        r = run
        while r > 7:
            r >>= 1
            rb += 4
        rb += r >> 1
        rb = min(rb, 63)
        mc = np.int64(0)
        for m in range(NMATCH):
            if match[m, 1] > 0 and mc == 0:
                mc = 2 + ((np.int64(symbols[match[m, 0]]) >> 2) & 1) + min(match[m, 1] >> 3, 3) * 2
        cidx[0] = (rb << 1) | case
        cidx[1] = 65536 + (((fwd & 0x7FFF) << 1) | case)
        cidx[2] = 131072 + ((_mix_hash(fwd & 0xFFFFFF, 0) >> 7) & 0x7FFF) * 2 + case
        cidx[3] = 196608 + (mc * 64 + rb) * 2 + case
        cidx[4] = 262144 + ((_mix_hash(fwd & 0xFFFFFFFF, 0) >> 7) & 0x7FFF) * 2 + case
        cidx[5] = 327680 + ((min(S[PREVRUN], 63) * 64) + rb) * 2 + case
        for i in range(NCASE):
            cx[i] = STRETCH[np.int64(csm[cidx[i]]) >> 19]
        cx[NCASE] = 256
        cset = mc * 2 + case
        d = min(max(_dot(cw[cset], cx) >> 16, -LOGIT_LIMIT), LOGIT_LIMIT)
        p = np.int64(SQUASH[d + LOGIT_LIMIT])
        newcase = code_bit(mode, coder, buffer, p, sym >> 2)
        err = ((newcase << 16) - p) * 500 >> 14
        _train(cw[cset], cx, np.int32(err))
        for i in range(NCASE):
            _adapt(csm, cidx[i], newcase, 500)
        if newcase == case:
            S[RUN] = run + 1
        else:
            S[PREVRUN] = rb
            S[RUN] = 0
            S[CASE] = newcase
        # base
        for i in range(NO):
            k = ORDERS[i]
            slot[i] = _slot(cells, base, i, fwd & ((1 << (2 * k)) - 1), bits, k)
        node = np.int64(1)
        for half in range(2):
            conf = np.int64(0)
            for i in range(NO):
                v = np.int64(cells[slot[i], node])
                n = v & 15
                x[2 * i] = STRETCH[v >> 4] >> 1
                k = ((i * 16 + n) * 2 + half) * 64 + (v >> 10)
                aidx[i] = k
                x[2 * i + 1] = STRETCH[np.int64(amap[k]) >> 19] >> 1
                if n > 0 and i > 9:
                    conf += 1
            j = 2 * NO
            best = np.int64(0)
            for m in range(NMATCH):
                x[j] = 0
                x[j + 1] = 0
                match[m, 4] = -1
                if match[m, 1] > 0:
                    e = match[m, 3]
                    if half == 0 or (e >> 1) == (node & 1):
                        eb = (e >> 1) if half == 0 else (e & 1)
                        ln = min(match[m, 1], 31) if match[m, 1] < 32 else min(32 + (match[m, 1] >> 5), 47)
                        miss = match[m, 2]
                        k = (m * 64 + ln) * 64 + (miss & 15) * 4 + (min(((miss>>4)&1) + ((miss>>5)&1) + ((miss>>6)&1)+ ((miss>>7)&1),1))*2 + half
                        match[m, 4] = k
                        match[m, 5] = eb
                        st = np.int64(STRETCH[np.int64(msm[k]) >> 19])
                        if best == 0:
                            best = 1 + min(ln >> 3, 5) + 7 * min((miss & 1) + ((miss >> 1) & 1), 1)
                        if eb == 0:
                            st = -st
                        x[j] = st >> 1
                        x[j + 1] = st * min(ln, 32) >> 5
                j += 2
            x[j] = 256
            s0 = (node - 1) * 64 + best
            s1 = 192 + (node - 1) * 256 + (fwd & 255)
            s2 = 192 + 768 + (node - 1) * 1024 + conf * 4 + case
            d0 = min(max(_dot(w[s0], x) >> 16, -INPUT_LIMIT), INPUT_LIMIT)
            d1 = min(max(_dot(w[s1], x) >> 16, -INPUT_LIMIT), INPUT_LIMIT)
            d2 = min(max(_dot(w[s2], x) >> 16, -INPUT_LIMIT), INPUT_LIMIT)
            d = (d0 + d1 + d2) // 3
            p = np.int64(SQUASH[d + LOGIT_LIMIT])
            q = d + 2048
            wt = q & 127
            a = ((node - 1) * 65536 + (fwd & 0xFFFF)) * 33 + (q >> 7)
            pa = (np.int64(apm[a]) * (128 - wt) + np.int64(apm[a + 1]) * wt) >> 7
            p = min(max((3 * p + pa) >> 2, 32), 65504)
            bit = code_bit(mode, coder, buffer, p, (sym >> (1 - half)) & 1)
            # learn
            rate = S[LR] + S[LRX] // (1024 + S[POS])
            y = bit << 16
            _train(w[s0], x, np.int32((y - np.int64(SQUASH[d0 + LOGIT_LIMIT])) * rate >> 14))
            _train(w[s1], x, np.int32((y - np.int64(SQUASH[d1 + LOGIT_LIMIT])) * rate >> 14))
            _train(w[s2], x, np.int32((y - np.int64(SQUASH[d2 + LOGIT_LIMIT])) * rate >> 14))
            a += wt >> 6
            apm[a] += ((y - bit * 16 + 8) - np.int64(apm[a])) >> 6
            for i in range(NO):
                _adapt(amap, aidx[i], bit, 500)
                _learn_cell(cells, slot[i], node, bit, 15)
            for m in range(NMATCH):
                k = match[m, 4]
                if k >= 0:
                    _adapt(msm, k, np.int64(bit == match[m, 5]), 500)
            node = node * 2 + bit
        b = node & 3
        if mode == DECODE:
            symbols[t] = b | newcase << 2
        # the other strand
        comp = 3 - b
        inv = (S[INV] >> 2) | (comp << 46)
        for i in range(NO):
            k = ORDERS[i]
            if t >= k:
                row = _slot(cells, base, i, inv >> (2 * (24 - k)), bits, k)
                sb = 3 - ((fwd >> (2 * (k - 1))) & 3)
                _learn_cell(cells, row, 1, sb >> 1, 15)
                _learn_cell(cells, row, 2 + (sb >> 1), sb & 1, 15)
        fwd = ((fwd << 2) | b) & 0xFFFFFFFFFFFF
        S[FWD] = fwd
        S[INV] = inv
        S[POS] = t + 1
        # matches: 0 from 24 bases, 1 from 12, 2 on the other strand from 16
        for m in range(NMATCH):
            if match[m, 1] > 0:
                ok = np.int64(match[m, 3] == b)
                match[m, 2] = ((match[m, 2] << 1) | (1 - ok)) & 0xFFFF
                if ok:
                    match[m, 1] += 1
                else:
                    match[m, 1] = match[m, 1] >> 2
                bad = np.int64(0)
                for q in range(16):
                    bad += (match[m, 2] >> q) & 1
                if bad > 8:
                    match[m, 1] = 0
                match[m, 0] += 1 if m < 2 else -1
                if match[m, 0] < 0:
                    match[m, 1] = 0
        if t >= 32:
            h24 = (_mix_hash(fwd, 0) >> 5) & ((1 << bits) - 1)
            h12 = (_mix_hash(fwd & 0xFFFFFF, 0) >> 5) & ((1 << bits) - 1)
            if match[0, 1] < 16 and mtab[0, h24] > 0:
                c = np.int64(mtab[0, h24])
                ln = np.int64(0)
                while ln < 32 and c - 1 - ln >= 0 and (symbols[c - 1 - ln] & 3) == (symbols[t - ln] & 3):
                    ln += 1
                if ln >= 20:
                    match[0, 0] = c
                    match[0, 1] = ln
                    match[0, 2] = 0
            if match[1, 1] < 8 and mtab[1, h12] > 0:
                c = np.int64(mtab[1, h12])
                ln = np.int64(0)
                while ln < 32 and c - 1 - ln >= 0 and (symbols[c - 1 - ln] & 3) == (symbols[t - ln] & 3):
                    ln += 1
                if ln >= 11 and ln > match[1, 1]:
                    match[1, 0] = c
                    match[1, 1] = ln
                    match[1, 2] = 0
            if match[2, 1] < 8:
                # the last 12 bases' reverse complement, seen forwards: where it began
                hi = (_mix_hash(inv >> 24, 0) >> 5) & ((1 << bits) - 1)
                c = np.int64(mtab[1, hi])   # position after that 12-mer
                if c >= 13:
                    s = c - 12
                    ln = np.int64(0)
                    while ln < 32 and s + ln < t and t - ln >= 0 and 3 - (np.int64(symbols[s + ln]) & 3) == (np.int64(symbols[t - ln]) & 3):
                        ln += 1
                    if ln >= 12 and ln > match[2, 1]:
                        match[2, 0] = s - 1
                        match[2, 1] = ln
                        match[2, 2] = 0
            mtab[0, h24] = t + 1
            mtab[1, h12] = t + 1
        for m in range(NMATCH):
            if match[m, 1] > 0:
                e = np.int64(symbols[match[m, 0]]) & 3
                match[m, 3] = e if m < 2 else 3 - e
    return 0
