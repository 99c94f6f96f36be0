"""The model of sampled signals: linear predictors, each an expert on where the next sample lies.

All filters are in fixed point: recursive least squares by an integer Cholesky (LDL') solution, and a cascade of
normalised LMS filters on its residual. Every expert is a logistic distribution around its prediction; the
sample's bits, most significant first, are coded with the experts' probabilities mixed.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ktray.literals.coding import DECODE, code_bit
from ktray.literals.fixed import INPUT_LIMIT, LOGIT_LIMIT, RECIPROCAL, SQUASH, STRETCH, _exp_fixed

# logistic distribution function, steps of 1/32, 30 fractional bits
ZMAX = 24 * 32
def _logistic_table():
    one = 1 << 96
    out = []
    for i in range(-ZMAX, ZMAX + 2):
        e = _exp_fixed(abs(i), 32)
        v = (one << 30) // (one + e) if i < 0 else (e << 30) // (one + e)
        out.append(v)
    return np.array(out, dtype=np.int64)
CDF = _logistic_table()

MAXTAPS = 40
NSTAGE = 3
MAXORD = 1024
NE = 8          # experts
NSC = 2         # scales an expert
NIN = NE * NSC * 2 + 8
NINP = (NIN + 7) // 8 * 8
(WIDTH, WRAP, NOLS, FQ, POS, LR, LRX, EVERY, SRATE0, SRATE1, FLOOR, SEG, START, PERIOD) = range(14)

def new_state(width, wrap, ols, stages, every=8, lr=600, lrx=0, s0=4, s1=7, floor=16, stack=10, seg=None, n=1<<20):
    """ols: list of (lags, rate shift); stages: list of (order, mu_q16)."""
    P = np.zeros(64, dtype=np.int64)
    P[WIDTH] = width; P[WRAP] = wrap; P[NOLS] = len(ols); P[FQ] = 4 if width == 16 else 8
    P[LR] = lr; P[LRX] = lrx; P[EVERY] = every; P[SRATE0] = s0; P[SRATE1] = s1; P[FLOOR] = floor
    no = len(ols) + 1
    lags = np.zeros((no, MAXTAPS), dtype=np.int64)
    nt = np.zeros((no, 4), dtype=np.int64)
    total = 0
    for i, (l, r, *each) in enumerate([*ols, (range(len(ols) + NSTAGE), *(stack if isinstance(stack, tuple) else (stack,)))]):
        lags[i, :len(l)] = l
        nt[i] = len(l), r, total, int(bool(each))
        total += 32 if each else 1
    R = np.zeros((total, MAXTAPS, MAXTAPS), dtype=np.int64)
    B = np.zeros((total, MAXTAPS), dtype=np.int64)
    W = np.zeros((total, MAXTAPS), dtype=np.int64)
    W[:, 0] = 1 << 18
    mean = np.zeros(32, dtype=np.int64)
    X = np.zeros((no, MAXTAPS), dtype=np.int32)
    A = np.zeros((MAXTAPS, MAXTAPS), dtype=np.int64)
    sp = np.zeros((NSTAGE, 4), dtype=np.int64)   # order, mu, power, position
    for i, (o, mu) in enumerate(stages):
        sp[i] = o, mu, 0, MAXORD
    sh = np.zeros((NSTAGE, MAXORD + 4096), dtype=np.int32)
    sw = np.zeros((NSTAGE, MAXORD), dtype=np.int32)
    mu = np.zeros(NE, dtype=np.int64)
    sc = np.full((NE, NSC), 256 << 16 if width == 16 else 256 << 10, dtype=np.int64)
    edge = np.zeros((NE * NSC, 4), dtype=np.int64)
    x = np.zeros(NINP, dtype=np.int32)
    w = np.full((16 * 16 + 32 * 16 + 32 * 16 + 32 * 16, NINP), 65536 // 12, dtype=np.int32)
    amap = np.zeros(NE * NSC * 16 * 33, dtype=np.int32)
    ramp = SQUASH[np.clip((np.arange(33) - 16) * 128 + LOGIT_LIMIT, 0, 2 * LOGIT_LIMIT)].astype(np.int64)
    amap[:] = np.tile(ramp << 15, NE * NSC * 16)
    aidx = np.zeros(NE * NSC, dtype=np.int64)
    cm = np.full((6, 1 << 18), 1 << 30, dtype=np.int32)
    cidx = np.zeros(6, dtype=np.int64)
    apm = np.tile(ramp, 2048).astype(np.int32)
    if seg is None:
        seg = np.zeros((1, 2), dtype=np.int64)
    mag = np.zeros(n, dtype=np.int32)
    return (P, lags, nt, R, B, W, X, A, sp, sh, sw, mu, sc, edge, x, w, amap, aidx, cm, cidx, apm, seg, mag, mean)

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
def _covary(R, B, x, y, n, rate):
    """Exponentially faded products of the inputs with each other and with the target, 16 fractional bits."""
    for i in range(n):
        xi = np.int64(x[i]) << 12
        row = R[i]
        for j in range(i + 1):
            row[j] += (xi * np.int64(x[j]) - row[j]) >> rate
        B[i] += (xi * y - B[i]) >> rate

@njit(cache=True)
def _solve(R, B, W, A, n, ridge):
    """W = R^-1 B with 18 fractional bits, by LDL' on R scaled to 30 bits."""
    top = np.int64(1)
    for i in range(n):
        top = max(top, R[i, i])
    sh = np.int64(0)
    while (top >> sh) >= (1 << 30):
        sh += 1
    up = np.int64(0)
    while sh == 0 and (top << up) < (1 << 29) and up < 20:
        up += 1
    reg = (((top << up) >> sh) >> ridge) + 1
    for j in range(n):
        # column j of the factor, below the diagonal; A[i, j] = l_ij * d_j on the way
        for i in range(j, n):
            A[i, j] = ((R[i, j] << up) >> sh) + (reg if i == j else 0)
    for j in range(n):
        d = max(A[j, j], np.int64(64))
        A[j, j] = d
        for i in range(j + 1, n):
            l = (A[i, j] << 24) // d
            l = min(max(l, -(1 << 32)), 1 << 32)
            # row i of what is left loses l * row j (kept in column j)
            for k in range(j + 1, i + 1):
                A[i, k] -= (l * A[k, j]) >> 24
        for i in range(j + 1, n):
            l = (A[i, j] << 24) // d
            A[i, j] = min(max(l, -(1 << 32)), 1 << 32)
    lim = np.int64(1 << 24)
    for i in range(n):
        z = (B[i] << up) >> sh
        for j in range(i):
            z -= (A[i, j] * A[j, MAXTAPS - 1]) >> 24
        A[i, MAXTAPS - 1] = min(max(z, -(1 << 30)), 1 << 30)
    for i in range(n - 1, -1, -1):
        v = (A[i, MAXTAPS - 1] << 18) // A[i, i]
        v = min(max(v, -lim), lim)
        for j in range(i + 1, n):
            v -= (A[j, i] * W[j]) >> 24
        W[i] = min(max(v, -lim), lim)

@njit(cache=True)
def _stage_predict(h, w, order, pos):
    return _dot(w[:order], h[pos - order:pos]) >> 24

@njit(cache=True)
def _stage_update(h, w, sp, err):
    order = sp[0]
    pos = sp[3]
    g = ((err * sp[1]) << 20) // (sp[2] + 4096 + order * 256)
    g = min(max(g, -(1 << 40)), 1 << 40)
    a = h[pos - order:pos]
    for i in range(order):
        w[i] += np.int32((g * np.int64(a[i]) + 2048) >> 12)

@njit(cache=True)
def _stage_push(h, sp, v):
    order = sp[0]
    pos = sp[3]
    old = np.int64(h[pos - order])
    if pos == h.shape[0]:
        for i in range(order):
            h[i + MAXORD - order] = h[pos - order + i]
        pos = np.int64(MAXORD)
    h[pos] = v
    sp[2] += v * v - old * old
    sp[3] = pos + 1

@njit(cache=True)
def _cdf(z):
    """The logistic distribution function at z (16 fractional bits), 30 fractional bits."""
    z = min(max(z, -(23 << 16)), 23 << 16)
    i = (z >> 11) + ZMAX
    f = z & 2047
    return CDF[i] + (((CDF[i + 1] - CDF[i]) * f) >> 11)

@njit(cache=True)
def _adapt(table, k, bit, limit):
    v = np.int64(table[k])
    n = v & 511
    p = v >> 9
    p += (((bit << 22) - p) * np.int64(RECIPROCAL[n])) >> 16
    table[k] = (p << 9) | (n + 1 if n < limit else n)

@njit(cache=True)
def _log2(v):
    b = np.int64(0)
    while v > 1:
        v >>= 1
        b += 1
    return b

@njit(cache=True)
def code_samples(mode, coder, buffer, state, data, start, stop):
    """Encode, decode or price the samples data[start:stop] (int32; signed for plain, unwrapped for wrapping signals)."""
    (P, lags, nt, R, B, W, X, A, sp, sh, sw, mu, sc, edge, x, w, amap, aidx, cm, cidx, apm, seg, mag, mean) = state
    width = P[WIDTH]
    half = np.int64(1) << (width - 1)
    nols = P[NOLS]
    fq = P[FQ]
    ncomb = nols + NSTAGE
    for t in range(start, stop):
        # which record, and where in it
        while P[SEG] < len(seg) and seg[P[SEG], 0] <= t:
            P[START] = seg[P[SEG], 0]
            P[PERIOD] = seg[P[SEG], 1]
            P[SEG] += 1
        T = P[PERIOD]
        rec = np.int64(0)
        ec = np.int64(0)
        if T > 0:
            rec = min((t - P[START]) // T, 31)
            if t - T - 2 >= P[START]:
                ec = np.int64(mag[t - T]) * 3 + mag[t - T + 1] * 2 + mag[t - T - 1] * 2 + mag[t - T + 2] 
                if t - 2 * T - 2 >= P[START]:
                    ec = (ec + np.int64(mag[t - 2*T]) * 3 + mag[t - 2*T + 1] * 2 + mag[t - 2*T - 1] * 2 + mag[t - 2*T + 2]) >> 1
                l = _log2((ec >> (fq - 3)) + 1)
                ec = 1 + min(l * 2 + (((ec >> (fq - 3)) + 1) >> max(l - 1, 0) & 1), 30)
        # predict
        for m in range(nols):
            for i in range(nt[m, 0]):
                lag = lags[m, i]
                first = np.int64(0)
                pad = np.int64(0)
                if lag > 10000:
                    first = P[START]
                    lag = (T * (lag // 10000) + lag % 10000 - 100) if T > 0 else t + 1
                elif T > 0:
                    first = P[START] + rec * T
                    pad = mean[rec] >> 8
                at = t - lag
                if lag == 0:
                    X[m, i] = half >> 1
                else:
                    X[m, i] = data[at] if at >= first else pad
            s = np.int64(0)
            r = nt[m, 2] + nt[m, 3] * rec
            for i in range(nt[m, 0]):
                s += W[r, i] * np.int64(X[m, i])
            mu[m] = min(max(s >> (18 - fq), -(half << (fq + 1))), half << (fq + 1))
        total = mu[0]
        for k in range(NSTAGE):
            pk = _stage_predict(sh[k], sw[k], sp[k, 0], sp[k, 3])
            total = min(max(total + pk, -(half << (fq + 1))), half << (fq + 1))
            mu[nols + k] = total
        for i in range(ncomb):
            X[nols, i] = mu[i]
        s = np.int64(0)
        rs = nt[nols, 2] + nt[nols, 3] * rec
        for i in range(ncomb):
            s += W[rs, i] * mu[i]
        mu[ncomb] = min(max(s >> 18, -(half << (fq + 1))), half << (fq + 1))
        last = np.int64(data[t - 1]) if t > 0 else np.int64(0)
        if T > 0:
            inrec = (t - P[START]) - rec * T
            if inrec == 0:
                for i in range(ncomb + 1):
                    mu[i] = mean[rec] << (fq - 8)
            if inrec < 3:
                ec = np.int64(0)
        main = mu[ncomb]
        # the range of values
        if P[WRAP]:
            low = ((main + (1 << (fq - 1))) >> fq) - half
        else:
            low = -half
        ne = ncomb + 1
        # experts
        for e in range(ne):
            for k in range(NSC):
                s16 = max(sc[e, k] >> 8, P[FLOOR])     # mean |error|, fq + 8 - 8 fractional bits -> Q(fq)
                j = e * NSC + k
                edge[j, 0] = (91 << 16) // (s16 * 64 + 1) * 64 if False else ((1 << 32) // s16)   # 1/scale
                edge[j, 1] = _cdf((((low << fq) - (1 << (fq - 1)) - mu[e]) * ((1454 << 16) // (s16 * 1024 // 1024)) >> 10))
                hi = low + (half << 1)
                edge[j, 2] = _cdf((((hi << fq) - (1 << (fq - 1)) - mu[e]) * ((1454 << 16) // (s16 * 1024 // 1024)) >> 10))
        node = np.int64(0)
        lo = low
        size = half << 1
        sm_ = np.int64(data[t]) if mode != DECODE else np.int64(0)
        if P[WRAP]:
            sm_ = low + ((sm_ - low) & (2 * half - 1))
        sl = _log2((sc[ncomb, 0] >> 8) + 1)
        sl2 = _log2((sc[ncomb, 1] >> 8) + 1)
        l1 = (last >> (width - 8)) & 255
        c0 = np.int64(1)
        for b in range(width):
            size >>= 1
            mid = lo + size
            for e in range(ne):
                for k in range(NSC):
                    j = e * NSC + k
                    s16 = max(sc[e, k] >> 8, P[FLOOR])
                    fm = _cdf((((mid << fq) - (1 << (fq - 1)) - mu[e]) * ((1454 << 16) // s16)) >> 10)
                    edge[j, 3] = fm
                    num = edge[j, 2] - fm + (size >> (width - 9) if width > 9 else size)
                    den = edge[j, 2] - edge[j, 1] + 2 * (size >> (width - 9) if width > 9 else size) + 2
                    p = ((num + 1) << 12) // den
                    p = min(max(p, 0), 4095)
                    st = np.int64(STRETCH[p])
                    x[2 * j] = st >> 1
                    wl = min(max(_log2((size << (fq + 4)) // s16 + 1), 0), 15)
                    a = (j * 16 + wl) * 33 + ((st + 2048 + 64) >> 7)
                    aidx[j] = a
                    x[2 * j + 1] = STRETCH[np.int64(amap[a]) >> 19] >> 1
            j = ne * NSC * 2
            rel = mid - (main >> fq)
            relc = min(max(rel, -128), 127) + 128
            wb = width - 1 - b
            cidx[0] = (c0 & 0xFFFF) if width == 16 else ((c0 << 8) | l1)
            cidx[1] = ((relc << 4) | wb) << 4 | sl & 15
            cidx[2] = (((relc << 4) | wb) << 3 | ((main >> (fq - 3)) & 7)) & 0x3FFFF
            for i in range(3):
                x[j + i] = STRETCH[np.int64(cm[i, cidx[i]]) >> 19] >> 1
            x[j + 3] = 256
            wl = min(max(_log2((size << (fq + 4)) // max(sc[ncomb, 0] >> 8, P[FLOOR]) + 1), 0), 15)
            s0 = b * 16 + wl
            s1 = 256 + min(sl, 31) * 16 + wl
            s2 = 768 + (ec * 16 if T > 0 else min(sl2, 31) * 16) + wl
            s3 = 1280 + (rec * 16 if T > 0 else min(relc >> 3, 31) * 16) + wl
            d0 = min(max(_dot(w[s0], x) >> 16, -INPUT_LIMIT), INPUT_LIMIT)
            d1 = min(max(_dot(w[s1], x) >> 16, -INPUT_LIMIT), INPUT_LIMIT)
            d2 = min(max(_dot(w[s2], x) >> 16, -INPUT_LIMIT), INPUT_LIMIT)
            d3 = min(max(_dot(w[s3], x) >> 16, -INPUT_LIMIT), INPUT_LIMIT)
            d = (d0 + d1 + d2 + d3) >> 2
            p = np.int64(SQUASH[d + LOGIT_LIMIT])
            q = d + 2048
            a = (min(sl2, 31) * 16 + wl) * 33 + (q >> 7)
            wt = q & 127
            pa = (np.int64(apm[a]) * (128 - wt) + np.int64(apm[a + 1]) * wt) >> 7
            p = min(max((3 * p + pa) >> 2, 1), 65535)
            bit = np.int64(code_bit(mode, coder, buffer, p, np.int64(sm_ >= mid)))
            y = bit << 16
            rate = P[LR] + P[LRX] // (1024 + t)
            _train(w[s0], x, np.int32((y - np.int64(SQUASH[d0 + LOGIT_LIMIT])) * rate >> 14))
            _train(w[s1], x, np.int32((y - np.int64(SQUASH[d1 + LOGIT_LIMIT])) * rate >> 14))
            _train(w[s2], x, np.int32((y - np.int64(SQUASH[d2 + LOGIT_LIMIT])) * rate >> 14))
            _train(w[s3], x, np.int32((y - np.int64(SQUASH[d3 + LOGIT_LIMIT])) * rate >> 14))
            a += wt >> 6
            apm[a] += ((y - bit * 16 + 8) - np.int64(apm[a])) >> 6
            for jj in range(ne * NSC):
                _adapt(amap, aidx[jj], bit, 500)
                if bit:
                    edge[jj, 1] = edge[jj, 3]
                else:
                    edge[jj, 2] = edge[jj, 3]
            for i in range(3):
                _adapt(cm[i], cidx[i], bit, 250)
            if bit:
                lo = mid
            c0 = (c0 << 1) | bit
        data[t] = lo
        v = lo << fq
        mag[t] = min(abs(v - mu[ncomb]), 1 << 24)
        # learn
        for e in range(ne):
            err = abs(v - mu[e]) << 8
            sc[e, 0] += ((err - sc[e, 0]) >> P[SRATE0])
            sc[e, 1] += ((err - sc[e, 1]) >> P[SRATE1])
        for m in range(nols):
            r = nt[m, 2] + nt[m, 3] * rec
            _covary(R[r], B[r], X[m], lo, nt[m, 0], nt[m, 1])
        _covary(R[rs], B[rs], X[nols], v, ncomb, nt[nols, 1])
        if T > 0:
            mean[rec] += ((lo << 8) - mean[rec]) >> 8
        if t % P[EVERY] == 0:
            for m in range(nols):
                r = nt[m, 2] + nt[m, 3] * rec
                _solve(R[r], B[r], W[r], A, nt[m, 0], 18)
            _solve(R[rs], B[rs], W[rs], A, ncomb, 14)
        before = mu[0]
        for k in range(NSTAGE):
            e1 = v - before
            e2 = v - mu[nols + k]
            _stage_update(sh[k], sw[k], sp[k], e2)
            _stage_push(sh[k], sp[k], e1)
            before = mu[nols + k]
    return 0
