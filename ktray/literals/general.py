"""The general context-mixing model: predicts the bits of bytes from many contexts at once.

Its state is a tuple of arrays (see `STATE`), so that compiled loops elsewhere can drive it; every
operation is on integers that fit 64 bits, so compiled and interpreted runs give the same numbers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ktray.coding.binary import decode_bit, encode_bit, finish, new_decoder, new_encoder, reserve
from ktray.literals.fixed import (
    INPUT_LIMIT,
    LOGIT_LIMIT,
    NEXT_STATE,
    RECIPROCAL,
    SQUASH,
    STATE_COUNTS,
    STRETCH,
    cost_of,
)

N = 18  # contexts
PER = 3  # inputs a context
MATCHES = 2
NI = N * PER + N + MATCHES * 2 + 4
NIP = (NI + 7) // 8 * 8
SETS = 7
SET_SIZE = np.array([256, 2048, 256 * 8, 256, 2048, 1536, 256], dtype=np.int64)
SET_BASE = np.concatenate([[0], np.cumsum(SET_SIZE)]).astype(np.int64)

# scalars
(
    C0,
    NIB,
    BITS,
    C4,
    C8,
    POS,
    HM,
    HTM,
    PR,
    PMIX,
    ST2,
    KIND,
    LR,
    W0,
    W1,
    W2,
    LINE,
    ABOVE,
    SHORTM,
    REC,
    RUNM,
    FIRST,
    LMASK,
    CLASSES,
    SMLIM,
    LR2,
    BRK,
    TOUCH,
    C12,
    OFF,
    LRX,
) = range(31)
NS = 64


def new_state(settings, *, lr=1600, lr2=300, smlim=255, kind=0, off=0, lrx=120_000_000):
    bits, hist_bits, run_bits = settings.buckets, settings.history, settings.runs
    S = np.zeros(NS, dtype=np.int64)
    S[C0] = 1
    S[NIB] = 1
    S[HM] = (1 << hist_bits) - 1
    S[HTM] = (1 << bits) - 1
    S[RUNM] = (1 << run_bits) - 1
    S[KIND] = kind
    S[OFF] = off
    S[LRX] = lrx
    S[LR] = lr
    S[LR2] = lr2
    S[SMLIM] = smlim
    S[PR] = 32768
    raw = np.zeros((16 << bits) + 64, dtype=np.uint8)
    off = (-raw.ctypes.data) % 64
    ht = raw[off : off + (16 << bits)]
    hist = np.zeros(1 << hist_bits, dtype=np.uint8)
    ctx = np.zeros(N, dtype=np.int64)
    base = np.arange(N, dtype=np.int64) * 16 * 0
    n0 = STATE_COUNTS[:, 0].astype(np.int64)
    n1 = STATE_COUNTS[:, 1].astype(np.int64)
    p = ((n1 * 2 + 1) << 22) // (2 * (n0 + n1) + 2)
    sm = np.tile(((p << 9) | 0).astype(np.int32), N)
    idx = np.zeros(N, dtype=np.int64)
    run = np.zeros(1 << run_bits, dtype=np.int32)
    runix = np.zeros(N, dtype=np.int64)
    runsm = np.full(N * 256, 1 << 30, dtype=np.int32)
    ridx = np.zeros(N, dtype=np.int64)
    x = np.zeros(NIP, dtype=np.int32)
    w = np.full((SET_BASE[-1], NIP), 0, dtype=np.int32)
    w[:] = 65536 // 6 // 1
    sel = np.zeros(SETS, dtype=np.int64)
    dots = np.zeros(SETS + 1, dtype=np.int64)
    w2 = np.full(256 * 8, 65536 // SETS, dtype=np.int32)
    mptr = np.zeros(MATCHES * 4, dtype=np.int64)
    mtab = np.zeros((MATCHES, 1 << min(20, hist_bits)), dtype=np.int32)
    msm = np.full(MATCHES * 64 * 2 * 2, 1 << 30, dtype=np.int32)
    apm = np.zeros((1 << 16) * 33 * 2 + 256 * 33, dtype=np.int32)
    ramp = SQUASH[np.clip((np.arange(33) - 16) * 128 + LOGIT_LIMIT, 0, 2 * LOGIT_LIMIT)]
    apm[:] = np.tile(ramp, len(apm) // 33)
    aidx = np.zeros(8, dtype=np.int64)
    ind = np.zeros(65536 + 256, dtype=np.int64)
    o0 = np.full(65536, 1 << 30, dtype=np.int32)
    rbyte = np.zeros(N, dtype=np.int64)
    return (
        S,
        hist,
        ht,
        ctx,
        base,
        sm,
        idx,
        run,
        runix,
        runsm,
        ridx,
        x,
        w,
        sel,
        dots,
        w2,
        mptr,
        mtab,
        msm,
        apm,
        aidx,
        ind,
        o0,
        rbyte,
    )


@njit(cache=True)
def _hash(a, b):
    """A 32-bit hash of two values below 2**32."""
    h = ((a * 0x2F0B4C47) & 0xFFFFFFFF) ^ ((b * 0x1E35A7BD) & 0xFFFFFFFF)
    h = (h ^ (h >> 15)) * 0x2C1B3C6D
    return (h ^ (h >> 29)) & 0xFFFFFFFF


@njit(cache=True)
def _place(mask, h, salt):
    k = ((h + salt * 0x3D4D51CB) & 0xFFFFFFFF) * 0x6B43A9B5
    return ((k >> 22) & mask) << 4


@njit(cache=True)
def _bucket(ht, mask, h, salt):
    k = ((h + salt * 0x3D4D51CB) & 0xFFFFFFFF) * 0x6B43A9B5
    check = ((k >> 52) & 255) | 1 if ((k >> 52) & 255) == 0 else (k >> 52) & 255
    i = (k >> 22) & mask
    best = i
    worst = np.int64(1000)
    for j in range(3):
        at = (i ^ j) << 4
        c = np.int64(ht[at])
        if c == check:
            return at
        pr = np.int64(ht[at + 1])
        if c == 0:
            pr = np.int64(-1)
        if pr < worst:
            worst = pr
            best = at
    for j in range(16):
        ht[best + j] = 0
    ht[best] = check
    return best


@njit(cache=True)
def _set_contexts(S, hist, ctx, ind):
    c4 = S[C4]
    c8 = S[C8]
    c1 = c4 & 255
    pos = S[POS]
    hm = S[HM]
    # words
    letter = c1
    if 65 <= c1 <= 90:
        letter = c1 + 32
    if (97 <= letter <= 122) or c1 >= 128:
        S[W0] = _hash(S[W0], letter + 1)
        S[LMASK] += 1
    elif S[W0] != 0:
        S[W2] = S[W1]
        S[W1] = S[W0]
        S[W0] = 0
        S[LMASK] = 0
    if c1 == 10:
        S[ABOVE] = S[LINE]
        S[LINE] = pos
        S[FIRST] = 0
    elif pos == S[LINE] + 1:
        S[FIRST] = c1
    # character class history
    if 97 <= letter <= 122:
        k = np.int64(1)
    elif 48 <= c1 <= 57:
        k = np.int64(2)
    elif c1 == 32:
        k = np.int64(3)
    elif c1 == 10:
        k = np.int64(4)
    elif c1 == 44 or c1 == 46 or c1 == 59 or c1 == 58:
        k = np.int64(5)
    elif c1 == 91 or c1 == 123 or c1 == 60 or c1 == 40:
        k = np.int64(6)
        S[BRK] = ((S[BRK] << 8) | c1) & 0xFFFFFFFF
    elif c1 == 93 or c1 == 125 or c1 == 62 or c1 == 41:
        k = np.int64(7)
        S[BRK] = S[BRK] >> 8
    elif c1 >= 128:
        k = np.int64(8)
    else:
        k = np.int64(9)
    if c1 == 10:
        S[BRK] = S[BRK] & 0
    S[CLASSES] = ((S[CLASSES] << 4) | k) & 0xFFFFFFFF
    # indirect
    c2 = (c4 >> 8) & 255
    ind[65536 + c2] = ((ind[65536 + c2] << 8) | c1) & 0xFFFF
    p2 = (c4 >> 8) & 0xFFFF
    ind[p2] = ((ind[p2] << 8) | c1) & 0xFFFF
    i1 = ind[65536 + c1]
    i2 = ind[c4 & 0xFFFF]

    w0 = S[W0]
    col = min(pos - S[LINE], 255)
    ab = S[ABOVE] + col
    above = np.int64(hist[ab & hm]) if ab < S[LINE] else np.int64(0)
    ctx[0] = c1 << 8
    ctx[1] = c4 & 0xFFFF
    ctx[2] = c4 & 0xFFFFFF
    ctx[3] = c4
    ctx[4] = _hash(c4, c8 & 0xFFFF)
    ctx[5] = _hash(w0, c1)
    ctx[6] = _hash(w0, S[W1])
    ctx[7] = _hash(w0, S[W2])
    ctx[8] = c4 & 0xFFFF00
    ctx[9] = c4 & 0xFFFF0000
    ctx[10] = _hash(S[CLASSES], c1)
    ctx[11] = _hash(above, (col << 8) | c1)
    ctx[12] = _hash(i1, c1)
    ctx[13] = _hash(w0, _hash(S[BRK] & 0xFFFF, S[FIRST]))
    ctx[14] = _hash(c4 & 0xFFFFFF, S[CLASSES] >> 12)
    ctx[15] = _hash(i2, c1)
    ctx[16] = _hash(w0, c4 & 0xFFFF)
    ctx[17] = _hash(S[BRK], c4 & 0xFFFF)
    for i in range(N):
        ctx[i] = _hash(ctx[i], (i + 1) * 0x3779B1) if (S[OFF] >> i) & 1 == 0 else i + 1


SURE = np.array([int((a == 0) != (b == 0)) for a, b in STATE_COUNTS], dtype=np.int64)
MINLEN = np.array([5, 12])


@njit(cache=True)
def _match_update(S, hist, mptr, mtab):
    pos = S[POS]
    hm = S[HM]
    c1 = S[C4] & 255
    for m in range(MATCHES):
        ptr = mptr[m * 4]
        ln = mptr[m * 4 + 1]
        if ln > 0 and np.int64(hist[ptr & hm]) == c1:
            ln = min(ln + 1, 65535)
            ptr += 1
        else:
            ln = np.int64(0)
        h = _hash(S[C4], S[C8] & 0xFF) if m == 0 else _hash(_hash(S[C4], S[C8]), S[C12])
        h = h & (mtab.shape[1] - 1)
        if ln == 0:
            ptr = np.int64(mtab[m, h])
            if ptr > 0 and pos - ptr < hm:
                while (
                    ln < 400 and hist[(ptr - 1 - ln) & hm] == hist[(pos - 1 - ln) & hm] and ptr - 1 - ln >= 0
                ):
                    ln += 1
                if ln < MINLEN[m]:
                    ln = np.int64(0)
        mtab[m, h] = pos
        mptr[m * 4] = ptr
        mptr[m * 4 + 1] = ln
        if ln > 0:
            mptr[m * 4 + 2] = np.int64(hist[ptr & hm]) | 256
        else:
            mptr[m * 4 + 2] = 0


@njit(cache=True)
def _len_bucket(ln):
    if ln < 16:
        return ln
    if ln < 32:
        return 16 + ((ln - 16) >> 2)
    b = np.int64(20)
    while ln >= 64 and b < 28:
        ln >>= 1
        b += 1
    return b


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
def predict(state):
    """The probability of a one bit, 1..65535."""
    (
        S,
        hist,
        ht,
        ctx,
        base,
        sm,
        idx,
        run,
        runix,
        runsm,
        ridx,
        x,
        w,
        sel,
        dots,
        w2,
        mptr,
        mtab,
        msm,
        apm,
        aidx,
        ind,
        o0,
        rbyte,
    ) = state
    c0 = S[C0]
    nib = S[NIB]
    bits = S[BITS]
    order = np.int64(0)
    for i in range(N):
        s = np.int64(ht[base[i] + nib])
        k = i * 256 + s
        idx[i] = k
        j = i * PER
        known = np.int64(s != 0)
        p = np.int64(sm[k]) >> 19
        st = np.int64(STRETCH[p]) * known
        x[j] = st >> 1
        x[j + 1] = ((p - 2048) * known) >> 2
        x[j + 2] = (st * np.int64(SURE[s])) >> 1
        order += known * np.int64(i < 5)
        # run: the byte seen last in this context
        rb = rbyte[i]
        hit = np.int64(((rb & 0x1FF) >> (8 - bits)) == c0)
        k = i * 256 + (((rb >> 9) << 4) | (((rb >> (7 - bits)) & 1) << 3) | bits) * hit
        ridx[i] = k
        x[N * PER + i] = (np.int64(STRETCH[np.int64(runsm[k]) >> 19]) * hit) >> 1
    j = N * (PER + 1)
    longest = np.int64(0)
    expect = np.int64(0)
    for m in range(MATCHES):
        ln = mptr[m * 4 + 1]
        eb = mptr[m * 4 + 2]
        mptr[m * 4 + 3] = -1
        x[j] = 0
        x[j + 1] = 0
        if ln > 0:
            if (eb >> (8 - bits)) == c0:
                bit = (eb >> (7 - bits)) & 1
                b = _len_bucket(ln)
                k = ((m * 64 + b) << 1) | bit
                mptr[m * 4 + 3] = k
                p = np.int64(msm[k]) >> 9
                st = np.int64(STRETCH[p >> 10])
                x[j] = st >> 1
                x[j + 1] = ((p >> 10) - 2048) >> 2
                longest = b
                expect = eb & 255
            else:
                mptr[m * 4 + 1] = 0
        j += 2
    x[j] = np.int64(STRETCH[np.int64(o0[c0]) >> 19]) >> 1
    x[j + 1] = 256
    # choose the weights
    c1 = S[C4] & 255
    c2 = (S[C4] >> 8) & 255
    sel[0] = SET_BASE[0] + c0
    sel[1] = SET_BASE[1] + c1 * 8 + bits
    sel[2] = SET_BASE[2] + (S[CLASSES] & 255) * 8 + bits
    sel[3] = SET_BASE[3] + longest * 8 + bits
    sel[4] = SET_BASE[4] + c2 * 8 + bits
    sel[5] = (
        SET_BASE[5]
        + (order * 8 + bits) * 4
        + (0 if longest == 0 else (1 if longest < 15 else (2 if longest < 22 else 3)))
    )
    sel[6] = SET_BASE[6] + min(S[LMASK], 15) * 16 + bits * 2
    ws = c0 * 8
    total = np.int64(0)
    for k in range(SETS):
        d = _dot(w[sel[k]], x) >> 16
        d = min(max(d, -INPUT_LIMIT), INPUT_LIMIT)
        dots[k] = d
        total += d * np.int64(w2[ws + k])
    total = min(max(total >> 16, -LOGIT_LIMIT), LOGIT_LIMIT)
    dots[SETS] = total
    p = np.int64(SQUASH[total + LOGIT_LIMIT])
    S[PMIX] = p
    # adaptive maps
    q = min(max(total, -2047), 2047) + 2048
    lo = q >> 7
    wt = q & 127
    a0 = c0 * 33 + lo + 0
    a1 = 256 * 33 + (c0 | c1 << 8) * 33 + lo
    h = _hash(S[C4] & 0xFFFFFF, c0) & 0xFFFF
    a2 = 256 * 33 + 65536 * 33 + h * 33 + lo
    aidx[0] = a0 + (wt >> 6)
    aidx[1] = a1 + (wt >> 6)
    aidx[2] = a2 + (wt >> 6)
    p0 = (np.int64(apm[a0]) * (128 - wt) + np.int64(apm[a0 + 1]) * wt) >> 7
    p1 = (np.int64(apm[a1]) * (128 - wt) + np.int64(apm[a1 + 1]) * wt) >> 7
    p2 = (np.int64(apm[a2]) * (128 - wt) + np.int64(apm[a2 + 1]) * wt) >> 7
    if -2000 < total < 2000:
        p = (2 * p + p0 + 2 * p1 + 3 * p2) >> 3
    p = min(max(p, 1), 65535)
    S[PR] = p
    return p


@njit(cache=True)
def update(state, bit):
    (
        S,
        hist,
        ht,
        ctx,
        base,
        sm,
        idx,
        run,
        runix,
        runsm,
        ridx,
        x,
        w,
        sel,
        dots,
        w2,
        mptr,
        mtab,
        msm,
        apm,
        aidx,
        ind,
        o0,
        rbyte,
    ) = state
    nib = S[NIB]
    lim = S[SMLIM]
    target = bit << 22
    for i in range(N):
        a = base[i] + nib
        ht[a] = NEXT_STATE[ht[a], bit]
        v = np.int64(sm[idx[i]])
        n = v & 511
        p = v >> 9
        p += ((target - p) * np.int64(RECIPROCAL[n])) >> 16
        sm[idx[i]] = (p << 9) | (n + 1 if n < lim else n)
        k = ridx[i]
        if k & 255:
            v = np.int64(runsm[k])
            n = v & 511
            p = v >> 9
            p += ((target - p) * np.int64(RECIPROCAL[n])) >> 16
            runsm[k] = (p << 9) | (n + 1 if n < 400 else n)
    for m in range(MATCHES):
        k = mptr[m * 4 + 3]
        if k >= 0:
            v = np.int64(msm[k])
            n = v & 511
            p = v >> 9
            p += ((target - p) * np.int64(RECIPROCAL[n])) >> 16
            msm[k] = (p << 9) | (n + 1 if n < 400 else n)
    c0 = S[C0]
    v = np.int64(o0[c0])
    n = v & 511
    p = v >> 9
    p += ((target - p) * np.int64(RECIPROCAL[n])) >> 16
    o0[c0] = (p << 9) | (n + 1 if n < 250 else n)
    # mixers
    ws = c0 * 8
    y = bit << 16
    rate = S[LR] + S[LRX] // (1024 + S[POS])
    err2 = ((y - S[PMIX]) * S[LR2]) >> 10
    for k in range(SETS):
        d = dots[k]
        w2[ws + k] += np.int32((d * err2 + 0x8000) >> 16)
        err = np.int32(((y - np.int64(SQUASH[d + LOGIT_LIMIT])) * rate) >> 14)
        if err != 0:
            _train(w[sel[k]], x, err)
    for j in range(3):
        a = aidx[j]
        apm[a] += (((bit << 16) - bit * 16 + 8) - np.int64(apm[a])) >> 6
    # the byte so far
    c0 = (c0 << 1) | bit
    S[BITS] += 1
    S[NIB] = (nib << 1) | bit
    if S[BITS] == 4:
        S[NIB] = 1
        touch = np.int64(0)
        for i in range(N):
            touch += np.int64(ht[_place(S[HTM], ctx[i], c0)])
        S[TOUCH] = touch
        for i in range(N):
            base[i] = _bucket(ht, S[HTM], ctx[i], c0)
    elif S[BITS] == 8:
        c = c0 & 255
        for i in range(N):
            r = np.int64(run[runix[i]])
            if (r & 255) == c and (r >> 8) & 15 > 0:
                if ((r >> 8) & 15) < 15:
                    run[runix[i]] = r + 256
            else:
                run[runix[i]] = (r >> 12 << 12) | 256 | c
        S[BITS] = 0
        S[NIB] = 1
        c0 = np.int64(1)
        hist[S[POS] & S[HM]] = c
        S[POS] += 1
        S[C12] = ((S[C12] << 8) | (S[C8] >> 24)) & 0xFFFFFFFF
        S[C8] = ((S[C8] << 8) | (S[C4] >> 24)) & 0xFFFFFFFF
        S[C4] = ((S[C4] << 8) | c) & 0xFFFFFFFF
        _set_contexts(S, hist, ctx, ind)
        _match_update(S, hist, mptr, mtab)
        touch = np.int64(0)
        for i in range(N):
            touch += np.int64(ht[_place(S[HTM], ctx[i], np.int64(0))])
            touch += np.int64(run[((ctx[i] * 0x3C6EF35F) >> 16) & S[RUNM]])
        S[TOUCH] = touch
        for i in range(N):
            base[i] = _bucket(ht, S[HTM], ctx[i], np.int64(0))
            k = (ctx[i] * 0x3C6EF35F) >> 16
            r = k & S[RUNM]
            chk = (k >> 26) & 0xFFFF
            runix[i] = r
            if (np.int64(run[r]) >> 12) != chk:
                run[r] = chk << 12
            r = np.int64(run[r])
            rc = (r >> 8) & 15
            rbyte[i] = (rc << 9) | 256 | (r & 255) if rc > 0 else 0
    S[C0] = c0


@njit(cache=True)
def encode_byte(state, coder, out, byte):
    """Encode one byte (`out` must have room for 8 more calls: `reserve(coder, out, 8)`)."""
    for shift in range(7, -1, -1):
        bit = (byte >> shift) & 1
        encode_bit(coder, out, predict(state), bit)
        update(state, bit)


@njit(cache=True)
def decode_byte(state, coder, data):
    """Return the next byte of `data`, as `encode_byte` wrote it."""
    byte = 0
    for _ in range(8):
        bit = decode_bit(coder, data, predict(state))
        update(state, bit)
        byte = (byte << 1) | bit
    return byte


@njit(cache=True)
def learn_byte(state, byte):
    """Train on a byte that is known otherwise; returns what coding it would have cost, in 1/65536 bits."""
    cost = np.int64(0)
    for shift in range(7, -1, -1):
        bit = (byte >> shift) & 1
        p = predict(state)
        cost += cost_of(p if bit else 65536 - p)
        update(state, bit)
    return cost


@njit(cache=True)
def cost_bytes(state, data):
    """Train on `data` (uint8) and return what coding it would have cost, in 1/65536 bits."""
    cost = np.int64(0)
    for i in range(len(data)):
        cost += learn_byte(state, np.int64(data[i]))
    return cost


@njit(cache=True)
def encode_array(state, data):
    """Encode all of `data` (uint8); returns the coder's bytes."""
    coder = new_encoder()
    out = np.empty(len(data) // 2 + 1024, np.uint8)
    for i in range(len(data)):
        out = reserve(coder, out, 8)
        encode_byte(state, coder, out, np.int64(data[i]))
    out = reserve(coder, out, 8)
    return out[: finish(coder, out)]


@njit(cache=True)
def decode_array(state, payload, n):
    """Return the n bytes that `encode_array` wrote into `payload` (uint8)."""
    coder = new_decoder(payload)
    data = np.empty(n, np.uint8)
    for i in range(n):
        data[i] = decode_byte(state, coder, payload)
    return data
